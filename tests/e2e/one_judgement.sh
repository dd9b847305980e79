#!/bin/bash
# limit: 600
# One judgement: files with a checksum file and hashes that fit, whose content cannot be, are refused by whoever reads them
# (train, eval, predict, inspect, checkpoint verify and seal), in one clear line, with little memory and at once. Bad ones
# are renamed by a run; those that are of another version of the program, or may be, stay as they are.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip_all "no h5py"
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
tiny=$recipes/tiny.yaml # 25 steps an epoch
train whole 1 $tiny --steps 30 --checkpoint-every 30
check "a run" test $code = 0
printf x >"$tmp/picture.png"
run=$tmp/forged file=$tmp/forged/checkpoints/step-00000030.h5

# forge HASH...: a run with one checkpoint, edited by the Python on standard input; hashes as tests/e2e/forge_checkpoint has it.
forge() {
    rm -rf "$run" "$tmp/other" && cp -a "$tmp/whole" "$run"
    find "$run/checkpoints" -type f ! -name 'step-00000030.h5' -delete
    tests/e2e/forge_checkpoint "$file" "$@" >"$tmp/.output" 2>&1 || fail "$name: the edit" "$(cat "$tmp/.output")"
}

# reads WANT LINES WORD...: a reader in 4 GB and 20 s; what it does that it should not is added to $trouble.
reads() {
    local want=$1 lines=$2
    shift 2
    (ulimit -v 4000000 && timeout -k 2 20 "$program" "$@" >"$log" 2>&1)
    code=$?
    if [ $code != "$want" ] || [ "$(grep -c '^lockstep: ' "$log")" != "$lines" ] || { [ -n "$pattern" ] && ! grep -qE -- "$pattern" "$log"; }; then
        trouble+="$1 $2: code $code"$'\n'"$(tail -n 4 "$log")"$'\n'
    fi
}

# part [all]: what follows is one part of a file. Its first edit of each verdict, or all, goes to every reader; the others to
# inspect, which looks at a file alone, and to the run, which renames: the judgement is one.
part() { seen=${1:-}; }

# judged NAME bad|strange|good PATTERN [HASH...]
judged() {
    local name=$1 verdict=$2 pattern=$3 want=4 lines=1 trouble="" kept=$file
    shift 3
    forge "$@"
    [ "$verdict" = good ] && want=0 lines=0
    reads $want $lines inspect --verify "$file"
    if [[ $seen = all || " $seen " != *" $verdict "* ]]; then
        reads $want $lines eval "$file" --threads 1
        reads $want $lines checkpoint verify "$run"
        reads $want $lines checkpoint seal "$file"
        [ "$verdict" = good ] || reads $want $lines predict "$file" "$tmp/picture.png"
        reads $want $lines train $tiny --steps 32 --threads 1 --out "$tmp/other" --resume "$file"
        [ "$seen" = all ] || seen+=" $verdict"
    fi
    reads $want $lines train $tiny --steps 32 --threads 1 --out "$run"
    [ "$verdict" = bad ] && kept=$file.bad
    [ -e "$kept" ] || trouble+="$(ls "$run/checkpoints")"
    if [ -n "$trouble" ]; then fail "$name" "$trouble"; else pass "$name: $verdict"; fi
}

part
judged "no edit" good "" </dev/null

# ---- Each number of /state ----
part
for field in step epoch position best_step without_better log_correct log_images epoch_correct epoch_images \
    last_logged_step n_history finished; do
    for value in -2 '1 << 62'; do
        judged "state.$field = $value" bad "$field|history" <<<"f['state'].attrs.modify('$field', np.int64($value))"
    done
done
for field in log_loss epoch_loss; do
    judged "state.$field = 2^63 - 1" bad "$field" <<<"f['state'].attrs.modify('$field', np.int64((1 << 63) - 1))"
