"""The two APIs' lead routes: credentials, limits, then the lead or a fault."""

import asyncio
import json
import re
import time
import zlib
from urllib.parse import unquote_to_bytes

import faults
import leads
from http1 import response

OMNI_PATH = "/omni/api/v1/leads/"
CONVOCORE_PATH = "/convocore/v3/leads/"


class Omni:
    """Its errors' shape is not documented; this one is as likely as any."""

    name = "omni"

    @staticmethod
    def received_key(request):
        return request.headers.get("x-api-key")

    @staticmethod
    def error(status, message, code=None):
        return json.dumps({"statusCode": status, "error": code or faults.code_of(status), "message": message}).encode()


class Convocore:
    name = "convocore"

    @staticmethod
    def received_key(request):
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else None

    @staticmethod
    def error(status, message, code=None):
        return json.dumps({"message": message, "code": code or faults.code_of(status),
                           "issues": [{"message": message}] if status == 400 else []}).encode()


class Exchange:
    """One lead request on its way to an answer.  `status` is what was answered, 0 for none."""

    def __init__(self, desk, provider, connection, request, raw_id, agent_id):
        self.desk = desk
        self.provider = provider
        self.connection = connection
        self.request = request
        self.raw_id = raw_id            # as in the URL
        self.lead_id = lead_id = _unescape(raw_id)
        self.agent_id = agent_id
        self.revision = desk.settings.revision_of(lead_id)
        self.nonce = desk.next_nonce()
        self.status = 0

    @property
    def received_key(self):
        return self.provider.received_key(self.request) or ""

    def payload(self):
        return leads.payload(self.provider.name, self.lead_id, self.agent_id, self.revision, nonce=self.nonce)

    def answer(self, status, body, content_type="application/json", headers=()):
        self.status = status
        self.connection.send(response(status, body, content_type, headers, close=not self.request.keep_alive))

    def refuse(self, status, message, code=None, headers=()):
        self.answer(status, self.provider.error(status, message, code), headers=headers)

    def answer_lead(self):
        body = self.payload()
        if self.desk.settings.gzip and "gzip" in self.request.headers.get("accept-encoding", ""):
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            packed = packer.compress(body) + packer.flush()
            self.answer(200, packed, headers=[("Content-Encoding", "gzip")])
        else:
            self.answer(200, body)


def _unescape(raw_id):
    """The ID behind a path segment; bytes that are no UTF-8 become surrogates."""
    if "%" in raw_id:
        return unquote_to_bytes(raw_id).decode("utf-8", "surrogateescape")
    if raw_id.isascii():
        return raw_id
    return raw_id.encode("latin-1").decode("utf-8", "surrogateescape")


class Desk:
    """Answers lead requests; the settings say how."""

    def __init__(self, key, settings, outage, stats):
        self._key = key
        self.settings = settings
        self.outage = outage
        self.stats = stats
        self._fetches = 0
        self._nonce_start = "%x-" % (time.time_ns() // 1000000)

    def knows(self, key):
        return key == self._key

    def next_nonce(self):
        self._fetches += 1
        return self.settings.nonce or self._nonce_start + "%x" % self._fetches

    def answer(self, connection, request):
        """Answers now and returns None, or returns a coroutine that will."""
        entry = self.stats.note(request)
        self.stats.leads_asked += 1
        self.stats.begin_lead()
        exchange, work = None, None
        try:
            exchange = self._exchange(connection, request)
            entry[2] = exchange.lead_id
            work = self._begin(exchange)
        finally:
            if work is None:
                self._end(entry, exchange)
        return None if work is None else self._continue(work, entry, exchange)

    async def _continue(self, work, entry, exchange):
        try:
            await work
        finally:
            self._end(entry, exchange)

    def _end(self, entry, exchange):
        self.stats.end_lead(entry, exchange.status if exchange else 0)
        self.outage.served()

    def _exchange(self, connection, request):
        if request.path.startswith(OMNI_PATH):
            return Exchange(self, Omni, connection, request, request.path[len(OMNI_PATH):], None)
        raw_id = request.path[len(CONVOCORE_PATH):]
        return Exchange(self, Convocore, connection, request, raw_id, request.query().get("agentId"))

    def _begin(self, exchange):
        settings = self.settings
        mode = self.outage.now()
        if mode is not None:
            self.stats.asked_while_down += 1
            return self._down(exchange, mode)
        if settings.admit is not None and self.stats.in_progress > settings.admit:
            self.stats.refused_by_admit += 1
            headers = faults.retry_after(settings.admit_retry_after)
            return exchange.refuse(429, "Too many requests", headers=headers)
        if not self._accepted(exchange):
            return None
        fault = self._fault_of(exchange)
        delay = settings.delay_s()
        if delay:
            return self._later(delay, exchange, fault)
        return self._serve(exchange, fault)

    async def _later(self, delay, exchange, fault):
        await asyncio.sleep(delay)
        mode = self.outage.now()  # it may have begun meanwhile
        work = self._serve(exchange, fault) if mode is None else self._down(exchange, mode)
        if work is not None:
            await work

    def _serve(self, exchange, fault):
        if fault is None:
            return exchange.answer_lead()
        self.stats.by_fault[fault.name] += 1
        return faults.show(fault, exchange)

    def _down(self, exchange, mode):
        if mode == "reset":
            exchange.connection.reset()
            return None
        if mode == "hang":
            return asyncio.get_running_loop().create_future()
        return exchange.refuse(503, "Down for maintenance", headers=faults.retry_after(self.settings.down_retry_after))

    def _accepted(self, exchange):
        """Whether method, key, path and parameters are right; refuses where not."""
        lead_id, request = exchange.lead_id, exchange.request
        if request.method != "GET":
            exchange.refuse(405, "Only GET", headers=[("Allow", "GET")])
        elif exchange.received_key != self._key:
            exchange.refuse(401, "Invalid API key")
        elif not lead_id or "/" in exchange.raw_id:
            exchange.refuse(404, "No such route")
        elif re.search("[\0-\x1f\x7f\ud800-\udfff]", lead_id):
            exchange.refuse(400, "The ID is no text")
        elif exchange.provider is Convocore and not exchange.agent_id:
            exchange.refuse(400, "agentId is required", "BAD_REQUEST")
        elif exchange.provider is Convocore and exchange.agent_id.startswith("wrong"):
            exchange.refuse(404, "Agent not found", "NOT_FOUND")
        else:
            return True
        return False

    def _fault_of(self, exchange):
        """The fault that this fetch shall show, or None.  Counts the fetch."""
        settings, lead_id = self.settings, exchange.lead_id
        weather = settings.order_for(lead_id)
        ordered = "~" in lead_id or weather
        planned = settings.fault_percent and not ordered and faults.planned(lead_id, settings.fault_percent)
        attempt = 1
        if settings.track_ids or ordered or planned:
            attempt = self.stats.attempts.add((exchange.provider.name, lead_id, exchange.agent_id))
        if ordered:
            return faults.ordered("~" + weather if weather else lead_id, attempt)
        if planned and attempt <= planned.times:
            return planned.with_retry_after(settings.fault_retry_after)
        return None
