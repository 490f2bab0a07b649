"""Tests of the reference itself: the contract's examples and decisions, and that the readers and
the comparison notice damage."""

import gzip
import json
import os
import subprocess
import sys

import msgpack
import pytest

from . import compare, readers, samplewriters as write, values
from .columns import Columns, lowest_free
from .flatten import Flattener, LazyFlattener
from .ids import read_ids
from .jsonval import (NotJson, Num, TooDeep, dumps_compact, scrub, minify, parse, parse_strict,
                      raw_text)
from .names import snake_case
from .openfile import ReadError
from .readcsv import CsvTable
from .walk import Source, classify

HERE = os.path.dirname(os.path.abspath(__file__))


def omni(**root):
    """An omni payload; lead={} unless given."""
    root.setdefault("lead", {})
    return json.dumps(root).encode()


def flat(*payloads, provider="omni", **options):
    flattener = Flattener(provider, **options)
    for number, payload in enumerate(payloads, 1):
        assert flattener.add("L%d" % number, payload, "7") == "exported"
    return flattener


def undocumented(flattener, table="leads"):
    columns = flattener.schema.tables[table]
    return columns.columns()[len(columns.documented):]


def cells(row, *columns):
    return [row.get(column, "absent") for column in columns]


def checklist(*items):
    return omni(checklistItems=[{"id": "g", "items": list(items)}])


def item(code, *value, **more):
    members = dict({"value": value[0]} if value else {}, **more)
    return dict(members, checklistItem={"code": code})


# --- names

@pytest.mark.parametrize("key, name", [
    ("externalPortalLink", "external_portal_link"), ("ID", "id"), ("userID", "user_id"),
    ("linkedIn", "linked_in"), ("HTMLBody", "html_body"),
    ("Matched checklist items", "matched_checklist_items"),
    ("", "field"), ("__", "field"), ("-x--y-", "x_y"), ("2nd owner", "_2nd_owner"),
    ("checklist_2nd owner", "checklist_2nd_owner"), ("address2Line", "address2_line"),
    ("userIDs", "user_i_ds"), ("Straße/Nr", "straße_nr"), ("É", "É"), ("a\x7fb\x01c", "a_b_c"),
    ("x" * 600, "x" * 512), ("x" * 511 + "é", "x" * 511),
    ("A", "a"), ("a1B2C", "a1_b2_c"), ("dID", "d_id"), ("x_2", "x_2"), ("a.b[0]", "a_b_0"),
])
def test_names(key, name):
    assert snake_case(key) == name


def test_lowest_free_suffix():
    assert lowest_free("x", {"x", "x_2", "x_4"}) == "x_3"
    assert lowest_free("x_2", {"x_2"}) == "x_2_2"


# --- JSON

def test_numbers_keep_their_text():
    value = parse(b"[1.0, 1e400, -0, 12345678901234567890123, 0.10]")
    assert value == [Num(t) for t in ("1.0", "1e400", "-0", "12345678901234567890123", "0.10")]
    assert dumps_compact(value) == "[1.0,1e400,-0,12345678901234567890123,0.10]"


@pytest.mark.parametrize("text", [
    b"", b" ", b"{", b"[1,]", b"NaN", b"[-Infinity]", b"01", b"1 2", b"{a:1}", b'"a\nb"', b'"\\x"',
    b"'a'", b"\xff", b"[1]\x00", b"[.5]", b"[+1]", b"\xef\xbb\xbf", b"\xc2\xa0[]",
])
def test_not_json(text):
    with pytest.raises(NotJson):
        parse(text)


def test_broken_text_is_replaced():
    assert scrub(parse(rb'{"a\u0000":"x\ud800y", "b":"\ud83d\ude00"}')) == {"a\ufffd": "x\ufffdy",
                                                                           "b": "\U0001f600"}
    assert scrub(parse(b'["\xff", "\xe2\x82", "\xed\xa0\x80"]')) == ["\ufffd", "\ufffd", "\ufffd" * 3]
    assert parse(b"\xef\xbb\xbf[]") == []


@pytest.mark.parametrize("payload, names, raw", [
    (b'{"H\xf6he":3,"H\xfche":4}', ["H\ufffdhe", "H\ufffdhe_2"], '{"H\ufffdhe":3,"H\ufffdhe_2":4}'),
    (b'{"\xff":3,"\xff":4}', ["\ufffd"], '{"\ufffd":3,"\ufffd":4}'),
    (rb'{"\ud800":1,"\ud801":2,"\uD800":3,"\u0000":4}', ["\ufffd", "\ufffd_2", "\ufffd_3"],
     r'{"\ud800":1,"\ud801":2,"\uD800":3,"\u0000":4}'),
    (b'{"\xff":1, "\xef\xbf\xbd":2, "\xfe":3}', ["\ufffd_2", "\ufffd", "\ufffd_3"],
     '{"\ufffd_2":1,"\ufffd":2,"\ufffd_3":3}'),
    (b'{"\xff":1,"\xfe":2,"\xef\xbf\xbd_2":3,"\xfe_2":4}', ["\ufffd", "\ufffd_3", "\ufffd_2", "\ufffd_2_2"],
     '{"\ufffd":1,"\ufffd_3":2,"\ufffd_2":3,"\ufffd_2_2":4}'),
    (b'{"\xed\xa0\x80":1,"\\ud800\\ud800\\ud800":2}', ["\ufffd" * 3, "\ufffd" * 3 + "_2"],
     '{"\ufffd\ufffd\ufffd":1,"\\ud800\\ud800\\ud800":2}'),
    (b'{"\\udc80":1,"\x80":2,"\\ud800\\udc80":3}', ["\ufffd", "\ufffd_2", "\U00010080"],
     '{"\\udc80":1,"\ufffd_2":2,"\\ud800\\udc80":3}'),
])
def test_names_that_differ_in_what_is_replaced(payload, names, raw):
    assert list(scrub(parse(payload))) == names
    assert raw_text(payload) == raw


