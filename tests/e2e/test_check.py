"""leadpipe check: what would go wrong in a run is said before it, and nothing is changed by asking."""

import contextlib
import datetime
import email.utils
import json
import os
import resource
import sys

import pytest

import databases
from checks import KEY, Night, Secure, authority, free_port, good  # noqa: F401
from conftest import ROOT
from raw_server import HANG, RawServer
from tiny_server import TinyServer

sys.path.insert(0, str(ROOT / "tests" / "sandbox"))
from s3 import S3Server  # noqa: E402

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def night(leadpipe, sandbox, control):
    return Night(leadpipe, sandbox)


# --- nothing is wrong ---------------------------------------------------------------------------------

def test_a_good_job(night, control):
    points = night.check()
    assert {level for level, _, _ in points} == {"ok"}, points
    assert {"job", "key", "files", "memory", "provider", "lead", "csv", "output", "disk"} <= {subject for _, subject, _ in points}
    text, = [message for _, subject, message in points if subject == "lead"]
    assert text.startswith("plain-1: fetched in ")
    assert [request["method"] for request in control.requests()] == ["GET"]


def test_text_is_aligned(night):
    night.check()
    night.write("omni.key", night.sandbox.key, 0o644)
    done = night.leadpipe("check", "job.yaml")
    assert done.returncode == 0 and done.stderr == ""
    for line in done.stdout.decode().splitlines():
        level, subject, message = line[:6].strip(), line[6:17].strip(), line[17:]
        assert level in ("ok", "warn", "FAIL") and subject and " " not in subject and message[0] != " ", line
        assert line[4:6] == "  " and line[15:17] == "  ", line


def test_options_of_export(night):
    words = ["-p", "omni", "--base-url", night.sandbox.omni, "-t", "ndjson:out/x.ndjson"]
    done = night.leadpipe("check", *words, "ids.txt", env={"OMNI_API_KEY": night.sandbox.key})
    assert done.returncode == 0, done.stdout
    assert b"FAIL" not in done.stdout and b"plain-1: fetched" in done.stdout
    done = night.leadpipe("check", *words, "--id", "plain-9", env={"OMNI_API_KEY": night.sandbox.key})
    assert done.returncode == 0 and b"plain-9: fetched" in done.stdout
    done = night.leadpipe("check", *words, input="plain-1\n", env={"OMNI_API_KEY": night.sandbox.key})
    assert done.returncode == 0 and b"warn  lead" in done.stdout  # a pipe is left to whom it is for
    assert list((night.folder / "out").iterdir()) == []


def test_a_shard(night):
    """Its state is the one that its run has."""
    night.job.update({"shard": "1/2", "state": "{shard}.state"})
    points = night.check()
    assert any(subject == "state" and "/1.state: does not exist yet" in message for _, subject, message in points), points
    night.job["shard"] = "3/2"
    assert night.finds("FAIL", "job", "--shard") == []


@pytest.mark.parametrize("words", [[], ["--no-such"], ["a.yaml", "b.yaml"], ["job.yaml", "--save-job", "x.yaml"]])
def test_usage(night, words):
    done = night.leadpipe("check", *words)
    assert done.returncode == 2 and done.stdout == b"" and len(done.stderr.splitlines()) == 1
    assert sorted(os.listdir(night.folder)) == ["ids.txt", "omni.key", "out"]


# --- the job and the key ------------------------------------------------------------------------------

@pytest.mark.parametrize("text, says", [
    (None, "No such file"), ("provider: [", "bad.yaml:"), ("provider: omni\nprovider: omni\n", "bad.yaml:2:"),
    ("nonsense: 1\n", "nonsense"), ("provider: omni\nconcurrency: lots\nto: csv:out/\n", "concurrency"),
    ("provider: omni\nto: [{nosuch: {target: x}}]\n", "unknown sink"),
    ("provider: nosuch\nto: [{csv: {target: out/}}]\n", "nosuch"),
    ("provider: omni\nserver: nosuch\nto: [{csv: {target: out/}}]\n", "nosuch")])
