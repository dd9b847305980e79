#!/bin/bash
# The page of expected GPU speeds says what its script computes, and the script counts what lockstep counts.
. tests/tap.sh

command -v python3 >/dev/null || skip_all "no python3"
check "docs/gpu-performance.md is up to date" python3 bench/gpu_model.py --check docs/gpu-performance.md
sed 's/64 |/65 |/' docs/gpu-performance.md >"$tmp/changed.md"
refuse "a changed number is noticed" python3 bench/gpu_model.py --check "$tmp/changed.md"
if [ -x "$BUILD/lockstep" ]; then
    "$BUILD/lockstep" train configs/resnet9.yaml --describe >"$tmp/described"
    python3 bench/gpu_model.py work >"$tmp/modelled"
    parameters=$(grep -oE '^[0-9,]+ parameters' "$tmp/modelled")
    check "as many parameters as --describe" grep -qF "${parameters% parameters}" "$tmp/described"
else
    skip "as many parameters as --describe" "lockstep is not built"
fi
finish
