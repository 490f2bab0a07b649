"""A simple client that is right, against a CRM that fails in many ways: the CRM's books must balance then.

What is tried here is the CRM: that a right client can always tell what became of each record, by what it
stores, counts and answers.
"""

import http.client
import math
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_crm import contact, crm, lead, server  # noqa: E402, F401

AGAIN = (408, 425, 429, 500, 502, 503)
FAULTS = {"item": 0.05, "poison": 0.01, "conflict": 0.01, "rate": 0.1, "rate_bare": 0.1, "unavailable": 0.1,
          "status500": 0.1, "status502": 0.1, "cut_before": 0.1, "reorder": 0.5}


def until_answered(send):
    """(status, body), tried again while the answer asks for that."""
    for _ in range(60):
        try:
            status, body = send()
        except (http.client.HTTPException, ConnectionError):
            continue
        if status not in AGAIN:
            return status, body
    raise AssertionError("never answered")


def push_contacts(crm, contacts):  # noqa: F811
    """{id: None, or the code of the failure}, and how many requests were refused as a whole."""
    status, body = until_answered(lambda: crm.hubspot(*contacts))
    if status in (400, 409):
        if len(contacts) == 1:
            return {contacts[0]["id"]: body["category"]}
        half = len(contacts) // 2
        return {**push_contacts(crm, contacts[:half]), **push_contacts(crm, contacts[half:])}
    fates = {one["objectWriteTraceId"][2:]: None for one in body["results"]}
    fates.update({one["context"]["objectWriteTraceId"][0][2:]: one["category"] for one in body.get("errors", [])})
    return {one["id"]: fates.get(one["id"], "unaccounted") for one in contacts}


def test_all_faults_at_once(crm):  # noqa: F811
    crm.control(seed=3, faults=FAULTS)
    contacts = [contact("c%d@x.example" % n, number=str(n)) for n in range(400)]
    fates = {}
    for start in range(0, 400, 100):
        fates.update(push_contacts(crm, contacts[start:start + 100]))
    stored, items, summary = crm.told("/records")["hubspot/contacts"], crm.told("/items")["hubspot/contacts"], crm.told()
    assert sorted(fates) == sorted(one["id"] for one in contacts)
    assert sorted(stored) == sorted(key for key, code in fates.items() if code is None)
    assert all(record["writes"] == 1 and record["fields"]["number"] == key[1:].split("@")[0]
               for key, record in stored.items())
    assert all(fates[key] is None or fates[key] in one["codes"] for key, one in items.items())
    assert summary["sent_again"] == 0 and summary["accepted"] == len(stored) and set(summary["by_fault"]) == set(FAULTS)
    crm.control()
    rest = [one for one in contacts if fates[one["id"]] is not None]
    assert rest and set(push_contacts(crm,
                                      rest).values()) == {None} and len(crm.told("/records")["hubspot/contacts"]) == 400


@pytest.mark.parametrize("bad", [0, 1, 3, 50])
def test_halving_keeps_to_its_bound(crm, bad):  # noqa: F811
    """1 + 2·b·⌈log2 n⌉ requests at most for b bad records among n."""
    crm.control(faults={"poison": {"match": "^bad"}})
    contacts = [contact("%s%d@x.example" % ("bad" if n * bad % 100 < bad else "good", n)) for n in range(100)]
    fates = push_contacts(crm, contacts)
    assert sum(code is not None for code in fates.values()) == bad == sum("bad" in key for key in fates)
    assert crm.told()["requests"] <= 1 + 2 * bad * math.ceil(math.log2(100))


def test_positions_and_locks(crm):  # noqa: F811
    token = crm.token("salesforce")[1]["access_token"]
    crm.control(faults={"lock": 0.2, "item": 0.1, "expire": {"share": 0.3, "most": 2}}, token_requests=20)
    waiting, fates = [lead("l%d" % n) for n in range(200)], {}
    while waiting:
        status, body = crm.salesforce(token, *waiting)
        if status == 401:
            token = crm.token("salesforce")[1]["access_token"]
            continue
        codes = [None if one["success"] else one["errors"][0]["statusCode"] for one in body]
        fates.update({one["Ext__c"]: code for one, code in zip(waiting, codes)})
        waiting = [one for one, code in zip(waiting, codes) if code == "UNABLE_TO_LOCK_ROW"]
    assert sorted(crm.told("/records")["salesforce/Lead"]) == sorted(key for key, code in fates.items() if code is None)
    items = crm.told("/items")["salesforce/Lead"]
    assert {items[key]["refused"] for key, code in fates.items() if code} == {1}
    assert any(one["codes"].get("UNABLE_TO_LOCK_ROW") for one in items.values())
