#!/bin/bash
# A rank that is slow is named, once, with its host, at the same bits; where none is slow nothing is said, also where ranks
# have unequal shares or there is one.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
# The factor is for busy machines.
words=("$recipes/tiny.yaml" --steps 66 --eval.every 100 --straggler.steps 16 --straggler.factor 2)
warned() { grep -c "^warning: rank .* is slow: " "$log"; }

train even 3 "${words[@]}"
check "ranks that are alike: a run" test "$code" = 0
check "nothing is said" test "$(warned)" = 0
cp "$log" "$tmp/even.log"
train slow 3 "${words[@]}" --crash-at 20:1:slow
same slow even "a rank whose lanes take three times as long: the same bits"
check "it is named, once" test "$(warned)" = 1
check "with its host" grep -qE '^warning: rank 1 on [^ ]+ is slow: a lane takes [0-9.]+ ms there and [0-9.]+ ms on the median rank' "$log"
result slow rank_times >"$tmp/times"
check "result.json says so of this rank alone" test "$(grep -oE "'slow': [A-Za-z]*" "$tmp/times" | cut -d ' ' -f 2 | tr '\n' ' ')" = "False True False "
"$program" report "$tmp/slow" >"$log" 2>&1
check "and so does the report" grep -q '<td class="words">slow</td>' "$tmp/slow/report/report.html"

# 2 lanes and 1, 1, 1: the one with two is not slow.
train uneven 4 "$recipes/tiny.yaml" --lanes 5 --batch-size 40 --steps 40 --eval.every 100 --straggler.steps 16 --straggler.factor 1.8
check "unequal shares: a run" test "$code" = 0
check "no rank is slow" test "$(warned)" = 0
train alone 1 "${words[@]}" --crash-at 20:0:slow
check "one rank: nothing is said" test "$code $(warned) $(result alone rank_times)" = "0 0 None"
finish
