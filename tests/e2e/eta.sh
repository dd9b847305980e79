#!/bin/bash
# waits: what it checks is a matter of seconds
# The time left that a line of progress states: of the steps that this process has done, times those that are left; also
# after a resume. From without: no step has taken longer than the whole process so far, and none was faster than the rates
# of metrics.jsonl say.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 400 30 || { fail "small data" && finish; }
cat >"$tmp/watch.py" <<'PY'
"""watch RUN LAST COMMAND...: starts it, checks the ETA of each line of progress, asks it to stop after step LAST."""
import json, re, signal, subprocess, sys, time

run, last, *command = sys.argv[1:]
units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
begin = time.monotonic()
process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
seen = []  # (step, steps in all, stated ETA, the most that the process has spent)
for line in process.stdout:
    now = time.monotonic()
    found = re.search(r"step (\d+)/(\d+) .* ETA (?:(\d+)([dhm]))?(\d+)([hms])$", line)
    if not found:
        continue
    step, end, much, unit, more, its_unit = found.groups()
    eta = int(much or 0) * units.get(unit, 0) + int(more) * units[its_unit]
    seen.append((int(step), int(end), eta, units[its_unit], now - begin))
    if int(step) == int(last):
        process.send_signal(signal.SIGTERM)
process.wait()
assert process.returncode == 75, f"exit code {process.returncode}"
rates = {}
with open(f"{run}/metrics.jsonl") as file:
    for line in map(json.loads, file):
        if line["kind"] == "train":
            rates[line["step"]] = line["images"] / line["rates"]["images_per_s"]
first, compared, widest = seen[0][0], 0, 0
for step, end, eta, unit, spent in seen:
    done = step - first + 1
    least = sum(rates[s] for s in range(first, step + 1)) * (end - step) / done
    most = spent * (end - step) / done
    assert least * 0.999 - 0.51 * unit <= eta <= most * 1.001 + 0.51 * unit, \
        f"step {step} of {end}, {done} done: ETA {eta} s is not within {least:.2f} to {most:.2f} s"
    compared += done > 10
print(f"{compared} lines; the last: {least:.1f} s <= {eta} s <= {most:.1f} s after {spent:.1f} s of step {step}/{end}")
assert compared > 20 and least * 2 > most, "the process began too slowly for this to show anything"
PY
# eta WHAT STEP: goes on to that step.
eta() {
    if /usr/bin/python3 "$tmp/watch.py" "$tmp/run" "$2" "$program" train configs/quickstart.yaml --data "$tmp/data" --out "$tmp/run" \
        --threads 1 --log-every 1 --batch-size 64 --epochs 9 --steps 120 --eval.every 100 --progress lines >"$tmp/said" 2>&1; then
        pass "$1: $(tail -n 1 "$tmp/said")"
    else
        fail "$1" "$(tail -n 5 "$tmp/said")"
    fi
}
eta "ETA" 60
eta "ETA after a resume" 100
finish
