"""The table of faults: each kind, how it is brought about, and what may come of it.

A fault, as a plan (plan.py) has it, is {"kind": NAME, ...}: a row of this table, and numbers that say when and where. How it is
brought about is the row's `means`:

    rule     calls of the program go wrong, by shim.c: rank, path, first, times
    plant    --crash-at: step, rank
    signal   sent at an instant, `wait` seconds behind the metrics of `step` (-1: behind the start): rank
    damage   of files, between two starts: pick (a number by which damage.py chooses)
    change   of the command of one start: options
    beside   a second run in the same directory: step, wait

`codes` are the exit codes, beside 0, with which a start that has met the fault may end; its one line of lockstep's own then
matches `cause`. `loses` names what the undisturbed run has and this one may lack, since it cannot be had again: "train lines" of
metrics.jsonl, or "best" (the file of the best evaluation).
"""
from dataclasses import dataclass

CHANGES = "make,write,truncate,rename,rename-new,link,symlink,unlink,mkdir"  # what a read-only file system refuses
ALL_CALLS = "open,read,close,look,fsync,lock," + CHANGES
RUN, CHECKPOINTS, DATA = "*/run/*", "*/run/checkpoints/*", "*/data/*"
# How many such calls a start of a small run makes in its directory: the first one to be struck is drawn from these.
SEEN = {"open": 60, "read": 60, "make": 24, "write": 60, "fsync": 40, "rename": 10, "rename-new": 8, "unlink": 8, "symlink": 1, "mkdir": 4,
        "close": 90, "lock": 1, "look": 100, "truncate": 1}


@dataclass(frozen=True)
class Kind:
    name: str
    means: str
    what: object = None  # rule: (calls, paths, times, what); plant: how; signal: name; damage: function; change: options
    codes: tuple = ()
    cause: str = ""
    ranks: int = 1  # at least
    waits: bool = False  # its start has a deadline of seconds: it ends by that, or before it, or must not
    loses: tuple = ()
    goes_on: bool = False  # the start must end well in spite of it
    row: str = ""  # of the table in the documents, where kinds share one


def rule(name, calls, what, cause, paths=(RUN,), times=1, codes=(4,), **more):
    return Kind(name, "rule", (calls, paths, times, what), codes, cause, **more)


def error(number, text, *calls, **more):
    """A kind for each class of calls, once and for good."""
    return [rule(f"{number} {call}{' for good' if times == 0 else ''}", call, number, text, times=times,
                 row=f"{number}, {'one call' if times else 'all calls'} of: {', '.join(calls)}", **more)
            for times in (1, 0) for call in calls]


FILE = r"/run(/|\b)"
STALE = "Stale file handle|owner is gone: the run directory was taken"  # so a network's file system says that a file was replaced
LAUNCHER_SAYS = None  # what it was: the rank that met it cannot speak
SILENT = r"did not answer within|has not answered for|within [\d.]+ s|has not come back|waited for"

