#!/bin/bash
# A file system that lacks what a run can do without (renaming without replacing, hard links, symbolic links, locks), files that
# cannot be written and tell nothing that is not told elsewhere, and what processes of other hosts left: the run goes on, and
# says so once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
words=(--checkpoint-every 4 --keep 20)
steps_in() { find "$1" -maxdepth 1 -name 'step-*.h5' -printf '%f\n' | sort | tr -dc '0-9\n' | cut -c 1-8 | sed 's/^0*//' | xargs; }
train whole 1 $tiny --steps 40
check "a run where nothing is lacking" test "$code $(warnings | wc -l)" = "0 0"

# ---- Neither renaming without replacing, nor links of either kind ----
if preload file_ops; then
    # on_poor NAME RANKS WORD...: trains in a directory whose file system lacks $lacks.
    on_poor() {
        local name=$1 ranks=$2
        shift 2
        LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/$name FILE_OPS_LACKS=$lacks FILE_OPS_LOG=$tmp/ops \
            train "$name" "$ranks" $tiny "${words[@]}" "$@"
    }
    lacks=rename,link,symlink
    on_poor poor 2 --steps 30
    check "it trains" test "$code $(steps_in "$tmp/poor/checkpoints")" = "0 4 8 12 16 20 24 25 28 30"
    check "it says once what is lacking, and what that means" \
        test "$(warnings | sort | sed 's/.*: the file system //; s/ (.*//; s/:.*//' | xargs)" = \
        "can neither rename without replacing nor link has no symbolic links"
    check "nothing half-made stays" test -z "$(find "$tmp/poor" -name '*.tmp.*')"
    check "the summary names the best by its file" grep -q "^best: .* at step 25 ($tmp/poor/checkpoints/step-00000025.h5)" "$log"
    check "every checkpoint is sound" sound poor
    check "no best.h5" test ! -L "$tmp/poor/best.h5" -a ! -e "$tmp/poor/best.h5"
    lockstep 0 eval "$tmp/poor" --threads 1
    check "eval takes the best without it" grep -q '/checkpoints/step-00000025.h5: step 25' "$log"
    cp -a "$tmp/poor" "$tmp/pruned"
    lockstep 0 checkpoint prune "$tmp/pruned" --keep 1
    check "checkpoint prune spares it" test "$code $(steps_in "$tmp/pruned/checkpoints")" = "0 25 30"
    lockstep 0 checkpoint list "$tmp/pruned"
    check "checkpoint list names it" grep -q '^step-00000025.h5 .*best; ' "$log"
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/pruned FILE_OPS_LACKS=room lockstep 0 checkpoint prune "$tmp/pruned" --keep 1
    check "no room for a link is no file system without links" test "$code $(warnings | wc -l)" = "0 0"
    cp -a "$tmp/poor" "$tmp/back"
    cp -a "$tmp/poor" "$tmp/over"
    on_poor poor 1 --steps 40
    same poor whole "it goes on, to the same end"
    on_poor back 2 --steps 14 --resume "$tmp/back/checkpoints/step-00000012.h5"
    check "back to an older state: files are set aside" \
        test "$code $(steps_in "$tmp/back/checkpoints") | $(steps_in "$tmp"/back/checkpoints/aside-*)" = \
        "0 4 8 12 14 | 16 20 24 25 28 30"
    truncate -s 1000 "$tmp/back/checkpoints/step-00000014.h5"
    on_poor back 2 --steps 40
    same back whole "a bad file: from the one before, to the same end"
    check "the bad one is renamed" test -e "$tmp/back/checkpoints/step-00000014.h5.bad" -a -e "$tmp/back/checkpoints/step-00000014.h5.xxh3.bad"
    on_poor over 2 --steps 40 --reset
    same over whole "--reset"
    train linked 1 $tiny --steps 25 "${words[@]}"
    cp -a "$tmp/linked" "$tmp/mended"
    check "best.h5 where links were possible" test "$(readlink "$tmp/linked/best.h5")" = checkpoints/step-00000025.h5
    on_poor linked 1 --steps 50
    check "a later one is better: no link to the earlier one stays" \
        test "$code $(grep -c '^best: .* at step 50 (.*/step-00000050.h5)' "$log")" = "0 1" -a ! -L "$tmp/linked/best.h5"
    ln -sfn checkpoints/step-00000012.h5 "$tmp/mended/best.h5"
    on_poor mended 1 --steps 27
    check "a link to another file is removed, and that is said" \
        test "$code $(grep -c '^warning: .*best.h5 named step-00000012.h5, but step-00000025.h5 is the best' "$log")" = "0 1"
    rm -rf "$tmp/poor"
    lacks=rename,link,symlink,lock
    on_poor poor 2 --steps 20
    check "without locks too" test "$code $(grep -c '^warning: .*the file system has no locks' "$log")" = "0 1"
    on_poor poor 2 --steps 40
    same poor whole "without locks: on to the same end"

    # ---- Killed between the two halves of a rename that is a link and a removal ----
    lacks=rename
    train run 1 $tiny --steps 20 "${words[@]}"
    for at in link:/aside- link:step-00000020.h5.bad link:checkpoints/step-00000022.h5\$; do
        rm -rf "$tmp/half" && cp -a "$tmp/run" "$tmp/half"
        more=(--steps 22)
        [ $at = link:/aside- ] && more=(--steps 14 --resume "$tmp/half/checkpoints/step-00000012.h5")
        [[ $at = *bad ]] && truncate -s 1000 "$tmp/half/checkpoints/step-00000020.h5"
        LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/half FILE_OPS_LACKS=rename FILE_OPS_AT=$at \
            start half 0 $tiny "${words[@]}" "${more[@]}"
        until_true 60 stopped half
        stop_hard
        [ "$at" = 'link:checkpoints/step-00000022.h5$' ] || check "killed at $at: a file has two names" test -n "$(find "$tmp/half" -name '*.h5*' -links 2)"
        on_poor half 2 --steps 40
        same half whole "killed at $at: it goes on, to the same end"
        check "killed at $at: nothing of the run has two names" test -z "$(find "$tmp/half/checkpoints" -maxdepth 1 -type f -links +1)"
        check "killed at $at: sound" sound half
    done
    # The rest of it on a file system that can rename.
    rm -rf "$tmp/half" && cp -a "$tmp/run" "$tmp/half"
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/half FILE_OPS_LACKS=rename FILE_OPS_AT=link:/aside- \
        start half 0 $tiny "${words[@]}" --steps 14 --resume "$tmp/half/checkpoints/step-00000012.h5"
    until_true 60 stopped half
    stop_hard
    train half 2 $tiny "${words[@]}" --steps 40
    same half whole "the rest where renaming works"
    check "all of the branch that was left is aside" test "$(steps_in "$tmp"/half/checkpoints/aside-*)" = "16 20"
