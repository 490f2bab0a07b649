"""Leads pushed into the sandbox's CRMs, and what must be there then by the reference.

    push = pushes.Push(leadpipe, sandbox, crm, "hubspot-contacts")
    run = push(ids)                          # the exit status is checked, and that the books balance
    push.check(run, ids)                     # the CRM's store, each failed lead: what the reference says
"""

import json
import subprocess
from typing import Any, NamedTuple

import crms
import outputs
from conftest import ROOT
from reference import crm_records
from reference.destinations import Destination, leads_of

import leads as sandbox_leads  # of the sandbox: crms has set the path

BUILT_IN = ROOT / "sinks" / "push" / "destinations"
FAILED, MANIFEST, STATE = "failed.ndjson", "manifest.json", "run.state"


class Maker(NamedTuple):
    """What a built-in destination needs, and what the sandbox calls its records."""
    store: str
    env: dict
    params: dict = {}
    how: dict = {}  # of crm_records
    behave: dict = {}


def of_client(maker, prefix, *names):
    return {"%s_%s" % (prefix, name): value for name, value in zip(names, crms.CLIENTS[maker])}


OAUTH2 = ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")
MAKERS = {
    "hubspot-contacts": Maker("hubspot/contacts", {"HUBSPOT_TOKEN": crms.FIXED["hubspot"]}),
    "hubspot-companies": Maker("hubspot/companies", {"HUBSPOT_TOKEN": crms.FIXED["hubspot"]}, {"id_property": "leadpipe_id"}),
    "salesforce-lead": Maker("salesforce/Lead", of_client("salesforce", "SALESFORCE", *OAUTH2[:2]),
                             {"domain": "acme.my.salesforce.com"}, {"external": "Leadpipe_Id__c"},
                             {"instance_url": "https://acme.my.salesforce.com"}),
    "zoho-leads": Maker("zoho/Leads", of_client("zoho", "ZOHO", *OAUTH2), {"accounts": "accounts.zoho.eu"}, {},
                        {"instance_url": "https://www.zohoapis.eu"}),
    "pipedrive-person": Maker("pipedrive/persons", {"PIPEDRIVE_API_TOKEN": crms.FIXED["pipedrive"]}),
    "close-lead": Maker("close/lead", {"CLOSE_API_KEY": crms.FIXED["close"]}),
    "dynamics-lead": Maker("dynamics/leads", of_client("dynamics", "DYNAMICS", *OAUTH2[:2]),
                           {"host": "acme.crm.dynamics.com", "tenant": "tenant-1"},
                           {"url_key": ("new_leadpipeid", lambda item: item["subject"][len("Lead "):])}),
    "slack": Maker("slack/messages", {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/" + crms.FIXED["slack"]},
                   {}, {}, {"rate_per_s": 100000, "burst": 100000}),
}
NO_UPSERT = ("pipedrive-person", "close-lead", "slack")
# how the reference calls what does not fit -> the code in the failed list
FAULTS = {"required": "required", "do": "do", "as": "as", "map": "map", "url": "url", "size": "too_large"}


class Run:
    def __init__(self, folder, done):
        self.folder, self.done, self.status, self.stderr = folder, done, done.returncode, done.stderr
        manifest = folder / MANIFEST
        self.manifest = json.loads(manifest.read_bytes()) if manifest.exists() else None
        lines = outputs.lines_of(folder / FAILED) if (folder / FAILED).exists() else []
        self.failed = {one["id"]: one for one in lines}
        assert len(self.failed) == len(lines), "a lead is listed twice"

    @property
    def ledger(self):
        return outputs.ledger_of(self.manifest)

    @property
    def sink(self):
        return self.manifest["sinks"][0]

    def outputs(self):
        """All bytes that it has left anywhere."""
        streams = [one for one in (self.done.stdout, self.stderr) if one]
        return streams + [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]


class Push:
    """One command; `destination`: another one as a value, in the place of the built-in one."""

    def __init__(self, leadpipe, sandbox, crm, name, provider="omni", destination=None, more=""):
        self.leadpipe, self.sandbox, self.crm, self.name, self.provider = leadpipe, sandbox, crm, name, provider
        self.folder, self.maker, self.more = leadpipe.folder, MAKERS[name], more
        self.url = crm.url
        self.text, self.target = (BUILT_IN / (name + ".json")).read_text(), name
        if destination is not None:
            self.text, self.target = json.dumps(destination), "./destination.json"
            (self.folder / "destination.json").write_text(self.text)
        self.destination = Destination(self.text, self.maker.params, {})
        self.key_of = crm_records.key_and_fields(self.maker.store.split("/")[0], **self.maker.how)[0]
        self.behave()

    @property
    def store(self):
        return self.maker.store

    def behave(self, **settings):
        self.crm.behave(**{**self.maker.behave, **settings})

    def env(self):
        return {**self.sandbox.env, **self.maker.env}

    def sink(self, more=""):
        params = "".join(",param=%s=%s" % pair for pair in self.maker.params.items())
        return "push%s,base-url=%s,rate=100000/s%s%s:%s" % (params, self.url, self.more, more, self.target)

    def words(self, *options, more=""):
        return ["export", *self.sandbox.provider(self.provider), "-t", self.sink(more), "--failed", FAILED,
                "--manifest", MANIFEST, *options]

    def __call__(self, ids, *options, more="", status=None, env=None, timeout=60):
        """`ids`: a list, or a file."""
        given = ids.rename(ids.with_name("given.ndjson")) if hasattr(ids, "rename") else outputs.ids_file(self.folder, ids)
        for name in (FAILED, MANIFEST):
            (self.folder / name).unlink(missing_ok=True)
        done = self.leadpipe(*self.words(*options, more=more), given, env=self.env() if env is None else env,
                             timeout=timeout)
        run = Run(self.folder, done)
        assert done.returncode == status or status is None and done.returncode in (0, 3), done.stderr
        if done.returncode in (0, 3):
            check_books(run)
        return run

    def start(self, *options, more="", **popen):
        popen.setdefault("env", self.env())
        return self.leadpipe.start(*self.words(*options, more=more), **popen)

    def made(self, ids):
        agent = ["agent-1"] if self.provider == "convocore" else []
        payloads = [(one, sandbox_leads.payload(self.provider, one, *agent), *agent) for one in ids]
        made = self.destination.made(leads_of(self.provider, payloads))
        assert len(made) == len(ids), "the provider's leads can all be exported"
        return made

    def sound(self, count, kind="plain"):
        """IDs of leads that become items which the CRM takes, each under a key of its own."""
        made = self.made(["%s-%d" % (kind, n) for n in range(count + count // 3 + 10)])
        by_key = {self.key_of(one.item): one.lead_id for one in reversed(made)
                  if not one.fault and '":""' not in one.text and '":[]' not in one.text}
        assert len(by_key) >= count
        return list(by_key.values())[::-1][:count]

    def check(self, run, ids, whole=lambda line: False, unknown=False):
        """The store is what the reference says, and so is each failed lead. `whole`: whether a line of the failed
        list may be of a lead that was not refused by itself; `unknown`: the CRM may have some of these all the
        same."""
        made, items = self.made(ids), self.crm.items(self.store)
        accepted = []
        for one in made:
            line = run.failed.get(one.lead_id)
            if one.fault:
                assert line, "%s: %s" % (one.lead_id, one.fault)
                assert (line["code"], line["http_status"]) == (FAULTS[one.fault.code], None), (one.fault, line)
                check_names(one.fault, line)
                continue
            key = self.key_of(one.item)
            told = items.get(key, {"codes": {}, "accepted": 0})
            if line is None:
                assert told["accepted"], "%s counts as accepted; the CRM does not have it" % one.lead_id
                accepted.append(one)
                continue
            assert line["stage"] == "sink" and line["error"], line
            assert line["code"] in told["codes"] or whole(line) or self.is_refusal(line, told), (line, told)
            if unknown and told["accepted"]:
                accepted.append(one)
        self.check_store([one.item for one in accepted])
        assert set(run.failed) <= set(ids)
        return accepted

    def is_refusal(self, line, told):
        """Close and Slack have no codes but the status; their words say what is wrong."""
        said = list(told["codes"]) if self.name == "slack" else ["This field is required", "the sandbox does not take"]
        return self.name in ("close-lead", "slack") and line["code"] == "http_%s" % line["http_status"] and \
            any(one in line["error"] for one in said)

    def check_store(self, items):
        """Of records that several leads became it depends on the order of requests what is in them."""
        keys = [self.key_of(item) for item in items]
        twice = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
        expected = crm_records.records(self.store.split("/")[0], items, **self.maker.how)
        found = self.crm.records(self.store)
        assert set(found) == set(expected)
        for key in twice:
            del expected[key], found[key]
        assert crm_records.differences(expected, found) == []


def check_names(fault, line):
    """The place within the item is named, and with `required` the column."""
    place = fault.place.split("/$concat")[0]
    assert line["error"].startswith(place + ":") or fault.code == "size", (fault, line)


def check_books(run):
    """Sent is what was accepted and what failed, by all accounts."""
    ledger, sink = run.ledger, run.sink
    assert len(run.failed) == ledger.get("failed", 0)
    assert sink["deliveries"] == sink["delivered"] + sink["failed"]
    assert sink["delivered"] == ledger.get("exported", 0), (ledger, sink)
    unsent = sum(line["attempts"] == 0 for line in run.failed.values())
    assert sink["failed"] == ledger.get("failed", 0) - unsent, (ledger, sink)
    assert run.status == (3 if run.failed else 0)


def assert_secret(crm, *given):
    """No credential in any of these outputs, nor in those of runs."""
    everything: list[Any] = []
    for one in given:
        everything += one.outputs() if isinstance(one, Run) else [one]
    assert crm.leaked(*everything) == []


def ended(push, process, timeout=60):
    """A run that was started, once it has ended."""
    if process.stdin:
        process.stdin.close()
    stdout, stderr = process.stdout.read(), process.stderr.read().decode()
    return Run(push.folder, subprocess.CompletedProcess(process.args, process.wait(timeout), stdout, stderr))
