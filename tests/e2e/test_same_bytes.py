"""How many requests are under way, and what goes wrong on the way, leaves no trace in the outputs."""

import pytest

from outputs import body_of, ids_file, ledger_of, manifest, snapshot

SINKS = ["-t", "csv:csv/", "-t", "csv,delimiter=tab,gzip=9:leads.tsv.gz", "-t", "ndjson:lead.ndjson.gz",
         "-t", "ndjson,layout=rows:rows.ndjson", "-t", "ndjson,layout=raw:raw.ndjson", "-t", "msgpack:lead.msgpack",
         "-t", "msgpack,layout=rows,gzip=1:rows.msgpack", "-t", "parquet:parquet/",
         "-t", "parquet,row-group=30,compression=gzip,types=text:lead.parquet", "-t", "parquet,row-group=64K,compression=none:small/"]


def export(leadpipe, sandbox, provider, ids, name, *options):
    """Export into a folder of its own: the digests of all files, and the manifest."""
    folder = leadpipe.folder / name
    folder.mkdir()
    done = leadpipe("export", *sandbox.provider(provider), *SINKS, "--failed", "failed.ndjson", *options,
                    "--manifest", "../manifest.json", ids, env=sandbox.env, cwd=folder, timeout=120)
    whole = manifest(leadpipe.folder / "manifest.json")
    assert done.returncode == whole["exit_status"], done.stderr
    files = snapshot(folder)
    assert len(files) >= 10 and files.pop("failed.ndjson"), files
    return files, whole


@pytest.mark.parametrize("provider, fault_percent", [("omni", 0), ("omni", 15), ("convocore", 0), ("convocore", 15)])
def test_any_concurrency_gives_the_same_files(leadpipe, sandbox, control, provider, fault_percent):
    """With faults, jitter and another order of arrival on every run."""
    ids = ids_file(leadpipe.folder, ["lead-%d" % n for n in range(150)])
    seen = []
    for number, concurrency in enumerate(("1", "64", "auto", "auto")):
        # a reset, so that each lead shows its faults anew
        control.reset()
        control.set(nonce="0", fault_percent=fault_percent, jitter_ms=0 if concurrency == "1" else 30)
        files, whole = export(leadpipe, sandbox, provider, ids, "run-%d" % number, "-j", concurrency)
        assert ledger_of(whole) == {"exported": 150}
        assert (whole["requests"]["retries"] > 0) == (fault_percent > 0), whole["requests"]
        seen.append(files)
    assert seen[0] == seen[1] == seen[2] == seen[3]


def test_failed_and_missing_leads_too(leadpipe, sandbox, control):
    """The leads that are left are the same whatever else is in flight."""
    ids = ids_file(leadpipe.folder, ["lead-%d%s" % (n, ("", "~missing", "~status=400", "~successfalse")[n % 4 if n % 3 else 0])
                                     for n in range(120)])
    seen = []
    for concurrency in ("1", "64"):
        control.set(nonce="0", jitter_ms=0 if concurrency == "1" else 30)
        files, whole = export(leadpipe, sandbox, "omni", ids, "run-" + concurrency, "-j", concurrency)
        assert whole["exit_status"] == 3
        assert set(ledger_of(whole)) == {"exported", "missing", "failed"}
        seen.append((files, whole["ledger"]))
    assert seen[0] == seen[1]


def test_webhook_messages_are_the_same(leadpipe, sandbox, control):
    """Their ids and all of their bodies but the time, whatever the order in which leads arrive."""
    ids = ids_file(leadpipe.folder, ["lead-%d" % n for n in range(100)])
    seen = []
    for name, concurrency in (("a", "1"), ("b", "64")):
        control.reset()
        control.set(jitter_ms=0 if concurrency == "1" else 30)
        done = leadpipe("export", *sandbox.provider(), "-j", concurrency, "-t", "webhook,batch=9:" + sandbox.hook("same"),
                        ids, env=sandbox.env)
        assert done.returncode == 0, done.stderr
        seen.append({one["webhook_id"]: body_of(one).split(b'"data":', 1)[1] for one in control.deliveries("same")})
    assert len(seen[0]) == 12
    assert seen[0] == seen[1]
