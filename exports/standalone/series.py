"""Runs the network of this folder on series.

python predict.py FILE [FILE ...]   of each series, [N, C, L] as `inputs` of a .safetensors
python predict.py --check           the score on the test series in check.safetensors
"""

import argparse
import json
from pathlib import Path

import torch
from network import Network
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))


def load():
    """Returns the trained network."""
    network = Network()
    network.load_state_dict(load_file(HERE / "weights.safetensors"))
    return network.eval()


def prepare(series):
    """Normalises series, [B, C, L]."""
    mean, scale = (torch.tensor(MODEL["inputs"][name]) for name in ("mean", "scale"))
    return (series.float() - mean[:, None]) / scale[:, None]


@torch.no_grad()
def outputs(network, series):
    """Returns logits of the classes, or values in their unit, one row for each series."""
    told = torch.cat([network(prepare(some)) for some in series.split(64)])
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
    """Prints the score on the test series."""
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
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    network = load()
    if arguments.check:
        check(network)
    elif not arguments.files:
        parser.error("give a file, or --check")
    for path in arguments.files:
        series = load_file(path)["inputs"]
        show([f"{path} {number}" for number in range(len(series))], outputs(network, series))


if __name__ == "__main__":
    main()
