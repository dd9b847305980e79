#!/bin/bash
# Variables that begin with LOCKSTEP_ are options of the program, which refuses any other: so whatever scripts, tests and docs read
# or set for themselves must be one, or be named otherwise.
# shellcheck disable=SC2016 # of no shell
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

"$program" train --help | sed -nE 's/^[* ] (--[a-z]+, )?(--)?([-a-z0-9.]+)( .*|:.*)?$/\3/p' |
    tr 'a-z.-' 'A-Z__' | sed 's/^/LOCKSTEP_/' | sort -u >"$tmp/options"
check "the options are found" grep -qx LOCKSTEP_OPTIMIZER_LR "$tmp/options"

# others FILE...: names in them that are no option. A macro is no variable, nor is the name that keeps a header from being read twice.
others() {
    grep -hv '^#\(define\|ifndef\) ' "$@" | grep -oE 'LOCKSTEP_[A-Z0-9][A-Z0-9_]*' | grep -v '_H$' | sort -u |
        comm -23 - "$tmp/options"
}
printf '%s\n' 'echo "${LOCKSTEP_SEED:-1} ${LOCKSTEP_NO_OPTION:-}"' '#define LOCKSTEP_MACRO 1' >"$tmp/script"
check "a name that is no option is found" test "$(others "$tmp/script")" = LOCKSTEP_NO_OPTION

# Two that are wrong on purpose, and that of this script.
mapfile -t files < <(find scripts tests bench mk docs configs .ci Makefile README.md CONTRIBUTING.md -type f 2>/dev/null |
    grep -vx tests/e2e/variables.sh)
check "all files are looked at" test ${#files[@]} -gt 200
left=$(others "${files[@]}" | grep -vxE 'LOCKSTEP_(BATCHSIZE|XYZZY)')
if [ -z "$left" ]; then pass "every LOCKSTEP_ name is an option"; else fail "every LOCKSTEP_ name is an option" "$left"; fi

# What scripts/slurm/launch.sh and the studies take from the environment is what the program takes.
LOCKSTEP_NO_OPTION=1 lockstep 0 train $recipes/tiny.yaml --dump-config
one_error 2 'the environment variable LOCKSTEP_NO_OPTION is no option' "a name that is no option is refused"
# shellcheck disable=SC2046
env $(sed 's/$/=x/' "$tmp/options" | grep -E '_(THREADS|DATA|DEADLINE)=' | sed 's/THREADS=x/THREADS=1/; s/DEADLINE=x/DEADLINE=60/') \
    "$program" train $recipes/tiny.yaml --dump-config >"$log" 2>&1
code=$?
check "those of scripts are taken" test "$code $(grep -cE '^(threads: 1|data: x|deadline: 60)' "$log")" = "0 3"
finish
