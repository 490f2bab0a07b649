"""Lists of every form, malformed at random: every line is accounted for, and every ID is asked for once.

What they say is decided by tests/reference/id_lists.py.  LEADPIPE_LEADS scales the large one, LEADPIPE_SEED repeats it.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import urllib.parse

import pytest

import runs
from many_leads import fate

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from reference import id_lists  # noqa: E402

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";"}
PLAIN = ["", "x", "Anna", "a b", "1.5", "ü", "\u4f60\u597d", "-", "'", "=1+1"]
QUOTED = ["", "a\nb", "a\r\nb", "a\rb", '""', '""quoted""', "x,y;z\tw", "line\n\nline", "tiny-1\na,b"]
BLANKS = ["\u00a0", "\ufeff", "\u200b", " ", "\t", "\u3000"]


class List:
    """One list, a row at a time; `random` decides what is wrong with it."""

    def __init__(self, rng, form, delimiter, end, prefix):
        self.rng, self.form, self.delimiter, self.end, self.prefix = rng, form, delimiter, end, prefix
        self.columns = rng.randint(2, 5)
        self.where = rng.randrange(self.columns)
        self.parts, self.n = [], 0

    def line_end(self):
        return self.rng.choice(["\n", "\r\n", "\r"]) if self.end == "mixed" else self.end

    def one_id(self):
        """New, or one that was there; in a list of CSV without what must be quoted."""
        rng = self.rng
        self.n += 1
        number = self.n if rng.random() < 0.9 else rng.randint(1, self.n)
        style = rng.random()
        if style < 0.85:
            return "%s-%d" % (self.prefix, number)
        if style < 0.93:
            return rng.choice(["é%d", "a b%d", "q?x=%d", "a/%d", "%%2f%d"]) % number
        return rng.choice(BLANKS[:3]) + "%s-%d" % (self.prefix, number) + rng.choice(BLANKS[:3])

    def bad_id(self):
        rng = self.rng
        return rng.choice([".", "..", "y" * 513, "a\x7fb%d" % self.n, "a\u200bb", "a\u00a0b", "a\u202eb", "\u0085x"])

    def csv_field(self, text):
        if self.rng.random() < 0.2:
            return '"%s"' % text.replace('"', '""')
        return text

    def csv_row(self):
        rng = self.rng
        fields = [rng.choice(PLAIN) if rng.random() < 0.8 else '"%s"' % rng.choice(QUOTED)
                  for _ in range(self.columns)]
        fields[self.where] = self.csv_field(self.one_id())
        if rng.random() < 0.06:
            self.spoil(fields)
        row = self.delimiter.join(fields)
        return row if rng.random() < 0.99 else row.replace(self.delimiter, "", 1)

    def spoil(self, fields):
        """Something wrong in one of the columns, or with their number."""
        rng = self.rng
        column = rng.randrange(len(fields))
        kind = rng.randrange(9)
        if kind < 6:
            fields[column] = ['a"b', '"a"b', '"a', 'a"', "a\0b", "a\x0bb"][kind]
        elif kind == 6:
            fields.append(rng.choice(["", "x"]))
        elif kind == 7:
            fields.pop()
        else:
            fields[self.where] = self.bad_id()

    def lines_row(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.9:
            return rng.choice(["", " ", "\t"]) + self.one_id() + rng.choice(["", " ", "\u00a0"])
        return rng.choice(["", " ", "# a comment", "#", "a\0b", "caf\udce9", "a\x1b[2J", self.bad_id()])

    def ndjson_row(self):
        rng = self.rng
        kind = rng.random()
        name = rng.choice(["id", "lead_id", "leadId"])
        if kind < 0.9:
            return json.dumps({"x": [1], name: self.one_id()}, ensure_ascii=rng.random() < 0.5)
        one = json.dumps({name: self.one_id()})
        return rng.choice([one + one, one[:-1], one + ",", "", "{}", "[]", "null", json.dumps({"id": True}),
                           json.dumps({"id": self.bad_id()}), "{\"id\":\"\udcff\"}", json.dumps({"id": None})])

    def rows(self, n):
        if self.form == "csv":
            header = ["c%d" % i for i in range(self.columns)]
            header[self.where] = self.rng.choice(["id", "ID", "lead_id", "LeadId", '"Lead_ID"', " id "])
            self.parts.append(self.delimiter.join(header) + self.line_end())
        else:
            first = "first" if self.form == "lines" else '{"id":"first"}'
            self.parts.append(first + self.line_end())
        make = {"csv": self.csv_row, "lines": self.lines_row, "ndjson": self.ndjson_row}[self.form]
        for _ in range(n):
            self.parts.append(make() + (self.line_end() if self.rng.random() < 0.999 else ""))
        if self.rng.random() < 0.5:
            self.parts.append(make())  # no line end behind it
        return "".join(self.parts).encode("utf-8", "surrogateescape")


def lists(rng, n):
    """[(name, bytes, form, delimiter)] with n rows in all."""
    made = []
    shapes = [("csv", name, end) for name in DELIMITERS for end in ("\n", "\r\n", "\r", "mixed")]
    shapes += [(form, "comma", end) for form in ("lines", "ndjson") for end in ("\n", "\r\n", "\r", "mixed")]
    for i, (form, name, end) in enumerate(shapes):
        data = List(rng, form, DELIMITERS[name], end, "l%d" % (i % 7)).rows(n // len(shapes))
        mark = b"\xef\xbb\xbf" if rng.random() < 0.3 else b""
        made.append(("%02d.%s" % (i, form), mark + data, form, DELIMITERS[name]))
    return made


@pytest.fixture
def provider(tmp_path):
    folder = tmp_path / "provider"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("many_leads.py")), str(folder)])
    runs.wait_until((folder / "port").exists, "the provider listens")

    def asked():
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        return (folder / "asked").read_bytes().split()

    yield (folder / "port").read_text(), asked
    process.kill()
    process.wait()


def check_lists(leadpipe, folder, provider, seed, n):
    port, asked = provider
    expected, bad, read = {}, [], 0
    names = []
    for name, data, form, delimiter in lists(random.Random(seed), n):
        (folder / name).write_bytes(data)
        names.append(name)
        for line, one in id_lists.outcomes(data, form, delimiter):
            read += 1
            if one is None:
                bad.append("%s:%d" % (name, line))
            else:
                expected.setdefault(one, None)
    done = leadpipe("export", "-p", "omni", "--base-url", "http://127.0.0.1:%s" % port, "-q", "-t", "ndjson:out.ndjson",
                    "--failed", "failed.ndjson", "--manifest", "manifest.json", *names, env={"OMNI_API_KEY": "k"},
                    timeout=3000)
    assert done.returncode == 3, done.stderr[-2000:]
    manifest = runs.json_file(folder / "manifest.json")
    failed = runs.json_lines(folder / "failed.ndjson")
    places = [row["error"].split(": ")[0] for row in failed if row["stage"] == "input"]
    assert first_difference(sorted(places), sorted(bad)) is None
    encoded = {one: urllib.parse.quote(one, safe="-._~").encode() for one in expected}
    requests = [urllib.parse.quote(urllib.parse.unquote(raw.decode()), safe="-._~").encode() for raw in asked()]
    assert first_difference(sorted(requests), sorted(encoded.values())) is None, "each ID is asked for once"
    assert manifest["ids"] == {"read": read, "unique": len(expected) + len(bad),
                               "duplicates": read - len(expected) - len(bad)}
    ledger = manifest["ledger"]
    assert sum(ledger.values()) == manifest["ids"]["unique"] and ledger["pending"] == 0, ledger
    with open(folder / "out.ndjson", encoding="utf-8") as file:
        exported = [json.loads(line)["lead_id"] for line in file]
    assert len(exported) == ledger["exported"]
    missing = len(encoded) - len(exported) - (len(failed) - len(places))
    assert (ledger["missing"], ledger["failed"]) == (missing, len(failed))
    return expected, exported, failed


def first_difference(got, want):
    if got == want:
        return None
    return next(((a, b) for a, b in zip(got, want) if a != b), (len(got), len(want)))


@pytest.mark.parametrize("seed", range(3))
def test_every_line_is_accounted_for(leadpipe, tmp_path, provider, seed):
    expected, exported, _ = check_lists(leadpipe, tmp_path, provider, seed, 4000)
    found = {one for one in expected if fate(urllib.parse.quote(one, safe="-._~").encode()) == "exported"}
    assert set(exported) == found and len(exported) == len(found)
    assert [one for one in expected if one in found] == exported, "in the order of the lists"


@pytest.mark.nightly
def test_a_million_leads(leadpipe, tmp_path, provider):
    seed = int(os.environ.get("LEADPIPE_SEED") or random.randrange(1 << 32))
    print("seed", seed)
    check_lists(leadpipe, tmp_path, provider, seed, int(os.environ.get("LEADPIPE_LEADS", "1000000")))
