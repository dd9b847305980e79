#!/bin/bash
# limit: 600
# The kit's first stage as on a machine with a GPU and nothing of what lockstep needs: a root of Debian's essential packages and
# python3 alone, in which simulated CUDA libraries lie as NVIDIA's Python wheels do. Its parts end within their limits, whatever hangs,
# and what was done by then is kept.
#
# All of that is on a tmpfs in a mount and process namespace of this script's own: nothing is left, whichever way it ends.
set -u
shopt -s extglob

cannot() { echo "1..0 # SKIP $1" && exit 0; }
if [ "${1:-}" != inside ]; then
    [ "$(id -u)" = 0 ] || cannot "a bare root is made by root"
    [ -e "${BUILD:-build}/liblockstep_cuda.so" ] || cannot "this build has no CUDA backend"
    command -v patchelf >/dev/null || cannot "no patchelf: scripts/setup.sh ci"
    command -v dpkg-query >/dev/null || cannot "no dpkg: the root is made of Debian's packages"
    own=(unshare --mount --pid --fork --mount-proc --kill-child)
    why=$("${own[@]}" sh -c 'mount -t tmpfs tmpfs /mnt && mount -t proc proc /mnt' 2>&1) || cannot "no mounts here: $(head -n 1 <<<"$why")"
    exec "${own[@]}" "$0" inside
fi
cd "$(dirname "$0")/../.." || exit 1
mkdir -p "${BUILD:-build}/bare"
TMPDIR=$(realpath "${BUILD:-build}/bare")
export TMPDIR
mount -t tmpfs -o size=2g tmpfs "$TMPDIR" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
trap - EXIT # $tmp has mounts below it; it goes with them
trap 'exit 143' TERM INT # the first process of a namespace ignores them otherwise

root=$tmp/root log=$tmp/log archive=$BUILD/lockstep-gpu-kit.tar.xz sim=$BUILD/simgpu
check "the kit is there, of at most 25 MiB" test "$(stat -c %s "$archive" || echo 99999999)" -le $((25 << 20))

# ---- The root ----
# Essential packages and python3, with what they depend on, as far as it is installed; what only Provides is left out.
packages() {
    dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\n' | awk -F '\t' '
        $1 == "installed" { needs[$2] = $4; if ($3 == "yes" || $2 == "python3" || $2 == "mawk") queue[++last] = $2 }
        END { for (i = 1; i <= last; i++) {
                  if (seen[queue[i]]++) continue
                  print queue[i]
                  n = split(needs[queue[i]], each, /[,|]/)
                  for (k = 1; k <= n; k++) { split(each[k], word, /[ :(]+/); name = word[1] == "" ? word[2] : word[1]; if (name in needs) queue[++last] = name }
              } }'
}
make_root() {
    local list
    mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},proc,dev,sys,tmp,root,etc} || return 1
    for list in bin sbin lib lib64; do ln -s usr/$list "$root/$list"; done
    packages >"$tmp/packages" && xargs dpkg -L <"$tmp/packages" | grep -vE '^/(\.|usr/share/(doc|man|locale|info)(/.*)?)$' | sort -u >"$tmp/files"
    tar -C / -c --no-recursion --ignore-failed-read -T "$tmp/files" 2>/dev/null | tar -x --keep-directory-symlink -C "$root"
    ln -sf mawk "$root/usr/bin/awk"
    echo root:x:0:0:root:/root:/bin/bash >"$root/etc/passwd"
    echo 127.0.0.1 localhost >"$root/etc/hosts"
    ldconfig -r "$root"
    mount -t proc proc "$root/proc" && mount -t sysfs -o ro sysfs "$root/sys" && mount -t tmpfs -o mode=755 tmpfs "$root/dev" && mkdir "$root"/dev/{shm,pts} &&
        mount -t tmpfs tmpfs "$root/dev/shm" && mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts" || return 1
    mknod -m 666 "$root/dev/null" c 1 3 && mknod -m 666 "$root/dev/zero" c 1 5 && mknod -m 666 "$root/dev/urandom" c 1 9 &&
        ln -s /proc/self/fd "$root/dev/fd" && ln -s pts/ptmx "$root/dev/ptmx"
}
make_root >"$log" 2>&1 || { fail "a bare root" "$(tail -n 5 "$log")" && finish; }
variables=()
bare() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SIMGPU_DEVICES=1 GPU_REHEARSAL=tests/simgpu/every-op.yaml "${variables[@]}" \
        chroot "$root" "$@"
}
pass "a bare root of $(wc -l <"$tmp/packages") packages"
check "python3 runs there" bare python3 -c 'import json, lzma'
find "$root/usr" -name '*.so*' >"$tmp/libraries"
refuse "it has nothing of what lockstep needs" grep -E 'lib(mpi|hdf5|dnnl|yaml|cjson|xxhash|cmocka|cudart|cudnn|nccl|stdc\+\+)' "$tmp/libraries"
for wheel in cu13:libcudart.so.13 cudnn:libcudnn.so.9 nccl:libnccl.so.2; do
    mkdir -p "$root/usr/lib/python3/dist-packages/nvidia/${wheel%:*}/lib" && cp "$sim/${wheel#*:}" "$_/"
done

# ---- The kit there ----
xz -dc "$archive" | tar -x -C "$root/root"
mv "$root/root/kit" "$root/opt.kit" # wherever it lies
kit=$root/opt.kit
is_program() { [ "$(head -c 4 "$kit/build/lockstep" | tail -c 3)" = ELF ]; }
check "build/lockstep is the program itself" is_program
check "which starts by itself" bare /opt.kit/build/lockstep --help
unfound() { bare bash -c 'cd /opt.kit && find build lib ompi pmix -type f \( -name "*.so*" -o -perm -u+x \) -exec ldd {} +' 2>/dev/null | grep 'not found'; }
unfound | sort -u >"$tmp/unfound"
refuse "every library is found by where it lies, but CUDA's" grep -vE 'lib(cudart|cudnn|nccl|cuda)\.' "$tmp/unfound"

