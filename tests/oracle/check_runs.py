#!/usr/bin/python3
"""check_runs CASES: runs against the trainer of trainer.py, which gets the same recipes and flags.

A line of CASES is a name, the run directory, the data set, the recipe and the flags, with tabs between them. A run
must have a checkpoint of each step. Step by step the trainer computes from the state before (the first from the seed
alone) the state after, and every array of the checkpoint, every line of metrics.jsonl, the counters in /state, the
history and result.json are compared with it. Prints a line of TAP for each run, and what differs.

What is compared of an array is its change in the step: within CHANGE of the typical change, its root mean square, and
four roundings of the value itself to fp32. Adam, RMSprop and LAMB move an element with next to no gradient by rounding
alone: those are left out.
"""
import json
import sys

import h5py
import torch

import draws
from trainer import Trainer

CHANGE, LOSS, NORM = 1e-3, 2e-6, 2e-5
BY_SIZE = ("adam", "adamw", "rmsprop", "lamb")  # what divides an element's step by the size of its gradient
LEAST_GRADIENT = 1e-3  # of these elements, as a share of the tensor's typical one
TIE = 1e-4  # of two logits, as a share of the largest


class Comparison:
    def __init__(self, run, trainer):
        self.run, self.t, self.o = run, trainer, trainer.o
        self.compared = self.ties = self.clipped = 0
        self.differences = []
        self.worst = 0.0
        with open(f"{run}/metrics.jsonl") as file:
            lines = [json.loads(line) for line in file]
        self.train = {line["step"]: line for line in lines if line["kind"] == "train"}
        self.evals = {(line["step"], line["split"]): line for line in lines if line["kind"] == "eval"}
        self.logged, self.epoch, self.history = [], [], []  # steps since; evaluations
        self.best, self.best_step, self.without_better = -1.0, -1, 0

    def expect(self, what, good, found, wanted):
        self.compared += 1
        if not good:
            self.differences.append(f"{what}: {found}, not {wanted}")

    def close(self, what, found, wanted, tolerance):
        error = abs(found - wanted) / max(abs(wanted), 1e-3) / tolerance
        self.worst = max(self.worst, error)
        self.expect(what, error <= 1, found, wanted)

    def array(self, what, before, found, wanted, some):
        typical = float(((wanted - before)**2).mean() ** 0.5)
        error = ((found - wanted).abs() / (CHANGE * typical + 2**-22 * wanted.abs() + 1e-12))[some]
        worst = float(error.max()) if error.numel() else 0
        self.worst = max(self.worst, worst)
        self.expect(what, worst <= 1, f"off by {worst:.3g} of what is allowed", f"by 1; the typical change is {typical:.3g}")

    def right(self, logits, labels):
        """How many are right, from the least to the most that ties allow."""
        best = logits.topk(2, dim=1)
        tie = best.values[:, 0] - best.values[:, 1] <= TIE * logits.abs().max(dim=1).values
        right = best.indices[:, 0] == labels
        self.ties += int(tie.sum())
        return int((right & ~tie).sum()), int((right | tie).sum())

    def mean(self, what, line, loss_key, accuracy_key, steps):
        """A logged mean over steps [(sum of losses, (least, most) right, images)]."""
        images = sum(s[2] for s in steps)
        self.close(f"{what} {loss_key}", line[loss_key], sum(s[0] for s in steps) / images, LOSS)
        found, least, most = line[accuracy_key] * images, sum(s[1][0] for s in steps), sum(s[1][1] for s in steps)
        self.expect(f"{what} {accuracy_key}", least - 1e-6 <= found <= most + 1e-6, found, f"{least} to {most} images")
        return images

    def log_line(self, step, report):
        due = step % self.o["log-every"] == 0
        line = self.train.pop(step, None)
        self.expect(f"step {step} is logged", due == (line is not None), line is not None, due)
        if not due or line is None:
            return
        what = f"line of step {step}"
        images = self.mean(what, line, "loss", "accuracy", self.logged)
        self.expect(f"{what} images", line["images"] == images, line["images"], images)
        self.close(f"{what} lr", line["lr"], report["lr"], 1e-12)
        self.close(f"{what} epoch", line["epoch"], step / self.t.steps_per_epoch, 1e-12)
        if self.o["optimizer.clip-norm"]:
            self.close(f"{what} grad_norm", line["grad_norm"], report["grad_norm"], NORM)
        else:
            self.expect(f"{what} grad_norm", "grad_norm" not in line, "there", "there")
        self.logged = []

    def evaluation(self, step, split, state, selects):
        """One line of an evaluation: whether it is the best one."""
        what = f"{split} set after step {step}"
        line = self.evals.pop((step, split), None)
        self.expect(f"{what}: evaluated", line is not None, "no line", "one")
        if line is None:
            return
        loss, logits = self.t.evaluate(state, *(self.t.held if split == "holdout" else self.t.test))
        labels = (self.t.held if split == "holdout" else self.t.test)[1]
        self.mean(what, line, "loss", "accuracy", [(loss * len(labels), self.right(logits, labels), len(labels))])
        self.mean(what, line, "train_loss", "train_accuracy", self.epoch)
        self.expect(f"{what}: images", line["images"] == len(labels), line["images"], len(labels))
        best = selects and line["accuracy"] > self.best
        self.expect(f"{what}: best", line["best"] == best, line["best"], best)
        if best:
            self.best, self.best_step, self.without_better = line["accuracy"], step, 0
        elif selects:
            self.without_better += 1
        if split == "test":
            self.history.append((step // self.t.steps_per_epoch, step, line["train_loss"], line["train_accuracy"],
                                 line["loss"], line["accuracy"]))

    def counters(self, step, file):
        state, spe = file["state"], self.t.steps_per_epoch
        wanted = {"step": step, "epoch": step // spe, "position": step % spe, "best_step": self.best_step,
                  "without_better": self.without_better, "last_logged_step": step - step % self.o["log-every"],
                  "log_images": sum(s[2] for s in self.logged), "epoch_images": sum(s[2] for s in self.epoch),
                  "n_history": len(self.history)}
        for key, value in wanted.items():
            self.expect(f"/state/{key} of step {step}", state.attrs[key] == value, state.attrs[key], value)
        for key, steps in (("log", self.logged), ("epoch", self.epoch)):  # losses in units of 2^-24
            self.close(f"/state/{key}_loss of step {step}", state.attrs[key + "_loss"] / 2**24, sum(s[0] for s in steps),
                       LOSS)
        found = [tuple(entry) for entry in state["history"][()]] if "history" in state else []
        self.expect(f"history of step {step}", found == self.history, found, self.history)

    def step(self, number, before):
        """Compares step `number`, from 1; returns the checkpoint's state, rounded as it is."""
        after, report = self.t.step(before, number - 1)
        self.clipped += report["clipped"]
        found = {}
        with h5py.File(f"{self.run}/checkpoints/step-{number:08d}.h5") as file:
            for group in before:
                stored = file[group] if group in file else {}
                self.expect(f"step {number}: /{group}", set(stored) == set(before[group]), set(stored), set(before[group]))
                found[group] = {k: torch.tensor(v[()]).double() for k, v in stored.items()}
            for group in before:
                for k, old in before[group].items():
                    some = torch.ones_like(old, dtype=torch.bool)
                    if group in ("params", "ema", "optimizer/slow") and self.t.own(k)["optimizer.name"] in BY_SIZE:
                        gradient = report["grad"][k].abs()
                        some = gradient > LEAST_GRADIENT * float((gradient**2).mean() ** 0.5)
                    self.array(f"step {number}: /{group}/{k}", old, found[group][k], after[group][k], some)
                    if group == "params" and self.t.frozen(self.t.own(k), number - 1):
                        self.expect(f"step {number}: {k} is frozen", torch.equal(found[group][k], old), "changed", "as it was")
            step = report["loss"], self.right(report["logits"], report["labels"]), len(report["labels"])
            self.logged.append(step)
            self.epoch.append(step)
            self.log_line(number, report)
            if number % self.t.steps_per_epoch == 0:
                if number // self.t.steps_per_epoch % self.o["eval.every"] == 0:
                    if self.o["holdout"]:
                        self.evaluation(number, "holdout", found, True)
                    self.evaluation(number, "test", found, not self.o["holdout"])
                self.epoch = []
            self.counters(number, file)
        return found


    def result(self, steps, state):
        """What the last evaluation found, or one that the schedule did not ask for."""
        with open(f"{self.run}/result.json") as file:
            result = json.load(file)
        loss, logits = self.t.evaluate(state, *self.t.test)
        images = len(self.t.test[1])
        self.mean("result.json", result, "test_loss", "test_accuracy", [(loss * images, self.right(logits, self.t.test[1]),
                                                                        images)])
        wanted = {"step": steps, "epoch": steps // self.t.steps_per_epoch, "status": "finished",
                  "best_step": self.best_step if self.best_step >= 0 else None}
        for key, value in wanted.items():
            self.expect(f"result.json {key}", result[key] == value, result[key], value)
        rows = [sum(row) for row in result["confusion"]]
        labels = [int((self.t.test[1] == c).sum()) for c in range(10)]
        self.expect("images of each class", rows == labels, rows, labels)


