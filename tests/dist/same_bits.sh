#!/bin/bash
# limit: 600
# One seed gives the same bits at any number of ranks and threads, however they are placed: state hash, test loss and
# accuracy, confusion counts, metrics.jsonl. One reference run a recipe; more than two epochs, so that the order
# of the records, the running statistics and the best checkpoint cross an epoch's end.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
small_data "$tmp/more" 640 200 || { fail "more data" && finish; }
export CIFAR10_DIR=$tmp/data

# reference NAME MIN_STEP: the run $tmp/NAME ended well, and crossed at least two epochs' ends.
reference() {
    local name=$1 step=$2
    if [ "$code" = 0 ] && [ "$(result "$name" step)" -ge "$step" ] && [ "$(result "$name" epoch)" -ge 2 ]; then
        pass "$name: a run of $step steps over two epochs' ends, $(result "$name" state_hash)"
    else
        fail "$name: a run of $step steps over two epochs' ends" "exit code $code" "$(tail -n 20 "$log")"
        finish
    fi
}

# ---- A small network with dropout, batch norm, cutout, Adam, EMA. ----
small=$recipes/small.yaml
train small 1 $small --steps 32
reference small 32
for ranks in 2 3 4 7 8; do
    train small-$ranks $ranks $small --steps 32
    same small-$ranks small "small net: $ranks ranks"
done
train small-alone 0 $small --steps 32
same small-alone small "small net: without mpirun"
train small-1x2 1 $small --steps 32 --threads 2
same small-1x2 small "small net: 1 rank x 2 threads"
train small-3x2 3 $small --steps 32 --threads 2 --loader.threads 2
same small-3x2 small "small net: 3 ranks x 2 threads, 2 loader threads"
OMP_NUM_THREADS=3 train small-omp 2 $small --steps 32
same small-omp small "small net: OMP_NUM_THREADS=3"
OMPI_MCA_hwloc_base_binding_policy=core:overload-allowed OMP_PROC_BIND=true OMP_NUM_THREADS=2 \
    train small-bound 2 $small --steps 32 --threads 2
same small-bound small "small net: ranks bound to cores, OMP_PROC_BIND"
train small-buckets 4 $small --steps 32 --bucket-bytes 4096
same small-buckets small "small net: small messages"
train small-seed 2 $small --steps 32 --seed 2
if [ "$code" = 0 ] && [ "$(result small-seed state_hash)" != "$(result small state_hash)" ]; then
    pass "another seed gives other bits"
else
    fail "another seed gives other bits" "exit code $code" "$(tail -n 20 "$log")"
fi

# ---- Odd sizes: a shorter last step, three lanes. ----
odd=$recipes/odd.yaml
train odd 1 $odd --steps 47
reference odd 47
for ranks in 2 3; do
    train odd-$ranks $ranks $odd --steps 47
    same odd-$ranks odd "odd sizes: $ranks ranks"
done
train odd-2x2 2 $odd --steps 47 --threads 2
same odd-2x2 odd "odd sizes: 2 ranks x 2 threads"

# ---- The quickstart recipe as it is, 12 steps an epoch. ----
export CIFAR10_DIR=$tmp/more
quick=configs/quickstart.yaml
train quick 2 $quick --steps 30
reference quick 30
for ranks in 1 3 4 7 8; do
    train quick-$ranks $ranks $quick --steps 30
    same quick-$ranks quick "quickstart: $ranks ranks"
done
train quick-1x2 1 $quick --steps 30 --threads 2
same quick-1x2 quick "quickstart: 1 rank x 2 threads"
export CIFAR10_DIR=$tmp/data

# ---- fp32 sums over ranks: close, with no promise of bits between rank counts. ----
# $1, $2: names of runs; whether loss and accuracy agree to what fp32 sums of 32 steps may change.
close() {
    /usr/bin/python3 - "$(result "$1" test_loss)" "$(result "$2" test_loss)" <<'PY'
import sys
a, b = map(float, sys.argv[1:])
sys.exit(0 if abs(a - b) <= 0.02 * abs(b) else f"test losses {a} and {b}")
PY
}
train native-1 1 $small --steps 32 --reduction native
check "--reduction native ends well on 1 rank" test $code = 0
check "1 rank: native agrees with exact" close native-1 small
train native-3 3 $small --steps 32 --reduction native
check "--reduction native ends well on 3 ranks" test $code = 0
check "3 ranks: native agrees with exact" close native-3 small

# ---- Without AVX-512: other kernels, other bits, the same promise. ----
export DNNL_MAX_CPU_ISA=AVX2
train avx2 1 $small --steps 32
reference avx2 32
check "AVX2: the start-up line says whose convolutions" grep -q '^device .*, AVX2, Winograd$' "$log"
for ranks in 3 8; do
    train avx2-$ranks $ranks $small --steps 32
    same avx2-$ranks avx2 "AVX2: $ranks ranks"
done
export DNNL_MAX_CPU_ISA=AVX # its gradients are generic loops: one step
train avx 1 "$recipes/tiny.yaml" --steps 1
check "AVX: the start-up line says direct convolution" grep -q '^device .*, AVX, direct convolution' "$log"
unset DNNL_MAX_CPU_ISA
finish
