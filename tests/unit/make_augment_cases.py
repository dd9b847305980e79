#!/usr/bin/env python3
"""Writes tests/unit/augment_cases.h: what training images must be, said by PIL, torchvision and numpy.

Nothing of lockstep's has a part in it: random numbers come from tests/oracle/draws.py, which is written from the
papers and the documented counters; resizing is PIL's, as in torchvision's RandomResizedCrop, whose choice of the part
is written out below; padding is numpy's; the ops of policies and of colour jitter are torchvision's on PIL's images
(make_pixel_cases.py has them one by one); normal numbers are Python's. A case is summed up by a CRC-32: of RECORDS records in EPOCHS epochs the
float32 image, then, as int32, which record it is mixed with and the share of that one's label, of 65536.
Usage (Debian: python3-torchvision): /usr/bin/python3 tests/unit/make_augment_cases.py >tests/unit/augment_cases.h
"""
import math
import os
import statistics
import sys
import textwrap
import zlib

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import autoaugment, functional
from torchvision.transforms.functional import InterpolationMode

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import draws  # noqa: E402

SEED, RECORDS, EPOCHS = 11, 24, 3
KEY = draws.key_of(SEED, draws.AUGMENT)
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
PLAIN = dict(crop_pad=0, pad_mode="constant", pad_fill=(0, 0, 0), flip=0.0, flip_mode="random", area=(0.0, 0.0),
             aspect=(3 / 4, 4 / 3), attempts=10, brightness=0.0, contrast=0.0, cutout=0, mixup=0.0, cutmix=0.0,
             mix_probability=1.0, unit="one", mean=MEAN, std=STD, policy="none", policy_ops=2, policy_magnitude=9,
             jitter=(0.0,) * 4, erase=0.0, erase_area=(0.02, 0.33), erase_aspect=(0.3, 3.3), erase_with="mean",
             erase_fill=(0, 0, 0))
CASES = {
    "reflect": (32, 32, dict(crop_pad=4, pad_mode="reflect", flip=0.5)),
    "reflect far": (20, 28, dict(crop_pad=16, pad_mode="reflect")),
    "fill by channel": (32, 32, dict(crop_pad=4, pad_fill=(3, 128, 255), flip=0.5, cutout=8)),
    "estimator": (32, 32, dict(crop_pad=4, flip=0.5, unit="byte", mean=(128,) * 3, std=(128,) * 3)),
    "zero to one": (32, 32, dict(mean=(0,) * 3, std=(1,) * 3)),
    "alternate": (32, 32, dict(crop_pad=2, pad_mode="reflect", flip=0.5, flip_mode="alternate")),
    "alternate few": (32, 32, dict(flip=0.1, flip_mode="alternate")),
    "hiverge": (32, 32, dict(crop_pad=2, pad_mode="reflect", flip=0.5, brightness=0.14, contrast=0.13)),
    "brightness": (32, 32, dict(brightness=1.5, cutout=12)),
    "contrast": (20, 28, dict(contrast=1.0)),
    "catid": (32, 32, dict(area=(0.25, 1.0), aspect=(0.9, 1.1), flip=0.3)),
    "torchvision": (32, 32, dict(area=(0.08, 1.0))),
    "torchvision, wide image": (20, 28, dict(area=(0.08, 1.0), flip=0.5)),
    "small parts": (32, 32, dict(area=(0.001, 0.01), aspect=(0.2, 5.0))),
    "few fit": (32, 32, dict(area=(0.6, 1.0), aspect=(0.3, 3.0), attempts=2)),
    "none fits, too wide": (20, 28, dict(area=(0.9, 1.0), aspect=(2.0, 3.0), attempts=3)),
    "none fits, too high": (28, 20, dict(area=(0.95, 1.0), aspect=(1.1, 1.2), attempts=1)),
    "mixup": (32, 32, dict(crop_pad=4, flip=0.5, mixup=0.2)),
    "mixup of the whole range": (20, 28, dict(mixup=1.0, brightness=0.3, mix_probability=0.6)),
    "mixup near the middle": (32, 32, dict(mixup=2.0)),
    "cutmix": (32, 32, dict(crop_pad=4, flip=0.5, cutmix=1.0, cutout=8)),
    "cutmix, wide image": (20, 28, dict(cutmix=0.5, mix_probability=0.5)),
    "both": (32, 32, dict(area=(0.25, 1.0), flip=0.5, mixup=0.8, cutmix=1.0)),
    "randaugment": (32, 32, dict(crop_pad=4, flip=0.5, policy="randaugment")),
    "randaugment, many": (20, 28, dict(policy="randaugment", policy_ops=7, policy_magnitude=30, pad_fill=(9, 99, 200))),
    "trivialaugment": (32, 32, dict(crop_pad=4, flip=0.5, policy="trivialaugment")),
    "jitter": (32, 32, dict(jitter=(0.4, 0.4, 0.4, 0.1))),
    "jitter of the whole range": (20, 28, dict(flip=0.5, jitter=(1.5, 2.0, 3.0, 0.5))),
    "jitter of two": (32, 32, dict(jitter=(0.0, 0.8, 0.0, 0.3), cutout=8, brightness=0.2)),
    "erase": (32, 32, dict(crop_pad=4, flip=0.5, erase=0.5)),
    "erase, by bytes": (20, 28, dict(erase=1.0, erase_with="fill", erase_fill=(124, 116, 104), brightness=0.2)),
    "erase, few fit": (20, 28, dict(erase=0.9, erase_with="fill", erase_area=(0.3, 0.9), erase_aspect=(0.2, 6.0))),
    "erase, noise": (32, 32, dict(erase=0.25, erase_with="noise", erase_area=(0.1, 0.4), mixup=0.2)),
    "policy, jitter, erase, cutmix": (32, 32, dict(crop_pad=4, flip=0.5, policy="randaugment", jitter=(0.2, 0.2, 0.2, 0.05),
                                                   erase=0.5, erase_with="noise", cutmix=1.0, cutout=4)),
    "none fits, as it is": (32, 32, dict(area=(1.0, 1.0), aspect=(0.5, 2.0), attempts=1)),
}


