#!/bin/bash
# Starts a training run again until it is done, where no batch system does:
#
#   scripts/supervise.sh [OPTION]... -- mpirun -np 8 --host a:4,b:4 build/lockstep train CONFIG [--KEY VALUE]...
#
#   --max-restarts N           starts after failures (20); then it gives up
#   --preempted end|restart    after a run that stopped by request (code 75: --max-time, a signal to the run): end, with code 75 (the
#                              default), or start it again, which counts for no restart
#   --backoff SECONDS          before a restart (10), twice as long each time, up to 300; SECONDS again once a checkpoint was made
#   --probe COMMAND            `COMMAND HOST true` succeeds where a host answers (ssh -o BatchMode=yes -o ConnectTimeout=5)
#   --log FILE                 appended to: all that the run and this script say (supervise.log in the run directory)
#
# What follows `--` is any command that ends in `PROGRAM train ...`: mpirun, srun, scripts/slurm/launch.sh, or the program alone.
# A restart goes on from the newest checkpoint, to the same bits on any number of ranks. So before each start of mpirun the hosts of
# --host and --hostfile are asked; those that do not answer are left out, with their share of the ranks, until they answer again.
#
#   code 0                     done; taken for 6, a lost rank, where the run has left no result (Open MPI 5 returns 0 when a node dies)
#   75                         asked to stop: by a signal to this script, by the file RUN/stop, or as --preempted says; this script ends
#                              with it also where it was asked before the run began
#   2, 3, 4, 5, 8, 126, 127    configuration, data, checkpoint, device, diverged, no such program: would only come again
#   others                     a crash, a lost rank, a deadline: started again. Twice at one step (the last of metrics.jsonl, beyond the
#                              checkpoint gone on from), with one code but 6 and 7: that checkpoint is set aside (`lockstep checkpoint
#                              aside`) and the run starts from the one before. At that step once more, or where there is none: it gives up
#
# MPICH's launcher and its kind give the number of the signal that ended a rank as a code: 4, 5, 6, 7 and 8 are crashes where they say so.
#
# INT, TERM, HUP and USR1 ask the run for a checkpoint and the end; a second one ends it at once. The code is that of the run's last
# start, or 2 where this script was called wrong. Runs know how often they were started (SUPERVISE_JOB, SUPERVISE_RESTART): --reset
# and --resume FILE act on the first start alone. In a Slurm job both counts are one.
set -euo pipefail

die() { echo "supervise.sh: $*" >&2 && exit 2; }
# number OPTION VALUE LEAST
number() { [[ $2 =~ ^[0-9]{1,9}$ && $2 -ge $3 ]] || die "$1 $2: not a number from $3"; }
BACKOFF_MAX=300 RESTARTS_A_JOB=1000000
max=20 preempted=end backoff=10 probe='ssh -o BatchMode=yes -o ConnectTimeout=5' log=''
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" && exit ;;
        --max-restarts | --preempted | --backoff | --probe | --log)
            [ $# -gt 1 ] || die "$1 needs a value; see scripts/supervise.sh --help"
            case $1 in
                --max-restarts) number "$1" "$2" 0 && max=$2 ;;
                --preempted) [[ $2 = end || $2 = restart ]] || die "--preempted $2: end or restart" && preempted=$2 ;;
                --backoff) number "$1" "$2" 0 && backoff=$2 ;;
                --probe) probe=$2 ;;
                --log) log=$2 ;;
            esac
            shift 2
            ;;
        *) die "$1: not an option of mine; the run's command comes after --, as in: scripts/supervise.sh -- mpirun -np 4 ..." ;;
    esac
