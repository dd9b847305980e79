#!/bin/bash
# limit: 300
# Plans that are kept, on simulated libraries that count which plans are made and which are taken from earlier ones: a second
# start makes none, and has the same bits; what is damaged, or of something else, is passed over with a line and made anew.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
small_net "$tmp/net.yaml"
common=(--data "$tmp/data" --steps 2 --log-every 1 --checkpoint-every 1)
export XDG_CACHE_HOME=$tmp/cache SIMGPU_PLANS=1
cache=$tmp/cache/lockstep/plans

# gpu NAME RANKS WORD...: a run on the simulated libraries.
gpu() {
    local name=$1 ranks=$2
    shift 2
    LD_LIBRARY_PATH=$sim train "$name" "$ranks" "$tmp/net.yaml" --device cuda "${common[@]}" "$@"
}
counted() { sed -n 's/^SIMGPU\[.*\] plans: //p' "$log" | sort | paste -sd '/'; }
# planned NAME MADE TAKEN WHAT: the run was good, its one rank planned so, and result.json says so.
planned() {
    check "$4: $2 made, $3 taken" test "$code $(counted)" = "0 $2 made, $3 taken"
    check "result.json says so" test "$(result "$1" plans_made plans_taken | paste -sd ' ')" = "$2 $3"
}
passed_over() { check "a line says so" test "$(grep -cE "$1" "$log")" = "${2:-1}"; }

gpu first 1
check "a first start makes plans" test "$code" = 0
n=$(sed -n 's/^SIMGPU\[.*\] plans: \([0-9]*\) made, 0 taken$/\1/p' "$log")
check "more than a few" test "${n:-0}" -gt 5
planned first "$n" 0 "the first start"
check "each is in the user's cache" test "$(find "$cache" -name '*.plan' | wc -l)" = "$n"
check "for the user alone" test -z "$(find "$cache" -perm /077)"
check "all are in the run directory" test "$(grep -c '^lockstep plan 1: ' "$tmp/first/plans.txt")" = "$n"
check "planning is told from training" \
    awk -v p="$(result first plan_s)" -v t="$(result first train_s)" 'BEGIN { exit !(p > 0 && t > 0) }'
check "the log says what planning took" grep -qE "^planned in [0-9.]+ s: $n plans made, 0 taken from earlier starts$" "$log"

gpu second 1
planned second 0 "$n" "a second start"
same second first "with the same bits"
gpu ranks 2
check "nor do two ranks make any" test "$(counted)" = "0 made, $n taken/0 made, $n taken"
same ranks first "with the same bits on 2 ranks"
LD_LIBRARY_PATH=$sim "$program" eval "$(newest first)" --device cuda --data "$tmp/data" >"$log" 2>&1
code=$?
check "an evaluation takes those of its batches" test "$code $(counted | sed 's/,.*//')" = "0 0 made"

# The run directory's alone: a run that goes on where the user has no cache of his own.
gpu first 1 --steps 3
planned first 0 "$n" "a resume"
rm -r "$tmp/cache"
gpu first 1 --steps 4
planned first 0 "$n" "a resume without the cache"
check "and writes none where all are kept" test ! -e "$cache"
HOME='' XDG_CACHE_HOME='' gpu homeless 1
planned homeless "$n" 0 "a user without a home"
same homeless second "with the same bits"

# Of another card; of another precision below, where the cache is full.
gpu second 1 --steps 3
SIMGPU_SMS=7 gpu second 1 --steps 4
planned second "$n" 0 "another card"
passed_over "^plans: $n in the run directory are of another GPU, library or precision: passed over$"

