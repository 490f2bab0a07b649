"""Bad days: what goes wrong around an export while it runs, and how it must come through.

Each day is a function that makes it happen to the real program and checks the end: outcomes that add
up (runs.check), the exit status, and what must not be lost.  tests/e2e/test_bad_days.py runs them all;
table.py prints what became of each.  A day knows how far the export is because it gives it its IDs
through a pipe: the next ones come when the weather has changed.
"""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import runs  # noqa: E402
from conftest import BINARY, SANITIZER, SLOWNESS, Control, Leadpipe, Sandbox  # noqa: E402
from outputs import lead_ids_of  # noqa: E402

STATE = "run.state"
HOOK = "crm"
N = 300
BEFORE = 100  # of them are done when the weather changes
AT_ONCE = 64  # requests, at most: what is in flight or about to be when the provider goes
UNWELL = BINARY.parent / "faults" / "unwell.so"

DAYS = []


class Day:
    def __init__(self, fault, happen, slow, needs):
        self.fault, self.happen, self.slow, self.needs = fault, happen, slow, needs
        self.name = happen.__name__

    def missing(self):
        """What is needed and not there; None: it can be."""
        if self.needs == "unwell" and (not UNWELL.exists() or SANITIZER):
            return "unwell.so is there on Linux only, and a sanitizer is asked before it"
        if self.needs == "openssl" and not shutil.which("openssl"):
            return "no openssl command"
        if self.needs == "limits" and SANITIZER:
            return "sanitizers need to write, too"
        return None


def day(fault, slow=False, needs=None):
    return lambda happen: DAYS.append(Day(fault, happen, slow, needs)) or happen


class Came:
    """How it came through: for the table."""

    def __init__(self, what, *several):
        self.what, self.runs = what, several

    @property
    def statuses(self):
        return ", then ".join(str(run.status) for run in self.runs)

    @property
    def ledger(self):
        last = self.runs[-1]
        return ", ".join("%d %s" % (n, name) for name, n in last.outcomes().items()) or "0"


