#!/bin/sh
# Finds the compiler and the libraries that lockstep is built with.
#
#   scripts/configure.sh FILE         prints what was found and writes it to FILE, a make fragment
#   scripts/configure.sh --signature  prints one line that changes whenever a tool or library does
#
# The Makefile keeps FILE in the build directory and runs this again when the signature changes, so that
# an upgraded or newly installed package is noticed and the second `make` does nothing. CC and MPICC are obeyed.
# A missing required package is reported, noted in FILE as MISSING, and refused by the Makefile.
set -eu

CC=${CC:-gcc}
. scripts/places.sh
packages="hdf5 dnnl yaml-0.1 libcjson libxxhash cairo zlib cmocka"

signature() {
    # One line a tool; a missing one prints an error to nowhere and so changes the sum as well.
    for package in $packages; do
        echo "$package $(pkg-config --modversion "$package" 2>/dev/null || echo none)"
    done
    scripts/find-mpi.sh --signature
    stat -L -c '%n %Y %s' "$(command -v "${CC%% *}" || echo none)" /usr/include/dnnl_version.h /usr/local/include/dnnl_version.h \
        scripts/configure.sh scripts/find-libraries.sh scripts/find-cuda.sh scripts/places.sh \
        "$(command -v h5cc || echo none)" "$(command -v nvcc || echo none)" /usr/local/cuda 2>/dev/null || true
    echo "$CC ${CUDA:-}"
    places_set
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

echo "lockstep is built with:"
if version=$($CC -dumpfullversion 2>/dev/null || $CC -dumpversion 2>/dev/null); then
    found "$CC" "$version"
else
    absent "$CC" "missing"
    missing=$CC
fi
mkdir -p "$(dirname "$out")"
scripts/find-mpi.sh "$out.mpi"
missing="$missing$(sed -n 's/^MPI_MISSING :=\( .*\)/\1/p' "$out.mpi")"
scripts/find-libraries.sh "$out.libraries"
missing="$missing$(sed -n 's/^LIBRARIES_MISSING :=\( ..*\)/\1/p' "$out.libraries")"

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

scripts/find-cuda.sh "$out.cuda"
cat "$out.mpi" "$out.libraries" "$out.cuda" - >"$out.tmp" <<EOF
# Written by scripts/configure.sh; delete it to look again.
CONFIG_SIGNATURE := $([ -n "$missing" ] || signature | cksum | tr ' ' '-')
MISSING := ${missing# }
DEP_CFLAGS := \$(LIBRARY_CFLAGS)$cflags
DEP_LIBS := \$(LIBRARY_LIBS)$libs
EOF
rm "$out.mpi" "$out.libraries" "$out.cuda"
mv "$out.tmp" "$out"
