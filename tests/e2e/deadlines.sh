#!/bin/bash
# limit: 360
# waits: what it checks is a matter of seconds
# How long a run waits before it speaks: other ranks one --deadline, the loader and the disk half of it, so that the rank
# which knows the cause speaks first; a person who interrupts it twice no longer; and for nothing while nobody could run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

preload hold_thread && preload file_ops || finish

# ---- A rank that does not answer. ----
# Three deadlines are 18 s; mpirun and the exchange of who waits where take two or three.
start hang 3 $tiny --steps 20 --deadline 6 --crash-at 8:2:hang
until_true 60 grep -q 'by hang before step 8' "$tmp/hang.log"
began=$(date +%s%N)

# ---- A loader and a disk that do not answer. ----
cat >"$tmp/held" <<'SH'
#!/bin/bash
# NAME RANK WORD...: that thread of that rank gets no further.
[ "$OMPI_COMM_WORLD_RANK" != "$2" ] || export HOLD_THREAD=$1 LD_PRELOAD=$HOLDER
exec "${@:3}"
SH
chmod +x "$tmp/held"
# held NAME THREAD RANK WORD...
held() {
    local name=$1 thread=$2 rank=$3
    shift 3
    HOLDER=$tmp/hold_thread.so timeout -k 5 "$run_limit" mpirun -np 2 "$tmp/held" "$thread" "$rank" "$program" train "$tiny" --out "$tmp/$name" \
        --threads 1 --deadline 8 "$@" >"$log" 2>&1
    code=$?
}
aside loader held loader loader 1 --steps 20
aside writer held writer writer 0 --steps 20 --checkpoint-every 3
aside last held last writer 0 --steps 3
# Without other ranks, whose deadlines would end it.
HOLD_THREAD=writer LD_PRELOAD=$tmp/hold_thread.so aside alone train alone 0 $tiny --steps 3 --deadline 8

wait_for hang
seconds=$((($(date +%s%N) - began) / 1000000000))
one_error 7 'rank 2 \(.*\) did not answer within 6 s' "a rank that does not answer"
check "it is waited for for one deadline ($seconds s of 6)" test $seconds -ge 5 -a $seconds -lt 15
back loader
one_error 7 'rank 1/2 step 0\] .*within 4 s' "a loader: its rank speaks, after half a deadline"
back writer
one_error 7 'rank 0/2 step 6\] the checkpoint of step 3 was not written to .* within 4 s' "a disk at the next checkpoint: the same"
back last
one_error 7 'rank 0/2 .*\] the checkpoint of step 3 was not written to .* within 4 s' "a disk at the end: the same"
back alone
one_error 7 'rank 0/1 step 3\] the checkpoint of step 3 was not written to .* within 4 s' "a disk and one rank alone: the same"

