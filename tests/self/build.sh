#!/bin/bash
# The build: what is made again when something changes, what is said when something is missing, and the set-up.
# Works on a tree of two small files with this project's Makefile.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

tree=$tmp/tree
mkdir -p "$tree"/{src/core,include/lockstep,tests/unit}
cp -r Makefile mk scripts VERSION "$tree"
cd "$tree" || exit 1
echo '#define ANSWER 42' >include/lockstep/answer.h
printf '#include "lockstep/answer.h"\nint answer(void);\nint answer(void) { return ANSWER; }\n' >src/core/answer.c
printf 'int answer(void);\nint main(void) { return answer(); }\n' >src/main.c
# Nothing of the make and the sanitizer that run this test.
unset BUILD MAKEFLAGS MAKELEVEL MFLAGS SANITIZE WERROR CC CFLAGS

# says WORDS COMMAND...: the command's output has WORDS.
says() {
    local words=$1 out
    shift
    out=$("$@" 2>&1)
    grep -qF -- "$words" <<<"$out" || { echo "no '$words' in:" && echo "$out" && return 1; }
}
program_returns() { build/lockstep && return 1 || [ $? -eq "$1" ]; }

check "the first make names what it found" says "✓ Open MPI $(pkg-config --modversion ompi-c)" make
check "the program runs" program_returns 42
check "a second make does nothing" says "Nothing to be done for 'all'" make
check "nothing but build/ appears" test "$(find . -newer src/main.c -type f | grep -cv '^./build/')" -eq 0

echo '#define ANSWER 43' >include/lockstep/answer.h
check "a changed header compiles again what includes it" says "CC    src/core/answer.c" make
check "and the program is new" program_returns 43
check "other flags compile again" says "CC    src/main.c" make CFLAGS=-O1
check "and again with the old ones" says "CC    src/main.c" make
printf 'int more(void);\nint more(void) { return 1; }\n' >src/core/more.c
check "a new file goes into the library" says "AR    build/liblockstep.a" make
rm src/core/more.c
check "a removed file leaves it" says "AR    build/liblockstep.a" make
refuse "and is gone from it" eval "nm build/liblockstep.a | grep -w more"
echo 9.9.9 >VERSION
make >/dev/null 2>&1
check "the version follows VERSION, without git too" grep -q '"9.9.9"' build/version.h

echo 'int unused_argument(int x); int unused_argument(int x) { return 1; }' >src/core/warns.c
check "a warning is no error" make
touch src/core/warns.c
refuse "with WERROR=1 it is" make WERROR=1
rm src/core/warns.c

check "sanitizers build beside" make SANITIZE=address,undefined
check "in a folder of their own" test -x build/asan/lockstep
check "another folder is obeyed" eval "make BUILD=elsewhere && test -x elsewhere/lockstep"

# Without pkg-config's packages, HDF5's wrappers, and the folders that compilers know.
mkdir "$tmp/none"
printf '#!/bin/sh\nexit 1\n' | tee "$tmp/none/h5cc" >"$tmp/none/h5pcc"
chmod +x "$tmp"/none/*
missing() { MPICC=none PATH=$tmp/none:$PATH PKG_CONFIG_LIBDIR=$tmp/none make CC="gcc --sysroot=$tmp/none" BUILD="$tmp/other"; }
refuse "a missing library stops make" missing
all_missing="missing: MPI HDF5 oneDNN libyaml cJSON xxHash. \`make setup\` installs what lockstep needs on Debian and Ubuntu; elsewhere: docs/cluster.md"
check "which says which, and what to do" says "$all_missing" missing
check "and where it looked, every time" says "Load its module, or name its folder: HDF5_HOME=DIR" missing
mkdir -p "$tmp/home/include" "$tmp/home/lib"
ln -s /usr/include/yaml.h "$tmp/home/include"
ln -s "$(gcc -print-file-name=libyaml.so)" "$tmp/home/lib"
check "a library's folder on make's command line" says "✓ libyaml in $tmp/home" make -n YAML_HOME="$tmp/home" BUILD="$tmp/home/build"
# of_onednn MAJOR MINOR: make, with the header of that version of oneDNN.
mkdir "$tmp/dnnl"
of_onednn() {
    printf '#define DNNL_VERSION_%s\n' "MAJOR $1" "MINOR $2" "PATCH 1" >"$tmp/dnnl/dnnl_version.h"
    CPATH=$tmp/dnnl${CPATH:+:$CPATH} make -n BUILD="$tmp/onednn-$1.$2"
}
check "oneDNN 2.6 is taken" says "✓ oneDNN 2.6.1" of_onednn 2 6
check "so is 3.13" says "✓ oneDNN 3.13.1" of_onednn 3 13
for version in "2 5" "1 9" "4 0"; do
    # shellcheck disable=SC2086
    check "oneDNN $version is not: the reason" says "✗ oneDNN: ${version/ /.}.1 has another C interface; lockstep is written for versions 2.6 to 3" \
        of_onednn $version
    # shellcheck disable=SC2086
    refuse "oneDNN $version stops make" of_onednn $version
done
check "make help lists the targets" says "fuzz-smoke" make help
check "every target of make help exists" eval \
    "make help | sed -n 's/^  \([a-z0-9-]*\)  .*/\1/p' | while read -r t; do make -n SETUP=0 TARGET=x \$t; done 2>&1 |
        tee $tmp/targets | grep -c 'No rule to make target .[a-z-]*.\.' | grep -qx 0"

# --- set-up, with a dpkg-query that knows nothing and an apt-get that must not run ---
mkdir "$tmp/bin"
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/dpkg-query"
printf '#!/bin/sh\ntouch %s/apt-ran\nexit 1\n' "$tmp" >"$tmp/bin/apt-get"
printf '#!/bin/sh\nexec "$@"\n' >"$tmp/bin/sudo"
chmod +x "$tmp"/bin/*
bare_setup() { PATH="$tmp/bin:$PATH" "$@"; }
check "SETUP=0 names what is missing" says "libopenmpi-dev" bare_setup env SETUP=0 scripts/setup.sh build
refuse "and fails" bare_setup env SETUP=0 scripts/setup.sh build
check "and installs nothing" test ! -e "$tmp/apt-ran"
refuse "an install that fails is a failure" bare_setup env SETUP=1 scripts/setup.sh build
check "that apt-get was asked for" test -e "$tmp/apt-ran"
printf '#!/bin/sh\n' | tee "$tmp/bin/apt-get" >"$tmp/bin/apt-cache" # runs, and knows nothing
chmod +x "$tmp/bin/apt-cache"
unknown_packages() { says "scripts/setup.sh: apt has no openmpi-bin libhdf5-103-1 libdnnl2" bare_setup env SETUP=1 scripts/setup.sh run; }
check "packages that apt does not know are named in one line" unknown_packages
refuse "which is a failure" bare_setup env SETUP=1 scripts/setup.sh run
refuse "an unknown group is refused" scripts/setup.sh nonsense

# --- env.sh in other shells ---
for shell in sh bash zsh dash; do
    if command -v $shell >/dev/null; then
        check "env.sh works in $shell" $shell -euc ". scripts/env.sh && test \"\$OMPI_MCA_hwloc_base_binding_policy\" = none"
    fi
done
# shellcheck disable=SC2016 # the inner shell expands it
check "env.sh keeps what is set" env OMPI_MCA_hwloc_base_binding_policy=core sh -c \
    '. scripts/env.sh && test "$OMPI_MCA_hwloc_base_binding_policy" = core'
finish
