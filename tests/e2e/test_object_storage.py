"""Outputs that are objects (s3://BUCKET/KEY), against a server that verifies every request (tests/sandbox/s3.py)."""

import configparser
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

from conftest import ROOT
from outputs import ids_file, snapshot
from runs import wait_until

sys.path.insert(0, str(ROOT / "tests" / "sandbox"))
from s3 import S3Server  # noqa: E402

PART = 8 << 20
BIG = ["size400k-%d" % n for n in range(50)]  # 20 MB: three parts
LATE = ["plain-%d" % n for n in range(700)] + ["newcode-%d-x" % n for n in range(3)]


@pytest.fixture
def s3(tmp_path):
    with S3Server(buckets=["leads", "dotted.name"]) as server:
        yield server


class Exports:
    """Runs the program with that server, and a spool directory that has to be empty at the end."""

    def __init__(self, leadpipe, sandbox, s3):
        self.leadpipe, self.sandbox, self.s3 = leadpipe, sandbox, s3
        self.folder = leadpipe.folder
        self.spool = self.folder / "spool"
        self.spool.mkdir()

    def words(self, *words, ids=("plain-1", "plain-2")):
        ids_file(self.folder, ids)
        return ["export", *self.sandbox.provider(), "--s3-endpoint", self.s3.url, "--spool-dir", "spool", *words,
                "ids.txt"]

    @property
    def env(self):
        return dict(self.sandbox.env, **self.s3.env)

    def __call__(self, *words, ids=("plain-1", "plain-2"), status=0, env=None, **popen):
        done = self.leadpipe(*self.words(*words, ids=ids), env=self.env if env is None else env, **popen)
        assert done.returncode == status, done.stderr
        for secret in (self.s3.secret_key, self.s3.token):
            assert not secret or secret not in done.stderr
        return done

    def start(self, *words, ids=("plain-1",), **popen):
        return self.leadpipe.start(*self.words(*words, ids=ids), env=self.env, **popen)

    def is_clean(self):
        return self.s3.uploads == {} and os.listdir(self.spool) == []


@pytest.fixture
def exports(leadpipe, sandbox, control, s3):
    control.set(nonce="same")
    return Exports(leadpipe, sandbox, s3)


# ---- the bytes --------------------------------------------------------------------------------------

@pytest.mark.parametrize("sink, local, remote", [
    ("csv", "out/", "s3://leads/a/b/"),
    ("csv,gzip=6", "out/", "s3://leads/"),
    ("csv,table=documents", "one", "s3://leads/one"),
    ("ndjson", "one.ndjson", "s3://leads/deep/er/one.ndjson"),
    ("ndjson,layout=rows,gzip=1", "one", "s3://leads/one"),
    ("ndjson", "out/", "s3://leads/"),
    ("ndjson,layout=raw,gzip=9", "one", "s3://leads/one"),
    ("ndjson,run-columns", "out/", "s3://leads/"),
    ("csv,excel-safe,bom,eol=crlf,delimiter=semicolon,gzip=1", "out/", "s3://leads/"),
    ("msgpack,gzip=6", "out/", "s3://leads/m/"),
    ("msgpack,layout=rows", "one", "s3://leads/one"),
    ("parquet", "out/", "s3://leads/p/"),
    ("parquet,compression=gzip,json=string", "out/", "s3://leads/p/"),
    ("parquet,compression=none,table=documents", "one", "s3://leads/one"),
    ("msgpack", "one", "s3://leads/k\u00e4y with =&+?#%41 signs"),
])
def test_same_bytes(exports, s3, sink, local, remote):
    """What is in the bucket is what would be in local files, and appears only at the end: the manifest last."""
    visible = []
    s3.before = lambda operation, key: operation != "CompleteMultipartUpload" and visible.append(dict(s3.objects["leads"]))
    exports("-t", "%s:%s" % (sink, local), "-t", "%s:%s" % (sink, remote), "--failed", "s3://leads/failed",
            "--missing", "missing", "--schema", "s3://leads/schema.json", "--manifest", "s3://leads/manifest.json",
            ids=["plain-1", "gone~missing", "plain-2"])
    others = ("manifest.json", "failed", "schema.json")
    prefix = remote[len("s3://leads/"):]
    here = {name: digest for name, digest in snapshot(exports.folder / local).items()} if local.endswith("/") \
        else {"": hashlib.sha256((exports.folder / local).read_bytes()).hexdigest()}
    there = {key: hashlib.sha256(data).hexdigest() for key, data in s3.data().items()}
    manifest = json.loads(s3.data()["manifest.json"])
    assert {key[len(prefix):]: digest for key, digest in there.items()
            if key.startswith(prefix) and key not in others} == here
    assert s3.data()["failed"] == b"" and (exports.folder / "missing").read_bytes().count(b"\n") == 1
    assert not any(visible), "an object appeared before the end"
    assert s3.requests[-1][:3] == ("CompleteMultipartUpload", "leads", "manifest.json")
    files = manifest["sinks"][1]["files"]
    assert {file["path"]: file["sha256"] for file in files} == {
        "s3://leads/" + key: digest for key, digest in there.items() if key.startswith(prefix) and key not in others}
    assert exports.is_clean()


@pytest.mark.parametrize("option", ["failed", "missing", "schema", "manifest", "summary-file"])
def test_any_file_may_be_the_only_object(exports, s3, option):
    for _ in range(2):  # the second one replaces it
        exports("-t", "ndjson:out.ndjson", "--" + option, "s3://leads/a/file", ids=["plain-1", "gone~missing"])
        assert list(s3.data()) == ["a/file"] and (option == "failed") == (s3.data()["a/file"] == b"")
        assert exports.is_clean()


