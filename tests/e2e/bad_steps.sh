#!/bin/bash
# limit: 400
# A step that is not finite is skipped, or the run goes back to its newest good checkpoint with a lower learning rate: a bounded
# number of times, and with the same bits at any number of ranks and over crashes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch, lr 0.05, a line every second step
arrays() { "$program" inspect "$tmp/$1/checkpoints/step-0000$2.h5" | sed -n '/^arrays/,$p'; }
lr_at() { sed -nE "s/.*\"step\":$2,.*\"lr\":([0-9.e-]+),.*/\1/p" "$tmp/$1/metrics.jsonl"; }
bad_words() { result "$1" skipped_steps rollbacks lr_factor | tr '\n' ' '; }
steps_of() { grep -o '"kind":"train","dataset":"[a-z0-9-]*","step":[0-9]*' "$tmp/$1/metrics.jsonl" | grep -o '[0-9]*$' | tr '\n' ' '; }

# ---- Skip. ----
train skip 2 $tiny --steps 20 --bad-steps skip --checkpoint-every 1 --keep 100 --crash-at 7:1:nan
check "skip: the run goes on to its end" test "$code $(bad_words skip)" = "0 1 0 1 "
check "skip: one warning, which names the step" \
    test "$(grep -c '^warning: step 7 has .*: its update is skipped (1 in a row, of 5 at most; 1 in all, of 100)' "$log")" = 1
check "skip: weights, statistics and optimizer are after it as they were" test "$(arrays skip 0007)" = "$(arrays skip 0008)"
refuse "skip: and others after the next" test "$(arrays skip 0008)" = "$(arrays skip 0009)"
check "skip: every step has its line" test "$(steps_of skip)" = "2 4 6 8 10 12 14 16 18 20 "
check "skip: a mean is over the steps that were none" grep -q '"step":8,.*"images":32,' "$tmp/skip/metrics.jsonl"
train skip-line 2 $tiny --steps 6 --bad-steps skip --log-every 1 --crash-at 3:1:nan
check "skip: a line of skipped steps alone says so" test "$(grep -c '  step 4/6  no image counted  lr ' "$log")$(grep -ci 'nan%' "$log")" = 10
train skip-1 1 $tiny --steps 20 --bad-steps skip --crash-at 7:0:nan
same skip-1 skip "skip: the same bits on 1 rank"
check "skip: no image is missing from the sum" test "$(result skip-1 samples_hash)" = "$(result skip samples_hash)"
train skip-4 4 $tiny --steps 10 --bad-steps skip --checkpoint-every 4 --crash-at 7:3:nan
rm "$tmp/skip-4/crash-fired" # once more in this directory, now by kill
train skip-4 4 $tiny --steps 20 --bad-steps skip --checkpoint-every 4 --crash-at 13:2:kill
check "skip: a crash after it" test $code = 137
train skip-4 3 $tiny --steps 20 --bad-steps skip --checkpoint-every 4
same skip-4 skip "skip: gone on from on 3 ranks: the same bits and lines"
check "skip: gone on from: it is still counted" test "$(bad_words skip-4)" = "1 0 1 "
train bound 2 $tiny --steps 60 --lr 1e6 --bad-steps skip --bad-steps.in-a-row 3
one_error 8 'diverged: .*; 3 steps right before it were skipped, 3 in all \(bad-steps.in-a-row 3, bad-steps.skipped 100\); the last checkpoint is untouched' \
    "skip: bounded in a row"
check "skip: bounded: a warning each" test "$(grep -c '^warning: step .* its update is skipped' "$log")" = 3

# ---- Roll back. As a reference a schedule that falls at the step gone back to. ----
half=(--schedule step --schedule.unit steps --schedule.points 8 --schedule.gamma 0.5)
train half 1 $tiny --steps 20 "${half[@]}"
train back 2 $tiny --steps 20 --bad-steps rollback --checkpoint-every 4 --crash-at 10:1:nan
check "rollback: the run goes on to its end" test "$code $(bad_words back)" = "0 0 1 0.5 "
check "rollback: one warning, which names both steps" \
    test "$(grep -c '^warning: step 10 came to values that are NaN or out of range: rolled back to step 8 (1 of 3 times at most), with 0.5 of ' "$log")" = 1
check "rollback: every step has its line, once" test "$(steps_of back)" = "2 4 6 8 10 12 14 16 18 20 "
check "rollback: the learning rate is lower from there on" test "$(lr_at back 8) $(lr_at back 10) $(lr_at back 20)" = "0.05 0.025 0.025"
check "rollback: every line is that of a schedule that falls there" diff <(stable_metrics back) <(stable_metrics half)
check "rollback: so is the end" test "$(result back test_loss test_accuracy samples_hash)" = "$(result half test_loss test_accuracy samples_hash)"
refuse "rollback: but it is another state: its future has another schedule" test "$(result back state_hash)" = "$(result half state_hash)"
check "rollback: every checkpoint is good" sound back
train back-1 1 $tiny --steps 20 --bad-steps rollback --checkpoint-every 4 --crash-at 11:0:nan
same back-1 back "rollback: from another step and on 1 rank to the same one: the same bits"
train back-3 3 $tiny --steps 14 --bad-steps rollback --checkpoint-every 4 --crash-at 10:2:nan
rm "$tmp/back-3/crash-fired"
train back-3 3 $tiny --steps 20 --bad-steps rollback --checkpoint-every 4 --crash-at 18:0:kill
check "rollback: a crash after it" test $code = 137
train back-3 4 $tiny --steps 20 --bad-steps rollback --checkpoint-every 4
same back-3 back "rollback: gone on from on 4 ranks: the same bits and lines"
train first 2 $tiny --steps 20 --bad-steps rollback --crash-at 3:1:nan
train quarter 1 $tiny --steps 20 --lr 0.025
check "rollback: to the beginning where there is no checkpoint" \
    test "$code $(bad_words first)" = "0 0 1 0.5 " -a "$(result first test_loss)" = "$(result quarter test_loss)"
