#!/bin/bash
# bench/results.py: what finished runs reached, as tables in a page.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 40 40
config=$recipes/tiny.yaml
run() { train "$1" 0 "$config" --data "$tmp/data" --threads 1 --steps 8 --checkpoint-every 4 "${@:2}"; }
run one
run two --seed 2
run warm --seed 2 --optimizer.lr 0.1 --crash-at 6
run warm --seed 2 --optimizer.lr 0.1
printf '%s\n' '# Page' '<!-- result tiny -->' 'old' '<!-- end -->' '<!-- result other -->' 'stays' '<!-- end -->' >"$tmp/page.md"
bench/results.py --write "$tmp/page.md" "$tmp/one" "$tmp/two" "$tmp/warm" >"$log" 2>&1
check "a page is written" test $? = 0
cat "$tmp/page.md" >>"$log"

percent() { awk -v share="$1" 'BEGIN { printf "%.2f %%", 100 * share }'; }
accuracy() { result "$1" test_accuracy; }
mean=$(awk -v a="$(accuracy one)" -v b="$(accuracy two)" \
    'BEGIN { d = (a - b) / sqrt(2); printf "Mean of 2 seeds: **%.2f %%**, standard deviation %.2f.", 50 * (a + b), 100 * (d < 0 ? -d : d) }')
row() { grep -cF "| $1 | $(percent "$(accuracy "$2")") |" "$log"; }
check "a line a run, with its options and accuracy" test "$(row 'seed 1 steps 8 checkpoint-every 4' one) $(row 'seed 2 steps 8 checkpoint-every 4' two)" = "1 1"
check "and its hash" grep -qF "| \`$(result one state_hash)\` |" "$log"
check "a run that crashed and went on is of two parts" grep -qE "\| 2 \| [0-9-]{10} \| .$(result warm state_hash). \|" "$log"
check "the mean is of those that differ by their seed alone" test "$(grep -c '^Mean of' "$log") $(grep -cF "$mean" "$log")" = "1 1"
check "what was between the marks is gone" test "$(grep -c '^old$' "$log")" = 0
check "other recipes stay" grep -q '^stays$' "$log"

read -ra again < <(grep -F 'build/lockstep train' "$log" | head -n 1)
lockstep 0 "${again[@]:1}" --data "$tmp/data" --out "$tmp/again"
check "the command that it names makes the same bits" test "$(bits again)" = "$(bits one)"

sed -i 's/"finished"/"stopped"/' "$tmp/two/result.json"
bench/results.py "$tmp/two" >"$log" 2>&1
code=$?
check "a run that has not finished is refused by name" test $code = 1 -a "$(grep -c "^$tmp/two: .*stopped" "$log")" = 1
bench/results.py "$tmp/data" >"$log" 2>&1
code=$?
check "and so is what is no run" test $code = 1 -a "$(grep -c "^$tmp/data: not the directory of a finished run" "$log")" = 1
finish
