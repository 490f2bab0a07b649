"""--schema: what a loader needs of every table, for the files that the run wrote."""

import csv
import gzip
import json
import signal

import pytest

import resumes
import rigs
from outputs import ids_file, lines_of, manifest

IDS = ["example", "rich-1", "plain-1", "newcode-1-a"] + ["lead-%d" % n for n in range(40)]
LAST = [("_exported_at", "timestamp"), ("_run_id", "text")]


def read(path):
    return json.loads(path.read_text())


def known(leadpipe, provider):
    return json.loads(leadpipe("tables", provider, "--json").stdout)


def pairs(table):
    return [(column["name"], column["type"]) for column in table["columns"]]


def export(leadpipe, sandbox, provider, *words, status=0, ids=IDS):
    done = leadpipe("export", *sandbox.provider(provider), *words, "--schema", "schema.json", "--manifest", "manifest.json",
                    ids_file(leadpipe.folder, ids), env=sandbox.env)
    assert done.returncode == status, done.stderr
    return read(leadpipe.folder / "schema.json") if status == 0 else None


@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("option", ["", ",run-columns"])
def test_in_the_order_of_the_files(leadpipe, sandbox, control, provider, option):
    """What `tables --json` says, and behind it the columns that this run met: text."""
    schema = export(leadpipe, sandbox, provider, "-t", "csv%s:out/" % option, "-t", "ndjson:lines/")
    want = known(leadpipe, provider)
    assert schema["provider"] == provider and [one["name"] for one in schema["tables"]] == [one["name"] for one in want["tables"]]
    more = 0
    for table, documented in zip(schema["tables"], want["tables"]):
        assert {**table, "columns": documented["columns"]} == documented
        n = len(documented["columns"])
        assert table["columns"][:n] == documented["columns"]
        last = pairs(table)[n:]
        if option:
            assert last[-2:] == LAST
            last = last[:-2]
        assert all(kind == "text" for _, kind in last)
        more += len(last)
        with open(leadpipe.folder / "out" / (table["name"] + ".csv"), newline="") as file:
            assert next(csv.reader(file)) == [name for name, _ in pairs(table)]
    assert more > 10


def test_other_layouts(leadpipe, sandbox, control):
    """Where no file holds a table alone, its columns are those of the run."""
    whole = export(leadpipe, sandbox, "omni", "-t", "csv:out/")
    assert export(leadpipe, sandbox, "omni", "-t", "ndjson:lead.ndjson") == whole
    rows = export(leadpipe, sandbox, "omni", "-t", "msgpack,layout=rows,run-columns:rows.mp")
    assert [pairs(table) for table in rows["tables"]] == [pairs(table) + LAST for table in whole["tables"]]
    hook = export(leadpipe, sandbox, "omni", "-t", "webhook:" + sandbox.hook("h"))
    assert hook == whole
    # a single file of one table, and a table that the first sink does not hold
    mixed = export(leadpipe, sandbox, "omni", "-t", "csv,table=documents,run-columns:documents.csv", "-t", "csv:out/")
    for table, plain in zip(mixed["tables"], whole["tables"]):
        assert pairs(table) == pairs(plain) + (LAST if table["name"] == "documents" else [])


def test_the_same_bytes(leadpipe, sandbox, control):
    seen = []
    for concurrency in ("1", "32"):
        export(leadpipe, sandbox, "omni", "-t", "csv:out/", "-j", concurrency)
        seen.append((leadpipe.folder / "schema.json").read_bytes())
    assert seen[0] == seen[1]


def test_nothing_is_published_without_outputs(leadpipe, sandbox, control):
    (leadpipe.folder / "schema.json").write_text("earlier")
    export(leadpipe, sandbox, "omni", "-t", "csv:out/", ids=["gone~missing"], status=3)
    assert (leadpipe.folder / "schema.json").read_text() == "earlier"
    assert not manifest(leadpipe.folder / "manifest.json")["published"]


@pytest.mark.parametrize("words, says", [
    (["-t", "csv:out/", "--schema", "out/leads.csv"], "out/leads.csv"),
    (["-t", "csv:out/", "--schema", "x.json", "--manifest", "x.json"], "x.json"),
    (["-t", "csv:out/", "--schema", "ids.txt"], "ids.txt"),
    (["-t", "csv:out/", "--schema", "no/such/folder/x"], "no/such/folder/x"),
    (["-t", "ndjson:-", "--schema", "-"], "--schema"),
])
def test_refused(leadpipe, sandbox, words, says):
    ids_file(leadpipe.folder, ["plain-1"])
    done = leadpipe("export", *sandbox.provider(), *words, "ids.txt", env=sandbox.env)
    assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert not (leadpipe.folder / "out").exists()


def test_standard_output(leadpipe, sandbox, control):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--schema", "-", "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 0 and json.loads(done.stdout)["tables"][0]["name"] == "leads"


@rigs.needs_state
@rigs.needs_library
@pytest.mark.parametrize("name", ["one.ndjson", "failed.ndjson", "schema.json", "manifest.json"])
def test_cut_off_while_publishing(leadpipe, sandbox, control, name):
    """Killed before that name is given: the same command gives the rest, without asking for a lead."""
    words = ["export", *sandbox.provider(), "--state", resumes.STATE, "-t", "ndjson:one.ndjson", "--failed", "failed.ndjson",
             "--schema", "schema.json", "--manifest", "manifest.json"]
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(leadpipe.folder),
              "FAULTFS_RULES": "op=rename path=%s kill=before" % name}
    done = leadpipe(*words, input="plain-1\nlead-3\n", env={**sandbox.env, **faults})
    assert done.returncode == -signal.SIGKILL and not (leadpipe.folder / name).exists(), done.stderr
    asked = len(control.requests())
    done = leadpipe(*words, input="plain-1\nlead-3\n", env=sandbox.env)
    assert done.returncode == 0 and len(control.requests()) == asked, done.stderr
    assert read(leadpipe.folder / "schema.json")["tables"] and manifest(leadpipe.folder / "manifest.json")["published"]
    assert len(lines_of(leadpipe.folder / "one.ndjson")) == 2
    assert not [path for path in leadpipe.folder.iterdir() if "leadpipe-part" in path.name]


def test_with_all_columns_beyond_the_maximum(leadpipe, sandbox, control):
    schema = export(leadpipe, sandbox, "omni", "-t", "csv,gzip=1:out/", "--max-columns", "50")
    names = [name for name, _ in pairs(schema["tables"][0])]
    assert "other_members" in names and len(names) == 50
    with gzip.open(leadpipe.folder / "out" / "leads.csv.gz", "rt", newline="") as file:
        assert next(csv.reader(file)) == names
