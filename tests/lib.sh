# Helpers for test scripts that train: source this first, in place of tap.sh, which it brings.
#
#   small_data DIR PER_FILE TEST   a data set of 5 * PER_FILE and TEST records: the first ones of CIFAR10_DIR, else made
#   lockstep RANKS WORD...         runs build/lockstep under mpirun (RANKS 0: without); sets $code, all output in $log
#   train NAME RANKS CONFIG WORD... the same for `lockstep train` with run directory $tmp/NAME
#   start NAME RANKS CONFIG WORD...  the same in the background; $launched is its process; finish it with wait_for
#   aside NAME COMMAND...          begins a command that sets $code and writes $log (train, lockstep), beside what follows
#   back NAME                      waits for its end; sets $code, $log's content, and $took, its seconds
#   ranks_of                       the process ids of the ranks that $launched, an mpirun, has started
#   stop_hard                      kill -9 of $launched and all of its ranks at once
#   newest NAME                    the newest checkpoint of the run, by name
#   result NAME KEY...             values of the run's result.json
#   bits NAME                      what must be equal for the same bits: one line
#   stable_metrics NAME            metrics.jsonl without times, rates, memory, ranks, threads, host
#   same NAME REFERENCE WHAT       checks that both runs have the same bits and the same metrics
#   sound NAME                     whether every checkpoint of a run verifies, its links and sidecars are whole
#   tolerance NAME                 a number of tests/tolerance.h
#   rank0 NAME                     the process that owns the run directory
#   stopped NAME                   whether that process is stopped (SIGSTOP), or what `start` began has ended
#   preload NAME                   compiles tests/e2e/NAME.c to $tmp/NAME.so, for LD_PRELOAD; fails, and says why, where it cannot be
#   $tensorboard_python            a python that has TensorBoard: TENSORBOARD_PYTHON, what scripts/setup.sh test made, else python3
#   one_error CODE PATTERN NAME    checks $code, and that $log has one line of lockstep's own error, which matches PATTERN
# shellcheck shell=bash
# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

program=$BUILD/lockstep
# Seconds that a run of `lockstep` and `train` may take.
run_limit=${RUN_LIMIT:-$((100 * ${TEST_SLOWER:-1}))}
log=$tmp/log
# shellcheck disable=SC2034 # for the scripts
recipes=tests/recipes
[ -x "$program" ] || { fail "$program exists" && finish; }
# Options of whoever runs the tests are not theirs.
# shellcheck disable=SC2086
unset ${!LOCKSTEP_@}
export LOCKSTEP_REPORT=false        # tests/e2e/report.sh has its own
export LOCKSTEP_TENSORBOARD_IMAGES=0 # so has tests/e2e/tensorboard.sh
# shellcheck disable=SC2034 # for the scripts
tensorboard_python=${TENSORBOARD_PYTHON:-$PWD/build/python/bin/python}
[ -x "$(command -v "$tensorboard_python")" ] || tensorboard_python=python3

small_data() {
    local dir=$1 per_file=$2 test=$3 i
    if [ -z "${CIFAR10_DIR:-}" ]; then
        "$BUILD/tests/dist/make_cifar" "$dir" "$per_file" "$test"
        return
    fi
    mkdir -p "$dir"
    for i in 1 2 3 4 5; do head -c $((per_file * 3073)) "$CIFAR10_DIR/data_batch_$i.bin" >"$dir/data_batch_$i.bin"; done
    head -c $((test * 3073)) "$CIFAR10_DIR/test_batch.bin" >"$dir/test_batch.bin"
}

lockstep() {
    local ranks=$1
    shift
    if [ "$ranks" = 0 ]; then
        timeout -k 5 "$run_limit" "$program" "$@" >"$log" 2>&1
    else
        timeout -k 5 "$run_limit" mpirun -np "$ranks" "$program" "$@" >"$log" 2>&1
    fi
    code=$?
}

train() {
    local name=$1 ranks=$2 config=$3
    shift 3
    lockstep "$ranks" train "$config" --out "$tmp/$name" --threads 1 "$@"
}

start() {
    local name=$1 ranks=$2 config=$3
    shift 3
    # exec: $launched is mpirun itself, so signals go there.
    if [ "$ranks" = 0 ]; then
        (exec "$program" train "$config" --out "$tmp/$name" --threads 1 "$@") >"$tmp/$name.log" 2>&1 &
    else
        (exec mpirun -np "$ranks" "$program" train "$config" --out "$tmp/$name" --threads 1 "$@") >"$tmp/$name.log" 2>&1 &
    fi
    launched=$!
}

