"""What the rigs compare: each way in which a run can be wrong is seen."""

import base64
import gzip
import hashlib
import json
import pathlib
import subprocess
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import books  # noqa: E402

LEADS = ("a", "b")
DELIVERIES = "../run.deliveries"


def write_run(folder):
    """What a run of two leads that are exported and one that fails leaves."""
    (folder / "out").mkdir(parents=True)
    (folder / "leads.ndjson").write_text("".join('{"lead_id":"%s"}\n' % lead for lead in LEADS))
    (folder / "out" / "leads.csv").write_text("lead_id\na\nb\n")
    (folder / "leads.msgpack.gz").write_bytes(gzip.compress(b"packed", mtime=0))
    (folder / books.FAILED).write_text('{"id":"c","stage":"fetch","error":"HTTP 400","attempts":1,"at":"now"}\n')
    (folder / books.MISSING).write_text("")
    manifest = {"exit_status": 3, "published": True, "ids": {"read": 4, "unique": 3, "duplicates": 1}, "sinks": [{"sink": "all", "files": [
        reported(folder, "leads.ndjson"), reported(folder, "out/leads.csv"), reported(folder, "leads.msgpack.gz")]}],
        "ledger": {"exported": 2, "unchanged": 0, "missing": 0, "failed": 1, "pending": 0}}
    (folder / books.MANIFEST).write_text(json.dumps(manifest))
    deliveries_of(folder).write_text("".join(delivery(lead) for lead in LEADS))


def deliveries_of(folder):
    """As in the rigs, beside the folder."""
    return folder.with_name(folder.name + ".deliveries")


def reported(folder, name):
    data = (folder / name).read_bytes()
    return {"path": name, "rows": 2, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "columns": 1}


def delivery(lead, message_id=None, body=None, status=200):
    body = body or json.dumps({"data": {"lead_id": lead}})
    return json.dumps({"webhook_id": message_id or "msg-" + lead, "status": status, "body_base64": base64.b64encode(
        body.encode()).decode(), "sha256": hashlib.sha256(body.encode()).hexdigest()}) + "\n"


def left(folder, status=3):
    found = books.Left(folder, status)
    found.deliveries = books.Deliveries(deliveries_of(folder))
    return found


def check(folder, reference, status=3):
    found = left(folder, status)
    books.check_alone(found)
    books.check_same(found, reference)
    books.check_deliveries(found, books.wanted_leads(found, refuses=True))


def append(name, text):
    def change(folder):
        with open(folder / name, "a") as file:
            file.write(text)
    return change


def write(name, data):
    return lambda folder: (folder / name).write_bytes(data)


def replace(name, old, new):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return change


def rewrite(name, data):
    """An output and what the manifest says of it: only the comparison can show it."""
    def change(folder):
        before = reported(folder, name)
        (folder / name).write_bytes(data)
        after = reported(folder, name)
        replace(books.MANIFEST, json.dumps(before), json.dumps(after))(folder)
    return change


@pytest.fixture
def reference(tmp_path):
    write_run(tmp_path / "reference")
    return left(tmp_path / "reference")


def test_the_same(tmp_path, reference):
    """Another compression, another time and another number of tries are no difference; nor is a repeat."""
    write_run(tmp_path / "run")
    rewrite("leads.msgpack.gz", gzip.compress(b"pac", mtime=1) + gzip.compress(b"ked"))(tmp_path / "run")
    replace(books.FAILED, '"attempts":1,"at":"now"', '"attempts":2,"at":"then"')(tmp_path / "run")
    append(DELIVERIES, delivery("a"))(tmp_path / "run")
    check(tmp_path / "run", reference)
    assert left(tmp_path / "run").deliveries.repeats == 1


