#!/usr/bin/python3
"""Efficiency and images/s over ranks: scripts/plot-scaling.py SCALING.CSV PLOT.SVG (python3-matplotlib)"""
import csv
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 9})
from matplotlib import pyplot  # noqa: E402


def main(table, plot):
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    figure, (rate, share) = pyplot.subplots(1, 2, figsize=(8, 3.4))
    for kind in sorted({r["kind"] for r in rows}):
        line = sorted((int(r["ranks"]), float(r["images_per_s"]), float(r["efficiency"])) for r in rows if r["kind"] == kind)
        ranks, rates, shares = zip(*line)
        rate.plot(ranks, rates, marker="o", markersize=3, label=kind)
        share.plot(ranks, [100 * s for s in shares], marker="o", markersize=3, label=kind)
    rate.set(xlabel="ranks", ylabel="images/s", ylim=(0, None))
    share.set(xlabel="ranks", ylabel="efficiency, %", ylim=(0, None))
    for axis in (rate, share):
        axis.set_xticks(sorted({int(r["ranks"]) for r in rows}))
        axis.legend()
    figure.tight_layout()
    figure.savefig(plot, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
