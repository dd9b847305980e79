#!/bin/bash
# lockstep plot: figures of tables. Points and bars stand where the table says; what is no table, no column or no number is
# one line that says where.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

plot() {
    "$program" plot "$@" >"$log" 2>&1
    code=$?
}
cat >"$tmp/table.csv" <<'CSV'
name,batch,seconds,deviation,note
1 core,50,600.5,12.25,"a, ""b"""
1 core,250,560,,two
"2 cores",50,310,5,"three
lines"
2 cores,250,,3,
2 cores,500,200,4,x
CSV
columns=(--x batch --y seconds --spread deviation --by name)
plot "$tmp/table.csv" "${columns[@]}" --title "Time & more" --y-label s --from-zero --out "$tmp/figure.svg"
check "a figure as SVG" test $code = 0
# Where a point stands follows from the numbers along the axes, which are text.
check "points, bars, legend and gaps are the table's" /usr/bin/python3 - "$tmp/figure.svg" <<'PY'
import re, sys
import xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
space = "{http://www.w3.org/2000/svg}"
texts = {t.text: (float(t.get("x")), float(t.get("y"))) for t in root.iter(space + "text")}
for word in ("Time & more", "1 core", "2 cores", "batch", "s"):
    assert word in texts, (word, texts)
def scale(values, axis, shift):
    (a, b) = values
    at = [texts[v][axis] + shift for v in values]
    return lambda v: at[0] + (v - float(a)) / (float(b) - float(a)) * (at[1] - at[0])
# (No number here stands along both axes.)
x, y = scale(("100", "500"), 0, 0), scale(("600", "800"), 1, -4)
lines = {0: [], 1: []}
for line in root.iter(space + "polyline"):
    colour = re.search(r"stroke:var\(--s(\d)\)", line.get("style"))
    points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
    if colour and "stroke-width:2.50" not in line.get("style"):  # that is the legend's
        lines[int(colour.group(1))].append(points)
def near(points, want, aside):
    return len(points) == len(want) and all(
        abs(p[0] - x(w[0]) - aside) < 0.05 and abs(p[1] - y(w[1])) < 0.05 for p, w in zip(points, want))
first, second = lines[0], lines[1]
assert any(near(p, [(50, 600.5), (250, 560)], -2.5) for p in first), first
bars = [[p[2:4] for p in part if len(p) == 6] for part in (first, second)]
assert len(bars[0]) == 1 and near(bars[0][0], [(50, 588.25), (50, 612.75)], -2.5), bars
assert len(bars[1]) == 2 and near(bars[1][1], [(500, 196), (500, 204)], 2.5), bars
assert not any(len(p) == 2 and p[0] != p[1] for p in second), second  # no line over the gap
PY
plot "$tmp/table.csv" --x batch --y seconds --factor 100 --out "$tmp/percent.svg"
check "--factor" grep -q '>60,000</text>' "$tmp/percent.svg"
plot "$tmp/table.csv" "${columns[@]}" --x-log --out "$tmp/figure.png"
if "$program" report "$tmp/nowhere" 2>&1 | grep -q libcairo2-dev; then
    one_error 5 'libcairo2-dev' "without cairo: what to install"
else
    check "a figure as PNG" tests/e2e/check_report png "$tmp/figure.png" 1120 720
fi
check "nothing else is left" test "$(find "$tmp" -name '.*.[0-9]*' | wc -l)" = 0

# wrong NAME CODE PATTERN WORD...
wrong() {
    local name=$1 want=$2 pattern=$3
    shift 3
    plot "$@"
    one_error "$want" "$pattern" "$name"
}
wrong "no table" 2 'nowhere.csv: cannot be opened' "$tmp/nowhere.csv" "${columns[@]}" --out "$tmp/a.svg"
wrong "a column that is not there" 2 "no column is called 'second'; did you mean 'seconds'" "$tmp/table.csv" --x batch --y second --out "$tmp/a.svg"
wrong "a word among numbers" 2 "row 2, column name: '1 core' is no number" "$tmp/table.csv" --x batch --y name --out "$tmp/a.svg"
printf 'a,b\n1,2\n3\n' >"$tmp/short.csv"
wrong "a row that is too short" 2 'row 3 has not the 2 fields' "$tmp/short.csv" --x a --y b --out "$tmp/a.svg"
printf 'a,b\n1,2,3\n' >"$tmp/long.csv"
wrong "a row that is too long" 2 'row 2 has not the 2 fields' "$tmp/long.csv" --x a --y b --out "$tmp/a.svg"
printf 'a,b\n1,"2\n' >"$tmp/quote.csv"
wrong "a quote that is not closed" 2 'row 2 has a quote' "$tmp/quote.csv" --x a --y b --out "$tmp/a.svg"
: >"$tmp/empty.csv"
wrong "an empty file" 2 'is empty' "$tmp/empty.csv" --x a --y b --out "$tmp/a.svg"
wrong "another kind of file" 2 'a figure is a file .png or .svg' "$tmp/table.csv" "${columns[@]}" --out "$tmp/a.pdf"
wrong "a folder that is not there" 4 'cannot be made' "$tmp/table.csv" "${columns[@]}" --out "$tmp/none/a.svg"
wrong "no --out" 2 'needs a table, --x, --y and --out' "$tmp/table.csv" "${columns[@]}"
wrong "an unknown option" 2 'unknown option --title-of' "$tmp/table.csv" --title-of x
wrong "a factor that is none" 2 "takes a number, not 'many'" "$tmp/table.csv" "${columns[@]}" --factor many --out "$tmp/a.svg"
awk 'BEGIN { print "x,y,by"; for (i = 0; i < 40; i++) print i "," i "," i }' >"$tmp/many.csv"
wrong "more lines than a legend has room for" 2 'more than 32 values' "$tmp/many.csv" --x x --y y --by by --out "$tmp/a.svg"
plot --help
check "--help" grep -q -- '--spread COLUMN' "$log"
finish
