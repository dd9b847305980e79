#!/bin/bash
# The runner must fail when a test does: each file in tests/runner goes wrong in its own way.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
unset TEST_JOBS TEST_SLOWER # those of the run that this is a part of

# expect FILE CODE LAST_LINE WORDS: tests/run on tests/runner/FILE ends with that code and line and says WORDS.
expect() {
    local out rc
    out=$(BUILD=$tmp tests/run "tests/runner/$1" 2>&1)
    rc=$?
    if [ $rc -eq "$2" ] && [ "$(tail -n 1 <<<"$out")" = "$3" ] && grep -q -- "$4" <<<"$out"; then
        pass "$1: $3"
    else
        fail "$1: $3" "wanted code $2, '$3' and '$4'; got code $rc and" "$out"
    fi
}

expect passes.sh 0 "1 passed, 0 failed, 1 skipped" "two: no such thing here"
expect fails.sh 1 "1 passed, 1 failed, 0 skipped" "not ok - two"
expect crashes.sh 1 "1 passed, 1 failed, 0 skipped" "ended by signal SEGV"
expect empty.sh 1 "0 passed, 1 failed, 0 skipped" "printed no test result"
expect exit-code.sh 1 "1 passed, 1 failed, 0 skipped" "exit code 3, though no test failed"
expect hidden-failure.sh 1 "0 passed, 2 failed, 0 skipped" "exit code 0 in spite of failures"
expect short-plan.sh 1 "2 passed, 1 failed, 0 skipped" "planned 3 tests, reported 2"
expect hangs.sh 1 "1 passed, 1 failed, 0 skipped" "ran into its limit of 1 s"
expect missing.sh 1 "0 passed, 1 failed, 0 skipped" "printed no test result"

