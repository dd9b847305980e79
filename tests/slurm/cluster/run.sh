#!/bin/bash
# Runs a command of the cluster that up.sh started; working directory, environment and exit code are kept:
#
#   run.sh DIR COMMAND...      on the login node: sbatch, srun, squeue, ...
#   run.sh DIR@n2 COMMAND...   on node n2
#
# On the login node only network, host name and IPC are entered: processes, mounts and signals stay the caller's, so
# that Ctrl-C works. A cut cable does not matter.
set -euo pipefail

where=${1:?usage: run.sh DIR[@NODE] COMMAND...}
shift
node=ctl
case $where in *@*) node=${where##*@} where=${where%@*} ;; esac
dir=$(cd "$where" && pwd)
init=$(cat "$dir/run/$node.pid" 2>/dev/null) || { echo "run.sh: no cluster in $dir" >&2 && exit 3; }
export SLURM_CONF=$dir/etc/slurm.conf
[ "$node" != ctl ] || exec nsenter -t "$init" -n -u -i "$@"
# shellcheck disable=SC2016 # the inner shell's
exec nsenter -t "$init" -a bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