KINDS = [
    # ---- Processes ----
    Kind("SIGKILL", "signal", "KILL", (137,)),
    Kind("SIGSEGV", "signal", "SEGV", (139, 137)),
    Kind("SIGABRT", "signal", "ABRT", (134, 137)),
    Kind("SIGKILL to all", "signal", "KILL all", (137,)),
    Kind("SIGKILL to the launcher", "signal", "KILL launcher", (137,)),
    Kind("exit with 0", "signal", "EXIT", (1, 6), LAUNCHER_SAYS),
    Kind("SIGSTOP, SIGCONT", "signal", "STOP 1", goes_on=True),
    Kind("SIGSTOP for good", "signal", "STOP", (7,), SILENT, ranks=2, waits=True),
    Kind("suspended machine", "signal", "STOP all", waits=True, goes_on=True),  # for longer than the deadline
    Kind("SIGUSR1", "signal", "USR1 launcher", (75,)),
    Kind("SIGTERM", "signal", "TERM launcher", (75, 143, 1, 137), LAUNCHER_SAYS),
    # ---- Planted in the program ----
    Kind("exit with 1", "plant", "exit", (1,), LAUNCHER_SAYS),
    Kind("rank hangs", "plant", "hang", (7,), "did not answer within", ranks=2, waits=True),
    Kind("hangs in a forward pass", "plant", "hang-forward", (7,), "did not answer within", ranks=2, waits=True),
    Kind("hangs before a sum", "plant", "hang-bucket", (7,), "did not answer within", ranks=2, waits=True),
    Kind("skipped collective", "plant", "skip-bucket", (6,), r"rank \d+", ranks=2, waits=True),
    Kind("short collective", "plant", "short-bucket", (6,), r"rank \d+", ranks=2, waits=True),
    Kind("slow rank", "plant", "slow", goes_on=True),
    Kind("NaN", "plant", "nan", (8,), "diverged: .*NaN"),
    Kind("bit of a weight", "plant", "flip", (6,), "drift after step .*/params/", ranks=2),
    Kind("bit of a slot", "plant", "flip-slot", (6,), "drift after step .*/optimizer/", ranks=2),
    Kind("bit of a statistic", "plant", "flip-running", (6,), "drift after step .*/running/", ranks=2),
    Kind("bit of the state", "plant", "flip-state", (6,), "drift after step .*/state", ranks=2),
    Kind("changed schedule", "plant", "flip-schedule", (6,), "drift after step .*schedule"),
    Kind("bit of an image's number", "plant", "flip-sample", (3,), "epoch"),
    # ---- Files: errors of calls ----
    *error("EIO", "Input/output error", "open", "make", "write", "fsync", "rename", "rename-new", "close", "unlink", "mkdir", "look"),
    rule("EIO read", "read", "EIO", "Input/output error", (RUN, CHECKPOINTS)),
    rule("EIO read of images", "read", "EIO", "Input/output error", (DATA,), codes=(3,)),
    *error("ESTALE", STALE, "open", "write", "fsync", "look"),
    *error("ENOSPC", "No space left", "make", "write", "fsync", "rename", "symlink", "mkdir"),
    *error("EDQUOT", "quota", "make", "write", "fsync", "close"),
    *[rule(f"EINTR {call}", call, "EINTR", "Interrupted", row="EINTR, one call of: make, rename, unlink, look, mkdir, symlink")
      for call in ("make", "rename", "unlink", "look", "mkdir", "symlink")],
    *[rule(f"EINTR {call}", call, "EINTR", "", goes_on=True, row="EINTR, one call of: open, read, write, fsync, close, lock")
      for call in ("open", "read", "write", "fsync", "close", "lock")],
    *error("EACCES", "Permission denied", "open", "make", "rename"),
    *error("EMFILE", "Too many open files", "open", "make"),
    rule("short read", "read", "short", "", (RUN, DATA), times=0, goes_on=True),
    rule("short write", "write", "short", "", times=0, goes_on=True),
    rule("bit of what is read", "read", "flip", "reads|bad|damaged|hash|differ|has label|not as|checksum|other", (CHECKPOINTS,)),
    rule("torn write", "write", "torn", "", codes=(137,)),
    rule("killed at a call", ALL_CALLS, "kill", "", (RUN, CHECKPOINTS), codes=(137,)),
    rule("EIO at a call", ALL_CALLS, "EIO", "Input/output error", (RUN, CHECKPOINTS)),
    rule("ENOSPC at a call", CHANGES, "ENOSPC", "No space left", (RUN, CHECKPOINTS)),
    rule("ESTALE at a call", ALL_CALLS, "ESTALE", STALE, (RUN, CHECKPOINTS)),
    rule("lines that a failed fsync lost", "fsync", "lost", "", ("*/run/metrics.jsonl",), goes_on=True),
    rule("hanging fsync", "fsync", "hang", SILENT, codes=(7,), waits=True),
    rule("hanging write", "write", "hang", SILENT, codes=(7,), waits=True),
    rule("hanging open", "open,make", "hang", SILENT, codes=(7,), waits=True),
    rule("hanging rename", "rename,rename-new", "hang", SILENT, codes=(7,), waits=True),
    rule("slow disk", ALL_CALLS, "slow", "", times=40, goes_on=True),
    rule("vanishing file", "open,rename,look", "vanish", FILE),
    rule("no locks", "lock", "ENOLCK", "", times=0, goes_on=True),
    rule("locks that lock nothing", "lock", "ok", "", times=0, goes_on=True),
    rule("no symbolic links", "symlink", "EPERM", "", times=0, goes_on=True, loses=("best",)),
    rule("neither renaming without replacing nor hard links", "rename-new,link", "EINVAL", "", times=0, goes_on=True),
    rule("read-only", CHANGES, "EROFS", "Read-only file system", times=0),
    # ---- The clock ----
    rule("clock a day ahead", "clock", "86400", "", ("clock",), times=0, goes_on=True),
    rule("clock a day behind", "clock", "-86400", "", ("clock",), times=0, goes_on=True),
    rule("clock that jumps back and forth", "clock", "-3600", "", ("clock",), times=7, goes_on=True),
    # ---- Files: damaged between two starts ----
    *[Kind(f"{how} checkpoint", "damage", ("newest", how), loses=("best",))
      for how in ("truncated", "emptied", "flipped", "zeroed", "swapped", "renumbered")],
    *[Kind(f"{how} older checkpoint", "damage", ("older", how), loses=("best",)) for how in ("truncated", "flipped")],
    Kind("vanished checkpoint", "damage", ("newest", "vanished"), loses=("best",)),
    *[Kind(f"{how} checksum file", "damage", ("sidecar", how)) for how in ("truncated", "flipped", "vanished", "swapped")],
    *[Kind(f"{how} {name}", "damage", (name, how))
      for name in ("result.json", "predictions.h5", "sessions.jsonl", "log.txt", "best.h5", "config.yaml") for how in ("vanished", "truncated")],
    Kind("best.h5 points elsewhere", "damage", ("best.h5", "aimed")),
    *[Kind(f"{how} metrics.jsonl", "damage", ("metrics.jsonl", how), loses=("train lines",)) for how in ("vanished", "truncated", "zeroed")],
    Kind("torn line of metrics.jsonl", "damage", ("metrics.jsonl", "torn")),
    Kind("vanished tensorboard", "damage", ("tensorboard", "vanished")),
    Kind("truncated tensorboard", "damage", ("tensorboard", "truncated")),
    Kind("vanished owner", "damage", ("owner", "vanished")),
    Kind("truncated owner", "damage", ("owner", "truncated")),
    Kind("litter of dead processes", "damage", ("litter", "made")),
    Kind("copied run directory", "damage", ("run", "copied")),
    # ---- Another run, other commands ----
    Kind("second run in the directory", "beside"),
    Kind("changed command", "change", ("--keep", "--checkpoint-every", "--eval.patience", "--drift-every", "--bucket-bytes",
                                       "--loader.threads", "--keep-best", "--bad-steps")),
    Kind("fewer steps asked for", "change", "steps"),
    Kind("back to an older checkpoint", "change", "back"),
]


def row(kind):
    """The row of the documents' table that a kind is in."""
    if kind.means == "damage":
        return f"{kind.what[0]}: {', '.join(k.what[1] for k in KINDS if k.means == 'damage' and k.what[0] == kind.what[0])}"
    return kind.row or kind.name


TABLE = {kind.name: kind for kind in KINDS}
assert len(TABLE) == len(KINDS)
