#!/usr/bin/env python3
"""twin: a recipe in PyTorch, as one would write it there, and a process that times its steps.

bench/vs_pytorch and bench/pytorch_gpu run this in each Python that has torch, from 1.13 on; nothing else is needed there:

    twin.py --probe         prints what this PyTorch is, as one JSON object
    twin.py --worker        reads an order (below) from stdin; rank 0 prints what it measured, as one JSON object

A network is what scripts/description.py gives, settings are what `lockstep train CONFIG --dump-config` prints. Modules are made from a
layer's kind, arguments and shapes, not from lockstep's list of parameters: so their number is checked against lockstep's count.

Maps are N, C, H, W in channels-last. Tokens are N, L, C, and a convolution of 1 x 1 is a linear layer there. Attention is
scaled_dot_product_attention where PyTorch has it (2.0). A kind or an option that has no counterpart here ends the process with one line.
"""
import contextlib
import fnmatch
import json
import math
import os
import re
import shutil
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

# Steps before the measured ones: the first allocates, of a compiled network it compiles.
WARM, WARM_COMPILED = 1, 2
# Measuring goes on to the number of steps wanted, or until this time has gone.
LONG_S = 10
# The learning rate's share: labels are random, and weights should stay as they began.
CALM = 1e-4

MAP, TOKENS, VECTOR = "map", "tokens", "vector"  # N, C, H, W; N, L, C; N, C


# ---- Layers that torch.nn does not have ----

class Scale(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = by

    def forward(self, x):
        return x * self.by


class Add(nn.Module):
    def forward(self, x, *others):
        for y in others:
            x = x + y
        return x


class Multiply(nn.Module):
    def forward(self, x, *others):
        for y in others:
            x = x * y
        return x


class Concat(nn.Module):
    def forward(self, *inputs):
        return torch.cat(inputs, 1)


class Slice(nn.Module):
    def __init__(self, first, channels):
        super().__init__()
        self.first, self.channels = first, channels

    def forward(self, x):
        return x[:, self.first:self.first + self.channels]


class PadChannels(nn.Module):
    def __init__(self, half):
        super().__init__()
        self.half = half

    def forward(self, x):
        return F.pad(x, (0, 0, 0, 0, self.half, self.half))


class DropPath(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        keep = torch.rand([len(x)] + [1] * (x.dim() - 1), device=x.device) >= self.p
        return x * keep / (1 - self.p)


class Shift(nn.Module):
    """The map, and the map moved by one pixel right, left, down and up."""

    def forward(self, x):
        wide = F.pad(x, (1, 1, 1, 1))
        return torch.cat([x, wide[:, :, 1:-1, :-2], wide[:, :, 1:-1, 2:], wide[:, :, :-2, 1:-1], wide[:, :, 2:, 1:-1]], 1)


class Patches(nn.Module):
    """Maps to tokens: a patch's values in the order row, column, channel."""

    def __init__(self, k):
        super().__init__()
        self.k = k

    def forward(self, x):
        n, c, h, w = x.shape
        k = self.k
        return x.view(n, c, h // k, k, w // k, k).permute(0, 2, 4, 3, 5, 1).reshape(n, -1, k * k * c)


class ClassToken(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels))

    def forward(self, x):
        return torch.cat([self.weight.to(x.dtype).expand(len(x), 1, -1), x], 1)


class Positions(nn.Module):
    def __init__(self, tokens, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tokens, channels))

    def forward(self, x):
        return x + self.weight


class Attention(nn.Module):
    """`temperature`: scores are multiplied by exp(weight), which begins at 1 / sqrt(D), in place of 1 / sqrt(D)."""

    def __init__(self, channels, tokens, heads, temperature, mask_diagonal):
        super().__init__()
        self.heads = heads
        self.root = math.sqrt(channels // heads)
        self.weight = nn.Parameter(torch.tensor([-math.log(self.root)])) if temperature else None
        self.register_buffer("sees", ~torch.eye(tokens, dtype=torch.bool) if mask_diagonal else None, persistent=False)

    def forward(self, x):
        q, k, v = x.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)  # N, heads, L, D
        if self.weight is not None:
            q = q * (self.weight.exp() * self.root).to(q.dtype)
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.sees)
        else:
            score = q @ k.transpose(2, 3) / self.root
            if self.sees is not None:
                score = score.masked_fill(~self.sees, float("-inf"))
            y = score.softmax(3).to(v.dtype) @ v
        return y.transpose(1, 2).flatten(2)


