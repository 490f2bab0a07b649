"""Deliveries verified with the public reference library (npm: standardwebhooks), by a receiver in Node.js.

It runs where node is there and $LEADPIPE_NODE_MODULES names a folder with the library.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import clean_environment
from test_webhook import NEW, OLD, plain_ids, send

MODULES = os.environ.get("LEADPIPE_NODE_MODULES", "")
RECEIVER = pathlib.Path(__file__).with_name("webhook_receiver.js")

pytestmark = pytest.mark.skipif(
    not shutil.which("node") or not (pathlib.Path(MODULES) / "standardwebhooks").is_dir(),
    reason="needs node, and the package standardwebhooks in $LEADPIPE_NODE_MODULES")


class Receiver:
    def __init__(self):
        env = clean_environment({"LEADPIPE_NODE_MODULES": MODULES, "SECRETS": json.dumps([NEW, OLD])})
        self.process = subprocess.Popen(["node", str(RECEIVER)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = "http://127.0.0.1:%d/hook" % json.loads(self.process.stdout.readline())["port"]

    def verdicts(self, count):
        """What it said of so many deliveries."""
        return [json.loads(self.process.stdout.readline())["verdicts"] for _ in range(count)]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


REFUSED = "WebhookVerificationError"


@pytest.mark.parametrize("option, event, deliveries", [("", "lead.exported", 5), (",batch=2", "leads.exported", 3)])
def test_single_and_batch(leadpipe, sandbox, control, receiver, option, event, deliveries):
    send(leadpipe, sandbox, "webhook%s,secret-env=S:%s" % (option, receiver.url), plain_ids(5), env={"S": NEW})
    assert receiver.verdicts(deliveries) == [[event, REFUSED]] * deliveries


def test_rotated_secrets(leadpipe, sandbox, control, receiver):
    """With both secrets given, receivers that know either one are content."""
    send(leadpipe, sandbox, "webhook,secret-env=S:" + receiver.url, plain_ids(3), env={"S": "%s %s" % (NEW, OLD)})
    assert receiver.verdicts(3) == [["lead.exported"] * 2] * 3


def test_text_of_all_kinds(leadpipe, sandbox, control, receiver):
    """The signature is over the bytes, whatever they are."""
    ids = ["odd-%s-1" % name for name in ("strings", "raw_strings", "odd_names", "bad_utf8", "numbers")]
    send(leadpipe, sandbox, "webhook,secret-env=S:" + receiver.url, ids, env={"S": NEW})
    assert receiver.verdicts(5) == [["lead.exported", REFUSED]] * 5
