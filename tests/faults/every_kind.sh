#!/bin/bash
# limit: 600
# alone: starts run into deadlines of some seconds
# A fault of every kind in the table of kinds.py, once; then the plans in tests/faults/seeds, with which a run failed once.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

[ -e "$BUILD/tests/faults/shim.so" ] || skip_all "a sanitizer must be loaded before the library by which calls go wrong"
TMPDIR=$tmp tests/faults/campaign kinds
