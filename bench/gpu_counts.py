#!/usr/bin/env python3
"""What the CUDA backend asks of a GPU, counted on the simulated libraries of tests/simgpu: kernels, bytes, calls, waits.

    bench/gpu_counts.py                prints the table
    bench/gpu_counts.py --ops          and, of each kind of step, how often each kernel runs and what it moves
    bench/gpu_counts.py --write FILE   renews the table in a page, between its `<!-- gpu_counts -->` marks
    bench/gpu_counts.py --check FILE   fails where it is not what this script prints

The network is tests/simgpu/counts.yaml, and one of tokens is tokens.yaml beside it; images are made up. Of a step: what six
steps cost more than four, halved, so that neither start-up nor the recording of graphs is in it. Of an evaluation: what 200 test images cost
more than 100. Counts are exact, and say nothing about time: bench/gpu_model.py makes times of such counts.
"""
import collections
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
PROGRAM = os.path.join(BUILD, "lockstep")
NET = os.path.join(ROOT, "tests", "simgpu", "counts.yaml")
TOKENS = os.path.join(ROOT, "tests", "simgpu", "tokens.yaml")
MARK, END = "<!-- gpu_counts -->", "<!-- end -->"

# Changes of bytes, erasing and mixing: what augmentation has most of.
AUGMENTED = ["--augment.policy", "randaugment", "--augment.jitter-hue", "0.1", "--augment.erase", "0.5", "--augment.erase-with", "noise",
             "--augment.mixup", "0.4"]
GROUPS = "conv:weight,linear:weight optimizer=muon muon-steps=3 muon-rescale"
LARS = ["--optimizer.name", "lars", "--optimizer.lr", "0.1", "--optimizer.momentum", "0.8"]
# Of the simulator's names, those that are no kernels (tests/simgpu/cudart).
HOST = ("call", "graph", "wait")
EVENTS = ("event record", "event wait")
COPIES = ("copy to the device", "copy to the host", "copy on the device", "memset")
COUNT = re.compile(r"^SIMGPU\[[^]]*\] count (.*): (\d+), (\d+) bytes$")


