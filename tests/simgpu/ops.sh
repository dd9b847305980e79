#!/bin/bash
# limit: 240
# Every kind of layer of the CUDA backend against the reference, each row of the op table, on simulated libraries.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

# It must not skip itself here.
simulated "$BUILD/tests/ops/test_cuda_vs_ref" >"$log" 2>&1
code=$?
if grep -q '^1\.\.0' "$log"; then
    fail "the test finds the simulated GPU" "$(cat "$log")"
    finish
fi
cat "$log"
exit $code
