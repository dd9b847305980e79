#!/bin/bash
# Several GPUs: the same bits on 1, 2, 4 and 8, sums, and every way to fail that needs a second card; two ranks on one GPU.
# limit: 1800
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

[ "$gpus" -eq 0 ] || small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data

# The functions below are called by item.
# shellcheck disable=SC2317
crowded() {
    [ "$device" = cuda ] || return 0
    local ranks=$((gpus + 1))
    train crowded "$ranks" "$small" --steps 2 --device cuda --lanes "$ranks" --batch-size "$ranks"
    [ "$code" = 5 ] && [ "$(grep -c '^lockstep: ' "$log")" = 1 ] && grep -q 'same GPU' "$log" || { cat "$log" && return 1; }
}
# shellcheck disable=SC2317
halves() {
    [ "$device" = cuda ] || return 0
    gpu_run half 2 "$small" --steps 24 --reduction native --reduction-type bf16
}
# shellcheck disable=SC2317
killed() {
    train killed 2 "$small" --steps 24 --checkpoint-every 5 --device "$device" --crash-at 12:1:kill
    [ "$code" = 137 ] || { echo "the crash gave code $code" && return 1; }
    gpu_run killed 2 "$small" --steps 24 --checkpoint-every 5 && gpu_same killed one
}
# shellcheck disable=SC2317
hangs() {
    train hangs 2 "$small" --steps 24 --deadline 5 --device "$device" --crash-at 12:1:hang
    [ "$code" = 7 ] && grep -q 'rank 1 .*did not answer' "$log" || { cat "$log" && return 1; }
}
# shellcheck disable=SC2317
sums() { [ "$device" != cuda ] || mpirun -np "$gpus" "$BUILD/tests/gpu/all_reduce"; }

item 1 "two ranks on one GPU are refused" crowded
item 1 "one GPU" gpu_run one 1 "$small" --steps 24
for n in 2 4 8; do
    item $n "$n GPUs" gpu_run many-$n $n "$small" --steps 24
    item $n "$n GPUs: the same bits as one" gpu_same many-$n one
done
item 2 "native sums on 2 GPUs" gpu_run native 2 "$small" --steps 24 --reduction native
item 2 "native sums in bf16 on 2 GPUs" halves
item 2 "bf16 on 2 GPUs" gpu_run bf16 2 "$small" --steps 24 --precision "${precisions##* }"
item 2 "a rank that is killed: code 137, then resumed with the same bits" killed
item 2 "a rank that hangs: code 7, and it is named" hangs
item 2 "sums over all GPUs are right" sums
finish
