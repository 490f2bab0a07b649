"""The sink push at its limits: leads that are nested as deeply as can be read, answers that cannot be read."""

import gzip
import json

import pytest

import outputs
import pushes
import test_bombs
from conftest import SANITIZER
from tiny_server import TinyServer

IDS = ["d-%d" % n for n in range(4)]
DEPTH_MAX = 200  # of a payload, the outermost object included
KEY = {"OMNI_API_KEY": "k"}


def nested(depth, unit="[]"):
    return unit[0] * depth + unit[1] * depth


@pytest.fixture
def served():
    """A provider and a CRM in one; `payload` and `answer` are what they say."""
    class Both:
        payload, answer, headers = b"", b"", {}

        def respond(self, path, _):
            if path == "/crm":
                return 200, {"Content-Type": "application/json", **self.headers}, self.answer
            return 200, {"Content-Type": "application/json"}, self.payload
    both = Both()
    both.server = TinyServer(both.respond)
    yield both
    both.server.close()


def export(leadpipe, served, item, *options, status, sink="push", **more):
    destination = {"destination": 1, "method": "POST", "url": served.server.url + "/crm", "item": item, **more}
    (leadpipe.folder / "destination.json").write_text(json.dumps(destination))
    done = leadpipe("export", "-p", "omni", "--base-url", served.server.url, "-t", sink + ":destination.json", "--failed",
                    pushes.FAILED, "--manifest", pushes.MANIFEST, *options, outputs.ids_file(leadpipe.folder, IDS), env=KEY)
    assert done.returncode == status, done.stderr
    run = pushes.Run(leadpipe.folder, done)
    pushes.check_books(run)
    return run


def within(levels, value):
    for _ in range(levels):
        value = {"in": value}
    return value


@pytest.mark.parametrize("options", [(), ("--state", "run.state")])
@pytest.mark.parametrize("levels", [0, 1, 27])
def test_deep_payloads(leadpipe, served, levels, options):
    """An item is nested more deeply than the payload within it. It is read again, for its key and by the answer."""
    served.payload = b'{"lead":{"deep":%s}}' % nested(DEPTH_MAX - 2).encode()
    served.answer = json.dumps({"results": [{"ref": one} for one in IDS]}).encode()
    run = export(leadpipe, served, {"id": {"$field": "lead_id"}, "payload": within(levels, {"$payload": ""})}, *options,
                 status=0, batch={"max_items": 2, "unique_by": "/id"}, body={"leads": {"$items": True}},
                 answer={"ok": [200], "results": {"at": "/results", "match": {"entry": "/ref", "item": "/id"}}})
    assert run.ledger == {"exported": len(IDS)}


@pytest.mark.parametrize("body", ["0," * 4000000, "{}," * 2500000, '{"a":[]},' * 900000], ids=["values", "empty", "objects"])
def test_answers_that_take_too_much_memory(leadpipe, served, body):
    """Less than 8 MiB that need over 64 MiB once they are read: the CRM may have the leads, so they have failed."""
    served.payload = b'{"lead":{"firstName":"Ann"}}'
    served.answer = ('{"results":[' + body[:-1] + "]}").encode()
    run = export(leadpipe, served, {"id": {"$field": "lead_id"}}, status=3, sink="push,concurrency=1",
                 answer={"ok": [200], "results": {"at": "/results", "match": {"entry": "/ref", "item": "/id"}}})
    assert {line["code"] for line in run.failed.values()} == {"too_large"}
    assert all("64 MiB" in line["error"] and line["attempts"] == 1 for line in run.failed.values())


NOT_READ = {"text": b'"%s"' % (b"x" * 7000000), "values": b"0," * 440000 + b"0", "objects": b'{"ref":"a"},' * 70000 + b"0"}

SET_ASIDE = 13 * test_bombs.MIB  # of 64 MiB, with 32 requests in flight


@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer needs memory of its own")
@pytest.mark.parametrize("kind", [*NOT_READ, "usual"])
def test_large_answers_on_many_connections(leadpipe, served, kind):
    """They are a part of --max-memory, whatever they are, and set aside from it: those of a usual size are read."""
    ids = ["d-%d" % n for n in range(64)]
    known = json.dumps([{"ref": one, "note": "n" * 1500} for one in ids])[1:-1].encode()
    body = b'{"results":[%s,%s]}' % (known, NOT_READ.get(kind, b"0"))
    served.payload = b'{"lead":{"firstName":"Ann"}}'
    served.answer, served.headers = gzip.compress(body, 1), {"Content-Encoding": "gzip"}
    destination = {"destination": 1, "method": "POST", "url": served.server.url + "/crm", "item": {"id": {"$field": "lead_id"}},
                   "answer": {"ok": [200], "results": {"at": "/results", "match": {"entry": "/ref", "item": "/id"}}}}
    (leadpipe.folder / "destination.json").write_text(json.dumps(destination))
    status, errors, peak = outputs.run_for_memory(
        leadpipe, "export", "-p", "omni", "--base-url", served.server.url, "-t", "push,concurrency=32:destination.json",
        "--failed", pushes.FAILED, "--max-memory", "64M", outputs.ids_file(leadpipe.folder, ids), env=KEY)
    print("%.1f MiB, answers of %d" % (peak / test_bombs.MIB, len(body)))
    failed = outputs.lines_of(leadpipe.folder / pushes.FAILED)
    assert status == (0 if kind == "usual" else 3), errors
    assert {line["code"] for line in failed} <= {"too_large"}
    assert (kind == "usual") == (not failed)
    assert peak < SET_ASIDE + test_bombs.BESIDE, "%.1f MiB" % (peak / test_bombs.MIB)
