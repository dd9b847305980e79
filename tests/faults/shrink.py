"""Makes a plan that fails smaller while it still fails: fewer starts, faults, steps and ranks."""
import copy


def smaller(plan):
    """Plans that are one step smaller, the boldest first."""
    for i in range(len(plan["starts"])):
        yield plan | {"starts": plan["starts"][:i] + plan["starts"][i + 1:]}
    for i, start in enumerate(plan["starts"]):
        for part in range(len(start["before"])):
            yield changed(plan, i, before=start["before"][:part] + start["before"][part + 1:])
        if start["fault"]:
            yield changed(plan, i, fault=None)
    for steps in (12, 18):
        if steps < plan["steps"]:
            yield plan | {"steps": steps, "starts": [start | {"to": min(start["to"], steps)} for start in plan["starts"]]}
    for i, start in enumerate(plan["starts"]):
        if start["to"] < plan["steps"]:
            yield changed(plan, i, to=plan["steps"])
    if plan["report"]:
        yield plan | {"report": False}
    if plan["recipe"] != "tiny":
        yield plan | {"recipe": "tiny"}
    if plan["last"]:
        yield plan | {"last": 0}
    for i, start in enumerate(plan["starts"]):
        for ranks in range(start["ranks"]):
            yield changed(plan, i, ranks=ranks)
    for key, simple in (("every", 3), ("keep", 3)):
        if plan[key] != simple:
            yield plan | {key: simple}


def changed(plan, i, **parts):
    plan = copy.deepcopy(plan)
    plan["starts"][i].update(parts)
    return plan


def shrink(plan, fails, tries=60):
    """`fails(plan)` says whether it still does."""
    tried = set()
    while True:
        for candidate in smaller(plan):
            text = repr(candidate)
            if text in tried:
                continue
            tried.add(text)
            if len(tried) > tries:
                return plan
            if fails(candidate):
                plan = candidate
                break
        else:
            return plan
