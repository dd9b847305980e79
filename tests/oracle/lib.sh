# Helpers for tests against the trainer of this folder: source this after tests/lib.sh or tests/simgpu/lib.sh.
#
#   as_the_oracle WHAT RANKS WORD...   trains oracle.yaml with these words; its steps are to be compared
#   from_there WHAT RANKS WORD...      goes on with that run; all of its steps are to be compared, in its place
#   compare_all                        compares them, in one process: PyTorch takes seconds to start
#
# $oracle_words come before a run's own words; $oracle_recipe is the recipe, oracle.yaml unless it is set. with_groups makes
# another one of it: standard input holds the lines of optimizer.groups.
# shellcheck shell=bash
# shellcheck disable=SC2154 # tests/lib.sh sets recipes and log

python=/usr/bin/python3
$python -c 'import h5py, torch, yaml' 2>/dev/null || skip_all "python3-torch, python3-h5py or python3-yaml is missing"
small_data "$tmp/data" 13 20 || { fail "small data" && finish; }
oracle_words=()
oracle_recipe=$recipes/oracle.yaml
oracle_runs=0

from_there() {
    local what=$1 ranks=$2
    shift 2
    set -- "${oracle_words[@]}" "$@"
    rm -f "$tmp/case-$oracle_runs"
    train "run-$oracle_runs" "$ranks" "$oracle_recipe" --data "$tmp/data" "$@"
    [ "$code" = 0 ] || { fail "$what: trains" "$(tail -n 20 "$log")" && return; }
    (IFS=$'\t' && echo "$what	$tmp/run-$oracle_runs	$tmp/data	$oracle_recipe	$*") >"$tmp/case-$oracle_runs"
}

with_groups() {
    oracle_recipe=$tmp/groups-$oracle_runs.yaml
    { sed '/^optimizer:/q' "$recipes/oracle.yaml" && echo "  groups: |" && sed 's/^/    /' &&
        sed '1,/^optimizer:/d' "$recipes/oracle.yaml"; } >"$oracle_recipe"
}

as_the_oracle() {
    oracle_runs=$((oracle_runs + 1))
    from_there "$@"
}

compare_all() {
    cat "$tmp"/case-* >"$tmp/cases"
    PYTHONDONTWRITEBYTECODE=1 $python tests/oracle/check_runs.py "$tmp/cases" >"$tmp/said" 2>"$tmp/errors"
    cat "$tmp/said"
    failures=$((failures + $(grep -c '^not ok' "$tmp/said")))
    if [ "$(grep -cE '^(not )?ok' "$tmp/said")" != "$(wc -l <"$tmp/cases")" ]; then
        fail "every run was compared" "$(tail -n 5 "$tmp/errors")"
    fi
}
