#!/bin/bash
# A run that goes on from anything but its own newest state is a new branch of it: the directory knows which checkpoints belong
# to it, sets the others aside and names them; and a command that a job runs again does what it asks for once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
words=(--checkpoint-every 4 --keep 10)
steps_in() { find "$1" -maxdepth 1 -name 'step-*.h5' -printf '%f\n' | sort | tr -dc '0-9\n' | cut -c 1-8 | sed 's/^0*//' | xargs; }
aside() { for folder in "$tmp/$1"/checkpoints/aside-*/; do steps_in "$folder"; done 2>/dev/null; }
from() { result "$1" resumed_from; }
# The last step that some metrics are of; the steps of their evaluations.
last_in() { tail -n 1 "$1" 2>/dev/null | sed 's/.*"step":\([0-9]*\).*/\1/'; }
# kill_at OP NAME WORD...: trains until that operation on a file of the run, and is killed after it.
kill_at() {
    local at=$1 name=$2
    shift 2
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/$name FILE_OPS_AT=$at start "$name" 0 $tiny "${words[@]}" "$@"
    until_true 60 stopped "$name"
    stop_hard
}
train whole 1 $tiny --steps 40
check "an uninterrupted run" test $code = 0
train run 1 $tiny --steps 20 "${words[@]}"
check "a run of 20 steps" test "$code $(steps_in "$tmp/run/checkpoints")" = "0 4 8 12 16 20"

# ---- Back to an older state, in place. ----
cp -a "$tmp/run" "$tmp/back"
train back 2 $tiny --steps 14 "${words[@]}" --resume "$tmp/back/checkpoints/step-00000012.h5"
check "back to step 12: later ones are set aside" \
    test "$code $(steps_in "$tmp/back/checkpoints") | $(aside back)" = "0 4 8 12 14 | 16 20"
check "and named" grep -q '^set aside, .*another branch of the run: step-00000016.h5, step-00000020.h5\|^set aside, .*step-00000020.h5, step-00000016.h5' "$log"
check "they are sound" "$program" inspect --verify "$tmp"/back/checkpoints/aside-*/step-00000020.h5
train back 2 $tiny --steps 40 "${words[@]}" --keep 2
same back whole "the next start goes on from the new branch, to the same end"
check "from its newest state" test "$(from back)" = 14
check "what is kept is its own" test "$(steps_in "$tmp/back/checkpoints")" = "25 36 40"
# A branch that was left is gone back to.
train back 1 $tiny --steps 24 "${words[@]}" --resume "$(echo "$tmp"/back/checkpoints/aside-*/step-00000020.h5)"
check "and back to what was set aside" test "$code $(from back) $(steps_in "$tmp/back/checkpoints")" = "0 20 24"
train back 2 $tiny --steps 40
same back whole "which goes on to the same end"

# From a copy of one's own: what led to it stays.
mkdir "$tmp/backup" && cp "$tmp"/run/checkpoints/step-00000012.h5* "$tmp/backup"
echo '{"kind": "of something else"}' >"$tmp/backup/metrics.jsonl"
cp -a "$tmp/run" "$tmp/again"
train again 2 $tiny --steps 40 "${words[@]}" --resume "$tmp/backup/step-00000012.h5"
same again whole "from a copy of a state of its own: metrics of all steps"

