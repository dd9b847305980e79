#!/bin/bash
# limit: 180
# The folder tensorboard of a run: what TensorBoard's own reader gets of it is metrics.jsonl, also after a crash, a resume
# and a roll-back; one file a process; gone with --reset. TENSORBOARD_PYTHON names a python that has TensorBoard.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

python=${TENSORBOARD_PYTHON:-python3}
small_data "$tmp/data" 64 100 || { fail "small data" && finish; } # 10 steps an epoch
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
files() { find "$tmp/$1/tensorboard" -type f | sort | sed 's:.*/::' | tr '\n' ' '; }

train off 1 $tiny --steps 4 --no-tensorboard.events
check "--no-tensorboard.events" test ! -e "$tmp/off/tensorboard"
train crash 2 $tiny --epochs 4 --checkpoint-every 7 --crash-at 26
cp -r "$tmp/crash" "$tmp/crashed"
train crash 3 $tiny --epochs 4 --checkpoint-every 7
check "a run that crashed and went on" test "$code" = 0
check "a file for each process" test "$(files crash)" = "events.out.tfevents.000001.lockstep events.out.tfevents.000002.lockstep "
train reset 1 $tiny --steps 10
train reset 1 $tiny --steps 10 --reset
check "--reset begins again" test "$(files reset)" = "events.out.tfevents.000001.lockstep "

if ! "$python" -c 'import tensorboard' 2>/dev/null; then
    skip "what TensorBoard reads" "$python has no tensorboard (pip install tensorboard; TENSORBOARD_PYTHON)"
    finish
fi
reads() { PYTHONWARNINGS=ignore "$python" tests/e2e/check_events "$@"; }
check "after a crash: nothing that metrics.jsonl does not have" reads "$tmp/crashed" --prefix
check "after the resume: each step once, with its values" reads "$tmp/crash"
check "after --reset: one run" reads "$tmp/reset"
train back 1 $tiny --epochs 4 --keep 10 --checkpoint-every 7
cp "$tmp/back/checkpoints/step-00000014.h5" "$tmp/back/checkpoints/step-00000014.h5.xxh3" "$tmp/"
train back 1 $tiny --epochs 4 --resume "$tmp/step-00000014.h5"
check "a roll-back to step 14" test "$code" = 0
check "after it each step stands once" reads "$tmp/back"
finish
