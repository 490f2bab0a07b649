"""The sink push: what is seen before it is sent, limits of requests, and destinations that are refused."""

import json

import pytest

import pushes
from conftest import clean_environment
from pushes import BUILT_IN, MAKERS, Push
from reference.jsonval import dumps_compact, parse_text

SHOWN = ("content-type", "accept", "odata-version", "odata-maxversion")


def preview_of(push, ids, name="preview.ndjson", env=None, more=""):
    """Its lines; no credential is set."""
    env = push.sandbox.env if env is None else env
    run = push.leadpipe(*push.words(more=more + ",preview=" + name), ids, env=env)
    assert run.returncode in (0, 3), run.stderr
    data = run.stdout if name == "-" else (push.folder / name).read_bytes()
    lines = data.split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines], lines


def body_of(line):
    """The bytes of the body, as they stand in a line."""
    return line[line.index(b',"body":') + len(b',"body":'):-1]


@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_equals_what_is_sent(leadpipe, sandbox, control, crm, name, provider):
    """Byte for byte, without credentials, and without them in it."""
    push = Push(leadpipe, sandbox, crm, name, provider, more=",concurrency=1")
    push.behave(keep_bodies=True)
    ids = pushes.outputs.ids_file(push.folder, ["lead-%d" % n for n in range(15)])
    seen, lines = preview_of(push, ids)
    assert crm.summary()["requests"] == crm.summary()["token_requests"] == 0
    push.behave(keep_bodies=True, instance_url=None if name == "dynamics-lead" else "https://other.example")
    push(["lead-%d" % n for n in range(15)])
    assert [body_of(line) for line in lines] == crm.bodies()
    for shown, sent in zip(seen, crm.requests()):
        assert set(shown) == {"method", "url", "headers", "body"} and shown["method"] == sent["method"]
        if name != "slack":
            assert shown["url"] == sandbox.url + sent["target"]
        hidden = {header.lower(): value for header, value in shown["headers"].items() if header.lower() not in SHOWN}
        assert all(value == "***" and header in sent["headers"] for header, value in hidden.items())
        assert {header.lower(): value for header, value in shown["headers"].items() if header.lower() in SHOWN}.items() \
            <= sent["headers"].items()
    assert crm.leaked(*lines) == []


def test_to_standard_output(leadpipe, sandbox, control, crm):
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts")
    ids = pushes.outputs.ids_file(push.folder, push.sound(5))
    assert preview_of(push, ids, "-")[1] == preview_of(push, ids)[1]


def test_no_two_alike_in_a_request(leadpipe, sandbox, control, crm):
    """The later goes into the next request, and nothing is lost."""
    destination = json.loads((BUILT_IN / "hubspot-contacts.json").read_text())
    destination["item"]["id"] = {"$field": "lead_id", "do": ["first:7"]}
    destination["item"]["properties"] = {"email": {"$field": "lead_id", "do": ["first:7"]},
                                         "website": {"$field": "lead_id"}}
    destination["item"]["idProperty"] = "email"
    destination["batch"]["max_items"] = 10
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts", destination=destination, more=",concurrency=1")
    push.behave(keep_bodies=True)
    ids = ["tiny-%d" % n for n in range(120)]
    run = push(ids, status=0)
    sent = [[one["id"] for one in json.loads(body)["inputs"]] for body in crm.bodies()]
    assert all(len(set(one)) == len(one) <= 10 for one in sent)
    assert run.sink["delivered"] == 120 == sum(map(len, sent))
    by_key = {}
    for body in crm.bodies():
        for one in json.loads(body)["inputs"]:
            by_key.setdefault(one["id"], []).append(one["objectWriteTraceId"])
    for key, leads in by_key.items():
        assert leads == [one for one in ids if one[:7] == key], "the last one is what stays"


def test_max_bytes(leadpipe, sandbox, control, crm):
    """No request is larger, none is smaller than need be, and what is too large alone has failed."""
    destination = json.loads((BUILT_IN / "hubspot-contacts.json").read_text())
    destination["batch"]["max_bytes"] = "2K"
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts", destination=destination, more=",concurrency=1")
    ids = push.sound(30)
    push.behave(max_bytes=2048, keep_bodies=True)
    run = push(ids, status=0)
    push.check(run, ids)
    sizes = [len(body) for body in crm.bodies()]
    assert max(sizes) <= 2048 and set(crm.summary()["by_status"]) == {"200"}
    texts = [len(one.text.encode()) for one in push.made(ids)]
    assert all(size + max(texts) + 1 > 2048 for size in sizes[:-1])


def test_one_item_is_too_large(leadpipe, sandbox, control, crm):
    destination = json.loads((BUILT_IN / "hubspot-contacts.json").read_text())
    destination["batch"]["max_bytes"] = "2K"
    destination["item"]["properties"]["about"] = {"$payload": "", "as": "text"}
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts", destination=destination)
    run = push(["rich-1", "rich-2"], status=3)
    assert {line["code"] for line in run.failed.values()} <= {"too_large"} and crm.summary()["requests"] == 0


WRONG = {  # a destination that is not right, in one place -> the pointer of that place
    "unknown member": ({"more": 1}, "/more"),
    "unknown directive": ({"item": {"x": {"$fields": "email"}}}, "/item/x"),
    "unknown transform": ({"item": {"x": {"$field": "email", "do": ["rot13"]}}}, "/item/x/do/0"),
    "unknown column": ({"item": {"x": {"$field": "no_such_column"}}}, "/item/x/$field"),
    "without $items": ({"body": {"inputs": []}}, "/body"),
    "parameter": ({"item": {"x": {"$param": "stage"}}}, "/item/x/$param"),
    "method": ({"method": "GET"}, "/method"),
    "max_items": ({"batch": {"max_items": 0}}, "/batch/max_items"),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_refused_before_any_request(leadpipe, sandbox, control, crm, what):
    change, pointer = WRONG[what]
    destination = {**json.loads((BUILT_IN / "hubspot-contacts.json").read_text()), **change}
    text = json.dumps(destination)
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts")
    (push.folder / "wrong.json").write_text(text)
    push.target = "./wrong.json"
    for more in ("", ",preview=-"):
        run = push(["plain-1"], status=2, more=more)
        assert "wrong.json" in run.stderr and pointer in run.stderr, run.stderr
    assert crm.summary()["requests"] == 0 and control.stats(ids="none")["requests"] == 0
    assert "Traceback" not in run.stderr and run.manifest is None


def test_name_that_is_set_twice(leadpipe, sandbox, control, crm):
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts")
    text = push.text.replace('"idProperty": "email"', '"idProperty": "email", "idProperty": "x"')
    assert text != push.text
    (push.folder / "wrong.json").write_text(text)
    push.target = "./wrong.json"
    assert "/item/idProperty" in push(["plain-1"], status=2).stderr
