#!/usr/bin/env python3
"""Kills exports again and again, resumes them, and compares what they leave with an uninterrupted run.

    crash.py RUNS [--leads N] [--seed N] [--kills N] [--signal KILL|TERM] [--power-cut] [--all] [--bin PATH]

README.md beside this file says what is checked.  One line a run, a summary, exit status 1 with what
differs; the folder of a run that failed is kept.
"""

import argparse
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import books  # noqa: E402
import conftest  # noqa: E402
import kills  # noqa: E402
import powercut  # noqa: E402
import workload  # noqa: E402
from books import Difference, expect  # noqa: E402

BATCHES = (1, 7, 50)
INPUTS = ("file", "gzip", "stdin")
PAGES = 40  # of the provider's list, at the most
LEG_TIMEOUT_S = 300


def refuses(batch):
    """With larger batches others would fail with the unwanted one, and which ones depends on the kills."""
    return batch == 1


def beside(folder, name):
    """What belongs to a run, where no power cut reaches it."""
    return folder.with_name("%s-%s" % (folder.name, name))


def require(*paths):
    """The dynamic linker only warns of a library that it cannot preload: nothing would be killed or lost, and all be well."""
    for path in paths:
        if not path.is_file():
            print("%s: is missing; it is built beside the program (cmake --build, ./build.sh test)" % path, file=sys.stderr)
            raise SystemExit(2)


