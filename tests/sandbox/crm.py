"""CRMs that behave by their documentation, and as badly as a test asks for.

    /at/NAME/...     a CRM's own paths, for the account NAME; without /at/NAME the account `default`
    /crm/v3/objects/contacts/batch/upsert                     HubSpot (and companies, ...)
    /services/oauth2/token, /services/data/v61.0/composite/sobjects/Lead/Ext__c      Salesforce
    /oauth/v2/token, /crm/v8/Leads/upsert                     Zoho
    /api/v2/persons                                           Pipedrive
    /api/v1/lead/                                             Close
    /TENANT/oauth2/v2.0/token, /api/data/v9.2/leads(key='…')  Dynamics 365
    /services/T…/B…/…                                         Slack

README.md says how an account is told to behave and what it can be asked.
"""

import asyncio
import random
import re

from crm_account import Account
from crm_batches import HubSpot, Salesforce, Zoho
from crm_faults import AFTER_WORK, BEFORE_WORK, DELAYS, TOKEN_FAULTS
from crm_json import NotJson, dumps, parse
from crm_maker import Refusal
from crm_singles import Close, Dynamics, Pipedrive, Slack
from crm_tokens import Refused, check, granted
from http1 import LAST_CHUNK, chunk, head, response

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
ACCOUNT = re.compile(r"/at/([^/]+)(/.*)")
ACCOUNTS = 256
MAKERS = (HubSpot(), Salesforce(), Zoho(), Pipedrive(), Close(), Dynamics(), Slack())
TOKEN_PATHS = (("salesforce", re.compile("/services/oauth2/token")), ("zoho", re.compile("/oauth/v2/token")),
               ("dynamics", re.compile("/[^/]+/oauth2/v2.0/token")))
NOT_JSON = b"<html><body>It works!</body></html>"


class Call:
    """One request to a CRM: what of it the makers see."""

    def __init__(self, connection, request, account, prefix, path):
        self.connection, self.request, self.account, self.prefix, self.path = connection, request, account, prefix, path
        self.method, self.headers, self.body = request.method, request.headers, request.body
        self.maker = self.thing = None

    @property
    def base(self):
        """The URL that this account's APIs are under."""
        secure = self.connection.transport.get_extra_info("sslcontext") is not None
        return "%s://%s%s" % ("https" if secure else "http", self.headers.get("host", ""), self.prefix)


