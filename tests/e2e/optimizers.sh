#!/bin/bash
# limit: 400
# Groups of parameters in whole runs: the same bits at any number of ranks, after a crash and a resume; what is frozen never
# changes; what cannot be meant is refused by line. (Numbers: tests/e2e/oracle.sh.)
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data

# recipe NAME [SED]: small.yaml under a new name, with lines of optimizer.groups from standard input and an edit before that.
recipe() {
    { sed -e "${2:-}" "$recipes/small.yaml" | sed '/^optimizer:/q' && echo "  groups: |" && sed 's/^/    /' &&
        sed -e "${2:-}" "$recipes/small.yaml" | sed '1,/^optimizer:/d'; } >"$tmp/$1.yaml"
}

# everywhere NAME STEPS WORD...: the run of $tmp/NAME.yaml comes to the same bits on 1, 2 and 3 ranks, with threads, and
# where it crashes in mid-epoch and goes on elsewhere.
everywhere() {
    local name=$1 steps=$2
    shift 2
    train "$name" 1 "$tmp/$name.yaml" --steps "$steps" "$@"
    check "$name: trains" test "$code $(result "$name" step)" = "0 $steps"
    for ranks in 2 3; do
        train "$name-$ranks" $ranks "$tmp/$name.yaml" --steps "$steps" "$@"
        same "$name-$ranks" "$name" "$name: $ranks ranks"
    done
    train "$name-threads" 2 "$tmp/$name.yaml" --steps "$steps" --threads 3 "$@"
    same "$name-threads" "$name" "$name: 2 ranks x 3 threads"
    train "$name-crash" 2 "$tmp/$name.yaml" --steps "$steps" --checkpoint-every 7 --crash-at 17 "$@"
    check "$name: it crashes" test $code = 137
    train "$name-crash" 3 "$tmp/$name.yaml" --steps "$steps" --checkpoint-every 7 "$@"
    same "$name-crash" "$name" "$name: a crash in mid-epoch, then on with 3 ranks"
    check "$name: it was resumed" test "$(result "$name-crash" resumed_from)" = 14
    check "$name: its checkpoint verifies" "$program" inspect --verify "$(newest "$name")"
}

# ---- Groups. ----
recipe groups <<'LINES'
conv1.* frozen                                     # 12 steps an epoch
bn:bias optimizer=sgd lr=0.02 points=0:1,2:0       # as a kind
conv2.weight frozen-after=1.25
linear1.* lr-factor=0.5 beta1=0.8 weight-decay=0.01
LINES
everywhere groups 30
cat >"$tmp/arrays.py" <<'PY'
"""arrays A.h5 B.h5: which parameters, and which of their state, are the same bits in both."""
import sys
import h5py
a, b = (h5py.File(path) for path in sys.argv[1:3])
same = lambda x, y: set(x) == set(y) and {n for n in x if x[n][()].tobytes() == y[n][()].tobytes()}
print("params", *sorted(same(a["params"], b["params"])))
print("ema", *sorted(same(a["ema"], b["ema"])))
for slot in sorted(a["optimizer"]):
    print(slot, *sorted(a["optimizer"][slot]), "of which the same:", *sorted(same(a["optimizer"][slot], b["optimizer"][slot])))
