"""Answers whose body is broken, while their head has come whole or at least its status line.

Beyond 2xx the head decides: what the status means does not depend on how the body ends.
"""

import pytest

import runs
from raw_server import DRIP, HANG, KEEP, RESET, RawServer, good, whole

PADDING = "X-Padding: " + "x" * 200_000

# How an answer with this status line breaks off.
BREAKS = {
    "wrong encoding": lambda line: [whole(line, b"this is no gzip", "Content-Encoding: gzip"), KEEP],
    "unknown encoding": lambda line: [whole(line, b"{}", "Content-Encoding: x-odd"), KEEP],
    "cut gzip": lambda line: [whole(line, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab", "Content-Encoding: gzip"), KEEP],
    "bytes behind gzip": lambda line: [whole(line, bytes.fromhex("1f8b08000000000000ff0300000000000000000000") + b"\0" * 8,
                                             "Content-Encoding: gzip"), KEEP],
    "short length": lambda line: b"HTTP/1.1 %s\r\nContent-Length: 500\r\n\r\n{}" % line.encode(),
    "no body at all": lambda line: b"HTTP/1.1 %s\r\nContent-Length: 500\r\n\r\n" % line.encode(),
    "cut chunk": lambda line: b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{}" % line.encode(),
    "cut between chunks": lambda line: b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" % line.encode(),
    "bad chunk": lambda line: b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" % line.encode(),
    "reset": lambda line: [b"HTTP/1.1 %s\r\nContent-Length: 500\r\n\r\n{}" % line.encode(), RESET],
    "cut head": lambda line: b"HTTP/1.1 %s\r\nContent-Ty" % line.encode(),
    "two lengths": lambda line: b"HTTP/1.1 %s\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcde" % line.encode(),
    "head too large": lambda line: [whole(line, b"{}", *[PADDING] * 3), KEEP],
    "behind a 103": lambda line: b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 %s\r\nContent-Length: 9\r\n\r\n{}" % line.encode(),
    "never ends": lambda line: [b"HTTP/1.1 %s\r\nContent-Length: 500\r\n\r\n{}" % line.encode(), HANG],
    "drips": lambda line: [b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n" % line.encode(), DRIP],
}

WORDS = {404: "404 Not Found", 410: "410 Gone", 400: "400 Bad Request", 422: "422 Unprocessable", 403: "403 Forbidden"}


def serve(broken, by=("bad",)):
    """Good answers, but `broken` for the IDs that begin so."""
    def answer(path, n):
        one = path.rsplit("/", 1)[1]
        return broken if one.startswith(by) else good(one)
    return RawServer(answer)


def export(leadpipe, server, *more, **options):
    options.setdefault("env", {"OMNI_API_KEY": "key"})
    return runs.export(leadpipe, Provider(server), *more, **options)


class Provider:
    def __init__(self, server):
        self.env, self.url = {"OMNI_API_KEY": "key"}, server.url

    def provider(self, *_):
        return ["-p", "omni", "--base-url", self.url]


@pytest.mark.parametrize("status", WORDS)
def test_head_decides(leadpipe, status):
    """Every way to break off, in one run: each is asked for once, and what became of it is known."""
    ways = list(BREAKS)

    def answer(path, n):
        one = path.rsplit("/", 1)[1]
        return BREAKS[ways[int(one[4:])]](WORDS[status]) if one.startswith("bad-") else good(one)
    bad = ["bad-%d" % n for n in range(len(ways))]
    with RawServer(answer) as server:
        run = export(leadpipe, server, "-j", len(ways), ids=["good", *bad], timeout=20)
        asked = {ways[n]: server.counts["/leads/" + one] for n, one in enumerate(bad)}
    assert asked == dict.fromkeys(ways, 1)
    outcome = "missing" if status in (404, 410) else "failed"
    assert run.outcomes() == {"exported": 1, outcome: len(ways)}, run.done.stderr
    for row in run.failed:
        seen = (row["http_status"], row["code"], row["attempts"])
        assert seen == (status, "http_%d" % status, 1), (ways[int(row["id"][4:])], row)


@pytest.mark.parametrize("how", ["wrong encoding", "cut chunk", "head too large", "reset"])
def test_refusal_ends_the_run(leadpipe, how):
    with serve(BREAKS[how]("401 Unauthorized"), by=("a", "b", "c")) as server:
        run = export(leadpipe, server, "-j", 1, ids=["a", "b", "c", "d"], timeout=15)
    assert run.status == 1 and "credentials refused" in run.errors()[0], run.done.stderr


@pytest.mark.parametrize("how", ["wrong encoding", "cut chunk", "reset", "no body at all"])
@pytest.mark.parametrize("line", ["429 Too Many", "503 Unavailable"])
def test_retry_after_is_held(leadpipe, how, line):
    def answer(path, n):
        return good("a") if n else BREAKS[how](line + "\r\nRetry-After: 3600")
    with RawServer(answer) as server:
        run = export(leadpipe, server, ids=["a"], timeout=15)
    assert run.status == 1 and "Retry-After" in run.errors()[0] and "60m" in run.errors()[0], run.done.stderr


@pytest.mark.parametrize("how", ["wrong encoding", "cut chunk", "reset", "short length"])
def test_broken_500_is_tried_again(leadpipe, how):
    with RawServer(lambda path, n: good("a") if n else BREAKS[how]("500 Oops")) as server:
        run = export(leadpipe, server, ids=["a"], timeout=15)
        assert (run.status, server.counts["/leads/a"]) == (0, 2)


@pytest.mark.parametrize("how", ["wrong encoding", "short length", "cut chunk", "reset", "no body at all"])
def test_broken_success_is_no_answer(leadpipe, how):
    """Of a 2xx the body is what was asked for."""
    with serve(BREAKS[how]("200 OK")) as server:
        run = export(leadpipe, server, "-j", 1, "--attempts", 2, ids=["good", "bad"], timeout=15)
        assert run.outcomes() == {"exported": 1, "failed": 1}
        assert (run.failed[0]["http_status"], run.failed[0]["attempts"]) == (None, 2)


@pytest.mark.parametrize("line", ["103 Early Hints", "100 Continue", "102 Processing"])
def test_an_informational_head_is_no_answer(leadpipe, line):
    with serve(b"HTTP/1.1 %s\r\n\r\n" % line.encode()) as server:
        run = export(leadpipe, server, "-j", 1, "--attempts", 2, ids=["good", "bad"], timeout=15)
    assert run.outcomes() == {"exported": 1, "failed": 1}
    assert (run.failed[0]["http_status"], run.failed[0]["attempts"]) == (None, 2), run.failed


def test_switching_protocols_is_no_full_disk(leadpipe):
    with serve([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"]) as server:
        run = export(leadpipe, server, "-j", 1, "--attempts", 2, ids=["good", "bad"], timeout=15)
    [row] = run.failed
    assert (row["code"], row["http_status"]) == ("protocol", None) and "101" in row["error"], row
    assert "disk" not in row["error"]


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "400 Bad Request"])
@pytest.mark.parametrize("end", [HANG, DRIP])
def test_endless_answer_of_a_receiver_holds_no_slot(leadpipe, sandbox, control, status, end):
    head = b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\nfine" % status.encode()
    with RawServer(lambda path, n: [head, end]) as server:
        ids = ["tiny-1", "tiny-2"]
        run = runs.export(leadpipe, sandbox, "-t", "webhook,concurrency=1:%s/hook" % server.url, ids=ids, timeout=25)
        assert len(server.requests) == 2
    if status.startswith("2"):
        assert (run.status, run.outcomes()) == (0, {"exported": 2}), run.done.stderr
    else:
        assert run.outcomes() == {"failed": 2}
        assert "the receiver returned 400: fine" in run.failed[0]["error"]