check "rollback: to the beginning: its lines too" diff <(stable_metrics first) <(stable_metrics quarter)
if preload file_ops; then
    # Step 8's checkpoint is damaged as soon as it is there.
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/damaged FILE_OPS_AT='rename:/step-00000008.h5$' \
        start damaged 0 $tiny --steps 20 --bad-steps rollback --checkpoint-every 4 --keep 100 --crash-at 10:0:nan
    until_true 60 stopped damaged
    truncate -s 1000 "$tmp/damaged/checkpoints/step-00000008.h5"
    kill -CONT "$launched"
    wait_for damaged
    train half-4 1 $tiny --steps 20 --schedule step --schedule.unit steps --schedule.points 4 --schedule.gamma 0.5
    check "rollback: a bad checkpoint is passed over" \
        test "$code $(bad_words damaged)" = "0 0 1 0.5 " -a -e "$tmp/damaged/checkpoints/step-00000008.h5.bad"
    check "rollback: a bad checkpoint: to the one before it" grep -q '^warning: step 10 came to .*: rolled back to step 4 (1 of 3' "$tmp/damaged.log"
    check "rollback: a bad checkpoint: the end of a schedule that falls there" \
        test "$(result damaged test_loss test_accuracy samples_hash)" = "$(result half-4 test_loss test_accuracy samples_hash)"
    check "rollback: a bad checkpoint: all others are good" sound damaged
fi

# ---- A learning rate that really is too high: it comes again at each start, to the same bits. ----
train wild 2 $tiny --steps 20 --lr 1e6 --bad-steps rollback --bad-steps.lr-factor 1e-4 --checkpoint-every 3
check "a rate far too high: the run finds one to go on with" test "$code" = 0 -a "$(result wild rollbacks)" -ge 1
train wild-3 3 $tiny --steps 20 --lr 1e6 --bad-steps rollback --bad-steps.lr-factor 1e-4 --checkpoint-every 3 --crash-at 2:1:kill
train wild-3 3 $tiny --steps 20 --lr 1e6 --bad-steps rollback --bad-steps.lr-factor 1e-4 --checkpoint-every 3
same wild-3 wild "a rate far too high: the same bits on 3 ranks and over a crash"
train bound 2 $tiny --reset --steps 60 --lr 1e6 --bad-steps rollback --bad-steps.rollbacks 2 --bad-steps.lr-factor 0.9
one_error 8 'diverged: .*; the run was rolled back 2 times, and the learning rate is 0.81 of the schedule.s \(bad-steps.rollbacks 2\); the last' \
    "rollback: bounded"

# ---- Weights that are not finite, where nothing is due but the end. ----
# Nothing flows back, so that each step multiplies the weights by 1 - lr * decay = 1 - 10^11: the fourth one makes them infinite,
# while every loss is log 10; with a billionth of the rate it does not.
cat >"$tmp/blows-up.yaml" <<'END'
batch-size: 20
lanes: 2
optimizer:
  lr: 1000000
  momentum: 0
  weight-decay: 100000
model: |
  conv c=4 k=4 s=4
  relu
  avgpool global
  scale by=0
  linear c=10 bias=0
END
blow=(--bad-steps rollback --bad-steps.lr-factor 1e-9 --checkpoint-every 3 --log-every 3)
train last 2 "$tmp/blows-up.yaml" "${blow[@]}" --steps 4
check "rollback: infinite weights after the last step" test "$code $(bad_words last)" = "0 0 1 1e-09 "
train alike 1 "$tmp/blows-up.yaml" "${blow[@]}" --steps 4
same alike last "rollback: infinite weights after the last step: the same bits on 1 rank"
if preload file_ops; then
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/asked FILE_OPS_AT='write:metrics.jsonl$' start asked 0 "$tmp/blows-up.yaml" "${blow[@]}" --steps 9
    until_true 60 stopped asked
    kill -USR1 "$launched"
    kill -CONT "$launched"
    wait_for asked
    check "rollback: infinite weights where the run is asked to stop" test "$code $(bad_words asked)" = "75 0 1 1e-09 "
    check "rollback: infinite weights: the stop follows" test "$(result asked step)" = 4
    check "rollback: infinite weights: every checkpoint is good" sound asked
fi

# ---- The best and early ends follow. ----
train best 2 $tiny --epochs 3 --bad-steps rollback --crash-at 40:1:nan
check "rollback after an epoch: the best is one of the run's" \
    test "$code" = 0 -a -e "$tmp/best/best.h5" -a "$(grep -c '"kind":"eval"' "$tmp/best/metrics.jsonl")" = 3
train stop 2 $tiny --steps 20 --crash-at 7:1:nan
one_error 8 'rank 1/2 step 7\] diverged: .*\(lr 0.05\); the last checkpoint is untouched' "unless asked for, a bad step ends the run"
finish
