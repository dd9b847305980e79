#!/bin/bash
# A job whose node was cut off starts again elsewhere while its old rank 0 is still alive: the new one takes the run
# directory, the old one stops with exit code 4 at its next write and damages nothing. And where locks are of one node alone,
# a heartbeat keeps others out.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
words=(--steps 240 --checkpoint-every 5)

preload file_ops || finish
# held NAME RANKS OP:PART WORD...: starts the job, whose rank 0 stops right after the first such operation on files (see
# file_ops.c), as if its node were out of reach. Sets $frozen and $old.
held() {
    local name=$1 ranks=$2 at=$3
    shift 3
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/$name FILE_OPS_AT=$at start "$name" "$ranks" $tiny "$@"
    until_true 60 stopped "$name"
    old=$launched frozen=$(rank0 "$name")
}

train whole 2 $tiny "${words[@]}"
check "the undisturbed run" test $code = 0

content() { (cd "$tmp/$1" && find . -type f ! -name '*.tmp.*' | sort | xargs md5sum && readlink best.h5); }
# cut_off NAME RANKS: starts the job, and has its rank 0 stop in the middle of the first epoch.
cut_off() {
    export SLURM_JOB_ID=77
    held "$1" "$2" 'rename:step-00000005.h5$' "${words[@]}"
}
# heal NAME: the old one is back; waits for its end.
heal() {
    kill -CONT "$frozen"
    launched=$old
    wait_for "$1"
}

# ---- The new one is done before the old one is back. ----
for ranks in 0 2; do
    name=after$ranks
    cut_off $name $ranks
    SLURM_JOB_ID=78 train $name 1 $tiny "${words[@]}"
    one_error 4 'is in use by process .* \(job 77, restart 0\)' "$ranks: another job is refused"
    train $name 1 $tiny "${words[@]}"
    one_error 4 'is in use by process' "$ranks: the same job without a restart is refused"
    cp "$tmp/$name.log" "$tmp/$name.first"
    SLURM_RESTART_COUNT=1 train $name 2 $tiny "${words[@]}"
    same $name whole "$ranks: the restarted job takes the directory: as the undisturbed run"
    check "$ranks: it went on from a checkpoint" test "$(result $name resumed_from)" != None
    before=$(content $name)
    heal $name
    one_error 4 'belongs to process .* \(job 77, restart 1\) now' "$ranks: the old one, back, stops with exit code 4"
    check "$ranks: it has changed nothing" test "$(content $name)" = "$before"
    check "$ranks: every checkpoint is sound" sound $name
done

# ---- Both at work at once. ----
for ranks in 0 2; do
    name=during$ranks
    cut_off $name $ranks
    (SLURM_RESTART_COUNT=1 exec mpirun -np 2 "$program" train $tiny --out "$tmp/$name" --threads 1 "${words[@]}") \
        >"$tmp/$name.new" 2>&1 &
    new=$!
    at_work() { [ "$(grep -c 'Slurm job' "$tmp/$name/log.txt")" = 2 ]; }
    until_true 60 at_work
    heal $name
    one_error 4 'belongs to process .* \(job 77, restart 1\) now' "$ranks: at once with the new one, the old one stops"
    wait $new
    code=$?
    cp "$tmp/$name.new" "$log"
    same $name whole "$ranks: the new one is not disturbed"
    check "$ranks: every checkpoint of both is sound" sound $name
    refuse "$ranks: no line of the old one's end is in the new one's log" \
        bash -c "sed '1,/restart 1\$/d' '$tmp/$name/log.txt' | grep -E 'error:|restart 0'"
done

# ---- The old one writes nothing, for it waits for a rank that is out of reach. ----
export SLURM_JOB_ID=77
held waits 2 'rename:step-00000005.h5$' "${words[@]}"
for rank in $(ranks_of); do [ "$rank" = "$frozen" ] || kill -STOP "$rank"; done
kill -CONT "$frozen"
SLURM_RESTART_COUNT=1 train waits 2 $tiny "${words[@]}"
same waits whole "the restarted job takes the directory of one that waits"
launched=$old
SECONDS=0
wait_for waits
one_error 4 'belongs to process .* \(job 77, restart 1\) now' "the one that waits stops as well"
check "within seconds" test $SECONDS -le 20