class Rig:
    """A server, a program, and folders for runs."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.library = powercut.library(chosen.bin.parent)
        self.binary = chosen.bin.parent / "faults" / "leadpipe-eager" if chosen.eager else chosen.bin
        require(self.binary, self.library)
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="leadpipe-crash-", dir=chosen.folder))
        self.hooks = self.base / "hooks"
        self.sandbox = conftest.Sandbox("--hooks-dir", str(self.hooks), "--die-with-parent")
        self.control = conftest.Control(self.sandbox.url)
        self.references = {}

    def close(self):
        self.sandbox.close()
        for path in list(self.base.iterdir()):
            if path == self.hooks or path.name.startswith("reference"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not any(self.base.iterdir()):
            self.base.rmdir()

    def command(self, batch, form, changed_only=None):
        hook = self.sandbox.hook("crash", refuse=workload.UNWANTED if refuses(batch) else "@never@", fail="every:211")
        words = [str(self.binary), "export", *self.sandbox.provider(), "-t", "csv:out/", "-t", "ndjson:leads.ndjson",
                 "-t", "msgpack:leads.msgpack.gz", "-t", "csv,gzip=1:leads.csv.gz",
                 "--attempts", "3", "-j", "32", "--log-format", "json", "--failed", books.FAILED, "--missing", books.MISSING,
                 "--manifest", books.MANIFEST]
        if self.chosen.order == "input":  # in another order they have other bytes, and that is all that is compared
            words += ["-t", "parquet:pq/", "-t", "parquet,row-group=40,types=text:leads.parquet"]
        if not self.chosen.without_webhook:
            words += ["-t", "webhook,batch=%d,concurrency=8:%s" % (batch, hook)]
        if not self.chosen.without_state:
            words += ["--state", books.STATE]
        if self.chosen.changed_only if changed_only is None else changed_only:
            words += ["--changed-only"]
        if self.chosen.order == "any":
            words += ["--order", "any"]
        if self.chosen.rate:
            words += ["--rate", self.chosen.rate]
        if self.chosen.all:
            return words + ["--all"]
        return words + {"file": ["ids.txt"], "gzip": ["ids.txt.gz"], "stdin": ["-"]}[form]

    def folder(self, name, batch, form):
        """Where a run can begin, beside what an earlier one left."""
        made = self.base / name
        made.mkdir()
        workload.write(made, self.chosen.leads)
        self.forget()
        if self.chosen.changed_only:
            self.export_all(made, batch, form)
            self.forget()
            self.control.set(revision=workload.revisions(self.chosen.leads))
        for earlier in books.EARLIER_FILES:
            (made / earlier).parent.mkdir(exist_ok=True)
            (made / earlier).write_bytes(books.EARLIER)
        return made

    def export_all(self, folder, batch, form):
        """A complete run, of which only the state stays."""
        leg = Leg(self, folder, self.command(batch, form, changed_only=False), None, beside(folder, "leg00.err"))
        expect(leg.status in (0, 3), "the run before ended with %d", leg.status)
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif not books.is_state(path.name) and not path.name.startswith("ids.txt"):
                path.unlink()

    def forget(self):
        """The server has seen nothing yet."""
        self.control.reset()
        self.control.set(nonce="same")
        if self.chosen.all:
            leads = workload.listed(self.chosen.leads)
            self.control.lists(leads={"": leads}, page_size=max(10, len(leads) // PAGES))
        shutil.rmtree(self.hooks)
        self.hooks.mkdir()

    def environment(self, folder, kill):
        env = conftest.clean_environment(self.sandbox.env)
        if self.chosen.power_cut and powercut.journal_of(folder).exists():
            env.update(powercut.environment(folder, self.library))
        elif kill and kill.rules:
            env.update(LD_PRELOAD=str(self.library), FAULTFS_FOLDER=str(folder))
        if kill and kill.rules:
            env.update(FAULTFS_RULES=kill.rules, FAULTFS_LOG=str(beside(folder, "faults.log")))
        return env

    def seen(self):
        """What the server has seen: how often each lead was fetched, and how many deliveries."""
        summary = self.control.ask("hooks").get("crash")
        return self.control.stats(ids="all")["by_id"], summary["received"] if summary else 0

    def deliveries(self, most=None):
        self.control.ask("hooks/crash/ids", limit=0)  # writes out what is buffered
        return books.Deliveries(self.hooks / "crash.ndjson", most)


    def left(self, folder, status):
        return books.Left(folder, status, in_order=self.chosen.order == "input")

    def check_deliveries(self, left, batch):
        wanted = set() if self.chosen.without_webhook else books.wanted_leads(left, refuses(batch))
        books.check_deliveries(left, wanted)


class Leg:
    """One process, from its start to its end or its kill."""

    def __init__(self, rig, folder, command, kill, errors):
        self.started = time.monotonic()
        self.handled = True  # when the signal was sent, the program would have heard it
        with open(errors, "wb") as stderr, open(folder / "ids.txt", "rb") as stdin:
            self.process = subprocess.Popen(command, cwd=folder, env=rig.environment(folder, kill), stdin=stdin,
                                            stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            if kill and kill.after_s is not None:
                self.end_after(kill)
            self.status = self.process.wait(LEG_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Difference("it did not end within %d s" % LEG_TIMEOUT_S) from None
        self.seconds = time.monotonic() - self.started

    def end_after(self, kill):
        try:
            self.process.wait(kill.after_s)
            return
        except subprocess.TimeoutExpired:
            self.handled = self.catches(kill.number)
            self.process.send_signal(kill.number)
        if kill.again_s is not None:
            time.sleep(kill.again_s)
            self.process.send_signal(kill.number)  # nothing where it has ended

    def catches(self, number):
        try:
            text = pathlib.Path("/proc/%d/status" % self.process.pid).read_text()
        except OSError:
            return True
        caught = [int(line.split()[1], 16) for line in text.splitlines() if line.startswith("SigCgt:")]
        return bool(caught and caught[0] & 1 << (number - 1))


class Story:
    """One run: its kills, and what there is to report of it."""

    def __init__(self, rig, number, reference, plan):
        self.rig, self.number, self.reference, self.plan = rig, number, reference, plan
        self.batch, self.form = reference.batch, reference.form
        self.folder = rig.folder("run%04d" % number, self.batch, self.form)
        self.command = rig.command(self.batch, self.form)
        self.kills, self.legs = [], 0
        self.met = False  # a rule hit
        self.over = None  # run ID, and what the server had seen, when a kill met a run whose manifest was there

    def run(self):
        started = time.monotonic()
        if self.rig.chosen.power_cut:
            powercut.begin(self.folder)
        status = None
        while status is None:
            status = self.leg()
        self.left = self.rig.left(self.folder, status)
        self.fetches, received = self.rig.seen()
        new_run = self.over and self.over[0] != self.left.manifest["run_id"]
        if new_run:  # it was finished when it was killed, so that the same command was another run
            _, self.fetches, received = self.over
        self.left.deliveries = self.rig.deliveries(received)
        books.check_alone(self.left)
        if not (new_run and self.rig.chosen.changed_only):  # that has nothing to send
            books.check_same(self.left, self.reference)
            self.rig.check_deliveries(self.left, self.batch)
        self.check_server()
        if self.rig.chosen.changed_only:
            self.check_accepted()
        self.seconds = time.monotonic() - started

    def check_accepted(self):
        """All that was sent counts as accepted: now nothing has changed."""
        self.legs += 1
        leg = Leg(self.rig, self.folder, self.command, None, self.errors())
        ledger, before = books.read_json(self.folder / books.MANIFEST)["ledger"], self.reference.manifest["ledger"]
        expect(leg.status == 3 and ledger["exported"] == 0 and ledger["failed"] == before["failed"] and
               ledger["unchanged"] == before["exported"] + before["unchanged"], "the next run: %s", ledger)

    def leg(self):
        """The exit status of a leg that came to the run's end; None: it is to be resumed."""
        kill = self.plan[len(self.kills)] if len(self.kills) < len(self.plan) else None
        self.legs += 1
        leg = Leg(self.rig, self.folder, self.command, kill, self.errors())
        log = beside(self.folder, "faults.log")
        self.met = self.met or (log.exists() and log.stat().st_size > 0)
        if leg.status in (0, 3):
            return leg.status
        self.kills.append(kill)
        self.check_end(leg)
        if self.rig.chosen.power_cut:
            powercut.apply(self.folder, kill.variant, "%d/%d" % (self.number, self.legs))
        stopped = kill.stops and leg.handled and not self.over
        books.check_unpublished(self.folder, self.reference, stopped)
        if self.rig.chosen.without_state:  # there is nothing to resume from, and nothing may be in the way
            self.rig.forget()
        elif not self.over:
            reported = books.read_json(self.folder / books.MANIFEST)
            self.over = (reported["run_id"], *self.rig.seen()) if reported and reported["published"] else None
        return None

    def check_end(self, leg):
        """A leg that did not come to the run's end: it was killed, or stopped, or reported what failed."""
        kill, words = self.kills[-1], self.errors().read_text(errors="replace")
        reported = "leg %d ended with status %d: %s" % (self.legs, leg.status, words[-2000:])
        expect(kill, reported)
        if kill.fails:
            expect(leg.status in (1, 2) and '"level":"error"' in words, reported)
        elif leg.status != -signal.SIGKILL:
            expect(leg.status == 128 + signal.SIGTERM or (leg.status == -signal.SIGTERM and not leg.handled), reported)

    def errors(self):
        return beside(self.folder, "leg%02d.err" % self.legs)

    def forget(self):
        powercut.end(self.folder)
        shutil.rmtree(self.folder)
        for path in self.folder.parent.glob(self.folder.name + "-*"):
            path.unlink()

    def check_server(self):
        counts, reported = self.fetches, self.left.deliveries
        self.again = sum(max(0, n - (workload.fetches_of(lead) or n)) for lead, n in counts.items())
        if self.rig.chosen.signal == "TERM":
            twice = sorted(lead for lead, n in counts.items() if n > (workload.fetches_of(lead) or n))
            expect(not twice, "%d leads were fetched again after a clean stop: %s", len(twice),
                   [(lead, counts[lead]) for lead in twice[:5]])
            expect(reported.repeats == 0, "%d deliveries were repeated after a clean stop", reported.repeats)
        if self.batch == 1:
            other = [lead for lead, names in reported.ids_of.items() if names != self.reference.deliveries.ids_of[lead]]
            expect(not other, "other webhook-ids than in an uninterrupted run: %s", sorted(other)[:5])

    def line(self):
        return "%4d  batch %2d  %-5s  %2d kills  %6.1f s  fetched again %6d  delivered again %5d" % (
            self.number, self.batch, self.form, len(self.kills), self.seconds, self.again, self.left.deliveries.repeats)


