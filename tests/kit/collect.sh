#!/bin/bash
# What the kit brings back becomes tables: made-up files (tests/kit/made-up/README) against the tables expected of them.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

collect=scripts/gpu-kit/collect made=tests/kit/made-up
tables() { diff <("$collect" "$@" 2>"$tmp/said") "$made"/tables.md; }
check "the tables of made-up files" tables "$made"
check "the files one by one" tables "$made"/stage{1,2,3,4}.jsonl
mkdir "$tmp/torn" && cp "$made"/*.jsonl "$tmp/torn/" && printf '{"kind": "lockstep", "prec' >>"$tmp/torn/stage2.jsonl"
check "of a file that breaks off all that is whole" tables "$tmp/torn"
check "and it is named" grep -q 'stage2.jsonl:11: breaks off' "$tmp/said"

# The page as it is before anything was brought.
page=$tmp/page.md empty=$tmp/empty.md
awk '/^<!-- end -->$/ { within = 0 } !within { print } /^<!-- gpu .* -->$/ { within = 1; print "*not yet run on hardware*" }' \
    docs/gpu-results.md >"$empty"
cp "$empty" "$page"
each_kind() { diff <(sed -n 's/^\[\(.*\)\]$/\1/p' "$made"/tables.md | sort) <(sed -n 's/^<!-- gpu \(.*\) -->$/\1/p' docs/gpu-results.md | sort); }
check "the page has a place for each kind" each_kind
check "all go to the page" "$collect" --write "$page" "$made"
check "which is then not empty anywhere" test "$(grep -c 'not yet run on hardware' "$page")" = 0
in_page() { grep '^|' "$made"/tables.md | while IFS= read -r line; do grep -qxF -- "$line" "$page" || { echo "not there: $line" && return 1; }; done; }
check "every line of theirs is there" in_page
cp "$page" "$tmp/once.md"
check "again" "$collect" --write "$page" "$made"
check "nothing changes" cmp "$page" "$tmp/once.md"
cp "$empty" "$page"
check "one stage" "$collect" --write "$page" "$made"/stage4.jsonl
check "leaves the others' places as they were" test "$(grep -c '^\*not yet run on hardware\*$' "$page")" = 6

check "the card's properties" "$collect" --card "$tmp" "$made"
check "one a line, as tests/plans/gpus has them" diff "$tmp/sm_00.json" <(printf '{\n    "warpSize": 32,\n    "maxBlockSize": [1, 2, 3]\n}\n')

mkdir "$tmp/bad" && sed 's/MADE-UP CARD/Simulated GPU/' "$made"/stage1.jsonl >"$tmp/bad/stage1.jsonl"
cp docs/gpu-results.md "$page"
refuse "nothing of a simulated GPU is written" "$collect" --write "$page" "$tmp/bad"
check "the page stays as it was" cmp "$page" docs/gpu-results.md
sed 1d "$made"/stage1.jsonl >"$tmp/bad/stage1.jsonl"
refuse "figures of no machine are refused" "$collect" "$tmp/bad"
said() { "$collect" "$1" 2>&1 | grep -q "$2"; }
check "in a line that says so" said "$tmp/bad" "stage1.jsonl: begins without a machine"
sed '2s/.*/{/' "$made"/stage1.jsonl >"$tmp/bad/stage1.jsonl"
refuse "so is a file that is no JSON in its middle" "$collect" "$tmp/bad"
mkdir "$tmp/none"
refuse "and a folder with nothing of the kit's" "$collect" "$tmp/none"

# (1000 x 10 + 3000 x 30) / 4000 = 25 and (1000 x 50 + 3000 x 10) / 4000 = 20
kernels() {
    diff <(scripts/gpu-kit/kernels "$made"/ncu.csv | tr -d '\n') <(printf '{"kind": "kernels", "kernels": [%s, %s]}' \
        '{"name": "one", "calls": 2, "us": 4.0, "arithmetic": 25.0, "memory": 20.0}' \
        '{"name": "two", "calls": 1, "us": 2.0, "arithmetic": 5.0, "memory": 90.0}')
}
check "ncu's table is summed over the calls of a kernel" kernels
head -n 4 "$made"/ncu.csv >"$tmp/ncu.csv"
refuse "one without a table is refused" scripts/gpu-kit/kernels "$tmp/ncu.csv"

# PyTorch's side, as far as a CPU goes: in whichever python3 has it.
python=
for one in python3 /usr/bin/python3; do "$one" -c 'import torch, yaml' 2>/dev/null && python=$one && break; done
if [ -n "$python" ]; then
    twin() { "$python" bench/pytorch_gpu tests/recipes/tiny.yaml --device cpu --mode eager --precision fp32 --steps 2 >"$tmp/twin.json"; }
    check "a recipe in PyTorch" twin
    check "gives images/s" "$python" -c 'import json, sys; assert json.load(open(sys.argv[1]))["images_per_s"] > 0' "$tmp/twin.json"
else
    skip "a recipe in PyTorch" "no python3 here has torch and yaml"
fi
finish