# ---- A file system that does not answer, to whichever call on the main thread: no other rank, no signal would end it. ----
# dead NAME RANKS OP:PART WORD...: no such operation comes back (see file_ops.c).
dead() {
    local name=$1 ranks=$2 at=$3
    shift 3
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp FILE_OPS_AT=$at FILE_OPS_DO=hang train "$name" "$ranks" "$tiny" --deadline 6 "$@"
}
# A command that only reads is watched as well.
dead_read() {
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp FILE_OPS_AT='read:step-00000003.h5$' FILE_OPS_DO=hang lockstep 0 "$@" --deadline 6
}
calls=(fsync:owner.tmp read:data_batch_2.bin fsync:config.yaml.tmp 'write:metrics.jsonl$' 'write:log.txt$' fsync:result.json.tmp)
for i in "${!calls[@]}"; do aside "dead$i" dead "dead$i" 0 "${calls[i]}" --steps 3; done
for i in "${!calls[@]}"; do
    at=${calls[i]}
    part=${at#*:}
    back "dead$i"
    one_error 7 "/${part%$}.*: its file system has not answered for 3 s" "$at does not come back: one line, code 7"
    check "$at: it is waited for for half a deadline ($took s)" test "$took" -le 15
done
train read 0 $tiny --steps 3
last=$tmp/read/checkpoints/step-00000003.h5
aside opened dead opened 0 'open:opened/owner' --steps 3
aside written dead written 0 'fsync:step-00000003.h5.tmp' --steps 3
aside ranks dead ranks 2 'fsync:config.yaml.tmp' --steps 3
aside diverged dead diverged 0 'fsync:step-00000003.h5.tmp' --steps 20 --checkpoint-every 3 --crash-at 5:0:nan
aside eval dead_read eval "$last"
aside predict dead_read predict "$last" "$tmp/none.png"
back opened
one_error 7 'has not come back for 3 s: the file system of .*/opened, or of the images, does not answer' "open does not come back: the same"
back written
one_error 7 'the checkpoint of step 3 was not written to .* within 3 s' "a checkpoint does not come back: the same"
back ranks
one_error 7 'rank 0/2\] .*config.yaml.tmp.*: its file system has not answered for 3 s' "two ranks: the one that knows speaks"
check "two ranks: after half a deadline ($took s)" test "$took" -le 15
back diverged
one_error 8 'diverged' "a run that has failed, with a write that does not come back: its line, and its code"
check "which it is not waited for ($took s)" test "$took" -le 15
for command in eval predict; do
    back $command
    one_error 7 '/step-00000003.h5: its file system has not answered for 3 s' "$command, of a checkpoint that does not come back: the same"
    check "$command: after half a deadline ($took s)" test "$took" -le 15
done
lockstep 0 eval "$tmp/read" --deadline soon
one_error 2 '--deadline soon: not a number of seconds from 0.1' "a deadline that is none"

# ---- Time in which nobody could run. ----
# suspend SECONDS PROCESS...: stops one after the other, so that the first is waited for, and lets all go on.
suspend() {
    local process seconds=$1
    shift
    for process in "$@"; do
        kill -STOP "$process"
        sleep 0.2
    done
    sleep "$seconds"
    kill -CONT "$@"
}
start asleep 3 $tiny --epochs 1000000 --checkpoint-every 1000000 --eval.every 1000000 --deadline 10
asleep=$launched
until_true 60 test -s "$tmp/asleep/metrics.jsonl"
# shellcheck disable=SC2046
suspend 15 $(ranks_of) &
suspended=$!
LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/slow FILE_OPS_AT='fsync:step-00000003.h5.tmp' FILE_OPS_DO=hang FILE_OPS_GO=$tmp/go \
    start slow 0 $tiny --steps 3 --deadline 8
until_true 60 compgen -G "$tmp/slow/checkpoints/*.tmp*" >/dev/null
sleep 0.5
suspend 6 "$launched"
sleep 0.5
touch "$tmp/go"
wait_for slow
check "a process that was suspended while it waited for its disk goes on" test "$code" = 0
check "and its checkpoint is good" sound slow
wait $suspended
launched=$asleep
sleep 2
check "ranks that were all suspended for longer than the deadline go on" kill -0 "$launched"
kill -USR1 "$launched"
wait_for asleep
check "to their end" test "$code" = 75

# ---- Ctrl-C, and once more: the first comes after the first step that is logged, where the process stands still. ----
said() { grep -q 'asked to stop' "$tmp/twice.log"; }
HOLD_THREAD=writer LD_PRELOAD="$tmp/hold_thread.so $tmp/file_ops.so" FILE_OPS_UNDER=$tmp/twice FILE_OPS_AT='write:metrics.jsonl$' \
    start twice 0 $tiny --epochs 100000
until_true 60 stopped twice
kill -INT "$launched"
kill -CONT "$launched"
check "the first asks the run to stop" until_true 30 said
check "which waits for the disk" kill -0 "$launched"
SECONDS=0
kill -INT "$launched"
wait_for twice
check "the second ends it" test $code = 130
check "at once" test $SECONDS -le 10
finish
