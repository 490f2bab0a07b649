"""The manifest: what is in it, that it is true, and when it appears."""

import csv
import hashlib
import os
import re
import threading

import pytest

from outputs import ids_file, ledger_of, lines_of, manifest, unpacked


def export(leadpipe, sandbox, *words, status=0, **more):
    done = leadpipe("export", *sandbox.provider(), *words, "--manifest", "manifest.json", env=sandbox.env, **more)
    assert done.returncode == status, done.stderr
    return manifest(leadpipe.folder / "manifest.json")


MEMBERS = ["run_id", "version", "provider", "server", "started_at", "ended_at", "exit_status", "published",
           "arguments", "ids", "ledger", "requests", "sinks"]


def test_every_member(leadpipe, sandbox, control):
    ids = ["plain-1", "rich-2", "lead-3", "plain-1", "x~missing", "y~status=400", "z~status=503~times=2", "plain-4"]
    words = ["-t", "csv:out/", "-t", "csv,gzip=6,table=documents:docs.csv.gz", "-t", "ndjson,layout=rows:rows.ndjson",
             "-t", "msgpack:lead.mp", "-t", "webhook,batch=2:" + sandbox.hook("h"), "--failed", "failed.ndjson"]
    whole = export(leadpipe, sandbox, *words, ids_file(leadpipe.folder, ids), status=3)
    assert list(whole) == MEMBERS
    assert re.fullmatch("[0-9a-f]{32}", whole["run_id"])
    assert whole["version"] in leadpipe("version").stdout.decode()
    assert (whole["provider"], whole["server"], whole["exit_status"]) == ("omni", sandbox.omni, 3)
    assert whole["started_at"] < whole["ended_at"]
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", whole[name]) for name in ("started_at", "ended_at"))
    assert whole["arguments"][0] == "export" and "csv:out/" in whole["arguments"]
    assert whole["ids"] == {"read": 8, "unique": 7, "duplicates": 1}
    assert ledger_of(whole) == {"exported": 5, "missing": 1, "failed": 1}
    requests = whole["requests"]
    assert requests["total"] == 9 and requests["retries"] == 2
    assert requests["statuses"] == {"200": 5, "400": 1, "404": 1, "503": 2}
    latency = requests["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    check_files(leadpipe.folder, whole)
    hook = whole["sinks"][-1]
    assert hook == {"sink": "webhook:" + sandbox.hook("h"), "deliveries": 3, "delivered": 3, "failed": 0}


def check_files(folder, whole):
    """Every file that the manifest names is there and is what it says."""
    for sink in whole["sinks"]:
        for file in sink.get("files", ()):
            data = (folder / file["path"]).read_bytes()
            assert file["bytes"] == len(data), file
            assert file["sha256"] == hashlib.sha256(data).hexdigest(), file
            text = unpacked(folder / file["path"])
            if sink["sink"].startswith("csv"):
                rows = list(csv.reader(text.decode().splitlines(keepends=True)))
                assert (file["rows"], file["columns"]) == (len(rows) - 1, rows[0]), file
                assert file["table"] in file["path"] or file["table"] == "documents"
            elif sink["sink"].startswith("ndjson"):
                assert file["rows"] == len(lines_of(folder / file["path"])), file
    tables = [file["table"] for file in whole["sinks"][0]["files"]]
    assert tables[0] == "leads" and len(set(tables)) == len(tables)


def test_two_runs_have_two_ids(leadpipe, sandbox, control):
    first = export(leadpipe, sandbox, "--id", "plain-1", "-t", "csv:x.csv")
    second = export(leadpipe, sandbox, "--id", "plain-1", "-t", "csv:x.csv")
    assert first["run_id"] != second["run_id"]
    assert first["sinks"] == second["sinks"]


@pytest.mark.parametrize("ids, status, ledger", [
    ([], 0, {}), (["a", "b~missing"], 0, {"exported": 1, "missing": 1}),
    (["a", "b~status=400"], 3, {"exported": 1, "failed": 1}), (["a", ".."], 3, {"exported": 1, "failed": 1})])
def test_exit_statuses_that_publish(leadpipe, sandbox, control, ids, status, ledger):
    whole = export(leadpipe, sandbox, "-t", "csv:x.csv", ids_file(leadpipe.folder, ids), status=status)
    assert (whole["exit_status"], whole["published"]) == (status, True) and ledger_of(whole) == ledger
    assert (leadpipe.folder / "x.csv").exists()


def test_no_secrets(leadpipe, sandbox, control):
    """Neither the key nor a webhook's secret and header, nor what a URL's user part holds."""
    (leadpipe.folder / "key").write_text(sandbox.key + "\n")
    secret = "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LXNlZXM="
    done = leadpipe("export", *sandbox.provider(), "--id", "plain-1", "--api-key-file", "key", "--manifest", "m.json",
                    "-v", "-v", "-t", "webhook,secret-env=S,header-env=Authorization: T:" + sandbox.hook("h"),
                    env={"S": secret, "T": "Bearer t0ken"})
    assert done.returncode == 0, done.stderr
    for text in (done.stderr, (leadpipe.folder / "m.json").read_text()):
        assert sandbox.key not in text and secret[6:] not in text and "t0ken" not in text
    one, = control.deliveries("h")
    assert one["headers"]["authorization"] == "Bearer t0ken"


def test_it_appears_last(leadpipe, sandbox, control):
    """A reader that sees a new manifest sees all files of the same run."""
    folder = leadpipe.folder
    ids = ids_file(folder, ["plain-%d" % n for n in range(50)])
    wrong, seen, over = [], set(), threading.Event()

    def watch():
        while not over.is_set():
            try:
                whole = manifest(folder / "manifest.json")
            except FileNotFoundError:
                continue
            if whole["run_id"] in seen:
                continue
            seen.add(whole["run_id"])
            files = [file for sink in whole["sinks"] for file in sink["files"]]
            wrong.extend(file["path"] for file in files
                         if hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest() != file["sha256"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for revision in range(5):
            control.set(revision_all=revision)
            export(leadpipe, sandbox, "-t", "csv:out/", "-t", "ndjson:x.ndjson", "-t", "msgpack:x.mp", ids)
    finally:
        over.set()
        watcher.join()
    assert wrong == [] and seen


@pytest.mark.parametrize("provider_key, more", [("wrong", []), (None, ["-t", "ndjson:/dev/full"])])
def test_a_run_that_stopped_publishes_nothing(leadpipe, sandbox, control, provider_key, more):
    """Exit status 1: the files of the run before stay, and the manifest says so."""
    words = ["-t", "csv:out/", "--manifest", "manifest.json", *more,
             ids_file(leadpipe.folder, ["plain-%d" % n for n in range(20)])]
    export(leadpipe, sandbox, "--id", "plain-1", "-t", "csv:out/")
    before = {path: path.read_bytes() for path in leadpipe.folder.rglob("*.[ct]*") if path.is_file()}
    env = {"OMNI_API_KEY": provider_key or sandbox.key}
    done = leadpipe("export", *sandbox.provider(), *words, env=env)
    assert done.returncode == 1, done.stderr
    assert {path: path.read_bytes() for path in leadpipe.folder.rglob("*.[ct]*") if path.is_file()} == before
    reported = manifest(leadpipe.folder / "manifest.json")
    assert (reported["exit_status"], reported["published"]) == (1, False) and sum(ledger_of(reported).values()) == reported["ids"]["unique"]
    assert all(sink["files"] == [] for sink in reported["sinks"])
    assert sorted(os.listdir(leadpipe.folder)) == ["ids.txt", "manifest.json", "out"]
