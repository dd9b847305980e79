#!/bin/bash
# limit: 300
# --precision bf16 on a CPU: the same bits at any number of ranks and threads, and after a crash and a resume; losses,
# weights and statistics near those of fp32; checkpoints that either precision goes on from, which is announced.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
small=$recipes/small.yaml
every=tests/simgpu/every-op.yaml
bf16=(--device cpu --precision bf16)

train probe 0 $small --steps 1 "${bf16[@]}"
if grep -q 'wants a processor with AVX512-BF16' "$log"; then
    one_error 2 '--precision bf16: ' "this processor has no bf16, and is refused by name"
    skip "training in bf16" "$(sed -n 's/^lockstep: //p' "$log")"
    finish
fi
check "the run says what it computes with" grep -qE ': oneDNN .*BF16, bf16 with Winograd$|: oneDNN .*AMX, bf16$' "$log"

# ---- The same bits. ----
train small 1 $small --steps 24 "${bf16[@]}"
check "a run in bf16" test "$code" = 0
for run in 2:1 3:2 8:1 1:2; do
    train small-$run ${run%:*} $small --steps 24 "${bf16[@]}" --threads ${run#*:}
    same small-$run small "ranks x threads $run: the same bits"
done
train every 1 $every --steps 12 --lanes 8 "${bf16[@]}"
check "every kind of layer" test "$code" = 0
for run in 2:2 4:1 7:1; do
    train every-$run ${run%:*} $every --steps 12 --lanes 8 "${bf16[@]}" --threads ${run#*:}
    same every-$run every "every kind, ranks x threads $run: the same bits"
done

# ---- A crash, and a resume on other ranks. ----
train crash 3 $small --steps 24 --checkpoint-every 5 "${bf16[@]}" --crash-at 16:1:kill
check "a killed rank ends the run" test "$code" = 137
train crash 2 $small --steps 24 --checkpoint-every 5 "${bf16[@]}" --crash-at 16:1:kill
same crash small "killed on 3 ranks, resumed on 2: as the uninterrupted run"

# ---- Near fp32, and not the same. ----
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    few=(--steps 6 --log-every 1 --checkpoint-every 1 --keep 100 --device cpu)
    for net in every-op residual; do
        train $net-fp32 1 tests/simgpu/$net.yaml "${few[@]}"
        train $net-bf16 1 tests/simgpu/$net.yaml "${few[@]}" --precision bf16
        check "$net: near fp32" tests/simgpu/compare "$tmp/$net-bf16" "$tmp/$net-fp32" \
            "$(tolerance TOL_LOSS_BF16)" "$(tolerance TOL_GRADIENT_BF16)"
        refuse "$net: not as near as fp32 to itself" tests/simgpu/compare "$tmp/$net-bf16" "$tmp/$net-fp32" \
            "$(tolerance TOL_RUN_FP32)"
    done
else
    skip "near fp32" "python3-h5py is not installed"
fi

# ---- Checkpoints are fp32: the other precision goes on from them, and says so. ----
# announced THERE HERE WHAT
announced() {
    if [ "$code" = 0 ] && grep -qE "^warning: .* was written with $1, this is $2: the run goes on, but not with the same bits" "$log"; then
        pass "$3"
    else
        fail "$3" "exit code $code" "$(tail -n 20 "$log")"
    fi
}
cp -a "$tmp/small" "$tmp/back"
train back 2 $small --steps 28 --device cpu
arithmetic='[a-z0-9_]+, bf16( F\(2x4\))?'
announced "$arithmetic" '[a-z0-9_]+' "fp32 goes on from bf16, and announces it"
train back 1 $small --steps 30 "${bf16[@]}"
announced '[a-z0-9_]+' "$arithmetic" "bf16 goes on from fp32, and announces it"
"$program" eval "$(newest small)" --device cpu --json >"$tmp/eval.json" 2>"$log"
check "a checkpoint of bf16 is evaluated in fp32" test -s "$tmp/eval.json"
finish