def test_last_duplicate_wins_at_the_first_place():
    assert list(parse(b'{"a":1,"b":2,"a":3}').items()) == [("a", Num(3)), ("b", Num(2))]


def test_depth():
    assert parse(b"[" * 200 + b"]" * 200)
    assert parse(b'["' + b"[" * 999 + b'\\"["]')
    with pytest.raises(TooDeep):
        parse(b"[" * 201 + b"]" * 201)
    with pytest.raises(TooDeep):
        parse(b'{"a":' * 201 + b"1" + b"}" * 201)
    with pytest.raises(TooDeep):
        parse(b"[" * 100000)
    with pytest.raises(NotJson):
        parse(b"[" * 10 + b"x" + b"[" * 300)


def test_compact_text():
    assert dumps_compact(parse(' {"ä" : [true, null, "\\u001f\\"\\/\\n"]} '.encode())) == (
        '{"ä":[true,null,"\\u001f\\"/\\n"]}')
    assert minify(' { "a b" : [ 1 ,\n"\\" x" ] } ') == '{"a b":[1,"\\" x"]}'
    with pytest.raises(NotJson):
        parse_strict('{"a":1,"a":2}')
    with pytest.raises(NotJson):
        parse_strict('"\\ud800"')


@pytest.mark.parametrize("provider, payload, outcome", [
    ("omni", b'{"lead":{}}', "exported"),
    ("omni", b'{"lead":null}', ("failed", "fetch")),
    ("omni", b'{"success":false,"lead":{}}', ("failed", "fetch")),
    ("omni", b"[]", ("failed", "fetch")),
    ("omni", b"<html>", ("failed", "parse")),
    ("omni", b"[" * 201 + b"]" * 201, ("failed", "parse")),
    ("convocore", b'{"success":true,"data":{}}', "exported"),
    ("convocore", b'{"data":{}}', "exported"),
    ("convocore", b'{"success":false,"data":{}}', ("failed", "fetch")),
    ("convocore", b'{"success":true,"message":""}', ("failed", "fetch")),
    ("convocore", b'{"success":true,"data":[]}', ("failed", "fetch")),
])
def test_classify(provider, payload, outcome):
    assert classify(provider, payload) == outcome
    assert Flattener(provider).add("x", payload) == outcome


# --- flattening

EXAMPLE = json.dumps({
    "lead": {"id": "a9d0a790", "activitySummary": None, "assigneeType": "HUMAN_AGENT",
             "businessName": "Pacific Coast Container Haulers", "didOptOut": False,
             "firstName": "John", "workspaceId": "ws-123"},
    "status": "IN_PROGRESS",
    "checklistItems": [{"id": "group-id", "name": "Business Information", "conditions": None,
                        "items": [{"id": "lci-1", "checklistItemId": "ci-1",
                                   "value": "Pacific Coast Container Haulers",
                                   "status": "COMPLETED", "itemOverride": None,
                                   "checklistItem": {"id": "ci-1", "code": "business_name",
                                                     "label": "Business Name",
                                                     "fieldType": "TEXT", "isRequired": True,
                                                     "conditions": None}}]}],
    "documents": [],
    "actionLogs": [{"id": "log-1", "type": "API_ACTIVITY", "status": "COMPLETED",
                    "summary": "Lead created", "createdAt": "2026-01-30T02:00:00.000Z"}],
    "matchingLeads": [], "lastAction": None, "nextFollowUp": None, "nextDraft": None}).encode()


