#!/bin/bash
# What people and their tools read: no control characters in a file, a bar on a terminal, synthetic data named in every
# output, questions answered without MPI, errors with the nearest name, exit codes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
escape=$(printf '\033')
no_control() { ! LC_ALL=C grep -n '[^[:print:][:space:]]' "$1" && ! grep -n $'\r' "$1"; }
# has NAME FILE PATTERN...: each pattern is in the file.
has() {
    local name=$1 file=$2 pattern
    shift 2
    for pattern in "$@"; do
        grep -qE -- "$pattern" "$file" || { fail "$name" "no '$pattern' in" "$(tail -n 20 "$file")" && return; }
    done
    pass "$name"
}

# ---- Lines. ----
for ranks in 0 3; do
    train lines-$ranks $ranks $tiny --steps 20
    check "$ranks ranks, output to a file: no control characters" no_control "$log"
    has "$ranks ranks: lines with epoch, step, loss, accuracy, lr, rate, ETA" "$log" \
        '^epoch 2/100  step 8/20  loss [0-9.]+  acc [0-9.]+%  lr 0.05  [0-9]+ img/s  ETA [0-9]+s$'
    has "$ranks ranks: the last lines sum up" "$log" '^test accuracy [0-9.]+ %, test loss [0-9.]+: [0-9]+ right, [0-9]+ wrong$' \
        '^seconds: data .*forward .*backward .*exposed communication .*optimizer .*checkpoint .*evaluation [0-9.]+ ' \
        '^epoch 1: train loss [0-9.]+, accuracy [0-9.]+ %; test loss [0-9.]+, accuracy [0-9.]+ % \(best\); [0-9.]+ s, [0-9.]+ s of it evaluation$' \
        '^training accuracy [0-9.]+ %, training loss [0-9.]+ \(means over epoch [0-9]+, as it was trained\)$' \
        "^finished after step 20 .*state_hash $(result lines-$ranks state_hash), run directory $tmp/lines-$ranks\$"
    check "$ranks ranks: one rank speaks" test "$(grep -c '^device' "$log") $(grep -c '^finished' "$log")" = '1 1'
done
has "each rank's shard is in the log" "$log" 'rank 0 on .*: lanes 0-1, training records 0-99, [0-9.]+ MB' \
    'rank 1 on .*: lanes 2-2, training records 100-149' 'rank 2 on .*: lanes 3-3, training records 150-199'
has "it says what --device auto took" "$log" '^device auto: takes cpu: oneDNN'
has "it says what best.h5 is selected on" "$log" 'best.h5 is selected on the test set'
right_and_wrong() { awk '/^test accuracy/ { print $8 + $10 }' "$log"; }
check "right and wrong are all there are" test "$(right_and_wrong)" = "$(result lines-3 test_images)"
check "each line of metrics.jsonl has the time of day" bash -c "! grep -vE '\"times\":\{\"at\":\"20[0-9-]+T[0-9:]+Z\"' '$tmp/lines-3/metrics.jsonl'"
has "log.txt has the network" "$tmp/lines-3/log.txt" 'debug: conv1 +conv c=16 k=3 '
train held 2 $tiny --steps 20 --holdout 20
has "with --holdout the console shows what decides" "$log" \
    '^epoch 1: train loss .*; held-out loss [0-9.]+, accuracy [0-9.]+ % \(best\); test loss [0-9.]+, accuracy [0-9.]+ %; ' \
    '^best: accuracy [0-9.]+ %, loss [0-9.]+ on the held-out records at step '
has "log.txt has them too, with times" "$tmp/lines-3/log.txt" '^20[0-9-]+T[0-9:]+Z info: finished after step 20'
check "log.txt: no control characters" no_control "$tmp/lines-3/log.txt"
check "config.yaml can be trained" "$program" train "$tmp/lines-3/config.yaml" --describe
train again 2 "$tmp/lines-3/config.yaml"
same again lines-3 "config.yaml of a run repeats it"
keys="status state_hash test_accuracy test_loss epoch step lanes device dataset git best_accuracy confusion
    resumed_from ranks images_per_s wall_s times.data times.exposed times.checkpoint"
