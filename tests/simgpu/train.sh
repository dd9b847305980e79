#!/bin/bash
# limit: 420
# The program that users run, on simulated libraries: a small net with every kind of layer, on 1, 2 and 4 ranks, under
# lazy, eager and random schedules. Losses, gradients and weights are those of the reference backend; the exact sum
# gives one state hash at any rank count and schedule; a killed run resumes to it.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
net=tests/simgpu/every-op.yaml
own="lockstep's own kernels, where the device's library has no engine"
common=(--data "$tmp/data" --steps 6 --log-every 1 --checkpoint-every 1 --keep 100)

# gpu NAME RANKS SCHEDULE WORD...: a run on the simulated libraries.
gpu() {
    local name=$1 ranks=$2
    export SIMGPU_SCHEDULE=$3 LD_LIBRARY_PATH=$sim
    shift 3
    train "$name" "$ranks" $net --device cuda "${common[@]}" "$@"
    unset SIMGPU_SCHEDULE LD_LIBRARY_PATH
}

# like NAME REFERENCE WHAT TOLERANCE [NORM]
like() {
    local output name=$1 reference=$2 what=$3
    shift 3
    if [ "$code" != 0 ]; then
        fail "$what" "exit code $code" "$(tail -n 20 "$log")"
    elif output=$(tests/simgpu/compare "$tmp/$name" "$tmp/$reference" "$@" 2>&1); then
        pass "$what: $output"
    else
        fail "$what" "$output"
    fi
}
fp32=$(tolerance TOL_RUN_FP32)

/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_all "python3-h5py is not installed"
train ref 0 $net --device ref "${common[@]}"
check "the reference trains" test "$code" = 0
gpu cuda 1 lazy
like cuda ref "fp32 is as ref is" "$fp32"
check "cuDNN has engines for all of it" test "$(grep -c "$own" "$log")" = 0
for run in "1 eager" "1 random:1" "2 lazy" "2 eager" "2 random:2" "2 random:3" "4 lazy" "4 eager" "4 random:4"; do
    read -r ranks schedule <<<"$run"
    gpu "on-$ranks-$schedule" "$ranks" "$schedule"
    same "on-$ranks-$schedule" cuda "the same bits on $ranks ranks, $schedule"
done
gpu buckets 2 random:5 --bucket-bytes 4096
same buckets cuda "the same bits in small messages"

for run in "1 lazy" "2 random:5" "4 eager"; do
    read -r ranks schedule <<<"$run"
    gpu "low-$ranks" "$ranks" "$schedule" --reduction exact32
    [ "$ranks" = 1 ] || same "low-$ranks" low-1 "sums in int32: the same bits on $ranks ranks, $schedule"
done
like low-4 ref "sums in int32 are as ref is" "$fp32"

gpu killed 2 eager --crash-at 4:1:kill
check "a killed rank ends the run" test "$code" != 0 -a "$code" != 99 -a "$code" != 124
gpu killed 4 random:6
same killed cuda "resumed on 4 ranks after the kill"

gpu drift 4 eager --drift-every 1 --crash-at 3:1:flip-slot
check "a bit of the optimizer's state flipped in one GPU's memory: found, named, not saved" \
    test "$code $(grep -cE "drift after step 4: .*/optimizer/momentum/[a-z0-9.]+: rank 1 on [^ ]* differs from the 3" "$log") $(newest drift)" = \
    "6 1 $tmp/drift/checkpoints/step-00000003.h5"
gpu skip 2 eager --bad-steps skip --crash-at 3:1:nan
check "a step that is not finite: skipped" test "$code $(result skip skipped_steps)" = "0 1"
gpu skip-1 1 lazy --bad-steps skip --crash-at 3:0:nan
same skip-1 skip "the same bits on 1 rank"
gpu back 2 random:9 --bad-steps rollback --crash-at 4:1:nan
check "a step that is not finite: rolled back" test "$code $(result back rollbacks)" = "0 1"
gpu back-1 1 lazy --bad-steps rollback --crash-at 4:0:nan
same back-1 back "rolled back: the same bits on 1 rank"

# Gradients out of range beside losses that are not.
bad() { grep -oE 'diverged: [0-9]+ losses, gradients or statistics of lanes [0-9]-[0-9]' "$log"; }
net=tests/simgpu/large.yaml
train large-ref 0 $net --device ref "${common[@]}"
large=$(bad)
gpu large 1 lazy
check "gradients out of range are counted as ref counts them" test "$code:$(bad)" = "8:${large:-none}"
skip=(--bad-steps skip --bad-steps.in-a-row 9)
train still 0 $net --device ref "${common[@]}" "${skip[@]}"
gpu large-skip 2 eager "${skip[@]}"
check "and change no weight" test "$code $(result large-skip skipped_steps) $(result large-skip state_hash)" = "0 6 $(result still state_hash)"
net=tests/simgpu/every-op.yaml

adam=(--optimizer.name adamw --optimizer.ema-decay 0.9 --optimizer.clip-norm 0.5)
gpu adam 1 lazy "${adam[@]}"
check "AdamW, EMA and clipping" test "$code" = 0
gpu adam-2 2 random:7 "${adam[@]}"
same adam-2 adam "the same bits with AdamW on 2 ranks"

images=(--augment.crop-pad 0 --augment.crop-area '0.25,1' --augment.pad-fill '9,99,200' --augment.flip 0.5
    --augment.flip-mode alternate --augment.rotate 10 --augment.brightness 0.14 --augment.contrast 0.13
    --augment.cutout 8 --augment.mixup 0.4 --augment.cutmix 1)
