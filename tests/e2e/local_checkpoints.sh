#!/bin/bash
# --checkpoint-local: checkpoints between the ends of epochs stay on the node. After a crash there the run goes on from
# them; elsewhere from the run directory's; never from one that the run has not gone on to.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
words=(--steps 60 --checkpoint-every 4)
# on NODE NAME WORD...: trains with that node's own folder.
on() {
    local node=$1 name=$2
    shift 2
    train "$name" 2 $tiny "${words[@]}" --checkpoint-local "$tmp/$node" "$@"
}
crash() {
    rm -f "$tmp/$2/crash-fired"
    on "$@"
    check "$2 on $1: the planted crash" test $code = 137
}
local_steps() { find "$tmp/$1" -name '*.h5' -printf '%f\n' 2>/dev/null | sort | tr '\n' ' '; }
from() { result "$1" resumed_from; }

train whole 2 $tiny "${words[@]}"
check "the undisturbed run" test $code = 0
on node0 calm
same calm whole "undisturbed, with a folder of the node: the same"
check "nothing stays behind on the node" test -z "$(local_steps node0)"
check "the run directory has epoch ends and the last step alone" \
    test "$(find "$tmp/calm/checkpoints" -name '*.h5' -printf '%f\n' | sort | tr '\n' ' ')" = \
    "step-00000025.h5 step-00000050.h5 step-00000060.h5 "

crash node1 crashed --crash-at 42:1:kill
check "the run directory has the epoch's end" test "$(newest crashed)" = "$tmp/crashed/checkpoints/step-00000025.h5"
check "the node has later ones" test -n "$(local_steps node1)"
cp -a "$tmp/crashed" "$tmp/moved"
cp -a "$tmp/crashed" "$tmp/bad"
cp -a "$tmp/node1" "$tmp/node3"
on node1 crashed
same crashed whole "gone on with on the same node: as the undisturbed run"
check "from the node's checkpoint" test "$(from crashed)" -gt 25

on node2 moved
same moved whole "gone on with on another node: as the undisturbed run"
check "from the run directory's checkpoint" test "$(from moved)" = 25
check "with a warning" grep -q '^warning: .*node2/lockstep-.* is not on this node' "$log"

# The run directory moves on from step 25 on node 2; what node 3 still has of later steps is of another past.
cp -a "$tmp/bad" "$tmp/back"
crash node2 back --crash-at 30:1:kill
on node3 back
same back whole "back on a node with checkpoints of another past: as the undisturbed run"
check "not from one of them" test "$(from back)" = 25

for file in "$tmp"/node3/lockstep-*/*.h5; do truncate -s $(($(stat -c %s "$file") / 2)) "$file"; done
on node3 bad
same bad whole "the node's checkpoints are damaged: as the undisturbed run"
check "they are passed over" grep -q 'node3/lockstep-.* passed over' "$log"
check "from the run directory's, then" test "$(from bad)" = 25

# ---- What only the node has. ----
crash node4 only --crash-at 18:1:kill
check "before the first epoch's end all is on the node" test -z "$(newest only)" -a -n "$(local_steps node4)"
on node4 only --resume none
one_error 4 '--resume none: .*holds checkpoints' "--resume none: not over them"
if preload file_ops; then
    # Left, but killed before the new branch is named: nothing has happened.
    for at in fsync:lineage.tmp rename:/lineage; do
        rm -rf "$tmp/left" "$tmp/node5"
        crash node5 left --crash-at 42:1:kill
        before=$(local_steps node5)
        LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/left FILE_OPS_AT=$at \
            start left 0 $tiny "${words[@]}" --checkpoint-local "$tmp/node5" --resume "$tmp/left/checkpoints/step-00000025.h5"
        until_true 60 stopped left
        stop_hard
        check "killed at $at while the branch is left: the node's checkpoints are there" test "$(local_steps node5)" = "$before"
        rm -f "$tmp/left/crash-fired"
        on node5 left
        same left whole "killed at $at while the branch is left: to the same end"
        if [ $at = rename:/lineage ]; then
            check "from the file that the new branch began with" test "$(from left)" = 25
        else
            check "from the old branch's newest" test "$(from left)" -gt 25
        fi
    done
fi
rm -rf "$tmp/left" "$tmp/node5"
crash node5 left --crash-at 42:1:kill
file=$(find "$tmp/node5" -name '*.h5' | sort | tail -n 1)
rm -f "$tmp/left/crash-fired"
on node5 left --resume "$file" --crash-at 43:1:kill --checkpoint-every 100
check "gone on from a node's file, killed at once: the file is there" test $code = 137 -a -e "$file"
on node5 left --resume "$file"
same left whole "named once more, the run goes on"
check "and then the node has nothing" test -z "$(local_steps node5)" -a "$(find "$tmp/node5" -mindepth 1 | wc -l)" = 1
# An old checkpoint in the run directory cannot be read, a newer one on the node can.
rm -rf "$tmp/hidden" "$tmp/node6"
crash node6 hidden --crash-at 42:1:kill
mv "$tmp/hidden/checkpoints/step-00000025.h5.xxh3" "$tmp/kept" && mkdir "$tmp/hidden/checkpoints/step-00000025.h5.xxh3"
on node6 hidden
check "gone on from the node's" test "$(from hidden)" -gt 25
rmdir "$tmp/hidden/checkpoints/step-00000025.h5.xxh3" && mv "$tmp/kept" "$tmp/hidden/checkpoints/step-00000025.h5.xxh3"
same hidden whole "to the same end"
# Without the option the node's are not looked for, which is said.
rm -rf "$tmp/without" "$tmp/node7"
crash node7 without --crash-at 42:1:kill
train without 2 $tiny "${words[@]}"
same without whole "without --checkpoint-local: from the run directory's, to the same end"
check "with a warning" grep -q '^warning: .*was trained with --checkpoint-local, which is not given now' "$log"

start asked 0 $tiny --steps 100000 --epochs 10000 --checkpoint-every 4 --checkpoint-local "$tmp/node1"
logged() { [ -s "$tmp/asked/metrics.jsonl" ]; }
until_true 60 logged
kill -USR1 "$launched"
wait_for asked
check "asked to stop: exit code 75" test $code = 75
check "the last checkpoint is in the run directory" \
    test "$(newest asked)" = "$tmp/asked/checkpoints/step-$(printf %08d "$(result asked step)").h5"
finish
