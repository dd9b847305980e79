#!/usr/bin/python3
"""One step of a trace as a picture: scripts/plot-trace.py TRACE.JSON PLOT.SVG [STEP] (python3-matplotlib)

A line for each thread of each rank. The default step is the first one of the trace.
"""
import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 9})
from matplotlib import pyplot  # noqa: E402

# Okabe and Ito's colours, which most colour-blind people tell apart.
COLOURS = {"data": "#999999", "forward": "#56b4e9", "backward": "#e69f00", "sum over lanes": "#009e73",
           "sum over ranks": "#cc79a7", "optimizer": "#0072b2", "checkpoint": "#d55e00", "evaluation": "#f0e442"}


def main(path, plot, step=None):
    with open(path) as file:
        events = json.load(file)["traceEvents"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    spans = [e for e in events if e["ph"] == "X"]
    steps = [e for e in spans if e["cat"] == "step"]
    number = min(e["args"]["step"] for e in steps) if step is None else int(step)
    of_step = [e for e in steps if e["args"]["step"] == number]
    if not of_step:
        sys.exit(f"{path} has no step {number}")
    begin, end = min(e["ts"] for e in of_step), max(e["ts"] + e["dur"] for e in of_step)
    shown = [e for e in spans if e["cat"] in COLOURS and e["ts"] < end and e["ts"] + e["dur"] > begin]
    rows = sorted({(e["pid"], e["tid"]) for e in shown})
    figure, axis = pyplot.subplots(figsize=(10, 0.8 + 0.32 * len(rows)))
    for e in shown:
        row = rows.index((e["pid"], e["tid"]))
        axis.barh(row, e["dur"] / 1000, left=(e["ts"] - begin) / 1000, height=0.7, color=COLOURS[e["cat"]], edgecolor="white",
                  linewidth=0.3)
    axis.set_yticks(range(len(rows)), [f"rank {pid}  {names[pid, tid]}" for pid, tid in rows])
    axis.invert_yaxis()
    axis.set_xlim(0, (end - begin) / 1000)
    axis.set_xlabel(f"milliseconds of step {number}")
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="y", length=0)
    used = [c for c in COLOURS if any(e["cat"] == c for e in shown)]
    axis.legend([pyplot.Rectangle((0, 0), 1, 1, color=COLOURS[c]) for c in used], used, loc="lower center",
                bbox_to_anchor=(0.5, 1), ncol=len(used), frameon=False, handlelength=1)
    figure.tight_layout()
    figure.savefig(plot, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
