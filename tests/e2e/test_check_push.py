"""leadpipe check: a CRM's server is reached, a token is fetched and not shown, and nothing else is sent."""

import json
import resource

import pytest

import pushes
from checks import Secure, authority, free_port  # noqa: F401
from pushes import MAKERS, Push
from tiny_server import TinyServer

OAUTH2 = ["dynamics-lead", "salesforce-lead", "zoho-leads"]


def points(push, *words, status=0, sink=None, env=None):
    """What is said of the CRM."""
    given = push.words(*words)[1:]
    if sink:
        given[given.index("-t") + 1] = sink
    env = {name: value for name, value in {**push.env(), **(env or {})}.items() if value is not None}
    done = push.leadpipe("check", "--json", "--id", "plain-1", *given, env=env)
    assert done.returncode == status and done.stderr == "", done.stdout.decode()
    assert push.crm.leaked(done.stdout) == [] and push.crm.summary()["requests"] == 0
    assert not (push.folder / pushes.FAILED).exists() and not (push.folder / pushes.MANIFEST).exists()
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {point["subject"] for point in found if point["level"] == "FAIL"} <= {"push"}, found
    return [(point["level"], point["message"]) for point in found if point["subject"] == "push"]


def fails(found, *texts):
    failed = [message for level, message in found if level == "FAIL"]
    assert len(failed) == 1 and all(text in failed[0] for text in texts), found


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_built_in(leadpipe, sandbox, control, crm, name):
    found = points(Push(leadpipe, sandbox, crm, name))
    assert {level for level, _ in found} == {"ok"} and "reached" in found[0][1]
    tokens = 1 if name in OAUTH2 else 0
    assert crm.summary()["token_requests"] == tokens and len(found) == 1 + tokens
    assert not tokens or "an access token was given" in found[1][1]
    assert name not in ("dynamics-lead", "zoho-leads") or "good for 3600 s" in found[1][1]  # Salesforce does not say


# what the token's server does -> what is said
REFUSALS = {"token_400": ("400", "as ordered", "_CLIENT_SECRET"), "token_401": ("401", "as ordered", "_CLIENT_ID"),
            "token_500": ("500", "try again later"), "token_429": ("429", "try again later"), "token_cut": ("try again later",),
            "token_garbage": ("not a JSON object", "token_url"), "token_none": ("access_token", "token_url")}


@pytest.mark.parametrize("fault", sorted(REFUSALS))
@pytest.mark.parametrize("name", ["salesforce-lead", "zoho-leads"])
def test_no_token(leadpipe, sandbox, control, crm, name, fault):
    push = Push(leadpipe, sandbox, crm, name)
    push.behave(faults={fault: {"message": "as ordered"}})
    fails(points(push, status=1), "no access token", *REFUSALS[fault])
    assert crm.summary()["token_requests"] == 1


@pytest.mark.parametrize("name", OAUTH2)
def test_wrong_secret(leadpipe, sandbox, control, crm, name):
    push = Push(leadpipe, sandbox, crm, name)
    wrong = {variable: "n0t-the-secret" for variable in push.env() if variable.endswith("_CLIENT_SECRET")}
    found = points(push, status=1, env=wrong)
    fails(found, "no access token", "check the client's credentials", *wrong)
    assert "n0t-the-secret" not in str(found)


