"""The sink push: each built-in destination, every lead accounted for, whatever the CRM does."""

import json

import pytest

import pushes
from pushes import BUILT_IN, MAKERS, Push
from reference.destinations import bisect_bound

PROVIDERS = ("omni", "convocore")
# What is tried again, without anything that the CRM has done before
TRIED_AGAIN = {"rate_bare": 0.05, "unavailable": 0.05, "status500": 0.05, "status502": 0.05, "cut_before": 0.05}


def ids_of(count, kind="lead"):
    return ["%s-%d" % (kind, n) for n in range(count)]


# ---- every destination ------------------------------------------------------------------------------------

@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_built_in(leadpipe, sandbox, control, crm, name, provider):
    """With oddities of all kinds, and faults of single items. Every lead is sent once."""
    push, ids = Push(leadpipe, sandbox, crm, name, provider, more=",concurrency=8"), ids_of(40)
    push.behave(faults={"item": 0.2}, seed=7)
    run = push(ids, status=3)
    accepted = push.check(run, ids)
    assert len(accepted) > 10 and crm.summary()["by_fault"]["item"] > 0
    told, sent = crm.summary(), [one for one in push.made(ids) if not one.fault]
    assert told["items_sent"] == len(sent) == told["accepted"] + told["refused"]
    assert told["sent_again"] == namesakes(push, accepted)
    pushes.assert_secret(crm, run)


def namesakes(push, accepted):
    """How many leads have the key of an earlier one, which the sandbox counts as sent again.

    Close and Pipedrive create a record for every request, so two leads of one name are two records there, as they
    should be: nothing says that they are the same person. The sandbox tells records apart by their e-mail address
    or, without one, by their name. Where there is an upsert, and where leads have addresses, no two are alike."""
    keys = [push.key_of(one.item) for one in accepted]
    shared = {key for key in keys if keys.count(key) > 1}
    assert not shared or push.name in ("close-lead", "pipedrive-person"), (push.name, shared)
    assert not any("@" in key for key in shared)
    return len(keys) - len(set(keys))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_long_texts(leadpipe, sandbox, control, crm, name, provider):
    """A text that is longer than the CRM's field is cut, so that the CRM does not refuse the lead for it."""
    push, ids = Push(leadpipe, sandbox, crm, name, provider), ids_of(12, "odd-long_members")
    run = push(ids)
    accepted = push.check(run, ids)
    assert accepted and {line["code"] for line in run.failed.values()} <= {"required"}, run.failed
    assert crm.summary()["refused"] == 0


def test_required_names_the_column(leadpipe, sandbox, control, crm):
    push, ids = Push(leadpipe, sandbox, crm, "hubspot-contacts"), ids_of(40)
    run = push(ids, status=3)
    push.check(run, ids)
    required = [line for line in run.failed.values() if line["code"] == "required"]
    assert required and all("/id: the column email" in line["error"] for line in required)


@pytest.mark.parametrize("name", ["hubspot-contacts", "slack"])
def test_words_of_the_crm(leadpipe, sandbox, control, crm, name):
    """As they are, but for secrets, whole or not; where a body is no JSON, how it begins."""
    push, ids = Push(leadpipe, sandbox, crm, name, more=",concurrency=1"), ids_of(3, "plain")
    secret = list(push.maker.env.values())[0]
    words = "x" * 395 + " " + secret + " \n" + "y" * 5000
    push.behave(faults={"refused": {"status": 422, "code": words if name == "slack" else "C" * 90 + secret, "message": words}})
    run = push(ids, status=3)
    assert list(run.failed) == ids and {line["http_status"] for line in run.failed.values()} == {422}
    assert all("xxx" in line["error"] and "\n" not in line["error"] for line in run.failed.values())
    pushes.assert_secret(crm, run)
    texts = json.dumps([(line["code"], line["error"]) for line in run.failed.values()])
    assert not any(secret[:part] in texts for part in range(9, len(secret)))


# ---- failures at random -----------------------------------------------------------------------------------

FAILURES = {**TRIED_AGAIN, "item": 0.05, "poison": 0.004, "missing": 0.01, "silent": 0.01, "reorder": 0.3,
            "cut_after": 0.03, "half": 0.03, "empty": 0.03, "garbage": 0.03, "status413": 0.02}
OF_MAKER = {"hubspot": {"conflict": 0.004}, "salesforce": {"gate": 0.05, "lock": 0.05, "expire": {"share": 0.05, "most": 3}},
            "zoho": {"expire": {"share": 0.05, "most": 3}, "lock": {"share": 0.05, "code": "RECORD_LOCKED"}},
            "dynamics": {"expire": {"share": 0.02, "most": 3}}}
OF_ITEMS = ("item", "poison", "conflict", "lock", "missing", "silent")
# Of a request, whatever is in it; and what is said where the CRM has said nothing of the lead
WHOLE = (408, 413, 429, 500, 502, 503)
NOT_SAID = ("unaccounted", "refused", "closed", "cut_short", "truncated")


def of_whole(line):
    return line["http_status"] in WHOLE or line["code"] in NOT_SAID or line["code"] == "REQUEST_LIMIT_EXCEEDED"


