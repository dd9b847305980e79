#!/bin/bash
# limit: 480
# waits: what it checks is a matter of seconds
# Ranks that read files of their own: images, labels, numbers of records, test and held-out sets that differ between two of
# them end a run, in time, with code 3 and the names of both readers; nothing is read twice where all read the same files.
# And checkpoints: all ranks go on from, and evaluate, the one that rank 0 has. And libraries: one oneDNN for all.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # of 4 lanes: 50 records each, and of 2 ranks 50 test records each

# Starts lockstep with the images in $COPIES/RANK and with $HOLD of rank 1's environment, in $WHERE/RANK where that is named.
cat >"$tmp/own" <<'SH'
#!/bin/bash
[ -z "${COPIES:-}" ] || export CIFAR10_DIR=$COPIES/$OMPI_COMM_WORLD_RANK
[ -z "${WHERE:-}" ] || cd "$WHERE/$OMPI_COMM_WORLD_RANK" || exit
[ "$OMPI_COMM_WORLD_RANK" != 1 ] || [ -z "${HOLD:-}" ] || export HOLD_THREAD=crosscheck LD_PRELOAD=$HOLD
exec "$@"
SH
chmod +x "$tmp/own"
# own RANKS WORD...: lockstep by that script. Its output is $log.out, with its errors $log.
own() {
    local ranks=$1
    shift
    timeout -k 5 "$run_limit" mpirun -np "$ranks" "$tmp/own" "$PWD/$program" "$@" >"$log.out" 2>"$log.err"
    code=$?
    cat "$log.out" "$log.err" >"$log"
}
# copies NAME RANKS: a copy of the images for each rank, in $COPIES.
copies() {
    local r
    COPIES=$tmp/$1
    mkdir -p "$COPIES"
    for ((r = 0; r < $2; r++)); do cp -a "$tmp/data" "$COPIES/$r"; done
    export COPIES
}
# flip FOLDER RECORD BYTE: the lowest bit of a byte of a training record (byte 0: the label), or of test record tRECORD.
flip() {
    local file=$1/test_batch.bin at=${2#t} old
    [ "$at" != "$2" ] || { file=$1/data_batch_$((at / 40 + 1)).bin && at=$((at % 40)); }
    at=$((at * 3073 + $3))
    old=$(od -An -tu1 -j $at -N1 "$file")
    # shellcheck disable=SC2059 # an octal number
    printf "\\$(printf '%03o' $((old ^ 1)))" | dd of="$file" bs=1 seek=$at conv=notrunc status=none
}
hash='[0-9a-f]{16}'
# between WHAT OWNER READER: what the one line says, of ranks that read $COPIES/OWNER and $COPIES/READER.
between() {
    echo "ranks read different images \($1\): rank $2 on .* has hash $hash from $COPIES/$2, rank $3 on .* has $hash from" \
        "$COPIES/$3; copy the right ones to all hosts, or name with --data what all ranks see"
}
compared() { grep -q "^data: cifar10-like in .*, of which ranks have $1 copies .* with equal hashes" "$log"; }
# rank 0 reads lanes 0 and 1 and its half of the test set, 150 records, and those of the other where it compares.
reads() { grep -q "^rank 0 on .*: lanes 0-1, training records 0-99, $1 MB read" "$log"; }

# ---- The same images. ----
train alone 0 $tiny --steps 8
train one-folder 2 $tiny --steps 8
same one-folder alone "one folder: the run of one rank"
refuse "one folder: nothing to compare" grep -q copies "$log"
check "one folder: nothing is read twice" reads 0.5
copies equal 2
own 2 train $tiny --out "$tmp/equal-run" --threads 1 --steps 8
same equal-run alone "two copies: the run of one rank"
check "two copies: are compared" compared 2
check "two copies: each part is read twice" reads 0.9
mkdir "$tmp/links"
for r in 0 1; do cp -al "$tmp/data" "$tmp/links/$r"; done
COPIES=$tmp/links own 2 train $tiny --out "$tmp/linked" --threads 1 --steps 8
same linked alone "one set of files in two folders: the run of one rank"
refuse "one set of files in two folders: nothing to compare" grep -q copies "$log"
check "one set of files in two folders: nothing is read twice" reads 0.5
copies several 4
rm -rf "$COPIES/2" && cp -al "$COPIES/0" "$COPIES/2"
own 4 train $tiny --out "$tmp/several-run" --threads 1 --steps 8
same several-run alone "three copies, four ranks: the run of one rank"
check "three copies, four ranks: are compared" compared 3

# ---- One bit. ----
# differs NAME RANKS WHAT OWNER READER WORD...: of the copies NAME, as they are, something differs.
differs() {
    local name=$1 ranks=$2 what=$3 owner=$4 reader=$5
    shift 5
    own "$ranks" train $tiny --out "$tmp/$name-run" --threads 1 --steps 8 "$@"
    one_error 3 "$(between "$what" "$owner" "$reader")" "$name: both readers are named"
    check "$name: no step is taken" test ! -s "$tmp/$name-run/metrics.jsonl"
}
copies pixel 2
flip "$COPIES/1" 7 1234
differs pixel 2 'lane 0' 0 1
one=$(grep -oE "hash $hash" "$log")
flip "$COPIES/0" 7 1234
own 2 train $tiny --out "$tmp/both" --threads 1 --steps 8
check "pixel: the same in both copies is the same data" test $code = 0
flip "$COPIES/1" 7 1234
differs pixel 2 'lane 0' 0 1
check "pixel: its hash follows the data" test -n "$one" -a "$one" != "$(grep -oE "hash $hash" "$log")"
copies own-lane 2
flip "$COPIES/1" 160 3072
differs own-lane 2 'lane 3' 1 0
copies lanes 2
flip "$COPIES/1" 100 1
flip "$COPIES/1" 199 3072
differs lanes 2 'lanes 2, 3' 1 0
copies label 2
flip "$COPIES/0" 60 0
differs label 2 'lane 1' 0 1
copies test 2
flip "$COPIES/1" t99 17
differs test 2 'the test set' 1 0
copies held 2
flip "$COPIES/1" 150 17
differs held 2 'the held-out records' 0 1 --train-records 140 --holdout 40
copies unused 2
flip "$COPIES/1" 190 17
own 2 train $tiny --out "$tmp/unused-run" --threads 1 --steps 8 --train-records 140 --holdout 40
check "a record that nobody uses: nothing to say" test $code = 0

# Two of three ranks read the same files: the third reads theirs too, and one of them reads the third's.
copies third 3
rm -rf "$COPIES/1" && cp -al "$COPIES/0" "$COPIES/1"
flip "$COPIES/2" 110 99
differs third 3 'lane 2' 1 2
flip "$COPIES/2" 10 99
flip "$COPIES/2" t3 99
differs third 3 'lane 0, and 2 more parts of the data' 0 2
flip "$COPIES/2" 10 99
flip "$COPIES/2" 110 99
flip "$COPIES/2" t3 99
flip "$COPIES/2" 170 99
differs third 3 'lane 3' 2 0

# ---- What the second reader cannot read. ----
copies damaged 2
printf '\377' | dd of="$COPIES/1/data_batch_1.bin" bs=3073 seek=5 conv=notrunc status=none
own 2 train $tiny --out "$tmp/damaged-run" --threads 1 --steps 8
one_error 3 'rank 1/2\] .*/damaged/1/data_batch_1.bin: record 5 has label 255' "a bad label in another rank's lane"
if preload hold_thread; then
    copies slow 2
    export HOLD=$tmp/hold_thread.so
    aside slow own 2 train $tiny --out "$tmp/slow-run" --threads 1 --steps 8 --deadline 8
    # Five reads: the pieces of lanes 0 and 1, and of the test set.
    HOLD_READS_S=2 aside long own 2 train $tiny --out "$tmp/long-run" --threads 1 --steps 8 --deadline 8
    aside failed own 2 train $tiny --out "$tmp/failed-run" --threads 1 --steps 8 --deadline 8 --resume "$tmp/nothing.h5"
    aside eval own 2 eval "$(newest alone)" --deadline 8
    unset HOLD
fi

# ---- Other numbers of records: at once, before anybody waits for anybody. ----
# counts NAME TRAIN TEST
counts() {
    local began=$SECONDS
    own 2 train $tiny --out "$tmp/$1-run" --threads 1
    one_error 3 "rank 1 on .* finds $2 training and $3 test records of 10 classes, .* in $COPIES/1; rank 0 on .* finds 200 training and 100" \
        "$1: both are named"
    check "$1: at once" test $((SECONDS - began)) -le 20
    refuse "$1: CIFAR-10 is no remedy for a set that is not it" grep -q get-cifar10 "$log"
}
copies fewer 2
for file in 1 2 3 4 5; do truncate -s $((36 * 3073)) "$COPIES/1/data_batch_$file.bin"; done
counts fewer 180 100
copies fewer-tests 2
truncate -s $((50 * 3073)) "$COPIES/1/test_batch.bin"
counts fewer-tests 200 50
copies none 1
ln -s /nowhere "$COPIES/1"
own 2 train $tiny --out "$tmp/none-run" --threads 1
one_error 3 'rank 1/2\] .*/none/1' "none on rank 1: its rank speaks"
cat >"$tmp/synthetic" <<'SH'
#!/bin/bash
[ "$OMPI_COMM_WORLD_RANK" != 1 ] || export CIFAR10_DIR=synthetic
exec "$@"
SH
chmod +x "$tmp/synthetic"
timeout -k 5 "$run_limit" mpirun -np 2 "$tmp/synthetic" "$program" train $tiny --out "$tmp/made" --threads 1 >"$log" 2>&1
code=$?
one_error 3 'rank 1 on .* finds 50000 training .* in memory \(synthetic\); rank 0 on .* finds 200' "synthetic images on rank 1 alone"

# ---- What the second reader waits for. ----
if [ -f "$tmp/hold_thread.so" ]; then
    answers='nothing was read from .*/slow/1 for 4 s'
    back slow
    one_error 7 "rank 1/2\] the images that other ranks train on: $answers" "a file system that does not answer"
    back eval
    one_error 7 "rank 1/2\] the images that other ranks .*: $answers" "eval, and a file system that does not answer"
    back failed
    one_error 4 'rank 0/2\] .*/nothing.h5' "a run that has failed, with a read that does not come back: its line, and its code"
    check "which it is not waited for ($took s)" test "$took" -le 20
    back long
    same long-run alone "a reading that takes longer than the deadline, but goes on: the run of one rank"
    check "it took longer ($took s of 8)" test "$took" -ge 9
fi

# ---- eval ----
last=$(newest alone)
counted() { tests/read_json get "$log.out" test_accuracy test_loss confusion; }
"$program" eval "$last" --json >"$log.out"
whole=$(counted)
copies eval 2
own 2 eval "$last" --json
check "eval of two copies: as of one" test "$code $(counted)" = "0 $whole"
flip "$COPIES/1" t1 99
own 2 eval "$last"
one_error 3 "$(between 'the test set' 0 1)" "eval of two copies, one bit: both are named"
flip "$COPIES/1" t1 99
flip "$COPIES/1" 10 99
own 2 eval "$last" --json
check "eval looks at no training images" test "$code $(counted)" = "0 $whole"
truncate -s $((60 * 3073)) "$COPIES/1/test_batch.bin"
own 2 eval "$last"
one_error 3 'rank 1 on .* finds 200 training and 60 test records' "eval, and fewer test records: both are named"
unset COPIES

# ---- Checkpoints on disks of their own: rank 0's is everyone's. ----
export WHERE=$tmp/disks
mkdir -p "$WHERE/0" "$WHERE/1"
(cd "$WHERE/0" && "$OLDPWD/$program" train "$OLDPWD/$tiny" --out run --threads 1 --steps 6 >/dev/null 2>&1)
(cd "$WHERE/1" && "$OLDPWD/$program" train "$OLDPWD/$tiny" --out run --threads 1 --steps 6 --lr 0.2 >/dev/null 2>&1)
name=run/checkpoints/step-00000006.h5
refuse "two checkpoints of one name" cmp -s "$WHERE/0/$name" "$WHERE/1/$name"
"$program" eval "$WHERE/0/$name" --json >"$log.out"
whole=$(counted)
own 2 eval $name --json
check "eval: all ranks have rank 0's" test "$code $(counted)" = "0 $whole"
rm -r "$WHERE/1/run"
own 2 eval $name --json
check "eval: also where others see none" test "$code $(counted)" = "0 $whole"
(cd "$WHERE/1" && "$OLDPWD/$program" train "$OLDPWD/$tiny" --out run --threads 1 --steps 6 --lr 0.2 >/dev/null 2>&1)
own 2 train "$PWD/$tiny" --out run --threads 1 --steps 12
check "a run goes on from rank 0's: says that another has another one" \
    grep -q '^warning: 1 of 2 ranks have another file under the name run/checkpoints/step-00000006.h5 .*: rank 0 sends its own' "$log"
cp -a "$WHERE/0/run" "$tmp/disks-run"
train whole 0 $tiny --steps 12
check "a run goes on from rank 0's: exit code 0" test $code = 0
check "a run goes on from rank 0's: the bits of one that never stopped" test "$(bits disks-run)" = "$(bits whole)"
unset WHERE

# ---- Libraries of their own: another oneDNN may compute other bits. ----
if preload other_library; then
    cat >"$tmp/library" <<'SH'
#!/bin/bash
[ "$OMPI_COMM_WORLD_RANK" != 1 ] || export LD_PRELOAD=$OTHER_LIBRARY
exec "$@"
SH
    chmod +x "$tmp/library"
    OTHER_LIBRARY=$tmp/other_library.so timeout -k 5 "$run_limit" mpirun -np 2 "$tmp/library" "$program" train $tiny --out "$tmp/libraries" \
        --threads 1 --steps 2 >"$log" 2>&1
    code=$?
    one_error 6 'rank 1/2\] compute library differs between ranks: "oneDNN .*" here, "oneDNN .*" on rank 0' "another oneDNN on rank 1"
    OTHER_RUNTIME=4 LD_PRELOAD=$tmp/other_library.so "$program" train $tiny --out "$tmp/libraries" --threads 1 --steps 2 >"$log" 2>&1
    code=$?
    one_error 5 'oneDNN .*, which was loaded, is built for the threads of TBB: lockstep needs' "a oneDNN with threads of its own"
fi
finish