class Crm:
    """All accounts of a sandbox."""

    def __init__(self, stats):
        self._stats = stats
        self.accounts = {}

    def clear(self):
        self.accounts = {}

    def named(self, name):
        """The account of a name; None where the name, or one more, is not allowed."""
        account = self.accounts.get(name)
        if account is None and NAME.fullmatch(name) and len(self.accounts) < ACCOUNTS:
            account = self.accounts[name] = Account(name)
        return account

    def answer(self, connection, request):
        """A coroutine that answers, or None where the path is no CRM's."""
        found = ACCOUNT.fullmatch(request.path)
        name, path = found.groups() if found else ("default", request.path)
        token_maker = next((maker for maker, pattern in TOKEN_PATHS if pattern.fullmatch(path)), None)
        maker, thing = next(((one, thing) for one in MAKERS for thing in [one.thing(path)] if thing), (None, None))
        account = self.named(name) if maker or token_maker else None
        if account is None:
            return None
        call = Call(connection, request, account, "/at/" + name if found else "", path)
        call.maker, call.thing = maker, thing
        entry = self._stats.note(request)
        return self._token(call, token_maker, entry) if token_maker else self._serve(call, entry)

    # --- tokens ---

    async def _token(self, call, maker, entry):
        tokens = call.account.tokens
        tokens.asked += 1
        tokens.in_progress += 1
        tokens.max_in_progress = max(tokens.max_in_progress, tokens.in_progress)
        try:
            entry[1] = await self._answer_token(call, maker)
        finally:
            tokens.in_progress -= 1

    async def _answer_token(self, call, maker):
        account, faults = call.account, call.account.faults
        attempt = faults.attempt(b"token", maker.encode())
        slow = faults.of_request(("token_slow",), attempt, [], account.tokens.asked - 1)
        if slow:
            await asyncio.sleep(slow.ms / 1000)
        try:
            check(maker, call)
        except Refused as error:
            status = 200 if maker == "zoho" and error.status < 405 else error.status  # Zoho says so in a 200
            return self._send(call, status, {"error": error.code, "error_description": error.message})
        names = [name for name in TOKEN_FAULTS if name != "token_slow"]
        fault = faults.of_request(names, attempt, [], account.tokens.asked - 1)
        if fault is None:
            token = account.tokens.issue(maker, account.token_seconds, account.token_requests)
            says = account.token_seconds if account.token_says is None else account.token_says
            return self._send(call, 200, granted(maker, token, account.instance_url or call.base, int(says)))
        if fault.name == "token_cut":
            call.connection.reset()
            return 0
        if fault.name == "token_garbage":
            return self._send(call, 200, NOT_JSON)
        if fault.name == "token_none":
            return self._send(call, 200, {"token_type": "Bearer"})
        headers = [] if fault.retry_after is None else [("Retry-After", str(fault.retry_after))]
        return self._send(call, fault.status, {"error": fault.code or "temporarily_unavailable",
                                               "error_description": fault.message or "as ordered"}, headers)

    # --- records ---

    async def _serve(self, call, entry):
        account = call.account
        account.in_progress += 1
        account.max_in_progress = max(account.max_in_progress, account.in_progress)
        log = account.note(call.request, call.maker.name, call.thing, 0, call.body)
        try:
            status = await self._work(call, log)
        except Refusal as error:
            status = self._refuse(call, error)
        finally:
            account.in_progress -= 1
        entry[1] = log["status"] = status
        account.by_status[status] += 1

    async def _work(self, call, log):
        account, maker, thing = call.account, call.maker, "%s/%s" % (call.maker.name, call.thing)
        self._check(call)
        items = maker.items(account, call, call.thing, self._parsed(call))
        most = account.max_items or maker.max_items
        if len(items) > most:
            raise Refusal(400, "LIMIT_EXCEEDED" if maker.name != "salesforce" else "TOO_MANY_RECORDS",
                          "%d records in a request; %d are allowed" % (len(items), most))
        log["items"] = len(items)
        account.by_size[len(items)] += 1
        for item in items:
            account.sent(thing, item.key, item.value)
        await self._before_work(call, items, log)
        self._draw_item_faults(call, thing, items, log)
        after = account.faults.of_request(AFTER_WORK, call.attempt, call.keys, call.number)
        if after:
            log["fault"] = after.name
        is_refusal = len(items) == 1 and maker.max_items == 1 and items[0].fate == "refused"
        if not after or after.done or after.name == "reorder" or maker.says_nothing or is_refusal:
            self._store(account, maker, thing, items)
        if is_refusal:
            raise Refusal(items[0].status or maker.refused_status, items[0].code, items[0].message)
        return await self._answer(call, items, after)

    def _check(self, call):
        """What is wrong with a request whatever its items are."""
        account, maker = call.account, call.maker
        if call.method not in maker.methods:
            raise Refusal(405, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed" % call.method)
        maker.authorized(account, call)
        kind, _, parameter = call.headers.get("content-type", "").partition(";")
        if kind.strip().lower() != "application/json" or parameter.strip().lower() not in ("", "charset=utf-8"):
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", "the content type must be application/json")
        if "content-encoding" in call.headers:
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", "no content encoding is understood")
        if len(call.body) > (account.max_bytes or maker.max_bytes):
            raise Refusal(413, *maker.limit_code(413))

    @staticmethod
    def _parsed(call):
        try:
            return parse(call.body)
        except NotJson as error:
            raise Refusal(400, "JSON_PARSER_ERROR" if call.maker.name == "salesforce" else call.maker.refused_code,
                          "Invalid input JSON: %s" % error) from None

    async def _before_work(self, call, items, log):
        """Limits, and faults that come before anything is stored."""
        account, maker = call.account, call.maker
        call.number, call.keys = account.received, [item.key for item in items]
        account.received += 1
        call.attempt = account.faults.attempt(call.path.encode(), call.body)
        slow = account.faults.of_request(DELAYS, call.attempt, call.keys, call.number)
        if slow:
            await asyncio.sleep(slow.ms / 1000)
        if not account.admits(maker.name):
            again = [] if account.retry_after is None else [("Retry-After", str(account.retry_after))]
            raise Refusal(429, *maker.limit_code(429), headers=again)
        fault = account.faults.of_request(BEFORE_WORK, call.attempt, call.keys, call.number)
        if fault is None:
            return
        log["fault"] = fault.name
        if fault.name == "cut_before":
            raise Refusal(0, "", "")
        if fault.name == "expire":
            account.tokens.revoke(maker.token_of(call))
        code, message = maker.limit_code(fault.status)
        headers = [] if fault.retry_after is None else [("Retry-After", str(fault.retry_after))]
        raise Refusal(fault.status, fault.code or code, fault.message or message, headers)

    @staticmethod
    def _draw_item_faults(call, thing, items, log):
        """What happens to single items; Refusal where one spoils the whole request."""
        account, maker, whole = call.account, call.maker, None
        for item in items:
            handled = account.history(thing, item.key)["handled"] + 1
            fault = account.faults.of_item(item.key, handled) if item.fate == "accepted" else None
            if fault is None:
                continue
            log["fault"] = fault.name
            code = fault.code or maker.refused_code
            message = fault.message or "the sandbox does not take %s" % item.key[:100]
            if fault.name in ("poison", "conflict") or not maker.partial(item):
                code = fault.code or ("CONFLICT" if fault.name == "conflict" else maker.refused_code)
                whole = whole or Refusal(fault.status or 400, code, message)
                account.history(thing, item.key)["handled"] += 1
                account.refused(thing, item.key, code)
            elif fault.name in ("item", "lock"):
                item.refuse(code, message)
                item.status = fault.status
            else:
                item.fate = "silent" if maker.says_nothing else fault.name
        if whole:
            raise whole
        for item in items:
            account.history(thing, item.key)["handled"] += 1

    @staticmethod
    def _store(account, maker, thing, items):
        for item in items:
            if item.fate in ("accepted", "silent"):
                item.created, item.number = account.write(thing, item.key, item.fields, maker.clears)
            elif item.fate == "refused":
                account.refused(thing, item.key, item.code)

    # --- answers ---

    async def _answer(self, call, items, fault):
        name = fault.name if fault else None
        if name == "cut_after":
            call.connection.reset()
            return 0
        listed = [item for item in items if item.fate in ("accepted", "refused")]
        if name == "reorder" and not call.maker.in_order:
            random.Random("%s %s" % (call.account.faults.seed, call.attempt)).shuffle(listed)
        if name == "empty":
            listed = []
        for number, item in enumerate(listed):
            item.number = item.number or number + 1  # not stored, but answered as if
        if call.maker.max_items == 1:
            if name == "empty" or not listed:
                return self._send(call, 200, b"" if call.maker.name == "slack" else {})
        status, body, headers = call.maker.good(call.account, call, listed)
        if name == "garbage":
            return self._send(call, 200, NOT_JSON, kind="text/html")
        if name == "huge":
            return await self._huge(call, fault.bytes)
        if name == "half":
            return self._half(call, status, body)
        return self._send(call, status, body, headers, call.maker.content_type(status))

    @staticmethod
    def _bytes_of(body):
        return body if isinstance(body, bytes) else dumps(body).encode("utf-8", "replace")

    def _send(self, call, status, body, headers=(), kind="application/json"):
        data = self._bytes_of(body)
        call.connection.send(response(status, data, kind, list(headers), close=not call.request.keep_alive))
        return status

    def _half(self, call, status, body):
        data = self._bytes_of(body)
        if status == 204 or not data:
            call.connection.reset()
            return 0
        call.connection.send(head(status, length=len(data)) + data[:len(data) // 2])
        call.connection.close()
        return status

    @staticmethod
    async def _huge(call, size):
        """A JSON text, one member of which never seems to end; chunked, never held in memory."""
        connection = call.connection
        connection.send(head(200, [("Transfer-Encoding", "chunked")]) + chunk(b'{"results":[],"padding":"'))
        while size > 0 and not connection.lost:
            connection.send(chunk(b"x" * min(size, 65536)))
            size -= 65536
            await connection.drain()
        connection.send(chunk(b'"}') + LAST_CHUNK)
        return 200

    def _refuse(self, call, error):
        """Of a whole request.  Status 0: the connection is cut."""
        if error.status == 0:
            call.connection.reset()
            return 0
        if error.status == 502:
            return self._send(call, 502, b"<html><h1>502 Bad Gateway</h1></html>", error.headers, "text/html")
        headers = list(error.headers)
        if error.status == 429 and call.maker.name == "hubspot":
            headers.append(("X-HubSpot-RateLimit-Remaining", "0"))
        body = call.maker.error(error.status, error.code, error.message)
        return self._send(call, error.status, body, headers, call.maker.content_type(error.status))
