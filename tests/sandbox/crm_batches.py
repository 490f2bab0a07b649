"""HubSpot, Salesforce and Zoho: many records in a request, by their public documentation.

    developers.hubspot.com  CRM > Contacts > Batch > Upsert; Error handling > Multi-status errors
    developer.salesforce.com  REST API > sObject Collections > Upsert Records
    www.zoho.com/crm/developer/docs/api/v8  Insert or Update Records (Upsert)
"""

import re
from collections import Counter

from crm_json import Digits
from crm_maker import Item, Maker, Refusal, check_texts, only, want_object

TIME = "2026-01-01T00:00:00.000Z"
CORRELATION = "aeb5f871-7f07-4993-9211-075dc63e7cbf"


class HubSpot(Maker):
    """207 where records of a batch failed, but only for inputs with an objectWriteTraceId: without,
    one bad record refuses the batch.  Properties are texts, "" clears one, null is refused."""

    name = "hubspot"
    max_items = 100
    PATH = re.compile(r"/crm/v3/objects/([a-z_0-9-]+)/batch/upsert")
    MEMBERS = ("id", "idProperty", "objectWriteTraceId", "properties")
    LENGTH = 65536
    unauthorized = ("INVALID_AUTHENTICATION", "Authentication credentials not found or expired.")

    def thing(self, path):
        found = self.PATH.fullmatch(path)
        return found and found.group(1)

    def items(self, account, request, thing, body):
        bad = "VALIDATION_ERROR"
        only(want_object(body, "the body", bad), ("inputs",), "the body", bad)
        inputs = body.get("inputs")
        if not isinstance(inputs, list) or not inputs:
            raise Refusal(400, bad, "inputs must be an array with at least one element")
        items = [self._item(account, one) for one in inputs]
        twice = [key for key, n in Counter(item.key for item in items).items() if n > 1]
        if twice:
            raise Refusal(400, bad, "Duplicate IDs found in batch input: [%s]. IDs must be unique" % ", ".join(twice))
        traces = [one["objectWriteTraceId"] for one in inputs if "objectWriteTraceId" in one]
        if len(set(traces)) != len(traces):
            raise Refusal(400, bad, "objectWriteTraceId must be unique within a request")
        wrong = next((item for item in items if item.fate == "refused" and not self.partial(item)), None)
        if wrong:
            raise Refusal(400, wrong.code, wrong.message)
        return items

    def _item(self, account, one):
        bad = "VALIDATION_ERROR"
        only(want_object(one, "an input", bad), self.MEMBERS, "an input", bad)
        for name in ("id", "idProperty", "objectWriteTraceId"):
            if name in one and (not isinstance(one[name], str) or not one[name]):
                raise Refusal(400, bad, "%s must be a text that is not empty" % name)
        if "id" not in one or not isinstance(one.get("properties"), dict):
            raise Refusal(400, bad, "an input needs id and properties")
        for name, value in one["properties"].items():
            if not isinstance(value, str):
                raise Refusal(400, bad, "properties.%s must be a text" % name)
            if not re.fullmatch("[a-z][a-z0-9_]*", name):
                raise Refusal(400, bad, "Property %r does not exist" % name)
        key = one["id"].lower() if one.get("idProperty") == "email" else one["id"]
        item = Item(account.key_of(one, key), one, {**one["properties"], **({one["idProperty"]: one["id"]}
                                                                            if "idProperty" in one else {})})
        limits = dict.fromkeys(item.fields, self.LENGTH)
        check_texts(account, item, limits, ("email",), bad, bad, bad)
        return item

    def partial(self, item):
        return "objectWriteTraceId" in item.value

    def clears(self, value):
        return value == ""

    def error(self, status, code, message, item=None):
        return {"status": "error", "message": message, "correlationId": CORRELATION, "category": code}

    def good(self, account, request, items):
        results = [{"id": str(1000 + item.number), "properties": item.fields, "createdAt": TIME, "updatedAt": TIME,
                    "archived": False, "new": item.created,
                    **{name: item.value[name] for name in ("objectWriteTraceId",) if name in item.value}}
                   for item in items if item.fate == "accepted"]
        body = {"status": "COMPLETE", "results": results, "startedAt": TIME, "completedAt": TIME}
        errors = [self._entry(account, item) for item in items if item.fate == "refused"]
        if errors:
            body.update({"numErrors": len(errors), "errors": errors})
        return (account.mixed_status or 207) if errors else 200, body, []

    def _entry(self, account, item):
        context = {}
        if account.trace_context in ("both", "id"):
            context["id"] = [item.value["id"]]
        if account.trace_context in ("both", "trace") and "objectWriteTraceId" in item.value:
            context["objectWriteTraceId"] = [item.value["objectWriteTraceId"]]
        return {"status": "error", "category": item.code, "message": item.message, "context": context, "links": {},
                "errors": []}


