"""What a run says: the summary, errors, progress, JSON; and that it is the same for all sinks."""

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

import runs
from conftest import BINARY, SLOWNESS, clean_environment


def lines_of(stderr):
    return stderr.splitlines()


def test_summary(leadpipe, sandbox, control):
    ids = "plain-1\nplain-2\nplain-1\nx~missing\nx~status=400\n"
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "-t", "ndjson:leads.ndjson",
                    "-t", sandbox_hook(sandbox), input=ids, env=sandbox.env)
    assert done.returncode == 3
    lines = lines_of(done.stderr)
    assert lines[0] == ("leadpipe: 1 failed (use --failed FILE to list them); the first: "
                        "x~status=400: HTTP 400: Bad Request")
    assert lines[1] == "IDs       5 read, 4 unique, 1 duplicate"
    assert lines[2] == "leads     2 exported, 0 unchanged, 1 missing, 1 failed, 0 pending"
    assert re.fullmatch(r"requests  4, including 0 retries; \d+\.\d KiB received", lines[3])
    assert re.fullmatch(r"time      \d+\.\d seconds, \d+\.\d leads per second", lines[4])
    assert lines[5] == "sink      csv:out/:"
    assert any(re.fullmatch(r"            out/leads.csv: 2 rows, .*", line) for line in lines)
    assert "sink      ndjson:leads.ndjson:" in lines
    assert lines[-1].startswith("sink      webhook:http://127.0.0.1:")
    assert lines[-1].endswith(": 2 deliveries, 2 delivered, 0 failed")


def sandbox_hook(sandbox):
    return "webhook:" + sandbox.hook("summary")


def test_quiet(leadpipe, sandbox, control):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "-q", "--id", "plain-1", env=sandbox.env)
    assert (done.returncode, done.stderr) == (0, "")
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "-q", "--id", "x~missing", env=sandbox.env)
    assert done.returncode == 3 and done.stderr.startswith("leadpipe: no lead was found: ") and done.stderr.count("\n") == 1


def test_verbose_names_failed_leads(leadpipe, sandbox, control):
    words = ["export", *sandbox.provider(), "-t", "csv:out/", "--id", "a~status=400"]
    assert "a~status=400: HTTP 400" in leadpipe(*words, "-v", env=sandbox.env).stderr
    assert "attempt 1" in leadpipe(*words, "--id", "b~status=503~times=1", "-vv", env=sandbox.env).stderr


def test_json(leadpipe, sandbox, control):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "-v", "--log-format", "json", "--id", "plain-1",
                    "--id", "a~status=400", env=sandbox.env)
    assert done.returncode == 3
    messages = [json.loads(line) for line in lines_of(done.stderr)]
    for message in messages:
        assert list(message)[:4] == ["at", "level", "subject", "message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["at"])
    summary = messages[-1]
    assert summary["subject"] == "summary"
    assert summary["exit_status"] == 3
    assert summary["ledger"] == {"exported": 1, "unchanged": 0, "missing": 0, "failed": 1, "pending": 0}
    assert summary["sinks"][0]["files"][0]["rows"] == 1


def test_messages_do_no_harm(leadpipe, sandbox, control):
    """An ID comes from outside, and so does what the provider says about it."""
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "-v", env=sandbox.env,
                    input="x\u202ey\nx\x1b[2J\nx\0y\nx\u2764\ufe0fy~status=400\nx\udcff\n".encode("utf-8", "surrogateescape"))
    text = done.stderr
    assert done.returncode == 3
    assert not set(text) & set("\x1b\u202e\0"), text
    for line, shown in (1, "U+202E, which is invisible or looks like a space: 'x\\u202ey'"), (2, "'x\\x1b[2J'"), (
            3, "'x\\x00y'"), (5, "'x\\xff'"):
        assert any("standard input:%d: the ID " % line in one and one.endswith(shown)
                   for one in text.splitlines()), (line, text)
    assert "x\u2764\ufe0fy~status=400: HTTP 400" in text


