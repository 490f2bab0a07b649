"""--attempts is what the server sees: nothing is sent that the program does not know of."""

import asyncio
import json

import pytest

from wires import Server, all_right, reset


def ids_of(n):
    return ["lead-%d" % i for i in range(n)]


class Breaking:
    """Answers over kept connections until `breaks(lead_id)`: then the connection ends when the request
    has come, as `how` says.  Counts requests, and how many are in progress at a time."""

    def __init__(self, loop, breaks, how="reset", delay=0.005):
        self.breaks, self.how, self.delay = breaks, how, delay
        self.requests, self.now, self.most = [], 0, 0
        self.server = Server(loop, self._serve)
        self.port = self.server.port

    async def _serve(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lead_id = head.split(b" ")[1].decode().rsplit("/", 1)[1]
            self.requests.append(lead_id)
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(self.delay)
            self.now -= 1
            if self.breaks(lead_id):
                if self.how == "reset":
                    reset(writer)
                return
            body = json.dumps({"id": lead_id, "asked": lead_id}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_lead_that_ends_its_connection(wires, how, concurrency, attempts):
    origin = Breaking(wires.loop, lambda lead_id: lead_id == "lead-20", how)
    run = wires.export(origin, ids_of(40), "-j", concurrency, "--attempts", attempts, "--retry-max-time", "60s",
                       scheme="http")
    assert [(row["id"], row["attempts"]) for row in run.failed] == [("lead-20", attempts)]
    assert origin.requests.count("lead-20") == attempts and origin.most <= concurrency
    assert run.summary["requests"] == {"total": len(origin.requests), "retries": attempts - 1}


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_connections_that_end_after_a_few_requests(wires, concurrency):
    """What was sent over a connection that the server was about to close is sent again, and counted."""
    served = {}

    def breaks(lead_id):
        served[lead_id] = served.get(lead_id, 0) + 1
        return lead_id.endswith("7") and served[lead_id] == 1

    origin = Breaking(wires.loop, breaks, "close")
    run = all_right(wires.export(origin, ids_of(100), "-j", concurrency, "--attempts", 3, scheme="http"), ids_of(100))
    assert run.summary["requests"] == {"total": len(origin.requests), "retries": len(origin.requests) - 100}
    assert len(origin.requests) == 110 and origin.most <= concurrency


def test_never_more_in_flight_than_allowed(wires):
    """Also while connections break all the time."""
    import random
    dice = random.Random(1)
    origin = Breaking(wires.loop, lambda lead_id: dice.random() < 0.2)
    run = wires.export(origin, ids_of(200), "-j", 3, "--attempts", 9, "--retry-max-time", "60s", scheme="http")
    assert origin.most <= 3 and run.summary["requests"]["total"] == len(origin.requests)
    assert all(origin.requests.count(one) <= 9 for one in ids_of(200)) and len(run.exported) == 200


def test_deliveries_are_counted_too(wires):
    origin = wires.origin(delay=0)
    receiver = wires.origin(delay=0.005, status_of=lambda event: None if event["data"]["payload"]["asked"] == "lead-9" else 200)
    hook = "webhook,layout=raw,concurrency=1,attempts=3:http://127.0.0.1:%d/hook" % receiver.port
    run = wires.export(origin, ids_of(30), "-t", hook, scheme="http")
    assert [row["id"] for row in run.failed] == ["lead-9"]
    assert sum(event["data"]["payload"]["asked"] == "lead-9" for event in receiver.posted) == 3
