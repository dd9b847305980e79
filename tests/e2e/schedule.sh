#!/bin/bash
# Schedules follow the length of the run: the learning rates that a run logs, against formulas of numpy's.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 16 30 || { fail "small data" && finish; } # 80 records
export CIFAR10_DIR=$tmp/data
cat >"$tmp/shares.yaml" <<'YAML' # four steps an epoch
batch-size: 20
lanes: 2
epochs: 5
log-every: 1
optimizer:
  lr: 0.4
schedule:
  name: piecewise
  unit: share
  points: [[0, 0], [1/4, 1], [1, 0]]
model: |
  conv c=8 k=4 s=4
  relu
  avgpool global
  linear c=10
YAML

# rates NAME FORMULA: the learning rate of each logged step against the formula of the epochs done before it, e.
rates() {
    /usr/bin/python3 - "$tmp/$1/metrics.jsonl" "$2" <<'PY'
import json, sys
from numpy import *
lines = [json.loads(line) for line in open(sys.argv[1])]
lines = [line for line in lines if line["kind"] == "train"]
assert [line["step"] for line in lines] == list(range(1, len(lines) + 1)), "steps are missing"
for line in lines:
    e = (line["step"] - 1) / 4
    want = float(eval(sys.argv[2]))
    if abs(line["lr"] - want) > 1e-12:
        sys.exit(f"step {line['step']}: {line['lr']}, not {want}")
print(len(lines), "steps")
PY
}

for epochs in 1 2 8; do
    train "whole-$epochs" 2 "$tmp/shares.yaml" --epochs $epochs
    check "--epochs $epochs is a whole schedule" rates "whole-$epochs" "interp(e, [0, $epochs / 4, $epochs], [0, 0.4, 0])"
    refuse "--epochs $epochs: nothing to warn of" grep -q '^warning: .*\(schedule\|learning rate\)' "$log"
done

# ---- --steps only cuts. ----
train cut 1 "$tmp/shares.yaml" --steps 7
check "--steps: the schedule of all epochs" rates cut "interp(e, [0, 1.25, 5], [0, 0.4, 0])"
check "--steps: a warning" grep -q '^warning: --steps 7 ends the run before its schedule does: at step 20, epoch 5$' "$log"

# ---- The length is settled once. ----
train cut 2 "$tmp/shares.yaml" --steps 9 --epochs 3
check "fewer epochs at a resume: the same schedule" rates cut "interp(e, [0, 1.25, 5], [0, 0.4, 0])"
check "fewer epochs at a resume: a warning" \
    grep -q "^warning: the run has 3 epochs, its schedule 5: the schedule's last point at epoch 5 is not reached$" "$log"
train cut 2 "$tmp/shares.yaml" --steps 11 --epochs 8
one_error 2 '^lockstep: .*--epochs 8, but the schedule of .*step-00000009.h5 was laid out for 5: add --schedule.total-epochs 8 ' \
    "more epochs at a resume are refused"
train cut 2 "$tmp/shares.yaml" --steps 11 --epochs 8 --schedule.total-epochs 8
check "a length that is named holds from there on" rates cut \
    "interp(e, [0, 1.25, 5], [0, 0.4, 0]) if e < 9 / 4 else interp(e, [0, 2, 8], [0, 0.4, 0])"
check "it says so" grep -q '^the schedule was laid out for 5 epochs; from here on it is for 8$' "$log"
train cut 2 "$tmp/shares.yaml" --steps 13 --epochs 8
check "and is stored" rates cut "interp(e, [0, 1.25, 5], [0, 0.4, 0]) if e < 9 / 4 else interp(e, [0, 2, 8], [0, 0.4, 0])"

