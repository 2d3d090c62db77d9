"""Makes images with the generator of this folder.

python generate.py                     a sheet of 64 images, samples.png (needs Pillow)
python generate.py --count 100 --seed 3 --out more.png
python generate.py --separate FOLDER   one file for each image
python generate.py --interpolate       rows that lead from one image to another
"""

import argparse
import json
from pathlib import Path

import torch
from network import Network
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
BATCH, GAP = 64, 2


def load():
    """Returns the trained generator."""
    network = Network()
    network.load_state_dict(load_file(HERE / "weights.safetensors"))
    return network.eval()


def inputs(count, seed):
    """Draws noise, and classes where the generator takes them."""
    chance = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(count, MODEL["latent"], generator=chance)]
    if MODEL["conditional"]:
        drawn.append(torch.randint(MODEL["task"]["classes"], (count,), generator=chance))
    return drawn


@torch.no_grad()
def images(network, *given):
    """Returns images of noise, [B, C, H, W], from 0 to 255."""
    parts = zip(*(each.split(BATCH) for each in given), strict=True)
    made = torch.cat([network(*part) for part in parts])
    return ((made.clamp(-1, 1) + 1) * 127.5).round().byte()


def between(given, columns):
    """Leads from every other row of noise to the next, in equal steps."""
    share = torch.linspace(0, 1, columns)[:, None]
    ends = given[0][: len(given[0]) // 2 * 2].reshape(-1, 2, MODEL["latent"])
    led = torch.cat([torch.lerp(first, last, share) for first, last in ends])
    return [led, *(each[: 2 * len(ends) : 2].repeat_interleave(columns) for each in given[1:])]


def sheet(made, columns):
    """Lays images out in rows."""
    count, channels, height, width = made.shape
    rows = -(-count // columns)
    shape = (channels, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP)
    page = torch.full(shape, 255, dtype=torch.uint8)
    for place, image in enumerate(made):
        top = GAP + place // columns * (height + GAP)
        left = GAP + place % columns * (width + GAP)
        page[:, top : top + height, left : left + width] = image
    return page


def save(image, path):
    """Writes one image, [C, H, W]."""
    from PIL import Image

    levels = image.permute(1, 2, 0).numpy()
    Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels).save(path)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="samples.png")
    parser.add_argument("--separate", type=Path, metavar="FOLDER")
    parser.add_argument("--interpolate", action="store_true")
    arguments = parser.parse_args()
    given = inputs(arguments.count, arguments.seed)
    if arguments.interpolate:
        given = between(given, arguments.columns)
    made = images(load(), *given)
    if arguments.separate is None:
        save(sheet(made, arguments.columns), arguments.out)
        return
    arguments.separate.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(made):
        save(image, arguments.separate / f"{number:05d}.png")


if __name__ == "__main__":
    main()
