"""Every option of the file sinks, as the bytes that it changes."""

import collections
import csv
import gzip
import json

import pytest

from conftest import SLOWNESS
from outputs import check, ids_file, lines_of, manifest, objects_of, unpacked
from tiny_server import TinyServer

IDS = ["example", "plain-1", "rich-2", "odd-strings-1", "odd-formulas-1"]


@pytest.fixture
def export(leadpipe, sandbox, control):
    """export("csv:x", ..., options=[...]): the folder with the outputs, IDS being the input."""
    control.set(nonce="0")

    def run(*sinks, options=(), status=0):
        words = [word for sink in sinks for word in ("-t", sink)]
        ids = ids_file(leadpipe.folder, IDS)
        done = leadpipe("export", *sandbox.provider(), *words, *options, ids, env=sandbox.env)
        assert done.returncode == status, done.stderr
        run.last = done
        return leadpipe.folder
    return run


def is_gzip(path):
    return path.read_bytes()[:2] == b"\x1f\x8b"


# --- csv --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sink, options", [
    ("csv,delimiter=comma", []),
    ("csv,delimiter=tab", ["--csv-delimiter", "tab"]),
    ("csv,delimiter=semicolon", ["--csv-delimiter", "semicolon"]),
    ("csv,eol=lf", []),
    ("csv,eol=crlf", ["--csv-eol", "crlf"]),
    ("csv,bom", ["--csv-bom"]),
    ("csv,header=yes", []),
    ("csv,excel-safe", ["--csv-excel-safe"]),
    ("csv,delimiter=semicolon,eol=crlf,bom,excel-safe,gzip=3",
     ["--csv-delimiter", "semicolon", "--csv-eol", "crlf", "--csv-bom", "--csv-excel-safe"]),
])
@pytest.mark.parametrize("target", ["out/", "out.csv"])
def test_csv_dialects(export, sink, options, target):
    """In one file and in one a table."""
    folder = export("%s:%s" % (sink, target))
    check(folder, "omni", folder / "ids.txt", *options, csv=target)


def test_csv_tables(export):
    """table=: each table alone is what the folder has of it."""
    tables = ("leads", "checklist_items", "documents", "action_logs", "action_log_messages", "matching_leads",
              "checklist_item_documents", "action_log_message_documents")
    folder = export("csv:all/", *["csv,table=%s:%s.csv" % (name, name) for name in tables])
    assert sorted(path.stem for path in (folder / "all").iterdir()) == sorted(tables)
    for name in tables:
        assert (folder / (name + ".csv")).read_bytes() == (folder / "all" / (name + ".csv")).read_bytes()


def test_no_header(export):
    """The same rows, each as wide as the header would be."""
    folder = export("csv:with/", "csv,header=no:without/", "csv,header=no,eol=crlf,bom:leads.csv")
    for path in (folder / "with").iterdir():
        assert path.read_bytes().split(b"\n", 1)[1] == (folder / "without" / path.name).read_bytes()
    with open(folder / "leads.csv", newline="", encoding="utf-8-sig") as file:
        bare = list(csv.reader(file))
    with open(folder / "with" / "leads.csv", newline="") as file:
        assert bare == list(csv.reader(file))[1:]


def test_header_without_rows(leadpipe, sandbox, control):
    """No IDs at all: every table's file, with its header; and nothing at all with header=no."""
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "-t", "csv,header=no:no/", "-t", "csv,bom:bom/",
                    "-t", "ndjson:x.ndjson", "-t", "msgpack:x.mp", "-", input="", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    for path in (leadpipe.folder / "out").iterdir():
        text = path.read_text()
        assert text.startswith("provider,lead_id,") and text.count("\n") == 1
        assert (leadpipe.folder / "no" / path.name).read_bytes() == b""
        assert (leadpipe.folder / "bom" / path.name).read_text() == "\ufeff" + text
    assert len(list((leadpipe.folder / "out").iterdir())) == 8
    assert (leadpipe.folder / "x.ndjson").read_bytes() == b"" == unpacked(leadpipe.folder / "x.mp")


# --- gzip -------------------------------------------------------------------------------------------

