#!/bin/bash
# A short last step in which a lane has no images at all: 195 records on four lanes of 8 images are shards of 48, 49, 49
# and 49, so the seventh step of an epoch has three images, none of lane 0. On four ranks that is a rank without images.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 39 50 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
words=(--no-drop-last --steps 30 --log-every 1 --deadline 20)

# seen NAME: the images of each step, as metrics.jsonl has them, in one line.
seen() { sed -n 's/.*"kind":"train".*"images":\([0-9]*\).*/\1/p' "$tmp/$1/metrics.jsonl" | tr '\n' ' '; }
full="32 32 32 32 32 32"

for ranks in 1 2 4; do
    train on-$ranks $ranks $recipes/tiny.yaml "${words[@]}"
    check "$ranks ranks: four such steps, and on" test "$code: $(seen on-$ranks)" = "0: $full 3 $full 3 $full 3 $full 3 32 32 "
    [ $ranks = 1 ] || same on-$ranks on-1 "$ranks ranks: the same bits"
done
for ranks in 1 4; do
    train native-$ranks $ranks $recipes/tiny.yaml "${words[@]}" --reduction native
    check "$ranks ranks, fp32 sums" test "$code: $(seen native-$ranks)" = "0: $(seen on-1)"
done
finish
