"""What a run left behind, and whether it is what an uninterrupted run leaves."""

import collections
import gzip
import hashlib
import json
import subprocess

import workload
from outputs import lead_ids_of, lines_of  # tests/e2e

STATE, FAILED, MISSING, MANIFEST = "run.state", "failed.ndjson", "missing.ndjson", "manifest.json"
EARLIER = b"what an earlier run left\n"
EARLIER_FILES = ("out/leads.csv", "leads.ndjson", "leads.msgpack.gz", "leads.csv.gz", "pq/leads.parquet", "leads.parquet")
# of a row in the failed list: what does not depend on when and how often
FAILED_MEMBERS = ("id", "stage", "sink", "http_status", "code", "error")


class Difference(Exception):
    """The message says what is not as it should be."""


def expect(condition, text, *about):
    if not condition:
        raise Difference(text % about if about else text)


def read_json(path):
    return json.loads(path.read_bytes()) if path.exists() else None


def read_lines(path):
    return lines_of(path) if path.exists() else []


def content(path):
    """Of an output; of a compressed one what is in it."""
    data = path.read_bytes()
    if path.suffix != ".gz" or data == EARLIER:
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise Difference("%s: %s" % (path, error)) from None


def digest(data):
    return hashlib.sha256(data).hexdigest()


def digest_in_any_order(name, data):
    """The same for the same leads, and columns, in another order; of tables and MessagePack only the bytes count."""
    if name.endswith(".ndjson") and data != EARLIER:
        rows = sorted(json.dumps(json.loads(line), sort_keys=True) for line in data.split(b"\n") if line)
        return digest("\n".join(rows).encode())
    return str(sorted(collections.Counter(data).items()))


def is_state(name):
    return name.startswith(STATE) or "." + STATE in name


class Left:
    """Everything that a run that came to its end left in its folder; `deliveries` are set by who knows them."""

    def __init__(self, folder, status, in_order=True):
        self.folder, self.status, self.in_order = folder, status, in_order
        self.names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                            if path.is_file() and not is_state(path.name))
        self.manifest = read_json(folder / MANIFEST)
        expect(self.manifest is not None, "there is no manifest")
        self.failed = self.listed(FAILED)
        self.missing = self.listed(MISSING)
        self.outputs = {name: self.digest_of(folder / name) for name in self.names if self.is_output(name)}
        self.deliveries = None

    def listed(self, name):
        return sorted(json.dumps([row.get(member) for member in FAILED_MEMBERS]) for row in read_lines(self.folder / name))

    def digest_of(self, path):
        data = content(path)
        return digest(data) if self.in_order else digest_in_any_order(path.name, data)

    def is_output(self, name):
        return name not in (FAILED, MISSING, MANIFEST) and not name.startswith("ids.txt")

    def files_reported(self):
        """What the manifest says of files, by path; for compressed ones not what depends on the compression."""
        reported = {}
        for sink in self.manifest["sinks"]:
            for file in sink.get("files", ()):
                names = ("table", "rows", "columns")
                if self.in_order and not file["path"].endswith(".gz"):
                    names += ("bytes", "sha256")
                reported[file["path"]] = {name: file.get(name) for name in names}
                if not self.in_order and file.get("columns"):
                    reported[file["path"]]["columns"] = sorted(file["columns"])
        return reported


def check_alone(left):
    """What must be true of every run that came to its end."""
    ids, ledger = left.manifest["ids"], left.manifest["ledger"]
    expect(left.status in (0, 3), "exit status %s", left.status)
    expect(left.manifest["exit_status"] == left.status, "the manifest says status %s", left.manifest["exit_status"])
    expect(ids["read"] == ids["unique"] + ids["duplicates"], "IDs do not add up: %s", ids)
    expect(ids["unique"] == sum(ledger.values()) and ledger["pending"] == 0, "the ledger does not balance: %s", ledger)
    expect(len(left.failed) == ledger["failed"], "%d failed leads are listed of %s", len(left.failed), ledger)
    expect(len(left.missing) == ledger["missing"], "%d missing leads are listed of %s", len(left.missing), ledger)
    unfinished = [name for name in left.names if "leadpipe-" in name]
    expect(not unfinished, "unfinished files are left: %s", unfinished)
    for sink in left.manifest["sinks"]:
        for file in sink.get("files", ()):
            check_reported(left.folder / file["path"], file)