def test_documented_example():
    flattener = flat(EXAMPLE)
    assert undocumented(flattener) == ["checklist_business_name"]
    assert len(flattener.columns("leads")) == 2 + 1 + 21 + 4 + 15 + 1
    lead = flattener.rows("leads")[0]
    assert list(lead)[:5] == ["provider", "lead_id", "status", "id", "activity_summary"]
    assert cells(lead, "checklist_item_count", "document_count", "action_log_count",
                 "matching_lead_count", "website", "last_action_id") == [
                     Num(1), Num(0), Num(1), Num(0), "absent", "absent"]
    assert flattener.rows("checklist_items") == [{
        "provider": "omni", "lead_id": "L1", "group_position": Num(0), "group_id": "group-id",
        "group_name": "Business Information", "group_conditions": None, "position": Num(0),
        "id": "lci-1", "checklist_item_id": "ci-1", "code": "business_name",
        "label": "Business Name", "field_type": "TEXT", "is_required": True,
        "value": "Pacific Coast Container Haulers", "status": "COMPLETED", "item_override": None,
        "conditions": None}]
    assert list(flattener.rows("action_logs")[0].items()) == [
        ("provider", "omni"), ("lead_id", "L1"), ("position", Num(0)), ("id", "log-1"),
        ("type", "API_ACTIVITY"), ("status", "COMPLETED"), ("summary", "Lead created"),
        ("created_at", "2026-01-30T02:00:00.000Z")]
    assert flattener.rows("documents") == []


def test_checklist_columns():
    lead = flat(checklist(
        item("a", "1"), item("a", None), item("a"), item("a", "4"), item("2nd owner", "x"),
        item("home", {"street": "S", "postalCode": None}), item("home", {"street": "T"}),
        item("e", {}), item("j", {"x": [1]}), item("l", [1]), item("", "no"), item(7, "no"),
        {"value": "no", "checklistItem": None}, {"value": "no"})).rows("leads")[0]
    got = {key: value for key, value in lead.items()
           if key.startswith("checklist_") and key != "checklist_item_count"}
    assert got == {"checklist_a": "1", "checklist_a_2": None, "checklist_a_4": "4",
                   "checklist_2nd_owner": "x", "checklist_home_street": "S",
                   "checklist_home_postal_code": None, "checklist_home_2_street": "T",
                   "checklist_e": {}, "checklist_j": {"x": [Num(1)]}, "checklist_l": [Num(1)]}
    assert lead["checklist_item_count"] == Num(14)


def test_item_and_group_shapes():
    flattener = flat(omni(checklistItems=[
        None, "x", {"id": "none"}, {"items": None, "id": "n"},
        {"id": "g", "weight": 2, "items": [
            "bare", None,
            {"id": "i", "checklistItemId": "c", "code": "own", "documents": "no list",
             "checklistItem": {"id": "c", "code": "k", "hint": "h"}},
            {"checklistItemId": "c", "checklistItem": {"id": "d"}},
            {"checklistItem": {"id": None}}, {"checklistItem": "text"}]}]))
    rows = flattener.rows("checklist_items")
    assert [row["group_position"] for row in rows] == [Num(4)] * 6
    assert [row["position"] for row in rows] == [Num(n) for n in range(6)]
    assert [row.get("value", "absent") for row in rows] == ["bare", None] + ["absent"] * 4
    assert cells(rows[2], "checklist_item_id_2", "code", "code_2", "documents",
                 "checklist_item_hint", "group_weight") == ["absent", "k", "own", "no list", "h",
                                                            Num(2)]
    assert rows[3]["checklist_item_id_2"] == "d"
    assert rows[4]["checklist_item_id_2"] is None
    assert rows[5]["checklist_item"] == "text"


def test_members_that_differ_from_their_documentation():
    flattener = flat(omni(lead={"documents": 1, "leadId": 2, "first_name": "f", "status": "s"},
                          documents="x", actionLogs={}, matchingLeads=None, lastAction="then",
                          nextDraft={"id": 1, "toolName": "t", "type": None}, tags=["a"]))
    lead = flattener.rows("leads")[0]
    assert cells(lead, "first_name", "first_name_2", "lead_id_2", "action_logs_2", "last_action",
                 "next_draft_id", "next_draft_tool_name", "next_draft_type", "tags", "status",
                 "status_2", "matching_leads", "action_log_count") == [
                     "absent", "f", Num(2), {}, "then", Num(1), "t", None, ["a"], "absent", "s",
                     "absent", Num(0)]
    assert {lead["documents_2"], lead["documents_3"]} == {Num(1), "x"}


def test_child_tables():
    document = {"id": "d", "mimeType": "m", "lead_checklist_item_id": "own"}
    flattener = flat(omni(
        checklistItems=[{"items": [{"id": "i", "documents": [document]}]}],
        actionLogs=["bare", {"id": "l", "tool": {"id": "t", "kind": "k"}, "messages": [
            {"id": "m", "documents": [{"id": "e", "createdAt": "c"}], "actionLogId": "own"}]},
            {"tool": "hammer", "messages": "none"}],
        matchingLeads=[{"id": "o", "score": 1}, None]))
    row = flattener.rows("checklist_item_documents")[0]
    assert cells(row, "lead_checklist_item_id", "lead_checklist_item_id_2", "group_position",
                 "item_position", "position", "mime_type") == [
                     "i", "own", Num(0), Num(0), Num(0), "m"]
    logs = flattener.rows("action_logs")
    assert logs[0]["value"] == "bare" and "id" not in logs[0]
    assert cells(logs[1], "position", "tool_id", "tool_kind") == [Num(1), "t", "k"]
    assert cells(logs[2], "tool", "messages") == ["hammer", "none"]
    row = flattener.rows("action_log_messages")[0]
    assert cells(row, "action_log_id", "action_log_position", "action_log_id_2") == [
        "l", Num(1), "own"]
    row = flattener.rows("action_log_message_documents")[0]
    assert cells(row, "action_log_id", "message_id", "message_position", "id", "created_at") == [
        "l", "m", Num(0), "e", "c"]
    assert [cells(row, "position", "id", "score", "value")
            for row in flattener.rows("matching_leads")] == [
                [Num(0), "o", Num(1), "absent"], [Num(1), "absent", "absent", None]]


