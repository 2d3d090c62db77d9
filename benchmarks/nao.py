"""NAO and SemiNAS: reconstruction, optimised embeddings, and rank correlation against labels.

1. Reconstruction of architectures that training never saw, decoded from their embedding; exact
   where the canonical forms agree.
2. NAS-Bench-201, CIFAR-10 test accuracy, 300 labels: the share of seeds whose optimised embedding
   decodes to an architecture whose true accuracy is higher. Seeds are labelled architectures, the
   best hundred or all; a seed that never moved counts as a failure. The predictor that is climbed
   is the network's own, trained jointly as in the paper, or a Gaussian process in the embedding.
3. Kendall's tau-b of the joint predictor on all architectures without a label, beside rows that
   were published for NAS-Bench-201, CIFAR-10.

    python benchmarks/nao.py --seeds 10 --out benchmarks/results
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from _report import markdown, write
from scipy.stats import kendalltau

from vitruvius import evaluator, space
from vitruvius.core.normal_scores import NormalScores
from vitruvius.core.seeding import derive_seed
from vitruvius.encoders.ascent import ascend
from vitruvius.encoders.autoencoder import decode
from vitruvius.encoders.autoencoding import Labelled, new_autoencoder, train_autoencoder
from vitruvius.encoders.latent_head import LatentHead
from vitruvius.generators.recipe import hold_out_split
from vitruvius.predictors import fit_predictor

# Optimiser steps at which decoding is exact.
STEPS = {"nasbench201": 1000, "nas-bench-graph": 1000, "nasbench101": 1500, "mobilenetv3": 4000}
HELD_OUT = 20_000
LABELS, BEST, JOINT_STEPS = 300, 100, 400
SIZES = (78, 156, 469, 781, 1563)
PREDICTORS = ("nao", "seminas")
PUBLISHED = {
    "NAO (published)": (0.467, 0.493, 0.470, 0.522, 0.526),
    "PINAT (published)": (0.549, 0.631, 0.706, 0.761, 0.784),
}
METRIC = "test[%]=c10_test_e200"
DATA = Path(__file__).parents[1].parent / "shared" / "data"


def main() -> None:
    """Runs the parts that were asked for and writes a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="draws of labels")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--only", default="reconstruction,optimised,tau", help="parts")
    parser.add_argument("--spaces", default=",".join(STEPS), help="of the reconstruction")
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    only = arguments.only.split(",")
    if "reconstruction" in only:
        rows = [reconstruction(name) for name in arguments.spaces.split(",")]
        _write(arguments.out, "nao-reconstruction", rows)
    if not (arguments.data_folder / "nb201.npz").is_file():
        print(f"the rest is skipped: nb201.npz is not in {arguments.data_folder}", flush=True)
        return
    cells = space("nasbench201")
    x = cells.enumerate()
    table = evaluator(cells, arguments.data_folder / "nb201.npz", metrics=METRIC)
    y = table.values(x)["test"]
    if "optimised" in only:
        _write(arguments.out, "nao-optimised", optimised(x, y, arguments.seeds))
    if "tau" in only:
        _write(arguments.out, "nao-tau", taus(x, y, arguments.seeds))


@torch.no_grad()
def reconstruction(name: str) -> dict[str, Any]:
    """Trains on half of a space, or on 100,000 draws of a large one, and decodes the other."""
    target = space(name)
    rows, held = hold_out_split(target)
    held = held[:HELD_OUT]
    network = new_autoencoder(target)
    started = time.process_time()
    with torch.enable_grad():
        train_autoencoder(network, target, rows, steps=STEPS[name], show=True)
    seconds = time.process_time() - started
    logits = torch.cat([network.logits(network.encode(chunk)) for chunk in held.split(2048)])
    x = target.canonical(decode(target, logits))
    return {
        "space": name,
        "trained on": len(rows),
        "held out": len(held),
        "exact %": 100 * float((x == held).all(1).double().mean()),
        "choices %": 100 * float((x == held).double().mean()),
        "valid before constraints %": 100
        * float(target.is_valid(logits.argmax(-1)).double().mean()),
        "CPU s": seconds,
    }


