#!/bin/sh
# scripts/version.sh FILE: writes the version and git id as a C header, touching FILE only when they changed.
# Works without git (a tarball, an image): the id is then $GIT_ID, or "unknown".
set -eu

out=$1
id=$(git describe --always --dirty --abbrev=12 --match 'v[0-9]*' 2>/dev/null) || id=${GIT_ID:-unknown}
text="/* Written by scripts/version.sh. */
#define LOCKSTEP_VERSION \"$(cat VERSION)\"
#define LOCKSTEP_GIT \"$id\""
if [ ! -f "$out" ] || [ "$(cat "$out")" != "$text" ]; then
    mkdir -p "$(dirname "$out")"
    printf '%s\n' "$text" >"$out"
fi
