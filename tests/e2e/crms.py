"""The sandbox's CRMs in end-to-end tests: an account of the test's own; tests/sandbox/README.md says what it can do.

    def test_x(leadpipe, sandbox, control, crm):
        crm.behave(seed=3, faults={"item": 0.05, "rate": 0.1})
        ... base-url=crm.url, with crm.FIXED and crm.CLIENTS as credentials ...
        assert crm.summary()["sent_again"] == 0
        assert crm_records.differences(expected, crm.records("hubspot/contacts")) == []
        assert crm.leaked(stderr, file_bytes) == []
"""

import base64
import sys
import urllib.parse
import urllib.request

import pytest

from conftest import ROOT

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "sandbox")]

from crm_tokens import CLIENTS, FIXED  # noqa: E402
from reference.destinations import read_json  # noqa: E402


class Crm:
    """One account at all makers."""

    CLIENTS, FIXED = CLIENTS, FIXED  # client id, secret, refresh token; what the other makers are sent

    def __init__(self, sandbox, control, name):
        self.name, self.url = name, "%s/at/%s" % (sandbox.url, name)
        self.slack_url = "%s/services/%s" % (self.url, FIXED["slack"])
        self._control, self._path = control, "crm/" + urllib.parse.quote(name)
        self._base = sandbox.url + "/_control/" + self._path

    def behave(self, **settings):
        """From now on; without settings: well."""
        self._control.post(self._path, **settings)

    def forget(self):
        self._control.post(self._path + "/forget")

    def expire_tokens(self):
        self._control.post(self._path + "/expire")

    def forward(self, seconds):
        """The clock of its tokens."""
        self._control.post(self._path + "/forward", seconds=seconds)

    def summary(self):
        return self._control.ask(self._path)

    def records(self, of):
        """{key: {"writes", "fields"}}, numbers with their digits."""
        with urllib.request.urlopen("%s/records?of=%s" % (self._base, of), timeout=30) as answer:
            return read_json(answer.read())[of]

    def items(self, of):
        """{key: {"sent", "again", "accepted", "refused", "codes", "item"}}."""
        return self._control.ask(self._path + "/items", of=of)

    def requests(self):
        return self._control.ask(self._path + "/requests")

    def bodies(self):
        """Of all requests, in their order, after behave(keep_bodies=True)."""
        return [base64.b64decode(one["body_base64"]) for one in self.requests() if "body_base64" in one]

    def leaked(self, *outputs):
        """The credentials that are in these texts or bytes, as they are or in base64: there must be none."""
        said = self._control.ask(self._path + "/secrets")
        # a client's id is no secret, and the path of Slack's URL is searched for by its last part
        secrets = [one["token"] for one in said["tokens"]] + [one.split("/")[-1] for one in said["fixed"].values()]
        secrets += [one for three in said["clients"].values() for one in three[1:]]
        forms = [form for one in secrets for form in (one.encode(), base64.b64encode(one.encode()).rstrip(b"="),
                                                      base64.b64encode(one.encode() + b":").rstrip(b"="))]
        texts = [one.encode() if isinstance(one, str) else one for one in outputs]
        return sorted({form.decode() for form in forms for text in texts if form in text})


@pytest.fixture
def crm(sandbox, control, request):
    """As new: `control` forgets all accounts before and after the test."""
    allowed = "".join(c if c.isalnum() and c.isascii() else "-" for c in request.node.name)
    return Crm(sandbox, control, allowed[:80])
