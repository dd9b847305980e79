#!/usr/bin/env python3
"""What lockstep should do on GPUs, on paper: floating-point operations, bytes, launches, times.

    bench/gpu_model.py SECTION...        prints sections: assumptions work phases launches reduce steps streams lanes evaluation
    bench/gpu_model.py --write FILE      renews the numbers in a page, between its `<!-- gpu_model SECTION -->` marks
    bench/gpu_model.py --check FILE      fails where they are not what this script prints

The model takes configs/resnet9.yaml as build/lockstep describes it and lists the kernels that one lane enqueues, as
src/cuda plans them: each with its operations and the bytes it must move. Its roofline time is the larger of operations
/ peak and bytes / bandwidth; the expected time divides both by the efficiencies below, counts partly filled waves of tiles, and adds what the host
and the gaps between kernels cost. Nothing here was measured: every efficiency is an assumption, to be replaced by
measurement (`make bench-gpu`).
"""
import collections
import math
import os
import sys
import textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECIPE = os.path.join(ROOT, "configs", "resnet9.yaml")
sys.path.append(os.path.join(ROOT, "scripts"))
import description  # noqa: E402

# Data sheets: dense peaks in FLOP/s, bytes/s, NVLink bytes/s each way.
Gpu = collections.namedtuple("Gpu", "name sms peak bandwidth nvlink conv_share")
GPUS = {
    "A100": Gpu("A100-SXM4-80GB", 108, {"fp32": 19.5e12, "tf32": 156e12, "bf16": 312e12}, 2.039e12, 300e9, 0.55),
    "H100": Gpu("H100-SXM5-80GB", 132, {"fp32": 66.9e12, "tf32": 494e12, "bf16": 989e12}, 3.35e12, 450e9, 0.45),
}
ETHERNET = 12.5e9  # bytes/s each way of one 100 Gb/s port a node

# Assumptions.
FP32_SHARE = 0.70      # of peak, convolutions without tensor cores
MEMORY_SHARE = 0.80    # of bandwidth, kernels that stream
LINK_SHARE = 0.80      # of a link's bandwidth, in large messages
TILE = 128             # rows and columns of the output tile of a convolution as a product
GAP_S = 1.5e-6         # between two kernels of a replayed graph
CALL_S = 3.0e-6        # of the host: one copy, event or kernel
REPLAY_S = 8.0e-6      # of the host: one graph
WAIT_S = 20e-6         # of the host for a stream, with what it reads then and the first kernel behind it
MESSAGE_S = {"NVLink": 40e-6, "100 Gb/s": 90e-6}  # of one all-reduce, besides its bytes
BUCKET_BYTES = 4194304  # bucket-bytes of the recipe
RECORDS, EPOCHS = 50000, 24
STREAMS_MAX, IMAGES_AT_ONCE = 4, 512
KEPT_MAX = 16  # lanes of a rank whose gradients are kept, and summed in one pass (TERMS_MAX)
EVALUATED = 10000

Layer = collections.namedtuple("Layer", "kind input_shape shape inputs parameters multiply_adds")
Kernel = collections.namedtuple("Kernel", "layer phase name kind flops bytes tiles")


# ---- The recipe ----

def read_model():
    """Layers in text order, without the loss; shapes are (c, h, w), inputs are indices (-1: the image)."""
    layers, index = [], {"image": -1}
    for i, layer in enumerate(description.describe(RECIPE)["layers"]):
        index[layer["name"]] = i
        if layer["loss"]:
            break
        if layer["kind"] not in ("conv", "linear", "bn", "relu", "maxpool", "add", "scale"):
            sys.exit(f"gpu_model: layer {layer['name']}: the kernels of '{layer['kind']}' are not known here")
        weights = sum(math.prod(spec["shape"]) for spec in layer["params"])
        inputs = [index[name] for name in layer["inputs"]]
        layers.append(Layer(layer["kind"], layer["in"][0], layer["out"], inputs, weights, layer["multiply_adds"]))
    return layers


def count(shape):
    return shape[0] * shape[1] * shape[2]


def input_shape(layers, i):
    return layers[i].input_shape


def parameters(layers, i):
    return layers[i].parameters


def multiply_adds(layers, i):
    return layers[i].multiply_adds


# ---- The kernels of one lane ----

def tiles_of(batch, shape, channels):
    return math.ceil(batch * shape[1] * shape[2] / TILE) * math.ceil(channels / TILE)


