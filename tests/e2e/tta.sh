#!/bin/bash
# Test-time augmentation: what a run says at its end, against a network and views computed apart from lockstep; the same bits
# at any rank count; evaluations on the way are plain.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

/usr/bin/python3 -c 'import torch, h5py, yaml' 2>/dev/null || skip_all "no PyTorch, h5py or yaml for /usr/bin/python3"
small_data "$tmp/data" 16 43 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
recipe=$recipes/oracle.yaml
words=(--steps 8 --holdout 12 --optimizer.lr 0.1)

as_computed() { PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/oracle/tta.py "$tmp/$1" "$tmp/data" "$recipe" "${words[@]}"; }
train none 2 $recipe "${words[@]}"
check "without: both figures are the same" test "$(result none test_accuracy test_loss)" = "$(result none test_accuracy_plain test_loss_plain)"
for device in cpu ref; do
    for tta in flip shifts; do
        train $device-$tta 2 $recipe "${words[@]}" --eval.tta $tta --device $device
        check "$device, $tta: as computed in float64" as_computed $device-$tta
    done
done
check "the console has both" grep -qE '^test accuracy [0-9.]+ %, test loss [0-9.]+ without test-time augmentation$' "$log"
check "the console names it" grep -qE '^test accuracy [0-9.]+ %, test loss [0-9.]+ with shifts: [0-9]+ right, [0-9]+ wrong$' "$log"
refuse "they are two figures" test "$(result cpu-shifts test_loss)" = "$(result cpu-shifts test_loss_plain)"
check "the plain ones are those of a run without" \
    test "$(result cpu-shifts test_accuracy_plain test_loss_plain state_hash)" = "$(result none test_accuracy test_loss state_hash)"
check "evaluations on the way are plain" diff <(stable_metrics cpu-shifts) <(stable_metrics none)
for ranks in 1 3; do
    train "ranks-$ranks" $ranks $recipe "${words[@]}" --eval.tta shifts
    same "ranks-$ranks" cpu-shifts "the same bits on $ranks ranks"
done
evaluated() { tests/read_json get "$tmp/eval.json" tta test_loss test_loss_plain | tr '\n' ' '; }
mpirun -np 2 "$program" eval "$(newest cpu-shifts)" --json >"$tmp/eval.json" 2>"$log"
check "eval follows the recipe" test "$(evaluated)" = "shifts $(result cpu-shifts test_loss test_loss_plain | tr '\n' ' ')"
"$program" eval "$(newest cpu-shifts)" --eval.tta flip --json >"$tmp/eval.json" 2>"$log"
check "eval does as it is told" test "$(evaluated)" = "flip $(result cpu-flip test_loss test_loss_plain | tr '\n' ' ')"
lockstep 0 eval "$(newest cpu-shifts)" --eval.tta flop
one_error 2 'eval.tta flop: not one of none, flip, shifts' "an unknown kind"
finish
