#!/bin/bash
# Time and accuracy over device setting x batch size x repeat: scripts/timing-study.sh [CONFIG [--KEY VALUE]...]
#
#   SETTINGS="cpu cores single multi"   one core, all cores, one GPU, all GPUs; what is not there is left out, and said
#   BATCHES="50 100 150 200 250"        each a multiple of the lanes
#   REPEATS=10   EPOCHS=20              every run has a seed of its own, across settings too
#   RECIPE=msu-net                      where CONFIG is not given: configs/msu-net.yaml
#   DATA=DIR                            the images; otherwise CIFAR10_DIR, then data/cifar10 and a download
#   STUDY=runs/timing-study             the folder of it all
#   ARGS="--KEY VALUE"                  more options of lockstep train, as those after CONFIG
#
# What is done is kept: a study that was stopped goes on, and one with more REPEATS or BATCHES adds to it. A run that was cut
# off begins anew. Ends in study.csv (every run), summary.csv (means, deviations, speed-up, efficiency), time and accuracy as
# .svg and .png, and hardware-HOST.txt; docs/timing-study.md explains them.
#
#   --one INDEX    only the run of that number (scripts/slurm/timing-study.sbatch), and the tables so far
#   --collect      only the tables and plots of what is done
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' scripts/timing-study.sh && exit ;; esac
study_name=timing-study
# shellcheck source=scripts/study/lib.sh
. scripts/study/lib.sh

mode=all index=
case ${1:-} in
    --collect) mode=collect && shift ;;
    --one) mode=one index=${2:-} && shift 2 ;;
esac
known=(cpu cores single multi)
read -ra settings <<<"${SETTINGS:-${known[*]}}"
read -ra batches <<<"${BATCHES:-50 100 150 200 250}"
repeats=${REPEATS:-10}
study=${STUDY:-runs/timing-study}
whole REPEATS "$repeats"
most=50000 whole BATCHES "${batches[@]}"
most=100000 whole EPOCHS "${EPOCHS:-20}"
for setting in "${settings[@]}"; do
    [[ " ${known[*]} " = *" $setting "* ]] || stop "SETTINGS: '$setting' is none of ${known[*]}"
done

# ---- What this machine, or this job, has ----
# look_around: sets missing[SETTING], why it is not there, or has[SETTING], in words; cores and gpus.
declare -A missing=() has=()
look_around() {
    local versions
    cores=$(nproc) versions=$("$program" --version)
    gpus=$(sed -n 's/^GPUs: //p' <<<"$versions")
    core=$(sed -nE 's/^Cpus_allowed_list:[[:space:]]*([0-9]+).*/\1/p' /proc/self/status)
    nodes=${SLURM_JOB_NUM_NODES:-1} threads=$((cores < lanes ? cores : lanes))
    has[cpu]="1 core: number $core alone, one compute thread"
    command -v taskset >/dev/null || missing[cpu]="taskset is missing (package util-linux)"
    has[cores]="$threads cores: as many compute threads"
    [ "$threads" = "$cores" ] || has[cores]+=", since there are $lanes lanes; $cores cores are there"
    if [ -n "${SLURM_JOB_ID:-}" ]; then
        has[cores]="those of the job on $nodes nodes, as scripts/slurm/launch.sh shares them out"
    elif [ "$cores" = 1 ]; then
        missing[cores]="there is one core: see cpu"
    elif [ "$threads" = 1 ]; then
        missing[cores]="the recipe has one lane"
    fi
    has[single]="1 GPU" has[multi]="$((${gpus:-0} * nodes)) GPUs, a rank each"
    if [ "${gpus:-0}" = 0 ]; then
        missing[single]="no GPU: $(grep -E '^(CUDA: |NVIDIA driver: |GPUs: )' <<<"$versions" | tail -n 1)"
        missing[multi]=${missing[single]}
    elif [ $((gpus * nodes)) = 1 ]; then
        missing[multi]="there is one GPU: see single"
    elif [ $((gpus * nodes)) -gt "$lanes" ]; then
        missing[multi]="$((gpus * nodes)) GPUs and $lanes lanes: say --lanes $((gpus * nodes)) behind CONFIG"
    fi
}
setting_line() {
    if [ -n "${missing[$1]:-}" ]; then echo "$1: not there: ${missing[$1]}"; else echo "$1: ${has[$1]}"; fi
}

