#!/usr/bin/python3
"""Writes tests/unit/pixel_cases.h: what torchvision makes of pictures by each of its ops, at each magnitude.

The ops are torchvision's own, on Pillow's images: those of RandAugment and TrivialAugmentWide by the function that both
call, with magnitudes from their own tables, and adjust_hue. A case is summed up by a CRC-32 of all bytes [c][h][w] that
come out, shape by shape, bin by bin, for a magnitude with a sign of the positive one and then of the negative one.
`colours` is the CRC-32 of every colour whose red, green and blue are multiples of 3, turned by each of TURNS.
Usage (Debian: python3-torchvision): /usr/bin/python3 tests/unit/make_pixel_cases.py >tests/unit/pixel_cases.h
"""
import zlib

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import autoaugment, functional
from torchvision.transforms.functional import InterpolationMode

BINS = 31
SHAPES = [(3, 32, 32), (1, 28, 28), (3, 20, 28), (1, 64, 9), (3, 64, 64), (3, 2, 5), (1, 1, 1)]
FILL = (9, 99, 200)
TURNS = (-0.5, -0.21, 0.0, 0.1, 0.4987)


def record_of(number, c, h, w):
    """Of the even ones the bytes are few, and all in the middle: autocontrast and equalize have something to do."""
    i = np.arange(c * h * w, dtype=np.int64)
    x = (i * 37 + i // 64 * 11 + i * i % 251 + number * 101) % 256
    return (x if number % 2 else 60 + x // 3).astype(np.uint8).reshape(c, h, w)


def picture(pixels):
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, 2))


def bytes_of(image):
    a = np.asarray(image)
    return np.ascontiguousarray(a if a.ndim == 2 else np.moveaxis(a, 2, 0)).tobytes()


def exact(policy, op, at, h, w):
    """What magnitude number `at` of the policy's list is in double; torchvision's is held to it."""
    of_random = policy == "randaugment"
    part = at / (BINS - 1)
    if op.startswith("Shear"):
        return part * (0.3 if of_random else 0.99)
    if op.startswith("Translate"):
        return part * (150 / 331 * (w if op[-1] == "X" else h) if of_random else 32)
    if op == "Rotate":
        return part * (30 if of_random else 135)
    if op in ("Brightness", "Color", "Contrast", "Sharpness"):
        return part * (0.9 if of_random else 0.99)
    if op == "Posterize":
        return 8 - round(part * (4 if of_random else 6))
    return 255 - 255 * part


def space(policy, h, w):
    if policy == "randaugment":
        return autoaugment.RandAugment()._augmentation_space(BINS, (h, w))
    return autoaugment.TrivialAugmentWide()._augmentation_space(BINS)


def case(policy, op):
    crc = 0
    for c, h, w in SHAPES:
        magnitudes, signed = space(policy, h, w)[op]
        for at in range(BINS):
            magnitude = 0.0
            if magnitudes.ndim:
                magnitude = exact(policy, op, at, h, w)
                assert abs(magnitude - magnitudes[at].item()) < 1e-5 and int(magnitude) == int(magnitudes[at].item())
            for sign in (1, -1) if signed else (1,):
                image = autoaugment._apply_op(picture(record_of(at, c, h, w)), op, sign * magnitude,
                                              InterpolationMode.NEAREST, list(FILL[:c]))
                crc = zlib.crc32(bytes_of(image), crc)
    return crc


def colours():
    side = np.arange(0, 256, 3, dtype=np.uint8)
    cube = np.stack([a.reshape(-1) for a in np.meshgrid(side, side, side, indexing="ij")])
    image, crc = picture(cube.reshape(3, 1, -1)), 0
    for turn in TURNS:
        crc = zlib.crc32(bytes_of(functional.adjust_hue(image, turn)), crc)
    return crc


def main():
    print("/* Written by make_pixel_cases.py with torchvision", torchvision.__version__, "and PIL", PIL.__version__, "*/")
    print("/* clang-format off */")
    print("static const struct PixelCase {\n    Policy policy;\n    int op; /* of torchvision's table */\n    uint32_t crc;")
    print("} pixel_cases[] = {")
    for policy in ("randaugment", "trivialaugment"):
        for number, op in enumerate(space(policy, 32, 32)):
            print(f"    {{POLICY_{policy.upper()}, {number}, 0x{case(policy, op):08x}}}, /* {op} */")
    print(f"}};\nstatic const uint32_t colours_crc = 0x{colours():08x};")


main()
