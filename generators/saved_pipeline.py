"""Saved pipelines: a denoiser and a scheduler read from a folder or the Hub, and nothing run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

from diffusers import DiffusionPipeline
from huggingface_hub import create_repo, snapshot_download, upload_folder
from safetensors.torch import load_file

from ..core.errors import CheckpointError
from .card import saved_card
from .denoiser import GraphDenoiser
from .reading import UNREADABLE, first_line, index_names, read_json
from .schedulers import AbsorbingScheduler

__all__ = ["SavedPipeline"]


class SavedPipeline(DiffusionPipeline):
    """A pipeline of a denoiser and a scheduler that is kept as safetensors and JSON."""

    # Those that it takes, by the process of the denoiser.
    _schedulers: ClassVar[dict[str, tuple[Any, ...]]]

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Writes safetensors and JSON, and a model card where there is none.

        Args:
            save_directory: Made where it does not exist.
            **kwargs: As diffusers has them.
        """
        super().save_pretrained(save_directory, **kwargs)
        card = Path(save_directory) / "README.md"
        if not card.exists():
            config = self.denoiser.config
            names = [schema["space"] for schema in config.schemas]
            parameters = sum(each.numel() for each in self.denoiser.parameters())
            card.write_text(saved_card(names, config.process, self.conditions, parameters))

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> str:
        """Writes to a repository on the Hub, with the card that diffusers would replace.

        Args:
            repo_id: ``owner/name``; made where there is none.
            **kwargs: Of `huggingface_hub.upload_folder`, such as ``token`` and ``commit_message``.

        Returns:
            The address of the commit.
        """
        made = create_repo(repo_id, token=kwargs.get("token"), exist_ok=True)
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            told = upload_folder(repo_id=made.repo_id, folder_path=folder, **kwargs)
        return str(told.commit_url)

    @classmethod
    def saved_in(cls, path: str | Path) -> bool:
        """Tells whether a folder says that it holds a generator of this kind.

        Args:
            path: Any path.
        """
        return index_names(path, cls.__name__)

    @classmethod
    def from_pretrained(cls, path: str | Path, **kwargs: Any) -> Self:
        """Loads a generator from a folder or from the Hub; only safetensors and JSON are read.

        Args:
            path: Folder written by `save_pretrained`, or a repository on the Hub.
            **kwargs: ``revision`` and the like, for the Hub.

        Raises:
            CheckpointError: Where the folder is not a generator's, is truncated, or names classes
                other than a generator's own.
        """
        return cls(*_read(path, cls.__name__, cls._schedulers, **kwargs))


def _read(
    path: str | Path, name: str, schedulers: Mapping[str, tuple[Any, ...]], **kwargs: Any
) -> tuple[GraphDenoiser, Any]:
    """Reads what a pipeline of graph diffusion is made of; only safetensors and JSON are read.

    Args:
        path: Folder, or a repository on the Hub.
        name: Of the pipeline's class.
        schedulers: Those that it takes, by the process of the denoiser.
        **kwargs: ``revision`` and the like, for the Hub.

    Returns:
        The denoiser and the scheduler.

    Raises:
        CheckpointError: Where the folder is not such a pipeline's, is truncated, or names other
            classes.
    """
    folder = Path(path)
    if not folder.is_dir():
        if folder.suffix or str(path).count("/") != 1 or str(path).startswith("."):
            raise CheckpointError(
                f"There is no generator at {str(path)!r}.",
                "Give a folder written by `vitruvius train`, or one of the shipped names.",
            )
        patterns = ["*.json", "*.safetensors"]
        try:
            folder = Path(snapshot_download(str(path), allow_patterns=patterns, **kwargs))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"There is no generator at {str(path)!r}, here or on the Hub: {first_line(error)}",
                "Give a folder written by `vitruvius train`, or one of the shipped names.",
            ) from error
    index = read_json(folder / "model_index.json")
    parts = {key: value for key, value in index.items() if not key.startswith("_")}
    config = read_json(folder / "denoiser" / "config.json")
    known = schedulers.get(str(config.get("process", "absorbing")), ())
    scheduler_class = next((kind for kind in known if parts == _parts(kind)), None)
    if index.get("_class_name") != name or scheduler_class is None:
        raise CheckpointError(
            f"{folder} holds no {name} generator: its index names "
            f"{index.get('_class_name')!r} of {parts}.",
            "Give a folder written by `vitruvius train`.",
        )
    plan = read_json(folder / "scheduler" / "scheduler_config.json")
    weights = folder / "denoiser" / "diffusion_pytorch_model.safetensors"
    if config.get("_class_name") != GraphDenoiser.__name__ or not weights.is_file():
        raise CheckpointError(
            f"{folder} lacks the denoiser's safetensors weights or configuration.",
            "Weights in other formats are not read, since they may run code.",
        )
    try:
        # Not by diffusers' own loader, which leaves tensors the file lacks at random values.
        denoiser = GraphDenoiser.from_config(config)
        denoiser.load_state_dict(load_file(weights))
        scheduler = scheduler_class.from_config(plan)
        return denoiser, scheduler
    except UNREADABLE as error:
        raise CheckpointError(
            f"The generator in {folder} cannot be read: {first_line(error)}",
            "The files are truncated or of another kind; copy or train them again.",
        ) from error


def _parts(scheduler: type) -> dict[str, list[str]]:
    """What the index of a pipeline says of a denoiser and this scheduler."""
    home = "vitruvius.generators.schedulers" if scheduler is AbsorbingScheduler else "diffusers"
    return {
        "denoiser": ["vitruvius.generators.denoiser", GraphDenoiser.__name__],
        "scheduler": [home, scheduler.__name__],
    }
