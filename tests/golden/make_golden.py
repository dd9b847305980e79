#!/usr/bin/python3
"""Makes tests/golden/*.golden: what PyTorch in float64 says of whole networks.

    /usr/bin/python3 tests/golden/make_golden.py        (python3-torch, python3-numpy)

For each case: a model text, initial weights, one batch, dropout masks, an optimizer; then the loss
of each image and every gradient at the first step, the batch statistics, the loss in evaluation,
and the weights after five steps on that one batch. Weights and images are drawn by `unit`, which
golden.c draws again; the rest is stored; droppath's choices are drawn as documented (seed 0, lane 0,
the step). Of a large tensor of a large network evenly spaced elements and the norm are stored. The
recipes' networks are those of networks.py.

File: records of (uint32 length, name, uint8 type, uint64 count, data), little-endian; type b: bytes,
d: float64."""
import os
import re
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
import description  # noqa: E402
import draws  # noqa: E402
import networks  # noqa: E402

STEPS = 5
SAMPLES, RECIPE_SAMPLES, ALL = 200, 50, 1 << 40
IMAGES, LABELS, MASKS = 1000, 1001, 1100  # streams of `unit`; below them: parameters
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = os.path.join(HERE, "..", "..", "configs")


ACTIVATIONS = {"silu": F.silu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu6": F.relu6}


def unit(stream, count):
    """count numbers in [0, 1), multiples of 2^-24: a hash of (stream, index)."""
    x = np.arange(count, dtype=np.uint32) + np.uint32((stream * 0x9E3779B9) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return (x >> np.uint32(8)).astype(np.float64) * 2.0**-24


def parse(text):
    """Model text to a list of (kind, name, arguments)."""
    layers, ordinals = [], {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        label = words.pop(0)[:-1] if words[0].endswith(":") else None
        kind = words.pop(0)
        ordinals[kind] = ordinals.get(kind, 0) + 1
        pairs = (word.partition("=") for word in words)
        layers.append((kind, label or f"{kind}{ordinals[kind]}", {k: v or "1" for k, _, v in pairs}))
    return layers


class Net:
    """The network of a model text, with parameters by name in text order."""

    def __init__(self, text, shape, batch):
        self.layers, self.param, self.spared, self.masks = parse(text), {}, set(), []
        self.stats, self.batch, self.step = {}, batch, 0
        self.forward(torch.zeros(batch, *shape, dtype=torch.float64), make=True)

    def add_param(self, name, dims, low, high, spared):
        u = unit(len(self.param), int(np.prod(dims)))
        value = (low + (high - low) * u).astype(np.float32).astype(np.float64).reshape(dims)
        self.param[name] = torch.tensor(value, requires_grad=True)
        if spared:
            self.spared.add(name)

    def make(self, kind, name, args, x):
        if kind in ("conv", "linear"):
            out = int(args["c"])
            side = int(args["k"]) if kind == "conv" else 0
            inputs = x.shape[1] // int(args.get("groups", 1)) if kind == "conv" else x[0].numel()
            bound = 1.5 / (inputs * max(side, 1) ** 2) ** 0.5
            dims = (out, inputs, side, side) if side else (out, inputs)
            self.add_param(f"{name}.weight", dims, -bound, bound, False)
            if int(args.get("bias", kind == "linear")):
                self.add_param(f"{name}.bias", (out,), -bound, bound, True)
        if kind == "bn":
            for role, flag, low in (("weight", "scale", 0.5), ("bias", "bias", -0.5)):
                if int(args.get(flag, 1)):
                    self.add_param(f"{name}.{role}", (x.shape[1],), low, low + 1, True)
        if kind == "groupnorm":
            self.add_param(f"{name}.weight", (x.shape[1],), 0.5, 1.5, True)
            self.add_param(f"{name}.bias", (x.shape[1],), -0.5, 0.5, True)
        if kind == "layernorm":
            self.add_param(f"{name}.weight", (x.shape[1],), 0.5, 1.5, True)
            self.add_param(f"{name}.bias", (x.shape[1],), -0.5, 0.5, True)
        if kind == "attention" and "temperature" in args:
            self.add_param(f"{name}.weight", (1,), -1.5, 1.5, True)
        if kind == "class_token":
            self.add_param(f"{name}.weight", (x.shape[1],), -1.5, 1.5, True)
        if kind in ("positions", "seqpool"):
            bound = 1.5 / x.shape[1] ** 0.5
            rows = x[0, 0].numel() if kind == "positions" else 1
            self.add_param(f"{name}.weight", (rows, x.shape[1]), -bound, bound, kind == "positions")
        if kind == "seqpool":
            self.add_param(f"{name}.bias", (1,), -bound, bound, True)
        if kind == "dropout":
            kept = unit(MASKS + len(self.masks), x.numel()) >= float(args["p"])
            self.masks.append(torch.tensor(kept.astype(np.float64)).reshape(x.shape))

    def one(self, kind, name, args, x, saved, dropouts, training):
        p = self.param
        if kind == "conv":
            return F.conv2d(x, p[f"{name}.weight"], p.get(f"{name}.bias"),
                            int(args.get("s", 1)), int(args.get("p", 0)), 1,
                            int(args.get("groups", 1)))
        if kind == "bn":
            if training:
                count = x.numel() / x.shape[1]
                var = x.var((0, 2, 3), unbiased=False) * (count / (count - 1))
                self.stats[f"{name}.running_mean"] = x.mean((0, 2, 3)).detach()
                self.stats[f"{name}.running_var"] = var.detach()
            return F.batch_norm(x, None if training else self.stats[f"{name}.running_mean"],
                                None if training else self.stats[f"{name}.running_var"],
                                p.get(f"{name}.weight"), p.get(f"{name}.bias"), training, 0.0,
                                float(args.get("eps", 1e-5)))
        if kind == "relu":
            return F.relu(x)
        if kind == "gelu":
            return F.gelu(x)
        if kind in ACTIVATIONS:
            return ACTIVATIONS[kind](x)
        if kind == "leaky_relu":
            return F.leaky_relu(x, float(args.get("slope", 0.01)))
        if kind in ("maxpool", "avgpool"):
            k = x.shape[2] if "global" in args else int(args["k"])
            s, pad = int(args.get("s", k)), int(args.get("p", 0))
            if kind == "maxpool":
                return F.max_pool2d(x, k, s, pad)
            return F.avg_pool2d(x, k, s, pad, count_include_pad=False)
        if kind == "linear":
            y = F.linear(x.flatten(1), p[f"{name}.weight"], p.get(f"{name}.bias"))
            return y[:, :, None, None]
        if kind == "dropout":
            dropouts.append(name)
            mask = self.masks[len(dropouts) - 1]
            return x * mask / (1 - float(args["p"])) if training else x
        if kind == "droppath":
            index = [layer[1] for layer in self.layers].index(name)
            keep = draws.keep_mask(0, self.step, 0, index, len(x), float(args["p"]), draws.DROPPATH)
            return x * torch.tensor(keep)[:, None, None, None] / (1 - float(args["p"])) if training else x
        if kind == "groupnorm":
            return F.group_norm(x, int(args["groups"]), p[f"{name}.weight"], p[f"{name}.bias"],
                                float(args.get("eps", 1e-5)))
        if kind == "concat":
            return torch.cat([x, *(saved[other] for other in args["with"].split(","))], 1)
        if kind == "mul":
            return x * saved[args["with"]]
        if kind == "pad_channels":
            half = (int(args["c"]) - x.shape[1]) // 2
            return F.pad(x, (0, 0, 0, 0, half, half))
        if kind == "add":
            return x + saved[args["with"]]
        if kind == "scale":
            return x * float(args["by"])
        if kind in ("layernorm", "shift", "patches", "class_token", "positions", "attention", "token",
                    "seqpool"):
            return self.tokens(kind, name, args, x)
        raise SystemExit(f"layer {name}: make_golden.py does not know what PyTorch has for '{kind}'")

    def tokens(self, kind, name, args, x):
        """The kinds of transformers, by PyTorch's own modules where it has them."""
        p = self.param
        n, c, h, w = x.shape
        sequence = x.flatten(2).transpose(1, 2)  # N, L, C
        if kind == "layernorm":
            norm = F.layer_norm(sequence, (c,), p[f"{name}.weight"], p[f"{name}.bias"],
                                float(args.get("eps", 1e-5)))
            return norm.transpose(1, 2).reshape(n, c, h, w)
        if kind == "shift":
            pad = torch.nn.ZeroPad2d
            moves = ((1, -1, 0, 0), (-1, 1, 0, 0), (0, 0, 1, -1), (0, 0, -1, 1))
            return torch.cat([x] + [pad(move)(x) for move in moves], 1)
        if kind == "patches":
            k = int(args["k"])
            cut = F.unfold(x, k, stride=k).reshape(n, c, k * k, -1)  # channel, row and column
            return cut.transpose(1, 2).reshape(n, k * k * c, -1, 1)
        if kind == "class_token":
            first = p[f"{name}.weight"].expand(n, 1, c)
            return torch.cat((first, sequence), 1).transpose(1, 2)[..., None]
        if kind == "positions":
            return (sequence + p[f"{name}.weight"]).transpose(1, 2).reshape(n, c, h, w)
        if kind == "attention":
            return self.attention(name, int(args["heads"]), args, sequence, x)
        if kind == "token":
            return sequence[:, int(args.get("index", 0))][:, :, None, None]
        score = F.linear(sequence, p[f"{name}.weight"], p[f"{name}.bias"])  # seqpool
        return (torch.softmax(score, 1).transpose(1, 2) @ sequence)[:, 0, :, None, None]

    def attention(self, name, heads, args, sequence, x):
        """By the formula, a head at a time."""
        n, tokens, width = sequence.shape
        size = width // 3 // heads
        scale = torch.exp(self.param[f"{name}.weight"]) if "temperature" in args else size ** -0.5
        hidden = torch.eye(tokens, dtype=torch.bool) & ("mask_diagonal" in args)
        out = []
        for head in range(heads):
            at = [(part * heads + head) * size for part in range(3)]
            q, k, v = (sequence[:, :, begin:begin + size] for begin in at)
            score = torch.einsum("nld,nmd->nlm", q, k) * scale
            share = torch.softmax(score.masked_fill(hidden, -torch.inf), 2)
            out.append(torch.einsum("nlm,nmd->nld", share, v))
        return torch.cat(out, 2).transpose(1, 2).reshape(n, heads * size, *x.shape[2:])

    def forward(self, x, make=False, training=True):
        saved, dropouts = {"image": x}, []
        for kind, name, args in self.layers:
            x = saved[args["from"]] if "from" in args else x
            if make:
                self.make(kind, name, args, x)
            x = saved[name] = self.one(kind, name, args, x, saved, dropouts, training)
        return x.flatten(1)


def optimizer_of(net, o):
    decay = o["decay"]
    groups = [{"params": [v for k, v in net.param.items() if o["all"] or k not in net.spared],
               "weight_decay": decay},
              {"params": [v for k, v in net.param.items() if not o["all"] and k in net.spared],
               "weight_decay": 0.0}]
    groups = [g for g in groups if g["params"]]
    if o["kind"] == 0:
        return torch.optim.SGD(groups, lr=o["lr"], momentum=o["momentum"], nesterov=o["nesterov"])
    made = torch.optim.Adam if o["kind"] == 1 else torch.optim.AdamW
    return made(groups, lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])


class File:
    def __init__(self, name):
        self.path = os.path.join(HERE, name + ".golden")
        self.data = b""

    def put(self, name, value):
        name = name.encode()
        value = value.encode() if isinstance(value, str) else value
        kind = b"b" if isinstance(value, bytes) else b"d"
        data = value if kind == b"b" else np.ascontiguousarray(value, dtype="<f8").tobytes()
        count = len(data) if kind == b"b" else len(data) // 8
        self.data += struct.pack("<I", len(name)) + name + kind + struct.pack("<Q", count) + data

    def put_tensor(self, name, tensor, samples):
        """All of it, or, where it has more elements than `samples`, that many, evenly spaced, and its norm."""
        flat = tensor.detach().numpy().reshape(-1)
        if flat.size > samples:
            self.put(name + ".norm", [np.linalg.norm(flat)])
            flat = flat[np.arange(samples) * flat.size // samples]
        self.put(name, flat)

    def close(self):
        with open(self.path, "wb") as file:
            file.write(self.data)
        print(f"{self.path}: {len(self.data)} bytes")


def make_case(name, text, shape, classes, batch, smoothing, big=False, **options):
    o = {"kind": 0, "lr": 0.05, "momentum": 0.0, "nesterov": False, "decay": 0.0, "all": True,
         "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, **options}
    net = Net(text.replace("c=classes", f"c={classes}"), shape, batch)
    images = (4 * unit(IMAGES, batch * int(np.prod(shape))) - 2).astype(np.float32)
    images = torch.tensor(images.astype(np.float64)).reshape(batch, *shape)
    labels = torch.tensor((unit(LABELS, batch) * classes).astype(np.int64))
    optimizer = optimizer_of(net, o)
    file = File(name)
    file.put("model", text)
    file.put("shape", [*shape, classes, batch, smoothing])
    file.put("optimizer", [o[k] for k in ("kind", "lr", "momentum", "nesterov", "decay", "all",
                                          "beta1", "beta2", "eps")])
    for i, mask in enumerate(net.masks):
        file.put(f"mask.{i}", mask.numpy().astype(np.uint8).tobytes())
    for step in range(STEPS):
        net.step = step
        optimizer.zero_grad()
        loss = F.cross_entropy(net.forward(images), labels, reduction="none",
                               label_smoothing=smoothing)
        loss.mean().backward()
        if step == 0:
            logits = net.forward(images, training=False)
            file.put("loss", loss.detach().numpy())
            file.put("eval_loss", F.cross_entropy(logits, labels, reduction="none",
                                                  label_smoothing=smoothing).detach().numpy())
            file.put("eval_predicted", logits.argmax(1).numpy())
            for key, value in net.stats.items():
                file.put("stats." + key, value.numpy())
            for key, value in net.param.items():
                file.put_tensor("grad." + key, value.grad, SAMPLES if big else ALL)
        optimizer.step()
    file.put("last_loss", loss.detach().numpy())
    for key, value in net.param.items():
        file.put_tensor("after." + key, value, SAMPLES if big else ALL)
    file.close()


def config_model(name):
    """The model text of a recipe: the block behind `model: |`, and its label smoothing."""
    with open(os.path.join(CONFIGS, name + ".yaml")) as file:
        text = file.read()
    block = re.search(r"^model: \|\n((?:(?:  .*)?\n)+)", text, re.M).group(1)
    smoothing = re.search(r"^label-smoothing: *([0-9.]+)", text, re.M)
    return block, float(smoothing.group(1)) if smoothing else 0.0


RESIDUAL = """\
conv c=8 k=3 p=1
bn
r1: relu
conv c=8 k=3 p=1
bn
add with=r1
r2: relu
maxpool k=2
conv c=16 k=3 s=2 p=1 bias
bn
relu
dropout p=0.3
avgpool global
linear c=5
scale by=0.5
"""

MIXED = """\
conv c=6 k=5 p=2 bias
g1: gelu
maxpool k=3 s=2 p=1
s: scale by=1.5
conv c=12 k=3 p=1
bn
relu
conv c=6 k=1
add with=s
relu
avgpool k=2
dropout p=0.5
linear c=20
gelu
dropout p=0.2
linear c=7
"""

# Tensors read by three layers and by two, and a branch from an earlier layer.
BRANCHES = """\
a: conv c=4 k=3 p=1 bias
b: conv c=4 k=3 p=1 from=a
add with=a
c: gelu
add with=b
e: bn
d: conv c=4 k=1 from=a
add with=e
bn
relu
maxpool global
linear c=4 bias=0
"""

# A class token, and a pool over the tokens; maps as tokens.
TOKENS = """\
shift
patches k=4
layernorm
conv c=12 k=1 bias
class_token
positions
dropout p=0.1
t: layernorm eps=0.001
conv c=36 k=1
attention heads=3 mask_diagonal temperature
conv c=12 k=1 bias
add with=t
u: layernorm
conv c=24 k=1 bias
gelu
conv c=12 k=1 bias
add with=u
conv c=30 k=1
attention heads=2
p: layernorm
token
layernorm
f: linear c=5
seqpool from=p
linear c=5
add with=f
"""


# A gate in front of what it gates, a branch left out at random, channels joined and padded, and
# tensors that one layer reads twice.
GATED = """\
conv c=12 k=3 p=1
groupnorm groups=3
stem: relu
conv c=12 k=3 p=1 bias
groupnorm groups=1 eps=0.001
body: gelu
avgpool global
linear c=6
relu
linear c=12
mul with=body
droppath p=0.4
add with=stem
wide: pad_channels c=18
side: conv c=3 k=3 p=1 from=stem
sq: mul with=side
concat with=wide,side
maxpool k=2
groupnorm groups=8
left: conv c=7 k=1
right: conv c=7 k=3 p=1 from=maxpool1
mul with=left
droppath p=0.3
avgpool global
pad_channels c=9
concat with=avgpool2
linear c=5
"""


# Every activation; inputs on both sides of relu6's bounds.
ACTIVATED = """\
conv c=6 k=3 p=1 bias
silu
conv c=7 k=3 s=2 p=1 bias
leaky_relu slope=0.2
conv c=5 k=3 p=1 bias
scale by=6
relu6
conv c=6 k=1 bias
leaky_relu
maxpool global
linear c=9
tanh
linear c=8
sigmoid
linear c=4
"""

# Batch norm with fixed scales, fixed offsets and both; convolutions in groups, depthwise too.
BLOCKS = """\
conv c=8 k=3 p=1
bn scale=0 eps=1e-12
r1: relu
conv c=8 k=3 p=1 groups=8
bn bias=0
add with=r1
relu
conv c=12 k=3 s=2 p=1 groups=4 bias
bn scale=0 bias=0
silu
conv c=24 k=3 groups=12
conv c=6 k=1
bn
relu6
avgpool global
linear c=4
"""


def draw_parameter(index, spec, fan_in):
    """As golden.c draws it: scales around 1, offsets around 0, weights by their fan-in."""
    u = unit(index, int(np.prod(spec["shape"])))
    bound = 1.5 / fan_in**0.5
    low, high = {"one": (0.5, 1.5), "zero": (-0.5, 0.5)}.get(spec["init"], (-bound, bound))
    value = (low + (high - low) * u).astype(np.float32).astype(np.float64).reshape(spec["shape"])
    return torch.tensor(value, requires_grad=True)


def draw_mask(index, rate):
    """A keep-mask for a tensor of any shape; tokens N, L, C are counted in N, C, L order."""
    def mask(shape):
        order = [shape[0], shape[2], shape[1]] if len(shape) == 3 else list(shape)
        kept = torch.tensor((unit(MASKS + index, int(np.prod(order))) >= rate).astype(np.float64)).reshape(order)
        return kept.transpose(1, 2) if len(shape) == 3 else kept
    return mask


def draw_masks(layers, step):
    """Of each dropout and each droppath, in text order."""
    masks, dropouts = [], 0
    for index, layer in enumerate(layers):
        if layer["kind"] == "dropout":
            masks.append(draw_mask(dropouts, layer["args"]["p"]))
            dropouts += 1
        if layer["kind"] == "droppath":
            masks.append(lambda shape, index=index, rate=layer["args"]["p"]: torch.tensor(
                draws.keep_mask(0, step, 0, index, shape[0], rate, draws.DROPPATH)).reshape(-1, 1, 1))
    return masks


def make_recipe(name, batch, **options):
    """A recipe's network as networks.py writes it. From lockstep comes how its parameters are called and begin, and which
    layers draw masks; the numbers come from PyTorch."""
    o = {"kind": 0, "lr": 0.05, "momentum": 0.0, "nesterov": False, "decay": 0.0, "all": True,
         "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, **options}
    text, smoothing = config_model(name)
    layers = description.describe(os.path.join(CONFIGS, name + ".yaml"))["layers"]
    specs = [(spec, layer["params"][0]) for layer in layers for spec in layer["params"]]
    rates = [layer["args"]["p"] for layer in layers if layer["kind"] == "dropout"]
    stats = [spec["name"] for layer in layers for spec in layer["running"]]
    param = {spec["name"]: draw_parameter(i, spec, float(np.prod(first["shape"][1:])))
             for i, (spec, first) in enumerate(specs)}
    images = (4 * unit(IMAGES, batch * 3072) - 2).astype(np.float32).astype(np.float64)
    images = torch.tensor(images).reshape(batch, 3, 32, 32)
    labels = torch.tensor((unit(LABELS, batch) * 10).astype(np.int64))
    spared = {spec["name"] for spec, _ in specs if not spec["decay"]}
    net = type("Parameters", (), {"param": param, "spared": spared})
    optimizer = optimizer_of(net, o)
    file = File(os.path.basename(name))
    file.put("model", text)
    file.put("shape", [3, 32, 32, 10, batch, smoothing])
    file.put("optimizer", [o[k] for k in ("kind", "lr", "momentum", "nesterov", "decay", "all", "beta1", "beta2", "eps")])
    file.put("masks", rates)

    def run(step, training, running=None):
        draw = networks.Draw(param.values(), draw_masks(layers, step), training, running)
        logits = networks.NETWORKS[name](draw, images)
        assert next(draw.parameters, None) is None and next(draw.masks, None) is None
        return logits, draw.stats

    for step in range(STEPS):
        optimizer.zero_grad()
        logits, batch_stats = run(step, True)
        loss = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        loss.mean().backward()
        if step == 0:
            with torch.no_grad():
                judged = run(step, False, batch_stats)[0]
            file.put("loss", loss.detach().numpy())
            file.put("eval_loss", F.cross_entropy(judged, labels, reduction="none", label_smoothing=smoothing).numpy())
            file.put("eval_predicted", judged.argmax(1).numpy())
            for key, value in zip(stats, batch_stats):
                file.put("stats." + key, value.numpy())
            for key, value in param.items():
                file.put_tensor("grad." + key, value.grad, RECIPE_SAMPLES)
        optimizer.step()
    file.put("last_loss", loss.detach().numpy())
    for key, value in param.items():
        file.put_tensor("after." + key, value, RECIPE_SAMPLES)
    file.close()


def main():
    torch.manual_seed(0)
    small = (3, 8, 8)
    make_case("residual-sgd", RESIDUAL, small, 5, 6, 0.1, momentum=0.9, nesterov=True,
              decay=5e-4, all=False)
    make_case("residual-sgd-plain", RESIDUAL, small, 5, 5, 0.0, lr=0.1)
    make_case("residual-adam", RESIDUAL, small, 5, 6, 0.0, kind=1, lr=0.003, decay=1e-2)
    make_case("mixed-adamw", MIXED, small, 7, 4, 0.2, kind=2, lr=0.003, decay=0.05, all=False)
    make_case("mixed-sgd", MIXED, small, 7, 4, 0.0, momentum=0.9, decay=1e-3)
    make_case("branches-adam", BRANCHES, (2, 7, 7), 4, 5, 0.0, kind=1, lr=0.003)
    make_case("gated-sgd", GATED, small, 5, 6, 0.1, momentum=0.9, decay=1e-3)
    make_case("gated-adam", GATED, (2, 7, 7), 5, 5, 0.0, kind=1, lr=0.003)
    make_case("tokens-adamw", TOKENS, small, 5, 5, 0.1, kind=2, lr=0.003, decay=0.05, all=False)
    make_case("tokens-sgd", TOKENS, small, 5, 4, 0.0, momentum=0.9, decay=1e-3)
    make_case("activated-sgd", ACTIVATED, (3, 7, 7), 4, 5, 0.1, momentum=0.9)
    make_case("blocks-sgd", BLOCKS, (3, 7, 7), 4, 5, 0.1, momentum=0.9, decay=1e-3, all=False)
    for recipe, options in (("quickstart", {"momentum": 0.9, "nesterov": True, "decay": 5e-4}),
                            ("msu-net", {"momentum": 0.9, "lr": 0.01})):
        text, smoothing = config_model(recipe)
        make_case(recipe, text, (3, 32, 32), 10, 4, smoothing, big=True, **options)
    make_recipe("vit", 2, kind=2, lr=0.001, decay=3e-7, beta2=0.99)
    make_recipe("cct2", 2, kind=2, lr=0.001, decay=0.03)
    make_recipe("resnet44", 2, momentum=0.9, decay=2e-4, lr=0.0001)
    make_recipe("airbench94", 2, momentum=0.85, nesterov=True, lr=0.01)
    make_recipe("zoo/resnet20", 3, momentum=0.9, decay=1e-4, lr=0.0001)
    make_recipe("zoo/resnet20-b", 3, momentum=0.9, decay=1e-4, lr=0.0001)
    make_recipe("zoo/mobilenetv2", 3, momentum=0.9, decay=5e-4, lr=0.00001)
    make_recipe("zoo/densenet-bc-100-12", 2, momentum=0.9, decay=1e-4, lr=0.0001)


if __name__ == "__main__":
    main()
