#!/bin/bash
# Starts `lockstep SUBCOMMAND ARGUMENT...` on all ranks, in a Slurm job or without one:
#
#   scripts/slurm/launch.sh train configs/resnet9.yaml --epochs 10
#
# Prints the exact command, then becomes srun or mpirun, so that a signal to this process reaches the launcher.
# Variables, set by you or in site.sh:
#
#   LAUNCHER=srun|mpirun   otherwise srun in a Slurm job where it speaks MPI_TYPE, else mpirun
#   MPI_TYPE=pmix          how srun starts MPI programs (srun --mpi=list); otherwise pmix for Open MPI, pmi2 for MPICH and its kind
#   MPIRUN=FILE            otherwise the one of the MPI that the program was built with
#   RANKS_PER_NODE=N       otherwise sbatch's --ntasks and --ntasks-per-node; else a rank a GPU; else one a node
#   LOCKSTEP_THREADS=N     otherwise --cpus-per-task; else the job's CPUs of a node shared out to its ranks; on GPUs one. A rank
#                          starts no more than it has lanes (--lanes), and says which number of them would use all cores
#   NETWORK=ib0            interface (or 10.0.0.0/24) between nodes; otherwise the fastest that all nodes share. MPICH and its kind
#                          take a name alone, the same on all nodes, and of their own mpirun alone; else they choose
#   SCRATCH=DIR            storage of each node; otherwise SLURM_TMPDIR, TMPDIR, /tmp
#   STAGE_DATA=1           copies the data set to SCRATCH once a node
#   NP=N, NODES=N          so many ranks; only the first N nodes of the job
#   HOSTFILE=FILE          without Slurm: mpirun's nodes (NODE or NODE slots=N a line), RANKS_PER_NODE of NP ranks on each
#   PROGRAM=FILE           otherwise build/lockstep
#   SRUN_ARGS, MPIRUN_ARGS more words for the launcher
set -euo pipefail

case ${1:---help} in -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit ;; esac
root=$(cd "$(dirname "$0")/../.." && pwd)
say() { echo "launch: $*"; }
die() { echo "launch.sh: $*" >&2 && exit 2; }
. "$root/scripts/slurm/site-load.sh"
. "$root/scripts/env.sh"
. "$root/scripts/mpi.sh"
program=${PROGRAM:-$root/build/lockstep}
export SCRATCH=${SCRATCH:-${SLURM_TMPDIR:-${TMPDIR:-/tmp}}}
[ -x "$program" ] || die "$program is not there: run make, or name another by PROGRAM=FILE"

kind=$(mpi_kind "$program") mpirun=$(mpi_run "$program")
if [ -z "${MPI_TYPE:-}" ]; then
    MPI_TYPE=pmix
    [ "$kind" = openmpi ] || MPI_TYPE=pmi2
fi
# A step of a step, in the shell of `srun --pty bash`, would wait for CPUs that the outer one has until it ends.
[ -z "${SLURM_STEP_ID:-}" ] || export SLURM_OVERLAP=1
. "$root/scripts/slurm/layout.sh"
. "$root/scripts/slurm/network.sh"

# ---- Launcher ----
if [ -z "${LAUNCHER:-}" ]; then
    LAUNCHER=mpirun
    if [ -n "${SLURM_JOB_ID:-}" ]; then
        plugins=$(srun --mpi=list 2>&1) || true
        if grep -qwF -- "$MPI_TYPE" <<<"$plugins"; then
            LAUNCHER=srun
        else
            say "srun has no $MPI_TYPE here (srun --mpi=list), so mpirun starts the ranks"
        fi
    fi
fi

# ---- The command ----
verb=$1
shift
words=("$verb" "$@")
if [ "${STAGE_DATA:-0}" != 0 ]; then
    data=$("$root/scripts/slurm/stage.sh" "$@") || exit
    words+=(--data "$data")
fi
# The CPUs that come with a GPU are for its loader: compute threads would be so many streams of the one GPU.
computes=$threads
[ "$gpus" = 0 ] || [[ "${LOCKSTEP_DEVICE:-} $* " =~ (^|--device[\ =])cpu\  ]] || computes=
if [[ -n $computes && " $* " != *" --threads"[\ =]* && -z ${LOCKSTEP_THREADS:-} && $verb =~ ^(train|eval|preflight|bench)$ ]]; then
    words+=(--threads "$computes")
fi
more=()
case $LAUNCHER in
    srun)
        # Slurm's default, mixed, and tree let a rank out of MPI_Init while another cannot take its message yet, which then ends in
        # SIGSEGV, in one start in ten of busy nodes: docs/cluster.md.
        export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}
        [ -n "${SLURM_JOB_ID:-}" ] || die "LAUNCHER=srun needs a Slurm job: sbatch scripts/slurm/train.sbatch"
        # Since 22.05 srun no longer takes --cpus-per-task from the job. Ranks without CPUs of their own share.
        [ -z "$node_ranks" ] || more+=(--ntasks-per-node="$node_ranks")
        if [ $((here * threads)) -gt "$cpus" ]; then more+=(--overcommit); else more+=(--cpus-per-task="$threads"); fi
        # shellcheck disable=SC2206 # words
        command=(srun --mpi="$MPI_TYPE" --nodes="${#hosts[@]}" --ntasks="$ranks" --kill-on-bad-exit=1 "${more[@]}"
            ${SRUN_ARGS:-})
        ;;
    mpirun)
        if [ "$kind" = hydra ]; then
            # Hydra hands all variables on, and knows no `slots=`.
            [ -z "${HOSTFILE:-}" ] || more+=(-hosts "$(awk '!/^ *(#|$)/ { if (match($0, /slots=[0-9]+/)) $1 = $1 ":" substr($0, RSTART + 6, RLENGTH - 6)
                printf "%s%s", comma, $1; comma = "," }' "$HOSTFILE")")
            [ -z "$node_ranks" ] || more+=(-ppn "$node_ranks")
            [[ -z $network || $network != "$names" ]] || more+=(-iface "$network")
        else
            more=(--bind-to none)
            [ -z "${HOSTFILE:-}" ] || more+=(--hostfile "$HOSTFILE")
            [ -z "$node_ranks" ] || more+=(--map-by "ppr:$node_ranks:node" --oversubscribe)
            # On other nodes mpirun's daemons start from a fresh environment.
            for name in "${!LOCKSTEP_@}" "${!NCCL_@}" "${!HDF5_@}" "${!UCX_@}" "${!FI_@}" "${!DNNL_@}" "${!ONEDNN_@}" CIFAR10_DIR LD_LIBRARY_PATH \
                SLURM_RESTART_COUNT SUPERVISE_JOB SUPERVISE_RESTART; do
                [ -z "${!name:-}" ] || more+=(-x "$name")
            done
        fi
        # shellcheck disable=SC2206 # words
        command=("$mpirun" -np "$ranks" "${more[@]}" ${MPIRUN_ARGS:-})
        ;;
    *) die "LAUNCHER is '$LAUNCHER', neither srun nor mpirun" ;;
esac
say "$ranks ranks by $LAUNCHER, network $(network_told "$LAUNCHER"), scratch $SCRATCH, rank 0 near $(hostname -s)"
printf 'launch:'
printf ' %q' "${command[@]}" "$program" "${words[@]}"
echo
exec "${command[@]}" "$program" "${words[@]}" </dev/null