def counted(folder, *words):
    """{name: (times, bytes)} of one process, which keeps its plans in `folder`."""
    env = dict(os.environ, XDG_CACHE_HOME=folder, LD_LIBRARY_PATH=os.path.join(BUILD, "simgpu"), SIMGPU_COUNTS="1", SIMGPU_SCHEDULE="lazy",
               LOCKSTEP_REPORT="false")
    done = subprocess.run([PROGRAM, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{PROGRAM} {' '.join(words)}: exit code {done.returncode}\n{done.stdout}")
    return {m[1]: (int(m[2]), int(m[3])) for m in map(COUNT.match, done.stdout.splitlines()) if m}


def difference(more, less, parts):
    out = {}
    for name, (times, size) in more.items():
        before = less.get(name, (0, 0))
        if times != before[0]:
            out[name] = ((times - before[0]) / parts, (size - before[1]) / parts)
    return out


def records(folder, train, test):
    """CIFAR-10's files of so many records, of bytes that follow a rule."""
    os.makedirs(folder)
    for name, count in [(f"data_batch_{i}.bin", train // 5) for i in range(1, 6)] + [("test_batch.bin", test)]:
        with open(os.path.join(folder, name), "wb") as file:
            for i in range(count):
                file.write(bytes([i % 10]) + bytes((7 * i + j * j) % 251 for j in range(3072)))


def kinds(folder):
    """(what, {name: (times, bytes)}) of each row of the table."""
    data = {test: os.path.join(folder, f"data-{test}") for test in (1, 100, 200)}
    for test, path in data.items():
        records(path, 160, test)
    muon = os.path.join(folder, "muon.yaml")
    with open(NET) as net, open(muon, "w") as file:
        file.write(net.read().replace("optimizer:\n", f"optimizer:\n  groups: |\n    {GROUPS}\n"))
    for net, precision, reduction, also, words in ((NET, "fp32", "exact", "", []), (NET, "bf16", "exact", "", []),
                                                   (NET, "bf16", "native", "", []),
                                                   (NET, "bf16", "exact", ", clipped", ["--optimizer.clip-norm", "0.5"]),
                                                   (NET, "bf16", "exact", ", images changed, erased and mixed", AUGMENTED),
                                                   (muon, "bf16", "exact", ", Muon", []),
                                                   (NET, "bf16", "exact", ", LARS", LARS),
                                                   (TOKENS, "fp32", "exact", ", tokens", []), (TOKENS, "bf16", "exact", ", tokens", [])):
        name = f"{os.path.basename(net)}-{precision}-{reduction}-{len(words)}"
        run = [counted(folder, "train", net, "--device", "cuda", "--precision", precision, "--reduction", reduction, "--threads", "1",
                       "--data", data[1], "--out", os.path.join(folder, f"{name}-{steps}"), "--steps", str(steps), *words)
               for steps in (4, 6)]
        yield f"a step, {precision}, {reduction} sums{also}", difference(run[1], run[0], 2)
    run = [counted(folder, "eval", os.path.join(folder, "counts.yaml-fp32-exact-0-4"), "--device", "cuda", "--threads", "1", "--data", data[test])
           for test in (100, 200)]
    yield "evaluation of 100 images, fp32", difference(run[1], run[0], 1)


Row = collections.namedtuple("Row", "kernels kb sent graphs calls copies waits")


def summed(counts):
    kernels = {n: c for n, c in counts.items() if n not in HOST + EVENTS + COPIES}

    def times(names):
        return sum(counts.get(n, (0, 0))[0] for n in names)
    moved = sum(size for n, (_, size) in counts.items() if n not in HOST)
    return Row(sum(t for t, _ in kernels.values()), moved / 1000, counts.get(COPIES[0], (0, 0))[1] / 1000, times(["graph"]), times(["call"]) - times(["graph"]),
               times(COPIES), times(["wait"]))


def table(rows):
    lines = ["| what | kernels | kB moved | of these from the host | graphs replayed | other calls | of these copies | waits |",
             "|---|---|---|---|---|---|---|---|"]
    for what, counts in rows:
        r = summed(counts)
        lines.append(f"| {what} | {r.kernels:.0f} | {r.kb:,.0f} | {r.sent:,.1f} | {r.graphs:.0f} | {r.calls:.0f} | {r.copies:.0f} | {r.waits:.0f} |")
    return "\n".join(lines)


def ops(counts):
    names = subprocess.run(["c++filt"], input="\n".join(counts), stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    for name, (times, size) in sorted(zip(names, counts.values()), key=lambda c: -c[1][1]):
        print(f"    {times:6.1f} x {size / 1000:9.1f} kB  {re.sub('<.*', '', name.split('(')[0]) or name}")


def main(argv):
    write = len(argv) == 2 and argv[0] in ("--write", "--check")
    if argv and not write and argv != ["--ops"]:
        sys.exit(__doc__.strip())
    with tempfile.TemporaryDirectory() as folder:
        rows = list(kinds(folder))
    if not write:
        print(table(rows))
        for what, counts in rows if argv else []:
            print(f"\n{what}:")
            ops(counts)
        return
    with open(argv[1]) as file:
        text = file.read()
    before, rest = text.split(MARK + "\n", 1)
    new = before + MARK + "\n" + table(rows) + "\n" + END + rest.split(END, 1)[1]
    if argv[0] == "--check" and new != text:
        sys.exit(f"{argv[1]}: not what bench/gpu_counts.py counts; renew it with bench/gpu_counts.py --write")
    if argv[0] == "--write":
        with open(argv[1], "w") as file:
            file.write(new)


if __name__ == "__main__":
    main(sys.argv[1:])
