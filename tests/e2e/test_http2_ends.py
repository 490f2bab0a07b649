"""HTTP/2: how a stream or connection ends beside what it answered."""

import time

import h2.errors
import pytest

CODES = h2.errors.ErrorCodes


def ids_of(n):
    return ["lead-%d" % i for i in range(n)]


def head_then_reset(status, *headers, code=CODES.INTERNAL_ERROR):
    """Not at once: of what comes in one piece, libcurl before 8 passes on the reset only."""
    return [lambda connection, stream: connection.send_headers(stream, [(":status", str(status)), ("content-length", "500"), *headers]),
            lambda connection, stream: connection.reset_stream(stream, code)]


@pytest.mark.parametrize("status", [404, 400])
@pytest.mark.parametrize("code", [CODES.INTERNAL_ERROR, CODES.CANCEL, CODES.NO_ERROR, CODES.ENHANCE_YOUR_CALM])
def test_reset_behind_the_head(wires, status, code):
    """Beyond 2xx the head has decided."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: head_then_reset(status, code=code) if lead_id == "lead-3" else None)
    run = wires.export(origin, ids_of(10), "-j", 2)
    outcome = {"missing": 1} if status == 404 else {"failed": 1}
    assert run.outcomes() == {"exported": 9, **outcome}, run.done.stderr
    assert origin.over(2).count("lead-3") == 1


def test_retry_after_on_a_stream_that_is_reset(wires):
    origin = wires.http2_origin(decide=lambda lead_id, nth: head_then_reset(429, ("retry-after", "3600")))
    run = wires.export(origin, ids_of(3))
    assert run.status == 1 and "Retry-After" in run.errors()[0], run.done.stderr


def test_success_that_is_reset_is_asked_for_again(wires):
    origin = wires.http2_origin(decide=lambda lead_id, nth: head_then_reset(200) if nth == 0 else None)
    run = wires.export(origin, ids_of(10), "-j", 2)
    assert (run.status, run.outcomes()) == (0, {"exported": 10}), run.done.stderr


def test_enhance_your_calm_is_congestion(wires):
    """All wait, and no lead is lost."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: CODES.ENHANCE_YOUR_CALM if nth == 0 else None)
    run = wires.export(origin, ids_of(40), "-j", 8, "-vv")
    assert (run.status, run.outcomes()) == (0, {"exported": 40}), run.done.stderr
    assert any("ENHANCE_YOUR_CALM: pausing requests for" in message["message"] for message in run.messages)


def test_enhance_your_calm_for_ever(wires):
    origin = wires.http2_origin(decide=lambda lead_id, nth: CODES.ENHANCE_YOUR_CALM if lead_id == "lead-3" else None)
    run = wires.export(origin, ids_of(10), "-j", 2, "--attempts", 2)
    [row] = run.failed
    assert row["code"] == "enhance_your_calm" and "too many requests" in row["error"], row
    asked = [how for lead_id, how in origin.asked if lead_id == "lead-3"]
    # the server ends a connection on which frames come for a stream that it has reset: not the lead's fault
    assert 2 <= row["attempts"] == len(asked) <= 4, (row, asked)


def test_goaway_enhance_your_calm(wires):
    """The connection ends with it: those on it are asked for on another one."""
    def calm(connection, stream):
        connection.close_connection(CODES.ENHANCE_YOUR_CALM, last_stream_id=max(0, stream - 2))
    origin = wires.http2_origin(decide=lambda lead_id, nth: [calm] if lead_id.endswith("5") and nth == 0 else None)
    run = wires.export(origin, ids_of(40), "-j", 8)
    assert (run.status, run.outcomes()) == (0, {"exported": 40}), run.done.stderr


@pytest.mark.parametrize("fate", [[head_then_reset(200)[0], "close"], "close", "goaway", CODES.REFUSED_STREAM],
                         ids=["head", "close", "goaway", "refused"])
def test_every_connection_or_stream_ends_for_a_while(wires, fate):
    """An outage like any other, which costs no lead."""
    asked = []

    def decide(_lead_id, _nth):
        asked.append(time.monotonic())
        return fate if asked[-1] - asked[0] < 1 else None
    origin = wires.http2_origin(decide=decide)
    run = wires.export(origin, ids_of(12), "-j", 4)
    assert (run.status, run.outcomes()) == (0, {"exported": 12}), run.done.stderr


@pytest.mark.parametrize("refused", [9, 100])
def test_streams_of_the_only_lead_are_refused(wires, refused):
    """libcurl sends a request again whose stream was refused on a new connection, and that costs the lead nothing while nobody is
    served: it has its two tries on a connection that is lost, and then as many as are allowed."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: CODES.REFUSED_STREAM if nth < refused else None)
    run = wires.export(origin, ids_of(1), "--attempts", 3)
    asked = len(origin.asked)
    if refused == 9:
        assert (run.status, run.outcomes(), asked) == (0, {"exported": 1}, 10), run.done.stderr
    else:
        assert [(row["id"], row["attempts"]) for row in run.failed] == [("lead-0", 10)] and asked == 10, run.done.stderr


def test_streams_of_one_lead_are_refused(wires):
    """While others are served, every request counts, but for the loss of a connection that others had a part in."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: CODES.REFUSED_STREAM if lead_id == "lead-3" else None)
    run = wires.export(origin, ids_of(10), "-j", 2, "--attempts", 4)
    [row] = run.failed
    asked = [how for lead_id, how in origin.asked if lead_id == "lead-3"]
    assert run.outcomes() == {"exported": 9, "failed": 1} and 4 <= row["attempts"] == len(asked) <= 7, (row, asked)
