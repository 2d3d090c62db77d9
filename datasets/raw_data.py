"""Raw data sets, graphs and images, as a user has them on disk."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Shaped, UInt8
from PIL import Image, ImageOps
from scipy.sparse import csr_array
from torch import Tensor

from ..core.errors import TableError, UsageError
from ..core.npz import Column, read_npz
from ..spaces.task import GraphTask, ImageTask
from .resolver import DATASETS

__all__ = ["RawGraph", "RawImages", "is_raw", "load_raw"]

# Names under which files hold the training part of a set of images.
IMAGE_COLUMNS = (("x_train", "y_train"), ("images", "labels"), ("x", "y"))
IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"}
GREY = {"1", "L"}
CHANNELS = range(1, 5)


@dataclass(frozen=True, eq=False)
class RawGraph:
    """A graph whose nodes are to be classified.

    Args:
        edges: Undirected edges ``(i, j)`` with ``i < j``, each once, no self-loops.
        features: ``[N, F]``, sparse.
        labels: Class of every node, -1 where it is not known.
        train: Nodes whose labels may be learned from; None where there is no split.
    """

    edges: Int[Tensor, "2 E"]
    features: csr_array
    labels: Int[Tensor, " N"]
    train: Int[Tensor, " K"] | None = None

    @classmethod
    def of_arrays(
        cls,
        edges: Int[Tensor, "2 _"],
        features: csr_array | Shaped[Tensor, "N F"],
        labels: Int[Tensor, " N"],
        train: Int[Tensor, " K"] | None = None,
    ) -> RawGraph:
        """Makes a graph of arrays in any order.

        Args:
            edges: In one direction or both; repeated ones and self-loops are dropped.
            features: Dense, in any of torch's sparse layouts, or of scipy.
            labels: Class of every node, -1 where it is not known.
            train: Nodes whose labels may be learned from.

        Raises:
            UsageError: Where the arrays do not fit each other, or no node has a label.

        Example:
            >>> graph = RawGraph.of_arrays(
            ...     torch.tensor([[0, 1, 2, 2], [1, 0, 1, 2]]),
            ...     torch.eye(3),
            ...     torch.tensor([0, 0, 1]),
            ... )
            >>> graph.edges.tolist(), graph.task.classes, graph.task.features
            ([[0, 1], [1, 2]], 2, 3)
        """
        matrix = features.copy() if isinstance(features, csr_array) else _sparse(features)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        nodes = len(labels)
        if matrix.shape[0] != nodes:
            raise UsageError(
                f"There are features of {matrix.shape[0]} nodes and labels of {nodes}.",
                "Give one row of features and one label for every node.",
            )
        if not matrix.shape[1]:
            raise UsageError("Nodes have no features.", "Give at least one, e.g. the degree.")
        if not np.isfinite(matrix.data).all():
            raise UsageError("Some features are not finite.", "Fill them in, e.g. with 0.")
        if not bool((labels >= 0).any()) or int(labels.min()) < -1:
            raise UsageError(
                "Labels have to be classes 0, 1, …, with -1 where one is not known; got "
                f"{sorted(set(labels.tolist()))[:5]}.",
                "Number the classes from 0.",
            )
        for name, index in (("edges", edges), ("train", train)):
            if index is not None and index.numel() and not 0 <= index.min() <= index.max() < nodes:
                raise UsageError(
                    f"`{name}` names the nodes {int(index.min())} to {int(index.max())} of a graph "
                    f"of {nodes}.",
                    "Number the nodes from 0.",
                )
        ordered = edges.long().sort(0).values
        ordered = ordered[:, ordered[0] < ordered[1]]
        return cls(
            torch.unique(ordered, dim=1) if ordered.numel() else ordered,
            matrix,
            labels.long(),
            None if train is None else train.long().unique(),
        )

    @classmethod
    def of(cls, data: Any) -> RawGraph:
        """Takes a graph over from torch-geometric.

        Args:
            data: A ``Data`` with ``x``, ``edge_index`` and ``y``, or a data set of one such graph.
                Of several splits in ``train_mask`` the first is taken.

        Raises:
            UsageError: For several graphs, several labels a node, or what lacks one of the three.

        Example:
            >>> from torch_geometric.data import Data
            >>> edges = torch.tensor([[0, 1], [1, 0]])
            >>> data = Data(x=torch.ones(2, 3), edge_index=edges, y=torch.tensor([0, 1]))
            >>> RawGraph.of(data).nodes
            2
        """
        from torch_geometric.data import Data, Dataset

        if isinstance(data, Dataset):
            if len(data) != 1:
                raise UsageError(
                    f"A data set of {len(data)} graphs came, one graph is read.",
                    "Give one of them: `RawGraph.of(data_set[0])`.",
                )
            data = data[0]
        if not isinstance(data, Data):
            raise UsageError(
                f"A torch-geometric `Data` is read, got {type(data).__name__}.",
                "Make one, or use `RawGraph.of_arrays`.",
            )
        return _of_columns(data.to_dict())

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Number of classes that some node has."""
        return len(self.labels[self.labels >= 0].unique())

    @property
    def task(self) -> GraphTask:
        """What an architecture for it is built for."""
        return GraphTask(
            classes=self.classes,
            features=self.features.shape[1],
            nodes=self.nodes,
            edges=self.edges.shape[1],
        )


