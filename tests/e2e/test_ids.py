"""IDs in: three forms, compressed, from files, from a pipe, from the command line, good and bad."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile

import pytest

import runs

IDS = ["tiny-1", "tiny-2", "tiny-3"]

FORMS = {
    "lines": "tiny-1\ntiny-2\ntiny-3\n",
    "lines without a last line end": "tiny-1\ntiny-2\ntiny-3",
    "lines with what is skipped": "\ufeff# a comment\r\n\r\n  tiny-1\t\r\n#tiny-9\n\ntiny-2\r\n   \n tiny-3",
    "csv": "id,\ntiny-1,\ntiny-2,\ntiny-3\n",
    "csv with other columns": "name,id,x\r\n\"a,\"\"b\",tiny-1,\r\n\"two\r\nlines\",tiny-2,9\r\n,\"tiny-3\",\r\n",
    "csv with tabs": "name\tlead_id\na\ttiny-1\nb\ttiny-2\n\ttiny-3\n",
    "csv with leadId": "\ufeffx,leadId\n1,tiny-1\n2,tiny-2\n3,tiny-3\n",
    "csv with semicolons": "Name;ID\n\"a;b\";tiny-1\n1,5;tiny-2\n;tiny-3\n",
    "csv with CR": "name,Lead_ID\ra,tiny-1\r\"b\rc\",tiny-2\r,tiny-3\r",
    "csv after comments": "# of Monday, Tuesday\n\nid,name\ntiny-1,a\ntiny-2,b\ntiny-3,c\n",
    "csv for a spreadsheet": "sep=;\r\nid;name, first\r\ntiny-1;a\r\ntiny-2;b,c\r\ntiny-3;\r\n",
    "ndjson": '{"id":"tiny-1"}\n{"x":[1],"lead_id":"tiny-2"}\n\n{"leadId":"\\u0074iny-3","id":null}\n',
}
FORCED = {"csv": "csv", "csv with leadId": "csv", "lines": "lines", "ndjson": "ndjson"}


@pytest.mark.parametrize("form", FORMS)
def test_forms(leadpipe, sandbox, control, tmp_path, form):
    (tmp_path / "ids").write_bytes(FORMS[form].encode())
    (tmp_path / "ids.gz").write_bytes(gzip.compress(FORMS[form].encode()))
    words = [("ids", []), ("ids.gz", [])]
    if form in FORCED:
        words.append(("ids", ["--id-format", FORCED[form]]))
    for name, more in words:
        run = runs.export(leadpipe, sandbox, *more, name)
        assert (run.status, run.exported) == (0, IDS), run.done.stderr
        assert run.summary["ids"] == {"read": 3, "unique": 3, "duplicates": 0}


def test_csv_of_one_column(leadpipe, sandbox, control):
    """Looks like lines, so it must be said."""
    run = runs.export(leadpipe, sandbox, "--id-format", "csv", input="id\ntiny-1\ntiny-2\n")
    assert (run.status, run.exported) == (0, ["tiny-1", "tiny-2"])


@pytest.mark.parametrize("more, text, warns", [
    ([], "tiny-1\n", False),
    ([], "id\ntiny-1\n", True),
    ([], " lead_id \ntiny-1\n", True),
    ([], '"leadId"\n"tiny-1"\n', True),
    ([], "ID\ntiny-1\n", True),
    ([], "contact_id\ntiny-1\n", True),
    ([], "ContactID\ntiny-1\n", True),
    ([], "Lead Id\ntiny-1\n", True),
    ([], "madrid\ntiny-1\n", False),
    (["--id-format", "lines"], "id\ntiny-1\n", False),
    (["--id-column", "lead"], "lead,id\ntiny-1,7\n", False),
    (["--id-column", "lead"], '{"lead":"tiny-1"}\n', False),
    (["--id-column", "lead", "--id-format", "lines"], "lead\ntiny-1\n", False),
])
def test_what_may_be_a_header_is_reported(leadpipe, sandbox, control, more, text, warns):
    """Once for each input, and it stays a line."""
    (leadpipe.folder / "ids.txt").write_text(text)
    run = runs.export(leadpipe, sandbox, *more, "ids.txt")
    reported = [one for one in run.messages if one["level"] == "warning" and "--id-format csv" in one["message"]]
    assert [one["subject"] for one in reported] == (["ids.txt"] if warns else []), run.done.stderr
    assert run.summary["ids"]["read"] == len(text.splitlines()) - ("lead,id" in text)


@pytest.mark.parametrize("dash", [[], ["-"]])
def test_standard_input(leadpipe, sandbox, control, dash):
    run = runs.export(leadpipe, sandbox, *dash, input="tiny-1\ntiny-2\ntiny-3\n")
    assert (run.status, run.exported) == (0, IDS)


def test_slow_pipe(leadpipe, sandbox, control, tmp_path):
    """A lead is fetched as soon as its line is there, whatever comes later, and in whatever pieces."""
    process = leadpipe.start("export", *sandbox.provider(), *runs.command(), env=sandbox.env, stdin=-1)
    for piece, one in ((b"tiny-1\nti", "tiny-1"), (b"ny-2\n", "tiny-2"), (b"tiny-", None)):
        process.stdin.write(piece)
        process.stdin.flush()
        if one:
            runs.wait_until(lambda: control.attempts(one) == 1, one + " is asked for")
    process.stdin.write(b"3")
    process.stdin.close()
    process.stdin = None
    assert process.wait(60) == 0, process.stderr.read()
    assert [row["lead_id"] for row in runs.json_lines(tmp_path / runs.OUT)] == IDS


def test_several_files_and_forms(leadpipe, sandbox, control, tmp_path):
    (tmp_path / "a").write_text("tiny-1\n")
    (tmp_path / "b.csv").write_text("id,x\ntiny-2,\ntiny-1,\n")
    (tmp_path / "c.ndjson.gz").write_bytes(gzip.compress(b'{"id":"tiny-3"}\n') + gzip.compress(b'{"id":"tiny-2"}\n'))
    run = runs.export(leadpipe, sandbox, "a", "-", "b.csv", "c.ndjson.gz", input="tiny-4\n")
    assert (run.status, run.exported) == (0, ["tiny-1", "tiny-4", "tiny-2", "tiny-3"])
    assert run.summary["ids"] == {"read": 6, "unique": 4, "duplicates": 2}


def test_id_options(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, ids=["tiny-3", "tiny-1", "tiny-3"])
    assert (run.status, run.exported) == (0, ["tiny-3", "tiny-1"])
    assert run.summary["ids"] == {"read": 3, "unique": 2, "duplicates": 1}


@pytest.mark.parametrize("name, text", [
    ("Nummer", "id;x,Nummer\nwrong,tiny-1\n"),
    ("Nummer", "id,Nummer\nwrong,tiny-1\n"),
    ("Nummer", '{"id":"wrong","Nummer":"tiny-1"}\n'),
    ("Nummer", '{"Nummer":"tiny-1"}'),
])
def test_id_column(leadpipe, sandbox, control, name, text):
    run = runs.export(leadpipe, sandbox, "--id-column", name, input=text)
    assert (run.status, run.exported) == (0, ["tiny-1"]), run.done.stderr


@pytest.mark.parametrize("blank", ["\u00a0", "\ufeff", "\u200b", "\u200d", "\u2060", "\u3000", " \u00a0\t"])
def test_what_cannot_be_seen(leadpipe, sandbox, control, tmp_path, blank):
    """Around an ID it does not count, in whatever form; within one it is refused, and named."""
    one = blank + "tiny-1" + blank
    (tmp_path / "lines").write_text(one + "\n")
    (tmp_path / "csv").write_text('x,id\n,%s\n,"%s"\n' % (one, one))
    (tmp_path / "ndjson").write_text(json.dumps({"id": one.replace("\t", "")}, ensure_ascii=False) + "\n")
    run = runs.export(leadpipe, sandbox, "lines", "csv", "ndjson")
    assert (run.status, run.exported) == (0, ["tiny-1"]), run.done.stderr
    assert run.summary["ids"] == {"read": 4, "unique": 1, "duplicates": 3}
    assert [request["target"].rsplit("/", 1)[1] for request in control.requests()] == ["tiny-1"]
    if len(blank) == 1 and blank != "\u3000":
        run = runs.export(leadpipe, sandbox, input="ti%sny-1\n" % blank)
        assert run.status == 3 and "the ID contains U+%04X" % ord(blank) in run.failed[0]["error"]
        assert len(control.requests()) == 1


def test_numbers_are_ids(leadpipe, sandbox, control):
    """Digits pass through as they are, whatever their size."""
    run = runs.export(leadpipe, sandbox, input='{"id":10000000000000000999}\n{"id":7}\n')
    assert (run.status, run.exported) == (0, ["10000000000000000999", "7"])


def test_csv_without_the_column(leadpipe, sandbox, control, tmp_path):
    (tmp_path / "ids.csv").write_text("name,number\na,1\n")
    run = runs.export(leadpipe, sandbox, "--id-format", "csv", "ids.csv")
    assert run.status == 2
    assert "ids.csv" in run.errors()[0] and "--id-column" in run.errors()[0], run.errors()


# What joined lines while the ID's column could still be read: which IDs are asked for, at which lines others fail.
JOINED = {
    "cr": ("id,name\ra1,x\ra2,y\r", "a1 a2", []),
    "cr behind the header": ("id,n\ra1,x\na2,y\n", "a1 a2", []),
    "cr between rows": ("id,name\na1,x\ra2,y\na3,z\n", "a1 a2 a3", []),
    "quote never closed": ('id,name\na1,"x\na2,y\na3,z\n', "a2 a3", [2]),
    "quote closed later": ('id,name\na1,"x\na2,"y\na3,z\n', "a3", [2, 3]),
    "quote closed at a line end": ('id,name,x\na1,"x,1\na2,"\na3,z,1\n', "a3", [2, 3]),
    "no line end": ("id,name\na1,xa2,y\na3,z\n", "a3", [2]),
    "NUL": ("id,name\na1,x\0\0a2,y\na3,z\n", "a3", [2]),
    "torn last row": ("id,name\na1,x\na2", "a1", [3]),
    "lines with cr": ("a1\ra2\r\na3\r", "a1 a2 a3", []),
    "ndjson with cr": ('{"id":"a1"}\r{"id":"a2"}\r', "a1 a2", []),
    "ndjson joined": ('{"id":"a1"}{"id":"a2"}\n{"id":"a3"}\n', "a3", [1]),
}


@pytest.mark.parametrize("source", ["file", "pipe"])
@pytest.mark.parametrize("name", JOINED)
def test_no_id_is_lost_between_lines(leadpipe, sandbox, control, tmp_path, name, source):
    text, asked, bad = JOINED[name]
    (tmp_path / "ids.csv").write_text(text, newline="")
    run = runs.export(leadpipe, sandbox, *(["ids.csv"] if source == "file" else []),
                      **({"input": text} if source == "pipe" else {}))
    assert run.exported == asked.split(), run.done.stderr
    assert [row["stage"] for row in run.failed] == ["input"] * len(bad)
    where = "ids.csv" if source == "file" else "standard input"
    assert [row["error"].split(": ")[0] for row in run.failed] == ["%s:%d" % (where, line) for line in bad]
    assert all(row["id"] is None for row in run.failed), "no ID that could be asked for again without the others"


@pytest.mark.parametrize("more, text, says", [
    ([], 'id,"name\na1,x\na2,"y\na3,z\n', "field 2 has text after its closing quote"),
    ([], 'id,"name\na1,x\na2,y\n', "field 2 has no closing quote"),
    ([], 'id,"name\na1,x\na2,"\na3,z\n', "column 2 spans several lines"),
    ([], '"id"x,name\na1,x\n', "field 1 has text after its closing quote"),
    ([], "id,n\x85a1,x\x85a2,y\x85", "control character"),
    ([], "lead,name\na1,x\n", "no column 'id' or 'lead_id' or 'leadId' in the csv header, which has 'lead', 'name'"),
    ([], "contact_id;name\na1;x\n", "which has 'contact_id', 'name'"),
    ([], "ID,Id\na1,x\n", "columns 1 and 2 are both named id"),
    (["--id-column", "leed"], "lead,name\na1,x\n", "no column 'leed'"),
    (["--id-column", "leed"], "a1\n", "no column 'leed'"),
    (["--id-column", "leed"], '{"lead":"a1"}\n', "no member 'leed'"),
])
@pytest.mark.parametrize("source", ["file", "pipe"])
def test_what_is_no_header_is_refused(leadpipe, sandbox, control, tmp_path, more, text, says, source):
    (tmp_path / "ids.csv").write_text(text, newline="")
    words = more + (["ids.csv"] if source == "file" else [])
    run = runs.export(leadpipe, sandbox, *words, **({"input": text} if source == "pipe" else {}))
    [error] = run.errors()
    assert run.status == 2 and says in error, run.done.stderr
    assert error.startswith("ids.csv: " if source == "file" else "standard input: ")
    assert control.requests() == []


def _zip(name):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "tiny-1\n")
    return data.getvalue()


def _tar():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("ids.txt")
        member.size = 7
        archive.addfile(member, io.BytesIO(b"tiny-1\n"))
    return data.getvalue()


def _sqlite():
    database = sqlite3.connect(":memory:")
    database.execute("create table leads (id)")
    return database.serialize() if hasattr(database, "serialize") else b"SQLite format 3\0" + bytes(84)


LIST = "id,name\ntiny-1,a\n"
# What is no list, and what its message says it seems to be.
OTHER_KINDS = {
    "utf-16": (LIST.encode("utf-16"), "UTF-16 text", "iconv -f UTF-16"),
    "utf-16 big": (b"\xfe\xff" + LIST.encode("utf-16-be"), "UTF-16 text", "iconv -f UTF-16"),
    "utf-16 without a mark": (LIST.encode("utf-16-le"), "UTF-16 text", "iconv"),
    "utf-16 big without a mark": ("a\n".encode("utf-16-be"), "UTF-16 text", "iconv"),
    "utf-32": (LIST.encode("utf-32"), "UTF-32 text", "iconv -f UTF-32"),
    "xlsx": (_zip("xl/workbook.xml"), "a spreadsheet (.xlsx", "as CSV"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "a spreadsheet", "as CSV"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF file", "CSV"),
    "rtf": (b"{\\rtf1\\ansi tiny-1}", "an RTF document", "as text"),
    "sqlite": (_sqlite(), "an SQLite database", "sqlite3 FILE"),
    "parquet": (b"PAR1\x15\x04\x15\x10" + bytes(50) + b"PAR1", "a Parquet file", "CSV"),
    "bzip2": (bz2.compress(LIST.encode()), "bzip2 data", "bzip2 -dc"),
    "xz": (lzma.compress(LIST.encode()), "xz data", "xz -dc"),
    "zstd": (b"\x28\xb5\x2f\xfd\x24\x12\x91\0\0" + LIST.encode() + b"\x8c\xb7\x04\x43", "zstd data", "zstd -dc"),
    "tar": (_tar(), "a tar archive", "tar -xOf"),
    "tar.gz": (gzip.compress(_tar()), "a tar archive", "tar -xOf"),
    "gzip twice": (gzip.compress(gzip.compress(LIST.encode())), "gzip data within gzip data", "once more"),
    "gzip of utf-16": (gzip.compress(LIST.encode("utf-16")), "UTF-16 text", "iconv"),
    "html": (b"<!DOCTYPE html>\n<html><title>Sign in</title>\n", "an HTML or XML document", "CSV"),
    "xml": (b'\n<?xml version="1.0"?>\n<leads><id>tiny-1</id></leads>\n', "an HTML or XML document", "CSV"),
    "json array": (b'[{"id":"tiny-1"},{"id":"tiny-2"}]\n', "a JSON array", "jq -c '.[]'"),
    "json array of texts": (b'[\n  "tiny-1",\n  "tiny-2"\n]\n', "a JSON array", "jq -r '.[]'"),
    "json of several lines": (b'{\n  "id": "tiny-1"\n}\n', "a JSON document that spans several lines", "jq -c ."),
}


@pytest.mark.parametrize("source", ["file", "pipe"])
@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_what_is_no_list_is_reported_in_one_line(leadpipe, sandbox, control, tmp_path, kind, source):
    data, what, advice = OTHER_KINDS[kind]
    (tmp_path / "ids").write_bytes(data)
    words = ["export", *sandbox.provider(), "-t", "ndjson:out", "--failed", "failed"]
    with open(tmp_path / "ids", "rb") as file:
        stdin = file if source == "pipe" else None
        done = leadpipe(*words, *(["ids"] if source == "file" else []), env=sandbox.env, stdin=stdin)
    [line] = done.stderr.splitlines()
    assert done.returncode == 2, done.stderr
    assert "appears to be " + what in line and advice in line, line
    assert line.startswith("leadpipe: %s: " % ("ids" if source == "file" else "standard input"))
    assert control.requests() == [] and [path.name for path in tmp_path.iterdir()] == ["ids"]


@pytest.mark.parametrize("form", ["lines", "csv with semicolons", "ndjson"])
def test_gzip_whatever_it_is_called(leadpipe, sandbox, control, tmp_path, form):
    (tmp_path / "ids").write_bytes(gzip.compress(FORMS[form].encode()))
    (tmp_path / "short").write_bytes(b"\x1f\n")  # begins alike, and is a bad line
    with open(tmp_path / "ids", "rb") as file:
        run = runs.export(leadpipe, sandbox, stdin=file)
    assert (run.status, run.exported) == (0, IDS), run.done.stderr
    run = runs.export(leadpipe, sandbox, "ids", "short")
    assert (run.status, run.exported, len(run.failed)) == (3, IDS, 1), run.done.stderr


# Percent-encoded into the path: none of them may become a path, a query or a fragment.
STRANGE = ["a b", "a/b", "a?b=c", "a#b", "a%2Fb", "../x", "...", "ä€😀", "a+b&c;d=e", "'\"<>\\^`{|}", "%", "a:b@c", "x" * 512]


def test_ids_never_change_the_url(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "--id-format", "lines", input="\n".join(STRANGE))
    assert (run.status, run.exported) == (0, STRANGE), run.done.stderr
    prefix = "/omni/api/v1/leads/"
    for request in control.requests():
        assert request["target"].startswith(prefix), request["target"]
        rest = request["target"][len(prefix):]
        assert not set(rest) & set("/?#&"), rest
    assert {one: control.attempts(one) for one in STRANGE} == {one: 1 for one in STRANGE}


BAD_LINES = [b"..", b".", b"x" * 513, b"a\x01b", b"a\x00b", b"caf\xe9", b"\xff\xfe\x00", b"a\x7fb"]


def test_bad_lines(leadpipe, sandbox, control, tmp_path):
    """Each is one unique, failed ID, with its file and line in the message and in the list."""
    lines = [b"tiny-1"] + BAD_LINES + [b"tiny-2"]
    (tmp_path / "ids.txt").write_bytes(b"\n".join(lines) + b"\n")
    run = runs.export(leadpipe, sandbox, "ids.txt")
    assert (run.status, run.exported) == (3, ["tiny-1", "tiny-2"]), run.done.stderr
    assert run.summary["ids"]["unique"] == 2 + len(BAD_LINES)
    assert {(row["stage"], row["code"], row["attempts"], row["http_status"]) for row in run.failed} == {
        ("input", "bad_id", 0, None)}
    warnings = [message["message"] for message in run.messages if message["level"] == "warning"]
    for n, (row, warning) in enumerate(zip(run.failed, warnings, strict=True)):
        assert row["error"].startswith("ids.txt:%d: " % (n + 2)), row
        assert warning == row["error"]


@pytest.mark.parametrize("n, options, shown", [(10, [], 10), (11, [], 11), (5000, ["-q"], 11), (5000, ["-v"], 5000)])
def test_many_bad_lines_are_summed_up(leadpipe, sandbox, control, tmp_path, n, options, shown):
    """A list of the wrong kind must not fill a mail; the failed list has every line."""
    (tmp_path / "ids.txt").write_text("tiny-1\n" + "a\x01\n" * n)
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:out", "--failed", "f.ndjson", *options, "ids.txt",
                    env=sandbox.env)
    reported = [line for line in done.stderr.splitlines() if line.startswith("leadpipe: ") and
            ("ids.txt:" in line or "invalid input line" in line) and "the first:" not in line]
    assert done.returncode == 3 and len(reported) == shown, done.stderr[:2000]
    if shown == 11:
        assert reported[-1] == ("leadpipe: warning: %d more invalid input line%s; all are listed in "
                            "f.ndjson" % (n - 10, "" if n == 11 else "s"))
    failed = runs.json_lines(tmp_path / "f.ndjson")
    assert [row["error"].split(": ")[0] for row in failed] == ["ids.txt:%d" % line for line in range(2, n + 2)]


def test_warnings_about_the_input_are_not_quiet(leadpipe, sandbox, control, tmp_path):
    (tmp_path / "ids.txt").write_text("ID\ntiny-1\n")
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:out", "-q", "ids.txt", env=sandbox.env)
    assert done.returncode == 0 and done.stderr.startswith("leadpipe: warning: ids.txt: every line is read as an ID")
    assert done.stderr.count("\n") == 1


def test_bad_records(leadpipe, sandbox, control, tmp_path):
    """Of csv and ndjson, at the line where they begin; and what is good between them."""
    (tmp_path / "a.csv").write_bytes(b'x,id\n"a\nb",tiny-1\n1\n2,"ti"ny\n3,..\n4,\n5,tiny-2\n')
    (tmp_path / "b.ndjson").write_bytes(b'{"id":"tiny-3"}\n{"id":1.5e\n[1]\n{"id":["a"]}\n{"x":1}\n{"id":""}\n'
                                        b'{"id":"a\\u0000b"}\n{"id":"\xff"}\n{"id":true}\n{"id":"tiny-4"}\n')
    run = runs.export(leadpipe, sandbox, "a.csv", "b.ndjson")
    assert (run.status, run.exported) == (3, ["tiny-1", "tiny-2", "tiny-3", "tiny-4"]), run.done.stderr
    places = [row["error"].split(": ")[0] for row in run.failed]
    assert places == ["a.csv:4", "a.csv:5", "a.csv:6", "a.csv:7"] + ["b.ndjson:%d" % n for n in range(2, 10)]


def test_binary_garbage(leadpipe, sandbox, control, tmp_path):
    """Nothing is asked for that is no ID, and every message is one line of plain text."""
    garbage = bytes(range(256)) * 64 + b"\n" + bytes([0, 255, 254, 13]) * 5000
    (tmp_path / "garbage").write_bytes(garbage)
    run = runs.export(leadpipe, sandbox, "--id-format", "lines", "garbage")
    assert run.status == 3 and run.exported == [] and run.ledger["failed"] == run.summary["ids"]["unique"] > 1
    assert control.requests() == []
    text = leadpipe("export", *sandbox.provider(), "-t", "ndjson:-", "--id-format", "lines", "garbage",
                    env=sandbox.env).stderr
    assert all(" " <= c <= "~" or c == "\n" or c == "…" for c in text), text[:500]


def test_line_beyond_all_limits(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, input="tiny-1\n" + "y" * 5_000_000 + "\ntiny-2\n")
    assert (run.status, run.exported) == (3, ["tiny-1", "tiny-2"])
    assert run.failed[0]["error"].startswith("standard input:2: ") or run.failed[0]["error"].startswith("-:2: ")
    assert run.failed[0]["id"] is None


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "id,x\n", "\ufeff"])
def test_empty_list(leadpipe, sandbox, control, tmp_path, text):
    run = runs.export(leadpipe, sandbox, "-t", "csv:tables/", input=text)
    assert (run.status, run.outcomes(), run.rows) == (0, {}, []), run.done.stderr
    tables = sorted(path.name for path in (tmp_path / "tables").iterdir())
    assert len(tables) == 8 and "leads.csv" in tables
    for path in (tmp_path / "tables").iterdir():
        header = path.read_text()
        assert header.startswith("provider,lead_id,") and header.count("\n") == 1, header
    plain = leadpipe("export", *sandbox.provider(), "-t", "csv:tables/", env=sandbox.env, input=text)
    assert "IDs       0 read, 0 unique, 0 duplicates" in plain.stderr


@pytest.mark.parametrize("expected, status", [(3, 0), (2, 3), (4, 3), (0, 3)])
def test_expect(leadpipe, sandbox, control, expected, status):
    """Unique IDs count; all work is done either way."""
    run = runs.export(leadpipe, sandbox, "--expect", expected, input="tiny-1\ntiny-2\ntiny-3\ntiny-1\n")
    assert (run.status, run.exported) == (status, IDS)
    text = "%d unique IDs were expected, but 3 were read" % expected
    assert run.errors() == ([text] if status else [])


def test_expect_nothing(leadpipe, sandbox, control):
    assert runs.export(leadpipe, sandbox, "--expect", 0, input="").status == 0
    assert runs.export(leadpipe, sandbox, "--expect", 1, input="").status == 3


def test_failed_list_again(leadpipe, sandbox, control, tmp_path):
    """What failed can be tried again by giving the list as input, parameters included."""
    (tmp_path / "ids.csv").write_text("id,agentId\ntiny-1,agent-1\ntiny-2~status=400~times=1,agent-2\n"
                                      "tiny-3~html~times=1,\n")
    run = runs.export(leadpipe, sandbox, "--attempts", 1, "ids.csv", provider="convocore")
    assert (run.status, run.exported) == (3, ["tiny-1"])
    assert [(row["id"], row["agentId"]) for row in run.failed] == [
        ("tiny-2~status=400~times=1", "agent-2"), ("tiny-3~html~times=1", "agent-1")]
    (tmp_path / runs.FAILED).rename(tmp_path / "again.ndjson")
    run = runs.export(leadpipe, sandbox, "again.ndjson", provider="convocore")
    assert (run.status, run.exported) == (0, ["tiny-2~status=400~times=1", "tiny-3~html~times=1"])
    targets = [request["target"] for request in control.requests(path="/convocore/")][-2:]
    assert sorted(target.split("?")[1] for target in targets) == ["agentId=agent-1", "agentId=agent-2"]


def test_parameters_of_lines(leadpipe, sandbox, control):
    """The line's own beats --param; the same ID with another value is another lead."""
    text = "id,agentId\ntiny-1,agent-7\ntiny-1,\ntiny-1,agent-7\ntiny-1,a/b?c&d\n"
    run = runs.export(leadpipe, sandbox, input=text, provider="convocore")
    assert (run.status, run.exported) == (0, ["tiny-1"] * 3)
    assert run.summary["ids"] == {"read": 4, "unique": 3, "duplicates": 1}
    queries = [request["target"].split("?", 1)[1] for request in control.requests(path="/convocore/")]
    assert sorted(queries) == ["agentId=a%2Fb%3Fc%26d", "agentId=agent-1", "agentId=agent-7"]


def test_missing_parameter(leadpipe, sandbox, control, tmp_path):
    """Known before the first request: refused. Only some lines lack it: those fail."""
    base = ["export", "-p", "convocore", "--base-url", sandbox.convocore, "-t", "ndjson:-", "--failed", "failed.ndjson"]
    for words, text in ((["--id", "a"], None), ([], "tiny-1\n"), (["ids"], None)):
        (tmp_path / "ids").write_text("tiny-1\n")
        done = leadpipe(*base, *words, env=sandbox.env, input=text)
        assert done.returncode == 2 if words else done.returncode in (1, 2), done.stderr
        assert "agentId is missing" in done.stderr and "--param agentId=VALUE" in done.stderr
    done = leadpipe(*base, env=sandbox.env, input="id,agentId\ntiny-1,agent-1\ntiny-2,\n")
    assert done.returncode == 3 and json.loads(done.stdout)["lead_id"] == "tiny-1"
    [row] = runs.json_lines(tmp_path / "failed.ndjson")
    assert (row["id"], row["stage"]) == ("tiny-2", "input") and "agentId is missing" in row["error"]
