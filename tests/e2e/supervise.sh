#!/bin/bash
# limit: 600
# waits: what it checks is a matter of seconds
# scripts/supervise.sh: what is started again and what is not, from which checkpoint, on which hosts, and who ends it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
words=(--threads 1 --steps 40 --checkpoint-every 4 --keep 20)
# supervise NAME [OPTION]... -- COMMAND...: $code, and all output in $log.
supervise() {
    shift
    timeout -k 5 120 scripts/supervise.sh --backoff 0 "$@" >"$log" 2>&1
    code=$?
}
starts() { grep -c '^supervise: start ' "$log"; }
# The steps that the starts of a run went on from.
from() { sed -n 's/^{"kind":"start".*"step":\([0-9]*\).*/\1/p' "$tmp/$1/sessions.jsonl" | xargs; }
came_to() { test "$code $(starts)" = "$1 $2"; }
says() { grep -q "^supervise: $1" "$log"; }

train whole 1 $tiny --steps 40
check "the run without" test "$code" = 0

# ---- A crash ----
supervise killed -- mpirun -np 2 "$program" train $tiny --out "$tmp/killed" "${words[@]}" --crash-at 10:1:kill
check "a killed rank: started once more" came_to 0 2
check "from the newest checkpoint" test "$(from killed)" = "0 8"
same killed whole "to the bits of a run without"
check "it says why" says 'code 137 after step 10, begun at step 0'
check "all of it is in one log" test "$(grep -c '^supervise: start\|^finished after step 40' "$tmp/killed/supervise.log")" = 3
check "what the log has is what was printed" diff "$log" "$tmp/killed/supervise.log"
supervise hung -- mpirun -np 2 "$program" train $tiny --out "$tmp/hung" "${words[@]}" --crash-at 10:0:hang --deadline 12
check "a deadline: started once more" came_to 0 2
same hung whole "to the bits of a run without"
supervise limit --max-restarts 0 -- "$program" train $tiny --out "$tmp/limit" "${words[@]}" --crash-at 10
check "--max-restarts 0: the code of the crash" came_to 137 1

# As Open MPI 5's mpirun, which returns 0 when a node dies under it.
printf '#!/bin/bash\nmpirun "$@" || true\n' >"$tmp/says-0"
chmod +x "$tmp/says-0"
supervise lost -- "$tmp/says-0" -np 2 "$program" train $tiny --out "$tmp/lost" "${words[@]}" --crash-at 10:1:kill
check "a launcher that returns 0 for a run that has not ended: started once more" came_to 0 2
check "it says so" says 'the launcher returned 0, but the run has not come to its end'
same lost whole "to the bits of a run without"

# ---- What would only come again ----
supervise wrong -- mpirun -np 2 "$program" train $tiny --out "$tmp/wrong" --bach-size 32
check "a wrong option: nothing is started" came_to 2 0
check "it is named" grep -q 'did you mean --batch-size' "$log"
supervise many -- mpirun -np 5 "$program" train $tiny --out "$tmp/many"
check "more ranks than lanes: one start" came_to 2 1
supervise nan -- mpirun -np 2 "$program" train $tiny --out "$tmp/nan" "${words[@]}" --crash-at 10:1:nan
check "diverged: one start" came_to 8 1
supervise absent -- "$tmp/no-mpirun" -np 2 "$program" train $tiny --out "$tmp/absent"
check "no such program: one start" came_to 127 1

mkdir -p "$tmp/uncounted/sessions.jsonl"
supervise uncounted -- "$program" train $tiny --out "$tmp/uncounted" "${words[@]}" --crash-at 10
check "where starts cannot be counted: nothing is started" came_to 2 0
check "it says what to do" grep -q '^supervise.sh: .*/uncounted/sessions.jsonl cannot be written, .*: make it writable' "$log"

