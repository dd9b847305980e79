#!/bin/bash
# limit: 300
# scripts/timing-study.sh on tiny runs: stopped, going on, added to; what its tables say against the runs themselves and against
# Python's statistics; settings that are not there; wrong words. Speed is not looked at.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 64 50 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
# A program that notes how many cores it may use, and what for.
mkdir "$tmp/build"
cat >"$tmp/build/lockstep" <<END
#!/bin/bash
echo "\$(nproc) \$*" >>"$tmp/calls"
exec "$PWD/$program" "\$@"
END
[[ $program != /* ]] || sed -i "s|$PWD/||" "$tmp/build/lockstep"
chmod +x "$tmp/build/lockstep"
# study WORD...: sets $code, all output in $log.
study() {
    BUILD=$tmp/build STUDY=${STUDY:-$tmp/study} timeout -k 5 "$run_limit" scripts/timing-study.sh "$@" >"$log" 2>&1
    code=$?
}
rows() { find "${STUDY:-$tmp/study}" -name row.csv 2>/dev/null | wc -l; }
some_rows() { [ "$(rows)" -gt 0 ] || ! kill -0 "$runner" 2>/dev/null; }
cores=$(nproc)
settings=$((cores > 1 ? 2 : 1)) # without a GPU

# ---- Stopped, and going on ----
export BATCHES="32 64" EPOCHS=1 REPEATS=3 SETTINGS="cpu cores"
all=$((settings * 2 * 3))
(BUILD=$tmp/build STUDY=$tmp/study exec scripts/timing-study.sh $tiny) >"$tmp/stopped.log" 2>&1 &
runner=$!
until_true 60 some_rows
kill -TERM $runner
wait $runner
code=$?
check "a study that is asked to stop ends with code 75, and says so" \
    bash -c "[ $code = 75 ] && grep -q 'the same command goes on' '$tmp/stopped.log'"
before=$(rows)
check "it has done some runs and not all" test "$before" -gt 0 -a "$before" -lt $all
check "and leaves tables of them" test "$(wc -l <"$tmp/study/study.csv")" = $((before + 1))
find "$tmp/study" -name row.csv -exec md5sum {} + >"$tmp/done"
study $tiny
check "the same command goes on" test $code = 0
check "what was done is kept" md5sum --quiet -c "$tmp/done"
check "and named" test "$(grep -c 'from before' "$log")" = "$before"
check "every combination has its row" test "$(rows)" = $all
: >"$tmp/calls"
SETTINGS="cpu cores" study $tiny
refuse "a study that is done trains nothing" grep -q " train .*--out $tmp/study" "$tmp/calls"

# ---- Settings ----
unset SETTINGS
gpus=$("$program" --version | sed -n 's/^GPUs: //p')
if [ "${gpus:-0}" = 0 ]; then
    study $tiny
    check "settings that are not there are said" test "$(grep -cE '^(single|multi): not there: no GPU: (CUDA|NVIDIA driver): ' "$log")" = 2
    check "and stand in the description of the hardware" \
        test "$(grep -cE '^setting (single|multi): not there: ' "$tmp/study/hardware-$(hostname -s).txt")" = 2
    SETTINGS=multi study $tiny
    check "a study of what is not there alone is refused" bash -c "[ $code = 2 ] && grep -q 'none of these settings is there' '$log'"
    unset SETTINGS
else
    skip "settings that are not there" "this machine has GPUs"
fi
check "hardware and libraries are described" grep -q "^$("$program" --version | head -n 1)\$" "$tmp/study/hardware-$(hostname -s).txt"
export STUDY=$tmp/more SETTINGS="cpu cores" BATCHES=32 EPOCHS=2
REPEATS=1 study $tiny
check "cpu has one core alone" grep -qE "^1 train .*--out $tmp/more/cpu-32-1 .*--device cpu --threads 1$" "$tmp/calls"
if [ "$cores" -gt 1 ]; then
    check "cores has all, and a thread for each up to the lanes" \
        grep -qE "^$cores train .*--out $tmp/more/cores-32-1 .*--threads $((cores < 4 ? cores : 4)) --device cpu$" "$tmp/calls"
fi
# Half a run, as a study that was killed leaves it.
lockstep 0 train $tiny --out "$tmp/more/cpu-32-2" --batch-size 32 --epochs 2 --eval.every 2 --seed 320002 --keep 1 --steps 4
REPEATS=2 BATCHES="32 64" study $tiny
check "more repeats and batches add to it" test "$code $(rows)" = "0 $((settings * 4))"
check "a run that was cut off has begun anew" test "$(result more/cpu-32-2 resumed_from step)" = "$(printf 'None\n20')"
check "evaluation is at the end alone" test "$(cat "$tmp"/more/*/metrics.jsonl | grep -c '"kind":"eval"')" = $((settings * 4))
unset STUDY SETTINGS
export BATCHES="32 64" EPOCHS=1

# ---- Tables ----
check "the columns" test "$(head -n 1 "$tmp/study/study.csv" | tr ',' ' ')" = "setting batch repeat seed ranks threads units lanes epochs\
 steps process_s startup_s train_s evaluation_s checkpoint_s images_per_s test_accuracy test_loss state_hash device dataset host git date"
check "each row is what its run says; seeds differ; means and deviations are Python's" /usr/bin/python3 - "$tmp/study" $settings <<'PY'
import csv, json, statistics, sys
folder, settings = sys.argv[1], int(sys.argv[2])
rows = list(csv.DictReader(open(folder + "/study.csv")))
want = [(s, str(b), str(r)) for s in ("cpu", "cores")[:settings] for b in (32, 64) for r in (1, 2, 3)]
assert [(r["setting"], r["batch"], r["repeat"]) for r in rows] == want, rows
assert len({r["seed"] for r in rows}) == len({r["state_hash"] for r in rows}) == len(rows)
for row in rows:
    run = "%s/%s-%s-%s" % (folder, row["setting"], row["batch"], row["repeat"])
    result = json.load(open(run + "/result.json"))
    lines = [json.loads(line) for line in open(run + "/metrics.jsonl")]
    assert all(row.values()), row
    assert row["state_hash"] == result["state_hash"] and len(row["state_hash"]) == 16
    assert float(row["test_accuracy"]) == result["test_accuracy"] and float(row["test_loss"]) == result["test_loss"]
    assert result["resumed_from"] is None and result["step"] == int(row["steps"]) == 320 // int(row["batch"])
    assert open(run + "/config.yaml").read().find("seed: %s\n" % row["seed"]) >= 0
    t = {k: float(row[k]) for k in row if k.endswith("_s")}
    assert all(v >= 0 for v in t.values()), t
    assert abs(t["process_s"] - t["startup_s"] - t["train_s"] - t["evaluation_s"] - t["checkpoint_s"]) < 0.004, t
    assert abs(int(row["steps"]) * int(row["batch"]) / t["images_per_s"] - t["train_s"]) < 0.001, t
    tests = [line["times"]["wall_s"] for line in lines if line["kind"] == "eval"]
    assert len(tests) == 1 and abs(tests[0] - t["evaluation_s"]) < 0.002 + 0.1 * tests[0], (tests, t)
summary = list(csv.DictReader(open(folder + "/summary.csv")))
assert len(summary) == 2 * settings
def near(text, value):
    return abs(float(text) - value) <= 1e-5 * abs(value) + 1e-9
def of(setting, batch, column):
    return [float(r[column]) for r in rows if r["setting"] == setting and r["batch"] == batch]
for line in summary:
    s, b = line["setting"], line["batch"]
    assert line["runs"] == "3" and line["name"] == ("1 core" if s == "cpu" else line["units"] + " cores")
    for column, name in (("train_s", "train_s"), ("process_s", "process_s"), ("test_accuracy", "accuracy")):
        assert near(line[name + "_mean"], statistics.mean(of(s, b, column))), (line, column)
        assert near(line[name + "_sd"], statistics.stdev(of(s, b, column))), (line, column)
    for column in ("evaluation_s", "startup_s", "images_per_s"):
        assert near(line[column + "_mean"], statistics.mean(of(s, b, column))), (line, column)
    speedup = statistics.mean(of("cpu", b, "train_s")) / statistics.mean(of(s, b, "train_s"))
    assert near(line["speedup"], speedup) and near(line["over_cpu"], speedup)
    assert near(line["efficiency"], speedup / int(line["units"]))
PY
for figure in time accuracy; do
    check "$figure.svg has a legend of what it compares" \
        test "$(grep -cE '>1 core</text>|> *[0-9]+ cores</text>' "$tmp/study/$figure.svg")" = $((settings > 1 ? settings : 0))
    if [ -e "$tmp/study/$figure.png" ]; then
        check "$figure.png" tests/e2e/check_report png "$tmp/study/$figure.png" 1120 720
    else
        check "without cairo it says why there is no $figure.png" grep -q "no $figure.png: .*libcairo2-dev" "$log"
    fi
done
STUDY=$tmp/one REPEATS=1 study --one 4 $tiny
check "--one does one run" test "$code $(cd "$tmp/one" && ls -d ./*-*-1)" = "0 ./cpu-64-1"

# ---- Wrong words ----
# wrong NAME PATTERN [VARIABLE=VALUE]... WORD...
wrong() {
    local name=$1 pattern=$2
    shift 2
    while [[ ${1:-} = [A-Z]*=* ]]; do
        local -x "$1"
        shift
    done
    study "$@"
    check "$name is refused" bash -c "[ $code = 2 ] && grep -qE -- \"$pattern\" '$log'"
}
wrong "another recipe in the same folder" 'runs of another recipe .* STUDY=DIR' EPOCHS=2 $tiny
wrong "another option as well" '> +lr: 0.5' $tiny --optimizer.lr 0.5
wrong "a batch that lanes do not share" 'batch of 50 cannot be shared out to 4 lanes' "BATCHES=32 50" $tiny
wrong "an unknown setting" "'tpu' is none of cpu cores single multi" "SETTINGS=cpu tpu" $tiny
wrong "no repeat" "REPEATS: '0' is no whole number" REPEATS=0 $tiny
wrong "a batch that is none" "BATCHES: 'many' is no whole number" BATCHES=many $tiny
wrong "a seed for all" '--seed is the study.s own' $tiny --seed 3
wrong "a recipe that is not there" 'there is no recipe configs/nothing.yaml' RECIPE=nothing
wrong "an index too many" 'no combination 48: submit with --array=0-47' "BATCHES=32 64" REPEATS=6 --one 48 $tiny
wrong "epochs that are none" "EPOCHS: 'many' is no whole number" EPOCHS=many $tiny
wrong "lanes that follow the machine" 'needs a number of lanes' STUDY="$tmp/auto" $tiny --lanes auto
CIFAR10_DIR=$tmp/nowhere STUDY=$tmp/none study $tiny
check "a run that fails ends the study with its code, and its last words" \
    bash -c "[ $code = 3 ] && grep -q 'cpu-32-1 ended with code 3' '$log' && grep -q 'lockstep: .*nowhere' '$log' && [ ! -e '$tmp/none/study.csv' ]"
finish
