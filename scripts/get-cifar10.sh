#!/bin/bash
# Fetches CIFAR-10 (binary version, 163 MiB) into a folder: scripts/get-cifar10.sh DIR
#
# Does nothing where DIR holds the six files in their right sizes. A download that was cut off goes on where it stopped;
# the archive is unpacked only if its MD5 is right, beside DIR, and moved into place when complete. curl or wget is needed.
set -euo pipefail

url=${CIFAR10_URL:-https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz}
md5=${CIFAR10_MD5:-c32a1d4ab5d03f1284b67883e8d87530}
names="data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin"
bytes=30730000 # of each

usage() {
    cat <<END
usage: scripts/get-cifar10.sh DIR

Fetches CIFAR-10 (binary version, 163 MiB) into DIR, e.g. data/cifar10. Nothing is done where DIR has it already.

environment:
  CIFAR10_URL  where the archive is (a mirror, or file:///PATH)
  CIFAR10_MD5  its MD5, if it is not the official archive
END
}

die() {
    echo "get-cifar10: $*" >&2
    exit 1
}

# complete DIR: all six files are there and have their size.
complete() {
    local name
    for name in $names; do
        [ "$(stat -L -c %s "$1/$name" 2>/dev/null)" = $bytes ] || return 1
    done
}

last_line() { tail -n 1 <<<"$1"; }
sum_is_right() { [ "$(md5sum <"$1" | cut -d ' ' -f 1)" = "$md5" ]; }

# fetch FILE: downloads into FILE, going on where an earlier try stopped; otherwise the reason is in $why.
# On a terminal the tool shows its progress and its reason itself.
fetch() {
    local tool code=0
    if command -v curl >/dev/null; then
        tool=(curl --fail --location --connect-timeout 20 --speed-limit 1000 --speed-time 60 --retry 3 --output "$1")
        [ -t 2 ] || tool+=(--silent --show-error)
        try "${tool[@]}" --continue-at - "$url" || code=$?
        if [ $code = 33 ] || [ $code = 36 ]; then # this server cannot go on with a part, so take it whole
            code=0
            try "${tool[@]}" "$url" || code=$?
        fi
    elif command -v wget >/dev/null; then
        tool=(wget --timeout 60 --tries 3 --continue --output-document "$1")
        [ -t 2 ] || tool+=(--no-verbose)
        try "${tool[@]}" "$url" || code=$?
    else
        die "neither curl nor wget is installed"
    fi
    return $code
}
try() {
    if [ -t 2 ]; then "$@"; else why=$("$@" 2>&1); fi
}

# place FROM DIR: FROM becomes DIR. Files of a folder that exists are replaced one by one, each in one rename.
place() {
    local name
    if mv -T -- "$1" "$2" 2>/dev/null; then return; fi
    for name in $names; do
        mv -f -- "$1/$name" "$2/$name" || die "cannot write $2/$name"
    done
}

case ${1:-} in
    -h | --help) usage && exit 0 ;;
    '' | -*) usage >&2 && exit 2 ;;
esac
[ $# = 1 ] || { usage >&2 && exit 2; }
dir=${1%/}
[ -n "$dir" ] || die "/ is no place for images"
# shellcheck source=scripts/path.sh
. "$(dirname "$0")/path.sh"
plain_path "$dir"
if complete "$dir"; then exit 0; fi
[ ! -e "$dir" ] || [ -d "$dir" ] || die "$dir is not a folder"

part=$dir.part # beside DIR, so that moving into place is a rename
archive=$part/cifar-10-binary.tar.gz
mkdir -p -- "$part" || die "cannot make $part"
exec 9>"$part/lock"
flock 9 # a second fetch waits for the first
if complete "$dir"; then exit 0; fi

if ! { [ -f "$archive" ] && sum_is_right "$archive"; }; then
    echo "fetching CIFAR-10 from $url into $dir" >&2
    why=
    fetch "$archive" || die "download of $url failed${why:+ ($(last_line "$why"))}; run the same command again to go on"
    if ! sum_is_right "$archive"; then
        rm -f -- "$archive"
        die "$url has not the MD5 $md5: the download was damaged and is removed; run the same command again"
    fi
fi
rm -rf -- "$part/unpacked"
mkdir -- "$part/unpacked"
why=$(tar -xzf "$archive" -C "$part/unpacked" --strip-components=1 --no-same-owner 2>&1) ||
    die "cannot unpack $archive ($(grep -m 1 . <<<"$why"))"
complete "$part/unpacked" || die "the archive of $url does not hold the six files in their sizes"
place "$part/unpacked" "$dir"
complete "$dir" || die "$dir is still not complete"
rm -rf -- "$part"