class Salesforce(Maker):
    """200 whatever becomes of the records, each with `success`, in the order of the request."""

    name = "salesforce"
    methods = ("PATCH",)
    in_order = True
    max_items = 200
    max_bytes = 50 << 20
    refused_code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    unauthorized = ("INVALID_SESSION_ID", "Session expired or invalid")
    PATH = re.compile(r"/services/data/v(\d\d)\.0/composite/sobjects/([A-Za-z][A-Za-z0-9_]*)/([A-Za-z][A-Za-z0-9_]*)")
    LEAD = {"LastName": 80, "FirstName": 40, "Company": 255, "Email": 80, "Phone": 40, "MobilePhone": 40, "Fax": 40,
            "Website": 255, "Title": 128, "LeadSource": 255, "Status": 255, "Industry": 255, "Rating": 255,
            "Salutation": 40, "Street": 255, "City": 40, "State": 80, "PostalCode": 20, "Country": 80,
            "Description": 32000}
    OTHERS = ("NumberOfEmployees", "AnnualRevenue", "HasOptedOutOfEmail", "DoNotCall")
    REQUIRED = {"Lead": ("LastName", "Company"), "Contact": ("LastName",), "Account": ("Name",)}

    def thing(self, path):
        found = self.PATH.fullmatch(path)
        return found and int(found.group(1)) >= 46 and found.group(2)

    def items(self, account, request, thing, body):
        bad = "JSON_PARSER_ERROR"
        only(want_object(body, "the body", bad), ("allOrNone", "records"), "the body", bad)
        if not isinstance(body.get("allOrNone", False), bool):
            raise Refusal(400, bad, "allOrNone must be true or false")
        records = body.get("records")
        if not isinstance(records, list) or not records:
            raise Refusal(400, bad, "records must be an array with at least one element")
        external = self.PATH.search(request.path).group(3)
        items = [self._item(account, thing, external, one) for one in records]
        counts = Counter(item.key for item in items)
        for item in items:
            if item.key is not None and counts[item.key] > 1:
                item.refuse("DUPLICATE_VALUE", "Duplicate external id specified: " + item.key, external)
        if body.get("allOrNone") and any(item.fate == "refused" for item in items):
            for item in items:
                if item.fate != "refused":
                    item.refuse("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all were valid")
        return items

    def _item(self, account, thing, external, one):
        bad = "JSON_PARSER_ERROR"
        attributes = want_object(want_object(one, "a record", bad).get("attributes"), "attributes", bad)
        if attributes.get("type") != thing:
            raise Refusal(400, "INVALID_TYPE", "attributes.type must be %s" % thing)
        fields = {name: value for name, value in one.items() if name != "attributes"}
        if "id" in {name.lower() for name in fields}:
            raise Refusal(400, "INVALID_FIELD", "id must not be set with an external id")
        key = fields.get(external)
        item = Item(account.key_of(one, key if isinstance(key, str) else None), one, fields)
        for name, value in fields.items():
            if thing == "Lead" and name not in self.LEAD and name not in self.OTHERS and not name.endswith("__c"):
                raise Refusal(400, "INVALID_FIELD", "No such column '%s' on sobject of type %s" % (name, thing))
            if isinstance(value, (dict, list)):
                raise Refusal(400, bad, "Cannot deserialize instance of string from START_OBJECT at %s" % name)
            if thing == "Lead" and name in self.LEAD and not isinstance(value, (str, type(None))):
                raise Refusal(400, bad, "Cannot deserialize instance of string from VALUE_NUMBER at %s" % name)
            if name in ("HasOptedOutOfEmail", "DoNotCall") and not isinstance(value, bool):
                raise Refusal(400, bad, "Cannot deserialize instance of boolean at %s" % name)
            if name in ("NumberOfEmployees", "AnnualRevenue") and not isinstance(value, (Digits, type(None))):
                raise Refusal(400, bad, "Cannot deserialize instance of number at %s" % name)
        if not isinstance(key, str) or not key:
            item.key = item.key or "?"
            item.refuse("MISSING_ARGUMENT", "%s not specified" % external, external)
            return item
        check_texts(account, item, self.LEAD if thing == "Lead" else {external: 255}, ("Email",), bad,
                    "STRING_TOO_LONG", "INVALID_EMAIL_ADDRESS")
        for name in self.REQUIRED.get(thing, ()):
            known = account.store.get("salesforce/" + thing, {}).get(item.key, {"fields": {}})["fields"]
            if not (fields[name] if name in fields else known.get(name)) and item.fate != "refused":
                item.refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [%s]" % name, name)
        return item

    def clears(self, value):
        return value is None or value == ""

    def error(self, status, code, message, item=None):
        return [{"message": message, "errorCode": code}]

    def limit_code(self, status):
        if status == 429:
            return "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
        return {500: ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
                503: ("SERVER_UNAVAILABLE", "The server is unavailable.")}.get(status) or super().limit_code(status)

    def good(self, account, request, items):
        answer = []
        for item in items:
            if item.fate == "accepted":
                answer.append({"id": "00Q%015d" % item.number, "success": True, "errors": [], "created": item.created})
            elif item.fate == "refused":
                answer.append({"success": False, "errors": [{"statusCode": item.code, "message": item.message,
                                                             "fields": [item.field] if item.field else []}]})
        return 200, answer, []


