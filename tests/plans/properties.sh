#!/bin/bash
# The comparison that `make check-gpu` makes on a real card, on files.
. tests/tap.sh

program=$BUILD/tests/gpu/gpu_properties
[ -x "$program" ] || skip_all "this build has no CUDA backend (CUDA, cuDNN or NCCL not found, or CUDA=0)"
ours=tests/plans/gpus/sm_90.json
# change SED_EXPRESSION: another card.
change() { sed "$1" "$ours" >"$tmp/other.json"; }

check "a card like the one planned for" "$program" compare "$ours" "$ours"
change 's/"smClockRateKHz": .*,/"smClockRateKHz": 1755000,/; s/"driverVer": .*,/"driverVer": 13010,/'
check "clocks and drivers may differ" "$program" compare "$ours" "$tmp/other.json"
change 's/"multiProcessorCount": 132/"multiProcessorCount": 114/'
refuse "another number of processors" "$program" compare "$ours" "$tmp/other.json"
cp "$tmp/.output" "$tmp/said"
check "which is named" grep -q "^multiProcessorCount: planned for 132 but the card has 114$" "$tmp/said"
change '/"l2CacheSize"/d'
refuse "a value that the card does not have" "$program" compare "$ours" "$tmp/other.json"
refuse "a value that we do not have" "$program" compare "$tmp/other.json" "$ours"
echo "none" >"$tmp/other.json"
refuse "what is no JSON" "$program" compare "$ours" "$tmp/other.json"
finish