def lane_kernels(layers, batch, precision, training=True, kept=True):
    """Forward in text order, then backward in reverse, as src/cuda plans them; of evaluation forward alone. `kept`: the gradients of weights
    stay as convolutions and products leave them, for the sum over lanes to read."""
    e = 2 if precision == "bf16" else 4
    mask = 1 / 8 if precision == "bf16" else 0  # bytes an element of the bits between the passes of batch norm, where they are
    out = []

    def add(i, phase, name, flops, size, kind="memory", tiles=0):
        out.append(Kernel(i, phase, name, kind, flops, size, tiles))

    add(-1, "forward", "load images", 0, batch * (3072 + 3072 * e))
    for i, layer in enumerate(layers):
        x, y = batch * count(input_shape(layers, i)), batch * count(layer.shape)
        if layer.kind in ("conv", "linear"):
            work = 2 * batch * multiply_adds(layers, i)
            add(i, "forward", layer.kind, work, e * (x + y + parameters(layers, i)), "conv",
                tiles_of(batch, layer.shape, layer.shape[0]))
        elif layer.kind == "bn" and not training:
            add(i, "forward", "bn + relu", 0, 2 * e * y)
        elif layer.kind == "bn":
            add(i, "forward", "bn + relu", 0, (3 * e + mask) * y)
            add(i, "forward", "bn statistics", 0, 16 * layer.shape[0])
        elif layer.kind == "maxpool":
            add(i, "forward", "maxpool", 0, e * x + (e + 1) * y)
        elif layer.kind in ("add", "scale"):
            add(i, "forward", layer.kind, 0, (3 if layer.kind == "add" else 2) * e * y)
    add(len(layers), "forward", "loss", 0, batch * (10 * e + 12))
    if not training:
        return out
    add(len(layers), "backward", "loss", 0, batch * (20 * e + 4))
    written = set()  # layers whose output's gradient is assigned already

    def give(i, source, size):
        """A kernel that can only assign needs one more to add."""
        if source in written:
            add(i, "backward", "gradient added", 0, 3 * e * size)
        written.add(source)

    for i in reversed(range(len(layers))):
        layer = layers[i]
        x, y = batch * count(input_shape(layers, i)), batch * count(layer.shape)
        if layer.kind in ("conv", "linear"):
            work, weights = 2 * batch * multiply_adds(layers, i), parameters(layers, i)
            add(i, "backward", layer.kind + " weights", work, e * (x + y + weights), "conv")
            if not kept and (e == 2 or layer.kind == "conv"):
                add(i, "backward", "weights to fp32", 0, weights * (e + 4))
            if layer.inputs[0] >= 0:
                add(i, "backward", layer.kind + " data", work, e * (x + y + weights), "conv",
                    tiles_of(batch, input_shape(layers, i), input_shape(layers, i)[0]))
                give(i, layer.inputs[0], x)
        elif layer.kind == "bn":
            if not mask:
                add(i, "backward", "relu mask", 0, 3 * e * y)
            add(i, "backward", "bn", 0, (5 * e + 2 * mask) * y)
            written.add(layer.inputs[0])
        elif layer.kind == "maxpool":
            add(i, "backward", "maxpool", 0, e * x + (e + 1) * y)
            give(i, layer.inputs[0], x)
        elif layer.kind == "add":
            for source in layer.inputs:
                add(i, "backward", "gradient passed", 0, 2 * e * y)
                written.add(source)
        elif layer.kind == "scale":
            add(i, "backward", "scale", 0, 2 * e * y)
            written.add(layer.inputs[0])
    return out


# ---- Times ----

def roofline(gpu, precision, kernel):
    return max(kernel.flops / gpu.peak[precision], kernel.bytes / gpu.bandwidth)


def expected(gpu, precision, kernel, streams=1):
    """Of one of the `streams` lanes that run side by side, each of which is at the same kernel: what it costs the step."""
    share = FP32_SHARE if precision == "fp32" else gpu.conv_share
    filled = 1.0
    if kernel.tiles:  # forward and data: the last wave of tiles leaves processors idle
        tiles = streams * kernel.tiles
        filled = tiles / (gpu.sms * math.ceil(tiles / gpu.sms))
    compute = kernel.flops / (gpu.peak[precision] * share * filled)
    return max(compute, kernel.bytes / (gpu.bandwidth * MEMORY_SHARE)) + GAP_S / streams


