"""The key is sent to the provider and to nobody else, and stands in nothing that is written."""

import json
import os
import subprocess
import sys

import pytest

import runs
from conftest import SANITIZER, Control
from tiny_server import TinyServer

KEY = "k3y-0123456789-s3cret-abcdefghij"


@pytest.fixture
def provider():
    """provider(answer): a server; what it answers may contain the key, for it has been sent it."""
    made = []

    def make(answer):
        made.append(TinyServer(answer))
        return made[-1]

    yield make
    for server in made:
        server.close()


def error_body(text):
    return json.dumps({"message": text, "code": text}).encode()


ECHOES = {
    "whole": error_body("the key %s is wrong" % KEY),
    "only it": error_body(KEY),
    "twice": error_body(KEY + KEY),
    "escaped": error_body(KEY).replace(b"k3y", b"\\u006b3y"),
    "in html": b"<html><p>%s</p></html>" % KEY.encode(),
    "as text": KEY.encode(),
    "as text, unfinished": b"x" + KEY.encode()[:-1],
    # Messages are cut after 500 bytes: wherever the cut falls, no part of the key may stay.
    **{"cut behind %d of its bytes" % n: error_body("x" * (500 - n) + KEY) for n in (1, 8, 16, 31, 32)},
    **{"text cut behind %d of its bytes" % n: b"x" * (500 - n) + KEY.encode() for n in (8, 16, 31)},
    "long before": error_body("x" * 100_000 + KEY),
}


def assert_no_key(folder, *texts):
    """Nor a part of it that would help anybody."""
    for part in (KEY, KEY[:12], KEY[-12:]):
        for text in texts:
            assert part not in text, text[:3000]
        for name, content in runs.listing(folder).items():
            assert part.encode() not in content, name


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("status", [400, 200])
@pytest.mark.parametrize("echo", ECHOES)
def test_echoed_key(leadpipe, provider, tmp_path, echo, status, log_format):
    body = ECHOES[echo]
    if status == 200:
        body = body.replace(b'{"', b'{"success": false, "', 1)
    server = provider(lambda path, headers: (status, {}, body))
    done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "ndjson:out", "--attempts", 1,
                    "--failed", "failed", "--manifest", "manifest", "-v", "-v", "--log-format", log_format,
                    "--id", "1", "--id", "2", env={"OMNI_API_KEY": KEY})
    assert done.returncode == 3, done.stderr
    assert server.requests[0][1]["x-api-key"] == KEY
    assert_no_key(tmp_path, done.stdout.decode(), done.stderr)


@pytest.mark.parametrize("name", ["Location", "Retry-After", "Content-Encoding", "Date"])
def test_key_in_a_header(leadpipe, provider, tmp_path, name):
    value = "http://%s.example/" % KEY if name == "Location" else KEY
    server = provider(lambda path, headers: (302 if name == "Location" else 429, {name: value}, b"{}"))
    done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "ndjson:out", "--attempts", 1,
                    "--failed", "failed", "-vv", "--id", "1", env={"OMNI_API_KEY": KEY})
    assert done.returncode in (1, 3), done.stderr
    assert_no_key(tmp_path, done.stderr)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("shown", [8, 12])
def test_key_that_is_cut_in_a_redirect(leadpipe, provider, tmp_path, n, shown):
    """A target is shown up to 511 bytes: where that is within the key, its beginning must not stay."""
    start = "http://sso.example/"
    start += "a" * (511 - shown - len(start) - 1) + "-"
    server = provider(lambda path, headers: (302, {"Location": start + KEY}, b"{}"))
    ids = [word for i in range(n) for word in ("--id", "lead-%d" % i)]
    done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "ndjson:out", "-vv",
                    "--failed", "failed", "--manifest", "manifest", *ids, env={"OMNI_API_KEY": KEY})
    assert done.returncode == (1 if n == 3 else 3), done.stderr
    texts = [done.stderr] + [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert any("a" * 400 in text for text in texts), texts
    for text in texts:
        assert KEY[:6] not in text, text


def test_refused_key_is_not_shown(leadpipe, provider, tmp_path):
    server = provider(lambda path, headers: (401, {}, ECHOES["whole"]))
    done = leadpipe("export", "-p", "convocore", "--base-url", server.url, "--param", "agentId=a", "-t", "ndjson:out",
                    "--failed", "failed", "-vv", "--id", "1", env={"CONVOCORE_API_KEY": KEY})
    assert done.returncode == 1 and "credentials refused" in done.stderr
    assert server.requests[0][1]["Authorization"] == "Bearer " + KEY
    assert_no_key(tmp_path, done.stderr)


def test_good_run_leaves_no_key(leadpipe, another_sandbox, tmp_path):
    sandbox = another_sandbox("--key", KEY)
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:tables/", "-t", "ndjson:out.ndjson",
                    "-t", "msgpack,gzip=0:out.msgpack", "-t", "webhook:" + sandbox.hook("crm"), "--failed", "failed",
                    "--manifest", "manifest", "-v", "-v", "--id", "rich-1", "--id", "a~echokey", "--id", "b~reset",
                    "--attempts", 2, env={"OMNI_API_KEY": KEY})
    assert done.returncode == 3, done.stderr
    assert_no_key(tmp_path, done.stderr)