PY
# Epochs of 12 steps: conv2.weight is frozen from step 15 on.
train frozen 2 "$tmp/groups.yaml" --steps 30 --checkpoint-every 1 --keep 100
cp "$tmp/frozen/checkpoints/step-00000001.h5" "$tmp/1.h5"
cp "$tmp/frozen/checkpoints/step-00000014.h5" "$tmp/14.h5"
cp "$tmp/frozen/checkpoints/step-00000015.h5" "$tmp/15.h5"
cp "$tmp/frozen/checkpoints/step-00000030.h5" "$tmp/30.h5"
arrays() { /usr/bin/python3 "$tmp/arrays.py" "$tmp/$1.h5" "$tmp/$2.h5" >"$tmp/said" 2>&1 || cat "$tmp/said"; }
if ! /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    skip "what is frozen does not change" "python3-h5py is missing"
else
    arrays 1 14
    check "conv1 never changes, nor does its average" test "$(sed -n 1,2p "$tmp/said" | tr '\n' ' ')" = \
        "params conv1.bias conv1.weight ema conv1.bias conv1.weight "
    arrays 14 15
    check "conv2.weight changes in step 15" test "$(sed -n 1p "$tmp/said")" = "params conv1.bias conv1.weight"
    arrays 15 30
    check "conv2.weight no longer changes then" test "$(sed -n 1p "$tmp/said")" = "params conv1.bias conv1.weight conv2.weight"
    check "nor does its state, but its average does" test "$(sed -n '2p;/exp_avg_sq/p' "$tmp/said" | sed 's/ bn1.weight.*the same:/ .../')" = \
        "ema conv1.bias conv1.weight
exp_avg_sq ... conv2.weight"
    check "what is of SGD has its momentum alone, and the frozen nothing" test \
        "$(sed -n '/^momentum/p;/^exp_avg /p' "$tmp/said" | sed 's/ of which.*//')" = \
        "exp_avg bn1.weight bn2.weight bn3.weight conv2.weight conv3.weight linear1.bias linear1.weight
momentum bn1.bias bn2.bias bn3.bias"
fi
"$program" train "$tmp/groups.yaml" --describe >"$log" 2>&1
check "--describe shows each parameter's group" grep -qx '  bn:bias optimizer=sgd lr=0.02 points=0:1,2:0: 64 parameters in bn1.bias, bn2.bias, bn3.bias' "$log"
check "so does the log" grep -q '  the rest: .* parameters in bn1.weight, bn2.weight, conv3.weight, bn3.weight' "$tmp/groups/log.txt"

# ---- Lookahead: the crash is between two of its steps, the run one longer than the schedule. ----
lookahead='/^  ema-decay/d; s/^  total-epochs: 4/  total-epochs: 2.4/
    s/^schedule:/lookahead: {every: 5, decay: 0.77378, power: 3}\nschedule:/'
recipe lookahead "$lookahead" <<'LINES'
conv1.* frozen
LINES
everywhere lookahead 29 # of 28.8
train last 2 "$tmp/lookahead.yaml" --steps 29 --checkpoint-every 1 --keep 100
cat >"$tmp/slow.py" <<'PY'
"""slow RUN STEP: whether the weights, and running statistics, are the slow ones."""
import sys
import h5py
f = h5py.File(f"{sys.argv[1]}/checkpoints/step-{int(sys.argv[2]):08d}.h5")
def same(a, b):
    return all(f[a][k][()].tobytes() == f[b][k][()].tobytes() for k in f[b])
print(*sorted(set(f["params"]) - set(f["optimizer/slow"])), same("params", "optimizer/slow"), same("running", "optimizer/slow_running"))
PY
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    slow() { /usr/bin/python3 "$tmp/slow.py" "$tmp/last" "$1" 2>&1; }
    check "after 15 steps the weights are the slow ones" test "$(slow 15)" = "conv1.bias conv1.weight True True"
    check "after 16 they are not" test "$(slow 16)" = "conv1.bias conv1.weight False False"
    check "after 28 they are not" test "$(slow 28)" = "conv1.bias conv1.weight False False"
    check "after the schedule's last step they are" test "$(slow 29)" = "conv1.bias conv1.weight True True"
fi
train cut 2 "$tmp/lookahead.yaml" --steps 12
check "a run that ends before says so" grep -q '^warning: the run ends at step 12, and its schedule at step 29: lookahead does not end' "$log"
train cut 2 "$tmp/lookahead.yaml" --steps 29
same cut lookahead "and goes on to the same"
train both 0 "$tmp/lookahead.yaml" --steps 3 --optimizer.ema-decay 0.9
one_error 2 'lookahead.every and optimizer.ema-decay are two ways' "beside a moving average"