def flat(layers):
    return sum(parameters(layers, i) for i in range(len(layers)))


def sum_bytes(reduction):
    return 8 if reduction == "exact" else 4


def bucket_count(layers, reduction):
    return math.ceil(flat(layers) * sum_bytes(reduction) / BUCKET_BYTES)


def completed_buckets(layers, reduction):
    """By layer: how many buckets its backward completes (the flat gradient completes from its end)."""
    n, total, done = bucket_count(layers, reduction), flat(layers), {}
    begin, left = total, n
    for i in reversed(range(len(layers))):
        if parameters(layers, i) == 0:
            continue
        begin -= parameters(layers, i)
        ready = sum(1 for b in range(left) if b * total / n >= begin)
        if ready:
            done[i] = ready
            left -= ready
    return done


def streams_of(lanes, images):
    """Lanes that run side by side on one GPU: cores_streams (src/engine/cores.c), where there are cores enough."""
    return max(1, min(lanes, STREAMS_MAX, IMAGES_AT_ONCE // images))


def kept_bytes(layers, precision):
    """Of one lane's gradient, as it is kept: weights of the activations' type."""
    e = 2 if precision == "bf16" else 4
    return sum(parameters(layers, i) * (e if layer.kind in ("conv", "linear") else 4) for i, layer in enumerate(layers))


def to_sum_seconds(gpu, layers, precision, reduction, lanes):
    """The gradients of a rank's lanes into its buckets: in one pass, each bucket when the last lane has brought it, where they are
    kept; else a pass a lane, whose first one does not read the sum."""
    size, n = sum_bytes(reduction), bucket_count(layers, reduction)
    if lanes <= KEPT_MAX:
        moved, passes = lanes * kept_bytes(layers, precision) + flat(layers) * size, 1
    else:
        moved, passes = flat(layers) * ((4 + 2 * size) * lanes - size), lanes
    return moved / (gpu.bandwidth * MEMORY_SHARE) + passes * n * GAP_S


def host_calls(layers, reduction, lanes=8, streams=4):
    """Of one lane: (graphs replayed, other calls). Each lane marks each bucket; for each bucket the sum waits for all streams and for the
    bucket before it, and is marked itself."""
    n = bucket_count(layers, reduction)
    calls = n + n * (streams + 3) / lanes if lanes <= KEPT_MAX else 3 * n
    return 1 + len(completed_buckets(layers, reduction)) + 1, 11 + math.ceil(calls)


def host_seconds(layers, reduction, lanes=8, streams=4):
    replays, calls = host_calls(layers, reduction, lanes, streams)
    return replays * REPLAY_S + calls * CALL_S


def order_seconds(streams):
    """Of the host, to order all streams without a wait (src/engine/engine_order.c): behind update and packing."""
    return (2 * streams + 2) * CALL_S


def finish_seconds():
    """Of the host between the sums and the update (src/engine/finish.c): constants, verdict, the tail's way back, a mark, the graph."""
    return 4 * CALL_S + REPLAY_S


def pack_seconds(gpu, layers, precision):
    moved = 6 if precision == "bf16" else 8
    return flat(layers) * moved / (gpu.bandwidth * MEMORY_SHARE) + 9 * GAP_S


def update_seconds(gpu, layers, reduction):
    """All ranges in one launch; then the running statistics. A quarter of a byte says which range."""
    return flat(layers) * (sum_bytes(reduction) + 16.25) / (gpu.bandwidth * MEMORY_SHARE) + 2 * GAP_S


# Where: GPUs in all, bytes/s of the slowest link each way, its name.
Place = collections.namedtuple("Place", "name gpus link link_name")


def places(gpu):
    return [Place("1 GPU", 1, 0, "NVLink"), Place("4 GPUs", 4, gpu.nvlink, "NVLink"),
            Place("8 GPUs", 8, gpu.nvlink, "NVLink"), Place("4 nodes x 1 GPU", 4, ETHERNET, "100 Gb/s"),
            Place("4 nodes x 8 GPUs", 32, ETHERNET, "100 Gb/s")]


def message_seconds(place, size):
    if place.gpus == 1:
        return 0.0
    return MESSAGE_S[place.link_name] + 2 * (place.gpus - 1) / place.gpus * size / (place.link * LINK_SHARE)


def reduce_seconds(layers, place, reduction):
    n = bucket_count(layers, reduction)
    return n * message_seconds(place, flat(layers) * sum_bytes(reduction) / n)


Step = collections.namedtuple("Step", "forward backward to_sum waits pack update exposed total")


def step_times(gpu, layers, precision, reduction, batch, lanes, place, streams=None):
    """The phases of one step of one GPU, seconds; `streams`: other than the rule has. Lanes run side by side, as many as there
    are streams, and buckets travel while the last of them goes backward."""
    mine = lanes // place.gpus
    streams = streams or streams_of(mine, batch // lanes)
    kernels = lane_kernels(layers, batch // lanes, precision, kept=mine <= KEPT_MAX)
    times = [expected(gpu, precision, k, streams) for k in kernels]
    forward = sum(t for k, t in zip(kernels, times) if k.phase == "forward")
    backward = sum(times) - forward
    to_sum = to_sum_seconds(gpu, layers, precision, reduction, mine)
    busy = streams * (forward + backward)
    idle = max(0.0, host_seconds(layers, reduction, mine, streams) - busy)
    # The last lanes' backward, and behind each of its layers the buckets that it completes, with the sums that are made then.
    last = to_sum if mine <= KEPT_MAX else to_sum / mine * streams
    done = completed_buckets(layers, reduction)
    n = bucket_count(layers, reduction)
    clock, link = 0.0, 0.0
    message = message_seconds(place, flat(layers) * sum_bytes(reduction) / n)
    for i in sorted(set(k.layer for k in kernels), reverse=True):
        clock += streams * sum(t for k, t in zip(kernels, times) if k.layer == i and k.phase == "backward")
        clock += done.get(i, 0) * last / n
        for _ in range(done.get(i, 0)):
            link = max(link, clock) + message
    exposed = max(0.0, link - clock)
    pack, update = pack_seconds(gpu, layers, precision), update_seconds(gpu, layers, reduction)
    # For the lanes, whose results the sums carry, and for the tail, while the GPU updates.
    waits = math.ceil(mine / streams) * idle + WAIT_S + finish_seconds() + max(0.0, WAIT_S + order_seconds(streams) - pack - update)
    total = mine * (forward + backward) + to_sum + waits + pack + update + exposed
    return Step(mine * forward, mine * backward, to_sum, waits, pack, update, exposed, total)


def steps_per_epoch(batch, lanes):
    return RECORDS // lanes // (batch // lanes)


# ---- Sections ----

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def paragraph(text):
    return textwrap.fill(text, 140)


def ms(seconds, digits=2):
    return f"{1e3 * seconds:.{digits}f}"


def section_assumptions(layers):
    rows = [[g.name, g.sms] + [f"{g.peak[p] / 1e12:g}" for p in ("fp32", "tf32", "bf16")] +
            [f"{g.bandwidth / 1e9:.0f}", f"{g.nvlink / 1e9:.0f}", f"{100 * g.conv_share:.0f} %"] for g in GPUS.values()]
    head = ["GPU", "processors", "fp32 TFLOP/s", "tf32 TFLOP/s", "bf16 TFLOP/s", "memory GB/s", "NVLink GB/s each way",
            "convolutions reach"]
    return table(head, rows) + "\n\n" + paragraph(
        f"Convolutions without tensor cores reach {100 * FP32_SHARE:.0f} % of the fp32 peak, kernels that stream "
        f"{100 * MEMORY_SHARE:.0f} % of the memory's bandwidth, large messages {100 * LINK_SHARE:.0f} % of a link's. Forward and "
        f"data-gradient convolutions work in tiles of {TILE} x {TILE} outputs, one a processor at a time. {1e6 * GAP_S:.1f} us "
        f"between two kernels of a replayed graph, {1e6 * REPLAY_S:.0f} us of the host a replay, {1e6 * CALL_S:.0f} us any other "
        f"call, {1e6 * WAIT_S:.0f} us a wait, of which a step has two. A message takes "
        f"{1e6 * MESSAGE_S['NVLink']:.0f} us (NVLink) or {1e6 * MESSAGE_S['100 Gb/s']:.0f} us (100 Gb/s) besides its bytes. "
        f"Memory traffic is counted as if nothing stayed in the L2 cache, which is too much for small lanes.")


def section_work(layers):
    rows = []
    total = sum(multiply_adds(layers, i) for i in range(len(layers)))
    first = multiply_adds(layers, 0)
    training = 2 * (3 * total - first)
    for batch in (512, 2048):
        for precision in ("fp32", "bf16"):
            kernels = lane_kernels(layers, batch // 8, precision)
            moved = 8 * sum(k.bytes for k in kernels)
            flops = 8 * sum(k.flops for k in kernels)
            rows.append([batch, precision, f"{flops / 1e9:,.0f}", f"{moved / 1e9:.1f}", f"{flops / moved:.0f}"])
    return (paragraph(f"{flat(layers):,} parameters; {total / 1e6:.1f} M multiply-adds an image forward; a training step does "
                      f"{training / 1e9:.2f} GFLOP an image (the first convolution needs no gradient of its input).") + "\n\n" +
            table(["batch", "precision", "GFLOP a step", "GB moved a step", "FLOP a byte"], rows))


def section_phases(layers):
    rows = []
    for batch in (512, 2048):
        for name, gpu in GPUS.items():
            for precision in ("fp32", "tf32", "bf16"):
                kernels = lane_kernels(layers, batch // 8, precision)
                streams = streams_of(8, batch // 8)
                parts = []
                for phase in ("forward", "backward"):
                    mine = [k for k in kernels if k.phase == phase]
                    parts += [8 * sum(roofline(gpu, precision, k) for k in mine),
                              8 * sum(expected(gpu, precision, k, streams) for k in mine)]
                conv = 8 * sum(expected(gpu, precision, k, streams) for k in kernels if k.kind == "conv")
                step = step_times(gpu, layers, precision, "exact", batch, 8, places(gpu)[0])
                rows.append([batch, name, precision, ms(parts[0]), ms(parts[1]), ms(parts[2]), ms(parts[3]),
                             f"{100 * conv / (parts[1] + parts[3]):.0f} %", ms(step.to_sum), ms(step.pack),
                             ms(step.update), ms(step.waits)])
    head = ["batch", "GPU", "precision", "forward: roofline", "expected", "backward: roofline", "expected",
            "of both, convolutions", "to fixed point", "pack", "optimizer", "waits"]
    return "One GPU, 8 lanes, exact sums; milliseconds a step.\n\n" + table(head, rows)


def section_launches(layers):
    rows = []
    for precision in ("fp32", "bf16"):
        for reduction in ("exact", "native"):
            kernels = lane_kernels(layers, 64, precision)
            forward = sum(1 for k in kernels if k.phase == "forward")
            replays, calls = host_calls(layers, reduction)
            sums = bucket_count(layers, reduction)
            rows.append([precision, reduction, forward, len(kernels) - forward, sums, len(kernels),
                         8 * len(kernels) + sums + 9 + 3, replays, calls, f"{1e6 * host_seconds(layers, reduction):.0f}"])
    head = ["precision", "sums", "forward", "backward", "sums of all lanes", "kernels a lane", "kernels a step, 8 lanes",
            "graphs replayed a lane", "other calls a lane", "us of the host a lane"]
    return ("A cuDNN plan counts as one kernel; some engines launch two or three.\n\n" + table(head, rows))


def section_reduce(layers):
    rows = []
    for name, gpu in GPUS.items():
        for place in places(gpu)[1:]:
            row = [name, place.name, place.link_name]
            for reduction in ("exact", "native"):
                seconds = reduce_seconds(layers, place, reduction)
                size = flat(layers) * sum_bytes(reduction)
                row += [f"{size / 1e6:.1f}", bucket_count(layers, reduction), ms(seconds)]
            rows.append(row)
    head = ["GPU", "where", "link", "exact: MB", "messages", "ms", "native: MB", "messages", "ms"]
    return "All of a step's gradient, nothing hidden.\n\n" + table(head, rows)


def evaluation_seconds(gpu, layers, precision, batch, images_a_wait):
    """Of EVALUATED images on one GPU: a graph and five copies a batch, which the host enqueues while the GPU computes."""
    busy = sum(expected(gpu, precision, k) for k in lane_kernels(layers, batch, precision, training=False))
    host = REPLAY_S + 5 * CALL_S
    return EVALUATED / batch * max(busy, host) + EVALUATED / images_a_wait * (WAIT_S + host)


def section_evaluation(layers):
    rows = []
    for name, gpu in GPUS.items():
        for precision in ("fp32", "bf16"):
            rows.append([name, precision] + [ms(evaluation_seconds(gpu, layers, precision, *how), 1)
                                             for how in ((100, 100), (500, 500), (500, EVALUATED))])
    return table(["GPU", "precision", "100 images a batch, a wait each: ms", "500 images a batch, a wait each: ms", "500, one wait: ms"],
                 rows)


def limit_of(step):
    terms = {"convolutions and memory": step.forward + step.backward, "communication": step.exposed,
             "waits and host": step.waits, "sums and optimizer": step.to_sum + step.update + step.pack}
    return max(terms, key=terms.get)


def section_steps(layers):
    rows = []
    for batch in (512, 2048):
        for name, gpu in GPUS.items():
            start = {r: step_times(gpu, layers, "bf16", r, batch, 8, places(gpu)[0]).total for r in ("exact", "native")}
            for place in places(gpu):
                lanes = max(8, place.gpus)
                exact, native = (step_times(gpu, layers, "bf16", r, batch, lanes, place) for r in ("exact", "native"))
                seconds = EPOCHS * steps_per_epoch(batch, lanes) * exact.total
                share = [f"{100 * start[r] / (place.gpus * s.total):.0f} %" for r, s in (("exact", exact), ("native", native))]
                rows.append([batch, name, place.name, f"{lanes // place.gpus} x {batch // lanes}", ms(exact.total),
                             ms(exact.exposed), f"{batch / exact.total:,.0f}", f"{seconds:.0f}", share[0],
                             ms(native.total), ms(native.exposed), share[1], limit_of(exact)])
    head = ["batch", "GPU", "where", "lanes x images of a GPU", "exact: ms a step", "of it exposed communication", "images/s",
            "s for 24 epochs", "efficiency", "native: ms a step", "exposed", "efficiency", "largest term (exact)"]
    return table(head, rows)


def section_streams(layers):
    rows = []
    for batch in (128, 512, 1024, 2048):
        for name, gpu in GPUS.items():
            rows.append([batch, name, f"8 x {batch // 8}", streams_of(8, batch // 8)] +
                        [ms(step_times(gpu, layers, "bf16", "exact", batch, 8, places(gpu)[0], n).total) for n in (1, 2, 4, 8)])
    return table(["batch", "GPU", "lanes x images", "streams by the rule", "1 stream: ms a step", "2", "4", "8"], rows)


def section_lanes(layers):
    rows = []
    for batch in (512, 2048):
        for name, gpu in GPUS.items():
            for precision in ("fp32", "tf32", "bf16"):
                for place in (places(gpu)[0], places(gpu)[1]):
                    eight = step_times(gpu, layers, precision, "exact", batch, 8, place)
                    one = step_times(gpu, layers, precision, "exact", batch, place.gpus, place)
                    native = step_times(gpu, layers, precision, "native", batch, place.gpus, place)
                    rows.append([batch, name, precision, place.name, ms(eight.total), ms(one.total), ms(native.total),
                                 f"{100 * (eight.total / one.total - 1):.0f} %",
                                 f"{100 * (eight.total / native.total - 1):.0f} %"])
    head = ["batch", "GPU", "precision", "where", "8 lanes, exact: ms a step", "one lane a GPU, exact", "one lane a GPU, native",
            "8 lanes cost", "and exact sums"]
    return table(head, rows)


SECTIONS = {"assumptions": section_assumptions, "work": section_work, "phases": section_phases,
            "launches": section_launches, "reduce": section_reduce, "steps": section_steps, "streams": section_streams, "lanes": section_lanes,
            "evaluation": section_evaluation}


def renew(text, layers):
    """`text` with each section's numbers between its marks."""
    lines, out = text.split("\n"), []
    inside = False
    for line in lines:
        if line == "<!-- end -->":
            inside = False
        if not inside:
            out.append(line)
        if line.startswith("<!-- gpu_model "):
            inside = True
            out += [SECTIONS[line.split()[2]](layers)]
    return "\n".join(out)


def main(argv):
    layers = read_model()
    if len(argv) == 2 and argv[0] in ("--write", "--check"):
        with open(argv[1]) as file:
            text = file.read()
        new = renew(text, layers)
        if argv[0] == "--check":
            if new != text:
                sys.exit(f"{argv[1]}: not what bench/gpu_model.py prints; renew it with bench/gpu_model.py --write")
        else:
            with open(argv[1], "w") as file:
                file.write(new)
        return
    if not argv or any(name not in SECTIONS for name in argv):
        sys.exit(__doc__.strip())
    print("\n\n".join(SECTIONS[name](layers) for name in argv))


if __name__ == "__main__":
    main(sys.argv[1:])
