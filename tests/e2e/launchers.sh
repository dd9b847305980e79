#!/bin/bash
# A launcher that MPI does not know of, or whose variables were cleared on the way: never several runs of one rank each in silence.
# And what a run that diverged is told fits its cause.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 16 30 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

for variable in PMI_SIZE MV2_COMM_WORLD_SIZE JSM_NAMESPACE_SIZE OMPI_COMM_WORLD_SIZE; do
    (export $variable=3 && train foreign 0 $tiny --steps 2 && exit "$code")
    code=$?
    one_error 6 'the launcher started 3 tasks but MPI sees one rank; use the mpirun of Open MPI' "$variable=3"
    check "$variable=3: nothing is made" test ! -e "$tmp/foreign"
done
PMI_SIZE=1 train one 0 $tiny --steps 2
check "one task of such a launcher is a run" test $code = 0
SLURM_NTASKS=3 SLURM_NPROCS=3 train batch 0 $tiny --steps 2
check "what batch scripts have as well is no launch" test $code = 0

timeout "$run_limit" mpirun -np 2 env -i PATH="$PATH" CIFAR10_DIR="$CIFAR10_DIR" "$program" train $tiny --out "$tmp/cleared" --threads 1 \
    --epochs 1000000 --progress lines >"$log" 2>&1
code=$?
one_error 4 'is in use by (process .*, started by the same process as this one|another run.*): if both were to be ranks of one run, a launch has' \
    "cleared variables: the second says what may be"
start twin 0 $tiny --epochs 1000000 --checkpoint-every 100000
until_true 30 grep -q '^pid' "$tmp/twin/owner" 2>/dev/null
train twin 0 $tiny
one_error 4 'is in use by process [^,]*; wait for its end' "timeout started this one, a shell the other: nothing of a launch"
"$program" train $tiny --out "$tmp/twin" >"$log" 2>&1
code=$?
one_error 4 "is in use by process [^,]*, started by the same process as this one: if both were to be ranks of one run" "one shell started both"
stop_hard

# ---- Advice ----
train std 0 $tiny --steps 40 --lr 1e5 --augment.std 1e-6,1e-6,1e-6
one_error 8 'diverged: .*augment.std is small, and pixels are divided by it' "a std that is too small"
train lr 0 $tiny --steps 40 --lr 1e6
one_error 8 'diverged: .*; lower the learning rate or clip gradients$' "a learning rate that is too high"
train clip 0 $tiny --steps 40 --lr 1e6 --optimizer.clip-norm 1000
one_error 8 'diverged: .*; lower the learning rate$' "a learning rate that is too high, and clipping"
train eps 0 $tiny --steps 40 --optimizer adam --optimizer.eps 0 --lr 1e6
one_error 8 'diverged: .*optimizer.eps is 0, .*: give 1e-8' "no eps"
finish
