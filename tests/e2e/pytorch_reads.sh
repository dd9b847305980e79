#!/bin/bash
# PyTorch, by scripts/to_pytorch.py, gets the accuracy that `lockstep eval` gets from the same checkpoint, but for images
# whose two largest logits nearly tie.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

python=/usr/bin/python3
$python -c 'import h5py, torch, yaml' 2>/dev/null || skip_all "python3-torch or python3-h5py is missing"
[ -x "$BUILD/lockstep" ] || skip_all "$BUILD/lockstep is not built"

# Images in the data set's format whose brightness goes with their class: a few steps learn something.
mkdir "$tmp/data"
$python - "$tmp/data" <<'EOF'
import sys
import numpy as np
random = np.random.RandomState(1)
def write(name, n):
    label = random.randint(0, 10, n)
    pixels = (random.randint(0, 256, (n, 3072)) * 0.4 + label[:, None] * 15).clip(0, 255)
    np.concatenate([label[:, None], pixels], 1).astype(np.uint8).tofile(f"{sys.argv[1]}/{name}")
for i in range(1, 6):
    write(f"data_batch_{i}.bin", 80)
write("test_batch.bin", 1000)
EOF

# Every layer kind, labels, strides, padding, a bias where there is none by default and the reverse.
cat >"$tmp/all-layers.yaml" <<'EOF'
batch-size: 40
lanes: 2
steps: 40
epochs: 9
label-smoothing: 0.1
optimizer:
  name: adam
  lr: 0.003
model: |
  conv c=16 k=3 p=1 bias
  gelu
  maxpool k=3 s=2 p=1
  trunk: conv c=16 k=3 p=1 groups=4  # a comment
  bn eps=0.001 scale=0
  r1: relu
  conv c=16 k=3 p=1
  bn
  add with=trunk
  avgpool k=3 s=2 p=1
  conv c=32 k=3 s=2 p=1
  bn bias=0
  r2: relu
  side: conv c=32 k=4 s=4 from=r1
  bn scale=0 bias=0
  add with=r2
  groupnorm groups=4 eps=0.001
  g3: gelu
  avgpool global
  linear c=32
  mul with=g3
  droppath p=0.2
  concat with=g3,side
  mul with=concat1
  pad_channels c=100
  slice c=80 first=13
  shuffle groups=8
  silu
  conv c=32 k=3 p=1 groups=4 bias
  r3: leaky_relu slope=0.2
  top: maxpool global
  shift from=r3
  patches k=2
  layernorm eps=0.001
  conv c=24 k=1 bias
  class_token
  positions
  conv c=24 k=1
  attention heads=2
  conv c=48 k=1
  t: attention heads=4 mask_diagonal temperature
  token index=2
  one: conv c=32 k=1
  seqpool from=t
  conv c=32 k=1
  add with=one
  add with=top
  dropout p=0.3
  linear c=24 bias=0
  gelu
  linear c=20
  tanh
  linear c=20
  sigmoid
  linear c=20
  scale by=4
  relu6
  linear c=10
  scale by=0.5
EOF

# A head of 12 outputs for the ten classes, as it begins: many images are taken for none of them.
cat >"$tmp/wide.yaml" <<'EOF'
batch-size: 40
lanes: 2
steps: 1
seed: 3
optimizer:
  lr: 1e-9
model: |
  conv c=8 k=3 s=2
  relu
  avgpool k=5
  linear c=12
EOF

compare() { # NAME CHECKPOINT [LEAST ACCURACY]
    "$BUILD/lockstep" eval "$2" --data "$tmp/data" --json >"$tmp/lockstep.json" 2>"$tmp/err" &&
        $python scripts/to_pytorch.py "$2" --data "$tmp/data" >"$tmp/torch.json" 2>>"$tmp/err" ||
        { fail "$1" "$(cat "$tmp/err")"; return; }
    check "$1 ($(grep -o '"test_accuracy": [0-9.]*' "$tmp/torch.json"))" $python - "$tmp" "${3:-0.2}" <<'EOF'
import json, sys
ours, theirs = (json.load(open(f"{sys.argv[1]}/{name}.json")) for name in ("lockstep", "torch"))
assert ours["images"] == theirs["images"] == 1000
assert float(sys.argv[2]) < ours["test_accuracy"] < 1, "the net learned too little, or all, to compare by"
# An image that changes class changes two counts.
moved = sum(abs(a - b) for us, them in zip(ours["confusion"], theirs["confusion"]) for a, b in zip(us, them))
assert moved <= 2 * len(theirs["near_ties"]) < 100, (ours, theirs)
EOF
}