class World:
    """A folder, the program, a stand-in server, and what can be done to them."""

    def __init__(self, folder, leadpipe, sandbox, control):
        self.folder, self.leadpipe, self.sandbox, self.control = folder, leadpipe, sandbox, control
        self.stack = contextlib.ExitStack()
        self.env = {}
        self.process = None

    # --- the export

    def words(self, *more, provider=None):
        return ["export", *(provider or self.sandbox.provider()), *runs.command(), *more]

    def begin(self, *more, n=BEFORE, provider=None, asked=None, **popen):
        """Starts it, and returns when so many leads are done and it waits for more."""
        self.process = self.leadpipe.start(*self.words(*more, provider=provider), stdin=subprocess.PIPE,
                                           env={**self.sandbox.env, **self.env}, **popen)
        self.resumes = "--state" in more
        self.next = 0
        self.feed(n)
        asked = asked or self.control

        def is_done():
            # All of them: a request that has to connect first may come after the last ID's, which found a
            # connection, and would meet the new weather. Both numbers are of one moment.
            stats = asked.stats(ids="none")
            return stats["ids_tracked"] == n and stats["in_progress"] == 0
        runs.wait_until(lambda: is_done() or self.process.poll() is not None, "a beginning")
        assert self.process.poll() is None, self.process.stderr.read()

    def feed(self, n):
        self.process.stdin.write("".join("tiny-%d\n" % one for one in range(self.next, self.next + n)).encode())
        self.process.stdin.flush()
        self.next += n

    def rest(self):
        """All IDs that are left, and the end of them."""
        with contextlib.suppress(BrokenPipeError):
            self.feed(N - self.next)
            self.process.stdin.close()

    def end(self, status, timeout=60):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        stderr = self.process.stderr.read().decode()
        run = runs.Run(self.folder, subprocess.CompletedProcess([], self.process.wait(timeout * SLOWNESS), b"", stderr))
        assert run.status == status, (run.status, stderr)
        return run if status < 0 else runs.check(run, self.resumes)

    def again(self, *more, status=0, provider=None):
        """The same command once more, with all IDs."""
        done = self.leadpipe(*self.words(*more, provider=provider), input="".join("tiny-%d\n" % one for one in range(N)),
                             env={**self.sandbox.env, **self.env})
        assert done.returncode == status, done.stderr
        return runs.check(runs.Run(self.folder, done), "--state" in more)

    def until(self, condition, what):
        runs.wait_until(lambda: condition() or self.process.poll() is not None, what, tries=4000 * SLOWNESS)

    # --- what is around it

    def hook(self, *options):
        return ["-t", "%s:%s" % (",".join(["webhook", *options]), self.sandbox.hook(HOOK))]

    def deliveries(self, *statuses):
        return [one for one in self.control.deliveries(HOOK) if not statuses or one["status"] in statuses]

    def another_sandbox(self, *arguments):
        made = Sandbox(*arguments)
        self.stack.callback(made.close)
        return made

    def refuse_for(self, seconds):
        """Nobody listens any more, once this returns; needs use_own_sandbox()."""
        self.control.set(down="refuse", down_for_s=seconds)

        def is_refused():
            try:
                self.control.stats(ids="none")
            except OSError:
                return True
        runs.wait_until(is_refused, "connections are refused")

    def use_own_sandbox(self):
        """One that others do not need."""
        self.sandbox = self.another_sandbox()
        self.control = Control(self.sandbox.url)

    def unwell(self, **what):
        """Changes the clock (seconds) or the resolver (dns=False) of the program; see unwell.c."""
        folder = self.folder / "unwell"
        folder.mkdir(exist_ok=True)
        self.env = {"LD_PRELOAD": str(UNWELL), "UNWELL_FOLDER": str(folder)}
        if "clock" in what:
            (folder / "new").write_text("%d" % what["clock"])
            os.rename(folder / "new", folder / "clock")
        if what.get("dns") is False:
            (folder / "dns").touch()
        elif "dns" in what:
            (folder / "dns").unlink()

    def met(self):
        log = self.folder / "unwell" / "log"
        return log.read_text().splitlines() if log.exists() else []


@contextlib.contextmanager
def world(folder):
    """One of its own, for table.py."""
    leadpipe, sandbox = Leadpipe(folder), Sandbox()
    made = World(folder, leadpipe, sandbox, Control(sandbox.url))
    try:
        with made.stack:
            yield made
    finally:
        leadpipe.end_all()
        sandbox.close()


def all_exported(run):
    assert run.outcomes() == {"exported": N} and run.failed == [], run.summary
    assert run.exported == ["tiny-%d" % n for n in range(N)]
    return run


def delivered_once(w):
    """Every lead was accepted by the receiver, once."""
    accepted = [lead for one in w.deliveries(200) for lead in lead_ids_of(one)]
    assert sorted(accepted) == sorted("tiny-%d" % n for n in range(N))


# --- the provider -------------------------------------------------------------------------------------

def is_down_for(w, seconds, how, *more, limit):
    """In mid-run, with default settings: what reaches the provider meanwhile is a handful."""
    if how == "refuse":
        w.use_own_sandbox()
    w.begin(*more)
    began = time.monotonic()
    if how == "refuse":
        w.refuse_for(seconds)
    else:
        w.control.set(down=how, down_for_s=seconds)
    w.rest()
    run = all_exported(w.end(0, timeout=seconds + 60))
    assert time.monotonic() - began >= seconds
    tries = run.summary["requests"]["retries"]
    assert 0 < tries <= limit, tries
    return run, tries


@day("provider gone for a minute (connections refused), default settings", slow=True)
def provider_gone_for_a_minute(w):
    run, tries = is_down_for(w, 60, "refuse", limit=AT_ONCE + 30)
    return Came("%d attempts failed to connect: up to %d that were about to start, then one every 2.5 to 5 s; the run recovered"
                " by itself, no lead failed" % (tries, AT_ONCE), run)


