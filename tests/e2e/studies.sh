#!/bin/bash
# scripts/checkpoint-study.sh and scripts/accuracy.sh on tiny runs: rows, statistics against Python's, going on, wrong words; and
# `make` for all of them. Speed is not looked at.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 64 50 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
# study NAME WORD...: sets $code, all output in $log.
study() {
    local name=$1
    shift
    STUDY=${STUDY:-$tmp/$name} timeout -k 5 "$run_limit" "scripts/$name.sh" "$@" >"$log" 2>&1
    code=$?
}
# wrong NAME PATTERN STUDY [VARIABLE=VALUE]... WORD...
wrong() {
    local what=$1 pattern=$2 name=$3
    shift 3
    while [[ ${1:-} = [A-Z]*=* ]]; do
        local -x "$1"
        shift
    done
    study "$name" "$@"
    check "$what is refused" bash -c "[ $code = 2 ] && grep -qE -- \"$pattern\" '$log'"
}

# ---- Checkpoints ----
export EVERY="1 4 12" REPEATS=2
study checkpoint-study $tiny --keep 40
check "a study of checkpoints" test "$code" = 0
check "runs of the largest interval, with so many checkpoints" test "$(for every in 1 4 12; do
    result checkpoint-study/every-$every-1 step
    find "$tmp/checkpoint-study/every-$every-1/checkpoints" -name '*.h5' | wc -l
done | tr '\n' ' ')" = "12 12 12 4 12 2 " # the epoch's end at step 10 as well
check "rows, seeds, means and deviations" /usr/bin/python3 - "$tmp/checkpoint-study" <<'PY'
import csv, json, statistics, sys
folder = sys.argv[1]
rows = list(csv.DictReader(open(folder + "/study.csv")))
assert [(r["every"], r["repeat"]) for r in rows] == [(e, r) for e in ("1", "4", "12") for r in "12"], rows
assert len({r["seed"] for r in rows}) == len({r["state_hash"] for r in rows}) == 6
for row in rows:
    result = json.load(open("%s/every-%s-%s/result.json" % (folder, row["every"], row["repeat"])))
    assert all(row.values()) and row["state_hash"] == result["state_hash"]
    times = float(row["train_s"]) + float(row["checkpoint_s"])
    assert abs(times - (result["wall_s"] - result["times"]["evaluation"])) < 0.003, row
summary = list(csv.DictReader(open(folder + "/summary.csv")))
def of(every):
    return [float(r["train_s"]) + float(r["checkpoint_s"]) for r in rows if r["every"] == every]
for line, every in zip(summary, ("1", "4", "12"), strict=True):
    def near(name, value):
        return abs(float(line[name]) - value) <= 1e-4 * abs(value) + 1e-9
    held = [float(r["checkpoint_s"]) for r in rows if r["every"] == every]
    assert line["every"] == every and line["runs"] == "2" and near("per_1000_steps", 1000 / int(every)), line
    assert near("time_s_mean", statistics.mean(of(every))) and near("time_s_sd", statistics.stdev(of(every))), line
    assert near("checkpoint_s_mean", statistics.mean(held)) and near("checkpoint_s_sd", statistics.stdev(held)), line
    assert near("over_rarest", statistics.mean(of(every)) / statistics.mean(of("12"))), line
PY
check "a plot over the logarithm of the frequency" grep -q '>100</text>' "$tmp/checkpoint-study/time.svg"
find "$tmp/checkpoint-study" -name row.csv -exec md5sum {} + >"$tmp/done"
EVERY="1 2 4 12" study checkpoint-study $tiny --keep 40
check "another interval is added, and what was done is kept" md5sum --quiet -c "$tmp/done"
check "as one more row" test "$code $(cut -d , -f 1,3 "$tmp/checkpoint-study/summary.csv" | tr '\n' ' ')" = "0 every,runs 1,2 2,2 4,2 12,2 "
wrong "a run that ends too early" 'end after 10 steps: say --epochs N' checkpoint-study STUDY="$tmp/early" REPEATS=1 $tiny --epochs 1
wrong "an interval that is none" "EVERY: '0' is no whole number" checkpoint-study EVERY=0 $tiny
wrong "an interval for all" '--checkpoint-every is the study.s own' checkpoint-study $tiny --checkpoint-every 3
wrong "fewer steps in the same folder" 'runs of another recipe' checkpoint-study STEPS=24 $tiny --keep 40
unset EVERY REPEATS

