#!/bin/bash
# Each check of the source passes on this tree and fails on a tree with the fault that it is there to find.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

# --- the include rule ---
check "the include rule holds" scripts/check-includes

# broken NAME WORDS FILE LINE: a tree with only FILE, which holds LINE, is refused with WORDS.
broken() {
    local name=$1 words=$2 file=$3 line=$4 out
    rm -rf "$tmp/tree"
    mkdir -p "$tmp/tree/$(dirname "$file")" "$tmp/tree/include/lockstep"
    printf '%s\n' "$line" >"$tmp/tree/$file"
    if out=$(scripts/check-includes "$tmp/tree" 2>&1); then
        fail "include rule: $name" "was accepted"
    elif ! grep -qF -- "$words" <<<"$out"; then
        fail "include rule: $name" "wanted '$words', got" "$out"
    else
        pass "include rule: $name"
    fi
}
broken "core is below all" "core may not include lockstep/model.h (model)" src/core/a.c '#include "lockstep/model.h"'
broken "a backend sees no data" "cpu may not include lockstep/dataset.h" src/cpu/a.c '#include "lockstep/dataset.h"'
broken "a space hides nothing" "comm may not include lockstep/config.h" src/comm/a.c ' # include <lockstep/config.h>'
broken "nothing includes a backend" "nothing includes a backend" src/run/a.c '#include "../cpu/cpu.h"'
broken "folders are private" "is not in the file's own folder" src/run/a.c '#include "checkpoint_write.h"'
broken "a library has one home" "run may not include mpi.h" src/run/a.c '#include <mpi.h>'
broken "no MPI in a public header" "only the C library, not mpi.h" include/lockstep/comm.h '#include <mpi.h>'
broken "a header has a module" "belongs to no module" include/lockstep/nobody.h ''
broken "a folder has a rule" "no rule for the folder" src/nobody/a.c ''

