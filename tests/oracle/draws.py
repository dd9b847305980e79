"""draws: every random choice of a run as a function of the seed, written from the papers and the documented counters.

Philox4x32-10 and its vectors: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
The key of a purpose: splitmix64 (Steele, Lea, Flood, OOPSLA'14) of seed + purpose * golden ratio. Counters, as
include/lockstep/rng.h promises them:

    1 initial weights  parameter, element / 4      4 dropout  element / 4, lane | layer << 16, step low, step high
    2 order            epoch, lane, draw / 4       5 held-out records  draw / 4
    3 augmentation     epoch, record, draw / 4     7 droppath  image / 4, lane | layer << 16, step low, step high

Nothing here imports, runs or reads anything of lockstep's.
"""
import math

import numpy as np

INIT, ORDER, AUGMENT, DROPOUT, HOLDOUT, DROPPATH = 1, 2, 3, 4, 5, 7
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def key_of(seed, purpose):
    z = (seed + purpose * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    z ^= z >> 31
    return z % 2**32, z >> 32


def philox(key, *counter):
    """Four words for each counter: an array [..., 4] of uint64. Counters broadcast."""
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(c, dtype=np.uint64) for c in counter))
    for i in range(10):
        k0 = np.uint64((key[0] + i * 0x9E3779B9) % 2**32)
        k1 = np.uint64((key[1] + i * 0xBB67AE85) % 2**32)
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
    return np.stack([c0, c1, c2, c3], axis=-1)


def words(key, count, *rest):
    """The first `count` words of the blocks 0, 1, 2 ... where the block's number comes first."""
    return philox(key, np.arange((count + 3) // 4), *rest).reshape(-1)[:count]


def unit(word):
    """In [0, 1): the word's top 24 bits."""
    return (word >> np.uint64(8)).astype(np.float64) / 2.0**24


def below(word, n):
    """An integer in [0, n)."""
    return int(word) * n >> 32


def initial(seed, parameter, shape, bound):
    """U(-bound, bound) in float32, as PyTorch's default for layers with weights has it."""
    count = int(np.prod(shape))
    drawn = philox(key_of(seed, INIT), parameter, np.arange((count + 3) // 4), 0, 0).reshape(-1)[:count]
    return ((2 * unit(drawn) - 1) * bound).astype(np.float32).astype(np.float64).reshape(shape)


def order(seed, epoch, lane, n):
    """Fisher-Yates from the back over the places of a lane's shard."""
    drawn = philox(key_of(seed, ORDER), epoch, lane, np.arange((n + 3) // 4), 0).reshape(-1)
    places = list(range(n))
    for draw in range(n - 1):
        last = n - 1 - draw
        pick = below(drawn[draw], last + 1)
        places[pick], places[last] = places[last], places[pick]
    return places


def held_out(seed, total, holdout):
    """The held-out records, ascending: Fisher-Yates from the front, its first draws."""
    drawn = words(key_of(seed, HOLDOUT), holdout, 0, 0, 0)
    records = list(range(total))
    for draw in range(holdout):
        pick = draw + below(drawn[draw], total - draw)
        records[pick], records[draw] = records[draw], records[pick]
    return sorted(records[:holdout])


def keep_mask(seed, step, lane, layer, count, rate, purpose=DROPOUT):
    """1 where dropout keeps an element, or droppath an image: where its uniform number is not below the rate."""
    drawn = words(key_of(seed, purpose), count, lane | layer << 16, step % 2**32, step >> 32)
    return (unit(drawn) >= rate).astype(np.float64)


def augmented(pixels, seed, epoch, record, pad, flip, fill=0):
    """A 3x32x32 record of bytes, padded by `fill`, cropped at random and mirrored with probability `flip`."""
    drawn = philox(key_of(seed, AUGMENT), epoch, record, 0, 0)
    down, right = below(drawn[0], 2 * pad + 1), below(drawn[1], 2 * pad + 1)
    padded = np.pad(pixels, ((0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    crop = padded[:, down:down + 32, right:right + 32]
    return crop[:, :, ::-1] if unit(drawn[2]) < flip else crop


def beta(key, alpha, epoch, record):
    """Beta(alpha, alpha), by Joehnk's method."""
    for trial in range(10000):
        u, v = (((int(w) + 0.5) / 2**32) ** (1 / alpha) for w in philox(key, epoch, record, trial, 2)[:2])
        if u + v <= 1:
            return u / (u + v)
    raise ValueError("no end")


def mixing(seed, epoch, record, mixup, cutmix, probability, records, height=32, width=32):
    """How an image is mixed with another of `records`: (which, its label's share, its pixels' share, rows, columns).

    Shares are rounded to 1 / 65536. The box is that of CutMix's own program (clovaai/CutMix-PyTorch), rand_bbox."""
    key = key_of(seed, AUGMENT)
    a, b, c, d = philox(key, epoch, record, 0, 1)
    if not (mixup or cutmix) or unit(a) >= probability:
        return 0, 0, 0, slice(0, 0), slice(0, 0)
    cut = cutmix > 0 and (mixup == 0 or below(b, 2) == 1)
    kept, partner = beta(key, cutmix if cut else mixup, epoch, record), below(c, records)
    if not cut:
        share = round((1 - kept) * 65536) / 65536
        return partner, share, share, slice(0, height), slice(0, width)
    side = math.sqrt(1 - kept)
    cut_w, cut_h = int(width * side), int(height * side)
    cx, cy = below(philox(key, epoch, record, 1, 1)[0], width), below(d, height)
    x1, x2 = (int(x) for x in np.clip([cx - cut_w // 2, cx + cut_w // 2], 0, width))
    y1, y2 = (int(y) for y in np.clip([cy - cut_h // 2, cy + cut_h // 2], 0, height))
    share = round((x2 - x1) * (y2 - y1) / (width * height) * 65536) / 65536
    return partner, share, 1, slice(y1, y2), slice(x1, x2)


def known_answers():
    """The vectors published with Random123."""
    assert [int(w) for w in philox((0, 0), 0, 0, 0, 0)] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert [int(w) for w in philox((2**32 - 1,) * 2, *(2**32 - 1,) * 4)] == \
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
