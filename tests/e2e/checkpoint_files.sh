#!/bin/bash
# limit: 240
# What a file of a run directory may hold, and what follows from it: nothing in it is believed unlooked at, only bytes that
# were read condemn it, and whoever uses it (train, eval, inspect) comes to one judgement.
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

# ---- A file with a good checksum, whose content cannot be. ----
# edited NAME PATTERN: an edit of the newest file, read from stdin, is refused everywhere, in one line and with little memory.
edited() {
    local name=$1 pattern=$2 file
    rm -rf "$tmp/edited" && cp -a "$tmp/whole" "$tmp/edited"
    file=$tmp/edited/checkpoints/step-00000030.h5
    find "$tmp/edited/checkpoints" -type f ! -name 'step-00000030.h5*' -delete
    { echo "import h5py, numpy, sys; f = h5py.File(sys.argv[1], 'r+')" && cat; } >"$tmp/edit.py"
    (cd "$tmp/edited" && /usr/bin/python3 "$tmp/edit.py" "$file") || fail "$name: the edit"
    tests/e2e/seal_file "$file"
    lockstep 0 inspect "$file"
    one_error 4 "$pattern" "$name: inspect"
    (ulimit -v 4000000 && "$program" eval "$file" >"$log" 2>&1)
    code=$?
    one_error 4 "$pattern" "$name: eval"
    train edited 0 $tiny --steps 40
    check "$name: train passes it over" test "$code $(grep -c '^lockstep: ' "$log")" = "4 1" -a -e "$file.bad"
}
edited "step -1" 'value of step that' <<<'f["state"].attrs.modify("step", numpy.int64(-1))'
edited "a history of 2^40 entries" 'history' <<<'f["state"].attrs.modify("n_history", numpy.int64(1 << 40))'
edited "weights of another step" 'state hash' <<<'f["params/linear1.bias"][0] += 1'
edited "another best step" 'content hash' <<<'f["state"].attrs.modify("best_step", numpy.int64(24))'
edited "a loss of the past" 'content hash' <<<'h = f["state/history"][:]; h["test_loss"][0] = 1; f["state/history"][:] = h'
edited "another lineage" 'content hash' <<<'f["meta"].attrs["lineage"] = numpy.bytes_("00000000000000aa@0")'
edited "a lineage that is none" 'lineage is none|another type' <<<'f["meta"].attrs["lineage"] = numpy.bytes_("none")'
edited "a position beyond the steps" 'value of position' <<<'f["state"].attrs.modify("position", numpy.int64(1000))'
edited "an array of 6 GB" 'more than its file has room for|not stored' <<'PY'
del f["params/linear1.bias"]
f["params"].create_dataset("linear1.bias", (1 << 30, 3), "<f4", chunks=(1024, 3), fletcher32=True)
PY
edited "a chunk of 1 GB" 'not stored as' <<'PY'
del f["params/linear1.bias"]
f["params"].create_dataset("linear1.bias", (10,), "<f4", maxshape=(None,), chunks=(1 << 28,), fletcher32=True)
PY
edited "an array that is packed" 'not stored as' <<'PY'
values = f["params/linear1.bias"][:]
del f["params/linear1.bias"]
f["params"].create_dataset("linear1.bias", data=values, compression="gzip")
PY
edited "an array in another file" 'outside of its file' <<'PY'
values = f["params/linear1.bias"][:]
open("values", "wb").write(values.tobytes())
del f["params/linear1.bias"]
f["params"].create_dataset("linear1.bias", (10,), "<f4", external=[("values", 0, 40)])
PY
edited "a virtual array" 'outside of its file' <<'PY'
del f["params/linear1.bias"]
layout = h5py.VirtualLayout((10,), "<f4")
layout[:] = h5py.VirtualSource("other.h5", "x", (10,))
f["params"].create_virtual_dataset("linear1.bias", layout)
PY
edited "a link to another file" 'link to elsewhere' <<'PY'
del f["params/linear1.bias"]
f["params/linear1.bias"] = h5py.ExternalLink("other.h5", "/x")
PY
edited "a group that is a soft link" 'link to elsewhere' <<'PY'
f.move("params", "elsewhere")
f["params"] = h5py.SoftLink("/elsewhere")
PY
# What only the recipe tells.
cp -a "$tmp/whole" "$tmp/position"
file=$tmp/position/checkpoints/step-00000030.h5
/usr/bin/python3 - "$file" <<'PY'
import h5py, sys
f = h5py.File(sys.argv[1], "r+")
f["state"].attrs.modify("position", 3)
del f["meta"].attrs["content_hash"]  # as a file of format version 2
PY
tests/e2e/seal_file "$file"
train position 2 $tiny --steps 40
one_error 4 'its step 30 is not 1 epochs of 25 steps and 3 more' "a position that does not go with the step"

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
