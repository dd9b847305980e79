#!/bin/bash
# What stands around the checkpoints follows from them: best.h5, the result, the report, the lines of metrics that the history
# knows. Each start compares and mends; and an early end is not for ever.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
train whole 1 $tiny --steps 60 --eval.every 1
check "a run of two epochs and more" test $code = 0
train first 1 $tiny --steps 30 --lr 0.05
best=$(readlink "$tmp/first/best.h5")
check "its first epoch is the best" test "$best" = checkpoints/step-00000025.h5

# ---- best.h5 ----
cp -a "$tmp/first" "$tmp/unlinked"
rm "$tmp/unlinked/best.h5"
train unlinked 1 $tiny --steps 40 --checkpoint-every 1 --keep 1
check "best.h5 removed: it is there again, and its checkpoint is kept" \
    test "$code $(readlink "$tmp/unlinked/best.h5")" = "0 $best" -a -e "$tmp/unlinked/best.h5"
check "best.h5 removed: a warning" test "$(grep -c '^warning: .*best.h5 was missing: now it is step-00000025.h5' "$log")" = 1
cp -a "$tmp/first" "$tmp/elsewhere"
ln -sfn checkpoints/step-00000030.h5 "$tmp/elsewhere/best.h5"
lockstep 0 checkpoint list "$tmp/elsewhere"
check "best.h5 of another step: checkpoint list knows better" test "$(sed -n 's/^\([^ ]*\) .* best; .*/\1/p' "$log")" = "${best#*/}"
train elsewhere 1 $tiny --steps 40
check "best.h5 of another step: mended" test "$code $(readlink "$tmp/elsewhere/best.h5")" = "0 $best"
cp -a "$tmp/first" "$tmp/bestless"
rm "$tmp/bestless/$best"*
train bestless 1 $tiny --steps 40
check "its checkpoint removed: no link to nothing" test "$code" = 0 -a ! -L "$tmp/bestless/best.h5"
check "its checkpoint removed: the summary names no file" grep -q '^best: .*at step 25 (its checkpoint is not there)' "$log"
cp -a "$tmp/first" "$tmp/damaged"
truncate -s 1000 "$tmp/damaged/$best"
train damaged 1 $tiny --steps 40
check "its checkpoint damaged: neither" test "$code" = 0 -a ! -L "$tmp/damaged/best.h5" -a -e "$tmp/damaged/$best.bad"
cp -a "$tmp/first" "$tmp/finished"
rm "$tmp/finished/best.h5"
train finished 1 $tiny --steps 30
check "a finished run's, too" test "$code $(readlink "$tmp/finished/best.h5")" = "0 $best"
if preload file_ops; then
    # Aimed elsewhere while the run goes on: the state knows better.
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/aimed FILE_OPS_AT='rename:/step-00000027.h5$' \
        start aimed 0 $tiny --steps 40 --lr 0.05 --checkpoint-every 1 --keep 1
    until_true 60 stopped aimed
    ln -sfn checkpoints/step-00000027.h5 "$tmp/aimed/best.h5"
    kill -CONT "$launched"
    wait_for aimed
    check "aimed elsewhere while the run goes on: its checkpoint is kept, and it is mended" \
        test "$code $(readlink "$tmp/aimed/best.h5")" = "0 $best" -a -e "$tmp/aimed/best.h5"
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/owed FILE_OPS_AT=read:step-00000025.h5.tmp FILE_OPS_DO=flip \
        train owed 1 $tiny --steps 40 --checkpoint-every 10
    check "the best could not be written at first: one warning" \
        test "$code $(grep -c '^warning: .*step 25 .*reads back other bytes' "$log")" = "0 1"
    check "the best could not be written at first: it is, before the next" \
        test "$(readlink "$tmp/owed/best.h5") $(result owed best_step)" = "$best 25" -a -e "$tmp/owed/best.h5"
    check "and is sound" sound owed
fi

# ---- result.json ----
for harm in "rm" "truncate -s 20" "sed -i s/finished/stopped/" "sed -i s/:.30,/:29,/"; do
    rm -rf "$tmp/lost" && cp -a "$tmp/first" "$tmp/lost"
    $harm "$tmp/lost/result.json"
    train lost 2 $tiny --steps 30
    same lost first "result.json after '$harm': written again, the same"
    check "result.json after '$harm': a warning" grep -q '^warning: .*result.json or predictions.h5 is not of this end' "$log"
    train lost 2 $tiny --steps 30
    check "and then it is finished" test "$code $(grep -c 'is finished: step 30 of 30' "$log") $(warnings | wc -l)" = "0 1 0"
