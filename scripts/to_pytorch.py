#!/usr/bin/python3
"""Loads a lockstep checkpoint into PyTorch.

to_pytorch.py CHECKPOINT.h5                    prints the arrays' names and shapes
to_pytorch.py CHECKPOINT.h5 --out model.pt     saves a state_dict (conv1.weight, bn1.running_mean, ...)
to_pytorch.py CHECKPOINT.h5 --data DIR         accuracy and confusion counts on DIR/test_batch.bin as
                                               one JSON object, with the images whose two largest logits differ by < 1e-4
                                               ("near_ties"): rounding alone may change their class

Where the run keeps a moving average of the weights, that is taken (--weights params: the raw ones).
Needs h5py, torch and yaml; the three short functions below are all there is to it.
"""
import argparse
import json

import h5py
import numpy as np
import torch
import torch.nn.functional as F
import yaml

NEAR = 1e-4
CLASSES = 10  # of CIFAR-10's format


def load(path, weights):
    """The state_dict and the configuration of a checkpoint."""
    with h5py.File(path, "r") as file:
        config = yaml.safe_load(file["meta"].attrs["config"].decode())
        groups = [weights or ("ema" if "ema" in file else "params"), "running"]
        return {n: torch.from_numpy(a[()]) for g in groups for n, a in file[g].items()}, config


def forward(text, state, x):
    """The logits of images x by a model text, in evaluation mode."""
    out, count, last = {"image": x}, {}, x
    for words in filter(None, (line.split("#")[0].split() for line in text.splitlines())):
        label = words.pop(0)[:-1] if words[0].endswith(":") else None
        kind, args = words[0], dict((w + "=1").split("=")[:2] for w in words[1:])
        count[kind] = count.get(kind, 0) + 1
        name = label or f"{kind}{count[kind]}"
        x = out[args["from"]] if "from" in args else last
        p = {n[len(name) + 1:]: a for n, a in state.items() if n.startswith(name + ".")}
        number = lambda key, otherwise: int(args.get(key, otherwise))  # noqa: E731
        k = x.shape[2] if number("global", 0) else number("k", 0)
        last = out[name] = {
            "conv": lambda: F.conv2d(x, p["weight"], p.get("bias"), number("s", 1), number("p", 0)),
            "bn": lambda: F.batch_norm(x, p["running_mean"], p["running_var"], p["weight"], p["bias"],
                                       eps=float(args.get("eps", 1e-5))),
            "relu": lambda: F.relu(x),
            "gelu": lambda: F.gelu(x),
            "maxpool": lambda: F.max_pool2d(x, k, number("s", k), number("p", 0)),
            "avgpool": lambda: F.avg_pool2d(x, k, number("s", k), number("p", 0),
                                            count_include_pad=False),
            "linear": lambda: F.linear(x.flatten(1), p["weight"], p.get("bias")),
            "add": lambda: x + out[args["with"]],
            "scale": lambda: x * float(args["by"]),
            "dropout": lambda: x,
            "softmax_ce": lambda: x,
        }[kind]()
    return last.flatten(1)


def evaluate(folder, state, config):
    """Accuracy on the test images, and which of them rounding could decide. Outputs beyond the classes are wrong."""
    records = np.fromfile(f"{folder}/test_batch.bin", np.uint8).reshape(-1, 3073)
    mean, std = (torch.tensor(config["augment"][k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    unit = 1 if config["augment"].get("unit") == "byte" else 255
    confusion, near = torch.zeros(CLASSES, CLASSES, dtype=torch.long), []  # [true class][predicted class]
    for first in range(0, len(records), 500):
        part = torch.from_numpy(records[first:first + 500])
        images = (part[:, 1:].reshape(-1, 3, 32, 32).float() / unit - mean) / std
        with torch.no_grad():
            logits = forward(config["model"], state, images)
        top = logits.topk(2).values
        for label, predicted in zip(part[:, 0].tolist(), logits.argmax(1).tolist()):
            if predicted < CLASSES:
                confusion[label, predicted] += 1
        near += (first + (top[:, 0] - top[:, 1] < NEAR).nonzero().flatten()).tolist()
    return {"test_accuracy": int(confusion.trace()) / len(records), "images": len(records),
            "near_ties": near, "confusion": confusion.tolist()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--out")
    parser.add_argument("--data")
    parser.add_argument("--weights", choices=["params", "ema"])
    options = parser.parse_args()
    state, config = load(options.checkpoint, options.weights)
    if options.out:
        torch.save(state, options.out)
    if options.data:
        print(json.dumps(evaluate(options.data, state, config)))
    if not options.out and not options.data:
        for name, array in state.items():
            print(name, tuple(array.shape))


main()
