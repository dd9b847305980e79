#!/bin/bash
# `lockstep preflight --device cuda`: the GPUs and their libraries by rank, sums by NCCL as well, and differences named.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
# odd RANKS ASSIGNMENT [WORD...]: the last rank runs with that assignment, all where it begins with "all:".
cat >"$tmp/odd" <<'SH'
#!/bin/bash
last=$((OMPI_COMM_WORLD_SIZE - 1))
[ "${1#all:}" != "$1" ] && export "${1#all:}"
[ "${1#all:}" = "$1" ] && [ "$OMPI_COMM_WORLD_RANK" = $last ] && export "$1"
exec "${@:2}"
SH
chmod +x "$tmp/odd"
odd() {
    local ranks=$1 assignment=$2
    shift 2
    simulated timeout 60 mpirun -np "$ranks" "$tmp/odd" "$assignment" "$program" preflight tests/simgpu/every-op.yaml \
        --device cuda --data "$tmp/data" --out "$tmp/out" "$@" >"$log" 2>&1
    code=$?
}
has() { check "$1" grep -qE -- "$2" "$log"; }

odd 2 all:NOTHING=1
check "two ranks are ready: exit code 0" test $code = 0
has "the GPUs" "^GPUs of ranks 0-1 on .*: Simulated GPU \(sm_90\), CUDA [0-9.]+, cuDNN [0-9.]+, fp32"
has "their libraries and driver" '^rank 0: CUDA [0-9.]+, cuDNN [0-9.]+, NCCL [0-9.]+; driver for CUDA up to [0-9.]+$'
has "sums by MPI are checked" '^all-reduce over 2 ranks, every sum checked \(Open MPI '
has "and by NCCL" '^all-reduce over 2 ranks, every sum checked \(NCCL\)'
check "both are timed" test "$(grep -cE '^  one bucket +4194304 bytes +[0-9.]+ ms' "$log")" = 2
refuse "GPUs that all see each other are nothing to note" grep -q 'by NVLink: sbatch' "$log"
has "NCCL's own word of its ways" '^  NCCL [0-9.]+ says: 2 links by P2P/CUMEM inside hosts$'
has "and what went there of what it reckons" '^  its rings take NVLink, by its own reckoning 160 Gb/s: at best [0-9.]+ Gb/s a rank went, [0-9]+ %$'
refuse "of its log nothing is shown" grep -q 'NCCL INFO' "$log"
odd 2 all:NCCL_P2P_DISABLE=1
has "by the host's memory" '^  NCCL [0-9.]+ says: 2 links by SHM inside hosts$'
check "though GPUs reach each other: one warning" test $code = 0 -a "$(grep -c "^warning: NCCL takes rank 0's sums to 1 rank of " "$log")" = 1
odd 2 all:SIMGPU_NO_PEERS=1
has "where they do not, by the host's memory too" '^  NCCL [0-9.]+ says: 2 links by SHM inside hosts$'
refuse "without a warning" grep -q '^warning: NCCL takes' "$log"
odd 3 all:SIMGPU_NCCL_LOG=1:odd
check "a way that nobody knows: exit code 0" test $code = 0
has "one line says that it cannot be told" "^  by which ways NCCL [0-9.]+'s ranks reach each other could not be told from what it wrote"
refuse "and no other claims it" grep -qE 'says: |its rings' "$log"
odd 2 all:SIMGPU_NCCL_LOG=1:none
has "nor can it where a rank is silent" 'could not be told from what it wrote'
odd 2 all:NCCL_DEBUG=INFO
has "whoever sets NCCL_DEBUG has the log" 'NCCL INFO Channel 00/0 : 0.0. -> 1.1. via P2P/CUMEM'
has "and is told so" 'its own log says, since NCCL_DEBUG is set'
if unshare --uts true 2>/dev/null; then
    # named ASSIGNMENT WORD...: each rank is on a host of its own name.
    # shellcheck disable=SC2016 # the ranks expand it
    printf '#!/bin/bash\nhostname "sim$OMPI_COMM_WORLD_RANK" && export NCCL_HOSTID=$OMPI_COMM_WORLD_RANK "$1" && exec "${@:2}"\n' >"$tmp/named"
    chmod +x "$tmp/named"
    hosts() {
        simulated timeout 60 mpirun -np 2 unshare --uts "$tmp/named" "$1" "$program" preflight tests/simgpu/every-op.yaml \
            --device cuda --data "$tmp/data" --out "$tmp/out" >"$log" 2>&1
        code=$?
    }
    hosts NOTHING=1
    check "two hosts are ready: exit code 0" test $code = 0
    has "by InfiniBand" '^  NCCL [0-9.]+ says: 2 links by NET/IB/GDRDMA .mlx5_0/1. between hosts$'
    hosts NCCL_IB_DISABLE=1
    has "by sockets" '^  NCCL [0-9.]+ says: 2 links by NET/Socket .eth0. between hosts$'