# ---- One run ----
# run_setting SETTING RUN WORD...: trains as the setting says.
run_setting() {
    local setting=$1 run=$2 launcher=()
    shift 2
    case $setting in
        cpu) launcher=(taskset -c "$core" "$program" train) && set -- "$@" --device cpu --threads 1 ;;
        single) launcher=("$program" train) && set -- "$@" --device cuda ;;
        cores)
            launcher=("$program" train)
            if [ -n "${SLURM_JOB_ID:-}" ]; then launcher=(scripts/slurm/launch.sh train); else set -- "$@" --threads "$threads"; fi
            set -- "$@" --device cpu
            ;;
        multi)
            launcher=(mpirun -np "${gpus:-}" "$program" train)
            [ -z "${SLURM_JOB_ID:-}" ] || launcher=(scripts/slurm/launch.sh train)
            set -- "$@" --device cuda
            ;;
    esac
    attempt "$run" "${launcher[@]}" "$@"
}

# units RUN SETTING: cores that computed, or GPUs.
units() {
    local ranks threads_each most
    ranks=$(value "$1" ranks)
    case $2 in
        cpu | single) echo 1 ;;
        multi) echo "$ranks" ;;
        cores)
            threads_each=$(value "$1" threads) most=$(value "$1" lanes)
            echo $((ranks * threads_each < most ? ranks * threads_each : most))
            ;;
    esac
}

# measure SETTING BATCH REPEAT
measure() {
    local setting=$1 size=$2 repeat=$3 run=$study/$1-$2-$3 kind seed
    for kind in "${!known[@]}"; do [ "${known[kind]}" != "$setting" ] || break; done
    seed=$((size * 10000 + kind * 1000 + repeat))
    run_setting "$setting" "$run" "$config" --epochs "${EPOCHS:-20}" --eval.every "$epochs" --keep 1 --report false \
        --tensorboard.events false "${args[@]}" --batch-size "$size" --seed $seed --out "$run" --reset
    begin_row setting "$setting" batch "$size" repeat "$repeat" seed $seed ranks "$(value "$run" ranks)" \
        threads "$(value "$run" threads)" units "$(units "$run" "$setting")"
    add_result "$run"
    put_row "$run"
}

# ---- Tables and plots ----
collect() {
    local before rows
    while :; do
        before=$(find "$study" -mindepth 2 -maxdepth 2 -name row.csv | wc -l)
        [ "$before" -gt 0 ] || { echo "no run is done yet" && return; }
        all_rows "$study" "${known[@]}" >"$study/.study.$mine"
        summarize <"$study/.study.$mine" >"$study/.summary.$mine"
        mv "$study/.study.$mine" "$study/study.csv" && mv "$study/.summary.$mine" "$study/summary.csv"
        plots
        # Of several jobs that collect at once the last one must have seen all rows.
        rows=$(find "$study" -mindepth 2 -maxdepth 2 -name row.csv | wc -l)
        [ "$rows" != "$before" ] || break
    done
}

summarize() {
    awk -F, -v OFS=, "$statistics"'
        NR == 1 { read_names(); next }
        {
            kind = $1 "," $at["units"]; key = kind "," $2
            if (!(key in runs)) { keys[++n] = key; setting[key] = $1; units[key] = $at["units"]; batch[key] = $2 }
            runs[key]++
            train[key] = train[key] " " $at["train_s"]; process[key] = process[key] " " $at["process_s"]
            evaluation[key] = evaluation[key] " " $at["evaluation_s"]; startup[key] = startup[key] " " $at["startup_s"]
            rate[key] = rate[key] " " $at["images_per_s"]; accuracy[key] = accuracy[key] " " $at["test_accuracy"]
        }
        # The mean time of one unit of that setting, "" where it was not measured.
        function time_of(setting, batch,    key) { key = setting ",1," batch; return key in train ? mean(train[key]) : "" }
        function over(base, time) { return base == "" || time <= 0 ? "" : base / time }
        END {
            print "setting,name,units,batch,runs,train_s_mean,train_s_sd,process_s_mean,process_s_sd,evaluation_s_mean," \
                "startup_s_mean,images_per_s_mean,accuracy_mean,accuracy_sd,speedup,efficiency,over_cpu"
            for (i = 1; i <= n; i++) {
                key = keys[i]; s = setting[key]; gpu = s == "single" || s == "multi"; time = mean(train[key])
                name = units[key] (gpu ? " GPU" : " core") (units[key] == 1 ? "" : "s")
                speedup = over(time_of(gpu ? "single" : "cpu", batch[key]), time)
                print s, name, units[key], batch[key], runs[key], real(time), real(deviation(train[key])), \
                    real(mean(process[key])), real(deviation(process[key])), real(mean(evaluation[key])), \
                    real(mean(startup[key])), real(mean(rate[key])), real(mean(accuracy[key])), \
                    real(deviation(accuracy[key])), real(speedup), speedup == "" ? "" : real(speedup / units[key]), \
                    real(over(time_of("cpu", batch[key]), time))
            }
        }'
}