@pytest.mark.parametrize("change, text", [
    (append("leads.ndjson", "{}\n"), "manifest says"),
    (rewrite("out/leads.csv", b"lead_id\nb\na\n"), "other content"),
    (rewrite("leads.msgpack.gz", gzip.compress(b"PACKED")), "other content"),
    (write("leads.msgpack.gz", gzip.compress(b"packed")[:-4]), "leads.msgpack.gz"),
    (append(books.FAILED, '{"id":"d"}\n'), "2 failed leads"),
    (replace(books.FAILED, "HTTP 400", "HTTP 404"), "failed lists differ"),
    (append(books.MISSING, '{"id":"d"}\n'), "1 missing leads"),
    (replace(books.MANIFEST, '"missing": 0', '"missing": 1'), "does not balance"),
    (replace(books.MANIFEST, '"failed": 1, "pending": 0', '"failed": 0, "pending": 1'), "does not balance"),
    (replace(books.MANIFEST, '"read": 4', '"read": 5'), "do not add up"),
    (replace(books.MANIFEST, '"rows": 2', '"rows": 3'), "reports files"),
    (replace(books.MANIFEST, '"exit_status": 3', '"exit_status": 0'), "manifest says status"),
    (write(".leads.ndjson.leadpipe-part", b""), "unfinished"),
    (write("out/more.csv", b""), "other files"),
    (lambda folder: (folder / books.MANIFEST).unlink(), "no manifest"),
    (append(DELIVERIES, delivery("a", body='{"data":{"lead_id":"a"},"timestamp":2}')), "two different bodies"),
    (append(DELIVERIES, delivery("a", "msg-other")), "two ids"),
    (replace(DELIVERIES, '"msg-b", "status": 200', '"msg-b", "status": 500'), "not delivered: ['b']"),
    (append(DELIVERIES, delivery("c")), "should not be: ['c']"),
])
def test_a_difference(tmp_path, reference, change, text):
    write_run(tmp_path / "run")
    change(tmp_path / "run")
    with pytest.raises(books.Difference) as error:
        check(tmp_path / "run", reference)
    assert text in str(error.value)


def test_another_status(tmp_path, reference):
    write_run(tmp_path / "run")
    for status in (0, 1):
        with pytest.raises(books.Difference):
            check(tmp_path / "run", reference, status)


def unpublish(folder):
    """As before the end of a run."""
    write_run(folder)
    for name in ("out/leads.csv", "leads.ndjson", "leads.msgpack.gz"):
        (folder / name).write_bytes(books.EARLIER)
    (folder / books.MANIFEST).unlink()


def test_before_the_end(tmp_path, reference):
    unpublish(tmp_path / "run")
    for stopped in (False, True):
        books.check_unpublished(tmp_path / "run", reference, stopped)
    rewritten = (tmp_path / "reference" / "leads.ndjson").read_bytes()
    (tmp_path / "run" / "leads.ndjson").write_bytes(rewritten)
    books.check_unpublished(tmp_path / "run", reference, stopped=False)
    with pytest.raises(books.Difference, match="was stopped"):
        books.check_unpublished(tmp_path / "run", reference, stopped=True)


@pytest.mark.parametrize("change, text", [
    (write("leads.ndjson", b'{"lead_id":"a"}\n'), "neither the earlier one nor complete"),
    (lambda folder: (folder / "leads.ndjson").unlink(), "is gone"),
    (lambda folder: write_run_manifest(folder), "before the outputs"),
    (append(books.FAILED, '{"id":"a"}\n'), "do not fail"),
])
def test_wrong_before_the_end(tmp_path, reference, change, text):
    unpublish(tmp_path / "run")
    change(tmp_path / "run")
    with pytest.raises(books.Difference, match=text):
        books.check_unpublished(tmp_path / "run", reference, stopped=False)


def write_run_manifest(folder):
    (folder / books.MANIFEST).write_text((folder.parent / "reference" / books.MANIFEST).read_text())


# --- what a rig needs ------------------------------------------------------------------------------

@pytest.mark.parametrize("rig", [["crash.py", "1"], ["every_call.py"]], ids=lambda rig: rig[0])
@pytest.mark.parametrize("missing, there", [("faultfs.so", ["leadpipe", "faults/leadpipe-eager"]),
                                            ("leadpipe-eager", ["leadpipe", "faults/faultfs.so"])])
def test_a_rig_refuses_to_run_without_what_it_needs(tmp_path, rig, missing, there):
    """Without the library nothing would be killed at a call, nor lost: all would be well."""
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    done = subprocess.run([sys.executable, str(pathlib.Path(__file__).parent / rig[0]), *rig[1:], "--eager", "--leads", "1",
                           "--folder", str(tmp_path), "--bin", str(tmp_path / "leadpipe")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2 and "/faults/%s: is missing" % missing in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not list(tmp_path.glob("leadpipe-crash-*"))