def test_a_job_that_cannot_be_read(night, text, says):
    if text is not None:
        night.write("bad.yaml", text)
    (level, subject, message), = night.check(status=1, job="bad.yaml")
    assert (level, subject) == ("FAIL", "job") and says in message


@pytest.mark.parametrize("text, says", [(None, "No such file"), ("", "empty"), ("two words\n", "ASCII"), ("a\nb\n", "ASCII")])
def test_a_key_that_is_none(night, text, says):
    if text is None:
        (night.folder / "omni.key").unlink()
    else:
        night.write("omni.key", text, 0o600)
    assert night.finds("FAIL", "key", "omni.key", says) == []


@pytest.mark.parametrize("mode, level", [(0o644, "warn"), (0o620, "warn"), (0o604, "warn"), (0o640, "ok"), (0o400, "ok")])
def test_a_key_that_others_can_read(night, mode, level):
    night.write("omni.key", night.sandbox.key, mode)
    assert night.finds(level, "key", "%04o" % mode, "chmod g-w,o=" if level == "warn" else "neither") == []


def test_a_key_that_is_refused(night):
    night.write("omni.key", KEY, 0o600)
    assert night.finds("FAIL", "key", "refused", "401", "omni.key") == []


# --- the provider -------------------------------------------------------------------------------------

def test_a_host_without_an_address(night):
    night.job["base-url"] = "https://provider.invalid/api"
    assert night.finds("FAIL", "provider", "https://provider.invalid", "resolve", "DNS") == []


def test_a_port_that_is_closed(night):
    night.job["base-url"] = "http://127.0.0.1:%d" % free_port()
    assert night.finds("FAIL", "provider", night.job["base-url"], "is the server running") == []


@pytest.fixture
def tiny():
    with contextlib.ExitStack() as stack:
        def start(answer):
            server = TinyServer(answer)
            stack.callback(server.close)
            return server
        yield start


@pytest.mark.parametrize("hours, level, says", [(-1, "FAIL", "ahead of"), (1, "FAIL", "behind"), (0, "ok", "agree"), (-0.02, "warn", "ahead of")])
def test_clocks(night, tiny, hours, level, says):
    date = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours), usegmt=True)
    server = tiny(lambda path, headers: good(path, headers, Date=date))
    night.job["base-url"] = server.url
    assert night.finds(level, "clock", says) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("status, level, subject, says", [
    (403, "FAIL", "key", "403"), (500, "FAIL", "lead", "returned 500: no; try again later"),
    (429, "FAIL", "lead", "returned 429: no; try again later"), (400, "FAIL", "lead", "returned 400: no; check the ID, --param"),
    (302, "FAIL", "lead", "--base-url"), (404, "warn", "lead", "provider has none of the IDs")])
def test_answers_that_are_none(night, tiny, status, level, subject, says):
    server = tiny(lambda path, headers: (status, {}, b"{\"message\": \"no\"}"))
    night.job["base-url"] = server.url
    assert night.finds(level, subject, says) == []
    assert len(server.requests) == (2 if status == 404 else 1)


def test_a_folder_named_like_a_key(night):
    """A file that is there is no key that was given in its place: its name is in all that is said of it."""
    path = night.folder / "exports-of-customer-4711" / "omni 1.key"
    path.parent.mkdir()
    path.write_text("another")
    path.chmod(0o640)
    night.job["api-key-file"] = str(path)
    points = night.check(status=1)
    assert "%s: other users can neither" % path in str(points) and "the API key in the file %s (" % path in str(points)
    path.chmod(0o644)
    assert any("; run: chmod g-w,o= '%s'" % path in message for _, _, message in night.check(status=1))


