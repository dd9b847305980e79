#!/bin/bash
# A checkpoint of format version 1 (tests/checkpoints/v1/README.md) is read, verified, evaluated and resumed: to what the build
# that wrote it came to.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

old=tests/checkpoints/v1
"$BUILD/tests/dist/make_cifar" "$tmp/data" 8 30 || { fail "small data" && finish; }
check "it verifies" "$program" inspect --verify $old/step-00000005.h5
check "it is of format version 1" /usr/bin/python3 -c \
    'import h5py, sys; assert h5py.File(sys.argv[1])["meta"].attrs["format_version"] == 1' $old/step-00000005.h5
"$program" eval $old/step-00000005.h5 --data "$tmp/data" --json >"$tmp/eval.json" 2>"$log"
near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a - b < 1e-5 && b - a < 1e-5) }'; }
check "evaluated: loss" near "$(tests/read_json get "$tmp/eval.json" test_loss)" 2.3763281623522441
check "evaluated: accuracy" near "$(tests/read_json get "$tmp/eval.json" test_accuracy)" 0.066666666666666666

mkdir -p "$tmp/run/checkpoints"
cp $old/step-00000005.h5* "$tmp/run/checkpoints"
train run 2 $old/recipe.yaml --data "$tmp/data"
check "it is resumed" test "$code $(result run resumed_from step epoch | tr '\n' ' ')" = "0 5 8 4 "
check "resumed: test loss" near "$(printf %.4f "$(result run test_loss)")" 2.3929
isa=$("$program" inspect "$(newest run)" | sed -n 's/.*computed with //p')
if [ "$isa" = avx512_core_bf16 ]; then
    check "resumed: the same bits as then" test "$(result run state_hash)" = 7898abeb6b091d94
else
    skip "resumed: the same bits as then" "they are those of AVX512-BF16, not of $isa"
fi
check "what is written now is of format version 2" /usr/bin/python3 -c \
    'import h5py, sys; assert h5py.File(sys.argv[1])["meta"].attrs["format_version"] == 2' "$(newest run)"
finish