# ---- What never comes. ----
train never 1 "$tmp/shares.yaml" --schedule.unit epochs --schedule.points 0:0,6:1
one_error 2 "the schedule's last point at epoch 6 is never reached: the run has 5 epochs" "a point that never comes"
train zero 1 "$tmp/shares.yaml" --schedule.unit epochs --schedule.points 0:0,1:1,2:0
check "epochs in which nothing is learned: a warning" \
    grep -q '^warning: the learning rate is 0 from epoch 2 on, and the run has 5 epochs$' "$log"
train milestone 2 "$tmp/shares.yaml" --epochs 3 --schedule.name step --schedule.unit steps --schedule.points 5,10
check "milestones in steps" rates milestone "0.4 * 0.1 ** (1.0 * (4 * e >= 5) + (4 * e >= 10))"

# ---- PyTorch's schedulers, on the same numbers of steps and epochs. ----
# torch_rates NAME CODE: CODE makes `schedule` of `optimizer`, which is stepped with each step, or where `by_epoch` with each
# epoch, or where it wants a value with each evaluation's.
torch_rates() {
    /usr/bin/python3 - "$tmp/$1/metrics.jsonl" "$2" <<'PY'
import json, sys
import torch
from torch.optim.lr_scheduler import *
lines = [json.loads(line) for line in open(sys.argv[1])]
optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4, momentum=0.9)
by_epoch, value = False, None
exec(sys.argv[2])
optimizer.step()
rates = set()
for line in lines:
    if line["kind"] == "eval":
        if line["split"] == "test" and value:
            schedule.step(line[value])
        continue
    step, want = line["step"], optimizer.param_groups[0]["lr"]
    rates.add(want)
    if abs(line["lr"] - want) > 1e-12:
        sys.exit(f"step {step}: {line['lr']}, not {want}")
    if not value and (not by_epoch or step % 4 == 0):
        schedule.step()
print(len(lines), "lines,", len(rates), "rates")
assert len(rates) > 3
PY
}
base=("$tmp/shares.yaml" --schedule.unit epochs --schedule.points '')
train cosine 1 "${base[@]}" --schedule.name cosine --schedule.lr-end 0.01 --schedule.by epoch
check "cosine by epoch: CosineAnnealingLR" torch_rates cosine 'schedule, by_epoch = CosineAnnealingLR(optimizer, 5, 0.01), True'
train falls 1 "${base[@]}" --schedule.name step --schedule.points 1,3,4 --schedule.gamma 0.3
check "milestones in epochs: MultiStepLR" torch_rates falls 'schedule, by_epoch = MultiStepLR(optimizer, [1, 3, 4], 0.3), True'
# 20 steps: the peak where 30 % of them are done, less one, and the end with the last step.
one=(--schedule.name one-cycle --schedule.unit steps --schedule.lr-start 0.016 --schedule.lr-end 0.0000016)
train cycle 1 "${base[@]}" "${one[@]}" --schedule.points 5,19 --schedule.shape cosine
check "one cycle of two parts: OneCycleLR" torch_rates cycle 'schedule = OneCycleLR(optimizer, 0.4, 20, pct_start=0.3)
schedule.step = (lambda s: lambda: s() if schedule.last_epoch < 19 else None)(schedule.step)'
train three 1 "${base[@]}" "${one[@]}" --schedule.points 5,10,19
check "one cycle of three parts: OneCycleLR" torch_rates three 'kind = {"anneal_strategy": "linear", "three_phase": True}
schedule = OneCycleLR(optimizer, 0.4, 20, pct_start=0.3, **kind)
schedule.step = (lambda s: lambda: s() if schedule.last_epoch < 19 else None)(schedule.step)'
restarts=(--schedule.name sgdr --schedule.lr-end 0.01)
for factor in 1 2; do
    cycle=$((9 - 3 * factor))
    train "restarts-$factor" 1 "${base[@]}" "${restarts[@]}" --schedule.unit steps --schedule.cycle $cycle \
        --schedule.cycle-factor $factor
    check "restarts, times $factor, in steps: CosineAnnealingWarmRestarts" torch_rates "restarts-$factor" \
        "schedule = CosineAnnealingWarmRestarts(optimizer, $cycle, $factor, 0.01)"
    check "a run that ends within a cycle says so" grep -qx \
        "warning: the run ends at step 20, within .* at step $((27 - 9 * factor)), epoch .*, and at step $((27 - 3 * factor)), epoch .*" "$log"