def test_a_lead_that_is_missing_and_one_that_is_not(night, tiny):
    server = tiny(lambda path, headers: (404, {}, b"{}") if path.endswith("plain-1") else good(path, headers))
    night.job["base-url"] = server.url
    points = night.check()
    assert ("ok", "lead") in [point[:2] for point in points] and any(message.startswith("plain-2") for _, _, message in points)


def test_all_are_missing_or_malformed(night, tiny):
    """What is said does not depend on which of them is the last."""
    night.job.update({"base-url": tiny(lambda path, headers: (404, {}, b"{}")).url, "id-format": "lines"})
    for bad in range(6):
        night.write("ids.txt", "".join("..\n" if n == bad else "x-%d\n" % n for n in range(6)))
        warned = [point for point in night.check() if point[0] == "warn"]
        assert [point[:2] for point in warned] == [("warn", "ids")] * (bad < 5) + [("warn", "lead")], warned
        assert "the provider has none of the first 5 IDs in the input" in warned[-1][2]


def test_a_lead_that_is_too_large(night):
    night.job["max-body"] = "100"
    assert night.finds("FAIL", "lead", "plain-1", "--max-body") == []


def test_an_endless_answer(night):
    """What is larger than allowed is not waited for."""
    steps = [b"HTTP/1.1 200 OK\r\n\r\n[", b"1," * 50_000, HANG]
    with RawServer(lambda path, n: steps) as server:
        night.job.update({"base-url": server.url, "max-body": "50000"})
        assert night.finds("FAIL", "lead", "plain-1", "--max-body") == []


def test_lines_that_are_no_ids(night, control):
    """The provider is reached all the same."""
    night.write("ids.txt", "a\tb\n" * 6)
    night.job["id-format"] = "lines"
    points = night.check()
    assert [point[:2] for point in points if point[0] == "warn"] == [("warn", "ids")] * 5 + [("warn", "lead")]
    assert "none of the first 5 IDs in the input can be requested, and the key was not checked" in str(points)
    assert [message for level, subject, message in points if subject == "provider" and "reached" in message]
    assert control.requests() == []


@pytest.mark.parametrize("body", [b"<html>", b"{\"success\": false, \"message\": \"no\"}"])
def test_a_body_that_is_no_lead(night, tiny, body):
    night.job["base-url"] = tiny(lambda path, headers: (200, {}, body)).url
    assert night.finds("FAIL", "lead", "plain-1") == []


@pytest.mark.parametrize("days", [3, 60])
def test_certificates(night, authority, days):  # noqa: F811
    server = Secure(authority, "days%d" % days)
    night.job.update({"base-url": server.url, "cacert": str(authority / "authority.pem")})
    if days == 3:
        assert night.finds("warn", "provider", "expires in 2 days") == []
    else:
        assert night.finds("ok", "provider", "good for 59 days", "TLS ") == []
    server.server.shutdown()


def test_a_certificate_that_is_not_trusted(night, authority):  # noqa: F811
    server = Secure(authority, "days60")
    night.job["base-url"] = server.url
    assert night.finds("FAIL", "provider", server.url, "certificate", "--cacert") == []
    server.server.shutdown()


# --- outputs ------------------------------------------------------------------------------------------

def test_a_folder_that_is_missing(night):
    night.job["failed"] = "nowhere/failed.ndjson"
    assert night.finds("FAIL", "output", "--failed", "nowhere") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(night):
    (night.folder / "out").chmod(0o555)
    night.finds("FAIL", "csv", "out")
    (night.folder / "out").chmod(0o755)


def test_an_output_that_is_a_folder(night):
    (night.folder / "out" / "failed.ndjson").mkdir()
    assert night.finds("FAIL", "output", "--failed") == []


def test_two_outputs_that_are_one(night):
    night.job["missing"] = "out/failed.ndjson"
    assert night.finds("FAIL", "output", "--failed", "--missing") == []


