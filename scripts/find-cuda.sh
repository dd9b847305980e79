#!/bin/sh
# Finds CUDA, cuDNN and NCCL for the CUDA backend.
#
#   scripts/find-cuda.sh FILE   prints what was found and writes it to FILE, a make fragment
#
# CUDA=0 does not look; CUDA=1 makes what is missing an error (the Makefile says it); auto, the default, builds the
# backend where all three are there. Looked for, in this order: CUDA_HOME, CUDNN_HOME and NCCL_HOME (also *_ROOT and
# CUDA_PATH, which environment modules set), the folder of nvcc, pkg-config, CUDA_ROOTS (/usr/local/cuda and the system's
# folders unless set), and NVIDIA's Python wheels (nvidia-cuda-nvcc, nvidia-cuda-runtime, nvidia-cudnn-cu13, nvidia-nccl-cu13).
set -eu

out=$1
oldest_cuda=12.8 # the first that compiles for sm_120

if [ "${CUDA:-auto}" = 0 ]; then
    echo "  - CUDA backend left out (CUDA=0)"
    printf 'HAVE_CUDA :=\nCUDA_MISSING :=\n' >"$out"
    exit 0
fi

homes="${CUDA_HOME:-} ${CUDA_ROOT:-} ${CUDA_PATH:-}"
# A wrapper whose toolkit is gone does not run.
runs() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }
nvcc=$(command -v nvcc || true)
runs "$nvcc" || nvcc=
for home in $homes; do
    ! runs "$home/bin/nvcc" || { nvcc=$home/bin/nvcc && break; }
done

wheels() {
    python=$(command -v python3 || echo none)
    "$python" -c 'import nvidia
for folder in nvidia.__path__: print(folder)' 2>/dev/null | while read -r folder; do
        ls -d "$folder"/*/ 2>/dev/null || true
    done
}

roots=$(
    for home in $homes ${CUDNN_HOME:-} ${CUDNN_ROOT:-} ${NCCL_HOME:-} ${NCCL_ROOT:-}; do echo "$home"; done
    [ -z "$nvcc" ] || dirname "$(dirname "$(readlink -f "$nvcc")")"
    for package in cudart cudnn nccl; do pkg-config --variable=prefix $package 2>/dev/null || true; done
    for root in ${CUDA_ROOTS:-/usr/local/cuda /usr/local /usr}; do echo "$root"; done
    wheels
)
[ -n "$nvcc" ] || for root in $roots; do
    ! runs "$root/bin/nvcc" || { nvcc=$root/bin/nvcc && break; }
done

# first NAME FOLDERS...: the first folder below the roots that has the file; empty when there is none.
first() {
    name=$1
    shift
    for root in $roots; do
        for folder in "$@"; do
            [ ! -e "$root/$folder/$name" ] || { echo "${root%/}/$folder" && return; }
        done
    done
}
header() { first "$1" include targets/x86_64-linux/include include/x86_64-linux-gnu; }
library() { first "$1" lib64 lib lib/x86_64-linux-gnu targets/x86_64-linux/lib; }

# The value of integer macro $3 of header $2 in folder $1. (The compiler would want the headers that it includes.)
macro() { sed -n "s/^#define[[:space:]][[:space:]]*$3[[:space:]][[:space:]]*\([0-9][0-9]*\).*/\1/p" "$1/$2"; }

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
# use FOLDER_OF_HEADER FOLDER_OF_LIBRARY LIBRARY
use() {
    # The system's own folder must stay where the compiler has it.
    case "$includes /usr/include " in *" $1 "*) ;; *) includes="$includes -isystem $1" ;; esac
    case "$folders " in *" $2 "*) ;; *) folders="$folders $2" ;; esac
    libraries="$libraries -l:$3"
}

version=
if [ -n "$nvcc" ]; then
    version=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
    if [ "$(printf '%s\n' $oldest_cuda "$version" | sort -V | head -n 1)" = $oldest_cuda ]; then
        found nvcc "$version"
    else
        absent nvcc "$version is too old, $oldest_cuda compiles for every GPU"
    fi
else
    absent nvcc "not found; install the CUDA toolkit or name its folder in CUDA_HOME"
fi
cudart=libcudart.so.${version%%.*}
include=$(header cuda_runtime_api.h) folder=$(library "$cudart")
if [ -n "$include" ] && [ -n "$folder" ]; then
    found "CUDA run time" "$version"
    use "$include" "$folder" "$cudart"
elif [ -n "$nvcc" ]; then
    absent "CUDA run time" "cuda_runtime_api.h or $cudart not found; install the CUDA toolkit or name its folder in CUDA_HOME"
fi
include=$(header cudnn.h) folder=$(library libcudnn.so.9)
if [ -n "$include" ] && [ -n "$folder" ]; then
    found cuDNN "9.$(macro "$include" cudnn_version.h CUDNN_MINOR).$(macro "$include" cudnn_version.h CUDNN_PATCHLEVEL)"
    use "$include" "$folder" libcudnn.so.9
else
    absent "cuDNN 9" "cudnn.h or libcudnn.so.9 not found; install it or name its folder in CUDNN_HOME"
fi
include=$(header nccl.h) folder=$(library libnccl.so.2)
if [ -n "$include" ] && [ -n "$folder" ]; then
    found NCCL "2.$(macro "$include" nccl.h NCCL_MINOR).$(macro "$include" nccl.h NCCL_PATCH)"
    use "$include" "$folder" libnccl.so.2
else
    absent "NCCL 2" "nccl.h or libnccl.so.2 not found; install it or name its folder in NCCL_HOME"
fi

# RUNPATH and not RPATH, so that LD_LIBRARY_PATH wins over it.
search=-Wl,--enable-new-dtags
for folder in $folders; do search="$search -L$folder -Wl,-rpath,$folder"; done
have=1
if [ -n "$missing" ]; then
    have=
    [ "${CUDA:-auto}" = 1 ] || echo "  - CUDA backend left out"
fi
cat >"$out" <<END
HAVE_CUDA := $have
CUDA_MISSING := $missing
NVCC := $nvcc
CUDA_CFLAGS := ${includes# }
CUDA_LIBS := $search$libraries
END