train=("$BUILD/lockstep" train --data "$tmp/data" --quiet)
check "trains every layer kind" "${train[@]}" "$tmp/all-layers.yaml" --out "$tmp/all"
compare "every layer kind" "$tmp/all/checkpoints/step-00000040.h5"
check "trains quickstart with a moving average" "${train[@]}" configs/quickstart.yaml --batch-size 40 --lanes 4 --steps 40 \
    --optimizer.lr 0.05 --optimizer.ema-decay 0.5 --out "$tmp/ema"
compare "moving average" "$tmp/ema/checkpoints/step-00000040.h5"
check "predictions.h5 has PyTorch's probabilities" $python - "$tmp" <<'EOF'
import sys
sys.path.insert(0, "scripts")
import h5py, numpy as np, torch
import to_pytorch, torch_layers
seen, logits = [], torch_layers.logits
torch_layers.logits = lambda *given: seen.append(logits(*given)) or seen[-1]
labels = np.fromfile(f"{sys.argv[1]}/data/test_batch.bin", np.uint8).reshape(-1, 3073)[:, 0]
for run in "all", "ema":
    seen.clear()
    to_pytorch.evaluate(f"{sys.argv[1]}/data", *to_pytorch.load(f"{sys.argv[1]}/{run}/checkpoints/step-00000040.h5", None))
    theirs = torch.cat(seen).softmax(1).numpy()
    with h5py.File(f"{sys.argv[1]}/{run}/predictions.h5", "r") as file:
        label, predicted, probability = (file[k][()] for k in ("label", "predicted", "probability"))
        assert file.attrs["step"] == 40
    assert (label == labels).all() and len(set(predicted)) > 1
    theirs = theirs[np.arange(len(label)), predicted]
    assert abs(theirs - probability).max() < 1e-3 and probability.std() > 0.01, abs(theirs - probability).max()
EOF
check "trains a head with more outputs than classes" "${train[@]}" "$tmp/wide.yaml" --out "$tmp/wide"
compare "more outputs than classes" "$tmp/wide/checkpoints/step-00000001.h5" 0
check "images taken for no class are in no column, and wrong" $python - "$tmp" <<'EOF'
import json, sys
run, eval = (json.load(open(f"{sys.argv[1]}/{name}.json")) for name in ("wide/result", "lockstep"))
counts = run["confusion"]
assert counts == eval["confusion"] and len(counts) == 10 and all(len(row) == 10 for row in counts)
assert 0 < sum(map(sum, counts)) < 1000, "the seed shows nothing: take another"
assert run["test_accuracy"] == sum(counts[c][c] for c in range(10)) / 1000
with open(f"{sys.argv[1]}/data/test_batch.bin", "rb") as file:
    labels = list(file.read()[::3073])
for c, accuracy in enumerate(run["class_accuracy"]):
    assert accuracy == eval["class_accuracy"][list(eval["class_accuracy"])[c]] == counts[c][c] / labels.count(c)
EOF
check "a state_dict is saved" $python scripts/to_pytorch.py "$tmp/ema/best.h5" --out "$tmp/model.pt"
check "the state_dict holds the arrays" $python -c "
import torch
state = torch.load('$tmp/model.pt')
assert state['conv1.weight'].shape == (32, 3, 3, 3) and state['bn4.running_var'].min() > 0 and len(state) == 22"

# ---- What lockstep does not take is not read. ----
mkdir "$tmp/other"
file=$tmp/other/step-00000040.h5
cp "$tmp/ema/checkpoints/step-00000040.h5" "$file"
reads() { $python scripts/to_pytorch.py "$file" >"$tmp/out" 2>"$tmp/err"; }
check "a copy without a checksum file: read" reads
check "and that is said" test "$(grep -c '^warning: .*a copy without a checksum file' "$tmp/err") $(wc -l <"$tmp/err")" = "1 1"
sed 's/^./g/' "$tmp/ema/checkpoints/step-00000040.h5.xxh3" >"$file.xxh3"
check "touched by another program: read" reads
check "and that is said" test "$(grep -c '^warning: .*differs from its checksum file' "$tmp/err") $(wc -l <"$tmp/err")" = "1 1"
unasked() { BUILD=none reads; }
check "no lockstep to ask: read" unasked
check "and that is said" test "$(grep -c '^warning: .*read without being verified: .*build it' "$tmp/err") $(wc -l <"$tmp/err")" = "1 1"
$python -c "
import h5py
with h5py.File('$file', 'r+') as file: file['state'].attrs.modify('position', 7)"
refuse "a file that contradicts itself" reads
check "in one line" test "$(grep -c 'lockstep: .*/other/step-00000040.h5: damaged' "$tmp/err") $(wc -l <"$tmp/err")" = "1 1"
finish