@pytest.mark.parametrize("mode, url", [("strip", "https://h/p"), ("keep", "https://h/p?a?b"),
                                       ("drop", None)])
def test_signed_urls(mode, url):
    signed = {"signedUrl": "https://h/p?a?b", "url": "https://h/p?a?b", "other": "x?y"}
    flattener = flat(omni(documents=[signed, "x?y"], lead={"url": "u?v"}, extra={
        "documents": [dict(signed, deep=signed), [signed]], "signedUrl": "x?y"}), signed_urls=mode)
    rows = flattener.rows("documents")
    assert cells(rows[0], "signed_url", "url", "other") == [url, url, "x?y"]
    assert rows[1]["value"] == "x?y"
    lead = flattener.rows("leads")[0]
    assert lead["url"] == "u?v"
    inner = dict(signed, signedUrl=url, url=url)
    assert lead["extra"] == {"documents": [dict(inner, deep=signed), [signed]],
                             "signedUrl": "x?y"}


def test_convocore():
    flattener = flat(json.dumps({"success": True, "message": "m", "data": {
        "id": "c", "agentId": 7, "user_id": "u", "userId": "v", "metaData": {
            "source": "s", "linkedIn": "l"}, "hotScore": 1, "crm_activities": "taken",
        "crmActivities": [{"id": "a", "dueDate": None, "extra": [], "notesHistory": [
            {"text": "t", "agentName": "n"}, "bare"]}]}}).encode(),
        b'{"data":{"metaData":"text"}}', provider="convocore")
    first, second = flattener.rows("leads")
    assert list(first)[:4] == ["provider", "lead_id", "agent_id", "id"] and "agent_id_2" not in first
    assert cells(first, "provider", "id", "agent_id", "user_id", "user_id_2", "meta_data_source",
                 "meta_data_linked_in", "hot_score", "crm_activities_2") == [
                     "convocore", "c", "7", "u", "v", "s", "l", Num(1), "taken"]
    assert second == {"provider": "convocore", "lead_id": "L2", "agent_id": "7",
                      "meta_data": "text"}
    assert "message" not in undocumented(flattener)
    assert flattener.rows("crm_activities") == [{
        "provider": "convocore", "lead_id": "L1", "agent_id": "7", "position": Num(0), "id": "a",
        "due_date": None, "extra": []}]
    notes = flattener.rows("crm_activity_notes")
    assert cells(notes[0], "crm_activity_id", "crm_activity_position", "text", "note_agent_name") == [
        "a", Num(0), "t", "n"]
    assert cells(notes[1], "position", "value", "text") == [Num(1), "bare", "absent"]


@pytest.mark.parametrize("agent, second", [
    ("7", "absent"), (7, "absent"), (7.5, Num("7.5")), ("8", "8"), (None, None), (True, True), ([7], [Num(7)])])
def test_a_member_that_repeats_the_parameter(agent, second):
    flattener = flat(json.dumps({"data": {"agentId": agent}}).encode(), provider="convocore")
    assert cells(flattener.rows("leads")[0], "agent_id", "agent_id_2") == ["7", second]


def test_columns_come_in_order_of_appearance():
    flattener = flat(omni(lead={"b": 1}), omni(lead={"a": 1, "b": 2}), omni(lead={"c": 1}))
    assert undocumented(flattener) == ["b", "a", "c"]


def test_a_source_keeps_its_column():
    flattener = flat(omni(lead={"aB": 1}), omni(lead={"a_b": 2}), omni(lead={"a_b": 3, "aB": 4}))
    assert [cells(row, "a_b", "a_b_2") for row in flattener.rows("leads")] == [
        [Num(1), "absent"], ["absent", Num(2)], [Num(4), Num(3)]]


def test_lazy_flattener_gives_the_same():
    payloads = [("L1", EXAMPLE), ("bad", b"<"), ("L2", omni(lead={"x": 1}))]
    lazy = LazyFlattener("omni", "strip", lambda: (pair + (None,) for pair in payloads))
    kept = flat(EXAMPLE, omni(lead={"x": 1}))
    assert lazy.tables() == kept.tables() and lazy.ids() == kept.ids()
    assert lazy.failed == [("bad", "parse")]


# --- what the contract leaves open

def test_namings_of_clashing_sources():
    columns = Columns(["id"])
    lead, root = Source("lead", "x", "x"), Source("root", "x", "x")
    columns.add([{"id": 1, lead: 1, root: 2}])
    assert columns.branches["x"] == [{lead: "x", root: "x_2"}, {lead: "x_2", root: "x"}]
    later = Source("root", "X", "x")
    columns.add([{later: 1}])
    assert [branch[later] for branch in columns.branches["x"]] == ["x_3", "x_3"]
    assert len(columns.branches) == 1


