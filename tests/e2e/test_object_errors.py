"""Each row of the table "When the server refuses" (docs/object-storage.md), and servers that are none."""

import json
import re
import signal
import socket
import ssl
import threading

import pytest

import test_object_storage as storage
from certificates import GOOD
from test_object_storage import BIG, error_of, exports, free_port, resumed, s3  # noqa: F401


def asked_for_leads(control):
    return control.stats()["by_id"] != {}


ATTEMPTS, TIME = ["--attempts", "3"], ["--retry-max-time", "1s", "--attempts", "50"]


@pytest.mark.parametrize("code, status, words", [
    ("SlowDown", 503, ATTEMPTS), ("InternalError", 500, ATTEMPTS), ("ServiceUnavailable", 503, ATTEMPTS),
    ("TooManyRequests", 429, ATTEMPTS), ("RequestTimeout", 400, ATTEMPTS), ("BadGateway", 502, ATTEMPTS), ("Other", 599, ATTEMPTS),
    ("SlowDown", 503, TIME), ("TooManyRequests", 429, TIME), ("SlowDown", 429, TIME)])
def test_until_attempts_or_time_are_used_up(exports, s3, control, code, status, words):
    s3.fail("CreateMultipartUpload", code, status, times=999)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", *words, status=1, timeout=60)
    message = error_of(done)
    assert "%s: on demand" % code in message, message
    # A 429 holds all requests back, so that it may be the server's outage that ends the run.
    outage = status == 429 and words is TIME and re.search(r"no success for [0-9.]+m?s; last error: HTTP 429 \(", message)
    assert " attempts)" in message or outage, message
    if code not in ("BadGateway", "Other", "RequestTimeout"):
        assert "run the same command again later" in message, message
    tried = s3.count("CreateMultipartUpload")
    assert tried == 3 if words is ATTEMPTS else tried > 1
    assert not asked_for_leads(control) and exports.is_clean()


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart"])
@pytest.mark.parametrize("code, status", [("SlowDown", 503), ("TooManyRequests", 429)])
def test_longer_than_it_may_be_waited_for(exports, s3, operation, code, status):
    s3.fail(operation, code, status, fields={"Retry-After": "3600"}, times=9)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    message = error_of(done)
    assert "HTTP %d (%s: on demand) with Retry-After: the server asks to wait 60m" % (status, code) in message, message
    assert "run the same command again later" in message and s3.count(operation) == 1, message


def test_a_code_with_a_secret_in_it(exports, s3):
    """Nor in what the program says while it waits."""
    s3.fail("CreateMultipartUpload", "SlowDown", 429, message="you sent %s" % s3.secret_key, times=99)
    done = exports("-vv", "-t", "ndjson:s3://leads/x.ndjson", "--retry-max-time", "1s", "--attempts", "50", status=1)
    assert "SlowDown: you sent ***" in error_of(done)


@pytest.mark.parametrize("code, status, exit_status", [
    ("AccessDenied", 403, 1), ("ExpiredToken", 400, 1), ("SignatureDoesNotMatch", 403, 1), ("InvalidAccessKeyId", 403, 1),
    ("NoSuchBucket", 404, 2), ("PermanentRedirect", 301, 2)])
def test_at_once(exports, s3, control, code, status, exit_status):
    """Before the first lead is fetched, and asked for once only."""
    s3.fail("CreateMultipartUpload", code, status, times=9)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=exit_status)
    assert "%s: on demand" % code in error_of(done)
    assert s3.count("CreateMultipartUpload") == 1 and not asked_for_leads(control) and exports.is_clean()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("code, how", [("PermanentRedirect", "answer"), ("TemporaryRedirect", "answer"), ("", "bare")])
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart"])
def test_another_region(exports, s3, control, operation, code, how, status):
    """AWS names it in a field only."""
    fields = {"x-amz-bucket-region": "eu-west-1", "Location": "http://127.0.0.1:9/"}
    s3.fail(operation, code, status, how=how, times=9, fields=fields)
    at_once = operation == "CreateMultipartUpload"
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=2 if at_once else 1)
    assert "; the bucket is in another region: give --s3-region eu-west-1" in error_of(done), done.stderr
    assert s3.count(operation) == 1 and asked_for_leads(control) != at_once and exports.is_clean()


