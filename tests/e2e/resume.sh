#!/bin/bash
# limit: 600
# A run that was interrupted in any way and resumed ends as the uninterrupted one does: same state hash, same accuracy,
# same metrics.jsonl. Damaged checkpoints are passed over; nothing ever starts afresh on its own.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
small=$recipes/small.yaml

# says NAME CODE PATTERN: the last run ended with CODE, and its output has PATTERN.
says() {
    if [ "$code" = "$2" ] && grep -qE -- "$3" "$log"; then
        pass "$1"
    else
        fail "$1" "wanted code $2 and '$3'; got code $code and" "$(tail -n 20 "$log")"
    fi
}
# resumed NAME FIRST LAST WHAT: the run was resumed from a step in that range.
resumed() {
    local from
    from=$(result "$1" resumed_from)
    if [ "$from" != None ] && [ "$from" -ge "$2" ] && [ "$from" -le "$3" ]; then
        pass "$4"
    else
        fail "$4" "resumed_from is $from, not $2 to $3" "$(tail -n 20 "$log")"
    fi
}

train whole 2 $small --steps 30
check "the uninterrupted run" test $code = 0

# ---- Stopped in the middle of the second epoch. ----
train part 3 $small --steps 17
check "a run of 17 steps" test $code = 0
printf '{"kind":"train","step":18,"lo' >>"$tmp/part/metrics.jsonl" # as a crash leaves it
cp -a "$tmp/part" "$tmp/keep17"
train part 2 $small --steps 30
same part whole "17 steps on 3 ranks, then on with 2: as the uninterrupted run"
resumed part 17 17 "it was resumed from step 17"

