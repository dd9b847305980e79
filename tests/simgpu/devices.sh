#!/bin/bash
# What the program says where it cannot have a GPU: one line, code 5, on machines that are simulated.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
net=tests/simgpu/every-op.yaml
# on RANKS NAME=VALUE...: trains two steps on such a machine.
on() {
    local ranks=$1
    shift
    simulated env "$@" true || return
    # shellcheck disable=SC2163
    export "$@"
    export LD_LIBRARY_PATH=$sim
    train run "$ranks" $net --device cuda --data "$tmp/data" --steps 2 --reset
    unset "${@%%=*}" LD_LIBRARY_PATH
}

on 0 SIMGPU_DRIVER=none
one_error 5 'no NVIDIA driver' "no driver"
on 0 SIMGPU_DRIVER=old
one_error 5 'driver is too old' "an old driver"
on 0 SIMGPU_DEVICES=0
one_error 5 'sees no GPU' "a driver without a GPU"
on 0 SIMGPU_SM=75
one_error 5 'Simulated GPU is too old: sm_75, this build has code for sm_80 and later; use --device cpu$' "a GPU from before sm_80 is refused by name"
on 0 SIMGPU_MEMORY=200000
one_error 5 'out of GPU memory' "a GPU with little memory"
on 2 SIMGPU_DEVICES=1
one_error 5 'ranks 0 and 1 have the same GPU' "two ranks and one GPU"
on 2 SIMGPU_DEVICES=2
check "two ranks and two GPUs" test "$code" = 0
finish
