"""state_dicts of PyTorch, and which of their arrays is which of lockstep's. For to_pytorch.py and from_pytorch.py.

An array of a network is a spec as description.py has it ({"name": "conv1.weight", "shape": [...]}), in the order in which
a module of the same layers registers them: of each layer weight, bias, running_mean, running_var.
"""
import sys

import numpy as np

import torch_file

WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel, of compile
COUNTER = "num_batches_tracked"


def load(path):
    """Arrays by name, in the file's order, of a state_dict (torch.save), of a dict that holds one, or of an .npz."""
    try:
        if path.endswith(".npz"):
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        state = torch_file.load(path)
    except Exception as error:  # a stranger's file: whatever pickle and zip make of it
        sys.exit(f"{path}: no tensors that can be loaded ({(str(error).splitlines() or [type(error).__name__])[0]}): "
                 "save model.state_dict()")
    if not isinstance(state, dict):
        sys.exit(f"{path}: holds no state_dict but a {type(state).__name__}: save model.state_dict()")
    if not all(isinstance(value, np.ndarray) for value in state.values()):  # {"net": state_dict, "epoch": 7}
        inner = [key for key, value in state.items() if isinstance(value, dict) and value
                 and all(isinstance(v, np.ndarray) for v in value.values())]
        if len(inner) != 1:
            sys.exit(f"{path}: {len(inner)} of its entries ({', '.join(map(str, state))}) are a state_dict: save one alone")
        state = state[inner[0]]
    return state


def specs(network):
    """All arrays of a network, in order."""
    return [spec for layer in network["layers"] for spec in layer["params"] + layer["running"]]


def _plain(name):
    for wrapper in WRAPPERS:
        while name.startswith(wrapper):
            name = name[len(wrapper):]
    return name


def _trimmed(shape):
    """A fully connected layer and a 1 x 1 convolution differ in empty dimensions alone."""
    shape = list(shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    return shape


def _differs(spec, name, array):
    """What is wrong with an array in a spec's place, or ""."""
    if _trimmed(spec["shape"]) != _trimmed(array.shape):
        return f"{name} has shape {list(array.shape)}, {spec['name']} has {spec['shape']}"
    return ""


def match(network, arrays, path, hint=""):
    """[(spec, name in `arrays`)] for each array of a network: by name where all names are lockstep's, else by order, where
    each must be of the same role (weight, bias, running_mean, running_var) and shape. Exits with a line that names the first
    one that is not, and ends in `hint`."""
    ours = specs(network)
    theirs = [name for name in arrays if not name.endswith(COUNTER)]
    by_name = {_plain(name): name for name in theirs}
    if set(by_name) == {spec["name"] for spec in ours}:
        pairs = [(spec, by_name[spec["name"]]) for spec in ours]
    else:
        pairs = list(zip(ours, theirs))
    for spec, name in pairs:
        role = spec["name"].rsplit(".", 1)[1]
        wrong = _differs(spec, name, arrays[name])
        if not wrong and name.rsplit(".", 1)[-1] != role:
            wrong = f"{name} stands where {spec['name']} should"
        if wrong:
            sys.exit(f"{path}: {wrong}: the network is another, or its layers stand in another order{hint}")
    if len(theirs) != len(ours):
        rest = [spec["name"] for spec in ours[len(theirs):]] or theirs[len(ours):]
        sys.exit(f"{path}: {len(theirs)} arrays, the network has {len(ours)}: {rest[0]} has no counterpart{hint}")
    return pairs
