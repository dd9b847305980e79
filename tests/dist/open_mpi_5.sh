#!/bin/bash
# Under Open MPI 5, whose ranks PRRTE starts, by variables of its own: what scripts/env.sh sets will do, with the same bits and codes. The
# program is that of Open MPI 4, whose libmpi has the same interface.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

five=${OPEN_MPI_5:-$PWD/build/python}
"$five/bin/mpirun" --version 2>/dev/null | grep -qE 'Open MPI\)? v?5' || skip_all "no Open MPI 5 of PyPI: scripts/setup.sh test"
ldd "$program" | grep -q 'libmpi\.so\.40' || skip_all "this build is not Open MPI's"
small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml
train whole 2 $tiny --steps 20
check "the run under Open MPI 4" test "$code" = 0

PATH=$five/bin:$PATH
export LD_LIBRARY_PATH=$five/lib
check "it runs with 5" grep -q '^Open MPI v5' <("$program" --version)
if [ "$(nproc)" -lt 4 ]; then
    (
        unset "${!PRTE_MCA_@}"
        train bare 4 $tiny --steps 20
        exit $code
    )
    check "without env.sh there are no slots for 4 ranks" test $? -ne 0 -a ! -e "$tmp/bare"
else
    skip "without env.sh there are no slots for 4 ranks" "this machine has 4 cores"
fi
for ranks in 1 2 4; do
    train bits-$ranks $ranks $tiny --steps 20
    same bits-$ranks whole "$ranks ranks: as under Open MPI 4"
done
check "no rank is bound" test "$(mpirun -np 2 nproc </dev/null | sort -u)" = "$(nproc)"
train killed 3 $tiny --steps 20 --checkpoint-every 6 --crash-at 15:1:kill
check "a killed rank: code 137" test "$code" = 137
train killed 4 $tiny --steps 20 --checkpoint-every 6
same killed whole "resumed: as the uninterrupted run"

# asked SIGNAL: to mpirun, behind the first checkpoint.
asked() {
    start "asked-$1" 3 $tiny --epochs 100000 --eval.every 1000 --checkpoint-every 50
    until_true 60 compgen -G "$tmp/asked-$1/checkpoints/*.h5" >/dev/null
    kill -"$1" "$launched"
    wait_for "asked-$1"
}
asked USR1
check "USR1 to mpirun: code 75" test "$code" = 75
check "USR1 to mpirun: it was heard" grep -q '^asked to stop: writing a checkpoint' "$log"
asked TERM
check "TERM to mpirun: the end, which no rank hears of" test "$code" = 1 -a "$(grep -c '^asked to stop' "$log")" = 0
check "TERM to mpirun: no damaged checkpoint" sound asked-TERM

# launch.sh's words for mpirun are understood.
SITE=/dev/null NP=4 RANKS_PER_NODE=4 MPIRUN=mpirun PROGRAM=$program \
    scripts/slurm/launch.sh train $tiny --out "$tmp/launched" --threads 1 --steps 20 >"$log" 2>&1
code=$?
same launched whole "launch.sh: likewise"
echo 1..14
finish
