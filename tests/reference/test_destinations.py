"""The reference of the sink `push`: each directive and transform by the contract, and the CRMs' stores.

    python3 -m pytest tests/reference/test_destinations.py
"""

import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "sandbox")]

import leads as sandbox_leads  # noqa: E402
from crm_account import Account  # noqa: E402
from crm_batches import HubSpot, Salesforce, Zoho  # noqa: E402
from crm_json import dumps as sandbox_dumps, parse as sandbox_parse  # noqa: E402
from crm_singles import Close, Dynamics, Pipedrive, Slack  # noqa: E402
from reference import crm_records  # noqa: E402
from reference.destinations import (Destination, Lead, WrongDestination, bisect_bound, find, instant,  # noqa: E402
                                    leads_of, percent, read_json)
from reference.jsonval import Num, dumps_compact, parse_text  # noqa: E402

ROW = {
    "lead_id": "lead-1", "email": "  Ann@X.Example ", "first_name": "Ann", "last_name": None, "empty": "",
    "blank": " \t",
    "phone": "+1 (298) 731-4797", "local": "298 731 4797", "no_phone": "call me",
    "amount": Num("12345678901234567890.10"),
    "tiny": Num("1E-7"), "flag": True, "no": False, "text_number": "1.50", "not_number": "007", "yes": "true",
    "at": "2026-01-30T23:30:00.250-05:00", "day": "2026-02-28", "no_day": "2026-02-30",
    "early": "1969-12-31T23:59:59.999Z",
    "nested": {"a": [Num("1"), None]}, "status": "COMPLETED", "emoji": "e\u0301😀z", "accent": "ÉCOLE ß\u0130 A",
    "seven": Num("7"),
    "white": "\u3000\ufeffx\u00a0y\u2003", "german": "+49 (0)30 / 12345", "zeros": "0049 30-12345",
    "national": "030 12345",
    "long_local": "1 298 731 4797",
}
DOCUMENTS = [{"position": Num("0"), "filename": "a.pdf", "size": Num("10")}, {"position": Num("1"), "filename": None}]
ROOT = {"lead": {"email": "root@x.example", "tags": ["a", "b"], "a/b": {"~": Num("3")}}, "status": "OPEN"}
LEAD = Lead("lead-1", {"leads": [ROW], "documents": DOCUMENTS, "matching_leads": []}, ROOT)


def made(item, lead=LEAD, **members):
    how = {name: members.pop(name) for name in ("params", "run") if name in members}
    return Destination(json.dumps({"destination": 1, "item": item, **members}), **how).make(lead)


def value(directive, **how):
    """The text of the value, "(omitted)", or the code of the fault."""
    result = made({"x": directive}, **how)
    if result.fault:
        return result.fault.code
    return "(omitted)" if result.item == {} else result.text[5:-1]


