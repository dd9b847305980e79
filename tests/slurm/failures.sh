#!/bin/bash
# limit: 500
# Nodes that die, lose their network or their daemon under a running job: it goes on elsewhere and ends with the bits of an
# uninterrupted run. A job that was cut off goes on in its place as well (the split brain), and must do no harm.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"

cluster 12 2
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
train reference 0 $recipes/tiny.yaml --lanes $lanes "${long_options[@]}"
check "the uninterrupted run on one machine" test $code = 0

resilient() { submit_train "$1" "--exclusive $2" train-resilient.sbatch "${long_options[@]}" "${@:3}"; }
two="--nodes=2 --ntasks-per-node=1"
held=(off-other off-first off-mpirun split split-two daemon)
export PROGRAM=$pause
resilient off-other "$two"
resilient off-first "$two"
LAUNCHER=mpirun resilient off-mpirun "$two"
# All ranks on the node that is cut off: nothing that they miss would stop them.
resilient split "--nodes=1 --ntasks-per-node=2"
resilient split-two "$two"
resilient daemon "$two"
all_held 2 "${held[@]}"

# last_node NAME: the one where rank 0 is not.
last_node() { on_login scontrol show hostnames "$(show "$1" NodeList)" | tail -n 1; }
other=$(last_node off-other)
first=$(node_of off-first)
third=$(last_node off-mpirun)
declare -A cut=([split]=$(node_of split) [split-two]=$(node_of split-two))
daemon=$(node_of daemon)

for name in "$other" "$first" "$third"; do node power-off "$name"; done
for name in split split-two; do node cut "${cut[$name]}"; done
node kill-slurmd "$daemon"
sleep 1
node start-slurmd "$daemon"
for name in off-other off-first off-mpirun daemon; do release $name; done

finished_like daemon reference "slurmd restarted under a job"
check "slurmd restarted under a job: the job does not notice" test "$(restarts daemon)" = 0

# The ranks that were cut off wake up when their job is at work elsewhere, and find that they are not wanted.
restarted() { [ "$(restarts "$1")" = 1 ] && runs "$1"; }
at_work() { [ "$(grep -c '^lockstep .* ranks\? x' "$tmp/$1.out")" = 2 ]; }
for name in split split-two; do
    check "$name: starts again elsewhere" until_true $patience restarted $name
    check "$name: on other nodes" test "$(node_of $name)" != "${cut[$name]}"
done
for name in split split-two; do
    check "$name: both are alive at once" until_true "$patience" at_work $name
    release $name "${cut[$name]}"
done
for name in split split-two; do
    finished_like $name reference "$name: the node of rank 0 cut off"
    check "$name: the old rank 0 stops, and says who owns the run now" \
        until_true "$patience" said "$name" 'lockstep: .*rank 0/.*belongs to process .*restart 1\) now'
    # Until then srun cannot tell the controller, and rank 1 waits for rank 0; it writes nothing.
    node heal "${cut[$name]}"
    gone() { [ -z "$(ranks "$1")" ]; }
    check "$name: when the network is back, none is left" until_true "$patience" gone "$name"
    same $name reference "$name: the run is the same still"
    check "$name: its checkpoints are sound still" sound $name
    refuse "$name: the old job asks for no restart" said $name 'back to the queue'
done

for name in off-other off-first off-mpirun; do
    finished_like $name reference "$name: a node powered off"
    check "$name: started again" test "$(restarts $name)" = 1
    check "$name: resumed" test "$(result $name resumed_from)" != None
done

# ---- Nodes that come back are used again. ----
for name in "$other" "$first" "$third"; do node start "$name"; done
all_idle() { [ "$(on_login sinfo -h -N -t idle -o %N | sort -u | wc -l)" = 12 ]; }
check "the nodes that were off come back" until_true "$patience" all_idle
finish
