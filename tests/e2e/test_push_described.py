"""Built-in destinations before OpenAPI descriptions of the makers' APIs: Prism (tests/prism) refuses each request
that does not fit, and the sandbox's CRM stands behind it.

The leads have what leads can have: nulls, empty strings, emoji, long texts, no e-mail address. Those fail that
`required` says must fail, and those with an object or array in the place of a text; no other.
"""

import json
import re
import sys

import pytest

import pushes
from conftest import ROOT
from pushes import Push

sys.path.insert(0, str(ROOT / "tests" / "prism"))

import rig  # noqa: E402

pytestmark = pytest.mark.skipif(not rig.is_there(), reason="needs node, and Prism in $LEADPIPE_PRISM_MODULES")
# destination: what rig.own_descriptions() calls the maker's own description
DESCRIBED = {"hubspot-contacts": "hubspot-contacts", "hubspot-companies": "hubspot-companies", "zoho-leads": "zoho",
             "pipedrive-person": "pipedrive"}

# Where tokens are requested is in no description of records. What is answered there is passed on as it is.
TOKENS = {"/oauth/v2/token": {"post": {
    "security": [],
    "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": {
        "type": "object", "required": ["grant_type", "refresh_token", "client_id", "client_secret"]}}}},
    "responses": {"200": {"description": "a token", "content": {"application/json": {"schema": {"type": "object"}}}}}}}}


def described(name, folder):
    """The description of a destination's API in a file of its own: the maker's where there is one."""
    own = rig.own_descriptions(folder).get(DESCRIBED[name])
    description = json.loads((own or rig.DESCRIPTIONS / (name.split("-")[0] + ".json")).read_text("utf-8"))
    if name == "zoho-leads":
        description["paths"].update(TOKENS)
    path = folder / "description.json"
    path.write_text(json.dumps(description), "utf-8")
    return path


BENT = re.compile('is an (object|array), and "do" takes texts')
# Of each hundred leads: those with empty texts, emoji, texts of 5,000 characters, no e-mail address for certain.
ODD = ("empty_beside_null", "strings", "long_members", "absent_members")


def ids_of(count):
    return ["odd-%s-%d" % (ODD[n % 20], n) if n % 20 < len(ODD) else "lead-%d" % n for n in range(count)]


def check(leadpipe, sandbox, crm, name, provider, count, timeout):
    """All leads through Prism: it refuses none, nor does the CRM, and what is there is what should be."""
    push, ids = Push(leadpipe, sandbox, crm, name, provider, more=",concurrency=4"), ids_of(count)
    with rig.Prism(described(name, leadpipe.folder), upstream=crm.url) as prism:
        push.url = prism.url
        run = push(ids, timeout=timeout)
        assert prism.violations() == []
    accepted = push.check(run, ids)
    assert len(accepted) + len(run.failed) == count and len(accepted) > count / 2
    assert all(line["code"] == "required" or BENT.search(line["error"]) for line in run.failed.values()), run.failed
    assert all(line["attempts"] == 0 for line in run.failed.values()), "what failed was never sent"
    assert crm.summary()["refused"] == 0
    assert any(len(one.text) > 5000 for one in accepted) and any("\\ud83d" in json.dumps(one.item) for one in accepted)
    pushes.assert_secret(crm, run)


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_described(leadpipe, sandbox, control, crm, name):
    check(leadpipe, sandbox, crm, name, "omni", 100, 60)


@pytest.mark.nightly
@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_many_described(leadpipe, sandbox, control, crm, name, provider):
    check(leadpipe, sandbox, crm, name, provider, 2000, 600)
