#!/bin/bash
# limit: 300
# One rank's copy of what all hold alike is changed in its memory: the run stops before anything of it is saved, names the rank,
# its host and what differs, and goes on from the last good checkpoint to the bits of an undisturbed run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
host=$(hostname)
saved="nothing of it is saved, the last good checkpoint is $tmp"
nothing_saved() { [ "$(newest "$1")" = "$tmp/$1/checkpoints/step-0000000$2.h5" ] && [ ! -e "$tmp/$1/result.json" ] && [ ! -e "$tmp/$1/best.h5" ]; }

train whole 1 $tiny --steps 30
check "an undisturbed run" test $code = 0

# found HOW WHAT WORD...: on rank 1 of 3 before step 5; saved after 4 and 8 steps.
found() {
    local how=$1 what=$2
    shift 2
    train "$how" 3 "${recipe:-$tiny}" --steps 30 --checkpoint-every 4 --crash-at "5:1:$how" "$@"
    local line="rank 0/3 step $at\\] drift after step $at: not the same on all ranks: $what: rank 1 on $host differs from the 2 others"
    one_error 6 "$line; $saved/$how/checkpoints/step-00000004.h5;" \
        "$how: found after step $at, named"
    check "$how: nothing of it is saved" nothing_saved "$how" 4
}
at=8 # by the next checkpoint
found flip '/params/[a-z0-9]+\.[a-z]+' --drift-every 0
train flip 2 $tiny --steps 30 --checkpoint-every 4
same flip whole "flip: gone on from there, on 2 ranks"
at=6
found flip-slot '/params/conv1\.weight, /optimizer/momentum/conv1\.weight' --drift-every 1
found flip-running '/running/bn1\.running_mean' --drift-every 2
found flip-state '/state \(steps, best, history\)' --drift-every 3
recipe=$recipes/small.yaml
found flip-ema '/ema/[a-z0-9]+\.[a-z]+' --drift-every 6
recipe=
train flip-schedule 3 $tiny --steps 30 --checkpoint-every 4 --drift-every 1 --crash-at 5:1:flip-schedule
settings='schedule, optimizer, augmentation, parameter groups or sampler'
line="drift after step 6: $settings in the memory of rank 1 on $host are not what they were when the run began"
one_error 6 "$line; $saved/flip-schedule/checkpoints/step-00000004.h5;" \
    "flip-schedule: found, though one rank alone could not compare it"
check "flip-schedule: nothing of it is saved" nothing_saved flip-schedule 4

# ---- Of two nobody can tell who is right. ----
train two 2 $tiny --steps 30 --checkpoint-every 4 --drift-every 1 --crash-at 5:0:flip
line="drift after step 6: not the same on all ranks: /params/[a-z0-9./, m]+: ranks 0 on $host, 1 on $host differ"
one_error 6 "$line, none is what most have, and so nobody can tell which is right; $saved/two/" \
    "two ranks: both are named"
check "two ranks: nothing of it is saved" nothing_saved two 4

# ---- Before an evaluation, and where there is no checkpoint yet. ----
train epoch 3 $tiny --epochs 2 --drift-every 0 --crash-at 20:2:flip
one_error 6 "drift after step 25: .* rank 2 on $host .* nothing of it is saved, and there is no checkpoint yet;" "at an epoch's end: found"
check "at an epoch's end: nothing of it is saved" test -z "$(newest epoch)" -a ! -e "$tmp/epoch/best.h5"
refuse "at an epoch's end: found before it is evaluated" grep -q '"kind":"eval"' "$tmp/epoch/metrics.jsonl"

# ---- What one rank alone cannot see is not claimed to be seen: but for what it can compare with itself. ----
train alone 1 $tiny --steps 30 --drift-every 1 --crash-at 5:0:flip
check "one rank: a flipped weight is not seen" test $code = 0
refuse "one rank: though the run becomes another" test "$(bits alone)" = "$(bits whole)"
train alone-too 1 $tiny --steps 30 --drift-every 1 --crash-at 5:0:flip-schedule
one_error 6 "drift after step 6: $settings in the memory of" "one rank: a changed schedule is"

# ---- Another device. ----
export LOCKSTEP_DEVICE=ref
train ref 3 $tiny --steps 12 --checkpoint-every 4 --drift-every 1 --crash-at 5:2:flip-slot
one_error 6 "drift after step 6: .*/optimizer/momentum/conv1.weight: rank 2 on $host differs" "on the reference device as well"
finish
