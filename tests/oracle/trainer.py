"""trainer: what one step of a run must do, in float64 on PyTorch's autograd.

Formulas: SGD, Adam, AdamW and their momenta as in the notes of torch.optim; Lookahead as in Zhang et al. 2019, its rising
decay and its last step as in KellerJordan/cifar10-airbench, legacy/airbench94.py; Muon as in airbench94_muon.py there, with
the decoupled decay of KellerJordan/Muon; RMSprop is torch.optim's own; LARS as algorithm 1 of You, Gitman, Ginsburg 2017, LAMB
as algorithm 2 of You et al. 2020 with phi(z) = z, both with a ratio of 1 for vectors, and where a norm is 0; batch norm, dropout, cross entropy with
label smoothing as in those of torch.nn; clipping as in torch.nn.utils.clip_grad_norm_, without its 1e-6. How records
are dealt to lanes and steps, and what an average is over, is what docs/design.md and `train --help` say:

    lane l of L owns the next floor((N + l) / L) records, and floor(B / L) of each step; a short last step has the rest
    the gradient is that of the mean loss over all images of the step; batch norm sees a lane at a time, over=batch all
    running = (1 - momentum) running + momentum * (mean of the lanes' statistics by their images)
    lr = warm-up factor * curve, both of the epochs done before the step
    a parameter is optimized as the first line of optimizer.groups says that matches it; points of a group's own are a curve
    instead of the run's, frozen parameters count nowhere (docs/optimizers.md)

No random number, no sum and no state comes from lockstep: a state is read, a step is computed, the next is compared.
"""
import fnmatch
import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
import yaml

import draws

DEFAULTS = {
    "seed": 1, "batch-size": 256, "lanes": 8, "drop-last": True, "holdout": 0, "train-records": 0, "label-smoothing": 0, "class-weights": "", "log-every": 10,
    "eval.every": 1, "augment.crop-pad": 0, "augment.flip": 0, "augment.mixup": 0,
    "augment.cutmix": 0, "augment.mix-probability": 1, "optimizer.name": "sgd", "optimizer.lr": 0.1,
    "optimizer.momentum": 0.9, "optimizer.nesterov": False, "optimizer.beta1": 0.9, "optimizer.beta2": 0.999,
    "optimizer.alpha": 0.99, "optimizer.centered": False, "optimizer.trust-coefficient": 0.001,
    "optimizer.eps": 1e-8, "optimizer.weight-decay": 0, "optimizer.decay-all": False, "optimizer.clip-norm": 0,
    "optimizer.ema-decay": 0, "lookahead.every": 0, "lookahead.decay": 0.5, "lookahead.power": 0,
    "muon.steps": 5, "muon.rescale": False, "schedule.name": "constant", "schedule.points": [], "schedule.gamma": 0.1,
    "schedule.unit": "epochs", "schedule.by": "step", "schedule.shape": "linear", "schedule.lr-start": 0,
    "schedule.momentum-low": 0, "schedule.warmup": 0, "schedule.lr-end": 0, "schedule.total-epochs": 0, "schedule.warmup-epochs": 0, "schedule.warmup-start": 0,
    "epochs": 10,
}
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)


def options(recipe, flags):
    """A recipe and the flags of a command line, over the defaults that --help states."""
    with open(recipe) as file:
        tree = yaml.safe_load(file)
    found = dict(DEFAULTS)
    for key, value in tree.items():
        found.update({f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value})
    flags = list(flags)
    while flags:
        flag = flags.pop(0)[2:]
        if not flags or flags[0].startswith("--"):
            found[flag[3:] if flag.startswith("no-") else flag] = not flag.startswith("no-")
        else:
            found[flag] = yaml.safe_load(flags.pop(0))
    if isinstance(found["schedule.points"], str):  # 0:0.5,1:1 or 1,2
        points = [[float(x) for x in point.split(":")] for point in found["schedule.points"].split(",")]
        found["schedule.points"] = points if len(points[0]) > 1 else [point[0] for point in points]
    return found


def read_records(folder, names):
    raw = np.concatenate([np.fromfile(f"{folder}/{name}.bin", np.uint8).reshape(-1, 3073) for name in names])
    return raw[:, 1:].reshape(-1, 3, 32, 32), torch.tensor(raw[:, 0].astype(np.int64))


