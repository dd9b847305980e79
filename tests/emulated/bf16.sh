#!/bin/bash
# Our own code for AVX512-BF16, emulated on a processor with AVX2 (immintrin.h, processor.c), against float64 and the reference
# backend, by the tests that it has where the instructions are: those in which oneDNN, which has no bfloat16 here, computes nothing.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

folder=$BUILD/tests/emulated log=$tmp/log
[ -x "$folder/test_cpu_attention" ] || skip_all "no SIMDe: scripts/setup.sh test"
grep -qw avx2 /proc/cpuinfo || skip_all "no AVX2 here"

# emulated NAME PROGRAM VARIABLE=TEST...: each TEST of PROGRAM in bf16.
emulated() {
    local name=$1 program=$2 one
    shift 2
    for one; do
        env "$one" "$folder/$program" >"$log" 2>&1
        check "$name, ${one#*=}" test "$? $(grep -cE "^ok [0-9]+ - ${one#*=}$" "$log") $(tail -n 1 "$log" | grep -cE '^# ok - .* in bf16')" = "0 ${tests:-1} 1"
    done
}
emulated "Winograd's algorithm" test_cpu_winograd TEST_ONLY=random_data
emulated "attention" test_cpu_attention TEST_ONLY=against_float64
emulated "images' convolutions" test_cpu_image_conv TEST_ONLY=both_passes
tests=2 # in fp32 too
emulated "layers" test_cpu_vs_ref TEST_KIND=dropout TEST_KIND=gelu
finish
