#!/bin/bash
# What the training loop decides, against what it must decide: when it evaluates, which evaluation is the best one, when
# patience ends, what selects under --holdout, what may not get into a checkpoint.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 8 30 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
still=$recipes/still.yaml # two steps an epoch, and every evaluation a tie

# evaluated NAME [SPLIT]: "EPOCH:STEP" of each evaluation, with a * at those that are the best so far.
evaluated() {
    /usr/bin/python3 - "$tmp/$1/metrics.jsonl" "${2:-test}" <<'PY'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
print(*(f"{l['epoch']}:{l['step']}{'*' * l['best']}" for l in lines if l["kind"] == "eval" and l["split"] == sys.argv[2]))
PY
}
# is WHAT FOUND WANTED
is() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "found  $2" "wanted $3" "$(tail -n 20 "$log")"; fi; }
best_of() { echo "$(readlink "$tmp/$1/best.h5") $(result "$1" best_step)"; }

# ---- When it evaluates, and when it has had enough. ----
train every 1 $still --eval.every 3 --epochs 7
is "eval.every 3: after the third and the sixth epoch" "$code $(evaluated every)" "0 3:6* 6:12"
is "an end that is no evaluation's: step and epoch" "$(result every step epoch status | tr '\n' ' ')" "14 7 finished "
train patience 1 $still --eval.every 2 --eval.patience 3
is "patience 3: after the first and three that are no better" "$code $(evaluated patience)" "0 2:4* 4:8 6:12 8:16"
is "patience 3: the run ends there" "$(result patience step epoch status | tr '\n' ' ')" "16 8 finished "
check "patience 3: it says so" grep -q 'no better accuracy in 3 evaluations' "$log"
is "of equals the first is best" "$(best_of patience)" "checkpoints/step-00000004.h5 4"
train patience 1 $still --eval.every 2 --eval.patience 3
is "a run that patience ended is finished" "$code $(evaluated patience)" "0 2:4* 4:8 6:12 8:16"
check "a run that patience ended says that it is finished" grep -q 'is finished: step 16 of 100' "$log"
train one 2 $still --eval.patience 1
is "patience 1" "$code $(evaluated one)" "0 1:2* 2:4"
train interrupted 2 $still --eval.every 2 --eval.patience 3 --steps 11
is "stopped before patience ends" "$code $(evaluated interrupted)" "0 2:4* 4:8"
train interrupted 1 $still --eval.every 2 --eval.patience 3
is "patience goes on over a resume" "$code $(evaluated interrupted) $(result interrupted step)" "0 2:4* 4:8 6:12 8:16 16"
is "the best one is remembered over a resume" "$(best_of interrupted)" "checkpoints/step-00000004.h5 4"

# ---- --holdout: held-out records select. Classes are colours; the labels of the test set are wrong, so that the better a net is the
# lower its test accuracy. ----
mkdir "$tmp/colours"
/usr/bin/python3 - "$tmp/colours" <<'PY'
import sys
def record(label, colour):
    return bytes([label]) + b"".join(bytes([255 * (colour >> i & 1)]) * 1024 for i in range(3))
for i in range(1, 6):
    open(f"{sys.argv[1]}/data_batch_{i}.bin", "wb").write(b"".join(record(n % 4, n % 4) for n in range(32)))