def scaled(pixels):
    x = torch.tensor(np.ascontiguousarray(pixels), dtype=torch.float64) / 255
    return (x - torch.tensor(MEAN).double().view(3, 1, 1)) / torch.tensor(STD).double().view(3, 1, 1)


def parse_model(text):
    """[(kind, its number among its kind, {argument: value})]"""
    layers, seen = [], {}
    for line in text.strip().splitlines():
        kind, *words = line.split()
        seen[kind] = seen.get(kind, 0) + 1
        pairs = [word.partition("=") for word in words]
        layers.append((kind, f"{kind}{seen[kind]}", {k: v if k == "over" else float(v or 1) for k, _, v in pairs}))
    return layers


def parse_groups(text):
    """[([pattern], {key: value})]"""
    groups = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            pairs = [word.partition("=") for word in words[1:]]
            groups.append((words[0].split(","), {k: v if k in ("optimizer", "points", "unit") else float(v or 1) for k, _, v in pairs}))
    return groups


class Trainer:
    def __init__(self, recipe, flags, folder):
        self.o = o = options(recipe, flags)
        self.layers = parse_model(o["model"])
        self.groups = parse_groups(o.get("optimizer.groups", ""))
        self.pixels, self.labels = read_records(folder, [f"data_batch_{i}" for i in range(1, 6)])
        self.test = read_records(folder, ["test_batch"])
        if first := o["train-records"]:
            self.train, held = np.arange(first), np.arange(first, first + o["holdout"])
        else:
            held = draws.held_out(o["seed"], len(self.labels), o["holdout"])
            self.train = np.setdiff1d(np.arange(len(self.labels)), held)
        self.held = self.pixels[held], self.labels[held]
        n, lanes = len(self.train), o["lanes"]
        sizes = [(n + lane) // lanes for lane in range(lanes)]
        self.shards = np.split(self.train, np.cumsum(sizes)[:-1])
        self.batch = o["batch-size"] // lanes
        self.full_steps = sizes[0] // self.batch
        rest = n > self.full_steps * self.batch * lanes
        self.steps_per_epoch = self.full_steps + (rest and not o["drop-last"])
        self.decayed = set()
        listed = o["class-weights"]
        listed = [float(x) for x in listed.split(",") if x] if isinstance(listed, str) else listed
        self.weights = torch.tensor(listed or [1.0] * 10).double()

    def initial(self):
        """The state before the first step; also learns which parameters decay: weights of conv and linear."""
        params, running, channels, side, number = {}, {}, 3, 32, 0
        for kind, name, a in self.layers:
            if kind in ("conv", "linear"):
                out, k = int(a["c"]), int(a.get("k", 1))
                shape = (out, channels, k, k) if kind == "conv" else (out, channels * side * side)
                bound = 1 / math.sqrt(np.prod(shape[1:]))
                params[name + ".weight"] = draws.initial(self.o["seed"], number, shape, bound)
                self.decayed.add(name + ".weight")
                number += 1
                if a.get("bias", kind == "linear"):
                    params[name + ".bias"] = draws.initial(self.o["seed"], number, (out,), bound)
                    number += 1
                channels = out
            if kind in ("bn", "groupnorm"):
                params[name + ".weight"], params[name + ".bias"] = np.ones(channels), np.zeros(channels)
                number += 2
            if kind == "bn":
                running[name + ".running_mean"], running[name + ".running_var"] = np.zeros(channels), np.ones(channels)
            if "global" in a or kind == "linear":
                side = 1
            elif kind in ("conv", "maxpool", "avgpool"):
                k, s = int(a["k"]), int(a.get("s", 1 if kind == "conv" else a["k"]))
                side = (side + 2 * int(a.get("p", 0)) - k) // s + 1
        params = {k: torch.tensor(v) for k, v in params.items()}
        state = {"params": params, "running": {k: torch.tensor(v) for k, v in running.items()},
                 "ema": dict(params) if self.o["optimizer.ema-decay"] else {}}
        for k, v in params.items():
            for slot in self.slots(self.own(k)):
                state.setdefault("optimizer/" + slot, {})[k] = torch.zeros_like(v)
        if self.o["lookahead.every"]:
            state["optimizer/slow"] = {k: v for k, v in params.items() if not self.own(k).get("frozen")}
            state["optimizer/slow_running"] = dict(state["running"])
        return state

    def slots(self, o):
        if o.get("frozen"):
            return []
        momentum = ["momentum"] if o["optimizer.momentum"] else []
        if o["optimizer.name"] in ("sgd", "muon", "lars"):
            return momentum
        if o["optimizer.name"] == "rmsprop":
            return momentum + ["square_avg"] + ["grad_avg"] * bool(o["optimizer.centered"])
        return ["exp_avg", "exp_avg_sq"]

    def own(self, k):
        """The options as they are for parameter k."""
        layer, role = k.split(".")
        kind = next(kind for kind, name, _ in self.layers if name == layer)
        for patterns, keys in self.groups:
            for pattern in patterns:
                of_kind, colon, roles = pattern.partition(":")
                if fnmatch.fnmatchcase(role, roles) and of_kind == kind if colon else fnmatch.fnmatchcase(k, pattern):
                    named = {"optimizer": "optimizer.name", "muon-steps": "muon.steps", "muon-rescale": "muon.rescale"}
                    return {**self.o, **{named.get(key, "optimizer." + key if "optimizer." + key in self.o and key != "lr" else key): v
                                         for key, v in keys.items()}, "decays": "weight-decay" in keys}
        return self.o

    def frozen(self, o, step):
        return "frozen" in o or step / self.steps_per_epoch >= o.get("frozen-after", math.inf)

    def lr_of(self, o, step):
        """The learning rate of a parameter with these options."""
        lr = self.lr(step)
        if "points" in o:
            length = self.o["schedule.total-epochs"] or self.o["epochs"]
            unit = {"epochs": 1, "share": length, "steps": 1 / self.steps_per_epoch}[o.get("unit", self.o["schedule.unit"])]
            at, value = np.array([[float(Fraction(x)) for x in point.split(":")] for point in o["points"].split(",")]).T
            lr = self.o["optimizer.lr"] * float(np.interp(self.position(step), at * unit, value))
        return lr * o.get("lr", self.o["optimizer.lr"]) / self.o["optimizer.lr"] * o.get("lr-factor", 1)

    def forward(self, x, w, running=None, step=None, parts=None, statistics=None):
        """Logits. `running`: evaluation with them; else training in `step`, of parts = {lane: its images in x}, where
        `statistics` gets a batch norm's (mean, unbiased variance), the mean over parts by their images."""
        for index, (kind, name, a) in enumerate(self.layers):
            k, s, p = int(a.get("k", 0)), int(a.get("s", 0)), a.get("p", 0)
            if kind == "conv":
                x = F.conv2d(x, w[name + ".weight"], w.get(name + ".bias"), stride=s or 1, padding=int(p))
            elif kind == "bn":
                normal = []
                for part in x.split(list(parts.values()) if parts and a.get("over") != "batch" else len(x)):
                    mean, var = part.mean((0, 2, 3)), part.var((0, 2, 3), unbiased=False)
                    if running is not None:
                        mean, var = running[name + ".running_mean"], running[name + ".running_var"]
                    else:
                        n = part.numel() // part.shape[1]
                        for key, value in ("mean", mean.detach()), ("var", var.detach() * n / (n - 1)):
                            key = f"{name}.running_{key}"
                            statistics[key] = statistics.get(key, 0) + value * len(part) / len(x)
                    normal.append((part - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt())
                x = torch.cat(normal)
                x = x * w[name + ".weight"][:, None, None] + w[name + ".bias"][:, None, None]
            elif kind == "groupnorm":
                x = F.group_norm(x, int(a["groups"]), w[name + ".weight"], w[name + ".bias"])
            elif kind == "relu":
                x = F.relu(x)
            elif kind == "gelu":
                x = F.gelu(x)
            elif kind == "maxpool":
                x = F.max_pool2d(x, k, s or k, int(p))
            elif kind == "avgpool":
                x = x.mean((2, 3), keepdim=True) if "global" in a else F.avg_pool2d(x, k, s or k, int(p))
            elif kind == "linear":
                x = F.linear(x.flatten(1), w[name + ".weight"], w[name + ".bias"])
            elif kind == "dropout":
                if running is None:
                    keep = [draws.keep_mask(self.o["seed"], step, lane, index, n * x[0].numel(), p) for lane, n in parts.items()]
                    x = x * torch.tensor(np.concatenate(keep)).view(x.shape) / (1 - p)
            elif kind == "droppath":
                if running is None:
                    keep = [draws.keep_mask(self.o["seed"], step, lane, index, n, p, draws.DROPPATH) for lane, n in parts.items()]
                    x = x * torch.tensor(np.concatenate(keep)).view(-1, 1, 1, 1) / (1 - p)
            else:
                raise ValueError(f"{kind}: not a layer of this trainer")
        return x

    def losses(self, logits, labels):
        return F.cross_entropy(logits, labels, self.weights, reduction="none", label_smoothing=self.o["label-smoothing"])

    def records(self, step, lane):
        epoch, at = divmod(step, self.steps_per_epoch)
        shard = self.shards[lane]
        end = (at + 1) * self.batch if at < self.full_steps else len(shard)
        places = draws.order(self.o["seed"], epoch, lane, len(shard))
        return epoch, shard[places[at * self.batch:end]]

    def images(self, epoch, shard, records):
        """Those of records of a lane's shard, mixed with others of it; the labels of these, and their shares."""
        o = self.o

        def image(record):
            return scaled(draws.augmented(self.pixels[record], o["seed"], epoch, record, o["augment.crop-pad"],
                                          o["augment.flip"]))

        x, second, shares = [], [], []
        for record in records:
            place, share, part, rows, columns = draws.mixing(
                o["seed"], epoch, record, o["augment.mixup"], o["augment.cutmix"], o["augment.mix-probability"],
                len(shard))
            x.append(image(record))
            x[-1][:, rows, columns] *= 1 - part
            x[-1][:, rows, columns] += part * image(shard[place])[:, rows, columns]
            second.append(self.labels[shard[place]])
            shares.append(share)
        return torch.stack(x), torch.stack(second), torch.tensor(shares, dtype=torch.float64)

    def gradients(self, state, step):
        """Of the mean loss, over the weights of the images' classes: (gradient, batch-norm statistics, sum of losses, logits, labels)."""
        o, w = self.o, {k: v.clone().requires_grad_(True) for k, v in state["params"].items()}
        statistics, parts, images, labels = {}, {}, [], []
        for lane in range(o["lanes"]):
            epoch, records = self.records(step, lane)
            if len(records) == 0:
                continue
            parts[lane] = len(records)
            images.append(self.images(epoch, self.shards[lane], records))
            labels.append(self.labels[records])
        x, second, share = (torch.cat(values) for values in zip(*images))
        labels = torch.cat(labels)
        logits = self.forward(x, w, step=step, parts=parts, statistics=statistics)
        total = ((1 - share) * self.losses(logits, labels) + share * self.losses(logits, second)).sum()
        weight = ((1 - share) * self.weights[labels] + share * self.weights[second]).sum()
        (total / weight).backward()
        return {k: v.grad for k, v in w.items()}, statistics, (total * len(x) / weight).item(), logits.detach(), labels

    def position(self, step):
        t = step / self.steps_per_epoch
        return math.floor(t) if self.o["schedule.by"] == "epoch" else t

    def cycle(self, step, start, peak, end):
        """What goes from start to peak to end, over two points."""
        o = self.o
        unit = {"epochs": 1, "share": o["schedule.total-epochs"] or o["epochs"], "steps": 1 / self.steps_per_epoch}
        up, down = (point * unit[o["schedule.unit"]] for point in o["schedule.points"])
        t = self.position(step)
        part, a, b = (t / up, start, peak) if t < up else (min((t - up) / (down - up), 1), peak, end)
        if o["schedule.shape"] == "cosine":
            part = (1 - math.cos(math.pi * part)) / 2
        return a + (b - a) * part

    def momentum(self, step, usual):
        """SGD's momentum, or Adam's first beta."""
        low = self.o["schedule.momentum-low"]
        return self.cycle(step, usual, low, usual) if low and self.o["schedule.name"] == "one-cycle" else usual

    def lr(self, step):
        o, t = self.o, self.position(step)
        lr, kind = o["optimizer.lr"], o["schedule.name"]
        length = o["schedule.total-epochs"] or o["epochs"]
        unit = {"epochs": 1, "share": length, "steps": 1 / self.steps_per_epoch}[o["schedule.unit"]]
        warm = o["schedule.warmup-epochs"] or o["schedule.warmup"] * unit
        points = [np.multiply(point, (unit, 1)) if isinstance(point, list) else point * unit for point in o["schedule.points"]]
        factor = 1.0
        if t < warm:
            factor = o["schedule.warmup-start"] + (1 - o["schedule.warmup-start"]) * t / warm
        if kind == "step":
            lr *= o["schedule.gamma"] ** sum(t >= point for point in points)
        elif kind == "piecewise":
            lr *= float(np.interp(t, *zip(*points)))
        elif kind == "one-cycle":
            lr = self.cycle(step, o["schedule.lr-start"], lr, o["schedule.lr-end"])
        elif kind == "cosine":
            part = min(max((t - warm) / (length - warm), 0), 1)
            lr = o["schedule.lr-end"] + (lr - o["schedule.lr-end"]) * (1 + math.cos(math.pi * part)) / 2
        return factor * lr

    def step(self, state, step):
        """The state after step number `step`, counted from 0, and what is reported of it."""
        o, lr = self.o, self.lr(step)
        grad, statistics, loss, logits, labels = self.gradients(state, step)
        own = {k: self.own(k) for k in state["params"]}
        norm = math.sqrt(sum(float((g**2).sum()) for k, g in grad.items() if not self.frozen(own[k], step)))
        clip = o["optimizer.clip-norm"]
        clipped = 0 < clip < norm
        after = {group: {} for group in state}
        for k, w in state["params"].items():
            g, p = grad[k] * (clip / norm if clipped else 1), own[k]
            decay = p["optimizer.weight-decay"] if p["optimizer.decay-all"] or p.get("decays") or k in self.decayed else 0
            if self.frozen(p, step):
                after["params"][k] = w
                for slot in self.slots(p):
                    after["optimizer/" + slot][k] = state["optimizer/" + slot][k]
            else:
                after["params"][k] = self.update(p, state, after, k, w, g, self.lr_of(p, step), decay, step)
            if state["ema"]:
                keep = o["optimizer.ema-decay"]
                after["ema"][k] = keep * state["ema"][k] + (1 - keep) * after["params"][k]
        for k, v in state["running"].items():
            after["running"][k] = 0.9 * v + 0.1 * statistics[k]
        if self.o["lookahead.every"]:
            self.look_ahead(state, after, step)
        return after, {"loss": loss, "logits": logits, "labels": labels, "lr": lr, "grad_norm": norm,
                       "clipped": clipped, "grad": grad}

    def look_ahead(self, state, after, step):
        """After `step`, which is counted from 0. The last step sets the weights to the slow ones, whatever the others do."""
        o, done = self.o, step + 1
        length = math.ceil((o["schedule.total-epochs"] or o["epochs"]) * self.steps_per_epoch - 1e-9)
        for fast, slow in (("params", "optimizer/slow"), ("running", "optimizer/slow_running")):
            for k, old in state[slow].items():
                if fast == "params" and self.frozen(self.own(k), step):
                    after[slow][k] = old
                    continue
                decay = o["lookahead.decay"] * min(done / length, 1) ** o["lookahead.power"]
                new = torch.lerp(old, after[fast][k], 1 - decay) if done % o["lookahead.every"] == 0 else old
                after[slow][k] = new
                if done % o["lookahead.every"] == 0 or done == length:
                    after[fast][k] = new

    def muon(self, o, state, after, k, w, g, lr, decay, step):
        u, mu = g, self.momentum(step, o["optimizer.momentum"])
        if o["optimizer.momentum"]:
            m = after["optimizer/momentum"][k] = g if step == 0 else mu * state["optimizer/momentum"][k] + g
            u = g + mu * m if o["optimizer.nesterov"] else m
        x = u.reshape(len(u), -1)
        x = x / (x.norm() + 1e-7)
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        for _ in range(int(o["muon.steps"])):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        if o["muon.rescale"]:
            w = w * len(w)**0.5 / w.norm()
        return w * (1 - lr * decay) - lr * (x.T if tall else x).reshape(w.shape)

    def rmsprop(self, o, state, after, k, w, g, lr, decay, step):
        """By PyTorch itself; its momentum is called momentum_buffer."""
        p = w.clone().requires_grad_(True)
        p.grad = g
        rule = torch.optim.RMSprop([p], lr, o["optimizer.alpha"], o["optimizer.eps"], decay,
                                   self.momentum(step, o["optimizer.momentum"]), bool(o["optimizer.centered"]))
        names = {slot: "momentum_buffer" if slot == "momentum" else slot for slot in self.slots(o)}
        rule.state[p] = {"step": torch.tensor(float(step)), **{n: state["optimizer/" + s][k].clone() for s, n in names.items()}}
        rule.step()
        for slot, name in names.items():
            after["optimizer/" + slot][k] = rule.state[p][name]
        return p.detach()

    def lars(self, o, state, after, k, w, g, lr, decay, step):
        ratio = 1.0
        if w.dim() > 1 and w.norm() > 0 and g.norm() > 0:
            ratio = o["optimizer.trust-coefficient"] * w.norm() / (g.norm() + decay * w.norm() + o["optimizer.eps"])
        v = lr * ratio * (g + decay * w)
        if o["optimizer.momentum"]:
            v = after["optimizer/momentum"][k] = v + self.momentum(step, o["optimizer.momentum"]) * state["optimizer/momentum"][k]
        return w - v

    def lamb(self, o, state, after, k, w, g, lr, decay, step):
        b1, b2 = self.momentum(step, o["optimizer.beta1"]), o["optimizer.beta2"]
        m = after["optimizer/exp_avg"][k] = b1 * state["optimizer/exp_avg"][k] + (1 - b1) * g
        v = after["optimizer/exp_avg_sq"][k] = b2 * state["optimizer/exp_avg_sq"][k] + (1 - b2) * g**2
        u = m / (1 - b1 ** (step + 1)) / ((v / (1 - b2 ** (step + 1))).sqrt() + o["optimizer.eps"]) + decay * w
        return w - lr * (w.norm() / u.norm() if w.dim() > 1 and w.norm() > 0 and u.norm() > 0 else 1) * u

    def update(self, o, state, after, k, w, g, lr, decay, step):
        if o["optimizer.name"] in ("rmsprop", "lars", "lamb"):
            return getattr(self, o["optimizer.name"])(o, state, after, k, w, g, lr, decay, step)
        if o["optimizer.name"] == "muon":
            return self.muon(o, state, after, k, w, g, lr, decay, step)
        if o["optimizer.name"] == "sgd":
            g = g + decay * w
            if not o["optimizer.momentum"]:
                return w - lr * g
            mu = self.momentum(step, o["optimizer.momentum"])
            m = g if step == 0 else mu * state["optimizer/momentum"][k] + g
            after["optimizer/momentum"][k] = m
            return w - lr * (g + mu * m if o["optimizer.nesterov"] else m)
        b1, b2 = self.momentum(step, o["optimizer.beta1"]), o["optimizer.beta2"]
        if o["optimizer.name"] == "adam":
            g = g + decay * w
        else:
            w = w * (1 - lr * decay)
        m = after["optimizer/exp_avg"][k] = b1 * state["optimizer/exp_avg"][k] + (1 - b1) * g
        v = after["optimizer/exp_avg_sq"][k] = b2 * state["optimizer/exp_avg_sq"][k] + (1 - b2) * g**2
        m, v = m / (1 - b1 ** (step + 1)), v / (1 - b2 ** (step + 1))
        return w - lr * m / (v.sqrt() + o["optimizer.eps"])

    def evaluate(self, state, pixels, labels):
        """(mean loss, logits) of the moving average where there is one, else of the weights."""
        logits = self.forward(scaled(pixels), state["ema"] or state["params"], running=state["running"])
        return float(F.cross_entropy(logits, labels, self.weights, label_smoothing=self.o["label-smoothing"])), logits