def test_parts_are_sent_while_the_run_continues(exports, s3, control):
    """In parts of 8 MiB, before the last lead is asked for."""
    asked, ids = [], ["size400k-%d" % n for n in range(80)]  # more than what the program holds while it waits for a part
    s3.before = lambda operation, key: operation == "UploadPart" and asked.append(control.attempts(ids[-1]))
    exports("-t", "ndjson:s3://leads/big.ndjson", "-t", "ndjson:big.ndjson", "-j", "1", "--manifest", "m", ids=ids)
    data = s3.data()["big.ndjson"]
    assert data == (exports.folder / "big.ndjson").read_bytes() and len(data) > 2 * PART
    assert asked[0] == 0 and len(asked) == 4
    assert exports.is_clean()


@pytest.mark.parametrize("sink", ["csv", "csv,gzip=6"])
def test_a_csv_with_late_columns(exports, s3, sink):
    """Rewritten from its local file, which is gone afterwards, and uploaded once more."""
    exports("-t", sink + ":s3://leads/late/", "-t", sink + ":out/", ids=LATE, timeout=120)
    here = {path.name: path.read_bytes() for path in (exports.folder / "out").iterdir()}
    assert {key[len("late/"):]: data for key, data in s3.data().items()} == here
    begun, ended = s3.count("CreateMultipartUpload"), s3.count("CompleteMultipartUpload")
    assert begun > ended and s3.count("AbortMultipartUpload") == begun - ended
    assert exports.is_clean()


def test_an_empty_object(exports, s3):
    exports("-t", "ndjson:s3://leads/none.ndjson", ids=[])
    assert s3.data() == {"none.ndjson": b""} and exports.is_clean()


def test_many_parts_are_listed_in_pages(exports, s3):
    s3.page = 1
    exports("-t", "ndjson:s3://leads/big.ndjson", "-t", "ndjson:big.ndjson", ids=BIG)
    assert s3.data()["big.ndjson"] == (exports.folder / "big.ndjson").read_bytes()


def test_virtual_addressing(exports, s3):
    s3.url = s3.url.replace("127.0.0.1", "localhost")
    exports("-t", "ndjson:s3://leads/a b.ndjson", "--s3-addressing", "virtual")
    exports("-t", "ndjson:s3://dotted.name/x.ndjson")
    assert list(s3.data()) == ["a b.ndjson"] and list(s3.data("dotted.name")) == ["x.ndjson"]


# ---- the server says no -----------------------------------------------------------------------------

def error_of(done, bucket="leads", key="x.ndjson"):
    """The message, which names the object."""
    lines = [line for line in done.stderr.splitlines() if "s3://%s/%s" % (bucket, key) in line]
    assert lines, done.stderr
    return lines[0]


REFUSALS = [
    ("AccessDenied", 403, 1, "s3:PutObject"),
    ("ExpiredToken", 400, 1, "get new credentials"),
    ("InvalidToken", 403, 1, "AWS_SESSION_TOKEN"),
    ("PermanentRedirect", 301, 2, "--s3-region"),
    ("QuotaExceeded", 403, 1, "full"),
    ("Strange", 418, 1, "Strange: on demand"),
]


@pytest.mark.parametrize("code, status, exit_status, advice", REFUSALS)
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_refusal(exports, s3, operation, code, status, exit_status, advice):
    """Named with bucket, key, code and message; nothing of it is visible, and no upload is left."""
    s3.fail(operation, code, status, matches="x.ndjson", times=9)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", "--manifest", "m.json",
                   status=exit_status if operation == "CreateMultipartUpload" else 1)
    message = error_of(done)
    assert "%s: on demand" % code in message and advice in message, message
    assert s3.data() == {} and exports.is_clean()
    if exit_status == 1:
        assert json.loads((exports.folder / "m.json").read_text())["published"] is False


def test_no_such_bucket(exports, s3):
    done = exports("-t", "ndjson:s3://other/x.ndjson", status=2)
    message = error_of(done, "other")
    assert "NoSuchBucket: The specified bucket does not exist" in message and "--s3-endpoint" in message


def test_a_wrong_secret(exports, s3):
    env = dict(exports.env, AWS_SECRET_ACCESS_KEY="wrongwrongwrong")
    done = exports("-t", "ndjson:s3://leads/x.ndjson", env=env, status=1)
    assert "SignatureDoesNotMatch: The request signature we calculated" in error_of(done)
    assert "wrongwrongwrong" not in done.stderr
    done = exports("-t", "ndjson:s3://leads/x.ndjson", env=dict(exports.env, AWS_ACCESS_KEY_ID="AKIAOTHER"), status=1)
    assert "InvalidAccessKeyId" in error_of(done)


def test_another_region(exports, s3):
    s3.region = "eu-central-1"
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=2)
    assert "give --s3-region eu-central-1" in error_of(done)
    exports("-t", "ndjson:s3://leads/x.ndjson", "--s3-region", "eu-central-1")
    exports("-t", "ndjson:s3://leads/y.ndjson", env=dict(exports.env, AWS_REGION="eu-central-1"))
    assert set(s3.data()) == {"x.ndjson", "y.ndjson"}


