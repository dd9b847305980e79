#!/bin/bash
# limit: 300
# Signals that end other programs without a word, and standard streams that are closed, full or gone: a run goes on or stops with a
# checkpoint, nothing that was meant for a stream gets into a file, and a command whose output was lost has failed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 16 30 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
endless=(--epochs 1000000 --checkpoint-every 1000000 --log-every 1000)

# ---- Requests ----
begun() { grep -q '^rank 0 on' "$tmp/$1.log"; }
for signal in HUP XCPU; do
    start $signal 0 $tiny "${endless[@]}"
    until_true 30 begun $signal
    kill -$signal "$launched"
    wait_for $signal
    check "SIG$signal: a checkpoint, and code 75" test "$code" = 75 -a -n "$(newest $signal)"
    check "SIG$signal: the last line says so" grep -q '^stopped after step' "$log"
done
(
    trap '' HUP
    exec "$program" train $tiny --out "$tmp/nohup" --threads 1 "${endless[@]}"
) >"$tmp/nohup.log" 2>&1 &
launched=$!
until_true 30 begun nohup
kill -HUP "$launched"
sleep 1
check "under nohup SIGHUP is none" kill -0 "$launched"
kill -USR1 "$launched"
wait_for nohup
check "and SIGUSR1 still is" test "$code" = 75
(ulimit -S -t 3 && exec timeout 60 "$program" train $tiny --out "$tmp/limit" --threads 1 "${endless[@]}") >"$log" 2>&1
code=$?
check "a limit of processor time: a checkpoint, and code 75" test "$code" = 75 -a -n "$(newest limit)"
(ulimit -f 8 && exec timeout 60 "$program" train $tiny --out "$tmp/size" --threads 1 --steps 5) >"$tmp/size.log" 2>&1
code=$?
cp "$tmp/size.log" "$log"
one_error 4 'File too large' "a limit of file sizes: one line, and code 4"

# ---- A run without its streams ----
"$program" train $tiny --out "$tmp/head" --threads 1 --steps 40 --log-every 1 --progress lines 2>&1 | head -n 1 >/dev/null
code=${PIPESTATUS[0]}
check "| head: the run ends as ever" test "$code $(result head step)" = "0 40"
train whole 0 $tiny --steps 40 --log-every 1
(exec "$program" train $tiny --out "$tmp/closed" --threads 1 --steps 40 --log-every 1 --progress lines <&- >&- 2>&-)
code=$?
same closed whole "closed streams: the run ends as ever"
check "closed streams: its checkpoints are good" sound closed
check "closed streams: the log's lines are in log.txt alone" test "$(cd "$tmp/closed" && grep -rlaF 'best.h5 is selected' .)" = ./log.txt
"$program" train $tiny --out "$tmp/full" --threads 1 --steps 40 --log-every 1 --progress lines >/dev/full 2>&1
code=$?
same full whole "full streams: the run ends as ever"

# ---- A pipe that nobody reads, which is full after some 700 lines: neither the run nor a request waits for a reader. ----
mkfifo "$tmp/pipe"
exec 8<>"$tmp/pipe"
(exec timeout -k 5 "$run_limit" "$program" train $tiny --out "$tmp/unread" --threads 1 --epochs 1000000 --checkpoint-every 1000000 \
    --eval.every 1000000 --log-every 1 --progress lines) >"$tmp/pipe" 2>&1 &
launched=$!
check "a pipe that nobody reads: the run goes on" until_true 60 grep -q ' step 2000/' "$tmp/unread/log.txt"
timeout 3 cat <&8 >"$tmp/read"
check "when it is read again it says what is missing" grep -qE '^\([0-9]+ lines are missing here: nobody read them\)$' "$tmp/read"
check "and goes on behind that" bash -c "sed '1,/lines are missing/d' '$tmp/read' | grep -q ' step [0-9]*/'"
seen=$(grep -c . "$tmp/read") missing=$(sed -nE 's/^\(([0-9]+) lines are.*/\1/p' "$tmp/read" | head -n 1)
check "log.txt has every line ($seen seen, $missing missing)" \
    bash -c "sed -E 's/.* step ([0-9]+)\/.*/\1/; /^[0-9]+$/!d' '$tmp/unread/log.txt' | awk '\$1 != ++n { exit 1 }'"
kill -TERM "$launched"
wait "$launched"
check "unread again, and asked to stop: a checkpoint, and code 75" test $? = 75
exec 8>&-

# ---- A command whose output was lost ----
check "a checkpoint to look at" test -e "$tmp/whole/best.h5"
while read -ra words; do
    "$program" "${words[@]}" >/dev/null 2>"$log" </dev/null
    check "${words[0]} ${words[1]:-}: with its output it succeeds" test $? = 0
    "$program" "${words[@]}" >/dev/full 2>"$log" </dev/null
    code=$?
    one_error 2 'standard output took not all that was printed(: No space left on device)?: let it' "${words[0]} ${words[1]:-}: a full device"
    (exec "$program" "${words[@]}" >&- 2>"$log" </dev/null)
    code=$?
    one_error 2 'standard output took not all that was printed(: Bad file descriptor)?: let it' "${words[0]} ${words[1]:-}: a closed stream"
done <<WORDS
train --help
train $tiny --describe
train $tiny --describe --json
train $tiny --dump-config
--version
--help
layers
checkpoint list $tmp/whole
options --markdown
runs $tmp --csv
inspect $tmp/whole/best.h5
eval $tmp/whole --json --threads 1
preflight $tiny --threads 1
WORDS
finish
