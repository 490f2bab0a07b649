"""Webhook receivers: record every delivery, and answer as the test wants it.

`POST /hooks/NAME` may be given how to behave by the query string of its URL, or
for the name by `POST /_control/hooks/NAME` (which counts more):

    status=N, times=K    answer N; only the first K deliveries of each webhook-id
    fail=every:N         every Nth delivery is answered 500
    rate=N               more than N in one second are answered 429
    retry_after=S        a Retry-After header on every answer that is not 2xx
    noanswer=K           take the delivery, then reset the connection instead of
                         answering: the first K tries of each webhook-id
    delay_ms=MS          answer late
    die_after=N          after N deliveries: then=410 (default), 500, any other
                         status, `refuse` (connection closed unanswered), `reset`
    redirect=HOST        302 to another host
    body=TEXT            the body of the answer
    secret=whsec_...     400 for a wrong signature (several: blanks between)
    tolerance=S          how old a webhook-timestamp may be (300)
    accept=N             the status of a good answer (200)
    refuse=TEXT          400 for a body that holds this text
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import time
from collections import Counter, deque
from functools import lru_cache
from urllib.parse import parse_qsl

from http1 import response
from recent import Recent

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
RECEIVERS = 256
KEPT_DELIVERIES = 20_000
KEPT_BYTES = 64 << 20
KEPT_WITH_FILE = 1_000
KEPT_IDS = 200_000


def verify(secret, headers, body, now=None, tolerance=300):
    """Whether a delivery is signed by the Standard Webhooks specification.

    `secret` is `whsec_` and base64, several with blanks between; `headers` a
    dict with names in any case; `body` bytes; `now` seconds since 1970.
    """
    return refusal(secret, headers, body, now, tolerance) is None


def refusal(secret, headers, body, now=None, tolerance=300):
    """Why `verify` says no, or None."""
    headers = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not message_id or not timestamp or not signatures:
        return "a webhook header is missing"
    if not re.fullmatch("[0-9]{1,15}", timestamp):
        return "webhook-timestamp is no number of seconds"
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        return "webhook-timestamp is too far from now"
    expected = [sign(one, message_id, timestamp, body) for one in secret.split()]
    for signature in signatures.split(" "):
        if any(hmac.compare_digest(signature.encode(), one.encode()) for one in expected):
            return None
    return "no signature matches"


def sign(secret, message_id, timestamp, body):
    """The `v1,...` signature of a delivery."""
    key = base64.b64decode(secret[6:] if secret.startswith("whsec_") else secret)
    content = b"%b.%b.%b" % (message_id.encode("latin-1"), str(timestamp).encode(), body)
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


class WrongBehaviour(Exception):
    """The message names what is wrong in a query string or control."""


class Behaviour:
    """How a receiver answers; made from strings or JSON values."""

    NUMBERS = {"status": None, "times": None, "delay_ms": 0, "die_after": None, "retry_after": None, "noanswer": 0,
               "rate": None, "tolerance": 300, "accept": 200}
    TEXTS = {"fail": None, "then": "410", "redirect": None, "body": None, "secret": None,
             "refuse": None}

    def __init__(self, wanted):
        self.every = 0
        for name, default in list(self.NUMBERS.items()) + list(self.TEXTS.items()):
            setattr(self, name, default)
        for name, value in wanted.items():
            self._take(name, value)

    def _take(self, name, value):
        try:
            if name in self.NUMBERS:
                setattr(self, name, None if value is None else int(value))
            elif name in self.TEXTS:
                setattr(self, name, None if value is None else str(value))
            else:
                raise WrongBehaviour("a hook knows no %r" % name)
            if name == "then" and not re.fullmatch("[2-5][0-9][0-9]|refuse|reset", self.then):
                raise ValueError(value)
            if name == "fail" and value is not None:
                self.every = int(re.fullmatch("every:([1-9][0-9]*)", value).group(1))
            if name == "secret" and value is not None:
                self.secret = value.replace(" ", "+") if value.count("whsec_") < 2 else value
                for one in self.secret.split():
                    sign(one, "", "", b"")
        except (ValueError, AttributeError, TypeError, binascii.Error):
            raise WrongBehaviour("%s=%r is not understood" % (name, value)) from None


@lru_cache(maxsize=1024)
def _behaviour_of_query(query_text):
    return Behaviour(dict(parse_qsl(query_text, keep_blank_values=True)))


class Receiver:
    """One name under /hooks/: its deliveries, and what it knows of each webhook-id."""

    def __init__(self, name, directory):
        self.name = name
        self.behaviour = None
        self.received = 0
        self.in_progress = 0
        self.max_in_progress = 0    # seen with delay_ms only: other answers are instant
        self.by_status = Counter()
        self.after_success = 0      # deliveries of an id that had been accepted before
        self.forgotten = 0          # deliveries no longer in memory
        self.deliveries = deque()
        self.ids = deque(maxlen=KEPT_IDS)
        self._bytes = 0
        self._tries = Recent(2 * KEPT_IDS)  # webhook-id: [tries, whether one was answered 2xx]
        self._second = (0, 0)       # for `rate`: the second, deliveries in it
        self._file = open(os.path.join(directory, name + ".ndjson"), "ab") if directory else None

    def close(self):
        if self._file:
            self._file.close()

    def flush(self):
        if self._file:
            self._file.flush()

    def check(self, request, behaviour):
        """Counts the delivery; returns (status, error text).  Status 0: no answer."""
        self.received += 1
        now = time.time()
        message_id = request.headers.get("webhook-id", "")
        tries = self._count_try(message_id)[0]
        if behaviour.die_after is not None and self.received > behaviour.die_after:
            return (int(behaviour.then) if behaviour.then.isdigit() else 0), "this receiver is gone"
        if behaviour.secret:
            wrong = refusal(behaviour.secret, request.headers, request.body, now, behaviour.tolerance)
            if wrong:
                return 400, wrong
        if behaviour.refuse and behaviour.refuse.encode() in request.body:
            return 400, "not this one"
        if behaviour.rate is not None and self._in_this_second(int(now)) > behaviour.rate:
            return 429, "too many"
        if behaviour.status is not None and (behaviour.times is None or tries <= behaviour.times):
            return behaviour.status, "as ordered"
        if behaviour.every and self.received % behaviour.every == 0:
            return 500, "every %dth" % behaviour.every
        if behaviour.redirect:
            return 302, "elsewhere"
        if tries <= behaviour.noanswer:
            return 0, "taken, but not answered"
        return behaviour.accept, None

    def _count_try(self, message_id):
        entry = self._tries.get(message_id) or [0, False]
        self._tries.set(message_id, entry)
        entry[0] += 1
        self.after_success += entry[1]
        return entry

    def _in_this_second(self, second):
        count = self._second[1] + 1 if self._second[0] == second else 1
        self._second = (second, count)
        return count

    def record(self, request, status):
        headers = request.headers
        digest = hashlib.sha256(request.body).hexdigest()
        self.by_status[status] += 1
        tried = self._tries.get(headers.get("webhook-id", ""))
        if tried and 200 <= status < 300:
            tried[1] = True
        self.ids.append((headers.get("webhook-id"), status, digest))
        self.deliveries.append((self.received - 1, request, request.body, status, digest))
        self._bytes += len(request.body)
        limit = KEPT_WITH_FILE if self._file else KEPT_DELIVERIES
        while len(self.deliveries) > limit or (self._bytes > KEPT_BYTES and len(self.deliveries) > 1):
            self._bytes -= len(self.deliveries.popleft()[2])
            self.forgotten += 1
        if self._file:
            line = json.dumps(self.as_json(*self.deliveries[-1]), separators=(",", ":"))
            self._file.write(line.encode() + b"\n")

    @staticmethod
    def as_json(number, request, body, status, digest):
        headers = request.headers
        return {
            "seq": number, "at": request.received_at, "connection": request.connection_number,
            "target": request.target, "webhook_id": headers.get("webhook-id"),
            "webhook_timestamp": headers.get("webhook-timestamp"),
            "webhook_signature": headers.get("webhook-signature"), "status": status, "sha256": digest,
            "headers": dict(headers), "body_base64": base64.b64encode(body).decode(),
        }

    def listed(self, start, limit):
        """Deliveries from number `start` on that are still in memory."""
        chosen = [entry for entry in self.deliveries if entry[0] >= start]
        return [self.as_json(*entry) for entry in chosen[:limit]]

    def listed_ids(self, start, limit):
        first = self.received - len(self.ids)
        chosen = list(self.ids)[max(0, start - first):]
        return [list(entry) for entry in chosen[:limit]]

    def summary(self):
        return {"received": self.received, "by_status": {str(s): n for s, n in sorted(self.by_status.items())},
                "unique_ids": len(self._tries), "accepted_ids": sum(1 for _, e in self._tries.items() if e[1]),
                "after_success": self.after_success, "max_in_progress": self.max_in_progress, "forgotten": self.forgotten}


class Hooks:
    """All receivers of a sandbox."""

    def __init__(self, stats, directory=None):
        self._stats = stats
        self._directory = directory
        self.receivers = {}
        if directory:
            os.makedirs(directory, exist_ok=True)

    def clear(self):
        for receiver in self.receivers.values():
            receiver.close()
        self.receivers = {}

    def flush(self):
        for receiver in self.receivers.values():
            receiver.flush()

    def named(self, name):
        """The receiver of a name; None where the name, or one more, is not allowed."""
        receiver = self.receivers.get(name)
        if receiver is None and NAME.fullmatch(name) and len(self.receivers) < RECEIVERS:
            receiver = self.receivers[name] = Receiver(name, self._directory)
        return receiver

    def answer(self, connection, request):
        """Answers now and returns None, or returns a coroutine that will."""
        self._stats.hooks_asked += 1
        entry = self._stats.note(request)
        receiver = self.named(request.path[len("/hooks/"):])
        if receiver is None or request.method != "POST":
            entry[1] = 405 if receiver else 404
            return self._send(connection, request, entry[1], "POST /hooks/NAME")
        try:
            behaviour = receiver.behaviour or _behaviour_of_query(request.query_text)
        except WrongBehaviour as error:
            entry[1] = 400
            return self._send(connection, request, 400, str(error))
        if behaviour.delay_ms:
            return self._later(connection, request, entry, receiver, behaviour)
        return self._receive(connection, request, entry, receiver, behaviour)

    async def _later(self, connection, request, entry, receiver, behaviour):
        receiver.in_progress += 1
        receiver.max_in_progress = max(receiver.max_in_progress, receiver.in_progress)
        try:
            await asyncio.sleep(behaviour.delay_ms / 1000)
        finally:
            receiver.in_progress -= 1
        self._receive(connection, request, entry, receiver, behaviour)

    def _receive(self, connection, request, entry, receiver, behaviour):
        status, error = receiver.check(request, behaviour)
        receiver.record(request, status)
        entry[1] = status
        if status == 0 and behaviour.then == "refuse" and error == "this receiver is gone":
            connection.close()
        elif status == 0:
            connection.reset()
        else:
            headers = []
            if behaviour.retry_after is not None and status >= 300:
                headers.append(("Retry-After", str(behaviour.retry_after)))
            if status == 302:
                headers.append(("Location", "http://%s%s" % (behaviour.redirect, request.path)))
            self._send(connection, request, status, error, behaviour.body, headers)

    @staticmethod
    def _send(connection, request, status, error, body=None, headers=()):
        if body is None:
            body = json.dumps({"error": error} if error else {"ok": True})
        connection.send(response(status, body.encode(), headers=headers, close=not request.keep_alive))
