#!/usr/bin/env python3
"""Tables of what check-plans found: tests/plans/table.py [RECIPE] [FOLDER], for docs/gpu-plans.md.

Reads FOLDER/GPU-PRECISION.tsv (build/plans) and prints a summary of all, then a table for each precision of the
graphs that RECIPE (resnet9) is the first to have.
"""
import os
import sys

recipe = sys.argv[1] if len(sys.argv) > 1 else "resnet9"
folder = sys.argv[2] if len(sys.argv) > 2 else "build/plans"
GPUS = ["sm_80", "sm_89", "sm_90", "sm_100", "sm_120"]
PRECISIONS = ["bf16", "tf32", "fp32"]


def read(gpu, precision):
    """Rows by graph: engine, mode, position, workspace, notes, program."""
    try:
        with open(os.path.join(folder, f"{gpu}-{precision}.tsv")) as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
    except FileNotFoundError:
        return {}
    return {row[0]: row[1:] for row in rows}


def size(workspace):
    kib = (int(workspace) + 1023) // 1024
    return "0" if kib == 0 else f"{kib} K" if kib < 10240 else f"{kib / 1024:.0f} M"


def cell(row):
    engine, mode, position, workspace, notes = row[:5]
    place = "" if (mode, position) == ("A", "0") else f" {mode}{position}"
    marks = ("t" if "tensor-core" in notes else "") + ("c" if "compiled" in notes else "")
    return f"{engine}{marks}{place}, {size(workspace)}"


def summary(plans):
    print("| precision | GPU | graphs | first choice of mode A | later choices | compiled at run time | largest workspace |")
    print("|---|---|---|---|---|---|---|")
    for (precision, gpu), graphs in plans.items():
        rows = list(graphs.values())
        if not rows:
            continue
        first = sum(row[1] == "A" and row[2] == "0" for row in rows)
        compiled = sum("compiled" in row[4] for row in rows)
        print(f"| {precision} | {gpu} | {len(rows)} | {first} | {len(rows) - first} | {compiled} | "
              f"{size(max(int(row[3]) for row in rows))} |")


def details(plans, precision):
    names = []
    for gpu in GPUS:
        names += [n for n, row in plans[precision, gpu].items() if n not in names and row[5].startswith(recipe + ",")]
    print(f"\n## {recipe}, {precision}\n")
    print("| graph | " + " | ".join(GPUS) + " |")
    print("|---|" + "---|" * len(GPUS))
    for name in names:
        cells = [cell(plans[precision, gpu][name]) if name in plans[precision, gpu] else "-" for gpu in GPUS]
        print(f"| {name} | " + " | ".join(cells) + " |")


everything = {(p, g): read(g, p) for p in PRECISIONS for g in GPUS}
summary(everything)
for each in PRECISIONS:
    details(everything, each)
