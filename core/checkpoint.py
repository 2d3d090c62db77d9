"""Checkpoint of a training: what it needs to go on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .errors import CheckpointError, OutputError
from .output import writing

__all__ = ["Checkpoint", "under"]

HINT = "Use another folder, or the settings it was started with."


class Checkpoint:
    """Weights, optimiser, losses and further tensors of a training, kept in a folder.

    What is new is written beside the old and then renamed, so that an interruption never leaves
    half a checkpoint.

    Args:
        folder: Where.
        settings: What must be the same for a training to go on, such as its seed.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> network = nn.Linear(2, 1)
        >>> optimizer = torch.optim.AdamW(network.parameters())
        >>> kept = Checkpoint(folder, {"seed": 0})
        >>> kept.restore(network, optimizer)
        ([], {})
        >>> kept.save(network, optimizer, [0.5, 0.25])
        >>> kept.restore(network, optimizer)
        ([0.5, 0.25], {})
    """

    def __init__(self, folder: Path, settings: Mapping[str, int | float | str]) -> None:
        self.folder, self.settings = folder, dict(settings)

    @staticmethod
    def beside(folder: Path) -> Path:
        """Makes the folder that a training will fill, and the one for its checkpoint beside it.

        Args:
            folder: Where the result will be.

        Raises:
            OutputError: Where either cannot be written.
        """
        hidden = folder.with_name(f".{folder.name}-checkpoint")
        try:
            for path in (folder, hidden):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"Cannot write to {folder}: {error.strerror}.", "Choose another folder."
            ) from error
        return hidden

    @staticmethod
    def remove(folder: Path) -> None:
        """Removes a checkpoint that is no longer needed.

        Args:
            folder: Of a checkpoint.
        """
        for file in folder.glob("*"):
            file.unlink()
        folder.rmdir()

    def save(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        losses: Sequence[float],
        more: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Keeps the state after a step.

        Args:
            model: What is trained.
            optimizer: Of all its parameters.
            losses: Of every step so far.
            more: What else the next step depends on.

        Raises:
            OutputError: Where it cannot be written; what was kept before stays.
        """
        tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
        for i, parameter in enumerate(model.parameters()):
            for name, value in optimizer.state[parameter].items():
                # Momentum is None where there is none.
                if value is not None:
                    tensors[f"optimizer.{i}.{name}"] = value
        tensors |= {f"more.{name}": value for name, value in (more or {}).items()}
        # Copies, since weights may share memory, which the format does not allow.
        tensors = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
        with writing(self.folder):
            self._write(tensors, losses)

    def _write(self, tensors: Mapping[str, Tensor], losses: Sequence[float]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), self.folder / "next.safetensors")
        (self.folder / "next.json").write_text(json.dumps({"losses": [*losses], **self.settings}))
        name = f"state-{len(losses)}.safetensors"
        (self.folder / "next.safetensors").replace(self.folder / name)
        (self.folder / "next.json").replace(self.folder / "state.json")
        for old in self.folder.glob("state-*.safetensors"):
            if old.name != name:
                old.unlink()

    def restore(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[list[float], dict[str, Tensor]]:
        """Brings a model and its optimiser to the state that was kept, where there is one.

        Args:
            model: What is trained.
            optimizer: Of all its parameters.

        Returns:
            The losses so far, and what else was kept.

        Raises:
            CheckpointError: Where it is of another training or cannot be read.
        """
        if not (self.folder / "state.json").exists():
            return [], {}
        try:
            state = json.loads((self.folder / "state.json").read_text())
            found = {name: state[name] for name in self.settings}
            losses = [float(loss) for loss in state["losses"]]
            tensors = load_file(self.folder / f"state-{len(losses)}.safetensors")
        except (SafetensorError, LookupError, OSError, TypeError, ValueError) as error:
            message = f"The checkpoint in {self.folder} is damaged: {error}"
            raise CheckpointError(message, HINT) from error
        weights = under("model.", tensors)
        if found != self.settings or _shapes(weights) != _shapes(model.state_dict()):
            raise CheckpointError(
                f"The checkpoint in {self.folder} is of another training: expected "
                f"{self.settings} and a network of the same size, got {found}.",
                HINT,
            )
        model.load_state_dict(weights)
        for i, parameter in enumerate(model.parameters()):
            optimizer.state[parameter] = {
                # The count of steps is a scalar and stays where it is.
                name: value.to(parameter.device) if value.dim() else value
                for name, value in under(f"optimizer.{i}.", tensors).items()
            }
        return losses, under("more.", tensors)


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors whose names begin alike, by the rest of their names.

    Args:
        prefix: How they begin.
        tensors: All tensors.
    """
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
