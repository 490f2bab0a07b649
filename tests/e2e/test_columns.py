"""Columns that first appear late: one header that covers every row, in bounded memory."""

import csv
import gzip
import json
import signal
import sys
import threading

import pytest

import runs
from conftest import ROOT, SANITIZER
from outputs import check, ids_file, omni_payloads, provider_of, run_for_memory

sys.path.insert(0, str(ROOT / "tests"))

from reference.documented import TABLES  # noqa: E402

MEMORY_MAX = 64 << 20


def widths(path):
    """(header, number of rows); every row must be as wide as the header."""
    with (gzip.open(path, "rt", newline="") if path.suffix == ".gz" else open(path, newline="")) as file:
        rows = csv.reader(file)
        header = next(rows)
        count = 0
        for row in rows:
            count += 1
            assert len(row) == len(header), "row %d has %d fields, the header %d" % (count, len(row), len(header))
    return header, count


def codes_of(header):
    return [name for name in header if name.startswith("checklist_code_")]


def late_ids(count, new):
    """`new` codes spread over the leads: the first and the last lead have one too."""
    step = (count - 1) / (new - 1)
    at = {round(n * step): n for n in range(new)}
    assert len(at) == new and 0 in at and count - 1 in at
    return ["newcode-%d-%d" % (at[n], n) if n in at else "tiny-%d" % n for n in range(count)]


@pytest.mark.parametrize("options, name", [
    ("csv", "leads.csv"), ("csv,gzip=1", "leads.csv.gz"), ("csv,eol=crlf,bom,delimiter=comma", "leads.csv")])
def test_new_columns_until_the_last_lead(leadpipe, sandbox, control, options, name):
    wanted = late_ids(2000, 200)
    done = leadpipe("export", *sandbox.provider(), "-t", "%s:%s" % (options, name), "-t", options + ":dir/",
                    ids_file(leadpipe.folder, wanted), env=sandbox.env)
    assert done.returncode == 0, done.stderr
    header, rows = widths(leadpipe.folder / name)
    assert rows == 2000
    # in the order in which they appeared
    assert codes_of(header) == ["checklist_code_%d" % n for n in range(200)]
    assert header[-1] == "checklist_code_199"
    assert (leadpipe.folder / name).read_bytes() == (leadpipe.folder / "dir" / name).read_bytes() or "gzip" in options


def test_late_columns_hold_what_they_should(leadpipe, sandbox, control):
    """Also where every lead brings one, to each sink."""
    ids = ids_file(leadpipe.folder, ["newcode-%d-a" % n for n in range(150)])
    control.set(nonce="0", jitter_ms=20)
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:csv/", "-t", "ndjson:lead.ndjson", "-t", "msgpack:lead.mp",
                    ids, env=sandbox.env)
    assert done.returncode == 0, done.stderr
    check(leadpipe.folder, "omni", ids, csv="csv/", ndjson="lead.ndjson", msgpack="lead.mp")


def test_no_header_no_late_columns(leadpipe, sandbox, control):
    """header=no: every row is as wide as the header would be."""
    ids = ids_file(leadpipe.folder, late_ids(100, 10))
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:with.csv", "-t", "csv,header=no:without.csv", ids,
                    env=sandbox.env)
    assert done.returncode == 0, done.stderr
    _, rows = (leadpipe.folder / "with.csv").read_bytes().split(b"\n", 1)
    assert (leadpipe.folder / "without.csv").read_bytes() == rows


@pytest.mark.slow
@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer needs memory of its own")
def test_a_hundred_thousand_leads(leadpipe, sandbox, control):
    control.set(track_ids=False)
    ids = ids_file(leadpipe.folder, late_ids(100_000, 300))
    status, errors, peak = run_for_memory(leadpipe, "export", *sandbox.provider(), "-t", "csv:leads.csv", ids,
                                          env=sandbox.env)
    assert status == 0, errors
    print("peak memory %.1f MiB, %s" % (peak / 2**20, errors))
    header, rows = widths(leadpipe.folder / "leads.csv")
    assert rows == 100_000
    assert codes_of(header) == ["checklist_code_%d" % n for n in range(300)]
    assert peak < MEMORY_MAX, "%.1f MiB" % (peak / 2**20)


# --- more than --max-columns ------------------------------------------------------------------------

KEY = {"OMNI_API_KEY": "k"}


def item(code, value):
    return {"checklistItem": {"code": code, "label": "L"}, "value": value}


def lead(items=(), **members):
    return json.dumps({"lead": members, "checklistItems": [{"items": list(items)}]}).encode()


WIDE = {**{"a%d" % n: lead([item("shared", n), item("early_%d" % n, n)], plain=n) for n in range(5)},
        "wide": lead([item("code %d" % n, str(n)) for n in range(65_000)],
                     **{"member%d" % n: {"n": n} for n in range(3000)}),
        **{"z%d" % n: lead([item("shared", n), item("late", "x"), item("code 7", n)], plain=n, surplus=[n], member5=n)
           for n in range(300)}}


