#!/bin/bash
# limit: 300
# All that can be done to training images: the same bits at any number of ranks and loader threads, and after a resume
# within an epoch.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
recipe=$recipes/augmented.yaml

train all 1 $recipe --steps 32
check "a run of 32 steps" test "$code $(result all step epoch | tr '\n' ' ')" = "0 32 2 "
for ranks in 2 3 5 8; do
    train all-$ranks $ranks $recipe --steps 32
    same all-$ranks all "$ranks ranks"
done
train all-2x2 2 $recipe --steps 32 --threads 2 --loader.threads 2
same all-2x2 all "2 ranks x 2 threads, 2 loader threads"
train part 3 $recipe --steps 17
train part 2 $recipe --steps 32
same part all "17 steps on 3 ranks, then on with 2"
check "it was resumed within the second epoch" test "$(result part resumed_from)" = 17

reflected=(--augment.crop-area '0,0' --augment.crop-pad 4 --augment.pad-mode reflect)
train reflected 1 $recipe --steps 14 "${reflected[@]}"
train reflected-3 3 $recipe --steps 14 "${reflected[@]}"
same reflected-3 reflected "reflected padding: 3 ranks"

# ---- Each transform is taken: without it the bits are others. ----
train some 1 $recipe --steps 1
whole=$(bits some)
while read -r -a words <&3; do
    train some 1 $recipe --reset --steps 1 "${words[@]}"
    check "without ${words[0]#--augment.} it is another run" test "$code" = 0 -a "$(bits some)" != "$whole"
done 3<<'END'
--augment.crop-area 0,0
--augment.crop-aspect 1,1
--augment.crop-attempts 1
--augment.pad-fill 0
--augment.rotate 0
--augment.policy none
--augment.policy trivialaugment
--augment.policy-ops 2
--augment.policy-magnitude 13
--augment.jitter-brightness 0
--augment.jitter-contrast 0
--augment.jitter-saturation 0
--augment.jitter-hue 0
--augment.brightness 0
--augment.contrast 0
--augment.cutout 0
--augment.erase 0
--augment.erase-area 0.05,0.31
--augment.erase-aspect 0.5,2.1
--augment.erase-with fill
--augment.mixup 0
--augment.cutmix 0
--augment.mix-probability 1
END
finish