# ---- The old one is cut off in the middle of a write: the file is there under its temporary name, the rename comes next. ----
for file in config.yaml result.json best.h5 log.txt metrics.jsonl local checkpoints/step-00000025.h5{,.xxh3}; do
    name=write-${file#*/}
    # Other options than the new one's: what it writes can be told from what the new one writes.
    case $file in
        log.txt | metrics.jsonl) train "$name" 0 $tiny --steps 20 --checkpoint-every 5 ;;
    esac
    op=fsync
    [ "$file" != best.h5 ] || op=symlink
    held "$name" 0 "$op:$file.tmp" --checkpoint-every 5 --steps 30 --log-every 2 --checkpoint-local "$tmp/own-disk"
    check "$name: cut off in mid-write" compgen -G "$tmp/$name/$file.tmp*"
    SLURM_RESTART_COUNT=1 train "$name" 0 $tiny "${words[@]}" --checkpoint-local "$tmp/own-disk"
    check "$name: the restarted job is done" test $code = 0
    before=$(content "$name")
    heal "$name"
    one_error 4 'belongs to process .* \(job 77, restart 1\) now' "$name: the old one stops instead"
    check "$name: it has changed nothing" test "$(content "$name")" = "$before"
    SLURM_RESTART_COUNT=2 train "$name" 0 $tiny "${words[@]}" --checkpoint-local "$tmp/own-disk"
    refuse "$name: nothing is left of it" bash -c "find '$tmp/$name' | grep -F .tmp"
done
unset SLURM_JOB_ID

# ---- Nodes that do not see each other's locks: each has a boot_id of its own, and gets every lock. ----
on() {
    local node=$1 name=$2
    shift 2
    echo "$node" >"$tmp/$node.boot"
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/$name FILE_OPS_LACKS=shared-lock FILE_OPS_BOOT=$tmp/$node.boot \
        LOCKSTEP_HEARTBEAT=1 "$@"
}
beats() { awk '/^beat/ { print $2 }' "$tmp/$1/owner"; }
on n1 local start local 2 $tiny "${words[@]}" --crash-at 8:1:hang # rank 0 waits for it, and lives
until_true 60 test -e "$tmp/local/checkpoints/step-00000005.h5"
first=$(beats local)
SLURM_JOB_ID=91 on n2 local train local 1 $tiny "${words[@]}"
one_error 4 "local is in use by process $(rank0 local) on " "locks of a node's own: another node leaves a run alone that lives"
on n1 local train local 0 $tiny "${words[@]}"
one_error 4 "local is in use by process $(rank0 local) on " "locks that are always had: its own node sees the process"
check "the run goes on" kill -0 "$launched"
check "its heartbeat as well" test "$(beats local)" -gt "$first"
stop_hard
cp -a "$tmp/local" "$tmp/here"
on n2 local train local 2 $tiny "${words[@]}"
same local whole "locks of a node's own: once it is dead another node goes on, as the undisturbed run"
check "it says what it waited for" grep -q "^warning: .*/local is taken from process .*: its heartbeat stood still for 4 s" "$log"
on n1 here train here 0 $tiny "${words[@]}"
same here whole "its own node does not wait"
refuse "nor says so" grep -qE 'cannot be seen|stood still' "$log"

# One that is suspended has no heartbeat either: when it is back it finds that it is no longer the owner.
export SLURM_JOB_ID=92
on n1 asleep held asleep 0 'rename:step-00000005.h5$' "${words[@]}"
SLURM_JOB_ID=93 on n2 asleep train asleep 1 $tiny "${words[@]}"
same asleep whole "a run that stands still is taken over"
before=$(content asleep)
heal asleep
one_error 4 'belongs to process .* \(job 93, restart 0\) now' "when it is back it stops"
check "and has changed nothing" test "$(content asleep)" = "$before"
# The same job, started again, waits for nobody.
on n1 again held again 0 'rename:step-00000005.h5$' "${words[@]}"
SLURM_RESTART_COUNT=1 on n2 again train again 1 $tiny "${words[@]}"
same again whole "the restarted job takes the directory"
refuse "without waiting for a heartbeat" grep -qE 'cannot be seen|stood still' "$log"
kill -KILL "$old"
unset SLURM_JOB_ID
finish
