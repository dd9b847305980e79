#!/bin/sh
# Finds the compiler and the libraries that lockstep is built with.
#
#   scripts/configure.sh FILE         prints what was found and writes it to FILE, a make fragment
#   scripts/configure.sh --signature  prints one line that changes whenever a tool or library does
#
# The Makefile keeps FILE in the build directory and runs this again when the signature changes, so that
# an upgraded or newly installed package is noticed and the second `make` does nothing. CC is obeyed.
# A missing required package is reported, noted in FILE as MISSING, and refused by the Makefile.
set -eu

CC=${CC:-gcc}
required="ompi-c hdf5 yaml-0.1 libcjson libxxhash"
optional="cairo cmocka"

# The value of integer macro $2 of header $1, empty when the header is not there.
header_macro() {
    printf '#include <%s>\nVALUE %s\n' "$1" "$2" | $CC -E -P - 2>/dev/null | sed -n 's/^VALUE \([0-9][0-9]*\)$/\1/p'
}

signature() {
    # One line a tool; a missing one prints an error to nowhere and so changes the sum as well.
    for package in $required $optional; do
        echo "$package $(pkg-config --modversion "$package" 2>/dev/null || echo none)"
    done
    stat -L -c '%n %Y %s' "$(command -v "${CC%% *}" || echo none)" /usr/include/dnnl_version.h \
        /usr/local/include/dnnl_version.h scripts/configure.sh scripts/find-cuda.sh \
        "$(command -v nvcc || echo none)" /usr/local/cuda 2>/dev/null || true
    echo "$CC ${CPATH:-} ${LIBRARY_PATH:-} ${PKG_CONFIG_PATH:-} ${VIRTUAL_ENV:-}"
    echo "${CUDA:-} ${CUDA_HOME:-} ${CUDA_ROOT:-} ${CUDA_PATH:-} ${CUDNN_HOME:-} ${CUDNN_ROOT:-} ${NCCL_HOME:-} ${NCCL_ROOT:-}"
}

if [ "${1:-}" = --signature ]; then
    signature | cksum | tr ' ' '-'
    exit 0
fi

out=$1
missing=
cflags=
libs=

found() { echo "  ✓ $1${2:+ $2}"; }
absent() { echo "  ✗ $1 ($2)"; }

# need NAME PKG_CONFIG_NAME: a required library that pkg-config knows.
need() {
    if version=$(pkg-config --modversion "$2" 2>/dev/null); then
        found "$1" "$version"
        # System headers: their warnings are not ours to mend.
        cflags="$cflags $(pkg-config --cflags "$2" | sed 's/-I */-isystem /g')"
        libs="$libs $(pkg-config --libs "$2")"
    else
        absent "$1" "missing"
        missing="$missing $1"
    fi
}

echo "lockstep is built with:"
if version=$($CC -dumpfullversion 2>/dev/null || $CC -dumpversion 2>/dev/null); then
    found "$CC" "$version"
else
    absent "$CC" "missing"
    missing=$CC
fi
if ! command -v pkg-config >/dev/null; then
    absent pkg-config "missing"
    missing="$missing pkg-config"
fi
need "Open MPI" ompi-c
if [ -z "$missing" ] && ! command -v mpirun >/dev/null; then
    absent mpirun "missing"
    missing="$missing mpirun"
fi
need HDF5 hdf5
major=$(header_macro dnnl_version.h DNNL_VERSION_MAJOR)
if [ -n "$major" ]; then
    minor=$(header_macro dnnl_version.h DNNL_VERSION_MINOR)
    version=$major.$minor.$(header_macro dnnl_version.h DNNL_VERSION_PATCH)
    # src/cpu/dnnl_version.h knows these.
    if [ "$major" -eq 3 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 6 ]; }; then
        found oneDNN "$version"
        libs="$libs -ldnnl"
    else
        absent oneDNN "$version has another C interface; lockstep is written for versions 2.6 to 3"
        missing="$missing oneDNN (2.6 to 3)"
    fi
elif [ "$missing" = "$CC" ]; then
    absent oneDNN "cannot be looked for without a compiler"
else
    absent oneDNN "missing"
    missing="$missing oneDNN"
fi
need libyaml yaml-0.1
need cJSON libcjson
need xxHash libxxhash

cairo_cflags=
if version=$(pkg-config --modversion cairo 2>/dev/null) && pkg-config --exists zlib; then
    found cairo "$version"
    cairo_cflags="-DHAVE_CAIRO $(pkg-config --cflags cairo zlib | sed 's/-I */-isystem /g')"
    libs="$libs $(pkg-config --libs cairo zlib)"
else
    absent cairo "no pictures and no report: make setup"
fi

# gcc's OpenMP run time sets oneDNN's thread count. clang is given gcc's omp.h, and nothing else of that folder:
# its own stdatomic.h would find gcc's.
libs="$libs -lgomp -lpthread -ldl -lm"
omp_header=$(gcc -print-file-name=include/omp.h 2>/dev/null || true)
if ! echo '#include <omp.h>' | $CC -E - >/dev/null 2>&1 && [ -f "$omp_header" ]; then
    omp=$(dirname "$out")/omp
    mkdir -p "$omp"
    ln -sf "$omp_header" "$omp/omp.h"
    cflags="$cflags -isystem $omp"
fi

test_libs=
if version=$(pkg-config --modversion cmocka 2>/dev/null); then
    found cmocka "$version (tests)"
    test_libs=$(pkg-config --libs cmocka)
else
    absent cmocka "tests need it: make setup"
fi
mkdir -p "$(dirname "$out")"
scripts/find-cuda.sh "$out.cuda"
cat >"$out.tmp" <<EOF
# Written by scripts/configure.sh; delete it to look again.
CONFIG_SIGNATURE := $(signature | cksum | tr ' ' '-')
MISSING := ${missing# }
DEP_CFLAGS := ${cflags# }
DEP_LIBS := ${libs# }
CAIRO_CFLAGS := $cairo_cflags
TEST_LIBS := $test_libs
EOF
cat "$out.cuda" >>"$out.tmp"
rm "$out.cuda"
mv "$out.tmp" "$out"
