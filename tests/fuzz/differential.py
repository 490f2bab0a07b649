#!/usr/bin/env python3
"""Payloads bent at random through the real program, all of its outputs compared with the reference.

Each round is one run: a few hundred payloads of mutate.py from a server of this script's, into every
sink, with options that chance chooses. tests/reference/check.py compares every output with what it
makes of the payloads itself; ledger and failed list must say what the reference says of each. Rounds
continue until N are done or SECONDS have passed. The folder of a round in which something differs is
kept. Exit status 0: nothing differs; 1: something does; 2: wrong usage.
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from mutate import Mutator

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from http1 import Connection, response  # noqa: E402 (of the sandbox, where mutate looks too)
from reference.documented import TABLES  # noqa: E402
from reference.walk import classify  # noqa: E402

KEYS = {"omni": "OMNI_API_KEY", "convocore": "CONVOCORE_API_KEY"}
RECORDS = [(kind, layout) for kind in ("ndjson", "msgpack") for layout in ("lead", "rows", "raw")]
HOOKS = {"single": "webhook", "batch": "webhook,batch=7", "raw": "webhook,layout=raw,batch=3"}
UNDECIDED = "TooManyNamings"  # more clashes in one lead than the reference can try out
ODD_IDS = ("plain", "a b", "a/b?c=d#e", "=1+1", "é,ü", "\"q\"", "%2F", "+1", "日本", "a'b;c", "\\", "x" * 100)


# --- a provider and a receiver ----------------------------------------------------------------------

class Server:
    """Answers leads from `payloads` and takes deliveries into `bodies`."""

    def __init__(self):
        self.payloads, self.bodies = {}, collections.defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self._ready.wait()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        made = self._loop.create_server(lambda: Connection(self), "127.0.0.1", 0)
        listener = self._loop.run_until_complete(made)
        self.url = "http://127.0.0.1:%d" % listener.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    def answer(self, connection, request):
        name = urllib.parse.unquote(request.path.rsplit("/", 1)[1])
        if request.method == "POST":
            self.bodies[name].append(request.body)
            connection.send(response(200))
        elif name in self.payloads:
            connection.send(response(200, self.payloads[name]))
        else:
            connection.send(response(404, b"{}"))

    def connected(self, connection):
        pass

    def disconnected(self, connection):
        pass


# --- one round --------------------------------------------------------------------------------------

class Different(Exception):
    pass


class Round:
    def __init__(self, args, server, folder, seed):
        self.args, self.server, self.folder = args, server, folder
        self.chance = random.Random(seed)
        self.provider = self.chance.choice(sorted(TABLES))
        self.payloads = self._payloads(Mutator(seed))
        self.outputs = []  # check.py's words, for all outputs of one dialect
        self.common = ["--provider", self.provider, "--ids", "ids.txt", "--payloads", "payloads"]
        self.outcomes = collections.Counter()
        self.cells = 0

    def _payloads(self, mutator):
        made = {}
        for number in range(self.args.leads):
            name = "%s-%d" % (ODD_IDS[number % len(ODD_IDS)], number)
            made[name] = mutator.payload(self.provider, number)
        return made

    def run(self):
        (self.folder / "payloads").mkdir()
        for name, body in self.payloads.items():
            (self.folder / "payloads" / (urllib.parse.quote(name, safe="") + ".json")).write_bytes(body)
        (self.folder / "ids.txt").write_text("".join(name + "\n" for name in self.payloads))
        self.server.payloads = self.payloads
        self.server.bodies.clear()
        done = self._program()
        self._check_ledger(done)
        for name in HOOKS:
            with open(self.folder / (name + ".bodies"), "w") as file:
                file.writelines(json.dumps({"body_base64": _base64(body)}) + "\n" for body in self.server.bodies[name])
        return all([self._same(words) for words in self.outputs])

    # --- the program

    def _words(self):
        chance = self.chance
        urls, order = chance.choice(("strip", "keep", "drop")), chance.choice(("input", "any"))
        self.common += ["--signed-urls", urls, "--order", order]
        words = ["export", "-p", self.provider, "--base-url", self.server.url, "--id-format", "lines", "-q",
                 "--attempts", "1", "--signed-urls", urls, "--order", order, "-j", chance.choice(("1", "8", "auto")),
                 "--failed", "failed.ndjson", "--manifest", "manifest.json"]
        if self.provider == "convocore":
            words += ["--param", "agentId=agent-1"]
            self.common += ["--agent-id", "agent-1"]
        for sink in self._sinks():
            words += ["-t", sink]
        return words + ["ids.txt"]

    def _sinks(self):
        chance = self.chance
        default = ["--csv", "csv"]
        yield "csv:csv/"
        for kind, layout in RECORDS:
            name = "%s.%s" % (layout, kind)
            default += ["--" + kind + ("" if layout == "lead" else "-" + layout), name]
            yield "%s,layout=%s,gzip=%d:%s" % (kind, layout, chance.choice((0, 1, 9)), name)
        for kind in ("ndjson", "msgpack"):
            default += ["--" + kind + "-tables", kind + "-tables"]
            yield "%s,gzip=%d:%s-tables/" % (kind, chance.choice((0, 1, 9)), kind)
        for name, kind in HOOKS.items():
            default += ["--webhook-raw" if name == "raw" else "--webhook", name + ".bodies"]
            yield "%s:%s/hooks/%s" % (kind, self.server.url, name)
        self.outputs = [default]
        yield self._dialect("dialect/", None)
        table = chance.choice(list(TABLES[self.provider]))
        yield self._dialect("one.csv", table)

    def _dialect(self, target, table):
        chance = self.chance
        words, options = ["--csv", target.rstrip("/")], []
        for option, values in (("delimiter", ("comma", "tab", "semicolon")), ("eol", ("lf", "crlf"))):
            value = chance.choice(values)
            words += ["--csv-" + option, value]
            options.append("%s=%s" % (option, value))
        for option in ("bom", "excel-safe"):
            if chance.random() < 0.5:
                words.append("--csv-" + option)
                options.append(option)
        if table:
            words += ["--csv-table", table]
            options.append("table=" + table)
        self.outputs.append(words)
        return "csv,%s:%s" % (",".join(options), target)

    def _program(self):
        env = dict(os.environ, **{KEYS[self.provider]: "key"}, TMPDIR=str(self.folder))
        env.setdefault("ASAN_OPTIONS", "exitcode=86")
        words = [self.args.program] + self._words()
        (self.folder / "command.json").write_text(json.dumps(words))
        done = subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, timeout=600)
        if done.returncode not in (0, 3):
            raise Different("exit status %d: %s" % (done.returncode, done.stderr[-4000:]))
        return done

    # --- what came of it

    def _check_ledger(self, done):
        wanted = {name: classify(self.provider, body) for name, body in self.payloads.items()}
        failed = {name: said[1] for name, said in wanted.items() if said != "exported"}
        lines = (self.folder / "failed.ndjson").read_bytes().decode("utf-8").split("\n")[:-1]
        found = {line["id"]: line["stage"] for line in map(json.loads, lines)}
        if found != failed or len(found) != len(lines):
            different = {name: (failed.get(name), found.get(name)) for name in failed.keys() | found.keys()
                         if failed.get(name) != found.get(name)}
            raise Different("failed, by the reference and by the program: %r" % different)
        ledger = json.loads((self.folder / "manifest.json").read_text())["ledger"]
        if (ledger["exported"], ledger["failed"]) != (len(wanted) - len(failed), len(failed)):
            raise Different("the ledger: %r" % ledger)
        self.outcomes.update(stage or "exported" for stage in map(failed.get, wanted))
        if done.returncode != (3 if failed else 0):
            raise Different("exit status %d" % done.returncode)

    def _same(self, words):
        """False: the reference does not know."""
        command = [sys.executable, str(TESTS / "reference" / "check.py")] + self.common + words
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if UNDECIDED in done.stderr:
            return False
        if done.returncode != 0:
            raise Different("%s\n%s%s" % (" ".join(words), done.stdout[-4000:], done.stderr[-4000:]))
        self.cells += int(re.search(r"with (\d+) cells", done.stdout).group(1))
        return True


def _base64(body):
    import base64
    return base64.b64encode(body).decode()


# --- all of them ------------------------------------------------------------------------------------

def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("program", help="leadpipe, as built")
    add("--rounds", type=int, default=10**9, metavar="N", help="at the most")
    add("--seconds", type=float, default=60, help="no round begins after them")
    add("--seed", type=int, help="of the first round, the next one counts on; else by the clock")
    add("--leads", type=int, default=150, metavar="N", help="payloads in a round")
    add("--keep", metavar="DIR", default=".", help="where the folder of a round that differs goes")
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    if not os.access(args.program, os.X_OK):
        parser.error("%s: is no program" % args.program)
    return args


def play(args, server, seed, sums):
    above = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="leadpipe-differential-", dir=above))
    try:
        one = Round(args, server, folder, seed)
        sums["rounds"] += 1
        sums["undecided rounds"] += not one.run()
        sums["cells compared"] += one.cells
        sums.update(one.outcomes)
    except (Different, subprocess.TimeoutExpired) as error:
        kept = pathlib.Path(args.keep).resolve() / ("differential-%d" % seed)
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        raise Different("seed %d, kept as %s: %s" % (seed, kept, error)) from None
    finally:
        shutil.rmtree(folder)


def main():
    args = options()
    server, begun = Server(), time.monotonic()
    seed = int(time.time()) if args.seed is None else args.seed
    sums = collections.Counter()
    while sums["rounds"] < args.rounds and (not sums or time.monotonic() - begun < args.seconds):
        try:
            play(args, server, seed + sums["rounds"], sums)
        except Different as error:
            print(error)
            return 1
    print("seeds from %d on, %d s; %s" % (seed, time.monotonic() - begun,
                                         ", ".join("%s: %d" % pair for pair in sums.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
