# Helpers for tests on simulated libraries: source this first, in place of ../lib.sh, which it brings.
#
#   simulated COMMAND...   runs a command on them
#   small_net FILE         a recipe of the least that has a convolution, batch norm and pooling: two lanes of four images
# shellcheck shell=bash
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

sim=$PWD/$BUILD/simgpu
[[ $BUILD = /* ]] && sim=$BUILD/simgpu
[ -e "$BUILD/liblockstep_cuda.so" ] || skip_all "this build has no CUDA backend"
[ -e "$sim/libcudart.so.13" ] || { fail "the simulated libraries are built (make check-sim)" && finish; }

simulated() { LD_LIBRARY_PATH=$sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"; }
small_net() {
    cat >"$1" <<'YAML'
batch-size: 8
lanes: 2
epochs: 1
model: |
  conv c=8 k=3 p=1
  bn
  relu
  maxpool k=4
  linear c=10
YAML
}
