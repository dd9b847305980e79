# What differs between clusters. launch.sh sources this in every job, and so do you before `make` on the login node:
# `. scripts/slurm/site.sh`. To keep your own away from the repository: SITE=/path/to/my-site.sh.
#
# Nothing is set as it stands: Open MPI and HDF5 come from the system. Examples:
# shellcheck shell=bash

# ---- Modules, as built with ----
# module purge && module load gcc/12 openmpi/4.1 hdf5/1.10 onednn
# . ~/spack/share/spack/setup-env.sh && spack load openmpi hdf5 onednn

# ---- How MPI programs are started here (srun --mpi=list; launch.sh says what it took) ----
# MPI_TYPE=pmix_v4
# LAUNCHER=mpirun
# SRUN_ARGS="--cpu-bind=cores --distribution=block"
# MPIRUN_ARGS="--mca pml ucx"

# ---- Network between nodes, where the one to the next node is not the right one ----
# NETWORK=ib0
# NETWORK=10.10.0.0/16

# ---- Storage of each node ----
# SCRATCH=/local/$SLURM_JOB_ID
# STAGE_DATA=1
