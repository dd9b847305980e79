#!/usr/bin/python3
"""Makes an HDF5 file of images that `lockstep train --data FILE.h5` takes.

to_hdf5.py FOLDER SET.h5       a folder with
                                 - train/CLASS/PICTURE and test/CLASS/PICTURE (and holdout/... or val/...); of
                                   train/CLASS/PICTURE or CLASS/PICTURE alone --test-share are tested on,
                                 - CIFAR-10's or CIFAR-100's Python pickles (as torchvision has them), or CIFAR-100's
                                   binary files (--coarse: the labels of its 20 superclasses),
                                 - the idx files of one set as MNIST, Fashion-MNIST and EMNIST have them, .gz or not
                                   (EMNIST's images, which its files hold on their side, come out upright)
to_hdf5.py FILE.npz SET.h5     arrays x_train, y_train, x_test, y_test (Keras), train_images, train_labels, test_images,
                               test_labels (MedMNIST; val_... become holdout), or x, y, of which --test-share are tested on

Images become uint8 [N, H, W, C], at most 64 x 64 and 4 channels; pictures of other sizes want --size S: their largest
square at the centre is made S x S (Pillow's bilinear). Pictures have 8 bits a channel. Records of pictures, and whatever is split, are in random order
(--seed), for each lane of a run has neighbouring ones; others stay as they are unless they stand class by class. Class
names are the folders', those of CIFAR's meta files, or --names FILE, one a line. Needs h5py and numpy, for pictures
Pillow.
"""
import argparse
import contextlib
import gzip
import os
import pickle
import re
import struct
import sys
import zipfile
import zlib

import numpy as np

SIDE_MAX, CHANNELS_MAX, CLASSES_MAX = 64, 4, 1000
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


def die(message):
    sys.exit(f"to_hdf5: {message}")


def cause(error):
    """In one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).split("\n")[0]
    return f"{type(error).__name__} {text}".strip() if isinstance(error, LookupError) or not text else text


# ---- Sources: each gives {part: (images, labels)} and names (None: numbers) ----

def class_folders(folder):
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))


def load_picture(path):
    """As it is stored; of Pillow's damaged files any error may come."""
    from PIL import Image
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:
        die(f"{path}: no picture: {cause(error)}")
    if image.mode[0] in "IF":
        die(f"{path} has more than 8 bits a channel (Pillow's mode {image.mode}): scale its values to 0 to 255 first")
    return image


def read_picture(path, size, mode):
    from PIL import Image
    image = load_picture(path).convert(mode)
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
    return "L" if load_picture(path).mode in ("1", "L") else "RGB"


def picture_parts(folder):
    """{part: its folder}: {"train": ...} alone is to be split."""
    there = [d for d in ("train", "test", "holdout", "val") if os.path.isdir(f"{folder}/{d}") and class_folders(f"{folder}/{d}")]
    if not there:
        return {"train": folder}
    if "train" not in there or there[1:] and "test" not in there:
        lacking = "test" if "train" in there else "train"
        die(f"{folder} has {'/ and '.join(there)}/, but no {lacking}/ with a folder for each class: call the part to {lacking} on so")
    if "holdout" in there and "val" in there:
        die(f"{folder} has holdout/ and val/, which are two names of one part: leave one")
    return {"holdout" if d == "val" else d: os.path.join(folder, d) for d in there}


def from_pictures(folder, options):
    whole = picture_parts(folder)
    split = len(whole) == 1
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
    except Exception as error:  # whatever a damaged pickle comes to
        die(f"{path}: {cause(error)}")


def member(path, content, key):
    """Of a pickle."""
    return content[key] if key in content else die(f"{path} has no {key}: is it one of CIFAR's files?")


def pickled(path, labels):
    content = unpickle(path)
    data = np.asarray(member(path, content, "data"))
    if data.size == 0 or data.size % 3072 or data.dtype != np.uint8:
        die(f"{path}: its data are {data.size} values of type {data.dtype}, not bytes of whole images of 3,072")
    return planes(data), np.asarray(member(path, content, labels))


def text_of(words):
    return [w.decode() if isinstance(w, bytes) else w for w in words]