def test_header_tolerance():
    columns = Columns(["id"])
    sources = [Source("lead", key, key) for key in "ab"] + [Source("root", "c", "c")]
    columns.add([dict.fromkeys(sources)])
    columns.add([{Source("lead", "d", "d"): 1}])
    names = columns.names()
    for header in ("abcd", "acbd", "cabd"):
        assert columns.header_fits(["id", *header], names) is None
    for header in ("bacd", "abdc", "abc", "abcde", "abce"):
        assert columns.header_fits(["id", *header], names)
    assert columns.header_fits([*"abcd"], names)


def swapped(text):
    return text.replace('"x":', '"X":').replace('"x_2":', '"x":').replace('"X":', '"x_2":')


def test_either_naming_but_one_for_all(tmp_path):
    flattener = flat(omni(lead={"x": 1}, x=2), omni(lead={"x": 3}, x=4))
    ours = write.ndjson(write.lead_objects(flattener))
    first, second = ours.splitlines(keepends=True)
    path = tmp_path / "a"

    def differences(text, choices=None):
        path.write_text(text)
        return compare.compare_tables(flattener, readers.ndjson_leads(path, "omni"),
                                      choices=choices)

    assert not differences(ours) and not differences(swapped(ours))
    assert differences(first + swapped(second)) and differences(swapped(first) + second)
    choices = compare.Choices(flattener.schema)
    assert not differences(ours, choices)
    assert differences(swapped(ours), choices)


# --- readers

RICH = [
    omni(lead={"id": "1", "firstName": "", "lastName": 'q"u,o\nte', "weiß": "ä\r\n;\t"},
         big=None, extra={"a": [1.5, True]}, checklistItems=[{"id": "g", "items": [
             item("k", "v", id="i", documents=[{"id": "d", "signedUrl": "u?s"}])]}],
         actionLogs=[{"id": "l", "messages": [{"id": "m", "documents": [{"id": "e"}]}]}],
         documents=[{"id": "f"}], matchingLeads=[{"id": "o"}]).replace(
             b'"big": null', b'"big": 123456789012345678901'),
    omni(lead={"id": "2", "website": "=1+2", "phoneNumber": "+1 (678)"}, status=None),
    EXAMPLE,
]


@pytest.fixture
def rich():
    return flat(*RICH)


def csv_differences(flattener, directory, encoding=compare.CSV, **dialect):
    try:
        tables = readers.csv_tables(str(directory), "omni", **dialect)
        headers = {name: table.columns for name, table in tables.items()}
        leads = readers.csv_leads(tables, encoding is compare.CSV_EXCEL_SAFE)
        return compare.compare_tables(flattener, leads, encoding, headers)
    except ReadError as error:
        return [str(error)]


def object_files(flattener, directory, kind):
    """As a sink writes them into a directory."""
    directory.mkdir()
    for table in flattener.schema.tables:
        rows = flattener.rows(table)
        if kind == "ndjson":
            (directory / (table + ".ndjson")).write_text(write.ndjson(rows))
        else:
            (directory / (table + ".msgpack.gz")).write_bytes(write.msgpack_bytes(rows))


@pytest.mark.parametrize("kind, encoding", [("ndjson", compare.JSON), ("msgpack", compare.MSGPACK)])
def test_a_file_for_each_table(rich, tmp_path, kind, encoding):
    object_files(rich, tmp_path / "out", kind)

    def differences():
        leads = readers.object_table_leads(str(tmp_path / "out"), "omni", kind)
        return compare.compare_tables(rich, leads, encoding)

    assert not differences()
    documents = next((tmp_path / "out").glob("documents.*"))
    whole = documents.read_bytes()
    documents.write_bytes(b"" if kind == "ndjson" else gzip.compress(b""))
    assert differences()
    documents.unlink()
    with pytest.raises(ReadError):
        differences()
    documents.write_bytes(whole)
    assert not differences()
    if kind == "ndjson":
        documents.write_bytes(b'{"_table":"documents",' + whole[1:])
        assert any("names its table" in line for line in differences())


def test_csv_is_accepted(rich, tmp_path):
    write.write_csv(tmp_path, rich)
    counts = compare.Counts()
    tables = readers.csv_tables(str(tmp_path), "omni")
    assert compare.compare_tables(rich, readers.csv_leads(tables), compare.CSV,
                                  {name: tables[name].columns for name in tables},
                                  counts=counts) == []
    assert (counts.leads, counts.rows, len(counts.tables)) == (3, 12, 8)
    for name in os.listdir(str(tmp_path)):
        (tmp_path / (name + ".gz")).write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        (tmp_path / name).unlink()
    assert csv_differences(rich, tmp_path) == []


