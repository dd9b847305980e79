#!/bin/bash
# What a file of a run directory may be, and what follows from it: only bytes that were read condemn it, whoever cannot look at it
# leaves it as it is, and one that another program has touched is gone on from.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_all "no h5py"
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
train whole 1 $tiny --steps 30 --checkpoint-every 8
check "a run" test $code = 0
files() { (cd "$tmp/$1/checkpoints" && find . -type f -printf '%P\n' | sort | xargs); }

# ---- It could not be looked at: here the checksum files are folders. ----
cp -a "$tmp/whole" "$tmp/hidden"
for file in "$tmp"/hidden/checkpoints/*.xxh3; do mv "$file" "$file.kept" && mkdir "$file"; done
before=$(files hidden)
train hidden 2 $tiny --steps 40
one_error 4 'cannot be looked at, and stays as it is .*step-00000030.h5' \
    "checksum files that cannot be read"
check "all files stay under their names" test "$(files hidden)" = "$before"
for file in "$tmp"/hidden/checkpoints/*.xxh3; do rmdir "$file" && mv "$file.kept" "$file"; done
train hidden 2 $tiny --steps 30
check "readable again: all is there" test "$code" = 0 -a "$(files hidden)" = "$(files whole)"

# ---- What only the data set tells where an earlier version wrote the file: how long an epoch is (all else: one_judgement.sh). ----
cp -a "$tmp/whole" "$tmp/position"
file=$tmp/position/checkpoints/step-00000030.h5
tests/e2e/forge_checkpoint "$file" <<'PY'
del f["meta"].attrs["steps_per_epoch"]
a = f["state"].attrs
for name, value in ("epoch", 0), ("position", 30), ("n_history", 0):
    a.modify(name, np.int64(value))
PY
check "epochs of 30 steps, by what the file says" "$program" inspect --verify "$file"
train position 2 $tiny --steps 40
one_error 4 'its step 30 is not 0 epochs of 25 steps and 30 more' "a position that does not go with the data"
check "and the file stays" test -e "$file"

# ---- Opened for writing by another program, which changed nothing. ----
cp -a "$tmp/whole" "$tmp/touched"
file=$tmp/touched/checkpoints/step-00000030.h5
/usr/bin/python3 -c 'import h5py, sys; h5py.File(sys.argv[1], "r+").close()' "$file"
refuse "h5py's r+ changes the file" cmp -s "$file" "$tmp/whole/checkpoints/step-00000030.h5"
lockstep 0 inspect --verify "$file"
one_error 4 'differs from its checksum file' "inspect --verify: not every byte"
train touched 2 $tiny --steps 40
check "a run goes on from it, with a warning" \
    test "$code $(result touched resumed_from) $(grep -c '^warning: .*step-00000030.h5 differs from its checksum file' "$log")" = "0 30 1"
cp -a "$tmp/whole" "$tmp/sealed"
file=$tmp/sealed/checkpoints/step-00000030.h5
/usr/bin/python3 -c 'import h5py, sys; h5py.File(sys.argv[1], "r+").close()' "$file"
rm "$tmp/sealed/checkpoints/step-00000025.h5.xxh3"
lockstep 0 checkpoint verify "$tmp/sealed"
one_error 4 '2 checkpoints are not as written' "checkpoint verify says so"
lockstep 0 checkpoint seal "$tmp/sealed"
check "checkpoint seal names them" test "$code $(grep -c '^sealed: ' "$log")" = "0 2"
check "then they are as written" "$program" checkpoint verify "$tmp/sealed"
check "and nothing temporary stays" test "$(files sealed)" = "$(files whole)"
best=$(readlink -f "$tmp/sealed/best.h5")
rm "$best.xxh3"
lockstep 0 checkpoint seal "$tmp/sealed/best.h5"
check "a link is sealed where its file is" test "$code" = 0 -a -s "$best.xxh3" -a ! -e "$tmp/sealed/best.h5.xxh3"
printf 'x' | dd of="$file" bs=1 seek=4000 conv=notrunc status=none
printf 'xxxx' | dd of="$tmp/sealed/checkpoints/step-00000024.h5" bs=1 seek=9000 conv=notrunc status=none
before=$(cat "$tmp"/sealed/checkpoints/* | cksum)
lockstep 0 checkpoint seal "$tmp/sealed/checkpoints/step-00000024.h5"
one_error 4 'not good, and not sealed' "what is bad is not sealed"
check "nor changed" test "$(cat "$tmp"/sealed/checkpoints/* | cksum)" = "$before"
train whole 1 $tiny --steps 40
check "to the same bits" test "$(bits touched)" = "$(bits whole)"
finish
