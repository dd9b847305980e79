#!/usr/bin/python3
"""Brings the weights of a PyTorch module to lockstep, as a checkpoint of no step.

from_pytorch.py CONFIG.yaml STATE --out DIR     writes DIR/step-00000000.h5, for `lockstep eval`, `predict` and --init-from
from_pytorch.py CONFIG.yaml STATE --names       prints which of its arrays is which of the network's

STATE is a state_dict that torch.save wrote, a dict that holds one (as training scripts save it), or an .npz of its arrays.
Its names may be lockstep's (to_pytorch.py) or the module's own: these are taken in their order, and each must have the role
and the shape of the network's, whose layers therefore stand in the order in which the module registers them. Those of
configs/zoo do, for the modules of their sources. Networks for other images: --data PATH, as lockstep takes it.
Needs h5py and lockstep itself (build/lockstep, or BUILD=FOLDER), but not torch; nothing that STATE brings is run.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np

import description
import state_dict


def write(path, pairs, arrays):
    """The file that `lockstep checkpoint import` reads (include/lockstep/weights.h)."""
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        for spec, name in pairs:
            group = "running" if spec["name"].rsplit(".", 1)[1].startswith("running_") else "params"
            array = np.ascontiguousarray(arrays[name], "<f4").reshape(spec["shape"])
            file.create_dataset(f"{group}/{spec['name']}", data=array)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("state")
    parser.add_argument("--out")
    parser.add_argument("--data")
    parser.add_argument("--names", action="store_true")
    options = parser.parse_args()
    if not options.out and not options.names:
        parser.error("--out DIR, or --names")
    data = ["--data", options.data] if options.data else []
    arrays = state_dict.load(options.state)
    hint = "" if data else "; is it for other images than CIFAR-10's? Then name them with --data"
    pairs = state_dict.match(description.describe(options.config, *data), arrays, options.state, hint)
    if options.names:
        for spec, name in pairs:
            print(f"{spec['name']:24} {name:40} {' x '.join(map(str, spec['shape']))}")
    if not options.out:
        return
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "weights.h5")
        write(weights, pairs, arrays)
        command = [description.PROGRAM, "checkpoint", "import", options.config, weights, options.out, *data]
        sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
