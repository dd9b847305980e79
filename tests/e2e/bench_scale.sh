#!/bin/bash
# bench/scale: the pattern is the trainer's (buckets, sizes, order), and the simulation of it obeys what must hold.
# shellcheck disable=SC2016 # awk programs
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

tools=$BUILD/bench/scale
pattern() { "$tools/pattern" configs/resnet9.yaml "$@"; }
[ -x "$tools/pattern" ] || skip_all "$tools/pattern is not built"

pattern >"$tmp/exact" && pattern --reduction native >"$tmp/native" && pattern --reduction exact32 >"$tmp/exact32"
check "exact: 13 messages of 8 bytes, the parameters and the tail" awk '
    $1 == "pattern" { flat = $5 }
    $1 == "message" { n++; sum += $3; if ($4 != 8 || $2 != 13 - n) exit 1 }
    END { if (n != 13 || sum <= flat || sum > flat + 8192) exit 1 }' "$tmp/exact"
for reduction in native exact32; do
    check "$reduction: 7 messages of 4 bytes, the last bucket with a tail of 8" awk '
        $1 == "pattern" { flat = $5 }
        $1 == "message" && $4 == 4 { n++; sum += $3; if ($2 != 7 - n) exit 1 }
        $1 == "message" && $4 == 8 { tails++; if ($2 != 0 || n != 7) exit 1 }
        END { if (n != 7 || tails != 1 || sum != flat) exit 1 }' "$tmp/$reduction"
done
check "and what the optimizer moves is 24, 36 and 20 bytes a parameter" \
    test "$(awk '$1 == "pattern" { printf "%d ", $7 }' "$tmp"/{exact,exact32,native})" = "24 36 20 "
check "backward completes buckets from the last to the first" awk '
    $1 == "layer" && $6 >= 0 { if ($6 < before) exit 1; before = $6; n++ }
    END { if (n < 16) exit 1 }' "$tmp/exact"
check "smaller buckets, more messages" test "$(pattern --bucket-bytes 1048576 | grep -c '^message')" = 51

if ! command -v smpirun >/dev/null || [ ! -x "$tools/step" ]; then
    skip "a simulated step" "SimGrid (libsimgrid-dev) is missing"
    finish
fi
# simulated NODES GBIT: columns of steps.csv for ResNet-9, 8 GPUs: step of exact, exact32, native; compute.
simulated() {
    NODES=$1 GBITS=$2 OUT=$tmp/out bench/scale/run >"$log" 2>&1 || cat "$log" >&2
    awk -F, '$2 == "resnet9" && $5 == 8 { printf "%s ", $6; compute = $7 } END { print compute }' "$tmp/out/steps.csv"
}
read -r exact low native compute < <(simulated 4 100)
read -r fast _ < <(simulated 4 400)
check "a step takes at least its bytes over the port" awk -v s="$exact" 'BEGIN { exit !(s > 2 * 3 / 4 * 52.6e6 / 12.5e9) }'
check "and no more than compute, twice its bytes, and latencies" awk -v s="$exact" -v c="$compute" 'BEGIN { exit !(s < c + 2 * 2 * 3 / 4 * 52.6e6 / 12.5e9) }'
check "native is faster than exact, 400 Gb/s than 100" awk -v e="$exact" -v n="$native" -v f="$fast" 'BEGIN { exit !(n < e && f < e) }'
check "exact32 is as native but for its tail and for what it moves: within 5 %" awk -v l="$low" -v n="$native" 'BEGIN { exit !(n < l && l < 1.05 * n) }'
finish