def test_key_is_never_shown(leadpipe, sandbox, control, tmp_path):
    (tmp_path / "key").write_text(sandbox.key + "\n")
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "-vv", "--api-key-file", "key", "--failed",
                    "f.ndjson", "--manifest", "m.json", "--id", "a~echokey", "--id", "plain-1")
    assert done.returncode == 3
    assert sandbox.key not in done.stderr
    assert "***" in done.stderr
    for name in ("f.ndjson", "m.json"):
        assert sandbox.key not in (tmp_path / name).read_text()


def test_arguments_in_the_manifest(leadpipe, sandbox, control, tmp_path):
    words = ["export", *sandbox.provider(), "-t", "webhook,header=X-Token: s3cret:" + sandbox.hook("a", body="s3cret"),
             "--manifest", "m.json", "--id=plain-1"]
    done = leadpipe(*words, env=sandbox.env)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "m.json").read_text()
    assert "s3cret" not in text and "s3cret" not in done.stderr
    expected = list(words)
    expected[6] = "webhook,header=X-Token: ***:" + sandbox.hook("a") + "?***"
    assert json.loads(text)["arguments"] == expected


def test_progress_without_a_terminal(leadpipe, sandbox, control):
    control.set(latency_ms=2800)
    words = ["export", *sandbox.provider(), "-t", "csv:out/", "-j", "1", "--id", "plain-1", "--id", "plain-2"]
    done = leadpipe(*words, "--progress", "always", env=sandbox.env)
    assert re.search(r"^leadpipe: progress: 1/2  50%  \d+\.\d/s  ETA \d+s  1 in flight", done.stderr, re.M)
    control.set(latency_ms=0)
    assert "progress" not in leadpipe(*words, env=sandbox.env).stderr