done
train restarts-by-epoch 2 "${base[@]}" "${restarts[@]}" --schedule.by epoch --epochs 7 --schedule.cycle 1 --schedule.cycle-factor 2
check "restarts by epoch: CosineAnnealingWarmRestarts" torch_rates restarts-by-epoch \
    'schedule, by_epoch = CosineAnnealingWarmRestarts(optimizer, 1, 2, 0.01), True'
refuse "whole cycles: nothing to warn of" grep -q '^warning: .*cycle' "$log"
restarts+=(--schedule.unit share --epochs 6 --schedule.cycle 1/3)
train restarts-share 2 "${base[@]}" "${restarts[@]}" --steps 11
train restarts-share 1 "${base[@]}" "${restarts[@]}"
check "restarts in shares, over a resume: CosineAnnealingWarmRestarts" torch_rates restarts-share \
    'schedule, done = CosineAnnealingWarmRestarts(optimizer, 2, 1, 0.01), [0]
schedule.step = (lambda s: lambda: (done.append(done[-1] + 1), s(done[-1] / 4)))(schedule.step)'
train restarts-0 1 "${base[@]}" "${restarts[@]}" --schedule.cycle 0
one_error 2 'schedule.name sgdr wants schedule.cycle, the length of the first cycle in share' "restarts without a length"
train restarts-0 1 "${base[@]}" "${restarts[@]}" --schedule.cycle 0.01
one_error 2 'schedule.cycle 0.01 is shorter than a step, of which an epoch has 4: give at least 0.0416667 share' "cycles of no step"
train restarts-0 1 "${base[@]}" "${restarts[@]}" --schedule.unit epochs --schedule.cycle 7
one_error 2 'the end of the first cycle at epoch 7 is never reached: the run has 6 epochs' "a cycle longer than the run"
plateau=(--schedule.name plateau --epochs 24 --schedule.gamma 0.7 --schedule.patience 1 --schedule.cooldown 1)
for monitor in accuracy loss; do
    mode=$([ $monitor = loss ] && echo min || echo max)
    train "plateau-$monitor" 2 "${base[@]}" "${plateau[@]}" --eval.monitor $monitor --steps 50
    train "plateau-$monitor" 1 "${base[@]}" "${plateau[@]}" --eval.monitor $monitor
    check "plateau of the $monitor, over a resume: ReduceLROnPlateau" torch_rates "plateau-$monitor" \
        "schedule, value = ReduceLROnPlateau(optimizer, '$mode', 0.7, 1, cooldown=1), '$monitor'"
    check "plateau of the $monitor: it says so" grep -q "^no better $monitor for more than 1 evaluations: the learning rate falls to " "$log"
done
train plateau-whole 1 "${base[@]}" "${plateau[@]}" --eval.monitor loss
same plateau-whole plateau-loss "plateau: the same bits without a resume, and on another number of ranks"
check "plateau: checkpoints verify" sound plateau-loss
train plateau-other 1 "${base[@]}" "${plateau[@]}" --eval.monitor loss --schedule.threshold 0.9
refuse "plateau: its state is part of the state hash" test "$(result plateau-other state_hash)" = "$(result plateau-whole state_hash)"

# ---- What the recipes of the project do. ----
for recipe in configs/*.yaml; do
    [[ $("$program" train "$recipe" --dump-config | grep -A9 '^schedule:') =~ name:\ constant ]] && continue
    check "$recipe has a schedule of shares" grep -q 'unit: share' "$recipe"
done
finish