plots() {
    local passes
    passes=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
        NR == 2 { print $at["epochs"] ($at["epochs"] == 1 ? " epoch" : " epochs") }' "$study/study.csv")
    figure "$study" time --x batch --y train_s_mean --spread train_s_sd --by name --from-zero --x-label "batch size" \
        --y-label seconds --title "Training time, $passes"
    figure "$study" accuracy --x batch --y accuracy_mean --spread accuracy_sd --by name --factor 100 --x-label "batch size" \
        --y-label % --title "Test accuracy, $passes"
}

at_stop() { collect; }
show() {
    echo
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i
                       printf "%-12s %6s %5s %10s %8s %10s %9s %8s %8s %10s\n", "setting", "batch", "runs", "train, s", "+-",
                           "process, s", "accuracy", "+-", "speed-up", "efficiency"; next }
        { printf "%-12s %6d %5d %10.2f %8s %10.2f %7.2f %% %8s %8s %10s\n", $at["name"], $at["batch"], $at["runs"],
            $at["train_s_mean"], word($at["train_s_sd"], "%.2f"), $at["process_s_mean"], 100 * $at["accuracy_mean"],
            word($at["accuracy_sd"], "%.2f", 100), word($at["speedup"], "%.2f"), word($at["efficiency"], "%.0f %%", 100) }
        function word(x, form, factor) { return x == "" ? "-" : sprintf(form, x * (factor ? factor : 1)) }' "$study/summary.csv"
    echo
    echo "$study: study.csv, summary.csv, time.svg, accuracy.svg, hardware-*.txt"
    for what in git host dataset; do
        awk -F, -v what=$what 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            !($at[what] in seen) { seen[$at[what]]; list = list (n++ ? ", " : "") $at[what] }
            END { if (n > 1) printf "note: the runs are of more than one %s: %s\n", what, list }' "$study/study.csv"
    done
}

# ---- All of it ----
if [ $mode = collect ]; then
    collect
    show
    exit
fi
recipe_of "$@"
refuse_own --batch-size --seed --out --device --threads --reset --resume
find_data
open_study "$study" --epochs "${EPOCHS:-20}" --batch-size "${batches[0]}" "${args[@]}"
[[ $lanes =~ ^[0-9]+$ ]] || stop "$config needs a number of lanes, the same on every device: say --lanes N behind it"
for size in "${batches[@]}"; do
    [ $((size % lanes)) = 0 ] || stop "a batch of $size cannot be shared out to $lanes lanes: say other BATCHES, or --lanes behind CONFIG"
done
look_around

combinations=$((${#settings[@]} * ${#batches[@]}))
if [ $mode = one ]; then
    [[ $index =~ ^[0-9]+$ ]] && [ "$index" -lt $((combinations * repeats)) ] ||
        stop "no combination $index: submit with --array=0-$((combinations * repeats - 1))"
fi
hardware=$study/hardware-$(hostname -s).txt
[ -s "$hardware" ] || describe_host "$hardware"
grep -v '^setting ' "$hardware" >"$hardware.$mine" || true
for setting in "${known[@]}"; do
    echo "setting $(setting_line "$setting")" >>"$hardware.$mine"
    [[ " ${settings[*]} " != *" $setting "* ]] || setting_line "$setting"
done
mv "$hardware.$mine" "$hardware"

# Repeats vary slowest, so that an early look shows every combination, and a slow hour hits all alike.
here=0 there=0
for setting in "${settings[@]}"; do [ -n "${missing[$setting]:-}" ] || there=$((there + 1)); done
total=$((there * ${#batches[@]} * repeats)) number=0
[ $total -gt 0 ] || stop "none of these settings is there"
for ((repeat = 1; repeat <= repeats; repeat++)); do
    for size in "${batches[@]}"; do
        for setting in "${settings[@]}"; do
            here=$((here + 1))
            [ $mode = all ] || [ $((here - 1)) = "$index" ] || continue
            if [ -n "${missing[$setting]:-}" ]; then
                [ $mode = all ] || setting_line "$setting"
                continue
            fi
            number=$((number + 1)) run=$study/$setting-$size-$repeat
            if done_already "$run"; then
                done_word=", from before"
            else
                done_word=
                measure "$setting" "$size" "$repeat"
            fi
            awk -F, -v of="$number/$total" -v word="$done_word" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
                { printf "%s %s, batch %d, repeat %d: training %.2f s, evaluation %.2f s, start-up %.2f s, accuracy %.2f %%%s\n", of,
                      $1, $2, $3, $at["train_s"], $at["evaluation_s"], $at["startup_s"], 100 * $at["test_accuracy"], word }' "$run/row.csv"
        done
    done
done
collect
[ $mode = one ] || show