# ---- Muon, beside SGD. ----
recipe muon 's/^  name: adam/  name: muon/; s/^  lr: .*/  lr: 0.02\n  nesterov: true/' <<'LINES'
*.bias,bn:* optimizer=sgd lr=0.1 nesterov
conv1.weight momentum=0.6 muon-steps=3 muon-rescale
conv2.weight frozen-after=1.5
LINES
everywhere muon 30
sed '/bias,bn/d' "$tmp/muon.yaml" >"$tmp/vectors.yaml"
train vectors 2 "$tmp/vectors.yaml" --steps 3
one_error 2 "optimizer.name muon is for matrices, but 'conv1.bias' has one dimension: .*, as in 'conv1.bias optimizer=sgd'" "Muon of a vector"
sed 's/conv1.weight momentum/conv1.* momentum/; s/\*.bias,bn/bn/' "$tmp/muon.yaml" >"$tmp/vectors.yaml"
line=$(grep -n 'conv1\.\* mom' "$tmp/vectors.yaml" | cut -d: -f1)
train vectors 2 "$tmp/vectors.yaml" --steps 3
one_error 2 "vectors.yaml:$line: muon is for matrices, but 'conv1.bias' has one dimension: put a line with optimizer=sgd" "Muon of a vector in a group"

# ---- LARS beside RMSprop and LAMB: five kinds of state. ----
recipe layers 's/^  name: adam/  name: lars/; s/^  lr: .*/  lr: 0.5/' <<'LINES'
conv1.* optimizer=rmsprop lr=0.003 centered
bn:bias optimizer=rmsprop lr=0.003 momentum=0
linear1.* optimizer=lamb lr=0.02
conv2.weight frozen-after=1.5
LINES
everywhere layers 30
"$program" inspect "$(newest layers)" >"$log" 2>&1
check "inspect shows each state" grep -q '/exp_avg .*/exp_avg_sq .*/grad_avg .*/momentum .*/square_avg' <(tr '\n' ' ' <"$log")
train flip 2 "$tmp/layers.yaml" --steps 9 --drift-every 3 --crash-at 4:1:flip-slot
check "a flipped bit of their state is found" grep -q 'optimizer' "$log"
train layers-0 2 "$tmp/layers.yaml" --steps 3 --optimizer.trust-coefficient 0
one_error 2 'optimizer.trust-coefficient' "no trust at all"

# ---- What cannot be meant. ----
train weights 2 "$tmp/groups.yaml" --steps 3 --class-weights 1,2.5
one_error 2 'class-weights has 2 numbers, but the data has 10 classes: give one for each' "weights of too few classes"
sed 's/conv2.weight frozen/conv9.weight frozen/' "$tmp/groups.yaml" >"$tmp/wrong.yaml"
line=$(grep -n conv9 "$tmp/wrong.yaml" | cut -d: -f1)
train wrong 2 "$tmp/wrong.yaml" --steps 3
one_error 2 "wrong.yaml:$line: 'conv9.weight' matches no parameter; did you mean 'conv[123].weight'\\?" "a pattern that matches nothing"
sed 's/frozen-after=1.25/frozen-after=40/' "$tmp/groups.yaml" >"$tmp/wrong.yaml"
train wrong 2 "$tmp/wrong.yaml" --steps 3 --reset
one_error 2 "the freezing of the group 'conv2.weight' at epoch 40 is never reached" "frozen after the run's end"
sed 's/lr-factor=0.5/lr-factor=0.25/' "$tmp/groups.yaml" >"$tmp/wrong.yaml"
train groups 2 "$tmp/wrong.yaml" --steps 36
one_error 2 'optimizer.groups linear1.\* lr-factor=0.5 beta1=0.8 .* there, linear1.\* lr-factor=0.25 .* here' "other groups at a resume"
sed 's/ *# as a kind/ # comments may change/' "$tmp/groups.yaml" >"$tmp/other.yaml"
train groups 2 "$tmp/other.yaml" --steps 36
check "another comment is no other group" test "$code $(result groups resumed_from)" = "0 30"
finish
