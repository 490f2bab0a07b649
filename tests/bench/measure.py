"""Running programs and knowing what they cost."""

import json
import os
import statistics
import subprocess
import threading
import time
from typing import NamedTuple


class BenchError(Exception):
    pass


class Cost(NamedTuple):
    wall_s: float
    cpu_s: float
    peak_bytes: int
    stdout: str
    stderr: str


def run(launch, folder, command, timeout_s, *, expect=0, stdout=subprocess.PIPE, cwd=None):
    """Runs the command to its end under launch.c."""
    process, cost_path = start(launch, folder, command, stdout, cwd)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise BenchError("%s: not done after %d s" % (_name(command), timeout_s)) from None
    finally:
        end(process)
    return cost_of(command, process, cost_path, expect, out or "", err)


def start(launch, folder, command, stdout, cwd=None):
    cost_path = os.path.join(folder, "cost.json")
    if os.path.exists(cost_path):
        os.unlink(cost_path)
    process = subprocess.Popen([launch, "-o", cost_path] + command, stdin=subprocess.DEVNULL,
                               stdout=stdout, stderr=subprocess.PIPE, cwd=cwd,
                               encoding="utf-8", errors="replace")
    return process, cost_path


def end(process):
    if process.poll() is None:
        process.kill()
        process.communicate()


def cost_of(command, process, cost_path, expect, out, err):
    if process.returncode != expect:
        raise BenchError("%s: exit status %d, not %d\n%s"
                         % (_name(command), process.returncode, expect, err[-2000:]))
    with open(cost_path) as file:
        cost = json.load(file)
    return Cost(cost["wall_s"], cost["user_s"] + cost["system_s"], cost["peak_bytes"], out, err)


def _name(command):
    return " ".join(os.path.basename(word) for word in command[:2])


class SlowReader(threading.Thread):
    """Reads a pipe at a steady pace and counts lines."""

    def __init__(self, file, bytes_per_s):
        super().__init__(daemon=True)
        self.file, self.bytes_per_s = file, bytes_per_s
        self.bytes = self.lines = 0

    def run(self):
        began = time.monotonic()
        while True:
            piece = os.read(self.file.fileno(), 65536)
            if not piece:
                return
            self.bytes += len(piece)
            self.lines += piece.count(b"\n")
            ahead_s = self.bytes / self.bytes_per_s - (time.monotonic() - began)
            if ahead_s > 0:
                time.sleep(ahead_s)


class Milestones(threading.Thread):
    """When a counter reached certain values, to about the time between two looks."""

    def __init__(self, count, wanted, interval_s=0.05):
        super().__init__(daemon=True)
        self.count, self.wanted, self.interval_s = count, wanted, interval_s
        self.seen = []          # (seconds, count)
        self.over = threading.Event()

    def run(self):
        base = self.count()
        while not self.over.wait(self.interval_s):
            # every look is a request, too
            self.seen.append((time.monotonic(), self.count() - base - len(self.seen) - 1))

    def times(self):
        """The time of each value, between the looks before and after it."""
        self.over.set()
        self.join()
        return [_interpolate(self.seen, value) for value in self.wanted]


def _interpolate(seen, value):
    for (t0, n0), (t1, n1) in zip(seen, seen[1:]):
        if n0 <= value <= n1 and n1 > n0:
            return t0 + (t1 - t0) * (value - n0) / (n1 - n0)
    return seen[-1][0] if seen else 0.0


def alternate(pairs, first, second):
    """Runs first, second, first, second and so on; both lists of results."""
    firsts, seconds = [], []
    for _ in range(pairs):
        firsts.append(first())
        seconds.append(second())
    return firsts, seconds


def median(values):
    return statistics.median(values)


def ratios(below, above, what):
    """`what` of each pair's second as a multiple of its first."""
    return [what(b) / what(a) for a, b in zip(below, above)]
