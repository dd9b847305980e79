#!/bin/bash
# The flight recorder: whatever keeps or parts the ranks, `lockstep flight RUN` names the rank and what it was in, in its
# first line; what ranks do not do alike is said at once and not after the deadline.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
declare -A process=()

# plant NAME HOW WORD...: a run of three ranks in the background, rank 1 of which breaks down so before step 8.
plant() {
    local name=$1 how=$2
    shift 2
    start "$name" 3 $tiny --steps 20 --deadline 4 --crash-at "8:1:$how" "$@"
    process[$name]=$launched
}
# ends NAME CODE: it has; its lines are in $log, what flight says of it in $tmp/said.
ends() {
    launched=${process[$1]}
    wait_for "$1"
    check "$1: exit code $2" test "$code" = "$2"
    "$program" flight "$tmp/$1" >"$tmp/said" 2>&1 || fail "$1: flight" "$(cat "$tmp/said")"
}
# says NAME PATTERN: the first line of flight.
says() {
    if head -n 1 "$tmp/said" | grep -qxE "$2"; then
        pass "$1: flight names the rank"
    else
        fail "$1: flight names the rank" "wanted: $2" "$(cat "$tmp/said")" "$(cat "$log")"
    fi
}
host='rank 1 on [^ :]+'

# ---- Ranks that part: at once, with a deadline that the test would not survive. ----
plant skip skip-bucket --deadline 300
plant skip-mpi skip-bucket --deadline 300 --reduction native
plant short short-bucket --deadline 300
plant short-mpi short-bucket --deadline 300 --reduction native
for name in short short-mpi skip-mpi skip; do
    ends $name 6
    case $name in
        short) want="$host came to bucket 0 of step 8, 12224 bytes, where rank 0 on [^ ]+ and 1 more came to bucket 0 of step 8, 24448 bytes" ;;
        short-mpi) want="$host came to bucket 0 of step 8, 5952 bytes, where rank 0 on [^ ]+ and 1 more came to bucket 0 of step 8, 11904 bytes" ;;
        skip-mpi) want="$host came to bucket 0 of step 8, 640 bytes, where rank 0 on [^ ]+ and 1 more came to bucket 0 of step 8, 11904 bytes" ;;
        # Whether it went on before the others came depends on who was first.
        skip) want="$host: reduce of step 8 since .*; 2 ranks wait in bucket 0 of step 8"
            want+="|$host came to the beginning of step 9, where rank 0 on [^ ]+ and 1 more came to bucket 0 of step 8, 24448 bytes" ;;
    esac
    says $name "$want"
    one_error 6 '(made different collectives: |\] )rank 1 on' "$name: so does the run's line"
done

# ---- Ranks that stand still, are stopped, wait for a disk, or are gone. ----
plant before hang
plant forward hang-forward
plant bucket hang-bucket
if preload file_ops; then
    export LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/disk FILE_OPS_AT=fsync:step-00000003.h5.tmp FILE_OPS_DO=hang
    start disk 3 $tiny --steps 20 --deadline 4 --checkpoint-every 3
    process[disk]=$launched
    unset LD_PRELOAD
fi
for name in before forward bucket; do
    ends $name 7
    case $name in
        before) says $name "$host: compute of step 8 since [0-9.]+ s; 2 ranks wait for the other ranks of the host in step 8" ;;
        forward) says $name "$host: forward of step 8 \(lane 2\) since [0-9.]+ s; 2 ranks wait in bucket 0 of step 8" ;;
        bucket) says $name "$host: reduce of step 8 since [0-9.]+ s; 2 ranks wait in bucket 0 of step 8" ;;
    esac
done
if [ -n "${process[disk]:-}" ]; then
    ends disk 7
    says disk 'rank 0 on [^ :]+: checkpoint of step 6 since [0-9.]+ s; 2 ranks wait in an agreement of step 6 \(checkpoint\)'
fi

# steps NAME: metrics are there.
steps() { until_true 60 test -s "$tmp/$1/metrics.jsonl"; }
# Few checkpoints: one each few milliseconds, of three runs, is more than a disk may have room for within a deadline of seconds.
for name in stopped killed asked; do
    seconds=4
    [ $name != asked ] || seconds=60 # it is to live
    start $name 3 $tiny --epochs 1000000 --eval.every 1000000 --checkpoint-every 1000000 --deadline $seconds
    process[$name]=$launched
done
launched=${process[stopped]} && steps stopped
kill -STOP "$(ranks_of | awk '{ print $2 }')"
launched=${process[killed]} && steps killed
kill -KILL "$(ranks_of | awk '{ print $2 }')"
ends killed 137
says killed "$host left no record: killed, or its host is gone; 2 ranks wait .*"

# SIGQUIT: the run goes on.
launched=${process[asked]} && steps asked
# shellcheck disable=SC2046
kill -QUIT $(ranks_of)
records() { [ "$(find "$tmp/asked/flight" -name 'rank-*' 2>/dev/null | wc -l)" = 3 ]; }
check "SIGQUIT: each rank leaves a record" until_true 10 records
until_true 5 grep -q . "$tmp/asked/flight"/*/rank-2
check "SIGQUIT: which is whole" "$program" flight "$tmp/asked"
before=$(wc -l <"$tmp/asked/metrics.jsonl")
more() { [ "$(wc -l <"$tmp/asked/metrics.jsonl")" -gt "$before" ]; }
check "SIGQUIT: and the run goes on" until_true 30 more
kill -USR1 "$launched"
ends asked 75

ends stopped 7
says stopped "$host did not run for [0-9.]+ s \(stopped, or suspended\): .*"

# ---- Where the records go. ----
train well 2 $tiny --steps 3
check "a run that ends well leaves none" test "$code" = 0 -a ! -e "$tmp/well/flight"
"$program" flight "$tmp/well" >"$log" 2>&1
code=$?
one_error 4 'well holds no flight record' "and flight says so"
# Rank 1 runs where the directory is not.
mkdir -p "$tmp/here" "$tmp/there" "$tmp/temporary" "$tmp/all"
cat >"$tmp/apart" <<'SH'
#!/bin/bash
[ "$OMPI_COMM_WORLD_RANK" != 1 ] || cd ../there
exec "$@"
SH
chmod +x "$tmp/apart"
here=$PWD
(cd "$tmp/here" && TMPDIR=$tmp/temporary timeout "$run_limit" mpirun -np 3 "$tmp/apart" "$here/$program" train "$here/$tiny" --out run --threads 1 --steps 20 \
    --deadline 4 --crash-at 8:2:nan) >"$log" 2>&1
code=$?
one_error 8 'diverged' "a rank that does not see the run directory"
check "it says where its record would be" grep -q "1 rank (the first is 1, on .*) cannot see run: .* in $tmp/temporary/lockstep-flight-" "$log"
cp "$tmp/here/run/flight"/*/rank-* "$tmp/temporary"/lockstep-flight-*/rank-* "$tmp/all"
"$program" flight "$tmp/all" >"$tmp/said" 2>&1
says "records from two places" 'all 3 ranks: .*'

# ---- A record that is none. ----
sed -i '3s/.*/rank 9 of 3 on h/' "$tmp/all/rank-2"
"$program" flight "$tmp/all" >"$log" 2>&1
code=$?
one_error 4 'all/rank-2:3: `rank 9 of 3 on h. where' "a damaged record"
finish
