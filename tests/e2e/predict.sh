#!/bin/bash
# lockstep predict: PNGs of every kind and size; its probabilities are PyTorch's of the same pixels, its resizing PyTorch's too.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 200 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
small=$recipes/small.yaml # evaluated by the moving average

train run 1 $small --steps 40
check "a run" test $code = 0
printf 'GIF89a' >"$tmp/a.png"
lockstep 0 predict "$tmp/run" "$tmp/a.png"
if grep -q libcairo2-dev "$log"; then
    one_error 5 'libcairo2-dev' "without cairo: what to install"
    skip "predict" "lockstep was built without cairo"
    finish
fi
one_error 3 'a.png: not a PNG file' "no PNG"

# ---- Pictures: PNGs are written here without any library, so that what they hold is known. ----
cat >"$tmp/pictures.py" <<'END'
import struct, sys, zlib
import numpy as np

def png(path, rows, colour, depth=8, palette=None):
    """rows: uint8 [h][bytes of a row]; colour as PNG numbers it; the width follows."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    w = rows.shape[1] * 8 // depth // channels
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, len(rows), depth, colour, 0, 0, 0)))
        if palette is not None:
            file.write(chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
        file.write(chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b""))

folder, data = sys.argv[1:]
records = np.fromfile(data + "/test_batch.bin", np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32)
rgb = lambda image: np.ascontiguousarray(image.transpose(1, 2, 0)).reshape(image.shape[1], -1)
for i in range(8):
    png(f"{folder}/test-{i}.png", rgb(records[i]), 2)
random = np.random.RandomState(7)
smooth = lambda h, w: np.stack([np.add.outer(np.arange(h) * (c + 1), np.arange(w) * 3) % 256 for c in range(3)])
made = {"wide": smooth(60, 131), "tall": smooth(203, 40), "large": random.randint(0, 256, (3, 480, 480)),
        "small": random.randint(0, 256, (3, 9, 9)), "thin": smooth(1, 500), "odd": random.randint(0, 256, (3, 33, 31))}
for name, image in made.items():
    png(f"{folder}/{name}.png", rgb(image.astype(np.uint8)), 2)
np.savez(folder + "/pictures.npz", records=records[:8], **made)
grey = records[0][1]
png(folder + "/grey.png", grey, 0)
png(folder + "/as-rgb.png", rgb(np.stack([grey] * 3)), 2)
png(folder + "/palette.png", grey, 3, palette=np.stack([np.arange(256)] * 3, 1))
deep = np.stack([grey, random.randint(0, 256, grey.shape)], 2).astype(np.uint8).reshape(32, -1)  # big-endian
png(folder + "/deep.png", deep, 0, depth=16)
alpha = np.concatenate([records[0], np.full((1, 32, 32), 255)])
alpha[3, :16] = 0
png(folder + "/transparent.png", rgb(alpha.astype(np.uint8)), 6)
white = records[0].copy()
white[:, :16] = 255
png(folder + "/white.png", rgb(white), 2)
with open(folder + "/test-0.png", "rb") as file:
    whole = file.read()
open(folder + "/cut.png", "wb").write(whole[:len(whole) // 2])
open(folder + "/head.png", "wb").write(whole[:12])
open(folder + "/bomb.png", "wb").write(whole[:16] + struct.pack(">II", 30000, 30000) + whole[24:])
END
if ! /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    skip "predict" "python3-numpy is missing"
    finish
fi
check "pictures" /usr/bin/python3 "$tmp/pictures.py" "$tmp" "$CIFAR10_DIR"
predict() {
    "$program" predict "$@" >"$tmp/out" 2>"$log"
    code=$?
}

# ---- Against the evaluation: the pictures are test images. ----
tests=("$tmp"/test-{0,1,2,3,4,5,6,7}.png)
predict "$tmp/run/checkpoints/step-00000040.h5" "${tests[@]}"
check "eight pictures, a line each" test "$code $(grep -cE '^.*/test-[0-7].png: [a-z]+ [0-9.]+ %, [a-z]+ [0-9.]+ %, [a-z]+ [0-9.]+ %$' "$tmp/out")" = "0 8"
predict "$tmp/run/checkpoints/step-00000040.h5" "${tests[@]}" --json
cp "$tmp/out" "$tmp/predict.json"
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    check "class and probability are those of predictions.h5" /usr/bin/python3 - "$tmp" <<'END'
import h5py, json, sys
names = "airplane automobile bird cat deer dog frog horse ship truck".split()
got = json.load(open(sys.argv[1] + "/predict.json"))
file = h5py.File(sys.argv[1] + "/run/predictions.h5", "r")
assert got["step"] == 40 and got["dataset"] == json.load(open(sys.argv[1] + "/run/result.json"))["dataset"]
for i, image in enumerate(got["images"]):
    best = image["likeliest"][0]
    assert best["class"] == names[file["predicted"][i]] and abs(best["probability"] - file["probability"][i]) < 1e-5, (i, best)
    assert (image["width"], image["height"], image["cut"]) == (32, 32, [0, 0, 32, 32])
END
else
    skip "class and probability are those of predictions.h5" "python3-h5py is missing"
fi

# ---- Against PyTorch: all three classes, and pictures of other sizes. ----
if /usr/bin/python3 -c 'import h5py, torch, yaml' 2>/dev/null; then
    names=(wide tall large small thin odd)
    names=("${names[@]/#/$tmp/}")
    predict "$tmp/run/checkpoints/step-00000040.h5" "${tests[@]}" "${names[@]/%/.png}" --json
    cp "$tmp/out" "$tmp/predict.json"
    cp -r "$tmp/data" "$tmp/torch"
    check "PyTorch resizes to the same pixels, and finds the same three classes" /usr/bin/python3 - "$tmp" <<'END'
import json, sys
sys.path.insert(0, "scripts")
import numpy as np, torch
import to_pytorch, torch_layers
tmp = sys.argv[1]
names = "airplane automobile bird cat deer dog frog horse ship truck".split()
made = np.load(tmp + "/pictures.npz")
images = list(made["records"])
for name in "wide tall large small thin odd".split():
    image = torch.tensor(made[name].astype(np.float64))[None]
    h, w = image.shape[2:]
    side = min(h, w)
    y, x = (h - side) // 2, (w - side) // 2
    image = image[:, :, y:y + side, x:x + side]
    small = torch.nn.functional.interpolate(image, size=(32, 32), mode="bilinear", antialias=True, align_corners=False)
    images.append((small[0] + 1e-9 + 0.5).floor().clamp(0, 255).numpy().astype(np.uint8))
# As a test set of to_pytorch.py, whose logits are taken on their way.
records = np.concatenate([np.zeros((len(images), 1), np.uint8), np.stack(images).reshape(len(images), -1)], 1)
records.astype(np.uint8).tofile(tmp + "/torch/test_batch.bin")
seen, logits = [], torch_layers.logits
torch_layers.logits = lambda *given: seen.append(logits(*given)) or seen[-1]
to_pytorch.evaluate(tmp + "/torch", *to_pytorch.load(tmp + "/run/checkpoints/step-00000040.h5", None))
probabilities = torch.cat(seen).softmax(1).tolist()
got = json.load(open(tmp + "/predict.json"))["images"]
assert len(got) == len(images) == 14 and got[8]["cut"] == [35, 0, 60, 60] and got[9]["cut"] == [0, 81, 40, 40]
for one, theirs in zip(got, probabilities):
    order = sorted(range(10), key=lambda c: -theirs[c])[:3]
    assert [p["class"] for p in one["likeliest"]] == [names[c] for c in order], (one, theirs)
    for p, c in zip(one["likeliest"], order):
        assert abs(p["probability"] - theirs[c]) < 2e-4, (one["image"], p, theirs[c])
assert len({one["likeliest"][0]["class"] for one in got}) > 1
END
else
    skip "against PyTorch" "python3-torch or python3-h5py is missing"
fi

# ---- Kinds of PNG: the same pixels, the same words. ----
# same_words A B
same_words() {
    local a b
    predict "$tmp/run" "$tmp/$1.png" --json
    a=$(sed 's/.*"likeliest"//' "$tmp/out")
    predict "$tmp/run" "$tmp/$2.png" --json
    b=$(sed 's/.*"likeliest"//' "$tmp/out")
    [ "$code" = 0 ] && [ -n "$a" ] && [ "$a" = "$b" ]
}
check "grey is red, green and blue alike" same_words grey as-rgb
check "a palette" same_words palette as-rgb
check "16 bits a channel" same_words deep as-rgb
check "what is transparent is white" same_words transparent white
refuse "other pixels give other words" same_words grey white

predict "$tmp/run" "$tmp/wide.png"
check "a picture of another size: says what it took" grep -qE 'wide.png: .* % \(60 x 60 at the centre of 131 x 60, resized to 32 x 32\)$' "$tmp/out"
predict "$tmp/run" "$tmp/test-0.png" --json
check "of a run directory the best checkpoint" \
    test "$code $(tests/read_json get "$tmp/out" checkpoint step | tr '\n' ' ')" = "0 $tmp/run/best.h5 $(result run best_step) "
predict "$tmp/run" "$tmp/test-0.png" --json --eval.tta shifts
check "test-time augmentation gives other probabilities" bash -c "[ \$(tests/read_json get '$tmp/out' tta) = shifts ] &&
    ! cmp -s <(sed 's/.*likeliest//' '$tmp/out') <('$program' predict '$tmp/run' '$tmp/test-0.png' --json | sed 's/.*likeliest//')"
for threads in 1 2 3; do
    predict "$tmp/run" "${tests[@]}" --json --threads $threads
    cp "$tmp/out" "$tmp/threads-$threads"
done
check "the same bits with 1, 2 and 3 threads" bash -c "cmp '$tmp/threads-1' '$tmp/threads-2' && cmp '$tmp/threads-1' '$tmp/threads-3'"
train synthetic 1 $recipes/tiny.yaml --steps 2 --data synthetic
predict "$tmp/synthetic" "$tmp/test-0.png"
check "of a network of synthetic images: says so" grep -q '\[synthetic\]$' "$tmp/out"

# ---- Errors. ----
lockstep 0 predict "$tmp/run" "$tmp/test-0.png" "$tmp/cut.png"
one_error 3 'cut.png: a damaged PNG file' "a PNG that is cut off"
lockstep 0 predict "$tmp/run" "$tmp/head.png"
one_error 3 'head.png: a damaged PNG file' "the beginning of a PNG"
lockstep 0 predict "$tmp/run" "$tmp/bomb.png"
one_error 3 'bomb.png: more than 100 million pixels' "too large a PNG"
lockstep 0 predict "$tmp/run" "$tmp/nowhere.png"
one_error 3 'nowhere.png: No such file' "a picture that is not there"
lockstep 0 predict "$tmp/run" "$tmp"
one_error 3 'Is a directory' "a folder"
lockstep 0 predict "$tmp/nothing.h5" "$tmp/test-0.png"
one_error 4 'nothing.h5' "a checkpoint that is not there"
lockstep 0 predict "$tmp/run"
one_error 2 'which pictures' "no picture"
lockstep 0 predict
one_error 2 'which checkpoint' "no checkpoint"
lockstep 0 predict "$tmp/run" "$tmp/test-0.png" --jason
one_error 2 'unknown option --jason' "an unknown option"
lockstep 2 predict "$tmp/run" "$tmp/test-0.png"
one_error 2 'one process' "under mpirun"
finish
