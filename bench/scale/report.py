#!/usr/bin/python3
"""Tables and plot of bench/scale/run: bench/scale/report.py FOLDER PAGE PLOT

Renews what stands in PAGE between `<!-- scale NAME -->` and `<!-- end -->` from FOLDER's CSV files (steps,
images, ring, calibration: those that are there), and draws PLOT (SVG) where python3-matplotlib is installed.
"""
import collections
import csv
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tables import renew, table  # noqa: E402

Row = collections.namedtuple("Row", "gbit model reduction nodes gpus step compute exposed efficiency")
REDUCTIONS = ("exact", "exact32", "native")
NAMES = {"resnet9": "ResNet-9, 6.6 M", "wide25": "wide, 25.0 M"}


def read_steps(path):
    with open(path, newline="") as file:
        return [Row(int(r["gbit"]), r["model"], r["reduction"], int(r["nodes"]), int(r["gpus"]), float(r["step_s"]),
                    float(r["compute_s"]), float(r["exposed_s"]), float(r["efficiency"])) for r in csv.DictReader(file)]


def steps_table(rows):
    """A line for each cluster, a group of columns for each network and mode."""
    groups = [(m, r) for m in NAMES for r in REDUCTIONS]
    found = {(r.gbit, r.gpus, r.nodes, r.model, r.reduction): r for r in rows}
    head = ["Gb/s", "GPUs a node", "nodes"] + [f"{NAMES[m]}: {r}" for m, r in groups]
    lines = []
    for gbit, gpus, nodes in sorted({(r.gbit, r.gpus, r.nodes) for r in rows}):
        cells = [found.get((gbit, gpus, nodes, m, r)) for m, r in groups]
        lines.append([gbit, gpus, nodes] + [
            f"{1e3 * c.step:.1f} / {1e3 * c.exposed:.1f} / {100 * c.efficiency:.0f} %" if c else "not run" for c in cells])
    return table(head, lines)


def images_table(rows):
    head = ["Gb/s", "network", "mode", "nodes", "images a GPU", "compute, ms", "step, ms", "exposed, ms", "efficiency"]
    return table(head, [[r.gbit, NAMES[r.model], r.reduction, r.nodes, 512, f"{1e3 * r.compute:.1f}", f"{1e3 * r.step:.1f}",
                         f"{1e3 * r.exposed:.1f}", f"{100 * r.efficiency:.0f} %"] for r in rows if r.gpus == 8])


def calibration_table(path):
    with open(path, newline="") as file:
        rows = [[r["ranks"], r["what"], f"{1e3 * float(r['computed_s']):.0f}", f"{1e3 * float(r['measured_s']):.2f}", f"{1e3 * float(r['simulated_s']):.2f}",
                 f"{100 * float(r['error']):+.0f} %"] for r in csv.DictReader(file)]
    return table(["ranks", "what", "compute, ms", "measured, ms", "simulated, ms", "error"], rows)


def sections(folder):
    out = {}
    for name, make in (("steps", lambda p: steps_table(read_steps(p))), ("images", lambda p: images_table(read_steps(p))),
                       ("ring", lambda p: steps_table(read_steps(p))), ("calibration", calibration_table)):
        path = os.path.join(folder, name + ".csv")
        if os.path.exists(path):
            out[name] = make(path)
    return out


def draw(rows, path):
    try:
        import matplotlib
    except ImportError:
        print("SKIP the plot: python3-matplotlib is not installed (scripts/setup.sh scale)")
        return
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 9})
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for axis, model in zip(axes, NAMES):
        for gbit, colour in ((100, "tab:blue"), (400, "tab:orange")):
            for reduction, style in zip(REDUCTIONS, ("-", ":", "--")):
                line = sorted((r.nodes, 1e3 * r.step) for r in rows
                              if (r.model, r.gbit, r.reduction, r.gpus) == (model, gbit, reduction, 8))
                axis.plot(*zip(*line), style, color=colour, marker="o", markersize=3, label=f"{gbit} Gb/s, {reduction}")
        compute = [1e3 * r.compute for r in rows if r.model == model]
        axis.axhline(max(compute), color="gray", linewidth=0.8, label="compute alone")
        axis.set(title=NAMES[model] + " parameters", xscale="log", yscale="log", xlabel="nodes of 8 GPUs")
        axis.set_xticks(sorted({r.nodes for r in rows}), [str(n) for n in sorted({r.nodes for r in rows})])
        axis.minorticks_off()
    axes[0].set_ylabel("step, ms (simulated)")
    axes[0].set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    axes[1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(argv):
    if len(argv) != 3:
        sys.exit(__doc__.strip())
    renew(argv[1], sections(argv[0]), "scale")
    draw(read_steps(os.path.join(argv[0], "steps.csv")), argv[2])


if __name__ == "__main__":
    main(sys.argv[1:])
