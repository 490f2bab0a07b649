"""Answers that are small on the wire and large in memory: --max-memory holds whatever they are, a lead
that needs more by itself fails and says so, and the others are exported in their order."""

import functools
import gzip
import json
import urllib.parse

import pytest

import runs
from conftest import SANITIZER
from outputs import ids_file, ledger_of, lines_of, manifest, run_for_memory
from tiny_server import TinyServer

MIB = 1 << 20
BESIDE = 48 * MIB  # the program itself, connections, buffers of sinks: docs/reliability.md
KEY = {"OMNI_API_KEY": "k"}

pytestmark = pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer needs memory of its own")


def filled(before, unit, after, size):
    return before + (unit * ((size - len(before) - len(after)) // len(unit)))[:-1] + after


BODIES = {
    "zeros": lambda size: filled(b'{"lead":{"x":[', b"0,", b"]}}", size),
    "objects": lambda size: filled(b'{"lead":{"x":[', b'{"a":{}},', b"]}}", size),
    "deep": lambda size: filled(b'{"lead":{"x":[', b"[" * 150 + b"]" * 150 + b",", b"]}}", size),
    "text": lambda size: filled(b'{"lead":{"x":"', b"aaaa", b'a"}}', size),
    "bad": lambda size: filled(b'{"lead":{"x":"', b"\xff\xff", b'"}}', size),
    "escapes": lambda size: filled(b'{"lead":{"x":"', b"\\u0001", b'0"}}', size),
    "floats": lambda size: filled(b'{"lead":{"x":[', b"1e5,", b"]}}", size),
    "documents": lambda size: filled(b'{"lead":{},"documents":[', b"{},", b"]}", size),
    "lone": lambda size: filled(b'{"lead":{},"documents":[', b"0,", b"]}", size),
    "messages": lambda size: filled(b'{"lead":{},"actionLogs":[', b'{"messages":[{}]},', b"]}", size),
    "items": lambda size: filled(b'{"lead":{},"checklistItems":[{"items":[', b'{"checklistItem":{"code":"c","label":"' +
                                 b"L" * 300 + b'"},"value":1},', b"]}]}", size),
    "members": lambda size: b'{"lead":{' + b",".join(b'"m%d":0' % n for n in range(size // 10)) + b"}}",
    "codes": lambda size: b'{"lead":{},"checklistItems":[{"items":[' + b",".join(
        b'{"checklistItem":{"code":"c%d"},"value":1}' % n for n in range(size // 42)) + b"]}]}",
    "html": lambda size: b"<html>" + b"a" * size,
    "refused": lambda size: filled(b'{"success":false,"message":"no","x":[', b"0,", b"]}", size),
    "small": lambda size: b'{"lead":{"firstName":"Ann"},"documents":[{"filename":"f"}]}',
}


@functools.lru_cache(maxsize=None)
def packed(kind, size):
    return gzip.compress(BODIES[kind](size), 6)


@pytest.fixture
def bombs():
    """The ID says what the answer is: KIND.BYTES.ANYTHING."""
    def answer(path, _):
        kind, size, _ = urllib.parse.unquote(path.rsplit("/", 1)[1]).split(".", 2)
        return 200, {"Content-Encoding": "gzip", "Content-Type": "application/json"}, packed(kind, int(size))

    server = TinyServer(answer)
    yield server
    server.close()


def export(leadpipe, bombs, ids, *more, sinks=("ndjson:out.ndjson",), timeout=600):
    words = [word for sink in sinks for word in ("-t", sink)]
    status, errors, peak = run_for_memory(
        leadpipe, "export", "-p", "omni", "--base-url", bombs.url, "--manifest", "m.json", "--failed", "f.ndjson", *words,
        *more, ids_file(leadpipe.folder, ids), env=KEY, timeout=timeout)
    failed = {row["id"]: row for row in lines_of(leadpipe.folder / "f.ndjson")}
    print("%.1f MiB, %d requests for %d leads, %d failed" % (peak / MIB, len(bombs.requests), len(ids), len(failed)))
    return status, errors, peak, failed


def assert_balanced(folder, ids, failed, status):
    """In the order of the IDs, every one once, either in the output or in the failed list."""
    assert status == (3 if failed else 0)
    ledger = ledger_of(manifest(folder / "m.json"))
    assert ledger == {name: n for name, n in (("exported", len(ids) - len(failed)), ("failed", len(failed))) if n}
    out = [line.split(b'"lead_id":"', 1)[1].split(b'"', 1)[0].decode()
           for line in (folder / "out.ndjson").read_bytes().split(b"\n") if line]
    return out


QUICK = ("zeros", "documents", "bad", "items", "html")


@pytest.mark.parametrize("kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow)
                                  for kind in BODIES if kind != "small"])
def test_every_kind(leadpipe, bombs, kind):
    """Among leads as usual, two of them 1 MB, two 2 MB and two 6 MB, with 64 MB for all."""
    large = ["%s.%d.%d" % (kind, size << 20, n) for n in range(2) for size in (1, 2, 6)]
    ids = ["small.0.%d" % n for n in range(300)]
    for n, one in enumerate(large):
        ids.insert(n * 40 + 5, one)
    sinks = ("csv:out/", "ndjson:out.ndjson", "msgpack:out.mp")
    status, errors, peak, failed = export(leadpipe, bombs, ids, "--max-memory", "64M", "--attempts", "2", "-j", "32",
                                          sinks=sinks)
    out = assert_balanced(leadpipe.folder, ids, failed, status)
    assert out == [one for one in ids if one not in failed]
    assert set(failed) <= set(large)
    wanted = {"html": {"not_json"}, "refused": {"not_successful", "memory_limit"}}.get(kind, {"memory_limit"})
    for row in failed.values():
        assert row["code"] in wanted and row["stage"] in ("fetch", "parse", "flatten"), row
        if row["code"] == "memory_limit":
            assert "--max-memory" in row["error"] and "64 MiB" in row["error"], row
    assert peak < 64 * MIB + BESIDE, "%.1f MiB" % (peak / MIB)
    # one that found no room is asked for again a few times at most, and so are those behind it
    assert len(bombs.requests) < 10 * len(ids), len(bombs.requests)


@pytest.mark.parametrize("order", ["input", "any"])
def test_one_that_needs_nearly_all(leadpipe, bombs, order):
    """More than half of what there is: exported all the same, one after the other, nothing doubled."""
    large = ["zeros.1200000.%d" % n for n in range(6)]  # about 43 MB each
    ids = [one for n in range(6) for one in (["small.0.%d-%d" % (n, k) for k in range(20)] + [large[n]])]
    status, errors, peak, failed = export(leadpipe, bombs, ids, "--max-memory", "64M", "--order", order, "-j", "16")
    out = assert_balanced(leadpipe.folder, ids, failed, status)
    assert failed == {} and (out == ids if order == "input" else sorted(out) == sorted(ids))
    assert peak < 64 * MIB + BESIDE, "%.1f MiB" % (peak / MIB)


def test_whatever_the_network_does(leadpipe, bombs):
    """With one request at a time, or many, the same leads fail and the same bytes are written."""
    kinds = ("zeros", "documents", "text", "small", "messages", "items")
    ids = ["%s.%d.%d" % (kinds[n % len(kinds)], (n % 7 + 1) * 300_000, n) for n in range(42)]  # each kind in each size
    found = []
    for concurrency in ("1", "40"):
        status, _, _, failed = export(leadpipe, bombs, ids, "--max-memory", "64M", "-j", concurrency)
        assert status == 3
        found.append((sorted(failed), (leadpipe.folder / "out.ndjson").read_bytes()))
    assert found[0] == found[1]


def test_a_larger_ceiling_is_enough(leadpipe, bombs):
    """What the message says is what helps."""
    ids = ["zeros.3000000.1"]
    status, errors, _, failed = export(leadpipe, bombs, ids, "--max-memory", "64M")
    assert status == 3 and failed[ids[0]]["code"] == "memory_limit" and "--max-memory" in errors
    status, _, _, failed = export(leadpipe, bombs, ids, "--max-memory", "256M")
    assert (status, failed) == (0, {})


def test_deliveries_count(leadpipe, bombs, sandbox, control):
    """Bodies on their way to a slow receiver are memory, too."""
    ids = ["%s.%d.%d" % (kind, 900_000, n) for n in range(20) for kind in ("text", "items")]
    sinks = ["webhook,batch=4,concurrency=8:" + sandbox.hook("slow", delay_ms=30), "webhook:" + sandbox.hook("other"),
             "ndjson:out.ndjson"]
    status, errors, peak, failed = export(leadpipe, bombs, ids, "--max-memory", "64M", "--state", "s", sinks=sinks)
    assert (status, failed) == (0, {}), errors
    assert control.ask("hooks")["slow"]["accepted_ids"] == 10 and control.ask("hooks")["other"]["accepted_ids"] == 40
    assert peak < 64 * MIB + BESIDE + 2 * 12 * MIB, "%.1f MiB" % (peak / MIB)


def test_stopped_and_resumed(leadpipe, bombs):
    """A run that is stopped while leads wait for memory is resumed, and ends with the same bytes."""
    import signal
    ids = ["small.0.%d" % n for n in range(50)] + ["zeros.1200000.%d" % n for n in range(8)]
    words = ["export", "-p", "omni", "--base-url", bombs.url, "-t", "ndjson:out.ndjson", "--max-memory", "64M", "-j", "16",
             *runs.id_words(ids)]
    process = leadpipe.start(*words, "--state", "s", env=KEY)
    runs.wait_until(lambda: sum("/zeros." in path for path, _ in bombs.requests) >= 6, "large leads are asked for")
    process.send_signal(signal.SIGTERM)
    process.stdout.read(), process.stderr.read()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert leadpipe(*words, "--state", "s", env=KEY).returncode == 0
    resumed = (leadpipe.folder / "out.ndjson").read_bytes()
    assert [json.loads(line)["lead_id"] for line in resumed.split(b"\n") if line] == ids
    assert leadpipe(*words, env=KEY).returncode == 0
    assert (leadpipe.folder / "out.ndjson").read_bytes() == resumed


def test_too_small_a_ceiling(leadpipe):
    done = leadpipe("export", "-p", "omni", "-t", "csv:out/", "--max-memory", "63M", "--id", "a", env=KEY)
    assert done.returncode == 2 and "--max-memory" in done.stderr and "64M" in done.stderr, done.stderr


@pytest.mark.slow
def test_default_settings(leadpipe, bombs):
    """12 answers of 12 MB that are 12 KB on the wire, each of which takes 400 MB by itself."""
    ids = ["zeros.%d.%d" % (12 * MIB, n) for n in range(12)]
    status, errors, peak, failed = export(leadpipe, bombs, ids, sinks=("csv:out/", "ndjson:out.ndjson"))
    assert (status, failed) == (0, {}), errors
    assert peak < 512 * MIB + BESIDE, "%.1f MiB" % (peak / MIB)
