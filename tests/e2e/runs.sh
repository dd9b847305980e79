#!/bin/bash
# lockstep runs: every kind of run in one table, for people, as CSV and as JSON, sorted; damaged ones do not disturb the others.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 200 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

lockstep 0 runs "$tmp/study"
one_error 2 'study: No such file' "a folder that is not there"
train study/first 2 $tiny --steps 10
train study/lr/run.10 1 $tiny --steps 10 --optimizer.lr 0.25 --seed 3
LOCKSTEP_SEED=4 train study/lr/run.2 1 $tiny --epochs 1 --augment.crop-area 0.25,1
train study/synthetic 1 $tiny --steps 4 --data synthetic
train study/crash 2 $tiny --steps 40 --checkpoint-every 5 --eval.every 1 --crash-at 37
start study/stop 2 $tiny --epochs 100000
until_true 60 test -s "$tmp/study/stop/metrics.jsonl"
kill -USR1 "$launched"
wait_for study/stop
check "a stopped run" test $code = 75
mkdir -p "$tmp/elsewhere" "$tmp/study/no-run/checkpoints"
mv "$tmp/study/first" "$tmp/elsewhere/first"
ln -s "$tmp/elsewhere/first" "$tmp/study/first"
ln -s .. "$tmp/study/lr/circle"
start study/goes-on 1 $tiny --epochs 100000 --eval.every 100000 --quiet
until_true 60 test -s "$tmp/study/goes-on/metrics.jsonl"

"$program" runs "$tmp/study" >"$log" 2>&1
check "the table is shown" test $? = 0
column() { "$program" runs "$tmp/study" --csv --columns "$1" "${@:2}" 2>>"$log" | tail -n +2 | tr '\n' ' '; }
check "every run, run.2 before run.10, and nothing else" test "$(column run)" = "crash first goes-on lr/run.2 lr/run.10 stop synthetic "
check "their states" test "$(column status)" = "crashed finished running finished finished stopped finished "
check "a line a run under the titles" test "$(wc -l <"$log")" = 8
check "recipe, what differs, ranks" bash -c "grep -qE '^lr/run.10 +tiny +seed=3 steps=10 optimizer.lr=0.25 +1 ' '$log'"
check "a seed from the environment differs as well" grep -qE '^lr/run.2 +tiny +seed=4 epochs=1 augment.crop-area=0.25,1 +1 ' "$log"
percent=$(awk -v a="$(result study/first test_accuracy)" 'BEGIN { printf "%.2f", 100 * a }')
check "accuracy and hash of result.json" grep -qE "^first +tiny +steps=10 +2 +$percent % .* $(result study/first state_hash)$" "$log"
check "synthetic data are called so" grep -qE '^synthetic .* finished +synthetic ' "$log"

# ---- CSV and JSON against what the runs wrote. ----
"$program" runs "$tmp/study" --csv >"$tmp/runs.csv" && "$program" runs "$tmp/study" --json >"$tmp/runs.json"
check "CSV and JSON" test $? = 0
cat >"$tmp/compare.py" <<'END'
import csv, json, sys
study = sys.argv[1]
with open(study + "/../runs.csv", newline="") as file:
    rows = list(csv.DictReader(file))
objects = json.load(open(study + "/../runs.json"))
assert len(rows) == len(objects) == 7
for row, got in zip(rows, objects):
    sessions = [json.loads(line) for line in open(f"{got['path']}/sessions.jsonl")]
    assert row["run"] == got["run"] and got["path"] == f"{study}/{got['run']}"
    assert row["date"] == got["date"] == sessions[0]["time"]
    assert got["differs"] == sessions[0]["changes"]
    assert row["differs"] == " ".join(f"{k}={v}" for k, v in got["differs"].items())
    for key in "test_accuracy", "test_loss", "epoch", "wall_s", "images_per_s", "ranks":
        assert got["status"] == "running" or (float(row[key]) if row[key] else None) == got[key], key
    if got["status"] in ("finished", "stopped"):
        result = json.load(open(f"{got['path']}/result.json"))
        for key in "status", "test_accuracy", "test_loss", "epoch", "wall_s", "images_per_s", "ranks", "dataset", "state_hash":
            assert got[key] == result[key], (key, got[key], result[key])
    else:
        lines = [json.loads(line) for line in open(f"{got['path']}/metrics.jsonl") if line.endswith("\n")]
        assert got["state_hash"] == "" and got["wall_s"] is None
        if got["status"] == "crashed":
            test = [line for line in lines if line["kind"] == "eval"][-1]
            assert test["step"] == 31 and got["test_accuracy"] == test["accuracy"] and got["test_loss"] == test["loss"]
    # Options that any of them changed, with the value in each, changed or not.
    options = {"seed": "1", "steps": "0", "optimizer.lr": "0.05", "epochs": "100", "checkpoint-every": "0",
               "eval.every": "1", "augment.crop-area": "0,0", **got["differs"]}
    assert got["options"] == options and all(row[k] == v for k, v in options.items()), (got["options"], options)
END
check "CSV and JSON have what the runs wrote" python3 "$tmp/compare.py" "$tmp/study"

