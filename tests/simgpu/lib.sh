# Helpers for tests on simulated libraries: source this first, in place of ../lib.sh, which it brings.
#
#   simulated COMMAND...   runs a command on them
# shellcheck shell=bash
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

sim=$PWD/$BUILD/simgpu
[[ $BUILD = /* ]] && sim=$BUILD/simgpu
[ -e "$BUILD/liblockstep_cuda.so" ] || skip_all "this build has no CUDA backend"
[ -e "$sim/libcudart.so.13" ] || { fail "the simulated libraries are built (make check-sim)" && finish; }

simulated() { LD_LIBRARY_PATH=$sim${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"; }
