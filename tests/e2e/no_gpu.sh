#!/bin/bash
# Without a GPU, or without its libraries: --device cuda ends with code 5 and one line that says what is missing, never
# another device instead; auto and cpu train on the CPU; a precision that it has not is refused there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small=$recipes/small.yaml
here=$tmp/here # a copy of the program, alone or with a backend that is changed
mkdir "$here"
cp "$BUILD/lockstep" "$here"

# try PROGRAM ARGUMENT...: $code, what it printed in $tmp/out (standard output) and $tmp/err.
try() {
    local program=$1
    shift
    "$program" train "$small" --data synthetic --steps 1 --reset --out "$tmp/run" "$@" >"$tmp/out" 2>"$tmp/err"
    code=$?
}
# one_line NAME CODE PATTERN: the last try ended with CODE and one line on standard error, which has PATTERN.
one_line() {
    if [ "$code" = "$2" ] && [ "$(grep -c '^lockstep: ' "$tmp/err")" = 1 ] && [ "$(wc -l <"$tmp/err")" = 1 ] &&
        grep -qE -- "$3" "$tmp/err"; then
        pass "$1"
    else
        fail "$1" "wanted code $2 and one line with '$3'; got code $code and" "$(cat "$tmp/err")"
    fi
}
# shellcheck disable=SC2317 # called by check
took_cpu() { [ "$code" = 0 ] && grep -q 'device auto: takes cpu' "$tmp/out"; }

# version_says FOLDER PATTERN: --version of the program there ends with code 0 and a line that matches.
# shellcheck disable=SC2317 # called by check
version_says() { "$1/lockstep" --version >"$tmp/out" 2>"$tmp/err" && [ ! -s "$tmp/err" ] && grep -qE -- "$2" "$tmp/out"; }

try "$here/lockstep" --device cuda
one_line "a build without the CUDA backend" 5 'this build has no CUDA backend .*make CUDA=1'
check "which --version says" version_says "$here" '^CUDA: this build has no CUDA backend'
try "$here/lockstep" --device auto
check "which auto takes the CPU in" took_cpu
try "$here/lockstep" --device cpu --precision tf32
one_line "the CPU does not compute in tf32" 2 '--precision tf32: only a GPU computes in it; .*--device cuda'
try "$here/lockstep" --device ref --precision bf16
one_line "nor ref in bf16" 2 '--precision bf16: --device ref computes in fp32 alone; .*--device cpu or cuda'
ONEDNN_MAX_CPU_ISA=AVX512_CORE try "$here/lockstep" --device cpu --precision bf16
one_line "nor a CPU without the instructions for it" 2 \
    '--precision bf16: --device cpu wants a processor with AVX512-BF16, .*ONEDNN_MAX_CPU_ISA is set.*--device cuda'
try "$here/lockstep" --device cpu --reduction native --reduction-type bf16
one_line "and sums in fp32" 2 '--reduction-type bf16: only sums over GPUs'
try "$here/lockstep" --device auto --precision tf32
one_line "nor does auto in tf32 where it finds no GPU" 2 'precision tf32'

if [ ! -e "$BUILD/liblockstep_cuda.so" ]; then
    skip "the CUDA backend without a GPU" "this build has none"
    finish
fi
# A library that is not there, under a name of the same length.
for library in cudart cudnn nccl; do
    hidden=$(printf 'x%.0s' $(seq ${#library}))
    sed "s/lib$library\.so/lib$hidden.so/g" "$BUILD/liblockstep_cuda.so" >"$here/liblockstep_cuda.so"
    try "$here/lockstep" --device cuda
    one_line "$library is missing" 5 "lib$hidden.so.[0-9]+ is not on this machine: install it"
    try "$here/lockstep" --device auto
    check "auto takes the CPU without $library" took_cpu
    check "--version says that $library is missing" version_says "$here" "^CUDA: lib$hidden.so.[0-9]+ is not on this machine"
done
printf 'no library at all' >"$here/liblockstep_cuda.so"
try "$here/lockstep" --device cuda
one_line "a backend that cannot be loaded" 5 'the CUDA backend cannot be loaded: '

if [ -e /dev/nvidiactl ]; then
    skip "no GPU" "this machine has one"
    finish
fi
check "--version without a driver" version_says "$BUILD" '^NVIDIA driver: none'
check "names CUDA, cuDNN and NCCL" test "$(grep -cE '^(CUDA|cuDNN|NCCL) [0-9.]+ \(built with [0-9.]+\)$' "$tmp/out")" = 3
try "$BUILD/lockstep" --device cuda
one_line "no driver" 5 '--device cuda: no NVIDIA driver'
try "$BUILD/lockstep" --device auto
check "auto takes the CPU without a driver" took_cpu
mpirun -np 2 "$BUILD/lockstep" train "$small" --data synthetic --steps 1 --reset --out "$tmp/run" --device cuda \
    >"$tmp/out" 2>"$tmp/all"
code=$?
grep '^lockstep: ' "$tmp/all" >"$tmp/err"
one_line "no driver on two ranks" 5 '--device cuda: no NVIDIA driver'
finish