def test_process_shows_no_key(leadpipe, another_sandbox, tmp_path):
    """Neither its arguments nor its environment, where others on the machine could read them."""
    if not os.path.isdir("/proc/self"):
        pytest.skip("no /proc")
    sandbox = another_sandbox("--key", KEY)
    control = Control(sandbox.url)
    (tmp_path / "key").write_text(KEY)
    for words, env in (([], {"OMNI_API_KEY": KEY}), (["--api-key-file", "key"], {})):
        process = leadpipe.start("export", *sandbox.provider(), *words, "-t", "ndjson:-", stdin=-1, env=env)
        process.stdin.write(b"plain-1\n")
        process.stdin.flush()
        runs.wait_until(lambda: control.requests(), "the key is used")
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (process.pid, name), "rb") as shown:
                assert KEY.encode() not in shown.read()
        process.stdin.close()
        process.stdin = None
        assert process.wait(60) == 0


def test_redirect_carries_no_key(leadpipe, sandbox, control, another_sandbox):
    """Not even asked: a redirect is not followed."""
    other = another_sandbox()
    target = other.url[len("http://"):]
    run = runs.export(leadpipe, sandbox, ids=["tiny-1~redirect=" + target, "tiny-2"])
    assert (run.status, run.exported) == (3, ["tiny-2"])
    assert "127.0.0.1" in run.failed[0]["error"]
    assert Control(other.url).requests() == []


def test_variables_leave_the_environment(leadpipe, sandbox, control, tmp_path):
    """Those that sinks read, too, and however often one is named."""
    if not os.path.isdir("/proc/self"):
        pytest.skip("no /proc")
    env = {"OMNI_API_KEY": sandbox.key, "AUTH": "Bearer hook-t0ken-1", "MORE": "hook-t0ken-2",
           "SIGN": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "OTHER": "stays-as-it-is"}
    (tmp_path / "secrets").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx\n")
    process = leadpipe.start(
        "export", *sandbox.provider(), "-t", "ndjson:-", stdin=-1, env=env,
        *["-t", "webhook,secret-env=SIGN,header-env=Authorization: AUTH,header-env=X-More: MORE:" + sandbox.hook("a"),
          "-t", "webhook,secret-env=SIGN,header-env=Authorization: OMNI_API_KEY:" + sandbox.hook("b"),
          "-t", "webhook,secret-file=secrets,header-env=X-More: MORE:" + sandbox.hook("c")])
    process.stdin.write(b"plain-1\n")
    process.stdin.flush()
    runs.wait_until(lambda: len(control.ask("hooks")) == 3, "every receiver has been asked")
    hooks = {name: control.deliveries(name)[0]["headers"] for name in "abc"}
    try:
        with open("/proc/%d/environ" % process.pid, "rb") as shown:
            environ = shown.read()
        assert b"stays-as-it-is" in environ
        for name, value in env.items():
            assert name == "OTHER" or value.split()[-1].encode() not in environ, name
    except PermissionError:
        pass  # of a process that is not dumpable nobody but root reads it
    process.stdin.close()
    process.stdin = None
    assert process.wait(60) == 0
    assert hooks["a"]["authorization"] == env["AUTH"] and hooks["a"]["x-more"] == hooks["c"]["x-more"] == env["MORE"]
    assert hooks["b"]["authorization"] == sandbox.key


def key_file(leadpipe, sandbox, tmp_path, content, env=None):
    (tmp_path / "key").write_bytes(content)
    return leadpipe("export", *sandbox.provider(), "--api-key-file", "key", "-t", "ndjson:-", "--id", "tiny-1", env=env)


AROUND = [(b"", b""), (b"", b"\n"), (b"", b"\r\n"), (b"\xef\xbb\xbf", b"\r\n"), (b" \t", b" \n\n"), (b"", b"\xc2\xa0\n"),
          (b"\xe2\x80\x8b", b"\xe2\x80\x8b")]


@pytest.mark.parametrize("before, after", AROUND)
def test_key_file(leadpipe, sandbox, control, tmp_path, before, after):
    """What an editor puts around it is cut off; and the file beats the variable."""
    done = key_file(leadpipe, sandbox, tmp_path, before + sandbox.key.encode() + after, env={"OMNI_API_KEY": "wr0ng"})
    assert done.returncode == 0 and json.loads(done.stdout)["lead_id"] == "tiny-1", done.stderr


