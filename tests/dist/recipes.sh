#!/bin/bash
# limit: 900
# The recipes of the systems that are replaced, with all that is special in them: parameter counts, and the same bits at 1, 2,
# 3, 5 and 8 ranks and across a crash within an epoch, in fp32 and bf16.
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
    shift 2
    name=$recipe-$precision
    words=(--batch-size 40 --steps 3 --precision "$precision" "$@")
    train "$name-1" 1 "configs/$recipe.yaml" --lanes 8 "${words[@]}"
    check "$name: three steps" test "$code" = 0
    for ranks in 2 3 8; do
        train "$name-$ranks" $ranks "configs/$recipe.yaml" --lanes 8 "${words[@]}"
        same "$name-$ranks" "$name-1" "$name: $ranks ranks"
    done
    train "$name-five" 1 "configs/$recipe.yaml" --lanes 5 "${words[@]}"
    train "$name-5" 5 "configs/$recipe.yaml" --lanes 5 "${words[@]}" --checkpoint-every 1 --crash-at 2:4:kill
    check "$name: the fifth rank is killed before the third step" test "$code" != 0
    train "$name-5" 5 "configs/$recipe.yaml" --lanes 5 "${words[@]}" --checkpoint-every 1
    same "$name-5" "$name-five" "$name: 5 ranks with 5 lanes, killed within the epoch, as 1 rank without a crash"
    check "$name: it was resumed within the epoch" test "$(result "$name-5" resumed_from)" = 2
}

while read -r recipe count words <&3; do
    check "$recipe has $count parameters" test "$(parameters "$recipe")" = "$count"
    for precision in $precisions; do
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
