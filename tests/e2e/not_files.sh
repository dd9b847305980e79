#!/bin/bash
# limit: 300
# A FIFO, to which nobody writes, or a device under the name of each file that lockstep reads: it is refused in one line that
# names it, or put away, and never waited for.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

train whole 0 $tiny --steps 3 --autotune false
check "a run" test $code = 0
mkfifo "$tmp/fifo"

# in_time NAME: $code is of a command that came to its end.
in_time() { check "$1: it is not waited for" test "$code" != 124 -a "$code" != 137; }
brief() {
    timeout -k 5 "$run_limit" "$program" "$@" >"$log" 2>&1 </dev/null
    code=$?
}

# ---- In a run directory that is gone on with. ----
event=$(basename "$tmp/whole/tensorboard/"events.*)
for name in owner log.txt metrics.jsonl lineage local checkpoints/step-00000003.h5; do
    rm -rf "$tmp/run"
    cp -a "$tmp/whole" "$tmp/run"
    rm -f "$tmp/run/$name"
    mkfifo "$tmp/run/$name"
    brief train $tiny --out "$tmp/run" --threads 1 --steps 6
    in_time "$name"
    one_error 4 "/run/$name.*is not a regular file" "$name: what it is is said"
    check "$name: it is left there" test -p "$tmp/run/$name"
done
# What a run can do without.
for name in sessions.jsonl "tensorboard/$event"; do
    rm -rf "$tmp/run"
    cp -a "$tmp/whole" "$tmp/run"
    rm -f "$tmp/run/$name"
    mkfifo "$tmp/run/$name"
    brief train $tiny --out "$tmp/run" --threads 1 --steps 6
    in_time "$name"
    check "$name: the run goes on without it" test "$code" = 0 -a -f "$tmp/run/result.json"
    check "$name: what it is is said" grep -q "^warning: .*/run/$name.*is not a regular file" "$log"
    check "$name: it is left there" test -p "$tmp/run/$name"
done
# What a run writes anew, whatever was there.
for name in config.yaml result.json predictions.h5 autotune.txt; do
    rm -rf "$tmp/run"
    cp -a "$tmp/whole" "$tmp/run"
    rm -f "$tmp/run/$name"
    mkfifo "$tmp/run/$name"
    brief train $tiny --out "$tmp/run" --threads 1 --steps 6
    check "$name: it is put away" test "$code" = 0 -a ! -p "$tmp/run/$name"
done
# Under the owner's name while the run goes on: what looks every two seconds must come back.
start late 0 $tiny --epochs 1000000 --checkpoint-every 1000000 --eval.every 1000000 --log-every 1000000
until_true 60 test -s "$tmp/late/config.yaml"
mkfifo "$tmp/late/owner.fifo"
mv "$tmp/late/owner.fifo" "$tmp/late/owner"
sleep 3
kill -TERM "$launched" 2>/dev/null
wait_for late
one_error 4 'late/owner: cannot be read: it is not a regular file' "owner, while the run goes on: nothing more is written, one line"

# ---- What commands are given. ----
cairo=yes
"$program" report "$tmp/whole" 2>&1 | grep -q libcairo2-dev && cairo=no && skip "pictures" "lockstep was built without cairo"
# given CODE WORD...
given() {
    local want=$1
    shift
    brief "$@"
    in_time "$1 ${!#}"
    one_error "$want" "$(basename "${!#}")?.*is not a regular file" "$1: what it is is said"
}
ln -s /dev/zero "$tmp/zero"
for file in fifo zero; do
    given 2 train --threads 1 "$tmp/$file"
    given 4 train $tiny --out "$tmp/new" --threads 1 --resume "$tmp/$file"
    given 4 inspect "$tmp/$file"
    given 3 train $tiny --out "$tmp/new" --threads 1 --data "$tmp/$file"
    given 4 eval "$tmp/$file"
    [ $cairo = no ] || given 2 plot --x a --y b --out "$tmp/figure.svg" "$tmp/$file"
    [ $cairo = no ] || given 3 predict "$tmp/whole" "$tmp/$file"
done
cp -a "$tmp/data" "$tmp/images"
for name in data_batch_3.bin test_batch.bin; do
    mv "$tmp/images/$name" "$tmp/kept"
    mkfifo "$tmp/images/$name"
    brief train $tiny --out "$tmp/new" --threads 1 --data "$tmp/images"
    in_time "$name"
    one_error 3 "images/$name" "$name: it is named"
    rm "$tmp/images/$name"
    mv "$tmp/kept" "$tmp/images/$name"
done
mkdir "$tmp/runs"
for name in config.yaml metrics.jsonl sessions.jsonl result.json predictions.h5; do
    rm -rf "$tmp/runs/one"
    cp -a "$tmp/whole" "$tmp/runs/one"
    rm "$tmp/runs/one/$name"
    mkfifo "$tmp/runs/one/$name"
    brief report "$tmp/runs/one"
    in_time "report $name"
    [ $cairo = no ] || one_error 4 "one/$name.*is not a regular file" "report: $name is named"
    brief runs "$tmp/runs"
    in_time "runs $name"
done
rm -rf "$tmp/runs/one"
cp -a "$tmp/whole" "$tmp/runs/one"
rm "$tmp/runs/one/checkpoints/step-00000003.h5"
mkfifo "$tmp/runs/one/checkpoints/step-00000003.h5"
brief checkpoint verify "$tmp/runs/one"
in_time "checkpoint verify"
check "checkpoint verify says no" test "$code" = 4
finish
