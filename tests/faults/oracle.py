"""What must hold after faults: no good checkpoint is condemned, and the run is the undisturbed one but for may_differ.py."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile

import may_differ


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def load(path):
    with open(path) as file:
        return json.load(file)


def without(entry, names):
    return {key: value for key, value in entry.items() if key not in names}


def finished(run, steps):
    try:
        result = load(os.path.join(run, "result.json"))
    except (OSError, ValueError):
        return False
    return result["status"] == "finished" and result["step"] == steps


class State:
    """What the faults so far have taken from the run."""

    def __init__(self):
        self.bad, self.lost = set(), set()

    def met(self, kind, bad=()):
        """`bad`: names of checkpoints that it damaged."""
        self.bad.update(bad)
        self.lost.update(kind.loses)

    def files(self, program, run):
        """What is wrong with the checkpoints of a run that stands still."""
        found = []
        for path in glob.glob(glob.escape(run) + "/checkpoints/*.h5.bad*"):
            name = re.sub(r"\.bad.*", "", os.path.basename(path))
            if name not in self.bad:
                found.append(f"{name} is condemned, and was not damaged")
        if not os.path.isdir(os.path.join(run, "checkpoints")):
            return found
        listed = subprocess.run([program, "checkpoint", "list", run], capture_output=True, text=True, timeout=60)
        if listed.returncode != 0:
            return found + [f"checkpoint list: {listed.stderr}"]
        for line in listed.stdout.splitlines():
            name = line.split()[0]
            if re.fullmatch(r"step-\d{8}\.h5", name) and line.split()[-1] == "bad" and name not in self.bad:
                found.append(f"{name} is damaged: {line}")
        return found


def differing(mine, theirs):
    keys = sorted(set(mine) | set(theirs))
    return ", ".join(f"{key} {mine.get(key)!r}, undisturbed {theirs.get(key)!r}" for key in keys if mine.get(key) != theirs.get(key))


def metrics(run, reference, lost):
    """Line by line; without train lines that could be lost, the others are all there, in their order."""
    mine, theirs = ([without(entry, may_differ.METRICS) for entry in lines(os.path.join(r, "metrics.jsonl"))] for r in (run, reference))
    for entries in (mine, theirs):
        for entry in entries:
            entry.pop("at", None)
    if lost:
        kept = iter(theirs)
        if any(entry not in kept for entry in mine):
            return ["metrics.jsonl has a line, or an order, that the undisturbed run has not"]
        mine, theirs = ([entry for entry in entries if entry["kind"] == "eval"] for entries in (mine, theirs))
    for n, (a, b) in enumerate(zip(mine, theirs), 1):
        if a != b:
            return [f"metrics.jsonl, line {n}: {differing(a, b)}"]
    if len(mine) != len(theirs):
        return [f"metrics.jsonl has {len(mine)} lines, undisturbed {len(theirs)}"]
    return []


def best(run, reference, may_lack):
    mine, theirs = os.path.join(run, "best.h5"), os.path.join(reference, "best.h5")
    if not os.path.lexists(mine):
        return [] if may_lack else ["there is no best.h5"]
    if os.readlink(mine) != os.readlink(theirs):
        return [f"best.h5 is {os.readlink(mine)}, undisturbed {os.readlink(theirs)}"]
    return [] if os.path.exists(mine) else ["best.h5 points to nothing"]


def state_text(program, run, steps):
    path = os.path.join(run, "checkpoints", f"step-{steps:08d}.h5")
    text = subprocess.run([program, "inspect", path], capture_output=True, text=True, timeout=60).stdout
    return text[text.find("\nstate\n"):text.find("\nconfig\n")]


def inspected(program, run, steps):
    """The state and history of the last checkpoint, as inspect prints them."""
    return re.sub(may_differ.STATE, "", state_text(program, run, steps), flags=re.M)


def figures(run, reference, program, environment):
    """Of a page made anew, with the undisturbed run's sessions, which the curves have marks of."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "run")
        shutil.copytree(run, copy, symlinks=True, ignore=shutil.ignore_patterns("report", "tensorboard"))
        shutil.copyfile(os.path.join(reference, "sessions.jsonl"), os.path.join(copy, "sessions.jsonl"))
        subprocess.run([program, "report", copy], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=60)
        return figures_of(os.path.join(copy, "report"))


def figures_of(folder):
    with open(os.path.join(folder, "report.html")) as file:
        page = file.read()
    found = dict(re.findall(r'<figure[^>]*id="([a-z_]+)"[^>]*>(.*?)</figure>', page, re.S))
    for path in glob.glob(glob.escape(folder) + "/*.png"):
        with open(path, "rb") as file:
            found[os.path.basename(path)] = file.read()
    return found


def unused(run, program, steps):
    """Entries of may_differ.py that name nothing of this run: each must leave something out."""
    entries, result = lines(os.path.join(run, "metrics.jsonl")), load(os.path.join(run, "result.json"))
    found = [f"METRICS: {name}" for name in sorted(may_differ.METRICS.difference(*entries))]
    found += [f"RESULT: {name}" for name in sorted(may_differ.RESULT.difference(result))]
    if not re.search(may_differ.STATE, state_text(program, run, steps), flags=re.M):
        found.append(f"STATE: {may_differ.STATE}")
    return [f"may_differ.py names what the run has not: {name}" for name in found]


def compare(run, reference, state, program, environment, report):
    found = metrics(run, reference, "train lines" in state.lost)
    mine, theirs = (without(load(os.path.join(r, "result.json")), may_differ.RESULT) for r in (run, reference))
    if mine != theirs:
        found.append("result.json: " + differing(mine, theirs))
    found += unused(reference, program, theirs["step"])
    found += best(run, reference, "best" in state.lost)
    a, b = (inspected(program, r, theirs["step"]) for r in (run, reference))
    if a != b:
        found.append(f"the last checkpoint's state and history:\n{a}\nundisturbed:\n{b}")
    if report and not state.lost:
        a, b = (figures(r, reference, program, environment) for r in (run, reference))
        names = sorted(name for name in set(a) | set(b) if name.split(".")[0] not in may_differ.FIGURES)
        found += [f"report: {name} is not that of the undisturbed run" for name in names if a.get(name) != b.get(name)]
        found += [f"may_differ.py names what the report has not: {name}" for name in sorted(may_differ.FIGURES.difference(b))]
    # An owner file in the making goes once it is a minute old.
    left = [path for path in glob.glob(glob.escape(run) + "/**/*.tmp.*", recursive=True) if not os.path.basename(path).startswith("owner.")]
    return found + [f"left behind: {os.path.relpath(path, run)}" for path in left]
