#!/bin/bash
# limit: 400
# Every step of small runs against a trainer of its own: PyTorch in float64 with its own random numbers, shuffling,
# schedules, clipping, optimizers, averages and statistics (tests/oracle). It shares no code and no number with lockstep.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/oracle/lib.sh
. tests/oracle/lib.sh

# Shards of 17, 18 and 18 records: the third step of an epoch has 1, 2 and 2 images.
piecewise=(--schedule.name piecewise --schedule.points '0:0.5,1:1,3:0.1')
for ranks in 1 2; do
    as_the_oracle "SGD, Nesterov, clipping, EMA, smoothing on $ranks" $ranks --steps 9 --holdout 12 --optimizer.lr 0.2 \
        --optimizer.nesterov --optimizer.clip-norm 0.5 --optimizer.ema-decay 0.8 --label-smoothing 0.1 "${piecewise[@]}"
done
# Shards of 16, 16 and 17 records: the third step has one image, and two lanes without any.
as_the_oracle "SGD, decay on all, lanes without images" 3 --steps 8 --holdout 16 --optimizer.lr 0.1 --optimizer.decay-all \
    --eval.every 2
as_the_oracle "SGD without momentum, native sums" 2 --steps 6 --holdout 12 --optimizer.lr 0.1 --optimizer.momentum 0 \
    --reduction native --schedule.warmup-epochs 2 --schedule.warmup-start 0.25
as_the_oracle "Nesterov, clipping, sums in int32" 3 --steps 8 --holdout 12 --optimizer.lr 0.2 --optimizer.nesterov \
    --optimizer.clip-norm 0.5 --reduction exact32
cosine=(--schedule.name cosine --schedule.warmup-epochs 1 --schedule.total-epochs 3 --schedule.lr-end 0.001)
as_the_oracle "AdamW, clipping, EMA, whole steps only" 2 --steps 7 --drop-last --log-every 3 --optimizer.name adamw \
    --optimizer.lr 0.01 --optimizer.clip-norm 0.7 --optimizer.ema-decay 0.7 "${cosine[@]}"
as_the_oracle "Adam, decay on all, steps of the rate" 1 --steps 7 --holdout 12 --seed 3 --optimizer.name adam \
    --optimizer.lr 0.02 --optimizer.beta1 0.8 --optimizer.decay-all --schedule.name step --schedule.points '1,2'

as_the_oracle "SGD, shares of the run, warm-up in shares" 2 --epochs 4 --steps 7 --holdout 12 --optimizer.lr 0.1 --schedule.unit share \
    --schedule.name piecewise --schedule.points '0.1:0.5,0.5:1,1:0' --schedule.warmup 0.25
cycle=(--schedule.name one-cycle --schedule.unit steps --schedule.points '3,6' --schedule.momentum-low 0.6)
as_the_oracle "AdamW, one cycle of rate and beta1" 2 --steps 8 --holdout 12 --optimizer.name adamw --optimizer.lr 0.02 \
    --schedule.lr-start 0.002 --schedule.lr-end 0.001 --optimizer.beta2 0.99 "${cycle[@]}"
as_the_oracle "Nesterov, one cycle of rate and momentum" 1 --steps 7 --holdout 12 --optimizer.nesterov --optimizer.lr 0.1 \
    --schedule.shape cosine "${cycle[@]}"
as_the_oracle "the first records alone, those behind them held out" 2 --steps 6 --train-records 30 --holdout 12 --optimizer.lr 0.1
as_the_oracle "mixup and cutmix, smoothing" 2 --steps 7 --holdout 12 --optimizer.lr 0.1 --label-smoothing 0.1 --augment.mixup 0.5 \
    --augment.cutmix 1 --augment.mix-probability 0.8
