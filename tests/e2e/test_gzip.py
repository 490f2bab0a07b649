"""Compressed answers as RFC 1952 allows them: any number of members, and padding behind."""

import gzip

import pytest

from raw_server import KEEP, RawServer, lead, whole
from test_broken_bodies import export


def packed(*parts):
    return b"".join(gzip.compress(part) for part in parts)


def answer(body, coding="gzip"):
    return [whole("200 OK", body, "Content-Encoding: " + coding), KEEP]


def halves(one):
    text = lead(one)
    return text[:10], text[10:]


FORMS = {
    "one member": lambda one: packed(lead(one)),
    "two members": lambda one: packed(*halves(one)),
    "an empty member before": lambda one: packed(b"", lead(one)),
    "an empty member behind": lambda one: packed(lead(one), b""),
    "zeros behind": lambda one: packed(lead(one)) + bytes(512),
    "two members and zeros": lambda one: packed(*halves(one)) + bytes(3),
}


@pytest.mark.parametrize("attempts", [1, 6])
def test_members(leadpipe, attempts):
    forms = list(FORMS)
    with RawServer(lambda path, n: answer(FORMS[forms[int(path[-1])]]("lead-" + path[-1]))) as server:
        ids = ["lead-%d" % n for n in range(len(forms))]
        run = export(leadpipe, server, "--attempts", attempts, ids=ids, timeout=20)
        assert (run.status, run.exported) == (0, ids), run.done.stderr
        assert {row["id"] for row in run.rows} == set(ids)
        assert len(server.requests) <= 2 * len(ids)
        assert "Accept-Encoding: gzip\r" in server.requests[-1][1] + "\r\n"


def test_what_follows_is_asked_for_once(leadpipe):
    with RawServer(lambda path, n: answer(packed(*halves(path.rsplit("/", 1)[1])), "x-gzip")) as server:
        ids = ["lead-%d" % n for n in range(100)]
        run = export(leadpipe, server, "-j", 4, ids=ids, timeout=20)
        assert (run.status, run.exported) == (0, ids)
        assert len(server.requests) <= 104


@pytest.mark.parametrize("body, says", [
    (packed(lead("bad")) + b"junk", "does not match its Content-Encoding"),
    (packed(lead("bad")) + b"\0junk", "does not match its Content-Encoding"),
    (packed(*halves("bad"))[:-12], "truncated"),
])
def test_what_is_no_gzip(leadpipe, body, says):
    def serve(path, n):
        return answer(body if path.endswith("bad") else packed(*halves("good")))
    with RawServer(serve) as server:
        run = export(leadpipe, server, "-j", 1, "--attempts", 2, ids=["good", "bad"], timeout=20)
    [row] = run.failed
    assert (run.status, row["code"], row["http_status"], row["attempts"]) == (3, "encoding", None, 2), row
    assert says in row["error"] and "disk" not in run.done.stderr, row
