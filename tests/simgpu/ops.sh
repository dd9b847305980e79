#!/bin/bash
# limit: 400
# On simulated libraries: every kind of layer of the CUDA backend against the reference, each row of the op table, and
# every kernel against its definition.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

for program in "$BUILD"/tests/ops/test_cuda_vs_ref "$BUILD"/tests/cuda/test_kernels{,_rows,_flat,_images,_finish}; do
    name=$(basename "$program")
    simulated "$program" >"$log" 2>&1
    code=$?
    cat "$log"
    # It must not skip itself here.
    ! grep -q '^1\.\.0' "$log" || fail "$name finds the simulated GPU"
    [ $code = 0 ] || fail "$name ends with code 0, not $code"
done
# Where cuDNN has no engine for layer norm, kernels of our own compute it.
XDG_CACHE_HOME=$tmp/none SIMGPU_COUNTS=1 SIMGPU_NO_LAYERNORM=1 TEST_KIND=layernorm simulated "$BUILD/tests/ops/test_cuda_vs_ref" >"$log" 2>&1
code=$?
own=$(grep -c '^SIMGPU.* count layernorm_backward: ' "$log")
graphs=$(grep -c '^SIMGPU.* count norm ' "$log")
echo 1..2 # the programs above have printed plans, and so must this
check "layer norm without an engine is as the reference has it, by kernels alone" test "$code $own $graphs" = "0 1 0"
# A kernel that never ends is named, in time, and nothing waits for it.
SIMGPU_HANG='norm forward' TEST_ROW_SECONDS=20 simulated timeout 150 "$BUILD/tests/ops/test_cuda_vs_ref" >"$log" 2>&1
code=$?
check "a batch norm that never ends ends the program, and is named" \
    test $code = 1 -a "$(tail -n 1 "$log" | grep -cE '^not ok - .* did not end within 20 s$')" = 1
finish
