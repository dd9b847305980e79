#!/bin/bash
# check_plans must be able to fail: what it must not let pass.
# limit: 300
. tests/tap.sh

program=$PWD/$BUILD/tests/plans/check_plans
[ -x "$program" ] || skip_all "this build has no CUDA backend (CUDA, cuDNN or NCCL not found, or CUDA=0)"
driver=$PWD/$BUILD/tests/plans/driver
plan() { LD_LIBRARY_PATH=$driver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$program" "$1" "$2" "$tmp/table" "${3:-configs/msu-net.yaml}"; }

check "an H100 in bf16" plan tests/plans/gpus/sm_90.json bf16
refuse "a GPU without bfloat16" plan tests/plans/gpus/sm_75.json bf16
cp "$tmp/.output" "$tmp/old-gpu"
check "its message names the graph" grep -q '^not ok - sm_75 bf16 .*: no engine' "$tmp/old-gpu"
head -c 200 tests/plans/gpus/sm_90.json >"$tmp/cut.json"
refuse "damaged properties" plan "$tmp/cut.json" bf16
refuse "a precision that is none" plan tests/plans/gpus/sm_90.json fp8
refuse "a recipe that is none" plan tests/plans/gpus/sm_90.json bf16 configs/none.yaml
if ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'; then
    skip "engines that cannot be compiled" "this machine has a CUDA driver"
else
    refuse "engines that cannot be compiled" "$program" tests/plans/gpus/sm_90.json bf16 "$tmp/table" configs/msu-net.yaml
fi
finish
