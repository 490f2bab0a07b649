"""The sink webhook: what is in a delivery, how leads are put into messages, what an answer does."""

import re
import sys
import urllib.parse

import pytest

from conftest import ROOT, Control
from outputs import body_of, ids_file, lead_ids_of, ledger_of, lines_of, manifest, message_of

sys.path.insert(0, str(ROOT / "tests" / "sandbox"))
import hooks  # noqa: E402

OLD = "whsec_" + "b2xkLXNlY3JldC1vZi0yNC1ieXRlcy4u"
NEW = "whsec_" + "bmV3LXNlY3JldC1vZi0yNC1ieXRlcy4u"


def plain_ids(count):
    return ["plain-%d" % n for n in range(count)]


def send(leadpipe, sandbox, target, ids, *options, status=0, env=None, sinks=()):
    """Export to one webhook; returns the finished process."""
    words = [word for sink in sinks for word in ("-t", sink)]
    done = leadpipe("export", *sandbox.provider(), "-t", target, *words, "--failed", "failed.ndjson",
                    "--manifest", "manifest.json", *options, ids_file(leadpipe.folder, ids),
                    env={**sandbox.env, **(env or {})})
    assert done.returncode == status, done.stderr
    return done


def failed_of(leadpipe):
    return lines_of(leadpipe.folder / "failed.ndjson")


# --- messages ---------------------------------------------------------------------------------------

def test_single(leadpipe, sandbox, control):
    send(leadpipe, sandbox, "webhook:" + sandbox.hook("h"), plain_ids(5), sinks=["ndjson:leads.ndjson"])
    deliveries = control.deliveries("h")
    assert sorted(lead_ids_of(one)[0] for one in deliveries) == plain_ids(5)
    lines = {line["lead_id"]: line for line in lines_of(leadpipe.folder / "leads.ndjson")}
    for one in deliveries:
        message = message_of(one)
        assert list(message) == ["type", "timestamp", "data"]
        assert message["type"] == "lead.exported"
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["timestamp"])
        assert message["data"] == lines[message["data"]["lead_id"]]
        headers = one["headers"]
        assert headers["content-type"] == "application/json"
        assert headers["user-agent"].startswith("leadpipe/")
        assert re.fullmatch("msg_[0-9a-f]{32}", one["webhook_id"])
        assert abs(int(one["webhook_timestamp"]) - one["at"]) < 60
        # no secret was given
        assert one["webhook_signature"] is None
        assert "x-api-key" not in headers and sandbox.key not in str(headers)
    sink = manifest(leadpipe.folder / "manifest.json")["sinks"][0]
    assert {name: sink[name] for name in ("deliveries", "delivered", "failed")} == {
        "deliveries": 5, "delivered": 5, "failed": 0}


@pytest.mark.parametrize("count, batch, sizes", [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (1, 4, [1])])
def test_batches(leadpipe, sandbox, control, count, batch, sizes):
    """In the order of the run; the last one has what is left."""
    control.set(jitter_ms=20)
    send(leadpipe, sandbox, "webhook,batch=%d,concurrency=1:%s" % (batch, sandbox.hook("h")), plain_ids(count))
    deliveries = control.deliveries("h")
    assert [len(lead_ids_of(one)) for one in deliveries] == sizes
    assert [lead_id for one in deliveries for lead_id in lead_ids_of(one)] == plain_ids(count)
    assert all(isinstance(message_of(one)["data"], list) for one in deliveries)
    assert {message_of(one)["type"] for one in deliveries} == {"leads.exported"}


def test_layout_raw_type_and_headers(leadpipe, sandbox, control):
    target = (r"webhook,layout=raw,type=crm.lead,header=X-Team: a\,b: c,header-env=X-Token: HOOK_TOKEN,header=X-Two: 2:"
              + sandbox.hook("h"))
    done = send(leadpipe, sandbox, target, ["example"], "-v", env={"HOOK_TOKEN": "t0ken-value"})
    one, = control.deliveries("h")
    message = message_of(one)
    assert message["type"] == "crm.lead"
    assert list(message["data"]) == ["provider", "lead_id", "payload"]
    assert message["data"]["payload"]["lead"]["phoneNumber"] == "+16782319992"
    headers = one["headers"]
    assert (headers["x-team"], headers["x-token"], headers["x-two"]) == ("a,b: c", "t0ken-value", "2")
    for text in (done.stderr, (leadpipe.folder / "manifest.json").read_text()):
        assert "t0ken-value" not in text


def test_secrets(leadpipe, sandbox, control):
    """From a variable, from a file, several at once; each message verifies with each secret."""
    (leadpipe.folder / "secrets").write_text("%s\n%s\n" % (NEW, OLD))
    cases = {"one": ("secret-env=HOOK_SECRET", [NEW]), "both": ("secret-file=secrets", [NEW, OLD])}
    for name, (option, secrets) in cases.items():
        send(leadpipe, sandbox, "webhook,%s:%s" % (option, sandbox.hook(name)), plain_ids(2), env={"HOOK_SECRET": NEW})
        for one in control.deliveries(name):
            assert len(one["webhook_signature"].split(" ")) == len(secrets)
            for secret in (NEW, OLD):
                verified = hooks.verify(secret, one["headers"], body_of(one), now=one["at"])
                assert verified == (secret in secrets)


