#!/bin/bash
# --elastic over several nodes: a rank dies, on the node of rank 0 too, under Open MPI 5's own mpirun, started by ssh and in a Slurm
# allocation. A node that dies ends the run, as mpirun does not outlive its daemon, and so does srun with a dead task: then the run
# goes on from its last checkpoint.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/survivors.sh
. "$(dirname "$0")/../survivors.sh"

reason=$(no_survivors)
[ -z "$reason" ] || skip_all "$reason"
cluster 3 2
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data EMULATED_CLUSTER=$home OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
words=("$recipes/tiny.yaml" --lanes "$lanes" --steps 100 --checkpoint-every 20 --threads 1)
mpirun5=("$wheel/bin/mpirun" --with-ft ulfm -np 3 --map-by node -x LD_LIBRARY_PATH -x CIFAR10_DIR)
by_ssh=(--prtemca plm_ssh_agent "$PWD/$tools/rsh.sh" --host "n1:1,n2:1,n3:1")
# survivors NAME CRASH WORD...: `lockstep train --elastic`, started on the login node by WORD... CRASH: of --crash-at, or nothing.
survivors() {
    local name=$1 crash=(${2:+--crash-at "$2"})
    shift 2
    TMPDIR=$home/tmp LD_LIBRARY_PATH=$wheel/lib timeout -k 5 "$run_limit" "$tools/run.sh" "$home" "$@" "$program" train "${words[@]}" --elastic \
        --deadline 60 --out "$tmp/$name" "${crash[@]}" >"$log.raw" 2>&1 </dev/null
    code=$?
    tr -d '\0' <"$log.raw" >"$log"
}
lost() { grep -qE "warning: rank $2 on $3 was lost in step $4; 2 ranks go on" "$tmp/$1/log.txt"; }
took_over() { grep -qE " rank $2 on $3: lanes" "$tmp/$1/log.txt"; }

train reference 0 "${words[@]}"
check "the run on one machine" test $code = 0
survivors ssh 50:1:kill "${mpirun5[@]}" "${by_ssh[@]}"
same ssh reference "a rank on another node dies, mpirun by ssh: the bits and metrics of the run on one machine"
check "it is named, with its node" lost ssh 1 n2 50
survivors slurm 50:0:kill salloc -Q -N3 -n3 "${mpirun5[@]}"
same slurm reference "rank 0 dies, mpirun in an allocation: the bits and metrics of the run on one machine"
check "it is named, with its node" lost slurm 0 n1 50
check "a rank on another node has the run directory" took_over slurm 0 n2
check "its checkpoints are sound" sound slurm

OMPI_MCA_mpi_ft_enable=1 survivors srun 50:1:kill srun -Q --mpi=pmix --kill-on-bad-exit=0 -N3 -n3
check "srun: a task that is killed ends the others" test $code = 137
refuse "srun: nobody goes on" test -e "$tmp/srun/result.json"

# Slurm ends what is left on a node of a job a moment after srun is back.
through() { [ "$(on_login sinfo -h -N -t idle -o %N | sort -u | wc -l)" = 3 ] && [ -z "$(on_login squeue -h)" ]; }
check "srun: its nodes are free again" until_true $patience through
# Rank 2 hangs, the others wait for it, and its node goes.
aside off survivors off 50:2:hang "${mpirun5[@]}" "${by_ssh[@]}"
hangs() { tr -d '\0' 2>/dev/null <"$tmp/off.aside.raw" | grep -c 'crash-at: rank 2 ends by hang before' >/dev/null; }
until_true $patience hangs || cp "$tmp/off.aside.raw" "$log"
check "a rank on n3 hangs" hangs
node power-off n3
back off
check "its node is powered off: mpirun ends the run" grep -q 'A daemon failed to report back' "$log"
refuse "it is not taken for finished" test -e "$tmp/off/result.json"
mpirun5[4]=2 by_ssh[4]=n1:1,n2:1
survivors off '' "${mpirun5[@]}" "${by_ssh[@]}"
same off reference "started again on the other nodes: the bits and metrics of the run on one machine"
finish
