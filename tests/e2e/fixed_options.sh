#!/bin/bash
# What is trained cannot change at resume: each option that decides it is refused, by name and with both values, and all
# others may change. The two lists stand here, so that a new option is put in one of them by hand.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 16 30 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
sed '/^log-every/d' $recipes/small.yaml >"$tmp/small.yaml"
words=(--batch-size 32 --lanes 4 --reduction native --steps 3 --augment.crop-pad 0 --augment.mixup 0.2 --optimizer.ema-decay 0
    --augment.mean '0.4914,0.4822,0.4465' --augment.std '0.247,0.2435,0.2616')

# KEY, the value that the run has, and another one. The run: small.yaml with these words.
fixed='
label-smoothing 0.1 0.2
class-weights - 1,2,1,1,1,1,1,1,1,1
seed 1 2
batch-size 32 64
lanes 4 8
drop-last true false
labels fine coarse
holdout 0 8
train-records 0 60
augment.crop-pad 0 3
augment.pad-mode constant reflect
augment.pad-fill 0 9
augment.crop-area 0,0 0.5,1
augment.crop-aspect 0.75,1.3333333333333333 0.9,1.1
augment.crop-attempts 10 5
augment.flip 0.5 0.25
augment.flip-mode random alternate
augment.rotate 15 10
augment.policy none randaugment
augment.policy-ops 2 3
augment.policy-magnitude 9 10
augment.jitter-brightness 0 0.4
augment.jitter-contrast 0 0.4
augment.jitter-saturation 0 0.4
augment.jitter-hue 0 0.1
augment.brightness 0 0.14
augment.contrast 0 0.13
augment.cutout 8 4
augment.erase 0 0.25
augment.erase-area 0.02,0.33 0.1,0.4
augment.erase-aspect 0.3,3.3 0.5,2
augment.erase-with mean noise
augment.erase-fill 0 9
augment.mixup 0.2 0.4
augment.cutmix 0 1
augment.mix-probability 1 0.5
augment.unit one byte
augment.mean 0.4914,0.4822,0.4465 0.4914,0.4822,0.5
augment.std 0.247,0.2435,0.2616 0.25,0.2435,0.2616
optimizer.name adam adamw
optimizer.lr 0.004 0.005
optimizer.momentum 0.9 0.8
optimizer.nesterov false true
optimizer.beta1 0.9 0.8
optimizer.beta2 0.999 0.99
optimizer.eps 1e-08 1e-07
optimizer.alpha 0.99 0.9
optimizer.centered false true
optimizer.trust-coefficient 0.001 0.02
optimizer.weight-decay 0.0005 0.001
optimizer.decay-all false true
optimizer.clip-norm 5 4
optimizer.ema-decay 0 0.8
optimizer.groups - -
muon.steps 5 3
muon.rescale false true
lookahead.every 0 5
lookahead.decay 0.5 0.6
lookahead.power 0 3
schedule.name cosine constant
schedule.points - 1,2
schedule.gamma 0.1 0.2
schedule.lr-end 0 0.001
schedule.cycle 0 2
schedule.cycle-factor 1 2
schedule.unit epochs share
schedule.by step epoch
schedule.shape linear cosine
schedule.lr-start 0 1
schedule.momentum-low 0 0.5
schedule.patience 10 5
schedule.cooldown 0 1
schedule.threshold 0.0001 0.01
schedule.threshold-mode relative absolute
eval.monitor accuracy loss
schedule.warmup 0 1
schedule.warmup-epochs 0.5 1
schedule.warmup-start 0 0.5
reduction native exact32
reduction-type fp32 bf16
eval.batch 50 40
init-from - /dev/null
'
# No CPU has another value of the first, small.yaml has the second in epochs, and the third stands in files alone (tests/e2e/optimizers.sh),
# so the list and --help are all that is compared here.
elsewhere='labels reduction-type schedule.warmup optimizer.groups'
# KEY and another value. Beside these: what says where a run reads and writes, and what it shows.
free='
epochs 9
steps 5
schedule.total-epochs 6
device ref
precision fp32
autotune false
bucket-bytes 8192
deadline 250
heartbeat 20
checkpoint-every 2
mtbf 2h
bad-steps.policy skip
bad-steps.in-a-row 6
bad-steps.skipped 7
bad-steps.rollbacks 2
bad-steps.lr-factor 0.25
drift-every 5
straggler.factor 2
straggler.steps 20
keep 5
keep-best 2
eval.every 2
eval.patience 7
eval.tta flip
target 0.99
log-every 4
report false
tensorboard.histograms 0
tensorboard.images 0
tensorboard.events false
'
unstored='data loader.threads threads max-time elastic out runs-dir checkpoint-local resume progress progress-width quiet trace crash-at'

