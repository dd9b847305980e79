#!/bin/bash
# lockstep eval gives what training said of the same weights, to the bit, at any rank count; inspect --verify tells a good
# file from a bad one; each test image is counted once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
small=$recipes/small.yaml # its evaluation is of the moving average; 130 images in batches of 50

train run 2 $small --steps 30
check "a run" test $code = 0
last=$(newest run)
said=$(result run test_accuracy test_loss confusion)

# eval_json RANKS WORD...: lockstep eval --json into $tmp/eval.json
eval_json() {
    local ranks=$1
    shift
    if [ "$ranks" = 0 ]; then "$program" eval "$@" --json; else mpirun -np "$ranks" "$program" eval "$@" --json; fi \
        >"$tmp/eval.json" 2>"$log"
    code=$?
}
for ranks in 0 1 2 3 5; do
    eval_json $ranks "$last" --threads 1
    check "eval on $ranks ranks: exit code 0" test $code = 0
    check "eval on $ranks ranks: accuracy, loss and counts of the run, to the bit" \
        test "$(tests/read_json get "$tmp/eval.json" test_accuracy test_loss confusion)" = "$said"
done
eval_json 2 "$last" --threads 2
check "eval with 2 threads a rank: the same" test "$(tests/read_json get "$tmp/eval.json" test_accuracy test_loss confusion)" = "$said"
check "eval --json names step, data set, number of images" \
    test "$(tests/read_json get "$tmp/eval.json" step dataset images | tr '\n' ' ')" = "30 $(result run dataset) 130 "
train from-best 1 $small --steps 30
eval_json 0 "$tmp/from-best/best.h5"
check "eval of best.h5: the best accuracy" \
    test "$(tests/read_json get "$tmp/eval.json" test_accuracy step)" = "$(result from-best best_accuracy best_step)"

read -r images diagonal < <(tests/read_json confusion "$tmp/run/result.json")
check "each test image is counted once" test "$images" = 130
# result.json has 15 digits.
check "the diagonal is the accuracy" awk -v a="$diagonal" -v b="$(result run test_accuracy)" 'BEGIN { exit !((a - b) ^ 2 < 1e-24) }'
# Class counts of the test images against the sums of the rows.
labels=$(for ((i = 0; i < 130; i++)); do od -An -tu1 -j $((i * 3073)) -N1 "$tmp/data/test_batch.bin"; done | sort -n | uniq -c | awk '{ print $2, $1 }')
rows=$(result run confusion | tr -d '[ ' | sed 's/],*/\n/g' | awk -F, 'NF > 1 { s = 0; for (i = 1; i <= NF; i++) s += $i; if (s > 0) print NR - 1, s }')
check "the rows are the true classes" test "$rows" = "$labels"

"$program" eval "$last" >"$log" 2>&1
check "eval for people: accuracy" grep -qF "test accuracy $(awk -v a="$(result run test_accuracy)" 'BEGIN { printf "%.2f", 100 * a }') %" "$log"
check "eval for people: ten classes" test "$(grep -cE '^  [a-z]+ +[0-9.]+ %( +[0-9]+){10}$' "$log")" = 10
check "eval for people: the confusion matrix, under the classes' names" test \
    "$(sed -nE 's/^  [a-z]+ +[0-9.]+ %((  *[0-9]+){10})$/\1/p' "$log" | tr -s ' \n' ' ')" = "$(result run confusion | tr -s '[], ' ' ')" -a \
    "$(grep -c ' airpl  autom   bird    cat   deer    dog   frog  horse   ship  truck  <- taken for$' "$log")" = 1
check "eval for people: says that it used the moving average" grep -q 'moving average' "$log"

# ---- While training goes on. ----
start live 2 $recipes/tiny.yaml --epochs 100000 --checkpoint-every 50 --eval.every 100000 --keep 1000
until_true 60 compgen -G "$tmp/live/checkpoints/*.h5" >/dev/null
one=$(newest live)
eval_json 0 "$one" --threads 1
check "eval while training goes on" test $code = 0
check "inspect --verify while training goes on" "$program" inspect --verify "$one"
check "training does go on" kill -0 "$launched"
kill -USR1 "$launched"
wait_for live
check "training was not disturbed" test $code = 75

# ---- A run directory, and a copy of the best by itself. ----
eval_json 2 "$tmp/from-best"
check "eval of a run directory: the best checkpoint" \
    test "$code $(tests/read_json get "$tmp/eval.json" checkpoint step | tr '\n' ' ')" = "0 $tmp/from-best/best.h5 $(result from-best best_step) "
