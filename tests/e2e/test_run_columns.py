"""The option run-columns: every row ends with the start of the run and its run_id."""

import csv
import io
import signal

import pytest

from outputs import ids_file, lines_of, manifest, objects_of, unpacked
from resumes import IDS, Resumed, never_interrupted

COLUMNS = ["_exported_at", "_run_id"]
RUN_SINKS = ("csv%s:csv/", "csv,delimiter=semicolon,eol=crlf,excel-safe,bom%s:safe.csv", "csv,header=no,gzip=9%s:bare.csv.gz",
             "ndjson%s:lead.ndjson", "ndjson,layout=rows%s:rows.ndjson", "ndjson,layout=raw%s:raw.ndjson", "ndjson%s:lines/",
             "msgpack%s:lead.msgpack", "msgpack,layout=rows,gzip=0%s:rows.msgpack")


def as_read(path):
    """The rows of a CSV file, its header among them; or the objects of another one, as lists of pairs."""
    if ".csv" not in path.name:
        return [list(one.items()) for one in (lines_of(path) if "ndjson" in path.name else objects_of(path))]
    text = unpacked(path).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if path.name == "safe.csv" else ","))


def with_the_run(path, whole):
    """What is read of a file without the run's columns, as it should be with them."""
    rows, values = as_read(path), [whole["started_at"], whole["run_id"]]
    if ".csv" not in path.name:
        return [row + list(zip(COLUMNS, values)) for row in rows]
    return [row + (COLUMNS if number == 0 and path.name != "bare.csv.gz" else values) for number, row in enumerate(rows)]


def files_below(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")


@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_run_columns(leadpipe, sandbox, control, provider):
    """The last two of every row; also where columns came late, and a CSV file had to be written once more."""
    control.set(nonce="0")
    ids = ids_file(leadpipe.folder, ["example", "rich-1", "plain-1"] + ["lead-%d" % n for n in range(150)])
    for name, option in (("without", ""), ("with", ",run-columns")):
        (leadpipe.folder / name).mkdir()
        words = [word for sink in RUN_SINKS for word in ("-t", sink % option)]
        done = leadpipe("export", *sandbox.provider(provider), *words, "--manifest", "manifest.json", ids, env=sandbox.env,
                        cwd=leadpipe.folder / name)
        assert done.returncode == 0, done.stderr
    whole = manifest(leadpipe.folder / "with" / "manifest.json")
    files = files_below(leadpipe.folder / "with")
    assert files == files_below(leadpipe.folder / "without") and len(files) > 10
    for path in files:
        assert as_read(leadpipe.folder / "with" / path) == with_the_run(leadpipe.folder / "without" / path, whole), path
    for sink in whole["sinks"]:
        for file in sink["files"]:
            assert file["columns"][-2:] == ["_exported_at", "_run_id"] and len(set(file["columns"])) == len(file["columns"])


STATE_SINKS = ("-t", "csv,run-columns:out/", "-t", "csv,gzip=3,run-columns:leads.csv.gz", "-t", "ndjson,run-columns:out.ndjson",
               "-t", "ndjson,run-columns:out/")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_a_resumed_run(leadpipe, sandbox, control, signal_number):
    """It is the same run: its id and its start are those of before it was cut off, in every row."""
    resumed = Resumed(leadpipe, sandbox, control, sinks=STATE_SINKS)
    outputs, alone = never_interrupted(leadpipe, sandbox, control, leadpipe.folder / "alone", IDS, sinks=STATE_SINKS, status=3)
    control.reset()
    control.set(nonce="same")
    stopped = resumed.part(IDS[:40])
    cut = resumed.part(IDS[:60], signal_number=signal_number)
    run = resumed.resume(IDS, status=3)
    runs = [one.manifest for one in (stopped, cut, run)]
    assert len({(one["run_id"], one["started_at"]) for one in runs}) == 1 and run.manifest["run_id"] != alone.manifest["run_id"]

    def neutral(data, whole):
        return data.replace(whole["run_id"].encode(), b"ID").replace(whole["started_at"].encode(), b"START")

    mine = {name: neutral(data, run.manifest) for name, data in resumed.outputs().items() if not name.startswith("alone/")}
    assert mine == {name: neutral(data, alone.manifest) for name, data in outputs.items()} and len(mine) > 10
    assert all(data.count(b",START,ID\n") == len(list(csv.reader(io.StringIO(data.decode(), newline="")))) - 1
               for name, data in mine.items() if ".csv" in name)


def test_it_is_another_run(leadpipe, sandbox, control):
    """With the option a run writes other rows: it does not continue one without."""
    resumed = Resumed(leadpipe, sandbox, control)
    resumed.part(IDS[:5])
    done = leadpipe(*resumed.words(sinks=("-t", "csv,run-columns:out/", "-t", "ndjson:out.ndjson")), env=sandbox.env, input="")
    assert done.returncode == 2 and "run-columns" in done.stderr, done.stderr
