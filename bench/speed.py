"""What the scripts here share: `lockstep bench`, and what they measured on."""
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))
import description  # noqa: E402

CPU = ["--device", "cpu"]


def recipe_path(name):
    """A recipe by its name in configs/, or by its path."""
    return pathlib.Path(name).resolve() if name.endswith(".yaml") else ROOT / "configs" / (name + ".yaml")


def fault_of(text):
    """The line of a program's stderr that says most, cut."""
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    errors = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception|Failed)\b|lockstep: ", line)]
    return (errors or lines or ["no word"])[-1][:160]


def bench(recipe, flags, ranks=0):
    """What `lockstep bench` gives of a recipe on this machine's cores; under mpirun where `ranks` is not 0. Ends the script where it fails."""
    command = [description.PROGRAM, "bench", str(recipe), *CPU, *map(str, flags), "--json"]
    if ranks:
        command = ["bash", "-c", '. scripts/env.sh; exec mpirun -np "$@"', "bench", str(ranks), *command]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: code {result.returncode}: {fault_of(result.stderr)}")
    return json.loads(result.stdout)


def has_bf16():
    """Whether this processor computes in bf16: lockstep says so itself."""
    command = [description.PROGRAM, "bench", ROOT / "tests/recipes/tiny.yaml", *CPU, "--precision", "bf16", "--steps", "1", "--threads", "1"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def cores():
    return len(os.sched_getaffinity(0))


WIDEST = (("amx_bf16", "AMX"), ("avx512_bf16", "AVX-512 BF16"), ("avx512f", "AVX-512"), ("avx2", "AVX2"))


def machine(count):
    """`count` cores of this processor, in words, and the widest of its instructions that matter here."""
    try:
        with open("/proc/cpuinfo") as file:
            text = file.read()
        flags = re.search("flags[^:]*: (.*)", text)
        widest = next((f" ({name})" for flag, name in WIDEST if flags and flag in flags.group(1).split()), "")
        return f"{count} cores of {re.search('model name[^:]*: (.*)', text).group(1)}{widest}"
    except (OSError, AttributeError):
        return f"{count} cores of {platform.machine()}"
