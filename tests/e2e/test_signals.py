"""Signals: the first lets what is in flight end, the second ends the program at once."""

import os
import pty
import signal
import socket
import subprocess
import time

import pytest

from conftest import SANITIZER, SLOWNESS


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds * SLOWNESS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def ids_file(folder, n=5000):
    path = folder / "ids"
    path.write_text("".join("plain-%05d\n" % i for i in range(n)))
    return path


def start(leadpipe, sandbox, control, folder, *more, latency_ms=1000, **popen):
    """A run with requests in flight, beside an output of an earlier one."""
    control.set(latency_ms=latency_ms)
    (folder / "old.ndjson").write_text("old\n")
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:old.ndjson", "-j", "8", "--failed", "f.ndjson",
                             "--manifest", "m.json", *more, ids_file(folder), env=sandbox.env, **popen)
    wait_until(lambda: control.stats()["in_progress"] == 8)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_first_signal(leadpipe, sandbox, control, tmp_path, number):
    process = start(leadpipe, sandbox, control, tmp_path)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30 * SLOWNESS)
    lines = stderr.decode().splitlines()
    assert process.returncode == 128 + number
    assert "leadpipe: stopped by " + number.name in lines
    ids = next(line for line in lines if line.startswith("IDs "))
    leads = next(line for line in lines if line.startswith("leads "))
    counts = [int(word) for word in leads.replace(",", "").split() if word.isdigit()]
    assert sum(counts) == int(ids.split()[3])  # the unique ones
    assert counts[0] >= 8 and counts[4] > 0
    assert (tmp_path / "old.ndjson").read_text() == "old\n"
    assert sorted(os.listdir(tmp_path)) == ["ids", "m.json", "old.ndjson"]


def test_second_signal(leadpipe, sandbox, control, tmp_path):
    process = start(leadpipe, sandbox, control, tmp_path, latency_ms=20000)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(5 * SLOWNESS) == 128 + signal.SIGTERM
    assert (tmp_path / "old.ndjson").read_text() == "old\n"


def test_what_is_in_flight_gets_ten_seconds(leadpipe, sandbox, control, tmp_path):
    process = start(leadpipe, sandbox, control, tmp_path, latency_ms=60000)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30 * SLOWNESS) == 130
    assert 9 < time.monotonic() - begun < 12 * SLOWNESS


