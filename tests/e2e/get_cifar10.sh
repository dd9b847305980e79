#!/bin/bash
# scripts/get-cifar10.sh against small archives (six files of zeros) served as file:// addresses.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

command -v curl >/dev/null || skip_all "curl is needed for file:// addresses"

get=scripts/get-cifar10.sh
names="data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin"
mkdir -p "$tmp/made/cifar-10-batches-bin"
for name in $names; do truncate -s 30730000 "$tmp/made/cifar-10-batches-bin/$name"; done
echo airplane >"$tmp/made/cifar-10-batches-bin/batches.meta.txt"
tar -czf "$tmp/good.tar.gz" -C "$tmp/made" cifar-10-batches-bin
sum() { md5sum <"$1" | cut -d ' ' -f 1; }

export CIFAR10_URL=file://$tmp/good.tar.gz
CIFAR10_MD5=$(sum "$tmp/good.tar.gz")
export CIFAR10_MD5

# says NAME CODE WORDS ARGUMENT...: the script ends with CODE and one line with WORDS.
says() {
    local name=$1 code=$2 words=$3 out rc
    shift 3
    out=$("$get" "$@" 2>&1)
    rc=$?
    out=$(grep -v '^fetching' <<<"$out")
    if [ $rc = "$code" ] && grep -qF -- "$words" <<<"$out" && [ "$(wc -l <<<"$out")" = 1 ]; then
        pass "$name"
    else
        fail "$name" "wanted code $code and one line with '$words'; got code $rc and" "$out"
    fi
}
# shellcheck disable=SC2317 # called through check
complete() {
    local name
    for name in $names; do [ "$(stat -c %s "$1/$name")" = 30730000 ] || return 1; done
    [ ! -e "$1.part" ]
}

check "help" bash -c "$get --help | grep -q CIFAR10_URL"
"$get" >/dev/null 2>&1
check "no folder is a usage error" test $? = 2
"$get" a b >/dev/null 2>&1
check "two folders are a usage error" test $? = 2

check "fetches into a folder to be made" "$get" "$tmp/new/images"
check "all files are there, nothing else is left" complete "$tmp/new/images"
CIFAR10_URL=file:///nowhere check "a complete folder needs no download" "$get" "$tmp/new/images/"

# A folder in use, with one file too short and one that is not ours.
truncate -s 1000 "$tmp/new/images/data_batch_2.bin"
rm "$tmp/new/images/test_batch.bin"
echo mine >"$tmp/new/images/notes.txt"
check "repairs a folder" "$get" "$tmp/new/images"
check "the folder is complete again" complete "$tmp/new/images"
check "other files stay" grep -q mine "$tmp/new/images/notes.txt"
rm -r "$tmp/new"

# Half of the archive is there, with a byte of the gzip header (the system it was made on, which means nothing) changed:
# only a fetch that kept this half comes to the sum of the changed archive.
cp "$tmp/good.tar.gz" "$tmp/changed.tar.gz"
printf X | dd of="$tmp/changed.tar.gz" bs=1 seek=9 conv=notrunc status=none
mkdir "$tmp/resumed.part"
head -c $(($(stat -c %s "$tmp/good.tar.gz") / 2)) "$tmp/changed.tar.gz" >"$tmp/resumed.part/cifar-10-binary.tar.gz"
CIFAR10_MD5=$(sum "$tmp/changed.tar.gz") check "goes on with half a download" "$get" "$tmp/resumed"
check "the resumed folder is complete" complete "$tmp/resumed"
rm -rf "$tmp/resumed"

head -c 1000 "$tmp/good.tar.gz" >"$tmp/torn.tar.gz"
CIFAR10_URL=file://$tmp/torn.tar.gz CIFAR10_MD5=$(sum "$tmp/torn.tar.gz") \
    says "an archive that does not unpack" 1 "cannot unpack" "$tmp/torn"

CIFAR10_URL=file:///nowhere says "no such archive" 1 "download of file:///nowhere failed" "$tmp/none"
check "nothing appears in place of the images" test ! -e "$tmp/none"
CIFAR10_MD5=0 says "a wrong sum" 1 "has not the MD5 0" "$tmp/wrong"
check "the bad archive is removed" test ! -e "$tmp/wrong.part/cifar-10-binary.tar.gz"
check "no images from it" test ! -e "$tmp/wrong"

mkdir -p "$tmp/small/x"
echo 1 >"$tmp/small/x/data_batch_1.bin"
tar -czf "$tmp/small.tar.gz" -C "$tmp/small" x
CIFAR10_URL=file://$tmp/small.tar.gz CIFAR10_MD5=$(sum "$tmp/small.tar.gz") \
    says "an archive without the images" 1 "does not hold the six files" "$tmp/few"
check "nothing of it is in place" test ! -e "$tmp/few"

touch "$tmp/file"
says "a file in the folder's place" 1 "is not a folder" "$tmp/file"

# Two at once: the second waits, then finds all done.
"$get" "$tmp/two" >/dev/null 2>&1 &
check "a second fetch at the same time" "$get" "$tmp/two"
check "the first one succeeds too" wait $!
check "both left one complete folder" complete "$tmp/two"
finish