# ---- Accuracy ----
RUNS=2 study accuracy $tiny --epochs 2
check "accuracy over two seeds" test $code = 0
refuse "without a target it says nothing of one" grep -q 'at or above' "$log"
# One that some runs reach: the better of the two.
TARGET=$(printf '%s\n' "$(result accuracy/seed-1 test_accuracy)" "$(result accuracy/seed-2 test_accuracy)" | sort -n | tail -n 1)
export TARGET
# The third seed, cut off in mid-run.
lockstep 0 train $tiny --epochs 2 --report false --seed 3 --out "$tmp/accuracy/seed-3" --checkpoint-every 3 --crash-at 8
refuse "a run that crashes" test $code = 0
RUNS=5 study accuracy $tiny --epochs 2
check "more runs add to it, and one that was cut off goes on" grep -qE '^0 [36] 20 $' <(echo "$code $(result accuracy/seed-3 resumed_from step | tr '\n' ' ')")
check "the two first are kept" test "$(grep -c 'from before' "$log")" = 2
check "rows; mean, deviation, minimum and share" /usr/bin/python3 - "$tmp/accuracy" "$log" "$TARGET" <<'PY'
import csv, json, re, statistics, sys
folder, log, target = sys.argv[1], open(sys.argv[2]).read(), float(sys.argv[3])
rows = list(csv.DictReader(open(folder + "/study.csv")))
assert [r["seed"] for r in rows] == list("12345")
assert [r["resumed_from"] != "" for r in rows] == [False, False, True, False, False]
found = []
for row in rows:
    result = json.load(open("%s/seed-%s/result.json" % (folder, row["seed"])))
    assert row["state_hash"] == result["state_hash"] and float(row["test_accuracy"]) == result["test_accuracy"]
    found.append(result["test_accuracy"])
(line,) = csv.DictReader(open(folder + "/summary.csv"))
want = {"accuracy_mean": statistics.mean(found), "accuracy_sd": statistics.stdev(found), "accuracy_min": min(found),
        "accuracy_max": max(found), "target": target, "share": sum(a >= target for a in found) / 5}
assert line["recipe"] == "tiny" and line["runs"] == "5"
for key, value in want.items():
    assert abs(float(line[key]) - value) < 1e-5 * value + 1e-9, (key, line, value)
assert 0 < want["share"]
number = r"([\d.]+)"
said = re.search(f"tiny: 5 runs, test accuracy: mean {number} %, deviation {number}, minimum {number} %, maximum {number} %; "
                 f"{number} % of the runs at or above {100 * target:.4g} %", log)
assert said, log
for text, key in zip(said.groups(), ("accuracy_mean", "accuracy_sd", "accuracy_min", "accuracy_max", "share")):
    assert abs(float(text) - 100 * want[key]) < (0.51 if key == "share" else 0.0051), (text, key)
PY
if grep -q 'report/report.html' "$log"; then
    check "and a report of all runs" grep -q '5 runs compared' "$tmp/accuracy/report/report.html"
else
    skip "a report of all runs" "lockstep was built without cairo"
fi
wrong "no recipe" 'which recipe' accuracy
wrong "a target in percent" 'TARGET is a share of right answers, as 0.94, not .94.' accuracy TARGET=94 $tiny
wrong "other epochs in the same folder" 'runs of another recipe' accuracy $tiny --epochs 3
wrong "runs that are none" "RUNS: 'ten'" accuracy RUNS=ten $tiny

# ---- make ----
if [ "$BUILD" = build ]; then
    unset TARGET
    check "make accuracy" make accuracy RECIPE=$tiny RUNS=1 EPOCHS=1 STUDY="$tmp/made-accuracy"
    check "leaves its summary" grep -q '^tiny,1,' "$tmp/made-accuracy/summary.csv"
    check "make checkpoint-study" make checkpoint-study RECIPE=$tiny EVERY="5 10" REPEATS=1 STUDY="$tmp/made-checkpoints"
    check "leaves its summary and plot" test -s "$tmp/made-checkpoints/summary.csv" -a -s "$tmp/made-checkpoints/time.svg"
    check "make timing-study" make timing-study RECIPE=$tiny REPEATS=1 EPOCHS=1 BATCHES="32 64" SETTINGS=cpu STUDY="$tmp/made-times"
    check "leaves its summary and plots" test "$(wc -l <"$tmp/made-times/summary.csv") $(find "$tmp/made-times" -name '*.svg' | wc -l)" = "3 2"
else
    skip "make" "it builds in build"
fi
for name in timing-study checkpoint-study accuracy; do
    check "scripts/$name.sh --help lists its variables" grep -q 'STUDY=runs/' <(scripts/$name.sh --help)
done
finish
