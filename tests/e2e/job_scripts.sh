#!/bin/bash
# The job scripts without Slurm: stand-ins for the launcher and for scontrol. Which codes go back to the queue, and how often;
# who is asked to stop when a signal comes. tests/slurm has the same on a cluster, for some of the codes.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

# A clone whose launcher ends with $CODE, or, where that is `asked`, with 75 once USR1 has come to it.
clone=$tmp/clone
mkdir -p "$clone/scripts/slurm" "$tmp/bin"
cp scripts/slurm/*.sbatch scripts/slurm/job.sh "$clone/scripts/slurm"
cat >"$clone/scripts/slurm/launch.sh" <<'SH'
#!/bin/bash
[ "$CODE" = asked ] || exit "$CODE"
trap 'exit 75' USR1
echo $PPID >"$STARTED.new" && mv "$STARTED.new" "$STARTED" # the script's process
for ((i = 0; i < 600; i++)); do sleep 0.1; done
exit 1
SH
cat >"$tmp/bin/scontrol" <<'SH'
#!/bin/bash
echo "scontrol $*" >>"$CALLS"
[ "$1" = show ] && echo "   Requeue=1 Restarts=$SEEN BatchFlag=1"
[ "$1" != requeue ] || kill -TERM $PPID # as Slurm does
SH
chmod +x "$clone/scripts/slurm/launch.sh" "$tmp/bin/scontrol"
export CALLS=$tmp/calls STARTED=$tmp/started CLONE=$clone SLURM_JOB_ID=77
log=$tmp/log

# job SCRIPT CODE [RESTARTS [SEEN]]: sets $code; $log has its output. SEEN: what the controller counts.
job() {
    : >"$CALLS"
    PATH=$tmp/bin:$PATH CODE=$2 SLURM_RESTART_COUNT=${3:-0} SEEN=${4:-${3:-0}} bash "$clone/scripts/slurm/$1" any.yaml >"$log" 2>&1
    code=$?
}
requeued() { grep -qx 'scontrol requeue 77' "$CALLS"; }
ends_with() { [ "$code" = "$1" ] || { echo "code $code" && return 1; }; }

# The codes of the program (docs/reliability.md) and of a rank that a signal ended: 6 communication or a lost rank, 7 a deadline, 75 asked
# to stop, 137 and 139 killed. All else would come again.
for want in 6 7 75 137 139; do
    job train-resilient.sbatch $want
    check "code $want goes back to the queue" requeued
    check "code $want: and is the script's" ends_with $want
done
for want in 0 1 2 3 4 5 8 127; do
    job train-resilient.sbatch $want
    refuse "code $want does not" requeued
    check "code $want is the script's" ends_with $want
done
job train-resilient.sbatch 137 19
check "the 20th restart is made" requeued
job train-resilient.sbatch 137 20
refuse "the 21st is not" requeued
check "and it says so" grep -q 'RESTARTS_MAX=20 is reached' "$log"
job train-resilient.sbatch 137 1 2
refuse "a job that Slurm has started elsewhere is not sent back" requeued
for want in 0 6 75 137; do
    job train.sbatch $want
    check "train.sbatch ends with code $want" ends_with $want
    refuse "and requeues nothing" requeued
done

# signalled SCRIPT SIGNAL: the script gets it while the launcher runs.
signalled() {
    rm -f "$STARTED"
    job "$1" asked &
    local runner=$!
    for ((i = 0; i < 600; i++)); do [ ! -e "$STARTED" ] || break; sleep 0.05; done
    kill -"$2" "$(cat "$STARTED")"
    wait $runner
}
signalled train-resilient.sbatch USR1
check "USR1: the launcher is asked to stop" grep -q 'asking for a checkpoint and the end' "$log"
check "USR1: and the job goes back to the queue" requeued
signalled train-resilient.sbatch TERM
check "TERM: the launcher is asked to stop" grep -q 'asking for a checkpoint and the end' "$log"
refuse "TERM: and the job does not" requeued
check "TERM: it says so" grep -q 'cancelled (code 75): not requeued' "$log"

# sbatch(1): with B: the batch shell alone gets the signal, without it all but the batch shell. These scripts pass it on.
for script in "$clone"/scripts/slurm/train*.sbatch; do
    name=$(basename "$script")
    check "$name asks for the signal, for itself, before the limit" grep -qxE '#SBATCH --signal=B:USR1@[1-9][0-9]+' "$script"
done
finish