@pytest.mark.parametrize("region", ["us-east-1", "eu\x85\x9b31m --fresh; rm x", "x" * 100 + "*", ""])
@pytest.mark.parametrize("code", ["PermanentRedirect", ""])
def test_a_region_that_is_no_advice(exports, s3, region, code):
    """The one that is used already, and what is no name of a region."""
    s3.fail("CreateMultipartUpload", code, 301, fields={"x-amz-bucket-region": region, "Location": "http://127.0.0.1:9/"}, how="answer" if code else "odd", message="")
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=2)
    assert "--s3-region" in done.stderr and "--s3-region us" not in done.stderr and "rm x" not in done.stderr and "xxx" not in done.stderr, done.stderr


def test_another_region_in_a_malformed_header(exports, s3):
    s3.fail("CreateMultipartUpload", "AuthorizationHeaderMalformed", 400, fields={"x-amz-bucket-region": "eu-west-1"})
    assert "give --s3-region eu-west-1" in error_of(exports("-t", "ndjson:s3://leads/x.ndjson", status=2))


BARE = {401: (1, "check the credentials and --s3-endpoint"), 403: (1, "must allow s3:PutObject"), 404: (2, "check the bucket's name and --s3-endpoint"),
        405: (1, "check --s3-endpoint"), 407: (1, "check --proxy and https_proxy"), 413: (1, "does not take requests of this size"),
        400: (1, "check --s3-endpoint"), 418: (1, "check --s3-endpoint"), 501: (1, "check --s3-endpoint"), 507: (1, "the server is full"),
        503: (1, "run the same command again later"), 500: (1, "run the same command again later")}


@pytest.mark.parametrize("status", BARE)
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
@pytest.mark.parametrize("how, text", [("bare", ""), ("odd", b"<html><title>Refused</title></html>")], ids=["bare", "html"])
def test_a_refusal_without_a_code(exports, s3, status, operation, how, text):
    """Of a proxy, or of something else that listens there: what to do is said all the same."""
    exit_status, advice = BARE[status]
    s3.fail(operation, "", status, text, how=how, times=9)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", "--attempts", "2", status=exit_status if operation == "CreateMultipartUpload" else 1,
                   timeout=60)
    assert re.search(r"s3://leads/x.ndjson: HTTP %d( \(2 attempts\))?; .*%s" % (status, re.escape(advice)), done.stderr), done.stderr
    assert s3.data() == {} and exports.is_clean()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_another_address(exports, s3, control, status):
    """As of a server that wants https://."""
    s3.fail("CreateMultipartUpload", "", status, how="bare", times=9, fields={"Location": "https://127.0.0.1:9/"})
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=2)
    assert "HTTP %d; the server has another address" % status in error_of(done) and not asked_for_leads(control), done.stderr
    assert "check --s3-endpoint and --s3-region" in done.stderr


@pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"])
def test_credentials_that_end_in_the_middle(resumed, s3, code):
    """With a state the same command goes on once they are good again."""
    s3.fail("UploadPart", code, 403, matches="one", times=9)
    done = resumed.whole("ndjson", BIG, status=1)
    assert "%s: on demand" % code in error_of(done, key="one") and resumed.outputs() == {}
    s3.faults.clear()
    resumed.whole("ndjson", BIG)
    assert resumed.outputs() == resumed.local("ndjson", BIG) and resumed.is_clean()


@pytest.mark.parametrize("words", [[], ["--state", "run.state"]])
def test_refused_when_it_is_to_appear(exports, s3, words):
    """The first of several objects: none of them is visible."""
    s3.fail("CompleteMultipartUpload", "AccessDenied", 403)
    exports("-t", "csv:s3://leads/csv/", "-t", "ndjson:s3://leads/x.ndjson", "--manifest", "s3://leads/m.json", *words, status=1)
    assert set(s3.data()) <= {"m.json"}  # which says so
    s3.faults.clear()
    exports("-t", "csv:s3://leads/csv/", "-t", "ndjson:s3://leads/x.ndjson", "--manifest", "s3://leads/m.json", *words)
    assert json.loads(s3.data()["m.json"])["published"] is True and exports.is_clean()


