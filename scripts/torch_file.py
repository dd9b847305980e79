"""Reads what torch.save wrote, without torch and without running anything that the file brings.

Such files are pickles, which may call whatever they name. torch.load's own safeguard (weights_only) knows no float before
version 2, and in 1.13 a pickle module of one's own is ignored. So they are read here: tensors become numpy arrays, and a name
that makes neither tensors nor numbers is refused. Both formats: zip (since 1.6), and pickles in a row before that.
"""
import collections
import os
import pickle
import struct
import zipfile

import numpy as np

MAGIC = 0x1950a86a20f9469cfc6c  # of the older format
TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2", "LongStorage": "<i8",
         "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"}
# What may be called beside those of _Arrays; of numpy for scalars.
ALLOWED = {("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"), ("numpy", "dtype"), ("_codecs", "encode")}


def _tensor(storage, offset, size, stride, *_):
    array, is_bfloat = storage
    last = offset + sum((n - 1) * s for n, s in zip(size, stride))
    if min((offset, *size, *stride), default=0) < 0 or (0 not in size and last >= len(array)):
        raise pickle.UnpicklingError("a tensor is larger than what is stored of it")
    view = np.lib.stride_tricks.as_strided(array[offset:], size, [s * array.itemsize for s in stride])
    return _Tensor(view, is_bfloat)


class _Tensor:
    """A tensor whose storage may not have been read yet."""

    def __init__(self, view, is_bfloat):
        self.view, self.is_bfloat = view, is_bfloat

    def array(self):
        if self.is_bfloat:
            return (self.view.astype("<u4") << 16).view("<f4")
        return self.view.copy()


class _Arrays(pickle.Unpickler):
    def __init__(self, file, storage):
        super().__init__(file, encoding="utf-8")
        self.storage = storage  # of type, key and number of elements

    def find_class(self, module, name):
        own = {("torch._utils", "_rebuild_tensor_v2"): _tensor, ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
               ("collections", "OrderedDict"): collections.OrderedDict}
        if (module, name) in own:
            return own[module, name]
        if module == "torch" and name in TYPES:
            return name
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it wants {module}.{name}")

    def persistent_load(self, saved):
        kind, dtype, key, _, count, *view = saved
        if kind != "storage" or dtype not in TYPES or any(part is not None for part in view):
            raise pickle.UnpicklingError(f"it has a {kind} that is no storage of numbers")
        return self.storage(dtype, key, count), dtype == "BFloat16Storage"


def _load_zip(path):
    with zipfile.ZipFile(path) as file:
        index = [name for name in file.namelist() if name.endswith("/data.pkl")]
        if len(index) != 1 or index[0].replace("data.pkl", "constants.pkl") in file.namelist():
            raise pickle.UnpicklingError("a zip archive, but not of torch.save")

        def storage(dtype, key, count):
            raw = file.read(index[0].replace("data.pkl", f"data/{key}"))
            return np.frombuffer(raw, TYPES[dtype], count)
        with file.open(index[0]) as pickled:
            return _opened(_Arrays(pickled, storage).load())


def _load_pickles(path):
    storages = {}
    with open(path, "rb") as file:
        room = os.fstat(file.fileno()).st_size

        def storage(dtype, key, count):
            if key not in storages:
                if not 0 <= count <= room:
                    raise pickle.UnpicklingError("a tensor is larger than the file")
                storages[key] = np.zeros(count, TYPES[dtype])
            return storages[key]
        if _Arrays(file, storage).load() != MAGIC:
            raise pickle.UnpicklingError("not of torch.save")
        for _ in range(2):  # version; what the machine was like
            _Arrays(file, storage).load()
        state = _Arrays(file, storage).load()
        for key in _Arrays(file, storage).load():
            array = storages[key]
            count, = struct.unpack("<q", file.read(8))
            raw = file.read(array.nbytes)
            if count != len(array) or len(raw) != array.nbytes:
                raise pickle.UnpicklingError("it ends within a tensor")
            array[:] = np.frombuffer(raw, array.dtype)
    return _opened(state)


def _opened(value):
    if isinstance(value, _Tensor):
        return value.array()
    if isinstance(value, dict):
        return {key: _opened(inner) for key, inner in value.items()}
    return value


def load(path):
    """What was saved, with numpy arrays for tensors in it and in its dicts. Any exception: what pickle and zip make of it."""
    return _load_zip(path) if zipfile.is_zipfile(path) else _load_pickles(path)