def test_gzip_of_csv_and_ndjson(export):
    """The suffix .gz means gzip, gzip=N means it too, gzip=0 that it is not; a level changes the size."""
    sinks = {"a.csv": "csv", "b.csv.gz": "csv", "c.csv": "csv,gzip=9", "d.csv.gz": "csv,gzip=0", "e.csv": "csv,gzip=1",
             "a.ndjson": "ndjson", "b.ndjson.gz": "ndjson", "c.ndjson": "ndjson,gzip=9", "d.ndjson.gz": "ndjson,gzip=0"}
    folder = export(*["%s:%s" % (sink, name) for name, sink in sinks.items()])
    for name in sinks:
        assert is_gzip(folder / name) == (name[0] in "bce"), name
        assert unpacked(folder / name) == (folder / ("a." + name.split(".")[1])).read_bytes(), name
    assert (folder / "c.csv").stat().st_size < (folder / "e.csv").stat().st_size


def test_gzip_of_msgpack(export):
    """Compressed whatever the file is called, unless gzip=0."""
    folder = export("msgpack:a.msgpack", "msgpack,gzip=0:b.msgpack.gz", "msgpack,gzip=9:c.msgpack.gz",
                    "msgpack,gzip=1:d.msgpack")
    assert [is_gzip(folder / name) for name in ("a.msgpack", "b.msgpack.gz", "c.msgpack.gz", "d.msgpack")] == [
        True, False, True, True]
    assert len({unpacked(folder / name) for name in ("a.msgpack", "b.msgpack.gz", "c.msgpack.gz", "d.msgpack")}) == 1


def test_names_of_a_folders_files(export):
    folder = export("csv,gzip=6:packed/", "csv,gzip=0:plain/")
    packed = sorted(path.name for path in (folder / "packed").iterdir())
    assert packed == sorted(path.name + ".gz" for path in (folder / "plain").iterdir())
    for name in packed:
        assert gzip.decompress((folder / "packed" / name).read_bytes()) == (folder / "plain" / name[:-3]).read_bytes()


# --- layouts ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("signed_urls", ["strip", "keep", "drop"])
def test_layouts(export, signed_urls):
    """MessagePack holds what NDJSON holds, but for numbers that are no float64."""
    names = ("lead", "rows", "raw")
    folder = export(*["ndjson,layout=%s:%s.ndjson" % (name, name) for name in names],
                    *["msgpack,layout=%s:%s.mp" % (name, name) for name in names],
                    options=["--signed-urls", signed_urls])
    for name in names:
        assert objects_of(folder / (name + ".mp")) == lines_of(folder / (name + ".ndjson"))
    raw = (folder / "raw.ndjson").read_text()
    assert "X-Amz-Signature" in raw
    for name in ("lead", "rows"):
        text = (folder / (name + ".ndjson")).read_text()
        assert ("X-Amz-Signature" in text) == (signed_urls == "keep")
        assert ("https://files.sandbox.example/" in text) == (signed_urls != "drop")


def test_rows_begin_with_their_table(export):
    folder = export("ndjson,layout=rows:rows.ndjson")
    for line in lines_of(folder / "rows.ndjson"):
        assert list(line)[:3] == ["_table", "provider", "lead_id"]


def test_a_file_for_each_table(export):
    """The rows of layout=rows, each in the file of its table and without its name."""
    folder = export("ndjson,layout=rows:rows.ndjson", "ndjson:lines/", "ndjson,gzip=9,layout=rows:packed/", "msgpack:mp/",
                    "msgpack,gzip=0:plain/", "csv:csv/", options=["--manifest", "manifest.json"])
    rows = collections.defaultdict(list)
    for row in lines_of(folder / "rows.ndjson"):
        rows[row.pop("_table")].append(row)
    tables = sorted(path.stem for path in (folder / "csv").iterdir())
    for name, suffix in (("lines", ".ndjson"), ("packed", ".ndjson.gz"), ("mp", ".msgpack.gz"), ("plain", ".msgpack")):
        assert sorted(path.name for path in (folder / name).iterdir()) == [table + suffix for table in tables]
    for table in tables:
        lines = folder / "lines" / (table + ".ndjson")
        assert lines_of(lines) == rows[table] and (rows[table] or lines.read_bytes() == b"")
        assert unpacked(folder / "packed" / (table + ".ndjson.gz")) == lines.read_bytes()
        assert objects_of(folder / "mp" / (table + ".msgpack.gz")) == rows[table]
        assert unpacked(folder / "mp" / (table + ".msgpack.gz")) == (folder / "plain" / (table + ".msgpack")).read_bytes()
    csv_files, lines_files = ({file["table"]: file for file in sink["files"]} for sink in
                              [manifest(folder / "manifest.json")["sinks"][number] for number in (5, 1)])
    for table in tables:
        assert lines_files[table]["columns"] == csv_files[table]["columns"]
        assert lines_files[table]["rows"] == csv_files[table]["rows"] == len(rows[table])


