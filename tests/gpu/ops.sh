#!/bin/bash
# Each layer on the GPU against plain C loops, each kernel against its definition; every test skips itself without a GPU.
# limit: 900
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

[ "$device" = cuda ] || skip_all "a rehearsal has no kernels"
found=0
for program in "$BUILD"/tests/ops/test_cuda_* "$BUILD"/tests/cuda/test_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    case $program in *.o | *.d) continue ;; esac
    found=1
    "$program" || failures=1
done
[ $found = 1 ] || skip "layers and kernels against their definitions" "${why:-the tests are not built}"
finish
