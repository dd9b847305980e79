#!/bin/bash
# --init-from: a run begins with the weights of another one's checkpoint: which ones, on all ranks alike, and what is refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_all "python3-h5py is missing"
small_data "$tmp/data" 32 50 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
words=(--batch-size 32 --eval.batch 50)
# What begins: nothing is learned, and statistics stay, so that its checkpoint has what it began with.
sed -e 's/^\( *\)bn$/\1bn momentum=0/' -e 's/^  ema-decay.*/  ema-decay: 0/' $recipes/small.yaml >"$tmp/still.yaml"
sed 's/linear c=10/linear c=13/' "$tmp/still.yaml" >"$tmp/wide.yaml"
sed 's/conv c=32/conv c=24/' "$tmp/still.yaml" >"$tmp/narrow.yaml"
sed 's/^  conv c=32/  last: conv c=32/' "$tmp/still.yaml" >"$tmp/renamed.yaml"
still=("${words[@]}" --optimizer.lr 0 --steps 1)

train source 0 $recipes/small.yaml "${words[@]}" --steps 4
from=$tmp/source/checkpoints/step-00000004.h5
train seed 0 "$tmp/wide.yaml" "${still[@]}"
check "a run to begin from, and one from its seed" test -e "$from" -a "$code" = 0

train still 0 "$tmp/still.yaml" "${still[@]}" --init-from "$from"
check "a run that begins with its weights" test "$code" = 0
check "... and says so" grep -q 'init-from: weights (their moving average) of step 4 in .*; all else begins anew' "$log"
train wide 0 "$tmp/wide.yaml" "${still[@]}" --init-from "$from"
check "a run with a wider last layer" test "$code" = 0
check "... which says that this begins anew" \
    grep -q 'init-from: layer linear1 begins anew: its weight is 10 x 32 in .*step-00000004.h5, and 13 x 32 here' "$log"
check "weights, running statistics, and the last layer" $python - "$tmp" <<'END'
import sys
import h5py
import numpy as np

def read(path, group):
    with h5py.File(f"{sys.argv[1]}/{path}.h5", "r") as file:
        return {k: v[()] for k, v in file[group].items()}

source, raw = read("source/checkpoints/step-00000004", "ema"), read("source/checkpoints/step-00000004", "params")
running = read("source/checkpoints/step-00000004", "running")
assert any((source[k] != raw[k]).any() for k in source), "the average shows nothing"
for run in "still", "wide":
    found = read(f"{run}/checkpoints/step-00000001", "params")
    for key, value in found.items():
        if run == "wide" and key.startswith("linear1."):
            assert np.array_equal(value, read("seed/checkpoints/step-00000001", "params")[key]), key
        else:
            assert np.array_equal(value, source[key]), (run, key)
    for key, value in read(f"{run}/checkpoints/step-00000001", "running").items():
        assert np.array_equal(value, running[key]), (run, key)
END

# One run on one rank, and on three, which crashes and goes on.
whole=("${words[@]}" --optimizer.lr 0.01 --steps 3 --checkpoint-every 1 --init-from "$from")
train one 1 "$tmp/wide.yaml" "${whole[@]}"
train three 3 "$tmp/wide.yaml" "${whole[@]}" --crash-at 2:1:kill
check "a rank is killed" test "$code" != 0
train three 3 "$tmp/wide.yaml" "${whole[@]}"
same three one "three ranks with a crash, as one rank without"
check "it was resumed, and did not begin again" test "$(result three resumed_from)" = 2
train one 0 "$tmp/wide.yaml" "${words[@]}" --optimizer.lr 0.01 --steps 4 --checkpoint-every 1
one_error 2 'cannot change at resume: init-from .* there,  here' "a resume that does not name it"

train refused 0 "$tmp/narrow.yaml" "${still[@]}" --init-from "$from"
one_error 2 'its conv3.weight has shape 32 x 16 x 3 x 3, the network.s 24 x 16 x 3 x 3; only the last layer' "another shape"
train refused 2 "$tmp/renamed.yaml" "${still[@]}" --init-from "$from"
one_error 2 'it has no last.weight, which the network has; layers go by name' "another name, on two ranks"
train refused 2 "$tmp/still.yaml" "${still[@]}" --init-from "$tmp/none.h5"
one_error 4 'none.h5' "no such file, on two ranks"
cp "$from" "$tmp/damaged.h5"
printf 'x' | dd of="$tmp/damaged.h5" bs=1 seek=20000 conv=notrunc 2>/dev/null
train refused 0 "$tmp/still.yaml" "${still[@]}" --init-from "$tmp/damaged.h5"
one_error 4 'damaged.h5' "a damaged one"
train scaled 0 "$tmp/still.yaml" "${still[@]}" --init-from "$from" --augment.std 0.1,0.1,0.1
check "images of another scale: a warning" grep -q 'its images had another augment.mean or augment.std than these' "$log"

finish
