#!/bin/bash
# limit: 240
# Every kind of layer of the CUDA backend against the reference, each row of the op table, and each kernel against its
# definition, on simulated libraries.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

# They must not skip themselves here.
for program in tests/ops/test_cuda_vs_ref tests/cuda/test_kernels tests/cuda/test_kernels_rows; do
    simulated "$BUILD/$program" >"$log" 2>&1 || failures=1
    if grep -q '^1\.\.0' "$log"; then
        fail "$program finds the simulated GPU" "$(cat "$log")"
    else
        cat "$log"
    fi
done
finish
