#!/bin/bash
# limit: 240
# How long a run waits before it speaks: other ranks one --deadline, the loader and the disk half of it, so that the rank
# which knows the cause speaks first; and a person who interrupts it twice no longer.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

# ---- A rank that does not answer. ----
# Three deadlines are 18 s; mpirun and the exchange of who waits where take two or three.
start hang 3 $tiny --steps 20 --deadline 6 --crash-at 8:2:hang
until_true 60 grep -q 'by hang before step 8' "$tmp/hang.log"
began=$(date +%s%N)
wait_for hang
seconds=$((($(date +%s%N) - began) / 1000000000))
one_error 7 'rank 2 \(.*\) did not answer within 6 s' "a rank that does not answer"
check "it is waited for for one deadline ($seconds s of 6)" test $seconds -ge 5 -a $seconds -lt 15

# ---- A loader and a disk that do not answer. ----
preload hold_thread || finish
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
    HOLDER=$tmp/hold_thread.so timeout -k 5 100 mpirun -np 2 "$tmp/held" "$thread" "$rank" "$program" train $tiny --out "$tmp/$name" \
        --threads 1 --deadline 8 "$@" >"$log" 2>&1
    code=$?
}
held loader loader 1 --steps 20
one_error 7 'rank 1/2 step 0\] .*within 4 s' "a loader: its rank speaks, after half a deadline"
held writer writer 0 --steps 20 --checkpoint-every 3
one_error 7 'rank 0/2 step 6\] the checkpoint of step 3 was not written to .* within 4 s' "a disk at the next checkpoint: the same"
held last writer 0 --steps 3
one_error 7 'rank 0/2 .*\] the checkpoint of step 3 was not written to .* within 4 s' "a disk at the end: the same"
# Without other ranks, whose deadlines would end it.
HOLD_THREAD=writer LD_PRELOAD=$tmp/hold_thread.so train alone 0 $tiny --steps 3 --deadline 8
one_error 7 'rank 0/1 step 3\] the checkpoint of step 3 was not written to .* within 4 s' "a disk and one rank alone: the same"

# ---- Ctrl-C, and once more: the first comes after the first step that is logged, where the process stands still. ----
preload file_ops || finish
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
