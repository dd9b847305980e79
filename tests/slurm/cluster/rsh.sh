#!/bin/bash
# What mpirun calls in place of ssh on the emulated cluster: rsh.sh NODE WORD..., the cluster's folder in EMULATED_CLUSTER. As ssh
# does, it lets a shell of the node read the words, and takes little of the caller's environment along. Temporary files are the node's
# own: Open MPI's daemons name theirs by their process ids alone, which two nodes may both have.
set -euo pipefail

node=$1
shift
exec env -i PATH="$PATH" HOME="${HOME:-/}" TMPDIR="${EMULATED_CLUSTER:?}/tmp" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    "$(dirname "$0")/run.sh" "${EMULATED_CLUSTER:?}@$node" bash -c "$*"
