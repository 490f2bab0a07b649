"""One account at the CRMs: how it behaves, what it has stored, and what was asked of it."""

import base64
import time
from collections import Counter, deque

from crm_faults import Faults, WrongFault
from crm_json import dumps, find
from crm_tokens import CLIENTS, FIXED, Tokens

LOG_LENGTH = 10_000


class WrongBehaviour(ValueError):
    """The message names the setting and what it may be."""


def _kind(*kinds):
    return lambda value: isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)


# name: (default, what it may be)
SETTINGS = {
    "seed": (1, _kind(int, str)),
    "faults": ({}, _kind(dict)),
    "token_seconds": (3600, _kind(int, float)),             # how long a token is good for
    "token_says": (None, _kind(int, type(None))),           # what is said of that, where it is not the truth
    "token_requests": (None, _kind(int, type(None))),       # for how many requests
    "instance_url": (None, _kind(str, type(None))),         # instead of the account's own
    "rate_per_s": (None, _kind(int, float, type(None))),    # more are 429; Slack's own is 1
    "burst": (3, _kind(int)),                               # so many may come at once
    "retry_after": (1, _kind(int, type(None))),             # on those 429
    "max_items": (None, _kind(int, type(None))),            # of a request, instead of the maker's own
    "max_bytes": (None, _kind(int, type(None))),            # of a body; more are 413
    "key": (None, _kind(str, type(None))),                  # JSON pointer into an item, instead of the maker's key
    "lengths": (True, _kind(bool)),                         # texts that are too long are refused
    "check_email": (False, _kind(bool)),                    # as are e-mail addresses that are none
    "mixed_status": (None, _kind(int, type(None))),         # of an answer with failures, instead of 200 or 207
    "trace_context": ("both", lambda value: value in ("both", "id", "trace")),  # what HubSpot's errors name
    "keep_bodies": (False, _kind(bool)),                    # in the log of requests
}


class Account:
    """Everything under one name."""

    def __init__(self, name):
        self.name = name
        self.clear()

    def clear(self):
        self.tokens = Tokens()
        self.behave({})
        self.forget()

    def behave(self, wanted):
        """Takes all of `wanted`, with defaults for the rest; changes nothing when one is wrong."""
        for name, value in wanted.items():
            if name not in SETTINGS or not SETTINGS[name][1](value):
                raise WrongBehaviour("%s=%r is not understood; known: %s" % (name, value, ", ".join(SETTINGS)))
        settings = {name: wanted.get(name, default) for name, (default, _) in SETTINGS.items()}
        try:
            faults = Faults(settings["seed"], settings["faults"])
        except WrongFault as error:
            raise WrongBehaviour(str(error)) from None
        for name, value in settings.items():
            if name != "faults":
                setattr(self, name, value)
        self.faults = faults
        self._bucket = None

    def forget(self):
        """No records, no counts."""
        self.store = {}            # "maker/object": {key: record}
        self.items = {}            # "maker/object": {key: Item's history}
        self.requests = 0          # those for tokens aside
        self.received = 0          # of these, those with items that could be read
        self.by_status = Counter()
        self.by_size = Counter()   # how many requests had so many items
        self.in_progress = 0
        self.max_in_progress = 0
        self.max_bytes_seen = 0
        self.in_second = Counter()
        self.log = deque(maxlen=LOG_LENGTH)

    # --- limits ---

    def admits(self, maker):
        """Whether the rate allows one more request now: a bucket of `burst`, filled by the rate."""
        rate = self.rate_per_s or (1 if maker == "slack" else None)
        if rate is None:
            return True
        now = time.monotonic()
        filled, at = self._bucket or (float(self.burst), now)
        filled = min(float(self.burst), filled + (now - at) * rate)
        self._bucket = (filled - 1 if filled >= 1 else filled, now)
        return filled >= 1

    # --- records ---

    def history(self, thing, key):
        return self.items.setdefault(thing, {}).setdefault(
            key, {"sent": 0, "again": 0, "handled": 0, "accepted": 0, "refused": 0, "codes": {}, "item": None})

    def sent(self, thing, key, item):
        history = self.history(thing, key)
        history["sent"] += 1
        history["again"] += history["accepted"] > 0
        history["item"] = dumps(item)
        return history["sent"]

    def refused(self, thing, key, code):
        history = self.history(thing, key)
        history["refused"] += 1
        history["codes"][code] = history["codes"].get(code, 0) + 1

    def write(self, thing, key, fields, clears):
        """Inserts or updates a record: fields that are not named stay.  `clears(value)`: a field that is
        cleared.  Returns (whether it is new, its number)."""
        records = self.store.setdefault(thing, {})
        record = records.get(key)
        created = record is None
        if created:
            record = records[key] = {"number": len(records) + 1, "writes": 0, "fields": {}}
        for name, value in fields.items():
            if clears(value):
                record["fields"].pop(name, None)
            else:
                record["fields"][name] = value
        record["writes"] += 1
        self.history(thing, key)["accepted"] += 1
        return created, record["number"]

    def key_of(self, item, otherwise):
        """What tells records apart: `key` of the account, else the maker's own."""
        if self.key is None:
            return otherwise
        found = find(item, self.key)
        return found if isinstance(found, str) else dumps(found)

    # --- what a test is told ---

    def summary(self):
        histories = [one for things in self.items.values() for one in things.values()]
        return {
            "requests": self.requests, "by_status": {str(s): n for s, n in sorted(self.by_status.items())},
            "by_size": {str(s): n for s, n in sorted(self.by_size.items())},
            "by_fault": dict(sorted(self.faults.shown.items())),
            "sent_again": sum(one["again"] for one in histories),
            "items": len(histories), "items_sent": sum(one["sent"] for one in histories),
            "accepted": sum(one["accepted"] for one in histories),
            "refused": sum(one["refused"] for one in histories),
            "records": {thing: len(records) for thing, records in self.store.items()},
            "written_twice": sum(record["writes"] > 1 for records in self.store.values()
                                 for record in records.values()),
            "max_in_progress": self.max_in_progress, "max_bytes": self.max_bytes_seen,
            "max_in_second": max(self.in_second.values(), default=0),
            "token_requests": self.tokens.asked, "tokens_issued": self.tokens.issued,
            "token_max_in_progress": self.tokens.max_in_progress,
        }

    def records(self, thing=None):
        chosen = self.store if thing is None else {thing: self.store.get(thing, {})}
        return {name: {key: {"writes": record["writes"], "fields": record["fields"]} for key, record in records.items()}
                for name, records in chosen.items()}

    def secrets(self):
        """What must be in no output: access tokens that were issued, and what they were issued for."""
        return {"tokens": self.tokens.as_json(), "fixed": FIXED,
                "clients": {maker: [one for one in three if one] for maker, three in CLIENTS.items()}}

    def requests_as_json(self, start, limit):
        return [one for one in self.log if one["seq"] >= start][:limit]

    def note(self, request, maker, thing, items, body):
        """Remembers a request; what became of it is added to the entry later."""
        entry = {"seq": self.requests, "at": request.received_at, "connection": request.connection_number,
                 "method": request.method, "target": request.target, "maker": maker, "object": thing, "items": items,
                 "bytes": len(body), "status": None, "fault": None}
        if self.keep_bodies:
            entry["headers"] = dict(request.headers)
            entry["body_base64"] = base64.b64encode(body).decode()
        self.requests += 1
        self.in_second[int(request.received_at)] += 1
        self.max_bytes_seen = max(self.max_bytes_seen, len(body))
        self.log.append(entry)
        return entry