@dataclass(frozen=True, eq=False)
class RawImages:
    """Images that are to be classified.

    Args:
        images: Grey levels or colours, 0 to 255.
        labels: Class of every image.

    Raises:
        UsageError: Where there are not as many labels as images, or none, or one is negative.

    Example:
        >>> images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
        >>> task = RawImages(images, torch.tensor([0, 1, 0, 1])).task
        >>> task.classes, task.channels, task.resolution
        (2, 3, 8)
    """

    images: UInt8[Tensor, "N C H W"]
    labels: Int[Tensor, " _"]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels) or not len(self.labels):
            raise UsageError(
                f"There are {len(self.images)} images and {len(self.labels)} labels.",
                "Give one label for every image.",
            )
        if int(self.labels.min()) < 0:
            raise UsageError(
                f"An image has the label {int(self.labels.min())}.", "Number the classes from 0."
            )

    @property
    def classes(self) -> int:
        """Number of classes that some image has."""
        return len(self.labels.unique())

    @property
    def task(self) -> ImageTask:
        """What an architecture for it is built for; its resolution is the height."""
        channels, height = self.images.shape[1:3]
        return ImageTask(classes=self.classes, channels=channels, resolution=height)


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
        return path.is_dir() or path.suffix.lower() == ".pt"
    names = set(read_npz(path))
    return "edges" in names or any(names.issuperset(pair) for pair in IMAGE_COLUMNS)


