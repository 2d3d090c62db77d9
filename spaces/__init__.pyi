from .architecture import Architecture as Architecture
from .dag import DAG as DAG
from .declared import DeclaredSpace as DeclaredSpace
from .layers import Layer as Layer
from .product import ProductSpace as ProductSpace
from .resolver import from_json as from_json, names as names, space as space
from .space import ArchitectureLike as ArchitectureLike, Space as Space
from .task import (
    GraphTask as GraphTask,
    ImageTask as ImageTask,
    SeriesTask as SeriesTask,
    Task as Task,
)
from .variable import Variable as Variable