def compare(name, run, data, recipe, *flags):
    trainer = Trainer(recipe, flags, data)
    c = Comparison(run, trainer)
    state, steps = trainer.initial(), trainer.o["steps"]
    for number in range(1, steps + 1):
        state = c.step(number, state)
    c.result(steps, state)
    left = list(c.train) + list(c.evals)
    c.expect("metrics.jsonl has nothing else", not left, left, [])
    c.expect("few near ties", c.ties <= 0.02 * steps * trainer.o["batch-size"], c.ties, "at most 2 %")
    if trainer.o["optimizer.clip-norm"]:
        c.expect("some steps are clipped, and some not", 0 < c.clipped < steps, c.clipped, f"0 < n < {steps}")
    print(f"{'not ok' if c.differences else 'ok'} - {name}: {steps} steps of {trainer.steps_per_epoch} an epoch, "
          f"{c.compared} comparisons, {len(c.differences)} differ; largest error {100 * c.worst:.0f} % of what is allowed; "
          f"{c.ties} near ties, {c.clipped} steps clipped")
    for difference in c.differences[:20]:
        print("#", difference)


if __name__ == "__main__":
    torch.set_num_threads(1)
    draws.known_answers()
    with open(sys.argv[1]) as file:
        for case in file:
            compare(*case.rstrip("\n").split("\t"))
