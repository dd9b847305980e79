#!/bin/bash
# init=whitening: the filters against numpy's eigenvectors of the same patches, at any number of ranks; made of the records
# that are trained on, in the order of the files; taken from the checkpoint at a resume.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

python=/usr/bin/python3
$python -c "import h5py, numpy" 2>/dev/null || skip_all "python3-h5py or python3-numpy is missing"
small_data "$tmp/data" 120 50 || { fail "small data" && finish; }
small_data "$tmp/large" 1010 50 || { fail "data" && finish; }
export CIFAR10_DIR=$tmp/data
cat >"$tmp/whitening.yaml" <<'YAML'
batch-size: 40
lanes: 4
seed: 3
checkpoint-every: 4
optimizer:
  name: sgd
  lr: 0.05
  momentum: 0.9
augment:
  flip: 0.5
  mean: [0.4914, 0.4822, 0.4465]
  std: [0.2470, 0.2435, 0.2616]
model: |
  conv c=24 k=2 init=whitening bias bias_init=zero
  gelu
  conv c=8 k=3 init=partial_dirac
  bn
  gelu
  avgpool global
  linear c=10
YAML
recipe=$tmp/whitening.yaml

# filters NAME [HOLDOUT [DATA]]: whether the first layer of the run's newest checkpoint, which has not moved yet, is what numpy says.
filters() { $python "$(dirname "$0")/check_whitening" "$(newest "$1")" "${3:-$tmp/data}" 3 "${2:-0}" >"$tmp/out" 2>&1 || { cat "$tmp/out" && false; }; }

for ranks in 1 3; do
    train still-$ranks $ranks "$recipe" --steps 1 --optimizer.lr 0
    check "$ranks ranks: filters are numpy's eigenvectors" filters still-$ranks
done
same still-3 still-1 "3 ranks have the filters of 1"
check "the log says what they are made of" grep -q \
    'conv1.weight: whitening filters of 576600 patches of 2 x 2, of the first 600 training images' "$tmp/still-1/log.txt"
train held 2 "$recipe" --steps 1 --optimizer.lr 0 --holdout 200
check "records that are held out have no part in them" filters held 200
train synthetic 2 "$recipe" --steps 1 --data synthetic
check "synthetic images: the first 5000" grep -q 'of the first 5000 training images' "$tmp/synthetic/log.txt"
train large 3 "$recipe" --steps 1 --optimizer.lr 0 --data "$tmp/large"
check "of 5050 images the first 5000" filters large 0 "$tmp/large"

train whole 2 "$recipe" --steps 12
train cut 1 "$recipe" --steps 6
train cut 3 "$recipe" --steps 12
same cut whole "a resume has them from the checkpoint"
check "they are made once" test "$(grep -c 'whitening filters' "$tmp/cut/log.txt")" = 1
lockstep 2 bench "$recipe" --steps 2
check "bench begins with them" test "$code" = 0
finish
