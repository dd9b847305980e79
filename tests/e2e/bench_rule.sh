#!/bin/bash
# bench/fit_rule: what it says of made-up times, and that its copy of the rule is the program's; lockstep bench --convolutions.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

bench/fit_rule --from tests/e2e/bench_rule.json >"$log" 2>&1
check "a shape that goes the faster way is not marked" grep -qE '^ +64 +64 -> 128 +32 x 32 .* 0\.50  winograd$' "$log"
check "one that goes the slower way is, with what it costs" grep -qE '^ +8 +512 -> 512 +4 x 4 .* 0\.67  direct  LOSES 50 %$' "$log"
check "the rule's loss is the mean" grep -qE '^rule_winograd as it is: .*: 1 of 3 shapes by the slower way, 16\.67 % lost$' "$log"
check "constants are found that lose nothing" grep -qE '^rule_winograd fitted: .*: 0 of 3 shapes by the slower way, 0\.00 % lost$' "$log"

bench=(bench configs/quickstart.yaml --device cpu --batch-size 16 --lanes 2 --threads 1 --steps 1)
arithmetic() { awk '$1 ~ /^conv[34]$/ { print $6, $7 }' "$log" | sort -u | tr '\n' ' '; }
lockstep 0 "${bench[@]}" --convolutions direct
direct=$(arithmetic)
lockstep 0 "${bench[@]}" --convolutions winograd
winograd=$(arithmetic)
check "--convolutions is followed" test -n "$direct" -a "${direct/wino/}" = "$direct"
lockstep 0 "${bench[@]}" --convolutions either
one_error 2 "--convolutions: rule, direct or winograd, not 'either'" "another word is refused"
lockstep 0 "${bench[@]}" --device ref --convolutions direct
one_error 2 '--convolutions is of the CPU' "on another device it is refused"
if [ "$direct" = "$winograd" ]; then
    skip "shapes that go both ways" "oneDNN has no Winograd here"
    finish
fi
check "and by Winograd" grep -qE 'wino|F\(' <<<"$winograd"
check "its copy of the rule is the program's" bench/fit_rule quickstart --rounds 1 --steps 1
if "$program" bench $recipes/tiny.yaml --precision bf16 --steps 1 --threads 1 >/dev/null 2>&1; then
    check "in bf16 too" bench/fit_rule quickstart --precision bf16 --rounds 1 --steps 1
else
    skip "in bf16 too" "no AVX512-BF16"
fi
finish