# ---- Killed while files are set aside: what comes next is the new branch all the same. ----
if preload file_ops; then
    for at in rename:/lineage rename:step-00000016.h5 rename:step-00000020.h5; do
        rm -rf "$tmp/killed" && cp -a "$tmp/run" "$tmp/killed"
        kill_at $at killed --steps 14 --resume "$tmp/killed/checkpoints/step-00000012.h5"
        train killed 1 $tiny --steps 14 "${words[@]}"
        check "killed at $at: the branch goes on" \
            test "$code $(from killed) $(steps_in "$tmp/killed/checkpoints") | $(aside killed | xargs)" = "0 12 4 8 12 14 | 16 20"
        check "killed at $at: what was left has its metrics" test "$(last_in "$tmp"/killed/checkpoints/aside-*/metrics.jsonl)" = 20
    done
    # Before it, it is the old one, with all it had.
    cp -a "$tmp/run" "$tmp/before"
    kill_at fsync:lineage.tmp before --steps 14 --resume "$tmp/before/checkpoints/step-00000012.h5"
    train before 1 $tiny --steps 40 "${words[@]}"
    check "killed before that: the old branch goes on" test "$(from before)" = 20
    same before whole "to its own end"
    # From another directory: its metrics come along, whenever the start was killed.
    for at in rename:/lineage rename:/metrics.jsonl; do
        rm -rf "$tmp/taken"
        train taken 1 $tiny --steps 8 "${words[@]}" --lr 0.03
        file=$tmp/run/checkpoints/step-00000016.h5
        SLURM_JOB_ID=77 SLURM_RESTART_COUNT=0 kill_at $at taken --steps 40 --resume "$file"
        SLURM_JOB_ID=77 SLURM_RESTART_COUNT=1 train taken 0 $tiny "${words[@]}" --steps 40 --resume "$file"
        same taken whole "killed at $at in a job that is started again: metrics of the new branch alone"
        check "killed at $at: those of the old one are set aside" \
            test "$(find "$tmp"/taken/checkpoints/aside-* -name metrics.jsonl -exec grep -c '"kind":"train"' {} +)" = 4
    done
    # Another command in between is not the one that the job began with.
    rm -rf "$tmp/killed" && cp -a "$tmp/run" "$tmp/killed"
    SLURM_JOB_ID=77 SLURM_RESTART_COUNT=0 kill_at rename:/lineage killed --steps 40 --resume "$tmp/killed/checkpoints/step-00000012.h5"
    train killed 1 $tiny --steps 18 "${words[@]}"
    check "killed in a job, gone on with by hand" test "$code $(from killed)" = "0 12"
    SLURM_JOB_ID=77 SLURM_RESTART_COUNT=1 train killed 0 $tiny "${words[@]}" --steps 40 --resume "$tmp/killed/checkpoints/step-00000012.h5"
    check "and then by the job again: not back to the file" test "$code $(from killed)" = "0 18"
    same killed whole "to the same end"
fi

# ---- A file under whatever name it is asked for. ----
cp -a "$tmp/run" "$tmp/named"
train named 2 $tiny --steps 16 "${words[@]}" --resume "$tmp/./named//checkpoints/step-00000016.h5"
check "back to its own last step, under another spelling" test "$code $(result named step) $(steps_in "$tmp/named/checkpoints")" = "0 16 4 8 12 16"
train named 2 $tiny --steps 20 "${words[@]}" --resume "$(echo "$tmp"/named/checkpoints/aside-*/step-00000020.h5)"
check "to the last step that was set aside: it is of the new branch now" \
    test "$code $(result named step) $(steps_in "$tmp/named/checkpoints")" = "0 20 4 8 12 16 20"
train named 1 $tiny --steps 40 "${words[@]}"
same named whole "and gone on from"

# ---- From another directory, into one with files of its own. ----
cp -a "$tmp/run" "$tmp/other"
train other 1 $tiny --steps 22 "${words[@]}" --reset
train into 1 $tiny --steps 8 "${words[@]}"
train into 1 $tiny --steps 30 "${words[@]}" --resume "$tmp/run/checkpoints/step-00000016.h5"
check "another run's state: this one's own are set aside" \
    test "$code $(steps_in "$tmp/into/checkpoints") | $(aside into)" = "0 20 24 25 28 30 | 4 8"
