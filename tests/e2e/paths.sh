#!/bin/bash
# ~ and variables in paths, where no shell expands them: expanded by the program, refused by scripts, and never made as folders.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/home/data" 16 30 || { fail "small data" && finish; }
export HOME=$tmp/home
root=$PWD
# What a mistake makes is seen here. What is relative here is not what the tests have.
mkdir "$tmp/here" && cd "$tmp/here" || exit 1
[[ $program = /* ]] || program=$root/$program
tiny=$root/$recipes/tiny.yaml
nothing_here() { check "$1: nothing is made here" test -z "$(ls -A)"; }

# shellcheck disable=SC2016,SC2088 # of no shell
{
    sed '/^\(data\|out\):/d' "$tiny" >"$tmp/tilde.yaml"
    printf '%s\n' 'data: ~/data' 'out: $HOME/runs/file' >>"$tmp/tilde.yaml"
    lockstep 2 train "$tmp/tilde.yaml" --threads 1 --steps 2 --report
    check "a file's paths" test "$code" = 0 -a -f "$HOME/runs/file/result.json"
    export LOCKSTEP_OUT='${HOME}/runs/variable'
    lockstep 0 train "$tmp/tilde.yaml" --threads 1 --steps 2 --checkpoint-every 1 --checkpoint-local='~/local' --resume=none
    unset LOCKSTEP_OUT
    check "the environment's, and a folder for checkpoints" test "$code" = 0 -a -f "$HOME/runs/variable/result.json" -a -d "$HOME/local"
    CIFAR10_DIR='~/data' lockstep 0 train "$tiny" --threads 1 --steps 2 --out='~/runs/flag' \
        --resume='~/runs/file/checkpoints/step-00000002.h5' --steps 3
    check "a flag's, and CIFAR10_DIR" test "$code" = 0 -a -f "$HOME/runs/flag/result.json"
    CIFAR10_DIR='~nobody/data' lockstep 2 train "$tiny" --threads 1 --out "$HOME/runs/none"
    one_error 2 "CIFAR10_DIR: '~nobody/data': only ~/ is understood; write the path out" "of somebody else"
    lockstep 2 train "$tiny" --out='$NOT_SET/x'
    one_error 2 "out: '.NOT_SET/x': the environment has no NOT_SET; set it, or write the path out" "a variable that is not set"
    lockstep 0 eval "$HOME/runs/file" --data '~/data' --threads 1
    check "eval --data" test "$code" = 0
    long=$HOME # of more than 3,900 bytes
    while [ ${#long} -lt 3900 ]; do long+=/$(printf "%0$((3950 - ${#long} < 200 ? 3950 - ${#long} : 200))d" 0); done
    mkdir -p "$long" && cp -r "$HOME/runs/file/." "$long" && rm "$long/best.h5"
    lockstep 0 eval "$long" --data '~/data' --threads 1
    check "eval of a run at a long path: its best, without a link" test "$code" = 0
    lockstep 0 report "$HOME/runs/file" --out '~/page'
    check "report --out" test "$code" = 0 -a -f "$HOME/page/report.html"
    printf 'a,b\n1,2\n2,3\n' >"$HOME/table.csv"
    lockstep 0 plot "$HOME/table.csv" --x a --y b --out '$HOME/plot.svg'
    check "plot --out" test "$code" = 0 -a -f "$HOME/plot.svg"
    nothing_here "the program"

    cd "$root" || exit 1
    for words in "get-cifar10.sh ~/x" "sweep.sh $tiny --grid seed=1 --out ~/x"; do
        read -ra command <<<"scripts/$words"
        timeout "$run_limit" "${command[@]}" >"$log" 2>&1
        check "scripts/$words" test "$? $(grep -c "'~/x': ~ and variables are for a shell" "$log")" = "2 1"
    done
    STUDY='$HOME/x' timeout "$run_limit" scripts/checkpoint-study.sh "$tiny" >"$log" 2>&1
    check "STUDY" test "$? $(grep -c "'.HOME/x': ~ and variables are for a shell" "$log")" = "2 1"
}
check "scripts: nothing is made" test ! -e '~' -a ! -e "\$HOME"
finish