def test_less_space_than_the_last_run_needed(night):
    with open(night.folder / "out" / "leads.csv", "wb") as file:
        file.truncate(1 << 42)  # sparse
    before = os.stat(night.folder / "out" / "leads.csv")
    night.write("job.yaml", json.dumps(night.job))
    done = night.leadpipe("check", "job.yaml", "--json")
    assert done.returncode == 1 and os.stat(night.folder / "out" / "leads.csv").st_mtime_ns == before.st_mtime_ns
    failed = [json.loads(line) for line in done.stdout.splitlines() if b"FAIL" in line]
    assert [(point["subject"], "4.0 TiB" in point["message"]) for point in failed] == [("disk", True)]


def test_an_input_that_is_missing(night):
    night.job["ids"] = "nowhere.txt"
    assert night.finds("FAIL", "ids", "nowhere.txt") == []


@pytest.mark.parametrize("sink", ["csv", "parquet"])
def test_a_slash_that_was_forgotten(night, sink):
    """A single file has one table: that is said, and is a warning if the name is not one of a file."""
    def only(target, **options):
        night.job["to"] = [{sink: {"target": target, **options}}]
        return [(level, text) for level, _, text in night.check() if "the table leads only" in text]

    spec = "%s:%s/out2" % (sink, night.folder)
    assert only("out2") == [("warn", '%s: the table leads only; "%s/" writes all 8 tables, each to a file in that directory' % (spec, spec))]
    (level, text), = only("leads.x")
    assert level == "ok" and text.endswith("a directory, with a / at its end, gets all 8 tables")
    assert only("out2/") == only("out2", table="leads") == []


# --- databases, buckets, receivers ---------------------------------------------------------------------

@pytest.fixture
def database(cluster):
    made = databases.Database(cluster)
    made.run("create role narrow_%s login; create schema closed" % made.name)
    return made


def catalog(database):
    return database.run("select relname, relnamespace::regnamespace, relacl from pg_class order by 1, 2;"
                        "select nspname, nspacl from pg_namespace order by 1")


def test_postgres(night, database):
    before = catalog(database)
    night.job["to"] = [{"postgres": {"target": database.conninfo()}}]
    assert night.finds("ok", "postgres", "server 1", "may create and write tables in schema public") == []
    night.job["to"] = [{"postgres": {"target": database.conninfo(), "schema": "later"}}]
    assert night.finds("ok", "postgres", "schema later, which the run will create") == []
    for schema in ("closed", "later"):
        night.job["to"] = [{"postgres": {"target": database.conninfo("narrow_" + database.name), "schema": schema}}]
        assert night.finds("FAIL", "postgres", "narrow_" + database.name, schema, "grant ") == []
    assert catalog(database) == before


def test_a_table_that_may_not_be_written(night, database):
    database.run("create schema shared; create table shared.leads (x int); grant usage, create on schema shared to narrow_%s"
                 % database.name)
    night.job["to"] = [{"postgres": {"target": database.conninfo("narrow_" + database.name), "schema": "shared"}}]
    assert night.finds("FAIL", "postgres", "leads", "grant select, insert, update, delete") == []


def test_postgres_that_is_down(night):
    night.job["to"] = [{"postgres": {"target": "host=127.0.0.1 port=%d user=etl dbname=x" % free_port()}}]
    assert night.finds("FAIL", "postgres", "is the server running") == []


@pytest.fixture
def s3():
    with S3Server(buckets=["leads"]) as server:
        yield server


def test_buckets(night, s3):
    night.secrets.append(s3.secret_key)
    night.job.update({"to": [{"csv": {"target": "s3://leads/2026/"}}], "s3-endpoint": s3.url})
    assert night.finds("ok", "csv", "s3://leads/2026/", "deleted", env=s3.env) == []
    assert s3.objects == {"leads": {}} and s3.uploads == {}
    assert [(request.operation, request.code) for request in s3.requests] == [("PutObject", None), ("DeleteObject", None)]
    night.job["to"] = [{"csv": {"target": "s3://nosuch/2026/"}}]
    assert night.finds("FAIL", "csv", "s3://nosuch/2026/", "NoSuchBucket", env=s3.env) == []
    night.job["to"] = [{"csv": {"target": "s3://leads/2026/"}}]
    assert night.finds("FAIL", "csv", "SignatureDoesNotMatch", env={**s3.env, "AWS_SECRET_ACCESS_KEY": KEY}) == []
    night.job["s3-endpoint"] = "http://127.0.0.1:%d" % free_port()
    assert night.finds("FAIL", "csv", "no object can be written", env=s3.env) == []


