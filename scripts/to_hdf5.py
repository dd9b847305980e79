#!/usr/bin/python3
"""Makes an HDF5 file of images that `lockstep train --data FILE.h5` takes.

to_hdf5.py FOLDER SET.h5       a folder with
                                 - train/CLASS/PICTURE and test/CLASS/PICTURE (and holdout/...), or CLASS/PICTURE
                                   alone, of which --test-share are tested on,
                                 - CIFAR-10's or CIFAR-100's Python pickles (as torchvision has them), or CIFAR-100's
                                   binary files (--coarse: the labels of its 20 superclasses),
                                 - idx files as MNIST, Fashion-MNIST and EMNIST have them, .gz or not
to_hdf5.py FILE.npz SET.h5     arrays x_train, y_train, x_test, y_test (Keras), train_images, train_labels, test_images,
                               test_labels (MedMNIST; val_... become holdout), or x, y, of which --test-share are tested on

Images become uint8 [N, H, W, C], at most 64 x 64 and 4 channels; pictures of other sizes want --size S: their largest
square at the centre is made S x S (Pillow's bilinear). Records of pictures, and whatever is split, are in random order
(--seed), for each lane of a run has neighbouring ones; others stay as they are unless they stand class by class. Class
names are the folders', those of CIFAR's meta files, or --names FILE, one a line. Needs h5py and numpy, for pictures
Pillow.
"""
import argparse
import gzip
import os
import pickle
import struct
import sys

import numpy as np

SIDE_MAX, CHANNELS_MAX, CLASSES_MAX = 64, 4, 1000
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


def die(message):
    sys.exit(f"to_hdf5: {message}")


# ---- Sources: each gives {part: (images, labels)} and names (None: numbers) ----

def class_folders(folder):
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))


def read_picture(path, size, mode):
    from PIL import Image
    try:
        with Image.open(path) as image:
            image = image.convert(mode)
    except OSError as error:
        die(f"{path}: no picture: {error}")
    if size and image.size != (size, size):
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side)).resize((size, size), Image.BILINEAR)
    return np.asarray(image).reshape(image.height, image.width, -1)


def picture_files(folder, names):
    """The pictures of a folder by class: paths and labels."""
    paths, labels = [], []
    for label, name in enumerate(names):
        for root, folders, files in os.walk(os.path.join(folder, name)):
            folders.sort()
            for file in sorted(files):
                if file.lower().endswith(PICTURES):
                    paths.append(os.path.join(root, file))
                    labels.append(label)
    return paths, labels


def read_pictures(paths, size, mode):
    images = []
    for path in paths:
        image = read_picture(path, size, mode)
        if images and image.shape != images[0].shape:
            die(f"{path} has {image.shape[1]} x {image.shape[0]} pixels, {paths[0]} another size: give --size S to make "
                "all S x S")
        if max(image.shape[:2]) > SIDE_MAX:
            die(f"{path} has {image.shape[1]} x {image.shape[0]} pixels, more than {SIDE_MAX} x {SIDE_MAX}: give --size S "
                "to make all S x S")
        images.append(image)
    return np.stack(images)


def picture_mode(path):
    from PIL import Image
    with Image.open(path) as image:
        return "L" if image.mode in ("1", "L", "I", "I;16") else "RGB"


def from_pictures(folder, options):
    whole = {p: os.path.join(folder, d) for p, d in
             (("train", "train"), ("test", "test"), ("holdout", "holdout"), ("holdout", "val")) if os.path.isdir(os.path.join(folder, d))}
    split = not ("train" in whole and "test" in whole)
    if split:
        whole = {"train": folder}
    names = class_folders(whole["train"])
    for part, path in whole.items():
        others = [n for n in class_folders(path) if n not in names]
        if others:
            die(f"{path} has a class {others[0]} that {whole['train']} has not")
    listed = {part: picture_files(path, names) for part, path in whole.items()}
    for part, (paths, _) in listed.items():
        if not paths:
            die(f"{whole[part]} has no pictures in a folder for each class ({', '.join(PICTURES)})")
    mode = options.mode or picture_mode(listed["train"][0][0])
    parts = {part: (read_pictures(paths, options.size, mode), np.array(labels)) for part, (paths, labels) in listed.items()}
    return (split_off(parts["train"], options) if split else parts), names


def split_off(part, options):
    """Of one part train and test, in random order, the same share of each class."""
    images, labels = part
    order = np.random.RandomState(options.seed).permutation(len(labels))
    images, labels = images[order], labels[order]
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        of = np.flatnonzero(labels == label)
        test[of[:max(1, round(options.test_share * len(of)))]] = True
    return {"train": (images[~test], labels[~test]), "test": (images[test], labels[test])}


