#!/bin/bash
# The simulation of many cores obeys what must hold, for costs that are given.
. tests/tap.sh

command -v python3 >/dev/null || skip_all "no python3"
# costs PARAMETERS: 64 lanes of 75 ms, 20 ms of optimizer, 10 GB/s a core.
costs() {
    echo '{"recipe": "r", "batch": 512, "core_gbs": 10, "parameters": '"$1"', "lanes":
        {"8": {"forward": 0.2, "backward": 0.4, "rest": 0.02}, "64": {"forward": 0.025, "backward": 0.05, "rest": 0.02}}}' >"$tmp/costs"
}
# rates WORD...: images/s of each row, for 64 lanes unless others are asked for.
rates() { bench/many_cores r --costs "$tmp/costs" --lanes 64 "$@" | awk -F '[|,]' '/^[|] [0-9]/ { printf "%s%d", sep, $3; sep = " " }'; }

costs 1
check "without sums: lanes shared out, 512 / (64 / T * 0.075 + 0.02 / T)" test "$(rates --bandwidth 1000 --threads 1,2,64)" = "106 212 6798"
check "64 lanes on 48 threads take two turns" test "$(rates --bandwidth 1000 --threads 48)" = 3404
check "8 lanes are 8 threads'" test "$(rates --lanes 8 --threads 8,64)" = "850 850"
costs 6553600
# An addition: 6553600 * 20 bytes at 10 GB/s, 13.1072 ms.
check "one thread: each lane's addition is longer by its bytes" test "$(rates --threads 1)" = 90
check "the memory's bandwidth bounds a step: 64 additions at 20 GB/s are 419 ms" \
    awk -v rate="$(rates --threads 64 --bandwidth 20)" 'BEGIN { exit !(rate > 900 && rate <= 512 / 0.4194) }'
costs 500000
check "one bucket with one lock: 64 additions of 1 ms wait for each other" \
    awk -v rate="$(rates --threads 64 --piece-bytes 0)" 'BEGIN { exit !(rate > 512 / 0.142 && rate <= 512 / 0.139) }'
check "of 16 smaller ones each is waited for for a sixteenth of that" \
    awk -v rate="$(rates --threads 64 --bucket-bytes 250000 --piece-bytes 0)" 'BEGIN { exit !(rate > 512 / 0.083 && rate <= 512 / 0.079) }'
check "of 16 pieces all are added to at once: 64 additions of a sixteenth of 1 ms each, 4 ms" \
    awk -v rate="$(rates --threads 64 --piece-bytes 250000)" 'BEGIN { exit !(rate > 512 / 0.0805 && rate <= 512 / 0.080) }'
check "so nobody waits where there are as many threads as pieces" \
    test "$(bench/many_cores r --costs "$tmp/costs" --lanes 64 --threads 16 --piece-bytes 250000 | grep -c ', 0.0 ms')" = 1
refuse "costs that were not measured" bench/many_cores r --costs "$tmp/costs" --lanes 32
sample=$(mktemp "$tmp/XXXX")
bench/many_cores configs/quickstart.yaml --core-images 100 --core-bandwidth 1000000 --bandwidth 8000000 --lanes 8 \
    --threads 1,8 --batch 64 >"$sample"
check "on paper one core trains what it is said to, and eight eight times that" \
    test "$(awk -F '[|(]' '/^[|] [0-9]/ { printf "%d ", $3 }' "$sample")" = "100 800 "
refuse "half of what paper wants" bench/many_cores configs/quickstart.yaml --core-images 100
finish
