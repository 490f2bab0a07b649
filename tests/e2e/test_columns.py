"""Columns that first appear late: one header that covers every row, in bounded memory."""

import csv
import gzip

import pytest

from conftest import SANITIZER
from outputs import check, ids_file, run_for_memory

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