def test_a_receiver_that_verifies(leadpipe, sandbox, control):
    """The right secret is accepted, a wrong one gets 400, which fails the lead and is not tried again."""
    control.hook("h", secret=NEW)
    target = "webhook,secret-env=HOOK_SECRET:" + sandbox.hook("h")
    send(leadpipe, sandbox, target, plain_ids(3), env={"HOOK_SECRET": NEW})
    send(leadpipe, sandbox, target, plain_ids(3), status=3, env={"HOOK_SECRET": OLD})
    assert control.ask("hooks")["h"]["by_status"] == {"200": 3, "400": 3}
    for line in failed_of(leadpipe):
        assert (line["stage"], line["http_status"], line["attempts"]) == ("sink", 400, 1)
        assert "no signature matches" in line["error"]
    assert len(failed_of(leadpipe)) == 3


# --- the id -----------------------------------------------------------------------------------------

def ids_sent(leadpipe, sandbox, control, target, ids, *options):
    before = len(control.deliveries("h"))
    send(leadpipe, sandbox, target, ids, *options)
    return {tuple(lead_ids_of(one)): one["webhook_id"] for one in control.deliveries("h")[before:]}


def test_the_id_follows_the_content(leadpipe, sandbox, control):
    """The same on another run though signed URLs differ; another one when a lead has changed."""
    target = "webhook:" + sandbox.hook("h")
    ids = ["rich-1", "rich-2", "odd-url_members-1"]
    first = ids_sent(leadpipe, sandbox, control, target, ids)
    assert ids_sent(leadpipe, sandbox, control, target, list(reversed(ids)), "--signed-urls", "keep") == first
    control.set(revision={"rich-1": 1})
    changed = ids_sent(leadpipe, sandbox, control, target, ids)
    assert [one for one in first if changed[one] != first[one]] == [("rich-1",)]
    control.set(revision={"rich-1": 0})
    assert ids_sent(leadpipe, sandbox, control, target, ids) == first


def test_the_id_is_the_sinks_and_the_leads(leadpipe, sandbox, control):
    """Another URL, layout, type or composition of a batch is another message."""
    ids = plain_ids(2)
    seen = []
    for target in ("webhook:" + sandbox.hook("h"), "webhook:" + sandbox.hook("h", delay_ms=0),
                   "webhook,layout=raw:" + sandbox.hook("h"), "webhook,type=x:" + sandbox.hook("h"),
                   "webhook,batch=2:" + sandbox.hook("h")):
        seen += ids_sent(leadpipe, sandbox, control, target, ids).values()
    assert len(seen) == len(set(seen)) == 9


# --- what an answer does ----------------------------------------------------------------------------

def test_a_refusal_fails_its_leads(leadpipe, sandbox, control):
    """Another status: not tried again; the start of the answer is kept; other sinks are complete."""
    control.hook("h", status=422, body="The field \"phone\" is missing\n" + "x" * 1000)
    send(leadpipe, sandbox, "webhook,batch=2:" + sandbox.hook("h"), plain_ids(4), status=3, sinks=["csv:leads.csv"])
    assert len(control.deliveries("h")) == 2
    lines = failed_of(leadpipe)
    assert sorted(line["id"] for line in lines) == plain_ids(4)
    for line in lines:
        assert (line["stage"], line["http_status"], line["attempts"], line["code"]) == ("sink", 422, 1, "http_422")
        assert 'The field "phone" is missing' in line["error"] and len(line["error"]) < 300
        assert line["sink"].startswith("webhook")
    assert len((leadpipe.folder / "leads.csv").read_text().splitlines()) == 5
    whole = manifest(leadpipe.folder / "manifest.json")
    assert ledger_of(whole) == {"failed": 4}
    assert whole["sinks"][0]["failed"] == 2 and whole["sinks"][0]["delivered"] == 0


def test_gone_closes_the_sink(leadpipe, sandbox, control):
    """After 410 nothing more is sent; later leads fail, and the others' output is complete."""
    control.hook("h", die_after=5)
    send(leadpipe, sandbox, "webhook,concurrency=1:" + sandbox.hook("h"), plain_ids(200), status=3,
         sinks=["csv:leads.csv", "webhook:" + sandbox.hook("other")])
    assert control.ask("hooks")["h"]["by_status"] == {"200": 5, "410": 1}
    assert len(control.deliveries("other")) == 200
    assert len((leadpipe.folder / "leads.csv").read_text().splitlines()) == 201
    lines = failed_of(leadpipe)
    assert sorted(line["id"] for line in lines) == sorted(plain_ids(200)[5:])
    assert {line["stage"] for line in lines} == {"sink"} and "410" in lines[0]["error"] and "410" in lines[-1]["error"]
    assert ledger_of(manifest(leadpipe.folder / "manifest.json")) == {"exported": 5, "failed": 195}


def test_redirects_are_not_followed(leadpipe, sandbox, control, another_sandbox):
    other = another_sandbox()
    host = urllib.parse.urlsplit(other.url).netloc
    send(leadpipe, sandbox, "webhook,header-env=X-Token: T:" + sandbox.hook("h", redirect=host), ["plain-1"], status=3,
         env={"T": "t0ken"})
    line, = failed_of(leadpipe)
    assert line["http_status"] == 302 and "127.0.0.1" in line["error"] and "redirect" in line["error"]
    assert len(control.deliveries("h")) == 1
    assert Control(other.url).requests() == []
