# What the studies have in common: many runs of one recipe, each with a seed of its own, a row of a table each. The scripts of
# this folder set $study_name and source it.
#
#   stop WORD...               an error of whoever started the study: code 2
#   whole WHAT NUMBER...       refuses what is no whole number from 1 to 999 (or $most)
#   recipe_of WORD...          CONFIG [--KEY VALUE]...: sets $config and $args; without CONFIG it is $RECIPE, a name or a file
#   refuse_own OPTION...       stops where $args has one of these, which the study sets itself
#   find_data                  adds --data to $args where nothing named the images, and downloads them if need be
#   open_study FOLDER WORD...  makes the folder, with the recipe as these options make it; refuses another recipe's folder. Sets
#                              $lanes, $epochs, $batch
#   attempt RUN COMMAND...     the command, whose run directory is RUN, until it ends; sets $seconds. A signal stops the study,
#                              with code 75, after at_stop
#   value RUN KEY              of RUN's result.json; of its last start, `threads`
#   begin_row NAME VALUE...    a new row; add_row NAME VALUE... adds to it
#   add_result RUN             adds what is the same of each run: times, accuracy, hash, place
#   put_row RUN                RUN/row.csv: this run is done
#   done_already RUN           whether it is
#   describe_host FILE         hardware and libraries of this machine
#   figure FOLDER NAME WORD... NAME.svg and, with cairo, NAME.png of FOLDER/summary.csv
# shellcheck shell=bash disable=SC2034 # for the scripts

study_name=${study_name:?}
at_stop() { :; }
# Ends the name of a file that no other process, of no other node, may use.
mine=$(hostname -s).$$
stop() { echo "$study_name: $*" >&2 && exit 2; }

program=${BUILD:-build}/lockstep
[ -x "$program" ] || stop "$program is missing; build it with: make"
# shellcheck source=scripts/env.sh
. scripts/env.sh
# shellcheck source=scripts/path.sh
. scripts/path.sh