@day("provider gone for 2 s (connections reset)")
def provider_gone(w):
    # a request in flight may meet it twice: over a kept connection, and then over a new one
    run, tries = is_down_for(w, 2, "reset", limit=2 * AT_ONCE + 20)
    return Came("%d attempts got no response, at most two for each lead in flight; the run recovered by itself, no lead failed" % tries, run)


@day("provider does not respond for 3 s (`--timeout 1s`)")
def provider_hangs(w):
    run, tries = is_down_for(w, 3, "hang", "--timeout", "1s", limit=AT_ONCE + 60)
    return Came("%d attempts timed out; the run recovered by itself, no lead failed" % tries, run)


@day("provider returns 503 for 2 s")
def provider_in_maintenance(w):
    run, tries = is_down_for(w, 2, "503", limit=AT_ONCE + 20)
    return Came("%d responses were 503; the run recovered by itself, no lead failed" % tries, run)


@day("provider gone for longer than `--retry-max-time`, with `--state`")
def provider_gone_for_too_long(w):
    more = ("--state", STATE, "--retry-max-time", "1s")
    w.begin(*more)
    w.control.set(down="reset")
    w.rest()
    first = w.end(1)
    assert first.outcomes() == {"exported": BEFORE, "pending": N - BEFORE} and "no success for" in first.errors()[0]
    w.control.set(down=None)
    second = all_exported(w.again(*more))
    by_id = w.control.stats(ids="all")["by_id"]
    assert {one: n for one, n in by_id.items() if n != 1} == {}, "what was fetched is not fetched again"
    return Came("stopped with a message, nothing published; the same command later fetched the remaining %d" %
                first.ledger["pending"], first, second)


@day("provider gone for good, without `--state`")
def provider_gone_for_good(w):
    w.begin("--retry-max-time", "1s")
    w.control.set(down="reset")
    w.rest()
    run = w.end(1)
    assert run.ledger["failed"] == 0 and run.rows is None
    return Came("stopped after `--retry-max-time`; nothing published, existing outputs unchanged", run)


@day("provider becomes 100 times slower")
def provider_slow(w):
    w.control.set(latency_ms=5)
    w.begin()
    w.control.set(latency_ms=500)
    w.rest()
    run = all_exported(w.end(0))
    assert run.summary["requests"]["retries"] == 0
    return Came("slower, no other effect", run)


def too_many(w, retry_after):
    def refused():
        return w.control.stats(ids="none")["refused_by_admit"]

    w.begin("--attempts", "100")
    w.control.set(admit=0, admit_retry_after=retry_after)
    w.rest()
    w.until(lambda: refused() >= 8, "429")
    w.control.set(admit=None)
    run = all_exported(w.end(0))
    n = refused()
    assert n <= 3 * 64, "refused %d times: each round must be smaller than the one before" % n
    return Came("%d requests were refused, then all waited; no lead failed" % n, run)


@day("429 for everything, with `Retry-After: 1`")
def too_many_with_retry_after(w):
    return too_many(w, 1)


@day("429 for everything, without `Retry-After`")
def too_many_without_retry_after(w):
    return too_many(w, None)


@day("`Retry-After: 3600`, with `--state`")
def retry_after_too_long(w):
    w.begin("--state", STATE)
    w.control.set(admit=0, admit_retry_after=3600)
    w.rest()
    first = w.end(1)
    assert "Retry-After" in first.errors()[0] and first.ledger["failed"] == 0 and first.ledger["pending"] >= N - BEFORE
    w.control.set(admit=None)
    second = all_exported(w.again("--state", STATE))
    return Came("stopped immediately, with a message that gives the delay; the same command later resumed", first, second)


def broken(w, fault, what):
    w.begin()
    w.control.set(faults={"*": fault + "~times=1"})
    w.rest()
    run = all_exported(w.end(0))
    retries = run.summary["requests"]["retries"]
    assert retries == N - BEFORE, retries
    by_id = w.control.stats(ids="all")["by_id"]
    assert by_id == {"tiny-%d" % one: 1 if one < BEFORE else 2 for one in range(N)}, by_id
    return Came("%d responses were %s; each lead was fetched once more" % (retries, what), run)


