#!/bin/bash
# Every cuDNN graph of the recipes, planned by NVIDIA's own library for GPUs that need not be there, at the lane batches of
# the recipe; nets of the layer kinds and fusions that no recipe has. In bf16 for each architecture that lockstep is built for: for
# sm_90 every network of configs/, so that no new one is forgotten, resnet9 with one lane too, and each row of the op table; for the
# others msu-net and small nets, which have all kinds of graphs between them but those of groups: what a graph takes is cuDNN's time,
# which grows with its layer. In fp32 (with the op table) and tf32 these and groups, for sm_90. FULL=1: all of that for all, and the zoo.
# PLANS_GPUS="sm_90" and PLANS_PRECISIONS="bf16" plan for less. Leaves build/plans/GPU-PRECISION.tsv for table.py.
# limit: 3600
. tests/tap.sh

program=$BUILD/tests/plans/check_plans
[ -x "$program" ] || skip_all "this build has no CUDA backend (CUDA, cuDNN or NCCL not found, or CUDA=0)"
out=$BUILD/plans
mkdir -p "$out"

# Each combination is a process of its own, as many at a time as there are cores. Its own libcuda comes first.
export LD_LIBRARY_PATH=$PWD/$BUILD/tests/plans/driver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
plan_one() {
    local nets=(tests/recipes/{small,residual,tokens}.yaml) recipes
    case "$1 $2 ${FULL:-0}" in
        *' 1') recipes=(configs/*.yaml configs/zoo/*.yaml "${nets[@]}" tests/recipes/groups.yaml) ;;
        'sm_90 bf16 '*) mapfile -t recipes < <(printf '%s\n' configs/*.yaml | grep -vE -- '-(muon|nesterov|50)\.yaml$') &&
            recipes+=("${nets[@]}" tests/recipes/groups.yaml) ;;
        'sm_90 '*) recipes=(configs/msu-net.yaml "${nets[@]}" tests/recipes/groups.yaml) ;;
        *) recipes=(configs/msu-net.yaml "${nets[@]}") ;;
    esac
    case "$1 $2 ${FULL:-0}" in
        *' bf16 1' | 'sm_90 bf16 '*) recipes+=(configs/resnet9.yaml:1) ;;
    esac
    case "$1 $2 ${FULL:-0}" in
        'sm_90 bf16 '* | 'sm_90 fp32 '* | 'sm_90 '*' 1') recipes+=(rows) ;;
    esac
    "$program" "tests/plans/gpus/$1.json" "$2" "$out/$1-$2.tsv" "${recipes[@]}" >"$out/$1-$2.log" 2>&1
    local rc=$?
    [ "$rc" -le 1 ] || echo "not ok - $1 $2 ended with code $rc" >>"$out/$1-$2.log"
    return "$rc"
}
export -f plan_one
export program out
combinations=()
for precision in ${PLANS_PRECISIONS:-bf16 fp32 tf32}; do
    gpus="sm_80 sm_89 sm_90 sm_100 sm_120"
    [ "$precision" = bf16 ] || [ "${FULL:-0}" = 1 ] || gpus=sm_90
    for gpu in ${PLANS_GPUS:-$gpus}; do combinations+=("$gpu $precision"); done
done
printf '%s\n' "${combinations[@]}" | xargs -P "$(nproc)" -L 1 bash -c 'plan_one "$@"' plan_one || failures=1
for combination in "${combinations[@]}"; do cat "$out/${combination/ /-}.log"; done
finish