def test_csv_dialects(rich, tmp_path):
    write.write_csv(tmp_path, rich, delimiter=";", eol="\r\n")
    assert csv_differences(rich, tmp_path, delimiter="semicolon", eol="crlf") == []
    assert csv_differences(rich, tmp_path, delimiter="semicolon")
    assert csv_differences(rich, tmp_path, eol="crlf")
    assert csv_differences(rich, tmp_path, delimiter="semicolon", eol="crlf", bom=True)


def test_csv_excel_safe(rich, tmp_path):
    write.write_csv(tmp_path, rich)
    assert csv_differences(rich, tmp_path, compare.CSV_EXCEL_SAFE)
    leads = tmp_path / "leads.csv"
    leads.write_bytes(leads.read_bytes().replace(b"=1+2", b"'=1+2"))
    assert csv_differences(rich, tmp_path, compare.CSV_EXCEL_SAFE) == []
    leads.write_bytes(leads.read_bytes().replace(b"+1 (678)", b"'+1 (678)"))
    assert csv_differences(rich, tmp_path, compare.CSV_EXCEL_SAFE)


def test_csv_excel_safe_ids(tmp_path):
    formula = Flattener("omni")
    assert formula.add("=L", omni(documents=[{"id": "d"}])) == "exported"
    write.write_csv(tmp_path, formula)
    assert csv_differences(formula, tmp_path, compare.CSV_EXCEL_SAFE)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes().replace(b",=L", b",'=L"))
    assert csv_differences(formula, tmp_path, compare.CSV_EXCEL_SAFE) == []
    assert csv_differences(formula, tmp_path)


@pytest.mark.parametrize("text, guards", [
    ("=1+1", "'"), ("@cmd", "'"), ("-2+3", "'"), ("+SUM(A1)", "'"), ("-1-2", "'"), ("--1", "'"),
    ("-42.5", " "), ("-1e5", " "), ("+16782319992", " "), ("+1 (678) 231-9992", " "),
    ("1-2", " "), ("", " "), ("x=1", " "), ("-", " '"), ("\t=1", " '"), ("+1/2", " '"),
])
def test_excel_safe_cells(text, guards):
    assert values.same_excel_safe(text, text) == (" " in guards)
    assert values.same_excel_safe(text, "'" + text) == ("'" in guards)


@pytest.mark.parametrize("old, new", [
    (b'""', b""), (b"omni,L2,,2", b'omni,L2,"",2'), (b"omni,L2", b"omni,L3"), (b",L1", b",L2"),
    (b"123456789012345678901", b"123456789012345680000"), (b"1.5,true", b"1.5, true"),
    (b'q""u', b'q"u'), (b"=1+2", b"'=1+2"), (b"=1+2,", b"=1+2"), (b"=1+2", b'a"b'),
    ("ä".encode(), b"\xe4"), (b"\r\n;", b"\n;"), (b",extra", b",extr"), (b",extra", b""),
    (b"status,id", b"id,status"), (b"L3,IN_PROGRESS", b"L3,COMPLETED"), (b",false,", b",0,"),
])
def test_csv_damage_is_noticed(rich, tmp_path, old, new):
    write.write_csv(tmp_path, rich)
    path = tmp_path / "leads.csv"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    assert csv_differences(rich, tmp_path)


def test_csv_lost_and_repeated_rows(rich, tmp_path):
    def damaged(name, change):
        write.write_csv(tmp_path, rich)
        path = tmp_path / (name + ".csv")
        text = path.read_bytes()
        path.write_bytes(change(text))
        return csv_differences(rich, tmp_path)

    assert damaged("documents", lambda text: text) == []
    assert damaged("documents", lambda text: text[:text.index(b"\n") + 1])
    assert damaged("documents", lambda text: text + text[text.index(b"\n") + 1:])
    assert damaged("documents", lambda text: text[:-1])
    assert damaged("documents", lambda text: b"")
    assert damaged("documents", lambda text: text + b"\n")
    assert damaged("documents", lambda text: text + b'omni,"L3')
    assert damaged("action_logs", lambda text: text.replace(b"L3", b"L2"))
    assert damaged("leads", lambda text: text[:text.rindex(b"omni,L3")])
    assert damaged("leads", lambda text: text + text[text.rindex(b"omni,L3"):])
    (tmp_path / "documents.csv").unlink()
    assert csv_differences(rich, tmp_path)


def test_single_csv_without_header(rich, tmp_path):
    path = tmp_path / "one"
    text = write.csv_text(rich.columns("documents"), rich.rows("documents"))
    path.write_text(text.split("\n", 1)[1])
    tables = readers.csv_tables(str(path), "omni", "documents", columns=rich.columns("documents"))
    assert not compare.compare_tables(rich, readers.csv_leads(tables), compare.CSV,
                                      tables=["documents"])
    path.write_text("")
    tables = {"documents": CsvTable(str(path), rich.columns("documents"))}
    assert compare.compare_tables(rich, readers.csv_leads(tables), compare.CSV,
                                  tables=["documents"])


def json_differences(flattener, path, data, layout="lead"):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return compare.compare_tables(flattener, readers.ndjson_leads(str(path), "omni", layout))