def unpickle(path):
    """A pickle of arrays and lists alone: nothing else is loaded."""
    class Plain(pickle.Unpickler):
        def find_class(self, module, name):
            if (module.split(".")[0], name) in (("numpy", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")):
                return super().find_class(module, name)
            raise pickle.UnpicklingError(f"{module}.{name} is not what CIFAR's files hold")
    try:
        with open(path, "rb") as file:
            return {k.decode() if isinstance(k, bytes) else k: v for k, v in Plain(file, encoding="bytes").load().items()}
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError) as error:
        die(f"{path}: {error}")


def text_of(words):
    return [w.decode() if isinstance(w, bytes) else w for w in words]


def planes(data):
    return np.asarray(data, np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def from_cifar10_pickles(folder, options):
    train = [unpickle(f"{folder}/data_batch_{i}") for i in range(1, 6)]
    test = unpickle(f"{folder}/test_batch")
    meta = unpickle(f"{folder}/batches.meta") if os.path.exists(f"{folder}/batches.meta") else {}
    return {"train": (planes(np.concatenate([b["data"] for b in train])), np.concatenate([b["labels"] for b in train])),
            "test": (planes(test["data"]), np.array(test["labels"]))}, text_of(meta.get("label_names", [])) or None


def from_cifar100_pickles(folder, options):
    key = "coarse_labels" if options.coarse else "fine_labels"
    parts = {part: unpickle(f"{folder}/{part}") for part in ("train", "test")}
    meta = unpickle(f"{folder}/meta") if os.path.exists(f"{folder}/meta") else {}
    names = meta.get("coarse_label_names" if options.coarse else "fine_label_names", [])
    return {part: (planes(p["data"]), np.array(p[key])) for part, p in parts.items()}, text_of(names) or None


def from_cifar100_binary(folder, options):
    parts = {}
    for part in ("train", "test"):
        content = np.fromfile(f"{folder}/{part}.bin", np.uint8)
        if content.size == 0 or content.size % 3074:
            die(f"{folder}/{part}.bin has {content.size} bytes, no whole records of 3,074")
        records = content.reshape(-1, 3074)
        parts[part] = planes(records[:, 2:]), records[:, 0 if options.coarse else 1]
    names = f"{folder}/{'coarse' if options.coarse else 'fine'}_label_names.txt"
    return parts, read_names(names) if os.path.exists(names) else None


def read_idx(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:3] != b"\0\0\x08":
            die(f"{path} is no idx file of bytes")
        shape = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
        content = np.frombuffer(file.read(), np.uint8)
    if content.size != np.prod(shape):
        die(f"{path} is cut off: {content.size} bytes of {np.prod(shape)}")
    return content.reshape(shape)


def idx_files(folder):
    """{part: (images, labels)}: paths, by the names that MNIST and its like use."""
    found = {}
    for name in sorted(os.listdir(folder)):
        for part, words in ("train", ("train",)), ("test", ("t10k", "test")):
            for kind in "images", "labels":
                base = name[:-3] if name.endswith(".gz") else name
                if any(w in base for w in words) and kind in base and base.endswith("ubyte"):
                    found.setdefault(part, {}).setdefault(kind, os.path.join(folder, name))
    return found if all(len(found.get(p, ())) == 2 for p in ("train", "test")) else {}


def from_idx(folder, options):
    return {part: (read_idx(f["images"]), read_idx(f["labels"])) for part, f in idx_files(folder).items()}, None


def from_npz(path, options):
    try:
        arrays = dict(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        die(f"{path}: {error}")
    for images, labels in ("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("X_{}", "y_{}"):
        parts = {part: (arrays[images.format(name)], arrays[labels.format(name)])
                 for part, name in (("train", "train"), ("test", "test"), ("holdout", "val"))
                 if images.format(name) in arrays and labels.format(name) in arrays}
        if "train" in parts and "test" in parts:
            return parts, None
    for images, labels in ("x", "y"), ("X", "y"), ("images", "labels"), ("data", "labels"):
        if images in arrays and labels in arrays:
            return split_off((arrays[images], arrays[labels].reshape(-1)), options), None
    die(f"{path} has arrays {', '.join(sorted(arrays))}: x_train, y_train, x_test and y_test are wanted, or as --help says")


def find_source(path):
    """Which of the above reads it."""
    here = lambda *names: all(os.path.exists(os.path.join(path, n)) for n in names)
    if os.path.isfile(path):
        return from_npz if path.endswith(".npz") else die(f"{path} is neither a folder nor an .npz")
    if not os.path.isdir(path):
        die(f"{path}: no such file or folder")
    if here("data_batch_1", "test_batch"):
        return from_cifar10_pickles
    if here("train.bin", "test.bin"):
        return from_cifar100_binary
    if here("train", "test") and os.path.isfile(os.path.join(path, "train")):
        return from_cifar100_pickles
    if idx_files(path):
        return from_idx
    if class_folders(path):
        return from_pictures
    die(f"{path} holds nothing that is read here: pictures in a folder for each class, CIFAR pickles, CIFAR-100's binary "
        "files, idx files")


# ---- The file ----

def read_names(path):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


def by_class(labels):
    return len(labels) >= 20 * len(np.unique(labels)) and np.count_nonzero(np.diff(labels)) < 2 * len(np.unique(labels))


def tidy(part, images, labels, options, shuffle):
    """As the file has them; what does not fit ends the program."""
    labels = np.asarray(labels)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or len(labels) != len(images) or len(labels) == 0:
        die(f"{part}: {len(images)} images, labels of shape {list(labels.shape)}")
    if not np.issubdtype(labels.dtype, np.integer):
        die(f"{part}: labels are {labels.dtype}, not whole numbers")
    if images.dtype != np.uint8:
        if images.min() < 0 or images.max() > 255 or np.any(images != np.floor(images)) or images.max() <= 1:
            die(f"{part}: images are {images.dtype} of {images.min()} to {images.max()}, not bytes of 0 to 255")
        images = images.astype(np.uint8)
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or max(images.shape[1:3]) > SIDE_MAX or images.shape[3] > CHANNELS_MAX:
        die(f"{part}: images of shape {list(images.shape)}: [N, H, W, C] of at most {SIDE_MAX} x {SIDE_MAX} x {CHANNELS_MAX}")
    if shuffle or by_class(labels):
        order = np.random.RandomState(options.seed).permutation(len(labels))
        images, labels = images[order], labels[order]
    return images, labels


def write(path, parts, names):
    import h5py
    lowest = min(int(labels.min()) for _, labels in parts.values())
    classes = max(int(labels.max()) for _, labels in parts.values()) + 1
    if lowest < 0 or classes > CLASSES_MAX:
        die(f"labels of {lowest} to {classes - 1}: 0 to {CLASSES_MAX - 1} are possible")
    if names and len(names) < classes:
        die(f"{len(names)} names for {classes} classes")
    whole = path + ".part"
    with h5py.File(whole, "w") as file:
        for part, (images, labels) in parts.items():
            chunk = (max(1, min(len(images), (1 << 20) // images[0].size)), *images.shape[1:])
            file.create_dataset(f"{part}/images", data=images, chunks=chunk, compression="gzip", compression_opts=4)
            file.create_dataset(f"{part}/labels", data=labels.astype(np.uint16))
        if names:
            file["class_names"] = names
    os.replace(whole, path)
    shape = " x ".join(map(str, parts["train"][0].shape[1:]))
    counts = ", ".join(f"{len(labels)} {part}" for part, (_, labels) in parts.items())
    print(f"{path}: {counts} images of {shape} (H x W x C), {len(names) if names else classes} classes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--size", type=int, help="of pictures: the side that all get")
    parser.add_argument("--mode", choices=["L", "RGB", "RGBA"], help="of pictures: grey, colour, colour and alpha; else as the first is")
    parser.add_argument("--test-share", type=float, default=0.15, help="of each class, where nothing is said to be the test set (0.15)")
    parser.add_argument("--seed", type=int, default=1, help="of the random order (1)")
    parser.add_argument("--coarse", action="store_true", help="of CIFAR-100: the 20 superclasses")
    parser.add_argument("--names", help="a file with a class's name a line")
    options = parser.parse_args()
    if options.size and not 2 <= options.size <= SIDE_MAX:
        die(f"--size {options.size}: 2 to {SIDE_MAX}")
    if not 0 < options.test_share < 1:
        die(f"--test-share {options.test_share}: above 0 and below 1")
    source = find_source(options.source)
    parts, names = source(options.source, options)
    if options.names:
        names = read_names(options.names)
    parts = {part: tidy(part, images, labels, options, source is from_pictures) for part, (images, labels) in parts.items()}
    write(options.target, parts, names)


if __name__ == "__main__":
    main()
