#!/bin/sh
# Finds MPI: any library with a compiler wrapper.
#
#   scripts/find-mpi.sh FILE         prints what was found and writes it to FILE, a make fragment
#   scripts/find-mpi.sh --signature  prints lines that change whenever the wrapper, or what it says, does
#
# Looked for, in this order: MPICC, and where it is set nothing else; the compiler itself (CC=mpicc, Cray's cc); mpicc; pkg-config.
# A wrapper comes before pkg-config, for the mpirun of the shell is of the same modules. Open MPI's says by --showme what it would
# call, MPICH's and its descendants' (Intel MPI, MVAPICH) by -show. CC compiles, whatever the wrapper's own compiler is.
set -eu

CC=${CC:-gcc}
packages="ompi-c mpich impi mvapich2"
shown() { "$1" -show 2>/dev/null || "$1" --showme 2>/dev/null; }

if [ "$1" = --signature ]; then
    wrapper=${MPICC:-mpicc}
    echo "${MPICC:-} $(command -v "$wrapper" || true) $(shown "$wrapper" || true)"
    for package in $packages; do echo "$package $(pkg-config --modversion "$package" 2>/dev/null || echo none)"; done
    stat -L -c '%Y %s' scripts/find-mpi.sh
    exit 0
fi

out=$1
cflags='' libs=''

# pick WORD...: of a wrapper's words those that are MPI's; its compiler and optimization are not ours to take. System headers:
# their warnings are not ours to mend.
pick() {
    while [ $# -gt 0 ]; do
        case $1 in
            -I | -isystem) cflags="$cflags -isystem $2" && shift ;;
            -I*) cflags="$cflags -isystem ${1#-I}" ;;
            -L | -Xlinker) libs="$libs $1 $2" && shift ;;
            -L* | -l* | -Wl,* | *.a | *.so) libs="$libs $1" ;;
        esac
        shift
    done
}
# Whether a program of these words comes to be; else $complaint is the compiler's first.
links() {
    # shellcheck disable=SC2086 # words
    complaint=$(printf '#include <mpi.h>\nint main(void) { return MPI_Init(0, 0); }\n' |
        LC_ALL=C $CC -x c - $cflags $libs -o "$out.program" 2>&1) && rm "$out.program" && return
    complaint=$(printf '%s\n' "$complaint" | grep -E -m 1 'error|undefined|cannot find|not found' || true)
    return 1
}
# "Open MPI 4.1.4", as mpi.h has it. MPICH's descendants keep its macro beside their own.
named() {
    # shellcheck disable=SC2086 # words
    $CC $cflags -E -P -x c - <<'END' 2>/dev/null | sed -n 's/^FOUND "\(.*\)" \(.*\)/\1|\2/p' | tr -d ' "' | tr '|_' '  '
#include <mpi.h>
#ifdef OMPI_MAJOR_VERSION
FOUND "Open_MPI" OMPI_MAJOR_VERSION . OMPI_MINOR_VERSION . OMPI_RELEASE_VERSION
#elif defined I_MPI_VERSION
FOUND "Intel_MPI" I_MPI_VERSION
#elif defined CRAY_MPICH_VERSION
FOUND "Cray_MPICH" CRAY_MPICH_VERSION
#elif defined MVAPICH2_VERSION
FOUND "MVAPICH2" MVAPICH2_VERSION
#elif defined MVAPICH_VERSION
FOUND "MVAPICH" MVAPICH_VERSION
#elif defined MPICH_VERSION
FOUND "MPICH" MPICH_VERSION
#else
FOUND "MPI" MPI_VERSION . MPI_SUBVERSION
#endif
END
}

# found BY: writes what is in $cflags and $libs, and ends.
found() {
    # The launcher that came with a wrapper: mpirun.mpich beside mpicc.mpich. Intel's mpirun is a script, which a signal ends.
    name=$(named) mpirun=mpirun
    case $name in Intel*) mpirun=mpiexec.hydra ;; esac
    own=$(command -v "${wrapper:-mpicc}" || true)
    own=${own%/*}/$mpirun${own##*/mpi*cc}
    [ ! -x "$own" ] || [ "$own" = "$(command -v $mpirun || true)" ] || mpirun=$own
    command -v "$mpirun" >/dev/null || command -v srun >/dev/null || absent "neither $mpirun nor srun, to start ranks with"
    echo "  ✓ $name ($1)"
    printf 'MPI_CFLAGS := %s\nMPI_LIBS := %s\nMPIRUN := %s\nMPI_MISSING :=\n' "${cflags# }" "${libs# }" "$mpirun" >"$out"
    exit 0
}
# absent WHY
absent() {
    echo "  ✗ MPI ($1)"
    printf 'MPI_CFLAGS :=\nMPI_LIBS :=\nMPIRUN := mpirun\nMPI_MISSING := MPI\n' >"$out"
    exit 0
}

command -v "${CC%% *}" >/dev/null || absent "cannot be looked for without a compiler"
wrapper=${MPICC:-}
[ -n "$wrapper" ] || ! links || found "$CC itself"
[ -n "$wrapper" ] || ! command -v mpicc >/dev/null || wrapper=mpicc
if [ -n "$wrapper" ]; then
    command -v "$wrapper" >/dev/null || absent "MPICC=$wrapper: no such program"
    words=$(shown "$wrapper") && [ -n "$words" ] || absent "$wrapper says neither by -show nor by --showme what it would call: name another by MPICC"
    eval "pick $words" # Intel's words are quoted
    links || absent "$wrapper: its words make no program with $CC: ${complaint:-$words}"
    found "$wrapper"
fi
for package in $packages; do
    pkg-config --exists "$package" 2>/dev/null || continue
    eval "pick $(pkg-config --cflags --libs "$package")"
    links || absent "$package of pkg-config makes no program with $CC: $complaint"
    found "$package of pkg-config"
done
absent "no mpicc, and pkg-config knows none of $packages: name the compiler wrapper of yours by MPICC=FILE"
