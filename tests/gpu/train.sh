#!/bin/bash
# Whole runs on one GPU: every kind of layer, each precision, the same bits again and after a crash, and agreement with the CPU.
# limit: 1800
# shellcheck source=tests/gpu/gpu.sh
. "$(dirname "$0")/gpu.sh"

[ "$gpus" -eq 0 ] || small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
steps=(--steps 24 --log-every 1)
# Losses of a run, one a line.
losses() { sed -n 's/.*"kind": *"train".*"loss": *\([0-9.e+-]*\).*/\1/p' "$tmp/$1/metrics.jsonl"; }

# The functions below are called by item.
# shellcheck disable=SC2317
crash_and_resume() {
    train "$1" 0 "$small" "${steps[@]}" --checkpoint-every 5 --precision "$2" --device "$device" --crash-at 12:0:kill
    [ "$code" = 137 ] || { echo "the crash gave code $code" && return 1; }
    gpu_run "$1" 0 "$small" "${steps[@]}" --checkpoint-every 5 --precision "$2" && gpu_same "$1" "whole-$2"
}
# shellcheck disable=SC2317
near_cpu() { # each of the first losses within RELATIVE of the CPU's
    paste <(losses "$1") <(losses cpu) | head -n 2 |
        awk -v most="$2" '{ n++; d = $1 > $2 ? $1 - $2 : $2 - $1; print; if (!(d <= most * $2)) bad = 1 } END { exit bad || n < 2 }'
}
# shellcheck disable=SC2317
evaluates() { # the accuracies of one checkpoint on both devices within 0.02: 130 images
    local here there
    here=$("$program" eval "$(newest whole-fp32)" --device "$device" --json | tests/read_json get /dev/stdin test_accuracy) || return 1
    there=$("$program" eval "$(newest whole-fp32)" --device cpu --json | tests/read_json get /dev/stdin test_accuracy) || return 1
    awk -v a="$here" -v b="$there" 'BEGIN { print a, b; exit !(a - b < 0.02 && b - a < 0.02) }'
}
# shellcheck disable=SC2317
cpu_reads() { "$program" inspect --verify "$(newest whole-fp32)" && "$program" eval "$(newest whole-fp32)" --device cpu; }
# shellcheck disable=SC2317
finds_nan() {
    train nan 0 "$small" --steps 12 --device "$device" --crash-at 6:0:nan
    [ "$code" = 8 ] || { echo "code $code, not 8" && return 1; }
}
# shellcheck disable=SC2317
tuned() { # a second run follows the first one's list
    [ "$device" = cuda ] || return 0
    gpu_run tuned 0 "$small" "${steps[@]}" --autotune && mkdir "$tmp/follows" && cp "$tmp/tuned/autotune.txt" "$tmp/follows" &&
        gpu_run follows 0 "$small" "${steps[@]}" --autotune && gpu_same follows tuned
}

[ "$gpus" -eq 0 ] || { train cpu 0 "$small" "${steps[@]}" --device cpu && check "the CPU's run" test "$code" = 0; }
for precision in $precisions; do
    item 1 "$precision: a small net of every kind of layer trains" gpu_run "whole-$precision" 0 "$small" "${steps[@]}" --precision "$precision"
    item 1 "$precision: a second run" gpu_run "again-$precision" 0 "$small" "${steps[@]}" --precision "$precision"
    item 1 "$precision: has the same bits" gpu_same "again-$precision" "whole-$precision"
    item 1 "$precision: so has one that was killed and resumed" crash_and_resume "crash-$precision" "$precision"
    case $precision in fp32) most=TOL_RUN_FP32 ;; tf32) most=TOL_LOSS_TF32 ;; *) most=TOL_LOSS_BF16 ;; esac
    item 1 "$precision: the first losses are near the CPU's" near_cpu "whole-$precision" "$(tolerance $most)"
done
item 1 "native sums" gpu_run native 0 "$small" --steps 24 --reduction native
item 1 "engines chosen by timing: the same bits with the same list" tuned
item 1 "one lane" gpu_run one-lane 0 "$small" --steps 24 --lanes 1
item 1 "a shorter last step and three lanes" gpu_run odd 0 "$odd" --steps 47
item 1 "the CPU reads the GPU's checkpoint" cpu_reads
item 1 "both evaluate it alike" evaluates
item 1 "NaN ends a run with code 8" finds_nan
for recipe in "${all[@]}"; do
    item 1 "${recipe##*/}: 3 steps" gpu_run "recipe-$(basename "$recipe" .yaml)" 0 "$recipe" --data synthetic --steps 3
done
finish