class Token(nn.Module):
    def __init__(self, index):
        super().__init__()
        self.index = index

    def forward(self, x):
        return x[:, self.index]


class SequencePool(nn.Linear):
    def __init__(self, channels):
        super().__init__(channels, 1)

    def forward(self, x):
        return (super().forward(x).softmax(1) * x).sum(1)


def batch_norm(channels, a):
    module = nn.BatchNorm2d(channels, a["eps"], a["momentum"])
    for role, value, trained in (("weight", 1.0, a["scale"]), ("bias", 0.0, a["bias"])):
        if not trained:  # fixed, and no parameter
            delattr(module, role)
            module.register_buffer(role, torch.full((channels,), value), persistent=False)
    return module


# What a layer computes on: a form, or SAME, that of its first input. One of a list is taken as it is; else the first is made.
SAME = "same"


def conv(layer):
    a, channels = layer["args"], layer["in"][0][0]
    return nn.Conv2d(channels, a["c"], a["k"], a["s"], a["p"], groups=a["groups"], bias=a["bias"])


def module_of(layer, form):
    """(module, the forms that it takes its inputs in, the form that it gives) of a layer whose first input is of `form`."""
    kind, a, (c, h, w) = layer["kind"], layer["args"], layer["in"][0]
    one_by_one = kind == "conv" and (a["k"], a["s"], a["p"], a["groups"]) == (1, 1, 0, 1)
    if one_by_one and form != MAP:
        return nn.Linear(c, a["c"], bias=a["bias"]), form, form
    pointwise = {
        "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu6": nn.ReLU6,
        "leaky_relu": lambda: nn.LeakyReLU(a["slope"]), "dropout": lambda: nn.Dropout(a["p"]), "droppath": lambda: DropPath(a["p"]),
        "scale": lambda: Scale(a["by"]), "add": Add, "mul": Multiply,
    }
    maps = {
        "conv": lambda: conv(layer), "bn": lambda: batch_norm(c, a), "groupnorm": lambda: nn.GroupNorm(a["groups"], c, a["eps"]),
        "maxpool": lambda: nn.MaxPool2d(a["k"], a["s"], a["p"]),
        "avgpool": lambda: nn.AvgPool2d(a["k"], a["s"], a["p"], count_include_pad=a["count_pad"]),
        "concat": Concat, "pad_channels": lambda: PadChannels((layer["out"][0] - c) // 2), "shift": Shift,
        "slice": lambda: Slice(a["first"], a["c"]), "shuffle": lambda: nn.ChannelShuffle(a["groups"]),
    }
    tokens = {
        "class_token": lambda: ClassToken(c), "positions": lambda: Positions(h * w, c),
        "attention": lambda: Attention(c // 3, h * w, a["heads"], a["temperature"], a["mask_diagonal"]),
    }
    if kind in pointwise:
        return pointwise[kind](), form, form
    if kind in maps:
        return maps[kind](), MAP, MAP
    if kind in tokens:
        return tokens[kind](), TOKENS, TOKENS
    if kind == "layernorm":
        normed = VECTOR if form == VECTOR else TOKENS
        return nn.LayerNorm(c, a["eps"]), normed, normed
    if kind == "patches":
        return Patches(a["k"]), MAP, TOKENS
    if kind == "token":
        return Token(int(a["index"])), TOKENS, VECTOR
    if kind == "seqpool":
        return SequencePool(c), TOKENS, VECTOR
    if kind == "linear":
        return nn.Linear(c * h * w, a["c"], bias=a["bias"]), VECTOR, VECTOR
    sys.exit(f"layer {layer['name']}: bench/twin.py has nothing for '{kind}'")


def converted(x, form, wanted, shape):
    """x, of c x h x w, in another form."""
    if form == wanted:
        return x
    if form == TOKENS:
        x = x.transpose(1, 2).unflatten(2, shape[1:])
    elif form == VECTOR:
        x = x.reshape(-1, *shape)
    return {MAP: lambda: x, TOKENS: lambda: x.flatten(2).transpose(1, 2), VECTOR: lambda: x.flatten(1)}[wanted]()


class Twin(nn.Module):
    """The network: images to logits. `names`: lockstep's name of each parameter, by that of the module's."""

    def __init__(self, network):
        super().__init__()
        self.steps, self.reads, self.names = nn.ModuleList(), [], {}
        forms, shapes = {"image": MAP}, {"image": network["image"]}
        for layer in network["layers"]:
            if layer["loss"]:
                self.result = (layer["inputs"][0], forms[layer["inputs"][0]], shapes[layer["inputs"][0]])
                break
            module, wanted, form = module_of(layer, forms[layer["inputs"][0]])
            self.reads.append((layer["name"], [(name, forms[name], wanted, shapes[name]) for name in layer["inputs"]]))
            for role, _ in module.named_parameters():
                self.names[f"steps.{len(self.steps)}.{role}"] = f"{layer['name']}.{role}"
            self.steps.append(module)
            forms[layer["name"]], shapes[layer["name"]] = form, layer["out"]

    def forward(self, x):
        out = {"image": x}
        for module, (name, inputs) in zip(self.steps, self.reads):
            out[name] = module(*[converted(out[source], *how) for source, *how in inputs])
        name, *how = self.result
        return converted(out[name], how[0], VECTOR, how[1])


def make(network):
    """A Twin with as many parameters as lockstep counts."""
    model = Twin(network)
    found = sum(p.numel() for p in model.parameters())
    if found != network["parameters"]:
        sys.exit(f"the network has {found} parameters in PyTorch, {network['parameters']} in lockstep: bench/twin.py makes another one")
    return model


# ---- Optimizers ----

def orthogonal(u, steps):
    """Next to the orthogonal matrix nearest to u: docs/optimizers.md."""
    x = u / (u.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """`dtype`: of the products; the published programs take bfloat16."""

    def __init__(self, groups, dtype):
        super().__init__(groups, {})
        self.dtype = dtype

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                state = self.state[w]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(w)
                m = state["momentum"].mul_(group["momentum"]).add_(w.grad)
                u = w.grad.add(m, alpha=group["momentum"]) if group["nesterov"] else m
                if group["rescale"]:
                    w.mul_(len(w) ** 0.5 / w.norm())
                w.mul_(1 - group["lr"] * group["weight_decay"])
                x = orthogonal(u.reshape(len(u), -1).to(self.dtype), group["steps"])
                w.add_(x.reshape(w.shape).to(w.dtype), alpha=-group["lr"])


class Lookahead:
    """Slow weights that the trained ones go back to after each N-th step, running statistics too."""

    def __init__(self, model, every, decay):
        self.fast = [p for p in model.parameters() if p.requires_grad] + [b for b in model.buffers() if b.is_floating_point()]
        self.slow = [p.detach().clone() for p in self.fast]
        self.every, self.decay, self.done = every, decay, 0

    @torch.no_grad()
    def step(self):
        self.done += 1
        if self.done % self.every == 0:
            for slow, fast in zip(self.slow, self.fast):
                slow.lerp_(fast, 1 - self.decay)
                fast.copy_(slow)


def group_lines(text):
    """[([pattern], {key: value or True})] of optimizer.groups."""
    lines = (line.split("#")[0].split() for line in text.splitlines())
    return [(words[0].split(","), {k: v if eq else True for k, eq, v in (word.partition("=") for word in words[1:])})
            for words in lines if words]


def matches(pattern, kind, name):
    of_kind, colon, roles = pattern.partition(":")
    return of_kind == kind and fnmatch.fnmatchcase(name.rpartition(".")[2], roles) if colon else fnmatch.fnmatchcase(name, pattern)


def rule_of(settings, lines, kind, name, decays):
    """(name of the optimizer or "frozen", its arguments) for a parameter: what the first line says that matches it."""
    o, own = settings["optimizer"], {}
    for patterns, keys in lines:
        if any(matches(pattern, kind, name) for pattern in patterns):
            own = keys
            break
    if "frozen" in own:
        return "frozen", {}

    def value(key):
        return float(own.get(key, o[key]))

    optimizer = own.get("optimizer", o["name"])
    decay = value("weight-decay") if decays or o["decay-all"] or "weight-decay" in own else 0.0
    lr = float(own.get("lr", o["lr"])) * float(own.get("lr-factor", 1))
    arguments = {"lr": CALM * lr, "weight_decay": decay}
    if optimizer in ("sgd", "muon"):
        momentum = value("momentum")
        arguments.update(momentum=momentum, nesterov=bool(own.get("nesterov", o["nesterov"])) and momentum > 0)
    elif optimizer in ("adam", "adamw"):
        arguments.update(betas=(value("beta1"), value("beta2")), eps=value("eps"))
    else:
        sys.exit(f"optimizer.name {optimizer}: not one of bench/twin.py")
    if optimizer == "muon":
        muon = settings["muon"]
        arguments.update(steps=int(own.get("muon-steps", muon["steps"])), rescale=bool(own.get("muon-rescale", muon["rescale"])))
    return optimizer, arguments


def rules(model, network, settings):
    """[(optimizer, arguments, [parameter])] of a Twin; parameters that are alike stand together."""
    lines = group_lines(settings["optimizer"].get("groups") or "")
    specs = {spec["name"]: (layer["kind"], spec["decay"]) for layer in network["layers"] for spec in layer["params"]}
    found = {}
    for name, parameter in model.named_parameters():
        theirs = model.names[name]
        kind, arguments = rule_of(settings, lines, specs[theirs][0], theirs, specs[theirs][1])
        found.setdefault((kind, tuple(sorted(arguments.items()))), []).append(parameter)
    return [(kind, dict(arguments), parameters) for (kind, arguments), parameters in found.items()]


def optimizers_of(model, network, settings, precision, fused):
    """Sets requires_grad of what is frozen. `fused`: torch's own in one call, where this version has it."""
    by_kind = {}
    for kind, arguments, parameters in rules(model, network, settings):
        if kind == "frozen":
            for parameter in parameters:
                parameter.requires_grad_(False)
        else:
            by_kind.setdefault(kind, []).append(dict(arguments, params=parameters))
    made = []
    for kind, groups in by_kind.items():
        if kind == "muon":
            made.append(Muon(groups, torch.bfloat16 if precision == "bf16" else torch.float32))
        else:
            torchs = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
            made.append(torchs(groups, lr=CALM, **({"fused": True} if fused else {})))
    return made


# ---- One process ----

class Run:
    """A network that is trained on one batch, which stays in memory."""

    def __init__(self, order, fused):
        network, settings = order["network"], order["settings"]
        if settings["class-weights"]:
            sys.exit("class-weights: bench/twin.py has none")
        if float(settings["optimizer"]["ema-decay"]) > 0:
            sys.exit("optimizer.ema-decay: bench/twin.py keeps no moving average")
        torch.manual_seed(0)
        batch = order["batch"] // order["ranks"]
        self.device = order.get("device", "cpu")
        twin = make(network).to(self.device, memory_format=torch.channels_last)
        self.parameters = sum(p.numel() for p in twin.parameters())
        self.optimizers = optimizers_of(twin, network, settings, order["precision"], fused)
        self.trained = [p for p in twin.parameters() if p.requires_grad]
        self.clip = float(settings["optimizer"]["clip-norm"])
        ahead = settings["lookahead"]
        self.lookahead = Lookahead(twin, ahead["every"], float(ahead["decay"])) if ahead["every"] else None
        self.smoothing = network["layers"][-1]["args"]["smoothing"]
        self.bf16 = order["precision"] == "bf16"
        self.model = twin
        if order["ranks"] > 1:
            self.model = nn.parallel.DistributedDataParallel(twin, broadcast_buffers=False, gradient_as_bucket_view=True)
        if order["compiled"] and self.device == "cpu":
            self.model = torch.compile(self.model)
        elif order["compiled"]:  # its mode; the loss as well
            self.loss_of = torch.compile(self.loss_of, mode=order["compiled"])
        self.images = torch.randn(batch, *network["image"]).contiguous(memory_format=torch.channels_last).to(self.device)
        self.labels = torch.randint(0, network["classes"], (batch,)).to(self.device)

    def loss_of(self, images, labels):
        with torch.autocast(self.device, dtype=torch.bfloat16) if self.bf16 else contextlib.nullcontext():
            logits = self.model(images)
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.smoothing)

    def step(self):
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.loss_of(self.images, self.labels).backward()
        if self.clip:
            nn.utils.clip_grad_norm_(self.trained, self.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        if self.lookahead:
            self.lookahead.step()


def started(order):
    """A Run after its first step: with fused optimizers, or without where these refuse."""
    try:
        run = Run(order, True)
        run.step()
    except (TypeError, ValueError, RuntimeError):
        run = Run(order, False)
        run.step()
    return run


def wait():
    """For a GPU, which computes behind the program's back."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def worker():
    """order: network, settings, precision ("fp32", "tf32", "bf16"), compiled (false, true, or torch.compile's mode), batch (of all
    ranks), rank, ranks, threads, steps, port; device ("cpu") and together (1): so many steps are timed as one, which on a GPU wait
    for nothing between them."""
    order = json.load(sys.stdin)
    torch.set_num_threads(order["threads"])
    if order["ranks"] > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(order["port"]))
        torch.distributed.init_process_group("gloo", rank=order["rank"], world_size=order["ranks"])
    together, warm = order.get("together", 1), WARM_COMPILED if order["compiled"] else WARM
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = order["precision"] != "fp32"
    begin = time.perf_counter()
    run, seconds = started(order), []
    for _ in range(max(warm, together) - 1):  # CUDA graphs are recorded in the first steps
        run.step()
    wait()
    warm_s = time.perf_counter() - begin
    while len(seconds) * together < order["steps"]:
        start = time.perf_counter()
        for _ in range(together):
            run.step()
        wait()
        seconds.append((time.perf_counter() - start) / together)
        if agreed(order, sum(seconds) > LONG_S):
            break
    if order["rank"] == 0:
        images = len(run.images) * order["ranks"]
        print(json.dumps({"images_per_s": images / statistics.median(seconds), "seconds": seconds, "parameters": run.parameters,
                          "warm_s": warm_s, "torch": torch.__version__}))


def agreed(order, enough):
    """Whether rank 0 has had enough: all of them end after the same step."""
    if order["ranks"] == 1:
        return enough
    word = torch.tensor([int(enough)])
    torch.distributed.broadcast(word, 0)
    return bool(word.item())


def probe():
    torch.ones(8, 8) @ torch.ones(8, 8)  # loads the BLAS
    with open("/proc/self/maps") as maps:
        blas = sorted(set(re.findall(r"/(lib(?:openblas|blas|mkl)[^/ \n]*)$", maps.read(), re.M)))
    onednn = re.search(r"MKL-DNN v?([0-9.]+)|oneDNN v?([0-9.]+)", torch.__config__.show())
    compiler = os.environ.get("CXX") or shutil.which("g++")
    print(json.dumps({
        "version": torch.__version__, "blas": ", ".join(blas) or "its own",
        "onednn": next((v for v in onednn.groups() if v), None) if onednn else None,
        "compiles": hasattr(torch, "compile") and bool(compiler),
        "attention": hasattr(F, "scaled_dot_product_attention"),
    }))


if __name__ == "__main__":
    if sys.argv[1:] == ["--probe"]:
        probe()
    elif sys.argv[1:] == ["--worker"]:
        worker()
    else:
        sys.exit(__doc__)
