#!/bin/bash
# --keep-best N: the checkpoints of the N best evaluations stay, by what metrics.jsonl says of them, through a crash, on any
# number of ranks, and where some are lost.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 32 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
words=(--epochs 8 --batch-size 32 --lanes 4 --checkpoint-every 3 --keep 1) # five steps an epoch

# best_of NAME N [KEY [SORT]]: the files of the N best evaluations, of equals the earlier.
best_of() {
    sed -nE 's/.*"kind":"eval".*"step":([0-9]+),.*"split":"test",.*"'"${3:-accuracy}"'":([0-9.e-]+),.*/\2 \1/p' "$tmp/$1/metrics.jsonl" |
        sort -k1,1g"${4-r}" -k2,2n | head -n "$2" | awk '{ printf "step-%08d.h5\n", $2 }'
}
kept_in() { (cd "$tmp/$1/checkpoints" && ls -d step-*.h5); }
newest_of() { basename "$(newest "$1")"; }

train run 2 $recipes/small.yaml "${words[@]}" --keep-best 4
expected=$({ best_of run 4 && newest_of run; } | sort -u)
check "the four best of eight, and the newest" test "$code $(best_of run 9 | wc -l) $(kept_in run)" = "0 8 $expected"
check "best.h5 is the first" test "$(readlink "$tmp/run/best.h5")" = "checkpoints/$(best_of run 1)"
lockstep 0 checkpoint list "$tmp/run"
check "checkpoint list names them" \
    test "$(sed -nE 's/ best; / best 1; /; s/^([^ ]*) .* best ([0-9]); .*/\2 \1/p' "$log" | sort -n | cut -d ' ' -f 2)" = "$(best_of run 4)"
train loss 0 $recipes/small.yaml "${words[@]}" --keep-best 2 --eval.monitor loss
check "by loss" test "$code $(kept_in loss)" = "0 $({ best_of loss 2 loss '' && newest_of loss; } | sort -u)"

train crashed 3 $recipes/small.yaml "${words[@]}" --keep-best 4 --crash-at 29
check "a crash" test $code = 137
train crashed 2 $recipes/small.yaml "${words[@]}" --keep-best 4
same crashed run "a crash and a resume on other ranks: the same run"
check "and the same files" test "$(kept_in crashed)" = "$expected"

# One of the four is lost: the others stay, and count.
victim=$(best_of run 3 | tail -n +2 | grep -vx "$(newest_of run)" | tail -n 1)
rm "$tmp/run/checkpoints/$victim"
lockstep 0 checkpoint prune "$tmp/run" --keep 1
check "checkpoint prune: the run's own number" test "$code $(kept_in run)" = "0 $(grep -vx "$victim" <<<"$expected")"
lockstep 0 checkpoint prune "$tmp/run" --keep 1 --keep-best 3
check "checkpoint prune --keep-best 3: those that are there" test "$code $(kept_in run)" = "0 $(grep -vx "$victim" <<<"$expected")"
lockstep 0 checkpoint prune "$tmp/run" --keep 1 --keep-best 1
check "checkpoint prune --keep-best 1" test "$code $(kept_in run)" = "0 $({ best_of run 1 && newest_of run; } | sort -u)"
lockstep 0 checkpoint list "$tmp/run" --keep-best 1
one_error 2 '--keep-best and --aside go with prune' "--keep-best beside list is refused"
lockstep 0 train $recipes/small.yaml --keep-best 101 --out "$tmp/none"
one_error 2 "--keep-best: '101' is out of bounds: 1 to 100" "more than a run ranks is refused"
finish
