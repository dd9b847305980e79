#!/bin/bash
# limit: 600
# waits: the page of a run must be made in two seconds
# Every command of README.md, in a clean copy and in its order, and what the README says that it prints. `make run` trains on few images,
# so numbers are not compared; the crash is the README's own where CIFAR-10 is at hand, and so are its bits on the README's kind of
# processor. What does not say --steps ends with step 4 (LOCKSTEP_STEPS, which a flag goes before).
# shellcheck source=tests/docs.sh
. "$(dirname "$0")/../docs.sh"

official=${CIFAR10_DIR:-}
small_data "$tmp/data" 300 100 || { fail "small data" && finish; }
clean_copy
export CIFAR10_DIR=$tmp/data LOCKSTEP_REPORT=false LOCKSTEP_THREADS=1 LOCKSTEP_STEPS=4

# The processor of the README computes with the bits that it quotes.
same_processor() { grep -qFx "$(grep -m 1 '^device auto' README.md)" "$tmp/make-run.log"; }
special() {
    case $1 in
        'git clone URL'*)
            if git rev-parse -q --verify HEAD >/dev/null 2>&1; then
                check "$2" env URL="$PWD" bash -c "cd '$tmp' && ${1/URL/\"\$URL\"} && test -s Makefile"
            else
                skip "$2" "this tree is not git's"
            fi
            ;;
        'make run')
            if [ -e "$tmp/make-run.log" ]; then # it is typed once, and what it printed is shown further down
                cp "$tmp/make-run.log" "$log"
                quoted=numbers_aside
                draws || output=$(grep -v '^report: ' <<<"$output")
                shown "$2 prints what is shown" "$output"
                draws || skip "$2 prints the path of its page" "lockstep was built without cairo"
                return
            fi
            # On a busy machine two seconds may not be enough for the page: then once more.
            for _ in 1 2 3; do
                rm -rf "$copy/runs"
                (cd "$copy" && timeout -k 5 "$run_limit" env -u LOCKSTEP_STEPS LOCKSTEP_REPORT=true make run) >"$tmp/make-run.log" 2>&1 </dev/null
                code=$?
                draws && grep -q '^report: none yet' "$tmp/make-run.log" || break
            done
            check "$2" test "$code" = 0
            ! draws || check "the page that it names is there" test -s "$copy/$(sed -n 's/^report: //p' "$tmp/make-run.log")"
            ;;
        *--crash-at* | *'--out runs/c '*)
            quoted=numbers_aside
            [ -z "$official" ] || settings=(CIFAR10_DIR="$official")
            [ -z "$official" ] || ! same_processor || quoted=literal
            return 1
            ;;
        'make test'*) skip "$2" "it is what runs this" ;;
        *) anywhere "$@" ;;
    esac
}
run_document README.md 13

# The command of its picture, in the text.
# shellcheck disable=SC2016 # of no shell
picture=$(tr '\n' ' ' <README.md | grep -oP '`\Kchromium [^`]*')
check "README.md names the command of its picture" test -n "$picture"
if ! command -v chromium >/dev/null; then
    skip "the picture of README.md" "no chromium here"
elif ! draws; then
    skip "the picture of README.md" "lockstep was built without cairo"
else
    (cd "$copy" && HOME=$tmp timeout -k 5 "$run_limit" bash -c "$picture") >"$log" 2>&1
    # shellcheck disable=SC2016 # read by python
    check "the picture of README.md: as large as the one that it shows, and something is on it" /usr/bin/python3 -c '
import struct, sys
made, shown = (open(name, "rb").read() for name in sys.argv[1:])
size = lambda png: struct.unpack(">II", png[16:24])
print(size(made), size(shown), len(made))
assert size(made) == size(shown) and len(made) > 50000' "$copy/$(grep -oP -- '--screenshot=\K[^ ]*' <<<"$picture")" docs/images/report.png
fi

check "README.md: at most 110 lines" test "$(wc -l <README.md)" -le 110
check "README.md: at most 120 characters a line" /usr/bin/python3 -c '
import sys
long = [f"{n}: {len(line)}" for n, line in enumerate(open("README.md", encoding="utf-8").read().split("\n"), 1) if len(line) > 120]
sys.exit("\n".join(long) or 0)'
finish