@pytest.mark.parametrize("sink", ["ndjson,layout=lead:out/", "ndjson,layout=raw:out/", "msgpack,layout=raw:out/"])
def test_a_directory_is_for_rows(leadpipe, sandbox, sink):
    done = leadpipe("export", *sandbox.provider(), "-t", sink, "--id", "plain-1", env=sandbox.env)
    kind, layout = sink.split(":")[0].split(",")
    assert done.returncode == 2 and kind + ":out/: " in done.stderr and layout + " needs a single file" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (leadpipe.folder / "out").exists()


# --- with options of the run ------------------------------------------------------------------------

@pytest.mark.parametrize("order", ["input", "any"])
def test_with_all_options_of_the_run(leadpipe, sandbox, control, order):
    control.set(nonce="0", jitter_ms=10)
    ids = ids_file(leadpipe.folder, IDS + ["gone~gone", "bad~status=400"])
    absent = ids_file(leadpipe.folder, ["gone~gone", "bad~status=400"], "absent.txt")
    done = leadpipe("export", *sandbox.provider(), "-t", "csv,excel-safe:out/", "-t", "ndjson,gzip=2:x.ndjson.gz",
                    "-t", "msgpack:x.mp", "--order", order, "--signed-urls", "keep", "--failed", "failed.ndjson",
                    "--manifest", "manifest.json", "--expect", "7", ids, env=sandbox.env, timeout=30 * SLOWNESS)
    assert done.returncode == 3, done.stderr
    check(leadpipe.folder, "omni", ids, "--absent", absent, "--order", order, "--signed-urls", "keep",
          "--csv-excel-safe", csv="out/", ndjson="x.ndjson.gz", msgpack="x.mp")
    assert [line["id"] for line in lines_of(leadpipe.folder / "failed.ndjson")] == ["bad~status=400"]


STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"


def cells_of_a_spreadsheet(text, delimiters):
    """As LibreOffice splits it: at any of these, not within quotes, which count at a cell's beginning."""
    cell, at = "", 0
    while at < len(text):
        if text[at] == '"' and not cell:
            end = at + 1
            while text[end] != '"' or text[end + 1:end + 2] == '"':
                end += 2 if text[end] == '"' else 1
            cell, at = text[at:end + 1], end + 1
        elif text[at] in delimiters:
            yield cell
            cell, at = "", at + 1
        else:
            cell, at = cell + text[at], at + 1
    yield cell


@pytest.mark.parametrize("delimiter, name", [(",", "comma"), (";", "semicolon"), ("\t", "tab")])
def test_excel_safe_under_other_delimiters(leadpipe, delimiter, name):
    """However a spreadsheet splits it, no cell becomes a formula, and no text is altered."""
    texts = ["x%s%s%s1%s" % (split, blank, start, after) for split in ",;\t| \n" for blank in ("", " ", "'", '"')
             for start in STARTS for after in ("", split + "y")] + ["x;=HYPERLINK(0)"]
    server = TinyServer(lambda path, headers: (200, {}, json.dumps(
        {"lead": {"id": "1", "lastName": texts[int(path.rsplit("/", 1)[1])]}}).encode()))
    done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t",
                    "csv,excel-safe,delimiter=%s:safe.csv" % name, env={"OMNI_API_KEY": "k3y"},
                    input="".join("%d\n" % n for n in range(len(texts))))
    server.close()
    assert done.returncode == 0, done.stderr
    with open(leadpipe.folder / "safe.csv", newline="", encoding="utf-8") as file:
        content = file.read()
    rows = list(csv.DictReader(content.splitlines(True), delimiter=delimiter))
    assert [row["last_name"] for row in rows] == texts
    for cell in cells_of_a_spreadsheet(content, {delimiter, *",;\t|\n "}):
        assert not cell.lstrip("'").startswith(tuple(STARTS)), cell


def test_excel_safe_guards_formulas_only(export):
    """A formula gets an apostrophe; a number, a phone number and everything else stay as they are."""
    folder = export("csv:plain.csv", "csv,excel-safe:safe.csv")
    pairs = set()
    with open(folder / "plain.csv", newline="") as plain, open(folder / "safe.csv", newline="") as safe:
        for row, guarded in zip(csv.reader(plain), csv.reader(safe)):
            assert len(row) == len(guarded)
            pairs.update((a, b) for a, b in zip(row, guarded) if a != b)
    assert pairs, "the lead odd-formulas-1 has none"
    for text, guarded in pairs:
        assert guarded == "'" + text and text.lstrip()[:1] in "=+-@", text
