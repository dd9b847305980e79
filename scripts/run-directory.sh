# Where a run writes, for scripts that start it. Sourced.
# shellcheck shell=bash

# run_out PROGRAM train WORD...: the directory as its options name it, with the time's %-words as they are. Fails where an option is wrong.
run_out() {
    local config out
    config=$("$@" --dump-config) || return
    out=$(sed -n 's/^out: //p' <<<"$config")
    if [[ $out = \'*\' ]]; then out=${out:1:-1} out=${out//\'\'/\'}; fi
    printf '%s\n' "$out"
}

# run_of_job OUT: of a name with the time, the newest directory that this Slurm job began; fails where there is none.
run_of_job() {
    local pattern lineage
    pattern=$(sed 's/[][*?\\]/\\&/g; s/%%/\x01/g; s/%./*/g; s/\x01/%/g' <<<"$1")
    while read -r lineage; do
        if grep -q "^begun ${SLURM_JOB_ID:-none} " "$lineage"; then printf '%s\n' "${lineage%/lineage}" && return; fi
    done < <(compgen -G "$pattern/lineage" | tr '\n' '\0' | xargs -0r ls -td --)
    return 1
}

# run_unfinished DIRECTORY: whether a run has begun there that has come to no end. A launcher's code 0 does not say: Open MPI 5's
# mpirun returns it when a node dies under it.
run_unfinished() { [ -e "$1/sessions.jsonl" ] && [ ! -e "$1/result.json" ]; }
