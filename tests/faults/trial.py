"""A trial: a plan carried out in a folder of its own, start after start, until the run is finished; what came of each fault.

trial.run(plan, place) -> Trial. `place` (Place) says where things are, and keeps the undisturbed runs to compare with.
"""
import dataclasses
import glob
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import damage
import kinds
import oracle

DEADLINE_S = 5  # of a start whose fault is found by one
PATIENCE_S = 90  # of any other start: nothing there may wait for so long
GRACE_S = 40  # beyond a deadline, for ranks to start and end on a busy machine; MPI_Finalize has one of its own, of 20 s


@dataclasses.dataclass
class Outcome:
    """Of one fault: what it was, what came of it."""
    kind: str
    struck: bool = False  # it came about
    ended: str = ""  # "went on", or the exit code of its start
    detect_s: float = None  # from the fault to the end of its start, where it ended that
    lost_steps: int = None  # that the next start made again


@dataclasses.dataclass
class Trial:
    outcomes: list
    wrong: list  # what must not be, in words; empty: passed
    log: str  # what all starts printed


class Place:
    """Where trials find the program, images and recipes, and put what they make."""

    def __init__(self, program, shim, data, work):
        self.program, self.shim, self.data, self.work = map(os.path.abspath, (program, shim, data, work))
        self.root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.lock = threading.Lock()
        self.locks = {}

    def environment(self, report):
        chosen = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKSTEP_", "FAULT_"))}
        flag = "true" if report else "false"
        return chosen | {"CIFAR10_DIR": self.data, "LOCKSTEP_REPORT": flag, "LOCKSTEP_TENSORBOARD_EVENTS": flag,
                         "LOCKSTEP_TENSORBOARD_IMAGES": "0", "TMPDIR": self.work}

    def words(self, plan, ranks, run):
        launcher = ["mpirun", "-np", str(ranks)] if ranks else []
        return launcher + [self.program, "train", f"{self.root}/tests/recipes/{plan['recipe']}.yaml", "--out", run, "--threads", "1",
                           "--steps", str(plan["steps"]), "--log-every", "1", "--checkpoint-every", str(plan["every"]),
                           "--keep", str(plan["keep"])]

    def reference(self, plan):
        """The undisturbed run."""
        name = f"undisturbed-{plan['recipe']}-{plan['steps']}-{plan['report']}"
        with self.lock:
            mine = self.locks.setdefault(name, threading.Lock())
        with mine:
            run = os.path.join(self.work, name, "run")
            if not os.path.exists(os.path.join(run, "result.json")):
                subprocess.run(self.words(plan | {"every": 0, "keep": 3}, 0, run), env=self.environment(plan["report"]), check=True,
                               stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
        return run


def last_step(run):
    """The step of the last whole line of metrics.jsonl; 0 without one."""
    try:
        with open(os.path.join(run, "metrics.jsonl"), "rb") as file:
            found = re.findall(rb'"step":(\d+)[^\n]*\n', file.read())
    except OSError:
        return 0
    return int(found[-1]) if found else 0


def processes(session):
    """(pid, parent, name, state) of the processes of a session."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                pid, rest = file.read().split(" (", 1)
        except (OSError, ValueError):
            continue
        name, rest = rest.rsplit(")", 1)
        state, parent, _, its_session = rest.split()[:4]
        if int(its_session) == session and state != "Z":
            found.append((int(pid), int(parent), name, state))
    return found


class Start:
    """One start of the run, with at most one fault."""

    def __init__(self, place, plan, start, folder):
        self.place, self.plan, self.start, self.folder = place, plan, start, folder
        self.run, self.fault = os.path.join(folder, "run"), start["fault"]
        self.kind = kinds.TABLE[self.fault["kind"]] if self.fault else None
        self.struck_at, self.output, self.beside_code = None, "", None
        self.allows = PATIENCE_S

    def command(self):
        words = self.place.words(self.plan | {"steps": self.start["to"]}, self.start["ranks"], self.run)
        environment = self.place.environment(self.plan["report"])
        fault, kind = self.fault, self.kind
        if kind and kind.waits:
            words += ["--deadline", str(DEADLINE_S)]
            self.allows = DEADLINE_S + GRACE_S
        if kind and kind.means == "plant":
            words += ["--crash-at", f"{fault['step']}:{fault['rank']}:{kind.what}"]
            marker = os.path.join(self.run, "crash-fired")
            if os.path.exists(marker):  # of an earlier start's
                os.unlink(marker)
        if kind and kind.means == "change":
            self.struck_at = time.monotonic()
            there = damage.checkpoints(self.run)
            if kind.what == "back":
                words += ["--resume", there[fault["pick"] % len(there)]] if there else []
            else:
                words += fault["options"]
        self.strikes = os.path.join(self.folder, "strikes")
        if os.path.exists(self.strikes):
            os.unlink(self.strikes)
        if kind and (kind.means == "rule" or kind.what == "EXIT"):
            environment |= {"LD_PRELOAD": self.place.shim, "FAULT_LOG": self.strikes}
            if kind.means == "rule":
                calls, _, _, what = kind.what
                environment["FAULT_RULES"] = f"{fault['rank']} {calls} {fault['path']} {fault['first']} {fault['times']} {what}"
        return words, environment

    def go(self):
        """Sets code, in_time, began, ended and struck_at (monotonic; None: it did not come about), output."""
        words, environment = self.command()
        self.began = time.monotonic()
        log = os.path.join(self.folder, "output")
        with open(log, "wb") as out:
            self.process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            cwd=self.folder, start_new_session=True)
        helper = None
        if self.kind and self.kind.means in ("signal", "beside"):
            helper = threading.Thread(target=self.disturb)
            helper.start()
        self.in_time = True
        try:
            self.process.wait(self.allows)
        except subprocess.TimeoutExpired:
            self.in_time = False
        over = not self.in_time and self.is_over()
        if self.in_time:  # whoever is left of it ends by itself: ranks whose launcher is gone
            while processes(self.process.pid) and time.monotonic() - self.began < self.allows:
                time.sleep(0.02)
            self.in_time = not processes(self.process.pid)
        self.ended = time.monotonic()
        self.end_all()
        if helper:
            helper.join()
        code = self.process.wait()
        self.code = 0 if over else code if code >= 0 else 128 - code
        self.in_time = self.in_time or over
        with open(log, errors="replace") as file:
            self.output = file.read()
        if self.kind and self.kind.means == "rule" and os.path.exists(self.strikes):
            with open(self.strikes) as file:
                self.struck_at = float(file.readline().split()[0])
        if self.kind and self.kind.means == "plant":
            self.struck_at = self.planted_at()

    def is_over(self):
        """Whether the run is at its end, and no rank of it is left but stopped ones, for which a launcher waits for ever."""
        states = {state for _, _, name, state in processes(self.process.pid) if name == "lockstep"}
        return states == {"T"} and oracle.finished(self.run, self.start["to"])

    def planted_at(self):
        """When --crash-at struck: its marker is written right before."""
        try:
            written = os.stat(os.path.join(self.run, "crash-fired")).st_mtime
        except OSError:
            return None
        return written - time.time() + time.monotonic()

    def end_all(self):
        for pid, *_ in processes(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def ranks_of(self):
        if not self.start["ranks"]:
            return [self.process.pid]
        return sorted(pid for pid, parent, name, _ in processes(self.process.pid) if parent == self.process.pid and name == "lockstep")

    def alive(self):
        return self.process.poll() is None

    def wait_for_instant(self):
        while self.fault["step"] >= 0 and self.alive() and last_step(self.run) < self.fault["step"]:
            time.sleep(0.004)
        time.sleep(self.fault["wait"])
        return self.alive()

    def disturb(self):
        if not self.wait_for_instant():
            return
        if self.kind.means == "beside":
            self.second()
            return
        name, *whom = self.kind.what.split()
        number = signal.SIGRTMIN + 1 if name == "EXIT" else signal.Signals["SIG" + name]
        ranks = self.ranks_of()
        if name == "EXIT" and last_step(self.run) == 0:
            return  # not before the shim knows the signal
        if whom == ["launcher"]:
            targets = [self.process.pid]
        elif whom == ["all"]:  # the launcher first: it would end the others by signals of its own
            targets = [self.process.pid] + [rank for rank in ranks if rank != self.process.pid]
        else:
            targets = [ranks[self.fault["rank"]]] if self.fault["rank"] < len(ranks) else []
        if not targets or not self.send(targets, number):
            return
        self.struck_at = time.monotonic()
        if name == "STOP" and whom:  # of a suspended machine for longer than a deadline
            time.sleep(DEADLINE_S + 2 if whom == ["all"] else self.fault["wait"] * 10)
            self.send(targets[::-1], signal.SIGCONT)

    @staticmethod
    def send(targets, number):
        """Whether all were there."""
        all_there = True
        for pid in targets:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                all_there = False
        return all_there

    def second(self):
        """Another run in the same directory, while the first one's ranks stand still: it would else end before."""
        ranks = self.ranks_of()
        stopped = self.send(ranks, signal.SIGSTOP)
        if not ranks or not stopped or last_step(self.run) == 0 or oracle.finished(self.run, self.start["to"]):
            self.send(ranks, signal.SIGCONT)  # it may not have the directory yet, or any more
            return
        words = self.place.words(self.plan | {"steps": self.start["to"]}, 0, self.run)
        end = subprocess.run(words, env=self.place.environment(False), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=PATIENCE_S)
        self.send(ranks, signal.SIGCONT)
        self.struck_at, self.beside_code = time.monotonic(), end.returncode
        self.beside_says = end.stderr + end.stdout

    # ---- What must hold when it has ended. ----
    def wrong(self):
        kind, found = self.kind, []
        what = f"{kind.name if kind else 'no fault'} on {self.start['ranks']} ranks"
        own = [line for line in self.output.splitlines() if line.startswith("lockstep: ")]
        struck = self.struck_at is not None
        allowed = {0} | (set(kind.codes) if struck and not kind.goes_on else set())
        if not self.in_time:
            found.append(f"{what}: still there after {self.allows} s")
        elif self.code not in allowed:
            found.append(f"{what}: exit code {self.code}, not one of {sorted(allowed)}")
        elif self.code not in (0, 75) and self.code <= 128 and (kind.cause is not kinds.LAUNCHER_SAYS or own):
            if len(own) != 1:
                found.append(f"{what}: {len(own)} lines of its own, not one")
            elif not re.search(kind.cause or "", own[0]):
                found.append(f"{what}: its line does not name the cause ({kind.cause}): {own[0]}")
        if self.beside_code is not None and (self.beside_code != 4 or " is in use by process " not in self.beside_says):
            found.append(f"{what}: the second one ends with code {self.beside_code}: {self.beside_says[-300:]}")
        return found


def resumed_step(output):
    found = re.search(r"resumed from .*: step (\d+)", output)
    return int(found.group(1)) if found else None


def run(plan, place, folder):
    os.makedirs(folder)
    reference = place.reference(plan)
    outcomes, wrong, log = [], [], []
    state = oracle.State()
    pending = None  # the outcome of a fault that ended its start, and the step it had come to
    target = os.path.join(folder, "run")
    last = {"ranks": plan["last"], "to": plan["steps"], "before": [], "fault": None}
    for i, start in enumerate(plan["starts"] + [last, last]):  # the second one, where a fault came behind the end
        if i == len(plan["starts"]) + 1 and oracle.finished(target, plan["steps"]):
            break
        for fault in start["before"]:
            kind = kinds.TABLE[fault["kind"]]
            outcome = Outcome(kind.name)
            outcomes.append(outcome)
            outcome.struck, bad = damage.do(target, fault, kind.what)
            log.append(f"--- {fault}: {outcome.struck} {bad}\n")
            if outcome.struck:
                outcome.ended = "went on"
                state.met(kind, bad)
        one = Start(place, plan, start, folder)
        one.go()
        log.append(f"--- start {i}: {start}: code {one.code}, {one.ended - one.began:.1f} s\n{one.output}")
        wrong += [f"start {i}: {text}" for text in one.wrong()]
        if pending:
            outcome, step = pending
            at = resumed_step(one.output)
            if "resumed from" in one.output or "epoch 1:" in one.output or one.code == 0:
                outcome.lost_steps = max(step - (at or 0), 0) if "is finished" not in one.output else 0
                pending = None
        if one.kind:
            outcome = Outcome(one.kind.name, one.struck_at is not None)
            outcomes.append(outcome)
            if outcome.struck:
                state.met(one.kind)
                outcome.ended = "went on" if one.code == 0 else f"code {one.code}"
                if one.code != 0:
                    outcome.detect_s = max(one.ended - one.struck_at, 0)
                    pending = (outcome, last_step(target))
        wrong += [f"after start {i}: {text}" for text in state.files(place.program, target)]
        if wrong:
            break
    else:
        if not oracle.finished(target, plan["steps"]):
            wrong.append("the run does not come to its end")
    if not wrong:
        wrong += oracle.compare(target, reference, state, place.program, place.environment(False), plan["report"])
    if not wrong:
        shutil.rmtree(folder)
    return Trial(outcomes, wrong, "".join(log))