@pytest.mark.parametrize("ahead", [-7 * 86400, 3600])
def test_a_clock_that_is_wrong(exports, s3, ahead):
    """The server's time is used, and said once."""
    s3.clock_ahead = ahead
    done = exports("-t", "ndjson:s3://leads/x.ndjson")
    assert done.stderr.count("using the server's time") == 1
    assert [request.code for request in s3.requests].count("RequestTimeTooSkewed") == 1
    assert exports.is_clean()


def test_a_clock_that_stays_wrong(exports, s3):
    s3.fail("CreateMultipartUpload", "RequestTimeTooSkewed", 403, times=9)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    assert "RequestTimeTooSkewed: on demand" in error_of(done) and "clock" in error_of(done)


@pytest.mark.parametrize("code, status, how", [("SlowDown", 503, "answer"), ("InternalError", 500, "answer"),
                                               ("RequestTimeout", 400, "answer"), ("x", 0, "drop"), ("x", 0, "lose")])
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload"])
def test_tried_again(exports, s3, operation, code, status, how):
    """Once is no obstacle; also where an answer was lost after the server had done what it was asked for."""
    s3.fail(operation, code, status, how=how)
    exports("-t", "ndjson:s3://leads/x.ndjson", "-t", "ndjson:x.ndjson")
    assert s3.data()["x.ndjson"] == (exports.folder / "x.ndjson").read_bytes()
    assert s3.faults == []
    left = 1 if (operation, how) == ("CreateMultipartUpload", "lose") else 0  # whose id nobody heard
    assert len(s3.uploads) == left


def test_a_success_that_is_none(exports, s3):
    """CompleteMultipartUpload answers 200 before it knows."""
    s3.fail("CompleteMultipartUpload", "InternalError", how="late", status=200)
    exports("-t", "ndjson:s3://leads/x.ndjson", "-t", "ndjson:x.ndjson")
    assert s3.data()["x.ndjson"] == (exports.folder / "x.ndjson").read_bytes()
    s3.fail("CompleteMultipartUpload", "AccessDenied", how="late", status=200)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    assert "AccessDenied: on demand" in error_of(done)


def test_slow_down_for_ever(exports, s3):
    s3.fail("UploadPart", "SlowDown", times=99)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", "--attempts", "2", status=1)
    message = error_of(done)
    assert "SlowDown: on demand (2 attempts)" in message, message
    assert s3.data() == {} and exports.is_clean()


def test_an_upload_that_somebody_aborts(exports, s3):
    s3.before = lambda operation, key: operation == "UploadPart" and s3.uploads.clear()
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    assert "NoSuchUpload" in error_of(done) and s3.data() == {}


@pytest.mark.parametrize("answer", [
    b"", b"<Error>", b"not XML", b"<InitiateMultipartUploadResult/>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]><InitiateMultipartUploadResult><UploadId>&a;</UploadId></InitiateMultipartUploadResult>",
    b"<InitiateMultipartUploadResult><UploadId>" + b"x" * 5000 + b"</UploadId></InitiateMultipartUploadResult>",
    b"<a>" * 1000,
], ids=["nothing", "cut", "text", "no id", "entity", "long", "deep"])
def test_an_answer_that_is_none(exports, s3, monkeypatch, answer):
    from s3 import S3Handler
    monkeypatch.setattr(S3Handler, "perform", lambda *_: (200, answer, {}))
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    assert "the server's response is not an S3 response" in error_of(done)


def test_a_message_that_echoes_a_secret(exports, s3):
    s3.fail("CreateMultipartUpload", "Odd", 400, message="you sent %s" % s3.secret_key)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    assert "you sent ***" in error_of(done)


# ---- runs that do not come to their end --------------------------------------------------------------

def test_a_run_that_fails_aborts(exports, s3):
    s3.fail("UploadPart", "AccessDenied", 403, times=9, matches="csv/")
    exports("-t", "ndjson:s3://leads/big.ndjson", "-t", "csv:s3://leads/csv/", ids=BIG, status=1)
    assert s3.data() == {} and "1" in [request.query.get("partNumber") for request in s3.requests if not request.code]
    assert exports.is_clean()


def test_a_run_that_cannot_open_all_aborts(exports, s3):
    exports("-t", "ndjson:s3://leads/x.ndjson", "-t", "ndjson:s3://other/x.ndjson", status=2)
    assert exports.is_clean()


def test_withheld(exports, s3):
    """Where no lead was found only the lists and the manifest appear."""
    exports("-t", "ndjson:s3://leads/x.ndjson", "--missing", "s3://leads/missing", "--manifest", "s3://leads/m.json",
            ids=["gone~missing"], status=3)
    assert set(s3.data()) == {"missing", "m.json"} and exports.is_clean()


def test_a_stopped_run_aborts(exports, s3, control):
    process = exports.start("-t", "ndjson:s3://leads/x.ndjson", "-t", "csv:s3://leads/csv/", "--manifest",
                            "s3://leads/m.json", ids=["plain-1~slow=1500"])
    wait_until(lambda: control.attempts("plain-1~slow=1500") > 0, "it is asked for")
    assert len(s3.uploads) > 2
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, stderr
    assert set(s3.data()) == {"m.json"} and json.loads(s3.data()["m.json"])["published"] is False
    assert exports.is_clean()


