#!/bin/sh
# Finds CUDA, cuDNN and NCCL for the CUDA backend.
#
#   scripts/find-cuda.sh FILE   prints what was found and writes it to FILE, a make fragment
#
# CUDA=0 does not look; CUDA=1 makes what is missing an error (the Makefile says it); auto, the default, builds the
# backend where all three are there. Looked for, in this order: the variables that name one of them (CUDA_HOME, CUDNN_ROOT,
# EBROOTNCCL, NVHPC_ROOT: scripts/places.sh), the folder of nvcc, what modules show to compilers (CPATH, LIBRARY_PATH,
# CMAKE_PREFIX_PATH), pkg-config, CONDA_PREFIX, CUDA_ROOTS (/usr/local/cuda and the system's folders unless set), and
# NVIDIA's Python wheels (nvidia-cuda-nvcc, nvidia-cuda-runtime, nvidia-cudnn-cu13, nvidia-nccl-cu13).
set -eu

out=$1
. scripts/places.sh
oldest_cuda=12.8 # the first that compiles for sm_120

if [ "${CUDA:-auto}" = 0 ]; then
    echo "  - CUDA backend left out (CUDA=0)"
    printf 'HAVE_CUDA :=\nCUDA_MISSING :=\n' >"$out"
    exit 0
fi

# NVHPC's folders: the toolkit by release, and NCCL by the toolkit's release. $1: .../hpc_sdk/Linux_x86_64/25.9
nvhpc_toolkits() { printf '%s\n' "$1"/cuda "$1"/cuda/[0-9]*; }
nvhpc_nccl() { printf '%s\n' "$1/comm_libs/${version:-none}/nccl" "$1/comm_libs/nccl" "$1"/comm_libs/[0-9]*/nccl; }
homes=$(own_prefixes CUDA && for home in $(own_prefixes NVHPC); do nvhpc_toolkits "$home"; done)
# A wrapper whose toolkit is gone does not run.
runs() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }
nvcc=$(command -v nvcc || true)
runs "$nvcc" || nvcc=
for home in $homes; do
    ! runs "$home/bin/nvcc" || { nvcc=$home/bin/nvcc && break; }
done
release() { [ -z "$nvcc" ] || "$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p'; }
version=$(release)

wheels() {
    python=$(command -v python3 || echo none)
    "$python" -c 'import nvidia
for folder in nvidia.__path__: print(folder)' 2>/dev/null | while read -r folder; do
        ls -d "$folder"/*/ 2>/dev/null || true
    done
}

# What is above nvcc: a toolkit, or a folder of NVHPC's, whose own nvcc is in compilers/bin.
around_nvcc() {
    above=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
    echo "$above"
    for folder in "$(dirname "$above")" "$(dirname "$(dirname "$above")")"; do
        [ ! -d "$folder/comm_libs" ] || { nvhpc_toolkits "$folder" && nvhpc_nccl "$folder"; }
    done
}
roots=$(
    for home in $homes; do echo "$home"; done
    own_prefixes CUDNN NCCL
    for home in $(own_prefixes NVHPC); do nvhpc_nccl "$home"; done
    [ -z "$nvcc" ] || around_nvcc
    shared_prefixes
    for package in cudart cudnn nccl; do pkg-config --variable=prefix $package 2>/dev/null || true; done
    [ -z "${CONDA_PREFIX:-}" ] || echo "$CONDA_PREFIX"
    for root in ${CUDA_ROOTS:-/usr/local/cuda /usr/local /usr}; do echo "$root"; done
    wheels
)
[ -n "$nvcc" ] || for root in $roots; do
    ! runs "$root/bin/nvcc" || { nvcc=$root/bin/nvcc && break; }
done
version=${version:-$(release)}

missing=
includes=
folders=
libraries=
found() { echo "  ✓ $1 $2"; }
absent() {
    [ "${CUDA:-auto}" = 1 ] && mark=✗ || mark=-
    echo "  $mark $1: $2"
    missing="$missing${missing:+; }$1: $2"
}
# use OBJECT: what look found.
use() {
    # The system's own folder must stay where the compiler has it.
    case "$includes /usr/include " in *" $include "*) ;; *) includes="$includes -isystem $include" ;; esac
    case "$folders " in *" $folder "*) ;; *) folders="$folders $folder" ;; esac
    libraries="$libraries -l:$1"
}
# have HEADER OBJECT: in one of the roots, or in the folders of CPATH and LIBRARY_PATH.
# shellcheck disable=SC2086 # prefixes
have() { half='' && { look "$1" "$2" $roots || look_apart "$1" "$2"; }; }
# lacks NAME HEADER OBJECT VARIABLE
lacks() { absent "$1" "${half:-$2 or $3 not found}; load its module, install it, or name its folder in $4"; }

if [ -n "$nvcc" ]; then
    if [ "$(printf '%s\n' $oldest_cuda "$version" | sort -V | head -n 1)" = $oldest_cuda ]; then
        found nvcc "$version"
    else
        absent nvcc "$version is too old, $oldest_cuda compiles for every GPU"
    fi
else
    absent nvcc "not found; load a CUDA module, install the CUDA toolkit, or name its folder in CUDA_HOME"
fi
cudart=libcudart.so.${version%%.*}
if [ -n "$nvcc" ]; then
    if have cuda_runtime_api.h "$cudart"; then
        found "CUDA run time" "$version"
        use "$cudart"
    else
        lacks "CUDA run time" cuda_runtime_api.h "$cudart" CUDA_HOME
    fi
fi
if have cudnn.h libcudnn.so.9; then
    found cuDNN "9.$(macro "$include" cudnn_version.h CUDNN_MINOR).$(macro "$include" cudnn_version.h CUDNN_PATCHLEVEL)"
    use libcudnn.so.9
else
    lacks "cuDNN 9" cudnn.h libcudnn.so.9 CUDNN_HOME
fi
if have nccl.h libnccl.so.2; then
    found NCCL "2.$(macro "$include" nccl.h NCCL_MINOR).$(macro "$include" nccl.h NCCL_PATCH)"
    use libnccl.so.2
else
    lacks "NCCL 2" nccl.h libnccl.so.2 NCCL_HOME
fi

# RUNPATH and not RPATH, so that LD_LIBRARY_PATH wins over it.
search=-Wl,--enable-new-dtags
for folder in $folders; do search="$search -L$folder -Wl,-rpath,$folder"; done
complete=1
if [ -n "$missing" ]; then
    complete=
    [ "${CUDA:-auto}" = 1 ] || echo "  - CUDA backend left out"
fi
cat >"$out" <<END
HAVE_CUDA := $complete
CUDA_MISSING := $missing
NVCC := $nvcc
CUDA_CFLAGS := ${includes# }
CUDA_LIBS := $search$libraries
END