class Zoho(Maker):
    """Each record has `status` and `code`, in the order of the request."""

    name = "zoho"
    in_order = True
    max_items = 100
    bearer = "Zoho-oauthtoken"
    refused_code = "INVALID_DATA"
    unauthorized = ("INVALID_TOKEN", "invalid oauth token")
    PATH = re.compile(r"/crm/v8/([A-Z][A-Za-z_]*)/upsert")
    LEADS = {"Last_Name": 80, "First_Name": 40, "Company": 200, "Email": 100, "Phone": 30, "Mobile": 30, "Website": 450,
             "Lead_Source": 120, "Lead_Status": 120, "Designation": 100, "Street": 250, "City": 100, "State": 100,
             "Zip_Code": 30, "Country": 100, "Description": 32000}
    KNOWN = ("data", "trigger", "process", "duplicate_check_fields", "wf_trigger", "lar_id", "skip_feature_execution",
             "apply_feature_execution")

    def thing(self, path):
        found = self.PATH.fullmatch(path)
        return found and found.group(1)

    def items(self, account, request, thing, body):
        bad = "INVALID_DATA"
        only(want_object(body, "the body", bad), self.KNOWN, "the body", bad)
        for name in ("trigger", "duplicate_check_fields"):
            value = body.get(name, [])
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise Refusal(400, bad, "%s must be an array of texts" % name)
        data = body.get("data")
        if not isinstance(data, list) or not data:
            raise Refusal(400, "MANDATORY_NOT_FOUND", "data must be an array with at least one element")
        checked = body.get("duplicate_check_fields") or ["Email"]
        return [self._item(account, thing, checked, want_object(one, "a record", bad)) for one in data]

    def _item(self, account, thing, checked, one):
        found = next((one[name] for name in checked if isinstance(one.get(name), str) and one[name]), None)
        key = found.lower() if found is not None else "#%d" % (len(account.store.get("zoho/" + thing, {})) + 1)
        item = Item(account.key_of(one, key), one, one)
        check_texts(account, item, self.LEADS, ("Email",), "INVALID_DATA", "INVALID_DATA", "INVALID_DATA")
        if item.fate != "refused" and thing in ("Leads", "Contacts") and not one.get("Last_Name"):
            item.refuse("MANDATORY_NOT_FOUND", "required field not found", "Last_Name")
        return item

    def error(self, status, code, message, item=None):
        return {"code": code, "details": {}, "message": message, "status": "error"}

    def limit_code(self, status):
        return {429: ("TOO_MANY_REQUESTS", "Too many requests fired in a short time"),
                500: ("INTERNAL_ERROR", "Internal Server Error")}.get(status) or super().limit_code(status)

    def good(self, account, request, items):
        entries = []
        for item in items:
            if item.fate == "accepted":
                entries.append({"code": "SUCCESS", "duplicate_field": None if item.created else "Email",
                                "action": "insert" if item.created else "update",
                                "details": {"id": "55000000%08d" % item.number, "Created_Time": TIME,
                                            "Modified_Time": TIME},
                                "message": "record added" if item.created else "record updated", "status": "success"})
            elif item.fate == "refused":
                details = {"api_name": item.field} if item.field else {}
                entries.append({"code": item.code, "details": details, "message": item.message, "status": "error"})
        failed = any(item.fate == "refused" for item in items)
        return (account.mixed_status or 200) if failed else 200, {"data": entries}, []