# ---- Twice at one step ----
# The crash comes each time; with ONLY_AT, where that is the newest checkpoint.
cat >"$tmp/again" <<'SH'
#!/bin/bash
newest=$(find "$AGAIN/checkpoints" -maxdepth 1 -name 'step-*.h5' 2>/dev/null | sort | tail -n 1)
if [ "${OMPI_COMM_WORLD_RANK:-0}" = 0 ] && [[ -z $ONLY_AT || $newest = *$ONLY_AT.h5 ]]; then rm -f "$AGAIN/crash-fired"; fi
exec "$@"
SH
chmod +x "$tmp/again"
export AGAIN ONLY_AT=
AGAIN=$tmp/always
supervise always -- mpirun -np 2 "$tmp/again" "$program" train $tiny --out "$tmp/always" "${words[@]}" --crash-at 10:1:kill
check "a crash each time at one step: from 8 twice, from the one before, the end" test "$code $(starts) $(from always)" = "137 4 0 8 8 4"
check "it says why" says 'that is the failure for which a checkpoint was set aside: gives up'
AGAIN=$tmp/state ONLY_AT=step-00000008
supervise state -- mpirun -np 2 "$tmp/again" "$program" train $tiny --out "$tmp/state" "${words[@]}" --crash-at 10:1:kill
check "a checkpoint that the run dies from: it steps behind" test "$code $(starts) $(from state)" = "0 4 0 8 8 4"
same state whole "to the bits of a run without"
check "the one in doubt is kept" test -e "$(echo "$tmp"/state/checkpoints/aside-*/step-00000008.h5)"
AGAIN=$tmp/only ONLY_AT=
supervise only -- mpirun -np 2 "$tmp/again" "$program" train $tiny --out "$tmp/only" "${words[@]}" --crash-at 6:1:kill
check "where there is no older one: the end" test "$code $(starts) $(from only)" = "137 3 0 4 4"
check "and that one stays" test -e "$tmp/only/checkpoints/step-00000004.h5"

# What may as well be an outage says nothing of a checkpoint: no step was logged since the start, or a rank waited in vain.
set_aside() { compgen -G "$tmp/$1/checkpoints/aside-*" >"$tmp/.aside"; }
AGAIN=$tmp/early
supervise early --max-restarts 3 -- mpirun -np 2 "$tmp/again" "$program" train $tiny --out "$tmp/early" "${words[@]}" --log-every 100 \
    --crash-at 10:1:kill
check "before a step was logged: from the same checkpoint again" test "$code $(starts) $(from early)" = "137 4 0 8 8 8"
refuse "and none is set aside" set_aside early
AGAIN=$tmp/first
supervise first --max-restarts 2 -- mpirun -np 2 "$tmp/again" "$program" train $tiny --out "$tmp/first" "${words[@]}" --log-every 100 \
    --crash-at 2:1:kill
check "before the first checkpoint as well: from the beginning again" test "$code $(starts) $(from first)" = "137 3 0 0 0"
AGAIN=$tmp/late
supervise late --max-restarts 2 -- mpirun -np 2 "$tmp/again" "$program" train $tiny --out "$tmp/late" "${words[@]}" --crash-at 10:0:hang \
    --deadline 3
check "a deadline each time: from the same checkpoint again" test "$code $(starts) $(from late)" = "7 3 0 8 8"
refuse "nor is one set aside then" set_aside late

# MPICH's launcher: a signal's number is a code, which may be one of lockstep's own as well. Its words, as MPICH 4.0.2 prints them; Intel's.
mkdir "$tmp/hydra"
cat >"$tmp/hydra/mpirun" <<SH
#!/bin/bash
"$(command -v mpirun)" "\$@" || code=\$?
[ "\${code:-0}" -gt 128 ] || exit "\${code:-0}"
signal=\${AS_SIGNAL:-\$((code - 128))}
printf '=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n'
case \$WORDS in
    mpich) printf '=   EXIT CODE: %d\nYOUR APPLICATION TERMINATED WITH THE EXIT STRING: Some words (signal %d)\n' \$signal \$signal ;;
    intel) printf '=   KILLED BY SIGNAL: %d (Some words)\n' \$signal ;;
    none) ;;
esac
exit \$signal
SH
chmod +x "$tmp/hydra/mpirun"
hydra() { PATH=$tmp/hydra:$PATH supervise "$@"; }
for kind in mpich intel; do
    WORDS=$kind AS_SIGNAL=8 hydra $kind -- mpirun -np 2 "$program" train $tiny --out "$tmp/$kind" "${words[@]}" --crash-at 10:1:kill
    check "$kind: a rank that a signal ended, with the code of a diverged run: started once more" came_to 0 2
    check "$kind: it says why" says 'code 8 (signal 8 ended a rank) after step 10, begun at step 0'
    same $kind whole "$kind: to the bits of a run without"
done
WORDS=none AS_SIGNAL=8 hydra none -- mpirun -np 2 "$program" train $tiny --out "$tmp/none" "${words[@]}" --crash-at 10:1:kill
check "without such words it is a diverged run: one start" came_to 8 1
AGAIN=$tmp/aborts
WORDS=mpich hydra aborts -- mpirun -np 2 "$tmp/again" "$program" train $tiny --out "$tmp/aborts" "${words[@]}" --crash-at 10:1:abort
check "SIGABRT each time at one step is no lost rank, though its code is: the checkpoint is set aside" \
    test "$code $(starts) $(from aborts)" = "6 4 0 8 8 4"

