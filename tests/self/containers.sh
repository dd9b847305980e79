#!/bin/bash
# The Dockerfile and containers/lockstep.def are one recipe in two languages, and take their packages from scripts/setup.sh
# alone. That the recipe is right is for tests/bare to say, which builds the image.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

def=containers/lockstep.def
unset MAKEFLAGS MAKELEVEL MFLAGS

same_lines() { diff <(echo "$1") <(echo "$2"); }

# ---- What is done, stage by stage ----
docker_steps=$(sed -nE 's/^FROM ([^ ]*).*/from \1/p; s/^RUN //p' Dockerfile)
def_steps=$(awk '
    /^From:/ { print "from", $2 }
    /^(%|Bootstrap:)/ { post = $1 == "%post"; next }
    post && NF && !/^ +(cd \/lockstep|export GIT_ID=.*)$/ { sub(/^ +/, ""); print }' $def)
check "both do the same" same_lines "$docker_steps" "$def_steps"
check "in two stages on Debian 12" same_lines "$(grep '^from' <<<"$docker_steps")" $'from debian:bookworm-slim\nfrom debian:bookworm-slim'
# shellcheck disable=SC2016 # as it stands there
check "the first one by setup.sh and make" same_lines "$(sed -n 2,3p <<<"$docker_steps")" \
    $'scripts/setup.sh build\nmake -j"$(nproc)"'
# The arrays of setup.sh, without the ? of those that are optional.
# shellcheck disable=SC2016 # the inner shell expands it
packages=$(sed -n '/^build=/,/^usage=/{/^usage=/!p}' scripts/setup.sh && echo 'echo ${build//\?/} $run ${test//\?/}')
packages=$(bash -euc "$packages")
check "setup.sh's packages are read" test "$(wc -w <<<"$packages")" -gt 20
mapfile -t named < <(tr ' ' '\n' <<<"$packages" | grep -vx make)
no_packages() { ! grep -vE '^ *#' Dockerfile "$def" | grep -wF "${named[@]/#/-e}"; }
check "neither names a package" no_packages
refuse "or installs one by itself" grep -nwE '(apt|apt-get|pip3?|conda) (-.* )?install|dpkg|curl|wget|^ADD' Dockerfile $def

# ---- Variables: those that env.sh sets for root on few cores, and one for containers ----
mkdir "$tmp/bin"
printf '#!/bin/sh\necho 0\n' >"$tmp/bin/id"
printf '#!/bin/sh\necho 1\n' >"$tmp/bin/nproc"
chmod +x "$tmp"/bin/*
by_env=$(env -i PATH="$tmp/bin:$PATH" sh -c '. scripts/env.sh && env' | grep ^OMPI_)
wanted=$(sort -u <<<"$by_env"$'\nOMPI_MCA_btl_vader_single_copy_mechanism=none')
check "env.sh sets five at least" test "$(wc -l <<<"$by_env")" -ge 5
check "the Dockerfile has env.sh's variables" same_lines "$(sed -n 's/^ENV //p' Dockerfile | sort)" "$wanted"
check "$def has them" same_lines "$(sed -n '/^%environment/,/^%runscript/s/^ *export //p' $def | sort)" "$wanted"

# ---- Files ----
check "what git ignores is not sent to Docker" test -z \
    "$(grep -v '^#' .gitignore | sed 's|^__pycache__/|**/&|' | grep -vxFf .dockerignore)"
check "nor is .git" grep -qx '/.git' .dockerignore
copied() {
    local from to
    while read -r from to; do
        mkdir -p "$tmp/clone$to" && cp -fLr "$from" "$tmp/clone$to" || return
    done < <(sed -n '/^%files$/,/^%post/{s/^ \+//;/^[A-Za-z]/p}' "$def" | sed '/setup.sh/,$d')
}
check "every file that $def takes is there" copied
# The headers: a file is compiled. The sources: the rest would be.
makes() { make -C "$tmp/clone/lockstep" CUDA=0 BUILD=build build/obj/src/main.o && make -C "$tmp/clone/lockstep" -n CUDA=0 BUILD=build build/lockstep; }
check "they are what make needs" makes
finish
