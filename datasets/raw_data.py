"""Raw data sets, as a user has them on disk or by name."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import TableError, UsageError
from ..core.options import check_options, read_options
from .array_files import is_array_file, read_array_file
from .image_folder import read_image_folder
from .raw_graph import RawGraph
from .raw_graphs import RawGraphs
from .raw_images import RawImages
from .raw_series import RawSeries
from .resolver import DATASETS
from .saved_graphs import processed_file, read_saved_graph

__all__ = [
    "RawData",
    "RawGraph",
    "RawGraphs",
    "RawImages",
    "RawSeries",
    "data_options",
    "is_raw",
    "load_raw",
]

_SAY = logging.getLogger(__name__)
RawData = RawImages | RawSeries | RawGraph | RawGraphs
SAVED = (".pt", ".pth")
# Where options begin: after a colon, a key and what it is set to. So no drive and no name of a data
# set (`pyg:Cora`) is taken for them.
OPTIONS = re.compile(r":(?=[A-Za-z_]\w*=)")


def is_raw(path: str | Path) -> bool:
    """Whether a path or a name stands for raw data, and not for a table of architectures.

    Args:
        path: As for `load_raw`.

    Example:
        >>> is_raw("cora"), is_raw("pyg:Cora")
        (False, True)
    """
    source, _ = _parted(path)
    if _named(source) is not None:
        return True
    path = Path(source)
    if path.suffix.lower() != ".npz" or not path.is_file():
        return path.is_dir() or path.suffix.lower() in SAVED
    return is_array_file(path)


def load_raw(path: str | Path, **options: Any) -> RawData:
    """Reads a raw data set; nothing in it is unpickled or run.

    ===============================  ===========================================================
    ``.npz`` with ``edges``, ``y``   a graph; features as ``x``, or as CSR in ``x_indices``,
                                     ``x_indptr``, ``x_shape`` and (unless all are 1) ``x_data``;
                                     parts as ``train_idx``, ``val_idx``, ``test_idx`` or as
                                     ``train_mask``, …; also ``edge_index``, and the ``adj_…``,
                                     ``attr_…`` and ``labels`` of the Amazon and Coauthor files;
                                     with ``graph``, the graph of every node, many graphs
    ``.npz`` with ``x_train``,       images as bytes, ``[N, H, W]``, ``[N, H, W, C]`` or
    ``y_train``                      ``[N, C, H, W]``, or as floats with four axes; series as
                                     numbers, ``[N, L]`` or ``[N, C, L]``; also ``x_val`` and
                                     ``x_test``, ``train_images``, ``images`` and ``labels``, ``x``
                                     and ``y``
    ``.pt``, ``.pth``, or a folder   a ``Data``, a list of them, or an ``InMemoryDataset`` of
    with one in ``processed``        torch-geometric that was saved, of one graph or many, read by
                                     ``torch.load(weights_only=True)``
    other folders                    images, one folder a class; see `read_image_folder`
    a name                           ``digits``, ``torchvision:CIFAR10``, ``huggingface:NAME``,
                                     ``pyg:Cora``, ``pyg:TUDataset/MUTAG``, and what an installed
                                     package gives by the entry-point group
                                     ``vitruvius.datasets``
    ===============================  ===========================================================

    Labels are classes where they are whole numbers or text, and targets of a regression where they
    are floats. What was left out or decided is logged, and is in the ``notes`` of the result.

    Args:
        path: A file, a folder or a name; as text, options may follow a colon:
            ``./photos:resolution=32,skip_corrupt=true``.
        options: ``resolution`` and ``skip_corrupt`` of images (see `read_image_folder`), ``split``
            of graphs with several masks, ``regression`` of labels (see `classes_or_targets`).

    Raises:
        TableError: For what is missing, broken or of another kind.
        UnknownNameError: For an option that such data do not have.
        UsageError: For an option of another kind.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> file = Path(tempfile.mkdtemp()) / "mine.npz"
        >>> np.savez(file, x=np.eye(3), edges=[[0, 1], [1, 2]], y=[0, 0, 1])
        >>> raw = load_raw(file)
        >>> raw.task.classes, raw.task.features
        (2, 3)
    """
    source, written = _parted(path)
    options = written | options
    named = _named(source)
    name = Path(source).name if named is None else source
    reader = named or _reader(Path(source))
    check_options(name, options, reader)
    try:
        raw: RawData = reader(**options)
    except UsageError as error:
        raise TableError(f"{name}: {error.message}", error.hint) from error
    for note in raw.notes:
        _SAY.warning("%s: %s", name, note)
    return raw


def data_options(path: str | Path) -> list[str]:
    """Lists the options that `load_raw` takes for some data.

    Args:
        path: As for `load_raw`.

    Raises:
        TableError: For what is missing or of another kind.

    Example:
        >>> data_options("digits")
        []
    """
    source, _ = _parted(path)
    return list(inspect.signature(_named(source) or _reader(Path(source))).parameters)


def _parted(path: str | Path) -> tuple[str, dict[str, Any]]:
    """A path or name, and the options behind it; a path that is there has none."""
    text = str(path)
    places = [match.start() for match in OPTIONS.finditer(text)]
    if isinstance(path, Path) or not places or Path(text).exists():
        return text, {}
    there = [place for place in places if Path(text[:place]).exists()]
    place = there[-1] if there else places[0]
    return text[:place], read_options(text[:place], text[place + 1 :])


def _named(source: str) -> Callable[..., RawData] | None:
    """Reads the data set of that name; None where no member of `DATASETS` has it."""
    family, colon, name = source.partition(":")
    if source in DATASETS:
        return partial(DATASETS.get(source))
    return partial(DATASETS.get(family), name) if colon and family in DATASETS else None


def _reader(path: Path) -> Callable[..., RawData]:
    if not path.exists():
        raise TableError(
            f"There is no file or folder {str(path)!r}.",
            f"Is the path right? Known by name: {', '.join(DATASETS.names())}. Options follow a "
            "colon: ./photos:resolution=32.",
        )
    if path.is_dir():
        saved = processed_file(path)
        if saved is None:
            return partial(read_image_folder, path)
        return partial(read_saved_graph, saved)
    match path.suffix.lower():
        case ".npz":
            return partial(read_array_file, path)
        case suffix if suffix in SAVED:
            return partial(read_saved_graph, path)
    raise TableError(
        f"{path.name} is no raw data set that can be read.",
        "Give a .npz or .pt file, or a folder of images.",
    )
