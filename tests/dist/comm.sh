#!/bin/bash
# limit: 300
# waits: what it checks is a matter of seconds
# Ranks: every collective at several rank counts, and every way for a run of several ranks to fail: its exit
# code, its one line, and that it ends in time. comm_program has a deadline of 2 s; a stuck rank sleeps for 60.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

program=$BUILD/tests/dist/comm_program
[ -x "$program" ] || { fail "$program exists" && finish; }

# works NAME RANKS MODE ARGUMENT: every rank says ok, nobody complains.
works() {
    local name="$1 ($2 ranks)" ranks=$2 rc
    mpirun -np "$ranks" "$program" "$3" "$4" >"$tmp/out" 2>&1
    rc=$?
    if [ $rc -eq 0 ] && [ "$(grep -c '^rank [0-9]*: ok' "$tmp/out")" -eq "$ranks" ] && ! grep -q '^lockstep:' "$tmp/out"; then
        pass "$name"
    else
        fail "$name" "exit code $rc" "$(tail -n 20 "$tmp/out")"
    fi
}

# fails NAME RANKS CODE LINE SECONDS MODE ARGUMENT: ends with CODE in less than SECONDS, and the lines of
# lockstep's own are exactly LINE (a regular expression; HOST stands for a host name), or none if LINE is empty.
fails() {
    local name="$1 ($2 ranks)" ranks=$2 code=$3 line=${4//HOST/[^ ()]+} most=$5 rc start seconds
    start=$(date +%s)
    mpirun -np "$ranks" "$program" "$6" "$7" >"$tmp/out" 2>&1
    rc=$?
    seconds=$(($(date +%s) - start))
    grep '^lockstep:' "$tmp/out" | tr -d '\r' >"$tmp/said"
    if [ $rc -ne "$code" ]; then
        fail "$name" "exit code $rc, not $code" "$(tail -n 20 "$tmp/out")"
    elif [ $seconds -ge "$most" ]; then
        fail "$name" "took $seconds s" "$(tail -n 20 "$tmp/out")"
    elif [ "$(wc -l <"$tmp/said")" -ne "$([ -n "$line" ] && echo 1 || echo 0)" ]; then
        fail "$name" "not one line:" "$(cat "$tmp/said")"
    elif [ -n "$line" ] && ! grep -qxE "$line" "$tmp/said"; then
        fail "$name" "another line: $(cat "$tmp/said")"
    else
        pass "$name"
    fi
}

works "a rank knows its place" 3 launched 3
for ranks in 1 2 3 4 7 8; do works "sums are exact" $ranks reduce 1000; done
works "sums of many chunks" 2 reduce 9000000
for ranks in 1 3 4; do works "every rank gets the data" $ranks collectives 1000; done
works "broadcasts of many chunks" 2 collectives 70000000
for ranks in 1 2 4; do works "buckets in any order" $ranks reducer -1; done
works "a late rank is waited for" 3 late 1

fails "the lowest failing rank speaks" 4 3 'lockstep: \[HOST rank 1/4 step 12\] file of rank 1 is bad' 15 agree 1
fails "the last rank alone fails" 3 3 'lockstep: \[HOST rank 2/3 step 12\] file of rank 2 is bad' 15 agree 2
fails "ranks with different texts" 4 6 \
    'lockstep: \[HOST rank 2/4\] configuration differs between ranks: "seed 8" here, "seed 7" on rank 0; .*' 15 same 2
fails "a stuck rank is named" 4 7 \
    'lockstep: \[HOST rank 0/4 step 7\] rank 1 \(HOST\) did not answer within 2 s; rank 0, 2, 3 wait in step 7, checkpoint' \
    20 stuck 1
fails "the next rank speaks for a stuck rank 0" 2 7 \
    'lockstep: \[HOST rank 1/2 step 7\] rank 0 \(HOST\) did not answer within 2 s; rank 1 waits in step 7, checkpoint' \
    20 stuck 0
fails "a rank stuck between buckets is named" 3 7 \
    'lockstep: \[HOST rank 0/3 step 1\] rank 1 \(HOST\) did not answer within 2 s; rank 0, 2 wait in step 1, reduce, bucket 1' \
    20 reducer 1
apart='lockstep: \[HOST rank 0/4 step 3\] the ranks wait for each other in different places for 2 s; '
apart+='rank 0, 2 wait in step 3, evaluate; rank 1, 3 wait in step 3, reduce, bucket 4'
fails "ranks that wait in different places" 4 7 "$apart" 20 apart 3
for odd in 0 2; do
    usual=$((odd == 0 ? 1 : 0))
    fails "a barrier that rank $odd leaves out is seen at once" 3 6 \
        "lockstep: \\[HOST rank [0-2]/3 step 3\\] rank $odd on HOST came to a gathering of step 3 \\(evaluate\\), 100 bytes, \
where rank $usual on HOST and 1 more came to a barrier of step 3 \\(evaluate\\)" 15 part $odd
    fails "a shorter sum of rank $odd" 3 6 \
        "lockstep: \\[HOST rank [0-2]/3 step 3\\] rank $odd on HOST came to a sum of step 3 \\(evaluate\\), 400 bytes, \
where rank $usual on HOST and 1 more came to a sum of step 3 \\(evaluate\\), 800 bytes" 15 shorter $odd
done
fails "one rank aborts" 4 8 'lockstep: \[HOST rank 3/4 step 1204\] loss of rank 3 is NaN' 15 abort 3
fails "all ranks abort, one speaks" 4 8 'lockstep: \[HOST rank 0/4 step 1204\] loss of rank 0 is NaN' 15 abort 0
fails "what was agreed on is not said twice" 3 3 'lockstep: \[HOST rank 0/3 step 12\] file of rank 0 is bad' 15 abort-agreed 2
fails "a dead rank is the launcher's to name" 3 137 '' 15 dead 1

# A launcher that MPI does not understand must not start many runs of one rank.
SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=3 "$program" launched 1 >"$tmp/out" 2>&1
code=$?
check "tasks that do not see each other are refused" test $code -eq 6
check "and told what to do" grep -q 'the launcher started 3 tasks but MPI sees one rank' "$tmp/out"
finish
