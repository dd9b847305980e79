# Helpers for scripts that need GPUs: source this first; it brings lib.sh and tap.sh.
#
#   $gpus                          how many GPUs there are
#   item N NAME COMMAND...         checks COMMAND where there are N GPUs, else skips NAME and says why
#   gpu_run NAME RANKS CONFIG WORD... as train of lib.sh, on the GPU; fails unless the run ends well
#   gpu_same NAME REFERENCE        whether both runs have the same bits and metrics
#
# To test the scripts themselves, where no GPU is: GPU_DEVICE=cpu rehearses them on the CPU, as if it were eight GPUs;
# GPU_REHEARSAL=RECIPE takes that recipe in place of all others, small enough for simulated GPUs (LD_LIBRARY_PATH=build/simgpu).
# shellcheck shell=bash
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# The first runs plan, and compile, for half a minute each, choices by timing for longer; later ones take plans from here.
run_limit=${RUN_LIMIT:-400}
export XDG_CACHE_HOME=$PWD/$BUILD/gpu-cache

device=${GPU_DEVICE:-cuda}
gpus=0 why=
if [ "$device" != cuda ]; then
    gpus=8
elif [ ! -x "$BUILD/tests/gpu/gpu_properties" ]; then
    why="this build has no CUDA backend"
elif ! gpus=$("$BUILD/tests/gpu/gpu_properties" count 2>"$tmp/.why"); then
    gpus=0 why="no GPU: $(tail -n 1 "$tmp/.why")"
fi

item() {
    local need=$1 name=$2
    shift 2
    if [ "$gpus" -ge "$need" ]; then
        check "$name" "$@"
    elif [ "$gpus" -eq 0 ]; then
        skip "$name" "$why"
    else
        skip "$name" "needs $need GPUs, here are $gpus"
    fi
}

gpu_run() {
    train "$@" --device "$device"
    [ "$code" = 0 ] || { tail -n 20 "$log" && return 1; }
}

gpu_same() {
    local here reference
    here=$(bits "$1" && stable_metrics "$1") && reference=$(bits "$2" && stable_metrics "$2") || return 1
    [ -n "$here" ] && [ "$here" = "$reference" ] || { printf '%s\n' "$1:" "$here" "$2:" "$reference" && return 1; }
}

# What is trained: a small net of every kind of layer, and the recipes.
# shellcheck disable=SC2034
{
    small=$recipes/small.yaml odd=$recipes/odd.yaml resnet9=configs/resnet9.yaml large_batch=2048 all=(configs/*.yaml)
    if [ -n "${GPU_REHEARSAL:-}" ]; then
        small=$GPU_REHEARSAL odd=$GPU_REHEARSAL resnet9=$GPU_REHEARSAL large_batch=128 all=("$GPU_REHEARSAL")
    fi
}

# The precisions of the device.
# shellcheck disable=SC2034 # for the scripts
precisions="fp32 tf32 bf16"
# shellcheck disable=SC2034
[ "$device" = cuda ] || precisions=fp32
