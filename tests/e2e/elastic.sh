#!/bin/bash
# --elastic: whichever rank dies, and whenever (in the sums of a step, an evaluation, a checkpoint, at the end), the others go
# on and come to the bits, metrics and checkpoints of a run that lost nobody, on another MPI. It is refused where MPI does not
# tell of dead ranks.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

echo 1..19
tiny=$recipes/tiny.yaml
small_data "$tmp/data" 40 66 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
words=(--epochs 2 --checkpoint-every 5)

train alone 0 $tiny --elastic
one_error 2 '--elastic: one process without mpirun leaves nobody' "one process is refused"
if mpirun --version | grep -q 'Open MPI) 4'; then
    train old 2 $tiny --elastic
    one_error 2 'does not tell of lost ranks; use Open MPI 5 with ULFM' "an MPI that does not tell of dead ranks is refused"
else
    skip "an MPI that does not tell of dead ranks is refused" "mpirun is not Open MPI 4"
fi
check "nothing is left of it" test ! -e "$tmp/alone" -a ! -e "$tmp/old"

# Open MPI 5 of PyPI (scripts/setup.sh test), with what was built with Debian's.
wheel=${ELASTIC_MPI:-$PWD/build/python}
reason=
if ! ldd "$program" | grep -q 'libmpi\.so\.40'; then
    reason="not built with an Open MPI"
elif [ ! -x "$wheel/bin/mpirun" ] || [ ! -e "$wheel/lib/libmpi.so.40" ]; then
    reason="no Open MPI 5 in $wheel: scripts/setup.sh test installs it where PyPI answers"
elif nm "$program" | grep -q __asan_init; then
    reason="the address sanitizer must be loaded before what kills"
fi
if [ -n "$reason" ]; then
    for i in {4..19}; do skip "ranks that die ($i)" "$reason"; done
    finish
fi
CC=${MPICC:-mpicc} preload kill_call || finish

# launch NAME KILLS WORD...: four ranks, of which those of KILLS die there (kill_call.c).
launch() {
    local name=$1 kills=$2
    shift 2
    KILLS=$kills LD_LIBRARY_PATH=$wheel/lib timeout -k 5 "$run_limit" "$wheel/bin/mpirun" --allow-run-as-root --oversubscribe \
        "${tells[@]}" -x LD_PRELOAD="$tmp/kill_call.so" -x KILLS -np 4 "$program" train $tiny --out "$tmp/$name" --threads 1 \
        --deadline 30 "${words[@]}" "$@" >"$log.raw" 2>&1 </dev/null
    code=$?
    tr -d '\0' <"$log.raw" >"$log" # Open MPI's lines have some
}
tells=(--with-ft ulfm)
survive() { launch "$@" --elastic; }

# survived NAME LINE...: to the same end, and log.txt has these lines.
survived() {
    local name=$1 line
    back "$name"
    same "$name" whole "$name: the bits and metrics of a run that lost nobody"
    shift
    for line in "$@"; do
        check "$name: $line" grep -qE "$line" "$tmp/$name/log.txt"
    done
    check "$name: the same checkpoints, which are sound" sound_as_whole "$name"
}
sound_as_whole() { sound "$1" && diff <(cd "$tmp/whole/checkpoints" && ls) <(cd "$tmp/$1/checkpoints" && ls); }

# Two at a time. The run that loses nobody is Debian's MPI's.
aside whole train whole 2 $tiny "${words[@]}"
tells=()
aside untold survive untold ''
tells=(--with-ft ulfm)
back untold
one_error 2 'was not asked to tell of lost ranks; start with mpirun --with-ft ulfm' "MPI 5 is refused where it was not asked to tell"
back whole
check "the run that loses nobody" test "$code" = 0
# In the sums of a step; while the others regroup; rank 0 in an evaluation (3 + 10 + 10 x 10 counts).
aside steps survive steps '2@begun:90 3@collective:100 0@count:113'
# Whoever has the run directory: in two checkpoints, and before the result.
aside keeper survive keeper '0@rename:step-00000005.h5 1@rename:step-00000010.h5 2@rename:result.json'
survived steps 'rank 2 on [^ ]+ was lost in step [0-9]; 3 ranks go on' 'rank 2 on [^ ]+ was lost in step [0-9]; 2 ranks go on' \
    'rank 0 on [^ ]+ was lost in step 6; 1 rank goes on'
survived keeper 'rank 0 on [^ ]+ was lost in step 5; 3 ranks go on' 'rank 0 on [^ ]+ was lost in step 10; 2 ranks go on' \
    'rank 0 on [^ ]+ was lost in step 12; 1 rank goes on'
check "who is lost stands in result.json" test "$(result steps lost_ranks | tr -d "' " | grep -o 'rank:0.*')" = \
    "rank:0,host:$(hostname),step:6}]"
check "and in sessions.jsonl" grep -q '"kind":"lost",.*"step":6,"rank":0,.*"ranks":1' "$tmp/steps/sessions.jsonl"
check "a session that lost ranks is one" test "$(grep -c '"kind":"start"' "$tmp/keeper/sessions.jsonl")" = 1
survive begin '1@collective:40'
one_error 6 'a rank was lost before the first step' "a loss before the first step ends the run"
finish