# ---- Crashes of one rank. ----
for how in kill:137 segv:139 abort:134 exit:1; do
    train crash-$how 3 $small --steps 30 --checkpoint-every 5 --crash-at 16:1:${how%:*}
    check "crash by ${how%:*}: exit code ${how#*:}" test $code = ${how#*:}
    check "crash by ${how%:*}: no damaged checkpoint" sound crash-$how
    train crash-$how 2 $small --steps 30 --checkpoint-every 5 --crash-at 16:1:${how%:*}
    same crash-$how whole "crash by ${how%:*}, resumed with the same command: as the uninterrupted run"
    resumed crash-$how 5 15 "crash by ${how%:*}: it was resumed"
done
train iteration 2 $small --steps 30 --crash-iteration 20
says "--crash-iteration kills the last rank" 137 'rank 1 ends by kill before step 20'
train iteration 4 $small --steps 30
same iteration whole "resumed from the epoch's end on 4 ranks: as the uninterrupted run"

# ---- kill -9 of all ranks: at random instants, and at each point of a write that leaves something else behind. ----
tiny=$recipes/tiny.yaml
train long 2 $tiny --steps 240
check "a longer uninterrupted run" test $code = 0

# Called through until_true. $before is the newest checkpoint before the round.
progressed() { [ "$(newest killed)" != "$before" ] || ! kill -0 "$launched" 2>/dev/null; }
# The steps, behind the newest checkpoint, of which a file of that kind is there: h5, h5.xxh3, h5.tmp.
left() { (cd "$tmp/killed/checkpoints" && find . -name 'step-*' | sed -n "s,^\./step-\([0-9]*\)\.$1\(\.[0-9].*\)\?$,\1,p" | sort | tail -n 1); }
# killed RANKS WHAT [OP:PART HOW LEFT]: kills a run when it has made a checkpoint, at random or in the first such operation
# on files (see file_ops.c); the next checkpoint's files are then of these kinds.
round=0
killed() {
    local ranks=$1 what="kill -9, round $((++round)), $2" step kind found=
    before=$(newest killed)
    step=$(basename "${before:-step-00000000.h5}" .h5)
    step=$(printf %08d $((10#${step#step-} + 1)))
    if [ $# -gt 2 ]; then
        LD_PRELOAD=$ops FILE_OPS_UNDER=$tmp/killed FILE_OPS_AT=$3 FILE_OPS_DO=$4 \
            start killed "$ranks" $tiny --steps 240 --checkpoint-every 1
        until_true 60 stopped killed
    else
        start killed "$ranks" $tiny --steps 240 --checkpoint-every 1
        until_true 60 progressed
        sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
    fi
    stop_hard
    check "$what: no damaged checkpoint" sound killed
    [ $# -gt 2 ] || return
    for kind in h5 h5.xxh3 h5.tmp; do [ "$(left "$kind")" != "$step" ] || found+="$kind "; done
    check "$what: it was there" test "$found" = "$5 "
}
killed 2 "at random"
ops=
if preload file_ops; then
    ops=$tmp/file_ops.so
    killed 3 "half of the file written" write:.h5.tmp half h5.tmp
    killed 1 "the file synced" fsync:.h5.tmp stop h5.tmp
    killed 2 "the sidecar written" fsync:.h5.xxh3.tmp stop h5.tmp
    killed 3 "the sidecar in place" rename:.h5.xxh3 stop "h5.xxh3 h5.tmp"
    killed 1 "the file in place" 'rename:.h5$' stop "h5 h5.xxh3"
fi
killed 3 "at random"
train killed 3 $tiny --steps 240 --checkpoint-every 1
same killed long "killed $round times: as the uninterrupted run"
check "temporary files of the killed are gone" bash -c "! compgen -G '$tmp/killed/checkpoints/*.tmp.*'"

# ---- Asked to stop. ----
logged() { [ -s "$tmp/$1/metrics.jsonl" ]; }
# pending NAME MASK: the signal of this bit has come to rank 0, which is stopped.
pending() { (($((16#$(awk '/^ShdPnd/ { print $2 }' "/proc/$(rank0 "$1")/status"))) & $2)); }
# asked NAME SIGNAL RANKS WHOM: sends it once the run has logged a step; then goes on to the end. Rank 0 stands still from
# that step until the signal is there.
asked() {
    local name=$1 signal=$2 ranks=$3 whom=$4 what="SIG$2 to $4"
    LD_PRELOAD=$ops FILE_OPS_UNDER=$tmp/$name FILE_OPS_AT='write:metrics.jsonl$' start "$name" "$ranks" $tiny --steps 240
    if [ -n "$ops" ]; then until_true 60 stopped "$name"; else until_true 60 logged "$name"; fi
    case $whom in
        mpirun | "the only rank") kill -"$signal" "$launched" ;;
        "one rank") kill -"$signal" "$(ranks_of | awk '{ print $NF }')" ;;
    esac
    [ -z "$ops" ] || [ "$whom" != mpirun ] || until_true 20 pending "$name" $((1 << ($(kill -l "$signal") - 1)))
    kill -CONT "$(rank0 "$name")"
    wait_for "$name"
    says "$what: exit code 75" 75 'asked to stop: writing a checkpoint'
    check "$what: the result says so" test "$(result "$name" status)" = stopped
    check "$what: its last step has a checkpoint" \
        test "$(newest "$name")" = "$tmp/$name/checkpoints/step-$(printf %08d "$(result "$name" step)").h5"
    train "$name" 3 $tiny --steps 240
    same "$name" long "$what, started again: as the uninterrupted run"
}
asked usr1 USR1 2 mpirun
asked usr1-rank USR1 3 "one rank"
asked term TERM 0 "the only rank"
asked int INT 0 "the only rank"
# mpirun itself leaves a second after SIGTERM: whatever is there must be good, and go on.
start ended 2 $tiny --steps 240 --checkpoint-every 2
until_true 60 logged ended
kill -TERM "$launched"
wait_for ended
check "SIGTERM to mpirun: no damaged checkpoint" sound ended
train ended 2 $tiny --steps 240
same ended long "SIGTERM to mpirun, started again: as the uninterrupted run"

# ---- Damaged checkpoints. ----
train damaged 2 $small --steps 20 --checkpoint-every 4 --keep 3
check "a run with three checkpoints" test "$(find "$tmp/damaged/checkpoints" -name 'step-*.h5' | wc -l)" = 3
# flip FILE [AT]: changes one bit of a byte, of the one in the middle unless told.
flip() {
    local at=${2:-$(($(stat -c %s "$1") / 2))} byte
    byte=$(od -An -tu1 -j "$at" -N1 "$1")
    printf '%b' "\\x$(printf %x $((byte ^ 16)))" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}
cut_short() { truncate -s -10000 "$1"; }
half() { truncate -s $(($(stat -c %s "$1") / 2)) "$1"; }
empty() { : >"$1"; }
for harm in flip cut_short half empty; do
    cp -a "$tmp/damaged" "$tmp/$harm"
    $harm "$(newest $harm)"
    "$program" inspect --verify "$(newest $harm)" >"$tmp/.output" 2>&1
    check "$harm: inspect --verify gives code 4" test $? = 4
    train $harm 3 $small --steps 30
    same $harm whole "$harm: as the uninterrupted run"
    resumed $harm 16 16 "$harm: resumed from the one before"
    check "$harm: a warning" grep -q '^warning: .*step-00000020.h5.* passed over' "$log"
done
cp -a "$tmp/damaged" "$tmp/all-bad"
for file in "$tmp"/all-bad/checkpoints/step-*.h5; do flip "$file"; done
train all-bad 2 $small --steps 30
one_error 4 'has checkpoints but no good one' "all damaged: exit code 4"
train all-bad 2 $small --steps 30
one_error 4 'has checkpoints but no good one' "all damaged, once more: no fresh start"
train all-bad 2 $small --steps 30 --reset
same all-bad whole "all damaged, --reset: starts over"

# ---- What may change at a resume, and what may not. ----
# refused NAME KEY WORD...: resuming with these is refused and names the key.
refused() {
    local name=$1 key=$2
    shift 2
    cp -a "$tmp/keep17" "$tmp/refused"
    train refused 2 "$@"
    one_error 2 "$key" "$name is refused"
    rm -r "$tmp/refused"
}
sed 's/conv c=32/conv c=48/' $small >"$tmp/other.yaml"
refused "another model" 'model conv c=32 k=3 p=1 there, conv c=48 k=3 p=1 here' "$tmp/other.yaml" --steps 30
refused "another lane count" 'lanes 8 there, 4 here' $small --steps 30 --lanes 4
refused "another batch size" 'batch-size 64 there, 128 here' $small --steps 30 --batch-size 128
refused "three changes are named together" 'seed .*batch-size .*optimizer.lr ' $small --steps 30 --batch-size 128 --lr 1 --seed 7
cp -a "$tmp/keep17" "$tmp/more"
train more 2 $small --steps 30 --epochs 11 --checkpoint-every 3 --keep 2 --deadline 100
same more whole "more epochs and another checkpoint interval are fine"

cp -a "$tmp/data" "$tmp/other-data"
flip "$tmp/other-data/data_batch_2.bin" 2000
CIFAR10_DIR=$tmp/other-data train more 2 $small --steps 33
one_error 3 'was trained on other data' "other training records are refused"

train more 2 $small --steps 30 --resume none
one_error 4 '--resume none: .* holds checkpoints' "--resume none beside checkpoints is refused"
train more 2 $small --steps 30
says "a finished run says so" 0 'is finished: step 30 of 30'
train more 3 $small --steps 30 --reset --resume none
same more whole "--reset starts over"
check "--reset: not resumed" test "$(result more resumed_from)" = None
train fresh 2 $small --steps 30 --resume none
same fresh whole "--resume none in a new directory starts"
train from-file 2 $small --steps 30 --resume "$tmp/keep17/checkpoints/step-00000017.h5"
resumed from-file 17 17 "--resume FILE goes on from that file"
check "--resume FILE: as the uninterrupted run" test "$(bits from-file)" = "$(bits whole)"

# ---- A rank that does not see the file gets it from rank 0. ----
cat >"$tmp/elsewhere" <<'SH'
#!/bin/bash
[ "$OMPI_COMM_WORLD_RANK" = 0 ] && cd "$1" || cd /
exec "${@:2}"
SH
chmod +x "$tmp/elsewhere"
cp -a "$tmp/keep17" "$tmp/sent"
timeout "$run_limit" mpirun -np 3 "$tmp/elsewhere" "$tmp" "$PWD/$program" train "$PWD/$small" --out sent --threads 1 --steps 30 >"$log" 2>&1
code=$?
same sent whole "two ranks that cannot read the checkpoint: as the uninterrupted run"
check "rank 0 sent it" grep -q '2 of 3 ranks cannot read .*: rank 0 sends it' "$log"

# ---- What is parsed, or sent, is what agreed with the checksum: a file that changes under a reader's hands (here the ----
# ---- checkpoint of step 24 comes in the place of that of step 17) is seen to, or its bytes are in memory already. ----
if preload swap_file; then
    swapper=$tmp/swap_file.so
    swap=(-x SWAP_PATH=step-00000017.h5 -x SWAP_WITH="$tmp/whole/checkpoints/step-00000024.h5" -x LD_PRELOAD="$swapper")
    for at in 1 2 3 4; do
        rm -rf "$tmp/sent" && cp -a "$tmp/keep17" "$tmp/sent"
        timeout "$run_limit" mpirun -np 3 -x SWAP_AT=$at "${swap[@]}" "$tmp/elsewhere" "$tmp" "$PWD/$program" train "$PWD/$small" --out sent \
            --threads 1 --steps 30 >"$log" 2>&1
        code=$?
        case $at in
            1) resumed sent 12 12 "changed before it is verified: passed over" ;;
            2) one_error 4 'step-00000017.h5: damaged' "changed between the choice and the loading: refused" ;;
            *) same sent whole "changed at opening $at, which is one too many: as the uninterrupted run" ;;
        esac
    done
    cp -a "$tmp/whole/checkpoints" "$tmp/read"
    "$program" eval "$tmp/read/step-00000012.h5" --json >"$tmp/before" 2>&1
    SWAP_PATH=step-00000012.h5 SWAP_WITH=$tmp/read/step-00000024.h5 SWAP_AT=2 LD_PRELOAD=$swapper \
        "$program" eval "$tmp/read/step-00000012.h5" --json >"$tmp/after" 2>&1
    check "eval reads the file once" diff "$tmp/before" "$tmp/after"
fi

# ---- What is kept. ----
train kept 2 $small --steps 30 --checkpoint-every 2 --keep 2
best=$(readlink -f "$tmp/kept/best.h5")
expected=$(printf '%s\n' "$tmp/kept/checkpoints/step-000000"{28,30}.h5 "$best" | sort -u)
check "--keep 2: the two newest, and the best" test "$(find "$tmp/kept/checkpoints" -name '*.h5' | sort)" = "$expected"
check "best.h5 is a link into checkpoints" bash -c "[[ \$(readlink '$tmp/kept/best.h5') = checkpoints/step-*.h5 ]]"
check "best.h5 verifies" "$program" inspect --verify "$tmp/kept/best.h5"
check "best.h5 is of the best step" test "$best" = "$tmp/kept/checkpoints/step-$(printf %08d "$(result kept best_step)").h5"
finish