def export_wide(leadpipe, server, *more, out="out", **named):
    words = ["export", "-p", "omni", "--base-url", server.url, "-t", "csv:%s/" % out, "-t", "ndjson:%s.ndjson" % out,
             "-t", "ndjson,layout=rows:%s-rows.ndjson" % out, "-t", "msgpack,gzip=0:%s.mp" % out,
             "--manifest", "m.json", *more, *[word for one in WIDE for word in ("--id", one)]]
    return leadpipe(*words, env=KEY, **named)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_one_lead_does_not_widen_all_rows(leadpipe):
    """Its codes stay in checklist_items, its members in one JSON value; nothing is lost, and it is said."""
    with provider_of(omni_payloads(WIDE)) as server:
        done = export_wide(leadpipe, server, "-j", "64")
        assert done.returncode == 0, done.stderr
        assert export_wide(leadpipe, server, "-j", "1", "-q", out="one").stderr == ""
    folder = leadpipe.folder
    header, rows = widths(folder / "out" / "leads.csv")
    assert len(header) == 2000 and rows == len(WIDE) and header[-1] == "other_members"
    assert (folder / "out" / "leads.csv").stat().st_size < 6 << 20
    leads = {row["lead_id"]: row for row in table(folder / "out" / "leads.csv")}
    assert [leads["z9"][name] for name in ("checklist_shared", "plain", "checklist_code_7")] == ["9", "9", "9"]
    assert "checklist_late" not in header and json.loads(leads["z9"]["other_members"]) == {"surplus": [9], "member5": 9}
    assert leads["a0"]["other_members"] == ""
    wide = leads["wide"]
    beyond = json.loads(wide["other_members"])
    for n in range(3000):
        assert beyond["member%d" % n] == {"n": n}
    items = [row for row in table(folder / "out" / "checklist_items.csv") if row["lead_id"] == "wide"]
    assert [(row["code"], row["value"]) for row in items] == [("code %d" % n, str(n)) for n in range(65_000)]
    own = sum(name.startswith("checklist_code_") for name in header)
    assert wide["checklist_code_%d" % (own - 1)] == str(own - 1)
    # counted, with the first lead's name, once
    reported = {"codes": 65_000 - own + 300, "members": 3000 + 600, "leads": 301, "first_lead": "wide"}
    assert json.loads((folder / "m.json").read_text())["beyond_max_columns"] == reported
    assert done.stderr.count("--max-columns") == 1 and "first in lead wide (301 leads)" in done.stderr
    assert "only in checklist_items: %d\n" % reported["codes"] in done.stderr
    assert "moved to other_members: %d\n" % reported["members"] in done.stderr
    # the other encodings have the same columns, and more requests at a time change nothing
    for row in runs.json_lines(folder / "out.ndjson"):
        assert set(row) - set(header) <= set(TABLES["omni"])
        if row["lead_id"] == "z9":
            assert row["other_members"] == {"surplus": [9], "member5": 9}
    for name in ("out-rows.ndjson", "out.mp", "out/leads.csv", "out/checklist_items.csv", "out.ndjson"):
        assert (folder / name).read_bytes() == (folder / name.replace("out", "one", 1)).read_bytes(), name


@pytest.mark.parametrize("limit", [1, 45, 60])
def test_max_columns_of_every_table(leadpipe, limit):
    """Documented columns are always there; child tables have a limit, too."""
    bodies = {"L%d" % n: json.dumps({"lead": {"source": "x", **{"m%d" % k: k for k in range(n)}},
                                     "documents": [{"p%d" % k: k for k in range(n)}]}).encode() for n in (0, 3, 70)}
    with provider_of(omni_payloads(bodies)) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "csv:out/", "--max-columns", str(limit),
                        *[word for one in bodies for word in ("--id", one)], env=KEY)
    assert done.returncode == 0, done.stderr
    for name in ("leads", "documents"):
        header, _ = widths(leadpipe.folder / "out" / (name + ".csv"))
        documented = ["provider", "lead_id", *[c for c in TABLES["omni"][name] if c not in ("provider", "lead_id")]]
        assert header[:len(documented)] == documented
        assert len(header) == max(limit, len(documented) + 1) and header[-1] == "other_members"
        last = table(leadpipe.folder / "out" / (name + ".csv"))[-1]
        prefix = "m" if name == "leads" else "p"
        values = {**json.loads(last["other_members"]), **{k: int(v) for k, v in last.items() if k[0] == prefix and k[1:].isdigit()}}
        assert {k: v for k, v in values.items() if k[0] == prefix and k[1:].isdigit()} == {prefix + str(k): k for k in range(70)}


def test_max_columns_belongs_to_the_run(leadpipe):
    """A run that is resumed has the same columns and counts, and another limit is another run."""
    held, good = threading.Event(), omni_payloads(WIDE)

    def answer(path, headers):
        if path.endswith("/z50") and not held.is_set():
            return 500, b"{}"
        return good(path, headers)

    words = ["--state", "s", "--attempts", "100"]
    with provider_of(answer) as server:
        process = leadpipe.start("export", "-p", "omni", "--base-url", server.url, "-t", "csv:out/", "--manifest", "m.json",
                                 *words, *[word for one in WIDE for word in ("--id", one)], env=KEY)
        runs.wait_until(lambda: sum(path.endswith("/z50") for path, _ in server.seen) > 3, "z50 is asked for")
        process.send_signal(signal.SIGTERM)
        process.stdout.read(), process.stderr.read()
        assert process.wait(60) == 128 + signal.SIGTERM
        held.set()
        again = ["export", "-p", "omni", "--base-url", server.url, "-t", "csv:out/", "--manifest", "m.json", *words,
                 *[word for one in WIDE for word in ("--id", one)]]
        refused = leadpipe(*again, "--max-columns", "2001", env=KEY)
        assert refused.returncode == 2 and "--max-columns" in refused.stderr, refused.stderr
        done = leadpipe(*again, env=KEY)
        assert done.returncode == 0, done.stderr
        resumed = (leadpipe.folder / "out" / "leads.csv").read_bytes()
        reported = json.loads((leadpipe.folder / "m.json").read_text())["beyond_max_columns"]
        assert reported["first_lead"] == "wide" and reported["leads"] == 301
        assert leadpipe(*again, "--fresh", env=KEY).returncode == 0
        assert json.loads((leadpipe.folder / "m.json").read_text())["beyond_max_columns"] == reported
    assert (leadpipe.folder / "out" / "leads.csv").read_bytes() == resumed