open(f"{sys.argv[1]}/test_batch.bin", "wb").write(b"".join(record((n + n // 4 % 3 + 1) % 4, n % 4) for n in range(60)))
PY
train honest 2 $still --data "$tmp/colours" --holdout 40 --optimizer.lr 0.1 --epochs 12 --keep 100
check "--holdout: held-out records select the best" /usr/bin/python3 - "$tmp/honest" <<'PY'
import json, os, sys
lines = [l for l in map(json.loads, open(f"{sys.argv[1]}/metrics.jsonl")) if l["kind"] == "eval"]
result = json.load(open(f"{sys.argv[1]}/result.json"))
accuracy = {s: [l["accuracy"] for l in lines if l["split"] == s] for s in ("holdout", "test")}
first_best = {s: a.index(max(a)) for s, a in accuracy.items()}
assert len(accuracy["test"]) == len(accuracy["holdout"]) == 12, lines
assert first_best["test"] < first_best["holdout"], f"both would select the same: {accuracy}"
assert [l["images"] for l in lines] == [40, 60] * 12, lines
so_far = [a > max(accuracy["holdout"][:i], default=-1) for i, a in enumerate(accuracy["holdout"])]
assert [l["best"] for l in lines] == [x for better in so_far for x in (better, False)], lines
step = 6 * (first_best["holdout"] + 1)
assert os.readlink(f"{sys.argv[1]}/best.h5") == f"checkpoints/step-{step:08d}.h5"
assert (result["best_step"], result["best_accuracy"]) == (step, max(accuracy["holdout"])), result
assert result["selected_on"] == "holdout"
PY

# Patience begins anew with each better one: a run that learns, against the rule applied to what it wrote.
train learns 1 $still --data "$tmp/colours" --holdout 40 --optimizer.lr 0.1 --epochs 300 --eval.patience 4
is "patience 4 while it learns: exit code" "$code" 0
check "patience 4 while it learns: where it ends, what was best" /usr/bin/python3 - "$tmp/learns" <<'PY'
import json, sys
lines = [l for l in map(json.loads, open(f"{sys.argv[1]}/metrics.jsonl")) if l.get("split") == "holdout"]
result = json.load(open(f"{sys.argv[1]}/result.json"))
best, since, steps = -1, 0, []
for line in lines:
    assert since < 4, f"{line} comes after patience has ended"
    better = line["accuracy"] > best
    assert line["best"] == better, line
    since, best = (0, line["accuracy"]) if better else (since + 1, best)
    if better:
        steps.append(line["step"])
assert since == 4, f"it ended too early: {lines[-1]}"
assert len(steps) > 1, "it never got better: nothing is shown"
assert (result["best_step"], result["best_accuracy"], result["step"]) == (steps[-1], best, lines[-1]["step"]), result
PY

# ---- Held-out records are in no shard: changing their pixels changes no weight, changing any other one does. ----
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    cp -a "$tmp/colours" "$tmp/held" && cp -a "$tmp/colours" "$tmp/other"
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/oracle /usr/bin/python3 - "$tmp" <<'PY'
import sys, draws
held = draws.held_out(1, 160, 40)
for name, records in (("held", held), ("other", [min(set(range(160)) - set(held))])):
    for record in records:
        with open(f"{sys.argv[1]}/{name}/data_batch_{record // 32 + 1}.bin", "r+b") as file:
            file.seek(record % 32 * 3073 + 1)
            file.write(bytes(i % 251 for i in range(3072)))
PY
    words=(--holdout 40 --optimizer.lr 0.1 --steps 6)
    for data in colours held other; do train in-$data 2 $still --data "$tmp/$data" "${words[@]}"; done
    is "other held-out records: the same weights" "$(result in-held state_hash)" "$(result in-colours state_hash)"
    held_loss() { tests/read_json stable "$tmp/$1/metrics.jsonl" | grep '"holdout"' | sed 's/.*"loss": \([^,]*\), "accuracy.*/\1/' | head -n 1; }
    refuse "other held-out records: another held-out loss" test "$(held_loss in-held)" = "$(held_loss in-colours)"
    refuse "one other training record: other weights" test "$(result in-other state_hash)" = "$(result in-colours state_hash)"
else
    skip "held-out records are in no shard" "python3-numpy is missing"
fi

# ---- What is out of range, or not finite. ----
# net FILE LAYER...: a recipe of two lanes.
net() {
    local file=$1
    shift
    printf 'batch-size: 20\nlanes: 2\nmodel: |\n' >"$file"
    printf '  %s\n' "$@" >>"$file"
}
mkdir "$tmp/black" # 160 records of class 0
head -c $((32 * 3073)) /dev/zero >"$tmp/black/test_batch.bin"
for i in 1 2 3 4 5; do cp "$tmp/black/test_batch.bin" "$tmp/black/data_batch_$i.bin"; done
# The inputs of the last layer are near 0, its biases below 1/55, so a loss is below 80000 * 2/55 < 2^14; the softmax is a 1 at the
# class of the largest bias. So a lane's gradient is 0 but for the biases of that class and of class 0: plus and minus 80000 / 2
# lanes, which is not below 2^15.
net "$tmp/steep.yaml" "scale by=0.000000001" "linear c=10" "scale by=80000"
for run in "1 1 4 0-1" "1 2 4 0-1" "2 1 2 0-0"; do
    read -r ranks threads bad lanes <<<"$run"
    train "steep-$ranks-$threads" "$ranks" "$tmp/steep.yaml" --data "$tmp/black" --steps 2 --threads "$threads"
    one_error 8 "step 0\] diverged: $bad losses, gradients or statistics of lanes $lanes are NaN or out of range" \
        "gradients out of range are counted: $ranks ranks x $threads threads"
done
# Nothing flows back, so that each step multiplies the weights by 1 - lr * decay = 1 - 10^12: from some 0.1 the fourth one
# makes all of them infinite, 192 of the convolution and 40 behind it, while every loss is log 10.
net "$tmp/blows-up.yaml" "conv c=4 k=4 s=4" "relu" "avgpool global" "scale by=0" "linear c=10 bias=0"
train blows-up 2 "$tmp/blows-up.yaml" --data "$tmp/colours" --steps 6 --checkpoint-every 1 --keep 9 --optimizer.momentum 0 \
    --optimizer.lr 1000000 --optimizer.weight-decay 1000000
one_error 8 'diverged: 232 weights are NaN or infinite' "infinite weights end the run"
is "infinite weights get into no checkpoint" \
    "$(find "$tmp/blows-up/checkpoints" -name 'step-*' | sort | tr '\n' ' ' | sed "s|$tmp/blows-up/checkpoints/step-0000000||g")" \
    "1.h5 1.h5.xxh3 2.h5 2.h5.xxh3 3.h5 3.h5.xxh3 "
# ---- Enough is enough: a target; and what never counts. ----
train target 2 $still --epochs 3
is "without a target" "$code $(result target step target_s | tr '\n' ' ')" "0 6 None "
first=$(result target test_accuracy)
train reached 2 $still --target "$first" --epochs 3
is "a target ends the run with the evaluation that reaches it" "$code $(evaluated reached) $(result reached status step | tr '\n' ' ')" \
    "0 1:2* finished 2 "
check "a target: it says so, and after what time" grep -qE \
    '^accuracy [0-9.]+ % on the test set reaches the target of [0-9.]+ %: at step 2, after [0-9.]+ s$' "$log"
check "a target: the time to it is in result.json" awk -v t="$(result reached target_s)" 'BEGIN { exit !(t > 0) }'
train reached 1 $still --target "$first" --epochs 3
check "a run whose target is reached is finished" grep -q 'is finished: step 2 of 6; ask for more --target, not --epochs' "$log"
train reached 1 $still --target 1 --epochs 3
is "it goes on to a higher one" "$code $(result reached step target_s | tr '\n' ' ')" "0 6 None "
# In training next to nothing passes the dropout; in evaluation all does, and infinity minus infinity is NaN.
awk -v big='  scale by=1000000\n' '{ print } /linear c=10/ { printf "%s%s  dropout p=0.9999\n%s%s%s%s%s", big, big, big, big, big, big, big }' \
    $still >"$tmp/nan.yaml"
train nan 2 "$tmp/nan.yaml" --epochs 9 --eval.patience 2
is "an evaluation that is NaN is never the best, and counts for patience" "$code $(evaluated nan)" "0 1:2 2:4"
is "NaN: there is no best" "$(result nan best_step best_accuracy | tr '\n' ' ')$(find "$tmp/nan" -name best.h5)" "None None "
check "NaN: a warning" grep -q '^warning: the loss on the test set is NaN after step 2: this is never the best$' "$log"

finish
