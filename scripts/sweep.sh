#!/bin/bash
# Trains a recipe once for each point of a grid of options, and ends in a table and a report of all runs:
#
#   scripts/sweep.sh CONFIG [--grid KEY=VALUE,VALUE...]... [--seeds N] [--out DIR] [--slurm] [--KEY VALUE]...
#   scripts/sweep.sh configs/quickstart.yaml --grid optimizer.lr=0.1,0.2 --seeds 5
#
#   --grid KEY=A,B,C   values of an option; with several grids every combination. Values that hold commas stand apart by blanks:
#                      --grid "augment.crop-area=0.5,1 0.25,1"
#   --seeds N          each combination with the seeds 1 to N; otherwise with the recipe's
#   --out DIR          the runs' folder, otherwise runs/sweep-CONFIG
#   --slurm            as an array of Slurm jobs; without, one run after another, by mpirun or within a Slurm job by srun
#   --KEY VALUE        an option of lockstep train, for all runs (--data, --epochs ...)
#
# In the end there are DIR/runs.csv and DIR/report/report.html; the table is that of `lockstep runs DIR`, the report that of
# `lockstep report`, with means over the seeds; jobs write to DIR/job-*.out. The same command again goes on: runs that are
# finished stay as they are. A run that fails keeps no other from running; the code of the first that failed is the script's.
# Ctrl-C, USR1 and TERM end the sweep after a checkpoint, with code 75. Relative paths count from the root of the clone.
# Variables:
#
#   NP=2, RANKS_PER_NODE, LAUNCHER ...   see scripts/slurm/launch.sh --help
#   SBATCH_ARGS="--nodes=2 --time=1:00:00"   with --slurm: more words for sbatch
#   PARALLEL=4                               with --slurm: at most so many jobs at a time
set -euo pipefail

case ${1:---help} in -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit ;; esac
cd "$(dirname "$0")/.."
program=${PROGRAM:-build/lockstep}
die() { echo "sweep.sh: $*" >&2 && exit 2; }
[ -x "$program" ] || die "$program is not there: run make, or name another by PROGRAM=FILE"
. scripts/slurm/job.sh

# ---- The end: table and report of what is in the folder $1. ----
end_sweep() {
    local out=$1 runs=() status run code=0
    "$program" runs "$out" --csv >"$out/runs.csv" 2>/dev/null
    "$program" runs "$out"
    while IFS=, read -r status run; do
        [ "$status" = damaged ] || runs+=("$out/$run")
    done < <("$program" runs "$out" --csv --columns status,run 2>/dev/null | tail -n +2)
    [ ${#runs[@]} -gt 0 ] || return 0
    "$program" report "${runs[@]}" --out "$out/report" || code=$?
    [ $code -eq 0 ] || echo "sweep: there is no report (code $code), but $out/runs.csv" >&2
}
if [ "$1" = --end ]; then
    end_sweep "$2"
    exit
fi

# ---- What to run ----
config=$1 out='' seeds='' slurm='' grids=() words=()
shift
[[ $config != -* ]] || die "name the recipe first: scripts/sweep.sh CONFIG [OPTION]..."
while [ $# -gt 0 ]; do
    case $1 in
        --grid | --seeds | --out)
            [ $# -gt 1 ] || die "$1 needs a value; see scripts/sweep.sh --help"
            case $1 in --grid) grids+=("$2") ;; --seeds) seeds=$2 ;; --out) out=$2 ;; esac
            shift
            ;;
        --grid=*) grids+=("${1#*=}") ;;
        --seeds=*) seeds=${1#*=} ;;
        --out=*) out=${1#*=} ;;
        --slurm) slurm=yes ;;
        *) words+=("$1") ;;
    esac
    shift
done
name=${config##*/}
out=${out:-runs/sweep-${name%.yaml}}
[[ -z $seeds || $seeds =~ ^[1-9][0-9]*$ ]] || die "--seeds $seeds: not a number from 1"

# points holds "KEY=VALUE<tab>KEY=VALUE...", one for each combination.
points=("")
# multiply KEY VALUE...: each point with each of the values.
multiply() {
    local key=$1 value point more=()
    shift
    for point in "${points[@]}"; do
        for value in "$@"; do more+=("$point${point:+$'\t'}$key=$value"); done
    done
    points=("${more[@]}")
}
for grid in "${grids[@]}"; do
    [[ $grid = ?*=?* ]] || die "--grid $grid: give KEY=VALUE,VALUE..., as in optimizer.lr=0.1,0.2"
    separator=,
    [[ $grid != *\ * ]] || separator=' '
    IFS=$separator read -ra values <<<"${grid#*=}"
    multiply "${grid%%=*}" "${values[@]}"
done
[ -z "$seeds" ] || mapfile -t numbers < <(seq "$seeds")
[ -z "$seeds" ] || multiply seed "${numbers[@]}"

# A line a run: its folder, recipe and options, with tabs between.
. scripts/path.sh
plain_path "$out"
mkdir -p "$out"
plan=$out/sweep.tsv
: >"$plan.new"
for point in "${points[@]}"; do
    IFS=$'\t' read -ra settings <<<"$point"
    run=${point//$'\t'/_} line=$config
    run=${run//[,\/ ]/-}
    for word in "${settings[@]}"; do line+=$'\t'--$word; done
    for word in "${words[@]}"; do line+=$'\t'$word; done
    # What is wrong shows before anything is run.
    IFS=$'\t' read -ra line_words <<<"$line"
    "$program" train "${line_words[@]}" --out "$out" --dump-config >/dev/null
    printf '%s\t%s\n' "$out/${run:-run}" "$line" >>"$plan.new"
done
mv "$plan.new" "$plan"
mapfile -t lines <"$plan"
echo "sweep: ${#lines[@]} runs in $out"

# ---- As an array of jobs ----
if [ -n "$slurm" ]; then
    read -ra more <<<"${SBATCH_ARGS:-}"
    array=$(sbatch --parsable --array="0-$((${#lines[@]} - 1))${PARALLEL:+%$PARALLEL}" --output="$out/job-%A_%a.out" "${more[@]}" \
        scripts/slurm/sweep.sbatch "$plan")
    last=$(sbatch --parsable --dependency="afterany:${array%%;*}" --job-name=lockstep-sweep-end --output="$out/job-%j.out" \
        --wrap "cd $(printf %q "$PWD") && scripts/sweep.sh --end $(printf %q "$out")")
    echo "sweep: jobs ${array%%;*}; when they are done job ${last%%;*} makes $out/runs.csv and $out/report"
    exit
fi

# ---- One after another ----
# Job control gives the launcher a process group of its own, so that Ctrl-C comes to this script alone.
set -m
trap 'ask_to_stop "SIGINT"' INT
first=0
for line in "${lines[@]}"; do
    IFS=$'\t' read -ra line_words <<<"$line"
    echo "sweep: ${line_words[0]}"
    run_job train "${line_words[@]:1}" --out "${line_words[0]}"
    [ "$code" -ne 75 ] || { first=75 && break; }
    [ "$code" -eq 0 ] || echo "sweep: ${line_words[0]} failed (code $code); the others go on" >&2
    [ "$first" -ne 0 ] || first=$code
done
end_sweep "$out"
[ "$first" -ne 75 ] || echo "sweep: stopped; the same command goes on"
exit "$first"
