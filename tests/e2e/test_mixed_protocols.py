"""Servers behind one name that speak different versions of HTTP: no lead gets another one's answer.

libcurl before 8.5.0 put a second request on an HTTP/1.1 connection in use once another connection
to the same name had been HTTP/2. All payloads here say which lead was asked for.
"""

import h2.errors
import pytest

import runs
from wires import all_right, wrong_rows


def ids_of(n):
    return ["lead-%d" % i for i in range(n)]


@pytest.mark.parametrize("first", ["http2", "http1"])
@pytest.mark.parametrize("concurrency", ["auto", "32"])
def test_mixed_balancer(wires, first, concurrency):
    origin = wires.origin(delay=0.02)
    servers = [wires.nginx(origin, http2=True), wires.nginx(origin, http2=False)]
    balancer = wires.relay(*(servers if first == "http2" else reversed(servers)))
    run = wires.export(balancer, ids_of(800), "-j", concurrency)
    all_right(run, ids_of(800))


@pytest.mark.parametrize("requests", [1, 5, 20])
def test_mixed_balancer_with_short_connections(wires, requests):
    """Every connection ends after a few requests, so that new ones are made all the time."""
    origin = wires.origin(delay=0.01)
    more = "keepalive_requests %d;" % requests
    balancer = wires.relay(wires.nginx(origin, more=more), wires.nginx(origin, more=more),
                           wires.nginx(origin, http2=False, more=more))
    all_right(wires.export(balancer, ids_of(300), "-j", 16), ids_of(300))


def test_http2_is_switched_off_in_mid_run(wires):
    origin = wires.origin(delay=0.02)
    nginx = wires.nginx(origin)
    process = wires.start(nginx, ids_of(1200), "-j", 32)
    runs.wait_until(lambda: len(origin.requests) >= 300, "300 requests")
    nginx.reload(http2=False)
    all_right(wires.end(process), ids_of(1200))
    assert {line[0] for line in nginx.log()} == {"HTTP/2.0", "HTTP/1.1"}


def test_http2_is_switched_on_in_mid_run(wires):
    origin = wires.origin(delay=0.02)
    nginx = wires.nginx(origin, http2=False)
    process = wires.start(nginx, ids_of(1200), "-j", 32)
    runs.wait_until(lambda: len(origin.requests) >= 300, "300 requests")
    nginx.reload(http2=True)
    all_right(wires.end(process), ids_of(1200))


@pytest.mark.parametrize("concurrency", [1, 64, 300])
def test_http2_is_multiplexed(wires, concurrency):
    """One connection, and another one for each further 100 requests at once."""
    origin = wires.origin(delay=0.5 if concurrency > 1 else 0.01)  # long enough for all to be under way
    nginx = wires.nginx(origin, more="keepalive_requests 100000;")
    n = 4 * concurrency if concurrency > 1 else 20
    all_right(wires.export(nginx, ids_of(n), "-j", concurrency), ids_of(n))
    lines = nginx.log()
    assert {line[0] for line in lines} == {"HTTP/2.0"} and len(lines) == n
    assert len({line[1] for line in lines}) <= 1 + concurrency // 100
    assert origin.most > 0.8 * concurrency


def test_http2_connections_end(wires):
    """GOAWAY after so many requests costs nobody a try, and does not hold up the others."""
    origin = wires.origin(delay=0.01)
    nginx = wires.nginx(origin, more="keepalive_requests 50;")
    all_right(wires.export(nginx, ids_of(1000), "-j", 32, "--attempts", 1), ids_of(1000))
    assert {line[0] for line in nginx.log()} == {"HTTP/2.0"}
    assert sorted(origin.requests) == sorted(ids_of(1000))


@pytest.mark.parametrize("streams", [1, 4])
def test_few_streams(wires, streams):
    """What a connection does not take goes to another one, and is no try."""
    origin = wires.origin(delay=0.01)
    nginx = wires.nginx(origin, more="http2_max_concurrent_streams %d;" % streams)
    run = all_right(wires.export(nginx, ids_of(200), "-j", 16, "--attempts", 1), ids_of(200))
    assert {line[0] for line in nginx.log()} == {"HTTP/2.0"}
    assert run.summary["requests"]["total"] == 200 and origin.most <= 16


def test_webhook_behind_a_mixed_balancer(wires):
    """A receiver's refusal stays with its own delivery."""
    origin = wires.origin(delay=0.01)
    receiver = wires.origin(delay=0.02, status_of=lambda event: 422 if event["data"]["payload"]["asked"].endswith("7") else 200)
    balancer = wires.relay(wires.nginx(receiver), wires.nginx(receiver, http2=False))
    hook = "webhook,layout=raw,concurrency=32:https://127.0.0.1:%d/hook" % balancer.port
    front = wires.nginx(origin)
    run = wires.export(front, ids_of(600), "-t", hook)
    refused = [one for one in ids_of(600) if one.endswith("7")]
    assert run.status == 3 and sorted(row["id"] for row in run.failed) == sorted(refused)
    assert sorted(event["data"]["payload"]["asked"] for event in receiver.posted) == sorted(ids_of(600))


