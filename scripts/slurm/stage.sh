#!/bin/bash
# Copies the data set to each node of the job, once, and prints where it is: stage.sh [OPTION OF lockstep train]...
#
# The data (a folder, or an HDF5 file) is what the trainer would take: --data among the options, LOCKSTEP_DATA, CIFAR10_DIR, data/cifar10. The
# copy is $SCRATCH/lockstep-data-USER/SUM, SUM following from the files' names, sizes and times: the next job finds
# it there. It appears under that name when it is whole, so that jobs that start together do no harm.
set -euo pipefail

case ${1:-} in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" && exit ;; esac

data=${LOCKSTEP_DATA:-${CIFAR10_DIR:-data/cifar10}}
while [ $# -gt 0 ]; do
    case $1 in
        --data) data=${2:?--data wants a value: --data DIR} && shift ;;
        --data=*) data=${1#*=} ;;
    esac
    shift
done
[ "$data" != synthetic ] || { echo synthetic && exit; }
[ -e "$data" ] || { echo "stage.sh: $data is not there: name the data set by --data PATH or CIFAR10_DIR" >&2 && exit 3; }
file= # of a set in HDF5
if [ -d "$data" ]; then data=$(cd "$data" && pwd); else file=/${data##*/} && data=$(cd "$(dirname "$data")" && pwd)$file; fi

if [ -n "$file" ]; then sum=$(stat -c '%n %s %Y' -- "$data"); else
    sum=$(cd "$data" && shopt -s nullglob && stat -c '%n %s %Y' -- *.bin *_label_names.txt)
fi
sum=$(cksum <<<"$sum" | cut -d ' ' -f 1)
# shellcheck source=scripts/path.sh
. "$(dirname "$0")/../path.sh"
plain_path "${SCRATCH:-/tmp}"
target=${SCRATCH:-/tmp}/lockstep-data-$(id -un)/$sum
# shellcheck disable=SC2016 # the nodes' shells
copy='[ -d "$2" ] && exit
from=("$1")
[ ! -d "$1" ] || { shopt -s nullglob && from=("$1"/*.bin "$1"/*_label_names.txt); }
mkdir -p "$(dirname "$2")" && part=$(mktemp -d "$2.part.XXXXXX") && cp "${from[@]}" "$part"/ &&
    { mv -T "$part" "$2" 2>/dev/null || rm -r "$part"; } && echo "stage: $1 copied to $(hostname -s):$2" >&2
[ -d "$2" ]'
if [ -n "${SLURM_JOB_ID:-}" ]; then
    nodes=$SLURM_JOB_NUM_NODES
    srun --mpi=none --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --cpus-per-task=1 --overcommit bash -c "$copy" - "$data" "$target" >&2
else
    bash -c "$copy" - "$data" "$target" >&2
fi
echo "$target$file"