def reference_of(rig, batch, form):
    """The uninterrupted run; made once for each command."""
    form = "list" if rig.chosen.all else form
    if (batch, form) not in rig.references:
        folder = rig.folder("reference-%d-%s" % (batch, form), batch, form)
        errors = beside(folder, "leg00.err")
        if rig.chosen.power_cut:
            powercut.begin(folder)
        leg = Leg(rig, folder, rig.command(batch, form), None, errors)
        powercut.end(folder)
        expect(leg.status in (0, 3), "the uninterrupted run: %s", errors.read_text()[-2000:])
        errors.unlink()
        left = rig.left(folder, leg.status)
        left.deliveries = rig.deliveries()
        books.check_alone(left)
        rig.check_deliveries(left, batch)
        n = rig.chosen.leads
        expect(not rig.chosen.all or left.manifest["ids"] == {"read": n, "unique": n, "duplicates": 0},
               "the uninterrupted run: not the %d leads of the list: %s", n, left.manifest["ids"])
        expect(left.deliveries.repeats == 0, "the uninterrupted run delivered %d twice", left.deliveries.repeats)
        left.seconds, left.batch, left.form = leg.seconds, batch, form
        rig.references[batch, form] = left
        print("reference: batch %d, %s: %.1f s, %s" % (batch, form, leg.seconds, left.manifest["ledger"]), flush=True)
    return rig.references[batch, form]


