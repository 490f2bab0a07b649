"""leadpipe export --all: the list and the export of its leads in one run."""

import csv
import json
import os
import re
import threading
import time

import pytest

from conftest import text_of


def exported(path):
    return [json.loads(line)["lead_id"] for line in path.read_text().splitlines()]


def tiny(n):
    return ["tiny-%d" % i for i in range(n)]


def omni(sandbox, *more):
    return ["export", *sandbox.provider("omni"), "--all", *more]


def convocore(sandbox, *more, agents=("A",)):
    params = [word for agent in agents for word in ("--param", "agentId=" + agent)]
    return ["export", "-p", "convocore", "--base-url", sandbox.convocore, "--all", *params, *more]


@pytest.mark.parametrize("n", [0, 1, 500, 501, 2600])
def test_all_leads(leadpipe, sandbox, control, tmp_path, n):
    control.lists(leads={"": tiny(n)})
    run = leadpipe(*omni(sandbox, "-t", "ndjson:out", "--manifest", "m.json"), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert exported(tmp_path / "out") == tiny(n)
    manifest = json.loads((tmp_path / "m.json").read_text())
    assert manifest["ids"] == {"read": n, "unique": n, "duplicates": 0}
    assert manifest["requests"]["total"] == n + max(1, -(-n // 500))


def test_several_agents(leadpipe, sandbox, control, tmp_path):
    control.lists(leads={"A": ["plain-1", "plain-2"], "B": ["plain-1"]})
    run = leadpipe(*convocore(sandbox, "-t", "csv:out.csv", agents=("A", "B")), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [(row["lead_id"], row["agent_id"]) for row in rows] == [("plain-1", "A"), ("plain-2", "A"), ("plain-1", "B")]


def test_leads_are_requested_before_the_list_is_complete(leadpipe, sandbox, control):
    """The list is read a page ahead, and no further: what waits in memory is bounded."""
    control.lists(leads={"": tiny(6000)}, page_size=500)
    assert leadpipe(*omni(sandbox, "-t", "ndjson:out"), env=sandbox.env).returncode == 0
    before = control.ask("lists/order")
    assert len(before) == 12 and before[0] == 0
    for page, leads in enumerate(before):
        # Waiting: a page more than the limit in the list, what the intake has read ahead, and what is in flight.
        assert 500 * page - leads < 1500 + 512 + 3 * 64, (page, leads)


@pytest.mark.parametrize("status", [400, 401, 404])
@pytest.mark.parametrize("page", [1, 2])
def test_a_refused_list(leadpipe, sandbox, control, tmp_path, status, page):
    (tmp_path / "out").write_text("before\n")
    control.lists(leads={"": tiny(1000)}, answers={str(page): {"status": status, "body": {"message": "no"}}})
    run = leadpipe(*omni(sandbox, "-t", "ndjson:out"), env=sandbox.env)
    assert run.returncode == 1 and str(status) in run.stderr
    assert (tmp_path / "out").read_text() == "before\n" and os.listdir(tmp_path) == ["out"]


def test_a_list_that_does_not_end(leadpipe, sandbox, control, tmp_path):
    control.lists(leads={"": tiny(30)}, page_size=10, token="loop")
    run = leadpipe(*omni(sandbox, "-t", "ndjson:out"), env=sandbox.env)
    assert run.returncode == 3 and "leads may be missing" in run.stderr
    assert exported(tmp_path / "out") == tiny(30)


def test_a_list_that_changes(leadpipe, sandbox, control, tmp_path):
    control.lists(leads={"A": tiny(30)}, page_size=10, after=[{"page": 1, "remove": tiny(3)}])
    run = leadpipe(*convocore(sandbox, "-t", "ndjson:out"), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert sorted(exported(tmp_path / "out")) == sorted(tiny(30))


def test_elements_without_an_id(leadpipe, sandbox, control, tmp_path):
    control.lists(rows=[{"leadId": "tiny-1"}, {"leadId": None}, {"leadId": "tiny-2"}])
    run = leadpipe(*omni(sandbox, "-t", "ndjson:out"), env=sandbox.env)
    assert run.returncode == 3 and "is not a lead" in run.stderr
    assert exported(tmp_path / "out") == ["tiny-1", "tiny-2"]


def test_pages_wait_for_the_same_gate(leadpipe, sandbox, control, tmp_path):
    """A page's Retry-After delays leads, too: nothing is requested meanwhile."""
    control.lists(leads={"": tiny(1500)}, answers={"*": {"status": 429, "times": 1, "retry_after": 1}})
    run = leadpipe(*omni(sandbox, "-t", "ndjson:out"), env=sandbox.env)
    assert run.returncode == 0, run.stderr
    assert exported(tmp_path / "out") == tiny(1500)


def test_filters(leadpipe, sandbox, control):
    control.lists(leads={"": tiny(2)})
    run = leadpipe(*omni(sandbox, "--created-since", "2026-01-30", "-t", "ndjson:out"), env=sandbox.env)
    assert run.returncode == 0 and control.lists()[0]["start"] == "2026-01-30T00:00:00.000Z"


@pytest.mark.parametrize("arguments, message", [
    (["-p", "omni", "--all", "ids.txt"], "--all and FILE (ids.txt) cannot be used together"),
    (["-p", "omni", "--all", "--id", "a"], "--all"),
    (["-p", "omni", "--all", "--shard", "0/2"], 'save the list once with "leadpipe list"'),
    (["-p", "omni", "--all", "--id-format", "csv"], "--id-format and --all cannot be used together"),
    (["-p", "omni", "--all", "--id-column", "id"], "--id-column and --all cannot be used together"),
    (["-p", "omni", "--all", "--id-format", "csv", "--state", "s"], "--id-format"),
    (["-p", "omni", "--created-since", "30d", "--id", "a"], "--created-since"),
    (["-p", "convocore", "--all"], "--param agentId=VALUE is required"),
    (["-p", "convocore", "--all", "--param", "agentId=A", "--created-since", "1d"], "does not have this filter"),
])
def test_wrong_usage(leadpipe, sandbox, control, tmp_path, arguments, message):
    server = ["--base-url", sandbox.convocore if "convocore" in arguments else sandbox.omni]
    run = leadpipe("export", *arguments, *server, "-t", "ndjson:out", env=sandbox.env)
    assert run.returncode == 2 and message in run.stderr and run.stderr.count("\n") == 1, run.stderr
    assert os.listdir(tmp_path) == [] and control.lists() == []


def test_expect(leadpipe, sandbox, control):
    control.lists(leads={"": tiny(7)})
    assert leadpipe(*omni(sandbox, "-t", "ndjson:out", "--expect", "7"), env=sandbox.env).returncode == 0
    assert leadpipe(*omni(sandbox, "-t", "ndjson:out", "--expect", "8"), env=sandbox.env).returncode == 3


def test_progress(leadpipe, sandbox, control):
    """While the list is not complete: how many of at least how many."""
    control.lists(leads={"": tiny(20_000)}, page_size=500)
    control.set(latency_ms=200)
    process = leadpipe.start(*omni(sandbox, "-t", "ndjson:out", "--progress", "always", "-j", "20"), env=sandbox.env)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    wanted = re.compile(rb" [0-9,]+ of [0-9]{1,2},[0-9]{3}\+")
    deadline = time.monotonic() + 60
    while not any(map(wanted.search, lines)) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.wait()
    reader.join()
    assert any(map(wanted.search, lines)), text_of(b"".join(lines))


def test_a_page_that_takes_too_much_memory(leadpipe, sandbox, control, tmp_path):
    """Few bytes on the wire, many in memory."""
    control.lists(leads={"": []}, answers={"*": {"status": 200, "body": '{"breakdown": [%s1]}' % ("[]," * 1_500_000)}})
    run = leadpipe(*omni(sandbox, "-t", "ndjson:out", "--max-memory", "64M"), env=sandbox.env)
    assert run.returncode == 1 and not (tmp_path / "out").exists()
    assert "page 1 of the list" in run.stderr


def test_a_page_that_is_larger_than_a_body_may_be(leadpipe, sandbox, control, tmp_path):
    """--max-body holds for pages, too, however much memory there is."""
    control.lists(rows=[{"leadId": "tiny-1", "name": "x" * 300_000}])
    run = leadpipe(*omni(sandbox, "-t", "ndjson:out", "--max-body", "200K"), env=sandbox.env)
    assert run.returncode == 1 and not (tmp_path / "out").exists()
    assert "page 1 of the list is larger than --max-body" in run.stderr, run.stderr


def test_sigterm(leadpipe, sandbox, control, tmp_path):
    """While a page is on its way as well as leads: no file, and the exit status of the signal."""
    control.lists(leads={"": tiny(20_000)}, page_size=500)
    control.set(latency_ms=300)
    process = leadpipe.start(*omni(sandbox, "-t", "ndjson:out", "-j", "4"), env=sandbox.env)
    deadline = time.monotonic() + 30
    while control.stats()["requests"] < 8 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + 15, text_of(errors)
    assert os.listdir(tmp_path) == []
