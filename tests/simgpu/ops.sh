#!/bin/bash
# limit: 240
# Every kind of layer of the CUDA backend against the reference, each row of the op table, on simulated libraries.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

export CMOCKA_MESSAGE_OUTPUT=TAP
simulated "$BUILD/tests/ops/test_cuda_vs_ref"