class Terminal:
    """The program with standard error on a terminal of so many columns."""

    def __init__(self, leadpipe, words, env, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = leadpipe.start(*words, env=env, stderr=slave)
        os.close(slave)
        self.shown = b""

    def read(self):
        """False at the end."""
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # Linux: nobody has the other side open any more
            return False
        self.shown += piece
        return bool(piece)

    def finish(self):
        while self.read():
            pass
        os.close(self.master)
        return self.process.wait(60 * SLOWNESS)

    def wait_for(self, pattern):
        end = time.monotonic() + 20 * SLOWNESS
        while not re.search(pattern, self.shown):
            assert time.monotonic() < end and self.read(), self.shown
        return self.shown


ERASE = " \x1b[J"


def screen(shown):
    """The lines that a terminal shows in the end. Of its codes it knows the one that erases what is behind."""
    lines = []
    for line in shown.decode().replace("\r\n", "\n").split("\n"):
        cells = []
        for piece in line.split("\r"):
            if piece == ERASE:
                cells = []
            cells[:len(piece)] = piece if piece != ERASE else ""
        lines.append("".join(cells).rstrip())
    return lines


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_live_line(leadpipe, sandbox, control, tmp_path, columns):
    control.set(latency_ms=600)
    (tmp_path / "ids").write_text("".join("plain-%d\n" % n for n in range(60)) + "x~status=400\n")
    terminal = Terminal(leadpipe, ["export", *sandbox.provider(), "-t", "csv:out/", "-v", "-j", "30", "ids"],
                        sandbox.env, columns)
    assert terminal.finish() == 3
    live = [piece for piece in re.split(r"[\r\n]", terminal.shown.decode()) if re.match(r"\d+/\d+", piece)]
    assert live and all(len(piece) < columns for piece in live)
    assert any(piece.startswith("30/61  49%") for piece in live)
    assert "\x1b" not in terminal.shown.decode().replace(ERASE, "")
    lines = screen(terminal.shown)
    assert lines[0] == "leadpipe: x~status=400: HTTP 400: Bad Request"
    assert lines[1].startswith("leadpipe: 1 failed")
    assert lines[2] == "IDs       61 read, 61 unique, 0 duplicates"


def test_no_live_line_on_a_dumb_terminal(leadpipe, sandbox, control):
    """It cannot erase: with --progress always there are plain lines, as without a terminal."""
    control.set(latency_ms=600)
    words = ["export", *sandbox.provider(), "-t", "csv:out/", "--id", "plain-1"]
    terminal = Terminal(leadpipe, words, {**sandbox.env, "TERM": "dumb"})
    assert terminal.finish() == 0
    assert b"in flight" not in terminal.shown and b"\x1b" not in terminal.shown


@pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")
def test_live_line_and_resizes(leadpipe, sandbox, control, tmp_path):
    """Wide, narrow, wide: the terminal wraps the line anew, and nothing of it stays behind."""
    control.set(latency_ms=400)
    bad = 25  # more than the screen has: tmux moves the top of an emptier one into its history
    (tmp_path / "ids").write_text("".join("bad-%d~status=400\n" % n for n in range(bad)) +
                                  "".join("plain-%d\n" % n for n in range(2000)))
    words = [str(BINARY), "export", *sandbox.provider(), "-t", "csv:out/", "-j", "40", "-v", "ids"]
    tmux = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "tmux")]
    count = r"^(\d+)/~?%d " % (bad + 2000)

    def lines_of_the_screen():
        shown = subprocess.run([*tmux, "capture-pane", "-p", "-J", "-S", "-"], check=True, capture_output=True, text=True,
                               timeout=30).stdout
        return [line.rstrip() for line in shown.rstrip("\n ").split("\n")]

    def wait_for(condition):
        end = time.monotonic() + 20 * SLOWNESS
        while not condition(lines := lines_of_the_screen()):
            assert time.monotonic() < end, lines
            time.sleep(0.05)
        return lines

    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "20", "-c", str(tmp_path),
                    shlex.join(words) + "; sleep 60"], check=True, timeout=30,
                   env={**clean_environment(sandbox.env), "TERM": "xterm"})
    try:
        lines = wait_for(lambda lines: re.search(count + ".* in flight .* 25 failed$", lines[-1]))
        for columns in (37, 100, 50, 24, 100):
            before = re.search(count, lines[-1])[1]
            subprocess.run([*tmux, "resize-window", "-x", str(columns)], check=True, timeout=30)
            # one more line of the old width may have been drawn before the terminal was resized
            lines = wait_for(lambda lines: (drawn := re.search(count, lines[-1])) and drawn[1] != before
                             and len(lines[-1]) < columns)
            assert len(lines) == bad + 1, lines
            assert all(line.startswith("leadpipe: bad-") for line in lines[:-1]), lines
        subprocess.run([*tmux, "send-keys", "C-c"], check=True, timeout=30)
        lines = wait_for(lambda lines: any(line.startswith("time ") for line in lines))
        assert not [line for line in lines if re.search(count, line)], lines
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, timeout=30)


def test_no_live_line_beside_rows(leadpipe, sandbox, control):
    """Standard output is the same terminal: a live line would tear the rows up."""
    control.set(latency_ms=600)
    master, slave = pty.openpty()
    process = leadpipe.start("export", *sandbox.provider(), "-t", "csv:-", "--id", "plain-1", env=sandbox.env,
                             stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:
        pass
    os.close(master)
    assert process.wait(60 * SLOWNESS) == 0
    assert b"in flight" not in shown
    assert shown.startswith(b"provider,lead_id,")


def test_ids_from_a_terminal(leadpipe, sandbox, control):
    master, slave = pty.openpty()
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:-", stdin=slave, env=sandbox.env)
    os.close(slave)
    assert process.stderr.readline().decode() == (
        "leadpipe: reading lead IDs from the terminal, one per line; end with Ctrl-D\n")
    os.write(master, b"plain-1\n\x04")
    stdout, _ = process.communicate(timeout=60 * SLOWNESS)
    os.close(master)
    assert process.returncode == 0
    assert json.loads(stdout)["lead_id"] == "plain-1"


def test_stopped_without_a_state(leadpipe, sandbox, control):
    """It says what is not there, and how it would have been."""
    control.set(latency_ms=300)
    words = ["export", *sandbox.provider(), "-t", "csv:out/", "-q", "-j", "1"]
    for state in ([], ["--state", "s"]):
        control.reset()
        control.set(latency_ms=300)
        process = leadpipe.start(*words, *state, stdin=-1, env=sandbox.env)
        process.stdin.write(b"".join(b"plain-%d\n" % n for n in range(50)))
        process.stdin.flush()
        runs.wait_until(lambda: control.requests(), "the first request")
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60 * SLOWNESS)
        assert process.returncode == 143
        said = "no output file was published; with --state FILE the same command could resume it" in stderr.decode()
        assert said == (not state), stderr


