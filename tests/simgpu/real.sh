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
net=tests/simgpu/every-op.yaml
common=(--data "$tmp/data" --steps 2 --log-every 1 --checkpoint-every 1)
train ref 0 $net --device ref "${common[@]}"
check "the reference trains" test "$code" = 0
export SIMGPU_REAL_CUDNN=$folder/libcudnn_graph.so.9 SIMGPU_DEVICE_JSON=$card
export LD_LIBRARY_PATH=$sim:$driver:$folder
timeout -k 5 280 "$program" train $net --device cuda --out "$tmp/real" "${common[@]}" >"$log" 2>&1
code=$?
unset LD_LIBRARY_PATH
check "it trains with graphs that the real cuDNN planned" test "$code" = 0
[ "$code" = 0 ] || sed 's/^/# /' "$log"
output=$(tests/simgpu/compare "$tmp/real" "$tmp/ref" 1e-4 2>&1) &&
    pass "as ref does: $output" || fail "as ref does" "$output"
finish
