#!/bin/bash
# limit: 400
# alone: rates are compared
# bench/vs_pytorch: its PyTorch side is the recipes' networks and optimizers; each contender is measured, losers are dropped, and the
# tables say what was measured. bench/sums, bench/share and bench/peak likewise, on a small recipe.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# ---- Tables of made-up figures: no PyTorch ----
made=tests/e2e/bench_made.json
bench/tables.py $made >"$log" 2>&1
check "the table of ratios" grep -qxF '| one | 64 of 128 | 32150 | - | 100 (fp32 9.9) | 120 (fp32 DDP x 2 9.9) | 2.00 | 1.50 |' "$log"
check "says what was dropped, and what failed" test "$(grep -cE '120 \| dropped after round 1 \||- \| Error: no bf16 \|' "$log")" = 2
check "the table of sums" grep -qxF '| 4 | 2 ranks × 1 thread | 100 | 120 | 125 | +25.0 % | +4.2 % |' "$log"
check "the table of ranks" grep -qxF '| 4 | 2 ranks × 1 thread | 190 | 95 | 95 % | 20 | 0.25 |' "$log"
check "the table of shares" grep -qxF '| conv1 | jit | 1.00 | 50 % | 25 % | 2.00 | 25 % | 10 % | 2.00 |' "$log"
check "its sum" grep -q 'takes 3.0 ms in its layers, 1.0 ms' "$log"
printf '%s\n' before '<!-- speed sums -->' old '<!-- end -->' '<!-- speed other -->' kept '<!-- end -->' after >"$tmp/page.md"
bench/tables.py --write "$tmp/page.md" $made
check "a page is renewed where it says so" test \
    "$(grep -c '^| 4 |' "$tmp/page.md") $(grep -cx 'before\|kept\|after' "$tmp/page.md") $(grep -cx old "$tmp/page.md")" = "1 3 0"
echo '{}' >"$tmp/empty.json"
refuse "a file of something else is refused" bench/tables.py "$tmp/empty.json"

# ---- What lockstep itself tells ----
"$program" bench $recipes/tiny.yaml --steps 2 --threads 1 --json >"$log" 2>"$tmp/warnings"
check "bench --json: one object, with the same figures as the table" python3 -c '
import json, sys
found = json.load(open(sys.argv[1]))
assert found["recipe"] == "tiny" and found["steps"] == 2 and found["ranks"] == 1 and found["threads"] == 1
assert abs(found["images_per_s"] * found["step_s"] - found["batch"]) < 1e-6 * found["batch"]
names = [layer["name"] for layer in found["layers"]]
assert names[0] == "conv1" and "linear1" in names and all(layer["forward_s"] > 0 for layer in found["layers"])
assert [layer["name"] for layer in found["layers"] if layer["first"]] == ["conv1"]' "$log"

if [ -x "$BUILD/bench/peak" ]; then
    "$BUILD/bench/peak" --threads 1 --json >"$log" 2>&1
    check "peaks: of one core, between what is slow and what is impossible" python3 -c '
import json, sys
found = json.load(open(sys.argv[1]))
assert found["threads"] == 1 and 5 < found["fp32_gflops"] < 500 and 0.5 < found["memory_gbs"] < 500
assert found["bf16_gflops"] == 0 or 1.2 < found["bf16_gflops"] / found["fp32_gflops"] < 5' "$log"
    refuse "peak takes no other words" "$BUILD/bench/peak" --thread 1
    bench/share $recipes/tiny.yaml --steps 2 >"$log" 2>&1
    check "share: what a layer computes and moves, counted by hand" python3 tests/e2e/check_share
    check "share: a row a layer" grep -qE '^\| conv1 \| [^|]+ \| [0-9.]+ \| [0-9]+ % \|' "$log"
else
    skip "bench/peak and bench/share" "$BUILD/bench/peak is not built: make programs"
fi
python=/usr/bin/python3
if $python -c 'import yaml' 2>/dev/null; then
    bench/sums $recipes/tiny.yaml --lanes "1 3" --rounds 1 --steps 1 >"$log" 2>&1
    check "sums: a row for a lane" test "$(grep -cE '^\| 1 \| 1 rank' "$log")" = 1
    refuse "3 lanes do not divide the batch" grep -q '^| 3 |' "$log"
    bench/ranks $recipes/tiny.yaml --ranks "1 2 5" --lanes "1 3" --rounds 1 --steps 1 >"$log" 2>&1
    check "ranks: a row for the recipe, for as many ranks as it has lanes for, and for lanes" test \
        "$(sed -n 's/^| \([0-9]\) | \([0-9]\) rank.*/\1-\2/p' "$log" | tr '\n' ' ')" = "4-1 4-1 4-2 1-1 "
    check "ranks: memory and start in each" test "$(grep -cE '^\| [14] \|.*\| [1-9][0-9]* \| [0-9]+\.[0-9][0-9] \|$' "$log")" = 4