check "no best.h5 that is not there" test ! -L "$tmp/into/best.h5" -o -e "$tmp/into/best.h5"
cp "$tmp"/other/checkpoints/step-00000022.h5 "$tmp"/other/checkpoints/step-00000022.h5.xxh3 "$tmp/into/checkpoints/"
rm "$tmp"/into/checkpoints/step-000000{24,25,28,30}.h5*
cp "$tmp"/other/checkpoints/step-00000012.h5 "$tmp"/other/checkpoints/step-00000012.h5.xxh3 "$tmp/into/checkpoints/"
lockstep 0 eval "$tmp/into"
check "eval of the directory: its branch's own" test "$code $(grep -c 'step-00000020.h5' "$log")" = "0 1"
lockstep 0 checkpoint prune "$tmp/into" --keep 1
check "checkpoint prune: others stay, and do not stand in for its own" \
    test "$code $(steps_in "$tmp/into/checkpoints")" = "0 12 20 22"
train into 1 $tiny --steps 40
check "files of another run, put there: passed over, with a warning" \
    test "$code $(from into) $(grep -c '^warning: .*step-00000022.h5 is of another branch' "$log")" = "0 20 1"
same into whole "to the same end"
check "and set aside, newer and older ones" \
    test "$(steps_in "$tmp/into/checkpoints") | $(aside into | sort | xargs -d '\n' | tr -s ' ')" = "20 25 40 | 12 22 4 8"
cp "$tmp"/other/checkpoints/step-00000022.h5 "$tmp"/other/checkpoints/step-00000022.h5.xxh3 "$tmp/into/checkpoints/"
train into 1 $tiny --steps 40
check "of a run that is finished, too; what is there already stays" \
    test "$code $(find "$tmp/into/checkpoints" -path '*/aside-*/step-00000022.h5' | wc -l)" = "0 2"
rm -r "$tmp/into/lineage"
train into 1 $tiny --steps 44
check "its file lineage lost: the newest checkpoint says which it is" test "$code $(from into)" = "0 40" -a -s "$tmp/into/lineage"
train begun 0 $tiny --steps 40 --resume "$tmp/run/checkpoints/step-00000016.h5" --crash-at 17:0:kill
check "from another directory, killed before the first checkpoint" test -z "$(newest begun)"
train begun 1 $tiny --steps 40
one_error 4 'was to go on from step 16 of a checkpoint that is not here' "no fresh start in its place"
# Nor a start from an older state of the directory's own.
cp -a "$tmp/run" "$tmp/older"
train older 1 $tiny --steps 14 "${words[@]}" --resume "$tmp/older/checkpoints/step-00000012.h5"
left=$(echo "$tmp"/older/checkpoints/aside-*/step-00000020.h5)
train older 0 $tiny --steps 40 "${words[@]}" --resume "$left" --crash-at 21:0:kill
train older 1 $tiny --steps 40 "${words[@]}"
one_error 4 'was to go on from step 20 of a checkpoint that is not here' "nor from an older state"
lockstep 0 checkpoint prune "$tmp/older" --aside
one_error 4 'go on from step 20, .* leave --aside out' "checkpoint prune --aside: not before the branch has a checkpoint of its own"
check "what it goes on from stays" test -e "$left"
train older 1 $tiny --steps 40 "${words[@]}" --resume "$left"
same older whole "named once more, the run goes on"

# ---- The same command, again and again. ----
# job NAME RESTARTS WORD...: as Slurm starts a job.
job() {
    local name=$1 restarts=$2
    shift 2
    SLURM_JOB_ID=${id:-77} SLURM_RESTART_COUNT=$restarts train "$name" 1 $tiny --steps 40 "${words[@]}" "$@"
}
cp -a "$tmp/run" "$tmp/reset"
job reset 0 --reset --crash-at 10:0:kill
job reset 1 --reset --crash-at 10:0:kill
check "--reset in a job that is started again: it goes on" test "$code" = 0 -a "$(from reset)" -ge 4
same reset whole "to the same end"
id=78 job reset 1 --reset --crash-at 10:0:kill
check "the same command in another job: it starts over" test "$code" = 137 -a "$(steps_in "$tmp/reset/checkpoints" | cut -c 1)" = 4
job new 0 --resume "$tmp/run/checkpoints/step-00000012.h5" --crash-at 13:0:kill
job new 1 --resume "$tmp/run/checkpoints/step-00000012.h5" --crash-at 13:0:kill
check "--resume FILE, no checkpoint yet: from the file once more" test "$code $(from new)" = "0 12"
mkdir -p "$tmp/damaged/checkpoints" && echo no >"$tmp/damaged/checkpoints/step-00000008.h5.bad"
job damaged 0 --resume "$tmp/run/checkpoints/step-00000012.h5" --crash-at 13:0:kill
job damaged 1 --resume "$tmp/run/checkpoints/step-00000012.h5" --crash-at 13:0:kill
check "nor does a damaged file of earlier stop it" test "$code $(from damaged)" = "0 12"
rm -rf "$tmp/new"
job new 0 --resume "$tmp/run/checkpoints/step-00000012.h5" --crash-at 22:0:kill
job new 1 --resume "$tmp/run/checkpoints/step-00000012.h5" --crash-at 22:0:kill
check "--resume FILE: then from what came after it" test "$code" = 0 -a "$(from new)" -ge 16
same new whole "to the end of a run that never went back"