train early 1 $small --steps 3
eval_json 0 "$tmp/early"
check "eval of a run directory without an evaluation: the newest checkpoint" \
    test "$code $(tests/read_json get "$tmp/eval.json" checkpoint step | tr '\n' ' ')" = "0 $(newest early) 3 "
lockstep 0 eval "$tmp/data"
one_error 4 'data: holds no checkpoint; is it a run directory' "eval of another directory"
cp "$tmp/from-best/best.h5" "$tmp/alone.h5"
eval_json 2 "$tmp/alone.h5"
check "eval of a lone copy: the best accuracy" \
    test "$(tests/read_json get "$tmp/eval.json" test_accuracy step)" = "$(result from-best best_accuracy best_step)"
check "eval of a lone copy: a warning" test "$(grep -c '^warning: .*alone.h5 has no checksum file beside it' "$log")" = 1
"$program" inspect --verify "$tmp/alone.h5" >"$log" 2>&1
check "inspect of a lone copy says what it is" grep -q 'alone.h5: .* a copy without a checksum file' "$log"
train resumed 1 $small --steps 40 --resume "$tmp/alone.h5"
check "a run goes on from a lone copy" test "$code $(result resumed resumed_from)" = "0 $(result from-best best_step)"
# Any byte may be wrong: it shows, or it is one that holds nothing.
hash=$("$program" inspect "$tmp/alone.h5" 2>/dev/null | grep 'state hash')
shows=0 holds_nothing=0 wrong=0
size=$(stat -c %s "$tmp/alone.h5")
for ((i = 0; i < 60; i++)); do
    at=$((size * i / 60 + i))
    cp "$tmp/from-best/best.h5" "$tmp/alone.h5"
    byte=$(od -An -tu1 -j $at -N1 "$tmp/alone.h5")
    printf '%b' "\\0$(printf '%03o' $((byte ^ 16)))" | dd of="$tmp/alone.h5" bs=1 seek=$at conv=notrunc status=none
    if "$program" inspect --verify "$tmp/alone.h5" >"$log" 2>&1; then
        if grep -qF "$hash" "$log"; then holds_nothing=$((holds_nothing + 1)); else wrong=$((wrong + 1)); fi
    else
        shows=$((shows + 1))
    fi
done
check "a lone copy with a byte changed: $shows of 60 show, $holds_nothing hold nothing" test $wrong = 0 -a $shows -ge 40
cp "$last" "$tmp/step-00000030.h5"
lockstep 0 eval "$tmp/step-00000030.h5"
check "nor does a checkpoint's own name change that" test "$code $(grep -c '^warning: .* has no checksum file' "$log")" = "0 1"

# ---- Errors. ----
lockstep 0 eval "$last" --data "$tmp/nowhere"
one_error 3 nowhere "eval without the images"
lockstep 2 eval "$tmp/none.h5"
one_error 4 none.h5 "eval of a file that is not there"
lockstep 0 eval
one_error 2 'which checkpoint' "eval of nothing"
lockstep 0 eval "$last" --jason
one_error 2 'unknown option --jason' "an unknown option of eval"

# ---- inspect. ----
"$program" inspect "$last" >"$log" 2>&1
check "inspect: the state hash is the run's" grep -qF "$(result run state_hash)" "$log"
check "inspect: parameters, running statistics, average, both moments" bash -c "
    for group in params running ema optimizer; do grep -q \"/\$group\|\$group\" '$log' || { echo no \$group; exit 1; }; done"
check "inspect --verify of a good file" "$program" inspect --verify "$last"
damage() {
    cp "$last" "$tmp/copy.h5" && cp "$last.xxh3" "$tmp/copy.h5.xxh3"
    printf '\125' | dd of="$tmp/copy.h5" bs=1 seek="$1" conv=notrunc status=none
}
size=$(stat -c %s "$last")
for at in 3 $((size / 3)) $((size / 2)) $((size - 1)); do
    damage "$at"
    cmp -s "$last" "$tmp/copy.h5" && printf '\252' | dd of="$tmp/copy.h5" bs=1 seek="$at" conv=notrunc status=none
    lockstep 0 inspect --verify "$tmp/copy.h5"
    one_error 4 copy.h5 "inspect --verify with byte $at of $size changed"
done
cp "$last" "$tmp/copy.h5" && printf 'x' >>"$tmp/copy.h5.xxh3" && printf 'zz' | dd of="$tmp/copy.h5.xxh3" bs=1 conv=notrunc status=none
lockstep 0 inspect --verify "$tmp/copy.h5"
one_error 4 copy.h5 "inspect --verify with a changed sidecar"
lockstep 0 inspect --verify "$tmp/none.h5"
one_error 4 none.h5 "inspect --verify of a file that is not there"
finish
