# Sourced by scripts that start ranks.
# shellcheck shell=bash

# mpi_kind PROGRAM: which launchers and words the MPI takes that the program runs with: `openmpi`, or `hydra` for MPICH and what
# descends from it (Intel MPI, MVAPICH, Cray's).
mpi_kind() {
    case $("$1" --version 2>/dev/null) in
        *MPICH* | *MVAPICH* | *"Intel(R) MPI"*) echo hydra ;;
        *) echo openmpi ;;
    esac
}
# mpi_run PROGRAM: the launcher of the MPI that it was built with: MPIRUN, else what its build found, else mpirun.
mpi_run() {
    local found
    found=$(sed -n 's/^MPIRUN := //p' "$(dirname "$1")/config.mk" 2>/dev/null) || true
    echo "${MPIRUN:-${found:-mpirun}}"
}
