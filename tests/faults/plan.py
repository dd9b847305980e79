"""A plan: all that decides a trial, as JSON, made of a seed or kept in a file. No random number is drawn after it.

{"recipe": a recipe of tests/recipes, "steps": the run's end, "every", "keep": of its checkpoints, "report": whether pages and
TensorBoard's events are written, "starts": [{"ranks": 0 (no launcher) to 4, "to": the end that it is asked for, "before": [faults of
files], "fault": a fault or null}], "last": ranks of the start that comes behind all of them, undisturbed}
"""
import random

import kinds

STEPS = (12, 18, 24)


def seconds(rng, most):
    return round(rng.uniform(0, most), 3)


def draw_fault(rng, kind, plan, ranks, first=0, end=None):
    """A fault of that kind, for a start on so many ranks; of those at a step, for one behind `first` and before `end`."""
    end = end or plan["steps"]
    fault = {"kind": kind.name}
    everyone = max(ranks, 1)
    if kind.means == "rule":
        calls, paths, times, _ = kind.what
        fault["path"] = rng.choice(paths)
        fault["rank"] = rng.randrange(everyone) if fault["path"] in (kinds.DATA, "clock") else 0
        most = max(kinds.SEEN.get(call, 20) for call in calls.split(","))
        if len(calls) > 20:  # of all calls
            most = 300
        fault["first"] = 1 if times == 0 and rng.random() < 0.3 else int(most ** rng.random())  # early ones are met more often
        fault["times"] = times
    elif kind.means == "plant":
        fault["step"] = rng.randrange(first, end - 1) + 1 if end > first + 1 else first
        fault["rank"] = rng.randrange(everyone)
    elif kind.means in ("signal", "beside"):
        # Rather early in its part: a run of few steps is soon at its end.
        fault["step"] = -1 if rng.random() < 0.15 else min(rng.randrange(first, end), rng.randrange(first, end)) or 1
        fault["wait"] = seconds(rng, 1.5 if fault["step"] < 0 else 0.05)
        fault["rank"] = rng.randrange(everyone)
    elif kind.means == "damage":
        fault["pick"] = rng.randrange(1 << 30)
    elif kind.what == "back":
        fault["pick"] = rng.randrange(1 << 30)
    elif kind.what == "steps":
        fault["options"] = ["--steps", str(rng.randrange(2, plan["steps"]))]
    else:
        values = {"--keep": ("1", "2", "5"), "--checkpoint-every": ("1", "4", "0"), "--eval.patience": ("1", "50"), "--drift-every": ("0", "1"),
                  "--bucket-bytes": ("4096", "65536"), "--loader.threads": ("2", "3"), "--keep-best": ("2", "3"), "--bad-steps": ("skip",)}
        fault["options"] = [word for key in sorted(rng.sample(kind.what, rng.randrange(1, 4))) for word in (key, rng.choice(values[key]))]
    return fault


def empty(rng):
    # A run of few steps is of few seconds; sometimes a network with more state.
    recipe = "small" if rng.random() < 0.2 else "tiny"
    return {"recipe": recipe, "steps": rng.choice(STEPS if recipe == "tiny" else STEPS[:1]), "every": rng.choice((1, 2, 3, 5)),
            "keep": rng.choice((1, 2, 3)), "report": rng.random() < 0.15, "starts": [], "last": rng.randrange(0, 4)}


def draw_start(rng, plan, kind, before=(), part=(0, 1)):
    """`part`: where in the run it begins, and where it is to end."""
    ranks = rng.choice((0, 0, 1, 2, 2, 3, 4))
    ranks = max(ranks, kind.ranks if kind and kind.ranks > 1 else 0)
    first, end = (round(plan["steps"] * x) for x in part)
    fault = draw_fault(rng, kind, plan, ranks, first, end) if kind else None
    return {"ranks": ranks, "to": end, "before": [draw_fault(rng, k, plan, ranks) for k in before], "fault": fault}


def of_kinds(live, damage, seed):
    """A plan with a start for each of the kinds `live`, and the damage before the second one and later ones."""
    rng = random.Random(f"{[k.name for k in live + damage]} {seed}")
    plan, n = empty(rng), max(len(live), 2)
    live = live + [None] * (n - len(live))
    plan["keep"], plan["every"] = 3, min(plan["every"], 2)
    for i, kind in enumerate(live):
        before = damage[i - 1::n - 1] if i > 0 else []
        plan["starts"].append(draw_start(rng, plan, kind, before, (i / n, (i + 1) / n)))
    return plan


def of_kind(name, seed):
    """A plan with one fault of that kind; a start before it where it is of files, so that there are some."""
    kind = kinds.TABLE[name]
    if kind.means == "damage":
        return of_kinds([], [kind], seed)
    if kind.what == "back":
        return of_kinds([None, kind], [], seed)
    return of_kinds([kind], [], seed)


def of_every_kind(seed):
    """Plans in which each kind has a fault, as few as that takes: three starts each, and damage between them."""
    apart = [k for k in kinds.KINDS if k.waits or k.loses == ("train lines",)]
    live = [k for k in kinds.KINDS if k.means != "damage" and k not in apart]
    damage = [k for k in kinds.KINDS if k.means == "damage" and k not in apart]
    random.Random(seed).shuffle(live)
    n = (len(live) + 2) // 3
    # Those that wait come first: others run beside them.
    return [of_kind(k.name, seed) for k in apart] + [of_kinds(live[i::n], damage[i::n], seed) for i in range(n)]


def of_seed(seed):
    """Several starts, each with a fault, and damage of files between them."""
    rng = random.Random(seed)
    plan = empty(rng)
    live = [k for k in kinds.KINDS if k.means != "damage"]
    damage = [k for k in kinds.KINDS if k.means == "damage"]
    slow = 0
    n = rng.randrange(1, 5)
    for i in range(n):
        kind = rng.choice(live)
        if kind.waits:  # these take seconds
            slow += 1
            kind = kind if slow == 1 else kinds.TABLE["SIGKILL"]
        before = rng.sample(damage, rng.choice((0, 1, 1, 2))) if i > 0 else []
        part = (i / n, (i + 1) / n) if rng.random() < 0.6 else (0, 1)
        plan["starts"].append(draw_start(rng, plan, kind, before, part))
    if rng.random() < 0.5:
        plan["starts"].append(draw_start(rng, plan, None, rng.sample(damage, 2)))
    return plan


def at_each_call(what, first, count, seed):
    """Starts that are struck at one call after the other in the folder of checkpoints, from the first-th on."""
    rng = random.Random(f"{what} {first} {seed}")
    plan = empty(rng) | {"recipe": "tiny", "steps": 24, "every": 2, "keep": 2, "report": False}
    kind = {"kill": "killed at a call", "torn": "torn write"}.get(what)
    for n in range(first, first + count):
        fault = {"kind": kind or what, "rank": 0, "path": kinds.CHECKPOINTS, "first": n, "times": 1}
        plan["starts"].append({"ranks": rng.choice((0, 0, 0, 2)), "to": 4 * (n - first + 1), "before": [], "fault": fault})
    return plan
