"""Search spaces: variables, DAGs and every space that ships; the lowest floor of the house."""

from __future__ import annotations

from .architecture import Architecture
from .dag import DAG
from .declared import DeclaredSpace
from .product import ProductSpace
from .resolver import from_json, names, space
from .space import ArchitectureLike, Space
from .task import GraphTask, ImageTask, Task
from .variable import Variable

__all__ = [
    "DAG",
    "Architecture",
    "ArchitectureLike",
    "DeclaredSpace",
    "GraphTask",
    "ImageTask",
    "ProductSpace",
    "Space",
    "Task",
    "Variable",
    "from_json",
    "names",
    "space",
]
