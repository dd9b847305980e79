#!/bin/bash
# limit: 300
# The scripts for one real GPU (tests/gpu), on a simulated one: what they count, what they only report, and their limits.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

[ -e "$BUILD/tests/gpu/same_gpu.so" ] || { fail "the tools for GPUs are built (make check-sim)" && finish; }
export GPU_REHEARSAL=$tmp/net.yaml
small_net "$GPU_REHEARSAL"
# on_gpu SCRIPT NAME=VALUE...: runs it on one simulated GPU.
on_gpu() {
    local script=$1
    shift
    simulated env SIMGPU_DEVICES=1 "$@" "tests/gpu/$script" >"$log" 2>&1
    code=$?
}
two="two ranks on one GPU sum through NCCL, with the bits of one"

on_gpu one_card.sh
check "two ranks on one GPU: it counts where it works" test $code = 0 -a "$(grep -cx "ok - $two" "$log")" = 1
on_gpu one_card.sh ONE_CARD_SECONDS=0.3
check "where it hangs that is reported, not counted" \
    test $code = 0 -a "$(grep -c '^not ok' "$log") $(grep -c "^ok - $two # SKIP it ended with code 124: " "$log")" = "0 1"
on_gpu one_card.sh SIMGPU_CORRUPT=1:3
check "nor is what it dies of" \
    test $code = 0 -a "$(grep -c "^ok - $two # SKIP it ended with code 6: lockstep: .*drift" "$log")" = 1

# What a sanitizer would look at, in place of which stands a script that says so.
mkdir "$tmp/bin"
# shellcheck disable=SC2016 # the script expands it
printf '#!/bin/sh\necho "$*" >>"%s"\nexit ${SANITIZER_SAYS:-0}\n' "$tmp/watched" >"$tmp/bin/compute-sanitizer"
chmod +x "$tmp/bin/compute-sanitizer"
on_gpu sanitizer.sh PATH="$tmp/bin:$PATH"
sources=(tests/cuda/test_kernels*.c)
programs=${#sources[@]}
check "the sanitizers watch each program of our kernels, by four tools" \
    test $code = 0 -a "$programs" -ge 5 -a "$(sed 's/.*--tool \([a-z]*\).* /\1 /' "$tmp/watched" | sort -u | wc -l)" = $((4 * programs))
check "and nothing that calls cuDNN" test -z "$(grep -v '/tests/cuda/test_kernels[a-z_]*$' "$tmp/watched")"
on_gpu sanitizer.sh PATH="$tmp/bin:$PATH" SANITIZER_SAYS=99
check "what they find counts" test $code = 1 -a "$(grep -c '^not ok' "$log")" = $((4 * programs))

# Planning counts in the time of a run: GPUs have more of it than the tests for CPUs, and all scripts share their plans.
# shellcheck disable=SC2016 # the inner shell expands it
limits() { bash -c 'cd tests/gpu && . ./gpu.sh && echo "$run_limit $XDG_CACHE_HOME"' limits 2>/dev/null; }
check "a run on a GPU has 400 s" test "$(limits)" = "400 $PWD/$BUILD/gpu-cache"
# shellcheck disable=SC2016
simulated env RUN_LIMIT=1 bash -c '. tests/lib.sh; train long 0 "$GPU_REHEARSAL" --device cuda --data synthetic; exit $code' >"$log" 2>&1
code=$? # 137: by SIGKILL, where it does not end in five seconds more
check "a run is ended at its limit" test $code = 124 -o $code = 137
finish
