#!/bin/bash
# Strong and weak scaling: scripts/scaling-study.sh [OPTION]... CONFIG [--KEY VALUE]...
#
#   --ranks "1 2 4"          ranks of each point (mpirun, one node or a hostfile)
#   --nodes "1 2 4"          nodes of each point, with --ranks-per-node R ranks on each (1)
#   --kinds "strong weak"    strong: the recipe's batch and lanes; weak: --rank-lanes K lanes a rank (1), each as large as
#                            the recipe's
#   --repeats N (3)          each point N times, in turn; medians count
#   --steps N (10)           measured steps of a run, after two that are not
#   --launcher mpirun        or srun (within an allocation), or sbatch: submits itself for the most nodes and waits; more
#                            options of sbatch by $SBATCH_OPTIONS. scripts/slurm/launch.sh starts the ranks: its variables count
#   --hostfile FILE          for mpirun
#   --out DIR (scaling)      scaling.csv, scaling.svg; runs.csv, and runs.txt: what each run printed
#
# All after CONFIG goes to `lockstep bench`, for instance --threads 1 or --reduction native. Efficiency is images/s of a rank
# over images/s of a rank at the kind's first point.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
. scripts/env.sh

stop() { echo "scaling-study: $1" >&2 && exit 2; }
usage() { sed -n '2,16s/^# \?//p' scripts/scaling-study.sh; }
whole() { [[ $1 =~ ^[1-9][0-9]*$ ]] || stop "$2 takes whole numbers from 1, not '$1'"; }

all=("$@") ranks='' nodes='' per_node=1 kinds="strong weak" rank_lanes=1 repeats=3 steps=10 launcher=mpirun hostfile=${HOSTFILE:-} out=scaling
while [ $# -gt 0 ] && [[ $1 = --* ]]; do
    [ "$1" != --help ] || { usage && exit 0; }
    [ $# -gt 1 ] || stop "$1 needs a value"
    case $1 in
        --ranks) ranks=$2 ;;
        --nodes) nodes=$2 ;;
        --ranks-per-node) per_node=$2 ;;
        --kinds) kinds=$2 ;;
        --rank-lanes) rank_lanes=$2 ;;
        --repeats) repeats=$2 ;;
        --steps) steps=$2 ;;
        --launcher) launcher=$2 ;;
        --hostfile) hostfile=$2 ;;
        --out) out=$2 ;;
        *) stop "unknown option '$1'; see --help" ;;
    esac
    shift 2
