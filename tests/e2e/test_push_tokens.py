"""The sink push: credentials and tokens; who holds back, who is refused for good, and that nothing shows a secret."""

import json

import pytest

import outputs
import pushes
from pushes import Push
from tiny_server import TinyServer


def some(*names, others=()):
    """The others are for the night."""
    return [*names, *(pytest.param(name, marks=pytest.mark.nightly) for name in others)]


OAUTH2 = some("salesforce-lead", others=["zoho-leads", "dynamics-lead"])


def batches_of(n, name):
    """A destination with small batches, so that many requests wait for one token."""
    destination = json.loads((pushes.BUILT_IN / (name + ".json")).read_text())
    if "batch" in destination:
        destination["batch"]["max_items"] = n
    return destination


@pytest.fixture
def making(leadpipe, sandbox, control, crm):
    def make(name, size=5, more=",concurrency=8"):
        return Push(leadpipe, sandbox, crm, name, destination=batches_of(size, name), more=more)
    return make


@pytest.mark.parametrize("name", OAUTH2)
def test_one_for_all(making, crm, name):
    """The first token is fetched once, however many requests wait for it."""
    push = making(name)
    ids = push.sound(40)
    push.behave(faults={"token_slow": {"ms": 300}, "slow": {"ms": 20}})
    run = push(ids, status=0)
    push.check(run, ids)
    told = crm.summary()
    assert (told["tokens_issued"], told["token_requests"], told["token_max_in_progress"]) == (1, 1, 1)
    assert told["by_status"].keys() <= {"200", "204"} and told["max_in_progress"] > 1
    pushes.assert_secret(crm, run)


@pytest.mark.parametrize("name", some("dynamics-lead", others=["salesforce-lead", "zoho-leads"]))
def test_refused_in_mid_run(making, crm, name):
    """Good no longer at once, for all that are under way: one renewal, nothing is lost or sent twice."""
    push = making(name)
    ids = push.sound(40)
    push.behave(faults={"expire": {"most": 1, "after": 4}, "token_slow": {"ms": 100}, "slow": {"ms": 20}})
    run = push(ids, status=0)
    push.check(run, ids)
    told = crm.summary()
    assert told["tokens_issued"] == told["token_requests"] == 2 and told["token_max_in_progress"] == 1
    assert told["sent_again"] == 0 and told["by_status"]["401"] >= 1
    pushes.assert_secret(crm, run)


@pytest.mark.parametrize("name", some("zoho-leads", others=["salesforce-lead", "dynamics-lead"]))
def test_good_for_some_requests(making, crm, name):
    """By number: every token ends in mid-run; as many renewals as that takes."""
    push = making(name, size=2)
    ids = push.sound(40)
    push.behave(token_requests=7)
    run = push(ids, status=0)
    push.check(run, ids)
    told = crm.summary()
    assert told["sent_again"] == 0 and told["token_max_in_progress"] == 1
    assert 20 // 7 <= told["tokens_issued"] <= 20
    pushes.assert_secret(crm, run)


def test_renewed_before_it_expires(making, crm):
    """A fifth of its life before: the CRM never sees an old one."""
    push = making("zoho-leads", size=2, more=",concurrency=1")
    ids = push.sound(50)
    push.behave(token_seconds=1.5, token_says=1, faults={"slow": {"ms": 60}})
    run = push(ids, status=0)
    push.check(run, ids)
    told = crm.summary()
    assert told["by_status"] == {"200": 25} and 2 <= told["tokens_issued"] == told["token_requests"] <= 8


def test_server_fails_for_a_while(making, crm):
    push = making("zoho-leads")
    ids = push.sound(20)
    push.behave(faults={"token_500": {"most": 1}, "token_cut": {"most": 1}})
    run = push(ids, status=0)
    push.check(run, ids)
    assert crm.summary()["tokens_issued"] == 1 and crm.summary()["token_requests"] == 3


# what the token's server does -> what is said
FOR_GOOD = {"token_400": ("http_400", "as ordered"), "token_401": ("http_401", "as ordered"),
            "token_garbage": ("http_200", "not a JSON object"), "token_none": ("http_200", "access_token")}


@pytest.mark.parametrize("fault", sorted(FOR_GOOD))
@pytest.mark.parametrize("name", OAUTH2)
def test_server_refuses_for_good(making, crm, name, fault):
    """The sink closes, and every lead has failed with what the token's server said."""
    push = making(name)
    ids = push.sound(12)
    push.behave(faults={fault: {"message": "as ordered"}})
    run = push(ids, status=3)
    code, words = FOR_GOOD[fault]
    assert sorted(run.failed) == sorted(ids) and run.sink["delivered"] == 0
    assert {line["code"] for line in run.failed.values()} == {code}
    assert all(words in line["error"] and "token" in line["error"] for line in run.failed.values())
    assert crm.summary()["requests"] == 0 and crm.summary()["token_requests"] == 1
    pushes.assert_secret(crm, run)


def test_refused_with_a_new_token(making, crm):
    """A token that was just given and is refused will not be given again and again."""
    push = making("zoho-leads")
    ids = push.sound(20)
    push.behave(faults={"unauthorized": {}})
    run = push(ids, status=3)
    assert sorted(run.failed) == sorted(ids)
    assert all("credentials refused" in line["error"] and line["code"] == "http_401" for line in run.failed.values())
    assert run.stderr.count("nothing more is sent to this sink") == 1
    assert crm.summary()["tokens_issued"] <= 3 and crm.records(push.store) == {}


