#!/bin/bash
# limit: 1500
# A bare Debian 12, as somebody has it who reads the README: debootstrap's minbase, then make and git. In it the README's
# commands; from it, by buildah, the image of the Dockerfile, which trains as under Docker and as under Apptainer.
#
# All of that is on a tmpfs in a mount and process namespace of this script's own: whichever way it ends, by SIGKILL too,
# nothing is left but the empty folder $BUILD/bare. Mirror and proxies are those of this machine's apt.
set -u

memory=6 # GiB; at most about 4.5 are used
cannot() { echo "1..0 # SKIP $1" && exit 0; }
if [ "${1:-}" != inside ]; then
    [ "$(id -u)" = 0 ] || cannot "a bare Debian is made by root"
    command -v debootstrap >/dev/null || cannot "no debootstrap: scripts/setup.sh ci"
    awk -v kib=$((memory << 20)) '/^MemAvailable/ { exit $2 < kib }' /proc/meminfo || cannot "less than $memory GiB of memory"
    own=(unshare --mount --pid --fork --mount-proc --kill-child)
    why=$("${own[@]}" sh -c 'mount -t tmpfs tmpfs /mnt && mount -t devpts devpts /mnt' 2>&1) ||
        cannot "no mounts here: $(head -n 1 <<<"$why")"
    exec "${own[@]}" "$0" inside
fi
cd "$(dirname "$0")/../.." || exit 1
mkdir -p "${BUILD:-build}/bare"
TMPDIR=$(realpath "${BUILD:-build}/bare")
export TMPDIR
mount -t tmpfs -o size=${memory}g tmpfs "$TMPDIR" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
trap - EXIT # $tmp has mounts below it; it goes with them
trap 'exit 143' TERM INT # the first process of a namespace ignores them otherwise
git rev-parse --verify -q HEAD >/dev/null || skip_all "not a checkout that git can read"

root=$tmp/root log=$tmp/log steps=20
at() { printf '# %4d s: %s\n' $SECONDS "$*"; }
# must NAME COMMAND...: what the rest cannot do without.
must() {
    local before=$failures
    check "$@"
    [ "$failures" = "$before" ] || finish
}

# ---- The root ----
# shellcheck disable=SC2016 # apt-get expands it
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    grep -E ' bookworm(-updates|-security)? ' | sort -u)
mirror=$(awk '$2 == "bookworm" && $3 == "main" { print $1; exit }' <<<"$sources")
[[ $mirror = http* ]] || skip_all "this machine's apt has no mirror of Debian 12"
why=$(/usr/lib/apt/apt-helper download-file "${mirror%/}/dists/bookworm/InRelease" "$tmp/InRelease" 2>&1) ||
    skip_all "$(grep -m 1 '^E:' <<<"$why")"
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)" # those that are set
proxies=()
for name in http_proxy https_proxy no_proxy; do [ -z "${!name:-}" ] || proxies+=("$name=${!name}"); done

# enter ROOT COMMAND [VARIABLE=VALUE...]: by a shell in ROOT, with nothing of this one's environment.
enter() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "${proxies[@]}" "${@:3}" chroot "$1" sh -c "cd && $2"
}

include=()
[[ $mirror != https:* ]] || include=(--include=ca-certificates)
must "debootstrap makes a bare Debian 12" env "${proxies[@]}" debootstrap --variant=minbase "${include[@]}" bookworm "$root" "$mirror"
printf 'deb %s\n' "${sources//$'\n'/$'\ndeb '}" >"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(http|https|Check|ForceIPv|Retries|Languages)' >"$root/etc/apt/apt.conf.d/90host"
at "the root"

# ---- The README's two commands, in a clone of the tree as it is now ----
cp -a "$root" "$tmp/base" # for the image
# mount_system ROOT: what a running system has mounted.
mount_system() {
    mount -t proc proc "$1/proc" && mount -t sysfs -o ro sysfs "$1/sys" && mount -t tmpfs tmpfs "$1/dev/shm" &&
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
}
must "a system is mounted there" mount_system "$root"
data=$tmp/cifar10
if [ -n "${CIFAR10_DIR:-}" ]; then
    mkdir "$data" && cp "$CIFAR10_DIR"/*.bin "$data"
else
    must "made images" "$BUILD/tests/dist/make_cifar" "$data" 200 100
fi
mkdir "$root/cifar10" && mount --bind "$data" "$root/cifar10"
must "make and git are installed" enter "$root" 'apt-get -q update && apt-get -q -y install --no-install-recommends make git'
clone=$root/root/lockstep
must "the tree is cloned" git clone -q --depth 1 "file://$PWD" "$clone"
git diff --name-only -z --diff-filter=D HEAD | (cd "$clone" && xargs -0r rm -f)
{ git diff --name-only -z --diff-filter=d HEAD && git ls-files -z --others --exclude-standard; } |
    tar -c --null --no-recursion -T - | tar -x -C "$clone"
id=$(git -C "$clone" describe --always --dirty --abbrev=12)
at "the clone"

# trained NAME LOG RUNS RUN: the run in $log ended as it should, in RUN, and RUNS/RUN has a page and a picture.
trained() {
    local name=$1 runs=$2 run=$3 hash
    hash=$(sed -nE "s|^finished after step $steps .*state_hash ([0-9a-f]{16}), run directory (.*/)?runs/$run\$|\1|p" "$log")
    if [ "$code" != 0 ] || [ -z "$hash" ]; then
        fail "$name: trains" "exit code $code" "$(tail -n 30 "$log")"
        return
    fi
    pass "$name: trains"
    if [ -z "${CIFAR10_DIR:-}" ]; then
        skip "$name: the bits that the README tells of" "CIFAR10_DIR is not set"
    elif grep -q 'oneDNN 2.6.3, AVX-512, Winograd$' "$log"; then
        check "$name: the bits that the README tells of" test "$hash" = bf09c98071bd4293
    elif grep -q 'oneDNN 2.6.3, AVX2, Winograd$' "$log"; then
        check "$name: the bits that the README tells of" test "$hash" = 587a0e1a42741225
    else
        skip "$name: the bits that the README tells of" "they are of oneDNN 2.6.3 with AVX-512 or AVX2"
    fi
    check "$name: names the page of the run" grep -qE "^report: (.*/)?runs/$run/report/report.html\$" "$log"
    check "$name: which is there" grep -qi '<!doctype html>' "$runs/$run/report/report.html"
    check "$name: with pictures" test -s "$runs/$run/report/confusion_matrix.png"
}

