"""Runs with --state in several parts, each part ended where a test wants it, without any timing.

A part gets its IDs through a pipe that stays open: once the last of them was asked for, a signal
ends the waiting for more, and what was in flight is finished.  So it is known what a part has done.
"""

import gzip
import os
import signal
import subprocess

import runs

STATE = "run.state"
SINKS = ("-t", "csv:out/", "-t", "ndjson:" + runs.OUT)

# An undocumented column that appears late, oddities, a lead that is missing, one that fails.
IDS = (["tiny-0"] + ["lead-%d" % n for n in range(30)] + ["gone~missing", "bad~status=400"] +
       ["tiny-%d" % n for n in range(1, 40)] + ["newcode-1-a", "tiny-last"])
DONE = IDS[:40]
LEDGER = {"exported": len(IDS) - 2, "missing": 1, "failed": 1}


def lines(ids):
    return "".join("%s\n" % one for one in ids)


class Resumed:
    """One command, again and again, in the folder of `leadpipe`."""

    def __init__(self, leadpipe, sandbox, control, sinks=SINKS, provider="omni"):
        self.leadpipe, self.sandbox, self.control, self.folder = leadpipe, sandbox, control, leadpipe.folder
        self.sinks, self.provider = list(sinks), provider
        control.set(nonce="same")

    def words(self, *more, sinks=None, provider=None):
        """An option that `more` has takes the place of the usual one."""
        usual = [*(provider or self.sandbox.provider(self.provider)), "--state", STATE, *runs.command(out=None)]
        kept = [word for pair in zip(usual[::2], usual[1::2]) if pair[0] not in more for word in pair]
        return ["export", *kept,
                *(self.sinks if sinks is None else sinks), *more]

    def start(self, *more, **popen):
        popen.setdefault("env", self.sandbox.env)
        named = {name: popen.pop(name) for name in ("sinks", "provider") if name in popen}
        return self.leadpipe.start(*self.words(*more, **named), **popen)

    def part(self, ids, *more, signal_number=signal.SIGTERM, until=None, wait=None, **popen):
        """Does these IDs and is stopped.  `until`: the ID whose request is waited for."""
        before = self.control.attempts(until or ids[-1])
        process = self.start(*more, stdin=subprocess.PIPE, **popen)
        process.stdin.write(lines(ids).encode())
        process.stdin.flush()
        wait = wait or (lambda: self.control.attempts(until or ids[-1]) > before)
        runs.wait_until(lambda: wait() or process.poll() is not None, "%s is asked for" % (until or ids[-1]))
        process.send_signal(signal_number)
        run = self.ended(process)
        assert run.status == (128 + signal_number if signal_number != signal.SIGKILL else -signal.SIGKILL), run.done.stderr
        return run

    def waiting(self, ids):
        """A run that has asked for these, and waits for more."""
        before = self.control.attempts(ids[-1])
        process = self.start(stdin=subprocess.PIPE)
        process.stdin.write(lines(ids).encode())
        process.stdin.flush()
        runs.wait_until(lambda: self.control.attempts(ids[-1]) > before, "the last ID is asked for")
        return process

    def ended(self, process, timeout=60):
        if process.stdin:
            process.stdin.close()
        stdout, stderr = process.stdout.read(), process.stderr.read().decode()
        status = process.wait(timeout)
        run = runs.Run(self.folder, subprocess.CompletedProcess(process.args, status, stdout, stderr))
        return run if status < 0 else runs.check(run, resumes=True)

    def resume(self, ids, *more, status=0, **popen):
        """The command with all IDs, to its end."""
        named = {name: popen.pop(name) for name in ("sinks", "provider") if name in popen}
        popen.setdefault("env", self.sandbox.env)
        if ids is not None:
            popen["input"] = ids if isinstance(ids, (str, bytes)) else lines(ids)
        done = self.leadpipe(*self.words(*more, **named), **popen)
        run = runs.check(runs.Run(self.folder, done), resumes=True)
        assert run.status == status, run.done.stderr
        return run

    def outputs(self):
        """What a run that came to its end left for its user, compressed files by what is in them."""
        def content(data):
            return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        return {name: content(data) for name, data in runs.listing(self.folder).items() if is_output(name)}


def is_output(name):
    return name == runs.OUT or name.startswith("out/") or name.endswith(".gz") and not name.startswith("ids")


def never_interrupted(leadpipe, sandbox, control, folder, ids, *more, sinks=SINKS, provider="omni", status=0):
    """The outputs of the same command in one go, in a folder of its own; `leadpipe` is given back as it was."""
    folder.mkdir()
    kept, leadpipe.folder = leadpipe.folder, folder
    try:
        alone = Resumed(leadpipe, sandbox, control, sinks, provider)
        run = alone.resume(ids, *more, status=status)
        return alone.outputs(), run
    finally:
        leadpipe.folder = kept


def assert_whole(resumed, run, one_go):
    """Nothing shows that it was interrupted, but for the times."""
    outputs, alone = one_go
    mine = {name: data for name, data in resumed.outputs().items() if not name.startswith("alone/")}
    assert mine == outputs
    assert (run.ledger, run.summary["ids"]) == (alone.ledger, alone.summary["ids"])
    for name in ("ids", "ledger", "exit_status"):
        assert run.manifest[name] == alone.manifest[name]
    assert run.manifest["requests"]["statuses"] == alone.manifest["requests"]["statuses"]
    assert run.manifest["requests"]["total"] == alone.manifest["requests"]["total"]
    files = [[(file["path"], file["rows"], file["sha256"], file["columns"]) for file in sink["files"]]
             for sink in run.manifest["sinks"]]
    assert files == [[(file["path"], file["rows"], file["sha256"], file["columns"]) for file in sink["files"]]
                     for sink in alone.manifest["sinks"]]
    assert [(row["id"], row["stage"], row["error"]) for row in run.failed] == \
           [(row["id"], row["stage"], row["error"]) for row in alone.failed]
    assert_nothing_beside(resumed.folder)


def assert_nothing_beside(folder):
    assert [name for name in os.listdir(folder) if name.startswith(STATE)] == [STATE]
    assert runs.temporaries(folder) == []