@day("connections reset in the middle of bodies")
def bodies_reset(w):
    return broken(w, "resetbody", "cut off")


@day("truncated bodies")
def bodies_cut(w):
    return broken(w, "cut", "truncated")


@day("an HTML page with status 200 instead of JSON")
def pages_of_html(w):
    return broken(w, "html", "not JSON")


@day("a third of the leads get 429, 500, 503, resets, truncated bodies")
def many_faults(w):
    w.control.set(fault_percent=33)
    w.begin()
    w.rest()
    run = all_exported(w.end(0))
    assert run.summary["requests"]["retries"] > N // 10
    return Came("%d extra attempts; no lead failed" % run.summary["requests"]["retries"], run)


@day("leads that stay broken (400, `success: false`, 3 GB, JSON nested 300 deep)")
def broken_leads(w):
    w.control.set(faults={"tiny-150": "status=400", "tiny-160": "successfalse", "tiny-170": "hugelength=3000000000",
                          "tiny-180": "deep=300", "tiny-190": "missing"})
    w.begin()
    w.rest()
    run = w.end(3)
    assert run.outcomes() == {"exported": N - 5, "missing": 1, "failed": 4}
    assert [row["id"] for row in run.failed] == ["tiny-150", "tiny-160", "tiny-170", "tiny-180"]
    return Came("the rest is published; the failed list names them with the reasons, and can be used as input", run)


# --- what is between ------------------------------------------------------------------------------------

def port_of(sandbox):
    return sandbox.url.rsplit(":", 1)[1]


@day("TLS certificate expires during the run, with `--state`", needs="openssl")
def certificate_expires(w):
    import certificates
    folder = w.folder / "certificates"
    folder.mkdir()
    certificates.make_authority(folder, "authority")
    for name in (certificates.GOOD, certificates.EXPIRED):
        certificates.make_certificate(folder, name, "authority")

    def serve(name, port="0"):
        return w.another_sandbox("--port", port, "--tls-cert", str(folder / (name + ".pem")), "--tls-key",
                                 str(folder / (name + ".key")), "--key", w.sandbox.key)

    good = serve(certificates.GOOD)
    more = ("--state", STATE, "--cacert", folder / "authority.pem")
    provider = ["-p", "omni", "--base-url", good.omni]
    w.begin(*more, provider=provider, asked=TrustingControl(good.url))
    good.close()
    expired = serve(certificates.EXPIRED, port_of(good))
    w.rest()
    first = w.end(1)
    assert "TLS verification failed" in first.errors()[0] and "expired" in first.errors()[0], first.errors()
    # What the server had answered may not have come through when it was closed.
    assert first.ledger["failed"] == 0 and first.ledger["pending"] >= N - BEFORE, first.ledger
    expired.close()
    serve(certificates.GOOD, port_of(good))
    second = all_exported(w.again(*more, provider=provider))
    return Came("stopped immediately, with a message; no lead failed; with a new certificate the same command resumed", first, second)


class TrustingControl(Control):
    """Of a server whose certificate nobody knows."""

    def ask(self, what, **query):
        import json
        import ssl
        import urllib.parse
        import urllib.request
        url = self._url + what + ("?" + urllib.parse.urlencode(query) if query else "")
        with urllib.request.urlopen(url, timeout=10, context=ssl._create_unverified_context()) as answer:
            return json.load(answer)


@day("credentials revoked during the run")
def credentials_revoked(w):
    one = w.another_sandbox("--key", "first-key")
    w.env = {"OMNI_API_KEY": "first-key"}
    w.begin(provider=["-p", "omni", "--base-url", one.omni], asked=Control(one.url))
    one.close()
    w.another_sandbox("--key", "second-key", "--port", port_of(one))
    w.rest()
    run = w.end(3)
    assert 0 < run.ledger["exported"] <= BEFORE and run.ledger["failed"] == N - run.ledger["exported"]
    assert {row["http_status"] for row in run.failed} == {401}
    return Came("leads after that failed with 401; the failed list is the input for a run with the new key", run)


