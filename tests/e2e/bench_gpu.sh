#!/bin/bash
# The script that times GPUs, rehearsed on the CPU with a made-up peak: each recipe's figures, and shares of the peak that
# add up. Speed is not looked at.
# shellcheck disable=SC2016 # awk programs
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# A build whose GPUs have a peak of 50 GFLOP/s, and a recipe that eight of them can share.
build=$tmp/build
mkdir -p "$build/tests/gpu"
ln -s "$PWD/$program" "$build/lockstep"
ln -s "$PWD/$BUILD/tests/dist" "$build/tests/dist"
printf '#!/bin/sh\necho 50\n' >"$build/tests/gpu/gpu_properties"
chmod +x "$build/tests/gpu/gpu_properties"
sed 's/^lanes: 4/lanes: 8/' $recipes/tiny.yaml >"$tmp/eight.yaml"

CIFAR10_DIR=$tmp/nowhere BUILD=$build GPU_DEVICE=cpu GPU_REHEARSAL=$tmp/eight.yaml BENCH_STEPS=1 tests/gpu/bench.sh >"$log" 2>&1
refuse "no item fails" grep -A 20 '^not ok' "$log"
figures=$build/bench-gpu.txt
check "one GPU takes the share of one, 2, 4 and 8 of as many" \
    test "$(grep -o 'of the peak of [0-9].*' "$figures" | awk '{ print $5, $6 }' | sort | uniq -c | xargs)" = "4 1 GPU 2 2 GPUs 2 4 GPUs 2 8 GPUs"
# "N images/s, T TFLOP/s, S % of the peak of G GPUs"; a multiplication and an addition each forward, and twice that backward.
products=$("$program" train "$tmp/eight.yaml" --describe | awk '/^total/ { gsub(",", "", $3); print $3 }')
check "a share is the rate over the peaks of all" awk -v products="$products" '
    / of the peak of / { n++; want = 100 * $1 * 6 * products / (50e9 * $11); if ($5 - want > 0.1 || want - $5 > 0.1) { print; bad = 1 } }
    END { exit bad || n != 10 }' "$figures"
finish
