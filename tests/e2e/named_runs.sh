#!/bin/bash
# Where runs go: --runs-dir, and names with the time, by rank 0's clock. A start by hand begins a run of its own; a job that is
# started again, by Slurm or by supervise.sh, finds its run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 16 30 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
root=$PWD
program=$(realpath "$program")
sed '/^log-every/d' $recipes/tiny.yaml >"$tmp/tiny.yaml"
cd "$tmp" || exit
words=(train tiny.yaml --threads 1 --steps 4 --checkpoint-every 2)
named() { sed -n 's/^out: //p' <("$program" train tiny.yaml "$@" --dump-config); }
runs_in() { (cd "$tmp/$1" && ls -d -- */) | tr -d '/'; }

# ---- --runs-dir ----
check "without --out: below --runs-dir" test "$(named --runs-dir mine)" = mine/tiny
check "a relative --out: below it" test "$(LOCKSTEP_RUNS_DIR=mine named --out a/b)" = mine/a/b
check "one from the root: as it stands" test "$(named --runs-dir mine --out /x/y)" = /x/y
check "neither: runs/NAME" test "$(named)" = runs/tiny
"$program" train tiny.yaml --runs-dir mine --out a --dump-config >dumped.yaml
check "what is dumped is read back" test "$("$program" train dumped.yaml --dump-config | diff - dumped.yaml && sed -n 's/^out: //p' dumped.yaml)" = mine/a
LOCKSTEP_RUNS_DIR=$tmp/mine lockstep 2 "${words[@]}" --out a/b
check "a run goes there" test "$code" = 0 -a -e mine/a/b/result.json
LOCKSTEP_RUNS_DIR=other lockstep 0 train mine/a/b/config.yaml
check "its own configuration finds it, whatever LOCKSTEP_RUNS_DIR says" grep -q 'mine/a/b is finished' "$log"
check "lockstep runs looks there" test "$(LOCKSTEP_RUNS_DIR=$tmp/mine "$program" runs --csv --columns run | tail -n 1)" = a/b

# ---- Names with the time ----
export TZ=UTC+3
LOCKSTEP_DEADLINE=60 lockstep 3 "${words[@]}" --out 'timed/run-%Y%m%d-%H%M%S-100%%'
name=$(runs_in timed)
check "three ranks, one directory: $name" test "$code" = 0 -a "$(wc -l <<<"$name")" = 1
age=$(($(date +%s) - $(sed -E 's/^run-(....)(..)(..)-(..)(..)(..)-100%$/\1-\2-\3 \4:\5:\6/' <<<"$name" | xargs -I{} date -d {} +%s)))
check "it is named after its start, by local time" test "$age" -ge 0 -a "$age" -lt 60
check "the last line names it" grep -qF "run directory timed/$name" "$log"
lockstep 0 train "timed/$name/config.yaml"
check "its configuration finds it, % and all" grep -qF "timed/$name is finished" "$log"
sleep 1
lockstep 1 "${words[@]}" --out 'timed/run-%Y%m%d-%H%M%S-100%%'
check "a second start by hand: another run" test "$code $(runs_in timed | wc -l)" = "0 2"
lockstep 1 "${words[@]}" --out 'plain%%x'
check "%% alone is a %" test "$code" = 0 -a -e 'plain%x/result.json'
lockstep 2 "${words[@]}" --out 'runs/%Q'
one_error 2 '--out runs/%Q: %Q is no part of a time' "an unknown conversion"
lockstep 0 "${words[@]}" --out 'runs/50%'
one_error 2 '--out runs/50%: % is no part of a time' "a % alone"

# ---- A job that is started again ----
job() {
    local restart=$1
    shift
    SLURM_JOB_ID=77 SLURM_RESTART_COUNT=$restart lockstep 2 "${words[@]}" --out 'jobs/%s' --seed "$@"
}
mkdir jobs
job 0 1 --crash-at 3
first=$(runs_in jobs)
check "a job's run crashes" test "$code" = 137 -a -n "$first"
sleep 1
job 0 2
sleep 1
job 1 1 --crash-at 3
check "its second start finds it" test "$code" = 0 -a "$(runs_in jobs | wc -l)" = 2 -a -e "jobs/$first/result.json"
check "and goes on there" grep -q "resumed from jobs/$first/checkpoints/step-00000002.h5" "$log"
check "and says so" grep -q "this job has begun jobs/$first: the run goes on there" "$log"
SLURM_JOB_ID=78 SLURM_RESTART_COUNT=1 lockstep 2 "${words[@]}" --out 'jobs/%s' --seed 1 --crash-at 3
check "another job begins one of its own" test "$(runs_in jobs | wc -l)" = 3

mkdir kept
timeout "$run_limit" "$root/scripts/supervise.sh" --backoff 1 -- mpirun -np 2 "$program" "${words[@]}" --out 'kept/%H%M%S' --crash-at 3 >"$log" 2>&1
code=$?
check "supervise.sh: one directory for all starts" test "$code $(runs_in kept | wc -l) $(cat kept/*/supervise.log | grep -c 'supervise: start ')" = "0 1 2"
check "and it has the result" test -e "kept/$(runs_in kept)/result.json"
cd "$root" || exit
finish