fi

# ---- A copy without links, on any file system ----
cp -a "$tmp/whole" "$tmp/copied" && rm "$tmp/copied/best.h5"
lockstep 0 eval "$tmp/copied" --threads 1
check "eval of a copy without links: the best" grep -q 'step 25, epoch 1' "$log"
lockstep 0 checkpoint prune "$tmp/copied" --keep 1
check "checkpoint prune of it: the best stays" test "$code $(steps_in "$tmp/copied/checkpoints")" = "0 25 40"

# ---- What is told elsewhere as well cannot be written. ----
mkdir "$tmp/told"
touch "$tmp/told/tensorboard"
mkdir "$tmp/told/sessions.jsonl" "$tmp/told/trace.json"
train told 2 $tiny --steps 40 --trace 2:4
same told whole "no room for events, sessions, trace: the run goes on, to the same end"
for name in tensorboard sessions.jsonl trace.json; do
    check "$name: a warning" grep -q "^warning: .*/told/$name.*; the run goes on without" "$log"
done

# A heartbeat is due each second of these.
if preload file_ops; then
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/faint FILE_OPS_LACKS=beat \
        start faint 0 $tiny --epochs 1000000 --eval.every 1000000 --log-every 100 --heartbeat 1
    until_true 60 test -s "$tmp/faint/metrics.jsonl"
    sleep 4
    kill -USR1 "$launched"
    wait_for faint
    check "a heartbeat that cannot be written: the run goes on" test "$code" = 75
    check "and is warned of once" test "$(grep -c "^warning: .*/faint: the owner file's heartbeat cannot be written: Input/output error; a run on" "$log")" = 1
fi

# ---- Temporary files of processes on other hosts: in a container each start has a host name of its own. ----
train left 1 $tiny --steps 20
for name in result.json checkpoints/step-00000024.h5 checkpoints/step-00000024.h5.xxh3 tensorboard/events.out.tfevents.000002.lockstep; do
    echo x >"$tmp/left/$name.tmp.7.0.0.3f2a9c"
done
echo x >"$tmp/left/mine.tmp.7.0.0.3f2a9c"
echo x >"$tmp/left/owner.tmp.7.3f2a9c" && touch -d '1 hour ago' "$tmp/left/owner.tmp.7.3f2a9c"
echo x >"$tmp/left/owner.tmp.8.3f2a9c"
echo x >"$tmp/left/owner.tmp.9.3f2a9c" && touch -d '1 hour ago' "$tmp/left/owner.tmp.9.3f2a9c"
exec 9<>"$tmp/left/owner.tmp.9.3f2a9c"
# Write lock of the whole file, of descriptor 9 (F_OFD_SETLK).
python3 -c 'import fcntl, struct; fcntl.fcntl(9, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))'
train left 2 $tiny --steps 40
exec 9<&-
same left whole "files of the dead of other hosts: the run goes on"
check "they are removed, but what is no run's, or whose maker may live" \
    test "$(cd "$tmp/left" && find . -name '*.tmp.*' | sort | xargs)" = \
    "./mine.tmp.7.0.0.3f2a9c ./owner.tmp.8.3f2a9c ./owner.tmp.9.3f2a9c"
# In a folder of the node's own, which is gone on from, or begun anew.
for more in "" --reset; do
    rm -rf "$tmp/node" "$tmp/local"
    train local 2 $tiny --steps 40 --checkpoint-every 4 --checkpoint-local "$tmp/node" --crash-at 33:1:kill
    check "local checkpoints${more:+, $more}: the planted crash" test $code = 137
    left=$(echo "$tmp"/node/lockstep-*/)
    echo x >"${left}step-00000032.h5.tmp.7.0.0.3f2a9c"
    # shellcheck disable=SC2086
    train local 2 $tiny --steps 40 --checkpoint-every 4 --checkpoint-local "$tmp/node" $more
    same local whole "local checkpoints${more:+, $more}: the run goes on"
    check "local checkpoints${more:+, $more}: nothing of the dead is left" \
        test -z "$(find "$tmp/node" -name '*.tmp.*')" -a "$(find "$tmp/node" -mindepth 1 -maxdepth 1 | wc -l)" = 1
done
finish