def planes(data):
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def from_cifar10_pickles(folder, options):
    train = [pickled(f"{folder}/data_batch_{i}", "labels") for i in range(1, 6)]
    meta = unpickle(f"{folder}/batches.meta") if os.path.exists(f"{folder}/batches.meta") else {}
    return {"train": (np.concatenate([b[0] for b in train]), np.concatenate([b[1] for b in train])),
            "test": pickled(f"{folder}/test_batch", "labels")}, text_of(meta.get("label_names", [])) or None


def from_cifar100_pickles(folder, options):
    key = "coarse_labels" if options.coarse else "fine_labels"
    parts = {part: pickled(f"{folder}/{part}", key) for part in ("train", "test")}
    meta = unpickle(f"{folder}/meta") if os.path.exists(f"{folder}/meta") else {}
    names = meta.get("coarse_label_names" if options.coarse else "fine_label_names", [])
    return parts, text_of(names) or None


def from_cifar100_binary(folder, options):
    parts = {}
    for part in ("train", "test"):
        try:
            content = np.fromfile(f"{folder}/{part}.bin", np.uint8)
        except OSError as error:
            die(f"{folder}/{part}.bin: {cause(error)}")
        if content.size == 0 or content.size % 3074:
            die(f"{folder}/{part}.bin has {content.size} bytes, no whole records of 3,074")
        records = content.reshape(-1, 3074)
        parts[part] = planes(records[:, 2:]), records[:, 0 if options.coarse else 1]
    names = f"{folder}/{'coarse' if options.coarse else 'fine'}_label_names.txt"
    return parts, read_names(names) if os.path.exists(names) else None


def read_idx(path):
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        die(f"{path}: {cause(error)}")
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        die(f"{path} is no idx file of bytes")
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    content = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    if content.size != np.prod(shape):
        die(f"{path} is cut off: {content.size} bytes of {np.prod(shape)}")
    return content.reshape(shape)


def idx_files(folder):
    """{set: {(part, kind): path}} of whole sets, by the names that MNIST and its like use: what is before the part is the set's."""
    found = {}
    for name in sorted(os.listdir(folder)):
        match = re.fullmatch(r"(.*?)[-_]?(train|t10k|test)[-_.](images|labels).*ubyte(\.gz)?", name)
        if match:
            part = "train" if match[2] == "train" else "test"
            found.setdefault(match[1], {}).setdefault((part, match[3]), os.path.join(folder, name))
    return {of: files for of, files in found.items() if len(files) == 4}


def from_idx(folder, options):
    sets = idx_files(folder)
    if len(sets) > 1:
        die(f"{folder} holds {len(sets)} sets ({', '.join(sets)}): give a folder with the four files of one")
    (name, files), = sets.items()
    parts = {part: (read_idx(files[part, "images"]), read_idx(files[part, "labels"])) for part in ("train", "test")}
    if name.startswith("emnist"):
        parts = {part: (images.swapaxes(1, 2) if images.ndim == 3 else images, labels) for part, (images, labels) in parts.items()}
    return parts, None


def from_npz(path, options):
    try:
        arrays = dict(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        die(f"{path}: {cause(error)}")
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
    try:
        with open(path, encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip()]
    except (OSError, ValueError) as error:
        die(f"{path}: {cause(error)}")


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


def file_image(parts, names):
    """The file's bytes, made in memory: HDF5 itself has no orderly end where a disk is full."""
    import h5py
    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        for part, (images, labels) in parts.items():
            chunk = (max(1, min(len(images), (1 << 20) // images[0].size)), *images.shape[1:])
            file.create_dataset(f"{part}/images", data=images, chunks=chunk, compression="gzip", compression_opts=4)
            file.create_dataset(f"{part}/labels", data=labels.astype(np.int32))  # torch takes no uint16
        if names:
            file["class_names"] = names
        file.flush()
        return file.id.get_file_image()


def write(path, parts, names):
    lowest = min(int(labels.min()) for _, labels in parts.values())
    classes = max(int(labels.max()) for _, labels in parts.values()) + 1
    if lowest < 0 or classes > CLASSES_MAX:
        die(f"labels of {lowest} to {classes - 1}: 0 to {CLASSES_MAX - 1} are possible")
    if names and len(names) < classes:
        die(f"{len(names)} names for {classes} classes")
    image, whole = file_image(parts, names), path + ".part"
    try:
        with open(whole, "wb") as file:
            file.write(image)
        os.replace(whole, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(whole)
        if not isinstance(error, OSError):
            raise
        die(f"{path} cannot be written: {cause(error)}")
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