@pytest.mark.parametrize("words", [[], ["--state", "run.state"]])
def test_another_one_is_refused(exports, s3, words):
    """While others are completed: no upload of this run stays, or all can be finished."""
    s3.fail("CompleteMultipartUpload", "AccessDenied", 403, matches="/documents.csv")
    done = exports("-t", "csv:s3://leads/csv/", "--manifest", "s3://leads/m.json", *words, status=1)
    assert "AccessDenied" in done.stderr and not [key for key in s3.data() if key.endswith("/documents.csv")]
    assert words or not s3.uploads
    assert "m.json" not in s3.data() if words else json.loads(s3.data()["m.json"])["published"] is False
    exports("-t", "csv:s3://leads/csv/", "--manifest", "s3://leads/m.json", *words)
    assert json.loads(s3.data()["m.json"])["published"] is True and exports.is_clean()


ABOUT = ["failed", "missing", "schema", "manifest"]


@pytest.mark.parametrize("refused", [["failed"], ["missing"], ["schema"], ["manifest"], ["failed", "manifest"], ABOUT], ids=" ".join)
@pytest.mark.parametrize("words", [[], ["--state", "run.state"]], ids=["", "state"])
def test_only_a_file_about_the_run_is_refused(exports, s3, refused, words):
    """The outputs are there: nobody may be told that they are not."""
    about = [word for name in ABOUT for word in ("--" + name, "s3://leads/" + name)]
    for name in refused:
        s3.fail("CompleteMultipartUpload", "AccessDenied", 403, matches=name, times=9)
    run = ["-t", "ndjson:s3://leads/x.ndjson", "-t", "ndjson:local", *about, *words]
    done = exports(*run, status=1)
    assert "x.ndjson" in s3.data() and (exports.folder / "local").exists() and not set(refused) & set(s3.data())
    lacking = ["--" + name for name in ABOUT if name not in s3.data()]
    said = "the outputs are published, but not %s of %s" % (
        "all of the files" if len(lacking) > 1 else "the file", " and ".join(", ".join(lacking).rsplit(", ", 1)))
    assert said + "\n" in done.stderr and "no output file was published" not in done.stderr, done.stderr
    assert "manifest" not in s3.data() or json.loads(s3.data()["manifest"])["published"] is True
    done = exports(*run, status=1)
    assert "no output file was published" not in done.stderr and "are unchanged" not in done.stderr, done.stderr
    s3.faults.clear()
    exports(*run)
    assert set(s3.data()) == {"x.ndjson", *ABOUT} and exports.is_clean()


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_was_completed_is_not_aborted(exports, s3, is_lost):
    """Where another one was refused: nobody asks to abort it, or says that its upload remains; also if the answer was lost."""
    s3.fail("CompleteMultipartUpload", "AccessDenied", 403, matches="/checklist_items.csv")
    if is_lost:
        s3.fail("CompleteMultipartUpload", "x", 0, how="lose", matches="/documents.csv")
    s3.fail("AbortMultipartUpload", "AccessDenied", 403, matches="/documents.csv", times=9)
    done = exports("-t", "csv:s3://leads/csv/", status=1)
    aborted = {request.key for request in s3.requests if request.operation == "AbortMultipartUpload"}
    assert aborted == {"csv/checklist_items.csv"} and len(s3.data()) == 7 and exports.is_clean()
    assert "remains" not in done.stderr and "documents.csv" not in done.stderr