check "the README says: make run" grep -qE '^make run\b' README.md
make_run() {
    enter "$root" "cd lockstep && make run ARGS='--steps $steps'" CIFAR10_DIR=/cifar10 >"$log" 2>&1
    code=$?
}
make_run
trained "make run" "$clone/runs" quickstart
check "make run: installs what is missing" grep -q '^installing missing packages: gcc ' "$log"
refuse "make run: no error on the way" grep -nE '^(E:|.*: command not found|.*No such file)' "$log"
at "make run"
make_run
trained "make run again" "$clone/runs" quickstart.2
check "make run again: beside the first one" \
    grep -qx 'run: runs/quickstart is finished and stays as it is; runs/quickstart.2 begins' "$log"
refuse "make run again: installs and builds nothing" grep -E '^installing|^ +(CC|AR|LINK) ' "$log"
check "git sees a clean clone" test -z "$(git -C "$clone" status --porcelain | grep -vxFf <(git status --porcelain))"
at "make run again"

# ---- The image ----
command -v buildah >/dev/null || { skip "the Dockerfile" "no buildah: scripts/setup.sh ci" && finish; }
mv "$clone" "$tmp/context"
umount "$root"/{proc,sys,dev/pts,dev/shm,cifar10} && rm -rf "$root"
# buildah remembers things there; the folder itself is not made on this machine.
[ -d /var/lib/containers ] || { mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/containers; }
mount -t tmpfs tmpfs /var/lib/containers
images=(buildah --root "$tmp/images" --runroot "$tmp/images.run" --storage-driver vfs)

# The bare root, under the name by which the Dockerfile asks for Debian: --pull-never takes no other.
base=$(sed -n 's/^FROM \([^ ]*\).*/\1/p' Dockerfile | sort -u)
import_base() {
    local container
    container=$("${images[@]}" from scratch) && cp -a "$tmp/base/." "$("${images[@]}" mount "$container")" &&
        "${images[@]}" commit -q --rm "$container" "docker.io/library/$base" && rm -rf "$tmp/base"
}
must "the bare root is an image, $base" import_base
must "the Dockerfile is built" env "${proxies[@]}" "${images[@]}" build --pull-never --isolation chroot --layers=false \
    --build-arg GIT_ID="$id" -t lockstep "$tmp/context"
at "the Dockerfile"
container=$("${images[@]}" from localhost/lockstep)
volumes=(-v "$data:/lockstep/data/cifar10:ro" -v "$tmp/mounted:/lockstep/runs")
in_image() { "${images[@]}" run --isolation chroot "${volumes[@]}" "$container" -- "$@"; }
mkdir "$tmp/mounted"
check "lockstep there names its commit" eval "in_image lockstep --version | grep -F '($id)'"
check "no compiler is in it" in_image sh -c '! command -v gcc && ! command -v cc && ! command -v make'
in_image mpirun -np 4 lockstep train configs/quickstart.yaml --steps $steps >"$log" 2>&1
code=$?
trained "the image" "$tmp/mounted" quickstart

# As under Apptainer: an ordinary user, a root that nobody may write to, the folder of the user, %environment.
image=$("${images[@]}" mount "$container")
mkdir -m 700 "$tmp/user" && chown 12345:12345 "$tmp/user"
as_apptainer() {
    mount --bind "$image" "$image" && mount_system "$image" && mount -t tmpfs tmpfs "$image/tmp" &&
        mount --bind "$tmp/user" "$image/mnt" && mount --bind "$data" "$image/opt" && mount -o remount,bind,ro "$image"
}
must "its root is mounted so that nobody can write to it" as_apptainer
refuse "nobody can" touch "$image/lockstep/file"
{ sed -n '/^%environment/,/^%/{/^%/!p}' containers/lockstep.def && echo 'cd /mnt && exec "$@"'; } >"$tmp/user/enter"
env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/mnt "$(command -v chroot)" --userspec=12345:12345 "$image" sh /mnt/enter \
    mpirun -np 4 lockstep train /lockstep/configs/quickstart.yaml --steps $steps --data /opt >"$log" 2>&1
code=$?
trained "as under Apptainer" "$tmp/user/runs" quickstart
at "the images"
finish
