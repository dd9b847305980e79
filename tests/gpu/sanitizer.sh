#!/bin/bash
# NVIDIA's sanitizer over our kernels alone, each against its definition: memory accesses, races in shared memory, uninitialised
# memory, barriers, leaks. In a whole run it would watch cuDNN's kernels as well, of which it says what is not so.
# limit: 3600
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

# shellcheck disable=SC2317 # called by item
sanitize() {
    local program=$1 tool=$2
    shift 2
    timeout -k 5 400 compute-sanitizer --tool "$tool" --error-exitcode 99 "$@" "$BUILD/tests/cuda/$program"
}
if [ "$gpus" -gt 0 ] && ! command -v compute-sanitizer >/dev/null; then
    gpus=0 why="compute-sanitizer is not installed"
fi
[ "$device" = cuda ] || skip_all "a rehearsal has no kernels"
for source in tests/cuda/test_kernels*.c; do
    kernels=$(basename "$source" .c)
    item 1 "$kernels: memcheck" sanitize "$kernels" memcheck --leak-check full
    item 1 "$kernels: racecheck" sanitize "$kernels" racecheck
    item 1 "$kernels: initcheck" sanitize "$kernels" initcheck
    item 1 "$kernels: synccheck" sanitize "$kernels" synccheck
done
finish
