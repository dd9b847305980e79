#!/bin/bash
# limit: 300
# A set of one's own in HDF5 (28 x 28 grey, 7 named classes): trained on 1 and 3 ranks with the same bits, evaluated, looked at by
# predict and report, resumed; and what is wrong with such a file is one clear line.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

/usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null || skip_all "python3-h5py is missing: scripts/setup.sh test"

# Seven figures that a small network tells apart: a bright block in one of seven places, on noise; some are wrongly labelled. make FILE [WHAT]
cat >"$tmp/make.py" <<'END'
import sys
import h5py, numpy as np
path, what = sys.argv[1], (sys.argv[2:] + [""])[0]
names = ["north", "east", "south", "west", "the middle", "upper <left>", "Ünten & rechts"]
places = [(2, 10), (10, 18), (18, 10), (10, 2), (10, 10), (2, 2), (18, 18)]
random = np.random.RandomState(5)

def part(n):
    labels = random.randint(0, 7, n)
    images = random.randint(0, 120, (n, 28, 28, 1))
    for image, label in zip(images, labels):
        y, x = places[label]
        image[y:y + 8, x:x + 8] += 110
    labels = np.where(random.rand(n) < 0.1, random.randint(0, 7, n), labels)  # so that no loss is 0
    return images.astype(np.uint8), labels

with h5py.File(path, "w") as file:
    for name, n in ("train", 1120), ("test", 210), ("holdout", 105):
        images, labels = part(n)
        if what == "sorted":
            order = np.argsort(labels, kind="stable")
            images, labels = images[order], labels[order]
        if name != "holdout" or what == "holdout":
            file.create_dataset(name + "/images", data=images, compression=None if what == "plain" else "gzip")
            file.create_dataset(name + "/labels", data=labels.astype(np.int64 if what == "plain" else np.uint8))
    if what == "fixed":
        file["class_names"] = np.array([n.encode() for n in names])
    elif what != "numbers":
        file["class_names"] = names
    if what == "float":
        images = file["train/images"][()]
        del file["train/images"]
        file["train/images"] = images / np.float32(255)
END
make() { /usr/bin/python3 "$tmp/make.py" "$@"; }
check "a set" make "$tmp/blocks.h5"
cat >"$tmp/blocks.yaml" <<'END'
batch-size: 48
lanes: 6
epochs: 3
log-every: 5
optimizer:
  lr: 0.05
  momentum: 0.9
augment:
  crop-pad: 1
model: |
  conv c=16 k=3 p=1 s=2
  bn
  relu
  conv c=16 k=3 p=1 s=2
  bn
  relu
  linear c=classes
END
train one 1 "$tmp/blocks.yaml" --data "$tmp/blocks.h5"
check "one rank: it trains" test $code = 0
check "one rank: it learns" awk -v a="$(result one test_accuracy)" 'BEGIN { exit !(a > 0.8) }'
check "one rank: the log says what it trains on" \
    grep -qF "data: blocks in $tmp/blocks.h5: 1120 training, 210 test images of 1 x 28 x 28 in 7 classes" "$log"
train three 3 "$tmp/blocks.yaml" --data "$tmp/blocks.h5"
same three one "three ranks: the same bits"
check "result.json: the set's name" test "$(result one dataset)" = blocks
check "result.json: shape and names" test "$(result one image class_names)" = "[1, 28, 28]
['north', 'east', 'south', 'west', 'the middle', 'upper <left>', 'Ünten & rechts']"
check "result.json: a confusion matrix of 7" test "$(result one confusion | tr -cd '[' | wc -c)" = 8

# ---- Mean and standard deviation: numpy's, of the same images. ----
said() { sed -n "s/^  $1: //p" "$tmp/one/config.yaml"; }
check "mean and std are the set's own" /usr/bin/python3 - "$tmp/blocks.h5" "$(said mean)" "$(said std)" <<'END'
import sys
import h5py
images = h5py.File(sys.argv[1])["train/images"][()] / 255
for got, want in zip(sys.argv[2:], (images.mean(), images.std())):
    assert abs(float(got) - want) < 1e-7, (got, want)
END

# ---- However it is stored, the same bits: nothing of the file but its records counts. ----
for what in plain fixed; do
    make "$tmp/$what.h5" $what
    train $what 2 "$tmp/blocks.yaml" --data "$tmp/$what.h5"
    check "$what: the same bits" test "$code $(result $what state_hash)" = "0 $(result one state_hash)"
done
check "strings of fixed length: the same names" test "$(result fixed class_names)" = "$(result one class_names)"
make "$tmp/numbers.h5" numbers
train numbers 1 "$tmp/blocks.yaml" --data "$tmp/numbers.h5" --steps 2
check "without names: the numbers" test "$(result numbers class_names)" = "['0', '1', '2', '3', '4', '5', '6']"

