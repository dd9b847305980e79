# Sourced by launch.sh, which has `die`: reads site.sh, or the file that SITE names.
#
# The scripts of Lmod and conda stop under `set -eu`, so it is off meanwhile. A command of the file itself that fails stops the job
# nevertheless, by its line: what was built with those modules would not start, or start with others. `|| true` lets one fail.
# shellcheck shell=bash
site=${SITE:-$root/scripts/slurm/site.sh}
[ -r "$site" ] || die "SITE=$site: no such file, or not to be read"
# In a job of `sbatch --export=NONE` the shell has read no profile.
if ! type module >/dev/null 2>&1; then
    for init in "${LMOD_PKG:-/usr/share/lmod/lmod}/init/bash" "${MODULESHOME:-/usr/share/modules}/init/bash"; do
        [ -r "$init" ] || continue
        set +euo pipefail
        # shellcheck source=/dev/null
        . "$init"
        set -euo pipefail
        break
    done
fi
site_failure=
# $1: code, $2: file, $3: line
site_failed() {
    [ "$2" = "$site" ] && [ -z "$site_failure" ] || return 0
    site_failure="$site:$3: code $1 from: $(sed -n "$3p" "$site")"
    [ "$1" != 127 ] || [[ $site_failure != *"module "* ]] ||
        site_failure+=" (no module command here: source its init script above, as /etc/profile.d/lmod.sh)"
}
set +euo pipefail
trap 'site_failed $? "${BASH_SOURCE[0]}" "$LINENO"' ERR
# shellcheck source=scripts/slurm/site.sh
. "$site"
trap - ERR
set -euo pipefail
[ -z "$site_failure" ] || die "$site_failure"