done
cp -a "$tmp/first" "$tmp/unpredicted"
rm "$tmp/unpredicted/predictions.h5"
train unpredicted 2 $tiny --steps 30
same unpredicted first "predictions.h5 removed: the same run"
check "predictions.h5 removed: written again" test -s "$tmp/unpredicted/predictions.h5"
cp -a "$tmp/first" "$tmp/extended"
train extended 2 $tiny --steps 60 --crash-at 40:1:kill
check "an extended run that crashed has no old result" test "$code" = 137 -a ! -e "$tmp/extended/result.json" -a ! -e "$tmp/extended/predictions.h5"
train extended 2 $tiny --steps 60
same extended whole "and goes on to the same end"
if preload file_ops; then
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/between FILE_OPS_AT=fsync:result.json.tmp start between 0 $tiny --steps 30
    until_true 60 stopped between
    stop_hard
    check "killed after the last checkpoint, before the result" test ! -e "$tmp/between/result.json" -a -n "$(newest between)"
    train between 1 $tiny --steps 30
    same between first "started again: the result is there"
fi
if LOCKSTEP_REPORT=true "$program" report "$tmp/first" >"$log" 2>&1; then
    rm -rf "$tmp/first/report"
    LOCKSTEP_REPORT=true train first 1 $tiny --steps 30
    check "a finished run's report is made again" test -e "$tmp/first/report/report.html"
    cp -a "$tmp/first" "$tmp/went-on"
    train went-on 1 $tiny --steps 31 # with no report of its own
    check "the page of an end that it goes on from does not stay" test "$code" = 0 -a ! -e "$tmp/went-on/report/report.html"
else
    skip "a finished run's report is made again" "reports cannot be made here"
fi

# ---- metrics.jsonl: evaluations of the test set, which the history knows. ----
evals_of() { stable_metrics "$1" | grep '"kind": "eval"'; }
train evals60 1 $tiny --steps 60 --lr 0.05
train evals30 1 $tiny --steps 30 --lr 0.05
for harm in "sed -i /eval/d" "sed -i /step.:25,/d" "rm" "truncate -s 300"; do
    for steps in 30 60; do # finished; to go on
        rm -rf "$tmp/cut" && cp -a "$tmp/evals30" "$tmp/cut"
        $harm "$tmp/cut/metrics.jsonl"
        train cut 2 $tiny --steps $steps --lr 0.05
        check "metrics.jsonl after '$harm', to step $steps: a warning" \
            test "$code $(grep -c '^warning: .*metrics.jsonl lacked 1 evaluation that the checkpoint knows of: put back' "$log")" = "0 1"
        check "metrics.jsonl after '$harm', to step $steps: all evaluations" test "$(evals_of cut)" = "$(evals_of evals$steps)"
    done
done

# ---- An early end is not for ever. ----
"$BUILD/tests/dist/make_cifar" "$tmp/few" 8 30
export CIFAR10_DIR=$tmp/few
still=$recipes/still.yaml # two steps an epoch, and every evaluation a tie
ended() { result "$1" step epoch status | tr '\n' ' '; }
train patience 1 $still --eval.patience 3 --epochs 20
check "patience ends a run" test "$code $(ended patience)" = "0 8 4 finished "
cp -a "$tmp/patience" "$tmp/without"
cp -a "$tmp/patience" "$tmp/more"
train without 2 $still --eval.patience 0 --epochs 20
check "--eval.patience 0: it goes on" test "$code $(ended without)" = "0 40 20 finished "
train more 2 $still --eval.patience 3 --epochs 30
check "more epochs: patience begins anew" test "$code $(ended more)" = "0 14 7 finished "
check "and it says so" grep -q 'patience had ended this run at step 8; it is to go on to step 60' "$log"
train more 2 $still --eval.patience 3 --epochs 30
check "the same command again: it is finished" test "$code $(grep -c 'is finished: step 14 of 60' "$log")" = "0 1"
train more 2 $still --eval.patience 3 --steps 61 --epochs 31
check "more steps: the same" test "$code $(ended more)" = "0 20 10 finished "
finish