def resolver_of(w):
    return ["-p", "omni", "--base-url", w.sandbox.omni.replace("127.0.0.1", "leads.example"), "--allow-http"]


@day("DNS fails for the first 1.5 s", needs="unwell")
def dns_comes_late(w):
    w.unwell(dns=False)
    w.process = w.leadpipe.start(*w.words(provider=resolver_of(w)), stdin=subprocess.PIPE,
                                 env={**w.sandbox.env, **w.env})
    w.resumes, w.next = False, 0
    w.rest()
    w.until(lambda: any("no dns leads.example" in line for line in w.met()), "the resolver fails")
    time.sleep(1.5)
    w.unwell(dns=True)
    run = all_exported(w.end(0))
    fails = sum("no dns" in line for line in w.met())
    assert 0 < fails <= 40 and "dns leads.example" in w.met()
    return Came("%d lookups failed, then the run recovered; no lead failed" % fails, run)


@day("DNS gone during the run, new connections for every lead", needs="unwell")
def dns_gone(w):
    """The name is known for a minute; after that there is nothing to connect to."""
    w.unwell()
    w.control.set(faults={"*": "close"})
    w.begin(provider=resolver_of(w))
    w.unwell(dns=False)
    w.rest()
    run = all_exported(w.end(0))
    return Came("no effect: addresses are cached for a minute", run)


@day("DNS gone for longer than addresses are cached, provider gone, default settings", slow=True, needs="unwell")
def dns_gone_for_long(w):
    w.use_own_sandbox()
    w.unwell()
    w.control.set(faults={"*": "close"})
    w.begin(provider=resolver_of(w))
    w.unwell(dns=False)
    w.refuse_for(61)
    w.rest()
    runs.wait_until(lambda: any("no dns" in line for line in w.met()) or w.process.poll() is not None,
                    "the resolver is asked again", tries=20000 * SLOWNESS)
    w.unwell(dns=True)
    run = all_exported(w.end(0, timeout=120))
    tries = run.summary["requests"]["retries"]
    assert tries <= AT_ONCE + 40, tries
    return Came("%d attempts in 65 s; recovered when the name was back; no lead failed" % tries, run)


# --- receivers of webhooks --------------------------------------------------------------------------------

@day("webhook receiver returns 500 for a while")
def receiver_500(w):
    w.begin(*w.hook("batch=5", "attempts=100"))
    w.control.hook(HOOK, status=500)
    w.rest()
    w.until(lambda: len(w.deliveries(500)) >= 6, "refused deliveries")
    w.control.hook(HOOK)
    run = all_exported(w.end(0))
    delivered_once(w)
    return Came("%d deliveries were sent again; each lead accepted once" % len(w.deliveries(500)), run)


@day("webhook receiver gone for 2 s (connections refused)")
def receiver_restarts(w):
    receiver = w.another_sandbox("--hooks-dir", str(w.folder))
    w.begin("-t", "webhook,batch=5:" + receiver.hook(HOOK))
    receiver.close()
    before = [json.loads(line) for line in (w.folder / (HOOK + ".ndjson")).read_text().splitlines()]
    w.rest()
    time.sleep(2)
    again = w.another_sandbox("--port", port_of(receiver))
    run = all_exported(w.end(0))
    later = Control(again.url).deliveries(HOOK)
    accepted = {lead for one in before + later for lead in lead_ids_of(one)}
    assert len(accepted) == N
    assert run.manifest["sinks"][-1]["failed"] == 0
    return Came("deliveries waited and were sent when it was back", run)


@day("webhook receiver dies for good (`retry-max-time=1s`)")
def receiver_dies(w):
    w.begin(*w.hook("retry-max-time=1s"))
    w.control.hook(HOOK, die_after=0, then="reset")
    w.rest()
    run = w.end(3)
    assert run.ledger["failed"] > 0 and {row["stage"] for row in run.failed} == {"sink"} and len(run.rows) == N
    return Came("leads that it had not accepted failed; the other outputs are complete; the failed list can be used as input", run)


