"""The sandbox's CRMs: that they are as strict as their documentation, and fail as they are told to."""

import base64
import http.client
import json
import os
import sys
import urllib.parse

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from crm_faults import KNOWN, Fault, Faults, WrongFault, chance  # noqa: E402
from crm_json import Digits, NotJson, dumps, find, parse  # noqa: E402
from crm_tokens import CLIENTS, FIXED  # noqa: E402
from test_sandbox import Client, start, stop  # noqa: E402


class Crm(Client):
    """One account; asks as a maker's client would."""

    account = None

    def control(self, what="", **members):
        path = "/_control/crm/%s%s" % (self.account, what)
        status, _, body = self.ask("POST", path, json.dumps(members))
        assert status == 200, body
        return json.loads(body)

    def told(self, what="", status=200):
        found, _, body = self.ask("GET", "/_control/crm/%s%s" % (self.account, what))
        assert found == status, body
        return json.loads(body)

    def raw(self, method, path, body, *headers):
        return self.ask(method, "/at/%s%s" % (self.account, path), body, headers)

    def json(self, method, path, value, *headers):
        """(status, value of the body); the body itself where it is no JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, _, answer = self.raw(method, path, body, ("Content-Type", "application/json"), *headers)
        try:
            return status, json.loads(answer)
        except ValueError:
            return status, answer

    def hubspot(self, *inputs, kind="contacts", token=FIXED["hubspot"]):
        return self.json("POST", "/crm/v3/objects/%s/batch/upsert" % kind, {"inputs": list(inputs)},
                         ("Authorization", "Bearer " + token))

    def token(self, maker, **change):
        path = {"salesforce": "/services/oauth2/token", "zoho": "/oauth/v2/token",
                "dynamics": "/tenant-1/oauth2/v2.0/token"}[maker]
        client, secret, refresh = CLIENTS[maker]
        form = {"grant_type": "refresh_token" if refresh else "client_credentials", "client_id": client,
                "client_secret": secret}
        form.update({"refresh_token": refresh} if refresh else {})
        form.update({"scope": "https://org.example/.default"} if maker == "dynamics" else {})
        form.update(change)
        status, _, body = self.raw("POST", path, urllib.parse.urlencode(form),
                                   ("Content-Type", "application/x-www-form-urlencoded"))
        return status, json.loads(body)

    def salesforce(self, token, *records, path="/services/data/v61.0/composite/sobjects/Lead/Ext__c"):
        return self.json("PATCH", path, {"allOrNone": False, "records": list(records)},
                         ("Authorization", "Bearer " + token))

    def zoho(self, token, *records, scheme="Zoho-oauthtoken"):
        return self.json("POST", "/crm/v8/Leads/upsert", {"data": list(records)},
                         ("Authorization", "%s %s" % (scheme, token)))

    def pipedrive(self, value, token=FIXED["pipedrive"]):
        return self.json("POST", "/api/v2/persons", value, ("x-api-token", token))

    def close(self, value, key=FIXED["close"]):
        basic = base64.b64encode((key + ":").encode()).decode()
        return self.json("POST", "/api/v1/lead/", value, ("Authorization", "Basic " + basic))

    def dynamics(self, token, key, value):
        path = "/api/data/v9.2/leads(emailaddress1='%s')" % urllib.parse.quote(key, safe="'")
        return self.json("PATCH", path, value, ("Authorization", "Bearer " + token))

    def slack(self, value, secret=FIXED["slack"]):
        return self.json("POST", "/services/" + secret, value)


def contact(email, trace=True, **properties):
    made = {"id": email, "idProperty": "email", "properties": properties}
    return {**made, "objectWriteTraceId": "t-" + email} if trace else made


def lead(ext, **fields):
    return {"attributes": {"type": "Lead"}, "Ext__c": ext, "LastName": "Doe", "Company": "Acme", **fields}


@pytest.fixture(scope="module")
def server():
    process, info = start()
    yield info
    assert stop(process) == ""


@pytest.fixture
def crm(server, request):
    client = Crm(server)
    client.account = request.node.name.translate(str.maketrans("[]/ ", "----"))[:90]
    return client


# --- the parts ---

@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a":1,"a":2}', b'{"a":NaN}', b'"\\ud800"', b"[" * 100_000, b"1 2"])
def test_what_is_no_json(body):
    with pytest.raises(NotJson):
        parse(body)


def test_digits_stay():
    text = '{"a":[1.10,-0,12345678901234567890,1E5],"b":"\\"é😀","c":null,"d":true}'
    assert dumps(parse(text.encode())) == text
    assert find(parse(text.encode()), "/a/2") == Digits("12345678901234567890")
    assert find({"a/b": {"~": [0, "x"]}}, "/a~1b/~0/1") == "x" and find([1], "/1") is None


@pytest.mark.parametrize("name, wanted", [
    ("nothing", 1), ("item", 1.5), ("item", True), ("item", "x"), ("item", {"shar": 1}), ("item", {"share": "1"}),
    ("item", {"match": "("}), ("item", {"times": True}), ("cut_before", {"done": True})])
def test_wrong_faults(name, wanted):
    with pytest.raises(WrongFault, match=name):
        Fault(name, wanted)


def test_chance_follows_from_the_seed():
    assert chance(1, "a") == chance(1, "a") != chance(2, "a")
    keys = ["k%d" % n for n in range(2000)]
    bad = [[key for key in keys if Faults(seed, {"item": 0.1}).of_item(key, 1)] for seed in (1, 1, 2)]
    assert bad[0] == bad[1] != bad[2] and 150 < len(bad[0]) < 250


# --- HubSpot ---

def test_hubspot_upserts(crm):
    status, body = crm.hubspot(contact("A@x.example", firstname="Ann", phone="1"), contact("b@x.example"))
    assert status == 200
    assert [one["objectWriteTraceId"] for one in body["results"]] == ["t-A@x.example", "t-b@x.example"]
    assert [one["new"] for one in body["results"]] == [True, True] and "errors" not in body
    assert crm.hubspot(contact("a@X.example", phone=""))[1]["results"][0]["new"] is False
    records = crm.told("/records?of=hubspot/contacts")["hubspot/contacts"]
    assert records["a@x.example"] == {"writes": 2, "fields": {"email": "a@X.example", "firstname": "Ann"}}
    summary = crm.told()
    assert (summary["requests"], summary["items"], summary["items_sent"], summary["sent_again"]) == (2, 2, 3, 1)
    assert (summary["by_status"], summary["by_size"]) == ({"200": 2}, {"1": 1, "2": 1})
    assert crm.told("/items")["hubspot/contacts"]["a@x.example"]["sent"] == 2


WRONG_INPUTS = {
    "no properties": {"id": "a@x.example"}, "null": contact("a@x.example", phone=None),
    "number": contact("a@x.example", amount=1), "no id": {"properties": {}}, "empty id": contact(""),
    "unknown member": {**contact("a@x.example"), "more": 1}, "name": contact("a@x.example", **{"First Name": "x"}),
    "id is a number": {"id": 1, "properties": {}}, "array": [], "long": contact("a@x.example", False, note="x" * 65537),
}


@pytest.mark.parametrize("wrong", WRONG_INPUTS)
def test_hubspot_refuses(crm, wrong):
    status, body = crm.hubspot(contact("good@x.example"), WRONG_INPUTS[wrong])
    assert (status, body["category"]) == (400, "VALIDATION_ERROR") and body["message"]
    assert crm.told("/records") == {}, "nothing of a refused batch is stored"


def test_hubspot_limits(crm):
    assert crm.hubspot()[0] == 400
    assert crm.hubspot(*[contact("%d@x.example" % n) for n in range(100)])[0] == 200
    assert crm.hubspot(*[contact("%d@x.example" % n) for n in range(101)])[0] == 400
    status, body = crm.hubspot(contact("twice@x.example", False), contact("TWICE@x.example", False))
    assert status == 400 and "Duplicate IDs" in body["message"] and "twice@x.example" in body["message"]
    crm.control(max_bytes=100)
    assert crm.hubspot(contact("a@x.example", note="x" * 100))[0] == 413


def test_hubspot_partial_failure_needs_traces(crm):
    """Documented: multi-status errors are given where each input has an objectWriteTraceId."""
    crm.control(faults={"item": {"match": "bad", "code": "INVALID_EMAIL", "message": "it is bad"}})
    status, body = crm.hubspot(contact("bad@x.example"), contact("good@x.example"))
    assert status == 207 and body["numErrors"] == 1
    assert (body["errors"][0]["category"], body["errors"][0]["message"]) == ("INVALID_EMAIL", "it is bad")
    assert body["errors"][0]["context"] == {"id": ["bad@x.example"], "objectWriteTraceId": ["t-bad@x.example"]}
    assert [one["objectWriteTraceId"] for one in body["results"]] == ["t-good@x.example"]
    assert list(crm.told("/records")["hubspot/contacts"]) == ["good@x.example"]
    status, body = crm.hubspot(contact("bad@x.example", False), contact("other@x.example", False))
    assert status == 400 and list(crm.told("/records")["hubspot/contacts"]) == ["good@x.example"]
    assert crm.told("/items")["hubspot/contacts"]["bad@x.example"]["codes"] == {"INVALID_EMAIL": 2}


@pytest.mark.parametrize("wrong", ["token", "scheme", "none", "type", "method", "twice", "encoding"])
def test_strict_about_the_request(crm, wrong):
    headers = {"Authorization": "Bearer " + FIXED["hubspot"], "Content-Type": "application/json; charset=utf-8"}
    body, method, expected = json.dumps({"inputs": [contact("a@x.example")]}).encode(), "POST", 401
    if wrong == "token":
        headers["Authorization"] += "x"
    elif wrong == "scheme":
        headers["Authorization"] = headers["Authorization"].replace("Bearer", "Token")
    elif wrong == "none":
        del headers["Authorization"]
    elif wrong == "method":
        method, expected = "PUT", 405
    elif wrong == "twice":
        body, expected = body.replace(b'"inputs"', b'"inputs":[],"inputs"'), 400
    else:
        headers["Content-Type" if wrong == "type" else "Content-Encoding"], expected = "text/plain", 415
    path = "/crm/v3/objects/contacts/batch/upsert"
    assert crm.raw(method, path, body, *headers.items())[0] == expected
    assert crm.told("/records") == {}


# --- tokens ---

@pytest.mark.parametrize("maker", CLIENTS)
def test_tokens(crm, maker):
    status, body = crm.token(maker)
    assert status == 200 and body["access_token"].startswith("tok-" + maker)
    base = crm.info["url"] + "/at/" + crm.account
    assert body.get("instance_url" if maker == "salesforce" else "api_domain", base) == base
    assert ("expires_in" in body) == (maker != "salesforce")
    for wrong in ("grant_type", "client_id", "client_secret", *(["refresh_token"] if maker == "zoho" else []),
                  *(["scope"] if maker == "dynamics" else [])):
        status, body = crm.token(maker, **{wrong: "wrong"})
        assert status in ((200,) if maker == "zoho" else (400, 401)) and body["error"], wrong
        assert "access_token" not in body
    assert crm.told()["tokens_issued"] == 1 and crm.told()["token_requests"] > 3
    assert [one["maker"] for one in crm.told("/secrets")["tokens"]] == [maker]


def test_tokens_expire(crm):
    crm.control(token_requests=2, token_seconds=100)
    first = crm.token("salesforce")[1]["access_token"]
    assert [crm.salesforce(first, lead("a"))[0] for _ in range(3)] == [200, 200, 401]
    assert crm.salesforce(first, lead("a"))[1][0]["errorCode"] == "INVALID_SESSION_ID"
    second = crm.token("salesforce")[1]["access_token"]
    assert crm.salesforce(second, lead("a"))[0] == 200
    crm.control("/forward", seconds=99)
    third = crm.token("salesforce")[1]["access_token"]
    crm.control("/forward", seconds=2)
    assert (crm.salesforce(second, lead("a"))[0], crm.salesforce(third, lead("a"))[0]) == (401, 200)
    crm.control("/expire")
    assert crm.salesforce(third, lead("a"))[0] == 401
    assert crm.zoho(crm.token("salesforce")[1]["access_token"], {"Last_Name": "x"})[0] == 401, "another maker's"


def test_a_token_expires_in_mid_run(crm):
    crm.control(faults={"expire": {"most": 1, "after": 1}})
    token = crm.token("salesforce")[1]["access_token"]
    assert [crm.salesforce(token, lead("a"))[0] for _ in range(3)] == [200, 401, 401]
    assert crm.salesforce(crm.token("salesforce")[1]["access_token"], lead("a"))[0] == 200


@pytest.mark.parametrize("name, expected", [("token_500", 500), ("token_400", 400), ("token_401", 401),
                                            ("token_429", 429), ("token_none", 200), ("token_slow", 200)])
def test_the_token_endpoint_fails(crm, name, expected):
    crm.control(faults={name: {"times": 1}})
    status, body = crm.token("zoho")
    assert status == expected and ("access_token" in body) == (name == "token_slow")
    assert crm.token("zoho")[0] == 200 and crm.told()["by_fault"] == {name: 1}


def test_the_token_endpoint_cuts_and_babbles(crm):
    crm.control(faults={"token_cut": {"times": 1}, "token_garbage": {"times": 2}})
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        crm.token("dynamics")
    with pytest.raises(ValueError):
        crm.token("dynamics")
    assert crm.token("dynamics")[0] == 200


# --- Salesforce and Zoho ---

def test_salesforce_answers_in_order(crm):
    token = crm.token("salesforce")[1]["access_token"]
    crm.control(faults={"lock": {"match": "l1"}, "item": {"match": "bad"}})
    sent = (lead("l1"), lead("ok"), lead("bad"), lead("long", FirstName="x" * 41), lead("none", LastName=None),
            lead("t"), lead("t"), {**lead("x"), "Ext__c": None})
    status, body = crm.salesforce(token, *sent)
    codes = [None if one["success"] else one["errors"][0]["statusCode"] for one in body]
    assert status == 200 and codes == [
        "UNABLE_TO_LOCK_ROW", None, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "STRING_TOO_LONG", "REQUIRED_FIELD_MISSING",
        "DUPLICATE_VALUE", "DUPLICATE_VALUE", "MISSING_ARGUMENT"]
    assert crm.salesforce(token, lead("l1"))[1][0]["created"] is True, "the lock is gone at the second try"
    assert sorted(crm.told("/records")["salesforce/Lead"]) == ["l1", "ok"]
    crm.control()
    bare = {"attributes": {"type": "Lead"}, "Ext__c": "ok"}
    assert crm.salesforce(token, {**bare, "Company": None})[1][0]["success"] is False, "a required field is not cleared"
    assert crm.salesforce(token, {**bare, "FirstName": "F"})[1][0]["success"]


@pytest.mark.parametrize("record, code", [
    ({"Ext__c": "a"}, "JSON_PARSER_ERROR"), (lead("a", attributes={"type": "Contact"}), "INVALID_TYPE"),
    (lead("a", Id="1"), "INVALID_FIELD"), (lead("a", Unknown="1"), "INVALID_FIELD"),
    (lead("a", FirstName=1), "JSON_PARSER_ERROR"), (lead("a", DoNotCall="true"), "JSON_PARSER_ERROR"),
    (lead("a", NumberOfEmployees="7"), "JSON_PARSER_ERROR"), (lead("a", Custom__c={"a": 1}), "JSON_PARSER_ERROR")])
def test_salesforce_refuses(crm, record, code):
    token = crm.token("salesforce")[1]["access_token"]
    status, body = crm.salesforce(token, lead("good"), record)
    assert (status, body[0]["errorCode"]) == (400, code) and crm.told("/records") == {}


def test_salesforce_limits(crm):
    token = crm.token("salesforce")[1]["access_token"]
    assert crm.salesforce(token, *[lead(str(n)) for n in range(200)])[0] == 200
    assert crm.salesforce(token, *[lead(str(n)) for n in range(201)])[0] == 400
    assert crm.salesforce(token, lead("a"), path="/services/data/v45.0/composite/sobjects/Lead/Ext__c")[0] == 404
    crm.control(faults={"gate": {"times": 1}})
    status, body = crm.salesforce(token, lead("gate"))
    assert (status, body[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert crm.salesforce(token, lead("gate"))[0] == 200


def test_zoho_answers_in_order(crm):
    token = crm.token("zoho")[1]["access_token"]
    assert crm.zoho(token, {"Last_Name": "x"}, scheme="Bearer")[0] == 401
    crm.control(faults={"item": {"match": "bad", "code": "DUPLICATE_DATA"}})
    status, body = crm.zoho(token, {"Last_Name": "A", "Email": "a@x.example"}, {"Email": "b@x.example"},
                            {"Last_Name": "C", "Email": "bad@x.example"}, {"Last_Name": 1}, {"Last_Name": "x" * 81})
    assert status == 200 and [(one["status"], one["code"]) for one in body["data"]] == [
        ("success", "SUCCESS"), ("error", "MANDATORY_NOT_FOUND"), ("error", "DUPLICATE_DATA"),
        ("error", "INVALID_DATA"), ("error", "INVALID_DATA")]
    assert crm.zoho(token, {"Last_Name": "B", "Email": "A@x.example"})[1]["data"][0]["action"] == "update"
    assert crm.told("/records")["zoho/Leads"]["a@x.example"]["fields"]["Last_Name"] == "B"
    crm.control(mixed_status=207)
    assert crm.zoho(token, {"Last_Name": "A"}, {"First_Name": "A"})[0] == 207
    assert crm.zoho(token, *[{"Last_Name": str(n)} for n in range(101)])[0] == 400


# --- one record a request ---

def test_pipedrive(crm):
    person = {"name": "Ann", "emails": [{"value": "a@x.example", "primary": True}], "visible_to": 3}
    status, body = crm.pipedrive(person)
    assert (status, body["success"], body["data"]["id"]) == (200, True, 1)
    crm.pipedrive(person)
    assert crm.told("/records")["pipedrive/persons"]["a@x.example"]["writes"] == 2, "it is no upsert"
    assert crm.told()["written_twice"] == 1
    for wrong in ({}, {"name": None}, {"name": "x", "email": "y"}, {"name": "x", "emails": "y"},
                  {"name": "x", "owner_id": "7"}, {"name": "x", "emails": [{"value": 1}]},
                  {"name": "x", "owner_id": 1.5}, [person]):
        status, body = crm.pipedrive(wrong)
        assert (status, body["success"], body["code"]) == (400, False, "ERR_SCHEMA_VALIDATION_FAILED"), wrong
    assert crm.pipedrive(person, token="x")[0] == 401


def test_close(crm):
    email = {"email": "a@x.example", "type": "office"}
    status, body = crm.close({"name": "Acme", "contacts": [{"name": "A", "emails": [email]}], "custom.cf_1": "v"})
    assert status == 200 and body["id"].startswith("lead_")
    for wrong in ({"name": 1}, {"unknown": "x"}, {"contacts": {}}, {"contacts": [{"emails": [{"type": "x"}]}]}, []):
        status, body = crm.close(wrong)
        assert status == 400 and (body["field-errors"] or body["errors"]), wrong
    assert crm.close({"name": "x"}, key="x")[0] == 401
    assert list(crm.told("/records")["close/lead"]) == ["a@x.example"]


def test_dynamics(crm):
    token = crm.token("dynamics")[1]["access_token"]
    assert crm.dynamics(token, "a@x.example", {"lastname": "Doe", "firstname": None}) == (204, b"")
    assert crm.dynamics(token, "o''brien@x.example", {"lastname": "O"})[0] == 204
    for key, body in (("o'brien@x.example", {}), ("", {}), ("a+b@x.example", {}),
                      ("a@x.example", {"lastname": "x" * 51}), ("a@x.example", {"emailaddress1": "b@x.example"}),
                      ("a@x.example", {"lastname": {}}), ("a@x.example", {"lastname": 1}), ("a@x.example", [])):
        status, answer = crm.dynamics(token, key, body)
        assert status == 400 and answer["error"]["code"].startswith("0x"), (key, body)
    assert sorted(crm.told("/records")["dynamics/leads"]) == ["a@x.example", "o'brien@x.example"]


def test_slack(crm):
    assert crm.slack({"text": "hello"}) == (200, b"ok")
    assert [crm.slack(one)[1] for one in ({}, {"text": ""}, {"text": 1}, [])] == [b"no_text"] * 3 + [b"invalid_payload"]
    assert crm.slack({"text": "x"}, secret="T0/B0/wrong")[0] == 403
    crm.control(burst=1)
    answers = [crm.slack({"text": str(n)})[0] for n in range(6)]
    assert 429 in answers, "one a second"
    crm.control(rate_per_s=1000, burst=100)
    assert [crm.slack({"text": str(n)})[0] for n in range(6)] == [200] * 6


# --- faults ---

@pytest.mark.parametrize("name, expected", [
    ("gone", 410), ("rate", 429), ("rate_bare", 429), ("gate", 403), ("unavailable", 503), ("status500", 500),
    ("status502", 502), ("status413", 413), ("refused", 400), ("unauthorized", 401)])
def test_refusals_of_a_request(crm, name, expected):
    crm.control(faults={name: {"times": 1}})
    body = json.dumps({"inputs": [contact("a@x.example")]})
    path, auth = "/crm/v3/objects/contacts/batch/upsert", ("Authorization", "Bearer " + FIXED["hubspot"])
    status, headers, _ = crm.raw("POST", path, body, ("Content-Type", "application/json"), auth)
    assert status == expected and headers["Retry-After"] == ("1" if name == "rate" else None)
    assert crm.told("/records") == {} and crm.told()["by_fault"] == {name: 1}
    assert crm.hubspot(contact("a@x.example"))[0] == 200, "the second attempt"


@pytest.mark.parametrize("name, stored", [("cut_before", False), ("cut_after", True)])
def test_cut_connections(crm, name, stored):
    crm.control(faults={name: {"times": 1}})
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        crm.hubspot(contact("a@x.example"))
    assert bool(crm.told("/records")) == stored
    assert crm.hubspot(contact("a@x.example"))[0] == 200
    assert crm.told()["sent_again"] == stored and crm.told()["by_status"] == {"0": 1, "200": 1}


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("name", ["empty", "garbage", "half", "huge"])
def test_answers_that_say_nothing(crm, name, done):
    crm.control(faults={name: {"times": 1, "done": done, "bytes": 1 << 20}})
    if name == "half":
        with pytest.raises(http.client.IncompleteRead):
            crm.hubspot(contact("a@x.example"))
    else:
        status, body = crm.hubspot(contact("a@x.example"))
        assert status == 200 and (name == "garbage" or body["results"] == [])
        assert name != "huge" or len(body["padding"]) == 1 << 20
    assert bool(crm.told("/records")) == done


def test_items_that_are_not_mentioned(crm):
    crm.control(faults={"missing": {"match": "^m"}, "silent": {"match": "^s"}, "reorder": 1})
    status, body = crm.hubspot(*[contact("%s@y.com" % name) for name in ("a", "m1", "s1", "b", "d", "e", "f")])
    names = [one["objectWriteTraceId"][2] for one in body["results"]]
    assert status == 200 and sorted(names) == list("abdef") != names
    assert sorted(key[0] for key in crm.told("/records")["hubspot/contacts"]) == list("abdefs")


@pytest.mark.parametrize("name, status, code", [("poison", 400, "VALIDATION_ERROR"), ("conflict", 409, "CONFLICT")])
def test_one_record_spoils_the_batch(crm, name, status, code):
    crm.control(faults={name: {"match": "^bad"}})
    found, body = crm.hubspot(contact("a@x.example"), contact("bad@x.example"))
    assert (found, body["category"]) == (status, code) and crm.told("/records") == {}
    assert crm.hubspot(contact("a@x.example"))[0] == 200 and crm.hubspot(contact("bad@x.example"))[0] == status


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_shares_of_requests_and_slowness(crm, share):
    crm.control(seed=7, faults={"status500": {"share": share}, "slow": {"share": 1, "ms": 1}})
    statuses = [crm.hubspot(contact("%d@x.example" % n))[0] for n in range(40)]
    assert statuses.count(500) in {0: [0], 0.3: range(3, 25), 1: [40]}[share]


def test_the_same_seed_does_the_same(crm):
    """Whatever the order that requests come in."""
    faults = {"item": 0.2, "poison": 0.1, "lock": 0.2, "rate": 0.2, "cut_after": 0.1}
    seen = []
    for order in (1, -1):
        crm.control("/forget")
        crm.control(seed="s", faults=faults)
        for n in range(60)[::order]:
            try:
                crm.hubspot(contact("%d@x.example" % n))
            except (http.client.HTTPException, ConnectionError):
                pass
        seen.append((crm.told()["by_fault"], crm.told()["by_status"], sorted(crm.told("/records")["hubspot/contacts"])))
    assert seen[0] == seen[1] and set(seen[0][0]) == set(faults)


def test_behaviour_is_replaced_as_a_whole(crm):
    crm.control(rate_per_s=0.01, burst=1, keep_bodies=True)
    assert [crm.hubspot(contact("a@x.example"))[0] for _ in range(2)] == [200, 429]
    logged = crm.told("/requests?from=1")
    assert [one["status"] for one in logged] == [429] and logged[0]["items"] == 1
    assert json.loads(base64.b64decode(logged[0]["body_base64"]))["inputs"][0]["id"] == "a@x.example"
    crm.control()
    assert crm.hubspot(contact("a@x.example"))[0] == 200 and "body_base64" not in crm.told("/requests")[2]
    crm.control("/forget")
    assert crm.told()["requests"] == 0 and crm.told("/records") == {}


@pytest.mark.parametrize("wrong", [
    {"faults": {"unknown": 1}}, {"faults": []}, {"faults": {"item": {"part": 1}}}, {"seeds": 1}, {"token_seconds": "1"},
    {"lengths": 1}, {"trace_context": "x"}])
def test_wrong_behaviour(crm, wrong):
    status, _, body = crm.ask("POST", "/_control/crm/" + crm.account, json.dumps(wrong))
    assert status == 400 and b"known:" in body


def test_readme_names_every_fault():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md"), encoding="utf-8") as file:
        text = file.read()
    assert [name for name in KNOWN if "`%s`" % name not in text] == []
