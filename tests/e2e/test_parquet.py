"""Parquet files, read by programs that are not ours, and compared with the reference cell by cell."""

import collections
import contextlib
import functools
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import zlib

import pytest

import resumes
from conftest import BINARY, ROOT, SANITIZER, clean_environment
from outputs import check, ids_file, manifest, omni_payloads, provider_of, run_for_memory, snapshot
from recipes import python_with
from test_hostile_state import change
from test_usage import assert_refused

sys.path.insert(0, str(ROOT / "tests"))
from reference.jsonval import parse_strict  # noqa: E402
from reference.typed import MISFIT, TARGETS, typed  # noqa: E402

READERS = ("pyarrow", "duckdb", "polars")
KINDS = {"text": "string", "integer": "int64", "number": "double", "boolean": "bool", "timestamp": "timestamp",
         "timestamp-s": "timestamp", "timestamp-ms": "timestamp", "json": "json"}
ROWS = "rows.ndjson"


# --- reading -----------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def python_of(*modules):
    return python_with(*modules)


def ask(what, *paths):
    """What parquet_readers.py says of each file."""
    python = python_of(*{"statistics": ["pyarrow"], "filters": ["pyarrow", "duckdb"], "late": ["pyarrow", "duckdb"]}.get(what, [what]))
    done = subprocess.run([python, ROOT / "tests" / "e2e" / "parquet_readers.py", what, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def read(reader, *paths):
    """Of each file columns as {name: kind}, and rows as dicts without nulls."""
    for found in ask(reader, *paths):
        names = [name for name, _ in found["columns"]]
        assert len(set(names)) == len(names), names
        yield dict(found["columns"]), [{name: value for name, value in zip(names, row) if value is not None}
                                       for row in found["rows"]]


def rows_of(folder, table):
    """The same rows from NDJSON, whose numbers keep their text."""
    found = []
    for line in (folder / ROWS).read_bytes().split(b"\n")[:-1]:
        row = parse_strict(line.decode())
        if row.pop("_table") == table:
            found.append(row)
    return found


def tables_of(provider):
    done = subprocess.run([BINARY, "tables", provider, "--json"], capture_output=True, env=clean_environment())
    return {table["name"]: {column["name"]: column["type"] for column in table["columns"]}
            for table in json.loads(done.stdout)["tables"]}


def expected(row, kinds, as_text=False):
    """A row as it must be in the file, with its misfits."""
    cells, misfits = {}, {}
    for name, value in row.items():
        found = typed(value, "text" if as_text else kinds.get(name, "text"), TARGETS["doubles"])
        if found is MISFIT:
            misfits[name] = value
        elif found is not None:
            cells[name] = found
    return cells, misfits


def same(cells, found):
    """Python's 1 == True == 1.0, and -0.0 == 0.0, are not the same cells."""
    return repr(sorted(cells.items())) == repr(sorted(found.items()))


def compare(rows, file, kinds, as_text=False, json_kind="json"):
    """All of a file with the NDJSON rows; returns how many misfits there were."""
    columns, found = file
    assert len(found) == len(rows) > 0
    count = 0
    for n, (row, cells) in enumerate(zip(rows, found)):
        wanted, misfits = expected(row, kinds, as_text)
        reported = cells.pop("_misfits", None)
        assert same(wanted, cells), (n, wanted, cells)
        assert (parse_strict(reported) if reported else {}) == misfits, (n, reported, misfits)
        count += len(misfits)
    extra = {name for row in rows for name in row} - set(kinds)
    assert set(columns) == set(kinds) | extra | ({"_misfits"} if not as_text else set())
    for name, kind in columns.items():
        wanted = "json" if name == "_misfits" else "text" if as_text else kinds.get(name, "text")
        assert kind == (json_kind if wanted == "json" else KINDS[wanted]), (name, kind)
    return count


# --- every cell --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_every_cell_is_that_of_the_reference(leadpipe, sandbox, control, provider):
    control.set(nonce="0")
    folder = leadpipe.folder
    ids = ids_file(folder, ["lead-%d" % n for n in range(200)])
    done = leadpipe("export", *sandbox.provider(provider), "-t", "parquet:typed/", "-t", "parquet,row-group=17,json=string:small/",
                    "-t", "parquet,types=text,compression=gzip:text/", "-t", "ndjson,layout=rows:" + ROWS, "--manifest", "m.json",
                    ids, env=sandbox.env)
    assert done.returncode == 0, done.stderr
    check(folder, provider, ids, ndjson_rows=ROWS)
    tables = tables_of(provider)
    rows = {table: rows_of(folder, table) for table in tables}
    misfits = 0
    for reader, name in (("pyarrow", "typed"), ("duckdb", "typed"), ("polars", "small"), ("pyarrow", "small"), ("pyarrow", "text")):
        files = read(reader, *[folder / name / (table + ".parquet") for table in tables])
        for (table, kinds), file in zip(tables.items(), files):
            misfits += compare(rows[table], file, kinds, name == "text", "string" if name == "small" else "json")
    reported = [sink for sink in manifest(folder / "m.json")["sinks"] if sink.get("misfits")]
    assert misfits > 0 and [sum(one["count"] for one in sink["misfits"]) for sink in reported] == [misfits // 4] * 2, reported


ODD = {
    "profile": 1, "name": "odd", "servers": [{"name": "main", "url": "https://odd.example"}], "path": "/{id}",
    "tables": [{"name": "leads", "each": "", "columns": [
        {"name": "a_" + kind.replace("-", "_"), "value": "/" + kind, "type": kind} for kind in KINDS]}],
}
VALUES = ["0", "-0", "5.0", "1.5", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e400", "-0.0", "0.1",
          "9007199254740993", "1e22", "true", "false", "null", '"true"', '"42"', '""', '"x"', '"a\\u0000b"', '"\\ud83d\\ude42"',
          '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', '"0000-12-31T23:59:59Z"', '"2024-02-29T12:00:00.5+01:00"',
          '"2023-02-29T12:00:00Z"', '"2016-12-31T23:59:60Z"', "-62135596800", "253402300799", "253402300800", "-62135596800000",
          "1.000001", "1.0000001", "[]", "{}", '{"a":[1,1.0,1e400,"x"]}', '"%s"' % ("long" * 40), '"%s"' % ("\\udbff\\udfff" * 20),
          '"%s"' % ("a" * 63 + "\\u00e9" * 3), '"z"', '"\\u00e9"', '"\\u007f"', '"\\u0080"', '"\\ud7ff"', '"\\uffff"', '"\\ud800\\udc00"',
         '"%s"' % ("b" * 64), '"%s"' % ("b" * 65), '"%s"' % ("b" * 64 + "a"), '"%s"' % ("b" * 64 + "\\uffff"), "1e-320", "-1e-320", "5e-324",
         '"1969-12-31T23:59:59.999999Z"', "-0.000001", "1e308", "-1e308", '"NaN"', '"Infinity"']


def export_odd(leadpipe, payloads, *more):
    folder = leadpipe.folder
    (folder / "odd.json").write_text(json.dumps(ODD))
    ids = ids_file(folder, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        done = leadpipe("export", "-p", "odd.json", "--base-url", server.url, "-t", "ndjson,layout=rows:" + ROWS, *more, ids,
                        env={"OMNI_API_KEY": "k", "ODD_API_KEY": "k"})
    assert done.returncode == 0, done.stderr


def odd_payloads():
    """Every value in a column of every type, and in none."""
    return {"%s-%d" % (kind, n): ('{"%s":%s,"more":%s}' % (kind, value, value)).encode()
            for kind in KINDS for n, value in enumerate(VALUES)}


@pytest.mark.parametrize("options", ["", ",row-group=1", ",row-group=1M", ",compression=none", ",compression=gzip,row-group=50"])
def test_every_value_in_every_type(leadpipe, options):
    export_odd(leadpipe, odd_payloads(), "-t", "parquet%s:odd.parquet" % options)
    kinds = tables_of(leadpipe.folder / "odd.json")["leads"]
    [file] = read("pyarrow", leadpipe.folder / "odd.parquet")
    assert compare(rows_of(leadpipe.folder, "leads"), file, kinds) > 50
    [(filled, empty)] = ask("statistics", leadpipe.folder / "odd.parquet")
    assert filled > len(kinds) and (empty > 0) == ("row-group" in options and "1M" not in options)


@pytest.mark.parametrize("row_group", [pytest.param(1, marks=pytest.mark.nightly), 7, 1000])
def test_filters_find_every_row(leadpipe, row_group):
    """Readers leave out row groups by their bounds: none that has a row that is asked for."""
    export_odd(leadpipe, odd_payloads(), "-t", "parquet,row-group=%d:odd.parquet" % row_group)
    [count] = ask("filters", leadpipe.folder / "odd.parquet")
    assert count > 100


def test_a_column_that_appears_in_the_last_lead(leadpipe):
    payloads = {"lead-%d" % n: b'{"text":"t%d"}' % n for n in range(500)}
    payloads["last"] = b'{"text":"t","late":"value","later":[1,2]}'
    export_odd(leadpipe, payloads, "-t", "parquet,row-group=20,json=string:late.parquet")
    kinds = tables_of(leadpipe.folder / "odd.json")["leads"]
    for reader in READERS:
        [file] = read(reader, leadpipe.folder / "late.parquet")
        compare(rows_of(leadpipe.folder, "leads"), file, kinds, json_kind="string")
    [(filled, empty)] = ask("statistics", leadpipe.folder / "late.parquet")
    types = len(kinds) - 2 - 1  # of no column but the key and text there are values; nor misfits
    assert empty == 25 * (types + 1 + 2) + types + 1


@pytest.mark.nightly
def test_columns_in_the_last_of_100_000_leads(leadpipe):
    """They are null in all rows before, in every row group; and cost no memory that grows with these."""
    peaks, groups = {}, {}
    for count in (10_000, 100_000):
        def answer(path, _, count=count):
            n = int(path.rsplit("/", 1)[1])
            more = b',"late-%d":"x"' * 300 % tuple(range(300)) if n == count - 1 else b""
            return 200, b'{"integer":%d,"text":"%s","number":%d.5,"early":"%d"%s}' % (n, b"%032x" % (n * n) * 4, n, n, more)

        with provider_of(answer) as server:
            (leadpipe.folder / "odd.json").write_text(json.dumps(ODD))
            status, errors, peaks[count] = run_for_memory(
                leadpipe, "export", "-p", "odd.json", "--base-url", server.url, "--max-memory", "64M", "-t", "parquet,row-group=256K:late.parquet",
                ids_file(leadpipe.folder, [str(n) for n in range(count)]), env={"ODD_API_KEY": "k"})
        assert status == 0, errors
        [reported] = ask("late", leadpipe.folder / "late.parquet")
        groups[count] = reported["groups"]
        assert reported["rows"] == count
        late = {name: place for name, place in reported["columns"].items() if name.startswith("late")}
        assert len(late) == 300 and set(map(tuple, late.values())) == {(1, count - 1, count - 1)}
        assert all(reported["columns"][name] == [count, 0, count - 1] for name in ("lead_id", "a_integer", "a_text", "a_number", "early"))
    print(peaks, groups)
    assert groups[100_000] > 5 * groups[10_000]
    assert SANITIZER or peaks[100_000] < peaks[10_000] * 1.15 + (4 << 20), peaks


@pytest.mark.nightly
@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("reader", ["chdb", "pyspark"])
def test_other_readers(leadpipe, sandbox, control, provider, reader):
    """Cells and types of every table are those that pyarrow reads."""
    python_of(reader)
    control.set(nonce="0")
    ids = ids_file(leadpipe.folder, ["lead-%d" % n for n in range(150)] + ["tiny-0", "rich-2", "newcode-1-a"])
    done = leadpipe("export", *sandbox.provider(provider), "-t", "parquet:typed/", "-t", "parquet,row-group=17,json=string,compression=gzip:small/",
                    "-t", "parquet,types=text,compression=none:text/", ids, env=sandbox.env)
    assert done.returncode == 0, done.stderr
    paths = [leadpipe.folder / name / (table + ".parquet") for name in ("typed", "small", "text") for table in tables_of(provider)]
    as_read = {"json": "string"}  # neither has the type
    for path, (kinds, rows), (wanted, wanted_rows) in zip(paths, read(reader, *paths), read("pyarrow", *paths)):
        assert list(kinds.items()) == [(name, as_read.get(kind, kind)) for name, kind in wanted.items()], path
        assert len(rows) == len(wanted_rows) and all(same(*pair) for pair in zip(rows, wanted_rows)), path


def test_tables_without_rows(leadpipe, sandbox):
    done = leadpipe("export", *sandbox.provider("omni"), "-t", "parquet:out/", "--id", "tiny-0", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    tables = tables_of("omni")
    assert [rows for _, rows in read("pyarrow", leadpipe.folder / "out" / "leads.parquet")] != [[]]
    del tables["leads"]
    for reader in ("pyarrow", "duckdb"):
        for kinds, (columns, rows) in zip(tables.values(), read(reader, *[leadpipe.folder / "out" / (name + ".parquet") for name in tables])):
            assert (list(columns)[:-1], rows) == (list(kinds), [])


def test_columns_of_the_run(leadpipe, sandbox, control):
    control.set(nonce="0")
    done = leadpipe("export", *sandbox.provider("omni"), "-t", "parquet,run-columns:a.parquet", "--manifest", "m.json",
                    "-t", "parquet,run-columns,types=text:b.parquet", "--id", "lead-1", "--id", "lead-2", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    whole = manifest(leadpipe.folder / "m.json")
    (columns, rows), (text_columns, text_rows) = read("pyarrow", leadpipe.folder / "a.parquet", leadpipe.folder / "b.parquet")
    assert list(columns.items())[-3:] == [("_misfits", "json"), ("_exported_at", "timestamp"), ("_run_id", "string")]
    assert {row["_run_id"] for row in rows} == {whole["run_id"]} and len({row["_exported_at"] for row in rows}) == 1
    assert list(text_columns)[-2:] == ["_exported_at", "_run_id"] and set(text_columns.values()) == {"string"}
    assert {row["_exported_at"] for row in text_rows} == {whole["started_at"]}
    assert [sink["files"][0]["columns"] for sink in whole["sinks"]] == [list(columns), list(text_columns)]


# --- the same bytes ----------------------------------------------------------------------------------------

SINKS = ("-t", "parquet:out/", "-t", "parquet,row-group=10,compression=gzip:out/small/")


def test_any_concurrency_gives_the_same_bytes(leadpipe, sandbox, control):
    ids = ids_file(leadpipe.folder, ["lead-%d" % n for n in range(120)])
    seen = []
    for concurrency in ("1", "64"):
        control.reset()
        control.set(nonce="0", jitter_ms=0 if concurrency == "1" else 30)
        done = leadpipe("export", *sandbox.provider("omni"), *[word.replace("out/", concurrency + "/") for word in SINKS],
                        "-j", concurrency, ids, env=sandbox.env)
        assert done.returncode == 0, done.stderr
        seen.append(snapshot(leadpipe.folder / concurrency))
    assert len(seen[0]) == 16 and seen[0] == seen[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_resumed_gives_the_same_bytes(leadpipe, sandbox, control, tmp_path, number):
    one_go = resumes.never_interrupted(leadpipe, sandbox, control, tmp_path / "alone", resumes.IDS, sinks=SINKS, status=3)
    run = resumes.Resumed(leadpipe, sandbox, control, SINKS)
    waits = {}
    if number == signal.SIGKILL:  # a kill has to come after a checkpoint with rows
        waits["wait"] = lambda: any(run.folder.glob("out/.*row[12]"))
    for n in (20, 40):
        run.part(resumes.IDS[:n], signal_number=number, **waits)
        assert any((run.folder / "out").glob(".*.leadpipe-row[12]"))
    resumes.assert_whole(run, run.resume(resumes.IDS, status=3), one_go)
    assert not [path for path in run.folder.rglob("*") if ".leadpipe-" in path.name and "alone" not in path.parts]


def test_rows_beside_the_file_that_are_damaged(leadpipe, sandbox, control):
    run = resumes.Resumed(leadpipe, sandbox, control, SINKS)
    run.part(resumes.DONE)
    [path] = (run.folder / "out").glob(".leads.parquet.leadpipe-row[12]")
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), max(1, len(data) // 40)):
        bent = bytearray(data)
        bent[at] ^= 0x11
        path.write_bytes(bent)
        done = leadpipe(*run.words(), input=resumes.lines(resumes.IDS), env=sandbox.env)
        assert done.returncode == 2 and "rows of the unfinished run is damaged" in done.stderr, (at, done.stderr)
    path.write_bytes(data[:-1])
    done = leadpipe(*run.words(), input=resumes.lines(resumes.IDS), env=sandbox.env)
    assert done.returncode != 0 and "is missing" in done.stderr, done.stderr
    path.write_bytes(data)
    run.resume(resumes.IDS, status=3)


EXTREMES = (0, 1, 2**31, 2**32, 2**40, 2**63, 2**64 - 1)


def test_rows_beside_the_file_that_somebody_made(leadpipe, sandbox, control, tmp_path_factory):
    """With the checksum that belongs to it, in the state too: refused, or read as something else, and never out of bounds."""
    run = resumes.Resumed(leadpipe, sandbox, control, SINKS)
    run.part(resumes.DONE)
    [path] = (run.folder / "out").glob(".leads.parquet.leadpipe-row[12]")
    data = path.read_bytes()
    with contextlib.closing(sqlite3.connect(run.folder / resumes.STATE)) as db:
        [(sink, mark)] = db.execute("SELECT sink, mark FROM marks WHERE sink = 0").fetchall()
    text = mark.encode() if isinstance(mark, str) else mark
    crc = b" %d " % zlib.crc32(data)
    assert text.split(b"\n")[0].count(crc) == 1
    kept = tmp_path_factory.mktemp("kept") / "run"
    shutil.copytree(run.folder, kept)
    places = [0, 8, 16, 24, 32, 40] + [at for at in range(48, len(data) - 8, 8) if int.from_bytes(data[at:at + 8], "little") < 10**5][::7][:24]
    statuses = collections.Counter()
    for number, at in enumerate(places):
        value = EXTREMES[number % len(EXTREMES)] if at >= 48 else EXTREMES[(number * 3 + 2) % len(EXTREMES)]
        bent = data[:at] + value.to_bytes(8, "little") + data[at + 8:]
        shutil.rmtree(run.folder)
        shutil.copytree(kept, run.folder)
        path.write_bytes(bent)
        told = text.replace(crc, b" %d " % zlib.crc32(bent), 1)
        change(run.folder, ("UPDATE marks SET mark = ? WHERE sink = 0", (told.decode() if isinstance(mark, str) else told,)))
        done = leadpipe(*run.words(), input=resumes.lines(resumes.IDS), env=sandbox.env)
        assert done.returncode in (2, 3), (at, value, done.stderr)
        assert done.returncode == 3 or "rows of the unfinished run is damaged" in done.stderr, (at, value, done.stderr)
        statuses[done.returncode] += 1
    assert statuses[2] > len(places) // 2, statuses


# --- options -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("option, says", [
    ("row-group=0", "row-group=0: is neither a number of rows (1 to 1073741824) nor a size from 64K to 512M"),
    ("row-group=1K", "row-group=1K: is neither"),
    ("row-group=2G", "row-group=2G: is neither"),
    ("row-group=many", "row-group=many: is neither"),
    ("compression=snappy", "zstd|gzip|none"),
    ("types=some", "typed|text"),
    ("json=yes", "annotated|string"),
    ("table=nothing", "table=nothing: unknown table; the tables are: leads"),
])
def test_options_that_are_refused(leadpipe, option, says):
    done = leadpipe("export", "-p", "omni", "-t", "parquet,%s:x.parquet" % option, "--id", "1", env={"OMNI_API_KEY": "k"})
    assert_refused(leadpipe, done, says)