done
[ $# -gt 1 ] || die "what to start? scripts/supervise.sh [OPTION]... -- mpirun -np 4 build/lockstep train CONFIG ..."
shift
command=("$@")
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/path.sh"
. "$root/scripts/env.sh"
. "$root/scripts/mpi.sh"
. "$root/scripts/run-directory.sh"

# ---- The run behind the command ----
train=-1
for ((i = 1; i < ${#command[@]}; i++)); do
    if [ "${command[i]}" = train ]; then train=$i && break; fi
done
if [[ $train -lt 0 && ${command[0]} = train ]]; then die "name the program before train, as build/lockstep train"; fi
[ $train -gt 0 ] || die "the command has no 'PROGRAM train': ${command[*]}"
program=${command[train - 1]}
[[ $program != *launch.sh ]] || program=${PROGRAM:-$root/build/lockstep}
# A wrong option shows here, before anything is started. Of its words the last --out counts, as it does for the program.
run=$(run_out "$program" "${command[@]:train}") || exit
# A name with the time is one name for all starts, also of a job that Slurm starts again: that of the newest run that it began.
if [[ $run = *%* ]]; then
    named=$run
    run=$(date "+$run")
    [ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] || run=$(run_of_job "$named") || run=$(date "+$named")
    command+=(--out "${run//%/%%}")
fi
log=${log:-$run/supervise.log}
plain_path "$log"
mkdir -p "$run" "$(dirname "$log")"
# A run can do without that file. Here it says whether a start has begun, and from which checkpoint.
sessions=$run/sessions.jsonl
[ ! -e "$sessions" ] || { : >>"$sessions"; } 2>/dev/null ||
    die "$sessions cannot be written, so no start could be told from another: make it writable, or move it away"

# ---- One log: what the run and this script say, to the terminal and to a file. Neither stops the other, and no signal either. ----
exec 3>&1
exec > >(trap '' INT TERM HUP USR1 PIPE && exec tee -a -p "$log" >&3) 2>&1
tee=$!
exec 3>&-
# The end of the log may be on its way still; a left-over of the run that holds its end open must not keep this script.
drain() {
    exec >/dev/null 2>&1
    for ((i = 0; i < 40; i++)); do kill -0 "$tee" 2>/dev/null && sleep 0.05 || break; done
}
trap drain EXIT
say() { echo "supervise: $*"; }

# ---- Signals ----
asked='' signals=0 job='' begins=0
on_signal() {
    signals=$((signals + 1))
    asked="SIG$1"
    [ -n "$job" ] || return 0
    if [ $signals -eq 1 ]; then
        say "SIG$1: asking for a checkpoint and the end; once more ends the run at once"
        kill -USR1 "$job" 2>/dev/null || true
    else
        kill -TERM "$job" 2>/dev/null || true
    fi
}
for name in INT TERM HUP USR1; do
    # shellcheck disable=SC2064 # this name
    trap "on_signal $name" $name
done
# Ends where somebody has asked for it between two starts. (The first one removes a file `stop` of earlier.)
leave_if_asked() {
    [ "$begins" -eq 0 ] || [ ! -f "$run/stop" ] || asked="the file $run/stop"
    [ -z "$asked" ] || { say "asked to stop by $asked" && exit 75; }
}
# pause SECONDS, or until somebody asks. In pieces: a signal right before one of them is seen after it.
pause() {
    local left
    for ((left = $1; left > 0; left--)); do
        sleep 1 || true # Ctrl-C reaches it as well
        leave_if_asked
    done
}

# ---- Hosts ----
own=("$(hostname)" "$(hostname -s)" "$(timeout 10 hostname -f 2>/dev/null || true)")
# One process each; prints those that do not answer.
silent_hosts() {
    local host asking=() hosts=()
    for host in "$@"; do
        case $host in localhost | 127.* | "${own[0]}" | "${own[1]}" | "${own[2]}" | +*) continue ;; esac
        # shellcheck disable=SC2086 # words
        timeout 20 $probe "$host" true </dev/null >/dev/null 2>&1 &
        asking+=($!) hosts+=("$host")
    done
    for i in "${!asking[@]}"; do wait "${asking[i]}" || echo "${hosts[i]}"; done
}

# The words of mpirun before the program: where its hosts, its hostfiles and its number of ranks stand.
at_ranks='' at_hosts=() at_files=()
case ${command[0]##*/} in
    mpirun | mpiexec | mpiexec.hydra | orterun)
        for ((i = 1; i < train - 1; i++)); do
            case ${command[i]} in
                -n | --n | -np | --np | -c) at_ranks=$((++i)) ;;
                -H | -host | --host) at_hosts+=($((++i))) ;;
                -hostfile | --hostfile | -machinefile | --machinefile) at_files+=($((++i))) ;;
            esac
        done
        ;;
