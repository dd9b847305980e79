#!/bin/bash
# Prints a hostfile for `mpirun --hostfile`:
#
#   scripts/hostfile.sh [--slots N] [--cores N] [--oversubscribe] [NAME]...
#
# The nodes are the NAMEs (n7, or n[1-4,9] as Slurm writes them), or those of the Slurm job that this runs in.
#
#   --slots N         ranks a node; otherwise the job's tasks on it, or else its cores
#   --cores N         cores a node, where neither Slurm nor this machine can tell
#   --oversubscribe   allows more slots than cores: idle ranks then take the cores from the others, unless
#                     OMPI_MCA_mpi_yield_when_idle=1 is set as well
set -euo pipefail

die() { echo "hostfile.sh: $*" >&2 && exit 2; }
slots='' cores='' oversubscribe='' names=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" && exit ;;
        --slots | --cores)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 wants a number from 1"
            declare "${1#--}=$2" && shift
            ;;
        --oversubscribe) oversubscribe=yes ;;
        -*) die "unknown option $1; see --help" ;;
        *) names+=("$1") ;;
    esac
    shift
done

# expand NAME: n[08-10,12] -> n08 n09 n10 n12, one a line.
expand() {
    local part
    if ! [[ $1 =~ ^([^][]*)\[([0-9,-]+)\]$ ]]; then
        [[ $1 =~ ^[A-Za-z0-9._-]+$ ]] || die "$1 is no name of a node"
        echo "$1" && return
    fi
    local stem=${BASH_REMATCH[1]} list=${BASH_REMATCH[2]}
    for part in ${list//,/ }; do
        [[ $part =~ ^([0-9]+)(-([0-9]+))?$ ]] || die "$1 is no list of nodes"
        seq -f "$stem%0${#BASH_REMATCH[1]}.0f" "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]:-${BASH_REMATCH[1]}}"
    done
}
# repeat LIST: Slurm's 4(x2),3 -> 4 4 3, one a line.
repeat() {
    local part i
    for part in ${1//,/ }; do
        [[ $part =~ ^([0-9]+)(\(x([0-9]+)\))?$ ]]
        for ((i = 0; i < ${BASH_REMATCH[3]:-1}; i++)); do echo "${BASH_REMATCH[1]}"; done
    done
}

hosts=() job_cores=() job_tasks=()
if [ ${#names[@]} -gt 0 ]; then
    for name in "${names[@]}"; do
        list=$(expand "$name") || exit
        mapfile -t -O ${#hosts[@]} hosts <<<"$list"
    done
elif [ -n "${SLURM_JOB_NODELIST:-}" ]; then
    mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    mapfile -t job_cores < <(repeat "$SLURM_JOB_CPUS_PER_NODE")
    mapfile -t job_tasks < <(repeat "${SLURM_TASKS_PER_NODE:-}")
else
    die "which nodes? Name them (n1 n2, or 'n[1-8]'), or run this in a Slurm job"
fi

# cores_of NAME: as this machine or Slurm knows it; nothing where nobody does.
cores_of() {
    case $1 in
        localhost | "$(hostname)" | "$(hostname -s)") nproc --all ;;
        *) sinfo -h -n "$1" -o %c 2>/dev/null | head -n 1 ;;
    esac
}

out=
for i in "${!hosts[@]}"; do
    host=${hosts[i]}
    has=${cores:-${job_cores[i]:-$(cores_of "$host" || true)}}
    want=${slots:-${job_tasks[i]:-$has}}
    [ -n "$want" ] || die "the cores of $host are not known here: say --slots N and --cores N"
    if [ -z "$oversubscribe" ]; then
        [ -n "$has" ] || die "the cores of $host are not known here: say --cores N, or --oversubscribe"
        [ "$want" -le "$has" ] || die "$want slots on $host, which has $has cores: fewer --slots, or --oversubscribe"
    fi
    out+="$host slots=$want"$'\n'
done
printf '%s' "$out"
