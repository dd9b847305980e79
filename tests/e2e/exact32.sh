#!/bin/bash
# limit: 500
# --reduction exact32: the same bits at any number of ranks and threads, over crashes, where sums do not fit into int32, and
# where steps are bad; near what exact trains; and what a checkpoint keeps for it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
sums=(--reduction exact32)
# again NAME: the steps whose buckets were summed again, in one line.
again() { sed -nE 's/.* step ([0-9]+): [0-9]+ of [0-9]+ buckets did not fit into int32, .*/\1/p' "$tmp/$1/log.txt" | tr '\n' ' '; }

# ---- A small network with dropout, batch norm, Adam, clipping, a moving average. ----
small=$recipes/small.yaml
train one 1 $small --steps 24 "${sums[@]}"
check "a run on 1 rank" test "$code $(result one step)" = "0 24"
for ranks in 2 3 4; do
    train small-$ranks $ranks $small --steps 24 "${sums[@]}"
    same small-$ranks one "$ranks ranks: the same bits"
    check "$ranks ranks: the first step alone did not fit, for nothing was known before it" test "$(again small-$ranks)" = "1 "
done
train threads 2 $small --steps 24 "${sums[@]}" --threads 2 --bucket-bytes 4096
same threads one "2 ranks x 2 threads, in small messages: the same bits"
train crash 3 $small --steps 24 "${sums[@]}" --checkpoint-every 5 --crash-at 13:1:kill
check "a crash" test $code = 137
train crash 2 $small --steps 24 "${sums[@]}" --checkpoint-every 5
same crash one "gone on from on 2 ranks: the same bits"
check "gone on from: its scales were those of before" test "$(again crash)" = "1 "
train exact 2 $small --steps 24
check "exact's run ends alike, to half a percent of the loss" /usr/bin/python3 -c "
import sys
a, b = map(float, sys.argv[1:])
sys.exit(abs(a - b) > 0.005 * b)" "$(result one test_loss)" "$(result exact test_loss)"
refuse "but not with the same bits" test "$(result one state_hash)" = "$(result exact state_hash)"

# ---- A gradient that grows at once, by more than the headroom: by a step of the learning rate. ----
tiny=$recipes/tiny.yaml # sgd
spike=(--schedule piecewise --schedule.unit steps --schedule.points '0:1,7:1,8:3000,9:0.01,20:0.01')
train spike 1 $tiny --steps 20 "${sums[@]}" "${spike[@]}"
check "a spike of the learning rate: a run on 1 rank" test "$code $(result spike step)" = "0 20"
for ranks in 2 3 4; do
    train spike-$ranks $ranks $tiny --steps 20 "${sums[@]}" "${spike[@]}"
    same spike-$ranks spike "a spike on $ranks ranks: the same bits"
    check "a spike on $ranks ranks: later steps were summed again" grep -qE '^1 ([89]|1[0-9]) ' <<<"$(again spike-$ranks)"
done

# ---- Steps that are not finite. ----
train skip 1 $tiny --steps 16 "${sums[@]}" --bad-steps skip --crash-at 7:0:nan
train skip-3 3 $tiny --steps 16 "${sums[@]}" --bad-steps skip --crash-at 7:2:nan
same skip-3 skip "a step that is skipped: the same bits on 3 ranks"
train back 1 $tiny --steps 16 "${sums[@]}" --bad-steps rollback --checkpoint-every 4 --crash-at 7:0:nan
train back-2 2 $tiny --steps 16 "${sums[@]}" --bad-steps rollback --checkpoint-every 4 --crash-at 6:1:nan
same back-2 back "rolled back, from another step: the same bits on 2 ranks"
train begin 1 $tiny --steps 16 "${sums[@]}" --bad-steps rollback --crash-at 7:0:nan
train begin-2 2 $tiny --steps 16 "${sums[@]}" --bad-steps rollback --crash-at 5:1:nan
same begin-2 begin "rolled back to the beginning, from another step: the same bits on 2 ranks"
train fresh 1 $tiny --steps 16 "${sums[@]}" --lr 0.025
check "and as a fresh run with half the learning rate" test "$(result begin test_loss)" = "$(result fresh test_loss)"
check "with nothing known of gradients" test "$(again begin-2)" = "1 1 "

# ---- A rank without images. ----
small_data "$tmp/few" 39 50 || { fail "few data" && finish; }
train few 1 $tiny --data "$tmp/few" --no-drop-last --steps 16 "${sums[@]}"
train few-4 4 $tiny --data "$tmp/few" --no-drop-last --steps 16 "${sums[@]}"
same few-4 few "a rank without images: the same bits"

# ---- What a checkpoint keeps. ----
/usr/bin/python3 -c 'import h5py' 2>/dev/null || { skip "no h5py" && finish; }
file=$(newest crash)
check "a checkpoint has one number a parameter, and the version of its format" /usr/bin/python3 -c "
import h5py, sys
f = h5py.File(sys.argv[1])
peak = f['state/gradient_peak']
sys.exit(not (peak.shape == (len(f['params']),) and (peak[:] > 0).all() and f['meta'].attrs['format_version'] == 6))" "$file"
check "one of exact sums has none, and the version before" /usr/bin/python3 -c "
import h5py, sys
f = h5py.File(sys.argv[1])
sys.exit(int('gradient_peak' in f['state'] or f['meta'].attrs['format_version'] != 5))" "$(newest exact)"
for edit in "f['state/gradient_peak'][0] = -1" "del f['state/gradient_peak']"; do
    cp "$file" "$tmp/step-00000024.h5"
    tests/e2e/forge_checkpoint "$tmp/step-00000024.h5" <<<"$edit"
    lockstep 0 inspect --verify "$tmp/step-00000024.h5"
    one_error 4 'gradient_peak' "$edit: refused in one line"
done
finish
