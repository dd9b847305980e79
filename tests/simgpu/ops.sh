#!/bin/bash
# On simulated libraries: every kind of layer of the CUDA backend against the reference, each row of the op table, and
# every kernel against its definition.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

for program in "$BUILD"/tests/ops/test_cuda_vs_ref "$BUILD"/tests/cuda/test_kernels{,_rows}; do
    name=$(basename "$program")
    simulated "$program" >"$log" 2>&1
    code=$?
    cat "$log"
    # It must not skip itself here.
    ! grep -q '^1\.\.0' "$log" || fail "$name finds the simulated GPU"
    [ $code = 0 ] || fail "$name ends with code 0, not $code"
done
finish
