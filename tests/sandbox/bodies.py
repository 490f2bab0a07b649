"""Wrong bodies: what a lead ID with one of these orders is answered instead.

They are pure functions, so that a test can have the very bytes:
`bodies.make("deep", "201", "omni", "lead-1")`.
"""

import json

import jsontext
import leads
from jsontext import Raw

HTML = (b"<!doctype html>\n<html><head><title>Sign in</title></head>"
        b"<body><h1>Please sign in</h1></body></html>\n")


def make(name, value, provider, lead_id, agent_id=None, revision=0, *, nonce="0"):
    """The body for the order `name` (`name=value`); KeyError where it is none of these."""
    return MAKERS[name](value, Ask(provider, lead_id, agent_id, revision, nonce))


class Ask:
    """What was asked for."""

    def __init__(self, provider, lead_id, agent_id, revision, nonce):
        self.provider = provider
        self.lead_id = lead_id
        self.agent_id = agent_id
        self.revision = revision
        self.nonce = nonce

    def good(self, lead_id=None):
        return leads.payload(self.provider, lead_id or self.lead_id, self.agent_id, self.revision, nonce=self.nonce)

    def with_member(self, name, value):
        """A small lead with one more member in the lead object."""
        plain = leads.tree(self.provider, "tiny-" + self.lead_id, self.agent_id, self.revision, self.nonce)
        record = plain["lead" if self.provider == "omni" else "data"]
        record["id"] = self.lead_id
        record[name] = value
        return jsontext.encode(plain)

    def as_lead(self, value):
        """The answer with something else in the lead's place."""
        if self.provider == "omni":
            return json.dumps({"lead": value, "status": "IN_PROGRESS"}).encode()
        return json.dumps({"success": True, "message": "ok", "data": value}).encode()


def half(value, ask):
    body = ask.good().strip()
    return body[:len(body) // 2]


def deep(value, ask):
    """Containers nest `value` deep, the root and the lead counted."""
    arrays = max(int(value or 1000) - 2, 0)
    return ask.with_member("nested", Raw("[" * arrays + "]" * arrays if arrays else "0"))


def success_false(value, ask):
    return json.dumps({"success": False, "message": "The lead is not available",
                       "code": "LEAD_UNAVAILABLE"}).encode()


def otherid(value, ask):
    return ask.good(value or ask.lead_id.split("~", 1)[0] + "-other")


MAKERS = {
    "html": lambda value, ask: HTML,
    "half": half,
    "empty": lambda value, ask: b"",
    "deep": deep,
    "badutf8": lambda value, ask: ask.with_member("odd", Raw(b'"a\xff\xfeb"')),
    "nul": lambda value, ask: ask.with_member("odd", Raw('"a\0b"')),
    "control": lambda value, ask: ask.with_member("odd", Raw('"a\x01\nb"')),
    "successfalse": success_false,
    "nolead": lambda value, ask: b"{}",
    "leadnull": lambda value, ask: ask.as_lead(None),
    "leadarray": lambda value, ask: ask.as_lead([]),
    "leadtext": lambda value, ask: ask.as_lead("gone"),
    "rootarray": lambda value, ask: b"[]",
    "roottext": lambda value, ask: b'"ok"',
    "rootnull": lambda value, ask: b"null",
    "otherid": otherid,
    "junkafter": lambda value, ask: ask.good() + b"\n<!-- served by cache -->",
    "twice": lambda value, ask: ask.good() + ask.good(),
    "bom": lambda value, ask: b"\xef\xbb\xbf" + ask.good(),
    "latin1": lambda value, ask: ask.with_member("odd", Raw('"Größe"'.encode("latin-1"))),
    "utf16": lambda value, ask: ask.good().decode("utf-8", "replace").encode("utf-16"),
    "nan": lambda value, ask: ask.with_member("odd", Raw("NaN")),
    "single": lambda value, ask: ask.with_member("odd", Raw("'text'")),
    "trailingcomma": lambda value, ask: ask.with_member("odd", Raw("[1,]")),
    "only": lambda value, ask: bytes.fromhex(value or ""),
}
