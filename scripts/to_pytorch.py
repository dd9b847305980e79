#!/usr/bin/python3
"""Loads a lockstep checkpoint into PyTorch.

to_pytorch.py CHECKPOINT.h5                    prints the arrays' names and shapes
to_pytorch.py CHECKPOINT.h5 --out model.pt     saves a state_dict (conv1.weight, bn1.running_mean, ...); model.npz: its arrays
... --like STATE                               with the names of that state_dict, as from_pytorch.py finds them, and its
                                               num_batches_tracked: for the load_state_dict of its module
to_pytorch.py CHECKPOINT.h5 --data PATH        accuracy and confusion counts on the test set (of the folder or HDF5 file
                                               that lockstep's --data takes) as one JSON object, with the images whose two largest logits differ by < 1e-4
                                               ("near_ties"): rounding alone may change their class

Where the run keeps a moving average of the weights, that is taken (--weights params: the raw ones).
Needs h5py and torch; with --data also yaml, and lockstep itself (build/lockstep, or BUILD=FOLDER), which says what the
layers are (scripts/torch_layers.py). It also says whether the checkpoint is good, and without it none is verified.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch

import description

NEAR = 1e-4


def verify(path):
    """Ends where lockstep would not take the file, as it would end; it has said why."""
    try:
        inspected = subprocess.run([description.PROGRAM, "inspect", path], stdout=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        print(f"warning: {path} is read without being verified: {description.PROGRAM}: {error.strerror}; build it, or name its "
              "folder with BUILD=", file=sys.stderr)
        return
    if inspected.returncode != 0:
        sys.exit(inspected.returncode)
    found = inspected.stdout.splitlines()[0]
    if not found.endswith("agrees with its checksum file"):
        print(f"warning: {found}", file=sys.stderr)


def load(path, weights):
    """The state_dict and the text of the configuration of a checkpoint."""
    verify(path)
    with h5py.File(path, "r") as file:
        config = file["meta"].attrs["config"].decode()
        groups = [weights or ("ema" if "ema" in file else "params"), "running"]
        return {n: torch.from_numpy(a[()]) for g in groups for n, a in file[g].items()}, config


def describe(config, *flags):
    """The network of a checkpoint's configuration."""
    import description
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config)
        file.flush()
        return description.describe(file.name, *flags)


def of_checkpoint(path, config, folder):
    """The network of a checkpoint, for the images and classes that it says: by a set of one blank image a class."""
    with h5py.File(path, "r") as file:
        meta = file["meta"].attrs
        if "image_channels" not in meta:  # of an earlier version: CIFAR-10's
            return describe(config)
        classes = int(meta["classes"])
        shape = classes, *(int(meta[f"image_{side}"]) for side in ("height", "width", "channels"))
    blank = os.path.join(folder, "blank.h5")
    with h5py.File(blank, "w") as file:
        for part in "train", "test":
            file[f"{part}/images"] = np.zeros(shape, np.uint8)
            file[f"{part}/labels"] = np.arange(classes)
    return describe(config, "--data", blank)


def renamed(path, state, config, like):
    """`state` under the names of the state_dict in the file `like`, in its order."""
    import state_dict
    theirs = state_dict.load(like)
    with tempfile.TemporaryDirectory() as folder:
        network = of_checkpoint(path, config, folder)
    ours = {name: state[spec["name"]] for spec, name in state_dict.match(network, theirs, like)}
    with h5py.File(path, "r") as file:
        step = torch.tensor(int(file["state"].attrs["step"]))
    return {name: step if name.endswith(state_dict.COUNTER) else ours[name].reshape(array.shape)
            for name, array in theirs.items()}


def save(state, path):
    if path.endswith(".npz"):
        np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    else:
        torch.save(state, path)


def test_set(path, image):
    """Labels and images [n, C, H, W] of the test set."""
    if os.path.isdir(path):
        records = np.fromfile(f"{path}/test_batch.bin", np.uint8).reshape(-1, 1 + int(np.prod(image)))
        return records[:, 0], records[:, 1:].reshape(-1, *image)
    with h5py.File(path, "r") as file:
        images = file["test/images"][()]
        return file["test/labels"][()], images.reshape(len(images), *image[1:], image[0]).transpose(0, 3, 1, 2)


def evaluate(folder, state, config):
    """Accuracy on the test images, and which of them rounding could decide. Outputs beyond the classes are wrong."""
    import yaml
    import torch_layers
    network = describe(config, "--data", folder)
    classes = network["classes"]
    labels, records = test_set(folder, network["image"])
    augment = yaml.safe_load(config)["augment"]
    unit = 1 if augment.get("unit") == "byte" else 255
    mean, std = (torch.tensor(augment[k]).view(1, -1, 1, 1) for k in ("mean", "std"))
    confusion, near = torch.zeros(classes, classes, dtype=torch.long), []  # [true class][predicted class]
    for first in range(0, len(records), 500):
        part = torch.from_numpy(np.ascontiguousarray(records[first:first + 500]))
        images = (part.float() / unit - mean) / std
        with torch.no_grad():
            logits = torch_layers.logits(network, state, images)
        top = logits.topk(2).values
        for label, predicted in zip(labels[first:first + 500].tolist(), logits.argmax(1).tolist()):
            if predicted < classes:
                confusion[label, predicted] += 1
        near += (first + (top[:, 0] - top[:, 1] < NEAR).nonzero().flatten()).tolist()
    return {"test_accuracy": int(confusion.trace()) / len(records), "images": len(records),
            "near_ties": near, "confusion": confusion.tolist()}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--out")
    parser.add_argument("--like")
    parser.add_argument("--data")
    parser.add_argument("--weights", choices=["params", "ema"])
    options = parser.parse_args(arguments)
    state, config = load(options.checkpoint, options.weights)
    if options.like and not options.out:
        parser.error("--like goes with --out")
    if options.out:
        save(renamed(options.checkpoint, state, config, options.like) if options.like else state, options.out)
    if options.data:
        print(json.dumps(evaluate(options.data, state, config)))
    if not options.out and not options.data:
        for name, array in state.items():
            print(name, tuple(array.shape))


if __name__ == "__main__":
    main()