def record_of(number, h, w):
    i = np.arange(3 * h * w, dtype=np.int64)
    return ((i * 37 + i // 64 * 11 + i * i % 251 + number * 101) % 256).astype(np.uint8).reshape(3, h, w)


def part(o, h, w, epoch, record):
    """RandomResizedCrop.get_params: top, left, height, width."""
    logs = [math.log(a) for a in o["aspect"]]
    for attempt in range(o["attempts"]):
        a, b, c, d = draws.philox(KEY, epoch, record, 16 + attempt, 0)
        area = h * w * (o["area"][0] + (o["area"][1] - o["area"][0]) * draws.unit(a))
        aspect = math.exp(logs[0] + (logs[1] - logs[0]) * draws.unit(b))
        width, height = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
        if 0 < width <= w and 0 < height <= h:
            return draws.below(c, h - height + 1), draws.below(d, w - width + 1), height, width
    width, height = w, h
    if w / h < min(o["aspect"]):
        height = int(round(w / min(o["aspect"])))
    elif w / h > max(o["aspect"]):
        width = int(round(h * max(o["aspect"])))
    return (h - height) // 2, (w - width) // 2, height, width


def placed(o, pixels, epoch, record):
    """The bytes of a record, cropped and mirrored."""
    _, h, w = pixels.shape
    a, b, c, _ = draws.philox(KEY, epoch, record, 0, 0)
    pad = o["crop_pad"]
    if o["area"][1] > 0:
        top, left, height, width = part(o, h, w, epoch, record)
        box = Image.fromarray(np.moveaxis(pixels, 0, 2)).crop((left, top, left + width, top + height))
        pixels = np.moveaxis(np.asarray(box.resize((w, h), Image.BILINEAR)), 2, 0)
    elif o["pad_mode"] == "reflect":
        pixels = np.pad(pixels, ((0, 0), (pad, pad), (pad, pad)), mode="reflect")
    else:
        pixels = np.stack([np.pad(p, pad, constant_values=f) for p, f in zip(pixels, o["pad_fill"])])
    if pad > 0:
        down, right = draws.below(a, 2 * pad + 1), draws.below(b, 2 * pad + 1)
        pixels = pixels[:, down:down + h, right:right + w]
    mirror = draws.unit(c) < o["flip"]
    if o["flip_mode"] == "alternate":
        mirror = (draws.unit(draws.philox(KEY, 0, record, 0, 0)[2]) < o["flip"]) ^ (epoch % 2 == 1)
    return pixels[:, :, ::-1] if mirror else pixels


def policy_ops(o, h, w, epoch, record):
    """Name and magnitude of each op, the magnitude in double: torchvision's own are float."""
    trivial = o["policy"] == "trivialaugment"
    names = list(autoaugment.RandAugment()._augmentation_space(31, (h, w)))
    for i in range(0 if o["policy"] == "none" else 1 if trivial else o["policy_ops"]):
        a, b, c, _ = draws.philox(KEY, epoch, record, i, 5)
        op = names[draws.below(a, len(names))]
        part = (draws.below(c, 31) if trivial else o["policy_magnitude"]) / 30
        both_ways = op[:5] in ("Shear", "Trans") or op in ("Rotate", "Brightness", "Color", "Contrast", "Sharpness")
        reach = {"ShearX": 0.99, "ShearY": 0.99, "TranslateX": 32, "TranslateY": 32, "Rotate": 135} if trivial else \
            {"ShearX": 0.3, "ShearY": 0.3, "TranslateX": 150 / 331 * w, "TranslateY": 150 / 331 * h, "Rotate": 30}
        if op == "Posterize":
            magnitude = 8 - round(part * (6 if trivial else 4))
        elif op == "Solarize":
            magnitude = 255 - 255 * part
        else:
            magnitude = part * reach.get(op, 0.99 if trivial else 0.9)
        yield op, -magnitude if both_ways and draws.below(b, 2) else magnitude


def changed(o, pixels, epoch, record):
    """Policy and jitter, which are done to bytes."""
    _, h, w = pixels.shape
    image = Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, 2)))
    for op, magnitude in policy_ops(o, h, w, epoch, record):
        image = autoaugment._apply_op(image, op, magnitude, InterpolationMode.NEAREST, list(o["pad_fill"]))
    by = [functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation, functional.adjust_hue]
    words = draws.philox(KEY, epoch, record, 3, 0)
    left, number, order = [0, 1, 2, 3], draws.below(draws.philox(KEY, epoch, record, 4, 0)[0], 24), []
    for size in (6, 2, 1, 1):
        order.append(left.pop(number // size))
        number %= size
    for which in order:
        x = o["jitter"][which]
        low, high = (-x, x) if which == 3 else (max(0, 1 - x), 1 + x)
        if x > 0:
            image = by[which](image, low + (high - low) * draws.unit(words[which]))
    return np.moveaxis(np.asarray(image), 2, 0)


def erased(o, x, epoch, record):
    """RandomErasing.get_params, and what it does."""
    c, h, w = x.shape
    logs = [math.log(a) for a in o["erase_aspect"]]
    if draws.unit(draws.philox(KEY, epoch, record, 0, 3)[0]) >= o["erase"]:
        return
    for attempt in range(1, 11):
        drawn = draws.philox(KEY, epoch, record, attempt, 3)
        area = h * w * (o["erase_area"][0] + (o["erase_area"][1] - o["erase_area"][0]) * draws.unit(drawn[0]))
        aspect = math.exp(logs[0] + (logs[1] - logs[0]) * draws.unit(drawn[1]))
        height, width = int(round(math.sqrt(area * aspect))), int(round(math.sqrt(area / aspect)))
        if not (height < h and width < w):
            continue
        top, left = draws.below(drawn[2], h - height + 1), draws.below(drawn[3], w - width + 1)
        n = c * height * width
        if o["erase_with"] == "noise":
            drawn = draws.philox(KEY, epoch, record, np.arange((n + 3) // 4), 4).reshape(-1)[:n]
            value = np.array([statistics.NormalDist().inv_cdf((int(v) + 0.5) / 2**32) for v in drawn]).reshape(c, height, width)
        elif o["erase_with"] == "fill":
            value = np.repeat(np.array(o["erase_fill"], np.uint8), height * width).reshape(c, height, width)
            value = scaled(o, value)
        else:
            value = 0
        x[:, top:top + height, left:left + width] = value
        return


def scaled(o, pixels):
    f = np.float32
    mean, std = (np.array(o[k], f).reshape(3, 1, 1) for k in ("mean", "std"))
    x = pixels.astype(f)
    return ((x if o["unit"] == "byte" else x / f(255)) - mean) / std


def image_of(o, pixels, epoch, record):
    _, h, w = pixels.shape
    f = np.float32
    x = scaled(o, changed(o, placed(o, pixels, epoch, record), epoch, record))
    shift, scale = (2 * draws.unit(d) - 1 for d in draws.philox(KEY, epoch, record, 2, 0)[:2])
    if o["brightness"] or o["contrast"]:
        x = (x + f(shift * o["brightness"])) * f(1 + scale * o["contrast"])
    if o["cutout"]:
        c, d = draws.philox(KEY, epoch, record, 1, 0)[:2]
        top, left = draws.below(c, h) - o["cutout"] // 2, draws.below(d, w) - o["cutout"] // 2
        x[:, max(top, 0):max(top + o["cutout"], 0), max(left, 0):max(left + o["cutout"], 0)] = 0
    erased(o, x, epoch, record)
    return x


def mixed(o, images, epoch, record):
    """The image of `record` among images, mixed; the partner and the share of its label, of 65536."""
    x, f = images[record].copy(), np.float32
    partner, share, part, rows, columns = draws.mixing(SEED, epoch, record, o["mixup"], o["cutmix"],
                                                       o["mix_probability"], len(images), *x.shape[1:])
    if share > 0:
        x[:, rows, columns] = x[:, rows, columns] * f(1 - part) + images[partner][:, rows, columns] * f(part)
    return x, partner, round(share * 65536)


def c_value(value):
    if isinstance(value, (tuple, list)):
        return "{" + ", ".join(map(c_value, value)) + "}"
    return repr(value)


def c_case(name, h, w, options, crc):
    words = {"constant": "PAD_CONSTANT", "reflect": "PAD_REFLECT", "random": "FLIP_RANDOM", "one": "PIXEL_UNIT_ONE",
             "alternate": "FLIP_ALTERNATE", "byte": "PIXEL_UNIT_BYTE", "none": "POLICY_NONE", "mean": "ERASE_MEAN",
             "randaugment": "POLICY_RANDAUGMENT", "trivialaugment": "POLICY_TRIVIALAUGMENT", "fill": "ERASE_FILL",
             "noise": "ERASE_NOISE"}
    own = ("mean", "std", "aspect", "attempts", "mix_probability")
    if options.keys() & {"policy"}:
        own += ("policy_ops", "policy_magnitude")
    if options.keys() & {"erase"}:
        own += ("erase_area", "erase_aspect")
    o = {**PLAIN, **options}
    fields = ", ".join(f".{k} = {words.get(v) or c_value(v)}" if isinstance(v, str) else f".{k} = {c_value(v)}"
                       for k, v in o.items() if k in own or v != PLAIN[k])
    line = f'{{"{name}", {h}, {w}, {{{fields}}}, 0x{crc:08x}}},'
    return textwrap.fill(line, 100, initial_indent="    ", subsequent_indent="     ")


def main():
    print("/* Written by make_augment_cases.py with PIL", PIL.__version__, "torchvision", torchvision.__version__,
          "and numpy", np.__version__, "*/")
    print("/* clang-format off */")
    print(f"enum {{ CASE_SEED = {SEED}, CASE_RECORDS = {RECORDS}, CASE_EPOCHS = {EPOCHS} }};")
    print("static const struct Case {\n    const char *name;\n    int height, width;\n    Augment augment;")
    print("    uint32_t crc; /* of the images, epoch by epoch, each with its partner and the share of it */\n} cases[] = {")
    for name, (h, w, options) in CASES.items():
        crc = 0
        for epoch in range(EPOCHS):
            o = {**PLAIN, **options}
            images = [image_of(o, record_of(record, h, w), epoch, record) for record in range(RECORDS)]
            for record in range(RECORDS):
                image, *label = mixed(o, images, epoch, record)
                crc = zlib.crc32(np.ascontiguousarray(image, dtype="<f4").tobytes(), crc)
                crc = zlib.crc32(np.array(label, dtype="<i4").tobytes(), crc)
        print(c_case(name, h, w, options, crc))
    print("};")


main()