@day("webhook receiver returns 410")
def receiver_410(w):
    w.begin(*w.hook())
    w.control.hook(HOOK, status=410)
    w.rest()
    run = w.end(3)
    assert run.ledger["failed"] >= N - BEFORE and len(run.rows) == N
    assert len(w.deliveries(410)) <= 8, "it asked not to be sent anything more"
    return Came("closed after %d such responses; the other outputs are complete" % len(w.deliveries(410)), run)


# --- this machine --------------------------------------------------------------------------------------------

@day("output directory removed during the run")
def folder_removed(w):
    w.begin("-t", "csv:out/")
    shutil.rmtree(w.folder / "out")
    w.rest()
    run = w.end(1)
    assert "out/" in run.errors()[0]
    return Came("stopped, naming the directory; nothing published", run)


@day("disk full during the run, with `--state`", needs="limits")
def disk_full(w):
    """A file may not grow beyond what is there when the weather changes."""
    more = ("--state", STATE)
    w.begin(*more)
    size = 60_000
    resource.prlimit(w.process.pid, resource.RLIMIT_FSIZE, (size, size))
    w.rest()
    first = w.end(1)
    assert any("too large" in text or "No space" in text for text in first.errors()), first.errors()
    second = all_exported(w.again(*more))
    return Came("stopped, naming the file; nothing published; once there was space the same command resumed", first, second)


def clock_jumps(w, seconds):
    more = ("--state", STATE, *w.hook("batch=5"))
    w.unwell(clock=0)
    w.begin(*more)
    w.unwell(clock=seconds)
    w.feed(50)
    w.control.set(faults={"tiny-%d" % n: "retryafter=1~times=1" for n in range(200, 203)})
    w.until(lambda: w.control.attempts("tiny-149"), "50 more")
    w.rest()
    run = all_exported(w.end(0))
    assert "clock %d" % seconds in w.met(), "the program did not see it"
    assert 0 <= run.summary["seconds"] < 120 * SLOWNESS
    assert run.manifest["requests"]["latency_ms"]["max"] < 120_000 * SLOWNESS
    delivered_once(w)
    return Came("no effect except on reported times (`at`, `ended_at`, webhook-timestamp)", run)


@day("wall clock jumps 30 days ahead", needs="unwell")
def clock_ahead(w):
    return clock_jumps(w, 30 * 86400)


@day("wall clock jumps 30 days back", needs="unwell")
def clock_back(w):
    return clock_jumps(w, -30 * 86400)


@day("`kill -9`, with `--state`")
def killed(w):
    w.begin("--state", STATE)
    w.process.send_signal(signal.SIGKILL)
    first = w.end(-signal.SIGKILL)
    assert first.rows is None and first.manifest is None
    first.status = "killed"
    second = all_exported(w.again("--state", STATE))
    return Came("nothing published; the same command resumed from the last durable point", first, second)


@day("SIGTERM, with `--state`")
def stopped(w):
    w.begin("--state", STATE)
    w.process.send_signal(signal.SIGTERM)
    first = w.end(128 + signal.SIGTERM)
    second = all_exported(w.again("--state", STATE))
    assert set(w.control.stats(ids="all")["by_id"].values()) == {1}
    return Came("finished the requests in flight; the same command resumed and fetched nothing twice", first, second)


@day("SIGTERM, without `--state`")
def stopped_without_state(w):
    w.begin()
    w.process.send_signal(signal.SIGTERM)
    run = w.end(128 + signal.SIGTERM)
    return Came("finished the requests in flight; nothing published, existing outputs unchanged", run)


@day("the ID pipe is truncated, with `--expect`")
def pipe_breaks_off(w):
    w.begin("--expect", str(N))
    run = w.end(3)
    assert run.outcomes() == {"exported": BEFORE} and any("were expected" in text for text in run.errors())
    return Came("the leads read are published; a message says how many IDs were missing", run)
