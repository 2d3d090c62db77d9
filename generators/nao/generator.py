"""NAO as a generator: decodes embeddings, and moves them towards what is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from torch import Tensor

from ...core.distinct import first_of_each
from ...core.errors import CheckpointError, UnknownNameError, UsageError
from ...core.normal_scores import NormalScores
from ...core.seeding import Seed, generators_for
from ...core.torch_state import own_torch_state
from ...encoders.ascent import Worth, ascend
from ...encoders.autoencoder import decode
from ...encoders.latent_head import LatentHead
from ...encoders.schema import Schema
from ...spaces import Space
from ..generator import Proposals, batch_for, check_counts
from ..guidance import Gradient, Guidance, Resampling, systematic
from ..reading import UNREADABLE, first_line, index_names, read_json
from .network import NAONetwork

__all__ = ["NAO", "Tally"]

_INDEX = {"_class_name": "NAO", "network": ["vitruvius.generators.nao.network", "NAONetwork"]}
_WEIGHTS = Path("network") / "diffusion_pytorch_model.safetensors"
# Valued architectures that the Gaussian process learns from in a round, and moves in a round.
LEARNT, MOVES = 512, 3
# Standard deviation of what is added to the embedding of a seed, so that equal seeds part.
JITTER = 0.2


@dataclass
class Tally:
    """What became of the seeds that were optimised, over the life of a generator.

    Args:
        seeds: Moves that were tried.
        unmoved: Those whose decoding never became another, better architecture.
        invalid: Decodings on the way that broke a constraint.
    """

    seeds: int = 0
    unmoved: int = 0
    invalid: int = 0


class NAO:
    """Generates by decoding embeddings (Luo et al., NeurIPS 2018, arXiv 1808.07233).

    Without guidance, embeddings are drawn from a Gaussian fitted to those of the training set.
    Guided by importance resampling, the best of what was decoded and valued are the seeds of a
    round: a Gaussian process in the embedding learns the values (`LatentHead`), and seeds climb it
    with growing steps until they decode to something better (`ascend`), several times a round.
    Guided by a gradient, they climb the value of their decoding itself. It learns from
    architectures alone; what is good is said by the guidance.

    Args:
        network: The trained network.

    Attributes:
        tally: Counts of what became of the seeds.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> generator = NAO(NAONetwork(Schema.of(cells).to_json(), width=8))
        >>> generator.propose(cells, 4, seed=0).x.shape
        torch.Size([4, 6])
    """

    guidable = True
    conditions: tuple[str, ...] = ()

    def __init__(self, network: NAONetwork) -> None:
        self.network = network.eval()
        self.schema = network.autoencoder.schema
        self.name = f"{self.schema.name} nao"
        self.tally = Tally()

    def to(self, device: torch.device) -> NAO:
        """Moves the network.

        Args:
            device: Where to.
        """
        self.network.to(device)
        return self

    def seen(self, space: Space, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"] | None:
        """Tells which architectures were in the training set; None where that is not recorded.

        Args:
            space: The space it was trained on.
            x: Valid choice indices.
        """
        self._check(space)
        seen = self.network.seen.cpu()
        return torch.isin(space.hashes(x), seen) if len(seen) else None

    @own_torch_state()
    @torch.no_grad()
    def propose(
        self,
        space: Space,
        n: int,
        *,
        guidance: Guidance | None = None,
        steps: int = 16,
        batch_size: int | None = None,
        seed: Seed = None,
    ) -> Proposals:
        """Decodes ``n`` embeddings, repeats included.

        Args:
            space: The space it was trained on.
            n: Number of proposals.
            guidance: What steers them: importance resampling, a gradient, or both.
            steps: Moves of every seed, where a gradient guides.
            batch_size: Proposals computed together; by default as suits the network's device.
            seed: A generator, an integer seed, or None for a fresh one.

        Raises:
            UsageError: For ``n``, ``steps`` or ``batch_size`` below 1, or classifier-free guidance.
            UnknownNameError: For a space it was not trained on.
            CheckpointError: Where the space has changed since training.
        """
        check_counts(n=n, steps=steps, batch_size=batch_size)
        guidance = guidance or Guidance()
        if guidance.classifier_free is not None:
            raise UsageError(
                "NAO takes no classifier-free guidance: it was not trained with conditions.",
                "Use resampling or gradient guidance.",
            )
        self._check(space)
        device = self.network.device
        host, generator = generators_for(seed, device)
        batch = batch_size or batch_for(device, len(space.variables))
        resampling, gradient = guidance.resampling, guidance.gradient
        rounds = resampling.rounds if resampling else 1
        archive: list[Tensor] = []
        values: list[Tensor] = []
        for turn in range(rounds):
            # Rounded up, so that the first round is never empty.
            share = -(-n * (turn + 1) // rounds) - -(-n * turn // rounds)
            seeds, excluded = None, None
            worth = None if gradient is None else self._relaxed(gradient)
            if turn and resampling is not None:
                known, value = _distinct(space, torch.cat(archive), torch.cat(values))
                if len(known):
                    seeds = _survivors(known, value, share, resampling, host)
                    worth = worth or self._learn(known, value)
                    excluded = space.hashes(known)
            for start in range(0, share, batch):
                size = min(batch, share - start)
                if seeds is None:
                    logits = self.network.autoencoder.logits(self.network.draw(size, generator))
                    x = decode(space, logits.cpu())
                else:
                    x = seeds[start : start + size]
                if worth is not None:
                    moves = steps if gradient is not None else MOVES
                    x = self._climb(space, x, worth, moves, excluded, generator)
                archive.append(x)
                if resampling is not None:
                    values.append(resampling.value(x))
        x = torch.cat(archive)
        return Proposals(x, space.is_valid(x))

    def save_pretrained(self, path: str | Path) -> None:
        """Saves it as safetensors and JSON.

        Args:
            path: Folder, made if it is not there.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self.network.save_pretrained(folder / "network")
        (folder / "model_index.json").write_text(json.dumps(_INDEX, indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, path: str | Path) -> NAO:
        """Loads a generator from a folder; only safetensors and JSON are read.

        Args:
            path: Folder written by `save_pretrained`.

        Raises:
            CheckpointError: Where the folder is not such a generator's, or is truncated.
        """
        folder = Path(path)
        if read_json(folder / "model_index.json") != _INDEX:
            raise CheckpointError(
                f"{folder} holds no NAO generator.", "Give a folder written by `vitruvius train`."
            )
        config = read_json(folder / "network" / "config.json")
        if config.get("_class_name") != NAONetwork.__name__ or not (folder / _WEIGHTS).is_file():
            raise CheckpointError(
                f"{folder} lacks the network's safetensors weights or configuration.",
                "Weights in other formats are not read, since they may run code.",
            )
        try:
            network = NAONetwork.from_config(config)
            network.load_state_dict(load_file(folder / _WEIGHTS))
        except UNREADABLE as error:
            raise CheckpointError(
                f"The generator in {folder} cannot be read: {first_line(error)}",
                "The files are truncated or of another kind; copy or train them again.",
            ) from error
        return cls(network)

    @staticmethod
    def saved_in(path: str | Path) -> bool:
        """Tells whether a folder says that it holds a generator of this kind.

        Args:
            path: Any path.
        """
        return index_names(path, NAO.__name__)

    def _climb(
        self,
        space: Space,
        x: Int[Tensor, "B V"],
        worth: Worth,
        moves: int,
        excluded: Int[Tensor, " K"] | None,
        generator: torch.Generator,
    ) -> Int[Tensor, "B V"]:
        """Moves valid rows to better and better architectures; others stay."""
        x = x.clone()
        left = space.is_valid(x).nonzero()[:, 0]
        network = self.network.autoencoder
        for _ in range(moves):
            if not len(left):
                break
            seeds = space.canonical(x[left])
            start = network.encode(seeds)
            noise = torch.randn(start.shape, generator=generator, device=start.device)
            start = start + JITTER * noise
            end = ascend(network, space, seeds, worth, excluded=excluded, start=start)
            x[left] = end.x
            self.tally.seeds += len(left)
            self.tally.unmoved += int((~end.moved).sum())
            self.tally.invalid += end.invalid
            left = left[end.moved]
        return x

    def _learn(self, x: Int[Tensor, "K V"], value: Float[Tensor, " K"]) -> LatentHead:
        """Learns values in the embedding, from the best and from others alike."""
        if len(x) > LEARNT:
            order = value.argsort(descending=True, stable=True)
            rest = order[LEARNT // 2 :]
            others = torch.linspace(0, len(rest) - 1, LEARNT - LEARNT // 2).long()
            keep = torch.cat([order[: LEARNT // 2], rest[others]])
            x, value = x[keep], value[keep]
        embedding = self.network.autoencoder.encode(x)
        value = value.double().clamp(min=-1e9)
        return LatentHead(embedding, NormalScores(value)(value))

    def _relaxed(self, gradient: Gradient) -> Worth:
        network = self.network.autoencoder
        return lambda embedding: gradient.value(network.logits(embedding).softmax(-1).cpu())

    def _check(self, space: Space) -> None:
        if space.name != self.schema.name:
            raise UnknownNameError.of(
                "space for this generator",
                space.name,
                [self.schema.name],
                "Train one for your space.",
            )
        if Schema.of(space) != self.schema:
            raise CheckpointError(
                f"This generator was trained on another version of {space.name}.",
                f"Train one anew: vitruvius train {space.name} --process nao",
            )


def _distinct(
    space: Space, x: Int[Tensor, "K V"], value: Float[Tensor, " K"]
) -> tuple[Int[Tensor, "D V"], Float[Tensor, " D"]]:
    """Valid architectures once each, in canonical form."""
    valid = space.is_valid(x)
    x, value = space.canonical(x[valid]), value[valid]
    _, first = first_of_each(space.hashes(x))
    return x[first], value[first]


def _survivors(
    x: Int[Tensor, "D V"],
    value: Float[Tensor, " D"],
    n: int,
    resampling: Resampling,
    generator: torch.Generator,
) -> Int[Tensor, "n V"]:
    """Draws seeds among the better half by value, as the particles of diffusion are drawn."""
    weight = resampling.tempered(value)
    best = weight.argsort(descending=True, stable=True)[: max(min(n, len(x)) // 2, 1)]
    return x[best[systematic(weight[best], n, generator)]]
