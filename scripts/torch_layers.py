"""PyTorch's counterpart of each kind of layer, for the scripts that compare with PyTorch.

A network is what description.py gives. So this file knows no syntax and no default, only what PyTorch computes; a kind
that it does not know ends the script with one line that says so.
"""
import sys

import torch
import torch.nn.functional as F


def batch_norm(p, a, x, training):
    return F.batch_norm(x, p["running_mean"], p["running_var"], p.get("weight"), p.get("bias"), training, a["momentum"], a["eps"])


def droppath(p, a, x, training):
    keep = torch.rand(len(x), 1, 1, 1, device=x.device) >= a["p"]
    return x * keep / (1 - a["p"]) if training else x


def pad_channels(p, a, x, training):
    half = (a["c"] - x.shape[1]) // 2
    return F.pad(x, (0, 0, 0, 0, half, half))


def layer_norm(p, a, x, _):
    y = F.layer_norm(x.movedim(1, 3), x.shape[1:2], p["weight"], p["bias"], a["eps"])
    return y.movedim(3, 1)


def shifted(x):
    """The map, and the map moved right, left, down and up."""
    wide = F.pad(x, (1, 1, 1, 1))
    moved = [wide[:, :, 1:-1, :-2], wide[:, :, 1:-1, 2:], wide[:, :, :-2, 1:-1], wide[:, :, 2:, 1:-1]]
    return torch.cat([x, *moved], 1)


def patches(x, k):
    """N, C, H, W to N, k k C, tokens, 1: a token's values in the order row, column, channel."""
    n, c, h, w = x.shape
    return x.view(n, c, h // k, k, w // k, k).permute(0, 3, 5, 1, 2, 4).reshape(n, k * k * c, -1, 1)


def attention(p, a, x, _):
    q, k, v = x.flatten(2).unflatten(1, (3, a["heads"], -1)).transpose(3, 4).unbind(1)  # N, heads, L, D
    scale = p["weight"].exp() if a["temperature"] else q.shape[3] ** -0.5
    score = q @ k.transpose(2, 3) * scale
    if a["mask_diagonal"]:
        score = score.masked_fill(torch.eye(score.shape[3], dtype=torch.bool), float("-inf"))
    return (score.softmax(3) @ v).transpose(2, 3).reshape(len(x), -1, *x.shape[2:])


def seqpool(p, a, x, _):
    tokens = x.flatten(2).movedim(1, 2)
    share = F.linear(tokens, p["weight"], p["bias"]).softmax(1)
    return (share * tokens).sum(1)[:, :, None, None]


# By kind: from the layer's parameters by role, its arguments, what it reads, and whether it is trained.
KINDS = {
    "conv": lambda p, a, x, _: F.conv2d(x, p["weight"], p.get("bias"), a["s"], a["p"], 1, a["groups"]),
    "bn": batch_norm,
    "groupnorm": lambda p, a, x, _: F.group_norm(x, a["groups"], p["weight"], p["bias"], a["eps"]),
    "relu": lambda p, a, x, _: F.relu(x),
    "gelu": lambda p, a, x, _: F.gelu(x),
    "silu": lambda p, a, x, _: F.silu(x),
    "sigmoid": lambda p, a, x, _: x.sigmoid(),
    "tanh": lambda p, a, x, _: x.tanh(),
    "relu6": lambda p, a, x, _: F.relu6(x),
    "leaky_relu": lambda p, a, x, _: F.leaky_relu(x, a["slope"]),
    "maxpool": lambda p, a, x, _: F.max_pool2d(x, a["k"], a["s"], a["p"]),
    "avgpool": lambda p, a, x, _: F.avg_pool2d(x, a["k"], a["s"], a["p"], count_include_pad=a["count_pad"]),
    "linear": lambda p, a, x, _: F.linear(x.flatten(1), p["weight"], p.get("bias"))[:, :, None, None],
    "dropout": lambda p, a, x, training: F.dropout(x, a["p"], training),
    "droppath": droppath,
    "add": lambda p, a, x, y, _: x + y,
    "mul": lambda p, a, x, y, _: x * y,
    "concat": lambda p, a, *inputs: torch.cat(inputs[:-1], 1),
    "pad_channels": pad_channels,
    "slice": lambda p, a, x, _: x[:, a["first"]:a["first"] + a["c"]],
    "shuffle": lambda p, a, x, _: F.channel_shuffle(x, a["groups"]),
    "scale": lambda p, a, x, _: x * a["by"],
    "layernorm": layer_norm,
    "shift": lambda p, a, x, _: shifted(x),
    "patches": lambda p, a, x, _: patches(x, a["k"]),
    "class_token": lambda p, a, x, _: torch.cat([p["weight"].expand(len(x), 1, -1).movedim(1, 2), x.flatten(2)], 2)[..., None],
    "positions": lambda p, a, x, _: x + p["weight"].T.reshape(x.shape[1:]),
    "attention": attention,
    "token": lambda p, a, x, _: x.flatten(2)[:, :, a["index"], None, None],
    "seqpool": seqpool,
}


def logits(network, state, x, training=False):
    """What the layer before the loss gives for images x. `state`: tensors by name, conv1.weight, bn1.running_mean ..."""
    out = {"image": x}
    for layer in network["layers"]:
        if layer["loss"]:
            return out[layer["inputs"][0]].flatten(1)
        if layer["kind"] not in KINDS:
            sys.exit(f"layer {layer['name']}: PyTorch's counterpart of '{layer['kind']}' is not in scripts/torch_layers.py")
        roles = {spec["name"].rsplit(".", 1)[1]: state[spec["name"]] for spec in layer["params"] + layer["running"]}
        inputs = [out[name] for name in layer["inputs"]]
        out[layer["name"]] = KINDS[layer["kind"]](roles, layer["args"], *inputs, training)
    return None
