#!/bin/bash
# Sums over ranks through NCCL, and how they end when a rank fails. Needs two GPUs, or simulated ones: $SIMGPU_LIBS names
# the folder of the libraries that simulate them.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

program=$BUILD/tests/cuda/nccl_program
export LD_LIBRARY_PATH=${SIMGPU_LIBS:+$SIMGPU_LIBS:}${LD_LIBRARY_PATH:-}
gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU')
[ -z "${SIMGPU_LIBS:-}" ] || gpus=${SIMGPU_DEVICES:-8}
log=$tmp/log

# ranks N MODE: sets $code.
ranks() {
    timeout -k 5 60 mpirun -np "$1" "$program" "$2" >"$log" 2>&1
    code=$?
}

# one_line CODE PATTERN NAME: the ranks ended with CODE, and lockstep said one thing, which matches.
one_line() {
    if [ $code -eq "$1" ] && [ "$(grep -c 'lockstep: ' "$log")" = 1 ] && grep -q "lockstep: .*$2" "$log"; then
        pass "$3"
    else
        fail "$3 (exit code $code)"
        sed 's/^/# /' "$log"
    fi
}

if [ ! -x "$program" ]; then
    skip "sums through NCCL" "this build has no CUDA backend"
    finish
fi
for n in 1 2 4; do
    if [ "$gpus" -lt $n ]; then
        skip "$n ranks sum through NCCL" "$gpus GPUs"
        continue
    fi
    ranks $n sum
    if [ $code -eq 0 ] && grep -q "sums of $n ranks are right" "$log"; then
        pass "$n ranks sum through NCCL"
    else
        fail "$n ranks sum through NCCL (exit code $code)"
        sed 's/^/# /' "$log"
    fi
done
if [ "$gpus" -lt 2 ]; then
    skip "failures of ranks that sum through NCCL" "$gpus GPUs"
    finish
fi
ranks 2 share
one_line 5 'ranks 0 and 1 have the same GPU' "two ranks on one GPU are refused"
ranks 2 absent
one_line 7 'rank 1 .* did not answer within 4 s; rank 0 waits in step 3, reduce, bucket 3' "a deadline names the rank that does not join"
ranks 2 lost
if [ $code -ne 0 ] && [ $code -ne 124 ]; then pass "a killed rank ends the others"; else fail "a killed rank ends the others (exit code $code)"; fi
finish