# ---- A copy of a run is a run of its own. ----
train copied 1 $tiny --steps 20 "${words[@]}" --resume "$tmp/run/checkpoints/step-00000012.h5"
cp -a "$tmp/copied" "$tmp/copy"
before=$(cd "$tmp/copied" && find . -type f ! -name owner -exec cksum {} + | sort)
lockstep 1 train "$tmp/copy/config.yaml" --steps 24
check "config.yaml of a copy trains there" test "$code $(from copy) $(result copy step)" = "0 20 24"
check "and leaves the other one alone" test "$before" = "$(cd "$tmp/copied" && find . -type f ! -name owner -exec cksum {} + | sort)"

# ---- What a person does with them. ----
cp -a "$tmp/run" "$tmp/kept"
train kept 1 $tiny --steps 24 "${words[@]}" --resume "$tmp/kept/checkpoints/step-00000012.h5"
lockstep 0 checkpoint list "$tmp/kept"
check "checkpoint list: those of the branch and those set aside" test "$code $(grep -c '^step-.* agrees with its checksum file' "$log")" = "0 6" \
    -a "$(grep -c '^aside-.*/step-000000[12][60].h5 ' "$log")" = 2
lockstep 0 checkpoint prune "$tmp/kept" --keep 2
check "checkpoint prune: the newest two" \
    test "$code $(steps_in "$tmp/kept/checkpoints") | $(aside kept)" = "0 20 24 | 16 20"
lockstep 0 checkpoint prune "$tmp/kept" --aside
check "checkpoint prune --aside: those set aside, too" \
    test "$code $(steps_in "$tmp/kept/checkpoints") | $(aside kept)" = "0 20 24 | "
cp -a "$tmp/run" "$tmp/best"
train best 1 $tiny --steps 40 "${words[@]}"
rm "$tmp/best/best.h5" && ln -s checkpoints/step-00000036.h5 "$tmp/best/best.h5"
printf 'xxxx' | dd of="$tmp/best/checkpoints/step-00000036.h5" bs=1 seek=9000 conv=notrunc status=none
lockstep 0 checkpoint prune "$tmp/best" --keep 2
check "checkpoint prune: the best is the one that the state knows, a bad one is none that was removed" \
    test "$code $(steps_in "$tmp/best/checkpoints") $(grep -c '^removed: 6 of ' "$log")" = "0 25 32 40 1"
lockstep 0 checkpoint prune "$tmp/data"
one_error 4 'is it a run directory' "checkpoint prune of another folder"
lockstep 0 checkpoint list "$tmp/kept" --keep 2
one_error 2 'go with prune' "checkpoint list with an option of prune"

# ---- The test set is the run's, too. ----
cp -a "$tmp/data" "$tmp/tested"
printf '\1' | dd of="$tmp/tested/test_batch.bin" bs=1 seek=5000 conv=notrunc status=none
CIFAR10_DIR=$tmp/tested train run 2 $tiny --steps 24
one_error 3 'was tested on other images' "other test records are refused"
finish
