#!/bin/bash
# What somebody does who has only pictures in folders: docs/data.md from its beginning to its end, by the commands that stand there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

/usr/bin/python3 -c 'import h5py, numpy, PIL' 2>/dev/null || skip_all "python3-h5py or python3-pil is missing: scripts/setup.sh test"
unset CIFAR10_DIR # nothing here is of CIFAR-10
/usr/bin/python3 - "$tmp" <<'END'
"""Seven figures of 28 x 28 grey pixels: as pictures by class, and as the four idx files of a set like MNIST."""
import os, struct, sys
import numpy as np
from PIL import Image
random = np.random.RandomState(3)
names = ["left", "right", "top", "bottom", "middle", "big & <small>", "Überall"]
blocks = [(4, 24, 0, 10), (4, 24, 18, 28), (0, 10, 4, 24), (18, 28, 4, 24), (9, 19, 9, 19), (2, 8, 2, 26), (0, 28, 0, 28)]

def figure(label):
    y, to_y, x, to_x = blocks[label]
    image = random.randint(0, 90, (28, 28))
    image[y:to_y, x:to_x] += 110
    return image.astype(np.uint8)

def idx(name, array):
    with open(f"{sys.argv[1]}/idx/{name}-ubyte", "wb") as file:
        file.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())

os.makedirs(f"{sys.argv[1]}/idx")
for label, name in enumerate(names):
    folder = f"{sys.argv[1]}/pictures/{name}"
    os.makedirs(folder)
    for i in range(60):
        Image.fromarray(figure(label)).save(f"{folder}/{i:03}.png")
for part, n in ("train", 350), ("t10k", 70):
    labels = random.randint(0, 7, n).astype(np.uint8)
    idx(f"{part}-labels-idx1", labels)
    idx(f"{part}-images-idx3", np.array([figure(label) for label in labels]))
END
words=(--batch-size 32 --lanes 4 --lr 0.1 --epochs 3 --augment.flip 0) # left is not right
evaluated() { "$program" eval "$@" --json 2>>"$log" >"$tmp/eval.json" && tests/read_json get "$tmp/eval.json" test_accuracy test_loss; }

scripts/to_hdf5.py "$tmp/pictures" "$tmp/shapes.h5" >"$log" 2>&1
check "to_hdf5.py says what there is" grep -qE 'shapes.h5: 357 train, 63 test images of 28 x 28 x 1 .*, 7 classes' "$log"
train one 1 configs/quickstart.yaml --data "$tmp/shapes.h5" "${words[@]}"
check "one rank learns them" awk -v a="$(result one test_accuracy)" 'BEGIN { exit !(a > 0.9) }'
train three 3 configs/quickstart.yaml --data "$tmp/shapes.h5" "${words[@]}"
same three one "three ranks: the same"
train cut 3 configs/quickstart.yaml --data "$tmp/shapes.h5" "${words[@]}" --checkpoint-every 5 --crash-at 17
check "a crash" test $code = 137
train cut 2 configs/quickstart.yaml --data "$tmp/shapes.h5" "${words[@]}" --checkpoint-every 5
same cut one "gone on with on two ranks: the same"
lockstep 0 eval "$tmp/one"
check "eval: every class by its name, in line" test \
    "$(LC_ALL=C.UTF-8 sed -nE 's/^  (.{13}) [ .0-9]{6} %( +[0-9]+){7}$/\1/p' "$log" | sed 's/ *$//' | tr '\n' ,)" = \
    "big & <small>,bottom,left,middle,right,top,Überall,"
lockstep 0 predict "$tmp/one" "$tmp/pictures/big & <small>/007.png" "$tmp/pictures/Überall/007.png"
if grep -q libcairo2-dev "$log"; then
    skip "predict, and the page" "lockstep was built without cairo"
else
    check "predict: both pictures" test "$code $(grep -cE '007.png: (big & <small>|Überall) ' "$log")" = "0 2"
    "$program" report "$tmp/one" >"$log" 2>&1
    check "the page has the names" tests/e2e/check_report page "$tmp/one/report/report.html" "big & <small>" "Überall" "shapes"
fi
scripts/to_hdf5.py "$tmp/idx" "$tmp/idx.h5" >"$log" 2>&1
train idx 2 configs/quickstart.yaml --data "$tmp/idx.h5" "${words[@]}"
check "a set as MNIST's files have it" awk -v a="$(result idx test_accuracy)" 'BEGIN { exit !(a > 0.9) }'

if /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    # A module of somebody's own, with names of its own.
    /usr/bin/python3 - "$tmp" <<'END'
import sys
import torch
from torch import nn
layers, before = [], 1
for c in 32, 64, 128, 128:
    layers += [nn.Conv2d(before, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)]
    before = c
torch.save(nn.Sequential(*layers, nn.Linear(128, 7)).state_dict(), sys.argv[1] + "/theirs.pt")
END
    scripts/to_pytorch.py "$tmp/one/best.h5" --like "$tmp/theirs.pt" --out "$tmp/mine.pt" >"$log" 2>&1
    check "to_pytorch.py --like, without the images" test $? = 0
    scripts/from_pytorch.py configs/quickstart.yaml "$tmp/mine.pt" --out "$tmp/back" >"$log" 2>&1
    check "from_pytorch.py without --data: a hint" grep -q "other images than CIFAR-10's? Then name them with --data" "$log"
    scripts/from_pytorch.py configs/quickstart.yaml "$tmp/mine.pt" --data "$tmp/shapes.h5" --out "$tmp/back" >"$log" 2>&1
    check "with the recipe: mean and std are the run's" grep -q 'or the config.yaml of the run that they are of' "$log"
    back=$(scripts/from_pytorch.py "$tmp/one/config.yaml" "$tmp/mine.pt" --data "$tmp/shapes.h5" --out "$tmp/back" 2>"$log")
    check "with the run's config.yaml: the same weights again" \
        test "$(evaluated "$back" --data "$tmp/shapes.h5")" = "$(evaluated "$tmp/one" --data "$tmp/shapes.h5")"
    check "h5py and torch read the labels" /usr/bin/python3 -c '
import h5py, sys, torch
assert sorted(set(torch.tensor(h5py.File(sys.argv[1])["train/labels"][()]).tolist())) == list(range(7))' "$tmp/shapes.h5"
else
    skip "to PyTorch and back" "python3-torch is missing"
fi
finish