esac
# hosts_of: a line `HOST SLOTS` for each that the command names; SLOTS 0: not said.
hosts_of() {
    local at entry
    for at in "${at_hosts[@]}"; do
        for entry in ${command[at]//,/ }; do
            case $entry in
                *:[0-9]*) echo "${entry%:*} ${entry##*:}" ;;
                *) echo "${entry%:*} 1" ;;
            esac
        done
    done
    [ ${#at_files[@]} -eq 0 ] || for at in "${at_files[@]}"; do
        sed -nE 's/#.*//; t seen
            :seen
            s/^[[:space:]]*([^[:space:]]+).*[[:space:]]slots[[:space:]]*=[[:space:]]*([0-9]+).*/\1 \2/p; t
            s/^[[:space:]]*([^[:space:]]+).*/\1 0/p' "${command[at]}"
    done
}

# Sets words: the command, without the hosts in $1 (a line each), and with as many ranks as the others have room for.
without() {
    local gone=$1 at host slots all=0 left=0 known=yes ranks entry kept file=0
    words=("${command[@]}")
    while read -r host slots; do
        [ "$slots" -gt 0 ] || known='' slots=1
        all=$((all + slots))
        grep -qxF -- "$host" <<<"$gone" || left=$((left + slots))
    done < <(hosts_of)
    [ $left -gt 0 ] || return 1
    [ -n "$gone" ] || return 0
    for at in "${at_hosts[@]}"; do
        kept=''
        for entry in ${command[at]//,/ }; do
            grep -qxF -- "${entry%:*}" <<<"$gone" || kept+=${kept:+,}$entry
        done
        words[at]=$kept
    done
    for at in "${at_files[@]}"; do
        words[at]=$run/supervise-$((++file)).hosts
        while IFS= read -r entry; do
            read -r host _ <<<"${entry%%#*}" || true
            [[ -n $host ]] && grep -qxF -- "$host" <<<"$gone" || printf '%s\n' "$entry"
        done <"${command[at]}" >"${words[at]}"
    done
    [ -n "$at_ranks" ] || return 0
    ranks=${command[at_ranks]}
    # More ranks than room is somebody's wish: then each host has its share.
    if [ -n "$known" ] && [ "$ranks" -le "$all" ]; then
        [ "$ranks" -le $left ] || ranks=$left
    else
        ranks=$((ranks * left / all))
    fi
    [ "$ranks" -gt 0 ] || ranks=1
    words[at_ranks]=$ranks
}

# ---- What a start has come to, from what it left ----
newest() { find "$run/checkpoints" -maxdepth 1 -name 'step-*.h5' 2>/dev/null | sed -E 's/.*step-0*([0-9]+)\.h5/\1/' | sort -n | tail -n 1 || true; }
starts() { grep -c '"kind":"start"' "$sessions" 2>/dev/null || true; }
begun_at() { grep '"kind":"start"' "$sessions" | tail -n 1 | sed -E 's/.*"step":([0-9]+).*/\1/' || true; }
last_step() { tail -n 5 "$run/metrics.jsonl" 2>/dev/null | sed -nE 's/.*"step":([0-9]+).*/\1/p' | tail -n 1 || true; }
file_stops() { grep -c 'asked to stop by .*/stop: writing' "$run/log.txt" 2>/dev/null || true; }

# The signal that ended a rank, by the words of MPICH's launcher or Intel's in the log behind byte $1. Another process writes the log,
# so a line of this script's is waited for, unless the log cannot be written.
signal_said() {
    local mark
    mark="end of start $begins, code $code, $(date -u +%FT%TZ)"
    say "$mark" >&2
    for ((i = 0; i < 40; i++)); do grep -qxF "supervise: $mark" <(tail -c "+$(($1 + 1))" "$log") && break || sleep 0.05; done
    sed -nE 's/^YOUR APPLICATION TERMINATED WITH THE EXIT STRING: .*\(signal ([0-9]+)\).*/\1/p
        s/^=   KILLED BY SIGNAL: ([0-9]+) .*/\1/p' <(tail -c "+$(($1 + 1))" "$log") | sed -n '1p'
}

# One start of $words, to its end: sets $code.
start_run() {
    local before=$signals
    # Job control gives it a process group of its own, so that Ctrl-C comes to this script alone.
    set -m
    "${words[@]}" </dev/null &
    job=$!
    set +m
    # One that came before $job was known.
    [ $signals -eq "$before" ] || kill -USR1 "$job" 2>/dev/null || true
    # wait comes back early, with another code, when a signal was for us.
    while :; do
        before=$signals
        wait "$job" && code=0 || code=$?
        [ $signals -ne "$before" ] || break
    done
    job=''
}

# ---- Start, look, start again ----
SUPERVISE_JOB=${SLURM_JOB_ID:-$(date +%s)$$}
first=$((${SLURM_RESTART_COUNT:-0} * RESTARTS_A_JOB))
export SUPERVISE_JOB SUPERVISE_RESTART
# On other hosts Open MPI's daemons start from a fresh environment; Hydra hands all variables on.
case ${command[0]##*/},$(mpi_kind "$program") in
    mpirun,openmpi | mpiexec,openmpi | orterun,openmpi)
        command=("${command[0]}" -x SUPERVISE_JOB -x SUPERVISE_RESTART "${command[@]:1}")
        [ -z "$at_ranks" ] || at_ranks=$((at_ranks + 4))
        for i in "${!at_hosts[@]}"; do at_hosts[i]=$((at_hosts[i] + 4)); done
        for i in "${!at_files[@]}"; do at_files[i]=$((at_files[i] + 4)); done
        ;;
esac
mapfile -t hosts < <(hosts_of | cut -d ' ' -f 1 | sort -u)
restarts=0 wait_s=$backoff key='' behind=''
while :; do
    SUPERVISE_RESTART=$((first + begins))
    words=("${command[@]}")
    gone=''
    # Ctrl-C ends the asking as well.
    if [ ${#hosts[@]} -gt 0 ]; then gone=$(silent_hosts "${hosts[@]}") || true; fi
    leave_if_asked
    begins=$((begins + 1))
    if [ ${#hosts[@]} -gt 0 ] && ! without "$gone"; then
        say "none of the hosts answers: ${hosts[*]}"
        code=1 began='' made='' killer=''
    else
        [ -z "$gone" ] || say "left out, for they do not answer: ${gone//$'\n'/ }"
        say "start $begins, $(date -u +%FT%TZ):$(printf ' %q' "${words[@]}")"
        before=$(starts) was=$(newest) files=$(file_stops) said=$(stat -c %s "$log")
        start_run
        killer=''
        [[ $code = 0 || $code = 75 ]] || killer=$(signal_said "$said") || true
        began='' made=''
        [ "$(starts)" = "$before" ] || began=yes
        [ "$(newest)" = "$was" ] || made=yes
        if [[ $code = 0 && -n $began ]] && run_unfinished "$run"; then
            say "the launcher returned 0, but the run has not come to its end: a node that it lost?"
            code=6
        fi
    fi
    cause=$code how=''
    [ -z "$killer" ] || { cause=$((128 + killer)) && how=" (signal $killer ended a rank)"; }
    case $cause in
        0) say "done, after $((begins - 1)) restarts" && exit 0 ;;
        75)
            if [ -n "$asked" ] || [ "$preempted" = end ] || [ "$(file_stops)" != "$files" ]; then
                say "stopped after a checkpoint; the same command goes on" && exit 75
            fi
            say "stopped after a checkpoint, and starts again"
            continue
            ;;
        2 | 3 | 4 | 5 | 8 | 126 | 127) say "code $code would only come again: gives up" && exit "$code" ;;
    esac
    # Before the run began a signal ends it as any process, with nothing lost.
    [ -z "$asked" ] || [ -n "$began" ] || { say "code $code before the run began, and asked to stop by $asked" && exit 75; }
    [ -z "$asked" ] || { say "code $code, and asked to stop by $asked: no restart" && exit "$code"; }
    if [ -z "$began" ]; then
        say "code $code$how before the run began"
        key=''
    else
        from=$(begun_at) last=$(last_step) last=${last:-0}
        say "code $code$how after step $last, begun at step $from"
        # Outages of machines and networks have nothing to do with a checkpoint. Nor can two of them be told from two failures at
        # one step where no step was logged since the start.
        if [[ $cause = [67] || $last -le ${from:-0} ]]; then
            key=''
        elif [ "$behind" = "$cause $last" ]; then
            say "that is the failure for which a checkpoint was set aside: gives up"
            exit "$code"
        elif [ "$key" = "$cause $from $last" ]; then
            say "twice the same, at one step: the checkpoint that it began from is in doubt"
            if [ "$(newest)" != "$from" ] || ! SUPERVISE_RESTART=$((first + begins)) "$program" checkpoint aside "$run"; then
                say "no older one to go on from: gives up"
                exit "$code"
            fi
            behind="$cause $last"
        else
            key="$cause $from $last"
        fi
    fi
    [ $restarts -lt "$max" ] || { say "--max-restarts $max are made: gives up" && exit "$code"; }
    restarts=$((restarts + 1))
    [ -z "$made" ] || wait_s=$backoff
    leave_if_asked
    say "restart $restarts of at most $max, in $wait_s s"
    pause "$wait_s"
    wait_s=$((wait_s * 2 > BACKOFF_MAX ? BACKOFF_MAX : wait_s * 2))
done
