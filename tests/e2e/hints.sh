#!/bin/bash
# What a run says, once, of surroundings that cost it speed or make MPI complain; preflight says the same.
# shellcheck disable=SC2016 # of no shell
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 16 30 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml

# started LAUNCHER... -- WORD...: the program with these words, by this launcher.
started() {
    local before=()
    while [ "$1" != -- ]; do before+=("$1") && shift; done
    shift
    timeout -k 5 "$run_limit" "${before[@]}" "$program" "$@" >"$log" 2>&1
    code=$?
}
# says NAME PATTERN: it ran, and said so in one line.
says() { check "$1" test "$code $(warnings | wc -l) $(grep -cE "^warning: $2" "$log")" = "0 1 1"; }
says_nothing() { check "$1" test "$code $(warnings | wc -l)" = "0 0"; }

# ---- Cores, as the program counts them: those that the system lets it run on, two of a core with two hardware threads. ----
unbind='start mpirun with --bind-to none, or `\. scripts/env\.sh` before it$'
cores=$(nproc)
one=$(mpirun -np 1 --bind-to core nproc 2>/dev/null) # that a rank gets which is bound to a core
if [ "${one:-$cores}" -ge "$cores" ]; then
    skip "bound to a core" "this machine has one, or does not bind"
else
    core=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
    bound=(mpirun -np 1 --bind-to core --)
    more=$((one + 1))
    started "${bound[@]}" train $tiny --out "$tmp/run" --steps 2 --threads $more
    says "one bound core for too many threads" "rank 0 on .* is bound to $one of $cores cores, for $more threads: $unbind"
    started "${bound[@]}" preflight $tiny --out "$tmp/run" --threads $more
    says "preflight says it as well" "rank 0 on .* is bound to $one of $cores cores, for $more threads: $unbind"
    started "${bound[@]}" train $tiny --out "$tmp/run" --reset --steps 2
    says "a bound core, and threads that follow it" \
        "the 1 rank on .* is bound, so that --threads auto makes $one threads? of $cores cores: $unbind"
    started "${bound[@]}" train $tiny --out "$tmp/run" --reset --steps 2 --threads "$one"
    says_nothing "as many threads as were asked for"
    started mpirun -np 2 taskset -c "$core" -- train $tiny --out "$tmp/run" --reset --steps 2 --threads 1
    says "two ranks on one core" "the 2 ranks on .* are bound to 1 of $cores cores, for 2 threads: $unbind"
    started mpirun -np 2 --bind-to core -- preflight $tiny --out "$tmp/run" --threads 1
    says_nothing "a core each: nothing, from preflight either"
    started taskset -c "$core" -- train $tiny --out "$tmp/run" --reset --steps 2 --threads 2
    says "no launcher, and more threads than cores" "rank 0 on .* has 2 threads for the 1 core that it may use: give --threads 1"
    started taskset -c "$core" -- preflight $tiny --out "$tmp/run" --threads 2
    says "preflight says it as well, once" "rank 0 on .* has 2 threads for the 1 core that it may use: give --threads 1"
    started mpirun -np 2 -- train $tiny --out "$tmp/run" --reset --steps 2 --lanes auto --batch-size $((8 * cores))
    says_nothing "after scripts/env.sh"

    # A lane is one thread's: those beyond would only hold buffers.
    other=$(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }' | tail -n 1)
    two=(taskset -c "$core,$other" --)
    few='1 of 2 cores stays idle: 1 lane, and a lane is one thread.s; --lanes 2 would use 2 \(of a new run: lanes decide its bits\)'
    buffers() { sed -n 's/.*; \([0-9]*\) MB of buffers a rank/\1/p' "$log"; }
    small=(bench configs/quickstart.yaml --lanes 1 --batch-size 32 --steps 1)
    started "${two[@]}" "${small[@]}" --threads 1
    alone=$(buffers)
    started "${two[@]}" "${small[@]}"
    check "a lane on two cores" test "$code $(grep -cE "^warning: $few" "$log")" = "0 1"
    check "a lane on two cores: one thread" grep -q ': 1 rank x 1 thread, 1 lanes of 32 images' "$log"
    check "a lane on two cores: no more memory" test "$(buffers)" = "${alone:-none}"
    started "${two[@]}" preflight $tiny --out "$tmp/run" --lanes 1
    says "preflight says it as well" "$few"
    started "${two[@]}" train $tiny --out "$tmp/run" --reset --steps 2 --lanes 1 --threads 1
    says_nothing "one thread was asked for: nothing"

    # As srun starts ranks: each has cores of its own, and the process that started it says nothing of others.
    cat >"$tmp/task" <<'SH'
