#!/bin/bash
# limit: 900
# The recipes of the systems that are replaced, with all that is special in them: parameter counts, and the same bits at 1, 2,
# 3, 5 and 8 ranks and across a crash within an epoch, in fp32 and bf16: each number of ranks in one of these at least.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 64 20 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
grep -q avx512_bf16 /proc/cpuinfo && precisions="fp32 bf16" || precisions=fp32
[ "$precisions" != fp32 ] || skip "the recipes in bf16" "this processor has no AVX512-BF16"

parameters() { "$program" train "configs/$1.yaml" --describe --json | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["parameters"])'; }

# all_ranks RECIPE PRECISION WORD...
all_ranks() {
    local recipe=$1 precision=$2 ranks name words
    local numbers="2 3 8"
    [ "$precisions" = fp32 ] || case $precision in fp32) numbers="3 8" ;; bf16) numbers=2 ;; esac
    shift 2
    name=$recipe-$precision
    # Two images a lane: what a lane computes with more of them, tests/ops and tests/golden see.
    words=(--lanes 8 --batch-size 16 --steps 3 --precision "$precision" "$@")
    train "$name-1" 1 "configs/$recipe.yaml" "${words[@]}"
    check "$name: three steps" test "$code" = 0
    for ranks in $numbers; do
        train "$name-$ranks" "$ranks" "configs/$recipe.yaml" "${words[@]}"
        same "$name-$ranks" "$name-1" "$name: $ranks ranks"
    done
    words+=(--lanes 5 --batch-size 10)
    train "$name-five" 1 "configs/$recipe.yaml" "${words[@]}"
    train "$name-5" 5 "configs/$recipe.yaml" "${words[@]}" --checkpoint-every 1 --crash-at 2:4:kill
    check "$name: the fifth rank is killed before the third step" test "$code" != 0
    train "$name-5" 5 "configs/$recipe.yaml" "${words[@]}" --checkpoint-every 1
    same "$name-5" "$name-five" "$name: 5 ranks with 5 lanes, killed within the epoch, as 1 rank without a crash"
    # The second step's checkpoint may still be on its way to the disk.
    check "$name: it was resumed within the epoch" grep -qxE '1|2' <(result "$name-5" resumed_from)
}

while read -r recipe count words <&3; do
    only=
    [ "$recipe" != airbench94-nesterov ] || only=fp32 # another optimizer, whose arithmetic is fp32 in both
    check "$recipe has $count parameters" test "$(parameters "$recipe")" = "$count"
    for precision in ${only:-$precisions}; do
        # shellcheck disable=SC2086 # words
        all_ranks "$recipe" "$precision" $words
    done
done 3<<'END'
vit 4371438
cct2 283723
resnet44 658651 --train-records 280 --holdout 20
airbench94 1971640
airbench94-nesterov 1971640
END

finish
