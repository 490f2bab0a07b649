"""Deliveries that are tried again: the same message, signed anew; and those that end."""

import json
import socket
import threading
import time

import pytest

import runs
from outputs import body_of, lead_ids_of, ledger_of, lines_of, manifest
from raw_server import KEEP, RESET, RawServer, whole
from test_webhook import NEW, failed_of, hooks, plain_ids, send


def tries_of(control, name="h"):
    """{webhook-id: its deliveries in order}"""
    tries = {}
    for one in control.deliveries(name):
        tries.setdefault(one["webhook_id"], []).append(one)
    return tries


@pytest.mark.parametrize("behaviour", [
    {"noanswer": 2}, {"status": 500, "times": 2}, {"status": 503, "times": 2}, {"status": 429, "times": 1},
    {"status": 408, "times": 1}, {"status": 425, "times": 1}, {"status": 501, "times": 1}])
def test_a_retry_is_the_same_message(leadpipe, sandbox, control, behaviour):
    control.hook("h", **behaviour)
    send(leadpipe, sandbox, "webhook,batch=2,secret-env=S:" + sandbox.hook("h"), plain_ids(4), env={"S": NEW})
    tries = tries_of(control)
    assert len(tries) == 2
    for sent in tries.values():
        assert len(sent) == 1 + behaviour.get("times", behaviour.get("noanswer"))
        assert len({body_of(one) for one in sent}) == 1
        assert [one["status"] for one in sent][-1] == 200 and [one["status"] for one in sent].count(200) == 1
        for one in sent:
            assert hooks.verify(NEW, one["headers"], body_of(one), now=one["at"], tolerance=3)


def test_timestamp_and_signature_are_fresh(leadpipe, sandbox, control):
    """Retry-After of a second lies between the tries: another timestamp and another signature."""
    control.hook("h", status=503, times=1, retry_after=2)
    send(leadpipe, sandbox, "webhook,secret-env=S:" + sandbox.hook("h"), ["plain-1"], env={"S": NEW})
    (first, second), = tries_of(control).values()
    assert body_of(first) == body_of(second) and first["webhook_id"] == second["webhook_id"]
    assert int(second["webhook_timestamp"]) >= int(first["webhook_timestamp"]) + 1
    assert first["webhook_signature"] != second["webhook_signature"]
    assert second["at"] - first["at"] > 1.9
    for one in (first, second):
        assert hooks.verify(NEW, one["headers"], body_of(one), now=one["at"], tolerance=2)


def test_retry_after_holds_back_every_message(leadpipe, sandbox, control):
    control.hook("h", status=429, times=1, retry_after=1)
    send(leadpipe, sandbox, "webhook,concurrency=2:" + sandbox.hook("h"), plain_ids(4))
    deliveries = control.deliveries("h")
    refused = next(one for one in deliveries if one["status"] == 429)
    later = [one for one in deliveries if 0.2 < one["at"] - refused["at"] < 0.9]
    assert later == [], [(one["at"] - refused["at"], one["status"]) for one in later]
    assert {one["webhook_id"] for one in deliveries if one["status"] == 200} == set(tries_of(control))
    assert len(tries_of(control)) == 4


def test_retry_after_too_long_closes_the_sink(leadpipe, sandbox, control):
    """It ends this sink, not the run."""
    control.hook("h", status=503, retry_after=3600)
    send(leadpipe, sandbox, "webhook,retry-max-time=30s:" + sandbox.hook("h"), plain_ids(10), status=3,
         sinks=["csv:leads.csv"])
    assert len((leadpipe.folder / "leads.csv").read_text().splitlines()) == 11
    lines = failed_of(leadpipe)
    assert len(lines) == 10 and "Retry-After" in lines[0]["error"], lines[0]


def test_attempts_are_limited(leadpipe, sandbox, control):
    control.hook("h", fail="every:1")
    send(leadpipe, sandbox, "webhook,attempts=3:" + sandbox.hook("h"), plain_ids(2), status=3)
    assert [len(sent) for sent in tries_of(control).values()] == [3, 3]
    assert {(line["http_status"], line["attempts"]) for line in failed_of(leadpipe)} == {(500, 3)}


