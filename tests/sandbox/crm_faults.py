"""What can go wrong at a CRM on request, and when: chance that follows from a seed.

A fault of an item follows from its key: the same item has it each time that it is sent, for `times`
times.  A fault of a request is drawn anew for each attempt, from the request's bytes and the number of
the attempt: neither the order nor the time of requests changes what happens to them.
"""

import hashlib
import re
from collections import Counter

# name: what it says by itself, where `status`, `code`, `message`, `ms`, `bytes` and so on do not say it
ITEM_FAULTS = {
    "item": {},                         # refused, by itself: within a good answer where the API has that
    "lock": {"code": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access to this record", "times": 1},
    "poison": {"status": 400},          # the whole request is refused because of it
    "conflict": {"status": 409},        # likewise
    "missing": {},                      # not stored, and not in the answer
    "silent": {},                       # stored, and not in the answer
}
BEFORE_WORK = {
    "gone": {"status": 410},
    "rate": {"status": 429, "retry_after": 1},
    "rate_bare": {"status": 429},
    "gate": {"status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."},
    "unavailable": {"status": 503},
    "status500": {"status": 500},
    "status502": {"status": 502},
    "status413": {"status": 413},
    "refused": {"status": 400},         # any other refusal of the whole request, say {"status": 422}
    "expire": {"status": 401},          # the token that came with it is good no longer, for every request
    "unauthorized": {"status": 401},    # only this one
    "cut_before": {},
}
AFTER_WORK = {
    "reorder": {},                      # entries in another order
    "cut_after": {"done": True},
    "half": {"done": True},             # cut within the answer
    "empty": {},                        # a good status, no results
    "garbage": {},                      # a good status, a body that is no JSON
    "huge": {"bytes": 64 << 20},        # a good status, a body of so many bytes of JSON
}
DELAYS = {"slow": {"ms": 100}}
TOKEN_FAULTS = {
    "token_500": {"status": 500},
    "token_400": {"status": 400},       # refused: the client, or what it may do
    "token_401": {"status": 401},
    "token_429": {"status": 429, "retry_after": 1},
    "token_cut": {},
    "token_garbage": {},
    "token_none": {},                   # 200, without an access_token
    "token_slow": {"ms": 100},
}
KNOWN = {**ITEM_FAULTS, **BEFORE_WORK, **AFTER_WORK, **DELAYS, **TOKEN_FAULTS}
MEMBERS = {"share": (int, float), "match": str, "times": int, "most": int, "after": int, "status": int, "code": str,
           "message": str, "retry_after": int, "ms": (int, float), "bytes": int, "done": bool}


class WrongFault(ValueError):
    """The message names the fault and what it may be."""


class Fault:
    """One fault that a test asked for."""

    def __init__(self, name, wanted):
        if name not in KNOWN:
            raise WrongFault("%s is no fault; known: %s" % (name, ", ".join(sorted(KNOWN))))
        if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
            wanted = {"share": wanted}
        if not isinstance(wanted, dict):
            raise WrongFault("%s must be a share (0 to 1), or an object" % name)
        for member, value in wanted.items():
            kinds = MEMBERS.get(member)
            if kinds is None or not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
                raise WrongFault("%s: %s=%r is not understood; known: %s" % (name, member, value, ", ".join(MEMBERS)))
        said = {"share": 1, "match": None, "times": None, "most": None, "after": 0, "status": None, "code": None,
                "message": None, "retry_after": None, "ms": 0, "bytes": 0, "done": False, **KNOWN[name], **wanted}
        for member, value in said.items():
            setattr(self, member, value)
        self.name = name
        try:
            self.match = re.compile(self.match) if self.match else None
        except re.error as error:
            raise WrongFault("%s: match: %s" % (name, error)) from None
        if not 0 <= self.share <= 1:
            raise WrongFault("%s: share must be from 0 to 1" % name)
        if name == "cut_before" and self.done:
            raise WrongFault("cut_before is before the work is done; cut_after is the other one")


def chance(*parts):
    """A number from 0 to less than 1 that follows from the parts alone."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64


class Faults:
    """The faults of one account, and how often each has shown."""

    def __init__(self, seed, wanted):
        self.seed = seed
        self._all = {name: Fault(name, one) for name, one in wanted.items()}
        self.shown = Counter()
        self._attempts = Counter()

    def of_item(self, key, sent):
        """The fault that an item shows which is sent for the `sent`-th time, or None."""
        for name in ITEM_FAULTS:
            fault = self._all.get(name)
            if fault and self._matches(fault, [key]) and not (fault.times is not None and sent > fault.times) \
                    and chance(self.seed, name, key) < fault.share and self._more(fault):
                return fault
        return None

    def attempt(self, *subject):
        """Counts one more attempt of a request; its number, from 1."""
        digest = hashlib.sha256(b"\0".join(subject)).hexdigest()
        self._attempts[digest] += 1
        return digest, self._attempts[digest]

    def of_request(self, names, attempt, keys, number):
        """The first of `names` that shows; `number`: how many requests there were before."""
        for name in names:
            fault = self._all.get(name)
            if fault and number >= fault.after and self._matches(fault, keys) \
                    and not (fault.times is not None and attempt[1] > fault.times) \
                    and chance(self.seed, name, *attempt) < fault.share and self._more(fault):
                return fault
        return None

    @staticmethod
    def _matches(fault, keys):
        return fault.match is None or any(fault.match.search(key) for key in keys)

    def _more(self, fault):
        if fault.most is not None and self.shown[fault.name] >= fault.most:
            return False
        self.shown[fault.name] += 1
        return True