ODD = {
    "empty": b"", "blank": b'<?xml version="1.0" encoding="UTF-8"?>\n   \n', "a page": b"<html><body>Log in</body></html>", "text": b"OK",
    "JSON": b'{"error": "denied"}', "no code": b"<Error><Message>denied</Message></Error>", "cut off": b"<Error><Cod",
    "a result, cut off": b"<CompleteMultipartUploadResult><Key>x</Ke", "another result": b"<CopyObjectResult><ETag>1</ETag></CopyObjectResult>",
    "a document type": b"<!DOCTYPE Error><Error><Code>InternalError</Code></Error>", "large": b"x" * 100000,
    "a long message": b"<Error><Message>" + b"x" * 5000 + b"</Message><Code>AccessDenied</Code></Error>",
    "another encoding": b'<?xml version="1.0" encoding="windows-1252"?><Error><Code>AccessDenied</Code></Error>',
    "deep": b"<Error>" + b"<a>" * 100 + b"</a>" * 100 + b"<Code>AccessDenied</Code></Error>",
    "a result within an error": b"<Error><CompleteMultipartUploadResult/></Error>",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("words", [[], ["--state", "run.state"]], ids=["", "state"])
def test_a_success_that_does_not_say_so(exports, s3, odd, words):
    """To CompleteMultipartUpload: no object is believed to be there because the status is 200."""
    s3.fail("CompleteMultipartUpload", "", 200, ODD[odd], how="odd")
    done = exports("-t", "ndjson:s3://leads/x.ndjson", *words, status=1)
    assert "s3://leads/x.ndjson: the upload was not completed" in done.stderr and "(HTTP 200)" in done.stderr
    assert "the object is not there" in done.stderr and s3.data() == {} and bool(s3.uploads) == bool(words)
    exports("-t", "ndjson:s3://leads/x.ndjson", *words)
    assert list(s3.data()) == ["x.ndjson"] and exports.is_clean()


@pytest.mark.parametrize("odd", ["empty", "a page", "a result, cut off"])
def test_a_success_that_does_not_say_so_but_is_one(exports, s3, odd):
    s3.fail("CompleteMultipartUpload", "", 200, ODD[odd], how="odd after")
    exports("-t", "ndjson:s3://leads/x.ndjson")
    assert list(s3.data()) == ["x.ndjson"] and exports.is_clean()


def test_a_success_of_which_nothing_is_known(exports, s3):
    """Whoever may not read the object cannot know whether it is there."""
    s3.fail("CompleteMultipartUpload", "", 200, b"", how="odd after")
    s3.fail("HeadObject", "AccessDenied", 403, times=9)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    assert "completed is not known" in done.stderr and "could not be looked for (s3://leads/x.ndjson: HTTP 403" in done.stderr
    assert exports.is_clean()


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "ListParts"])
@pytest.mark.parametrize("odd", ["empty", "a page", "no code", "cut off"])
def test_another_success_that_does_not_say_so(exports, s3, operation, odd):
    s3.fail(operation, "", 200, ODD[odd], how="odd", times=99)
    done = exports("-t", "ndjson:s3://leads/x.ndjson", status=1)
    assert "s3://leads/x.ndjson: the server" in done.stderr and s3.data() == {} and exports.is_clean()


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "ListParts"])
def test_what_was_there_stays(exports, s3, operation):
    """Of a run that fails, and of one whose outputs are withheld, no object is replaced."""
    words = ["-t", "csv:s3://leads/csv/", "-t", "parquet:s3://leads/p/", "-t", "ndjson:s3://leads/x.ndjson", "--failed",
             "s3://leads/failed"]
    exports(*words, ids=["plain-1"])
    before = s3.data()
    assert len(before) == 8 + 8 + 2
    s3.fail(operation, "AccessDenied", 403, times=999, matches="x.ndjson")
    exports(*words, ids=["plain-2", "plain-3"], status=1)
    s3.faults.clear()
    assert s3.data() == before
    exports(*words, ids=["gone~missing"], status=3)
    assert s3.data() == before and exports.is_clean()


# ---- a run that is stopped while the server does not respond -------------------------------------------