# run STAGE PATTERN [VARIABLE=VALUE...]: what it printed is in $log, what it left in $out.
out=$root/out
run() {
    local stage=$1 pattern=$2
    shift 2
    rm -rf "$out"
    variables=(OUT=/out "$@")
    SECONDS=0
    bare bash /opt.kit/scripts/gpu-kit/run.sh "$stage" "$pattern" >"$log" 2>&1
    code=$?
}
# is NAME PATTERN [STAGE]: the outcome of an item: its code, then how many checks passed, failed, were skipped.
is() {
    local found
    found=$(python3 -c 'import json, sys
for one in map(json.loads, open(sys.argv[1])):
    if one["kind"] == "item" and one["name"] == sys.argv[2]: print(one["code"], one["passed"], one["failed"], one["skipped"])' "$out/stage${3:-1}.jsonl" "$1")
    # shellcheck disable=SC2053 # a pattern
    [[ $found = $2 ]] || { echo "$1: $found, not $2" && cat "$out/stage${3:-1}.log" && return 1; }
}
layers=$kit/build/tests/ops/test_cuda_vs_ref
plant() { rm "$layers" && printf '#!/bin/bash\n%s\n' "$1" >"$layers" && chmod +x "$layers"; }

# What is long on simulated GPUs: it need not come to its end here.
run 1 'layers*' ITEM_MOST=10
check "layers: right as far as they come" is "layers against plain loops" '@(limit|0) * 0 0'
check "which have found the GPU" grep -q 'in fp32 against ref: Simulated GPU' "$out/stage1.log"
plant 'echo "ok 1 - a layer"; echo "not ok 2 - another one"; exit 1'
run 1 '*' ITEM_MOST=45
sed 's/^/# /' "$log"
check "stage 1 ends" test "$code" = 0
check "the machine is known" is machine '0 0 0 0'
check "which is the simulated one, found through the wheels" grep -q '"kind": "machine".*"gpu": "Simulated GPU"' "$out/stage1.jsonl"
check "first steps" is "resnet9, bf16, 30 steps" '0 0 0 0'
for source in tests/cuda/test_kernels*.c; do
    name=$(basename "$source" .c | sed 's/^test_//; s/_/: /')
    check "$name" is "$name" '0 [1-9]* 0 0'
done
check "checks that fail are counted, in each of its four parts" is "layers against plain loops" '1 4 4 0'
check "and named" grep -q '"bad": \["another one", "another one", ' "$out/stage1.jsonl"
check "the same bits twice" is "bf16: the same bits twice" '0 0 0 0'
check "the same bits on streams" is "bf16: the same bits on 4 streams" '0 0 0 0'
check "nothing is asked of the loader" is "without LD_LIBRARY_PATH" '0 0 0 0'
check "whole runs: right as far as they come" is tests/gpu/train.sh '@(limit|0) [1-9]* 0 0'
check "two ranks on it are refused" is tests/gpu/ranks.sh '@(limit|0) [1-9]* 0 *'
check "two files are left, at most" test "$(find "$out" -type f | wc -l)" -le 2
check "which are small" test "$(du -sk "$out" | cut -f 1)" -le 4096
check "collect makes tables of them" eval "scripts/gpu-kit/collect $out >$tmp/tables && grep -q '^| kernels | passed | [1-9]* passed | ' $tmp/tables"
cp docs/gpu-results.md "$tmp/page.md"
refuse "and writes nothing of a simulated GPU to a page" scripts/gpu-kit/collect --write "$tmp/page.md" "$out"
check "which stays as it was" cmp "$tmp/page.md" docs/gpu-results.md

run 2 'resnet9, bf16'
check "speed" is "resnet9, bf16" '0 0 0 0' 2
check "is a figure in the table" eval "scripts/gpu-kit/collect $out | grep -q '^| every-op | bf16 | 16 | - | - | - | [1-9][0-9.]* | - |'"
run 4 'airbench94, bf16, seed 1' CIFAR10_DIR=/opt.kit/scratch/data
check "training on images that are there" is "airbench94, bf16, seed 1" '0 0 0 0' 4
check "comes to an accuracy" eval "scripts/gpu-kit/collect $out | grep -q '^| every-op | 1 | cifar10-like | 2 | [0-9.]* % | '"
run 4 'airbench94, bf16, seed 2'
check "without them it fails, and says so" grep -q '"code": "3".*"said": "lockstep: data folder' "$out/stage4.jsonl"
run 3 'two ranks*'
check "two ranks share one GPU, under the kit's mpirun: the bits of one" is "two ranks on one GPU, through NCCL" '0 0 0 0' 3

plant 'trap "" TERM; echo "ok 1 - a layer"; sleep 1000'
run 1 '[lb]*' ITEM_MOST=10
check "an item that hangs runs into its limit" is "layers against plain loops" 'limit 4 0 0'
check "those behind it have their turn" grep -q '"name": "bf16: the same bits twice"' "$out/stage1.jsonl"
check "and the stage ends" test "$code" = 0 -a $SECONDS -le 90
pgrep -f test_cuda_vs_ref >"$tmp/left"
check "nothing of it goes on" test ! -s "$tmp/left"
run 1 'layers*' STAGE_S=12
check "what no time is left for is left out, and said to be" is "layers against plain loops" 'left 0 0 0'
finish
