#!/bin/bash
# Where the build looks for CUDA, cuDNN and NCCL, and what it says when one is missing: layouts of empty libraries, as modules of
# EasyBuild, Spack, NVHPC and conda have them.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

unset CPATH C_INCLUDE_PATH LIBRARY_PATH LD_LIBRARY_PATH CMAKE_PREFIX_PATH CONDA_PREFIX NVHPC_ROOT EBROOTCUDA EBROOTCUDNN EBROOTNCCL
unset CUDA CUDA_HOME CUDA_ROOT CUDA_PATH CUDNN_HOME CUDNN_ROOT NCCL_HOME NCCL_ROOT BUILD MAKEFLAGS MAKELEVEL MFLAGS

# toolkit FOLDER [RELEASE], cudnn FOLDER, nccl FOLDER: what an installation of it has in FOLDER.
toolkit() {
    mkdir -p "$1"/{bin,include,lib64}
    printf '#!/bin/sh\necho "Cuda compilation tools, release %s, V%s.1"\n' "${2:-13.0}" "${2:-13.0}" >"$1/bin/nvcc"
    chmod +x "$1/bin/nvcc"
    touch "$1/include/cuda_runtime_api.h" "$1/lib64/libcudart.so.13"
}
cudnn() {
    mkdir -p "$1"/{include,lib}
    touch "$1/include/cudnn.h" "$1/lib/libcudnn.so.9"
    printf '#define CUDNN_MINOR 19\n#define CUDNN_PATCHLEVEL 1\n' >"$1/include/cudnn_version.h"
}
nccl() {
    mkdir -p "$1"/{include,lib}
    touch "$1/lib/libnccl.so.2"
    printf '#define NCCL_MINOR 28\n#define NCCL_PATCH 9\n' >"$1/include/nccl.h"
}
# A search path without the nvcc and the wheels of this machine.
mkdir "$tmp/bin"
for tool in sh env dirname readlink sed sort head cat ls gcc awk tr uname; do ln -s "$(command -v $tool)" "$tmp/bin"; done
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/pkg-config"
chmod +x "$tmp/bin/pkg-config"
# finds NAME=VALUE...: with these variables all three are found; what was written is in $tmp/found.mk.
# shellcheck disable=SC2317 # called by check
finds() { look "$@" && grep -qx 'HAVE_CUDA := 1' "$tmp/found.mk" && grep -qx 'CUDA_MISSING := ' "$tmp/found.mk"; }
look() { env PATH="$tmp/bin" CUDA_ROOTS="$tmp/nowhere" "$@" scripts/find-cuda.sh "$tmp/found.mk" | tee "$tmp/said"; }
lacks() { look "$@" && grep -qx 'HAVE_CUDA := ' "$tmp/found.mk" && grep -qF "$words" "$tmp/found.mk"; }
runpath() { grep -qF -- "-Wl,-rpath,$1" "$tmp/found.mk"; }

toolkit "$tmp/cuda" && cudnn "$tmp/cudnn" && nccl "$tmp/nccl"
three=(CUDNN_HOME="$tmp/cudnn" NCCL_HOME="$tmp/nccl")
check "CUDA_HOME, CUDNN_HOME and NCCL_HOME" finds CUDA_HOME="$tmp/cuda" "${three[@]}"
check "their versions are printed" eval "grep -q 'cuDNN 9.19.1' $tmp/said && grep -q 'NCCL 2.28.9' $tmp/said && grep -q 'nvcc 13.0' $tmp/said"
check "their libraries are linked from there, and looked for there" eval "runpath $tmp/cuda/lib64 && runpath $tmp/cudnn/lib && runpath $tmp/nccl/lib"
refuse "by RUNPATH alone" grep -q 'disable-new-dtags' "$tmp/found.mk"
check "the variables of environment modules" finds CUDA_ROOT="$tmp/cuda" CUDNN_ROOT="$tmp/cudnn" NCCL_ROOT="$tmp/nccl"
check "CUDA_PATH" finds CUDA_PATH="$tmp/cuda" "${three[@]}"
check "nvcc on the search path" finds PATH="$tmp/cuda/bin:$tmp/bin" "${three[@]}"
ln -s "$tmp/cuda/bin/nvcc" "$tmp/bin/nvcc"
check "a link to nvcc" finds "${three[@]}"
rm "$tmp/bin/nvcc"
toolkit "$tmp/all" && cudnn "$tmp/all" && nccl "$tmp/all"
check "one folder of the system" finds CUDA_ROOTS="$tmp/all"