REFUSED, OLD = h2.errors.ErrorCodes.REFUSED_STREAM, h2.errors.ErrorCodes.HTTP_1_1_REQUIRED


@pytest.mark.parametrize("which", ["some", "all"])
@pytest.mark.parametrize("concurrency", [1, 16])
def test_http_1_1_required(wires, which, concurrency):
    """RFC 9113 section 7: a request that must not be sent over HTTP/2 is sent over HTTP/1.1."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: OLD if which == "all" or lead_id.endswith("7") else None)
    ids = ids_of(100)
    all_right(wires.export(origin, ids, "-j", concurrency, "--attempts", 2), ids)
    assert {lead_id for lead_id in origin.over(1)} >= {one for one in ids if which == "all" or one.endswith("7")}


@pytest.mark.parametrize("fate", [REFUSED, "goaway", "close"])
def test_a_stream_or_connection_is_lost(wires, fate):
    """A connection's end is not its leads' fault."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: fate if nth == 0 and lead_id.endswith("5") else None)
    ids = ids_of(200)
    all_right(wires.export(origin, ids, "-j", 16, "--attempts", 2), ids)


@pytest.mark.parametrize("fate", [REFUSED, "goaway", "close", h2.errors.ErrorCodes.INTERNAL_ERROR])
def test_a_lead_that_breaks_its_connection(wires, fate):
    """It fails alone, after as many tries as were allowed and a few that its connection cost."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: fate if lead_id == "lead-50" else None)
    ids = ids_of(100)
    run = wires.export(origin, ids, "-j", 8, "--attempts", 3)
    assert wrong_rows(run) == [] and origin.over(2).count("lead-50") + origin.over(1).count("lead-50") <= 3 + 3
    failed = [row["id"] for row in run.failed]
    assert failed == ([] if origin.over(1) else ["lead-50"]) and len(run.exported) == 100 - len(failed)


# --- behind all that: a payload that names another lead is asked for once more --------------------


def swapped(lead_id):
    return {"id": "other-" + lead_id, "asked": lead_id}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("raw_only", [False, True])
def test_another_leads_payload_is_asked_for_again(wires, leadpipe, scheme, raw_only):
    """Once, on a connection of its own; the second answer counts."""
    def answer(origin, lead_id):
        wrong = lead_id.endswith("3") and origin.times()[lead_id] == 1
        return 200, swapped(lead_id) if wrong else {"id": lead_id, "asked": lead_id}

    origin = wires.origin(delay=0.005, answer=answer)
    at, ids = wires.nginx(origin) if scheme == "https" else origin, ids_of(100)
    words = wires.words(at, "--attempts", 1, scheme=scheme, own_id="/id")
    if raw_only:
        words[-1] = "ndjson,layout=raw:out.ndjson"
    done = leadpipe(*words, input="\n".join(ids), env={"ECHO_KEY": "k"})
    run = runs.check(runs.Run(leadpipe.folder, done))
    assert [(row["payload"] if raw_only else row)["id"] for row in run.rows] == ids and run.status == 0
    assert origin.times() == {one: 2 if one.endswith("3") else 1 for one in ids}
    assert run.summary["requests"] == {"total": 110, "retries": 10} and run.summary["other_ids"] == 0
    assert sum("another lead's payload" in message["message"] for message in run.messages) == 10


def test_the_same_answer_again_is_exported(wires):
    origin = wires.origin(delay=0.005, answer=lambda origin, lead_id: (200, swapped(lead_id)))
    ids = ids_of(20)
    run = wires.export(origin, ids, "--attempts", 1, scheme="http", own_id="/id")
    assert all_right(run, ids).summary["other_ids"] == 20 and set(origin.times().values()) == {2}


def test_a_provider_with_ids_of_its_own_is_not_asked_twice_for_ever(wires):
    origin = wires.origin(delay=0, answer=lambda origin, lead_id: (200, swapped(lead_id)))
    ids = ids_of(3000)
    run = wires.export(origin, ids, scheme="http", own_id="/id")
    assert all_right(run, ids).summary["other_ids"] == 3000 and len(origin.requests) < 4500


def test_second_questions_of_a_stopped_run(wires, leadpipe):
    """They are neither lost nor asked a third time."""
    import signal
    held = []

    def answer(origin, lead_id):
        if len(origin.requests) >= 60 and held[0].poll() is None:
            held[0].send_signal(signal.SIGTERM)
        return 200, swapped(lead_id)

    origin, ids = wires.origin(delay=0.01, answer=answer), ids_of(100)
    held.append(wires.start(origin, ids, "--state", "s", scheme="http", own_id="/id"))
    held[0].communicate(timeout=60)
    assert held[0].returncode == 143
    run = wires.end(wires.start(origin, ids, "--state", "s", scheme="http", own_id="/id"))
    assert all_right(run, ids).summary["other_ids"] == 100