@pytest.mark.parametrize("name", ["hubspot-contacts", "pipedrive-person", "close-lead"])
def test_unauthorized(making, crm, name):
    """Without oauth2 a 401 closes the sink."""
    push = making(name, more=",concurrency=1")
    ids = push.sound(12)
    push.behave(faults={"unauthorized": {"after": 1}})
    run = push(ids, status=3)
    size = push.destination.max_items
    assert len(run.failed) == 12 - size and run.sink["delivered"] == size
    assert {line["code"] for line in run.failed.values()} == {"http_401"} and crm.summary()["requests"] == 2
    assert all("credentials refused" in line["error"] for line in run.failed.values())
    pushes.assert_secret(crm, run)


def test_gone(making, crm):
    push = making("hubspot-contacts", more=",concurrency=1")
    ids = push.sound(12)
    push.behave(faults={"gone": {"after": 1}})
    run = push(ids, status=3)
    assert {line["code"] for line in run.failed.values()} == {"http_410"} and crm.summary()["requests"] == 2


@pytest.mark.parametrize("name, fault", [("salesforce-lead", "gate"), ("hubspot-contacts", "rate"),
                                         pytest.param("slack", "rate", marks=pytest.mark.nightly)])
def test_held_back(making, crm, name, fault):
    """A gate, as a 429, holds back every request, for as long as Retry-After says."""
    push = making(name)
    ids = push.sound(24)
    push.behave(faults={fault: {"most": 1, "after": 3, "retry_after": 1}})
    run = push(ids, status=0)
    push.check(run, ids)
    log = crm.requests()
    assert crm.summary()["sent_again"] == 0
    held = next(n for n, one in enumerate(log) if one["fault"] == fault)
    late = [one for one in log[held + 1:] if one["at"] - log[held]["at"] < 0.99]
    assert len(late) < 8, "what was under way, no more"
    assert len(log) > held + 1


def test_held_back_for_too_long(making, crm):
    push = making("hubspot-contacts", more=",concurrency=1,retry-max-time=30s")
    ids = push.sound(12)
    push.behave(faults={"rate": {"after": 1, "retry_after": 3600}})
    run = push(ids, status=3)
    assert len(run.failed) == 7 and crm.summary()["requests"] == 2
    assert all(line["http_status"] in (429, None) for line in run.failed.values())


@pytest.mark.parametrize("name", sorted(pushes.MAKERS))
def test_a_credential_that_is_not_set(making, crm, name):
    push = making(name)
    for missing in push.maker.env:
        env = {key: value for key, value in push.env().items() if key != missing}
        run = push(["plain-1"], status=2, env=env)
        assert missing in run.stderr and run.manifest is None
    assert crm.summary()["requests"] == crm.summary()["token_requests"] == 0


@pytest.mark.parametrize("place, shown", [({"refresh_env": "CRM_REFRESH"}, "the variable CRM_REFRESH"),
                                          ({"refresh_file": "refresh.txt"}, "the file refresh.txt")])
@pytest.mark.parametrize("given", ["an0ther-refresh", "c0nfigured-refresh"])
def test_a_refresh_token_that_is_replaced(leadpipe, place, shown, given):
    """The next run will not know the new one: that is said, once, and where the old one is."""
    tokens = []

    def respond(path, headers):
        if path == "/token":
            tokens.append("t0ken-%d" % len(tokens))
            return 200, {}, json.dumps({"access_token": tokens[-1], "refresh_token": given}).encode()
        if path == "/crm":
            return (200 if headers["Authorization"] == "Bearer t0ken-2" else 401), {}, b"{}"
        return 200, {"Content-Type": "application/json"}, b'{"lead":{"firstName":"Ann"}}'

    server = TinyServer(respond)
    oauth2 = {"grant": "refresh_token", "token_url": server.url + "/token", "id_env": "CRM_ID", "secret_env": "CRM_SECRET", **place}
    (leadpipe.folder / "d.json").write_text(json.dumps(
        {"destination": 1, "method": "POST", "url": server.url + "/crm", "auth": {"oauth2": oauth2},
         "item": {"id": {"$field": "lead_id"}}, "answer": {"ok": [200], "unaccounted": "ok"}}))
    (leadpipe.folder / "refresh.txt").write_text("c0nfigured-refresh\n")
    done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "push,concurrency=1:d.json", outputs.ids_file(
        leadpipe.folder, ["a", "b"]), env={"OMNI_API_KEY": "k", "CRM_ID": "cl1ent", "CRM_SECRET": "s3cret-0f-it",
                                           "CRM_REFRESH": "c0nfigured-refresh"})
    server.close()
    assert done.returncode == 0 and len(tokens) == 3, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "replaced the refresh token" in line]
    assert len(warnings) == (given != "c0nfigured-refresh") and all(shown + ":" in line for line in warnings), done.stderr
    assert "refresh-" not in done.stderr and not any(secret in done.stderr for secret in ("an0ther", "c0nf", "t0ken", "s3cret"))