def test_ndjson_is_accepted(rich, tmp_path):
    path = tmp_path / "x"
    assert json_differences(rich, path, write.ndjson(write.lead_objects(rich))) == []
    assert json_differences(rich, path, write.ndjson(write.row_objects(rich)), "rows") == []
    packed = gzip.compress(write.ndjson(write.lead_objects(rich)).encode())
    assert json_differences(rich, path, packed) == []
    assert json_differences(rich, path, packed[:-9])


@pytest.mark.parametrize("old, new", [
    ('"first_name":""', '"first_name":null'), ('"first_name":"",', ""), ("1.5", "1.50"),
    ('"status":null', '"status":""'), ("123456789012345678901", '"123456789012345678901"'),
    ('"L2"', '"L3"'), ('"L2"', '"L1"'), ("}\n", "}"), ("}\n", "}\n\n"), ("{", "\ufeff{"),
    ('"documents":[]', '"documents":null'), (',"matching_leads":[]', ""), ("u", "\udcff"),
    ('"id":"2"', '"id":"2","id":"2"'), ('"provider":"omni","lead_id":"L2"',
                                        '"lead_id":"L2","provider":"omni"'),
    ('"id":"f"', '"lead_id":"L1","id":"f"'), ('"q\\"u', '"\\u0000q\\"u'), ("true", "1"),
])
def test_ndjson_damage_is_noticed(rich, tmp_path, old, new):
    text = write.ndjson(write.lead_objects(rich))
    assert old in text
    data = text.replace(old, new).encode("utf-8", "surrogateescape")
    assert json_differences(rich, tmp_path / "x", data)


def test_ndjson_lost_leads_and_rows(rich, tmp_path):
    lines = write.ndjson(write.lead_objects(rich)).splitlines(keepends=True)
    for damaged in (lines[:2], lines[1:], lines + lines[2:], lines[::-1], [lines[0], lines[2]]):
        assert json_differences(rich, tmp_path / "x", "".join(damaged))
    lines = write.ndjson(write.row_objects(rich)).splitlines(keepends=True)
    for n in range(len(lines)):
        damaged = "".join(lines[:n] + lines[n + 1:])
        assert json_differences(rich, tmp_path / "x", damaged, "rows")
    damaged = "".join(lines).replace('"_table":"documents",', "")
    assert json_differences(rich, tmp_path / "x", damaged, "rows")


@pytest.mark.parametrize("text, wanted", [
    ("1", 1), ("-1", -1), ("18446744073709551615", 2 ** 64 - 1), ("0.1", 0.1), ("1.0", 1.0),
    ("-9223372036854775808", -2 ** 63), ("-0", -0.0), ("1e2", 100.0),
    ("18446744073709551616", 2.0 ** 64 if "e" not in repr(2.0 ** 64) else "18446744073709551616"),
    ("100000000000000000000", 1e20), ("123456789012345678901", "123456789012345678901"),
    ("0.1000000000000000055", "0.1000000000000000055"), ("1e400", "1e400"),
    ("1e-400", "1e-400"), ("0.10", 0.1), ("1E5", 1e5), ("-0.0", -0.0),
])
def test_msgpack_numbers(text, wanted):
    assert values.same(values.number_to_msgpack(text), wanted)


def msgpack_differences(flattener, path, data, layout="lead"):
    path.write_bytes(data)
    return compare.compare_tables(flattener, readers.msgpack_leads(str(path), "omni", layout),
                                  compare.MSGPACK)


def test_msgpack(rich, tmp_path):
    path = tmp_path / "x"
    objects = list(write.lead_objects(rich))
    good = write.msgpack_bytes(objects)
    plain = gzip.decompress(good)
    assert msgpack_differences(rich, path, good) == []
    assert msgpack_differences(rich, path, plain) == []
    assert msgpack_differences(rich, path, write.msgpack_bytes(write.row_objects(rich)),
                               "rows") == []
    objects[1]["id"] = Num("2")
    for damaged in (good[:-1], plain[:-1], plain[1:], plain + b"\xc0", plain + b"\x81",
                    plain.replace(b"\xa2L2", b"\xc4\x02L2"), plain.replace(b"\xa2L2", b"\xa2L\xff"),
                    plain.replace(b"\xa2L2", b"\xd9\x02L2"), write.msgpack_bytes(objects),
                    plain.replace(msgpack.packb(1.5), b"\xca\x3f\xc0\x00\x00"),
                    plain.replace(b"\xaedocument_count\x01", b"\xaedocument_count\xd0\x01")):
        assert damaged != plain and msgpack_differences(rich, path, damaged)


def webhook_differences(flattener, bodies):
    try:
        leads = compare.in_order_of(flattener.ids(), readers.webhook_leads(bodies, "omni"))
        return compare.compare_tables(flattener, iter(leads))
    except ReadError as error:
        return [str(error)]


