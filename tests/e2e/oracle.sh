#!/bin/bash
# limit: 240
# Every step of small runs against a trainer of its own: PyTorch in float64 with its own random numbers, shuffling,
# schedules, clipping, optimizers, averages and statistics (tests/oracle). It shares no code and no number with lockstep.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

python=/usr/bin/python3
$python -c 'import h5py, torch, yaml' 2>/dev/null || skip_all "python3-torch, python3-h5py or python3-yaml is missing"
small_data "$tmp/data" 13 20 || { fail "small data" && finish; }
recipe=$recipes/oracle.yaml
export PYTHONDONTWRITEBYTECODE=1

# as_the_oracle WHAT RANKS WORD...: trains, and checks each step.
as_the_oracle() {
    local what=$1 ranks=$2
    shift 2
    train run "$ranks" $recipe --data "$tmp/data" --reset "$@"
    [ $code = 0 ] || { fail "$what: trains" "$(tail -n 20 "$log")" && return; }
    oracle "$what" "$@"
}
# oracle WHAT WORD...: checks each step of the run that had these words.
oracle() {
    local what=$1
    shift
    if $python tests/oracle/check_run.py "$tmp/run" "$tmp/data" $recipe "$@" >"$tmp/said" 2>&1; then
        pass "$what: $(tail -n 1 "$tmp/said")"
    else
        fail "$what" "$(head -n 20 "$tmp/said")" "$(tail -n 1 "$tmp/said")"
    fi
}

# Shards of 17, 18 and 18 records: the third step of an epoch has 1, 2 and 2 images.
piecewise=(--schedule.name piecewise --schedule.points '0:0.5,1:1,3:0.1')
for ranks in 1 2; do
    as_the_oracle "SGD, Nesterov, clipping, EMA, smoothing, $ranks ranks" $ranks --steps 9 --holdout 12 --optimizer.lr 0.2 \
        --optimizer.nesterov --optimizer.clip-norm 0.5 --optimizer.ema-decay 0.8 --label-smoothing 0.1 "${piecewise[@]}"
done
# Shards of 16, 16 and 17 records: the third step has one image, and two lanes without any.
as_the_oracle "SGD, decay on all, lanes without images" 3 --steps 8 --holdout 16 --optimizer.lr 0.1 --optimizer.decay-all \
    --eval.every 2
as_the_oracle "SGD without momentum, native sums" 2 --steps 6 --holdout 12 --optimizer.lr 0.1 --optimizer.momentum 0 \
    --reduction native --schedule.warmup-epochs 2 --schedule.warmup-start 0.25
cosine=(--schedule.name cosine --schedule.warmup-epochs 1 --schedule.total-epochs 3 --schedule.lr-end 0.001)
as_the_oracle "AdamW, clipping, EMA, whole steps only" 2 --steps 7 --drop-last --log-every 3 --optimizer.name adamw \
    --optimizer.lr 0.01 --optimizer.clip-norm 0.7 --optimizer.ema-decay 0.7 "${cosine[@]}"
as_the_oracle "Adam, decay on all, steps of the rate" 1 --steps 7 --holdout 12 --seed 3 --optimizer.name adam \
    --optimizer.lr 0.02 --optimizer.beta1 0.8 --optimizer.decay-all --schedule.name step --schedule.points '1,2'
# Stopped in the middle of an epoch and of what one line of metrics is about, one evaluation behind it.
words=(--holdout 12 --optimizer.lr 0.1 --optimizer.ema-decay 0.8 --log-every 3)
as_the_oracle "before a resume" 2 --steps 5 "${words[@]}"
train run 3 $recipe --data "$tmp/data" --steps 10 "${words[@]}"
check "it resumes" test "$code $(result run resumed_from)" = "0 5"
oracle "after a resume, from the first step on" --steps 10 "${words[@]}"
finish