# directive, what becomes of it
FIELDS = [
    ({"$field": "first_name"}, '"Ann"'), ({"$field": "last_name"}, "(omitted)"), ({"$field": "absent"}, "(omitted)"),
    ({"$field": "amount"}, "12345678901234567890.10"), ({"$field": "tiny"}, "1E-7"), ({"$field": "flag"}, "true"),
    ({"$field": "nested"}, '{"a":[1,null]}'), ({"$field": "empty"}, '""'),
    ({"$field": "last_name", "null": "omit"}, "(omitted)"), ({"$field": "last_name", "null": "null"}, "null"),
    ({"$field": "last_name", "null": {"value": ""}}, '""'), ({"$field": "last_name", "null": {"value": 0}}, "0"),
    ({"$field": "empty", "null": {"value": "x"}}, '""'),
    ({"$field": "last_name", "default": "Doe"}, '"Doe"'), ({"$field": "first_name", "default": "Doe"}, '"Ann"'),
    ({"$field": "last_name", "default": "Doe", "required": True}, '"Doe"'),
    ({"$field": "last_name", "required": True}, "required"), ({"$field": "absent", "required": True}, "required"),
    ({"$field": "empty", "required": True}, "required"), ({"$field": "blank", "required": True}, '" \\t"'),
    ({"$field": "blank", "do": ["trim"], "required": True}, "required"),
    ({"$field": "no_phone", "do": ["digits"], "required": True}, "required"),
    ({"$field": "flag", "required": True}, "true"), ({"$field": "no", "required": True}, "false"),
    ({"$field": "last_name", "default": {"$payload": "/status"}, "do": ["lower"]}, '"open"'),
    ({"$field": "last_name", "default": {"$field": "absent", "default": {"$concat": ["a", " "]}}, "do": ["trim"]},
     '"a"'),
    ({"$field": "last_name", "default": {"$field": "absent"}}, "(omitted)"),
    ({"$field": "last_name", "default": {"$concat": [" "]}, "do": ["trim"], "required": True}, "required"),
    ({"$payload": "/lead/email"}, '"root@x.example"'), ({"$payload": "/lead/tags/1"}, '"b"'),
    ({"$payload": "/lead/a~1b/~0"}, "3"), ({"$payload": "/lead/tags/01"}, "(omitted)"),
    ({"$payload": "/lead/tags"}, '["a","b"]'), ({"$payload": "/nothing/at", "required": True}, "required"),
]
TRANSFORMS = [
    ({"$field": "email", "do": ["trim", "lower"]}, '"ann@x.example"'),
    ({"$field": "email", "do": ["lower"]}, '"  ann@x.example "'),
    ({"$field": "first_name", "do": ["upper"]}, '"ANN"'), ({"$field": "accent", "do": ["lower"]}, '"école ßi a"'),
    ({"$field": "accent", "do": ["lower", "upper"]}, '"ÉCOLE ßI A"'),
    ({"$field": "white", "do": ["trim"]}, '"x\u00a0y"'),
    ({"$field": "german", "do": ["e164"]}, '"+493012345"'), ({"$field": "zeros", "do": ["e164"]}, '"+493012345"'),
    ({"$field": "national", "do": ["e164:+49"]}, '"+493012345"'),
    ({"$field": "national", "do": ["e164:+39"]}, '"+3903012345"'),
    ({"$field": "national", "do": ["e164:+1"]}, "do"), ({"$field": "long_local", "do": ["e164:+1"]}, '"+12987314797"'),
    ({"$field": "phone", "do": ["digits"]}, '"12987314797"'),
    ({"$field": "amount", "do": ["digits"]}, '"1234567890123456789010"'),
    ({"$field": "phone", "do": ["e164"]}, '"+12987314797"'), ({"$field": "local", "do": ["e164"]}, "do"),
    ({"$field": "local", "do": ["e164:+1"]}, '"+12987314797"'),
    ({"$field": "phone", "do": ["e164:+49"]}, '"+12987314797"'),
    ({"$field": "no_phone", "do": ["e164:+1"]}, "do"), ({"$field": "empty", "do": ["e164"]}, '""'),
    ({"$field": "last_name", "do": ["e164"]}, "(omitted)"),
    ({"$field": "at", "do": ["date"]}, '"2026-01-30"'), ({"$field": "day", "do": ["date"]}, '"2026-02-28"'),
    ({"$field": "no_day", "do": ["date"]}, "do"), ({"$field": "first_name", "do": ["date"]}, "do"),
    ({"$field": "at", "do": ["epoch_s"]}, "1769833800"), ({"$field": "at", "do": ["epoch_ms"]}, "1769833800250"),
    ({"$field": "at", "do": ["epoch_ms"], "as": "text"}, '"1769833800250"'),
    ({"$field": "early", "do": ["epoch_s"]}, "-1"),
    ({"$field": "early", "do": ["epoch_ms"]}, "-1"), ({"$field": "day", "do": ["epoch_s"]}, "do"),
    ({"$field": "emoji", "do": ["first:3"]}, '"e\u0301😀"'), ({"$field": "emoji", "do": ["first:2"]}, '"e\u0301"'),
    ({"$field": "first_name", "do": ["first:40"]}, '"Ann"'),
    ({"$field": "email", "do": ["trim", "first:3", "upper"]}, '"ANN"'),
]
KINDS = [
    ({"$field": "amount", "as": "text"}, '"12345678901234567890.10"'), ({"$field": "flag", "as": "text"}, '"true"'),
    ({"$field": "nested", "as": "text"}, '"{\\"a\\":[1,null]}"'), ({"$field": "first_name", "as": "text"}, '"Ann"'),
    ({"$field": "text_number", "as": "number"}, "1.50"), ({"$field": "tiny", "as": "number"}, "1E-7"),
    ({"$field": "not_number", "as": "number"}, "as"), ({"$field": "first_name", "as": "number"}, "as"),
    ({"$field": "flag", "as": "number"}, "as"), ({"$field": "last_name", "as": "number"}, "(omitted)"),
    ({"$field": "yes", "as": "boolean"}, "true"), ({"$field": "no", "as": "boolean"}, "false"),
    ({"$field": "first_name", "as": "boolean"}, "as"), ({"$field": "nested", "as": "json"}, '{"a":[1,null]}'),
]
MAPS = [
    ({"$field": "status", "map": {"COMPLETED": "won"}}, '"won"'), ({"$field": "status", "map": {"OPEN": 1}}, "map"),
    ({"$field": "status", "map": {"OPEN": 1}, "else": 0}, "0"),
    ({"$field": "last_name", "map": {"": 1}, "else": 0}, "(omitted)"),
    ({"$field": "last_name", "map": {}, "default": "d"}, "map"),
    ({"$field": "flag", "map": {"true": 1, "false": 0}}, "1"),
    ({"$field": "seven", "map": {"7": "seven"}}, '"seven"'),
    ({"$field": "status", "do": ["lower"], "map": {"completed": 5}}, "5"),
    ({"$field": "status", "map": {"COMPLETED": None}}, "(omitted)"),
    ({"$field": "status", "map": {}, "else": None, "null": "null"}, "null"),
    ({"$field": "status", "map": {"COMPLETED": "12"}, "as": "number"}, "12"),
]
OTHERS = [
    ({"$concat": [{"$field": "first_name"}, " ", {"$field": "last_name"}]}, '"Ann "'),
    ({"$concat": [{"$field": "last_name"}]}, '""'),
    ({"$concat": ["a", {"$field": "seven"}, {"$field": "flag"}]}, '"a7true"'),
    ({"$concat": [{"$field": "last_name", "required": True}]}, "required"),
    ({"$rows": {"table": "documents", "item": {"name": {"$field": "filename"}, "n": {"$field": "position"}}}},
     '[{"name":"a.pdf","n":0},{"n":1}]'),
    ({"$rows": {"table": "documents", "item": {"$field": "filename"}}}, '["a.pdf"]'),
    ({"$rows": {"table": "documents", "item": {"$field": "filename"}, "first": True}}, '"a.pdf"'),
    ({"$rows": {"table": "documents", "item": {"$field": "filename", "required": True}}}, "required"),
    ({"$rows": {"table": "matching_leads", "item": {"$field": "id"}}}, "[]"),
    ({"$rows": {"table": "matching_leads", "item": {"$field": "id"}, "first": True}}, "(omitted)"),
    ({"$rows": {"table": "matching_leads", "item": "x", "first": True, "null": {"value": "none"}}}, '"none"'),
    ({"$$field": "email", "$$$": 1}, '{"$field":"email","$$":1}'),
    ([1, {"$field": "last_name"}, {"$field": "last_name", "null": "null"}, {}], "[1,null,{}]"),
    ({"$param": "stage"}, '"new"'), ({"$run": "run_id"}, '"r-1"'),
    ({"a": 1.10, "b": {"c": [True, None]}}, '{"a":1.1,"b":{"c":[true,null]}}'),
]