# Stopped in the middle of an epoch and of what one line of metrics is about, one evaluation behind it.
words=(--holdout 12 --optimizer.lr 0.1 --optimizer.ema-decay 0.8 --log-every 3)
as_the_oracle "the first part of a run" 2 --steps 5 "${words[@]}"
from_there "a resumed run, from its first step on" 3 --steps 10 "${words[@]}"
check "it was resumed" test "$(result run-$oracle_runs resumed_from)" = 5

# ---- Batch norm over all lanes: what a script of one process means by it. ----
sed 's/^\( *bn\)$/\1 over=batch/' "$recipes/oracle.yaml" >"$tmp/batch.yaml"
check "the recipe has a batch norm" grep -q 'bn over=batch' "$tmp/batch.yaml"
oracle_recipe=$tmp/batch.yaml
for ranks in 1 2 3; do
    as_the_oracle "batch norm over the batch, lanes without images, on $ranks" $ranks --steps 8 --holdout 16 \
        --optimizer.lr 0.1 --optimizer.clip-norm 1
done
hash=$(result run-$oracle_runs state_hash)
for run in $((oracle_runs - 1)) $((oracle_runs - 2)); do
    check "and its bits are the same" test "$(result "run-$run" state_hash)" = "$hash"
done
as_the_oracle "batch norm over the batch, AdamW, EMA, two threads" 1 --threads 2 --steps 7 --holdout 12 --optimizer.name adamw \
    --optimizer.lr 0.02 --optimizer.ema-decay 0.8 --label-smoothing 0.1

# ---- Groups of parameters. ----
oracle_recipe=$recipes/oracle.yaml
with_groups <<'GROUPS'
conv1.bias lr-factor=3 points=0:1,1.5:0 frozen-after=1.5
bn:bias lr=0.4 weight-decay=0.1 momentum=0.5 nesterov   # as a kind, not a name
conv2.*,bn1.weight optimizer=adamw lr=0.01 weight-decay=0.02
linear1.weight momentum=0 weight-decay=0
GROUPS
for ranks in 1 3; do
    as_the_oracle "four groups and a rest, clipping, EMA on $ranks" $ranks --steps 8 --holdout 12 --optimizer.lr 0.1 \
        --optimizer.clip-norm 0.8 --optimizer.ema-decay 0.8 --optimizer.nesterov "${piecewise[@]}"
done
with_groups <<'GROUPS'
conv1.weight frozen
*.bias optimizer=sgd lr-factor=5 points=0:0.2,1/2:1,1:0 unit=share
GROUPS
as_the_oracle "frozen weights, SGD within Adam, shares" 2 --epochs 3 --steps 7 --holdout 12 --optimizer.name adam \
    --optimizer.lr 0.02 --optimizer.clip-norm 0.7 --optimizer.ema-decay 0.7 --schedule.warmup-epochs 1

# ---- Lookahead: in mid-epoch, over a resume, in the last step, with what is frozen. ----
slow=(--lookahead.every 2 --lookahead.decay 0.8 --holdout 12)
as_the_oracle "Lookahead, frozen weights, Adam" 2 --epochs 3 --steps 7 --optimizer.name adam --optimizer.lr 0.02 "${slow[@]}"
with_groups <<'GROUPS'
conv2.weight frozen-after=1
GROUPS
words=("${slow[@]}" --lookahead.power 3 --optimizer.lr 0.1 --optimizer.nesterov --schedule.total-epochs 2.9)
for ranks in 1 3; do
    as_the_oracle "Lookahead, rising, then all of it" $ranks --epochs 3 --steps 5 "${words[@]}"
    from_there "Lookahead to its last step, and after it, on $ranks" $ranks --epochs 4 --steps 12 "${words[@]}"
done

# ---- Muon: wide and tall matrices, with and without momentum, rescaling, decay; all else by SGD. ----
with_groups <<'GROUPS'
*.bias,bn:*,groupnorm:* optimizer=sgd lr=0.1 weight-decay=0
conv2.weight muon-rescale momentum=0.6 muon-steps=3
linear1.weight lr-factor=0.5 nesterov=0 frozen-after=2
GROUPS
for ranks in 1 2; do
    as_the_oracle "Muon and SGD, clipping, EMA on $ranks" $ranks --steps 8 --holdout 12 --optimizer.name muon --optimizer.lr 0.05 \
        --optimizer.nesterov --optimizer.clip-norm 1 --optimizer.ema-decay 0.8 "${piecewise[@]}"