# Damage, once the cache is full again. Each of these concerns one plan of the cache.
rm -r "$tmp/cache"
gpu again 1
one=$(find "$cache" -name '*.plan' | sort | head -n 1)
other=$(find "$cache" -name '*.plan' | sort | tail -n 1)
cp -r "$cache" "$tmp/good"
gpu third 1 --precision tf32
check "another precision takes none of fp32's" test "$code $(counted | sed 's/.*, //')" = "0 0 taken"
damaged() { # NAME WHY WHAT
    gpu "$1" 1
    planned "$1" 1 $((n - 1)) "$3"
    passed_over "^plans: $one is passed over: $2"
    same "$1" again "with the same bits"
    check "and it is whole again" cmp "$one" "$tmp/good/${one##*/}"
}
truncate -s -1 "$one"
damaged cut 'its end is missing' "a plan that was cut short"
printf 'X' | dd of="$one" bs=1 seek=300 conv=notrunc 2>/dev/null
damaged flipped 'its bytes are not those that were written' "a plan with another byte"
: >"$one"
damaged empty 'it does not begin as a plan does' "an empty file"
cp "$other" "$one"
damaged other 'it is of another GPU, library or graph' "a plan of another graph"
chmod g+w "$one"
damaged open 'others may write it' "a plan that others may write"
rm "$one" && mkdir "$one"
gpu folder 1
check "a folder in its place: planned, not kept" test "$code $(counted)" = "0 1 made, $((n - 1)) taken"
passed_over "^plans: $one is passed over: "
rmdir "$one"
SIMGPU_REFUSE_PLANS=1 gpu refused 1
planned refused "$n" 0 "plans that cuDNN does not take"
passed_over '^plans: what is kept of .* is passed over: cuDNN does not take it' $((n - 1))
same refused again "with the same bits"
rm -r "$tmp/cache"
printf 'nothing\n' >"$tmp/again/plans.txt"
gpu again 1 --steps 3
planned again "$n" 0 "a plans.txt that is none"
passed_over '^plans: those in the run directory are passed over from byte 0 on: it does not begin as a plan does$'
check "and it is whole again" test "$(grep -c '^lockstep plan 1: ' "$tmp/again/plans.txt")" = "$n"

# The cache has a limit, and what was used longest ago goes: not plans that a start has read, however old they are.
rm -r "$tmp/cache"
gpu fills 1
truncate -s 600M "$cache/old.plan"
: >"$cache/new-torn"
: >"$cache/other"
find "$cache" -name '*.plan' -exec touch -d '4 days ago' {} +
touch -d '3 days ago' "$cache/new-torn"
touch -d '2 days ago' "$cache/old.plan"
gpu reads 1
check "a start that writes nothing leaves the cache as it is" test "$code" = 0 -a -e "$cache/old.plan"
rm "$(find "$cache" -name '*.plan' ! -name old.plan | sort | head -n 1)"
gpu trims 1
planned trims 1 $((n - 1)) "a cache that is too large"
passed_over "^plans: 2 that were used longest ago are removed from $cache, which may hold 512 MiB$"
check "those that are in use stay, and what is nobody's plan" test "$(find "$cache" -name '*.plan' | wc -l)" = "$n" -a -e "$cache/other"
rm -r "$tmp/cache" && : >"$tmp/cache"
gpu nowhere 1
planned nowhere "$n" 0 "a cache that cannot be"
passed_over "^plans: none can be kept in $cache: Not a directory; XDG_CACHE_HOME names another place$"
rm "$tmp/cache"

# Chosen by timing: candidates are planned to be timed; the engines that were chosen are planned no second time.
gpu tuned 1 --autotune
made=$(counted | sed 's/ made.*//')
check "timing makes candidates' plans; those it chose are taken" test "$code $(counted)" = "0 $made made, $n taken"
check "more of them than graphs" test "$made" -gt "$n"
mkdir "$tmp/follows" && cp "$tmp/tuned/autotune.txt" "$tmp/follows"
gpu follows 1 --autotune
planned follows 0 "$n" "a run that follows the list"
same follows tuned "with the same bits"
gpu rule 1
planned rule "$n" 0 "the rule takes none that a timing chose"

# A compiler that is missing is no secret.
check "nothing is said of a compiler that is there" test "$(grep -c 'compile' "$log")" = 0
XDG_CACHE_HOME=$tmp/none SIMGPU_NO_COMPILER=1 gpu none 2
check "no compiled engine at all: it trains" test "$code" = 0
check "and a warning says what to do, once a host" \
    test "$(grep -cE 'cuDNN can compile no engine here, so that .* run on lockstep.s own kernels, which are slower: .*NVRTC' "$log")" = 1
finish
