#!/bin/bash
# scripts/gpu-kit/run.sh STAGE [PATTERN]: in an unpacked kit, on the machine with the GPU (docs/gpu-first-hour.md):
#
#   1  correct    does it run, are kernels and layers right, are the bits the same
#   2  speed      images/s beside PyTorch's on the same card
#   3  tools      NVIDIA's sanitizers and profiler, NCCL between two ranks
#   4  training   recipes to their ends on the real images
#
# A stage ends within STAGE_S seconds (530). Each item has a limit of its own, ITEM_MOST seconds at most; what no time is left for is
# left out, and said to be.
# Items that tell most come first; with a PATTERN ('kernels*') those of such names alone are run, and the machine's. In OUT (out/ of
# the kit), as each item ends:
#
#   stageN.jsonl  an object a line: what each item gave, and figures; scripts/gpu-kit/collect makes tables of them
#   stageN.log    what the items printed, long ones without their middle
#
# The images, for stage 4: files of CIFAR-10's binary version, or these packed by xz, in images/ of the kit; or CIFAR10_DIR.
# STREAMS=N gives --threads N to the runs of stage 4. GPU_REHEARSAL=RECIPE takes that small recipe in place of all others,
# and the CPU for PyTorch: on simulated GPUs.
set -u
case ${1:-} in
    [1-4]) stage=$1 ;;
    *) sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
esac
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=scripts/gpu-kit/env.sh
. scripts/gpu-kit/env.sh
export OUT=${OUT:-$KIT/out} SCRATCH=$KIT/scratch STAGE=$stage
mkdir -p "$OUT" "$SCRATCH"
log=$OUT/stage$stage.log wanted=${2:-*}
limit=${STAGE_S:-530} margin=10 # of the last item
: >"$log"
: >"$OUT/stage$stage.jsonl"

# Programs of the kit that an item has left behind: a rank that hangs in the driver keeps the GPU.
end_leftovers() {
    local process
    for process in /proc/[0-9]*; do
        case $(readlink "$process/exe") in "$KIT"/build/* | "$KIT"/ompi/*) kill -KILL "${process#/proc/}" ;; esac
    done 2>/dev/null
}

# item NAME SECONDS COMMAND...: a command, or a function of items.sh, for so long at most.
item() {
    local name=$1 most=$2 code=left before begin milliseconds=0
    shift 2
    # shellcheck disable=SC2053 # a pattern
    [ "$name" = machine ] || [[ $name = $wanted ]] || return 0
    before=$(stat -c %s "$log") begin=$(date +%s%N)
    printf '\n==== %s: %s\n' "$name" "$*" >>"$log"
    [ "$most" -le "${ITEM_MOST:-$most}" ] || most=$ITEM_MOST
    [ "$most" -le $((limit - SECONDS - margin)) ] || most=$((limit - SECONDS - margin))
    if [ "$most" -ge 5 ]; then
        # Of its own output it needs nothing: what is written is there, whenever the machine goes.
        ITEM_S=$most timeout -k 5 "$most" bash -c '. scripts/gpu-kit/items.sh && "$@"' item "$@" </dev/null >>"$log" 2>&1
        code=$?
        milliseconds=$((($(date +%s%N) - begin) / 1000000))
        [ $code -ne 124 ] && [ $code -ne 137 ] || { [ $milliseconds -lt $((most * 1000)) ] || code=limit; }
        [ $code = 0 ] || end_leftovers
    fi
    scripts/gpu-kit/record "$name" $code $milliseconds "$most" "$log" "$before" || echo "$code  $name"
}

scripts/gpu-kit/unpack "$KIT/images" || exit 1
# Tests take the images where they are whole, else they make some.
all_images() { for name in data_batch_{1,2,3,4,5} test_batch; do [ -f "$KIT/images/$name.bin" ] || return 1; done; }
[ -n "${CIFAR10_DIR:-}" ] || ! all_images || export CIFAR10_DIR=$KIT/images
. scripts/gpu-kit/items.sh # the names of recipes
# named PROGRAM: build/tests/cuda/test_kernels_rows is the item "kernels: rows".
named() { local name=${1##*/test_} && echo "${name/_/: }"; }
case $stage in
1)
    item "machine" 60 machine
    item "resnet9, bf16, 30 steps" 100 first_steps "$resnet9" bf16
    item "properties of the card" 60 card
    for program in build/tests/cuda/test_kernels*; do item "$(named "$program")" 90 "$program"; done
    item "layers against plain loops" 200 layers
    item "bf16: the same bits twice" 90 same_bits --precision bf16
    item "bf16: the same bits on 4 streams" 90 same_bits --precision bf16 -- --threads 4
    item "without LD_LIBRARY_PATH" 90 own_libraries
    item "tests/gpu/train.sh" 300 tests/gpu/train.sh
    item "tests/gpu/ranks.sh" 120 tests/gpu/ranks.sh
    ;;
