# What the job scripts have in common; they source it.
#
#   show_help WORD...   prints the comment at the top of the script and ends it, where the first WORD is --help
#   run_job WORD...     launch.sh WORD...; sets $code and $cancelled. A launcher's 0 is 6, a lost rank, where training left no result
#
# run_job turns USR1 (the time limit is near) and TERM (scancel, preemption, the limit itself) into one request, USR1 to the
# launcher: write a checkpoint and stop. TERM reaches srun's ranks by itself, and a second one would end them at once.
# shellcheck shell=bash disable=SC2034 # code and cancelled are for the scripts

. scripts/run-directory.sh

show_help() {
    case ${1:-} in
        # The script's own path may count from where it was called.
        -h | --help) cd "$OLDPWD" && sed -n '2,/^#SBATCH/{/^#SBATCH/d;s/^# \{0,1\}//p}' "$0" && exit ;;
    esac
}

ask_to_stop() {
    signalled=yes
    echo "job: $1: asking for a checkpoint and the end"
    kill -USR1 "$job" 2>/dev/null
}

run_job() {
    local signalled
    code=0 cancelled=
    trap 'ask_to_stop "SIGUSR1 (the time limit is near, or scancel --signal=USR1)"' USR1
    trap 'cancelled=yes; ask_to_stop "SIGTERM (scancel, preemption or the time limit)"' TERM
    scripts/slurm/launch.sh "$@" &
    job=$!
    # wait comes back early, with another code, when a signal was for us.
    while :; do
        signalled=
        wait "$job" && code=0 || code=$?
        [ -n "$signalled" ] || break
    done
    if [[ $code = 0 && $1 = train ]] && left_unfinished "${@:2}"; then
        echo "job: the launcher returned 0, but the run has not come to its end: a node that it lost?"
        code=6
    fi
}

# left_unfinished WORD...: whether the run of `train WORD...` has begun and not come to its end.
left_unfinished() {
    local out
    case " $* " in *" --help "* | *" --dump-config "* | *" --describe "*) return 1 ;; esac # these only print
    out=$(run_out "${PROGRAM:-build/lockstep}" train "$@" 2>/dev/null) || return
    [[ $out != *%* ]] || out=$(run_of_job "$out") || return
    run_unfinished "$out"
}