def load_raw(path: str | Path) -> RawGraph | RawImages:
    """Reads a raw data set; nothing in it is unpickled or run.

    ===============================  ===========================================================
    ``.npz`` with ``edges``, ``y``   a graph; features as ``x``, or as CSR in ``x_indices``,
                                     ``x_indptr``, ``x_shape`` and (unless all are 1) ``x_data``;
                                     ``train_idx`` where there is a split
    ``.npz`` with ``x_train``,       images as bytes, ``[N, H, W]``, ``[N, H, W, C]`` or
    ``y_train``                      ``[N, C, H, W]``; also ``images`` and ``labels``, ``x`` and
                                     ``y``
    ``.pt``, or a folder with one    a graph that torch-geometric's ``InMemoryDataset`` saved, read
    in ``processed``                 by ``torch.load(weights_only=True)``
    other folders                    images, one folder a class (below ``train``, where there is
                                     such a folder); of several sizes, all are fitted to the
                                     smallest side
    a name                           what an installed package gives by the entry-point group
                                     ``vitruvius.datasets``
    ===============================  ===========================================================

    Args:
        path: A file, a folder or a name.

    Raises:
        TableError: For what is missing, broken or of another kind.

    Example:
        >>> import tempfile
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
            saved = _processed(path)
            return _read_folder(path) if saved is None else _read_saved(saved)
        match path.suffix.lower():
            case ".npz":
                return _read_arrays(path)
            case ".pt":
                return _read_saved(path)
    except UsageError as error:
        raise TableError(f"{path.name}: {error.message}", error.hint) from error
    raise TableError(
        f"{path.name} is no raw data set that can be read.",
        "Give a .npz or .pt file, or a folder of images.",
    )


def _read_arrays(path: Path) -> RawGraph | RawImages:
    columns = read_npz(path)
    if "edges" in columns:
        return _graph_of(columns)
    for images, labels in IMAGE_COLUMNS:
        if images in columns and labels in columns:
            return RawImages(_channels_first(columns[images]), _classes(columns[labels]))
    raise UsageError(
        f"neither a graph nor images, its columns are {', '.join(columns) or 'none'}.",
        "A graph has `edges`, `x` and `y`; images have `x_train` and `y_train`.",
    )


def _graph_of(columns: Mapping[str, Column]) -> RawGraph:
    compressed = ("x_indices", "x_indptr", "x_shape")
    dense = "x" in columns
    missing = [name for name in ("y", *(() if dense else compressed)) if name not in columns]
    if missing:
        raise UsageError(
            f"a graph without {', '.join(f'`{name}`' for name in missing)}.",
            "It needs `edges`, `y`, and features in `x` or `x_indices`, `x_indptr`, `x_shape`.",
        )
    edges = _integers(columns["edges"], "edges")
    if edges.ndim != 2 or len(edges) != 2:
        raise UsageError(
            f"`edges` has the shape {tuple(edges.shape)}.", "It is [2, E]: where from, where to."
        )
    if dense:
        features = _sparse(_numbers(columns["x"], "x"))
    else:
        indices, indptr, shape = (columns[name] for name in compressed)
        data = columns.get("x_data", np.ones(len(indices)))
        try:
            rows, width = shape.tolist()
            parts = (data.astype(np.float32), indices, indptr)
            features = csr_array(parts, shape=(rows, width))
            features.check_format()
        except (IndexError, TypeError, ValueError) as error:
            raise UsageError(
                f"the columns of features are no CSR matrix: {error}.",
                "Save `indices`, `indptr`, `shape` and `data` of a scipy.sparse.csr_array.",
            ) from None
    train = columns.get("train_idx")
    return RawGraph.of_arrays(
        edges,
        features,
        _classes(columns["y"]),
        None if train is None else _integers(train, "train_idx"),
    )


def _integers(column: Column, name: str) -> Int[Tensor, "..."]:
    if column.dtype.kind not in "iu":
        raise UsageError(f"`{name}` is of type {column.dtype}.", "Save it as integers.")
    return torch.from_numpy(column.astype(np.int64))


def _numbers(column: Column, name: str) -> Shaped[Tensor, "N F"]:
    if column.dtype.kind not in "iufb" or column.ndim != 2:
        raise UsageError(
            f"`{name}` is of type {column.dtype} and shape {column.shape}.",
            "Save it as numbers, [nodes, features].",
        )
    return torch.from_numpy(column.astype(np.float32))


def _classes(column: Column) -> Int[Tensor, " N"]:
    labels = _integers(column, "labels")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise UsageError(
            f"Labels have the shape {tuple(labels.shape)}.", "Give one class number for each."
        )
    return labels


def _channels_first(images: Column) -> UInt8[Tensor, "N C H W"]:
    if images.dtype != np.uint8:
        raise UsageError(f"images are of type {images.dtype}.", "Save them as bytes, 0 to 255.")
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in CHANNELS:
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in CHANNELS:
        raise UsageError(
            f"images have the shape {images.shape}.",
            "Save them as [N, H, W], [N, H, W, C] or [N, C, H, W] with at most 4 channels.",
        )
    return torch.from_numpy(np.ascontiguousarray(images))


def _sparse(features: Shaped[Tensor, "N F"]) -> csr_array:
    if features.layout == torch.sparse_csr:
        parts = (features.values(), features.col_indices(), features.crow_indices())
        return csr_array(tuple(part.numpy() for part in parts), shape=tuple(features.shape))
    if features.layout == torch.sparse_coo:
        features = features.coalesce()
        where = tuple(features.indices().numpy())
        return csr_array((features.values().numpy(), where), shape=tuple(features.shape))
    return csr_array(features.float().numpy())


def _of_columns(columns: Mapping[str, Any]) -> RawGraph:
    """A graph by the names that torch-geometric gives its tensors."""
    missing = [
        name for name in ("x", "edge_index", "y") if not isinstance(columns.get(name), Tensor)
    ]
    if missing:
        raise UsageError(
            f"the graph lacks the tensor {', '.join(f'`{name}`' for name in missing)}.",
            "It needs `x`, `edge_index` and `y`.",
        )
    x, edges, mask, train = columns["x"], columns["edge_index"], columns.get("train_mask"), None
    if x.ndim != 2 or edges.ndim != 2 or len(edges) != 2 or edges.is_floating_point():
        raise UsageError(
            f"`x` has the shape {tuple(x.shape)}, `edge_index` the shape {tuple(edges.shape)} and "
            f"the type {edges.dtype}.",
            "They are [nodes, features] and [2, edges], the latter integers.",
        )
    if isinstance(mask, Tensor):
        if mask.ndim not in (1, 2) or len(mask) != len(x) or not mask.numel():
            raise UsageError(
                f"`train_mask` has the shape {tuple(mask.shape)} for {len(x)} nodes.",
                "Give one truth value for every node.",
            )
        train = mask.reshape(len(x), -1)[:, 0].nonzero()[:, 0]
    return RawGraph.of_arrays(edges, x.detach(), _classes(columns["y"].numpy()), train)


def _processed(folder: Path) -> Path | None:
    """The file of a torch-geometric data set, by its root, its folder, or its processed folder."""
    places = [folder] if folder.name == "processed" else []
    places += [folder / "processed", *sorted(folder.glob("*/processed"))]
    for place in places:
        for file in sorted(place.glob("*.pt")):
            if file.name not in ("pre_filter.pt", "pre_transform.pt"):
                return file
    return None


def _read_saved(path: Path) -> RawGraph:
    # Registers the few classes of its own that a saved graph may name.
    import torch_geometric.data  # noqa: F401

    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError):
        raise UsageError(
            "the file is refused: it is broken, or holds more than tensors, which could run code "
            "when read.",
            "Load it in Python if you trust it, and give `RawGraph.of(data)`.",
        ) from None
    columns, slices = saved[:2] if isinstance(saved, tuple) and len(saved) > 1 else (saved, None)
    if slices and any(len(bounds) > 2 for bounds in slices.values()):
        raise UsageError("the file holds several graphs.", "Give a data set of one graph.")
    if not isinstance(columns, Mapping):
        raise UsageError(
            f"the file holds {type(columns).__name__}, no graph.",
            "Give a file that torch-geometric's `InMemoryDataset` saved.",
        )
    return _of_columns(columns)


def _read_folder(path: Path) -> RawImages:
    root = path / "train" if any((path / "train").glob("*/")) else path
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()]
    files = [
        (file, label)
        for label, folder in enumerate(folders)
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise UsageError(
            "the folder holds no images.", "Put them into one folder a class: cats/1.png."
        )
    images = [_open(file) for file, _ in files]
    mode = "L" if all(image.mode in GREY for image in images) else "RGB"
    images = [image.convert(mode) for image in images]
    if len({image.size for image in images}) > 1:
        side = min(min(image.size) for image in images)
        images = [ImageOps.fit(image, (side, side)) for image in images]
    pixels = np.stack([np.asarray(image) for image in images])
    return RawImages(_channels_first(pixels), torch.tensor([label for _, label in files]))


def _open(file: Path) -> Image.Image:
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"{file.name} is no image: {error}.", "Leave it out.") from None
    if image.mode.startswith(("I", "F")):
        raise UsageError(f"{file.name} has more than 8 bits a channel.", "Save it with 8.")
    return image