def test_too_few_open_files(leadpipe, sandbox, control, crm):
    """Wherever they run out: it is said, and nothing crashes."""
    push = Push(leadpipe, sandbox, crm, "salesforce-lead")
    said = set()
    for most in range(7, 16):
        limit = (most, most)
        done = push.leadpipe("check", "--id", "plain-1", *push.words()[1:], env=push.env(),
                             preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        assert done.returncode == 1, (most, done.returncode, done.stdout, done.stderr)
        said |= {line for line in done.stdout.decode().splitlines() if "event loop: too many open files" in line}
    assert said


def test_missing_secret(leadpipe, sandbox, control, crm):
    push = Push(leadpipe, sandbox, crm, "zoho-leads")
    fails(points(push, status=1, env={"ZOHO_CLIENT_SECRET": None}), "ZOHO_CLIENT_SECRET is not set")
    assert crm.summary()["token_requests"] == 0


def test_a_preview_needs_nothing(leadpipe, sandbox, control, crm):
    push = Push(leadpipe, sandbox, crm, "zoho-leads", more=",preview=requests")
    found = points(push, env={"ZOHO_CLIENT_SECRET": None})
    assert [level for level, _ in found] == ["ok"] and "1 output can be written" in found[0][1]
    assert crm.summary()["token_requests"] == 0 and not (push.folder / "requests").exists()


@pytest.mark.parametrize("name", ["hubspot-contacts", "zoho-leads"])
def test_unknown_server(leadpipe, sandbox, control, crm, name):
    push = Push(leadpipe, sandbox, crm, name)
    fails(points(push, status=1, sink=push.sink().replace(crm.url, "https://crm.invalid")), "https://crm.invalid", "resolve", "DNS")
    fails(points(push, status=1, sink=push.sink().replace(crm.url, "http://127.0.0.1:%d" % free_port())), "is the server running")
    assert crm.summary()["token_requests"] == 0


def test_certificate(leadpipe, sandbox, control, crm, authority):  # noqa: F811
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts")
    server = Secure(authority, "days60")
    sink = push.sink().replace(crm.url, server.url)
    fails(points(push, status=1, sink=sink), server.url, "certificate", "--cacert")
    server.server.shutdown()


def of_own(push, **members):
    """A destination with these members, without base-url."""
    destination = {**json.loads(push.text), **members}
    (push.folder / "own.json").write_text(json.dumps(destination))
    return push.sink().replace("base-url=%s," % push.crm.url, "").rpartition(":")[0] + ":own.json"


@pytest.fixture
def taken(leadpipe, sandbox, control, crm):
    """Whose server is in the token's answer."""
    push = Push(leadpipe, sandbox, crm, "salesforce-lead")
    auth = json.loads(push.text)["auth"]
    auth["oauth2"]["token_url"] = crm.url + "/services/oauth2/token"
    push.own = of_own(push, auth=auth)
    push.own = push.own.replace("param=domain=acme.my.salesforce.com,", "")
    return push


def test_server_from_the_token(taken):
    server = TinyServer(lambda path, headers: (200, {}, b"{}"))
    taken.crm.behave(instance_url=server.url)
    found = points(taken, sink=taken.own)
    assert [level for level, _ in found] == ["ok"] * 3 and server.url in found[2][1] and "reached" in found[2][1]
    server.close()
    assert server.requests == []
    fails(points(taken, status=1, sink=taken.own), server.url, "is the server running")


@pytest.mark.parametrize("url, says", [("https://crm.invalid", "crm.invalid"), ("http://crm.example", "--allow-http"),
                                       ("file:///etc/passwd", "https://"), ("no url at all", "URL")])
def test_bad_server_from_the_token(taken, url, says):
    taken.crm.behave(instance_url=url)
    fails(points(taken, status=1, sink=taken.own), says)


def test_server_from_the_lead(leadpipe, sandbox, control, crm):
    """Its path may depend on the lead; where the server does, it is not looked for."""
    push = Push(leadpipe, sandbox, crm, "pipedrive-person")
    sink = of_own(push, url=crm.url + "/api/v2/persons/{lead_id}")
    assert [level for level, _ in points(push, sink=sink)] == ["ok"]


def test_new_refresh_token(leadpipe, sandbox, control, crm):
    """The configured one may be of no use any more."""
    push = Push(leadpipe, sandbox, crm, "zoho-leads")
    auth = json.loads(push.text)["auth"]
    answer = {"access_token": "t0ken-that-nobody-sees", "refresh_token": "an0ther-refresh", "expires_in": 60, "api_domain": crm.url}
    server = TinyServer(lambda path, headers: (200, {}, json.dumps(answer).encode()))
    auth["oauth2"]["token_url"] = server.url + "/token"
    found = points(push, sink=of_own(push, auth=auth).replace("param=accounts=accounts.zoho.eu,", ""))
    assert [level for level, _ in found] == ["ok", "ok", "warn", "ok"] and "refresh token" in found[2][1]
    assert "t0ken" not in str(found) and "an0ther" not in str(found)
    server.close()
