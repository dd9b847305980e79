#!/bin/bash
# waits: the page of a run must be made in two seconds
# What `make run` starts: scripts/run.sh goes on with a run that has not come to its end and begins beside one that has; it
# removes nothing. And what --reset says.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 40 || { fail "small data" && finish; }
# The program is built: a make that does nothing.
mkdir "$tmp/bin"
printf '#!/bin/sh\n' >"$tmp/bin/make"
chmod +x "$tmp/bin/make"
# make_run [VARIABLE=VALUE]...: in a clone of its own, so that runs/ is there; sets $code.
mkdir -p "$tmp/clone/configs"
cp -r scripts "$tmp/clone"
printf '#!/bin/sh\n' >"$tmp/clone/scripts/setup.sh"
cp $recipes/tiny.yaml "$tmp/clone/configs"
[ "${BUILD#/}" != "$BUILD" ] || BUILD=$PWD/$BUILD
make_run() {
    env PATH="$tmp/bin:$PATH" NP=2 CONFIG=configs/tiny.yaml DATA="$tmp/data" BUILD="$BUILD" "$@" \
        timeout -k 5 "$run_limit" "$tmp/clone/scripts/run.sh" >"$log" 2>&1
    code=$?
}
runs() { (cd "$tmp/clone" && "$BUILD/lockstep" runs --csv --columns "$1" 2>/dev/null | tail -n +2 | tr '\n' ' '); }
everything() { (cd "$tmp/clone/$1" && find . -type f -exec md5sum {} + | sort); }

make_run ARGS="--steps 6"
check "the first run begins" bash -c "[ $code = 0 ] && grep -qx 'run: runs/tiny begins' '$log'"
check "in runs/tiny" test "$(runs run,status)" = "tiny,finished "
everything runs/tiny >"$tmp/before"
make_run ARGS="--steps 8"
check "the second run goes to runs/tiny.2, and says so" \
    bash -c "[ $code = 0 ] && grep -qx 'run: runs/tiny is finished and stays as it is; runs/tiny.2 begins' '$log'"
check "two runs are there" test "$(runs run,differs)" = "tiny,steps=6 tiny.2,steps=8 "
check "no byte of the first has changed" test "$(everything runs/tiny)" = "$(cat "$tmp/before")"
make_run ARGS="--steps 40 --checkpoint-every 5 --crash-at 17"
refuse "the third run crashes" test $code = 0
crashed() { [[ $(runs status) = *crashed\  ]]; }
until_true 10 crashed # mpirun leaves before rank 0 has gone
check "in runs/tiny.3" test "$(runs run,status)" = "tiny,finished tiny.2,finished tiny.3,crashed "
make_run ARGS="--steps 40 --checkpoint-every 5 --seed 5"
check "one that differs does not go on with it, and hears what to do" bash -c "[ $code = 2 ] && grep -q 'seed 1 there, 5 here' '$log' &&
    grep -qx 'run: to leave runs/tiny.3 as it is and begin another run: make run NEW=1' '$log'"
make_run ARGS="--steps 40 --checkpoint-every 5"
check "the same goes on, and says so" bash -c "[ $code = 0 ] && grep -q '^run: runs/tiny.3 (crashed) goes on' '$log'"
check "where it was" test "$(tests/read_json get "$tmp/clone/runs/tiny.3/result.json" resumed_from step | tr '\n' ' ')" = "15 40 "
for i in 4 5 6 7 8; do mkdir "$tmp/clone/runs/tiny.$i"; done
cp -r "$tmp/clone/runs/tiny" "$tmp/clone/runs/tiny.10"
mkdir "$tmp/clone/runs/tiny.new"
make_run ARGS="--steps 6 --seed 5"
check "after runs/tiny.10 comes runs/tiny.11" grep -qx 'run: runs/tiny.10 is finished and stays as it is; runs/tiny.11 begins' "$log"
make_run RESUME=1 ARGS="--steps 9 --seed 5"
check "RESUME=1 goes on with a finished run for more steps" \
    bash -c "[ $code = 0 ] && [ \$(tests/read_json get '$tmp/clone/runs/tiny.11/result.json' resumed_from) = 6 ]"
echo damaged >"$tmp/clone/runs/tiny.11/config.yaml"
make_run ARGS="--steps 6"
check "beside a damaged run another one begins" grep -qx 'run: runs/tiny.11 is damaged and stays as it is; runs/tiny.12 begins' "$log"

# A stopped one: the signal comes to the script, as with Ctrl-C. A shell's background processes ignore it unless told.
env --default-signal=INT PATH="$tmp/bin:$PATH" NP=2 CONFIG=configs/tiny.yaml DATA="$tmp/data" BUILD="$BUILD" ARGS="--epochs 100000 --out @it's" \
    "$tmp/clone/scripts/run.sh" >"$log" 2>&1 &
script=$!
until_true 60 test -s "$tmp/clone/@it's/metrics.jsonl"
kill -INT $script
wait $script
code=$?
check "a stopped run: code 75, and that make run goes on" bash -c "[ $code = 75 ] && grep -q 'make run. goes on from the checkpoint' '$log'"
make_run NEW=1 ARGS="--steps 6 --out @it's"
check "NEW=1 begins beside it, under the name that was asked for" grep -qx "run: @it's is stopped and stays as it is; @it's.2 begins" "$log"
make_run ARGS="--epochs 0"
check "a wrong option is one error, and nothing is begun" bash -c "[ $code = 2 ] && [ \$(grep -c '^lockstep: ' '$log') = 1 ]"

# ---- --reset, asked for. ----
make_run ARGS="--steps 6 --reset"
check "--reset is done where it is asked for" test $code = 0
said='^--reset: removes from runs/tiny: 1 checkpoint, result.json, metrics.jsonl, sessions.jsonl, predictions.h5, best.h5, lineage, TensorBoard.s events$'
check "and says what it removes" grep -qE -e "$said" "$log"
check "in log.txt as well" grep -qE -e "${said#^}" "$tmp/clone/runs/tiny/log.txt"
check "the other runs are there" test "$(runs run | tr ' ' '\n' | grep -c tiny)" = 6
train fresh 1 $recipes/tiny.yaml --steps 2 --reset --data "$tmp/data"
refuse "where there is nothing --reset says nothing" grep -q -e '--reset' "$log"
finish
