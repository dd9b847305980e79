#!/bin/bash
# The page of expected GPU speeds says what its script computes from the recipe as lockstep describes it.
. tests/tap.sh

command -v python3 >/dev/null || skip_all "no python3"
[ -x "$BUILD/lockstep" ] || skip_all "lockstep is not built"
check "docs/gpu-performance.md is up to date" python3 bench/gpu_model.py --check docs/gpu-performance.md
sed 's/64 |/65 |/' docs/gpu-performance.md >"$tmp/changed.md"
refuse "a changed number is noticed" python3 bench/gpu_model.py --check "$tmp/changed.md"
finish