def failing(push, ids, seed, items=1, more="", timeout=60):
    """A run while all of that happens, and one with its failed list when it does not any more."""
    failures = {**FAILURES, **OF_MAKER.get(push.store.split("/")[0], {})}
    push.behave(faults={name: items * share if name in OF_ITEMS and not isinstance(share, dict) else share
                        for name, share in failures.items()}, seed=seed)
    run = push(ids, more=more, status=3, timeout=timeout)
    accepted, made = push.check(run, ids, whole=of_whole, unknown=True), {one.lead_id: one for one in push.made(ids)}
    pushes.assert_secret(push.crm, run)
    shown = push.crm.summary()["by_fault"]
    push.behave()
    again = push(push.folder / pushes.FAILED, more=more, timeout=timeout)
    left = {lead: line for lead, line in again.failed.items() if not made[lead].fault}
    assert all(push.is_refusal(line, {"codes": {}}) for line in left.values()), left
    push.check_store([one.item for one in made.values() if not one.fault and one.lead_id not in left])
    return shown, accepted


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_failures(leadpipe, sandbox, control, crm, name):
    push = Push(leadpipe, sandbox, crm, name, more=",concurrency=4,attempts=4")
    shown, accepted = failing(push, ids_of(40), 5, items=4)
    assert shown and accepted


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_many_failures(leadpipe, sandbox, control, crm, name, seed):
    push = Push(leadpipe, sandbox, crm, name, more=",concurrency=16,attempts=4")
    shown, accepted = failing(push, ids_of(5000), seed, timeout=600)
    assert len(accepted) > 3000 and set(TRIED_AGAIN) | {"item", "poison", "missing", "silent"} <= set(shown)


# ---- bisecting --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size, bad", [(100, 3), (100, 50), (1000, 1), (1000, 50),
                                       *(pytest.param(*one, marks=pytest.mark.nightly) for one in [(100, 1), (1000, 3)])])
def test_bisecting(leadpipe, sandbox, control, crm, size, bad):
    """The bad ones fail alone, within the bound, and every good one arrives once."""
    destination = json.loads((BUILT_IN / "hubspot-contacts.json").read_text())
    destination["batch"]["max_items"] = size
    destination["item"]["id"] = destination["item"]["properties"]["email"] = {"$field": "lead_id"}
    push, count = Push(leadpipe, sandbox, crm, "hubspot-contacts", destination=destination), 1000
    every = count // bad
    ids = ["%s-%d" % ("tiny-bad" if n % every == every // 2 and n // every < bad else "tiny", n) for n in range(count)]
    push.behave(faults={"poison": {"match": "bad", "code": "BAD_ONE", "message": "this one is bad"}}, max_items=size)
    run = push(ids, status=3)
    assert sorted(run.failed) == sorted(one for one in ids if "bad" in one) and len(run.failed) == bad
    assert {(line["code"], line["error"]) for line in run.failed.values()} == {("BAD_ONE", "this one is bad")}
    told = crm.summary()
    assert sorted(crm.records(push.store)) == sorted(one for one in ids if "bad" not in one)
    assert told["sent_again"] == 0 and told["written_twice"] == 0
    batches = [ids[start:start + size] for start in range(0, count, size)]
    bound = sum(bisect_bound(sum("bad" in one for one in batch), size) for batch in batches)
    assert len(batches) < told["requests"] <= bound


# ---- answers that say nothing, or too much ----------------------------------------------------------------

SILENT = {"empty": "unaccounted", "garbage": "unaccounted", "missing": "unaccounted", "huge": "too_large"}


@pytest.mark.parametrize("fault", sorted(SILENT))
@pytest.mark.parametrize("name", ["hubspot-contacts", "salesforce-lead", "pipedrive-person", "close-lead",
                                  pytest.param("zoho-leads", marks=pytest.mark.nightly)])
def test_never_assumed(leadpipe, sandbox, control, crm, name, fault):
    """A good status alone says of no lead that the CRM has it."""
    push = Push(leadpipe, sandbox, crm, name, more=",concurrency=4")
    ids = push.sound(4)
    push.behave(faults={fault: {}})
    run = push(ids, status=3)
    assert sorted(run.failed) == sorted(ids) and run.sink["delivered"] == 0 and run.sink["failed"] == 4
    refused = name == "pipedrive-person" and fault in ("empty", "missing")  # {} without the success that must be there
    assert {line["code"] for line in run.failed.values()} == {"refused" if refused else SILENT[fault]}
    assert crm.records(push.store) == {}


def test_half_an_answer(leadpipe, sandbox, control, crm):
    """It is tried again, and once more is enough."""
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts")
    ids = push.sound(10)
    push.behave(faults={"half": {"times": 1}})
    push.check(push(ids, status=0), ids)
    assert crm.summary()["requests"] == 2


@pytest.mark.parametrize("name", ["hubspot-contacts", "salesforce-lead"])
def test_some_are_left_out(leadpipe, sandbox, control, crm, name):
    """They have failed, the others have not; by position it is unknown whose an entry is."""
    push = Push(leadpipe, sandbox, crm, name)
    ids = push.sound(10)
    keys = {one.lead_id: push.key_of(one.item) for one in push.made(ids)}
    push.behave(faults={"missing": {"match": "^%s$" % keys[ids[3]]}})
    run = push(ids, status=3)
    assert set(run.failed) == ({ids[3]} if name == "hubspot-contacts" else set(ids))
    assert {line["code"] for line in run.failed.values()} == {"unaccounted"}
    assert keys[ids[3]] not in crm.records(push.store)
