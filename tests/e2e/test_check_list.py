"""leadpipe check for jobs with --all: one page of the list, and a lead that is on it."""

import json
import os

import pytest

from checks import KEY, Night
from tiny_server import TinyServer


@pytest.fixture(params=["omni", "convocore"])
def night(request, leadpipe, sandbox, control):
    night = Night(leadpipe, sandbox)
    del night.job["ids"], night.job["state"]
    night.name, night.agent = request.param, ""
    night.job.update({"provider": night.name, "all": True, "base-url": getattr(sandbox, night.name)})
    if night.name == "convocore":
        night.agent = "A"
        night.job["param"] = ["agentId=A"]
    return night


def tiny(n):
    return ["tiny-%d" % i for i in range(n)]


def test_a_good_list(night, control):
    control.lists(leads={night.agent: tiny(700)})
    points = night.check()
    assert {level for level, _, _ in points} == {"ok"}, points
    assert {"job", "key", "files", "memory", "provider", "list", "csv", "output", "disk"} <= {subject for _, subject, _ in points}
    text, = [message for _, subject, message in points if subject == "list"]
    page = 500 if night.name == "omni" else 100
    assert text.startswith(night.name) and "the first page has %d leads" % page in text and text.endswith("the first one is tiny-0")
    assert len(control.lists()) == 1 and len(control.requests()) == 1
    assert [message.split(":")[0] for _, subject, message in points if subject == "lead"] == ["tiny-0"]
    assert len([point for point in points if point[1] == "key" and "accepted" in point[2]]) == 1


@pytest.mark.parametrize("n", [1, 2, 7])
def test_leads_that_are_listed_and_not_there(night, control, n):
    """As with a base URL below which there is no lead: nothing would be exported."""
    control.lists(leads={night.agent: ["gone-%d~missing" % i for i in range(n)]})
    last = min(n, 5) - 1
    level = "FAIL" if n > 1 else "warn"
    assert night.finds(level, "lead", "gone-%d~missing" % last, "lists it, but does not have it (404)", "--base-url") == []
    assert len(control.requests()) == min(n, 5)


def test_one_of_the_first_leads_is_gone(night, control):
    control.lists(leads={night.agent: ["gone~missing", "tiny-1", "tiny-2"]})
    points = night.check()
    assert {level for level, _, _ in points} == {"ok"}, points
    assert len(control.requests()) == 2


def test_the_run_agrees(night, control):
    """What check calls good is."""
    control.lists(leads={night.agent: tiny(3)})
    assert night.check()
    assert night.leadpipe("run", "job.yaml").returncode == 0


def test_with_a_state(night, control):
    """The list is a part of the run, and the state knows it."""
    night.job["state"] = "job.state"
    control.lists(leads={night.agent: tiny(3)})
    assert {point[0] for point in night.check()} == {"ok"}
    assert night.leadpipe("run", "job.yaml").returncode == 0
    text, = [message for level, subject, message in night.check() if (level, subject) == ("ok", "state")]
    assert "3 exported" in text


def test_an_empty_list(night, control):
    control.lists(leads={night.agent: []})
    assert night.finds("warn", "list", night.name, "no leads") == []


@pytest.mark.parametrize("status, subject, says", [
    (401, "key", "check the API key in"), (403, "list", "permission to list leads"), (404, "list", "--base-url"),
    (400, "list", "--param"), (422, "list", "HTTP 422: not today; check --base-url"), (500, "list", "try again later"), (429, "list", "try again later")])
def test_a_refused_list(night, control, status, subject, says):
    control.lists(leads={night.agent: tiny(3)}, answers={"1": {"status": status, "body": {"message": "not today"}}})
    assert night.finds("FAIL", subject, night.name, str(status), "not today", says) == []
    assert len(control.lists()) <= 1


def test_a_wrong_key(night, control):
    night.write("omni.key", KEY, 0o600)
    assert night.finds("FAIL", "key", "401", "omni.key") == []


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b"{\"success\": false, \"message\": \"no\"}"])
def test_a_body_that_is_no_list(night, body):
    server = TinyServer(lambda path, headers: (200, {}, body))
    night.job["base-url"] = server.url
    assert night.finds("FAIL", "list", night.name) == []
    assert len(server.requests) == 1
    server.close()


def test_a_redirect(night):
    server = TinyServer(lambda path, headers: (302, {"Location": "https://elsewhere.example/"}, b""))
    night.job["base-url"] = server.url
    assert night.finds("FAIL", "list", "redirected", "--base-url") == []
    server.close()


def test_a_page_that_is_too_large(night, control):
    control.lists(leads={night.agent: tiny(100)})
    night.job["max-body"] = "100"
    assert night.finds("FAIL", "list", "--max-body") == []


def test_elements_without_an_id(night, control):
    member = "leadId" if night.name == "omni" else "id"
    control.lists(rows=[{member: "tiny-1"}, {member: None}])
    assert night.finds("warn", "list", "1 element", "no valid ID") == []
    control.lists(rows=[{member: None}, {}])
    assert night.finds("FAIL", "list", "2 elements", "no valid ID") == []


def test_what_no_terminal_may_show(night):
    """A message can do nothing with a terminal, and does not look like another point."""
    message = {"message": "\x1b]0;x\x07\u202e\nok    list       fine"}
    server = TinyServer(lambda path, headers: (404, {}, json.dumps(message).encode()))
    night.job["base-url"] = server.url
    assert night.finds("FAIL", "list", "404") == []
    done = night.leadpipe("check", "job.yaml")
    server.close()
    assert not any(byte < 0x20 for line in done.stdout.splitlines() for byte in line) and b"\xe2\x80\xae" not in done.stdout
    assert all(line[:4] in (b"ok  ", b"warn", b"FAIL") for line in done.stdout.splitlines())


@pytest.mark.parametrize("n, asked", [(2, 2), (7, 5)])
@pytest.mark.parametrize("night", ["convocore"], indirect=True)
def test_several_lists(night, control, n, asked):
    night.job["param"] = ["agentId=%d" % i for i in range(n)]
    control.lists(leads={str(i): tiny(3) for i in range(n)})
    texts = [message for _, subject, message in night.check() if subject == "list"]
    assert [text.partition(":")[0] for text in texts[:asked]] == ["convocore, agentId %d" % i for i in range(asked)]
    assert texts[asked:] == (["2 more lists were not requested"] if n > asked else [])
    assert len(control.lists()) == asked


@pytest.mark.parametrize("night, words, says", [
    ("convocore", {"created-since": "1d"}, "does not have this filter"), ("convocore", {"param": "agentId=a\nb"}, "param"),
    ("convocore", {"param": "agent=a"}, "agentId"), ("omni", {"created-since": "soon"}, "--created-since"),
    ("omni", {"ids": "ids.txt"}, "--all and FILE")], indirect=["night"])
def test_what_the_run_would_refuse(night, control, words, says):
    night.job.update(words)
    points = [point for point in night.check(status=1) if point[0] != "ok"]
    assert [point[:2] for point in points] == [("FAIL", "job")] and says in points[0][2]
    assert control.requests() == []


def test_without_a_key(night, control):
    (night.folder / "omni.key").unlink()
    assert night.finds("FAIL", "key", "omni.key") == []
    assert control.requests() == [] and os.listdir(night.folder / "out") == []
