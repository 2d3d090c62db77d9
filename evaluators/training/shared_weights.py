"""Weights that candidates share: what one has learnt, the next begins with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...core.errors import CheckpointError

__all__ = ["SharedWeights"]

TENSORS, STATE = "weights-{}.safetensors", "shared.json"
# Layers that one weight belongs to, whatever it is parametrised by.
LAYERS = (
    nn.modules.conv._ConvNd,
    nn.Linear,
    nn.Embedding,
    nn.modules.batchnorm._NormBase,
)


class SharedWeights:
    """A weight for each layer that candidates have had at a place, kept in a folder.

    Two layers share a weight where they stand at the same place and are made alike: the same
    operation with the same sizes. That is the weight sharing of a network that holds all
    operations side by side, without the network (ENAS, arXiv 1802.03268).

    Args:
        folder: Where; it is made when something is kept.

    Attributes:
        state: What else is kept, such as the last candidate's name.

    Example:
        >>> import tempfile, torch
        >>> shared = SharedWeights(Path(tempfile.mkdtemp()))
        >>> one, other = nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(2, 3))
        >>> shared.lend(one)
        0
        >>> shared.keep({"": one}, {"last": "0"})
        >>> SharedWeights(shared.folder).lend(other)
        2
        >>> torch.equal(one[0].weight, other[0].weight)
        True
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, Any] = {}
        self._held: dict[str, Tensor] = {}
        if (folder / STATE).is_file():
            try:
                self.state = json.loads((folder / STATE).read_text(encoding="utf-8"))
                self._held = load_file(folder / TENSORS.format(self.state["number"]))
            except (OSError, ValueError, LookupError, SafetensorError) as error:
                raise CheckpointError(
                    f"The shared weights in {folder} are damaged: {error}.",
                    "Delete the folder to have them learnt anew.",
                ) from error

    def lend(self, network: nn.Module, group: str = "") -> int:
        """Gives a network the weights there are, and returns how many those are.

        Args:
            network: The network; what nobody had before it keeps as it is.
            group: Whose weights.
        """
        own = network.state_dict()
        known = {
            name: self._held[key]
            for name, key in _keys(network, group).items()
            if key in self._held and self._held[key].shape == own[name].shape
        }
        network.load_state_dict({**own, **known})
        return len(known)

    def keep(self, networks: Mapping[str, nn.Module], state: Mapping[str, Any]) -> None:
        """Takes the weights of networks, in place of those of their layers so far.

        What is new is written beside the old, so that an interruption leaves either.

        Args:
            networks: By the group that they belong to.
            state: What else shall be kept with them.
        """
        for group, network in networks.items():
            own = network.state_dict()
            self._held |= {
                key: own[name].detach().cpu().clone() for name, key in _keys(network, group).items()
            }
        number = self.state.get("number", -1) + 1
        self.state = {**state, "number": number}
        self.folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {k: v.contiguous() for k, v in self._held.items()},
            self.folder / TENSORS.format(number),
        )
        (self.folder / f"{STATE}.next").write_text(json.dumps(self.state), encoding="utf-8")
        (self.folder / f"{STATE}.next").replace(self.folder / STATE)
        for old in self.folder.glob(TENSORS.format("*")):
            if old.name != TENSORS.format(number):
                old.unlink()


def _keys(network: nn.Module, group: str) -> dict[str, str]:
    """The name that every tensor of a network has among the shared ones."""
    modules = dict(network.named_modules())
    found = {}
    for name in network.state_dict():
        place = name.rpartition(".")[0]
        while place and not isinstance(modules[place], LAYERS):
            place = place.rpartition(".")[0]
        made = _made(modules[place]) if place else ""
        found[name] = f"{group}:{name}:{made}"
    return found


def _made(layer: nn.Module) -> str:
    """How a layer is made; of a parametrised one, its own arguments."""
    told = re.sub(r"^Parametrized", "", type(layer).__name__)
    return f"{told}({layer.extra_repr()})"
