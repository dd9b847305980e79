#!/bin/bash
# limit: 400
# The same program built for MPICH, whose launcher, signals and codes are others: the same bits at any number of ranks, one line and a
# code where it fails, and a run that either of the two goes on with.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v mpicc.mpich >/dev/null && command -v mpirun.mpich >/dev/null || skip_all "no MPICH beside Open MPI: scripts/setup.sh ci"
"$program" --version | grep -q 'Open MPI' || skip_all "this build is not Open MPI's"
small_data "$tmp/data" 40 100 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

train whole 2 $tiny --steps 20
check "the run under Open MPI" test "$code" = 0
open_program=$program open_path=$PATH

# ---- The build: what does not see mpi.h is the same, and so are the times of its objects. ----
other=$BUILD/mpich
rm -rf "$other" && mkdir -p "$other/obj"
cp -a "$BUILD/obj/src" "$BUILD/obj/ref64" "$other/obj/"
cp -a "$BUILD"/{flags,version.h} "$other/"
find "$other/obj" -name '*.d' -exec sed -i "s,$BUILD/,$other/,g" {} +
unset MAKEFLAGS MAKELEVEL MFLAGS
check "it is built with MPICC=mpicc.mpich" make BUILD="$other" MPICC=mpicc.mpich CUDA=0 all
cp "$tmp/.output" "$tmp/make.log"
check "which make names" grep -qE '✓ MPICH [0-9.]+ \(mpicc.mpich\)' "$tmp/make.log"
check "files beside src/comm are compiled once" test "$(grep -c '^  CC ' "$tmp/make.log")" -le "$(find src/comm -name '*.c' | wc -l)"
program=$other/lockstep
check "--version names it as well" grep -qE '^MPICH Version: [0-9.]+$' <("$program" --version)
mpirun=$(sed -n 's/^MPIRUN := //p' "$other/config.mk")
check "the launcher beside the wrapper was found" test -x "$mpirun"

lockstep 3 train $tiny --out "$tmp/foreign"
check "the mpirun of the other MPI: code 6" test "$code" = 6
check "and each process says why" \
    test "$(grep -c '^lockstep: the launcher started 3 tasks but MPI sees one rank; use the mpirun of MPICH' "$log")" = 3
mkdir "$tmp/bin"
printf '#!/bin/sh\nexec %s "$@"\n' "$mpirun" >"$tmp/bin/mpirun"
chmod +x "$tmp/bin/mpirun"
PATH=$tmp/bin:$PATH

# ---- Bits. ----
for ranks in 1 2 4; do
    train bits-$ranks $ranks $tiny --steps 20
    same bits-$ranks whole "$ranks ranks: as under Open MPI"
done

# ---- Ends. ----
aside stall train stall 3 $tiny --steps 20 --deadline 4 --crash-at 8:2:hang
train killed 3 $tiny --steps 20 --checkpoint-every 6 --crash-at 15:1:kill
check "a killed rank: code 9" test "$code" = 9
check "a killed rank: no damaged checkpoint" sound killed
cp -a "$tmp/killed" "$tmp/killed-open"
train killed 4 $tiny --steps 20 --checkpoint-every 6
same killed whole "a killed rank, resumed: as the uninterrupted run"
PATH=$open_path program=$open_program train killed-open 2 $tiny --steps 20 --checkpoint-every 6
same killed-open whole "resumed under Open MPI: likewise"
train crashed 3 $tiny --steps 20 --crash-at 15:1:segv
check "a rank that crashes: code 11" test "$code" = 11
train nan 3 $tiny --steps 20 --crash-at 8:1:nan
one_error 8 'rank 1/3 step 8\] diverged' "NaN on rank 1"
train missing 3 $tiny --data "$tmp/nowhere"
one_error 3 'nowhere' "no data"
back stall
one_error 7 'step 8\] rank 2 \(.*\) did not answer within 4 s; rank 0, 1 wait in step 8, reduce' "a rank that hangs"

# stopped_by SIGNAL: to mpirun, while it trains.
stopped_by() {
    start "asked-$1" 3 $tiny --epochs 100000 --eval.every 1000
    until_true 60 test -s "$tmp/asked-$1/metrics.jsonl"
    kill -"$1" "$launched"
    wait_for "asked-$1"
    check "$1 to mpirun: code 75" test "$code" = 75
    check "$1 to mpirun: a checkpoint" test -n "$(newest "asked-$1")"
}
stopped_by USR1
stopped_by TERM

# ---- launch.sh, with a launcher that prints its words. ----
printf '# two nodes\na slots=2\nb slots=2 # rear\n' >"$tmp/hosts"
printf '#!/bin/bash\necho "words: $*"\n' >"$tmp/words"
chmod +x "$tmp/words"
words() { env SITE=/dev/null PROGRAM="$program" MPIRUN="$tmp/words" "$@" scripts/slurm/launch.sh train any.yaml | sed -n 's/^words: //p'; }
check "launch.sh: Hydra's words" test "$(words NP=4 HOSTFILE="$tmp/hosts" RANKS_PER_NODE=2)" = \
    "-np 4 -hosts a:2,b:2 -ppn 2 $program train any.yaml"
check "launch.sh: its own mpirun" grep -q "^launch: $mpirun -np 2 " \
    <(SITE=/dev/null PROGRAM=$program NP=2 scripts/slurm/launch.sh train $tiny --help)
check "launch.sh: the network between nodes, by its name" test "$(words NP=4 NETWORK=ib7)" = "-np 4 -iface ib7 $program train any.yaml"
check "launch.sh: not by its address, which Hydra does not take" test "$(words NP=4 NETWORK=10.0.0.0/24)" = "-np 4 $program train any.yaml"
# network_is WHAT VARIABLE=VALUE...: what launch.sh says of it.
network_is() {
    env SITE=/dev/null PROGRAM="$program" MPIRUN="$tmp/words" NP=4 "${@:2}" scripts/slurm/launch.sh train any.yaml | grep -q ", network $1, scratch"
}
check "launch.sh says which it named" network_is ib7 NETWORK=ib7
check "and that it named none" network_is 'as MPI chooses' NETWORK=10.0.0.0/24
check "nor to Open MPI's variables" network_is 'as MPI chooses' OMPI_MCA_btl_tcp_if_include=ib7
check "launch.sh: MPICH's mpirun takes the word" env SITE=/dev/null PROGRAM="$program" NP=2 NETWORK=lo scripts/slurm/launch.sh train $tiny \
    --out "$tmp/by-lo" --steps 2
echo 1..31
finish
