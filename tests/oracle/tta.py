#!/usr/bin/python3
"""tta RUN DATA RECIPE [--KEY VALUE]...: the figures at the end of a run with test-time augmentation, computed anew.

The logits of a record are means over the record as it is and mirrored; with `shifts` half of that and half of the same for
the record moved by one pixel up and left, and down and right, in numpy's reflect padding (airbench94's infer_mirror_translate).
"""
import json
import os
import sys

import h5py
import numpy as np
import torch

from trainer import Trainer, read_records, scaled


def logits_of(trainer, state, pixels):
    return trainer.forward(scaled(pixels), state["ema"] or state["params"], running=state["running"])


def mirror_mean(trainer, state, pixels):
    return (logits_of(trainer, state, pixels) + logits_of(trainer, state, pixels[:, :, :, ::-1].copy())) / 2


def main(run, data, recipe, *flags):
    trainer = Trainer(recipe, flags, data)
    pixels, labels = read_records(data, ["test_batch"])
    with open(f"{run}/result.json") as file:
        result = json.load(file)
    with h5py.File(f"{run}/checkpoints/step-{result['step']:08d}.h5") as file:
        state = {g: {k: torch.tensor(v[()]).double() for k, v in file[g].items()} if g in file else {}
                 for g in ("params", "running", "ema")}
    padded = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    mirrored = mirror_mean(trainer, state, pixels)
    shifted = (mirror_mean(trainer, state, padded[:, :, :32, :32]) + mirror_mean(trainer, state, padded[:, :, 2:, 2:])) / 2
    wanted = {"none": logits_of(trainer, state, pixels), "flip": mirrored, "shifts": (mirrored + shifted) / 2}
    failed = 0
    for key, logits in (("", wanted[result["tta"]]), ("_plain", wanted["none"])):
        loss = float(trainer.losses(logits, labels).mean())
        right = int((logits.argmax(dim=1) == labels).sum())
        best = logits.topk(2, dim=1).values
        ties = int((best[:, 0] - best[:, 1] < 1e-4 * logits.abs().max()).sum())
        found = result["test_loss" + key], result["test_accuracy" + key] * len(labels)
        good = abs(found[0] - loss) < 2e-6 * max(1, loss) and abs(found[1] - right) <= ties + 1e-6
        failed += not good
        print(f"{result['tta']}{key}: {found}, {'as' if good else 'not'} {(loss, right)}, {ties} ties")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    main(*sys.argv[1:])
