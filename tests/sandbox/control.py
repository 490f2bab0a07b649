"""`/_control/...`: how a test sets the sandbox up and asks what it saw."""

import json
from urllib.parse import unquote

import faults
import leads
from crm_account import WrongBehaviour as WrongAccount
from crm_json import dumps
from hooks import Behaviour, WrongBehaviour
from http1 import response
from settings import WrongSetting


class Control:
    def __init__(self, settings, outage, stats, hooks, crm, lists):
        self._settings = settings
        self._outage = outage
        self._stats = stats
        self._hooks = hooks
        self._crm = crm
        self._lists = lists

    def answer(self, connection, request):
        """Answers at once."""
        try:
            result, status = self._result(request), 200
        except (WrongSetting, WrongBehaviour, WrongAccount, ValueError) as error:
            result, status = {"error": str(error)}, 400
        if result is None:
            result, status = {"error": "no such control: %s %s" % (request.method, request.path)}, 404
        body = dumps(result).encode("utf-8", "replace") + b"\n"
        connection.send(response(status, body, close=not request.keep_alive))

    def _result(self, request):
        words = request.path.split("/")[2:]
        query = request.query()
        if request.method == "POST":
            return self._change(words, request)
        if words == ["stats"]:
            if "id" in query:
                return {"id": query["id"], "attempts": self._stats.attempts.of(query["id"])}
            return self._stats.as_json(query.get("ids"))
        if words == ["settings"]:
            return self._settings.as_json()
        if words == ["requests"]:
            return self._stats.requests_as_json(query.get("id"), query.get("path"), int(query.get("limit", 10_000)))
        if words == ["planned"]:
            fault = faults.planned(query["id"], self._settings.fault_percent)
            return {"fault": fault and fault.name, "value": fault and fault.value, "times": fault and fault.times}
        if words == ["oddities"]:
            return leads.oddities_of(query["provider"], query["id"])
        if words == ["lists"]:
            return self._lists.asked
        if words == ["lists", "order"]:
            return self._lists.leads_before
        if words == ["hooks"]:
            return {name: receiver.summary() for name, receiver in self._hooks.receivers.items()}
        if words[:1] == ["hooks"]:
            return self._deliveries(words[1:], query)
        if words == ["crm"]:
            return {name: account.summary() for name, account in self._crm.accounts.items()}
        if words[:1] == ["crm"]:
            return self._of_account(words[1:], query)
        return None

    def _of_account(self, words, query):
        account = self._crm.named(unquote(words[0]))
        if account is None:
            return None
        if words[1:] == []:
            return account.summary()
        if words[1:] == ["records"]:
            return account.records(query.get("of"))
        if words[1:] == ["items"]:
            return account.items if "of" not in query else account.items.get(query["of"], {})
        if words[1:] == ["secrets"]:
            return account.secrets()
        if words[1:] == ["requests"]:
            return account.requests_as_json(int(query.get("from", 0)), int(query.get("limit", 1_000_000)))
        return None

    def _change_account(self, words, wanted):
        account = self._crm.named(unquote(words[0]))
        if account is None:
            return None
        if words[1:] == []:
            account.behave(wanted)
        elif words[1:] == ["forget"]:
            account.forget()
        elif words[1:] == ["expire"]:
            account.tokens.revoke()
        elif words[1:] == ["forward"]:
            account.tokens.forward_s += float(wanted["seconds"])
        else:
            return None
        return {"ok": True}

    def _deliveries(self, words, query):
        self._hooks.flush()
        receiver = self._hooks.receivers.get(unquote(words[0]))
        start, limit = int(query.get("from", 0)), int(query.get("limit", 1_000_000))
        if words[1:] == ["ids"]:
            return receiver.listed_ids(start, limit) if receiver else []
        if words[1:] == []:
            return receiver.listed(start, limit) if receiver else []
        return None

    def _change(self, words, request):
        wanted = json.loads(request.body or b"{}")
        if not isinstance(wanted, dict):
            raise WrongSetting("the body must be a JSON object")
        if words == ["set"]:
            return self._set(wanted)
        if words == ["reset"]:
            self._settings.clear()
            self._outage.clear()
            self._stats.clear()
            self._hooks.clear()
            self._crm.clear()
            self._lists.clear()
            return {"ok": True}
        if words == ["lists"]:
            return self._lists.change(wanted)
        if words[:1] == ["hooks"] and len(words) == 2:
            receiver = self._hooks.named(unquote(words[1]))
            if receiver is None:
                return None
            receiver.behaviour = Behaviour(wanted) if wanted else None
            return {"ok": True}
        if words[:1] == ["crm"] and len(words) > 1:
            return self._change_account(words[1:], wanted)
        return None

    def _set(self, wanted):
        self._settings.change(wanted)
        if "down" in wanted:
            settings = self._settings
            self._outage.plan(settings.down, settings.down_for_s, settings.after_requests)
        return self._settings.as_json()