#!/bin/bash
# CORES WORD...: on the core of that list that has the rank's number.
read -ra cores <<<"$1"
exec env -u OMPI_COMM_WORLD_SIZE taskset -c "${cores[OMPI_COMM_WORLD_RANK]}" "${@:2}"
SH
    chmod +x "$tmp/task"
    started mpirun -np 2 "$tmp/task" "$core $other" -- preflight $tiny --out "$tmp/run" --threads 1
    says_nothing "two tasks with a core each"
    check "two tasks with a core each: two cores" grep -qE "^$(hostname | cut -c1-16) +0-1 +2 +1 " "$log"
    started mpirun -np 3 "$tmp/task" "$core $other $core" -- preflight $tiny --out "$tmp/run" --threads 1
    says "three tasks on two cores" ".* runs 3 threads of 3 ranks on 2 cores: they get in each other's way"
fi

# ---- Memory of other ranks ----
if ! ${CC:-gcc} -O1 -o "$tmp/no_cma" tests/e2e/no_cma.c 2>"$tmp/.output" || ! "$tmp/no_cma" true 2>"$tmp/.output"; then
    skip "where ranks may not read each other's memory" "$(tail -n 1 "$tmp/.output")"
elif ! ompi_info --param btl vader --level 9 2>/dev/null | grep -q 'single_copy_mechanism" (current value: "cma"'; then
    skip "where ranks may not read each other's memory" "this MPI does not want to"
else
    no_cma=(mpirun -np 2 "$tmp/no_cma" --)
    started "${no_cma[@]}" train $tiny --out "$tmp/run" --reset --steps 2 --threads 1
    says "where ranks may not read each other's memory" \
        'rank 0 on .* may not read the memory .*\(process_vm_readv: Operation not permitted\), .*: set OMPI_MCA_btl_vader_single_copy_mechanism=none$'
    started "${no_cma[@]}" preflight $tiny --out "$tmp/run" --threads 1
    says "preflight says it as well" 'rank 0 on .* may not read the memory'
    check "Open MPI says it often" grep -q 'Read -1, expected' "$log"
    export OMPI_MCA_btl_vader_single_copy_mechanism=none
    started "${no_cma[@]}" preflight $tiny --out "$tmp/run" --threads 1
    says_nothing "with that variable: nothing"
    refuse "nor does Open MPI" grep -q 'Read -1, expected' "$log"
fi

# ---- What mpirun says before the program starts: the page about it has its words, and its cure works. ----
plain() { env -u OMPI_ALLOW_RUN_AS_ROOT -u OMPI_ALLOW_RUN_AS_ROOT_CONFIRM "$@" >"$log" 2>&1; }
if [ "$(id -u)" = 0 ]; then
    words='mpirun has detected an attempt to run as root.'
    refuse "mpirun as root" plain mpirun -np 1 true
    check "it says so in the words of docs/mpirun.md" test "$(grep -cF "$words" "$log" docs/mpirun.md | tr '\n' ' ')" = "$log:1 docs/mpirun.md:1 "
    check "after scripts/env.sh" plain sh -c '. scripts/env.sh && mpirun -np 1 true'
else
    skip "mpirun as root" "these tests are not run by root"
fi
words='There are not enough slots available in the system'
refuse "more ranks than cores" env -u OMPI_MCA_rmaps_base_oversubscribe sh -c "mpirun -np $((cores + 1)) true >'$log' 2>&1"
check "it says so in the words of docs/mpirun.md" test "$(grep -cF "$words" "$log" docs/mpirun.md | tr '\n' ' ')" = "$log:1 docs/mpirun.md:1 "
if [ "$cores" -lt 8 ]; then
    check "after scripts/env.sh" env -u OMPI_MCA_rmaps_base_oversubscribe sh -c ". scripts/env.sh && mpirun -np $((cores + 1)) true"
fi
finish