def test_while_waiting_for_ids(leadpipe, sandbox, control):
    """A pipe that says nothing does not keep a run from stopping."""
    reader, writer = os.pipe()
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:-", stdin=reader, env=sandbox.env)
    os.close(reader)
    os.write(writer, b"plain-1\n")
    wait_until(lambda: control.attempts("plain-1"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(5 * SLOWNESS) == 143
    os.close(writer)


def test_while_a_sink_is_slow(leadpipe, sandbox, control, tmp_path):
    hook = "webhook:" + sandbox.hook("slow", delay_ms=60000)
    process = leadpipe.start("export", *sandbox.provider(), "-t", hook, ids_file(tmp_path), env=sandbox.env)
    wait_until(lambda: control.ask("hooks"))
    process.send_signal(signal.SIGINT)
    assert process.wait(20 * SLOWNESS) == 130


def full_pipe():
    """(reader, writer): who writes there waits."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return reader, writer


POLL = {"x86_64": "7", "aarch64": "73"}[os.uname().machine]  # poll, ppoll: see syscall(2)


def waits_to_be_read(process):
    """Does its first thread wait for one descriptor, and not in the loop (epoll)?"""
    with open("/proc/%d/syscall" % process.pid) as call:
        return call.read().split()[0] == POLL


# Shown with a debugger: the signal is neither blocked nor pending, ThreadSanitizer's handler has taken
# it, and ours has not run; main waits in write() of the summary, and continues once somebody reads.  That
# is how the sanitizer works: but in calls that it knows to wait (epoll_wait() is one, write() is none)
# it keeps a signal until the next call that it sees, and SA_RESTART makes this one wait on.
write_keeps_signals = pytest.mark.skipif(SANITIZER == "tsan", reason="ThreadSanitizer keeps a signal until write() "
                                         "returns, and here it does not")


@write_keeps_signals
def test_after_the_end(leadpipe, sandbox, control, tmp_path):
    """The run is published; a signal while its summary waits for a reader does not call it stopped."""
    reader, writer = full_pipe()
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:new", "--id", "plain-1", env=sandbox.env,
                             stderr=writer)
    wait_until(lambda: (tmp_path / "new").exists())
    wait_until(lambda: waits_to_be_read(process))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20 * SLOWNESS) == 0
    os.close(reader)
    os.close(writer)


@write_keeps_signals
def test_second_signal_after_the_end(leadpipe, sandbox, control, tmp_path):
    """The first one has ended the run; another one while that waits to be said does not change how it went."""
    reader, writer = full_pipe()
    process = start(leadpipe, sandbox, control, tmp_path, "-q", stderr=writer)  # nothing is said before the end
    process.send_signal(signal.SIGINT)
    wait_until(lambda: waits_to_be_read(process))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20 * SLOWNESS) == 128 + signal.SIGINT
    os.close(reader)
    os.close(writer)


@write_keeps_signals
def test_second_signal_without_a_reader(leadpipe, sandbox, control, tmp_path):
    """The message about it waits for nobody."""
    reader, writer = full_pipe()
    process = start(leadpipe, sandbox, control, tmp_path, latency_ms=60000, stderr=writer)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    # at once: what is in flight would get ten seconds; which of two that come together is the first is open
    begun = time.monotonic()
    assert process.wait(20 * SLOWNESS) in (130, 143)
    assert time.monotonic() - begun < 9 * SLOWNESS
    os.close(reader)
    os.close(writer)


def test_ignored_hangup_stays_ignored(leadpipe, sandbox, control, tmp_path):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    control.set(latency_ms=1000)
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:-", "--id", "plain-1", env=sandbox.env,
                             preexec_fn=ignore)
    wait_until(lambda: control.requests())
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30 * SLOWNESS)
    assert process.returncode == 0


# --- readers that have stalled ----------------------------------------------------------------------

def unread(kind):
    """(what the program writes to, what must stay open): nobody takes anything from it."""
    if kind == "terminal":
        primary, secondary = pty.openpty()
        return secondary, primary
    if kind == "socket":
        ours, theirs = socket.socketpair()
        return theirs.detach(), ours
    reader, writer = os.pipe()
    return writer, reader


STALLED = {  # what, words, and what standard output and standard error are
    "standard output": (["-t", "ndjson:-"], "pipe", None),
    "by another name": (["-t", "ndjson:/dev/stdout", "--failed", "f"], "pipe", None),
    "spooled": (["-t", "csv:-", "-t", "ndjson:out"], "pipe", None),
    "compressed": (["-t", "msgpack:-"], "pipe", None),
    "socket": (["-t", "ndjson:-"], "socket", None),
    "terminal": (["-t", "ndjson:-"], "terminal", None),
    "both in one": (["-t", "ndjson:-", "-vv"], "pipe", "stdout"),
    "pipe without a reader": (["-t", "ndjson:fifo", "-t", "csv:out.csv"], None, None),
    "pipe with a reader": (["-t", "ndjson:fifo-read", "-t", "csv:out.csv"], None, None),
    "spooled, without a reader": (["-t", "csv:fifo"], None, None),
    "list without a reader": (["-t", "ndjson:out", "--failed", "fifo", "--id", "bad~status=400"], None, None),
    "manifest without a reader": (["-t", "ndjson:out", "--manifest", "fifo"], None, None),
    "messages": (["-t", "ndjson:out", "-vv", "--id", "again~status=503~times=2"], None, "full"),
    "list on standard error": (["-t", "ndjson:out", "--failed", "/dev/stderr", "--id", "bad~status=400"], None, "full"),
}


@pytest.mark.slow
def test_stalled_readers(leadpipe, sandbox, control, tmp_path):
    """The first signal is enough: after its ten seconds nobody is waited for.  All at once, as each takes these."""
    control.set(nonce="0")
    running, kept = {}, []
    ids = [word for n in range(400) for word in ("--id", "plain-%d" % n)]
    for name, (words, stdout, stderr) in STALLED.items():
        folder = tmp_path / name
        folder.mkdir()
        os.mkfifo(folder / "fifo")
        os.mkfifo(folder / "fifo-read")
        kept.append(os.open(folder / "fifo-read", os.O_RDONLY | os.O_NONBLOCK))
        popen = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if stdout:
            popen["stdout"], other = unread(stdout)
            kept.append(other)
        if stderr == "full":
            reader, popen["stderr"] = full_pipe()
            kept.append(reader)
        elif stderr:
            popen["stderr"] = popen["stdout"]
        running[name] = leadpipe.start("export", *sandbox.provider(), *words, *ids, env=sandbox.env, cwd=folder, **popen)
        kept += {fd for fd in popen.values() if fd >= 0}
    before = -1
    while before != (before := control.stats()["requests"]):  # until nothing happens
        time.sleep(1)
    assert [name for name, process in running.items() if process.poll() is not None] == []
    begun = time.monotonic()
    for process in running.values():
        process.send_signal(signal.SIGTERM)
    statuses = {name: process.wait(40 * SLOWNESS) for name, process in running.items()}
    assert statuses == {name: 143 for name in STALLED}
    assert 9 < time.monotonic() - begun < 14 * SLOWNESS
    left = {name: sorted(set(os.listdir(tmp_path / name)) - {"fifo", "fifo-read", "f", "out", "out.csv"}) for name in STALLED}
    assert left == {name: [] for name in STALLED}
    for one in kept:
        one.close() if isinstance(one, socket.socket) else os.close(one)


def test_pipe_whose_reader_comes_late(leadpipe, sandbox, control, tmp_path):
    """Leads are fetched meanwhile; also an empty output is seen to end."""
    for words in (["-t", "ndjson:fifo"], ["-t", "csv:fifo"], ["-t", "ndjson:out", "--failed", "fifo"]):
        os.mkfifo(tmp_path / "fifo")
        process = leadpipe.start("export", *sandbox.provider(), *words, "--id", "plain-1", env=sandbox.env)
        wait_until(lambda: control.attempts("plain-1"))
        with open(tmp_path / "fifo", "rb") as fifo:
            content = fifo.read()
        assert process.wait(20 * SLOWNESS) == 0
        assert bool(content) == ("--failed" not in words)
        os.remove(tmp_path / "fifo")
        control.reset()