@pytest.mark.parametrize("operation, key", [
    ("CreateMultipartUpload", "failed"), ("CreateMultipartUpload", "one"), ("CreateMultipartUpload", "csv/documents"),
    ("CreateMultipartUpload", "csv/matching"), ("ListMultipartUploads", ""),
])
@pytest.mark.parametrize("state", [[], ["--state", "state"]], ids=["", "state"])
def test_a_run_stopped_while_it_opens_aborts(exports, s3, control, state, operation, key):
    """A signal that arrives before the first request, while one output after the other is begun."""
    def before(asked, about):
        if asked == operation and key in about and exports.leadpipe.started:
            s3.before = None
            exports.leadpipe.started[-1].send_signal(signal.SIGTERM)
            wait_until(lambda: has_taken(exports.leadpipe.started[-1].pid), "the signal is taken")
    if operation == "ListMultipartUploads" and not state:
        pytest.skip("only a run with a state lists")
    s3.before = before
    done = exports("-t", "ndjson:s3://leads/one", "-t", "csv:s3://leads/csv/", "--failed", "s3://leads/failed",
                   "--manifest", "m.json", *state, status=128 + signal.SIGTERM)
    manifest = json.loads((exports.folder / "m.json").read_text())
    assert (manifest["exit_status"], manifest["published"]) == (128 + signal.SIGTERM, False)
    assert "stopped by SIGTERM; nothing was published" in done.stderr
    assert s3.data() == {} and control.attempts("plain-1") == 0 and exports.is_clean()
    exports("-t", "ndjson:s3://leads/one", "-t", "csv:s3://leads/csv/", "--failed", "s3://leads/failed", *state)
    assert "one" in s3.data() and exports.is_clean()


def has_taken(pid):
    """Is no signal pending, or the process gone?"""
    try:
        with open("/proc/%d/status" % pid) as status:
            return not any(int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd")))
    except (FileNotFoundError, ProcessLookupError):
        return True


# ---- and resume -------------------------------------------------------------------------------------

SINKS = {
    "ndjson": ["ndjson:%s/one"],
    "gzip": ["ndjson,gzip=1:%s/one"],
    "msgpack": ["msgpack,gzip=0:%s/one"],
    "csv": ["csv:%s/csv/"],
    "parquet": ["parquet,row-group=64K:%s/one"],
    "both": ["csv,gzip=1:%s/csv/", "ndjson:%s/one"],
    "tables": ["ndjson:%s/n/", "msgpack,gzip=1:%s/m/", "parquet,row-group=64K:%s/p/", "ndjson:%s/one"],
}


class ResumedExports(Exports):
    """One command with a state, whose IDs come through a pipe: so it is known how far a part has come."""

    def words_for(self, sinks, *more):
        given = [word for sink in SINKS[sinks] for word in ("-t", sink % "s3://leads")]
        return ["export", *self.sandbox.provider(), "--s3-endpoint", self.s3.url, "--spool-dir", "spool", *given,
                "--state", "run.state", "--manifest", "s3://leads/m.json", "--failed", "s3://leads/failed", *more]

    def part(self, sinks, ids, number, *more):
        """Does these and is ended, once a checkpoint covers them where nothing else would make one."""
        before = self.control.attempts(ids[-1])
        process = self.leadpipe.start(*self.words_for(sinks, "-vv", *more), env=self.env, stdin=subprocess.PIPE)
        process.stdin.write("".join("%s\n" % one for one in ids).encode())
        process.stdin.flush()
        if number == signal.SIGKILL:
            durable = "leads that are durable: %d" % len(ids)
            assert any(durable in line for line in iter(lambda: process.stderr.readline().decode(), "")), durable
        else:
            wait_until(lambda: process.poll() is not None or self.control.attempts(ids[-1]) > before,
                       "a part is done")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), stderr

    def whole(self, sinks, ids, *more, status=0):
        done = self.leadpipe(*self.words_for(sinks, *more), env=self.env, input="".join("%s\n" % one for one in ids),
                             timeout=120)
        assert done.returncode == status, done.stderr
        return done

    def local(self, sinks, ids, status=0):
        """The same in local files: {key: bytes}."""
        (self.folder / "local").mkdir()
        words = [word for sink in SINKS[sinks] for word in ("-t", sink % "local")]
        self(*words, ids=ids, timeout=120, status=status)
        return {str(path.relative_to(self.folder / "local")): path.read_bytes()
                for path in (self.folder / "local").rglob("*") if path.is_file()}

    def outputs(self):
        return {key: data for key, data in self.s3.data().items() if key not in ("m.json", "failed")}


@pytest.fixture
def resumed(leadpipe, sandbox, control, s3):
    control.set(nonce="same")
    exports = ResumedExports(leadpipe, sandbox, s3)
    exports.control = control
    return exports