def random_story(rig, number):
    dice = random.Random("%d/%d" % (rig.chosen.seed, number))
    form = dice.choice(INPUTS)
    reference = reference_of(rig, BATCHES[number % len(BATCHES)], form)
    plan = kills.random_kills(dice, rig.chosen.kills, reference.seconds * 1.1, rig.chosen.signal, rig.chosen.power_cut)
    return Story(rig, number, reference, plan)


def run_story(story):
    """Whether the run was as it should be; a line about it."""
    try:
        story.run()
    except Difference as error:
        print("%4d  FAILED after %s: %s" % (story.number, [str(kill) for kill in story.kills], error))
        print("      kept in %s" % story.folder, flush=True)
        return False
    print(story.line(), flush=True)
    if story.rig.chosen.verbose:
        print("      " + "; ".join(map(str, story.kills)), flush=True)
    story.forget()
    return True


def summary(good, failed, seconds):
    print("\n%d runs, %d differ, %d kills, %.0f s" % (
        len(good) + failed, failed, sum(len(story.kills) for story in good), seconds))
    print("batch   runs  kills  fetched again  deliveries  delivered again")
    for batch in BATCHES:
        mine = [story for story in good if story.batch == batch]
        print("%5d  %5d  %5d  %13d  %10d  %15d" % (
            batch, len(mine), sum(len(story.kills) for story in mine), sum(story.again for story in mine),
            sum(story.left.deliveries.received for story in mine), sum(story.left.deliveries.repeats for story in mine)))


def add_options(parser):
    """Those of every rig that kills."""
    parser.add_argument("--leads", type=int, default=20000)
    parser.add_argument("--bin", default=conftest.BINARY, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--eager", action="store_true", help="its brother with a checkpoint every 20 leads")
    parser.add_argument("--folder", help="where to work; a memory disk is faster, such as /dev/shm")
    parser.add_argument("--all", action="store_true", help="leads of the provider's list, which is a part of the run")
    parser.add_argument("--power-cut", action="store_true", help="what was not synced is lost, see powercut.py")
    parser.add_argument("--verbose", action="store_true", help="report when each run was killed")
    parser.add_argument("--without-state", action="store_true", help="each leg begins anew: tries the rig itself")
    parser.add_argument("--without-webhook", action="store_true", help="files only")
    parser.set_defaults(signal="KILL", rate=None, order="input", changed_only=False)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Kills exports, resumes them, compares what they leave.")
    parser.add_argument("runs", type=int)
    add_options(parser)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10, help="at most so many a run")
    parser.add_argument("--first", type=int, default=0, help="the number of the first run, to repeat one")
    parser.add_argument("--signal", choices=("KILL", "TERM", "MIXED"))
    parser.add_argument("--order", choices=("input", "any"))
    parser.add_argument("--changed-only", action="store_true", help="runs of what changed since a complete one")
    parser.add_argument("--rate", help="requests a second, for runs that last longer")
    chosen = parser.parse_args(arguments)
    if chosen.power_cut and chosen.signal != "KILL":
        parser.error("a power cut kills")
    if chosen.changed_only and chosen.without_state:
        parser.error("what changed is known by the state")
    return chosen


def tell_all(rig, stories):
    """Tells them one after another; the exit status."""
    started, good, failed = time.monotonic(), [], 0
    try:
        for story in stories:
            if run_story(story):
                good.append(story)
            else:
                failed += 1
    finally:
        rig.close()
    summary(good, failed, time.monotonic() - started)
    return 1 if failed else 0


def main(arguments=None):
    chosen = parse_arguments(arguments)
    rig = Rig(chosen)
    return tell_all(rig, (random_story(rig, number) for number in range(chosen.first, chosen.first + chosen.runs)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Difference as error:
        sys.exit("crash: %s" % error)
