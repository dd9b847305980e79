#!/bin/bash
# scripts/to_hdf5.py: sources of each kind become files with the same records, which lockstep opens; what is wrong is one line.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

/usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null || skip_all "python3-h5py is missing: scripts/setup.sh test"

# Sources, made here byte by byte; expected.npz has what must come out of each.
cat >"$tmp/sources.py" <<'END'
import gzip, os, pickle, struct, sys
import numpy as np
tmp = sys.argv[1]
random = np.random.RandomState(2)
want = {}

def expect(name, train, test):
    want.update({f"{name}.train.x": train[0], f"{name}.train.y": train[1], f"{name}.test.x": test[0], f"{name}.test.y": test[1]})

def records(n, classes):
    return random.randint(0, 256, (n, 3, 32, 32)).astype(np.uint8), random.randint(0, classes, n)

# CIFAR-10's pickles: keys are bytes, data is [n, 3072] in planes, labels a list. Protocol 2, as the real ones have.
os.makedirs(tmp + "/pickles")
batches = [records(8, 10) for _ in range(6)]
for i, (x, y) in enumerate(batches):
    name = "test_batch" if i == 5 else f"data_batch_{i + 1}"
    pickle.dump({b"data": x.reshape(8, -1), b"labels": [int(v) for v in y]}, open(f"{tmp}/pickles/{name}", "wb"), 2)
names10 = "airplane automobile bird cat deer dog frog horse ship truck".split()
pickle.dump({b"label_names": [n.encode() for n in names10]}, open(tmp + "/pickles/batches.meta", "wb"), 2)
expect("pickles", (np.concatenate([b[0] for b in batches[:5]]), np.concatenate([b[1] for b in batches[:5]])), batches[5])