def test_webhook(rich):
    bodies = list(write.webhook_bodies(write.lead_objects(rich)))
    assert webhook_differences(rich, bodies[::-1] + bodies[:1]) == []
    assert webhook_differences(rich, write.webhook_bodies(write.lead_objects(rich), 2)) == []
    assert webhook_differences(rich, bodies[1:])
    for old, new in ((b'"type":"lead.', b'"type":"leads.'), (b'"L2"', b'"L1"'), (b"1.5", b"1.50"),
                     (b'"timestamp"', b'"time"'), (b"}", b"", ), (b'"id":"2"', b'"id":2'),
                     (b'"provider":"omni"', b'"provider":"omni","provider":"omni"'),
                     (b"\xc3", b"")):
        assert webhook_differences(rich, [body.replace(old, new) for body in bodies]), old
    again = bodies[1].replace(b"2026", b"2027")
    assert webhook_differences(rich, bodies + [again])


def test_raw(tmp_path):
    payloads = [("L1", RICH[0]), ("L2", b'{ "lead" : {"a":1, "a":2.50} }'), ("L3", EXAMPLE)]
    wanted = payloads
    path = tmp_path / "x"

    def differences(text):
        path.write_text(text)
        try:
            return compare.compare_raw(wanted, readers.ndjson_raw(str(path)), "omni", raw_text)
        except ReadError as error:
            return [str(error)]

    text = write.raw_ndjson("omni", payloads)
    assert differences(text) == []
    for old, new in (("2.50", "2.5"), ('"a":1,', ""), ("u?s", "u"), ("L2", "L4"), ("omni", "x"),
                     ('"payload"', '"body"'), ("}\n", ',"more":1}\n'), ("}}\n", "}\n"),
                     ('"lead_id":"L2",', "")):
        assert old in text and differences(text.replace(old, new, 1)), old
    assert differences(text[:text.rindex("\n", 0, -1) + 1])

    path.write_bytes(write.msgpack_bytes(write.raw_objects("omni", payloads)))
    convert = lambda payload: values.to_msgpack(scrub(parse(payload)))  # noqa: E731
    assert compare.compare_raw(wanted, readers.msgpack_raw(str(path)), "omni", convert) == []

    bodies = list(write.webhook_bodies(write.raw_objects("omni", payloads[:1] * 2), 2))
    found = list(readers.webhook_raw(bodies))
    assert found == [("L1", "omni", dumps_compact(parse(RICH[0])))] * 2


# --- the command

def check(*arguments):
    return subprocess.run([sys.executable, os.path.join(HERE, "check.py"), *map(str, arguments)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)


def test_check(rich, tmp_path):
    payloads, out = tmp_path / "payloads", tmp_path / "out"
    payloads.mkdir()
    leads = [("L%d" % n, payload) for n, payload in enumerate(RICH, 1)]
    for lead_id, payload in leads + [("L4", b"{}"), ("L/5", EXAMPLE)]:
        (payloads / (lead_id.replace("/", "%2F") + ".json")).write_bytes(payload)
    (tmp_path / "ids").write_text("# leads\nL1\n L2\r\nL2\nL3\nL4\nL/5\n")
    (tmp_path / "absent").write_text('{"id":"L/5","stage":"fetch"}\n')
    write.write_csv(out, rich)
    lines = write.ndjson(write.lead_objects(rich))
    (tmp_path / "n").write_text(lines)
    (tmp_path / "r").write_text(write.raw_ndjson("omni", leads))
    (tmp_path / "m").write_bytes(write.msgpack_bytes(write.lead_objects(rich)))
    (tmp_path / "w").write_text("".join(
        json.dumps({"headers": {}, "body": body.decode()}) + "\n"
        for body in write.webhook_bodies(write.lead_objects(rich))))
    arguments = ["--provider", "omni", "--ids", tmp_path / "ids", "--payloads", payloads,
                 "--absent", tmp_path / "absent", "--csv", out, "--ndjson", tmp_path / "n",
                 "--ndjson-raw", tmp_path / "r", "--msgpack", tmp_path / "m",
                 "--webhook", tmp_path / "w"]
    done = check(*arguments)
    assert done.returncode == 0, done.stdout
    assert "5 outputs, 3 leads expected (1 payloads give none)" in done.stdout
    (tmp_path / "n").write_text("".join(lines.splitlines(keepends=True)[::-1]))
    assert check(*arguments).returncode == 1
    only = arguments[:8] + ["--ndjson", tmp_path / "n", "--order", "any"]
    done = check(*only)
    assert done.returncode == 0, done.stdout
    (tmp_path / "n").write_text(lines.replace("Pacific", "Atlantic"))
    done = check(*only)
    assert done.returncode == 1
    assert "column 'business_name': expected 'Pacific Coast" in done.stdout
    assert check(*arguments[:8]).returncode == 2


def test_read_ids(tmp_path):
    path = tmp_path / "ids"
    path.write_text('\ufeffid,agentId,x\na,1,\n"b,c",,\na,1,\n')
    assert read_ids(path, "d") == [("a", "1"), ("b,c", "d")]
    path.write_text('{"leadId":"a","agentId":"2"}\n{"id":"b"}\n')
    assert read_ids(path) == [("a", "2"), ("b", None)]
    path.write_text("id,x~status=503\n")
    assert read_ids(path) == []