def test_a_dead_receiver_leaves_the_others_complete(leadpipe, sandbox, control):
    """Nobody listens there: given up after retry-max-time, and the leads fail."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        began = time.monotonic()
        send(leadpipe, sandbox, "webhook,retry-max-time=1s:http://127.0.0.1:%d/x" % nobody.getsockname()[1],
             plain_ids(300), status=3, sinks=["csv:leads.csv", "webhook:" + sandbox.hook("h")])
        assert time.monotonic() - began < 30
    assert len((leadpipe.folder / "leads.csv").read_text().splitlines()) == 301
    assert len(control.deliveries("h")) == 300
    whole = manifest(leadpipe.folder / "manifest.json")
    assert ledger_of(whole) == {"failed": 300}
    assert whole["sinks"][0]["delivered"] == 0
    assert len(failed_of(leadpipe)) == 300


def test_a_receiver_that_dies_and_comes_back(leadpipe, sandbox, control):
    """Every third delivery fails: each message arrives, and none again after its 2xx."""
    control.hook("h", fail="every:3")
    send(leadpipe, sandbox, "webhook,batch=3:" + sandbox.hook("h"), plain_ids(50))
    hook = control.ask("hooks")["h"]
    assert hook["accepted_ids"] == 17 and hook["after_success"] == 0 and hook["by_status"]["500"] > 0
    accepted = [lead_id for one in control.deliveries("h") if one["status"] == 200 for lead_id in lead_ids_of(one)]
    assert sorted(accepted) == sorted(plain_ids(50))


def test_concurrency_and_rate(leadpipe, sandbox, control):
    """concurrency=3 with a slow receiver; rate=20 takes its time for 12 messages."""
    control.hook("slow", delay_ms=100)
    send(leadpipe, sandbox, "webhook,concurrency=3:" + sandbox.hook("slow"), plain_ids(12))
    assert control.ask("hooks")["slow"]["max_in_progress"] == 3
    send(leadpipe, sandbox, "webhook,rate=20:" + sandbox.hook("h"), plain_ids(12))
    at = sorted(one["at"] for one in control.deliveries("h"))
    assert len(at) == 12
    # 12 messages at 20 a second are 11 gaps of 50 ms, but for what may start at once
    assert at[-1] - at[0] > 0.3, at


def test_a_timeout_is_tried_again(leadpipe, sandbox, control):
    control.hook("h", delay_ms=1000)
    send(leadpipe, sandbox, "webhook,timeout=200ms,attempts=2:" + sandbox.hook("h"), ["plain-1"], status=3)
    line, = failed_of(leadpipe)
    assert (line["code"], line["attempts"]) == ("timeout", 2)


# --- answers that break off -------------------------------------------------------------------------

@pytest.mark.parametrize("answer, status, tries", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 0, 1),
    (b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf", 0, 1),
    (b"HTTP/1.1 204 No Content\r\nX-Half", 0, 1),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf", 0, 1),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + 200000 * b"x", 0, 1),
    (b"HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\nhalf", 3, 1),
    (b"HTTP/1.1 20", 3, 3),
    (b"", 3, 3),
])
def test_answers_that_break_off(leadpipe, sandbox, control, answer, status, tries):
    """The status decides: a 2xx is delivered and never sent again, though its body was cut short."""
    with RawServer(lambda path, n: answer) as receiver:
        send(leadpipe, sandbox, "webhook,attempts=3:%s/hook" % receiver.url, ["plain-1"], status=status)
        assert len(receiver.bodies) == tries
        assert len(set(receiver.bodies)) == 1
    assert len(lines_of(leadpipe.folder / "failed.ndjson")) == (1 if status else 0)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_refused_credentials_close_the_sink(leadpipe, sandbox, control, status, concurrency):
    """As a provider ends the run. The other sinks are complete."""
    ids = ["plain-%d" % n for n in range(60)]
    target = "webhook,concurrency=%d:%s" % (concurrency, sandbox.hook("h", status=status))
    run = runs.export(leadpipe, sandbox, "-t", target, ids=ids)
    assert (run.status, run.outcomes()) == (3, {"failed": 60}), run.done.stderr
    assert run.exported == ids
    seen = len(control.deliveries("h"))
    assert 3 <= seen <= 2 + 2 * concurrency, seen
    errors = [row["error"] for row in run.failed]
    assert sum("credentials refused: the receiver returned %d" % status in error for error in errors) == 60 - seen
    assert {row["code"] for row in run.failed} == {"http_%d" % status}
    warnings = [message["message"] for message in run.messages if "credentials refused" in message["message"]
                and message["level"] == "warning"]
    assert len(warnings) == 1 and "nothing more is sent" in warnings[0]


@pytest.mark.parametrize("answers", [[401, 401, 200, 401, 401], [200, 401, 401, 401], [422, 401, 401, 401]])
def test_refusals_of_some_are_theirs(leadpipe, sandbox, control, answers):
    def answer(path, n):
        return [whole("%d x" % (answers[n] if n < len(answers) else 200)), KEEP]
    with RawServer(answer) as receiver:
        ids = ["plain-%d" % n for n in range(10)]
        run = runs.export(leadpipe, sandbox, "-t", "webhook,concurrency=1:%s/hook" % receiver.url, ids=ids)
        assert len(receiver.requests) == 10
    refused = sum(status != 200 for status in answers)
    assert run.outcomes() == {"exported": 10 - refused, "failed": refused}


def test_a_slow_acceptance_counts_before_quick_refusals(leadpipe, sandbox, control):
    """The order in which they were sent decides, not that of the answers."""
    def answer(path, n):
        if n == 0:
            time.sleep(0.3)
        return [whole("200 x" if n == 0 or n > 3 else "403 x"), KEEP]
    with RawServer(answer) as receiver:
        ids = ["plain-%d" % n for n in range(10)]
        run = runs.export(leadpipe, sandbox, "-t", "webhook,concurrency=4:%s/hook" % receiver.url, ids=ids)
    assert run.outcomes() == {"exported": 7, "failed": 3}, run.done.stderr


@pytest.mark.parametrize("other", ["200 x", "422 x"])
def test_a_quick_response_counts_before_slow_refusals(leadpipe, sandbox, control, other):
    """One other response shows that the credentials are good, also of a message that was sent later."""
    ids = ["plain-%d" % n for n in range(20)]
    responded = threading.Event()

    def answer(path, n):
        if json.loads(receiver.bodies[n])["data"]["lead_id"] in ids[:3]:
            assert responded.wait(20), "nothing was sent beside the first three"
            return [whole("403 x"), KEEP]
        if n > 10:
            responded.set()
        return [whole(other), KEEP]
    with RawServer(answer) as receiver:
        run = runs.export(leadpipe, sandbox, "-t", "webhook,concurrency=4:%s/hook" % receiver.url, ids=ids)
        assert len(receiver.requests) == 20, run.done.stderr
    assert [row["http_status"] for row in run.failed].count(403) == 3
    assert not any("credentials refused" in row["error"] for row in run.failed)


@pytest.mark.parametrize("silent", [1, 2])
def test_first_messages_without_a_response(leadpipe, sandbox, control, silent):
    """They say nothing about the credentials: those behind them do."""
    def answer(path, n):
        return [RESET] if n < silent else [whole("401 x"), KEEP]
    with RawServer(answer) as receiver:
        ids = ["plain-%d" % n for n in range(silent + 20)]
        target = "webhook,attempts=1,concurrency=1:%s/hook" % receiver.url
        run = runs.export(leadpipe, sandbox, "--retry-max-time", "60s", "-t", target, ids=ids)
        assert len(receiver.requests) == silent + 3, run.done.stderr
    assert run.outcomes() == {"failed": silent + 20}
    assert sum("credentials refused" in row["error"] for row in run.failed) == 17


def test_refused_credentials_with_a_state(leadpipe, sandbox, control):
    """The run comes to its end; with good credentials the failed list is the input of another one."""
    ids = ["plain-%d" % n for n in range(20)]
    control.hook("h", status=401)
    words = ["--state", "s", "-t", "webhook,concurrency=2:" + sandbox.hook("h")]
    run = runs.export(leadpipe, sandbox, *words, ids=ids)
    assert (run.status, run.outcomes()) == (3, {"failed": 20})
    (leadpipe.folder / "failed.ndjson").rename(leadpipe.folder / "again.ndjson")
    control.hook("h", status=200)
    run = runs.export(leadpipe, sandbox, *words, "again.ndjson")
    assert (run.status, run.outcomes()) == (0, {"exported": 20}), run.done.stderr
    accepted = [one for one in control.deliveries("h") if one["status"] == 200]
    assert len(accepted) == 20