# CIFAR-100, both ways: coarse and fine label, then the planes.
os.makedirs(tmp + "/cifar100")
for part, n in ("train", 40), ("test", 20):
    x, y = records(n, 100)
    np.concatenate([(y // 5)[:, None], y[:, None], x.reshape(n, -1)], 1).astype(np.uint8).tofile(f"{tmp}/cifar100/{part}.bin")
    want[f"cifar100.{part}.x"], want[f"cifar100.{part}.y"] = x, y
    want[f"coarse.{part}.x"], want[f"coarse.{part}.y"] = x, y // 5
open(tmp + "/cifar100/fine_label_names.txt", "w").write("".join(f"fine {i}\n" for i in range(100)))
open(tmp + "/cifar100/coarse_label_names.txt", "w").write("".join(f"group {i}\n" for i in range(20)))

# idx: big-endian, one of them packed.
os.makedirs(tmp + "/idx")
parts = []
for stem, n in ("train", 50), ("t10k", 12):
    x, y = random.randint(0, 256, (n, 28, 28)).astype(np.uint8), random.randint(0, 10, n).astype(np.uint8)
    with gzip.open(f"{tmp}/idx/{stem}-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, n, 28, 28) + x.tobytes())
    with open(f"{tmp}/idx/{stem}-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">4BI", 0, 0, 8, 1, n) + y.tobytes())
    parts.append((x[:, None], y))
expect("idx", *parts)

# EMNIST: a set of it among its prefix's files, each image on its side.
os.makedirs(tmp + "/emnist")
parts = []
for stem, n in ("train", 50), ("test", 12):
    x, y = random.randint(0, 256, (n, 28, 28)).astype(np.uint8), random.randint(0, 47, n).astype(np.uint8)
    for kind, head, data in ("images-idx3", (3, n, 28, 28), x), ("labels-idx1", (1, n), y):
        with gzip.open(f"{tmp}/emnist/emnist-balanced-{stem}-{kind}-ubyte.gz", "wb") as file:
            file.write(struct.pack(f">4B{head[0]}I", 0, 0, 8, *head) + data.tobytes())
    parts.append((np.stack([image.T for image in x])[:, None], y))
expect("emnist", *parts)

# npz, as Keras and MedMNIST have them.
x, y = random.randint(0, 256, (30, 20, 24, 4)).astype(np.uint8), random.randint(0, 5, (30, 1))
np.savez(tmp + "/keras.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
expect("keras", (x[:20].transpose(0, 3, 1, 2), y[:20, 0]), (x[20:].transpose(0, 3, 1, 2), y[20:, 0]))
np.savez(tmp + "/whole.npz", x=x, y=y)
np.savez(tmp + "/floats.npz", x=x / 255, y=y)
np.savez(tmp + "/other.npz", a=x, b=y)
np.savez(tmp + "/wide.npz", x_train=np.zeros((4, 65, 65), np.uint8), y_train=np.arange(4), x_test=np.zeros((4, 65, 65), np.uint8), y_test=np.arange(4))
np.savez(tmp + "/want.npz", **want)
END
/usr/bin/python3 "$tmp/sources.py" "$tmp"

# The same records, in the same order; and lockstep reads the file.
cat >"$tmp/compare.py" <<'END'
import sys
import h5py, numpy as np
tmp, name, classes = sys.argv[1:]
want = np.load(tmp + "/want.npz")
with h5py.File(f"{tmp}/{name}.h5") as file:
    for part in "train", "test":
        x, y = file[part + "/images"][()], file[part + "/labels"][()]
        assert x.dtype == np.uint8 and np.array_equal(x.transpose(0, 3, 1, 2), want[f"{name}.{part}.x"]), (part, x.shape)
        assert np.array_equal(y, want[f"{name}.{part}.y"]), (part, y)
    names = [n.decode() for n in file["class_names"][()]] if "class_names" in file else []
    assert ";".join(names) == classes, names
END
cat >"$tmp/net.yaml" <<'END'
batch-size: 8
lanes: 4
eval:
  batch: 10
model: |
  conv c=8 k=3 p=1 s=2
  relu
  linear c=classes
END
# makes NAME SOURCE CLASSES WORD...
makes() {
    local name=$1 source=$2 classes=$3
    shift 3
    check "$name: a file" scripts/to_hdf5.py "$tmp/$source" "$tmp/$name.h5" "$@"
    check "$name: its records" /usr/bin/python3 "$tmp/compare.py" "$tmp" "$name" "$classes"
    train "$name" 2 "$tmp/net.yaml" --data "$tmp/$name.h5" --steps 2
    check "$name: lockstep trains on it" test "$code $(result "$name" dataset)" = "0 $name"
}
makes pickles pickles 'airplane;automobile;bird;cat;deer;dog;frog;horse;ship;truck'
makes cifar100 cifar100 "$(printf 'fine %d;' {0..98})fine 99"
makes coarse cifar100 "$(printf 'group %d;' {0..18})group 19" --coarse
makes idx idx ''
makes emnist emnist ''
for name in cifar100 coarse; do
    train $name.bin 2 "$tmp/net.yaml" --data "$tmp/cifar100" --labels "${name/cifar100/fine}" --steps 2
    check "CIFAR-100's own files, $name labels: the same bits and names" test "$(result $name.bin state_hash class_names test_loss)" = \
        "$(result $name state_hash class_names test_loss)"
    check "CIFAR-100's own files, $name labels: their name" test "$(result $name.bin dataset)" = cifar100-like
done
printf '\144' | dd of="$tmp/cifar100/train.bin" bs=1 seek=$((3074 * 7 + 1)) conv=notrunc 2>/dev/null
train refused 2 "$tmp/net.yaml" --data "$tmp/cifar100"
one_error 3 "train.bin: record 7 has label 100, beyond 99: the file is damaged; .*CIFAR-100's archive" "a label that cannot be"
cp -r "$tmp/cifar100" "$tmp/unnamed"
rm "$tmp/unnamed/fine_label_names.txt" && mkdir "$tmp/unnamed/fine_label_names.txt"
train refused 2 "$tmp/net.yaml" --data "$tmp/unnamed"
one_error 3 'unnamed/fine_label_names.txt: ' "names that cannot be read are not no names"
staged() { SCRATCH=$tmp/scratch scripts/slurm/stage.sh --data "$tmp/staged" 2>&1 | tail -n 1; }
cp -r "$tmp/cifar100" "$tmp/staged"
before=$(staged)
check "stage.sh: the set's files, its names too" test -s "$before/train.bin" -a -s "$before/fine_label_names.txt"
check "stage.sh: once" test "$(staged)" = "$before"
sed -i 1s/fine/first/ "$tmp/staged/fine_label_names.txt"
check "stage.sh: other names are another set" cmp "$(staged)/fine_label_names.txt" "$tmp/staged/fine_label_names.txt"
printf '%s\n' a b c d e >"$tmp/names"
makes keras keras.npz 'a;b;c;d;e' --names "$tmp/names"
check "what is split: all records, each once" scripts/to_hdf5.py "$tmp/whole.npz" "$tmp/whole.h5" --test-share 0.3
check "what is split: of each class" /usr/bin/python3 - "$tmp" <<'END'
import sys
import h5py, numpy as np
whole = np.load(sys.argv[1] + "/whole.npz")
with h5py.File(sys.argv[1] + "/whole.h5") as file:
    x = np.concatenate([file["train/images"][()], file["test/images"][()]])
    y = np.concatenate([file["train/labels"][()], file["test/labels"][()]])
    assert set(file["test/labels"][()]) == set(whole["y"].flat)
key = lambda x, y: sorted((int(label), image.tobytes()) for image, label in zip(x, y))
assert key(x, y) == key(whole["x"], whole["y"][:, 0])
END

# fails PATTERN NAME WORD...
fails() {
    local pattern=$1 name=$2
    shift 2
    refuse "$name" scripts/to_hdf5.py "$@"
    check "$name: said in one line" test "$(wc -l <"$tmp/.output") $(grep -cE -- "$pattern" "$tmp/.output")" = "1 1"
}

# ---- Pictures. ----
if /usr/bin/python3 -c 'import PIL' 2>/dev/null; then
    /usr/bin/python3 - "$tmp" <<'END'
import os, sys
import numpy as np
from PIL import Image
random = np.random.RandomState(4)
for part, n in ("train", 30), ("test", 4):
    for i, name in enumerate(["cat", "dog", "sea gull"]):
        os.makedirs(f"{sys.argv[1]}/pictures/{part}/{name}")
        for k in range(n):
            image = random.randint(0, 256, (20, 20, 3)).astype(np.uint8)
            image[0, 0] = i, k, 7
            Image.fromarray(image).save(f"{sys.argv[1]}/pictures/{part}/{name}/{k}.{'png' if k % 2 else 'bmp'}")
Image.fromarray(random.randint(0, 256, (90, 70, 3)).astype(np.uint8)).save(sys.argv[1] + "/large.png")
Image.fromarray(random.randint(0, 65536, (20, 20)).astype(np.uint16)).save(sys.argv[1] + "/deep.png")
open(sys.argv[1] + "/no.png", "w").write("no picture")
END
    check "pictures: a file" scripts/to_hdf5.py "$tmp/pictures" "$tmp/pictures.h5"
    check "pictures: each with its class, in random order" /usr/bin/python3 - "$tmp" <<'END'
import sys
import h5py, numpy as np
with h5py.File(sys.argv[1] + "/pictures.h5") as file:
    assert [n.decode() for n in file["class_names"][()]] == ["cat", "dog", "sea gull"]
    for part, n in ("train", 30), ("test", 4):
        marks, labels = file[part + "/images"][:, 0, 0], file[part + "/labels"][()]
        assert np.array_equal(marks[:, 0], labels) and np.all(marks[:, 2] == 7)
        assert sorted(map(tuple, marks[:, :2])) == [(i, k) for i in range(3) for k in range(n)]
    assert np.count_nonzero(np.diff(file["train/labels"][()].astype(int))) > 20
END
    train pictures 2 "$tmp/net.yaml" --data "$tmp/pictures.h5" --steps 2
    check "pictures: lockstep trains on it" test "$code $(result pictures class_names)" = "0 ['cat', 'dog', 'sea gull']"
    cp "$tmp/large.png" "$tmp/pictures/test/dog/"
    refuse "pictures of several sizes want --size" scripts/to_hdf5.py "$tmp/pictures" "$tmp/no.h5"
    check "which is said" test "$(grep -c 'large.png has 70 x 90 pixels, .*give --size S' "$tmp/.output")" = 1
    check "--size" scripts/to_hdf5.py "$tmp/pictures" "$tmp/sized.h5" --size 16 --mode L
    check "--size: as Pillow cuts and resizes" /usr/bin/python3 - "$tmp" <<'END'
import sys
import h5py, numpy as np
from PIL import Image
square = Image.open(sys.argv[1] + "/large.png").convert("L").crop((0, 10, 70, 80)).resize((16, 16), Image.BILINEAR)
with h5py.File(sys.argv[1] + "/sized.h5") as file:
    assert file["train/images"].shape == (90, 16, 16, 1)
    assert any(np.abs(image[..., 0].astype(int) - np.asarray(square)).max() <= 1 for image in file["test/images"][()])
END
    cp "$tmp/no.png" "$tmp/pictures/test/dog/"
    fails 'dog/no.png: no picture' "a file that is no picture" "$tmp/pictures" "$tmp/no.h5" --size 16
    rm "$tmp/pictures/test/dog/no.png" && cp "$tmp/no.png" "$tmp/pictures/train/cat/.first.png"
    fails 'cat/.first.png: no picture' "the first file is no picture" "$tmp/pictures" "$tmp/no.h5" --size 16
    rm "$tmp/pictures/train/cat/.first.png" && cp "$tmp/deep.png" "$tmp/pictures/test/cat/"
    fails 'cat/deep.png has more than 8 bits' "a picture of 16 bits" "$tmp/pictures" "$tmp/no.h5" --size 16
    # Which part is which: train alone is split, and nothing is guessed.
    mkdir "$tmp/parts" && cp -r "$tmp/pictures/train" "$tmp/parts"
    check "train alone: a file" scripts/to_hdf5.py "$tmp/parts" "$tmp/parts.h5" --test-share 0.1
    check "train alone: split, into its own classes" /usr/bin/python3 - "$tmp" <<'END'
import sys
import h5py
with h5py.File(sys.argv[1] + "/parts.h5") as file:
    assert [n.decode() for n in file["class_names"][()]] == ["cat", "dog", "sea gull"]
    assert [len(file[part + "/labels"]) for part in ("train", "test")] == [81, 9]
END
    cp -r "$tmp/pictures/test" "$tmp/parts/val" && rm "$tmp/parts/val/cat/deep.png" "$tmp/parts/val/dog/large.png"
    fails 'parts has train/ and val/, but no test/ ' "train and val without test" "$tmp/parts" "$tmp/no.h5"
    mv "$tmp/parts/train" "$tmp/parts/test"
    fails 'parts has test/ and val/, but no train/ ' "test and val without train" "$tmp/parts" "$tmp/no.h5"
else
    skip "pictures" "python3-pil is missing"
fi

# ---- What cannot be. ----
fails 'images are float64 of 0.0 to 1.0, not bytes' "floats" "$tmp/floats.npz" "$tmp/no.h5"
fails 'has arrays a, b: x_train, y_train' "arrays of other names" "$tmp/other.npz" "$tmp/no.h5"
fails '\[N, H, W, C\] of at most 64 x 64' "too large" "$tmp/wide.npz" "$tmp/no.h5"
fails 'no such file or folder' "nothing" "$tmp/nothing" "$tmp/no.h5"
mkdir "$tmp/empty"
fails 'holds nothing that is read here' "an empty folder" "$tmp/empty" "$tmp/no.h5"
head -c 100 "$tmp/idx/train-labels-idx1-ubyte" | head -c 30 >"$tmp/cut" && mv "$tmp/cut" "$tmp/idx/train-labels-idx1-ubyte"
fails 'train-labels-idx1-ubyte is cut off: 22 bytes of 50' "an idx file that is cut off" "$tmp/idx" "$tmp/no.h5"
head -c 3000 "$tmp/emnist/emnist-balanced-train-images-idx3-ubyte.gz" >"$tmp/cut" && mv "$tmp/cut" "$tmp/emnist/emnist-balanced-train-images-idx3-ubyte.gz"
fails 'emnist-balanced-train-images-idx3-ubyte.gz: .*ended before' "a packed file that is cut off" "$tmp/emnist" "$tmp/no.h5"
head -c 6 "$tmp/idx/train-labels-idx1-ubyte" >"$tmp/cut" && mv "$tmp/cut" "$tmp/idx/train-labels-idx1-ubyte"
fails 'train-labels-idx1-ubyte is no idx file' "an idx file without its head" "$tmp/idx" "$tmp/no.h5"
for file in "$tmp"/emnist/*; do cp "$file" "${file/balanced/letters}"; done
fails 'holds 2 sets \(emnist-balanced, emnist-letters\): give a folder' "two sets in a folder" "$tmp/emnist" "$tmp/no.h5"
head -c 500 "$tmp/keras.npz" >"$tmp/cut.npz"
fails 'cut.npz: ' "an npz that is cut off" "$tmp/cut.npz" "$tmp/no.h5"
before=$(cksum <"$tmp/keras.h5")
full() { (ulimit -f 8 && scripts/to_hdf5.py "$tmp/keras.npz" "$tmp/keras.h5"); }
refuse "no room" full
check "no room: said in one line" test "$(wc -l <"$tmp/.output") $(grep -c 'keras.h5 cannot be written: ' "$tmp/.output")" = "1 1"
check "no room: nothing is left, what was there stays" test ! -e "$tmp/keras.h5.part" -a "$(cksum <"$tmp/keras.h5")" = "$before"
printf 'cos\nsystem\n(S"touch %s/ran"\ntR.' "$tmp" >"$tmp/pickles/test_batch"
fails 'system is not what CIFAR.s files hold' "a pickle that would run something" "$tmp/pickles" "$tmp/no.h5"
check "and did not" test ! -e "$tmp/ran"
for bytes in 1500 40; do
    head -c $bytes "$tmp/pickles/data_batch_2" >"$tmp/cut" && mv "$tmp/cut" "$tmp/pickles/data_batch_2"
    fails 'pickles/data_batch_2: ' "$bytes bytes of a pickle" "$tmp/pickles" "$tmp/no.h5"
done
/usr/bin/python3 -c 'import pickle, sys; pickle.dump({b"data": 7}, open(sys.argv[1], "wb"), 2)' "$tmp/pickles/data_batch_2"
fails 'data_batch_2: its data are 1 values' "a pickle of something else" "$tmp/pickles" "$tmp/no.h5"
check "no file is left where none could be made" test ! -e "$tmp/no.h5" -a ! -e "$tmp/no.h5.part"
finish
