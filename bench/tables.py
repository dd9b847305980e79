#!/usr/bin/env python3
"""Tables in Markdown of what bench/vs_pytorch, bench/sums, bench/ranks and bench/share measured (their --json).

bench/tables.py FILE...                    prints them
bench/tables.py --write PAGE FILE...       puts them in PAGE, between `<!-- speed KIND -->` and `<!-- end -->`; kinds that no
                                           FILE has stay as they are
A FILE holds one object a line; those of one kind make one table, in the order given.
"""
import argparse
import json
import sys
import textwrap


def prose(text):
    return textwrap.wrap(text, 138, break_on_hyphens=False)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def where(found):
    """Machines and dates, each once, in order."""
    return "; ".join(dict.fromkeys(f"{one['machine']}, {one['date']}" for one in found))


def figure(value):
    """Of four digits, or more before the point."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def plural(n, word):
    return f"{n} {word}" + "s" * (n != 1)


# ---- vs_pytorch ----

def best_of(one, who, wanted=lambda side: True):
    return max((side for side in one["sides"] if side["who"] == who and side["median"] and wanted(side)),
               key=lambda side: side["median"], default=None)


def rate(side):
    return figure(side["median"]) if side else "-"


def vs_pytorch(found):
    rows = []
    for one in found:
        ours = [best_of(one, "lockstep", lambda side, p=p: side["precision"] == p) for p in ("fp32", "bf16")]
        plain = best_of(one, "pytorch", lambda side: side["precision"] == "fp32" and side["ranks"] == 1)
        best = best_of(one, "pytorch")
        fewer = "" if one["batch"] == one["recipe_batch"] else f" of {one['recipe_batch']}"
        rows.append([one["recipe"], f"{one['batch']}{fewer}", *map(rate, ours), f"{rate(plain)} ({plain['label']})" if plain else "-",
                     f"{rate(best)} ({best['label']})", f"{one['ratio_fp32']:.2f}" if one["ratio_fp32"] else "-", f"{one['ratio_best']:.2f}"])
    effort = "; ".join(dict.fromkeys(f"medians of {plural(one['rounds'], 'round')} of {plural(one['steps'], 'step')}" for one in found))
    return [*prose(f"{where(found)}; {effort}; images/s."), "",
            *table(["recipe", "images a step", "lockstep fp32", "lockstep bf16", "PyTorch fp32", "PyTorch's best", "× fp32", "× best"], rows)]


def contenders(found):
    """Every one that was measured."""
    rows = [[one["recipe"], side["who"], side["label"], " ".join(map(figure, side["images_per_s"])) or "-",
             side["failed"] or (f"dropped after round {side['dropped_after']}" if side["dropped_after"] else "")]
            for one in found for side in one["sides"]]
    return ["Every contender:", "", *table(["recipe", "of", "contender", "images/s, a value a round", ""], rows)]


# ---- sums ----

def sums(found):
    out = []
    for one in found:
        sides = {(side["lanes"], side["ranks"], side["threads"], side["reduction"]): side["median"] for side in one["sides"]}
        rows = []
        for lanes, ranks, threads in dict.fromkeys(key[:3] for key in sides):
            exact, low, native = (sides[lanes, ranks, threads, reduction] for reduction in ("exact", "exact32", "native"))
            rows.append([lanes, f"{plural(ranks, 'rank')} × {plural(threads, 'thread')}", figure(exact), figure(low), figure(native),
                         f"{100 * (native / exact - 1):+.1f} %", f"{100 * (native / low - 1):+.1f} %"])
        out += ["", *prose(f"{' '.join([one['recipe'], *one['flags']])}, {plural(one['batch'], 'image')} a step: {where([one])}; medians of "
                           f"{plural(one['rounds'], 'round')} of {plural(one['steps'], 'step')}."), "",
                *table(["lanes", "on", "exact, images/s", "exact32, images/s", "native, images/s", "exact sums take",
                        "exact32 sums take"], rows)]
    return out[1:]


# ---- ranks ----

def ranks(found):
    out = []
    for one in found:
        first = one["sides"][0]
        whole = first["median"] / first["busy_cores"]
        rows = []
        for side in one["sides"]:
            core = side["median"] / side["busy_cores"]
            rows.append([side["lanes"], f"{plural(side['ranks'], 'rank')} × {plural(side['threads'], 'thread')}", figure(side["median"]),
                         figure(core), f"{100 * core / whole:.0f} %", f"{side['memory_mb']:.0f}", f"{side['start_s']:.2f}"])
        out += ["", *prose(f"{' '.join([one['recipe'], *one['flags']])}, {plural(one['batch'], 'image')} a step: {where([one])}; medians of "
                           f"{plural(one['rounds'], 'round')} of {plural(one['steps'], 'step')}. A busy core is one that has a lane."), "",
                *table(["lanes", "on", "images/s", "a busy core", "of the first", "MB a rank", "start, s"], rows)]
    return out[1:]


# ---- share ----

def percent(value):
    return f"{100 * value:.0f} %" if value else "-"


def share(found):
    out = []
    for one in found:
        rows, seconds, floor = [], 0, 0
        for layer in one["layers"]:
            cells, left = [], 0
            for part in layer["passes"]:
                cells += [f"{1e3 * part['s']:.2f}", percent(part["arithmetic"]), percent(part["memory"])]
                left += part["s"] - part["floor_s"]
                seconds, floor = seconds + part["s"], floor + part["floor_s"]
            rows.append([layer["layer"], layer["by"] or "-", *cells, f"{1e3 * left:.2f}"])
        lane_step = one["step_s"] * one["threads"] / one["lanes"]
        peaks = one["peaks"]
        out += ["", *prose(f"{one['recipe']} in {one['precision']}: {where([one])}. Peaks of {plural(peaks['threads'], 'thread')}: "
                           f"{peaks[one['precision'] + '_gflops']:.0f} GFLOP/s, {peaks['memory_gbs']:.1f} GB/s. A lane takes "
                           f"{1e3 * seconds:.1f} ms in its layers, {1e3 * floor:.1f} ms of it at a peak's speed; of a step it has "
                           f"{1e3 * lane_step:.1f} ms, the rest of them data, sums, optimizer and waits."), "",
                *table(["layer", "by", "forward, ms", "of arithmetic", "of memory", "backward, ms", "of arithmetic", "of memory", "left, ms"], rows)]
    return out[1:]


KINDS = {"vs_pytorch": vs_pytorch, "contenders": contenders, "sums": sums, "ranks": ranks, "share": share}


def read(paths):
    found = {}
    for path in paths:
        try:
            with open(path) as file:
                for line in filter(str.strip, file):
                    one = json.loads(line)
                    found.setdefault(one["kind"], []).append(one)
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.exit(f"{path}: nothing that --json of these scripts wrote: {error}")
    found.setdefault("contenders", found.get("vs_pytorch", []))
    return {kind: KINDS[kind](ones) for kind, ones in found.items() if ones and kind in KINDS}


def renew(page, made, word="speed"):
    """Puts the lines of each kind between `<!-- WORD KIND -->` and `<!-- end -->`."""
    with open(page) as file:
        lines = file.read().split("\n")
    out, skipping = [], False
    for line in lines:
        skipping = skipping and line != "<!-- end -->"
        if not skipping:
            out.append(line)
        kind = line.split()[2] if line.startswith(f"<!-- {word} ") else None
        if kind in made:
            out += made[kind]
            skipping = True
    with open(page, "w") as file:
        file.write("\n".join(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--write", metavar="PAGE")
    options = parser.parse_args()
    made = read(options.files)
    if options.write:
        renew(options.write, made)
    else:
        print("\n\n".join("\n".join(lines) for lines in made.values()))


if __name__ == "__main__":
    main()
