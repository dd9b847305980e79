#!/bin/bash
# A short training run on two ranks, with an evaluation and checkpoints, in a build with sanitizers.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

[ -x "$BUILD/lockstep" ] || { fail "$BUILD/lockstep exists" && finish; }

# Open MPI and HDF5 keep memory until the end: LSAN_OPTIONS (tests/run) names the suppressions.
# Their frames are found only by the slow unwinder: they are built without frame pointers, and Open MPI unloads its
# plugins before the leaks are listed.
export ASAN_OPTIONS=$ASAN_OPTIONS:fast_unwind_on_malloc=0
mpirun -np 2 "$BUILD/lockstep" train configs/quickstart.yaml --data synthetic --out "$tmp/run" \
    --steps 6 --checkpoint-every 3 --progress lines >"$tmp/log" 2>&1
code=$?
check "two ranks train without a finding" test $code -eq 0
if grep -E 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$tmp/log" >/dev/null; then
    fail "no sanitizer reports anything" "$(grep -A 20 -E 'Sanitizer|runtime error:' "$tmp/log" | head -60)"
else
    pass "no sanitizer reports anything"
fi
[ $code -eq 0 ] || sed 's/^/# /' "$tmp/log"
check "the run left its result" test -s "$tmp/run/result.json"
finish
