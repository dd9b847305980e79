#!/bin/bash
# CUDA as NVIDIA's wheels lay it out, in folders that the program alone knows: cuDNN can compile engines there as well, and
# where it cannot, for want of a library, that is said. The loader's cache, by which this machine may find the same libraries,
# is left out; these are links to it.
# limit: 300
. tests/tap.sh

program=$PWD/$BUILD/tests/plans/wheels/check_plans
[ -x "$program" ] || skip_all "this build has no CUDA backend (CUDA, cuDNN or NCCL not found, or CUDA=0)"
here=$(ldd "$BUILD/tests/plans/check_plans" | sed -n 's/^\t*libcudnn\.so\.9 => \([^ ]*\) .*/\1/p')
cuda=$(ldd "$BUILD/tests/plans/check_plans" | sed -n 's/^\t*libcudart\.so\.[0-9]* => \([^ ]*\) .*/\1/p')
nccl=$(ldd "$BUILD/tests/plans/check_plans" | sed -n 's/^\t*libnccl\.so\.2 => \([^ ]*\) .*/\1/p')
major=${cuda##*.}
nvrtc=
for folder in "$(dirname "$here")" "$(dirname "$cuda")"; do [ ! -e "$folder/libnvrtc.so.$major" ] || nvrtc=$folder/libnvrtc.so.$major; done
[ -n "$nvrtc" ] || skip_all "NVRTC is beside neither CUDA nor cuDNN here"
[ "$major" = 13 ] || skip_all "the layout is that of CUDA 13's wheels"

nvidia=$(dirname "$program")/nvidia
rm -rf "$nvidia"
mkdir -p "$nvidia"/{cu13,cudnn,nccl}/lib
ln -s "$cuda" "$(dirname "$nvrtc")"/lib{nvrtc,nvrtc-builtins,cublas,cublasLt}.so.* "$nvidia/cu13/lib"
ln -s "$(dirname "$here")"/libcudnn*.so.9 "$nvidia/cudnn/lib"
ln -s "$nccl" "$nvidia/nccl/lib"
loader=$(readelf -l "$program" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
[ -x "$loader" ] || skip_all "no loader that can be told to leave its cache out"

# plan: msu-net in bf16 for an H100; $log has all it says.
log=$tmp/log
plan() {
    LD_LIBRARY_PATH=$PWD/$BUILD/tests/plans/driver "$loader" --inhibit-cache "$program" \
        tests/plans/gpus/sm_90.json bf16 "$tmp/table" configs/msu-net.yaml >"$log" 2>&1
}
compiled() { grep -c '^ok - .* compiled$' "$log"; }
warned() { grep -cE "^(warning: )?cuDNN can compile no engine here, so that .*: $1" "$log"; }

check "the wheels' libraries: all graphs are planned" plan
check "cuDNN comes from there" grep -q "^# sm_90 bf16, cuDNN 9" "$log"
check "it compiles engines" test "$(compiled)" -gt 10
check "nothing is said of a compiler" test "$(warned '')" = 0

mv "$nvidia/cu13/lib"/libnvrtc-builtins.so.*.* "$tmp"
refuse "without libnvrtc-builtins graphs have no engine" plan
check "none is compiled" test "$(compiled)" = 0
missing='libnvrtc-builtins\.so\.13\.[0-9]+ is not beside libnvrtc\.so\.13 in .*/nvidia/cu13/lib'
check "a warning names the library and the remedy" \
    test "$(warned "$missing: install NVRTC whole, or name the folder of both in LD_LIBRARY_PATH$")" = 1
rm "$nvidia/cu13/lib"/libnvrtc.so.*
refuse "nor without libnvrtc" plan
check "a warning names it" test "$(warned 'libnvrtc\.so\.13 is not found: install .*LD_LIBRARY_PATH$')" = 1
finish
