#!/bin/bash
# The job scripts without Slurm: stand-ins for the launcher and for scontrol. Which codes go back to the queue, and how often;
# who is asked to stop when a signal comes. tests/slurm has the same on a cluster, for some of the codes.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

# A clone whose launcher ends with $CODE, or, where that is `asked`, with 75 once USR1 has come to it.
clone=$tmp/clone
mkdir -p "$clone/scripts/slurm" "$tmp/bin"
cp scripts/slurm/*.sbatch scripts/slurm/job.sh "$clone/scripts/slurm"
cp scripts/run-directory.sh "$clone/scripts"
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

# job SCRIPT CODE [RESTARTS [SEEN [WORD...]]]: sets $code; $log has its output. SEEN: what the controller counts.
job() {
    : >"$CALLS"
    PATH=$tmp/bin:$PATH CODE=$2 SLURM_RESTART_COUNT=${3:-0} SEEN=${4:-${3:-0}} bash "$clone/scripts/slurm/$1" any.yaml "${@:5}" >"$log" 2>&1
    code=$?
}
requeued() { grep -qx 'scontrol requeue 77' "$CALLS"; }
ends_with() { [ "$code" = "$1" ] || { echo "code $code" && return 1; }; }

# The codes of the program (docs/reliability.md) and of a rank that a signal ended: 6 communication or a lost rank, 7 a deadline, 75 asked
# to stop, 137 and 139 killed, by MPICH's mpirun 9 and 11, by Intel's 255. All else would come again.
for want in 6 7 75 137 139 9 11 255; do
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
# A launcher's 0, with a program that names RUN as the run's directory.
cat >"$tmp/bin/names" <<'SH'
#!/bin/bash
[[ $* != "train any.yaml"*" --dump-config" ]] || echo "out: $RUN"
SH
chmod +x "$tmp/bin/names"
export PROGRAM=$tmp/bin/names RUN=$tmp/run
mkdir -p "$tmp/run" "$tmp/runs/one" "$tmp/runs/two"
for script in train.sbatch train-resilient.sbatch; do
    job $script 0
    check "$script: 0, and no run has begun: 0" ends_with 0
    : >"$tmp/run/sessions.jsonl"
    job $script 0
    check "$script: 0, but the run has no result: a lost rank" ends_with 6
    check "it says so" grep -q '^job: the launcher returned 0, but the run has not come to its end' "$log"
    for word in --describe --dump-config --help; do
        job $script 0 0 0 $word
        check "$script: 0 of $word, which trains nothing: 0" ends_with 0
    done
    : >"$tmp/run/result.json"
    job $script 0
    check "$script: 0, and a result: 0" ends_with 0
    rm "$tmp/run/result.json" "$tmp/run/sessions.jsonl"
done
for run in one two; do : >"$tmp/runs/$run/sessions.jsonl"; done
: >"$tmp/runs/two/result.json"
# began ONE TWO: the jobs that began these runs.
began() { for run in "one $1" "two $2"; do echo "begun ${run#* } 0" >"$tmp/runs/${run% *}/lineage"; done; }
began 77 76
RUN=$tmp/runs/%Y job train-resilient.sbatch 0
check "a directory with the time: this job's run has no result" ends_with 6
check "and goes back to the queue" requeued
began 76 77
RUN=$tmp/runs/%Y job train-resilient.sbatch 0
check "that of another job is not looked at" ends_with 0
unset PROGRAM RUN
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

# What launch.sh starts in a job of these variables: a launcher that prints its words stands in for Slurm's.
cat >"$tmp/bin/srun" <<'SH'
#!/bin/bash
[ "$1" != --mpi=list ] || exec echo "MPI plugin types are... pmix"
case "$*" in
    *links.sh) echo "links: $*" >&2 && exec cat "$LINKS" ;;
    *) [[ $* != *stage:* ]] || exec echo "stage: $(tr -d "\n" <<<"$*"), overlap ${SLURM_OVERLAP:-no}" >&2 ;;
esac
echo "$*"
SH
printf '#!/bin/bash\necho n1\n' >"$tmp/bin/scontrol"
chmod +x "$tmp/bin/srun"
# launched VARIABLE=VALUE... -- WORD...: its last line, the words of srun; $log has all.
launched() {
    local variables=()
    while [ "$1" != -- ]; do variables+=("$1") && shift; done
    env SITE=/dev/null "${variables[@]}" PATH="$tmp/bin:$PATH" PROGRAM=/bin/true SLURM_JOB_NODELIST=n1 NETWORK=lo \
        scripts/slurm/launch.sh "${@:2}" >"$log" 2>&1
    tail -n 1 "$log"
}
cpus=(SLURM_CPUS_ON_NODE=64 SLURM_NTASKS=8)
check "the CPUs of a node are shared out to its ranks as threads" grep -q -- ' --threads 8$' <(launched "${cpus[@]}" -- train any.yaml)
check "those of a task are its threads" grep -q -- ' --threads 4$' <(launched "${cpus[@]}" SLURM_CPUS_PER_TASK=4 -- train any.yaml)
gpus=(SLURM_CPUS_ON_NODE=32 SLURM_GPUS_ON_NODE=4)
refuse "those of a GPU are not" grep -q -- '--threads' <(launched "${gpus[@]}" -- train any.yaml)
check "but the rank gets them" grep -q -- '--ntasks=4 .*--cpus-per-task=8 .*train any.yaml$' <(launched "${gpus[@]}" -- train any.yaml)
check "on nodes with GPUs, of a run without: they are" grep -q -- ' --threads 8$' <(launched "${gpus[@]}" -- train any.yaml --device cpu)
check "by the variable as well" grep -q -- ' --threads 8$' <(launched "${gpus[@]}" LOCKSTEP_DEVICE=cpu -- train any.yaml)

# GPUs of a job, as Slurm tells of them: on the first node, and in all.
many=(SLURM_CPUS_ON_NODE=32 SLURM_GPUS_ON_NODE=4 SLURM_JOB_NUM_NODES=2)
launched "${many[@]}" SLURM_GPUS=6 -- train any.yaml >/dev/null
check "six GPUs on two nodes are refused: four here may be two there" test "$(grep -c '^launch.sh: --gpus=6 .*--gpus-per-node$' "$log")" = 1
launched "${many[@]}" SLURM_GPUS=a100:6 -- train any.yaml >/dev/null
check "so are six of a type" test "$(grep -c '^launch.sh: --gpus=a100:6 .*--gpus-per-node$' "$log")" = 1
check "eight are not" grep -q -- '--ntasks=4 ' <(launched "${many[@]}" SLURM_GPUS=8 -- train any.yaml)
check "nor six where ranks are counted" grep -q -- '--ntasks=6 ' <(launched "${many[@]}" SLURM_GPUS=6 SLURM_NTASKS=6 -- train any.yaml)

# What reaches the ranks: srun and, through its own words, mpirun's other nodes.
cat >"$tmp/bin/mpirun" <<'SH'
#!/bin/bash
echo "$*, overlap ${SLURM_OVERLAP:-no}, ${NCCL_SOCKET_IFNAME:-any}"
SH
chmod +x "$tmp/bin/mpirun"
launched LAUNCHER=mpirun UCX_TLS=rc FI_PROVIDER=efa ONEDNN_VERBOSE=0 DNNL_MAX_CPU_ISA=AVX2 -- train any.yaml >"$tmp/words"
for name in UCX_TLS FI_PROVIDER ONEDNN_VERBOSE DNNL_MAX_CPU_ISA; do
    check "mpirun passes $name on" grep -q -- "-x $name " "$tmp/words"
done
check "NCCL takes the interface of that name alone" grep -q ', =lo$' "$tmp/words"
check "in a job's script steps wait for each other" grep -q ', overlap no,' "$tmp/words"
check "in a step's shell they do not" grep -q ', overlap 1,' <(launched LAUNCHER=mpirun SLURM_STEP_ID=0 -- train any.yaml)

mkdir "$tmp/images" && touch "$tmp/images/data_batch_1.bin"
launched "${cpus[@]}" SLURM_JOB_ID=1 SLURM_JOB_NUM_NODES=1 SLURM_STEP_ID=0 SLURM_CPUS_PER_TASK=8 STAGE_DATA=1 SCRATCH="$tmp" -- \
    train any.yaml --data "$tmp/images" >/dev/null
check "the data are staged by a step of one CPU a node, whatever a task has" grep -q '^stage: --mpi=none .*--cpus-per-task=1 ' "$log"
check "which does not wait for the shell that it is called from" grep -q ', overlap 1$' "$log"

# ---- The network: what the nodes say of their links, and which of them all share. ----
mkdir -p "$tmp/sys/class/net"/{eno1,eno2,ib0/device/infiniband/mlx5_0/ports/1,docker0/bridge}
echo 1000 >"$tmp/sys/class/net/eno1/speed"
echo -1 >"$tmp/sys/class/net/eno2/speed"
echo '100 Gb/sec (4X EDR)' >"$tmp/sys/class/net/ib0/device/infiniband/mlx5_0/ports/1/rate"
cat >"$tmp/bin/ip" <<'SH'
#!/bin/bash
[[ $* != "-o route get "* ]] || exec echo "10.0.0.2 dev eno1 src 10.0.0.1 uid 0"
[ "$*" = "-o -4 addr show up scope global" ] || exit 1
n=1
for link in eno1:192.168.7.5/20 eno2:10.255.255.254/8 ib0:10.1.2.3/30 docker0:172.17.0.1/16; do
    echo "$((n += 1)): ${link%%:*}    inet ${link#*:} brd 1.2.3.4 scope global ${link%%:*}\\       valid_lft forever"
done
SH
chmod +x "$tmp/bin/ip"
here=$(hostname -s)
check "a node's links: network and speed, without bridges" test "$(PATH=$tmp/bin:$PATH SYSFS=$tmp/sys scripts/slurm/links.sh)" = \
    "$here eno1 192.168.0.0/20 1000
$here eno2 10.0.0.0/8 0
$here ib0 10.1.2.0/30 100000"

printf '#!/bin/bash\nprintf "%%s\\n" n1 n2\n' >"$tmp/bin/scontrol"
# networked WANTED-NETWORK WANTED-NCCL: what ranks on two nodes with the links of standard input are told.
networked() {
    cat >"$tmp/links"
    env SITE=/dev/null PATH="$tmp/bin:$PATH" PROGRAM=/bin/true SLURM_JOB_ID=1 SLURM_JOB_NODELIST=n[1-2] SLURM_NTASKS=2 LAUNCHER=mpirun \
        LINKS="$tmp/links" scripts/slurm/launch.sh train any.yaml >"$log" 2>&1
    grep -q "launch: 2 ranks by mpirun, network $1, scratch" "$log" && tail -n 1 "$log" | grep -q ", $2\$"
}
check "the fastest network that all nodes share" networked 'ib0, the fastest of all nodes, 100 Gb/s' '=ib0' <<'END'
n1 eno1 10.0.0.0/24 1000
n1 ib0 10.1.0.0/24 100000
n2 eno1 10.0.0.0/24 1000
n2 ib0 10.1.0.0/24 100000
END
check "not one that another node lacks" networked 'eno1, the fastest of all nodes, 1 Gb/s' '=eno1' <<'END'
n1 eno1 10.0.0.0/24 1000
n1 ib0 10.1.0.0/24 100000
n2 eno1 10.0.0.0/24 1000
END
check "as fast as its slowest link" networked 'eno1, the fastest of all nodes, 10 Gb/s' '=eno1' <<'END'
n1 eno1 10.0.0.0/24 10000
n1 eno2 10.1.0.0/24 25000
n2 eno1 10.0.0.0/24 10000
n2 eno2 10.1.0.0/24 1000
END
check "of other names on the nodes: by its address, NCCL by both names" networked '10.1.0.0/24, the fastest of all nodes, 25 Gb/s' '=eno2,enp3' <<'END'
n1 eno1 10.0.0.0/24 1000
n1 eno2 10.1.0.0/24 25000
n2 enp3 10.1.0.0/24 25000
n2 eno1 10.0.0.0/24 1000
END
networked none none <<<'n1 eno1 10.0.0.0/24 1000'
check "none that all share: it says so, and MPI chooses" grep -q '^launch: the nodes share no network' "$log"
mv "$tmp/bin/srun" "$tmp/bin/srun.whole" && printf '#!/bin/bash\necho "srun: no" && exit 1\n' >"$tmp/bin/srun" && chmod +x "$tmp/bin/srun"
check "nodes that cannot be asked: the way to the next one" networked eno1 =eno1 <<<''
check "which it says" grep -q '^launch: the links of the nodes cannot be read .*: srun: no$' "$log"
mv "$tmp/bin/srun.whole" "$tmp/bin/srun"

# site.sh: scripts of modules and of conda use names that are not set, and commands that fail.
cat >"$tmp/module.sh" <<'SH'
module() { false; echo "$not_set"; [ "$1" != missing ]; }
SH
site() {
    cat >"$tmp/site.sh"
    launched SITE="$tmp/site.sh" "${cpus[@]}" -- train any.yaml >/dev/null
}
site <<SH
. "$tmp/module.sh"
[ -e /none ] && echo
module load gcc
false || true
NETWORK=eth9
SH
check "site.sh may do what set -eu forbids" grep -q -- '--ntasks=8 ' "$log"
check "and sets what launch.sh takes" grep -q "network eth9" "$log"
site <<SH
. "$tmp/module.sh"
module missing
module load gcc
SH
check "a command of site.sh that fails stops the job, by its line" grep -q "^launch.sh: $tmp/site.sh:2: code 1 from: module missing$" "$log"
refuse "and nothing is started" grep -q -- '--ntasks=8 ' "$log"
site <<<'module load gcc'
check "where there is no module command, it says what to do" \
    grep -q "^launch.sh: $tmp/site.sh:1: code 127 from: module load gcc (no module command here: source its init script" "$log"
mkdir -p "$tmp/lmod/init" && cp "$tmp/module.sh" "$tmp/lmod/init/bash"
printf 'module load gcc\n' >"$tmp/site.sh"
check "Lmod's own init file is read where the shell has read no profile" \
    grep -q -- '--ntasks=8 ' <(launched SITE="$tmp/site.sh" LMOD_PKG="$tmp/lmod" "${cpus[@]}" -- train any.yaml)
launched SITE="$tmp/none.sh" "${cpus[@]}" -- train any.yaml >/dev/null
check "a SITE that is not there is named" grep -q "^launch.sh: SITE=$tmp/none.sh: no such file" "$log"

# sbatch(1): with B: the batch shell alone gets the signal, without it all but the batch shell. These scripts pass it on.
for script in "$clone"/scripts/slurm/train*.sbatch; do
    name=$(basename "$script")
    check "$name asks for the signal, for itself, before the limit" grep -qxE '#SBATCH --signal=B:USR1@[1-9][0-9]+' "$script"
done
finish
