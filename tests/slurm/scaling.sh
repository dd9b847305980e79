#!/bin/bash
# scripts/scaling-study.sh over nodes: a job that it submits itself, and mpirun with a hostfile. Speed is not looked at.
# shellcheck disable=SC2016 # awk programs
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"

cluster 2 2
small_data "$tmp/data" 64 50 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data EMULATED_CLUSTER=$home POLL_S=0.2
MPIRUN_ARGS="--mca plm_rsh_agent $PWD/$tools/rsh.sh"
export MPIRUN_ARGS

# study NAME OPTION...: two ranks on one node, four on two; sets $code, $log, $table.
study() {
    local name=$1
    shift
    log=$tmp/$name.log table=$tmp/$name/scaling.csv
    on_login scripts/scaling-study.sh --nodes "1 2" --ranks-per-node 2 --repeats 1 --steps 1 --out "$tmp/$name" "$@" >"$log" 2>&1
    code=$?
}
columns() { awk -F, -v from="$1" -v to="$2" 'NR > 1 { for (i = from; i <= to; i++) printf "%s ", $i; printf "| " }' "$table"; }

# adds_up NAME WHAT
adds_up() {
    check "$2: runs" test $code = 0
    check "$2: columns of every run" \
        test "$(head -n 1 "$tmp/$1/runs.csv")" = kind,nodes,ranks,lanes,batch,repeat,step_ms,exposed_ms,images_per_s
    check "$2: columns of the table" \
        test "$(head -n 1 "$table")" = kind,nodes,ranks,lanes,batch,step_ms,exposed_ms,images_per_s,efficiency
    check "$2: strong keeps lanes and batch over 1 and 2 nodes, weak has a lane a rank" \
        test "$(columns 1 5)" = "strong 1 2 4 32 | strong 2 4 4 32 | weak 1 2 2 16 | weak 2 4 4 32 | "
    # The step is printed to a tenth of a millisecond.
    check "$2: images/s are the batch over the step" awk -F, '
        NR > 1 { d = 1000 * $5 / $8 - $6; if (d < -0.11 || d > 0.11) { print; exit 1 } n++ }
        END { exit n != 4 }' "$table"
    check "$2: efficiency is of a rank against the kind's first point" awk -F, '
        NR == 1 { next }
        !($1 in first) { first[$1] = $8 / $3; if ($9 != 1) exit 1 }
        { d = $8 / $3 / first[$1] - $9; if (d < -0.002 || d > 0.002) exit 1; n++ }
        END { exit n != 4 }' "$table"
    check "$2: points of one node ran on one, points of two on both" \
        test "$(grep -o '^rank [0-9] on n[12]:' "$tmp/$1/runs.txt" | sort | uniq -c | awk '{ printf "%s %s %s ", $1, $3, $5 }')" = \
        "4 0 n1: 4 1 n1: 2 2 n2: 2 3 n2: "
    if /usr/bin/python3 -c 'import matplotlib' 2>/dev/null; then
        check "$2: a plot" grep -q '<svg' "$tmp/$1/scaling.svg"
    else
        skip "$2: a plot" "python3-matplotlib is missing"
    fi
}
study submitted --launcher sbatch $recipes/tiny.yaml
adds_up submitted "a study as a job"
check "a study as a job: srun starts its points" grep -q '^launch: srun .*--nodes=2 --ntasks=4' "$tmp/submitted/runs.txt"
# On the login node, which is none of the job's own: the nodes tell which of their interfaces to take.
log=$tmp/allocated.log
on_login salloc --nodes=2 --ntasks-per-node=2 scripts/scaling-study.sh --launcher srun --nodes 2 --ranks-per-node 2 --kinds strong --repeats 1 \
    --steps 1 --out "$tmp/allocated" $recipes/tiny.yaml >"$log" 2>&1
check "a study within an allocation" test "$(wc -l <"$tmp/allocated/scaling.csv")" = 2
check "a study within an allocation: takes the network of the nodes" \
    grep -q '^launch: 4 ranks by srun, network eth0, ' "$tmp/allocated/runs.txt"
study hosts --hostfile hostfiles/two-nodes.txt $recipes/tiny.yaml
adds_up hosts "a study by mpirun and a hostfile"

# ---- A point that fails ends the study and is named. ----
echo "n1 slots=2" >"$tmp/one"
study short --kinds strong --hostfile "$tmp/one" $recipes/tiny.yaml
check "a node that the hostfile lacks: code 1" test $code = 1
check "a node that the hostfile lacks: names the point" grep -q '^scaling-study: strong scaling on 4 ranks of 2 nodes failed' "$log"
refuse "a node that the hostfile lacks: leaves no table" test -e "$table"
study failed --kinds weak --launcher sbatch $recipes/tiny.yaml --data "$tmp/nowhere"
check "a job without data: code 1" test $code = 1
check "a job without data: names the point" grep -q '^scaling-study: weak scaling on 2 ranks of 1 nodes failed' "$log"
check "a job without data: says where to look" grep -q "left no scaling.csv; see $tmp/failed/slurm-[0-9]*.txt" "$log"
finish