def check_reported(path, file):
    data = path.read_bytes()
    expect((len(data), digest(data)) == (file["bytes"], file["sha256"]), "%s is not what the manifest says of it", path)
    if path.suffix == ".gz":
        done = subprocess.run(["gzip", "-t", path], capture_output=True, text=True)
        expect(done.returncode == 0, "gzip -t: %s", done.stderr)


def check_same(left, reference):
    """Byte for byte what the uninterrupted run left."""
    expect(left.status == reference.status, "exit status %d, not %d", left.status, reference.status)
    expect(left.names == reference.names, "other files: %s", set(left.names) ^ set(reference.names))
    other = sorted(name for name in left.outputs if left.outputs[name] != reference.outputs[name])
    expect(not other, "other content: %s", other)
    for name in ("ids", "ledger"):
        expect(left.manifest[name] == reference.manifest[name], "%s: %s, not %s", name, left.manifest[name],
               reference.manifest[name])
    expect(left.files_reported() == reference.files_reported(), "the manifest reports files: %s, not %s", left.files_reported(),
           reference.files_reported())
    expect(left.failed == reference.failed, "the failed lists differ: %s",
           sorted(set(left.failed) ^ set(reference.failed))[:10])
    expect(left.missing == reference.missing, "the missing lists differ: %s",
           sorted(set(left.missing) ^ set(reference.missing))[:10])


def check_unpublished(folder, reference, stopped):
    """After a kill or a stop: every output is the earlier one, or complete; after a stop, the earlier one."""
    complete = 0
    for name in reference.outputs:
        path = folder / name
        earlier = EARLIER if name in EARLIER_FILES else None
        if (path.read_bytes() if path.exists() else None) == earlier:
            continue
        expect(not stopped, "%s was published by a run that was stopped", name)
        expect(path.exists(), "%s is gone", name)
        expect(reference.digest_of(path) == reference.outputs[name], "%s is neither the earlier one nor complete", name)
        complete += 1
    reported = read_json(folder / MANIFEST)
    if reported and reported["published"]:
        expect(not stopped, "the manifest of a run that was stopped says that it published its outputs")
        expect(reported["ledger"] == reference.manifest["ledger"], "the manifest of a killed run says %s", reported["ledger"])
        expect(complete == len(reference.outputs), "the manifest is there before the outputs")
    if (folder / FAILED).exists():
        listed = {row["id"] for row in read_lines(folder / FAILED)}
        expect(listed <= {json.loads(row)[0] for row in reference.failed}, "leads are listed that do not fail")


# --- deliveries --------------------------------------------------------------------------------------

class Deliveries:
    """What a receiver saw; `path` is its file in the sandbox's --hooks-dir, `most` the first so many of it."""

    def __init__(self, path, most=None):
        self.received = 0
        self.bodies = {}                                # webhook-id: digest of the body
        self.leads = {}                                 # webhook-id: lead IDs in it
        self.ids_of = collections.defaultdict(set)      # lead ID: webhook-ids
        self.accepted = set()                           # webhook-ids
        self.repeats = 0                                # of what had been accepted
        for delivery in read_lines(path)[:most]:
            self._add(delivery)

    def _add(self, delivery):
        self.received += 1
        name = delivery["webhook_id"]
        if name not in self.bodies:
            self._add_first(name, delivery)
        expect(self.bodies[name] == delivery["sha256"], "%s was sent with two different bodies", name)
        self.repeats += name in self.accepted
        if 200 <= delivery["status"] <= 299:
            self.accepted.add(name)

    def _add_first(self, name, delivery):
        self.bodies[name] = delivery["sha256"]
        self.leads[name] = lead_ids_of(delivery)
        for lead in self.leads[name]:
            self.ids_of[lead].add(name)

    def accepted_leads(self):
        return collections.Counter(lead for name in self.accepted for lead in self.leads[name])


def check_deliveries(left, exported):
    """`exported` are the lead IDs that the files hold and the receiver wants."""
    reported = left.deliveries
    twice = sorted(lead for lead, names in reported.ids_of.items() if len(names) > 1)
    expect(not twice, "leads under two ids: %s", [(lead, sorted(reported.ids_of[lead])) for lead in twice[:3]])
    accepted = reported.accepted_leads()
    expect(set(accepted) == exported, "leads that are not delivered: %s; that should not be: %s",
           sorted(exported - set(accepted))[:5], sorted(set(accepted) - exported)[:5])


def wanted_leads(left, refuses):
    """The lead IDs in the NDJSON output, without those that a receiver refuses that does."""
    found = {row["lead_id"] for row in read_lines(left.folder / "leads.ndjson")}
    return {one for one in found if workload.UNWANTED not in one} if refuses else found
