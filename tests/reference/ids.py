"""The lead IDs of a run, from a file as leadpipe reads it."""

import csv
import io
import json

NAMES = ("id", "lead_id", "leadId")


def _of_member(members):
    lead_id = next(members[name] for name in NAMES if name in members)
    return lead_id, members.get("agentId")


def read_ids(path, agent_id=None):
    """[(lead_id, agent_id or None)], each pair once: lines, CSV with a header, or NDJSON."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    first = text.split("\n", 1)[0]
    if first.startswith("{"):
        pairs = [_of_member(json.loads(line)) for line in text.splitlines() if line.strip()]
    elif ("," in first or "\t" in first) and any(name in first for name in NAMES):
        delimiter = "\t" if "\t" in first else ","
        pairs = [_of_member(row) for row in csv.DictReader(io.StringIO(text), delimiter=delimiter)]
    else:
        lines = (line.strip(" \t\r") for line in text.split("\n"))
        pairs = [(line, None) for line in lines if line and not line.startswith("#")]
    return list(dict.fromkeys((lead_id, agent or agent_id) for lead_id, agent in pairs))