# By hand.
train hand 1 $tiny --steps 12 "${words[@]:4}"
lockstep 0 checkpoint aside "$tmp/hand"
check "checkpoint aside: the newest" test "$code" = 0 -a "$(newest hand)" = "$tmp/hand/checkpoints/step-00000008.h5"
check "it says from where the run goes on" grep -q 'set aside: the checkpoint of step 12; .*/hand goes on from that of step 8$' "$log"
train hand 2 $tiny --steps 40
check "and so it does" test "$(result hand resumed_from)" = 8
same hand whole "to the same bits"
lockstep 0 checkpoint list "$tmp/hand"
check "checkpoint list: among those set aside" grep -q '^aside-.*/step-00000012.h5 .*agrees with its checksum file' "$log"
lockstep 0 checkpoint aside "$tmp/only"
one_error 4 'the newest good checkpoint has none before it to go on from' "checkpoint aside: the last one stays"

# ---- --reset and --resume FILE ----
cp -a "$tmp/whole" "$tmp/reset"
supervise reset -- mpirun -np 2 "$program" train $tiny --out "$tmp/reset" "${words[@]}" --reset --crash-at 10:1:kill
check "--reset: on the first start alone" test "$code $(starts) $(from reset)" = "0 2 0 8"
same reset whole "to the bits of a run without"
supervise resume -- mpirun -np 2 "$program" train $tiny --out "$tmp/resume" "${words[@]}" \
    --resume "$tmp/killed/checkpoints/step-00000012.h5" --crash-at 22:1:kill
check "--resume FILE: on the first start alone" test "$code $(starts) $(from resume)" = "0 2 12 20"
same resume whole "to the bits of a run without"

# ---- Asked to stop ----
endless=(--epochs 1000000 --eval.every 1000000 --log-every 100 --threads 1 --keep 2)
logged() { [ -s "$tmp/$1/metrics.jsonl" ]; }
# supervised NAME [OPTION]... -- COMMAND...: in the background; $launched is the script's process.
supervised() {
    log=$tmp/$1.log
    shift
    scripts/supervise.sh "$@" >"$log" 2>&1 &
    launched=$!
}
for signal in TERM HUP; do
    supervised $signal --preempted restart -- mpirun -np 2 "$program" train $tiny --out "$tmp/$signal" "${endless[@]}"
    until_true 60 logged $signal
    kill -$signal "$launched"
    wait "$launched"
    code=$?
    check "SIG$signal to the script: a checkpoint, and the end" came_to 75 1
    check "SIG$signal: the run stopped as it does" test "$(result $signal status)" = stopped
done
supervised file --preempted restart -- mpirun -np 2 "$program" train $tiny --out "$tmp/file" "${endless[@]}"
until_true 60 logged file
touch "$tmp/file/stop"
wait "$launched"
code=$?
check "touch RUN/stop: the end, whatever --preempted says" came_to 75 1
for by in signal file; do
    supervised pause-$by --backoff 100 -- "$program" train $tiny --out "$tmp/pause-$by" "${words[@]}" --crash-at 6
    until_true 60 grep -q '^supervise: restart 1 of at most 20, in 100 s' "$log"
    began=$SECONDS
    if [ $by = signal ]; then kill -TERM "$launched"; else touch "$tmp/pause-$by/stop"; fi
    wait "$launched"
    code=$?
    check "asked between two starts, by a $by: the end" came_to 75 1
    check "at once" test $((SECONDS - began)) -le 10
done
log=$tmp/log
supervise time -- "$program" train $tiny --out "$tmp/time" --threads 1 --steps 3 --max-time 1s
check "code 75: the end, with that code" came_to 75 1
supervise time --preempted restart --max-restarts 0 -- "$program" train $tiny --out "$tmp/time" --threads 1 --steps 3 --max-time 1s
check "--preempted restart: started again until it is done" came_to 0 2

