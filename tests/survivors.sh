# Helpers for tests of --elastic: source this after tests/lib.sh. Ranks that outlive others want Open MPI 5 with ULFM: the one of
# PyPI in build/python (scripts/setup.sh test), which runs what was built with Debian's, or $ELASTIC_MPI.
#
#   no_survivors                  why ranks cannot outlive others here; nothing where they can
#   survive NAME CONFIG WORD...   as `train NAME 4 CONFIG --elastic` with that MPI, and sets $code and $log; $tells: mpirun's words
# shellcheck shell=bash disable=SC2034,SC2154

wheel=${ELASTIC_MPI:-$PWD/build/python}
tells=(--with-ft ulfm)

no_survivors() {
    if ! ldd "$program" | grep -q 'libmpi\.so\.40'; then
        echo "not built with an Open MPI"
    elif [ ! -x "$wheel/bin/mpirun" ] || [ ! -e "$wheel/lib/libmpi.so.40" ]; then
        echo "no Open MPI 5 in $wheel: scripts/setup.sh test installs it where PyPI answers"
    elif nm "$program" | grep -q __asan_init; then
        echo "the address sanitizer must be loaded before what kills"
    fi
}

survive() {
    local name=$1 config=$2
    shift 2
    LD_LIBRARY_PATH=$wheel/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} timeout -k 5 "$run_limit" "$wheel/bin/mpirun" --allow-run-as-root \
        --oversubscribe "${tells[@]}" "${passed_on[@]}" -np 4 "$program" train "$config" --out "$tmp/$name" --threads 1 --deadline 30 \
        --elastic "$@" >"$log.raw" 2>&1 </dev/null
    code=$?
    tr -d '\0' <"$log.raw" >"$log" # Open MPI's lines have some
}
passed_on=() # more of mpirun's words: -x NAME
