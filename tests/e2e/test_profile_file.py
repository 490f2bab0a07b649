"""A provider that no one has written C for: by a profile file alone.

The Parcel Bureau is invented: its answers are lists of pairs inside an envelope, its IDs stand in
the query, its credential in a header of its own, its children three levels deep.
"""

import csv
import json
import urllib.parse

import pytest

from outputs import ledger_of, lines_of, manifest, provider_of

PROFILE = {
    "profile": 1,
    "name": "bureau",
    "title": "Parcel Bureau",
    "servers": [{"name": "main", "url": "https://bureau.example/api"}],
    "credential": {"variable": "BUREAU_KEY", "header": "X-Bureau", "prefix": "Key "},
    "path": "/find?kind=lead&depot={depot}&no={id}",
    "payload": {"root": "/reply/found", "required": ["/case"], "id": "/case/no"},
    "answers": {"success": "/fine", "message": ["/why/text"], "code": ["/why/number"]},
    "expiring_urls": {"arrays": ["scans"], "members": ["link"]},
    "tables": [
        {"name": "cases", "each": "",
         "columns": [{"name": "no", "value": "/case/no"}, {"name": "opened", "value": "/case/openedAt"},
                     {"name": "stop_count", "count": "/stops/*"},
                     {"name": "parcel_count", "count": "/stops/*/parcels/*"}],
         "objects": [{"path": "", "prefix": ""}, {"path": "/case", "prefix": ""},
                     {"path": "/case/owner", "prefix": "owner_"}],
         "pivots": [{"each": "/facts/*", "key": "/facts/*/name", "value": "/facts/*/is", "prefix": "fact_"}]},
        {"name": "facts", "each": "/facts/*",
         "columns": [{"name": "position", "position": "/facts/*"}, {"name": "name", "value": "/facts/*/name"},
                     {"name": "is", "value": "/facts/*/is"}]},
        {"name": "stops", "each": "/stops/*",
         "columns": [{"name": "position", "position": "/stops/*"}, {"name": "town", "value": "/stops/*/town"}]},
        {"name": "parcels", "each": "/stops/*/parcels/*",
         "columns": [{"name": "stop_position", "position": "/stops/*"},
                     {"name": "position", "position": "/stops/*/parcels/*"},
                     {"name": "weight", "value": "/stops/*/parcels/*/weight"}]},
        {"name": "scans", "each": "/stops/*/parcels/*/scans/*",
         "columns": [{"name": "stop_position", "position": "/stops/*"},
                     {"name": "parcel_position", "position": "/stops/*/parcels/*"},
                     {"name": "position", "position": "/stops/*/parcels/*/scans/*"},
                     {"name": "link", "value": "/stops/*/parcels/*/scans/*/link"}]},
    ],
}

CASES = {
    "C 1/ü": b'''{"fine": true, "reply": {"found": {"case": {"no": "C 1/\xc3\xbc", "openedAt": "2026-02-01", "owner":
        {"fullName": "Ann, Lee", "VIP": true}, "colour": null}, "state": "open",
        "facts": [{"name": "Net weight", "is": 12.50}, {"name": "from", "is": {"town": "Oslo", "zip": "0150"}}],
        "stops": [{"town": "Oslo", "parcels": [{"weight": 1e3, "scans": [{"link": "https://s.example/1?sig=a", "ok": true}]},
                                               {"weight": 2, "scans": []}]},
                  {"town": "Bergen", "parcels": []}]}}}''',
    "2": b'{"fine": true, "reply": {"found": {"case": {"no": "2"}, "facts": [{"name": "late one", "is": false}], "stops": []}}}',
    "refused": b'{"fine": false, "why": {"text": "No such case", "number": 44}}',
    "empty": b'{"fine": true, "reply": {}}',
}


def answer(path, headers):
    split = urllib.parse.urlsplit(path)
    query = urllib.parse.parse_qs(split.query)
    if split.path != "/api/find" or query.get("kind") != ["lead"] or headers.get("X-Bureau") != "Key s3cret":
        return 403, b"{}"
    if query.get("depot") != ["north & south"] or len(query["no"]) != 1:
        return 400, b'{"fine": false, "why": {"text": "which depot?"}}'
    lead = CASES.get(query["no"][0])
    return (200, lead) if lead else (404, b"{}")