@pytest.mark.parametrize("directive, expected", FIELDS + TRANSFORMS + KINDS + MAPS + OTHERS,
                         ids=lambda one: one if isinstance(one, str) else json.dumps(one)[:80])
def test_directives(directive, expected):
    assert value(directive, params={"stage": "new"}, run={"run_id": "r-1"}) == expected


@pytest.mark.parametrize("directive", [
    {"$nothing": 1}, {"$field": "x", "dos": []}, {"$field": "x", "$payload": ""}, {"$field": "x", "do": ["trimmed"]},
    {"$field": "first_name", "do": ["first:0"]}, {"$field": "first_name", "do": ["e164:1"]},
    {"$field": "first_name", "as": "int"},
    {"$field": "absent", "null": "empty"}, {"$param": "nothing"}, {"$items": True}, {"$payload": "lead"},
    {"$rows": {"table": "nothing", "item": 1}}, {"$rows": {"table": "documents", "item": 1, "last": True}},
    {"$$a": 1, "$a": 2}])
def test_what_is_not_known(directive):
    with pytest.raises(WrongDestination):
        value(directive)


def test_a_fault_says_where():
    fault = made({"properties": {"a/b": [0, {"$field": "absent", "required": True}]}}).fault
    assert fault.code == "required" and fault.place == "/properties/a~1b/1" and "absent" in fault.message


