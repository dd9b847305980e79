#!/bin/bash
# limit: 300
# Each fuzz target reads its corpus (tests/fuzz/corpus/NAME) and mutations of it for FUZZ_SECONDS without a crash.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

seconds=${FUZZ_SECONDS:-2}
root=$PWD
cd "$tmp" || exit 1
[[ $BUILD = /* ]] || BUILD=$root/$BUILD

# The driver itself must be able to fail: a target that aborts on the byte 'X' is caught and its input kept.
cat >finds_x.c <<'EOF'
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (memchr(data, 'X', size) != NULL)
        abort();
    return 0;
}
EOF
printf 'abc' >seed.txt
if ! ${CC:-gcc} -D_GNU_SOURCE -o finds_x finds_x.c "$root/tests/fuzz/driver.c"; then
    fail "the driver compiles"
elif ./finds_x -runs=100000 seed.txt >finds_x.log 2>&1; then
    fail "the driver finds a planted abort" "$(cat finds_x.log)"
else
    check "the driver finds a planted abort and keeps the input" grep -q X fuzz-crash.bin
fi

for target in "$BUILD"/tests/fuzz/fuzz_*; do
    [ -f "$target" ] && [ -x "$target" ] || continue
    name=${target##*/fuzz_}
    corpus=()
    [ -d "$root/tests/fuzz/corpus/$name" ] && corpus=("$root/tests/fuzz/corpus/$name")
    rm -f fuzz-crash.bin
    if "$target" -seconds="$seconds" -seed="${FUZZ_SEED:-1}" "${corpus[@]}" >log 2>&1; then
        pass "$name: $(tail -n 1 log)"
    else
        code=$?
        [ -f fuzz-crash.bin ] && cp fuzz-crash.bin "$BUILD/fuzz-crash-$name.bin"
        fail "$name" "exit code $code; the input is $BUILD/fuzz-crash-$name.bin" "$(tail -n 40 log)"
    fi
done
finish
