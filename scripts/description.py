"""The network of a configuration as lockstep itself describes it, for scripts: layers with kind, inputs, shapes, parameters
and all arguments with their values, so that no script parses model text or knows a default (include/lockstep/model.h says
what is in it).
"""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(ROOT, os.environ.get("BUILD", "build"), "lockstep")


def _asked(config, flags, *actions):
    """What lockstep prints of a configuration file and flags."""
    try:
        command = [PROGRAM, "train", config, *flags, *actions]
        return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    except OSError as error:
        sys.exit(f"{PROGRAM} says what the layers are: {error.strerror}; build it, or name its folder with BUILD=")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # it has said why


def describe(config, *flags):
    """The network of a configuration file, as lockstep describes it."""
    return json.loads(_asked(config, flags, "--describe", "--json"))


def settings(config, *flags):
    """All options of it, with their values: {"batch-size": 128, "optimizer": {"name": "sgd", ...}, ...}."""
    import yaml
    return yaml.safe_load(_asked(config, flags, "--dump-config"))
