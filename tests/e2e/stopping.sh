#!/bin/bash
# waits: what it checks is a matter of seconds
# A run that is to end before its own end, without a signal: by a file in its directory, or by --max-time. All ranks stop after the
# same step, with a checkpoint and code 75, and the next start goes on to the bits of a run that was never stopped.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
long=(--epochs 1000000 --eval.every 1000000 --log-every 100 --keep 2)
logged() { [ -s "$tmp/$1/metrics.jsonl" ]; }
# goes_on NAME RANKS WHAT: 30 steps beyond where the run stopped; as_uninterrupted compares it with a run of as many without a
# stop, which begins here, beside what follows.
goes_on() {
    local end=$(($(result "$1" step) + 30))
    train "$1" "$2" $tiny "${long[@]}" --steps $end
    check "$3: goes on from there" test "$code" = 0 -a "$(result "$1" resumed_from)" = $((end - 30))
    aside "whole-$1" train "whole-$1" 1 $tiny "${long[@]}" --steps $end
}
as_uninterrupted() {
    back "whole-$1"
    same "$1" "whole-$1" "$2: and ends as if never stopped"
}
# stopped_at NAME WHAT: its last step has a checkpoint, and the result says so.
stopped_at() {
    check "$2: code 75, and the result says stopped" test "$code $(result "$1" status)" = "75 stopped"
    check "$2: its last step has a checkpoint" \
        test "$(newest "$1")" = "$tmp/$1/checkpoints/step-$(printf %08d "$(result "$1" step)").h5"
}

# ---- touch RUN/stop ----
mkdir -p "$tmp/file"
: >"$tmp/file/stop"
start file 3 $tiny "${long[@]}"
check "a file stop from before the start: the run begins all the same" until_true 60 logged file
check "and removes it" test ! -e "$tmp/file/stop"
check "with a warning" grep -q '^warning: .*/file/stop was there before this start: it is removed' "$tmp/file.log"
mkdir "$tmp/file/stop"
sleep 3
check "a folder of that name asks for nothing" kill -0 "$launched"
rmdir "$tmp/file/stop"
touch "$tmp/file/stop"
wait_for file
stopped_at file "touch RUN/stop"
check "touch RUN/stop: it says who asked" grep -q '^asked to stop by .*/file/stop: writing a checkpoint after step' "$log"
check "touch RUN/stop: the file is gone" test ! -e "$tmp/file/stop"
goes_on file 2 "touch RUN/stop"

# ---- --max-time ----
# In Slurm's manner, to see that it is read so.
began=$SECONDS
start time 2 $tiny "${long[@]}" --max-time 0:00:16
timed=$launched
# The time in which a run was suspended is gone, but no step will take it again.
start asleep 0 $tiny "${long[@]}" --max-time 16s
until_true 60 logged asleep
kill -STOP "$launched"
sleep 7
kill -CONT "$launched"
wait_for asleep
stopped_at asleep "suspended, with --max-time"
left=$(sed -nE 's/^--max-time 16s: ([0-9]+)[.0-9]* s are left.*/\1/p' "$log")
check "suspended, with --max-time: ${left:-?} s are left, not what a step seemed to take" test "${left:-16}" -le 4
launched=$timed
wait_for time
took=$((SECONDS - began))
stopped_at time "--max-time"
check "--max-time: it says so" grep -qE '^--max-time 16s: [0-9.]+ s are left: writing a checkpoint after step' "$log"
check "--max-time: within it ($took s), launcher and all" test $took -le 36
check "--max-time: and not much before" test $took -ge 3
goes_on time 3 "--max-time"
train short 1 $tiny --steps 3 --max-time 1s
check "no time at all: one step" test "$code $(result short step)" = "75 1"
train short 1 $tiny --steps 3 --max-time 1s
train short 1 $tiny --steps 3 --max-time 1s
check "each start: in the end it is done" test "$code $(result short step status | tr '\n' ' ')" = "0 3 finished "
train short 1 $tiny --max-time 90
one_error 2 "max-time.*'90' is no duration: .*a number alone has no unit" "a number without a unit"
train short 1 $tiny --max-time 0s
one_error 2 "'0s' is out of bounds: 1s to 10000d" "no time"
as_uninterrupted file "touch RUN/stop"
as_uninterrupted time "--max-time"
finish
