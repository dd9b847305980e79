#!/bin/bash
# Each check of the simulator against a program with that bug planted, under three schedules: without the bug it must
# be silent, with it the finding must be the one that the program's file names.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

export SIMGPU_PATIENCE=1
for file in tests/simgpu/bugs/*.cu; do
    name=$(basename "$file" .cu)
    [ "$name" = main ] && continue
    wanted=$(sed -n 's/.*FINDS: \(.*\) \*\/$/\1/p' "$file")
    for SIMGPU_SCHEDULE in lazy eager random:3; do
        export SIMGPU_SCHEDULE
        output=$(simulated timeout 20 "$sim/bugs" "$name" 2>&1)
        code=$?
        if [ $code != 0 ] || [ -n "$output" ]; then
            fail "$name, $SIMGPU_SCHEDULE" "a right program ended with $code:" "$output"
            continue
        fi
        output=$(simulated timeout 20 "$sim/bugs" "$name" bug 2>&1)
        code=$?
        if [ $code = 99 ] && [ -n "$wanted" ] && grep -qE -- "$wanted" <<<"$output"; then
            pass "$name, $SIMGPU_SCHEDULE"
        else
            fail "$name, $SIMGPU_SCHEDULE" "wanted $wanted" "got code $code:" "$output"
        fi
    done
done
finish