def test_members_keep_their_order():
    assert made({"z": {"$field": "seven"}, "a": 1, "m": {"$field": "first_name"}}).text == '{"z":7,"a":1,"m":"Ann"}'


@pytest.mark.parametrize("url, expected", [
    ("https://x/a(k='{first_name}')", "https://x/a(k='Ann')"),
    ("https://{stage}.x/{email}", "https://new%2F%C3%A9.x/%20%20Ann%40X.Example%20"),
    ("https://x/{last_name}", "url"), ("https://x/{empty}", "url"), ("https://x/{seven}", "https://x/7"),
    ("{instance_url}/s", None)])
def test_urls(url, expected):
    result = made({"a": 1}, url=url, auth={"oauth2": {"take": ["instance_url"]}}, params={"stage": "new/é"})
    assert (result.fault.code if result.fault else result.url) == expected
    assert percent("-._~ü'") == "-._~%C3%BC%27"


def test_items_over_max_bytes():
    how = {"batch": {"max_items": 2, "max_bytes": 40}, "body": {"inputs": {"$items": True}, "n": {"$$x": 1}}}
    assert made({"a": "x"}, **how).fault is None and made({"a": "x" * 20}, **how).fault.code == "size"
    destination = Destination(json.dumps({"item": {"a": 1}, **how}))
    assert destination.body_of(["1", "2"]) == '{"inputs":[1,2],"n":{"$x":1}}'
    assert Destination('{"item":1,"batch":{"max_bytes":"2M"}}').max_bytes == 2 * 1024 * 1024


def test_unique_by():
    destination = Destination('{"item":{"id":{"$field":"email","do":["trim"]}},"batch":{"unique_by":"/id"}}')
    assert destination.key(destination.make(LEAD).item) == '"Ann@X.Example"'


@pytest.mark.parametrize("bad, size, expected", [(0, 100, 1), (1, 1, 1), (1, 2, 3), (1, 100, 15), (3, 100, 43), (1, 128, 15)])
def test_bisect_bound(bad, size, expected):
    assert bisect_bound(bad, size) == expected


@pytest.mark.parametrize("text, expected", [
    ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.123456789Z", 123456), ("1970-01-01 01:00:00+01:00", 0),
    ("2026-01-30", None), ("2026-01-30T24:00:00Z", None), ("2026-01-30T02:00:00", None), ("x", None)])
def test_instants(text, expected):
    assert instant(text) == expected


def test_find():
    assert find({"": {"a": 1}}, "//a") == 1 and find([1], "/-") is None and find(5, "") == 5


# --- leads of the sandbox ---

HUBSPOT = {
    "destination": 1, "batch": {"max_items": 100, "max_bytes": "2M", "unique_by": "/id"},
    "body": {"inputs": {"$items": True}},
    "item": {"id": {"$field": "email", "do": ["trim", "lower"], "required": True}, "idProperty": "email",
             "objectWriteTraceId": {"$field": "lead_id"},
             "properties": {"firstname": {"$field": "first_name"},
                            "phone": {"$field": "phone_number", "null": {"value": ""}},
                            "amount": {"$field": "checklist_amount", "as": "text"},
                            "submitted": {"$field": "submitted_at", "do": ["epoch_ms"], "as": "text"},
                            "lifecyclestage": {"$field": "status", "map": {"COMPLETED": "opportunity"},
                                               "else": "lead"}}}}


def sandbox(count, kind="plain", provider="omni"):
    return leads_of(provider, [("%s-%d" % (kind, n), sandbox_leads.payload(provider, "%s-%d" % (kind, n), "agent-1"),
                                "agent-1")
                               for n in range(count)])


def test_a_destination_of_the_contract():
    """Every lead has an item or a fault, and a lead without an e-mail address is not sent."""
    results = Destination(json.dumps(HUBSPOT)).made(sandbox(300, "rich"))
    assert len(results) == 300
    faults = [one for one in results if one.fault]
    assert {one.fault.code for one in faults} <= {"required", "do"}
    for one in results:
        if not one.fault:
            assert one.item["id"] == one.item["id"].strip().lower() != ""
            assert one.item["objectWriteTraceId"] == one.lead_id
            assert all(isinstance(text, str) for text in one.item["properties"].values())
            assert one.text == dumps_compact(parse_text(one.text))


