#!/bin/bash
# scripts/sweep.sh --slurm: an array of jobs, each with the bits of a run by hand, and a last job that makes table and report.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"

cluster 2 2
small_data "$tmp/data" 40 40 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
sweep() {
    SBATCH_ARGS="--ntasks=2" PARALLEL=2 on_login scripts/sweep.sh $recipes/tiny.yaml \
        --grid optimizer.lr=0.02,0.1 --seeds 2 --steps "$1" --out "$tmp/sweep" --slurm >"$log" 2>&1
    code=$?
    job[last]=$(sed -n 's/.* when they are done job \([0-9]*\) makes .*/\1/p' "$log")
}
sweep 6
check "the sweep is submitted" test $code = 0 -a -n "${job[last]}"
ends last COMPLETED 0:0 "its last job ends well"
column() { "$program" runs "$tmp/sweep" --csv --columns "$1" | tail -n +2 | tr '\n' ' '; }
check "the last job's output has the table" grep -qE '^optimizer.lr=0.02_seed=1 +tiny .* finished ' "$tmp/sweep/job-${job[last]}.out"
check "each of the others has its own" test "$(grep -l 'finished after step 6' "$tmp"/sweep/job-*_[0-3].out | wc -l)" = 4
check "four runs of two ranks" test "$(column status,ranks)" = "finished,2 finished,2 finished,2 finished,2 "
check "the table was made when all were done" test "$(grep -c ',finished,' "$tmp/sweep/runs.csv")" = 4
for seed in 1 2; do
    train hand-$seed 0 $recipes/tiny.yaml --steps 6 --optimizer.lr 0.1 --seed $seed
    check "seed $seed: the bits of one process on one machine" \
        test "$(result "sweep/optimizer.lr=0.1_seed=$seed" state_hash)" = "$(result hand-$seed state_hash)"
done
sweep 9
ends last COMPLETED 0:0 "the sweep once more, for more steps"
check "each run goes on" test "$(for run in "$tmp"/sweep/*/; do tests/read_json get "$run/result.json" resumed_from step; done | tr '\n' ' ')" = \
    "6 9 6 9 6 9 6 9 "
finish
