# Sourced by launch.sh, whose --help names the variables: the nodes, ranks and threads that it starts.
#
# Sets hosts (of a Slurm job), gpus (a node), node_ranks (empty: as they fall), ranks, here (on the fullest node), cpus (of a
# node), threads (empty: the program's own choice).
# shellcheck shell=bash disable=SC2034
gpus=${SLURM_GPUS_ON_NODE:-${SLURM_GPUS_PER_NODE:-0}} gpus=${gpus##*:} node_ranks=${RANKS_PER_NODE:-} hosts=()
if [ -n "${SLURM_JOB_ID:-}" ]; then
    mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    if [ -z "$node_ranks" ] && [ -z "${SLURM_NTASKS:-}" ]; then
        node_ranks=$((gpus > 0 ? gpus : 1))
    fi
    [ "${NODES:-0}" -le ${#hosts[@]} ] || die "NODES=$NODES, but the job has ${#hosts[@]}: ${hosts[*]}"
    [ -z "${NODES:-}" ] || hosts=("${hosts[@]:0:NODES}")
    # Slurm tells of the first node alone; `--gpus=6` (`a100:6`, `a100:4,v100:2`) may be four there and two on the next.
    all_gpus=0
    for of_type in $(tr , ' ' <<<"${SLURM_GPUS:-}"); do all_gpus=$((all_gpus + ${of_type##*:})); done
    if [ "$gpus" -gt 0 ] && [ -z "${SLURM_NTASKS:-}${RANKS_PER_NODE:-}" ] && [ $all_gpus -gt 0 ] &&
        [ $all_gpus != $((gpus * SLURM_JOB_NUM_NODES)) ]; then
        die "--gpus=$SLURM_GPUS are $gpus on this node and not as many on each of $SLURM_JOB_NUM_NODES: ask for the same number on each, by \
--gpus-per-node"
    fi
    if [ -n "$node_ranks" ]; then ranks=$((node_ranks * ${#hosts[@]})); else ranks=$SLURM_NTASKS; fi
    ranks=${NP:-$ranks}
    here=${node_ranks:-$(((ranks + ${#hosts[@]} - 1) / ${#hosts[@]}))}
    cpus=${SLURM_CPUS_ON_NODE:-${SLURM_JOB_CPUS_PER_NODE:-1}} cpus=${cpus%%[^0-9]*}
    threads=${SLURM_CPUS_PER_TASK:-$((cpus > here ? cpus / here : 1))}
    say "job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1)), nodes ${hosts[*]}, $gpus GPUs a node"
else
    ranks=${NP:-$(nproc)} threads=
fi
