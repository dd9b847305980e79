#!/bin/bash
# A sum that is not the same on all ranks: in training they compare all they hold alike before each checkpoint, and the rank that
# differs is named; preflight looks at the sums themselves.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
flip=$tmp/flip_bit.so
command -v mpicc >/dev/null || skip_all "no mpicc to compile the fault with"
OMPI_CC=${CC:-gcc} mpicc -shared -fPIC -O1 -o "$flip" tests/e2e/flip_bit.c 2>"$tmp/.output" || {
    fail "the fault compiles" "$(cat "$tmp/.output")" && finish
}
nm "$program" | grep -q __asan_init && skip_all "the address sanitizer must be loaded first"

flipped() {
    timeout "$run_limit" mpirun -np 3 -x FLIP_RANK="$1" -x FLIP_CALL="$2" -x LD_PRELOAD="$flip" "$program" train $recipes/tiny.yaml \
        --data "$tmp/data" --threads 1 --steps 8 --checkpoint-every 2 --out "$tmp/run" --reset >"$log" 2>&1
    code=$?
}
for device in cpu ref; do
    export LOCKSTEP_DEVICE=$device
    flipped 9 1
    check "$device: without a fault the run ends well" test $code = 0
    flipped 2 5 # step 5: the checkpoint after step 6 finds it
    line='rank 0/3 step 6\] drift after step 6: not the same on all ranks: /params/[^:]*: rank 2 on [^ ]+ differs from the 2 others'
    one_error 6 "$line; nothing of it is saved, the last good checkpoint is [^ ]*/run/checkpoints/step-00000004.h5;" \
        "$device: a flipped bit is found, and its rank is named"
    check "$device: the checkpoint before it stays the newest" test "$(newest run)" = "$tmp/run/checkpoints/step-00000004.h5"
done
unset LOCKSTEP_DEVICE

looked_over() {
    timeout "$run_limit" mpirun -np 3 -x FLIP_RANK="$1" -x FLIP_CALL=2 -x LD_PRELOAD="$flip" "$program" preflight $recipes/tiny.yaml \
        --data "$tmp/data" --threads 1 --out "$tmp/out" >"$log" 2>&1
    code=$?
}
looked_over 9
check "preflight: without a fault all is well" test $code = 0
looked_over 1
one_error 6 'rank 1/3\] an all-reduce of 65536 bytes over 3 ranks gave a wrong sum at element 4096: the network' \
    "preflight: a flipped bit is found, and its rank and element are named"
finish