done
with_groups <<'GROUPS'
conv*.weight,linear*.weight optimizer=muon lr=0.05 weight-decay=0.5
GROUPS
as_the_oracle "Muon within SGD without momentum, Lookahead" 3 --steps 7 --holdout 12 --optimizer.momentum 0 --optimizer.lr 0.2 \
    --lookahead.every 3 --epochs 3

# ---- RMSprop by PyTorch itself; LARS and LAMB by their papers: trust ratios of tensors, none of vectors. ----
oracle_recipe=$recipes/oracle.yaml
as_the_oracle "RMSprop, momentum, centered, clipping, EMA" 2 --steps 7 --holdout 12 --optimizer.name rmsprop --optimizer.lr 0.003 \
    --optimizer.alpha 0.9 --optimizer.centered --optimizer.momentum 0.8 --optimizer.clip-norm 1 --optimizer.ema-decay 0.8
as_the_oracle "RMSprop, plain, decay on all" 3 --steps 7 --holdout 12 --optimizer.name rmsprop --optimizer.lr 0.003 --optimizer.momentum 0 \
    --optimizer.eps 0.0001 --optimizer.decay-all --reduction native
for ranks in 1 2; do
    as_the_oracle "LARS, clipping, EMA on $ranks" $ranks --steps 8 --holdout 12 --optimizer.name lars --optimizer.lr 0.5 \
        --optimizer.trust-coefficient 0.05 --optimizer.clip-norm 0.5 --optimizer.ema-decay 0.8 "${piecewise[@]}"
    as_the_oracle "LAMB, clipping, cosine on $ranks" $ranks --steps 8 --holdout 12 --optimizer.name lamb --optimizer.lr 0.02 \
        --optimizer.eps 0.000001 --optimizer.clip-norm 1 "${cosine[@]}"
done
as_the_oracle "LARS without momentum, decay on all, Lookahead" 3 --steps 7 --holdout 12 --optimizer.name lars --optimizer.lr 0.5 \
    --optimizer.momentum 0 --optimizer.trust-coefficient 0.05 --optimizer.eps 0.01 --optimizer.decay-all --lookahead.every 3 --epochs 3
with_groups <<'GROUPS'
conv1.* optimizer=rmsprop lr=0.003 momentum=0 centered alpha=0.9
bn:* optimizer=sgd lr=0.1 momentum=0.7
conv2.weight trust-coefficient=0.1 momentum=0.5 frozen-after=1.5
linear1.* optimizer=lamb lr=0.02 weight-decay=0.1 beta1=0.8
GROUPS
as_the_oracle "RMSprop, SGD, LAMB within LARS" 2 --steps 8 --holdout 12 --optimizer.name lars --optimizer.lr 0.5 "${piecewise[@]}"

# ---- Weights of classes: PyTorch's weighted mean over the whole batch, whatever lanes and ranks have of it. ----
oracle_recipe=$recipes/oracle.yaml
weights=(--class-weights '1,2.5,0.3,1,4,1,0.05,1,1.5,3' --optimizer.lr 0.1)
for ranks in 1 3; do
    as_the_oracle "weights of classes, smoothing, clipping on $ranks" $ranks --steps 8 --holdout 16 --label-smoothing 0.1 \
        --optimizer.clip-norm 1 "${weights[@]}"
done
check "and the bits are the same" test "$(result run-$oracle_runs state_hash)" = "$(result run-$((oracle_runs - 1)) state_hash)"
as_the_oracle "weights of classes, mixed images, native sums" 2 --steps 6 --holdout 12 --augment.mixup 0.5 --reduction native "${weights[@]}"
compare_all
finish