def optimised(x: torch.Tensor, y: torch.Tensor, draws: int) -> list[dict[str, Any]]:
    """Optimises embeddings of labelled architectures and looks up what they decode to."""
    cells = space("nasbench201")
    hashes, order = cells.hashes(x).sort()

    def truth(rows: torch.Tensor) -> torch.Tensor:
        return y[order[torch.searchsorted(hashes, cells.hashes(rows))]]

    shared = new_autoencoder(cells)
    train_autoencoder(shared, cells, hold_out_split(cells)[0], steps=STEPS[cells.name])
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for draw in range(draws):
        few = _draw(len(x), draw)[:LABELS]
        z = NormalScores(y[few])(y[few])
        joint = new_autoencoder(cells, seed=draw)
        labelled = Labelled(x[few], z.float(), torch.ones(LABELS))
        train_autoencoder(
            joint, cells, hold_out_split(cells)[0], labelled=labelled, steps=JOINT_STEPS, seed=draw
        )
        with torch.no_grad():
            embedding = shared.encode(x[few])
        climbs = {
            "joint predictor": (joint, joint.score),
            "Gaussian process": (shared, LatentHead(embedding, z)),
        }
        best = few[y[few].argsort(descending=True)]
        for climbed, (network, worth) in climbs.items():
            for seeds, rows in ((f"best {BEST}", best[:BEST]), (f"all {LABELS}", best)):
                ended = ascend(network, cells, x[rows], worth)
                better = truth(ended.x) > y[rows]
                found.setdefault((climbed, seeds), []).append(
                    {
                        "better": float(better.double().mean()),
                        "unmoved": float((~ended.moved).double().mean()),
                        "invalid": ended.invalid,
                    }
                )
    return [
        {
            "climbed": climbed,
            "seeds": seeds,
            "draws": draws,
            "truly better %": _spread([100 * run["better"] for run in runs]),
            "least %": 100 * min(run["better"] for run in runs),
            "never moved %": _spread([100 * run["unmoved"] for run in runs]),
            "invalid decodings": sum(run["invalid"] for run in runs),
        }
        for (climbed, seeds), runs in found.items()
    ]


def taus(x: torch.Tensor, y: torch.Tensor, draws: int) -> list[dict[str, Any]]:
    """Rank correlation on all architectures without a label."""
    cells = space("nasbench201")
    rows = []
    for name in PREDICTORS:
        row: dict[str, Any] = {"predictor": name}
        seconds = []
        for size in SIZES:
            values = []
            for draw in range(draws):
                order = _draw(len(x), draw)
                few, rest = order[:size], order[size:]
                started = time.process_time()
                model = fit_predictor(name, cells, x[few], y[few], seed=draw)
                seconds.append(time.process_time() - started)
                predicted = model.predict_scores(x[rest])[0]
                values.append(float(kendalltau(predicted.numpy(), y[rest].numpy()).statistic))
                print(name, size, draw, round(values[-1], 4), flush=True)
            row[str(size)] = _spread(values)
        rows.append({**row, "draws": draws, "CPU s a fit": mean(seconds)})
    for name, values in PUBLISHED.items():
        figures = {str(size): value for size, value in zip(SIZES, values, strict=True)}
        rows.append({"predictor": name, **figures, "draws": None, "CPU s a fit": None})
    return rows


def _draw(size: int, draw: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(derive_seed(draw, "labels"))
    return torch.randperm(size, generator=generator)


def _spread(values: list[float]) -> str:
    deviation = stdev(values) if len(values) > 1 else 0.0
    return f"{mean(values):.4g} ± {deviation:.2g}"


def _write(out: Path, name: str, rows: list[dict[str, Any]]) -> None:
    text = markdown(list(rows[0]), [list(row.values()) for row in rows])
    write(out, name, {"rows": rows}, text)
    print(text, flush=True)


if __name__ == "__main__":
    main()
