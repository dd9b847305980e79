#!/bin/bash
# Exact sums of ranks on one host are one sum, in memory that they share: no message is sent between them, the bits are those of a sum
# by MPI, and a rank of many takes no more memory than one alone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data MPI_CALLS=$tmp/calls
small=$recipes/small.yaml
CC=mpicc preload mpi_calls || finish

# counted NAME RANKS WORD...: the run; $summed has how many buckets its ranks, in order, summed by MPI.
counted() {
    rm -f "$MPI_CALLS".*
    LD_PRELOAD=$tmp/mpi_calls.so train "$1" "$2" $small --steps 20 --bucket-bytes 4096 "${@:3}"
    summed=$(cat "$MPI_CALLS".* | cut -d' ' -f1 | tr '\n' ' ')
}
# zeros N: as many zeros as there are ranks.
zeros() { printf '0 %.0s' $(seq "$1"); }

counted alone 1
check "one rank" test "$code $summed" = "0 0 "
for ranks in 2 4 8; do
    counted shared-$ranks $ranks
    same shared-$ranks alone "$ranks ranks on a host: the bits of one"
    check "$ranks ranks on a host: no bucket is a message" test "$summed" = "$(zeros $ranks)"
done
counted threads 3 --threads 2
same threads alone "3 ranks x 2 threads: the same bits"

# A rank is suspended now and then: no other one may begin to add before it is done with the sums of the step before.
same_steps=(--steps 400 --epochs 60 --log-every 50)
train paced 1 $small "${same_steps[@]}"
start held 2 $small "${same_steps[@]}"
until_true 60 grep -q ' step 50/' "$tmp/held.log"
rank=$(ranks_of | tr ' ' '\n' | grep . | tail -n 1)
for ((i = 0; i < 60; i++)); do
    kill -STOP "$rank" 2>/dev/null || break
    sleep 0.03
    kill -CONT "$rank"
    sleep 0.02
done
wait "$launched"
code=$? log=$tmp/held.log
check "suspended: while it went on" test $i -gt 20
same held paced "a rank that is suspended now and then: the same bits"
log=$tmp/log

# Several hosts: the first ranks of the hosts sum by MPI, once for all of theirs.
expected() { awk -v n="$1" -v b="$buckets" -v h="$2" 'BEGIN { for (r = 0; r < n; r++) printf "%d ", r % h ? 0 : 20 * b }'; }
export HOST_RANKS=1
counted apart 2
buckets=$((${summed%% *} / 20))
same apart alone "2 hosts of a rank: the same bits"
check "2 hosts of a rank: each bucket of each step is a message" test "$buckets" -gt 1 -a "$summed" = "$(expected 2 1)"
export HOST_RANKS=2
for ranks in 3 4 7; do
    counted hosts-$ranks $ranks
    same hosts-$ranks alone "$ranks ranks on hosts of two: the same bits"
    check "$ranks ranks on hosts of two: messages of the first of each" test "$summed" = "$(expected $ranks 2)"
done
unset HOST_RANKS

# In a shorter step two of three ranks have no images; no rank of a host need have any.
odd=$recipes/odd.yaml
train odd 1 $odd --steps 47
for hosts in 3 1; do
    HOST_RANKS=$hosts LD_PRELOAD=$tmp/mpi_calls.so train odd-$hosts 3 $odd --steps 47
    same odd-$hosts odd "ranks without images in a step, $hosts on a host: the same bits"
done

NO_MEMFD=1 counted none 3
same none alone "without memory in common: the same bits"
check "without memory in common: it says so" test "$(grep -c '^the ranks of a host have no memory in common here: MPI sums over them' "$log")" = 1
check "without memory in common: each rank sends" test "$summed" = "$(expected 3 1)"
counted native 2 --reduction native
check "native sums are each rank's own" test "$code $summed" = "0 $((buckets * 10)) $((buckets * 10)) "

# What rank 0 holds at most, in MiB: all lanes alone, its share of them among others.
memory() { sed -n 's/.*"memory":\([0-9]*\).*/\1/p' "$tmp/$1/metrics.jsonl" | tail -n 1 | awk '{ print int($1 / 1048576) }'; }
export CIFAR10_DIR=$tmp/data
for ranks in 1 2 4 8; do
    train memory-$ranks $ranks configs/quickstart.yaml --steps 3 --log-every 1
done
alone=$(memory memory-1)
for ranks in 2 4 8; do
    check "memory of a rank does not grow with ranks: $ranks" test "$(memory memory-$ranks)" -le $((alone + 8))
done
finish
