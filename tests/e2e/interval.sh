#!/bin/bash
# limit: 300
# waits: what it checks is a matter of seconds
# --checkpoint-every auto: rank 0's clock decides which checkpoints there are, all ranks make them after the same step, and no bit
# of the run depends on it. tests/unit/test_interval.c has the formula.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 1640 130 || { fail "small data" && finish; }
small_data "$tmp/long" 9000 130 || { fail "more data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 256 steps an epoch
words=(--steps 2000 --log-every 100 --eval.every 1000 --keep 1000)
# mid_epoch NAME: checkpoints that are not at the end of an epoch, nor of the run.
mid_epoch() {
    find "$tmp/$1/checkpoints" -name 'step-*.h5' -printf '%f\n' | tr -dc '0-9\n' | cut -c 1-8 | sed 's/^0*//' |
        awk '$1 % 256 != 0 && $1 != 2000' | sort -n
}
train fixed 1 $tiny "${words[@]}"
check "the run without: none within epochs" test "$code" = 0 -a -z "$(mid_epoch fixed)"

# Failures once a second: the limit of 1 % of the time decides.
train auto 2 $tiny "${words[@]}" --checkpoint-every auto --mtbf 1s
same auto fixed "auto, on 2 ranks: the bits of the run without"
line=$(grep '^checkpoint-every auto: ' "$log")
number='[0-9.e-]+'
check "it prints what it comes to" grep -qE "^checkpoint-every auto: one costs the steps $number s \\(they wait $number s, its thread \
computes $number s\\), a failure is expected in 1s \\(--mtbf\\): every $number s (keeps that at 1 %|is best|is what writing one takes); \
$number % of the time\$" <<<"$line"
echo "# $(grep -c . <<<"$line") lines, the first: $(head -n 1 <<<"$line"); in mid-epoch: $(mid_epoch auto | xargs)"
check "every checkpoint verifies" sound auto

# Where failures are rare, epochs of this length are more than enough.
train rare 2 $tiny "${words[@]}" --checkpoint-every auto --mtbf 10000d
same rare fixed "rare failures: the same bits"
check "and no checkpoint but at the ends of epochs" test -z "$(mid_epoch rare)"

# Within one long epoch of a slower network they are all of its making; killed, the run goes on from one of them.
export CIFAR10_DIR=$tmp/long # 703 steps an epoch
slow=$recipes/small.yaml
words=(--log-every 100 --keep 1000)
begun() { [ -n "$(newest killed)" ]; }
start killed 2 $slow "${words[@]}" --checkpoint-every auto --mtbf 1s
check "within its first epoch it makes a checkpoint" until_true 100 begun
first=$(find "$tmp/killed/checkpoints" -name 'step-*.h5' | sort | head -n 1)
stop_hard
first=$(basename "$first" .h5)
check "which is not at the end of an epoch" test $((10#${first#step-} % 703)) != 0
last=$(basename "$(newest killed)" .h5)
last=$((10#${last#step-}))
train killed 3 $slow "${words[@]}" --checkpoint-every auto --mtbf 1s --steps $((last + 10))
check "killed, it goes on from the newest" test "$code" = 0 -a "$(result killed resumed_from)" = "$last"
train alone 1 $slow "${words[@]}" --steps $((last + 10))
same killed alone "on 3 ranks, to the bits of a run without"

# The first one takes longer to be written than the interval is: no other is due meanwhile, for which the steps would wait.
if preload file_ops; then
    logged_step() { sed -nE 's/.*"step":([0-9]+).*/\1/p' "$tmp/held/metrics.jsonl" 2>/dev/null | tail -n 1; }
    goes_on() { [ "$(logged_step)" -gt "$1" ]; }
    written() { [ -n "$(newest held)" ]; }
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/held FILE_OPS_AT=fsync:.h5.tmp FILE_OPS_DO=hang FILE_OPS_GO=$tmp/go \
        start held 3 $tiny --batch-size 4 --log-every 10 --checkpoint-every auto --mtbf 1s --deadline 60
    check "a checkpoint is being written" until_true 60 compgen -G "$tmp/held/checkpoints/step-*.h5.tmp*"
    sleep 3 # until another one would be due
    check "as long as that takes, training goes on" until_true 5 goes_on "$(logged_step)"
    : >"$tmp/go"
    check "then it is there" until_true 60 written
    stop_hard
fi
train alone 1 $tiny --checkpoint-every automatic
one_error 2 "checkpoint-every.*'automatic' is not a whole number" "a word that is none"
finish