else
    skip "two hosts" "no host names of processes' own here"
fi
odd 1 all:NOTHING=1
check "one rank is ready: exit code 0" test $code = 0
has "its GPU" '^GPU of rank 0 on '

# each WORD...: as with --gpus-per-task, each rank sees one GPU of the host, its own.
cat >"$tmp/each" <<'SH'
#!/bin/bash
export SIMGPU_DEVICES=1 SIMGPU_FIRST=$OMPI_COMM_WORLD_RANK
exec "$@"
SH
chmod +x "$tmp/each"
simulated timeout 60 mpirun -np 2 "$tmp/each" "$program" preflight tests/simgpu/every-op.yaml --device cuda --data "$tmp/data" \
    --out "$tmp/out" >"$log" 2>&1
code=$?
check "a GPU a rank, hidden from the others: exit code 0" test $code = 0
check "and one note, which says what to ask Slurm for" test "$(grep -cE \
    '^warning: rank 0 on .* sees 1 of the 2 GPUs that ranks there have.*NVLink: sbatch --gpus-per-node in' "$log")" = 1

refuse "of other processes nothing is said where there is no NVML" grep -q 'shares its GPU' "$log"
mkdir "$tmp/nvml"
${CC:-gcc} -shared -fPIC -o "$tmp/nvml/libnvidia-ml.so.1" tests/simgpu/nvml.c || fail "nvml.c compiles"
export LD_LIBRARY_PATH=$tmp/nvml${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
odd 2 SIMGPU_OTHERS=2
check "GPUs with other processes: exit code 0" test $code = 0
check "and a note for the rank that shares its own" test "$(grep '^warning: .*shares its GPU' "$log" | cut -d : -f 2 | cut -d ' ' -f 2-3)" = \
    "rank 1" -a "$(grep -c 'with 2 other processes that compute there' "$log")" = 1
odd 1 all:SIMGPU_MIG=1
has "a part of a GPU" '^warning: rank 0 on .* has a part of a GPU \(MIG\)'

odd 3 SIMGPU_SMS=108
one_error 6 'rank 2 on .* computes with sm_90 x108 .*, rank 0 on .* with sm_90 x132 .*same GPUs' "another GPU is refused"
odd 3 SIMGPU_NCCL_VERSION=22703
one_error 6 'rank 2 on .* has CUDA .*, NCCL 2.27.3, rank 0 on .* has .*: load the same modules' "another NCCL is refused"
odd 3 SIMGPU_DRIVER=none
one_error 5 'rank 2 on .*: --device cuda: no NVIDIA driver' "a rank without a driver is refused"
odd 2 all:SIMGPU_DEVICES=1
one_error 5 'ranks 0 and 1 have the same GPU' "two ranks on one GPU are refused"
odd 2 all:SIMGPU_CORRUPT=1:9
one_error 6 'an all-reduce of 65536 bytes over 2 ranks gave a wrong sum at element 4096: .*NCCL_P2P_DISABLE' "a wrong sum is found"
odd 2 SIMGPU_DRIVER=13010
check "another driver is a note alone" test $code = 0
has "the note" '^warning: rank 1 on .* has a driver for CUDA up to 13.1, rank 0 on .* one for 13.0'

simulated "$program" --version >"$log" 2>&1
check "--version names what it was built with and what it loads" \
    test "$(grep -cE '^(CUDA|cuDNN|NCCL) [0-9.]+ \(built with [0-9.]+\)$' "$log")" = 3
has "and the driver" '^NVIDIA driver: for CUDA up to '
finish
