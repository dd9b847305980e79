#!/bin/bash
# limit: 300
# waits: what it checks is a matter of seconds
# The folder tensorboard of a run: what TensorBoard's own reader gets of it is metrics.jsonl, also after a crash, a resume
# and a roll-back; one file a process; gone with --reset.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

python=$tensorboard_python
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

# Histograms of plain SGD, whose gradients follow from a checkpoint after each step.
sed 's/conv c=16 k=3 p=1$/conv c=128 k=3 p=1/' $tiny >"$tmp/wide.yaml" # 18,432 weights: more than come to the host at once
wide=$tmp/wide.yaml
plain=(--optimizer.momentum 0 --optimizer.weight-decay 0 --optimizer.clip-norm 1e9 --lr 0.1 --log-every 1 --checkpoint-every 1 --keep 20)
train without 2 "$wide" "${plain[@]}" --steps 8
train histograms 2 "$wide" "${plain[@]}" --steps 8 --tensorboard.histograms 2 --crash-at 6
train histograms 3 "$wide" "${plain[@]}" --steps 8 --tensorboard.histograms 2
check "--tensorboard.histograms, over a crash" test "$code" = 0
same histograms without "they leave the bits as they are"
train native 2 "$wide" "${plain[@]}" --steps 8 --tensorboard.histograms 4 --reduction native
check "of native sums" test "$code" = 0
train refused 1 $tiny --tensorboard.histograms 3
one_error 2 'tensorboard.histograms 3: .*a multiple of log-every, 2; 4 is' "every third step where every second is logged"
train refused 1 $tiny --tensorboard.histograms 2 --no-tensorboard.events
one_error 2 'tensorboard.histograms 2 wants tensorboard.events' "histograms without TensorBoard's folder"

# ---- Pictures, which a process beside the run draws. ----
# draws DRAWING NAME RANKS WORD...: a run of ten evaluations, one every ten steps, with the process that draws as drawing.c has it.
preload drawing || { fail "drawing.c compiles" && finish; }
draws() { DRAWING=$1 LD_PRELOAD=$tmp/drawing.so train "$2" "$3" $tiny --epochs 10 --tensorboard.images 20 "${@:4}"; }
draws wait drawn 2 --report
check "a run with pictures" test "$code" = 0
train plain 2 $tiny --epochs 10
same plain drawn "pictures leave the bits as they are"
draws wait halves 2 --crash-at 57 --tensorboard.images 5
draws wait halves 1 --tensorboard.images 5 --report
check "a run with fewer pictures, over a crash" test "$code" = 0
draws wait rolled 1 --keep 10
cp "$tmp/rolled/checkpoints/step-00000040.h5" "$tmp/rolled/checkpoints/step-00000040.h5.xxh3" "$tmp/"
draws wait rolled 1 --resume "$tmp/step-00000040.h5"
check "a roll-back to step 40" test "$code" = 0
without_cairo=
if grep -q 'built without cairo' "$tmp/drawn/log.txt"; then
    without_cairo=1
else
    draws 'kill -9 $$' killed 2
    check "drawing is killed: the run ends well" test "$code" = 0
    same killed plain "with its bits and metrics"
    check "and one warning" \
        test "$(grep -c '^warning: .*no pictures of step [0-9]*: it ended by signal 9' "$log") $(warnings | wc -l)" = "1 1"
    draws 'printf abc' torn 1
    check "what was drawn is no picture: a warning" bash -c "[ $code = 0 ] && grep -q '^warning: .*no pictures of .*not whole' '$log'"
    draws 'echo $$ >>'"$tmp/hung"'; exec sleep 1000' hangs 1
    check "drawing hangs: the run ends well" bash -c "[ $code = 0 ] && grep -q '^warning: .*no pictures of step 10: it took too long' '$log'"
    # A stop that waits for it takes two seconds at least, each time; another one may, on a busy machine.
    for _ in 1 2 3 4 5; do
        rm -rf "$tmp/hung" "$tmp/asked"
        DRAWING='echo $$ >>'"$tmp/hung"'; exec sleep 1000' LD_PRELOAD=$tmp/drawing.so start asked 0 $tiny --epochs 2000 \
            --tensorboard.images 20 --eval.every 100
        until_true 60 test -s "$tmp/hung"
        began=$(date +%s%N)
        kill -USR1 "$launched"
        wait_for asked
        took=$((($(date +%s%N) - began) / 1000000))
        [ "$code" = 75 ] && [ $took -ge 2000 ] || break
    done
    check "a requested stop does not wait for it ($took ms)" test "$code" = 75 -a "$took" -lt 2000
    check "nor says a word of it" test -z "$(warnings)"
    check "and leaves no process behind" bash -c "test -s '$tmp/hung' && ! kill -0 \$(cat '$tmp/hung') 2>/dev/null"
fi
draws 'exit 5' bare 1
check "without cairo: a word in log.txt alone" \
    bash -c "[ $code = 0 ] && [ \$(grep -c 'built without cairo' '$tmp/bare/log.txt') = 1 ] && ! grep -qi 'cairo\|pictures of' '$log'"

if ! "$python" -c 'import tensorboard' 2>/dev/null; then
    skip "what TensorBoard reads" "$python has no tensorboard (scripts/setup.sh test; TENSORBOARD_PYTHON)"
    finish
fi
reads() { PYTHONWARNINGS=ignore "$python" tests/e2e/check_events "$@"; }
check "after a crash: nothing that metrics.jsonl does not have" reads "$tmp/crashed" --prefix
check "after the resume: each step once, with its values" reads "$tmp/crash"
if /usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null; then
    for run in "histograms 2" "native 4"; do
        /usr/bin/python3 tests/e2e/check_histograms weights "$tmp/${run% *}" "$tmp/weights.npz"
        check "${run% *}: those of the weights in checkpoints, and of their gradients" "$python" tests/e2e/check_histograms compare \
            "$tmp/${run% *}" "$tmp/weights.npz" 0.1 "${run#* }"
    done
else
    skip "what the histograms are of" "python3-h5py is missing"
fi
if [ -n "$without_cairo" ]; then
    skip "pictures" "lockstep was built without cairo"
else
    check "pictures of every evaluation; the last are the report's" "$python" tests/e2e/check_pictures "$tmp/drawn" 10 20 30 40 50 60 70 80 90 100
    check "of five of ten over a crash, each once, the last included" "$python" tests/e2e/check_pictures "$tmp/halves" 20 40 60 80 100
    check "after a roll-back each once" "$python" tests/e2e/check_pictures "$tmp/rolled" 10 20 30 40 50 60 70 80 90 100
    check "scalars beside pictures" reads "$tmp/drawn"
fi
check "after --reset: one run" reads "$tmp/reset"
train back 1 $tiny --epochs 4 --keep 10 --checkpoint-every 7
cp "$tmp/back/checkpoints/step-00000014.h5" "$tmp/back/checkpoints/step-00000014.h5.xxh3" "$tmp/"
train back 1 $tiny --epochs 4 --resume "$tmp/step-00000014.h5"
check "a roll-back to step 14" test "$code" = 0
check "after it each step stands once" reads "$tmp/back"
finish