# ---- Order. ----
check "by accuracy, those without one last" python3 - "$tmp/runs.json" "$(column run --sort test_accuracy)" "$(column run --sort -accuracy)" <<'END'
import json, sys
rows = json.load(open(sys.argv[1]))
key = lambda row: row["test_accuracy"]
known, rest = [r for r in rows if key(r) is not None], [r["run"] for r in rows if key(r) is None]
assert 4 <= len(known) < 7 and rest
assert sys.argv[2].split() == [r["run"] for r in sorted(known, key=key)] + rest
assert sys.argv[3].split() == [r["run"] for r in sorted(known, key=key, reverse=True)] + rest
END
check "by status" test "$(column status --sort status)" = "crashed finished finished finished finished running stopped "
check "a run alone" test "$("$program" runs "$tmp/study/lr/run.2/" --csv --columns run,status | tail -n 1)" = "run.2,finished"
(cd "$tmp/elsewhere" && mkdir runs && mv first runs && "${OLDPWD}/$program" runs --columns run) >"$log"
check "without a name: the folder runs" grep -qx first "$log"
mv "$tmp/elsewhere/runs/first" "$tmp/elsewhere/first"

# ---- Going on, and damage. ----
kill -KILL "$(rank0 study/goes-on)"
wait "$launched" 2>/dev/null
check "a run that was killed has crashed" test "$(column status)" = "crashed finished crashed finished finished stopped finished "
sed -i 's/^boot .*/boot another/' "$tmp/study/goes-on/owner"
check "on a host that cannot be seen it runs while it writes" test "$(column status)" = "crashed finished running finished finished stopped finished "
touch -d '301 seconds ago' "$tmp/study/goes-on/metrics.jsonl" "$tmp/study/goes-on/log.txt"
check "after its deadline it may have crashed or be suspended" test "$(column status)" = "crashed finished silent finished finished stopped finished "
# A process that died between result.json and the end in sessions.jsonl, and one that died going on with a finished run.
cp -r "$tmp/study/lr/run.2" "$tmp/study/z1"
sed -i '$ d' "$tmp/study/z1/sessions.jsonl"
cp -r "$tmp/study/lr/run.2" "$tmp/study/z2"
sed -n '1 s/"step":0/"step":'"$(result study/lr/run.2 step)"'/p' "$tmp/study/lr/run.2/sessions.jsonl" >>"$tmp/study/z2/sessions.jsonl"
check "killed after the result: finished" test "$(column run,status | tr ' ' '\n' | grep z1)" = z1,finished
check "killed after it was taken up again: crashed" test "$(column run,status | tr ' ' '\n' | grep z2)" = z2,crashed
tail -n 1 "$tmp/study/z2/sessions.jsonl" >>"$tmp/study/z1/sessions.jsonl"
check "both: crashed" test "$(column run,status | tr ' ' '\n' | grep z1)" = z1,crashed
rm -r "$tmp/study/z1" "$tmp/study/z2"
echo '{"status": "fin' >"$tmp/study/synthetic/result.json"
echo 'seed: [1' >"$tmp/study/crash/config.yaml"
rm "$tmp/elsewhere/first/config.yaml"
"$program" runs "$tmp/study" >"$tmp/table" 2>"$log"
check "three damaged runs: exit code 0" test $? = 0
damaged='^warning: .*/study/(synthetic is damaged: .*result|crash is damaged: .*config|first is damaged: .*config)'
check "each is named in one line" test "$(grep -cE "$damaged" "$log") $(wc -l <"$log")" = "3 3"
check "and in the table; the others are as before" test "$(column status)" = "damaged damaged silent finished finished stopped damaged "
check "JSON says why" python3 -c '
import json, sys
rows = json.loads(sys.argv[1])
assert ["error" in row for row in rows] == [row["status"] == "damaged" for row in rows] and "not JSON" in rows[-1]["error"]' \
    "$("$program" runs "$tmp/study" --json 2>/dev/null)"
mkdir "$tmp/empty"
check "no runs" test "$("$program" runs "$tmp/empty")" = "no runs in $tmp/empty"
check "no runs: CSV has its head" test "$("$program" runs "$tmp/empty" --csv --columns run)" = run
check "no runs: JSON is an array" test "$("$program" runs "$tmp/empty" --json)" = "[]"

# ---- Errors. ----
lockstep 0 runs "$tmp/study" --sort tset_loss
one_error 2 "no column is called 'tset_loss'; did you mean 'test_loss'" "an unknown column"
lockstep 0 runs "$tmp/study" --columns run,
one_error 2 "no column is called ''" "an empty column"
lockstep 0 runs "$tmp/study" "$tmp/empty"
one_error 2 'one folder' "two folders"
lockstep 0 runs --csv --json
one_error 2 'not both' "CSV and JSON"
lockstep 0 runs --sort
one_error 2 '--sort needs a value' "--sort of nothing"
check "--help names every column" bash -c "'$program' runs --help >'$log' && for name in \$('$program' runs '$tmp/empty' --csv | tr , ' '); do
    grep -q \"^  \$name \" '$log' || { echo \$name; exit 1; }; done"
finish