# wait_for NAME: the end of the run that `start NAME` began; sets $code and $log's content.
wait_for() {
    wait "$launched"
    code=$?
    cp "$tmp/$1.log" "$log"
}

declare -A asides=()
aside() {
    set_aside "$@" &
    asides[$1]=$!
}
# In a process of its own.
set_aside() {
    local name=$1
    shift
    log=$tmp/$name.aside SECONDS=0
    "$@"
    echo "$code $SECONDS" >"$tmp/$name.code"
}
back() {
    wait "${asides[$1]}"
    # shellcheck disable=SC2034 # for the scripts
    read -r code took <"$tmp/$1.code"
    cp "$tmp/$1.aside" "$log"
}

ranks_of() { cat "/proc/$launched/task/"*/children 2>/dev/null; }
# mpirun is held first, and dies last: it would end the others by signals that let a stopped one go on, and so does the kernel
# (SIGHUP, SIGCONT) to processes whose parent is gone.
stop_hard() {
    kill -STOP "$launched" 2>/dev/null
    # shellcheck disable=SC2046
    kill -KILL $(ranks_of) "$launched" 2>/dev/null
    wait "$launched" 2>/dev/null
}

# until_true SECONDS COMMAND...: polls, for longer where all limits are (TEST_SLOWER).
until_true() {
    local end=$((SECONDS + $1 * ${TEST_SLOWER:-1}))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# warnings: those in the log, but of a rank that is slow, as one may be on a busy machine.
warnings() { grep '^warning' "$log" | grep -v '^warning: rank .* is slow: '; }

newest() { find "$tmp/$1/checkpoints" -name 'step-*.h5' 2>/dev/null | sort | tail -n 1; }
result() {
    local name=$1
    shift
    tests/read_json get "$tmp/$name/result.json" "$@"
}
bits() { result "$1" state_hash test_loss test_accuracy step confusion 2>&1 | tr '\n' ' '; }
stable_metrics() { tests/read_json stable "$tmp/$1/metrics.jsonl"; }

same() {
    local name=$1 reference=$2 what=$3 difference
    if [ "$code" != 0 ]; then
        fail "$what" "exit code $code" "$(tail -n 20 "$log")"
    elif [ "$(bits "$name")" != "$(bits "$reference")" ]; then
        fail "$what" "$name: $(bits "$name")" "$reference: $(bits "$reference")"
    elif ! difference=$(diff <(stable_metrics "$name") <(stable_metrics "$reference")); then
        fail "$what" "metrics.jsonl of $name and $reference:" "$difference"
    else
        pass "$what"
    fi
}

# Prints what is wrong; nothing, and code 0, where all is well.
sound() {
    local folder=$tmp/$1/checkpoints file bad=0
    for file in "$folder"/step-*.h5; do
        [ -e "$file" ] || continue
        "$program" inspect --verify "$file" >/dev/null 2>"$tmp/.verify" || { cat "$tmp/.verify" && bad=1; }
    done
    if [ -L "$tmp/$1/best.h5" ] && [ ! -e "$tmp/$1/best.h5" ]; then
        echo "best.h5 points to nothing: $(readlink "$tmp/$1/best.h5")" && bad=1
    fi
    return $bad
}

tolerance() { awk -v name="$1" '$1 == "#define" && $2 == name { print $3 }' tests/tolerance.h; }

rank0() { awk '/^pid/ { print $2 }' "$tmp/$1/owner" 2>/dev/null; }
stopped() {
    [ "$(awk '/^State/ { print $2 }' "/proc/$(rank0 "$1")/status" 2>/dev/null)" = T ] || ! kill -0 "$launched" 2>/dev/null
}

preload() {
    if nm "$program" | grep -q __asan_init; then
        skip "with $1" "the address sanitizer must be loaded first"
        return 1
    fi
    ${CC:-gcc} -shared -fPIC -O1 -D_GNU_SOURCE -o "$tmp/$1.so" "tests/e2e/$1.c" -ldl 2>"$tmp/.output" ||
        { fail "$1.c compiles" "$(cat "$tmp/.output")" && return 1; }
}

one_error() {
    local want=$1 pattern=$2 name=$3 lines
    lines=$(grep -c '^lockstep: ' "$log")
    if [ "$code" != "$want" ]; then
        fail "$name" "wanted exit code $want, got $code:" "$(tail -n 20 "$log")"
    elif [ "$lines" != 1 ]; then
        fail "$name" "wanted one line of lockstep's own, got $lines:" "$(tail -n 20 "$log")"
    elif ! grep '^lockstep: ' "$log" | grep -qE -- "$pattern"; then
        fail "$name" "its line does not match $pattern:" "$(grep '^lockstep: ' "$log")"
    else
        pass "$name"
    fi
}
