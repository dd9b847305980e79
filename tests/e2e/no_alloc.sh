#!/bin/bash
# The step loop's own code calls no allocator: runs of 20 and of 40 steps of one epoch make the same number of calls. Resident
# memory does not grow, over epochs, evaluations and checkpoints either.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 640 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
small=$recipes/small.yaml # 50 steps an epoch, a logged one every five

# ---- Calls of the allocator. ----
counter=$tmp/malloc_count.so
if nm "$program" | grep -q __asan_init; then
    skip "allocator calls" "the address sanitizer has an allocator of its own"
elif ! ${CC:-gcc} -shared -fPIC -O1 -o "$counter" tests/e2e/malloc_count.c 2>"$tmp/.output"; then
    fail "the counting allocator compiles" "$(cat "$tmp/.output")"
else
    # The same with groups, Muon and Lookahead.
    sed 's/^  name: adam/  name: muon/; s/^  ema-decay.*/  groups: |\n    *.bias,bn:* optimizer=sgd\n    conv1.weight frozen-after=0.3/
        s/^schedule:/lookahead: {every: 5}\nschedule:/' $small >"$tmp/muon.yaml"
    # calls NAME RANKS STEPS WORD...: sets $own and $libraries, summed over ranks.
    calls() {
        local name=$1 ranks=$2 steps=$3
        shift 3
        rm -rf "$tmp/counts" "${tmp:?}/$name"
        timeout "$run_limit" mpirun -np "$ranks" env LD_PRELOAD="$counter" MALLOC_COUNT_OUT="$tmp/counts" "$program" train "$recipe" \
            --out "$tmp/$name" --steps "$steps" "$@" >"$log" 2>&1
        code=$?
        # env and the program each leave lines: env's have no calls of its own text that depend on the steps.
        own=$(awk '{ s += $2 } END { print s + 0 }' "$tmp/counts")
        libraries=$(awk '{ s += $4 } END { print s + 0 }' "$tmp/counts")
    }
    for layout in 1x2 2x1 3x1 "2x2 and Muon"; do
        ranks=${layout%%x*} recipe=$small
        [ "$layout" = "${layout% and Muon}" ] || recipe=$tmp/muon.yaml
        threads=${layout#*x} threads=${threads%% *}
        calls a "$ranks" 20 --threads "$threads"
        own20=$own libraries20=$libraries code20=$code
        calls b "$ranks" 40 --threads "$threads"
        check "$layout: both runs end well" test "$code20$code" = 00
        check "$layout: the counter sees lockstep's calls" test "$own20" -gt 50
        if [ "$own20" = "$own" ]; then
            pass "$layout: 20 steps more, not one allocator call more of lockstep's own"
        else
            fail "$layout: 20 steps more, not one allocator call more of lockstep's own" "$own20 and $own calls"
        fi
        echo "# $layout: libraries (oneDNN, MPI) call it $(((libraries - libraries20) / 20 / ranks)) times a step and rank"
    done
fi

# ---- Resident memory: metrics.jsonl has the peak of rank 0 at each logged step. ----
train grow 2 $small --steps 1000 --epochs 100 --checkpoint-every 20
check "a run of 1000 steps" test $code = 0
peak() { sed -nE "s/.*\"step\":$1,.*\"memory\":([0-9]+),.*/\1/p" "$tmp/grow/metrics.jsonl"; }
echo "# peak after 100, 500, 1000 steps: $(peak 100) $(peak 500) $(peak 1000) bytes"
check "between steps 200 and 1000 the peak of resident memory grows by less than 1 MiB" \
    test $(($(peak 1000) - $(peak 200))) -lt 1048576
finish
