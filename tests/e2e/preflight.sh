#!/bin/bash
# `lockstep preflight`: a table and exit code 0 where all is well; each difference that matters is named, with the code
# that the run would have ended with.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
flight() {
    local ranks=$1
    shift
    lockstep "$ranks" preflight $tiny --out "$tmp/out" --threads 1 "$@"
}
# odd RANKS WORD...: rank 1 runs with the assignment in $odd.
cat >"$tmp/odd" <<'SH'
#!/bin/bash
[ "$OMPI_COMM_WORLD_RANK" = 1 ] && export "$1"
exec "${@:2}"
SH
chmod +x "$tmp/odd"
odd() {
    local assignment=$1
    shift
    timeout "$run_limit" mpirun -np 3 "$tmp/odd" "$assignment" "$program" preflight $tiny --out "$tmp/out" --threads 1 "$@" >"$log" 2>&1
    code=$?
}
has() { check "$1" grep -qE -- "$2" "$log"; }

flight 3
check "three ranks are ready: exit code 0" test $code = 0
has "a row of the host: ranks, cores, threads, memory, its limit, disk, data" \
    "^$(hostname | cut -c1-16) +0-2 +[0-9]+ +1 +[0-9.]+ GB +(-|[0-9.]+ GB) +[0-9.]+ GB +[0-9.]+ GB +820\+130 [0-9a-f]{16} "
has "the libraries" '^rank 0: Open MPI v[0-9.]+, HDF5 [0-9.]+, oneDNN [0-9.]+; Linux '
has "sums are checked" '^all-reduce over 3 ranks, every sum checked'
has "and timed" '^  one bucket +4194304 bytes +[0-9.]+ ms +[0-9.]+ Gb/s'
has "the whole gradient" '^  whole gradient +[0-9]+ bytes'
check "of one host no link is named" test "$(grep -c 'the sums went over' "$log")" = 0
has "the last line" '^ready: 3 ranks, rank 0 on '
check "nothing is written" test ! -e "$tmp/out"
flight 0
check "without a launcher: exit code 0" test $code = 0
has "one rank has nothing to sum" '^all-reduce: one rank, nothing to sum'

odd ONEDNN_MAX_CPU_ISA=SSE41
one_error 6 'rank 1 on .* computes with .*, rank 0 on .* with ' "another instruction set is refused"
odd CIFAR10_DIR="$tmp/none"
one_error 3 'rank 1 on .*: data folder .*/none' "a rank without the data set is refused"
cp -a "$tmp/data" "$tmp/other"
printf '\001' | dd of="$tmp/other/data_batch_3.bin" bs=1 seek=5000 conv=notrunc status=none
odd CIFAR10_DIR="$tmp/other"
one_error 3 'the data set on .* is not that on ' "another data set is refused"
odd LOCKSTEP_SEED=9
one_error 2 'the configuration of rank 1 differs' "another configuration is refused"
odd OMPI_MCA_btl_tcp_if_include=nowhere0 --data "$tmp/none"
one_error 3 'rank 0 on .*: data folder .* \(and 2 more, above\)' "several problems: the first ends it"
has "the others are named too" '^warning: rank 2 on .*: data folder'
flight 5
one_error 2 '5 ranks, but only 4 lanes' "more ranks than lanes are refused"
flight 2 --device cuda
one_error 5 'device cuda' "a missing device is refused"
flight 2 --out /proc/none
one_error 4 '/proc cannot be written|--out /proc/none' "a run directory that cannot be made is refused"
mkdir "$tmp/disk"
flight 2 --checkpoint-local "$tmp/disk/not/there"
check "a disk for checkpoints: exit code 0" test $code = 0
has "the room in the run directory" "^--out $tmp/out: [0-9.]+ GB free, checkpoints take up to [0-9.]+ GB"
has "the room on the disk" "^--checkpoint-local $tmp/disk/not/there: [0-9.]+ GB free, checkpoints take up to"
check "nothing is made there" test ! -e "$tmp/disk/not"
flight 2 --checkpoint-local /proc/none
one_error 4 '--checkpoint-local /proc/none' "a disk that cannot be written is refused"
lockstep 0 preflight configs/resnet9.yaml --threads 1 --out "$tmp/out" --checkpoint-local "$tmp/disk" --keep 1000000
one_error 4 '--out .*: [0-9.]+ GB free, but 1000001 checkpoints .*--keep \(and 1 more' "too little room is refused"
has "on the disk as well" '^warning: --checkpoint-local .* GB free, but 1000001 checkpoints'
odd NCCL_SOCKET_IFNAME=eth7
check "other network variables are a note alone" test $code = 0
has "the note" '^warning: .*network variables differ'
SLURM_MEM_PER_NODE=512 SLURM_JOB_ID=1 flight 2
has "the memory that Slurm gave the job" '^[^ ]+ +0-1 +[0-9]+ +1 +[0-9.]+ GB +0[.]5 GB '
if preload strange_disk; then
    LD_PRELOAD=$tmp/strange_disk.so DISK_TYPE=0bd00bd0 flight 2
    has "no comfort where a quota does not show" '^--out .*: [0-9.]+ GB free .a quota does not show here: ask .lfs quota -h.\), checkpoints'
fi
finish
