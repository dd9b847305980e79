#!/bin/bash
# Every step of small runs on simulated GPUs against a trainer of its own (tests/oracle): what the GPU's backend, its sums
# and its optimizer compute, held to something that is neither of ours.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/oracle/lib.sh
. tests/oracle/lib.sh

oracle_words=(--device cuda --holdout 12 --steps 6)
export LD_LIBRARY_PATH=$sim
export SIMGPU_SCHEDULE=random:1
as_the_oracle "SGD, Nesterov, clipping, EMA" 2 --optimizer.lr 0.2 --optimizer.nesterov --optimizer.clip-norm 0.8 \
    --optimizer.ema-decay 0.8
as_the_oracle "AdamW, decay on all, a moving rate" 1 --optimizer.name adamw --optimizer.lr 0.01 --optimizer.decay-all \
    --schedule.name cosine --schedule.warmup-epochs 1 --schedule.total-epochs 2
export SIMGPU_SCHEDULE=lazy
as_the_oracle "SGD, native sums" 2 --optimizer.lr 0.1 --reduction native
as_the_oracle "Adam, weights of classes, smoothing" 1 --optimizer.name adam --optimizer.lr 0.01 --threads 2 --label-smoothing 0.1 \
    --class-weights 1,2.5,0.3,1,4,1,0.05,1,1.5,3
# Shards of 16, 16 and 17 records: two ranks of three have no images in the third step.
as_the_oracle "lanes without images" 3 --holdout 16 --optimizer.lr 0.1
sed 's/^\( *bn\)$/\1 over=batch/' "$recipes/oracle.yaml" >"$tmp/batch.yaml"
oracle_recipe=$tmp/batch.yaml
as_the_oracle "batch norm over the batch" 3 --holdout 16 --optimizer.lr 0.1
as_the_oracle "batch norm over the batch, streams of their own" 1 --threads 2 --optimizer.lr 0.1 --optimizer.nesterov
oracle_recipe=$recipes/oracle.yaml
with_groups <<'GROUPS'
conv1.* frozen
*.bias,bn:*,groupnorm:* optimizer=sgd lr-factor=3 points=0:1,2:0
conv2.weight nesterov muon-rescale muon-steps=3 frozen-after=1.5
linear1.weight optimizer=adamw lr=0.01
GROUPS
as_the_oracle "groups: frozen, SGD, AdamW, Muon; EMA" 2 --optimizer.name muon --optimizer.lr 0.05 --optimizer.ema-decay 0.8
with_groups <<'GROUPS'
conv*.weight,linear*.weight optimizer=muon lr=0.05 weight-decay=0.5
GROUPS
as_the_oracle "Muon within SGD, Lookahead" 1 --optimizer.lr 0.2 --lookahead.every 2 --lookahead.power 2 --epochs 2
with_groups <<'GROUPS'
conv1.* optimizer=rmsprop lr=0.003 centered alpha=0.9
bn:*,groupnorm:* optimizer=rmsprop lr=0.003 momentum=0
linear1.* optimizer=lamb lr=0.02 weight-decay=0.1
GROUPS
as_the_oracle "RMSprop and LAMB within LARS, EMA" 2 --optimizer.name lars --optimizer.lr 0.5 --optimizer.trust-coefficient 0.05 \
    --optimizer.ema-decay 0.8
compare_all
words=(--steps 6 --holdout 12 --optimizer.lr 0.1)
train tta 2 $recipes/oracle.yaml --data "$tmp/data" --device cuda --eval.tta shifts "${words[@]}"
check "test-time augmentation" env PYTHONDONTWRITEBYTECODE=1 $python tests/oracle/tta.py "$tmp/tta" "$tmp/data" $recipes/oracle.yaml \
    "${words[@]}"
finish
