"""Servers that take so many connections and no more: what goes beyond costs no lead."""

import pytest

import runs
from wires import all_right


def ids_of(n):
    return ["lead-%d" % i for i in range(n)]


def limit_messages(run):
    return [row["message"] for row in run.messages if "at a time" in row["message"] and "server accepts only" in row["message"]]


@pytest.mark.parametrize("how, scheme", [("reset", "http"), ("close", "http"), ("reset later", "http"), ("reset later", "https")])
@pytest.mark.parametrize("concurrency, limit", [("auto", 2), (32, 2), (32, 10), (8, 1)])
def test_too_many_connections(wires, how, concurrency, limit, scheme):
    """Reset at once, reset in the TLS handshake or when the request has come, closed without a word."""
    origin = wires.origin(delay=0.015)
    relay = wires.relay(wires.nginx(origin, http2=False) if scheme == "https" else origin, limit=limit, how=how)
    ids = ids_of(100)
    run = all_right(wires.export(relay, ids, "-j", concurrency, "--attempts", 2, scheme=scheme), ids)
    assert relay.refused > 0 and origin.most <= limit
    assert len(limit_messages(run)) <= 1 and relay.refused < 3 * (8 if concurrency == "auto" else concurrency)
    if concurrency == 32:
        assert limit_messages(run), run.messages


@pytest.mark.parametrize("lingers", [0, 0.02])
@pytest.mark.parametrize("concurrency", ["auto", 32])
def test_connections_that_are_not_kept(wires, concurrency, lingers):
    """Each answer ends its connection, so that every request needs a new one; also where the server is
    late to see that a connection is free."""
    origin = wires.origin(delay=0.01, close=True)
    relay = wires.relay(origin, limit=4, lingers=lingers)
    ids = ids_of(200)
    all_right(wires.export(relay, ids, "-j", concurrency, scheme="http"), ids)


@pytest.mark.parametrize("concurrency", ["auto", 32])
def test_503_for_what_is_too_much(wires, concurrency):
    def answer(origin, lead_id):
        return (503, {}) if origin.now > 3 else (200, {"id": lead_id, "asked": lead_id})

    origin = wires.origin(delay=0.01, answer=answer)
    ids = ids_of(300)
    all_right(wires.export(origin, ids, "-j", concurrency, scheme="http"), ids)


def test_nginx_limits_connections(wires):
    """limit_conn: over HTTP/2 every request is one, and what is too much is answered 503."""
    origin = wires.origin(delay=0.01)
    nginx = wires.nginx(origin, more="limit_conn each 4;", zones="limit_conn_zone $binary_remote_addr zone=each:1m;")
    ids = ids_of(300)
    all_right(wires.export(nginx, ids, "-j", 32), ids)


def test_a_second_http2_connection_is_not_taken(wires):
    origin = wires.origin(delay=0.05)
    relay = wires.relay(wires.nginx(origin, more="http2_max_concurrent_streams 16;"), limit=1)
    ids = ids_of(300)
    all_right(wires.export(relay, ids, "-j", 32, "--attempts", 2), ids)


def test_a_lead_that_resets_its_connection(wires):
    """It is distinguished from a limit: it fails where others are served."""
    origin = wires.origin(delay=0.02, answer=lambda origin, lead_id: (None, b"") if lead_id == "lead-50" else
                          (200, {"id": lead_id, "asked": lead_id}))
    run = wires.export(origin, ids_of(400), "-j", 16, "--attempts", 4, scheme="http")
    assert [row["id"] for row in run.failed] == ["lead-50"] and len(run.exported) == 399
    assert origin.times()["lead-50"] == 4 and limit_messages(run) == []


FEW, SOME, MANY = (300, 4, [50, 299]), (300, 8, [50, 100, 150, 200, 250]), (600, 8, [60, 150, 240, 330, 420, 510])


@pytest.mark.parametrize("n, limit, which, close", [(*SOME, False), (*FEW, True), *(pytest.param(*case, marks=pytest.mark.nightly) for case in [
    (*FEW, False), (*SOME, True), (*MANY, False), (*MANY, True)])])
def test_leads_that_reset_their_connections_at_a_server_with_a_limit(wires, n, limit, which, close):
    """They neither end the run, nor are they tried without end."""
    breaking = ["lead-%d" % i for i in which]
    origin = wires.origin(delay=0.02, close=close, answer=lambda origin, lead_id: (None, b"") if lead_id in breaking else
                          (200, {"id": lead_id, "asked": lead_id}))
    run = wires.export(wires.relay(origin, limit=limit), ids_of(n), "-j", 32, "--retry-max-time", "15s", scheme="http")
    assert run.status == 3 and [row["id"] for row in run.failed] == breaking and len(run.exported) == n - len(which)
    assert max(origin.times().values()) <= 6 + 8 + 3 and len(limit_messages(run)) == 1


@pytest.mark.parametrize("outage", [1, 3, 10])
def test_outage_of_a_server_with_a_limit(wires, outage):
    """It costs no lead, and the connections that are kept are used again: they may be all that there are."""
    origin = wires.origin(delay=0.01)
    relay = wires.relay(origin, limit=4)
    process = wires.start(relay, ids_of(600), "-j", 16, "-v", scheme="http")
    runs.wait_until(lambda: len(origin.requests) >= 200, "200 requests")
    relay.close()
    runs.wait_until(lambda: relay.refused_while_closed >= outage, "%d refusals" % outage)
    relay.open()
    assert limit_messages(all_right(wires.end(process), ids_of(600)))


def test_webhook_receiver_takes_few_connections(wires):
    origin, receiver = wires.origin(delay=0), wires.origin(delay=0.01)
    relay = wires.relay(receiver, limit=2)
    hook = "webhook,layout=raw,concurrency=16:http://127.0.0.1:%d/hook" % relay.port
    all_right(wires.export(origin, ids_of(200), "-t", hook, scheme="http"), ids_of(200))