printf '#!/bin/sh\necho %s/all\n' "$tmp" >"$tmp/bin/pkg-config"
check "pkg-config" finds CUDA=auto
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/pkg-config"

# Modules of EasyBuild, of Spack, and what names no library at all.
check "EasyBuild's variables" finds EBROOTCUDA="$tmp/cuda" EBROOTCUDNN="$tmp/cudnn" EBROOTNCCL="$tmp/nccl"
check "CMAKE_PREFIX_PATH, as Spack sets it" finds PATH="$tmp/cuda/bin:$tmp/bin" CMAKE_PREFIX_PATH="$tmp/cudnn:$tmp/nccl/"
check "CPATH, whose folders are beside their libraries" finds PATH="$tmp/cuda/bin:$tmp/bin" CPATH="$tmp/cudnn/include:$tmp/nccl/include"
mkdir -p "$tmp/apart"/{headers,objects}
cp "$tmp"/cudnn/include/* "$tmp/nccl/include/nccl.h" "$tmp/apart/headers"
touch "$tmp/apart/objects"/{libcudnn.so.9,libnccl.so.2}
apart=(PATH="$tmp/cuda/bin:$tmp/bin" CPATH="/none:$tmp/apart/headers" LIBRARY_PATH="$tmp/apart/objects")
check "CPATH and LIBRARY_PATH of any names" finds "${apart[@]}"
check "from there" runpath "$tmp/apart/objects"
toolkit "$tmp/conda" && mkdir -p "$tmp/conda/targets/x86_64-linux" && mv "$tmp/conda"/{include,lib64} "$tmp/conda/targets/x86_64-linux" &&
    mv "$tmp/conda/targets/x86_64-linux/lib64" "$tmp/conda/targets/x86_64-linux/lib" && cudnn "$tmp/conda" && nccl "$tmp/conda"
check "conda" finds CONDA_PREFIX="$tmp/conda"
check "and CUDA's folder of the machine below it" runpath "$tmp/conda/targets/x86_64-linux/lib"

# NVHPC: two toolkits, a compiler that stands elsewhere, NCCL by the toolkit's release; and on Grace.
sdk=$tmp/hpc_sdk/Linux_x86_64/25.9
toolkit "$sdk/cuda/12.9" 12.9 && touch "$sdk/cuda/12.9/lib64/libcudart.so.12" && rm "$sdk/cuda/12.9/lib64/libcudart.so.13"
toolkit "$sdk/cuda/13.0" && nccl "$sdk/comm_libs/12.9/nccl" && nccl "$sdk/comm_libs/13.0/nccl" && mkdir -p "$sdk/compilers/bin"
cp "$sdk/cuda/13.0/bin/nvcc" "$sdk/compilers/bin"
check "NVHPC by its nvcc" finds PATH="$sdk/compilers/bin:$tmp/bin" CUDNN_HOME="$tmp/cudnn"
check "with the NCCL of that CUDA" eval "runpath $sdk/comm_libs/13.0/nccl/lib && runpath $sdk/cuda/13.0/lib64"
check "NVHPC by NVHPC_ROOT" finds NVHPC_ROOT="$sdk" CUDNN_HOME="$tmp/cudnn"
check "takes the toolkit whose nvcc it took" eval "runpath $sdk/cuda/12.9/lib64 && runpath $sdk/comm_libs/12.9/nccl/lib"
mkdir "$tmp/grace"
printf '#!/bin/sh\necho aarch64-linux-gnu\n' >"$tmp/grace/gcc"
chmod +x "$tmp/grace/gcc"
toolkit "$tmp/arm" && cudnn "$tmp/debian" && nccl "$tmp/debian"
mkdir -p "$tmp/arm/targets/sbsa-linux" "$tmp/debian/lib/aarch64-linux-gnu"
mv "$tmp/arm/include" "$tmp/arm/targets/sbsa-linux"
mv "$tmp/arm/lib64" "$tmp/arm/targets/sbsa-linux/lib"
mv "$tmp/debian/lib"/*.so* "$tmp/debian/lib/aarch64-linux-gnu"
check "aarch64: targets/sbsa-linux and lib/aarch64-linux-gnu" finds PATH="$tmp/grace:$tmp/bin" CUDA_HOME="$tmp/arm" CUDA_ROOTS="$tmp/debian"
words="CUDA run time: cuda_runtime_api.h or libcudart.so.13 not found"
check "and not on another machine" lacks CUDA_HOME="$tmp/arm" "${three[@]}"

toolkit "$tmp/wheels/nvidia/cu13" && mv "$tmp/wheels/nvidia/cu13/lib64" "$tmp/wheels/nvidia/cu13/lib"
cudnn "$tmp/wheels/nvidia/cudnn" && nccl "$tmp/wheels/nvidia/nccl"
python=$(python3 -c "import sys; print(sys.executable)")
printf '#!/bin/sh\nPYTHONPATH=%s exec %s "$@"\n' "$tmp/wheels" "$python" >"$tmp/bin/python3"
chmod +x "$tmp/bin/python3"
check "NVIDIA's wheels" finds CUDA=auto
rm "$tmp/bin/python3"

words="cuDNN 9: cudnn.h or libcudnn.so.9 not found; load its module, install it, or name its folder in CUDNN_HOME"
check "without cuDNN: says which, and what to do" lacks CUDA_HOME="$tmp/cuda" NCCL_HOME="$tmp/nccl"
words="NCCL 2: nccl.h or libnccl.so.2 not found; load its module, install it, or name its folder in NCCL_HOME"
check "without NCCL" lacks CUDA_HOME="$tmp/cuda" CUDNN_HOME="$tmp/cudnn"
words="nvcc: not found; load a CUDA module, install the CUDA toolkit, or name its folder in CUDA_HOME"
check "without CUDA" lacks "${three[@]}"
mkdir -p "$tmp/half" && cp -r "$tmp/cudnn/include" "$tmp/half"
words="cuDNN 9: $tmp/half/include/cudnn.h is there, but no libcudnn.so.9 in lib64, lib, lib/x86_64-linux-gnu, targets/x86_64-linux/lib of $tmp/half; load"
check "with cuDNN's header alone: says where that is" lacks CUDA_HOME="$tmp/cuda" CUDNN_HOME="$tmp/half" NCCL_HOME="$tmp/nccl"
toolkit "$tmp/old" 12.4
words="nvcc: 12.4 is too old"
check "with an old nvcc" lacks CUDA_HOME="$tmp/old" "${three[@]}"
check "CUDA=0 does not look" eval "look CUDA=0 CUDA_HOME=$tmp/cuda && grep -qx 'HAVE_CUDA :=' $tmp/found.mk && ! grep -q nvcc $tmp/said"

# ---- make ----
# make_says WORDS CODE WORD...: make, with nothing of CUDA in reach, ends with the code and prints the words.
make_says() {
    local words=$1 want=$2 code=0 out
    shift 2
    out=$(env CUDA_ROOTS="$tmp/nowhere" PATH="$plain" make BUILD="$tmp/build" "$@" 2>&1) || code=$?
    [ "$code" = "$want" ] && grep -qF -- "$words" <<<"$out" || { echo "code $code" && echo "$out" && return 1; }
}
plain=$(tr ':' '\n' <<<"$PATH" | while read -r folder; do [ -x "$folder/nvcc" ] || echo "$folder"; done | paste -sd :)
if PATH=$plain python3 -c 'import nvidia' 2>/dev/null || PATH=$plain pkg-config --exists cudart; then
    skip "CUDA=1 without CUDA" "this machine's CUDA cannot be hidden"
else
    check "make CUDA=1 without them: an error that names them" make_says "CUDA=1, but nvcc: not found; load a CUDA module" 2 CUDA=1 -n all
    check "make without them: goes on, and says so" make_says "CUDA backend left out" 0 -n all
fi
check "make CUDA=0: leaves it out" make_says "CUDA backend left out (CUDA=0)" 0 CUDA=0 -n all
refuse "and plans no backend" grep -q 'HAVE_CUDA := 1' "$tmp/build/config.mk"
finish