@pytest.mark.parametrize("content, says", [
    (b"", "empty"), (b"\n", "empty"), (b"\r\n", "empty"), (b" \xef\xbb\xbf\xc2\xa0\n", "empty"),
    (b"s3cret\nline\n", "several lines"), (b"s3c\x00ret", "control"), (b"s3cret" * 10_000, "at most"),
    (b"s3c ret", "space"), (b"s3c\xc2\xa0ret", "non-ASCII"), ("s3cret\n".encode("utf-16"), "UTF-16"),
    ("s3cret\n".encode("utf-16-be"), "UTF-16"), (b"\x1f\x8b\x08\x00\x00", "control")])
def test_key_file_refused(leadpipe, sandbox, control, tmp_path, content, says):
    done = key_file(leadpipe, sandbox, tmp_path, content, env=sandbox.env)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "--api-key-file: key " in done.stderr and says in done.stderr and "s3c" not in done.stderr
    assert control.requests() == []


def test_key_file_of_a_pipe(leadpipe, sandbox, control):
    """As in --api-key-file <(pass show omni): read once, in whatever pieces."""
    reader, writer = os.pipe()
    os.write(writer, sandbox.key.encode() + b"\n")
    os.close(writer)
    done = leadpipe("export", *sandbox.provider(), "--api-key-file", "/dev/fd/%d" % reader, "-t", "ndjson:-",
                    "--id", "tiny-1", pass_fds=[reader])
    os.close(reader)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("before, after", AROUND)
def test_variable(leadpipe, sandbox, control, before, after):
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:-", "--id", "tiny-1", env={
        "OMNI_API_KEY": os.fsdecode(before + sandbox.key.encode() + after)})
    assert done.returncode == 0 and json.loads(done.stdout)["lead_id"] == "tiny-1", done.stderr


@pytest.mark.parametrize("content, says", [("s3c ret", "space"), ("s3c\nret", "several lines"), ("\ufeff \n", "empty"),
                                           ("s3c\u00a0ret", "non-ASCII"), ("s3c\x1bret", "control")])
def test_variable_refused(leadpipe, sandbox, control, content, says):
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:-", "--id", "tiny-1", env={"OMNI_API_KEY": content})
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "OMNI_API_KEY " in done.stderr and says in done.stderr and "s3c" not in done.stderr
    assert control.requests() == []


@pytest.mark.parametrize("name, says", [
    ("absent", "absent cannot be opened: No such file or directory"), (".", ". is a directory"),
    ("absent/key", "absent/key cannot be opened: No such file or directory"),
    ("x" * 300, "cannot be opened: File name too long"), ("/".join(["x" * 200] * 20), ": No such file or directory")])
def test_key_file_that_cannot_be_read(leadpipe, sandbox, name, says):
    done = leadpipe("export", *sandbox.provider(), "--api-key-file", name, "-t", "ndjson:-", "--id", "tiny-1")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "--api-key-file: " + name[:100] in done.stderr and says in done.stderr


@pytest.mark.parametrize("option, target", [("--api-key-file", "ndjson:-"),
                                            (None, "webhook,secret-file=%s:http://127.0.0.1:9/"),
                                            (None, "webhook,secret-env=%s:http://127.0.0.1:9/"),
                                            (None, "webhook,header-env=X-A\\: %s:http://127.0.0.1:9/")])
@pytest.mark.parametrize("key", ["sk-live-1234567890", "0aK1bL2cM3dN4eO5fP6gQ7", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZI"])
def test_key_in_the_place_of_its_file(leadpipe, sandbox, key, option, target):
    """It is not repeated."""
    words = [option, key] if option else []
    done = leadpipe("export", *sandbox.provider(), *words, "-t", target % key if "%" in target else target,
                    "--id", "tiny-1", env=sandbox.env)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert key not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or bool(SANITIZER), reason="needs root, to be another user; and no sanitizer")
def test_other_processes_of_the_user(leadpipe, sandbox, control, tmp_path):
    """They can neither read its memory nor make it dump it; and it can still open its own descriptors."""
    nobody = 65534
    reader, writer = os.pipe()
    os.write(writer, sandbox.key.encode() + b"\n")
    os.close(writer)
    os.chown(reader, nobody, nobody)  # else it could not be opened by its name
    process = leadpipe.start("export", *sandbox.provider(), "-t", "ndjson:-", "--api-key-file", "/dev/fd/%d" % reader,
                             stdin=-1, pass_fds=[reader], user=nobody, group=nobody, extra_groups=[], cwd="/")
    os.close(reader)
    process.stdin.write(b"plain-1\n")
    process.stdin.flush()
    runs.wait_until(lambda: control.requests() or process.poll() is not None, "the key is used")
    for name in ("environ", "mem"):
        tried = subprocess.run([sys.executable, "-c", "open('/proc/%d/%s', 'rb').read(1)" % (process.pid, name)],
                               user=nobody, group=nobody, extra_groups=[], cwd="/", capture_output=True, text=True)
        assert "PermissionError" in tried.stderr, tried
    limits = open("/proc/%d/limits" % process.pid).read()
    assert [line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")] == ["0"], limits
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0 and json.loads(stdout)["lead_id"] == "plain-1", stderr