done
[ $# -gt 0 ] || { usage >&2 && exit 2; }
config=$1
shift
program=${BUILD:-build}/lockstep
[ -x "$program" ] || stop "$program is missing; build it with: make"
[[ $launcher =~ ^(mpirun|srun|sbatch)$ ]] || stop "--launcher is mpirun, srun or sbatch, not '$launcher'"
[ -z "$ranks" ] || [ -z "$nodes" ] || stop "--ranks and --nodes exclude each other"
[ -n "$ranks$nodes" ] || ranks="1 2 4"
[ "$launcher" = mpirun ] || [ -n "$nodes" ] || stop "$launcher needs --nodes"
for n in $per_node $rank_lanes $repeats $steps $ranks $nodes; do whole "$n" "a count"; done
for kind in $kinds; do [[ $kind =~ ^(strong|weak)$ ]] || stop "--kinds are strong and weak, not '$kind'"; done

# The recipe as it would run, options after CONFIG included.
dump=$("$program" train "$config" "$@" --dump-config)
batch=$(sed -n 's/^batch-size: \([0-9]*\).*/\1/p' <<<"$dump")
lanes=$(sed -n 's/^lanes: \([0-9]*\).*/\1/p' <<<"$dump")
[ -n "$batch" ] && [ -n "$lanes" ] || stop "$config needs a number of lanes"
points=() most=0
for n in ${ranks:-$nodes}; do
    count=$n
    [ -z "$nodes" ] || count=$((n * per_node))
    points+=("${nodes:+$n} $count")
    [ "$n" -le "$most" ] || most=$n
    [[ $kinds != *strong* ]] || [ "$count" -le "$lanes" ] ||
        stop "strong scaling to $count ranks needs as many lanes, and the recipe has $lanes: add --lanes $count behind $config"
done
. scripts/path.sh
plain_path "$out"
mkdir -p "$out"

if [ "$launcher" = sbatch ]; then
    command=$(printf '%q ' scripts/scaling-study.sh "${all[@]}")
    rm -f "$out/scaling.csv"
    # The last --launcher given counts, and must stand before CONFIG.
    command=${command/--launcher sbatch /--launcher srun }
    # shellcheck disable=SC2086
    job=$(sbatch --parsable --job-name=scaling --nodes="$most" --ntasks-per-node="$per_node" --output="$out/slurm-%j.txt" \
        ${SBATCH_OPTIONS:-} --wrap "$command")
    echo "job $job: $command"
    while [ -n "$(squeue -h -j "${job%%;*}" 2>/dev/null)" ]; do sleep "${POLL_S:-5}"; done
    if [ ! -f "$out/scaling.csv" ]; then
        grep '^scaling-study: ' "$out/slurm-${job%%;*}.txt" >&2 || true
        echo "scaling-study: job $job left no scaling.csv; see $out/slurm-${job%%;*}.txt" >&2
        exit 1
    fi
    cat "$out/scaling.csv"
    exit 0
fi

# launch NODES RANKS WORD...
launch() {
    local on=$1 count=$2
    shift 2
    NODES=$on NP=$count RANKS_PER_NODE=${on:+$per_node} LAUNCHER=$launcher HOSTFILE=$hostfile PROGRAM=$program \
        scripts/slurm/launch.sh "$@"
}

# measure KIND NODES RANKS REPEAT WORD...: one line of runs.csv.
measure() {
    local kind=$1 on=$2 count=$3 repeat=$4 size=$batch parts=$lanes
    shift 4
    if [ "$kind" = weak ]; then
        parts=$((rank_lanes * count))
        size=$((batch * parts / lanes))
    fi
    if ! launch "$on" "$count" bench "$config" "$@" --batch-size "$size" --lanes "$parts" --steps "$steps" >"$out/last.txt" 2>&1; then
        echo "scaling-study: $kind scaling on $count ranks${on:+ of $on nodes} failed:" >&2
        tail -n 20 "$out/last.txt" >&2
        exit 1
    fi
    cat "$out/last.txt" >>"$out/runs.txt"
    awk -v kind="$kind" -v nodes="${on:-1}" -v ranks="$count" -v size="$size" -v lanes="$parts" -v repeat="$repeat" '
        /exposed communication/ { exposed = $0; sub(/.*exposed communication /, "", exposed); sub(/,.*/, "", exposed) }
        /^step: median/ { step = $3 }
        / images\/s$/ { rate = $(NF - 1) }
        END {
            if (step == "" || rate == "") exit 1
            printf "%s,%s,%d,%d,%d,%d,%s,%s,%s\n", kind, nodes, ranks, lanes, size, repeat, step, exposed, rate
        }' "$out/last.txt" | tee -a "$out/runs.csv"
}

: >"$out/runs.txt"
echo "kind,nodes,ranks,lanes,batch,repeat,step_ms,exposed_ms,images_per_s" | tee "$out/runs.csv"
for ((repeat = 1; repeat <= repeats; repeat++)); do
    for kind in $kinds; do
        for point in "${points[@]}"; do
            measure "$kind" "${point%% *}" "${point##* }" $repeat "$@"
        done
    done
done

# Medians, and what a rank does against the kind's first point.
awk -F, '
    function middle(list,    n, i, j, v, t) {
        n = split(list, v, " ")
        for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    NR == 1 { next }
    {
        key = $1 "," $2 "," $3 "," $4 "," $5
        if (!(key in rate)) { order[++points] = key; kind[key] = $1; ranks[key] = $3 }
        step[key] = step[key] " " $7; exposed[key] = exposed[key] " " $8; rate[key] = rate[key] " " $9
    }
    END {
        print "kind,nodes,ranks,lanes,batch,step_ms,exposed_ms,images_per_s,efficiency"
        for (i = 1; i <= points; i++) {
            key = order[i]; own = middle(rate[key]) / ranks[key]
            if (!(kind[key] in first)) first[kind[key]] = own
            printf "%s,%.1f,%.1f,%.1f,%.3f\n", key, middle(step[key]), middle(exposed[key]), middle(rate[key]), own / first[kind[key]]
        }
    }' "$out/runs.csv" >"$out/scaling.csv"
cat "$out/scaling.csv"
scripts/plot-scaling.py "$out/scaling.csv" "$out/scaling.svg" || echo "no plot: it needs python3 with matplotlib (scripts/setup.sh scale)"