@pytest.mark.parametrize("sinks, number", [
    ("ndjson", signal.SIGKILL), ("gzip", signal.SIGKILL), ("csv", signal.SIGKILL),
    ("parquet", signal.SIGKILL), ("parquet", signal.SIGTERM),
    ("ndjson", signal.SIGTERM), ("msgpack", signal.SIGTERM), ("both", signal.SIGTERM),
    ("tables", signal.SIGKILL), ("tables", signal.SIGINT),
])
def test_a_run_that_resumes(resumed, s3, sinks, number):
    """Stopped or killed in the middle: what was uploaded is not uploaded again, and the bytes are the same."""
    ids = LATE if sinks == "csv" else BIG + ["newcode-1-x"]
    resumed.part(sinks, ids[:len(ids) * 8 // 10], number)
    assert resumed.outputs() == {} and s3.uploads
    before = len(s3.requests)
    resumed.whole(sinks, ids)
    local = resumed.local(sinks, ids)
    assert resumed.outputs() == local
    manifest = json.loads(s3.data()["m.json"])
    sums = {file["path"]: file["sha256"] for sink in manifest["sinks"] for file in sink["files"]}
    assert sums == {"s3://leads/" + key: hashlib.sha256(data).hexdigest() for key, data in local.items()}
    again = {request.query["partNumber"] for request in s3.requests[before:]
             if request.operation == "UploadPart" and request.key == "one"}
    assert "1" not in again or sinks in ("gzip", "both", "parquet", "tables"), again
    assert resumed.is_clean()


@pytest.mark.parametrize("sink, n_tables", [("csv", 8), ("parquet", 8), ("ndjson", 8)])
def test_completed_at_a_time(exports, s3, sink, n_tables):
    """The first table of a sink is completed alone; none of the others before all of them are to be."""
    together = threading.Barrier(n_tables - 1, timeout=60)
    keys = []

    def before(operation, key):
        if operation == "CompleteMultipartUpload":
            keys.append(key)
            if 1 < len(keys) <= n_tables:
                together.wait()
    s3.before = before
    exports("-t", "%s:s3://leads/" % sink, "--manifest", "s3://leads/m.json", ids=["plain-1"], timeout=120)
    assert len(keys) == len(set(keys)) == n_tables + 1 and keys[-1] == "m.json"
    assert set(s3.data()) == set(keys) and exports.is_clean()


def kill_at(exports, s3, operation, key):
    """The program is killed when it asks for that."""
    def before(asked, about):
        if asked == operation and key in about and exports.leadpipe.started:
            s3.before = None
            exports.leadpipe.started[-1].kill()
    s3.before = before


@pytest.mark.parametrize("operation, key", [
    ("CreateMultipartUpload", "one"), ("UploadPart", "one"), ("ListParts", "one"), ("CreateMultipartUpload", "m.json"),
    ("UploadPart", "m.json"), ("CompleteMultipartUpload", "one"), ("CompleteMultipartUpload", "failed"),
    ("CompleteMultipartUpload", "m.json"),
])
def test_killed_at_its_end(resumed, s3, operation, key):
    """The same command finishes it, and no upload is left, whatever nobody could note of it."""
    ids = ["plain-1", "bad~status=400", "plain-2"]
    kill_at(resumed, s3, operation, key)
    resumed.whole("both", ids, status=-signal.SIGKILL)
    resumed.whole("both", ids, status=3)
    assert resumed.is_clean()
    assert resumed.outputs() == resumed.local("both", ids, status=3)


def test_an_upload_that_is_gone(resumed, s3):
    """Of what is in a local file it is begun anew; of the rest the run cannot be resumed."""
    ids = LATE[:60]
    resumed.part("csv", ids[:50], signal.SIGTERM)
    s3.uploads.clear()
    resumed.whole("csv", ids)
    assert resumed.outputs() == resumed.local("csv", ids) and resumed.is_clean()
    resumed.part("ndjson", ids[:50], signal.SIGTERM)
    s3.uploads.clear()
    done = resumed.whole("ndjson", ids, status=2)
    assert "NoSuchUpload" in done.stderr and "--fresh" in done.stderr
    resumed.whole("ndjson", ids, "--fresh")
    assert resumed.is_clean()


def test_spooled_data_that_is_gone(resumed, s3):
    resumed.part("csv", LATE[:600], signal.SIGTERM)
    for path in resumed.spool.iterdir():
        path.unlink()
    done = resumed.whole("csv", LATE, status=2)
    assert "data of the unfinished run" in done.stderr and "--fresh" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_fresh_aborts(resumed, s3, number, tmp_path):
    """What the unfinished run has left is aborted, also where this run's keys are others."""
    SINKS["dated"] = ["ndjson:%s/run={run_id}/one", "csv:%s/run={run_id}/"]
    resumed.part("dated", ["plain-%d" % n for n in range(30)], number)
    assert len(s3.uploads) > 2
    resumed.whole("dated", ["plain-1"], "--fresh")
    assert resumed.is_clean()
    assert len({key.split("/")[0] for key in resumed.outputs()}) == 1


def test_placeholders(resumed, s3):
    """The day and the id of the run, also of one that is resumed; in local targets, too."""
    SINKS["dated"] = ["ndjson:%s/dt={date}/{run_id}.ndjson", "csv:%s/dt={date}/"]
    resumed.part("dated", ["plain-1"], signal.SIGTERM)
    resumed.whole("dated", ["plain-1", "plain-2"])
    run_id = json.loads(s3.data()["m.json"])["run_id"]
    day = json.loads(s3.data()["m.json"])["started_at"][:10]
    assert "dt=%s/%s.ndjson" % (day, run_id) in s3.data() and "dt=%s/leads.csv" % day in s3.data()
    resumed("-t", "ndjson:x-{date}-{other}.ndjson", "-t", "csv:dt={date}/", "--manifest", "m-{run_id}")
    names = os.listdir(resumed.folder)
    assert "x-%s-{other}.ndjson" % day in names and "dt=" + day in names
    done = resumed.leadpipe(*resumed.words("-t", "ndjson:y", "--failed", "f-{date}-{other}", ids=["bad~status=400"]),
                            env=resumed.env)
    assert done.returncode == 3 and "(listed in f-%s-{other})" % day in done.stderr, done.stderr
    found = [name for name in names if name.startswith("m-")]
    assert len(found) == 1 and json.loads((resumed.folder / found[0]).read_text())["run_id"] == found[0][2:]


# ---- configuration ----------------------------------------------------------------------------------

@pytest.mark.parametrize("target, text", [
    ("s3://", "names no object"), ("s3:///x", "name of the bucket"), ("s3://lea ds/x", "name of the bucket"),
    ("s3://leads", "names no object"), ("s3://leads/a/../b", "segment"),
    ("s3://leads//x", "slash"), ("s3://leads/" + "x" * 1025, "too long"), ("s3://leads/x{day}", "braces"),
    ("s3://leads/a\tb", "control"), ("s3://leads/a\u0085b", "control"), ("s3://leads/\u009b/", "control"), ("S3://leads/x", "is a URL"), ("gs://leads/x", "is a URL"),
])
def test_targets_that_are_refused(exports, s3, target, text):
    done = exports("-t", "ndjson:" + target, "-t", "ndjson:s3://leads/other", status=2)
    assert text in done.stderr and s3.requests == []


def test_two_outputs_on_one_object(exports, s3):
    done = exports("-t", "ndjson:s3://leads/x", "--failed", "s3://leads/x", status=2)
    assert "would both write s3://leads/x" in done.stderr and s3.requests == []
    exports("-t", "ndjson:s3://leads/x", "--failed", "s3://leads/x/y")


def test_options_that_are_refused(exports, s3):
    for words, text in ((["--s3-endpoint", "ftp://x"], "--s3-endpoint"), (["--s3-endpoint", "http://10.0.0.1"], "--allow-http"),
                        (["--s3-endpoint", s3.url + "/path"], "path"), (["--s3-region", "a b"], "--s3-region"),
                        (["--s3-addressing", "other"], "auto|path|virtual"), (["--spool-dir", "nowhere"], "--spool-dir")):
        words = [word for word in exports.words("-t", "ndjson:s3://leads/x") if word not in ("--s3-endpoint", s3.url,
                 "--spool-dir", "spool")] + words
        done = exports.leadpipe(*words, env=exports.env)
        assert done.returncode == 2 and text in done.stderr, done.stderr


@pytest.mark.parametrize("words, env, goes", [
    ([], {"AWS_ENDPOINT_URL_S3": "S3"}, True), ([], {"AWS_ENDPOINT_URL": "S3"}, True), ([], {"AWS_ENDPOINT_URL": "S3/"}, True),
    ([], {"AWS_ENDPOINT_URL_S3": "S3", "AWS_ENDPOINT_URL": "DEAD"}, True), ([], {"AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL": "S3"}, True),
    (["--s3-endpoint", "S3"], {"AWS_ENDPOINT_URL_S3": "DEAD", "AWS_ENDPOINT_URL": "DEAD"}, True),
    ([], {"AWS_ENDPOINT_URL_S3": "DEAD", "AWS_ENDPOINT_URL": "S3"}, False),
    (["--s3-endpoint", "DEAD"], {"AWS_ENDPOINT_URL": "S3"}, False)])
def test_the_server_of_the_environment(exports, s3, words, env, goes):
    """Whoever has MinIO there must not find the leads at AWS."""
    def named(text):
        return text.replace("S3", s3.url).replace("DEAD", "http://127.0.0.1:%d" % free_port())
    env = dict(exports.env, **{name: named(value) for name, value in env.items()})
    ids_file(exports.folder, ["plain-1"])
    done = exports.leadpipe("export", *exports.sandbox.provider(), "-t", "ndjson:s3://dotted.name/x", "--attempts", "1",
                            *map(named, words), "ids.txt", env=env)
    assert done.returncode == (0 if goes else 1), done.stderr
    assert ("x" in s3.data("dotted.name")) == goes and (goes or "127.0.0.1" in done.stderr)


@pytest.mark.parametrize("value, status, text", [
    ("true", 1, "amazonaws.com"), ("True", 1, "amazonaws.com"), ("false", 2, "AWS_ENDPOINT_URL: "), ("", 2, "AWS_ENDPOINT_URL: ")])
def test_the_server_of_the_environment_is_not_wanted(exports, s3, value, status, text):
    env = dict(exports.env, AWS_ENDPOINT_URL="ftp://x", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=value)
    done = exports.leadpipe("export", *exports.sandbox.provider(), "--id", "plain-1", "-t", "ndjson:s3://leads/x", "--attempts", "1", "--proxy",
                            "http://127.0.0.1:%d" % free_port(), env=env)
    assert done.returncode == status and text in done.stderr, done.stderr


@pytest.mark.parametrize("value, text", [
    ("ftp://x", "must begin with https:// or http://"), ("http://10.0.0.1", "--allow-http"), ("http://127.0.0.1/path", "must not have a path"),
    ("https://bob:ur1-passw0rd@h", "no user name or password"), ("https://" + "x" * 1100, "bytes")])
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
def test_a_server_of_the_environment_that_is_refused(exports, s3, name, value, text):
    words = ["export", *exports.sandbox.provider(), "--id", "plain-1", "-t"]
    done = exports.leadpipe(*words, "ndjson:s3://leads/x", env=dict(exports.env, **{name: value}))
    assert done.returncode == 2 and "%s: " % name in done.stderr and text in done.stderr, done.stderr
    assert "ur1-passw0rd" not in done.stderr and "--s3-endpoint:" not in done.stderr
    done = exports.leadpipe(*words, "ndjson:x", env=dict(exports.env, **{name: value}))
    assert done.returncode == 0, done.stderr  # it does not matter where nothing is an object


def test_a_server_of_the_environment_is_that_of_the_run(resumed, s3):
    """A run is continued only where it was begun; a job that is saved does not have it."""
    ids = ["plain-%d" % n for n in range(3)]
    state = ["export", *resumed.sandbox.provider(), "-t", "ndjson:s3://leads/x", "--state", "s", "ids.txt"]
    ids_file(resumed.folder, ids)
    s3.fail("CompleteMultipartUpload", "AccessDenied", 403)
    done = resumed.leadpipe(*state, env=dict(resumed.env, AWS_ENDPOINT_URL=s3.url))
    assert done.returncode == 1, done.stderr
    done = resumed.leadpipe(*state, env=dict(resumed.env, AWS_ENDPOINT_URL="http://127.0.0.1:%d" % free_port()))
    assert done.returncode == 2 and "--s3-endpoint" in done.stderr, done.stderr
    done = resumed.leadpipe(*state, "--s3-endpoint", s3.url, env=resumed.env)  # the same one
    assert done.returncode == 0 and "x" in s3.data(), done.stderr
    done = resumed.leadpipe(*state, "--save-job", "job.yaml", env=dict(resumed.env, AWS_ENDPOINT_URL=s3.url))
    assert done.returncode == 0 and "endpoint" not in (resumed.folder / "job.yaml").read_text(), done.stderr


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://[::1]:9", "https://10.0.0.1", "http://127.1:9", "https://[2001:db8::1]:9000"])
def test_a_bucket_before_an_address(exports, s3, endpoint):
    words = ["export", *exports.sandbox.provider(), "--id", "plain-1", "-t", "ndjson:s3://leads/x", "--s3-addressing", "virtual"]
    for more, env, source in (["--s3-endpoint", endpoint], {}, "--s3-endpoint"), ([], {"AWS_ENDPOINT_URL": endpoint}, "AWS_ENDPOINT_URL"):
        done = exports.leadpipe(*words, *more, env=dict(exports.env, **env))
        assert done.returncode == 2 and "%s is an IP address: give --s3-addressing path" % source in done.stderr, done.stderr


SPOOLED = {("csv", ""), ("csv", "--state"), ("parquet", "--state")}


@pytest.mark.parametrize("state", ["", "--state"])
@pytest.mark.parametrize("sink", ["csv", "ndjson", "msgpack", "parquet"])
def test_only_what_is_spooled_needs_a_place_for_it(exports, s3, control, sink, state):
    """Where the file system is read-only, or TMPDIR is not there; and all that are written need it, before the first lead is asked for."""
    for target in ("s3://leads/%s/" % sink, "s3://leads/" + sink):
        words = [word for word in exports.words("-t", "%s:%s" % (sink, target), *[state, "run.state"][:2 * bool(state)], "--failed",
                                                "s3://leads/failed", "--manifest", "s3://leads/m.json")
                 if word not in ("--spool-dir", "spool")]
        done = exports.leadpipe(*words, env=dict(exports.env, TMPDIR="/nowhere"))
        if (sink, state) in SPOOLED:
            assert done.returncode == 2 and s3.requests == [] and control.stats()["by_id"] == {}, done.stderr
            assert re.search(r"s3://leads/%s(/leads\.%s)?: needs a local file, too: TMPDIR \(--spool-dir chooses another directory\): "
                             "the directory /nowhere does not exist; create it: mkdir -p /nowhere" % (sink, sink), done.stderr), done.stderr
        else:
            assert done.returncode == 0 and "m.json" in s3.data(), done.stderr
    assert exports.is_clean()


def test_credentials(exports, s3):
    """Of the environment, else of a profile; they are in no message and no longer in the environment."""
    plain = exports.sandbox.env
    done = exports("-t", "ndjson:s3://leads/x", env=plain, status=2)
    assert "AWS_ACCESS_KEY_ID" in done.stderr
    done = exports("-t", "ndjson:s3://leads/x", env=dict(plain, AWS_ACCESS_KEY_ID="AKIA"), status=2)
    assert "AWS_SECRET_ACCESS_KEY is not" in done.stderr
    home = exports.folder / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(
        "# comment\n[default]\naws_access_key_id=AKIAOTHER\naws_secret_access_key = other-secret\n\n"
        "[ night ]\n[night]\r\n  aws_access_key_id = %s\r\naws_secret_access_key=%s  \n" % (s3.access_key, s3.secret_key))
    exports("-t", "ndjson:s3://leads/x", env=dict(plain, HOME=home, AWS_PROFILE="night"))
    done = exports("-t", "ndjson:s3://leads/x", env=dict(plain, HOME=home), status=1)
    assert "InvalidAccessKeyId" in done.stderr and "other-secret" not in done.stderr
    done = exports("-t", "ndjson:s3://leads/x", env=dict(plain, HOME=home, AWS_PROFILE="day"), status=2)
    assert "there is no profile [day]" in done.stderr


PLAIN = "aws_access_key_id = KEY\naws_secret_access_key = SECRET\n"
CREDENTIALS = {
    "plain": "[default]\n" + PLAIN,
    "a comment behind the profile": "[default] ; mine\n" + PLAIN,
    "capitals": "[default]\nAWS_ACCESS_KEY_ID = KEY\nAws_Secret_Access_Key=SECRET\n",
    "colons": "[default]\naws_access_key_id: KEY\naws_secret_access_key :SECRET\n",
    "a block behind": "[default]\n" + PLAIN + "s3 =\n  aws_access_key_id = WRONG\n\n  # comment\n  aws_secret_access_key = WRONG\n",
    "a block before": "[default]\ns3 =\n\taws_access_key_id = WRONG\n" + PLAIN,
    "a block of another profile": "[other]\ns3 =\n  [default]\n  aws_access_key_id = WRONG\n[default]\n" + PLAIN,
    "all are indented": "  [default]\n  aws_access_key_id = KEY\n   aws_access_key_id = WRONG\n  aws_secret_access_key = SECRET\n",
    "only the first is": "[default]\n  aws_access_key_id = KEY\naws_secret_access_key = SECRET\n  aws_secret_access_key = WRONG\n",
    "another profile": "[default ]\naws_access_key_id = WRONG\n[defaults]\naws_access_key_id = WRONG\n[default]\n" + PLAIN + "[x]\naws_access_key_id = WRONG",
    "alike names": "[default]\n" + PLAIN + "aws_access_key_id2 = WRONG\naws_access_key = WRONG\nx aws_secret_access_key = WRONG\n",
}


@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_are_read_as_by_the_tools_of_aws(exports, s3, text):
    path = exports.folder / "creds"
    text = CREDENTIALS[text].replace("KEY\n", s3.access_key + "\n").replace("SECRET\n", s3.secret_key + "\n")
    for ending in "\n", "\r\n":
        path.write_bytes(text.replace("\n", ending).encode())
        exports("-t", "ndjson:s3://leads/x", env=dict(exports.sandbox.env, AWS_SHARED_CREDENTIALS_FILE=path))
    found = configparser.RawConfigParser(default_section=None)
    found.read_string(text)  # what they read files with
    read = {name: found["default"][name].split("\n")[0] for name in ("aws_access_key_id", "aws_secret_access_key")}
    assert read == {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}


@pytest.mark.parametrize("value, text", [("a b c d", "contains a space"), ("a\u00e9b", "contains "), ("", "is empty")])
@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key", "session_token"])
def test_where_wrong_credentials_come_from(exports, s3, name, value, text):
    """Their variable, or their file and profile; never what they are."""
    variables = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cret-s3cret", "AWS_SESSION_TOKEN": "t0ken-t0ken"}
    variables["AWS_" + name.upper()] = value
    path = exports.folder / "creds"
    path.write_text("[night]\n" + "".join("%s = %s\n" % (name.lower(), one) for name, one in variables.items()))
    plain = exports.sandbox.env
    if value:
        done = exports("-t", "ndjson:s3://leads/x", env=dict(plain, **variables), status=2)
        assert "AWS_%s (the " % name.upper() in done.stderr and text in done.stderr and value not in done.stderr, done.stderr
    if value or name != "session_token":
        done = exports("-t", "ndjson:s3://leads/x", env=dict(plain, AWS_SHARED_CREDENTIALS_FILE=path, AWS_PROFILE="night"), status=2)
        assert "creds: profile [night]: aws_%s (the " % name in done.stderr and text in done.stderr, done.stderr
        assert not value or value not in done.stderr
    assert s3.requests == []


def test_an_empty_session_token(exports, s3):
    """There is none, in the file as in the environment."""
    home = exports.folder / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id=%s\naws_secret_access_key=%s\naws_session_token =\n" % (s3.access_key, s3.secret_key))
    exports("-t", "ndjson:s3://leads/x", env=dict(exports.sandbox.env, HOME=home))
    exports("-t", "ndjson:s3://leads/y", env=dict(exports.env, AWS_SESSION_TOKEN=""))
    assert set(s3.data()) == {"x", "y"}


def test_a_session_token(exports, s3):
    s3.token = "FwoGZXIvYXdzEBYaD" + "x" * 1200
    exports("-t", "ndjson:s3://leads/x")
    done = exports("-t", "ndjson:s3://leads/x", env=dict(exports.env, AWS_SESSION_TOKEN="expired-token-expired"), status=1)
    assert "InvalidToken" in error_of(done, key="x") and "expired-token-expired" not in done.stderr


# ---- another server ---------------------------------------------------------------------------------

@pytest.mark.skipif(not shutil.which("versitygw"), reason="versitygw is not installed")
def test_versitygw(exports, tmp_path):
    """A server that leadpipe's authors did not write."""
    (tmp_path / "buckets" / "leads").mkdir(parents=True)
    port = free_port()
    gateway = subprocess.Popen(["versitygw", "--quiet", "--port", "127.0.0.1:%d" % port, "--access", "AKIAEXAMPLE", "--secret",
                                exports.s3.secret_key, "posix", str(tmp_path / "buckets")], stdout=subprocess.DEVNULL)
    try:
        exports.s3.url = "http://127.0.0.1:%d" % port
        wait_until(lambda: answers(exports.s3.url), "it listens")
        (tmp_path / "out").mkdir()
        exports("-t", "ndjson:s3://leads/big.ndjson", "-t", "ndjson:out/big.ndjson", "-t", "csv:s3://leads/csv/", "-t", "csv:out/csv/", "--manifest",
                "s3://leads/m.json", ids=BIG + LATE, timeout=120)
        there = snapshot(tmp_path / "buckets" / "leads")
        here = snapshot(tmp_path / "out")
        assert {key: digest for key, digest in there.items() if key in here} == here and "m.json" in there
        assert not [key for key in there if ".sgwtmp" in key]
        done = exports("-t", "ndjson:s3://other/x.ndjson", status=2)
        assert "NoSuchBucket" in error_of(done, "other")
        done = exports("-t", "ndjson:s3://leads/x.ndjson", env=dict(exports.env, AWS_SECRET_ACCESS_KEY="wrong-secret"), status=1)
        assert "SignatureDoesNotMatch" in error_of(done)
    finally:
        gateway.kill()
        gateway.wait()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
