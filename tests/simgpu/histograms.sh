#!/bin/bash
# Histograms of weights and gradients on simulated GPUs: what TensorBoard reads is true of the checkpoints, for exact and for native
# sums.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

python=$tensorboard_python
"$python" -c 'import tensorboard' 2>/dev/null || skip_all "$python has no tensorboard (scripts/setup.sh test; TENSORBOARD_PYTHON)"
/usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null || skip_all "python3-h5py is not installed"
small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
sed 's/conv c=16 k=3 p=1$/conv c=128 k=3 p=1/' $recipes/tiny.yaml >"$tmp/wide.yaml" # 18,432 weights: more than come to the host at once
plain=(--optimizer.momentum 0 --optimizer.weight-decay 0 --optimizer.clip-norm 1e9 --lr 0.1 --log-every 1 --checkpoint-every 1 --keep 20)
for sums in exact native; do
    SIMGPU_SCHEDULE=random:7 LD_LIBRARY_PATH=$sim train $sums 2 "$tmp/wide.yaml" --data "$tmp/data" --device cuda "${plain[@]}" --steps 4 \
        --tensorboard.histograms 2 --reduction $sums
    check "$sums sums: a run" test "$code" = 0
    /usr/bin/python3 tests/e2e/check_histograms weights "$tmp/$sums" "$tmp/weights.npz"
    check "$sums sums: histograms of the weights in checkpoints, and of their gradients" "$python" tests/e2e/check_histograms compare \
        "$tmp/$sums" "$tmp/weights.npz" 0.1 2
done
finish