@pytest.mark.parametrize("how", ["lose", "drop", "answer"])
def test_an_object_whose_answer_is_lost(night, s3, how):
    """It may be there all the same, and does not stay."""
    night.job.update({"to": [{"csv": {"target": "s3://leads/2026/"}}], "s3-endpoint": s3.url})
    s3.fail("PutObject", "SlowDown", how=how)
    assert night.finds("FAIL", "csv", "no object can be written", env=s3.env) == []
    assert list(s3.objects["leads"]) == []


def test_an_object_that_cannot_be_deleted(night, s3):
    night.job.update({"to": [{"csv": {"target": "s3://leads/2026/"}}], "s3-endpoint": s3.url})
    s3.fail("DeleteObject", "AccessDenied", status=403)
    (level, subject, message), = [point for point in night.check(env=s3.env) if point[0] != "ok"]
    name, = s3.objects["leads"]
    assert (level, subject) == ("warn", "csv") and "delete the object %s yourself" % name in message


def test_answers_with_too_much_before_the_body(night):
    """A field of 300 KB: libcurl calls that a lack of memory."""
    steps = [b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 300_000 + b"\r\n\r\n{}"]
    with RawServer(lambda path, n: steps) as server:
        night.job["base-url"] = server.url
        assert night.finds("FAIL", "lead", "headers are too large") == []


def test_a_server_that_is_silent(night):
    """Every server is waited for, but not for long."""
    night.job.update({"timeout": "500ms", "connect-timeout": "1d"})
    with RawServer(lambda path, n: [HANG]) as server:
        night.job["base-url"] = server.url
        assert night.finds("FAIL", "provider", server.url, "timed out") == []


def test_webhooks(night, control):
    night.job["to"] = [{"webhook": {"target": night.sandbox.hook("checked")}}]
    assert night.finds("ok", "webhook", "reached") == []
    assert control.deliveries("checked") == []
    night.job["to"] = [{"webhook": {"target": "https://hooks.invalid/x?q=" + KEY}}]
    assert night.finds("FAIL", "webhook", "https://hooks.invalid", "DNS") == []
    night.job["to"] = [{"webhook": {"target": "http://hooks.example/x"}}]
    assert night.finds("FAIL", "webhook", "--allow-http") == []


def test_a_destination_that_is_none(night):
    night.write("crm.json", "{\"name\": 1}")
    night.job["to"] = [{"push": {"target": "crm.json"}}]
    assert night.finds("FAIL", "push", "crm.json") == []


# --- what is around it --------------------------------------------------------------------------------

def test_too_few_open_files(night):
    night.job["concurrency"] = "1000"
    assert night.finds("FAIL", "files", "ulimit -n",
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))) == []


def test_more_memory_than_there_is(night):
    night.job["max-memory"] = "1024G"
    assert night.finds("warn", "memory", "--max-memory") == []


def test_pings(night):
    night.secrets.append("4711aaaa-bbbb-cccc-dddd")
    requests = []
    server = TinyServer(lambda path, headers: requests.append(path) or (200, {}, b"OK"))
    night.job["ping"] = server.url + "/4711aaaa-bbbb-cccc-dddd"
    assert night.finds("ok", "ping", server.url, "reached") == []
    server.close()
    assert requests == []
    night.job["ping"] = "https://hc.invalid/4711aaaa-bbbb-cccc-dddd"
    assert night.finds("FAIL", "ping", "https://hc.invalid", "DNS") == []
