#!/bin/bash
# Time over how often checkpoints are written: scripts/checkpoint-study.sh [CONFIG [--KEY VALUE]...]
#
#   EVERY="1 10 100 500 1000"     --checkpoint-every, steps
#   STEPS=N                       of a run; otherwise the largest of EVERY
#   REPEATS=3                     every run has a seed of its own
#   RECIPE=msu-net BATCH=50       where CONFIG is not given: 1,000 steps an epoch
#   NP=N                          ranks, by mpirun; otherwise one process
#   DATA=DIR                      the images; otherwise CIFAR10_DIR, then data/cifar10 and a download
#   STUDY=runs/checkpoint-study   the folder of it all; on the file system that is to be measured
#   ARGS="--KEY VALUE"            more options of lockstep train, as those after CONFIG
#
# What is done is kept: a study that was stopped goes on; a run that was cut off begins anew. Ends in study.csv (every run),
# summary.csv (means and deviations), time.svg and .png, hardware-HOST.txt; docs/timing-study.md explains them.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' scripts/checkpoint-study.sh && exit ;; esac
study_name=checkpoint-study
# shellcheck source=scripts/study/lib.sh
. scripts/study/lib.sh

read -ra intervals <<<"${EVERY:-1 10 100 500 1000}"
repeats=${REPEATS:-3}
study=${STUDY:-runs/checkpoint-study}
[ -n "${RECIPE:-}" ] || [ $# -gt 0 ] || BATCH=${BATCH:-50}
most=100000 whole EVERY "${intervals[@]}"
whole REPEATS "$repeats"
steps=${STEPS:-$(printf '%s\n' "${intervals[@]}" | sort -n | tail -n 1)}
most=1000000 whole STEPS "$steps"
launcher=()
[ -z "${NP:-}" ] || { whole NP "$NP" && launcher=(mpirun -np "$NP"); }

# ---- Tables and the plot ----
collect() {
    compgen -G "$study/*/row.csv" >/dev/null || return 0
    all_rows "$study" >"$study/.study.$mine"
    mv "$study/.study.$mine" "$study/study.csv"
    awk -F, -v OFS=, "$statistics"'
        NR == 1 { read_names(); next }
        {
            if (!($1 in runs)) keys[++n] = $1
            runs[$1]++
            time[$1] = time[$1] " " $at["train_s"] + $at["checkpoint_s"]
            held[$1] = held[$1] " " $at["checkpoint_s"]; accuracy[$1] = accuracy[$1] " " $at["test_accuracy"]
        }
        END {
            print "every,per_1000_steps,runs,time_s_mean,time_s_sd,checkpoint_s_mean,checkpoint_s_sd,accuracy_mean,accuracy_sd,over_rarest"
            for (i = 1; i <= n; i++) {
                key = keys[i]
                print key, real(1000 / key), runs[key], real(mean(time[key])), real(deviation(time[key])), real(mean(held[key])), \
                    real(deviation(held[key])), real(mean(accuracy[key])), real(deviation(accuracy[key])), \
                    real(mean(time[key]) / mean(time[keys[n]]))
            }
        }' "$study/study.csv" >"$study/.summary.$mine"
    mv "$study/.summary.$mine" "$study/summary.csv"
    figure "$study" time --x per_1000_steps --y time_s_mean --spread time_s_sd --x-log --from-zero \
        --x-label "checkpoints in 1,000 steps" --y-label seconds --title "Time of $steps steps by frequency of checkpoints"
}
at_stop() { collect; }

show() {
    echo
    awk -F, 'NR == 1 { printf "%8s %5s %10s %8s %22s %12s\n", "every", "runs", "time, s", "+-", "of it checkpoints, s", "over rarest"; next }
        { printf "%8d %5d %10.2f %8s %22.2f %12.3f\n", $1, $3, $4, $5 == "" ? "-" : sprintf("%.2f", $5), $6, $10 }' "$study/summary.csv"
    echo
    echo "$study: study.csv, summary.csv, time.svg, hardware-*.txt"
}

# ---- All of it ----
recipe_of "$@"
refuse_own --checkpoint-every --seed --out --steps --reset --resume --batch-size
find_data
sizes=(--steps "$steps" ${BATCH:+--batch-size "$BATCH"})
open_study "$study" "${args[@]}" "${sizes[@]}"
hardware=$study/hardware-$(hostname -s).txt
[ -s "$hardware" ] || describe_host "$hardware"
number=0 total=$((repeats * ${#intervals[@]}))
for ((repeat = 1; repeat <= repeats; repeat++)); do
    for every in "${intervals[@]}"; do
        number=$((number + 1)) run=$study/every-$every-$repeat word=
        if done_already "$run"; then
            word=", from before"
        else
            seed=$((every * 1000 + repeat))
            attempt "$run" "${launcher[@]}" "$program" train "$config" --eval.every "$epochs" --report false \
                --tensorboard.events false "${args[@]}" "${sizes[@]}" --checkpoint-every "$every" --seed $seed --out "$run" --reset
            [ "$(value "$run" step)" = "$steps" ] ||
                stop "the recipe's $epochs epochs end after $(value "$run" step) steps: say --epochs N behind CONFIG, or fewer STEPS"
            begin_row every "$every" repeat "$repeat" seed $seed batch "$batch" ranks "$(value "$run" ranks)" \
                threads "$(value "$run" threads)"
            add_result "$run"
            put_row "$run"
        fi
        awk -F, -v of="$number/$total" -v word="$word" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            { printf "%s every %d steps, repeat %d: training %.2f s, checkpoints %.2f s, accuracy %.2f %%%s\n", of, $1, $2,
                  $at["train_s"], $at["checkpoint_s"], 100 * $at["test_accuracy"], word }' "$run/row.csv"
    done
done
collect
show