def test_convocore_points_into_its_root():
    lead = next(iter(sandbox(1, provider="convocore")))
    assert made({"x": {"$payload": "/id"}}, lead).item == {"x": "plain-0"}
    assert made({"x": {"$field": "lead_id"}, "y": {"$field": "agent_id"}}, lead).item == {"x": "plain-0", "y": "agent-1"}


def test_what_is_broken_is_replaced():
    payload = b'{"lead":{"id":"l","firstName":"a\\ud800b\xff","tags":["\\u0000"]},"status":"X"}'
    lead = next(leads_of("omni", [("l", payload), ("broken", b"{")]))
    assert made({"x": {"$field": "first_name"}, "y": {"$payload": "/lead/tags"}},
                lead).text == '{"x":"a\ufffdb\ufffd","y":["\ufffd"]}'


# --- what the CRMs store, as the sandbox's CRMs do ---

CASES = {
    "hubspot": (HubSpot, [{"id": "A@x", "idProperty": "email", "properties": {"a": "1", "b": "2"}},
                          {"id": "a@X", "idProperty": "email", "properties": {"a": "", "c": "3"}},
                          {"id": "C", "properties": {}}], {}),
    "salesforce": (Salesforce, [{"attributes": {"type": "Lead"}, "E__c": "k", "LastName": "L", "Company": "C",
                                 "Phone": "1"},
                                {"attributes": {"type": "Lead"}, "E__c": "k", "Phone": None, "N__c": 1.10}],
                                {"external": "E__c"}),
    "zoho": (Zoho, [{"Last_Name": "L", "Email": "A@x", "Phone": "1"},
                    {"Last_Name": "M", "Email": "a@x", "Phone": None}], {}),
    "pipedrive": (Pipedrive, [{"name": "N", "emails": [{"value": "A@x"}]}, {"name": "M", "visible_to": 3}], {}),
    "close": (Close, [{"name": "N", "contacts": [{"emails": [{"email": "A@x"}]}]}, {"name": "M", "contacts": []}], {}),
    "dynamics": (Dynamics, [{"lastname": "L", "subject": "S"}, {"lastname": "L", "subject": None}],
                 {"url_key": ("emailaddress1", lambda item: item["lastname"])}),
    "slack": (Slack, [{"text": "a"}, {"text": "b"}], {}),
}


class Asked:
    """What the sandbox's makers see of a request."""

    def __init__(self, maker, item):
        self.path = {"salesforce": "/services/data/v61.0/composite/sobjects/Lead/E__c",
                     "dynamics": "/api/data/v9.2/leads(emailaddress1='%s')" % item.get("lastname")}.get(maker, "")


def stored(maker, kind, sent):
    """`records` of the sandbox after these items were sent one by one."""
    account, thing = Account("x"), {"salesforce": "Lead", "zoho": "Leads"}.get(maker, "things")
    for item in sent:
        text = json.dumps(item).encode()
        body = {"hubspot": b'{"inputs":[%b]}', "salesforce": b'{"records":[%b]}', "zoho": b'{"data":[%b]}'}.get(maker, b"%b") % text
        for one in kind().items(account, Asked(maker, item), thing, sandbox_parse(body)):
            assert one.fate == "accepted", one.message
            account.write(maker + "/" + thing, one.key, one.fields, kind().clears)
    return read_json(sandbox_dumps(account.records()))[maker + "/" + thing]


@pytest.mark.parametrize("maker", CASES)
def test_stores_are_alike(maker):
    kind, sent, how = CASES[maker]
    items = [read_json(json.dumps(item)) for item in sent]
    expected = crm_records.records(maker, items, **how)
    assert crm_records.differences(expected, stored(maker, kind, sent)) == []


def test_differences_are_seen():
    expected = {"a": {"x": "1", "y": Num("1.0")}, "b": {}}
    found = {"a": {"writes": 1, "fields": {"x": "2", "y": Num("1.00"), "z": "3"}}, "c": {"writes": 1, "fields": {}}}
    assert crm_records.differences(expected, found) == [
        "b is missing", "c should not be there", 'a: x should be "1" and is "2"', "a: y should be 1.0 and is 1.00",
        'a: z should be (absent) and is "3"']