# shellcheck disable=SC2086
check "result.json has its fields" tests/read_json get "$tmp/lines-3/result.json" $keys
train quiet 2 $tiny --steps 20 --quiet
check "--quiet: no progress" bash -c "! grep -E 'img/s|^device' '$log'"
has "--quiet: the result" "$log" 'state_hash [0-9a-f]{16}'

# ---- A bar on a terminal. ----
# on_terminal WORD...: train under a pseudo-terminal.
on_terminal() {
    rm -rf "$tmp/bar"
    script -qec "$* $program train $tiny --out $tmp/bar --threads 1 --steps 30 --progress-width 120" /dev/null </dev/null >"$log" 2>&1
    code=$?
}
if ! command -v script >/dev/null; then
    skip "a terminal gets a bar" "script (bsdutils) is missing"
elif ! why=$(script -qec true /dev/null </dev/null 2>&1); then
    skip "a terminal gets a bar" "no pseudo-terminal here: $why"
else
    on_terminal
    has "a terminal gets a bar" "$log" "epoch [0-9]+/100 \[#+\.*\] +[0-9]+%  loss .*${escape}\[K"
    has "it ends full" "$log" 'epoch 5/100 \[#+\] 100%'
    LOCKSTEP_PROGRESS=lines on_terminal
    check "--progress lines on a terminal: no bar" bash -c "tr -d '\r' <'$log' | LC_ALL=C grep -c '[[:cntrl:]]' | grep -qx 0"
    on_terminal mpirun -np 2
    check "under a launcher auto means lines" bash -c "! grep -q '$escape' '$log' && grep -q 'step 20/30' '$log'"
    LOCKSTEP_PROGRESS=bar on_terminal mpirun -np 2
    has "under a launcher --progress bar gives a bar" "$log" "epoch [0-9]+/100 \[#+\.*\] +[0-9]+%  loss .*${escape}\[K"
fi

# ---- Synthetic data is named wherever a number stands. ----
env -u CIFAR10_DIR mpirun -np 2 "$program" train $tiny --out "$tmp/synthetic" --data synthetic --threads 1 --steps 4 --batch-size 4096 --lanes 8 \
    --eval.batch 500 >"$log" 2>&1
code=$?
check "a run on synthetic data" test $code = 0
has "synthetic: a warning" "$log" '^warning: .*synthetic'
for line in '^test accuracy' '^finished' '^best: '; do
    check "synthetic: marked in each line '$line'" bash -c "! grep -E '$line' '$log' | grep -v synthetic"
done
check "synthetic: marked in each line of progress" bash -c "! grep 'img/s' '$log' | grep -v synthetic"
check "synthetic: in each line of metrics.jsonl" bash -c "! grep -v '\"dataset\":\"synthetic\"' '$tmp/synthetic/metrics.jsonl'"
check "synthetic: in result.json" test "$(result synthetic dataset)" = synthetic
env -u CIFAR10_DIR "$program" eval "$tmp/synthetic/checkpoints/step-00000004.h5" >"$log" 2>&1
has "synthetic: in eval's lines" "$log" 'test accuracy .*synthetic'
env -u CIFAR10_DIR "$program" eval "$tmp/synthetic/checkpoints/step-00000004.h5" --json >"$tmp/eval.json" 2>"$log"
check "synthetic: in eval's JSON" test "$(tests/read_json get "$tmp/eval.json" dataset)" = synthetic
check "synthetic: eval sees the images of the run" \
    test "$(tests/read_json get "$tmp/eval.json" test_accuracy test_loss)" = "$(result synthetic test_accuracy test_loss)"
"$program" inspect "$tmp/synthetic/checkpoints/step-00000004.h5" >"$log" 2>&1
has "synthetic: in inspect" "$log" 'data set synthetic'