train run 0 "$tmp/small.yaml" "${words[@]}"
check "a run" test $code = 0

# flags KEY VALUE
flag() { case $2 in true) echo "--$1" ;; false) echo "--no-$1" ;; *) echo "--$1 $2" ;; esac; }
while read -r key old new; do
    [ -n "$key" ] || continue
    [[ " $elsewhere " != *" $key "* ]] || continue
    # shellcheck disable=SC2046
    train run 0 "$tmp/small.yaml" "${words[@]}" --steps 5 $(flag "$key" "$new")
    [ "$old" != - ] || old='.*'
    one_error 2 "cannot change at resume: $key ${old//./\\.} there, ${new//./\\.} here\\. Use its values" "$key is refused"
done <<<"$fixed"
sed 's/c=32 k=3/c=24 k=3/' "$tmp/small.yaml" >"$tmp/other.yaml"
train run 0 "$tmp/other.yaml" "${words[@]}" --steps 5
one_error 2 'cannot change at resume: model conv c=32 k=3 p=1 there, conv c=24 k=3 p=1 here' "another model is refused"
train run 0 "$tmp/small.yaml" "${words[@]}" --steps 5 --seed 4 --optimizer.lr 1
one_error 2 'seed 1 there, 4 here; optimizer.lr 0.004 there, 1 here' "two at once: both are named"
is_same() { cmp -s "$tmp/before" <(cd "$tmp/run" && sha256sum checkpoints/* metrics.jsonl); }
(cd "$tmp/run" && sha256sum checkpoints/* metrics.jsonl) >"$tmp/before"
train run 0 "$tmp/small.yaml" "${words[@]}" --steps 5 --reset --seed 5 --batch-size 30
one_error 2 'batch-size 30' "a refusal before --reset"
check "what was refused left the run as it was" is_same

# shellcheck disable=SC2046
train run 0 "$tmp/small.yaml" "${words[@]}" $(while read -r key new; do [ -z "$key" ] || flag "$key" "$new"; done <<<"$free")
check "all others may change" test "$code $(result run step resumed_from | tr '\n' ' ')" = "0 5 3 "

# ---- Both lists are whole. ----
"$program" train "$tmp/small.yaml" --dump-config >"$tmp/all"
keys=$(awk '/^[a-z]/ { top = $1; sub(":", "", top); if (NF > 1) print top }
    /^  [a-z0-9-]+: ./ && top != "model" { sub(":", "", $1); print top "." $1 }' "$tmp/all" |
    grep -vx model | sort)
listed=$(printf '%s\n' "$fixed" "$free" | awk 'NF { print $1 }' | cat - <(tr ' ' '\n' <<<"$unstored") | sort)
check "every option is in one of the lists" diff <(echo "$keys") <(echo "$listed")
marked=$("$program" train --help | sed -nE 's/^\* (--[a-z]+, )?-{0,2}([-a-z0-9.]+).*/\2/p' | sort)
check "--help marks the fixed ones" diff <(echo "$marked") <(printf 'model\n%s\n' "$(awk 'NF { print $1 }' <<<"$fixed")" | sort)

# ---- Another kind of processor: it goes on, and says so. ----
DNNL_MAX_CPU_ISA=SSE41 train cpu 0 "$recipes/tiny.yaml" --steps 3
train cpu 0 "$recipes/tiny.yaml" --steps 6
check "another instruction set: it goes on" test "$code $(result cpu resumed_from)" = "0 3"
check "another instruction set: it says so" grep -q '^warning: .*step-00000003.h5 was written with sse41, this is [^:]*: .*not with the same bits' "$log"
train cpu 0 "$recipes/tiny.yaml" --steps 8
refuse "the same instruction set: no word of it" grep -q 'was written with' "$log"
finish
