#!/bin/bash
# scripts/sweep.sh: every point of a grid with every seed, one after another or as an array of jobs (a stand-in for sbatch), and
# the table and report at the end. tests/slurm has real jobs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 40 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data NP=1
tiny=$recipes/tiny.yaml
sweep() {
    timeout -k 5 150 scripts/sweep.sh "$@" >"$log" 2>&1
    code=$?
}
rows() { "$program" runs "$tmp/$1" --csv --columns "$2" 2>/dev/null | tail -n +2 | tr '\n' ' '; }

sweep $tiny --grid optimizer.lr=0.02,0.1 --grid "augment.crop-area=0.5,1 0.25,1" --seeds 2 --out "$tmp/grid" --steps 4 --threads 1
check "a sweep of 2 x 2 points and 2 seeds" test $code = 0
want=
for lr in 0.02 0.1; do
    for area in 0.25-1 0.5-1; do
        for seed in 1 2; do want+="optimizer.lr=${lr}_augment.crop-area=${area}_seed=$seed,finished "; done
    done
done
check "every combination has its run" test "$(rows grid run,status)" = "$want"
check "with its options" python3 - "$tmp/grid" <<'END'
import csv, glob, json, sys
found = set()
for row in csv.DictReader(open(sys.argv[1] + "/runs.csv", newline="")):
    assert row["steps"] == "4" and row["status"] == "finished"
    lr, area, seed = row["optimizer.lr"], row["augment.crop-area"], row["seed"]
    assert row["run"] == f"optimizer.lr={lr}_augment.crop-area={area.replace(',', '-')}_seed={seed}"
    result = json.load(open(f"{sys.argv[1]}/{row['run']}/result.json"))
    assert result["state_hash"] == row["state_hash"] and result["test_accuracy"] == float(row["test_accuracy"])
    found.add((lr, area, seed))
assert found == {(lr, area, seed) for lr in ("0.02", "0.1") for area in ("0.5,1", "0.25,1") for seed in "12"}
END
check "the table is printed" test "$(grep -cE '^optimizer.lr=.* tiny .* finished ' "$log")" = 8
if "$program" report "$tmp/grid/optimizer.lr=0.1_augment.crop-area=0.5-1_seed=1" >/dev/null 2>&1; then
    check "the report compares all of them" grep -q '8 runs compared' "$tmp/grid/report/report.html"
else
    check "without cairo: there is a table alone" grep -q 'there is no report' "$log"
fi
same_bits() { [ "$(rows grid state_hash)" = "$before" ]; }
before=$(rows grid state_hash)
sweep $tiny --grid optimizer.lr=0.02,0.1,0.3 --grid "augment.crop-area=0.5,1 0.25,1" --seeds 2 --out "$tmp/grid" --steps 4 --threads 1
check "a larger grid: four more runs, eight stay as they are" bash -c "[ $code = 0 ] && [ \$(grep -c 'is finished: step 4 of 4' '$log') = 8 ]"
check "twelve in all" test "$(rows grid status | wc -w)" = 12
check "and the eight have their bits" test "$(rows grid state_hash | tr ' ' '\n' | sed -n 1,8p | tr '\n' ' ')" = "$before"

# ---- One that fails, and a stop. ----
sweep $tiny --grid optimizer.lr=1000000,0.1 --out "$tmp/fails" --steps 8 --threads 1
check "a run that diverges: its code, and the others are run" test "$code $(rows fails status)" = "8 finished crashed "
check "which is said" grep -q 'optimizer.lr=1000000 failed (code 8)' "$log"
scripts/sweep.sh $tiny --grid optimizer.lr=0.05,0.1 --out "$tmp/stop" --epochs 100000 --threads 1 >"$log" 2>&1 &
script=$!
until_true 60 test -s "$tmp/stop/optimizer.lr=0.05/metrics.jsonl"
kill -USR1 $script
wait $script
code=$?
check "asked to stop: code 75, after a checkpoint, and no other run" test "$code $(rows stop run,status)" = "75 optimizer.lr=0.05,stopped "
check "the table is printed all the same" grep -qE '^optimizer.lr=0.05 .* stopped ' "$log"

# ---- As an array of jobs. ----
mkdir "$tmp/bin"
cat >"$tmp/bin/sbatch" <<'SH'
#!/bin/bash
# Runs what is submitted, at once; a job's number on standard output, all else to $CALLS.
echo "sbatch $*" >>"$CALLS"
last=0 wrap=
while [[ ${1:-} = -* ]]; do
    case $1 in --array=*) last=${1#--array=0-} last=${last%\%*} ;; --wrap) wrap=$2 && shift ;; esac
    shift
done
export SLURM_SUBMIT_DIR=$PWD
if [ -n "$wrap" ]; then
    bash -c "$wrap" >>"$CALLS" 2>&1
else
    for ((task = 0; task <= last; task++)); do SLURM_ARRAY_TASK_ID=$task bash "$@" >>"$CALLS" 2>&1; done
fi
echo "$((77 + $(grep -c ^sbatch "$CALLS")));cluster"
SH
chmod +x "$tmp/bin/sbatch"
export CALLS=$tmp/calls
: >"$CALLS"
PATH=$tmp/bin:$PATH PARALLEL=2 SBATCH_ARGS="--nodes=1 --time=5" sweep $tiny --seeds 3 --out "$tmp/array" --steps 4 --threads 1 --slurm
check "as an array of jobs" test "$code $(rows array run,status)" = "0 seed=1,finished seed=2,finished seed=3,finished "
check "at most two at a time, with words for sbatch" \
    grep -qxF "sbatch --parsable --array=0-2%2 --output=$tmp/array/job-%A_%a.out --nodes=1 --time=5 scripts/slurm/sweep.sbatch $tmp/array/sweep.tsv" "$CALLS"
check "a last job, after all of them, makes the table" \
    bash -c "grep -q '^sbatch --parsable --dependency=afterany:78 ' '$CALLS' && [ \$(wc -l <'$tmp/array/runs.csv') = 4 ]"
check "the bits are those of runs by hand" bash -c "
    '$program' train $tiny --steps 4 --threads 1 --seed 2 --quiet --out '$tmp/hand' >'$log' 2>&1 &&
    [ \$(tests/read_json get '$tmp/hand/result.json' state_hash) = \$(tests/read_json get '$tmp/array/seed=2/result.json' state_hash) ]"

# ---- Errors: before anything is run. ----
# refused PATTERN NAME WORD...
refused() {
    local pattern=$1 name=$2
    shift 2
    sweep "$@" --out "$tmp/refused"
    check "$name" bash -c "[ $code = 2 ] && grep -qE -e '$pattern' '$log' && ! ls '$tmp/refused'/*/metrics.jsonl 2>/dev/null"
}
refused 'unknown option --optimizer.lt; did you mean --optimizer.lr' "an unknown option" $tiny --grid optimizer.lt=1,2
refused '--optimizer.lr' "a value that is none" $tiny --grid optimizer.lr=0.1,fast
refused 'give KEY=VALUE' "a grid without values" $tiny --grid optimizer.lr
refused '--seeds 0: not a number from 1' "no seed" $tiny --seeds 0
refused 'name the recipe first' "no recipe" --seeds 2
refused 'nowhere.yaml' "a recipe that is not there" configs/nowhere.yaml --seeds 2
scripts/sweep.sh --help >"$log"
check "--help" grep -q 'scripts/sweep.sh CONFIG' "$log"
finish