whole() {
    local what=$1 number
    shift
    [ $# -gt 0 ] || stop "$what: none is named"
    for number; do
        [[ $number =~ ^[1-9][0-9]*$ ]] && [ ${#number} -le 7 ] && [ "$number" -le "${most:-999}" ] ||
            stop "$what: '$number' is no whole number from 1 to ${most:-999}"
    done
}

recipe_of() {
    config=${RECIPE:-msu-net}
    [ -f "$config" ] || config=configs/$config.yaml
    if [ $# -gt 0 ] && [[ $1 != -* ]]; then
        config=$1
        shift
    fi
    [ -f "$config" ] || stop "there is no recipe $config"
    read -ra args <<<"${ARGS:-}"
    args+=("$@")
}

# Whether $args names an option.
has_option() {
    local word
    for word in "${args[@]}"; do [[ $word != "$1" && $word != "$1="* ]] || return 0; done
    return 1
}
refuse_own() {
    local option
    for option; do ! has_option "$option" || stop "$option is the study's own: see $0 --help"; done
}

find_data() {
    ! has_option --data || return 0
    if [ -n "${DATA:-}" ]; then
        args+=(--data "$DATA")
    elif [ -z "${CIFAR10_DIR:-}${LOCKSTEP_DATA:-}${SLURM_JOB_ID:-}" ]; then
        scripts/get-cifar10.sh data/cifar10 || stop "no images: name their folder by DATA=DIR"
    fi
}

open_study() {
    local folder=$1 dump
    shift
    plain_path "$folder"
    mkdir -p "$folder"
    dump=$("$program" train "$config" "$@" --dump-config) || exit
    lanes=$(sed -n 's/^lanes: //p' <<<"$dump") epochs=$(sed -n 's/^epochs: //p' <<<"$dump") batch=$(sed -n 's/^batch-size: //p' <<<"$dump")
    # Not what each run has its own of, nor what does not matter.
    grep -vE '^(batch-size|seed|checkpoint-every|data|out|device|threads|progress|progress-width|quiet|report): ' <<<"$dump" \
        >"$folder/.recipe.$mine"
    # Several jobs may come at once: the first one names it.
    ln "$folder/.recipe.$mine" "$folder/recipe.yaml" 2>/dev/null || [ -e "$folder/recipe.yaml" ] || cp "$folder/.recipe.$mine" "$folder/recipe.yaml"
    if ! cmp -s "$folder/.recipe.$mine" "$folder/recipe.yaml"; then
        diff "$folder/recipe.yaml" "$folder/.recipe.$mine" >&2 || true
        rm "$folder/.recipe.$mine"
        stop "$folder has runs of another recipe (< there, > now): name another folder by STUDY=DIR, or remove it"
    fi
    rm "$folder/.recipe.$mine"
}

# ---- One run ----
# A signal asks for the end: of the run that is on its way, or before the next one.
signals=0 child=
ask_to_stop() {
    signals=$((signals + 1))
    if [ $signals -eq 1 ]; then
        echo "$study_name: stopping; once more to end at once" >&2
        [ -z "$child" ] || kill -USR1 "$child" 2>/dev/null || true
    else
        [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
    fi
}
trap ask_to_stop INT TERM USR1 HUP

end_if_asked() {
    [ $signals -gt 0 ] || return 0
    at_stop
    echo "$study_name: stopped; the same command goes on with what is not done" >&2
    exit 75
}

attempt() {
    local run=$1 start code before
    shift
    end_if_asked
    mkdir -p "$run"
    start=$(date +%s.%N)
    # A process group of its own, so that Ctrl-C comes here alone.
    set -m
    "$@" >"$run/console.txt" 2>&1 </dev/null &
    child=$!
    set +m
    # A signal in between has found no child.
    [ $signals -eq 0 ] || kill -USR1 $child 2>/dev/null || true
    # wait comes back early when a signal was for us.
    while :; do
        before=$signals
        wait $child && code=0 || code=$?
        [ $before -ne $signals ] || break
    done
    child=
    seconds=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.3f", b - a }')
    [ $code -ne 0 ] || return 0
    end_if_asked
    tail -n 20 "$run/console.txt" >&2
    echo "$study_name: $run ended with code $code: $*" >&2
    exit $code
}

value() {
    if [ "$2" = threads ]; then
        grep '"kind":"start"' "$1/sessions.jsonl" | tail -n 1 | sed -n 's/.*"threads":\([0-9]*\).*/\1/p'
    else
        sed -nE "s/^[[:space:]]*\"$2\":[[:space:]]*\"?([^\",]*)\"?,?\$/\1/p" "$1/result.json" | tail -n 1
    fi
}

add_row() {
    while [ $# -gt 0 ]; do
        row_names+=,$1 row_values+=,$2
        shift 2
    done
}
begin_row() {
    row_names='' row_values=''
    add_row "$@"
}
# The seconds of the process are those of its start and end, of steps, of evaluations, and of the rest: checkpoints.
add_result() {
    local run=$1 wall train evaluation key
    add_row lanes "$(value "$run" lanes)" epochs "$(value "$run" epoch)" steps "$(value "$run" step)" process_s "$seconds"
    wall=$(value "$run" wall_s) train=$(value "$run" train_s) evaluation=$(value "$run" evaluation)
    add_row startup_s "$(difference "$seconds" "$wall")" train_s "$(difference "$train" 0)" \
        evaluation_s "$(difference "$evaluation" 0)" checkpoint_s "$(difference "$wall" "$train" "$evaluation")"
    for key in images_per_s test_accuracy test_loss state_hash device dataset; do add_row $key "$(value "$run" $key)"; done
    add_row host "$(hostname -s)" git "$(value "$run" git)" date "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}
difference() { awk -v a="$1" -v b="$2" -v c="${3:-0}" 'BEGIN { printf "%.3f", a - b - c }'; }
put_row() {
    printf '%s\n%s\n' "${row_names#,}" "${row_values#,}" >"$1/.row.csv" && mv "$1/.row.csv" "$1/row.csv"
}
done_already() { [ -s "$1/row.csv" ]; }

# ---- All runs ----
# all_rows FOLDER [NAME...]: rows of all runs under one line of names, by the first three columns as numbers; the first one may
# have these names, in this order.
all_rows() {
    local folder=$1
    shift
    awk -F, -v OFS=, -v names="$*" '
        BEGIN { n = split(names, name, " "); for (i = 1; i <= n; i++) place[name[i]] = i }
        FNR == 1 { if (NR == 1) print -1, 0, 0, $0; next }
        { print ($1 in place ? place[$1] : $1), $2, $3, $0 }' "$folder"/*/row.csv |
        sort -t , -k 1,1n -k 2,2n -k 3,3n | cut -d , -f 4-
}

# Awk's, for programs that put it before their own text: mean and deviation of words of numbers; that of a sample (n - 1), of
# one number none.
# shellcheck disable=SC2016 # awk's
statistics='
    function mean(list,    n, v, i, sum) {
        n = split(list, v, " "); sum = 0
        for (i = 1; i <= n; i++) sum += v[i]
        return sum / n
    }
    function deviation(list,    n, v, i, m, sum) {
        n = split(list, v, " "); m = mean(list); sum = 0
        if (n < 2) return ""
        for (i = 1; i <= n; i++) sum += (v[i] - m) ^ 2
        return sqrt(sum / (n - 1))
    }
    function real(x) { return x == "" ? "" : sprintf("%.6g", x) }
    # The columns of a table by name, from its first line.
    function read_names(    i) { for (i = 1; i <= NF; i++) at[$i] = i }'

figure() {
    local folder=$1 name=$2 kind file why
    shift 2
    for kind in svg png; do
        file=$folder/.$name.$mine.$kind
        if why=$("$program" plot "$folder/summary.csv" "$@" --out "$file" 2>&1); then
            mv "$file" "$folder/$name.$kind"
        else
            echo "$study_name: no $name.$kind: $why" >&2
            [ $kind = png ] || exit 1
        fi
    done
}

describe_host() {
    {
        echo "host: $(hostname), $(date -u +%Y-%m-%dT%H:%M:%SZ), $(uname -sr)"
        if command -v lscpu >/dev/null; then
            LC_ALL=C lscpu | grep -E '^(Model name|Socket|Core|Thread|CPU\(s\)|L[123]|NUMA node\(s\)|Hypervisor)' | tr -s ' '
        else
            grep -m 1 '^model name' /proc/cpuinfo || true
        fi
        echo "CPUs this study may use: $(nproc), list $(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)"
        awk '/^MemTotal/ { printf "memory: %.1f GB\n", $2 * 1024 / 1e9 }' /proc/meminfo
        echo "load as it began: $(cut -d ' ' -f 1-3 /proc/loadavg)"
        if command -v nvidia-smi >/dev/null; then
            nvidia-smi --query-gpu=index,name,memory.total,driver_version --format=csv,noheader | sed 's/^/GPU /' || true
        fi
        "$program" --version
    } >"$1.$mine" && mv "$1.$mine" "$1"
}
