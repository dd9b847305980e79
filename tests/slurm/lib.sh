# Helpers for tests on an emulated Slurm cluster (tests/slurm/cluster): source this first, in place of tests/lib.sh, which it
# brings. Jobs run in the tree's root, with the small network `tiny`, and their output goes to $tmp/NAME.out.
#
#   cluster NODES [CPUS] [GPUS]       starts it; SKIP of the whole script where that is not possible
#   on_login WORD... | node VERB NODE
#   submit NAME OPTIONS SCRIPT WORD...  sbatch OPTIONS (one word list) of scripts/slurm/SCRIPT with these words
#   submit_train NAME OPTIONS SCRIPT WORD...  the same with recipe, lanes and run directory $tmp/NAME
#   show NAME KEY                     a field of scontrol show job
#   ended NAME                        whether the job has come to an end
#   ends NAME STATE CODE WHAT         checks how; sets $code and $log for `same`
#   restarts NAME                     how often it was requeued
#   all_held RANKS NAME...            waits until that many ranks of each are stopped in mid-run: jobs with PROGRAM=$pause
#   release NAME [NODE]               lets its ranks go on, all or those of one node
#   long_options                      of runs that something is done to in mid-run: words
#   node_of NAME                      the first node of the job, where rank 0 is
#   finished_like NAME REFERENCE WHAT [CODE]  job completed, same bits, same metrics, sound checkpoints
# shellcheck shell=bash
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

tools=tests/slurm/cluster
# Short: sockets lie below it.
home=$(mktemp -d /tmp/lockstep-slurm.XXXXXX)
trap '$tools/down.sh "$home"; rm -rf "$home" "$tmp"' EXIT
trap 'exit 143' TERM
declare -A job

on_login() { "$tools/run.sh" "$home" "$@"; }
node() { "$tools/node.sh" "$home" "$@"; }

cluster() {
    local command probe
    [ "$(id -u)" = 0 ] || skip_all "an emulated cluster needs root"
    for command in slurmctld slurmd munged ip unshare nsenter; do
        command -v $command >/dev/null || skip_all "$command is not installed: scripts/setup.sh slurm"
    done
    probe='ip link set lo up && ip link add br0 type bridge && ip link add v1 type veth peer name v2 && mount -t tmpfs none /mnt'
    unshare --net --uts --ipc --mount --pid --fork --mount-proc bash -c "$probe" 2>"$tmp/.probe" ||
        skip_all "no namespaces, bridges or mounts here: $(tail -n 1 "$tmp/.probe")"
    if ! "$tools/up.sh" "$home" "$@" >"$tmp/up.log" 2>&1; then
        fail "the emulated cluster starts" "$(tail -n 30 "$tmp/up.log")"
        finish
    fi
}

submit() {
    local name=$1 options=$2 script=$3
    shift 3
    # shellcheck disable=SC2086 # options are words
    job[$name]=$(on_login sbatch --parsable --output="$tmp/$name.out" $options "scripts/slurm/$script" "$@") ||
        fail "$name is submitted"
}
lanes=8
submit_train() {
    local name=$1 options=$2 script=$3
    shift 3
    submit "$name" "$options" "$script" $recipes/tiny.yaml --lanes $lanes --out "$tmp/$name" "$@"
}

show() { on_login scontrol show job "${job[$1]}" | grep -oP "(?<![A-Za-z])$2=\K[^ ]*" | head -n 1; }
restarts() { show "$1" Restarts; }
node_of() { show "$1" BatchHost; }
ended() { [[ $(show "$1" JobState) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|BOOT_FAIL|OUT_OF_MEMORY)$ ]]; }
runs() { [ "$(show "$1" JobState)" = RUNNING ]; }

# The longest that a test waits for anything.
patience=100
ends() {
    local name=$1 state=$2 want=$3 what=$4 got
    until_true "$patience" ended "$name"
    got="$(show "$name" JobState) $(show "$name" ExitCode)"
    log=$tmp/$name.out code=$(show "$name" ExitCode | cut -d : -f 1)
    if [ "$got" = "$state $want" ]; then
        pass "$what"
    else
        fail "$what" "job ${job[$name]}: $got, not $state $want" "$(tail -n 30 "$log")"
    fi
}
finished_like() {
    ends "$1" COMPLETED "${4:-0:0}" "$3: the job completes"
    same "$1" "$2" "$3: the bits and metrics of the run on one machine"
    check "$3: no damaged checkpoint" sound "$1"
}

# ranks NAME [NODE]: process ids of its ranks, as seen here, on all nodes or on one. (pgrep -f would read every command line of
# the machine, which takes seconds on a busy one.)
ranks() {
    local pid inside='' words
    [ -z "${2:-}" ] || inside=$(readlink "/proc/$(node pid "$2")/ns/pid")
    for pid in $(pgrep -x lockstep); do
        mapfile -d '' words 2>/dev/null <"/proc/$pid/cmdline" || continue
        [[ " ${words[*]} " = *" --out $tmp/$1 "* ]] || continue
        [ -z "$inside" ] || [ "$(readlink "/proc/$pid/ns/pid")" = "$inside" ] || continue
        echo "$pid"
    done
}
# tell_ranks NAME SIGNAL [NODE]: true where there is one that could be told.
tell_ranks() {
    local pids
    mapfile -t pids < <(ranks "$1" "${3:-}")
    [ ${#pids[@]} -gt 0 ] && kill -"$2" "${pids[@]}"
}
# shellcheck disable=SC2034 # for the scripts
long_options=(--steps 1200 --log-every 25 --checkpoint-every 40)
# shellcheck disable=SC2034
pause=$PWD/tests/slurm/pause
held() { [ "$(compgen -G "$tmp/$1.held.*" | wc -l)" = "$2" ]; }
all_held() {
    local ranks=$1 name
    shift
    for name; do
        until_true "$patience" held "$name" "$ranks" && pass "$name: held in mid-run" && continue
        fail "$name: held in mid-run" "$(show "$name" JobState)" "$(tail -n 5 "$tmp/$name.out")"
        finish
    done
}
release() { tell_ranks "$1" CONT "${2:-}"; }
said() { grep -qE -- "$2" "$tmp/$1.out" 2>/dev/null; }
