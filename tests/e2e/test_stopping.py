"""Stopped by a signal, by a second one, by a kill, by a reader that goes away."""

import json
import os
import signal
import subprocess

import pytest

import runs

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
N_LEADS = 3000


@pytest.fixture
def begin(leadpipe, sandbox, control, tmp_path):
    """Starts a long export beside an earlier output, and returns once leads have come in."""
    def start(*more, first="tiny-bad~status=400", latency_ms=10, **popen):
        control.set(latency_ms=latency_ms)
        (tmp_path / runs.OUT).write_text("earlier\n")
        (tmp_path / "ids").write_text("\n".join([first] + ["tiny-%d" % n for n in range(N_LEADS)]))
        popen.setdefault("preexec_fn", default_signals)
        process = leadpipe.start("export", *sandbox.provider(), *runs.command(), "-j", "4", *more, "ids",
                                 env=sandbox.env, **popen)
        runs.wait_until(lambda: len(control.requests()) >= 20, "20 requests")
        return process
    return start


def default_signals():
    """A shell's background job is born ignoring SIGINT, and so may be these tests."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def ended(process, tmp_path):
    """What it left, the earlier output aside, which must be as it was."""
    _, stderr = process.communicate(timeout=60)
    assert (tmp_path / runs.OUT).read_text() == "earlier\n"
    (tmp_path / runs.OUT).unlink()
    return runs.Run(tmp_path, subprocess.CompletedProcess(process.args, process.returncode, b"", stderr.decode()))


@pytest.mark.parametrize("number", SIGNALS)
def test_signal(begin, control, tmp_path, number):
    process = begin()
    process.send_signal(number)
    run = runs.check(ended(process, tmp_path))
    assert run.status == 128 + number
    assert "stopped by " + number.name in run.errors()
    assert [row["id"] for row in run.failed] == ["tiny-bad~status=400"]
    assert run.ledger["pending"] > 0 and run.ledger["exported"] > 10
    # What was in flight was finished: each request that was answered is in the books.
    assert run.ledger["exported"] + run.ledger["failed"] == len(control.requests())
    assert set(os.listdir(tmp_path)) == {"ids", runs.FAILED, runs.MANIFEST}


def test_text_says_so(leadpipe, sandbox, control, tmp_path):
    control.set(latency_ms=10)
    (tmp_path / "ids").write_text("\n".join("tiny-%d" % n for n in range(N_LEADS)))
    process = leadpipe.start("export", *sandbox.provider(), "-t", "csv:out/", "-j", "4", "ids", env=sandbox.env,
                             preexec_fn=default_signals)
    runs.wait_until(lambda: len(control.requests()) >= 20, "20 requests")
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 143
    assert "leadpipe: stopped by SIGTERM\n" in text and "incomplete, because the run stopped early" in text, text
    assert runs.temporaries(tmp_path) == []
    assert not (tmp_path / "out").exists() or os.listdir(tmp_path / "out") == []


def test_nothing_is_tried_again(begin, control, tmp_path):
    """What waits for another try when the signal comes is pending, not failed."""
    process = begin("--attempts", "100", first="tiny-bad~status=500")
    process.send_signal(signal.SIGINT)
    run = runs.check(ended(process, tmp_path))
    assert (run.status, run.failed) == (130, None)
    assert run.ledger["pending"] > 0 and control.attempts("tiny-bad~status=500") >= 1


@pytest.fixture
def hanging(leadpipe, sandbox, control, tmp_path):
    """A run whose requests never end, and that was sent one signal to stop."""
    control.set(down="hang")
    process = leadpipe.start("export", *sandbox.provider(), *runs.command(), "--timeout", "5m", "--id", "tiny-1",
                             env=sandbox.env, preexec_fn=default_signals)
    runs.wait_until(lambda: control.requests(), "a request")
    process.send_signal(signal.SIGTERM)
    line = json.loads(process.stderr.readline())
    assert line["level"] == "warning" and "SIGTERM" in line["message"] and "send it again" in line["message"], line
    return process


def test_second_signal_stops_at_once(leadpipe, sandbox, control, hanging, tmp_path):
    """The first lets requests finish, for up to 10 s; the second does not."""
    hanging.send_signal(signal.SIGINT)
    assert hanging.wait(8) == 130
    assert not any((tmp_path / name).exists() for name in (runs.OUT, runs.MANIFEST, runs.FAILED))
    control.reset()
    assert_next_run_cleans_up(leadpipe, sandbox)


def assert_next_run_cleans_up(leadpipe, sandbox):
    """Temporary files that a killed run left are no obstacle, and do not stay."""
    run = runs.export(leadpipe, sandbox, ids=["tiny-1"])
    assert (run.status, run.exported) == (0, ["tiny-1"])


def test_killed(begin, leadpipe, sandbox, control, tmp_path):
    process = begin()
    process.kill()
    process.wait(60)
    assert (tmp_path / runs.OUT).read_text() == "earlier\n"
    assert not (tmp_path / runs.MANIFEST).exists() and not (tmp_path / runs.FAILED).exists()
    control.reset()
    assert_next_run_cleans_up(leadpipe, sandbox)


def test_signal_while_a_pipe_stays_open(leadpipe, sandbox, control, tmp_path):
    """All that was given is done, and the writer lives on: the signal ends the waiting."""
    process = leadpipe.start("export", *sandbox.provider(), *runs.command(), env=sandbox.env, stdin=-1,
                             preexec_fn=default_signals)
    process.stdin.write(b"tiny-1\ntiny-2\ntiny-")
    process.stdin.flush()
    runs.wait_until(lambda: control.attempts("tiny-2") == 1, "tiny-2 is asked for")
    process.send_signal(signal.SIGTERM)
    stderr = process.stderr.read().decode()
    run = runs.check(runs.Run(tmp_path, subprocess.CompletedProcess([], process.wait(60), b"", stderr)))
    assert (run.status, run.outcomes()) == (143, {"exported": 2})


def test_signal_before_any_input(leadpipe, sandbox, control, tmp_path):
    process = leadpipe.start("export", *sandbox.provider(), *runs.command(), "--progress", "always", env=sandbox.env,
                             stdin=-1, preexec_fn=default_signals)
    # Its outputs are open before it has threads; a signal that comes earlier stops it without a summary.
    runs.wait_until(lambda: len(os.listdir("/proc/%d/task" % process.pid)) > 3, "it waits for input")
    assert runs.temporaries(tmp_path)
    process.send_signal(signal.SIGINT)
    stderr = process.stderr.read().decode()
    run = runs.check(runs.Run(tmp_path, subprocess.CompletedProcess([], process.wait(60), b"", stderr)))
    assert (run.status, run.outcomes()) == (130, {})


def test_reader_goes_away(leadpipe, sandbox, control, tmp_path):
    """As in `leadpipe ... | head -1`: a message and exit status 1, not a silent death."""
    (tmp_path / "ids").write_text("\n".join("plain-%d" % n for n in range(500)))
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:-", "-t", "csv:out/", "ids", env=sandbox.env)
    assert json.loads(process.stdout.readline())["lead_id"] == "plain-0"
    process.stdout.close()
    text = process.stderr.read().decode()
    assert process.wait(60) == 1
    assert "leadpipe: standard output was closed\n" in text, text
    assert runs.temporaries(tmp_path) == []
    assert not (tmp_path / "out").exists() or os.listdir(tmp_path / "out") == []
