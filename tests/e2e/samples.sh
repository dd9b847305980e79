#!/bin/bash
# What a run has trained on is one sum, the same at any number of ranks and over crashes; an image that is not the one dealt out
# stops the run at the next checkpoint or epoch's end.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
sums() { result "$1" samples_hash samples_from | tr '\n' ' '; }

train whole 1 $tiny --steps 60
check "an undisturbed run" test $code = 0
check "its sum is of all its steps" grep -qE '^[0-9a-f]{16} 0 $' <(sums whole)
train hurt 3 $tiny --steps 60 --checkpoint-every 7 --crash-at 33
check "a crash in the second epoch" test $code = 137
train hurt 2 $tiny --steps 60 --checkpoint-every 7
same hurt whole "gone on from on 2 ranks: the same bits and lines"
check "gone on from on 2 ranks: the same sum" test "$(sums hurt)" = "$(sums whole)"
train four 4 $tiny --steps 60
check "on 4 ranks: the same sum" test "$(sums four)" = "$(sums whole)"
train seed 1 $tiny --steps 60 --seed 2
refuse "another seed, another order: another sum" test "$(sums seed)" = "$(sums whole)"
train shorter 1 $tiny --steps 59
refuse "a step less: another sum" test "$(sums shorter)" = "$(sums whole)"
"$program" inspect "$(newest whole)" >"$log" 2>&1
check "inspect shows it" grep -q "samples since step 0: sum of hashes $(result whole samples_hash)" "$log"

# ---- An image that is not the one dealt out: of the last step of an epoch. ----
train other 3 $tiny --steps 60 --checkpoint-every 7 --crash-at 2:1:flip-sample
line='rank 1/3 step 25\] the images that epoch 1 was trained on up to step 25 are not those that the seed deals out to this rank.s lanes 2-2'
one_error 3 "$line: their sum is [0-9a-f]{16}, not [0-9a-f]{16}; the last checkpoint is untouched" \
    "another image in step 24: epoch and rank are named"
check "another image in step 24: nothing of it is saved" test "$(newest other)" = "$tmp/other/checkpoints/step-00000021.h5" -a ! -e "$tmp/other/best.h5"
train other 3 $tiny --steps 60 --checkpoint-every 7
same other whole "another image in step 24: gone on from before it, the same bits"
check "another image in step 24: gone on from before it, the same sum" test "$(sums other)" = "$(sums whole)"
train often 2 $tiny --steps 60 --checkpoint-every 1 --crash-at 28:0:flip-sample
one_error 3 'rank 0/2 step 50\] the images that epoch 2 .* lanes 0-1:' "in the second epoch, with checkpoints at every step: not in one of them"
check "with checkpoints at every step: the one before is the newest" test "$(newest often)" = "$tmp/often/checkpoints/step-00000049.h5"

# ---- Files from before there were sums. ----
"$BUILD/tests/dist/make_cifar" "$tmp/little" 8 30
mkdir -p "$tmp/old/checkpoints"
cp tests/checkpoints/v2/step-00000005.h5* "$tmp/old/checkpoints"
train old 2 tests/checkpoints/v1/recipe.yaml --data "$tmp/little"
check "a checkpoint without a sum: the run has one from there on" test "$code" = 0 -a "$(result old samples_from)" = 5
finish
