"""What `POST /_control/set` can change while the sandbox runs, and outages."""

import random
import re
import time

DOWN_MODES = ("refuse", "reset", "hang", "503")


class WrongSetting(Exception):
    """The message names the setting and what it may be."""


def _number(least, most=None, whole=True):
    def check(value):
        kinds = (int,) if whole else (int, float)
        good = isinstance(value, kinds) and not isinstance(value, bool)
        if not good or value < least or (most is not None and value > most):
            raise WrongSetting("must be a number from %s to %s" % (least, "any" if most is None else most))
        return value
    return check


def _or_none(check):
    return lambda value: None if value is None else check(value)


def _flag(value):
    if not isinstance(value, bool):
        raise WrongSetting("must be true or false")
    return value


def _down(value):
    if value not in DOWN_MODES + (None,):
        raise WrongSetting("must be null or one of %s" % ", ".join(DOWN_MODES))
    return value


def _revisions(value):
    if not isinstance(value, dict) or not all(type(number) is int for number in value.values()):
        raise WrongSetting("must be an object of lead IDs with whole numbers")
    return value


def _orders(value):
    if not isinstance(value, dict) or not all(order is None or isinstance(order, str) for order in value.values()):
        raise WrongSetting("must be an object of lead IDs (* for all) with orders, or null")
    return value


def _nonce(value):
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9-]{1,40}", value):
        raise WrongSetting("must be 1 to 40 letters, digits and hyphens")
    return value


# name: (default, check)
KNOWN = {
    "admit": (None, _or_none(_number(0))),
    "admit_retry_after": (None, _or_none(_number(0))),
    "latency_ms": (0, _number(0, whole=False)),
    "jitter_ms": (0, _number(0, whole=False)),
    "fault_percent": (0, _number(0, 100, whole=False)),
    "fault_retry_after": (None, _or_none(_number(0))),
    "down": (None, _down),
    "down_for_s": (None, _or_none(_number(0, whole=False))),
    "after_requests": (None, _or_none(_number(0))),
    "down_retry_after": (None, _or_none(_number(0))),
    "revision": ({}, _revisions),
    "revision_all": (0, _number(0)),
    "faults": ({}, _orders),
    "gzip": (False, _flag),
    "track_ids": (True, _flag),
    "nonce": (None, _or_none(_nonce)),
}


class Settings:
    """The settings by name, each an attribute."""

    def __init__(self):
        self.clear()

    def clear(self):
        for name, (default, _) in KNOWN.items():
            setattr(self, name, dict(default) if isinstance(default, dict) else default)

    def change(self, wanted):
        """Takes all of `wanted` or, when one is wrong, nothing."""
        checked = {}
        for name, value in wanted.items():
            if name not in KNOWN:
                raise WrongSetting("%s is no setting; known: %s" % (name, ", ".join(KNOWN)))
            try:
                checked[name] = KNOWN[name][1](value)
            except WrongSetting as error:
                raise WrongSetting("%s %s" % (name, error)) from None
        self._check_outage(checked)
        for name, value in checked.items():
            if name in ("revision", "faults"):
                getattr(self, name).update(value)
            else:
                setattr(self, name, value)

    @staticmethod
    def _check_outage(checked):
        """An outage is described as a whole: what is not said is not kept from the last one."""
        if "down" in checked:
            checked.setdefault("down_for_s", None)
            checked.setdefault("after_requests", None)
        elif "down_for_s" in checked or "after_requests" in checked:
            raise WrongSetting("down_for_s and after_requests need down beside them")
        if checked.get("down") == "refuse" and not checked["down_for_s"]:
            raise WrongSetting("down=refuse needs down_for_s: this control is behind the same port")

    def as_json(self):
        return {name: getattr(self, name) for name in KNOWN}

    def revision_of(self, lead_id):
        return self.revision.get(lead_id, self.revision_all)

    def order_for(self, lead_id):
        """What would stand behind its ~, or None."""
        return self.faults.get(lead_id, self.faults.get("*"))

    def delay_s(self):
        """How long this answer takes; 0 for at once."""
        if not self.latency_ms and not self.jitter_ms:
            return 0
        return (self.latency_ms + self.jitter_ms * random.random()) / 1000


class Outage:
    """Whether the provider is down now, and in which way."""

    def __init__(self, refuse):
        self._refuse = refuse  # called with seconds: closes the listening socket for so long
        self.clear()

    def clear(self):
        self.mode = None
        self._until = None
        self._countdown = None
        self._armed = None

    def plan(self, mode, seconds, after_requests):
        """Starts an outage now, or after so many more lead requests were served."""
        self.clear()
        if mode is None:
            return
        if after_requests:
            self._countdown, self._armed = after_requests, (mode, seconds)
        else:
            self._start(mode, seconds)

    def served(self):
        """One lead request was answered."""
        if self._countdown is not None:
            self._countdown -= 1
            if self._countdown <= 0:
                self._countdown = None
                self._start(*self._armed)

    def now(self):
        """The mode of the outage, None while all is well."""
        if self.mode is not None and self._until is not None and time.monotonic() >= self._until:
            self.mode = None
        return self.mode

    def _start(self, mode, seconds):
        if mode == "refuse":
            self._refuse(seconds)
            return
        self.mode = mode
        self._until = None if seconds is None else time.monotonic() + seconds
