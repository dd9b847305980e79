#!/bin/bash
# --trace: a file of the Trace Event Format that holds what every rank and thread did in the steps asked for, and nothing of
# others; the bits are those of a run without it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
small=$recipes/small.yaml

train plain 2 $small --steps 20
train traced 2 $small --steps 20 --bucket-bytes 4096 --threads 2 --checkpoint-every 1 --trace 4:10
same traced plain "a traced run has the same bits"
check "the log says where the trace is" grep -q "trace: $tmp/traced/trace.json" "$log"
check "the events of two ranks, of each thread, layer and bucket, in steps 10 to 13" /usr/bin/python3 - "$tmp/traced/trace.json" \
    <("$program" train $small --describe --json) <<'PY'
import collections, json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
network = json.load(open(sys.argv[2]))
names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
assert {e["args"]["name"].split(" on ")[0] for e in events if e["name"] == "process_name"} == {"rank 0", "rank 1"}
for rank in (0, 1):
    rows = {name for (pid, _), name in names.items() if pid == rank}
    assert {"main", "compute 0", "compute 1", "reducer", "loader"} <= rows, rows
    assert ("writer" in rows) == (rank == 0), "rank 0 alone writes checkpoints"
spans = [e for e in events if e["ph"] == "X"]
row = lambda e: names[e["pid"], e["tid"]].split()[0]
# What is done for a step ahead of it, or behind it, is told by when it was; all else by its step.
steps = {e["args"]["step"] for e in spans if row(e) in ("main", "compute", "reducer") and e["cat"] != "checkpoint"}
assert steps == {10, 11, 12, 13}, steps
# Times are told from a barrier: a rank's first step begins right behind it, and its span has none of the wait there.
for rank in (0, 1):
    first = min((e["ts"], e["name"]) for e in spans if e["pid"] == rank and row(e) == "main")
    assert 0 <= first[0] < 10e6 and first[1] == "step", first
lanes = collections.Counter((e["args"]["step"], e["args"]["lane"]) for e in spans if e["cat"] == "lane")
assert len(lanes) == 4 * 8 and set(lanes.values()) == {1}, lanes
fused = {"relu", "add"}  # may be part of the layer before
layers = {l["name"] for l in network["layers"] if l["kind"] not in fused}
for direction in ("forward", "backward"):
    told = collections.Counter(e["name"] for e in spans if e["cat"] == direction)
    assert layers <= set(told) and all(told[name] == 4 * 8 for name in layers), (direction, told)
# Spans of a row lie within or beside each other.
by_row = collections.defaultdict(list)
for e in spans:
    by_row[e["pid"], e["tid"]].append((e["ts"], e["ts"] + e["dur"], e["name"]))
for key, all_of in by_row.items():
    open_until = []
    for begin, end, name in sorted(all_of, key=lambda s: (s[0], -s[1])):
        while open_until and open_until[-1] <= begin + 1e-3:
            open_until.pop()
        assert not open_until or end <= open_until[-1] + 1e-3, (names[key], name)
        open_until.append(end)
# Each bucket of each step is summed once a rank, and an arrow leads there from where it was completed.
sums = collections.Counter((e["pid"], e["args"]["step"], e["name"]) for e in spans if e["name"].startswith("bucket") and row(e) == "reducer")
buckets = {name for _, _, name in sums}
assert len(buckets) > 2 and len(sums) == 2 * 4 * len(buckets) and set(sums.values()) == {1}, sums
begins = {e["id"]: e for e in events if e["ph"] == "s"}
ends = {e["id"]: e for e in events if e["ph"] == "f"}
assert set(begins) == set(ends) and len(ends) == len(sums), (len(begins), len(ends), len(sums))
assert all(begins[i]["ts"] <= ends[i]["ts"] for i in ends)
compares = collections.Counter((e["pid"], e["args"]["step"]) for e in spans if e["name"] == "compare")
# Once a checkpoint; after step 12 an epoch ends: before its evaluation, and with what that has brought.
assert compares == {(rank, step): 2 if step == 12 else 1 for rank in (0, 1) for step in (11, 12, 13, 14)}, compares
assert any(e["name"] == "write checkpoint" for e in spans) and any(e["name"] == "snapshot" for e in spans)
PY

# Step 4 is the first behind the traced ones: the file is written before it begins, however long that takes.
if preload file_ops; then
    LD_PRELOAD=$tmp/file_ops.so FILE_OPS_UNDER=$tmp/slow FILE_OPS_AT=fsync:trace.json FILE_OPS_DO=hang FILE_OPS_GO=$tmp/go FILE_OPS_LOG=$tmp/ops \
        start slow 0 $small --steps 6 --log-every 1 --trace 2:2
    until_true 60 grep -qs '"step":4,' "$tmp/slow/metrics.jsonl"
    sleep 4
    touch "$tmp/go"
    wait_for slow
    check "the writing of the file is no part of a step's time" /usr/bin/python3 - "$tmp/slow/metrics.jsonl" "$tmp/slow/trace.json" <<'PY'
import json, sys
seconds = {m["step"]: 64 / m["rates"]["images_per_s"] for m in map(json.loads, open(sys.argv[1])) if m["kind"] == "train"}
assert sorted(seconds) == [1, 2, 3, 4, 5, 6] and seconds[5] < 3, seconds
assert json.load(open(sys.argv[2]))["traceEvents"]
PY
fi

train short 1 $small --steps 8 --trace 100:6
check "steps that the run does not reach are left out" test "$code" = 0 -a "$(grep -c '"name":"step"' "$tmp/short/trace.json")" = 2
train short 1 $small --steps 9 --trace 2:4
check "steps behind which the run is are warned of" grep -q "none of the steps asked for is left" "$log"
train warm 1 $small --steps 8 --trace 2
check "without a first step the sixth is the first" grep -q '"step":5' "$tmp/warm/trace.json"
check "nothing is told of steps before it" test "$(grep -c '"name":"step".*"step":4' "$tmp/warm/trace.json")" = 0
check "without --trace there is no file" test ! -e "$tmp/plain/trace.json"
train bad 1 $small --trace 0
one_error 2 "trace" "no steps: refused"
train bad 1 $small --trace 3:x
one_error 2 "trace" "a first step that is no number: refused"

finish
