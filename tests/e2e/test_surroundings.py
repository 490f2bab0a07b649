"""What the program is started in: closed standard files, inputs that nobody writes to, a key that comes back."""

import ctypes
import os
import signal
import subprocess
import time

import pytest

import runs
from resumes import Resumed


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_standard_files(leadpipe, sandbox, closed):
    """No output takes the place of a closed standard file and gets its messages."""
    done = leadpipe("export", *sandbox.provider(), "-v", "--id", "tiny-1", "--id", "tiny-2~status=400",
                    "-t", "ndjson:out.ndjson", "--failed", "failed.ndjson", env=sandbox.env,
                    preexec_fn=lambda: [os.close(fd) for fd in closed])
    assert done.returncode == 3
    assert [row["lead_id"] for row in runs.json_lines(leadpipe.folder / "out.ndjson")] == ["tiny-1"]
    assert [row["id"] for row in runs.json_lines(leadpipe.folder / "failed.ndjson")] == ["tiny-2~status=400"]


@pytest.mark.parametrize("sink", ["ndjson:-", "csv:-"])
def test_closed_standard_output_is_no_target(leadpipe, sandbox, sink):
    done = leadpipe("export", *sandbox.provider(), "--id", "tiny-1", "-t", sink, env=sandbox.env,
                    preexec_fn=lambda: os.close(1))
    assert (done.returncode, "standard output is closed" in done.stderr) == (2, True)


def test_fifo_that_nobody_writes_to(leadpipe, sandbox):
    os.mkfifo(leadpipe.folder / "ids")
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:out.ndjson", "ids", env=sandbox.env)
    while not runs.temporaries(leadpipe.folder):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM


def test_key_that_is_cut_in_an_error(leadpipe, another_sandbox):
    """A text that is too long may end within the key: what is left of that is no longer the whole key."""
    key = "".join("%04d." % i for i in range(300))
    sandbox = another_sandbox("--key", key)
    run = runs.export(leadpipe, sandbox, "-v", ids=["tiny-1", "tiny-2~echokey"])
    assert run.outcomes() == {"exported": 1, "failed": 1}
    for text in (run.failed[0]["error"], run.done.stderr):
        assert "***" in text and key[:10] not in text


def as_anybody():
    """Of root's rights not those to read and write what the mode forbids."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; for others than root there is nothing to drop


def test_what_is_read_only_can_be_resumed(leadpipe, sandbox, control):
    """Complete, a file has the mode of the one that it is to replace; the run was stopped before it could."""
    old, part = leadpipe.folder / "old.csv", leadpipe.folder / ".old.csv.leadpipe-part"
    old.write_text("old\n")
    old.chmod(0o444)
    resumed = Resumed(leadpipe, sandbox, control, sinks=["-t", "csv:old.csv", "-t", "webhook,attempts=1000:" + sandbox.hook("away")])
    control.hook("away", status=500)
    process = resumed.start(stdin=subprocess.PIPE, preexec_fn=as_anybody)
    process.stdin.write(b"tiny-1\ntiny-2\n")
    process.stdin.close()
    process.stdin = None
    def is_complete():  # it may have that mode for a moment when it is made, too
        return part.exists() and part.stat().st_mode & 0o777 == 0o444 and part.stat().st_size > 0

    runs.wait_until(is_complete, "the csv file is complete")
    process.send_signal(signal.SIGTERM)
    assert resumed.ended(process).status == 143
    control.hook("away")
    done = leadpipe(*resumed.words(), env=sandbox.env, input="tiny-1\ntiny-2\n", preexec_fn=as_anybody)
    assert done.returncode == 0, done.stderr
    assert len(old.read_text().splitlines()) == 3 and old.stat().st_mode & 0o777 == 0o444
