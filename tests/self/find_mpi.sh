#!/bin/bash
# scripts/find-mpi.sh on stand-ins of compiler wrappers as MPI libraries have them, and of pkg-config's files.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

# No mpicc and no pkg-config file but those below.
mkdir "$tmp/bin" "$tmp/pc"
for tool in sh gcc as ld sed grep tr dirname stat rm cat pkg-config; do ln -s "$(command -v $tool)" "$tmp/bin/$tool"; done
printf '#!/bin/sh\n' | tee "$tmp/bin/mpirun" "$tmp/bin/mpiexec.hydra" >"$tmp/bin/mpirun.two"
chmod +x "$tmp"/bin/mpi*

# library NAME MACRO...: $tmp/NAME with include/mpi.h, which has these macros, and lib/libmpi.a.
library() {
    local name=$1
    mkdir -p "$tmp/$name"/{include,lib}
    shift
    { printf '#define %s\n' 'MPI_VERSION 3' 'MPI_SUBVERSION 1' "$@" && echo 'int MPI_Init(int *, char ***);'; } >"$tmp/$name/include/mpi.h"
    echo 'int MPI_Init(int *a, char ***b) { return !a && !b; }' | gcc -x c -c -o "$tmp/mpi.o" - && ar rc "$tmp/$name/lib/libmpi.a" "$tmp/mpi.o"
}
# wrapper NAME OPTION WORDS: a program of that name that prints the words for that option, and knows no other.
wrapper() {
    # shellcheck disable=SC2016 # of the program
    printf '#!/bin/sh\n[ "$1" = %s ] || exit 1\ncat <<"END"\n%s\nEND\n' "$2" "$3" >"$tmp/bin/$1"
    chmod +x "$tmp/bin/$1"
}
library open 'OMPI_MAJOR_VERSION 5' 'OMPI_MINOR_VERSION 0' 'OMPI_RELEASE_VERSION 11'
library mpich 'MPICH_VERSION "5.0.2"'
library intel 'MPICH_VERSION "3.3"' 'I_MPI_VERSION "2021.19.0"'
library mvapich 'MPICH_VERSION "3.2.1"' 'MVAPICH2_VERSION "2.3.7"'
library cray 'MPICH_VERSION "3.4a2"' 'CRAY_MPICH_VERSION 8.1.28'
library other

look() { env -u MPICC -u CPATH -u LIBRARY_PATH PATH="$tmp/bin" PKG_CONFIG_LIBDIR="$tmp/pc" "$@" scripts/find-mpi.sh "$tmp/found.mk" >"$tmp/said"; }
# finds WHAT TEXT [NAME=VALUE]...: its line is that, and what it writes makes a program.
finds() {
    local what=$1 text=$2
    shift 2
    look "$@"
    check "$what: named" grep -qxF -- "  ✓ $text" "$tmp/said"
    # shellcheck disable=SC2046
    check "$what: a program comes to be" eval "echo '#include <mpi.h>
int main(void) { return MPI_Init(0, 0); }' | gcc -x c - $(sed -n 's/^MPI_CFLAGS := //p; s/^MPI_LIBS := //p' "$tmp/found.mk" | tr '\n' ' ') -o '$tmp/program'"
}
# lacks WHAT TEXT [NAME=VALUE]...: one line that says so.
lacks() {
    local what=$1 text=$2
    shift 2
    look "$@"
    check "$what" test "$(cat "$tmp/said")" = "  ✗ MPI ($text)"
    check "$what: and it is missing" grep -qx 'MPI_MISSING := MPI' "$tmp/found.mk"
}

lacks "nothing there" "no mpicc, and pkg-config knows none of ompi-c mpich impi mvapich2: name the compiler wrapper of yours by MPICC=FILE"
lacks "no compiler" "cannot be looked for without a compiler" CC=none
printf 'Name: mpich\nDescription: MPI\nVersion: 5.0.2\nCflags: -I%s/mpich/include\nLibs: -L%s/mpich/lib -lmpi\n' "$tmp" "$tmp" >"$tmp/pc/mpich.pc"
finds "pkg-config alone" "MPICH 5.0.2 (mpich of pkg-config)"
wrapper mpicc --showme "gcc -O2 -I$tmp/open/include -pthread -Wl,-rpath -Wl,$tmp/open/lib -L$tmp/open/lib -lmpi"
finds "Open MPI's wrapper, before pkg-config" "Open MPI 5.0.11 (mpicc)"
refuse "its optimization is not taken" grep -q -- '-O2' "$tmp/found.mk"
check "its mpirun is the shell's" grep -qx 'MPIRUN := mpirun' "$tmp/found.mk"
wrapper mpicc.two -show "gcc -m64 -D_REENTRANT -I$tmp/mpich/include -L$tmp/mpich/lib -lmpi"
finds "MPICC, before mpicc" "MPICH 5.0.2 (mpicc.two)" MPICC=mpicc.two
check "the mpirun beside it" grep -qx "MPIRUN := $tmp/bin/mpirun.two" "$tmp/found.mk"
wrapper mpicc -show "gcc -I\"$tmp/intel/include\" -L\"$tmp/intel/lib/release\" -L\"$tmp/intel/lib\" -Xlinker --enable-new-dtags \
-Xlinker -rpath -Xlinker \"$tmp/intel/lib\" -lmpi -ldl -lrt -lpthread"
finds "Intel's words, which are quoted" "Intel MPI 2021.19.0 (mpicc)"
check "its launcher that is no script" grep -qx 'MPIRUN := mpiexec.hydra' "$tmp/found.mk"
wrapper mpicc -show "gcc -I $tmp/mvapich/include -L $tmp/mvapich/lib -lmpi"
finds "MVAPICH" "MVAPICH2 2.3.7 (mpicc)"
wrapper mpicc -show "gcc -I$tmp/other/include -L$tmp/other/lib -lmpi"
finds "a library without a name" "MPI 3.1 (mpicc)"
printf '#!/bin/sh\nexec gcc "$@" -I%s/cray/include -L%s/cray/lib -lmpi\n' "$tmp" "$tmp" >"$tmp/bin/cc"
chmod +x "$tmp/bin/cc"
look CC=cc
check "a compiler that is its own wrapper" grep -qxF "  ✓ Cray MPICH 8.1.28 (cc itself)" "$tmp/said"

lacks "an MPICC that is not there" "MPICC=mpicc.none: no such program" MPICC=mpicc.none
wrapper mpicc.dumb -c ""
lacks "one that says nothing" "mpicc.dumb says neither by -show nor by --showme what it would call: name another by MPICC" MPICC=mpicc.dumb
wrapper mpicc.half -show "gcc -I$tmp/open/include -L$tmp/open/lib -lmpi-none"
look MPICC=mpicc.half
check "one whose library is not there: the linker's reason" \
    grep -q '^  ✗ MPI (mpicc.half: its words make no program with gcc: .*cannot find -lmpi-none' "$tmp/said"
rm "$tmp/bin/mpirun"
lacks "nothing to start ranks with" "neither mpirun nor srun, to start ranks with"

signature() { env PATH="$tmp/bin" PKG_CONFIG_LIBDIR="$tmp/pc" "$@" scripts/find-mpi.sh --signature; }
before=$(signature)
check "the signature stays" test "$before" = "$(signature)"
refuse "another MPICC is another signature" test "$before" = "$(signature MPICC=mpicc.two)"
wrapper mpicc -show "gcc -I$tmp/open/include -L$tmp/open/lib -lmpi"
refuse "so is a wrapper that says other words" test "$before" = "$(signature)"
echo 1..31
finish
