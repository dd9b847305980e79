#!/bin/bash
# --elastic on simulated GPUs: whichever rank dies in a sum of NCCL's, and whether NCCL tells of it or waits for ever, the others
# abort their communicator, make one anew over those that are left, and come to the bits and metrics of a run that lost nobody.
# Where the abort does not come back, the run ends in one line.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/survivors.sh
. "$(dirname "$0")/../survivors.sh"

reason=$(no_survivors)
[ -z "$reason" ] || skip_all "$reason"
small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
# Statistics over all lanes: ranks wait for each other in MPI while NCCL sums. Five steps an epoch.
net=$tmp/net.yaml
cat >"$net" <<'YAML'
batch-size: 16
lanes: 4
epochs: 2
model: |
  maxpool k=8
  conv c=16 k=3 p=1
  bn over=batch
  relu
  linear c=10
YAML
words=(--data "$tmp/data" --device cuda --log-every 1 --checkpoint-every 3 --bucket-bytes 4096)

# dying NAME DEATHS WORD...: four ranks, of which those of DEATHS die in a sum (SIMGPU_DIE).
dying() {
    local name=$1
    export SIMGPU_DIE=$2 LD_LIBRARY_PATH=$sim SIMGPU_PATIENCE=100
    shift 2
    survive "$name" "$net" "${words[@]}" "$@"
    unset SIMGPU_DIE LD_LIBRARY_PATH SIMGPU_PATIENCE
}
lost() { grep -qE "warning: rank $2 on [^ ]+ was lost in step [0-9]+; $3 on" "$tmp/$1/log.txt"; }
survived() { # NAME WHAT [RANK GOES]...
    local name=$1 what=$2
    shift 2
    same "$name" whole "$what: the bits and metrics of a run that lost nobody"
    while [ $# -gt 0 ]; do
        check "$what: rank $1 is lost, $2 on" lost "$name" "$1" "$2"
        shift 2
    done
    check "$what: the checkpoints are sound" sound "$name"
}

export LD_LIBRARY_PATH=$sim
train whole 1 "$net" "${words[@]}"
unset LD_LIBRARY_PATH
check "the run that loses nobody" test "$code" = 0
dying last '3:17'
survived last "the last rank, NCCL tells of it" 3 "3 ranks go"
export SIMGPU_LOST_PEER=silent
dying first '0:25'
survived first "rank 0, NCCL waits for it" 0 "3 ranks go"
SIMGPU_SCHEDULE=random:4 dying all '1:9 3:24 0:41'
survived all "one after another, down to one" 1 "3 ranks go" 2 "2 ranks go" 0 "1 rank goes"
export SIMGPU_ABORT_HANGS=1
dying hangs '2:12'
one_error 7 'a rank was lost, and ncclCommAbort did not come back within 5 s on ' "one abort hangs: the run ends"
export SIMGPU_ABORT_HANGS=all
dying hang '2:12'
one_error 7 'a rank was lost, and ncclCommAbort did not come back within 5 s on ' "all hang: the run ends, and one rank says so"
finish
