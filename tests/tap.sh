# Helpers for test scripts: source this first. Shell tests print one TAP line for each thing that they check.
#
#   pass NAME | fail NAME [DETAIL...] | skip NAME REASON
#   check NAME COMMAND...       passes when the command succeeds; else shows what it printed, or, if that was nothing, $log
#   refuse NAME COMMAND...      passes when the command fails
#   skip_all REASON             ends the script: nothing here can be tested
#   finish                      last line of every script: exit code 1 if anything failed
#
# $tmp is an empty folder, removed at the end; $BUILD is the build directory; the working directory is the root of the tree.
# shellcheck shell=bash

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
BUILD=${BUILD:-build}
. scripts/env.sh
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lockstep-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
export XDG_CACHE_HOME=$tmp/cache # whoever runs the tests has a cache of his own
failures=0

pass() { echo "ok - $1"; }
fail() {
    echo "not ok - $1"
    shift
    [ $# -gt 0 ] && printf '%s\n' "$@" | sed 's/^/# /'
    failures=$((failures + 1))
}
skip() { echo "ok - $1 # SKIP $2"; }
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
# What a command printed, shortened: the cause of a failure often stands first, the end of it last.
printed() {
    local file=$tmp/.output
    [ -s "$file" ] || { [ -s "${log:-}" ] && file=$log && echo "what $log has:"; }
    awk '{ line[NR] = $0 }
         END { for (i = 1; i <= NR; i++) {
                   if (i == 16 && NR > 30) print "... " NR - 30 " more lines"
                   if (i <= 15 || i > NR - 15) print line[i]
               } }' "$file"
}
check() {
    local name=$1
    shift
    if "$@" >"$tmp/.output" 2>&1; then pass "$name"; else fail "$name" "$* gave code $?" "$(printed)"; fi
}
refuse() {
    local name=$1
    shift
    if "$@" >"$tmp/.output" 2>&1; then fail "$name" "$* succeeded" "$(printed)"; else pass "$name"; fi
}
finish() { [ $failures -eq 0 ]; exit; }