done
judged "state.best_accuracy = 2" bad best_accuracy <<<"f['state'].attrs.modify('best_accuracy', 2.0)"
judged "state.best_loss = NaN" bad best_loss <<<"f['state'].attrs.modify('best_loss', np.nan)"
judged "state.last_accuracy = -1" bad last_accuracy <<<"f['state'].attrs.modify('last_accuracy', -1.0)"
judged "a position in epochs of another length" bad 'position' <<<"f['state'].attrs.modify('position', 3)"
judged "a step that is no number of such epochs" bad 'position' <<<"
f['state'].attrs.modify('epoch', 2)
f['state'].attrs.modify('position', 3)"
judged "a position that is none of its set's epochs" bad 'position' <<<"
a = f['state'].attrs
for name in 'epoch', 'n_history': a.modify(name, 0)
a.modify('position', 30)"
judged "epochs of another length than its set's" bad 'position' <<<"
a = f['state'].attrs
for name, value in ('epoch', 2), ('position', 0), ('n_history', 0), ('epoch_images', 0), ('epoch_correct', 0), ('epoch_loss', 0): a.modify(name, value)"
for field in test_accuracy step epoch; do
    judged "history.$field = 7" bad history <<<"h = f['state/history'][:]; h['$field'][0] = 7; f['state/history'][:] = h"
done
judged "a history of numbers alone" bad 'element type|history' <<<"
del f['state/history']
f['state'].create_dataset('history', data=np.zeros(1), chunks=(1,), fletcher32=True)"
for value in "lr'] = np.nan" "best'] = np.nan" "bad'] = np.int64(-1)" "cooldown'] = np.int64((1 << 63) - 1)"; do
    judged "state.plateau_$value" bad plateau_ <<<"