# ---- Crash and resume, on another number of ranks. ----
train cut 3 "$tmp/blocks.yaml" --data "$tmp/blocks.h5" --checkpoint-every 10 --crash-at 15
check "a crash" test $code != 0
train cut 2 "$tmp/blocks.yaml" --data "$tmp/blocks.h5" --checkpoint-every 10
check "resumed: at step 10" test "$code $(result cut resumed_from)" = "0 10"
check "resumed: the same bits" test "$(result cut state_hash)" = "$(result one state_hash)"
make "$tmp/other.h5" numbers
/usr/bin/python3 -c 'import h5py, sys; f = h5py.File(sys.argv[1], "r+"); f["test/images"][7, 3, 3, 0] ^= 1' "$tmp/other.h5"
train cut 2 "$tmp/blocks.yaml" --data "$tmp/other.h5" --epochs 4 --checkpoint-every 10
one_error 3 'was tested on other images \(blocks\)' "a file of other test images is refused at a resume"

# ---- eval, inspect, predict. ----
evaluate() {
    "$program" eval "$@" --json >"$tmp/eval.json" 2>"$log"
    code=$?
}
last=$(newest one)
evaluate "$last"
check "eval: finds the file where the run had it" test $code = 0
check "eval: the run's numbers" test "$(tests/read_json get "$tmp/eval.json" dataset test_accuracy confusion)" = \
    "$(result one dataset test_accuracy confusion)"
check "eval: the classes' names" grep -q '"upper <left>":' "$tmp/eval.json"
"$program" eval "$tmp/one" >"$log" 2>&1
check "eval: a table with all names, in line" \
    test "$(LC_ALL=C.UTF-8 grep -cE '^  .{14} [ .0-9]{6} %( +[0-9]+){7}$' "$log")" = 7
mkdir "$tmp/alone" && cp "$last"* "$tmp/alone"
evaluate "$tmp"/alone/step-*.h5
one_error 2 'was trained on blocks, and its run does not say where that is: name it with --data' "eval of a file that was carried away"
evaluate "$tmp"/alone/step-*.h5 --data "$tmp/plain.h5"
check "eval: another file of the same records" test "$code $(tests/read_json get "$tmp/eval.json" dataset test_accuracy)" = "0 plain
$(result one test_accuracy)"
evaluate "$last" --data synthetic
one_error 3 'synthetic has images of 3 x 32 x 32 in 10 classes, .* is for 1 x 28 x 28 in 7' "eval on a set of another shape"
check "inspect: shape and names" grep -qF \
    'images of 1 x 28 x 28 in 7 classes: north, east, south, west, the middle, upper <left>, Ünten & rechts' <("$program" inspect "$last")
cat >"$tmp/pictures.py" <<'END'
import sys
import h5py
from PIL import Image
file = h5py.File(sys.argv[1] + "/blocks.h5")
for i in range(3):
    Image.fromarray(file["test/images"][i, :, :, 0]).save(f"{sys.argv[1]}/{i}.png")
Image.fromarray(file["test/images"][0, :, :, 0]).convert("RGB").save(sys.argv[1] + "/rgb.png")
END
cat >"$tmp/predicted.py" <<'END'
import json, sys
import h5py
tmp = sys.argv[1]
got = json.load(open(tmp + "/predict.json"))
names = json.load(open(tmp + "/one/result.json"))["class_names"]
run = h5py.File(tmp + "/one/predictions.h5")
assert got["dataset"] == "blocks"
best = [image["likeliest"][0] for image in got["images"]]
for i in range(3):
    assert best[i]["class"] == names[run["predicted"][i]] and abs(best[i]["probability"] - run["probability"][i]) < 1e-5, (i, best)
assert best[3] == best[0], best
END
if /usr/bin/python3 -c 'import PIL' 2>/dev/null; then
    /usr/bin/python3 "$tmp/pictures.py" "$tmp"
    "$program" predict "$last" "$tmp"/{0,1,2,rgb}.png --json >"$tmp/predict.json" 2>"$log"
    if grep -q libcairo2-dev "$log"; then
        skip "predict" "lockstep was built without cairo"
    else
        check "predict: the run's classes by name, and its probabilities" /usr/bin/python3 "$tmp/predicted.py" "$tmp"
    fi
else
    skip "predict" "python3-pil is missing"
fi

# ---- The report. ----
"$program" report "$tmp/one" >"$log" 2>&1
if grep -q libcairo2-dev "$log"; then
    skip "the report" "lockstep was built without cairo"
else
    check "report: names and set" tests/e2e/check_report page "$tmp/one/report/report.html" "blocks" "upper <left>" "Ünten & rechts" "the middle"
    refuse "report: no word of CIFAR-10" grep -qi cifar "$tmp/one/report/report.html"
    mv "$tmp/blocks.h5" "$tmp/away.h5"
    "$program" report "$tmp/one" --out "$tmp/again" >"$log" 2>&1
    check "report without the images: the names all the same" tests/e2e/check_report page "$tmp/again/report.html" "Ünten & rechts"
    mv "$tmp/away.h5" "$tmp/blocks.h5"
fi