train ref-images 0 $net --device ref "${common[@]}" "${images[@]}"
gpu images 1 lazy "${images[@]}"
like images ref-images "all that is done to images is as ref has it" "$fp32"
gpu images-2 2 random:8 "${images[@]}"
same images-2 images "the same bits with all that is done to images, on 2 ranks"
# And what looks at whole images, or draws noise.
images=(--augment.policy randaugment --augment.jitter-hue 0.1 --augment.erase 0.5 --augment.erase-with noise --augment.mixup 0.4)
train ref-made 0 $net --device ref "${common[@]}" "${images[@]}"
gpu made 2 random:9 "${images[@]}"
like made ref-made "images with a policy, jitter and erasing are as ref has them" "$fp32"

gpu native 2 lazy --reduction native
like native ref "native sums are as ref is" "$fp32"
# The same sums in half the bytes: the tail stays int64, whatever else travels must be bfloat16.
traced() { grep -o 'ran all-reduce of [a-z0-9]*' "$log" | sort | uniq -c | awk '{ printf "%s%d %s", (NR > 1 ? ", " : ""), $1, $5 }'; }
for ranks in 2 4; do
    export SIMGPU_TRACE=1
    gpu "half-$ranks" $ranks lazy --reduction native --reduction-type bf16
    unset SIMGPU_TRACE
    like "half-$ranks" native "bf16 sums of $ranks ranks are near fp32 sums" "$(tolerance TOL_BF16_SUM)"
    check "$ranks ranks send bf16" test "$(traced)" = "$((6 * ranks)) bfloat16, $((6 * ranks)) int64"
done
# A checkpoint: rank 0 copies weights, statistics and momentum on the GPU, and another stream, which does nothing else, brings
# these copies to the host.
copies() { sed -n 's/^SIMGPU\[0\] ran \(.*\) (stream \([0-9]*\),.*/\2 \1/p' "$log" | sort | uniq -c; }
read -r aside from <<<"$(copies | awk '/ copy on the device$/ { print $1, $2 }')"
check "checkpoints are set aside on the GPU" test "${aside:-0}" -ge 18
check "and brought to the host on a stream of their own" test "$(copies | grep -c "^ *$aside [^${from:-0}] copy to the host$")" = 1

gpu refused 2 lazy --reduction-type bf16
one_error 2 'reduction-type bf16 wants reduction native' "exact sums do not travel as bf16"

# A weight of rank 1 that is not rank 0's: the ranks compare what their GPUs say of them.
export SIMGPU_CORRUPT=1:3
gpu corrupt 2 lazy
unset SIMGPU_CORRUPT
one_error 6 'drift after step 3: .*/params/[a-z0-9.]+.*: ranks 0 on [^ ]+, 1 on [^ ]+ differ,' "a corrupted weight ends the run, and both ranks are named"
check "the checkpoints before it stay" test "$(newest corrupt)" = "$tmp/corrupt/checkpoints/step-00000002.h5"

gpu tf32 2 eager --precision tf32
like tf32 ref "tf32 is near ref" "$(tolerance TOL_LOSS_TF32)" "$(tolerance TOL_GRADIENT_TF32)"
refuse "but not as near as fp32: it rounds" tests/simgpu/compare "$tmp/tf32" "$tmp/ref" "$fp32"
gpu bf16 1 lazy --precision bf16
like bf16 ref "bf16 is near ref" "$(tolerance TOL_LOSS_BF16)" "$(tolerance TOL_GRADIENT_BF16)"
refuse "and not tf32" tests/simgpu/compare "$tmp/bf16" "$tmp/tf32" "$fp32"
check "it names what cuDNN has no engine for" grep -q "^$own: bn1 4x4x32x32, bn2 4x4x16x16$" "$log"
gpu bf16-2 2 random:8 --precision bf16
same bf16-2 bf16 "the same bits in bf16 on 2 ranks"
# Up to 16 lanes of a rank are summed from where cuDNN leaves the gradients of weights, more are brought into one form one by one.
for precision in fp32 bf16; do
    many=(--precision "$precision" --lanes 18 --batch-size 36 --steps 2)
    gpu "many-$precision" 1 lazy "${many[@]}"
    check "18 lanes in $precision" test "$code" = 0
    gpu "many-$precision-2" 2 random:3 "${many[@]}"
    same "many-$precision-2" "many-$precision" "the same bits from 9 lanes at a time"
done

# Residual blocks: additions fused behind batch norm.
net=tests/simgpu/residual.yaml
train blocks-ref 0 $net --device ref "${common[@]}"
check "the reference trains residual blocks" test "$code" = 0
gpu blocks 1 eager
like blocks blocks-ref "residual blocks are as ref's are" "$fp32"
check "it names the blocks that cuDNN has no engine for" grep -q "^$own: bn3 4x8x16x16, bn4 4x6x8x8$" "$log"
gpu blocks-2 2 random:9
same blocks-2 blocks "the same bits on 2 ranks"
gpu blocks-bf16 1 random:10 --precision bf16
like blocks-bf16 blocks-ref "in bf16 they are near ref's" "$(tolerance TOL_LOSS_BF16)" "$(tolerance TOL_GRADIENT_BF16)"

# The CPU goes on from a checkpoint of the GPU.
"$program" eval "$(newest cuda)" --device cpu --data "$tmp/data" --json >"$tmp/eval.json" 2>"$log"
check "the CPU evaluates the GPU's checkpoint" test -s "$tmp/eval.json"
finish
