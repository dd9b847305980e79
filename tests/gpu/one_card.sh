#!/bin/bash
# limit: 300
# Two ranks on one GPU, through NCCL (same_gpu.c says how): the only way to reach it where there is one. NVIDIA does not promise
# that it works, so it has a time limit of its own, and that it fails is reported, not counted.
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

name="two ranks on one GPU sum through NCCL, with the bits of one"
[ "$device" = cuda ] || skip_all "a rehearsal has no NCCL"
[ "$gpus" -gt 0 ] || skip_all "$why"
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
steps=(--steps 12 --log-every 1)

gpu_run one 0 "$small" "${steps[@]}" >"$tmp/said" 2>&1 || { fail "one rank" "$(cat "$tmp/said")" && finish; }
pass "one rank"
card=${CUDA_VISIBLE_DEVICES:-0}
# shellcheck disable=SC2016 # each rank expands it
timeout -k 5 "${ONE_CARD_SECONDS:-120}" mpirun -np 2 -x LD_PRELOAD="$PWD/$BUILD/tests/gpu/same_gpu.so" -x NCCL_SOCKET_IFNAME=lo \
    -x NCCL_DEBUG=WARN -x CUDA_VISIBLE_DEVICES="${card%%,*}" \
    sh -c 'export NCCL_HOSTID=rank$OMPI_COMM_WORLD_RANK; exec "$@"' - \
    "$program" train "$small" --out "$tmp/two" --threads 1 --device cuda "${steps[@]}" >"$log" 2>&1
code=$?
if [ "$code" != 0 ]; then
    sed 's/^/# /' "$log" | tail -n 40
    skip "$name" "it ended with code $code: $(grep -aE '^lockstep: |NCCL WARN|^SIMGPU' "$log" | tail -n 1)"
elif ! grep -q ', NCCL [0-9.]*' "$log"; then
    skip "$name" "NCCL was not reached"
elif gpu_same two one >"$tmp/said"; then
    pass "$name"
else
    fail "$name" "$(cat "$tmp/said")" # it ran, so its sums must be right
fi
finish
