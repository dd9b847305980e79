#!/bin/bash
# The runner must fail when a test does: each file in tests/runner goes wrong in its own way.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

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

refuse "no file at all is a failure" env BUILD="$tmp" tests/run
finish
