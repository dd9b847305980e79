#!/bin/bash
# limit: 420
# Engines chosen by timing, on simulated libraries whose engines differ in their bits: one list for all ranks, for every
# resume, and in use. SIMGPU_SLOW_ENGINE=2 slows down the engine that the rule takes.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
net=tests/simgpu/every-op.yaml
common=(--data "$tmp/data" --steps 3 --log-every 1 --checkpoint-every 1)

# gpu NAME RANKS SLOW WORD...: a run where engine SLOW is slow.
gpu() {
    local name=$1 ranks=$2
    export SIMGPU_SLOW_ENGINE=$3 LD_LIBRARY_PATH=$sim
    shift 3
    train "$name" "$ranks" $net --device cuda "${common[@]}" "$@"
    unset SIMGPU_SLOW_ENGINE LD_LIBRARY_PATH
}
timed() { grep -q 'autotune: timed' "$log"; }
other() { [ "$code" = 0 ] && [ "$(bits "$1")" != "$(bits "$2")" ]; }
# begin NAME SED: the run directory of a run to come, with the list of `tuned`, edited.
begin() { mkdir -p "$tmp/$1" && sed "$2" "$tmp/tuned/autotune.txt" >"$tmp/$1/autotune.txt"; }
list_of() { "$program" inspect "$(newest "$1")" | sed -n '/^autotune$/,/^[a-z]*$/ s/^  //p'; }
engines() { sed -n 's/.*: \(eng.*\)/\1/p' "$1" | sort -u | paste -sd ' '; }

gpu rule 1 2
check "a run by the rule" test "$code" = 0
check "leaves no list" test ! -e "$tmp/rule/autotune.txt"
gpu tuned 1 2 --autotune
check "a run with --autotune" test "$code" = 0
check "times" timed
cp "$tmp/tuned/autotune.txt" "$tmp/list"
check "takes the fast engine, by its knob, never one that is forbidden or cannot run" \
    test "$(grep '^conv' "$tmp/list" | sed 's/.*: //' | sort -u)" = "eng3 k2=0"
check "its bits are those of the other engine" other tuned rule
list_of tuned >"$tmp/inside"
check "inspect shows the list in its checkpoint" diff "$tmp/list" "$tmp/inside"
gpu no-gain 1 4 --autotune
same no-gain rule "the rule's engine stays where none is faster"

gpu ranks 2 2 --autotune
same ranks tuned "the same bits on 2 ranks"
check "and the same list" diff "$tmp/list" "$tmp/ranks/autotune.txt"

# From here on a timing would choose otherwise: engine 3 is the slow one.
gpu killed 1 2 --autotune --crash-at 2:0:kill
check "a run is killed" test "$code" = 137
sed -i 's/eng3 k2=0/eng2/' "$tmp/killed/autotune.txt"
gpu killed 2 3
same killed tuned "resumed on 2 ranks, with the checkpoint's list"
refuse "which times nothing" timed
check "and puts the list back in its place" diff "$tmp/list" "$tmp/killed/autotune.txt"
gpu early 1 2 --autotune --crash-at 0:0:kill
gpu early 1 3 --autotune
same early tuned "one that was killed before its first checkpoint goes on with its list"
gpu early 1 3 --autotune --reset
check "--reset times again" timed
cp -r "$tmp/rule" "$tmp/longer"
gpu longer 1 3 --autotune --steps 4
check "a run that began by the rule goes on by it" grep -q 'began by the rule and goes on by it' "$log"

begin stale ''
gpu stale 1 2
same stale rule "without --autotune a list that lies there is not followed"
check "and does not stay" test ! -e "$tmp/stale/autotune.txt"

begin edited 's/eng3 k2=0/eng2/'
gpu edited 1 2 --autotune
same edited rule "a list that names the rule's engines gives the rule's bits"
begin knob '/^conv/ s/k2=0/k2=1/'
gpu knob 1 2 --autotune
check "one with another knob gives other bits than either" other knob tuned
check "than either" other knob rule
graphs=$(($(wc -l <"$tmp/list") - 1)) # without the first line
product=$(grep -n -m 1 '^product+bias 32' "$tmp/list" | cut -d : -f 1)
begin short "1 s/ [0-9]* cuDNN/ $((graphs - 1)) cuDNN/; $product d"
gpu short 1 2 --autotune
check "what a list does not name goes by the rule" test "$code" = 0
check "and the run says so" grep -q 'say nothing of 1 graphs: the rule decides' "$log"
check "and puts it on the list" \
    test "$(tail -n 1 "$tmp/short/autotune.txt")" = "$(sed -n "$product s/: eng.*/: eng2/p" "$tmp/list")"

gpu tuned 1 2 --precision tf32 --steps 4
check "in another precision the list is not followed" grep -q 'on another GPU, cuDNN or precision: the rule decides' "$log"
check "but kept" diff "$tmp/list" "$tmp/tuned/autotune.txt"
train tuned 0 $net --device cpu "${common[@]}" --steps 5
list_of tuned >"$tmp/inside"
check "the CPU hands it on" diff "$tmp/list" "$tmp/inside"

# One line, exit code 4, on 2 ranks too.
damaged() { # NAME SED PATTERN WHAT
    begin "$1" "$2"
    gpu "$1" 2 2 --autotune
    one_error 4 "$3" "$4"
}
damaged cut '$ d' "autotune.txt: damaged: .* names $((graphs - 1)) graphs, its first line says $graphs; start over with --reset" "a list that lost a line"
damaged head '1 s/autotune 1/autotune 9/' 'damaged: the list of engines does not begin with' "a list of another version"
damaged line '3 s/eng3.*/fast/' 'damaged: line 3 of the list' "a line that names no engine"
damaged twice '4 d; 5 p' 'damaged: line 5 of the list .* second time' "a graph that stands there twice"
damaged none '3 s/eng3 k2=0/eng7/' 'names .eng7. for .conv' "an engine that cuDNN does not offer"
damaged rounds '/^conv/ s/eng3 k2=0/eng0/' 'names .eng0. for .conv.* --precision or --reduction forbids' "an engine that rounds, in fp32"
damaged wavers '/^conv/ s/eng3 k2=0/eng1/' 'names .eng1. for .conv.* --precision or --reduction forbids' "an engine that is not reproducible, in an exact run"
train cpu 2 $net --device cpu "${common[@]}" --autotune
one_error 2 '--autotune: only a GPU has engines to choose from; use --device cuda, or leave it out' "--autotune on the CPU"
finish