# --- TEST_JOBS=2: two files at a time, behind them those that wait, then those that want to be alone; the sums and the failing ones as ever. ---
# together NAME LINE FILE...: what the runner says is in $shown.
together() {
    local name=$1 line=$2
    shift 2
    shown=$(BUILD=$tmp TEST_JOBS=2 tests/run "$@" 2>&1)
    check "$name" test "$(tail -n 1 <<<"$shown")" = "$line"
}
# meets NAME OTHER: a file that passes if OTHER begins before it ends.
meets() {
    printf '#!/bin/bash\n%s: >"%s"\nfor i in {1..30}; do [ -e "%s" ] && echo "ok - met" && exit; sleep 0.1; done\necho "not ok - alone"; exit 1\n' \
        "${3:-}" "$tmp/$1.begun" "$tmp/$2.begun" >"$tmp/$1.sh"
    chmod +x "$tmp/$1.sh"
}
meets one other
meets other one
refuse "one at a time, unless told otherwise" env BUILD="$tmp" tests/run "$tmp/one.sh"
rm "$tmp"/*.begun
together "two run at the same time" "2 passed, 0 failed, 0 skipped" "$tmp/one.sh" "$tmp/other.sh"
rm "$tmp"/*.begun
meets other one $'# alone: so that they do not meet\n'
together "one that wants to be alone does not" "1 passed, 1 failed, 0 skipped" "$tmp/other.sh" "$tmp/one.sh"
turns() { test "$(grep -oE '^(ok|FAILED) +[a-z]+' <<<"$shown" | tr -s ' ' | paste -sd ';')" = "$1"; }
check "it has its turn behind the others" turns "FAILED one;ok other"
rm "$tmp"/*.begun
meets one other $'# waits: which two may do\n'
meets other one $'# waits: which two may do\n'
printf '#!/bin/bash\nsleep 0.5; [ ! -e "%s" ]; echo "ok - $?" | sed "s/ok - 1/not ok - they wait for nobody/"\n' "$tmp/one.begun" >"$tmp/heavy.sh"
chmod +x "$tmp/heavy.sh"
together "two that wait do so at the same time, behind the others" "3 passed, 0 failed, 0 skipped" "$tmp/one.sh" "$tmp/other.sh" "$tmp/heavy.sh"
for limit in 2 20 300; do
    printf '#!/bin/bash\n# limit: %d\necho %d >>"%s"; sleep 0.3; echo "ok - one"\n' $limit $limit "$tmp/begun" >"$tmp/limit$limit.sh"
    chmod +x "$tmp/limit$limit.sh"
done
together "those of longer limits begin first" "3 passed, 0 failed, 0 skipped" "$tmp"/limit{2,20,300}.sh
check "that of the shortest one is the last" test "$(wc -l <"$tmp/begun") $(tail -n 1 "$tmp/begun")" = "3 2"
together "each is counted as alone" "4 passed, 5 failed, 1 skipped" tests/runner/{hangs,passes,crashes,exit-code,hidden-failure}.sh
for words in "ran into its limit of 1 s" "ended by signal SEGV" "exit code 3, though no test failed" "exit code 0 in spite of failures"; do
    check "of each it says: $words" grep -q -- "$words" <<<"$shown"
done

# --- What a failing file shows: its failing checks and what they printed, wherever they stand in a long log. ---
shown=$(BUILD=$tmp tests/run tests/runner/long.sh 2>&1)
shows() { grep -qF -- "$1" <<<"$shown"; }
for words in "not ok - seventh" "printed before the seventh" "# printed by the seventh" "not ok - last" "# line 1 of 90" "# line 20 of 90" \
    "... 50 more lines" "# line 71 of 90" "# line 90 of 90"; do
    check "of a long log it shows: $words" shows "$words"
done
for words in "ok - sixth" "printed by the eighth" "# line 21 of 90" "# line 70 of 90"; do
    refuse "of a long log it leaves out: $words" shows "$words"
done

# --- What a failing check of a script shows. ---
cat >"$tmp/shows.sh" <<'SH'
. tests/tap.sh
log=$tmp/log
seq 40 >"$log"
check "silent" test 1 = 2
check "speaks" eval 'echo own words; (exit 7)'
SH
shown=$(bash "$tmp/shows.sh" 2>&1)
for words in "# test 1 = 2 gave code 1" "# 15" "# ... 10 more lines" "# 26" "# eval echo own words; (exit 7) gave code 7" "# own words"; do
    check "a failing check shows: $words" grep -qxF -- "$words" <<<"$shown"
done
for words in "# 16" "# 25"; do refuse "a failing check leaves out: $words" grep -qxF -- "$words" <<<"$shown"; done

# --- A run with TEST_CLEAN=1 leaves the working tree as it was. ---
tree=$tmp/tree
mkdir -p "$tree/tests" "$tree/scripts"
cp tests/run "$tree/tests"
cp scripts/env.sh "$tree/scripts"
# shellcheck disable=SC2016 # the script expands it
printf '#!/bin/bash\necho "ok - one"; eval "$DO"\n' >"$tree/tests/does.sh"
chmod +x "$tree/tests/does.sh"
# leaves NAME CODE LAST_LINE WORDS COMMAND: a run whose test does COMMAND.
leaves() {
    local out rc
    out=$(DO=$5 TEST_CLEAN=1 BUILD=$tmp "$tree/tests/run" tests/does.sh 2>&1)
    rc=$?
    if [ $rc -eq "$2" ] && [ "$(tail -n 1 <<<"$out")" = "$3" ] && grep -qF -- "$4" <<<"$out"; then
        pass "$1: $3"
    else
        fail "$1: $3" "wanted code $2, '$3' and '$4'; got code $rc and" "$out"
    fi
}
export GIT_CEILING_DIRECTORIES=$tmp
leaves "outside of a checkout" 0 "1 passed, 0 failed, 1 skipped" "the working tree stays as it was: not a checkout" true
git init -q "$tree" && git -C "$tree" add . && git -C "$tree" -c user.name=t -c user.email=t@t commit -qm tree
leaves "a test that leaves nothing" 0 "2 passed, 0 failed, 0 skipped" "2 passed" true
leaves "a test that leaves a file" 1 "1 passed, 1 failed, 0 skipped" "?? left" "touch left"
leaves "what lay there before is no fault" 0 "2 passed, 0 failed, 0 skipped" "2 passed" "touch left"
leaves "a test that changes a file" 1 "1 passed, 1 failed, 0 skipped" ">  M scripts/env.sh" "echo >>scripts/env.sh"

refuse "no file at all is a failure" env BUILD="$tmp" tests/run
finish