# ---- Questions need no MPI: a launcher's variables without its server, where MPI_Init would fail or hang. ----
# asks NAME PATTERN WORD...
asks() {
    local name=$1 pattern=$2
    shift 2
    env -i OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=1 PMIX_RANK=1 PMIX_NAMESPACE=none PMIX_SERVER_URI2=none \
        timeout 10 "$program" "$@" >"$log" 2>"$tmp/errors"
    code=$?
    if [ $code = 0 ] && [ ! -s "$tmp/errors" ] && grep -qE -- "$pattern" "$log"; then
        pass "$name without MPI"
    else
        fail "$name without MPI" "code $code" "$(head -n 20 "$log" "$tmp/errors")"
    fi
}
asks --help '^  train ' --help
asks --version '^lockstep [0-9.]+ ' --version
has "--version names the libraries" "$log" '^Open MPI ' '^HDF5 ' '^oneDNN '
asks "train --help" '--checkpoint-every' train --help
asks "options" '--checkpoint-every' options
asks "options --help" '--markdown' options --help
asks "eval --help" '--json' eval --help
asks "inspect --help" '--verify' inspect --help
asks "checkpoint --help" 'seal RUN' checkpoint --help
asks "checkpoint list" 'step-00000020.h5 .* agrees with its checksum file' checkpoint list "$tmp/lines-3"
asks "bench --help" '--steps' bench --help
asks "--describe" '^conv2 .* 16 x 8 x 8 ' train $tiny --describe
check "--describe says what it assumes without data" grep -q '^Assumed, as no data is named: images of 3 x 32 x 32 and 10 classes' "$log"
asks "--describe of named data" '^conv2 .* 16 x 8 x 8 ' train $tiny --describe --data synthetic
refuse "--describe of named data assumes nothing" grep -q Assumed "$log"
asks "--describe --json" '"name": "conv2", "kind": "conv", ' train $tiny --describe --json
asks "--dump-config" '^batch-size: 32' train $tiny --dump-config
asks "inspect" 'state hash' inspect "$tmp/lines-3/best.h5"
"$program" train $tiny --dump-config >"$tmp/dumped.yaml"
check "--dump-config can be read back" bash -c "'$program' train '$tmp/dumped.yaml' --dump-config | diff - '$tmp/dumped.yaml'"

# ---- Errors of usage: code 2, one line, the nearest name. ----
# wrong NAME PATTERN WORD...
wrong() {
    local name=$1 pattern=$2
    shift 2
    lockstep 0 "$@"
    one_error 2 "$pattern" "$name"
}
wrong "an unknown subcommand" "'trian'; did you mean 'train'" trian
wrong "an unknown flag" 'bach-size.*batch-size' train $tiny --bach-size 8
sed 's/^epochs:/epoch:/' $tiny >"$tmp/wrong.yaml"
wrong "an unknown key" "wrong.yaml:5: .*'?epoch'?.*epochs" train "$tmp/wrong.yaml"
sed 's/^epochs: 100/epochs: many/' $tiny >"$tmp/wrong.yaml"
wrong "a word for a number" 'wrong.yaml:5: .*epochs.*many' train "$tmp/wrong.yaml"
wrong "a number out of bounds" 'momentum.*1.5' train $tiny --optimizer.momentum 1.5
wrong "an unknown choice" 'progress.*bars.*bar' train $tiny --progress bars
wrong "a flag without its value" 'seed.*value' train $tiny --seed
sed 's/  relu/  rellu/' $tiny >"$tmp/wrong.yaml"
wrong "an unknown layer" "wrong.yaml:22: .*rellu.*relu" train "$tmp/wrong.yaml"
wrong "an unknown layer, --describe" "wrong.yaml:22: .*rellu.*relu" train "$tmp/wrong.yaml" --describe
wrong "no such file" 'none.yaml' train none.yaml
wrong "--json by itself" '--json goes with --describe' train $tiny --json
LOCKSTEP_SEED=minus wrong "a variable" 'LOCKSTEP_SEED.*minus' train $tiny
"$program" >"$log" 2>&1
check "no subcommand: code 2 and the usage" bash -c "[ $? = 2 ] && grep -q '^  train ' '$log'"
finish
