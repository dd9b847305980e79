#!/bin/bash
# Hostfiles: the generator, and mpirun over the nodes of hostfiles/two-nodes.txt without Slurm and without ssh.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"

generate=scripts/hostfile.sh
# prints WHAT LINES WORD...: the generator prints these lines (| between them) and nothing on standard error.
prints() {
    local what=$1 lines=$2 got
    shift 2
    got=$($generate "$@" 2>&1 | paste -s -d '|')
    if [ "$got" = "$lines" ]; then pass "$what"; else fail "$what" "got $got"; fi
}
# refuses WHAT PATTERN WORD...: code 2, one line, which matches, and no hostfile.
refuses() {
    local what=$1 pattern=$2 out rc
    shift 2
    out=$($generate "$@" 2>"$tmp/.error")
    rc=$?
    if [ $rc = 2 ] && [ -z "$out" ] && [ "$(wc -l <"$tmp/.error")" = 1 ] && grep -qE -- "$pattern" "$tmp/.error"; then
        pass "$what"
    else
        fail "$what" "code $rc, output '$out', error:" "$(cat "$tmp/.error")"
    fi
}
cores=$(nproc --all)
prints "names" "a slots=2|b slots=2" --slots 2 --cores 4 a b
prints "a list in Slurm's manner" "n08 slots=1|n09 slots=1|n10 slots=1|n12 slots=1" --slots 1 --cores 4 'n[08-10,12]'
prints "this machine's cores" "localhost slots=$cores" localhost
prints "more slots than cores, when told" "a slots=8" --slots 8 --cores 4 --oversubscribe a
refuses "more slots than cores" '8 slots on a, which has 4 cores: .*--oversubscribe' --slots 8 --cores 4 a
refuses "more slots than this machine's cores" "which has $cores cores" --slots $((cores + 1)) localhost
refuses "cores that nobody knows" 'cores of nowhere are not known' --slots 2 nowhere
refuses "a bad list" 'is no name of a node' 'n[1-'
refuses "a bad number" '--slots wants a number from 1' --slots 0 a
refuses "an unknown option" 'unknown option --slot' --slot 2 a
SLURM_JOB_NODELIST='' refuses "no nodes" 'which nodes' --slots 2

for file in hostfiles/*.txt; do
    check "$file: names and slots" \
        bash -c "grep -v '^#' $file | grep -q . && ! grep -v '^#' $file | grep -vE '^[a-z0-9]+ slots=[1-9][0-9]*\$'"
    check "$file: says which flag reads it" grep -q -- "--hostfile" "$file"
done

cluster 2 4
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data EMULATED_CLUSTER=$home
words=("$recipes/tiny.yaml" --lanes "$lanes" --steps 120 --threads 1)
train reference 0 "${words[@]}"
check "the run on one machine" test $code = 0

log=$tmp/out
export HOSTFILE=hostfiles/two-nodes.txt NETWORK=10.213.0.0/24
MPIRUN_ARGS="--mca plm_rsh_agent $PWD/$tools/rsh.sh"
export MPIRUN_ARGS
NP=8 on_login scripts/slurm/launch.sh train "${words[@]}" --out "$tmp/launched" >"$log" 2>&1
code=$?
same launched reference "8 ranks by mpirun --hostfile: the bits and metrics of the run on one machine"
check "8 ranks by mpirun --hostfile: four on each node" test "$(grep -cE '^rank [0-3] on n1:|^rank [4-7] on n2:' "$log")" = 8

# The generator's file, in a job and for a cluster whose nodes Slurm knows.
on_login sbatch --wait --nodes=2 --ntasks-per-node=2 --output="$tmp/generated" $generate >/dev/null
check "in a job: its nodes and tasks" test "$(cat "$tmp/generated")" = $'n1 slots=2\nn2 slots=2'
check "for nodes that Slurm knows: their cores" test "$(on_login $generate 'n[1-2]')" = $'n1 slots=4\nn2 slots=4'
refuse "for nodes that Slurm knows: not more" on_login $generate --slots 5 n1
HOSTFILE=$tmp/generated NP=4 on_login scripts/slurm/launch.sh train "${words[@]}" --out "$tmp/again" >"$log" 2>&1
code=$?
same again reference "4 ranks by the generated file: the same bits"
finish
