"""The key is sent to the provider and to nobody else, and stands in nothing that is written."""

import json
import os

import pytest

import runs
from conftest import Control
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


def key_file(leadpipe, sandbox, tmp_path, content, env=None):
    (tmp_path / "key").write_bytes(content)
    return leadpipe("export", *sandbox.provider(), "--api-key-file", "key", "-t", "ndjson:-", "--id", "tiny-1", env=env)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_key_file(leadpipe, sandbox, control, tmp_path, end):
    """One line end is cut off; and the file beats the variable."""
    done = key_file(leadpipe, sandbox, tmp_path, sandbox.key.encode() + end, env={"OMNI_API_KEY": "wr0ng"})
    assert done.returncode == 0 and json.loads(done.stdout)["lead_id"] == "tiny-1", done.stderr


@pytest.mark.parametrize("content, says", [
    (b"", "empty"), (b"\n", "empty"), (b"\r\n", "empty"), (b"s3cret\nline\n", "one line"), (b"s3cret\n\n", "one line"),
    (b"s3c\x00ret", "control"), (b"s3cret" * 10_000, "at most")])
def test_key_file_refused(leadpipe, sandbox, control, tmp_path, content, says):
    done = key_file(leadpipe, sandbox, tmp_path, content, env=sandbox.env)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "--api-key-file" in done.stderr and says in done.stderr and "s3c" not in done.stderr
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


@pytest.mark.parametrize("name", ["absent", ".", "absent/key"])
def test_key_file_that_cannot_be_read(leadpipe, sandbox, name):
    """A key given in the place of the file's name is not repeated either."""
    done = leadpipe("export", *sandbox.provider(), "--api-key-file", name, "-t", "ndjson:-", "--id", "tiny-1")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "--api-key-file: " in done.stderr and "absent" not in done.stderr
