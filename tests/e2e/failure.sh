#!/bin/bash
# limit: 600
# waits: what it checks is a matter of seconds
# Every failure ends in time, with the documented exit code, in one line that names the rank and the cause, and with no
# damaged checkpoint.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
small_data "$tmp/longer" 3000 100 || { fail "more data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

# Starts lockstep; rank 1 gets more words ($RANK1_WORDS) or another environment ($RANK1_ENV), or never gets there.
cat >"$tmp/as-rank" <<'SH'
#!/bin/bash
[ "$OMPI_COMM_WORLD_RANK" = 1 ] || exec "$@"
[ -z "${RANK1_ABSENT:-}" ] || exec sleep 90
exec env ${RANK1_ENV:-} "$@" ${RANK1_WORDS:-}
SH
chmod +x "$tmp/as-rank"
# with_rank1 NAME RANKS WORD...: train with $RANK1_WORDS and $RANK1_ENV.
with_rank1() {
    local name=$1 ranks=$2
    shift 2
    timeout -k 5 "$run_limit" mpirun -np "$ranks" "$tmp/as-rank" "$program" train $tiny --out "$tmp/$name" --threads 1 --steps 20 "$@" >"$log" 2>&1
    code=$?
}
# A line of its own for a condition that one_error does not see.
in_time() { check "$1: within $2 s" test $((SECONDS - began)) -le "$2"; }

RANK1_ABSENT=1 aside absent with_rank1 absent 3 --deadline 4 # at least 20 s while ranks start

# ---- Data. ----
cp -a "$tmp/data" "$tmp/bad"
# Records 100-199 of 200 are of ranks 1 and 2 of 3 (lanes 2 and 3 of 4).
printf '\377' | dd of="$tmp/bad/data_batch_3.bin" bs=3073 seek=25 conv=notrunc status=none
RANK1_ENV="CIFAR10_DIR=$tmp/bad" with_rank1 bad 2
one_error 3 'rank 1/2\] .*/bad/data_batch_3.bin: record 25 has label 255' "a bad record seen by rank 1 alone"
rm "$tmp/bad/data_batch_4.bin"
RANK1_ENV="CIFAR10_DIR=$tmp/bad" with_rank1 bad 4
one_error 3 'rank 1/4\] .*data_batch_4.bin' "a file missing on rank 1 alone"
CIFAR10_DIR=$tmp/nowhere train missing 4 $tiny
one_error 3 'nowhere' "no images in CIFAR10_DIR"
train missing 4 $tiny --data "$tmp/nowhere"
one_error 3 'nowhere' "no images in --data"
head -c 5000 "$tmp/data/test_batch.bin" >"$tmp/bad/test_batch.bin"
cp "$tmp/data/data_batch_4.bin" "$tmp/bad"
train bad 2 $tiny --data "$tmp/bad"
one_error 3 'test_batch.bin' "a file of another size"

# ---- Usage. ----
RANK1_WORDS="--seed 5" with_rank1 differs 3
one_error 2 'rank 1 differs from that of rank 0: .seed: 5. against .seed: 1.' "another --seed on rank 1"
RANK1_ENV="LOCKSTEP_OPTIMIZER_LR=0.5" with_rank1 differs 3
one_error 2 'rank 1 differs .*lr: 0.5` against' "another variable on rank 1"
RANK1_ENV="DNNL_MAX_CPU_ISA=SSE41" with_rank1 differs 3
one_error 6 'rank 1.*instruction set' "another instruction set on rank 1"
RANK1_WORDS="--no-such-thing 5" with_rank1 differs 3
one_error 2 'rank 1/3\] .*no-such-thing' "an unknown flag on rank 1 alone"
train many 5 $tiny
one_error 2 '5 ranks, but only 4 lanes' "more ranks than lanes"
train uneven 2 $tiny --batch-size 30
one_error 2 'batch-size 30 .*28.*32' "a batch that the lanes do not divide"
train nodevice 2 $tiny --device cuda
one_error 5 'cuda' "--device cuda without CUDA"

# ---- The run directory. ----
: >"$tmp/file"
lockstep 2 train $tiny --out "$tmp/file/run"
one_error 4 'file/run.*--out' "an --out that cannot be made"
start busy 2 $tiny --epochs 100000 --eval.every 1000
until_true 60 test -s "$tmp/busy/metrics.jsonl"
holder=$(ranks_of | awk '{ print $1 }')
train busy 2 $tiny
one_error 4 "busy is in use by process $holder on" "a second run in the same directory"
lockstep 0 train $tiny --out "$tmp/busy" --reset
one_error 4 "busy is in use by process $holder on" "a second run with --reset"
stop_hard
check "two runs: no damaged checkpoint" sound busy
train busy 2 $tiny --steps "$(($(tests/read_json stable "$tmp/busy/metrics.jsonl" | wc -l) * 2 + 50))" --eval.every 1000
check "the lock dies with its holder" test $code = 0

# ---- Ranks that die, stall or diverge. ----
aside stall train stall 4 $tiny --steps 20 --checkpoint-every 3 --deadline 4 --crash-at 8:2:hang
start dead 3 $tiny --epochs 100000 --checkpoint-every 5
until_true 60 compgen -G "$tmp/dead/checkpoints/*.h5" >/dev/null
kill -KILL "$(ranks_of | awk '{ print $2 }')"
began=$SECONDS
wait_for dead
check "kill -9 of rank 1: exit code 137" test $code = 137
check "kill -9 of rank 1: the launcher says so" grep -q 'rank 1 .*signal 9' "$log"
in_time "kill -9 of rank 1" 20
check "kill -9 of rank 1: no damaged checkpoint" sound dead

back stall
one_error 7 'step 8\] rank 2 \(.*\) did not answer within 4 s; rank 0, 1, 3 wait in step 8, reduce' "rank 2 stalls"
check "rank 2 stalls: within 30 s" test "$took" -le 30
check "rank 2 stalls: no damaged checkpoint" sound stall

back absent
one_error 7 'rank 0 on .* waited for 20 s in MPI_Init' "rank 1 never starts"
check "rank 1 never starts: within 60 s" test "$took" -le 60

# Stopped between two checkpoints: mpirun wakes it to kill it, and no wait of its own may speak then.
CIFAR10_DIR=$tmp/longer start stopped 3 $recipes/small.yaml --epochs 100000 --eval.every 1000 --deadline 4
until_true 60 compgen -G "$tmp/stopped/checkpoints/*.h5" >/dev/null
kill -STOP "$(ranks_of | awk '{ print $1 }')"
began=$SECONDS
aside nan train nan 3 $tiny --steps 20 --checkpoint-every 3 --crash-at 8:1:nan
wait_for stopped
one_error 7 'rank 1/3 .*rank 0 \(.*\) did not answer within 4 s; rank 1, 2 wait in step' "rank 0 is stopped"
in_time "rank 0 is stopped" 30
check "rank 0 is stopped: no damaged checkpoint" sound stopped

back nan
one_error 8 'rank 1/3 step 8\] diverged: .*lanes 2-2 .*NaN' "NaN on rank 1"
check "NaN on rank 1: within 30 s" test "$took" -le 30
check "NaN on rank 1: the checkpoint before it is good" sound nan
check "NaN on rank 1: the checkpoint before it is there" test "$(newest nan)" = "$tmp/nan/checkpoints/step-00000006.h5"
train wild 2 $tiny --steps 40 --lr 1e6
one_error 8 'diverged: .*lower the learning rate' "a learning rate that is too high"

# ---- Checkpoints that cannot be written. ----
# lost NAME: the run that has ended could not write twice: one warning, then the end; what was there is good.
lost() {
    one_error 4 'checkpoints.*step-' "$1: exit code 4"
    check "$1: one warning before it" test "$(grep -c '^warning: .*trying again at the next checkpoint' "$log")" = 1
    check "$1: nothing but these lines" test "$(grep -ciE 'HDF5-DIAG|error' "$log")" -le 1
}
start gone 2 $tiny --epochs 100000 --checkpoint-every 5 --eval.every 1000
until_true 60 compgen -G "$tmp/gone/checkpoints/*.h5" >/dev/null
mv "$tmp/gone/checkpoints" "$tmp/gone/moved"
wait_for gone
lost "a folder that goes away"
mv "$tmp/gone/moved" "$tmp/gone/checkpoints"
check "a folder that goes away: no damaged checkpoint" sound gone

# Away for one write only: the longer epochs of a slower network leave the time to bring it back.
CIFAR10_DIR=$tmp/longer start once 2 $recipes/small.yaml --epochs 100000 --eval.every 1000
until_true 60 compgen -G "$tmp/once/checkpoints/*.h5" >/dev/null
before=$(newest once)
mv "$tmp/once/checkpoints" "$tmp/once/moved"
until_true 60 grep -q '^warning: .*trying again' "$tmp/once.log"
mv "$tmp/once/moved" "$tmp/once/checkpoints"
written() { [ "$(newest once)" != "$before" ]; }
check "one failed write: the next one is made" until_true 60 written
kill -USR1 "$launched"
wait_for once
check "one failed write: the run goes on" test $code = 75
# Beside the one that says that so long a run ends its schedule early.
check "one failed write: one warning" test "$(warnings | grep -vc 'the learning rate is 0 from')" = 1
check "one failed write: no damaged checkpoint" sound once

mkdir "$tmp/disk"
if mount -t tmpfs -o size=4m tmpfs "$tmp/disk" 2>/dev/null; then
    trap 'umount -l "$tmp/disk"; rm -rf "$tmp"' EXIT
    train disk/run 2 $tiny --steps 8 --checkpoint-every 4
    check "a small disk: a run that fits" test $code = 0
    last=$(md5sum <"$(newest disk/run)")
    free=$(df --output=avail -k "$tmp/disk" | tail -n 1)
    head -c $(((free - 24) * 1024)) /dev/zero >"$tmp/disk/filler"
    train disk/run 2 $tiny --epochs 100000 --checkpoint-every 4 --log-every 100000 --eval.every 1000
    lost "a full disk"
    check "a full disk: no damaged checkpoint" sound disk/run
    check "a full disk: the last good one is untouched" test "$(md5sum <"$(newest disk/run)")" = "$last"
    rm "$tmp/disk/filler"
    train disk/run 3 $tiny --steps 20 --checkpoint-every 4
    check "a disk with room again: the run goes on" test $code = 0
    train whole 1 $tiny --steps 20
    same disk/run whole "a disk with room again: as an undisturbed run"
else
    skip "a full disk" "mounting a small tmpfs needs root"
fi
finish
