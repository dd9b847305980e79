#!/bin/bash
# limit: 300
# scripts/scaling-study.sh: points, medians and efficiency add up; wrong options are refused. Speed is not looked at.
# shellcheck disable=SC2016 # awk programs
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

study() { scripts/scaling-study.sh "$@" >"$log" 2>&1; }
column() { awk -F, -v c="$2" 'NR > 1 { print $c }' "$1" | tr '\n' ' '; }

small_data "$tmp/data" 64 50 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
study --ranks "1 2" --repeats 2 --steps 1 --out "$tmp/study" $recipes/tiny.yaml --data "$tmp/data" --threads 1
code=$?
check "a study of 1 and 2 ranks runs" test $code = 0
table=$tmp/study/scaling.csv
check "strong, then weak points" test "$(column "$table" 1)$(column "$table" 3)" = "strong strong weak weak 1 2 1 2 "
check "strong keeps lanes and batch, weak has a lane a rank" test "$(column "$table" 4)$(column "$table" 5)" = "4 4 1 2 32 32 8 16 "
check "each point ran twice" test "$(column "$tmp/study/runs.csv" 6)" = "1 1 1 1 2 2 2 2 "
check "medians of images/s" awk -F, '
    FNR == 1 { next }
    NR == FNR { sum[$1 $3] += $9 / 2; next }
    { d = sum[$1 $3] - $8; if (d < -0.1 || d > 0.1) exit 1 }' "$tmp/study/runs.csv" "$table"
check "efficiency is of a rank against the first point" awk -F, '
    NR == 1 { next }
    !($1 in first) { first[$1] = $8 / $3; if ($9 != 1) exit 1 }
    { d = $8 / $3 / first[$1] - $9; if (d < -0.002 || d > 0.002) exit 1 }' "$table"
if /usr/bin/python3 -c 'import matplotlib' 2>/dev/null; then
    check "a plot" grep -q '<svg' "$tmp/study/scaling.svg"
else
    skip "a plot" "python3-matplotlib is missing"
fi

# wrong NAME PATTERN WORD...
wrong() {
    local name=$1 pattern=$2
    shift 2
    study "$@"
    code=$?
    check "$name is refused" bash -c "[ $code = 2 ] && grep -qE -- \"$pattern\" '$log'"
}
wrong "an unknown option" "unknown option '--rank'" --rank 1 $recipes/tiny.yaml
wrong "an option without its value" "--ranks needs a value" --ranks
wrong "a count that is none" "not 'two'" --ranks two $recipes/tiny.yaml
wrong "srun without nodes" "srun needs --nodes" --launcher srun $recipes/tiny.yaml
wrong "more ranks than lanes" "add --lanes 8" --ranks 8 --kinds strong $recipes/tiny.yaml
wrong "a recipe that does not load" "bach-size" --ranks 1 $recipes/tiny.yaml --bach-size 4
finish