@pytest.mark.slow  # a stopped run waits for 15 seconds
@pytest.mark.parametrize("answers", [True, False])
def test_given_up_while_it_opens(exports, s3, answers):
    """What the server has begun for nobody is aborted as soon as it answers; else it is said that it may remain."""
    late = threading.Event()

    def before(operation, key):
        if operation == "CreateMultipartUpload" and key == "second":
            exports.leadpipe.started[-1].send_signal(signal.SIGTERM)
            assert late.wait(60)
        if operation == "AbortMultipartUpload" and key == "first" and answers:
            late.set()

    s3.before = before
    done = exports("-t", "ndjson:s3://leads/first", "-t", "ndjson:s3://leads/second", status=128 + signal.SIGTERM, timeout=60)
    late.set()
    remains = "%s/leads/second: an unfinished upload may remain on the server" % s3.url
    assert (remains in done.stderr) is not answers and "did not respond in time" in done.stderr, done.stderr
    assert s3.data() == {}
    if answers:
        assert exports.is_clean() and s3.count("AbortMultipartUpload") == 2


@pytest.mark.parametrize("words", [[], ["--state", "run.state"]], ids=["", "state"])
def test_nobody_listens_to_a_run_that_stops(exports, control, words):
    """It does not take the time in which requests in flight may finish: there are none."""
    exports.s3.url = "http://127.0.0.1:%d" % free_port()
    process = exports.start("-t", "ndjson:s3://leads/x.ndjson", *words)
    said = process.stderr.readline()
    assert b"for up to 5m" in said, said
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=9)
    assert process.returncode == 128 + signal.SIGTERM, stderr
    assert b"stopped by SIGTERM" in stderr and b"may remain" not in stderr and not asked_for_leads(control), stderr


# ---- servers that are none --------------------------------------------------------------------------

class Listener:
    """Takes connections and does with each what a test says."""

    def __init__(self, serve):
        self.socket, self.serve, self.connections = socket.create_server(("127.0.0.1", 0)), serve, 0
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def html(connection):
    connection.recv(1 << 16)
    body = b"<html><title>Bad gateway</title>nginx</html>"
    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    connection.close()


def endless(begin, piece):
    def serve(connection):
        try:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + begin)
            while True:
                connection.sendall(piece)
        except OSError:
            connection.close()
    return serve


endless_header = endless(b"", b"X-Filler: " + b"x" * 10000 + b"\r\n")
endless_body = endless(b"\r\n", b"<a>" * 10000)


@pytest.mark.parametrize("serve", [html, endless_header, endless_body, lambda connection: connection.close(),
                                   lambda connection: connection.sendall(b"220 ftp ready\r\n") or connection.close()],
                         ids=["html", "header", "body", "closes", "ftp"])
def test_something_else_listens(exports, control, serve):
    listener = Listener(serve)
    exports.s3.url = listener.url
    try:
        done = exports("-t", "ndjson:s3://leads/x.ndjson", "--attempts", "2", status=1, timeout=60)
    finally:
        listener.close()
    assert error_of(done) and not asked_for_leads(control)
    assert 1 <= listener.connections <= 4


def test_nobody_listens(exports, control):
    exports.s3.url = "http://127.0.0.1:%d" % free_port()
    done = exports("-t", "ndjson:s3://leads/x.ndjson", "--attempts", "2", status=1, timeout=60)
    assert "connect" in error_of(done).lower() and not asked_for_leads(control)


def test_no_such_host(exports, control):
    exports.s3.url = "https://nowhere.invalid"
    done = exports("-t", "ndjson:s3://leads/x.ndjson", "--attempts", "2", status=1, timeout=60)
    assert "nowhere.invalid" in done.stderr and not asked_for_leads(control)


def test_a_certificate_that_nobody_knows(exports, control, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / (GOOD + ".pem"), certificates / (GOOD + ".key"))
    with storage.S3Server(buckets=["leads"], tls=context) as server:
        exports.s3 = server
        done = exports("-t", "ndjson:s3://leads/x.ndjson", "--attempts", "2", status=1, timeout=60)
        assert "certificate" in error_of(done) and not asked_for_leads(control) and server.requests == []
        exports("-t", "ndjson:s3://leads/x.ndjson", "--cacert", certificates / "authority.pem")
        assert set(server.data()) == {"x.ndjson"}
