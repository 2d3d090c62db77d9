"""Runs the network of this folder on graphs.

    python predict.py FILE [FILE ...]   of a graph, `x` [N, F] and `edge_index` [2, E] (each edge in
                                        both directions) of a .safetensors
    python predict.py --check           the score on the test part of check.safetensors

Of many graphs at once, `graph` [N] is the number of each node's graph.
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


@torch.no_grad()
def outputs(network, data):
    """Returns logits of the classes, or values in their unit, one row for each node or graph."""
    told = network(data["x"].float(), data["edge_index"])
    if "graph" in data:
        count = int(data["graph"].max()) + 1
        total = told.new_zeros(count, told.shape[1]).index_add(0, data["graph"], told)
        told = total / data["graph"].bincount(minlength=count).clamp(min=1)[:, None]
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
    """Prints the score on the test part."""
    test = load_file(HERE / "check.safetensors")
    told, labels = outputs(network, test), test["targets"]
    if "rows" in test:
        told = told[test["rows"]]
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
        told = outputs(network, load_file(path))
        show([f"{path} {number}" for number in range(len(told))], told)


if __name__ == "__main__":
    main()
