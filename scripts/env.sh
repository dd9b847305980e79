# Source this before mpirun: `. scripts/env.sh` (bash, sh, zsh).
#
# Open MPI refuses to run as root, and more ranks than cores, and on few ranks binds each to one core, where all of its
# threads would share it. These variables cure that, each only where it is needed; what is set already is kept. Open MPI 5 has PRRTE
# start the ranks, by variables of its own.
# shellcheck shell=sh

if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT="${OMPI_ALLOW_RUN_AS_ROOT:-1}"
    export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM:-1}"
fi
# The README and the tests start up to eight ranks; ranks that wait must then leave the core to the others.
if [ "$(nproc 2>/dev/null || echo 1)" -lt 8 ]; then
    export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe:-1}"
    export PRTE_MCA_rmaps_default_mapping_policy="${PRTE_MCA_rmaps_default_mapping_policy:-:oversubscribe}"
    export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"
fi
export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy:-none}"
export PRTE_MCA_hwloc_default_binding_policy="${PRTE_MCA_hwloc_default_binding_policy:-none}"