# ---- Hosts ----
# Who answers is what $tmp/up says; the first question about a host `leaves` is the last that it answers.
cat >"$tmp/probe" <<SH
#!/bin/bash
grep -qx "\$1" "$tmp/up" || exit 1
[ "\$1" != leaves ] || sed -i '/^leaves\$/d' "$tmp/up"
SH
chmod +x "$tmp/probe"
echo there >"$tmp/up"
supervise hosts --probe "$tmp/probe" -- mpirun -np 4 --host localhost:2,gone:2 "$program" train $tiny --out "$tmp/hosts" "${words[@]}"
check "a host that does not answer is left out, with its ranks" test "$code $(starts) $(result hosts ranks)" = "0 1 2"
check "it is named" says 'left out, for they do not answer: gone$'
same hosts whole "to the bits of a run on one rank"
printf '# all of them\nlocalhost slots=1\ngone slots=4\nlost\n' >"$tmp/hostfile"
supervise hostfile --probe "$tmp/probe" -- mpirun --hostfile "$tmp/hostfile" -np 3 "$program" train $tiny --out "$tmp/hostfile-run" "${words[@]}"
check "so it is in a hostfile, whose slots are not all known" test "$code $(result hostfile-run ranks)" = "0 1"
check "the hostfile itself stays" test "$(grep -c . "$tmp/hostfile")" = 4
echo leaves >"$tmp/up"
supervise leaves --probe "$tmp/probe" -- mpirun -np 3 --host localhost:2,leaves:1 "$program" train $tiny --out "$tmp/leaves" "${words[@]}"
check "a host that is gone when it is to start: without it the next time" test "$code $(starts) $(result leaves ranks)" = "0 2 2"
check "the first start did not begin" says 'code [0-9]* before the run began'
# A host under each of its own names, and hosts from two files, for a launcher that prints its hostfiles.
mkdir "$tmp/bin"
cat >"$tmp/bin/hostname" <<'SH'
#!/bin/bash
case ${1:-} in -f) echo node7.example.org ;; -s) echo node7 ;; *) echo node7.local ;; esac
SH
cat >"$tmp/bin/mpirun" <<'SH'
#!/bin/bash
while [[ $1 = -* ]]; do
    [ "$1" != --hostfile ] || sed "s/^/to start on: /" "$2"
    shift 2
done
exec "$@"
SH
chmod +x "$tmp/bin/hostname" "$tmp/bin/mpirun"
printf 'node7.example.org slots=1\nnode7.local slots=1\ngone slots=1\n' >"$tmp/one"
printf 'node7 slots=1\nlost slots=1\n' >"$tmp/two"
PATH=$tmp/bin:$PATH supervise files --probe false -- mpirun --hostfile "$tmp/one" --hostfile "$tmp/two" -np 5 "$program" train $tiny \
    --out "$tmp/files" "${words[@]}"
check "this host is not asked, by whatever name" says 'left out, for they do not answer: gone lost$'
check "of two hostfiles each has its own hosts" \
    test "$code $(sed -n 's/^to start on: \([^ ]*\) .*/\1/p' "$log" | xargs)" = "0 node7.example.org node7.local node7"
supervise nobody --probe false --max-restarts 1 -- mpirun -np 3 --host gone:2,lost:1 "$program" train $tiny --out "$tmp/nobody"
check "none of them: no start, and the end" came_to 1 0

# ---- Asked to stop before the run began ----
# To all processes, as Ctrl-C would: while the hosts are asked, and while the program is not yet ready for signals.
printf '#!/bin/bash\n: >"%s"\nexec sleep 20\n' "$tmp/asking" >"$tmp/slow"
chmod +x "$tmp/slow"
launched_in_group() {
    log=$tmp/$1.log
    shift
    rm -f "$tmp/asking"
    setsid scripts/supervise.sh "$@" >"$log" 2>&1 &
    launched=$!
    until_true 60 test -e "$tmp/asking"
}
launched_in_group asking --probe "$tmp/slow" -- mpirun -np 2 --host gone:2 "$program" train $tiny --out "$tmp/asking-run"
kill -TERM -- "-$launched"
wait "$launched"
code=$?
check "while the hosts are asked: the end, with code 75" came_to 75 0
launched_in_group unready -- "$tmp/slow" "$program" train $tiny --out "$tmp/unready"
kill -TERM "$launched"
wait "$launched"
code=$?
check "before the program is ready for it: the end, with code 75" came_to 75 1
log=$tmp/log

# ---- Words ----
supervise words --max-restart 3 -- "$program" train $tiny
check "an unknown option" came_to 2 0
supervise words -- "$program" eval "$tmp/whole"
check "a command that does not train" came_to 2 0
scripts/supervise.sh --help >"$log" 2>&1
check "--help" grep -q '^  --max-restarts N ' "$log"
finish