# --- circles ---
if command -v python3 >/dev/null; then
    check "no files need each other in a circle" scripts/check-circles
    # circle NAME WORDS FILE TEXT [FILE TEXT]...: a tree of these files is refused with WORDS; with none, accepted.
    circle() {
        local name=$1 words=$2 out code=0
        shift 2
        rm -rf "$tmp/tree"
        while [ $# -gt 0 ]; do
            mkdir -p "$tmp/tree/$(dirname "$1")"
            printf '%b\n' "$2" >"$tmp/tree/$1"
            shift 2
        done
        out=$(scripts/check-circles "$tmp/tree" 2>&1) || code=$?
        if [ -z "$words" ] && [ $code = 0 ]; then
            pass "circles: $name"
        elif [ -n "$words" ] && [ $code != 0 ] && grep -qF -- "$words" <<<"$out"; then
            pass "circles: $name"
        else
            fail "circles: $name" "wanted '${words:-no complaint}', got code $code and" "$out"
        fi
    }
    circle "two files that call each other" "a uses b_do (b)" \
        src/io/a.c 'int a_do(void) { return b_do(); }' src/io/b.c 'int b_do(void) { return a_do(); }'
    circle "by way of a third" "src/io: a and b and c need each other" src/io/a.c 'int a_do(void) { return b_do(); }' \
        src/io/b.c 'int b_do(void) { return c_do(); }' src/io/c.c 'int\nc_do(int (*f)(int),\n     int n) { return f(a_do()); }'
    circle "headers alone" "a includes b.h (b)" src/io/a.h '#include "b.h"' src/io/b.h '# include "a.h"'
    circle "an include and a table" "a uses b_table (b)" \
        src/io/a.c 'int a_do(void) { return b_table[0]; }' src/io/b.c '#include "a.h"\nconst int b_table[] = {1};' src/io/a.h ''
    circle "folders" "io uses run_do (run)" src/io/a.c 'int a_do(void) { return run_do(); }' src/run/b.c 'int run_do(void) { return a_do(); }'
    circle "a chain is none" "" src/io/a.c 'int a_do(void) { return b_do(); }' src/io/b.c '#include "c.h"\nint b_do(void) { return 1; }' src/io/c.h ''
    circle "words in comments and strings, members, variables, a file's own function" "" src/io/a.c 'int a_do(void) { return b_do(); }' \
        src/io/b.c '/* a_do() */\nint b_do(void) { puts("a_do"); int a_do = 1; return x->a_do + y.a_do + a_do; }' \
        src/io/c.c 'static int b_do(void) { return 1; }\nint c_do(void) { return b_do(); }'
else
    skip "no files need each other in a circle" "no python3"
fi

# --- headers alone ---
if command -v "${CXX:-g++}" >/dev/null; then
    check "each header compiles alone" scripts/check-headers
    mkdir -p "$tmp/include/lockstep"
    echo 'int64_t count(void);' >"$tmp/include/lockstep/needs.h"
    refuse "a header that needs another is refused" scripts/check-headers "$tmp/include/lockstep/needs.h"
    echo 'int make(int class);' >"$tmp/include/lockstep/class.h"
    refuse "a header that C++ cannot read is refused" scripts/check-headers "$tmp/include/lockstep/class.h"
    echo 'inline int twice(int x) { return x + x; } struct Empty {};' >"$tmp/include/lockstep/empty.h"
    refuse "a header that is not ISO C is refused" scripts/check-headers "$tmp/include/lockstep/empty.h"
else
    skip "each header compiles alone" "no C++ compiler"
fi

# --- format ---
if command -v clang-format >/dev/null; then
    check "the C files are formatted" scripts/check-format
    printf 'int  main( void ) {\n\treturn 0;}\n' >"$tmp/ugly.c"
    cp .clang-format "$tmp"
    refuse "an unformatted file is refused" scripts/check-format "$tmp/ugly.c"
else
    skip "the C files are formatted" "no clang-format"
fi

# --- text ---
if command -v python3 >/dev/null && git rev-parse --git-dir >/dev/null 2>&1; then
    check "every text file is as .editorconfig says" scripts/check-text
    # amiss WORDS NAME TEXT: a file of that name is refused with WORDS; without WORDS, accepted.
    mkdir -p "$tmp/text/scripts"
    cp scripts/check-text "$tmp/text/scripts"
    cp .editorconfig "$tmp/text"
    amiss() {
        local out code=0
        printf '%b' "$3" >"$tmp/text/$2"
        out=$("$tmp/text/scripts/check-text" "$2" 2>&1) || code=$?
        if [ -z "$1" ]; then
            check "check-text accepts ${4:-$2}" test "$code $out" = "0 "
        else
            check "check-text: $1" test "$code $(grep -cF "$1" <<<"$out")" = "1 1"
        fi
    }
    line() { printf "%$1s" '' | tr ' ' x; }
    amiss "" a.c "$(line 100)\n" "100 columns of C"
    amiss "a.c:1: 101 columns, the limit is 100" a.c "$(line 101)\n"
    amiss "" a.md "| $(line 200) |\n$(line 139)é\n" "a table, and 140 letters, of a document"
    amiss "a.md:2: 141 columns, the limit is 140" a.md "x\n$(line 141)\n"
    amiss "161 columns" a "$(line 161)\n"
    amiss "blanks at the end" a.py "x \n"
    amiss "no newline at the end" a.sh "x"
    amiss "indented by a tab" a.cu "\tx\n"
    amiss "not UTF-8" a.txt "\0351\n"
    amiss "" a.csv "x \r\n$(line 400)\n" "what a program made"
    amiss "" a.h5 "\0351" "bytes"
else
    skip "every text file is as .editorconfig says" "no python3, or no git"
fi

# --- scripts ---
if command -v shellcheck >/dev/null; then
    check "shellcheck accepts the scripts" scripts/check-scripts
    # shellcheck disable=SC2016
    printf '#!/bin/bash\nrm -rf $1/*\n' >"$tmp/careless.sh"
    refuse "a careless script is refused" scripts/check-scripts "$tmp/careless.sh"
else
    skip "shellcheck accepts the scripts" "no shellcheck"
fi
finish
