#!/bin/bash
# What cuDNN says of each GPU here goes to build/gpu-properties, and is compared with what check-plans plans for.
# limit: 900
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

tool=$BUILD/tests/gpu/gpu_properties
out=$BUILD/gpu-properties
# called by item
# shellcheck disable=SC2317
dump() {
    mkdir -p "$out"
    for ((i = 0; i < gpus; i++)); do "$tool" dump "$i" >"$out/$("$tool" sm "$i").json" || return 1; done
    cat "$out"/*.json
}
# shellcheck disable=SC2317
compare() {
    local file bad=0
    for file in "$out"/*.json; do
        if [ -e "tests/plans/gpus/${file##*/}" ]; then
            "$tool" compare "tests/plans/gpus/${file##*/}" "$file" || bad=1
        else
            echo "check-plans does not plan for ${file##*/}: put it into tests/plans/gpus" && bad=1
        fi
    done
    return "$bad"
}
# shellcheck disable=SC2317
plan() {
    local file
    for file in "$out"/*.json; do
        "$BUILD/tests/plans/check_plans" "$file" bf16 "$tmp/table" configs/quickstart.yaml || return 1
    done
}
if [ "$device" != cuda ]; then skip_all "a rehearsal has no card"; fi
item 1 "the properties of each GPU are written to $out" dump
item 1 "they are those that check-plans plans for" compare
item 1 "quickstart can be planned for them" plan
finish
