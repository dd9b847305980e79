"""Damage to the files of a run that stands still, as a disk or a person does it."""
import glob
import os
import random
import shutil


def checkpoints(run):
    return sorted(glob.glob(glob.escape(run) + "/checkpoints/step-????????.h5"))


def truncated(path, rng):
    os.truncate(path, rng.randrange(os.path.getsize(path)))


def emptied(path, rng):
    os.truncate(path, 0)


def flipped(path, rng):
    with open(path, "r+b") as file:
        at = rng.randrange(os.path.getsize(path))
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << rng.randrange(8)]))


def zeroed(path, rng):
    size = os.path.getsize(path)
    at = rng.randrange(size)
    length = rng.randrange(512, 8192)
    with open(path, "r+b") as file:
        file.seek(at)
        was = file.read(min(length, size - at))
        file.seek(at)
        file.write(b"\0" * len(was))
    return any(was)


def vanished(path, rng):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def torn(path, rng):
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"kind":"train","step":3,"lo')


ON_FILES = {f.__name__: f for f in (truncated, emptied, flipped, zeroed, vanished, torn)}


def of_checkpoint(run, path, how, rng, others):
    """Returns the names of files that are no good checkpoints any more."""
    name = os.path.basename(path)
    if how == "swapped":  # the bytes of another one, with their checksum file
        other = rng.choice(others)
        for end in ("", ".xxh3"):
            shutil.copyfile(other + end, path + end)
    elif how == "renumbered":
        step = int(name[5:13])
        name = f"step-{step + rng.randrange(1, 5):08d}.h5"
        for end in ("", ".xxh3"):
            os.rename(path + end, os.path.join(run, "checkpoints", name + end))
    elif ON_FILES[how](path, rng) is False:
        return []
    return [name]


def do(run, fault, what):
    """Returns (whether there was something to damage, names of checkpoints that are bad now)."""
    rng = random.Random(fault["pick"])
    where, how = what
    there = checkpoints(run)
    if where in ("newest", "older"):
        if len(there) < (2 if where == "newest" else 3):  # one must be left to go on from
            return False, []
        path = there[-1] if where == "newest" else there[-2]
        if not os.path.exists(path + ".xxh3"):
            return False, []
        bad = of_checkpoint(run, path, how, rng, there[:-2] or there[:1])
        return bad != [], [] if how == "vanished" else bad
    if where == "sidecar":
        if not there or not os.path.exists(there[-1] + ".xxh3"):
            return False, []
        if how == "swapped" and len(there) > 1:
            shutil.copyfile(there[0] + ".xxh3", there[-1] + ".xxh3")
        else:
            ON_FILES["flipped" if how == "swapped" else how](there[-1] + ".xxh3", rng)
        return True, []
    if where == "litter":
        folder = os.path.join(run, "checkpoints")
        if not os.path.isdir(folder):
            return False, []
        for name in ("step-00000003.h5.tmp.99999.0.0.gone", "step-00000004.h5.xxh3.tmp.77.5.1.other"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"half of it")
        return True, []
    if where == "run":
        if not os.path.isdir(run):
            return False, []
        shutil.copytree(run, run + ".copy", symlinks=True)
        shutil.rmtree(run)
        os.rename(run + ".copy", run)
        return True, []
    path = os.path.join(run, where)
    if not os.path.lexists(path):
        return False, []
    if where == "best.h5" and how in ("aimed", "truncated"):  # a link: to nothing, or to another one
        os.unlink(path)
        os.symlink("checkpoints/" + (os.path.basename(there[0]) if how == "aimed" and there else "step-99999999.h5"), path)
        return True, []
    if os.path.isdir(path) and how != "vanished":
        path = sorted(glob.glob(glob.escape(path) + "/*"))[-1]
    if how != "vanished" and os.path.getsize(path) == 0:
        return False, []
    ON_FILES[how](path, rng)
    return True, []