# ---- A holdout of its own. ----
make "$tmp/holdout.h5" holdout
train holdout 2 "$tmp/blocks.yaml" --data "$tmp/holdout.h5"
check "a holdout of its own selects the best" test "$code $(result holdout selected_on)" = "0 holdout"
check "a holdout of its own: the log says so" grep -q 'best.h5 is selected on the 105 held-out records of the set' "$log"
check "a holdout of its own: nothing else changes" test "$(result holdout test_loss)" = "$(result one test_loss)"
/usr/bin/python3 - "$tmp/holdout.h5" "$tmp/swapped.h5" <<'END'
import shutil, sys
import h5py
shutil.copy(*sys.argv[1:])
with h5py.File(sys.argv[2], "r+") as file:
    file.move("test", "was"), file.move("holdout", "test"), file.move("was", "holdout")
END
evaluate "$(newest holdout)" --data "$tmp/swapped.h5"
held=$(grep '"split":"holdout"' "$tmp/holdout/metrics.jsonl" | tail -n 1 | sed -E 's/.*"loss":([0-9.e-]+),.*/\1/')
check "a holdout of its own: evaluated to the bit" awk -v a="$held" -v b="$(tests/read_json get "$tmp/eval.json" test_loss)" \
    'BEGIN { exit !(a > 0 && (a - b) ^ 2 < 1e-20) }'
sed -i '/"split":"test"/d' "$tmp/holdout/metrics.jsonl"
train holdout 1 "$tmp/blocks.yaml" --data "$tmp/holdout.h5"
tested() { grep '"split":"test"' "$tmp/holdout/metrics.jsonl"; }
check "a holdout of its own: what is put back of the test set is never the best" \
    test "$code $(tested | wc -l) $(tested | grep -c '"best":false')" = "0 3 3"
train refused 2 "$tmp/blocks.yaml" --data "$tmp/holdout.h5" --holdout 50
one_error 2 'holdout 50: .*holdout.h5 has 105 held-out records of its own' "--holdout beside it is refused"

# ---- What does not fit is said once, with the remedy. ----
train refused 2 "$tmp/blocks.yaml" --data "$tmp/make.py"
one_error 3 'data file .*make.py .*: is no HDF5 file' "a file that is none"
make "$tmp/float.h5" float
train refused 3 "$tmp/blocks.yaml" --data "$tmp/float.h5"
one_error 3 'data file .*float.h5 .*: train/images holds no whole numbers' "images of floats"
train refused 2 "$tmp/blocks.yaml" --data "$tmp/blocks.h5" --augment.mean 0.5,0.5,0.5
one_error 2 'augment.mean has 3 numbers, but the images have 1 channel: give one number' "a mean for colours"
train refused 2 "$tmp/blocks.yaml" --data "$tmp/blocks.h5" --augment.erase-fill 1,2,3
one_error 2 'augment.erase-fill has 3 numbers, but the images have 1 channel: give one number' "a fill for colours"
train refused 2 "$tmp/blocks.yaml" --data "$tmp/blocks.h5" --augment.jitter-hue 0.1
one_error 2 'augment.jitter-hue wants images of 3 channels, red, green and blue, but these have 1: leave it out' "the hue of grey images"
train grey 2 "$tmp/blocks.yaml" --data "$tmp/blocks.h5" --steps 2 --augment.policy randaugment --augment.jitter-contrast 0.4 --augment.erase 1
check "RandAugment, jitter and erasing of grey images" test "$code" = 0
sed 's/c=classes/c=5/' "$tmp/blocks.yaml" >"$tmp/five.yaml"
train refused 2 "$tmp/five.yaml" --data "$tmp/blocks.h5"
one_error 2 "gives 5 numbers an image, but the data set has 7 classes: end it with 'linear c=classes'" "a recipe for fewer classes"
sed 's/c=classes/c=10/' "$tmp/blocks.yaml" >"$tmp/ten.yaml"
train ten 2 "$tmp/ten.yaml" --data "$tmp/blocks.h5" --steps 1
check "a recipe for more classes: a warning" test "$code $(grep -c '^warning: the network has 10 outputs for 7 classes' "$log")" = "0 1"
make "$tmp/sorted.h5" sorted
train sorted 2 "$tmp/blocks.yaml" --data "$tmp/sorted.h5" --steps 1
check "class by class: a warning" test "$code $(grep -c '^warning: data: the training records stand class by class' "$log")" = "0 1"
for recipe in quickstart resnet9 vit cct2 msu-net burst-cnn; do
    lockstep 0 train configs/$recipe.yaml --data "$tmp/blocks.h5" --describe
    check "configs/$recipe.yaml takes shape and classes from the set" grep -qE '^ *[a-z]+[0-9]* +linear c=7 ' "$log"
done
train refused 2 configs/airbench94.yaml --data "$tmp/blocks.h5"
one_error 2 'airbench94.yaml:[0-9]+: .*whitening' "a recipe whose first layer is for colours"
finish
