"""Pipedrive, Close, Dynamics 365 and Slack: one record a request, by their public documentation.

    developers.pipedrive.com/docs/api/v1/Persons  (API v2, POST /persons)
    developer.close.com/api/resources/leads/create
    learn.microsoft.com/power-apps/developer/data-platform/webapi  Update and delete table rows > Upsert
    docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import base64
import re
from urllib.parse import unquote

from crm_json import Digits, dumps
from crm_maker import Item, Maker, Refusal, check_texts, only, want_object
from crm_tokens import FIXED


class Pipedrive(Maker):
    """Every POST makes a new person: two for one lead show as a second write."""

    name = "pipedrive"
    unauthorized = ("unauthorized access", "unauthorized access")
    refused_code = "ERR_SCHEMA_VALIDATION_FAILED"
    KNOWN = {"name": str, "owner_id": Digits, "org_id": Digits, "add_time": str, "update_time": str, "emails": list,
             "phones": list, "visible_to": Digits, "label_ids": list, "marketing_status": str, "custom_fields": dict}

    def thing(self, path):
        return "persons" if path == "/api/v2/persons" else None

    def authorized(self, account, request):
        if request.headers.get("x-api-token") != FIXED[self.name]:
            raise Refusal(401, *self.unauthorized)

    def items(self, account, request, thing, body):
        bad = self.refused_code
        only(want_object(body, "the body", bad), self.KNOWN, "the body", bad)
        for name, value in body.items():
            if not isinstance(value, self.KNOWN[name]) or (isinstance(value, Digits) and not value.whole):
                raise Refusal(400, bad, "Parameter '%s' has a wrong type" % name)
        if not body.get("name"):
            raise Refusal(400, bad, "Parameter 'name' is required")
        if body.get("marketing_status", "no_consent") not in ("no_consent", "unsubscribed", "subscribed", "archived"):
            raise Refusal(400, bad, "Parameter 'marketing_status' must be one of no_consent, unsubscribed, ...")
        for name in ("emails", "phones"):
            for entry in body.get(name, []):
                only(want_object(entry, name, bad), ("value", "primary", "label"), name, bad)
                if not isinstance(entry.get("value"), str) or not isinstance(entry.get("primary", True), bool) or \
                        not isinstance(entry.get("label", ""), str):
                    raise Refusal(400, bad, "Parameter '%s' has a wrong entry" % name)
        emails = [entry["value"] for entry in body.get("emails", [])]
        key = (emails[0].lower() if emails else "") or body["name"]
        item = Item(account.key_of(body, key), body, body)
        check_texts(account, item, {"name": 255}, (), bad, bad, bad)
        return [item]

    def error(self, status, code, message, item=None):
        body = {"success": False, "error": message, "error_info": "Please check developers.pipedrive.com", "data": None}
        body.update({"errorCode": 401} if status == 401 else {"code": code})
        return body

    def good(self, account, request, items):
        return 200, {"success": True, "data": {"id": items[0].number, **items[0].fields}}, []


class Close(Maker):
    """Every POST makes a new lead.  Basic authentication: the key is the user, the password is empty."""

    name = "close"
    unauthorized = ("unauthorized", "The API key is not valid.")
    refused_code = "invalid"
    TEXTS = ("name", "description", "url", "status", "status_id")

    def thing(self, path):
        return "lead" if path == "/api/v1/lead/" else None

    def authorized(self, account, request):
        wanted = "Basic " + base64.b64encode((FIXED[self.name] + ":").encode()).decode()
        if request.headers.get("authorization") != wanted:
            raise Refusal(401, *self.unauthorized)

    def items(self, account, request, thing, body):
        bad = self.refused_code
        want_object(body, "the body", bad)
        for name, value in body.items():
            if name in self.TEXTS and not isinstance(value, (str, type(None))):
                raise Refusal(400, bad, "%s: Expected text." % name)
            if name not in self.TEXTS + ("contacts", "addresses") and not name.startswith("custom."):
                raise Refusal(400, bad, "%s: This field is not known." % name)
        if body.get("status") and body.get("status_id"):
            raise Refusal(400, bad, "status: Either status or status_id.")
        emails = self._contacts(body, bad)
        key = emails[0].lower() if emails else body.get("name") or "?"
        item = Item(account.key_of(body, key), body, body)
        check_texts(account, item, {"name": 500}, (), bad, bad, bad)
        return [item]

    @staticmethod
    def _contacts(body, bad):
        emails = []
        for name in ("contacts", "addresses"):
            if not isinstance(body.get(name, []), list):
                raise Refusal(400, bad, "%s: Expected a list." % name)
        for contact in body.get("contacts", []):
            want_object(contact, "a contact", bad)
            for name, value in contact.items():
                if name in ("name", "title") and not isinstance(value, (str, type(None))):
                    raise Refusal(400, bad, "contacts.%s: Expected text." % name)
            for name, entry_name in (("emails", "email"), ("phones", "phone"), ("urls", "url")):
                if not isinstance(contact.get(name, []), list):
                    raise Refusal(400, bad, "contacts.%s: Expected a list." % name)
                for entry in contact.get(name, []):
                    if not isinstance(want_object(entry, name, bad).get(entry_name), str) or not entry[entry_name]:
                        raise Refusal(400, bad, "contacts.%s.%s: This field is required." % (name, entry_name))
                    if entry_name == "email":
                        emails.append(entry["email"])
        return emails

    def error(self, status, code, message, item=None):
        field, colon, text = message.partition(": ")
        return {"error": message, "errors": [] if colon else [message], "field-errors": {field: text} if colon else {}}

    def good(self, account, request, items):
        return 200, {"id": "lead_%020d" % items[0].number, "display_name": items[0].fields.get("name"),
                     **items[0].fields}, []


class Dynamics(Maker):
    """An upsert by an alternate key in the URL: 204 whether the row was there or not."""

    name = "dynamics"
    says_nothing = True
    methods = ("PATCH",)
    refused_code = "0x80040265"
    unauthorized = ("0x80040220", "The token is not valid.")
    PATH = re.compile(r"/api/data/v9\.\d/([a-z_]+)\((.*)\)", re.DOTALL)
    KEY = re.compile(r"([a-z_0-9]+)='((?:[^']|'')*)'", re.DOTALL)
    FORBIDDEN = re.compile(r'[/<>*%&:\\?+#]')
    LEADS = {"firstname": 50, "lastname": 50, "companyname": 100, "emailaddress1": 100, "telephone1": 50,
             "mobilephone": 20, "websiteurl": 200, "subject": 300, "jobtitle": 100, "description": 2000,
             "address1_city": 80, "address1_line1": 250, "address1_postalcode": 20, "address1_country": 80}

    def thing(self, path):
        found = self.PATH.fullmatch(unquote(path))
        return found and found.group(1)

    def items(self, account, request, thing, body):
        bad = "0x80048d19"
        fields = want_object(body, "the body", bad)
        found = self.KEY.fullmatch(self.PATH.fullmatch(unquote(request.path, errors="strict")).group(2))
        if not found:
            raise Refusal(400, "0x80060888", "Syntax error in the key: a quote within it must be doubled")
        name, key = found.group(1), found.group(2).replace("''", "'")
        if not key or self.FORBIDDEN.search(key):
            raise Refusal(400, "0x80060891", "A record with the specified key values does not exist in %s" % thing)
        if name in fields and fields[name] != key:
            raise Refusal(400, bad, "%s in the body is not that of the key" % name)
        for field, value in fields.items():
            if isinstance(value, (dict, list)) or not re.fullmatch(r"[a-z][a-z0-9_]*(@odata\.bind)?", field):
                raise Refusal(400, bad, "Error identified in Payload provided by the user for Entity: %s" % field)
        item = Item(account.key_of(body, key), body, {name: key, **fields})
        check_texts(account, item, self.LEADS if thing == "leads" else {}, (), bad, "0x80044331", bad)
        return [item]

    def error(self, status, code, message, item=None):
        return {"error": {"code": code, "message": message}}

    def limit_code(self, status):
        if status == 429:
            return "0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
        return {413: ("0x80040265", "The request is too large."), 500: ("0x80040216", "An unexpected error occurred."),
                503: ("0x80072321", "The server is busy.")}.get(status) or super().limit_code(status)

    def good(self, account, request, items):
        where = "%s/api/data/v9.2/leads(00000000-0000-0000-0000-%012d)" % ("https://org.example", items[0].number)
        return 204, b"", [("OData-Version", "4.0"), ("OData-EntityId", where)]


class Slack(Maker):
    """The URL is the secret.  A message is no record: each one that differs is, and its writes are counted."""

    name = "slack"
    says_nothing = True
    refused_code = "invalid_payload"
    unauthorized = ("invalid_token", "invalid_token")

    def thing(self, path):
        return "messages" if path.startswith("/services/T") else None

    def authorized(self, account, request):
        if request.path.partition("/services/")[2] != FIXED[self.name]:
            raise Refusal(403, *self.unauthorized)

    def items(self, account, request, thing, body):
        bad = self.refused_code
        if not isinstance(body, dict) or not isinstance(body.get("blocks", []), list):
            raise Refusal(400, bad, bad)
        if not isinstance(body.get("text"), str) or not body["text"]:
            raise Refusal(400, "no_text", "no_text")
        only(body, ("text", "blocks", "attachments", "mrkdwn"), "the body", bad)
        item = Item(account.key_of(body, dumps(body)), body, body)
        if account.lengths and len(body["text"]) > 40_000:
            item.refuse("msg_too_long", "msg_too_long")
        return [item]

    def error(self, status, code, message, item=None):
        return code.encode()

    def content_type(self, status):
        return "text/html; charset=utf-8" if status == 200 else "text/plain; charset=utf-8"

    def limit_code(self, status):
        return {429: ("rate_limited",) * 2, 410: ("channel_is_archived",) * 2,
                500: ("rollup_error",) * 2}.get(status) or super().limit_code(status)

    def good(self, account, request, items):
        return 200, b"ok", []
