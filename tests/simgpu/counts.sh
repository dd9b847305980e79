#!/bin/bash
# What the CUDA backend asks of a GPU is what the page of expected speeds says, and evaluation, which asks for much at once,
# says of each image what the reference says.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
check "docs/gpu-performance.md has these counts" bench/gpu_counts.py --check docs/gpu-performance.md

# Eight batches of 25 images and a rest of 3.
small_data "$tmp/data" 32 203 || { fail "small data" && finish; }
train run 0 tests/simgpu/counts.yaml --device ref --data "$tmp/data" --steps 40
check "the reference trains" test "$code" = 0
# counted NAME WORD...: what an evaluation says, without device and times.
counted() {
    local name=$1
    shift
    "$program" eval "$tmp/run" --data "$tmp/data" --json "$@" 2>"$log" >"$tmp/$name.json"
    code=$?
    tests/read_json get "$tmp/$name.json" images confusion >"$tmp/$name.txt"
}
loss() { tests/read_json get "$tmp/$1.json" test_loss; }
counted ref --device ref
check "the reference evaluates" test "$code $(head -n 1 "$tmp/ref.txt")" = "0 203"
for run in "1 lazy" "3 random:2"; do
    read -r threads schedule <<<"$run"
    LD_LIBRARY_PATH=$sim SIMGPU_SCHEDULE=$schedule counted "cuda-$threads" --device cuda --threads "$threads"
    check "$threads threads, $schedule: each image as the reference has it" cmp "$tmp/cuda-$threads.txt" "$tmp/ref.txt"
    check "and the loss" awk -v a="$(loss "cuda-$threads")" -v b="$(loss ref)" 'BEGIN { exit !((a - b) ^ 2 < 1e-10 * b ^ 2) }'
done
check "the same loss from any number of threads" test "$(loss cuda-3)" = "$(loss cuda-1)"

# In bf16 a mask of bits stands between the passes of batch norm before a ReLU. Where cuDNN has no engine for that, a kernel of
# its own masks the gradient: it is the same product.
gpu() {
    local name=$1
    XDG_CACHE_HOME=$tmp/cache/$name LD_LIBRARY_PATH=$sim SIMGPU_COUNTS=1 train "$name" 0 tests/simgpu/counts.yaml \
        --device cuda --precision bf16 --data "$tmp/data" --steps 3
}
masks() { sed -n 's/^SIMGPU\[.*\] count pointwise: \([0-9]*\), .*/\1/p' "$log"; }
gpu masked
with=$(masks)
check "training in bf16" test "$code" = 0
export SIMGPU_NO_MASKS=1
gpu unmasked
check "without such engines a kernel a lane, step and layer more" test "$(masks)" = $((${with:-0} + 8 * 3 * 3))
same unmasked masked "with the same bits"
finish
