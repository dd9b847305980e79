#!/bin/bash
# What a run has committed outlives a loss of power: a library that sees each operation on files, and a model of a file
# system that keeps only what was synced. And what reads back wrong is not committed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
preload file_ops || finish

# observed NAME RANKS WORD...: train, with what it does to files below $tmp in $tmp/ops.
observed() {
    local name=$1 ranks=$2
    shift 2
    rm -f "$tmp/ops"
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp FILE_OPS_LOG=$tmp/ops train "$name" "$ranks" $tiny "$@"
}
# durable NAME CODE WHAT SEEN [killed]: the run ended with CODE, no promise of it was early, and as much was seen.
durable() {
    local output
    if [ "$code" != "$2" ]; then
        fail "$3" "wanted code $2, got $code" "$(tail -n 20 "$log")"
    elif ! output=$(tests/e2e/check_file_ops "$tmp/$1" "$tmp/ops" ${5:+"$5"} 2>&1); then
        fail "$3" "$output"
    elif ! grep -qxE -- "$4" <<<"$output"; then
        fail "$3" "wanted '$4', saw '$output'"
    else
        pass "$3: $output"
    fi
}

observed run 2 --steps 20 --checkpoint-every 4 --keep 2
durable run 0 "a run" "5 checkpoints, .* [1-9][0-9]* removals"
observed run 3 --steps 30 --checkpoint-every 4 --keep 2
durable run 0 "on from there" "4 checkpoints, .* [1-9][0-9]* removals"
cp -a "$tmp/run" "$tmp/reference"
observed run 1 --steps 8 --checkpoint-every 4 --reset
durable run 0 "over again with --reset" "2 checkpoints, .* [1-9][0-9]* removals"
observed deep/er/run 0 --steps 4
durable deep/er/run 0 "in folders that it makes" "1 checkpoints, .*"
observed local 2 --steps 10 --checkpoint-every 2 --checkpoint-local "$tmp/own-disk"
durable local 0 "with checkpoints on the node's own disk" "6 checkpoints, .*"
observed crash 2 --steps 20 --checkpoint-every 4 --crash-at 10:1:kill
durable crash 137 "a crash that must happen once" "[12] checkpoints, .*" killed
FILE_OPS_AT=rename:step- FILE_OPS_DO=nolink observed linked 2 --steps 20 --checkpoint-every 4 --keep 2
durable linked 0 "where the file system renames over what is there" "5 checkpoints, .*"
check "links stood in for renames" grep -q ' link 0 ' "$tmp/ops"
check "and every checkpoint is sound" sound linked

# ---- One bit wrong in what is read back. ----
FILE_OPS_AT=read:step-00000008.h5.tmp FILE_OPS_DO=flip observed flipped 2 --steps 30 --checkpoint-every 4 --keep 10
check "a bit that reads back wrong: the run goes on" test $code = 0
check "a bit that reads back wrong: one warning" \
    test "$(grep -c '^warning: .*step 8 .*reads back other bytes than were written; trying again at the next checkpoint' "$log")" = 1
check "a bit that reads back wrong: nothing of that step is left" \
    test "$(find "$tmp/flipped/checkpoints" -name 'step-*' -printf '%f\n' | tr -dc '0-9\n' | cut -c 1-8 | sort | uniq -c |
        awk '{ print $1, $2 + 0 }' | xargs)" = \
    "2 4 2 12 2 16 2 20 2 24 2 25 2 28 2 30"
same flipped reference "a bit that reads back wrong: the same end"
# The last checkpoint, of the best epoch so far: it is written once more, and is still the best.
FILE_OPS_AT=read:step-00000025.h5.tmp FILE_OPS_DO=flip observed last 1 --steps 25
check "a bit of the last checkpoint: it is written once more" test $code = 0 -a -e "$tmp/last/checkpoints/step-00000025.h5"
check "a bit of the last checkpoint: which is the best" \
    test "$(readlink "$tmp/last/best.h5") $(result last best_step)" = "checkpoints/step-00000025.h5 25"
finish
