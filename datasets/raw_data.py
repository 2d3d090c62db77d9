"""Raw data sets, graphs and images, as a user has them on disk."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import TableError, UsageError
from ..core.npz import npz_names, read_npz
from .arrays import classes
from .graph_files import graph_of_arrays, named_arrays, processed_file, read_saved_graph
from .image_folder import read_image_folder
from .raw_graph import RawGraph
from .raw_graphs import RawGraphs
from .raw_images import RawImages, channels_first
from .raw_series import RawSeries
from .resolver import DATASETS

__all__ = [
    "RawData",
    "RawGraph",
    "RawGraphs",
    "RawImages",
    "RawSeries",
    "is_raw",
    "load_raw",
]

RawData = RawImages | RawSeries | RawGraph | RawGraphs


# Names under which files hold the training part of a set of images.
IMAGE_COLUMNS = (("x_train", "y_train"), ("images", "labels"), ("x", "y"))
SAVED = (".pt", ".pth")


def is_raw(path: str | Path) -> bool:
    """Whether a path or a name stands for raw data, and not for a table of architectures.

    Args:
        path: A file, a folder, or a name of `DATASETS`.

    Example:
        >>> is_raw("cora")
        False
    """
    if str(path) in DATASETS:
        return True
    path = Path(path)
    if path.suffix.lower() != ".npz" or not path.is_file():
        return path.is_dir() or path.suffix.lower() in SAVED
    names = npz_names(path)
    return bool(named_arrays(names)) or any(set(pair) <= set(names) for pair in IMAGE_COLUMNS)


def load_raw(path: str | Path) -> RawGraph | RawImages:
    """Reads a raw data set; nothing in it is unpickled or run.

    ===============================  ===========================================================
    ``.npz`` with ``edges``, ``y``   a graph; features as ``x``, or as CSR in ``x_indices``,
                                     ``x_indptr``, ``x_shape`` and (unless all are 1) ``x_data``;
                                     ``train_idx`` or ``train_mask`` where there is a split; also
                                     ``edge_index``, and the ``adj_…``, ``attr_…`` and ``labels`` of
                                     the Amazon and Coauthor files
    ``.npz`` with ``x_train``,       images as bytes, ``[N, H, W]``, ``[N, H, W, C]`` or
    ``y_train``                      ``[N, C, H, W]``; also ``images`` and ``labels``, ``x`` and
                                     ``y``
    ``.pt``, ``.pth``, or a folder   a ``Data`` or ``InMemoryDataset`` of torch-geometric that was
    with one in ``processed``        saved, read by ``torch.load(weights_only=True)``
    other folders                    images, one folder a class; see `read_image_folder`
    a name                           what an installed package gives by the entry-point group
                                     ``vitruvius.datasets``
    ===============================  ===========================================================

    Args:
        path: A file, a folder or a name.

    Raises:
        TableError: For what is missing, broken or of another kind.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> file = Path(tempfile.mkdtemp()) / "mine.npz"
        >>> np.savez(file, x=np.eye(3), edges=[[0, 1], [1, 2]], y=[0, 0, 1])
        >>> raw = load_raw(file)
        >>> raw.task.classes, raw.task.features
        (2, 3)
    """
    if str(path) in DATASETS:
        named: RawGraph | RawImages = DATASETS.get(str(path))()
        return named
    path = Path(path)
    if not path.exists():
        raise TableError(
            f"There is no file or folder {str(path)!r}.",
            f"Is the path right? Known by name: {', '.join(DATASETS.names()) or 'none'}.",
        )
    try:
        if path.is_dir():
            saved = processed_file(path)
            return read_image_folder(path) if saved is None else read_saved_graph(saved)
        match path.suffix.lower():
            case ".npz":
                return _read_arrays(path)
            case suffix if suffix in SAVED:
                return read_saved_graph(path)
    except UsageError as error:
        raise TableError(f"{path.name}: {error.message}", error.hint) from error
    raise TableError(
        f"{path.name} is no raw data set that can be read.",
        "Give a .npz or .pt file, or a folder of images.",
    )


def _read_arrays(path: Path) -> RawGraph | RawImages:
    names = npz_names(path)
    if graph := named_arrays(names):
        columns = read_npz(path, tuple(graph.values()))
        return graph_of_arrays({ours: columns[theirs] for ours, theirs in graph.items()})
    for pair in IMAGE_COLUMNS:
        if set(pair) <= set(names):
            images, labels = read_npz(path, pair).values()
            return RawImages(channels_first(images), classes(labels))
    raise UsageError(
        f"neither a graph nor images, its columns are {', '.join(names) or 'none'}.",
        "A graph has `edges`, `x` and `y`; images have `x_train` and `y_train`.",
    )
