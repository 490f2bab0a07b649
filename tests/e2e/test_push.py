"""The sink push: leads in a CRM, by a destination."""



import crms  # noqa: F401
from outputs import ids_file, ledger_of, lines_of, manifest
from reference import crm_records
from reference.destinations import Destination, leads_of

# name of the destination -> credentials, parameters, what the CRM calls its records
DESTINATIONS = {
    "hubspot-contacts": ("hubspot/contacts", {}),
}


def env_of(crm):
    fixed, clients = crm.FIXED, crm.CLIENTS
    return {"HUBSPOT_TOKEN": fixed["hubspot"], "SALESFORCE_CLIENT_ID": clients["salesforce"][0],
            "SALESFORCE_CLIENT_SECRET": clients["salesforce"][1]}


def push(leadpipe, sandbox, crm, destination, ids, *options, more="", status=0):
    done = leadpipe("export", *sandbox.provider(), "-t", "push,base-url=%s%s:%s" % (crm.url, more, destination),
                    "--failed", "failed.ndjson", "--manifest", "manifest.json", *options,
                    ids_file(leadpipe.folder, ids), env={**sandbox.env, **env_of(crm)})
    assert done.returncode == status, done.stderr
    return done


def test_hubspot(leadpipe, sandbox, control, crm):
    crm.behave()
    done = push(leadpipe, sandbox, crm, "hubspot-contacts", ["plain-%d" % n for n in range(300)])
    print(done.stderr, crm.summary())
    assert len(crm.records("hubspot/contacts")) == 300
