#!/bin/bash
# Checkpoints of format versions 1 to 4 (tests/checkpoints) are read, verified, evaluated and resumed: to what the builds that
# wrote them came to.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

"$BUILD/tests/dist/make_cifar" "$tmp/data" 8 30 || { fail "small data" && finish; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a - b < 1e-5 && b - a < 1e-5) }'; }
# of_version NAME FILE VERSION
of_version() {
    local script='import h5py, sys; assert h5py.File(sys.argv[1])["meta"].attrs["format_version"] == int(sys.argv[2])'
    if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
        check "$1" /usr/bin/python3 -c "$script" "$2" "$3"
    else
        skip "$1" "no h5py: scripts/setup.sh test"
    fi
}
for version in 1 2 3 4; do
    old=tests/checkpoints/v$version what="version $version"
    check "$what: it verifies" "$program" inspect --verify $old/step-00000005.h5
    of_version "$what: it is of that format" $old/step-00000005.h5 $version
    "$program" eval $old/step-00000005.h5 --data "$tmp/data" --json >"$tmp/eval.json" 2>"$log"
    check "$what: evaluated: loss" near "$(tests/read_json get "$tmp/eval.json" test_loss)" 2.3763281623522441
    check "$what: evaluated: accuracy" near "$(tests/read_json get "$tmp/eval.json" test_accuracy)" 0.066666666666666666

    rm -rf "$tmp/run" && mkdir -p "$tmp/run/checkpoints"
    cp $old/step-00000005.h5* "$tmp/run/checkpoints"
    train run 2 tests/checkpoints/v1/recipe.yaml --data "$tmp/data"
    check "$what: it is resumed" test "$code $(result run resumed_from step epoch | tr '\n' ' ')" = "0 5 8 4 "
    check "$what: resumed: test loss" near "$(printf %.4f "$(result run test_loss)")" 2.3929
    isa=$("$program" inspect "$(newest run)" | sed -n 's/.*computed with //p')
    if [ "$isa" = avx512_core_bf16 ]; then
        check "$what: resumed: the same bits as then" test "$(result run state_hash)" = 7898abeb6b091d94
    else
        skip "$what: resumed: the same bits as then" "they are those of AVX512-BF16, not of $isa"
    fi
    of_version "$what: what is written now is of format version 5" "$(newest run)" 5
done
finish
