#!/bin/bash
# NVIDIA's sanitizer over a run of two steps: memory accesses, races in shared memory, uninitialised memory, barriers, leaks.
# limit: 3600
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

# shellcheck disable=SC2317 # called by item
sanitize() {
    local tool=$1
    shift
    timeout 800 compute-sanitizer --tool "$tool" --error-exitcode 99 "$@" "$program" train "$small" --data synthetic \
        --device cuda --steps 2 --out "$tmp/$tool"
}
if [ "$gpus" -gt 0 ] && ! command -v compute-sanitizer >/dev/null; then
    gpus=0 why="compute-sanitizer is not installed"
fi
[ "$device" = cuda ] || skip_all "a rehearsal has no kernels"
item 1 "memcheck" sanitize memcheck --leak-check full
item 1 "racecheck" sanitize racecheck
item 1 "initcheck" sanitize initcheck
item 1 "synccheck" sanitize synccheck
finish