@pytest.fixture
def bureau(tmp_path):
    (tmp_path / "bureau.json").write_text(json.dumps(PROFILE))
    with provider_of(answer) as server:
        yield server


def export(leadpipe, server, ids, *words, status=0):
    given = [word for one in ids for word in ("--id", one)]
    done = leadpipe("export", "-p", "bureau.json", "--base-url", server.url + "/api", "--param", "depot=north & south",
                    *given, *words, env={"BUREAU_KEY": "s3cret"})
    assert done.returncode == status, done.stderr
    return done


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_table(leadpipe, bureau):
    export(leadpipe, bureau, ["C 1/ü", "2", "absent"], "-t", "csv:out/", "-t", "ndjson:lead.ndjson",
           "--manifest", "manifest.json")
    out = leadpipe.folder / "out"
    assert sorted(path.name for path in out.iterdir()) == ["cases.csv", "facts.csv", "parcels.csv", "scans.csv",
                                                           "stops.csv"]
    header, first, second = (out / "cases.csv").read_text().splitlines()
    assert header.startswith("provider,lead_id,depot,no,opened,stop_count,parcel_count,")
    cases = rows_of(out / "cases.csv")
    assert cases[0] == {
        "provider": "bureau", "lead_id": "C 1/ü", "depot": "north & south", "no": "C 1/ü", "opened": "2026-02-01", "stop_count": "2",
        "parcel_count": "2", "owner_full_name": "Ann, Lee", "owner_vip": "true", "colour": "", "state": "open",
        "fact_net_weight": "12.50", "fact_from_town": "Oslo", "fact_from_zip": "0150", "fact_late_one": ""}
    assert (cases[1]["lead_id"], cases[1]["stop_count"], cases[1]["fact_late_one"]) == ("2", "0", "false")
    assert [list(row.values())[3:] for row in rows_of(out / "parcels.csv")] == [["0", "0", "1e3"], ["0", "1", "2"]]
    assert [list(row.values())[1:] for row in rows_of(out / "scans.csv")] == [
        ["C 1/ü", "north & south", "0", "0", "0", "https://s.example/1", "true"]]
    assert [row["town"] for row in rows_of(out / "stops.csv")] == ["Oslo", "Bergen"]
    whole, _ = lines_of(leadpipe.folder / "lead.ndjson")
    assert whole["facts"][1] == {"position": 1, "name": "from", "is": {"town": "Oslo", "zip": "0150"}}
    assert list(whole)[-4:] == ["facts", "stops", "parcels", "scans"]
    members = manifest(leadpipe.folder / "manifest.json")
    assert members["provider"] == "bureau" and ledger_of(members) == {"exported": 2, "missing": 1}


def test_its_own_way_to_fail(leadpipe, bureau):
    export(leadpipe, bureau, ["2", "refused", "empty"], "-t", "csv:out.csv", "--failed", "failed.ndjson", status=3)
    refused, empty = sorted(lines_of(leadpipe.folder / "failed.ndjson"), key=lambda line: line["id"], reverse=True)
    assert (refused["id"], refused["code"], refused["depot"]) == ("refused", "44", "north & south")
    assert "No such case" in refused["error"]
    assert empty["id"] == "empty" and empty["stage"] == "fetch"


def test_tables_and_refusals(leadpipe, bureau):
    done = leadpipe("tables", "bureau.json")
    assert done.returncode == 0 and b"stop_position" in done.stdout, done.stderr
    export(leadpipe, bureau, ["2"], "-t", "csv,table=leads:out.csv", status=2)
    wrong = dict(PROFILE, tables=[dict(PROFILE["tables"][0], colums=[])] + PROFILE["tables"][1:])
    (leadpipe.folder / "bureau.json").write_text(json.dumps(wrong))
    done = export(leadpipe, bureau, ["2"], "-t", "csv:out.csv", status=2)
    assert "/tables/0/colums" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (leadpipe.folder / "out.csv").exists() and bureau.seen == []
