"""Connections over which nothing comes any more, while new ones work: no lead is lost to them."""

import pathlib
import time

import pytest

import runs
from wires import all_right


def ids_of(n):
    return ["lead-%d" % i for i in range(n)]


def export_while_frozen(wires, relay, origin, n, at, *more):
    """Freezes what is open each time so many requests have come."""
    process = wires.start(relay, ids_of(n), *more)
    for requests in at:
        runs.wait_until(lambda: len(origin.requests) >= requests, "%d requests" % requests)
        relay.freeze()
    return wires.end(process)


@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("concurrency", [32, "auto"])
def test_connections_freeze(wires, http2, concurrency):
    """One time-out later everything goes over new connections."""
    origin = wires.origin(delay=0.01)
    relay = wires.relay(wires.nginx(origin, http2=http2, more="keepalive_requests 100000;"))
    began = time.monotonic()
    run = export_while_frozen(wires, relay, origin, 1000, [300], "-j", concurrency, "--timeout", "1s")
    all_right(run, ids_of(1000))
    assert time.monotonic() - began < 15
    if http2:
        assert 2 <= relay.server.accepted <= 4
        assert not any(row["level"] == "warning" for row in run.messages), run.messages


def test_a_frozen_connection_costs_no_try(wires):
    """Not even the only one that is allowed: it was the connection's fault."""
    origin = wires.origin(delay=0.01)
    relay = wires.relay(wires.nginx(origin, more="keepalive_requests 100000;"))
    run = export_while_frozen(wires, relay, origin, 600, [200], "-j", 16, "--timeout", "1s", "--attempts", 1)
    all_right(run, ids_of(600))


def test_connections_freeze_again_and_again(wires):
    origin = wires.origin(delay=0.01)
    relay = wires.relay(wires.nginx(origin, more="keepalive_requests 100000;"))
    run = export_while_frozen(wires, relay, origin, 900, [100, 300, 500, 700], "-j", 16, "--timeout", "1s")
    all_right(run, ids_of(900))


def test_one_request_at_a_time(wires):
    """Nothing distinguishes a dead connection from a slow lead: the try counts, and the next one has another."""
    origin = wires.origin(delay=0.01)
    relay = wires.relay(wires.nginx(origin, more="keepalive_requests 100000;"))
    run = export_while_frozen(wires, relay, origin, 60, [20, 40], "-j", 1, "--timeout", "1s", "--attempts", 2)
    all_right(run, ids_of(60))


def test_a_lead_that_is_never_answered(wires):
    """It fails alone; the connection that it shares with others is not given up for it."""
    origin = wires.http2_origin(decide=lambda lead_id, nth: "silent" if lead_id == "lead-7" else None)
    run = wires.export(origin, ids_of(2000), "-j", 8, "--timeout", "500ms", "--attempts", 2)
    assert [row["id"] for row in run.failed] == ["lead-7"] and len(run.exported) == 1999
    assert origin.over(2).count("lead-7") <= 4 and origin.server.accepted <= 4


def keepalive_timers(port):
    """Of the connections to `port` on loopback over which nothing is under way: is the keep-alive timer running?
    (proc(5): the second timer, and not that of a retransmission)"""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[5].startswith("02:") for row in rows
            if row[2] == "0100007F:%04X" % port and row[3] == "01" and row[4] == "00000000:00000000"]


def test_idle_connections_are_kept_alive(wires):
    """A lead that takes long is waited for on a connection over which TCP asks whether it is still there."""
    origin = wires.origin(delay=1)
    process = wires.start(origin, ids_of(4), "-j", 4, scheme="http")
    runs.wait_until(lambda: len(origin.requests) == 4, "4 requests")
    runs.wait_until(lambda: keepalive_timers(origin.port) == [True] * 4, "keep-alive on all 4 connections")
    all_right(wires.end(process), ids_of(4))


def test_webhook_receiver_behind_a_frozen_relay(wires):
    origin, receiver = wires.origin(delay=0), wires.origin(delay=0.01)
    relay = wires.relay(wires.nginx(receiver, more="keepalive_requests 100000;"))
    hook = "webhook,layout=raw,concurrency=16,timeout=1s:https://127.0.0.1:%d/hook" % relay.port
    process = wires.start(origin, ids_of(600), "-t", hook, scheme="http")
    runs.wait_until(lambda: len(receiver.posted) >= 200, "200 deliveries")
    relay.freeze()
    all_right(wires.end(process), ids_of(600))
    assert {event["data"]["payload"]["asked"] for event in receiver.posted} == set(ids_of(600))


def test_outage_over_http2(wires):
    """Everything freezes, new connections too, for a while: probes have connections of their own."""
    origin = wires.origin(delay=0.01)
    relay = wires.relay(wires.nginx(origin, more="keepalive_requests 100000;"))
    process = wires.start(relay, ids_of(600), "-j", 16, "--timeout", "500ms", "--connect-timeout", "500ms")
    runs.wait_until(lambda: len(origin.requests) >= 200, "200 requests")
    relay.limit, relay.how = 0, "hold"
    relay.freeze()
    refused = relay.server.accepted
    runs.wait_until(lambda: relay.server.accepted >= refused + 5, "5 probes")
    relay.limit = None
    all_right(wires.end(process), ids_of(600))
