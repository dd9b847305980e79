#!/bin/bash
# Speed on the GPUs here: images/s, time of each phase and share of the peak for each recipe and precision; what lanes and
# exact sums cost; sums over GPUs; time to 94 %. Figures also go to build/bench-gpu.txt, under the card's name.
# limit: 7200
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

figures=$BUILD/bench-gpu.txt
if [ "$gpus" -gt 0 ]; then
    { date -u +%F && "$program" --version && nvidia-smi -L 2>/dev/null; } >"$figures"
    steps=${BENCH_STEPS:-50}
fi
# The functions below are called by item.
# shellcheck disable=SC2317
flop_an_image() { "$program" train "$1" --describe | awk '/^total/ { gsub(",", "", $3); print 6 * $3 }'; }
# shellcheck disable=SC2317
speed() { # NAME RANKS RECIPE WORD...: benches, keeps the lines of the phases and images/s, and adds the share of the peak
    local name=$1 ranks=$2 recipe=$3 precision peak
    shift 3
    lockstep "$ranks" bench "$recipe" --steps "$steps" --device "$device" --data synthetic "$@"
    [ "$code" = 0 ] || { tail -n 20 "$log" && return 1; }
    precision=$(grep -oE 'fp32|tf32|bf16' <<<"$*" || echo fp32)
    peak=$("$BUILD/tests/gpu/gpu_properties" peak 0 "$precision" 2>/dev/null || echo 0)
    {
        echo "$name"
        grep -E '^(ms a step|step:|peak memory)' "$log" | sed 's/^/    /'
        sed -n 's/^.*: \([0-9.]*\) images\/s$/\1/p' "$log" |
            awk -v flop="$(flop_an_image "$recipe")" -v peak="$peak" -v n="$((ranks > 0 ? ranks : 1))" \
                '{ printf "    %.0f images/s, %.2f TFLOP/s", $1, 1e-12 * flop * $1
                   # Without the brackets awk takes > as a redirection.
                   if (peak > 0) printf ", %.1f %% of the peak of %d GPU%s", 1e-7 * flop * $1 / peak / n, n, (n > 1 ? "s" : "")
                   printf "\n" }'
    } | tee -a "$figures" | sed 's/^/# /' >&3
    [ "$(sed -n 's/^.*: \([0-9.]*\) images\/s$/\1/p' "$log" | wc -l)" = 1 ]
}
# shellcheck disable=SC2317
sums() {
    [ "$device" = cuda ] || return 0
    mpirun -np "$gpus" "$BUILD/tests/gpu/all_reduce" | tee -a "$figures" | sed 's/^/# /' >&3
    [ "${PIPESTATUS[0]}" = 0 ]
}
# shellcheck disable=SC2317
to_94() {
    "$program" train "$resnet9" --device "$device" --precision "${precisions##* }" --out "$tmp/94" >"$log" 2>&1 ||
        { tail -n 20 "$log" && return 1; }
    result 94 test_accuracy wall_s | paste -sd ' ' | sed 's/^/time to 94 %: accuracy and seconds /' | tee -a "$figures" | sed 's/^/# /' >&3
    awk -v a="$(result 94 test_accuracy)" 'BEGIN { exit !(a >= 0.935) }'
}

exec 3>&1 # the figures, past check
for recipe in "${all[@]}"; do
    for precision in $precisions; do
        name="$(basename "$recipe" .yaml), $precision"
        item 1 "$name" speed "$name" 0 "$recipe" --precision "$precision"
    done
done
best=${precisions##* }
item 1 "resnet9, $best, one lane" speed "resnet9, $best, one lane" 0 "$resnet9" --precision "$best" --lanes 1
item 1 "resnet9, $best, native sums" speed "resnet9, $best, native sums" 0 "$resnet9" --precision "$best" --reduction native
[ "$device" != cuda ] || # a rehearsal has no engines to choose from
    item 1 "resnet9, $best, engines by timing" speed "resnet9, $best, engines by timing" 0 "$resnet9" --precision "$best" --autotune
item 1 "resnet9, $best, batch $large_batch" speed "resnet9, $best, batch $large_batch" 0 "$resnet9" --precision "$best" --batch-size "$large_batch"
for n in 2 4 8; do
    for reduction in exact native; do
        item $n "resnet9, $best, $n GPUs, $reduction" speed "resnet9, $best, $n GPUs, $reduction" $n "$resnet9" \
            --precision "$best" --reduction $reduction
    done
done
item 2 "sums over GPUs" sums
if [ "$gpus" -gt 0 ] && [ ! -f "${CIFAR10_DIR:-data/cifar10}/data_batch_1.bin" ]; then
    skip "time to 94 %" "needs the real images: scripts/get-cifar10.sh, or CIFAR10_DIR"
else
    item 1 "time to 94 %" to_94
fi
finish
