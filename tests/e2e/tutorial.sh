#!/bin/bash
# limit: 600
# waits: the page of a run must be made in two seconds
# Every command of docs/tutorial.md, in a clean copy and in its order, on few images and cut short: runs that do not say --steps end
# with step 8 (LOCKSTEP_STEPS, which a flag goes before), and of two nodes there is this one.
# shellcheck source=tests/docs.sh
. "$(dirname "$0")/../docs.sh"

small_data "$tmp/data" 320 100 || { fail "small data" && finish; }
clean_copy
# What the tutorial leaves in a clone, git passes over.
git -C "$copy" init -q && git -C "$copy" add -A || { fail "git takes the copy" && finish; }
export CIFAR10_DIR=$tmp/data LOCKSTEP_STEPS=8 LOCKSTEP_REPORT=false LOCKSTEP_THREADS=1

special() {
    case $1 in
        *HOSTFILE=nodes.txt*) # n1 and n2, as the command before this one wrote them
            check "two nodes are in nodes.txt" diff "$copy/nodes.txt" <(printf 'n1 slots=2\nn2 slots=2\n')
            echo "localhost slots=4" >"$copy/local.txt"
            run_command "${2%%:*}" "${1/nodes.txt/local.txt}" 0
            ;;
        *--schedule.total-epochs*) # goes on from step 8
            settings=(LOCKSTEP_STEPS=12)
            return 1
            ;;
        *cat.png)
            cp docs/images/report.png "$copy/cat.png"
            anywhere "$@"
            ;;
        *) anywhere "$@" ;;
    esac
}
run_document docs/tutorial.md 33

check "runs/first went on, on other ranks" \
    test "$(tests/read_json get "$copy/runs/first/result.json" resumed_from step ranks | xargs)" = "8 12 3"
hash() { (cd "$copy" && build/lockstep runs --csv --columns run,state_hash | sed -n "s/^$1,//p"); }
check "runs/crash and runs/whole have the same bits" test -n "$(hash crash)" -a "$(hash crash)" = "$(hash whole)"
for page in compared all; do
    if draws; then
        check "runs/$page/report.html" test -s "$copy/runs/$page/report.html"
    else
        skip "runs/$page/report.html" "lockstep was built without cairo"
    fi
done
litter=$(git -C "$copy" ls-files --others --modified --exclude-standard | grep -vxE 'cat\.png|local\.txt') # these two are this test's
check "nothing that it leaves is litter to git" test -z "$litter"
check "the sweep's runs" test "$(cd "$copy" && build/lockstep runs runs/sweep-mine --csv --columns status | grep -c finished)" = 4
finish
