#!/bin/bash
# What `make run` does: set up, build, find the data, train. It never removes a run: one that has not come to its end goes on;
# one that has stays, and the new one goes beside it, to runs/quickstart.2, runs/quickstart.3 and so on. Obeys these variables:
#
#   NP=4                              ranks (more than cores: they share)
#   CONFIG=configs/quickstart.yaml    what to train
#   DATA=DIR or synthetic             the images; before CIFAR10_DIR, which comes before data/cifar10 and a download
#   ARGS="--epochs 2 --seed 7"        more options for the trainer; with --reset or --resume it does as they say, in place
#   NEW=1                             begin a new run, also where the last one has not come to its end
#   RESUME=1                          go on with the last run, also where it has (for more epochs)
#   SETUP=0                           install nothing
#
# A folder that somebody named must hold the images. Only when nobody named one and the download fails,
# training goes on with synthetic images, and says so. The first Ctrl-C asks for a checkpoint and a clean
# end, the second ends at once.
set -euo pipefail

cd "$(dirname "$0")/.."
np=${NP:-4}
config=${CONFIG:-configs/quickstart.yaml}
build=${BUILD:-build}

scripts/setup.sh build
# Variables of an outer make's command line come through the environment; its job slots do not.
env -u MAKEFLAGS -u MFLAGS make --no-print-directory -j"$(nproc)" all

read -ra args <<<"${ARGS:-}"

# The option --data in ARGS speaks for itself.
if [[ " ${ARGS:-} " != *" --data"[\ =]* ]]; then
    if [ -n "${DATA:-${CIFAR10_DIR:-}}" ]; then
        data=${DATA:-$CIFAR10_DIR}
    elif scripts/get-cifar10.sh data/cifar10; then
        data=data/cifar10
    else
        echo "warning: the download failed and CIFAR10_DIR names no folder: training on SYNTHETIC images" >&2
        data=synthetic
    fi
    args+=(--data "$data")
fi

# ---- Which run. ----
# The number of the last of the runs $1, $1.2, $1.3 ...; 0 where there is none.
last_run() {
    local path number last=0
    [ ! -e "$1" ] || last=1
    for path in "$1".*; do
        number=${path#"$1".}
        if [[ $number =~ ^[1-9][0-9]{0,8}$ ]] && [ "$number" -gt "$last" ]; then last=$number; fi
    done
    echo "$last"
}

# numbered BASE N
numbered() { if [ "$2" -le 1 ]; then echo "$1"; else echo "$1.$2"; fi; }

# Sets $run. $goes_on: where it has begun already.
choose_run() {
    local base=$1 last status
    last=$(last_run "$base")
    run=$(numbered "$base" "$last")
    status=
    if [ -e "$run/sessions.jsonl" ] || [ -e "$run/metrics.jsonl" ] || [ -e "$run/result.json" ]; then
        status=$("$build/lockstep" runs "$run" --csv --columns status | tail -n +2)
    fi
    goes_on=
    if [ -z "$status" ]; then
        echo "run: $run begins"
    elif [ "${NEW:-0}" = 1 ] || { [ "${RESUME:-0}" != 1 ] && [[ $status = finished || $status = damaged ]]; }; then
        run=$(numbered "$base" $((last + 1)))
        echo "run: $(numbered "$base" "$last") is $status and stays as it is; $run begins"
    else
        goes_on=yes
        echo "run: $run ($status) goes on; NEW=1 begins another one beside it"
    fi
}

goes_on=
if [[ ! " ${ARGS:-} " =~ \ --(reset|resume)[\ =] ]]; then
    # Flags, environment and recipe may name another directory: the trainer knows.
    base=$("$build/lockstep" train "$config" "${args[@]}" --dump-config)
    base=$(sed -n 's/^out: //p' <<<"$base")
    if [[ $base = \'*\' ]]; then base=${base:1:-1} base=${base//\'\'/\'}; fi
    # A name with the time is a new one each time; of others a % is %% for the trainer.
    if [[ ${base//%%/} = *%* ]]; then
        echo "run: $base begins"
    else
        choose_run "${base//%%/%}"
        args+=(--out "${run//%/%%}")
    fi
fi

# Every rank gets a terminal of its own from mpirun, so only this script can tell whether somebody watches.
if [ -t 1 ]; then
    columns=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2) || true
    [ "${columns:-0}" -ge 20 ] || columns=80 # some terminals do not know their width, and say 0
    args+=(--progress bar --progress-width "$columns")
else
    args+=(--progress lines)
fi

. scripts/env.sh
. scripts/mpi.sh
mpirun=$(mpi_run "$build/lockstep")
if [ "$np" -gt "$(nproc)" ]; then
    export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe OMPI_MCA_mpi_yield_when_idle=1
fi

# Job control gives mpirun a process group of its own, so that Ctrl-C reaches only this script, which
# turns it into a request.
set -m
"$mpirun" -np "$np" "$build/lockstep" train "$config" "${args[@]}" </dev/null &
job=$!

stops=0
stop() {
    stops=$((stops + 1))
    if [ "$stops" -eq 1 ]; then
        echo "stopping after a checkpoint; once more to end at once" >&2
        kill -USR1 "$job" 2>/dev/null || true
    else
        kill -TERM "$job" 2>/dev/null || true
    fi
}
trap stop INT
trap 'stops=1; stop' TERM HUP

# wait returns early when a signal came; the job's own code is what counts.
rc=0
while :; do
    before=$stops
    wait "$job" && rc=0 || rc=$?
    [ "$stops" -ne "$before" ] || break
done
if [ $rc -eq 75 ]; then
    echo "stopped; \`make run\` goes on from the checkpoint"
elif [ $rc -eq 2 ] && [ -n "$goes_on" ]; then
    echo "run: to leave $run as it is and begin another run: make run NEW=1" >&2
fi
exit $rc