else
    skip "bench/sums, bench/ranks" "no python3-yaml"
fi

# ---- With PyTorch ----
if ! $python -c 'import torch, yaml' 2>/dev/null; then
    skip "the PyTorch side of bench/vs_pytorch" "python3-torch is missing"
    finish
fi
bench/vs_pytorch $recipes/tiny.yaml --python "$tmp" >"$log" 2>&1
check "--python: a folder without an interpreter is refused by name" grep -qF -- "vs_pytorch: --python $tmp: no interpreter" "$log"
$python tests/e2e/check_twin >"$tmp/twin" 2>"$log" || fail "check_twin ends well" "$(tail -n 5 "$log")"
cat "$tmp/twin"
failures=$((failures + $(grep -c '^not ok' "$tmp/twin")))

check "losers are dropped, but never the best of fp32 in one process; batches of whole lanes; ratios" $python tests/e2e/check_vs_pytorch

# order MORE: what a worker is told of the small recipe, with MORE parameters than it has.
order() {
    $python - "$1" <<'EOF'
import json, sys
sys.path[:0] = ["scripts"]
import description
config = "tests/recipes/tiny.yaml"
order = {"network": description.describe(config), "settings": description.settings(config), "precision": "fp32", "compiled": False,
         "batch": 32, "rank": 0, "ranks": 1, "threads": 1, "steps": 2}
order["network"]["parameters"] += int(sys.argv[1])
json.dump(order, sys.stdout)
EOF
}
order 1 | $python bench/twin.py --worker >"$log" 2>&1
check "another number of parameters than lockstep's is refused" grep -q 'parameters in PyTorch, .* in lockstep' "$log"
order 0 | $python bench/twin.py --worker >"$log" 2>&1
check "the same number is measured" grep -q images_per_s "$log"

bench/vs_pytorch $recipes/tiny.yaml --rounds 2 --steps 1 --python $python --json >"$tmp/tiny.json" 2>"$log"
check "vs_pytorch: its last line keeps its form" bash -c \
    "tail -n 1 $log | grep -qE '^tiny: [0-9.]+ x PyTorch fp32, [0-9.]+ x its best \((fp32|bf16)[^)]*\)\$'"
check "its object: every contender, a value a round, and the ratios that follow" $python tests/e2e/check_vs_pytorch "$tmp/tiny.json"
bench/tables.py "$tmp/tiny.json" >"$log" 2>&1
check "its table" grep -qE '^\| tiny \| 32 \| [0-9.]+ ' "$log"

# ---- All of it; sums and ranks of a batch that only one and two lanes divide. ----
sed -E 's/^batch-size: .*/batch-size: 2/; s/^lanes: .*/lanes: 2/' $recipes/tiny.yaml >"$tmp/two.yaml"
study() { PYTHONS=$python ROUNDS=1 STEPS=1 SUMS="$tmp/two.yaml" RANKS="$tmp/two.yaml" bench/study "$tmp/study" "$recipes/tiny.yaml" >"$log" 2>&1; }
if ! "$program" bench $recipes/tiny.yaml --precision bf16 --steps 1 --threads 1 >/dev/null 2>&1; then
    skip "a study of a recipe" "no AVX512-BF16"
    finish
fi
check "a study measures everything" study
bench/tables.py "$tmp"/study/*.json >"$tmp/page.md"
check "its tables: ratios, contenders, shares in both precisions, sums, ranks" test \
    "$(grep -cE '^\| recipe \| (images a step|of) \||^tiny in (fp32|bf16):|^\| lanes \|' "$tmp/page.md")" = 6
bench/tables.py "$tmp/study/sums.json" >"$log"
check "its sums: a row for each layout of the lanes that divide the batch" test \
    "$(grep -cE '^\| [12] \| [12] rank' "$log") $(grep -cE '^\| [0-9]+ \|' "$log")" = "$([ "$(nproc)" = 2 ] && echo 3 3 || echo 2 2)"
rm "$tmp/study/tiny.bf16.json"
check "what is there is not measured again" study
check "only what is missing" test "$(grep -c ': bench/' "$log") $(grep -c '^tiny.bf16: bench/share' "$log")" = "1 1"
rm "$tmp/study/sums.json"
refuse "what fails is told by the exit code" env SUMS=none PYTHONS=$python bench/study "$tmp/study" $recipes/tiny.yaml
finish
