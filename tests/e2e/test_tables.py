"""Leads with every kind of member and every oddity, one run into all sinks: what each sink holds is
compared cell by cell with what an independent implementation makes of the payloads."""

import sys

import pytest

from conftest import ROOT
from outputs import bodies_file, check, ids_file, ledger_of, lead_ids_of, lines_of, manifest

sys.path.insert(0, str(ROOT / "tests" / "sandbox"))
import oddities  # noqa: E402

SINKS = {
    "csv": "csv:csv/",
    "ndjson": "ndjson:lead.ndjson",
    "ndjson_rows": "ndjson,layout=rows:rows.ndjson",
    "ndjson_raw": "ndjson,layout=raw:raw.ndjson",
    "msgpack": "msgpack:lead.msgpack.gz",
    "msgpack_rows": "msgpack,layout=rows,gzip=0:rows.msgpack",
    "msgpack_raw": "msgpack,layout=raw:raw.msgpack.gz",
    "ndjson_tables": "ndjson:lines/",
    "msgpack_tables": "msgpack:packed/",
}
FILES = {name: target.split(":", 1)[1] for name, target in SINKS.items()}


def odd_ids(count):
    """Leads as they come, and some of the kinds that tests have a name for."""
    return (["example", "plain-1", "tiny-1", "size9k-1", "newcode-1-a", "rich-1"]
            + ["lead-%d" % n for n in range(count - 6)])


def export_all(leadpipe, sandbox, provider, ids, *options, status=0, sinks=None, timeout=120):
    words = []
    for target in (sinks or SINKS).values():
        words += ["-t", target]
    hooks = {"single": "webhook:", "batch": "webhook,batch=7:", "raw": "webhook,layout=raw,batch=3:"}
    for name, kind in hooks.items():
        words += ["-t", kind + sandbox.hook(name)]
    done = leadpipe("export", *sandbox.provider(provider), *words, "--manifest", "manifest.json",
                    "--failed", "failed.ndjson", *options, ids, env=sandbox.env, timeout=timeout)
    assert done.returncode == status, done.stderr
    return manifest(leadpipe.folder / "manifest.json")


def check_all(folder, control, provider, ids, *options):
    """Files and deliveries hold what they should, and every id was delivered once."""
    paths = {}
    for name in ("single", "batch", "raw"):
        deliveries = control.deliveries(name)
        paths[name] = bodies_file(folder / (name + ".bodies"), deliveries)
        accepted = [one["webhook_id"] for one in deliveries if one["status"] == 200]
        assert len(accepted) == len(set(accepted))
    return check(folder, provider, ids, *options, **FILES, webhook=[paths["single"], paths["batch"]],
                 webhook_raw=paths["raw"])


@pytest.mark.parametrize("provider, signed_urls, order", [
    ("omni", "strip", "input"),
    ("omni", "keep", "any"),
    ("omni", "drop", "input"),
    ("convocore", "strip", "input"),
    ("convocore", "keep", "any"),
])
def test_every_table_of_every_sink(leadpipe, sandbox, control, provider, signed_urls, order):
    control.set(nonce="0", jitter_ms=20)
    wanted = odd_ids(200)
    ids = ids_file(leadpipe.folder, wanted)
    whole = export_all(leadpipe, sandbox, provider, ids, "--signed-urls", signed_urls, "--order", order)
    assert ledger_of(whole) == {"exported": 200}
    said = check_all(leadpipe.folder, control, provider, ids, "--signed-urls", signed_urls, "--order", order)
    assert "12 outputs, 200 leads expected" in said
    assert lines_of(leadpipe.folder / "failed.ndjson") == []
    exported = [line["lead_id"] for line in lines_of(leadpipe.folder / "raw.ndjson")]
    assert sorted(exported) == sorted(wanted)
    assert (exported == wanted) == (order == "input")


@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_stripped_urls_do_not_depend_on_the_fetch(leadpipe, sandbox, control, provider):
    """Without `nonce` signed URLs change on every fetch; what is stripped of them does not."""
    ids = ids_file(leadpipe.folder, odd_ids(60))
    sinks = {name: target for name, target in SINKS.items() if "raw" not in name}
    export_all(leadpipe, sandbox, provider, ids, sinks=sinks)
    check(leadpipe.folder, provider, ids, **{name: FILES[name] for name in sinks})


@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_each_oddity_by_itself(leadpipe, sandbox, control, provider):
    """One lead for each odd thing that the sandbox knows, and the documented tables around it."""
    control.set(nonce="0")
    wanted = ["odd-%s-%d" % (name, n) for name in oddities.names(provider) for n in (1, 2)]
    ids = ids_file(leadpipe.folder, wanted)
    whole = export_all(leadpipe, sandbox, provider, ids)
    assert ledger_of(whole) == {"exported": len(wanted)}
    check(leadpipe.folder, provider, ids, **FILES)


def test_failed_and_missing_leads_leave_no_trace(leadpipe, sandbox, control):
    """Between leads that are well there are others, which are in no table of any sink."""
    control.set(nonce="0")
    well = odd_ids(60)
    lost = ["m-%d~missing" % n for n in range(10)]
    bad = ["f-%d~%s" % (n, fault) for n, fault in enumerate(("status=400", "successfalse", "nolead", "deep=300"))]
    mixed = [one for group in zip(well, (lost + bad) * 5) for one in group]
    ids = ids_file(leadpipe.folder, mixed)
    absent = ids_file(leadpipe.folder, lost + bad, "absent.txt")
    whole = export_all(leadpipe, sandbox, "omni", ids, status=3)
    assert ledger_of(whole) == {"exported": 60, "missing": 10, "failed": 4}
    assert whole["ids"]["duplicates"] == len(mixed) - 74
    assert [line["id"] for line in lines_of(leadpipe.folder / "failed.ndjson")] == bad
    check_all(leadpipe.folder, control, "omni", ids, "--absent", absent)


@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("count", [pytest.param(500, marks=pytest.mark.slow), pytest.param(5000, marks=pytest.mark.nightly)])
def test_thousands_of_leads_with_faults(leadpipe, sandbox, control, provider, count):
    """Most of the time is the reference's."""
    control.set(nonce="0", fault_percent=2)
    ids = ids_file(leadpipe.folder, odd_ids(count))
    whole = export_all(leadpipe, sandbox, provider, ids, timeout=300)
    assert ledger_of(whole) == {"exported": count}
    assert whole["requests"]["retries"] > 0, whole["requests"]
    print(whole["requests"])
    print(check_all(leadpipe.folder, control, provider, ids))
    batches = control.deliveries("batch")
    assert sorted(len(lead_ids_of(one)) for one in batches)[0] == count % 7
    assert {len(lead_ids_of(one)) for one in batches} == {7, count % 7}
