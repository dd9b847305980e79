#!/bin/bash
# limit: 500
# Jobs that are asked to stop or lose a rank go back to the queue and end with the bits of an uninterrupted run; jobs that
# were cancelled or would only fail again do not.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"

cluster 8 4
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
train reference 0 $recipes/tiny.yaml --lanes $lanes "${long_options[@]}"
check "the uninterrupted run on one machine" test $code = 0

resilient() { submit_train "$1" "$2" train-resilient.sbatch "${long_options[@]}" "${@:3}"; }
two="--nodes=2 --ntasks-per-node=1"

held=({limit,killed,asked}-{srun,mpirun} signalled cancelled once)
export PROGRAM=$pause
for launcher in srun mpirun; do
    export LAUNCHER=$launcher
    # The signal is due 70 s after the start; Slurm may send it 60 s early.
    resilient limit-$launcher "$two --time=4 --signal=B:USR1@170"
    resilient killed-$launcher "$two"
    resilient asked-$launcher "$two"
done
unset LAUNCHER
resilient signalled "$two"
resilient cancelled "$two"
submit_train once "$two" train.sbatch "${long_options[@]}"
unset PROGRAM
# These need nobody.
resilient stuck "$two" --deadline 8 --crash-at 300:1:hang
resilient diverged "$two" --crash-at 300:1:nan
RESTARTS_MAX=0 resilient hopeless "$two" --crash-at 300:1:kill

all_held 2 "${held[@]}"
for launcher in srun mpirun; do
    kill -KILL "$(ranks killed-$launcher | tail -n 1)"
    release killed-$launcher
    on_login scancel --batch --signal=USR1 "${job[asked-$launcher]}"
    release asked-$launcher
done
on_login scancel --signal=USR1 "${job[signalled]}"
on_login scancel --batch --signal=USR1 "${job[once]}"
on_login scancel "${job[cancelled]}"
for name in signalled once cancelled; do release $name; done

ends once FAILED 75:0 "a job that does not requeue, asked to stop: code 75"
check "it says how to go on" said once 'the same sbatch command goes on from there'
submit_train once "$two" train.sbatch "${long_options[@]}"
ends cancelled CANCELLED 75:0 "scancel: the job is cancelled"
check "scancel: its ranks write a checkpoint in KillWait" said cancelled 'stopped after step'
check "scancel: is not requeued" said cancelled 'cancelled \(code 75\): not requeued'
check "scancel: no damaged checkpoint" sound cancelled
resilient cancelled "$two"

ends diverged FAILED 8:0 "a diverged run: the job fails"
check "a diverged run: is not requeued" test "$(restarts diverged)" = 0
ends hopeless FAILED 137:0 "no restart left: the job fails"
check "no restart left: it says so" said hopeless 'RESTARTS_MAX=0 is reached'

# goes_on NAME WHAT PATTERN: requeued once, with a log that has both starts, and ended like the reference.
goes_on() {
    finished_like "$1" reference "$2"
    check "$2: requeued" test "$(restarts "$1")" = 1
    check "$2: one log of both starts" test "$(grep -cE 'start [12] of 21' "$tmp/$1.out")" = 2
    check "$2: says why" said "$1" "$3"
    check "$2: resumed" test "$(result "$1" resumed_from)" != None
}
for launcher in srun mpirun; do
    goes_on killed-$launcher "a rank killed under $launcher" 'code 137: back to the queue'
    goes_on asked-$launcher "asked to stop under $launcher" 'code 75: back to the queue'
done
goes_on signalled "ranks signalled by scancel" 'code 75: back to the queue'
goes_on stuck "a rank that hangs" 'code 7: back to the queue'
finished_like once reference "submitted again after it was asked to stop"
finished_like cancelled reference "submitted again after scancel"

for launcher in srun mpirun; do
    limited() { said "limit-$launcher" 'SIGUSR1 \(the time limit is near'; }
    check "time limit under $launcher: Slurm sends its signal" until_true "$patience" limited
    release limit-$launcher
    goes_on limit-$launcher "time limit under $launcher" 'code 75: back to the queue'
done
finish
