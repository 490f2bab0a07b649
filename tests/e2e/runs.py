"""One export with everything that it leaves behind, checked against itself.

export(...) runs the program with a failed list, a manifest and messages as JSON, and returns a Run.
Whatever a test is about, its books must balance: the outcomes add up to the unique IDs, and
summary, manifest, failed list and output agree.  No temporary file may be left.
"""

import json
import os

FAILED = "failed.ndjson"
MISSING = "missing.ndjson"
MANIFEST = "manifest.json"
OUT = "out.ndjson"
TEMPORARY = ".leadpipe-"


class Run:
    def __init__(self, folder, done):
        self.folder, self.done, self.status = folder, done, done.returncode
        self.messages = [json.loads(line) for line in done.stderr.splitlines()]
        self.summary = self.messages[-1] if self.messages and self.messages[-1]["subject"] == "summary" else None
        self.manifest = json_file(folder / MANIFEST)
        self.failed = json_lines(folder / FAILED)
        self.missing = json_lines(folder / MISSING)
        self.rows = json_lines(folder / OUT)

    @property
    def ledger(self):
        return self.summary["ledger"]

    @property
    def exported(self):
        return [row["lead_id"] for row in self.rows or []]

    def errors(self):
        return [message["message"] for message in self.messages if message["level"] == "error"]

    def outcomes(self):
        """The ledger without its zeros: short to compare with."""
        return {name: n for name, n in self.ledger.items() if n}


def forget_lists(folder):
    """What a stopped run reported: so that a test sees that the next one, which is refused, reports nothing."""
    for name in (FAILED, MISSING, MANIFEST):
        (folder / name).unlink(missing_ok=True)


def json_file(path):
    return json.loads(path.read_bytes()) if path.exists() else None


def json_lines(path):
    """The objects of an NDJSON file; None without a file.  Strict: UTF-8, every line ended."""
    if not path.exists():
        return None
    text = path.read_bytes().decode("utf-8")
    assert text == "" or text.endswith("\n"), text[-200:]
    return [json.loads(line) for line in text.split("\n")[:-1]]  # splitlines() splits at U+2028, too


def temporaries(folder):
    return sorted(str(path) for path in folder.rglob("*") if TEMPORARY in path.name)


def id_words(ids):
    return [word for one in ids for word in ("--id", one)]


def command(*more, out=OUT, failed=FAILED, manifest=MANIFEST):
    """The arguments of export() behind the provider's."""
    words = ["--failed", failed, "--missing", MISSING, "--manifest", manifest, "--log-format", "json", *more]
    return words + (["-t", "ndjson:" + out] if out else [])


def export(leadpipe, sandbox, *more, ids=None, provider="omni", base_url=None, env=None, resumes=False, **popen):
    words = sandbox.provider(provider)
    if base_url:
        words[words.index("--base-url") + 1] = base_url
    forget_lists(leadpipe.folder)
    (leadpipe.folder / OUT).unlink(missing_ok=True)
    done = leadpipe("export", *words, *command(*more), *id_words(ids or []), env=env or sandbox.env, **popen)
    return check(Run(leadpipe.folder, done), resumes)


def check(run, resumes=False):
    """Fails where the books do not balance; returns the run.  One with a state that `resumes` later
    leaves the beginnings of its files, until it comes to its end."""
    assert temporaries(run.folder) == [] or (resumes and run.status not in (0, 3))
    if run.status == 2:
        left = (run.summary, run.rows, run.manifest, run.failed, run.missing)
        assert left == (None,) * 5, run.done
        return run
    assert run.summary, run.done.stderr
    ids, ledger = run.summary["ids"], run.summary["ledger"]
    assert run.summary["exit_status"] == run.status
    assert ids["read"] == ids["unique"] + ids["duplicates"], run.summary
    assert ids["unique"] == sum(ledger.values()), run.summary
    check_list(run, run.failed, ledger["failed"])
    check_list(run, run.missing, ledger["missing"])
    check_manifest(run, ids, ledger)
    if run.status in (0, 3):
        check_ended(run, ids, ledger)
    else:
        assert run.rows is None and not run.manifest["published"], "a run that stopped publishes nothing"
    return run


def check_list(run, rows, count):
    """A run that stopped leaves the earlier list where its own would be empty."""
    assert len(rows or []) == count, rows
    assert rows is not None or run.status not in (0, 3), "a run that came to its end writes its lists"


def check_manifest(run, ids, ledger):
    assert (run.manifest["ids"], run.manifest["ledger"]) == (ids, ledger)
    assert (run.manifest["exit_status"], run.manifest["published"]) == (run.status, run.summary["published"])
    assert run.manifest["requests"]["total"] == run.summary["requests"]["total"]
    statuses = sum(run.manifest["requests"]["statuses"].values())
    assert statuses <= run.manifest["requests"]["total"], "tries without an answer have no status"
    if not run.manifest["published"]:
        assert not any(sink.get("files") for sink in run.manifest["sinks"])


def check_ended(run, ids, ledger):
    assert ledger["pending"] == 0, ledger
    if not run.manifest["published"]:
        assert run.status == 3 and run.rows is None, "outputs that are withheld are not there"
    elif run.rows is not None:
        # What another sink refused is in a file all the same.
        refused = sum(row["stage"] == "sink" for row in run.failed)
        assert ledger["exported"] <= len(run.rows) <= ledger["exported"] + refused, (run.exported, ledger)
    # 3 means: something failed, or outputs are withheld, or --expect was not met (which says so).
    wrong = bool(ledger["failed"] or not run.manifest["published"] or
                 any("unique IDs were expected" in text for text in run.errors()))
    assert run.status == (3 if wrong else 0), run.done.stderr


def listing(folder):
    """Every file below with its content: what must not have changed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def wait_until(condition, what, tries=2000):
    """Waits for something to happen, without proving anything by the time that it takes."""
    import time
    for _ in range(tries):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("never happened: " + what)


def is_running(process):
    return process.poll() is None and os.path.exists("/proc/%d" % process.pid)
