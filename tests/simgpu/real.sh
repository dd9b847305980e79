#!/bin/bash
# limit: 300
# The same training where NVIDIA's own cuDNN validates every descriptor and plans every graph, for an H100 that is
# described to it; only the plans run as plain loops. It wants the stand-in for libcuda of check-plans.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

driver=$BUILD/tests/plans/driver
card=tests/plans/gpus/sm_90.json
[ -e "$driver/libcuda.so.1" ] && [ -e "$card" ] || skip_all "no stand-in for libcuda, or no description of a GPU"
cudnn=$(ldd "$BUILD/liblockstep_cuda.so" | sed -n 's/.*libcudnn\.so\.9 => \([^ ]*\) .*/\1/p')
[ -n "$cudnn" ] || skip_all "cuDNN itself is not on this machine"
folder=$(dirname "$cudnn")

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
common=(--data "$tmp/data" --steps 2 --log-every 1 --checkpoint-every 1)
export SIMGPU_REAL_CUDNN=$folder/libcudnn_graph.so.9 SIMGPU_DEVICE_JSON=$card

# planned NET: trains it with the real library's plans, and compares.
planned() {
    local net=tests/simgpu/$1.yaml output
    train "$1-ref" 0 "$net" --device ref "${common[@]}"
    check "$1: the reference trains" test "$code" = 0
    LD_LIBRARY_PATH=$sim:$driver:$folder timeout -k 5 140 "$program" train "$net" --device cuda --out "$tmp/$1" \
        "${common[@]}" >"$log" 2>&1
    code=$?
    check "$1: it trains with graphs that the real cuDNN planned" test "$code" = 0
    [ "$code" = 0 ] || sed 's/^/# /' "$log"
    output=$(tests/simgpu/compare "$tmp/$1" "$tmp/$1-ref" "$(tolerance TOL_RUN_FP32)" 2>&1) &&
        pass "$1: as ref does: $output" || fail "$1: as ref does" "$output"
}

own="lockstep's own kernels, where the device's library has no engine"
planned every-op
check "it has engines for all of it" test "$(grep -c "$own" "$log")" = 0
planned residual
check "it has none for the blocks that the simulated one has none for" grep -q "^$own: bn3 4x8x16x16, bn4 4x6x8x8$" "$log"

# Engines and their knobs as the real cuDNN names them: a list can be made, and each engine on it is found again.
cat >"$tmp/few.yaml" <<'END'
batch-size: 16
lanes: 4
epochs: 1
model: |
  conv c=8 k=3 p=1
  relu
  avgpool global
  linear c=10
END
train_tuned() {
    LD_LIBRARY_PATH=$sim:$driver:$folder timeout -k 5 140 "$program" train "$tmp/few.yaml" --device cuda --out "$tmp/tuned" \
        "${common[@]}" "$@" >>"$log" 2>&1
}
train_tuned --autotune --steps 1 && train_tuned --autotune
check "engines chosen by timing" test $? = 0 -a "$(grep -c 'autotune: timed' "$log")" = 1
sed 's/^/# /' "$tmp/tuned/autotune.txt"

# Plans as the real cuDNN writes them: it takes them back, in another process, in a fraction of the time.
cat >"$tmp/bn.yaml" <<'END'
batch-size: 16
lanes: 2
epochs: 1
model: |
  conv c=16 k=3 p=1
  bn
  relu
  maxpool k=4
  linear c=10
END
export XDG_CACHE_HOME=$tmp/cache SIMGPU_PLANS=1
for name in made taken; do
    LD_LIBRARY_PATH=$sim:$driver:$folder timeout -k 5 140 "$program" train "$tmp/bn.yaml" --device cuda --precision bf16 \
        --out "$tmp/$name" "${common[@]}" >"$log" 2>&1
    code=$?
    check "a run whose plans are $name" test "$code" = 0
    sed -n 's/^planned in/# &/p; s/^SIMGPU.*plans:/# &/p' "$log"
done
check "the second start makes none" grep -q '^SIMGPU\[.*\] plans: 0 made, ' "$log"
check "and takes all" test "$(result taken plans_taken)" -gt 9 -a "$(result taken plans_taken)" = "$(result made plans_made)"
same taken made "with the same bits"
check "in less than a fifth of the time" \
    awk -v a="$(result made plan_s)" -v b="$(result taken plan_s)" 'BEGIN { print a, b; exit !(b < a / 5) }'
finish