2)
    item "machine" 60 machine
    item "resnet9, bf16" 70 speed "$resnet9" bf16
    item "resnet9, bf16, 4 streams" 70 speed "$resnet9" bf16 --threads 4
    item "resnet9, bf16, PyTorch with graphs" 150 pytorch "$resnet9" bf16 graphs
    item "resnet9, bf16, PyTorch compiled" 100 pytorch "$resnet9" bf16 compiled
    item "resnet9, bf16, PyTorch" 40 pytorch "$resnet9" bf16 eager
    for recipe in "$airbench94" "$vit"; do
        name=$(basename "$recipe" .yaml)
        item "$name, bf16" 70 speed "$recipe" bf16
        item "$name, bf16, PyTorch with graphs" 150 pytorch "$recipe" bf16 graphs
    done
    item "resnet9, tf32" 70 speed "$resnet9" tf32
    item "resnet9, tf32, PyTorch with graphs" 100 pytorch "$resnet9" tf32 graphs
    for streams in 2 8; do item "resnet9, bf16, $streams streams" 60 speed "$resnet9" bf16 --threads $streams; done
    item "resnet9, bf16, one lane" 60 speed "$resnet9" bf16 --lanes 1
    item "resnet9, bf16, one lane, native sums" 60 speed "$resnet9" bf16 --lanes 1 --reduction native
    item "resnet9, fp32" 70 speed "$resnet9" fp32
    item "resnet9, bf16, again" 60 speed "$resnet9" bf16
    for recipe in "${others[@]}"; do item "$(basename "$recipe" .yaml), bf16" 40 speed "$recipe" bf16; done
    item "resnet9, bf16, engines by timing" 150 speed "$resnet9" bf16 --autotune
    ;;
3)
    item "machine" 60 machine
    for tool in memcheck racecheck initcheck synccheck; do
        for program in build/tests/cuda/test_kernels*; do
            item "$tool over $(named "$program")" 110 compute-sanitizer --tool $tool --error-exitcode 99 "$program"
        done
    done
    item "two ranks on one GPU, through NCCL" 120 two_ranks
    item "kernels of a step, by ncu" 120 profile
    item "memcheck over two steps" 150 compute-sanitizer --tool memcheck --error-exitcode 99 build/lockstep train "$small" \
        --device cuda --data "$data" --steps 2 --reset --out "$SCRATCH/memcheck"
    ;;
4)
    item "machine" 60 machine
    for seed in 1 2 3; do item "airbench94, bf16, seed $seed" 60 to_the_end "$airbench94" $seed; done
    for seed in 1 2 3; do item "resnet9, bf16, seed $seed" 120 to_the_end "$resnet9" $seed; done
    for recipe in "${others[@]}"; do item "$(basename "$recipe" .yaml), bf16" 150 to_the_end "$recipe" 1; done
    item "vit, bf16" 400 to_the_end "$vit" 1
    ;;
esac
echo "stage $stage: $SECONDS s, in $OUT: $(cd "$OUT" && echo *)"
