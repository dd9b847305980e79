#!/bin/bash
# limit: 360
# --elastic: whichever rank dies, and whenever (in the sums of a step, an evaluation, a checkpoint, at the end), the others go
# on and come to the bits, metrics and checkpoints of a run that lost nobody, on another MPI. It is refused where MPI does not
# tell of dead ranks.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/survivors.sh
. "$(dirname "$0")/../survivors.sh"

echo 1..32
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

reason=$(no_survivors)
if [ -n "$reason" ]; then
    for i in {4..32}; do skip "ranks that die ($i)" "$reason"; done
    finish
fi
CC=${MPICC:-mpicc} preload kill_call || finish

# dying NAME KILLS WORD...: four ranks, of which those of KILLS die there (kill_call.c).
dying() {
    local name=$1
    export KILLS=$2
    shift 2
    survive "$name" $tiny "${words[@]}" "$@"
}
passed_on=(-x LD_PRELOAD="$tmp/kill_call.so" -x KILLS)

# survived NAME REFERENCE LINE...: to the same end, and log.txt has these lines.
survived() {
    local name=$1 reference=$2 line
    back "$name"
    same "$name" "$reference" "$name: the bits and metrics of a run that lost nobody"
    shift 2
    for line in "$@"; do
        check "$name: $line" grep -qE "$line" "$tmp/$name/log.txt"
    done
    check "$name: the same checkpoints, which are sound" sound_as "$name" "$reference"
}
sound_as() { sound "$1" && diff <(cd "$tmp/$2/checkpoints" && ls) <(cd "$tmp/$1/checkpoints" && ls); }

# Two at a time. The run that loses nobody is Debian's MPI's.
aside whole train whole 2 $tiny "${words[@]}"
tells=()
aside untold dying untold ''
tells=(--with-ft ulfm)
back untold
one_error 2 'was not asked to tell of lost ranks; start with mpirun --with-ft ulfm' "MPI 5 is refused where it was not asked to tell"
back whole
check "the run that loses nobody" test "$code" = 0
# In the sums of a step; while the others regroup; rank 0 in an evaluation (3 + 10 + 10 x 10 counts).
aside steps dying steps '2@begun:90 3@collective:100 0@count:113'
# Whoever has the run directory: in two checkpoints, and before the result.
aside keeper dying keeper '0@rename:step-00000005.h5 1@rename:step-00000010.h5 2@rename:result.json'
survived steps whole 'rank 2 on [^ ]+ was lost in step [0-9]; 3 ranks go on' 'rank 2 on [^ ]+ was lost in step [0-9]; 2 ranks go on' \
    'rank 0 on [^ ]+ was lost in step 6; 1 rank goes on'
survived keeper whole 'rank 0 on [^ ]+ was lost in step 5; 3 ranks go on' 'rank 0 on [^ ]+ was lost in step 10; 2 ranks go on' \
    'rank 0 on [^ ]+ was lost in step 12; 1 rank goes on'
check "who is lost stands in result.json" test "$(result steps lost_ranks | tr -d "' " | grep -o 'rank:0.*')" = \
    "rank:0,host:$(hostname),step:6}]"
check "and in sessions.jsonl" grep -q '"kind":"lost",.*"step":6,"rank":0,.*"ranks":1' "$tmp/steps/sessions.jsonl"
check "a session that lost ranks is one" test "$(grep -c '"kind":"start"' "$tmp/keeper/sessions.jsonl")" = 1
# While all go back to a checkpoint: as they read it, and then rank 0 as they regroup; rank 0, when they have its weights.
back_words=(--bad-steps rollback --crash-at 8:2:nan)
aside back-whole train back-whole 2 $tiny "${words[@]}" --bad-steps rollback --crash-at 8:1:nan
aside back dying back '1@open:step-00000006.h5 0@rename:metrics.jsonl' "${back_words[@]}"
back back-whole
aside gone dying gone '0@rename:metrics.jsonl' "${back_words[@]}"
check "the run that goes back and loses nobody" test "$code $(result back-whole rollbacks)" = "0 1"
survived back back-whole 'rank 1 on [^ ]+ was lost in step 8; 3 ranks go on' 'rank 0 on [^ ]+ was lost in step 9; 2 ranks go on'
check "it has gone back once" test "$code $(result back rollbacks)" = "0 1"
survived gone back-whole 'rank 0 on [^ ]+ was lost in step 8; 3 ranks go on'
# Between a checkpoint and what names it, and at the end.
aside named dying named '0@rename:best.h5 1@rename:predictions.h5'
survived named whole 'rank 0 on [^ ]+ was lost in step 6; 3 ranks go on' 'rank 0 on [^ ]+ was lost in step 12; 2 ranks go on'
dying begin '1@collective:40'
one_error 6 'a rank was lost before the first step' "a loss before the first step ends the run"
finish
