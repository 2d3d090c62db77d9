"""Speed of training: images per CPU second beside a plain hand-written loop.

    python benchmarks/training_speed.py --out benchmarks/results

Both train the same network with the same optimiser, batch and schedule on the same images, without
augmentation, and score the validation part after every epoch. They take turns; what is told is the
median over rounds of one thread. The second table is of channels last on the CPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from _report import markdown, write
from torch import nn

from vitruvius.core.seeding import make_generator
from vitruvius.datasets import RawImages, Splits
from vitruvius.evaluators.training import Recipe
from vitruvius.evaluators.training.examples import examples_of
from vitruvius.evaluators.training.supervised import train
from vitruvius.spaces import ImageTask, space

CPU = torch.device("cpu")
BATCH, LEARN, JUDGE, SIDE = 64, 1024, 256, 32
NETWORKS = {
    "NAS-Bench-201, 16 channels": ("nasbench201:cells=1", "3|3|3|3|3|3"),
    "NAS-Bench-201, 4 channels": ("nasbench201:cells=1,width=4", "3|1|2|3|1|4"),
    "ResNet, 8 channels": ("resnet-size:width=8", ""),
    "DARTS, 5 cells of 8 channels": ("darts:cells=5,width=8", ""),
    "MobileNetV3": ("mobilenetv3", ""),
}


def main() -> None:
    """Measures every network, then writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="rounds")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["network", "ours, images a second", "plain, images a second", "ratio"]
    layouts = ["network", "channels first, s", "channels last, s", "ratio"]
    rows, tables = [], []
    for name, (text, row) in NETWORKS.items():
        found = space(text)
        choices = [int(c) for c in row.split("|")] if row else found.example
        task = ImageTask(classes=10, channels=3, resolution=SIDE)

        def build() -> nn.Module:
            torch.manual_seed(0)
            return found.build(choices, task)  # noqa: B023

        raw, splits = _images()
        examples = examples_of(raw, splits, task, CPU)
        recipe = Recipe(epochs=1, batch=BATCH, augment=())
        ours, plain = [], []
        for _ in range(arguments.seeds):
            ours.append(_seconds(lambda: train(build(), examples, recipe)))  # noqa: B023
            plain.append(_seconds(lambda: _plain(build(), raw, splits)))  # noqa: B023
        ratio = median(b / a for a, b in zip(ours, plain, strict=True))
        rows.append([name, LEARN / median(ours), LEARN / median(plain), ratio])
        first, last = ([_step(build(), lay) for _ in range(arguments.seeds)] for lay in (0, 1))
        tables.append([name, median(first), median(last), median(last) / median(first)])
        print(*rows[-1], *tables[-1][1:], flush=True)
    text = f"{markdown(columns, rows)}\n\n{markdown(layouts, tables)}"
    results = {
        "speed": [dict(zip(columns, row, strict=True)) for row in rows],
        "layout": [dict(zip(layouts, row, strict=True)) for row in tables],
    }
    write(arguments.out, "training_speed", results, text)


def _images() -> tuple[RawImages, Splits]:
    generator = make_generator(0)
    shape = (LEARN + JUDGE, 3, SIDE, SIDE)
    pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    raw = RawImages(pixels, torch.arange(len(pixels)) % 10)
    return raw, Splits(torch.arange(LEARN), torch.arange(LEARN, LEARN + JUDGE))


def _plain(network: nn.Module, raw: RawImages, splits: Splits) -> None:
    """As one writes it by hand."""
    network = network.to(memory_format=torch.channels_last)
    images, labels = raw.images, raw.labels
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, LEARN // BATCH)
    mean = images[splits.train].float().mean((0, 2, 3), keepdim=True)
    scale = images[splits.train].float().std((0, 2, 3), keepdim=True)
    network.train()
    for chosen in splits.train[torch.randperm(LEARN)].split(BATCH):
        batch = ((images[chosen].float() - mean) / scale).contiguous(
            memory_format=torch.channels_last
        )
        optimizer.zero_grad()
        loss = F.cross_entropy(network(batch), labels[chosen])
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    network.eval()
    right = 0
    with torch.no_grad():
        for chosen in splits.val.split(256):
            logits = network((images[chosen].float() - mean) / scale)
            right += int((logits.argmax(1) == labels[chosen]).sum())


def _step(network: nn.Module, last: int) -> float:
    layout = torch.channels_last if last else torch.contiguous_format
    network = network.to(memory_format=layout)
    batch = torch.zeros(BATCH, 3, SIDE, SIDE).contiguous(memory_format=layout)
    network(batch).sum().backward()
    return _seconds(lambda: network(batch).sum().backward())


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    main()
