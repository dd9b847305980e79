#!/bin/bash
# What a recipe reaches, over seeds: RECIPE=NAME scripts/accuracy.sh, or scripts/accuracy.sh CONFIG [--KEY VALUE]...
#
#   RECIPE=NAME                  configs/NAME.yaml, or a file
#   RUNS=10                      with the seeds 1 to 10
#   TARGET=0.94                  also the share of runs at or above it; otherwise the recipe's own target, if it has one
#   EPOCHS=N                     otherwise the recipe's
#   NP=N                         ranks, by mpirun; otherwise one process
#   DATA=DIR                     the images; otherwise CIFAR10_DIR, then data/cifar10 and a download
#   STUDY=runs/accuracy-NAME     the folder of it all
#   ARGS="--KEY VALUE"           more options of lockstep train, as those after CONFIG
#
# What is done is kept: more RUNS add to it, and a run that was cut off goes on from its last checkpoint. Ends in study.csv
# (every run), summary.csv, and, with cairo, a report of all runs over each other. The accuracy is result.json's: of the last
# weights, on the test set, with the recipe's test-time augmentation.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' scripts/accuracy.sh && exit ;; esac
study_name=accuracy
# shellcheck source=scripts/study/lib.sh
. scripts/study/lib.sh

[ -n "${RECIPE:-}" ] || [ $# -gt 0 ] || stop "which recipe? Say RECIPE=NAME"
runs=${RUNS:-10}
whole RUNS "$runs"
target=${TARGET:-}
[[ -z $target || $target =~ ^(0?\.[0-9]+|1(\.0*)?)$ ]] || stop "TARGET is a share of right answers, as 0.94, not '$target'"
launcher=()
[ -z "${NP:-}" ] || { whole NP "$NP" && launcher=(mpirun -np "$NP"); }
recipe_of "$@"
refuse_own --seed --out --reset --resume
name=$(basename "$config" .yaml)
study=${STUDY:-runs/accuracy-$name}

collect() {
    compgen -G "$study/*/row.csv" >/dev/null || return 0
    all_rows "$study" >"$study/.study.$mine"
    mv "$study/.study.$mine" "$study/study.csv"
    awk -F, -v OFS=, -v name="$name" -v target="$target" "$statistics"'
        NR == 1 { read_names(); next }
        {
            a = $at["test_accuracy"]; all = all " " a; n++
            if (n == 1 || a + 0 < least + 0) least = a
            if (n == 1 || a + 0 > most + 0) most = a
            reached += target != "" && a + 0 >= target + 0
        }
        END {
            print "recipe,runs,accuracy_mean,accuracy_sd,accuracy_min,accuracy_max,target,share"
            print name, n, real(mean(all)), real(deviation(all)), least, most, target, target == "" ? "" : real(reached / n)
        }' "$study/study.csv" >"$study/.summary.$mine"
    mv "$study/.summary.$mine" "$study/summary.csv"
}
at_stop() { collect; }

show() {
    echo
    awk -F, 'NR == 2 {
        printf "%s: %d run%s, test accuracy: mean %.2f %%, deviation %s, minimum %.2f %%, maximum %.2f %%", $1, $2, $2 == 1 ? "" : "s",
            100 * $3, $4 == "" ? "-" : sprintf("%.2f", 100 * $4), 100 * $5, 100 * $6
        if ($7 != "") printf "; %.0f %% of the runs at or above %.4g %%", 100 * $8, 100 * $7
        print "" }' "$study/summary.csv"
    echo "$study: study.csv, summary.csv$([ ! -e "$study/report/report.html" ] || echo ", report/report.html")"
}

find_data
open_study "$study" ${EPOCHS:+--epochs "$EPOCHS"} "${args[@]}"
[ -n "$target" ] || target=$("$program" train "$config" "${args[@]}" --dump-config | sed -n 's/^target: //p')
[ "$target" != 0 ] || target=
describe_host "$study/hardware-$(hostname -s).txt"
for ((seed = 1; seed <= runs; seed++)); do
    run=$study/seed-$seed word=
    if done_already "$run"; then
        word=", from before"
    else
        attempt "$run" "${launcher[@]}" "$program" train "$config" ${EPOCHS:+--epochs "$EPOCHS"} --report false "${args[@]}" \
            --seed $seed --out "$run"
        from=$(value "$run" resumed_from)
        begin_row seed $seed ranks "$(value "$run" ranks)" threads "$(value "$run" threads)" resumed_from "${from/null/}"
        add_result "$run"
        put_row "$run"
    fi
    awk -F, -v of="$seed/$runs" -v word="$word" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { printf "%s seed %d: accuracy %.2f %%, loss %.4f%s\n", of, $1, 100 * $at["test_accuracy"], $at["test_loss"], word }' "$run/row.csv"
done
collect
if [ "$runs" -gt 1 ]; then
    "$program" report "$study"/seed-*/ --out "$study/report" >/dev/null 2>&1 || true
fi
show