@pytest.mark.parametrize("sinks, hint", [
    (["ndjson:-"], False), (["csv:-"], False), (["ndjson:/dev/stdout"], False), (["csv:out/", "ndjson:-"], False),
    (["csv:out/"], True), (["ndjson:x", "csv:out/"], True)], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_stopped_without_a_state_hint(leadpipe, sandbox, control, sinks, hint):
    """--state is suggested only where it would be accepted: not with a sink that writes to a stream."""
    control.set(latency_ms=300)
    words = [word for sink in sinks for word in ("-t", sink)]
    process = leadpipe.start("export", *sandbox.provider(), *words, "-q", "-j", "1", stdin=-1, env=sandbox.env)
    process.stdin.write(b"".join(b"plain-%d\n" % n for n in range(50)))
    process.stdin.flush()
    runs.wait_until(lambda: control.requests(), "the first request")
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60 * SLOWNESS)
    assert process.returncode == 143
    assert b"the run stopped early and no output file was published" in stderr
    assert (b"with --state FILE the same command could resume it" in stderr) == hint, stderr


@pytest.mark.parametrize("words, env, names", [
    ([], {"OMNI_API_KEY": "wr0ng-key-1"}, "the API key in the environment variable OMNI_API_KEY"),
    (["--api-key-file", "folder/key"], {}, "the API key in the file folder/key (--api-key-file)"),
    (["--api-key-file", "folder/key"], {"CREDENTIALS_DIRECTORY": "folder"},
     "the API key in the file folder/key (--api-key-file; systemd has copied it from the path in the unit's LoadCredential=)")])
def test_refused_key_says_where_it_is_from(leadpipe, sandbox, control, tmp_path, words, env, names):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/key").write_text("wr0ng-key-1\n")
    done = leadpipe("export", *sandbox.provider(), *words, "-t", "csv:out/", "--id", "plain-1", env=env)
    assert done.returncode == 1
    assert "credentials refused: " in done.stderr and names in done.stderr and "wr0ng" not in done.stderr


def test_missing_credential_of_systemd_says_where_it_comes_from(leadpipe, sandbox, tmp_path):
    (tmp_path / "folder").mkdir()
    done = leadpipe("export", *sandbox.provider(), "--api-key-file", "folder/key", "-t", "csv:out/", "--id", "plain-1",
                    env={"CREDENTIALS_DIRECTORY": "folder"})
    assert done.returncode == 2
    assert ("--api-key-file: folder/key does not exist; systemd copies it from the path in the unit's LoadCredential= "
            "when the job starts: put the key there") in done.stderr


def test_the_provider_is_shown_though_pings_go_to_the_same_server(leadpipe, sandbox, tmp_path):
    """A ping's URL is a secret, but not the server in it."""
    server = sandbox.url.rstrip("/")
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--id", "plain-1~status=500", "--attempts", "1",
                    "--ping", server + "/hooks/4711-0815", "--manifest", "m.json", env=sandbox.env)
    assert done.returncode == 3
    text = (tmp_path / "m.json").read_text()
    assert any(word.startswith(server + "/omni") for word in json.loads(text)["arguments"]), text
    assert "4711-0815" not in text + done.stderr


def test_version_names_the_libraries(leadpipe):
    text = leadpipe("version").stdout.decode()
    for name in ("libcurl", "libuv", "SQLite", "cJSON", "msgpack-c", "zlib", "libdeflate", "xxHash", "OpenSSL"):
        assert re.search(r"\b%s[/ ]\d" % name, text), text
