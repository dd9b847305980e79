#!/bin/bash
# limit: 420
# Several streams on one simulated GPU (--threads): lanes run beside each other and add to shared buckets. Nothing may touch
# the same bytes unordered, whatever runs first (the simulator finds that), and the bits are those of one thread.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
net=tests/simgpu/every-op.yaml
common=(--data "$tmp/data" --steps 6 --log-every 1 --checkpoint-every 1 --keep 100)

# gpu NAME RANKS SCHEDULE WORD...: a run on the simulated libraries.
gpu() {
    local name=$1 ranks=$2
    export SIMGPU_SCHEDULE=$3 LD_LIBRARY_PATH=$sim
    shift 3
    train "$name" "$ranks" $net --device cuda "${common[@]}" "$@"
    unset SIMGPU_SCHEDULE LD_LIBRARY_PATH
}

# streams: how many of them ran kernels in the traced run.
streams() { sed -n 's/^SIMGPU\[0\] ran .* (stream \([0-9]*\),.*/\1/p' "$log" | sort -u | wc -l; }

SIMGPU_TRACE=1 gpu one 1 lazy
check "one thread" test $code = 0
one=$(streams)
for run in "1 2 lazy" "1 2 eager" "1 2 random:1" "1 2 random:2" "1 4 lazy" "1 4 eager" "1 4 random:3" "2 2 random:4" "2 2 random:5"; do
    read -r ranks threads schedule <<<"$run"
    gpu "$ranks-$threads-$schedule" "$ranks" "$schedule" --threads "$threads"
    same "$ranks-$threads-$schedule" one "the same bits on $ranks ranks x $threads threads, $schedule"
done
for threads in 2 4; do
    SIMGPU_TRACE=1 gpu "traced-$threads" 1 eager --threads $threads
    check "$threads threads have $threads streams" test "$(streams)" = $((one + threads - 1))
done
cores=$(nproc)
wanted=$((cores < 4 ? cores : 4))
SIMGPU_TRACE=1 gpu auto 1 eager --threads auto
check "threads auto has a stream a lane, as far as cores go" test "$(streams)" = $((one + wanted - 1))
same auto one "with the same bits"
gpu buckets 1 random:6 --threads 4 --bucket-bytes 4096
same buckets one "the same bits in small messages"
# Native sums depend on the order in which lanes add; that these adds are ordered is what is looked at.
gpu native 1 random:7 --threads 4 --reduction native
check "native sums of 4 threads" test $code = 0
net=tests/simgpu/residual.yaml
gpu blocks 1 lazy
check "residual blocks in one thread" test $code = 0
gpu blocks-4 1 random:8 --threads 4
same blocks-4 blocks "the same bits in 4"
finish
