"""Runs the network of this folder on images.

python predict.py IMAGE [IMAGE ...]   what each image shows (needs Pillow)
python predict.py --check             the score on the test images in check.safetensors
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from network import Network
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))


def load():
    """Returns the trained network."""
    network = Network()
    network.load_state_dict(load_file(HERE / "weights.safetensors"))
    return network.eval()


def read(path):
    """Returns the pixels of an image file, [C, H, W], from 0 to 255."""
    import numpy as np
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        image.load()
        if image.mode.startswith("I"):
            levels = (np.asarray(image).astype(np.uint32) + 128) // 257
            image = Image.fromarray(levels.astype(np.uint8))
        image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image)
        image = image.convert("L" if MODEL["task"]["channels"] == 1 else "RGB")
        size = tuple(MODEL["inputs"]["size"])
        if image.size != size:
            image = ImageOps.fit(image, size)
        pixels = np.array(image).reshape(size[1], size[0], -1)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def prepare(images):
    """Normalises pixels, [B, C, H, W], and scales them to the network's resolution."""
    mean, scale = (torch.tensor(MODEL["inputs"][name]) for name in ("mean", "scale"))
    x = (images.float() - mean[:, None, None]) / scale[:, None, None]
    side = MODEL["task"]["resolution"]
    if x.shape[2] != side:
        x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
    return x


@torch.no_grad()
def outputs(network, images):
    """Returns logits of the classes, or values in their unit, one row for each image."""
    told = torch.cat([network(prepare(some)) for some in images.split(64)])
    if "mean" in MODEL["outputs"]:
        told = told * torch.tensor(MODEL["outputs"]["scale"])
        told = told + torch.tensor(MODEL["outputs"]["mean"])
    return told


def show(names, told):
    """Prints a line for each row of outputs."""
    for name, row in zip(names, told, strict=True):
        if "mean" in MODEL["outputs"]:
            print(f"{name}: {', '.join(f'{value:.6g}' for value in row.tolist())}")
            continue
        share, best = row.softmax(0).max(0)
        print(f"{name}: {MODEL['outputs']['class_names'][best]} ({100 * share:.1f} %)")


def check(network):
    """Prints the score on the test images."""
    test = load_file(HERE / "check.safetensors")
    told, labels = outputs(network, test["inputs"]), test["targets"]
    if "mean" in MODEL["outputs"]:
        print(f"test mae: {(told - labels.reshape(len(told), -1)).abs().mean().item():.6f}")
    else:
        right = int((told.argmax(1) == labels).sum())
        print(f"test accuracy: {right / len(labels):.6f} ({right} of {len(labels)})")


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    network = load()
    if arguments.check:
        check(network)
    elif not arguments.images:
        parser.error("give an image, or --check")
    for path in arguments.images:
        show([path], outputs(network, read(path)[None]))


if __name__ == "__main__":
    main()