a = f['state'].attrs
a['plateau_lr'], a['plateau_best'], a['plateau_bad'], a['plateau_cooldown'] = 0.1, 0.5, np.int64(0), np.int64(0)
a['plateau_$value"
done
judged "a plateau that the recipe has not" strange 'plateau' <<<"
a = f['state'].attrs
a['plateau_lr'], a['plateau_best'], a['plateau_bad'], a['plateau_cooldown'] = 0.1, 0.5, np.int64(0), np.int64(0)"

# ---- Each value of /meta ----
part
set_meta() { echo "f['meta'].attrs['$1'] = $2"; }
judged "format_version 0" bad 'format version 0' < <(set_meta format_version 'np.int64(0)')
judged "a newer format_version" strange 'format version 99' < <(set_meta format_version 'np.int64(99)')
check "what to do about it" grep -q 'use the version of lockstep that wrote it' "$log"
judged "lanes 0" bad '0 lanes' < <(set_meta lanes 'np.int64(0)')
judged "other lanes" strange '8 lanes are 4 in its' < <(set_meta lanes 'np.int64(8)')
judged "another seed" strange 'seed 7 is 1 in its' < <(set_meta seed 'np.uint64(7)')
judged "ema 2" bad 'ema' state < <(set_meta ema 'np.int64(2)')
judged "an average that is not there" bad 'ema' state < <(set_meta ema 'np.int64(1)')
for field in git dataset instruction_set; do
    judged "a long $field" bad "$field is longer" < <(set_meta $field "np.bytes_('x' * 999)")
done
judged "a lineage that is none" bad 'lineage' < <(set_meta lineage "np.bytes_('none' + chr(0))")
judged "nine slots" bad 'more than 8' state < <(set_meta slots "np.bytes_('a b c d e f g h i' + chr(0))")
judged "another slot" strange 'no momentum' <<<"
f.move('optimizer/momentum', 'optimizer/exp_avg')
f['meta'].attrs['slots'] = np.bytes_('exp_avg' + chr(0))"
judged "a configuration that is none" strange 'cannot read what run' < <(set_meta config "np.bytes_('a: [' + chr(0))")
judged "an option of another version" strange "unknown .*colour" <<<"
f['meta'].attrs['config'] = np.bytes_(f['meta'].attrs['config'] + b'colour: red' + bytes(1))"
judged "another network" strange 'linear1.weight has shape 10 x 16, the model wants 12 x 16' <<<"
f['meta'].attrs['config'] = np.bytes_(f['meta'].attrs['config'].replace(b'linear c=10', b'linear c=12') + bytes(1))"
judged "a text of any length" bad 'another type' content <<<"f['meta'].attrs['config'] = 'model: relu'"
judged "another state hash" bad 'state hash' state < <(set_meta state_hash 'np.uint64(1)')
judged "another content hash" bad 'content hash' content < <(set_meta content_hash 'np.uint64(1)')
judged "a content hash of 0" bad 'content hash is 0' content < <(set_meta content_hash 'np.uint64(0)')
judged "no content hash" bad 'content_hash' <<<"del f['meta'].attrs['content_hash']"

# ---- What the content hash is of: all, known or not, but the time of day ----
part
judged "another commit" bad 'content hash' content < <(set_meta git "np.bytes_('abc' + chr(0))")
judged "another best step" bad 'content hash' content <<<"f['state'].attrs.modify('best_step', np.int64(24))"
judged "a loss of the past" bad 'content hash' content <<<"
h = f['state/history'][:]; h['test_loss'][0] = 1; f['state/history'][:] = h"
judged "another lineage" bad 'content hash' content < <(set_meta lineage "np.bytes_('00000000000000aa@0' + chr(0))")
judged "something more" bad 'content hash' content <<<"f['state'].attrs['ledger'] = np.int64(7)"
judged "an array more" bad 'content hash' content <<<"f.create_dataset('later/ledger', data=np.arange(5))"
judged "another time of day" good "" content < <(set_meta time "np.bytes_('1970-01-01T00:00:00Z' + chr(0))")
judged "an option of a later version of this format" good "" <<<"
f['state'].attrs['ledger'] = np.uint64(7)
f['meta'].attrs['drift'] = np.bytes_('none' + chr(0))
f.create_dataset('later/ledger', data=np.arange(5))"
judged "something of a type that no checkpoint has" bad 'ledger is of another type' content <<<"f['state'].attrs['ledger'] = 'x'"

# ---- Arrays ----
part
judged "weights of another step" bad 'state hash' state <<<"f['params/linear1.bias'][0] += 1"
judged "a weight that is NaN" bad 'NaN or infinite' <<<"f['params/linear1.bias'][0] = np.nan"
judged "another shape" strange 'linear1.bias has shape 11, the model wants 10' <<<"
del f['params/linear1.bias']
f['params'].create_dataset('linear1.bias', data=np.zeros(11, 'f4'), chunks=(11,), fletcher32=True)"
judged "another type" bad 'element type' <<<"
del f['params/linear1.bias']
f['params'].create_dataset('linear1.bias', data=np.zeros(10), chunks=(10,), fletcher32=True)"
judged "an array too few" strange 'params has . arrays' <<<"del f['params/linear1.bias']"
judged "an array too many" strange 'running has . arrays' <<<"
f['running'].create_dataset('more', data=np.zeros(1, 'f4'), chunks=(1,), fletcher32=True)"
judged "arrays in another order" strange 'where the model has' <<<"
f.move('params/bn1.weight', 'params/kept')
f.move('params/kept', 'params/bn1.weight')"
judged "no array at all" strange 'params has 0 arrays' <<<"
for name in list(f['params']): del f['params'][name]"
judged "no group" bad 'params' state <<<"del f['params']"

# ---- Tricks of the format ----
part all
judged "an array of 6 GB" bad 'more than its file has room for|not stored' state content <<<"
del f['params/linear1.bias']
f['params'].create_dataset('linear1.bias', (1 << 30, 3), '<f4', chunks=(1024, 3), fletcher32=True)"
judged "a history of 2^40 entries" bad 'history' state content <<<"
t = f['state/history'].dtype
del f['state/history']
f['state'].create_dataset('history', (1 << 40,), t, chunks=(1024,), fletcher32=True)
f['state'].attrs.modify('n_history', np.int64(1 << 40))"
judged "a chunk of 1 GB" bad 'not stored as' state content <<<"
del f['params/linear1.bias']
f['params'].create_dataset('linear1.bias', (10,), '<f4', maxshape=(None,), chunks=(1 << 28,), fletcher32=True)"
judged "an array that is packed" bad 'not stored as' <<<"
values = f['params/linear1.bias'][:]
del f['params/linear1.bias']
f['params'].create_dataset('linear1.bias', data=values, compression='gzip')"
judged "an array in another file" bad 'outside of its file' <<<"
values = f['params/linear1.bias'][:]
open('values', 'wb').write(values.tobytes())
del f['params/linear1.bias']
f['params'].create_dataset('linear1.bias', (10,), '<f4', external=[('values', 0, 40)])"
judged "a virtual array" bad 'outside of its file' state content <<<"
del f['params/linear1.bias']
layout = h5py.VirtualLayout((10,), '<f4')
layout[:] = h5py.VirtualSource('other.h5', 'x', (10,))
f['params'].create_virtual_dataset('linear1.bias', layout)"
judged "a link to another file" bad 'link to elsewhere' state content <<<"
del f['params/linear1.bias']
f['params/linear1.bias'] = h5py.ExternalLink('other.h5', '/x')"
judged "a group that is a soft link" bad 'link to elsewhere' state content <<<"
f.move('params', 'elsewhere')
f['params'] = h5py.SoftLink('/elsewhere')"
judged "an array under two names" bad 'two names' state content <<<"f['params/again'] = f['params/linear1.bias']"
judged "a group within itself" bad 'two names' state content <<<"f['params/again'] = f['params']"
judged "a link among what is not known" bad 'link to elsewhere' state content <<<"
f.create_group('later')['far'] = h5py.ExternalLink('other.h5', '/x')"
judged "the root within a group that is not known" bad 'two names' state content <<<"f.create_group('later')['root'] = f['/']"
judged "a type among what is not known" bad 'of another type' state content <<<"f['later'] = np.dtype('f8')"
judged "groups in groups without end" bad 'more groups above' state content <<<"f.create_group('/'.join('a' * 400))"
judged "ten thousand attributes" bad 'content hash' content <<<"
for i in range(10000): f['meta'].attrs['a%d' % i] = np.int64(i)"

# ---- Files that no library of HDF5 has written ----
# broken NAME PATTERN COMMAND...: the file after a command on it.
broken() {
    local name=$1 pattern=$2 trouble=""
    shift 2
    forge </dev/null
    "$@" "$file" && tests/e2e/seal_file "$file"
    for words in "inspect $file" "eval $file --threads 1" "checkpoint verify $run" "train $tiny --out $run --steps 32"; do
        # shellcheck disable=SC2086
        reads 4 1 $words
    done
    if [ -n "$trouble" ] || [ ! -e "$file.bad" ]; then fail "$name" "$trouble"; else pass "$name"; fi
}
broken "half of a file" 'damaged|is no checkpoint' truncate -s 12000
broken "nothing" 'is empty' truncate -s 0
broken "text" 'is not a readable HDF5 file' cp README.md

# ---- checkpoint verify and list see what was renamed ----
lockstep 0 checkpoint verify "$run"
one_error 4 '1 checkpoint is not as written' "checkpoint verify: a .bad file counts"
check "it is named" grep -q '^.*step-00000030.h5.bad: .*not a readable HDF5 file' "$log"
lockstep 0 checkpoint list "$run"
check "checkpoint list: a .bad file too" grep -qE '^step-00000030.h5.bad +bad' "$log"
name="a good file under the name of a bad one" && forge </dev/null && mv "$file" "$file.bad"
lockstep 0 checkpoint verify "$run"
one_error 4 '1 checkpoint is not as written' "a good file that is named .bad"
check "what to do about it" grep -q 'good after all: rename it back' "$log"
check "sealing passes it over" "$program" checkpoint seal "$run"

# ---- Predictions, which a report looks names up by ----
for edit in "f['predicted'][3] = -2000000000" "f['label'][3] = -1" "f['probability'][3] = np.nan"; do
    rm -rf "$run" && cp -a "$tmp/whole" "$run"
    /usr/bin/python3 -c "import h5py, numpy as np; f = h5py.File('$run/predictions.h5', 'r+'); $edit"
    lockstep 0 report "$run"
    if [ $code = 5 ]; then skip "report: $edit" "lockstep was built without cairo"; else
        one_error 4 'predictions.h5: image 3 has values that no prediction has' "report: $edit"
    fi
done

# ---- Other test images ----
cp -a "$tmp/data" "$tmp/more" && printf '\001' | dd of="$tmp/more/test_batch.bin" bs=1 seek=2000 conv=notrunc status=none
name="test set" && forge </dev/null
lockstep 0 inspect "$file"
check "inspect: the test set's hash" grep -qE '^  test set [0-9a-f]{16}$' "$log"
lockstep 0 eval "$file" --threads 1 --data "$tmp/more" --json
check "eval: other images than the run's are said to be" \
    test "$code $(grep -c '^warning: these are other images than' "$log") $(grep -c '"own_test_set":false' "$log")" = "0 1 1"
lockstep 0 eval "$file" --threads 1 --json
check "eval: the run's own" test "$code $(grep -c warning "$log") $(grep -c '"own_test_set":true' "$log")" = "0 0 1"
finish
