#!/bin/bash
# limit: 600
# The networks of configs/zoo: as many parameters as published, two steps; and weights of modules that are named as in their
# sources, by scripts/from_pytorch.py and to_pytorch.py, with PyTorch's outputs, and bit for bit back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

python=/usr/bin/python3
small_data "$tmp/data" 8 20 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
$python -c 'import h5py, torch, yaml' 2>/dev/null || torch_lacks="python3-torch, python3-h5py or python3-yaml is missing"

parameters() { "$program" train "configs/zoo/$1.yaml" --describe --json | $python -c 'import json, sys; print(json.load(sys.stdin)["parameters"])'; }

names=()
while read -r name count <&3; do
    names+=("$name")
    check "$name has $count parameters" test "$(parameters "$name")" = "$count"
    train "$name" 0 "configs/zoo/$name.yaml" --batch-size 4 --lanes 2 --steps 2 --lr 0.001 --eval.batch 20
    check "$name: two steps" test "$code" = 0
    rm -rf "${tmp:?}/$name"
    [ -z "${torch_lacks:-}" ] || { skip "$name from PyTorch and back" "$torch_lacks" && continue; }
    check "$name from PyTorch and back" $python tests/e2e/check_zoo "$name" "$tmp/data" "$tmp/$name"
    rm -rf "${tmp:?}/$name"
done 3<<'TABLE'
resnet18 11173962
resnet20 269722
resnet20-b 272474
resnet56 853018
wrn-28-10 36479194
vgg16-bn 14728266
mobilenetv2 2296922
densenet-bc-100-12 769162
convmixer-256-8 594186
senet18 11260354
TABLE
files=$(cd configs/zoo && printf '%s\n' *.yaml | sed 's/\.yaml$//')
check "each network of configs/zoo is in the table" test "$(printf '%s\n' "${names[@]}" | sort)" = "$(sort <<<"$files")"

finish
