"""The two APIs' lists of leads: pages of IDs, which a test fills and can have misbehave.

Until it is told otherwise, each list has plain-1 to plain-100. `POST /_control/lists` sets, for all lists:

  leads    {agent: [IDs]} ("" is omni's): what is listed, in this order
  total    the total that convocore states, instead of the number of leads
  page_size  elements of a page of omni, and the most of one of convocore
  after    [{"page": N, "add": [IDs at the beginning], "remove": [IDs]}, ...]: what changes once N pages in all
           have been served
  answers  {page: {"status": S, "body": ..., "times": N, "retry_after": SECONDS}}: instead of that page (counted
           from 1 over all requests; "*": every one); times: of the next N requests, whatever their page
  token    "same": every page of omni has the same token; "endless": there always is one; "loop": the third page's
           is that of the first
  rows     [elements]: instead of the leads, as they are
  hold     from this page on (counted from 1 over all requests) none is answered

`GET /_control/lists` says which requests there were: their queries, and agents; `GET /_control/lists/order` how many
leads had been requested before each of them.
"""

import json
import re
from urllib.parse import unquote

import faults
from http1 import response

OMNI_LIST = "/api/v0/analytics"
CONVOCORE_LIST = re.compile(r"/convocore/v3/agents/([^/]*)/leads")
DEFAULT = ["plain-%d" % n for n in range(1, 101)]
KNOWN = ("leads", "total", "page_size", "after", "answers", "token", "rows", "hold")


class Lists:
    def __init__(self, desk):
        self._desk = desk
        self.clear()

    def clear(self):
        self.leads, self.after, self.answers = None, [], {}  # None: each agent has DEFAULT
        self.total = self.token = self.rows = self.hold = None
        self.page_size = 500
        self.asked = []
        self.leads_before = []  # each request: how many leads had been requested

    def change(self, wanted):
        for name in wanted:
            if name not in KNOWN:
                raise ValueError("%s is no setting of lists; known: %s" % (name, ", ".join(KNOWN)))
        leads = wanted.get("leads", {})
        if not isinstance(leads, dict) or not all(isinstance(ids, list) for ids in leads.values()):
            raise ValueError('leads: must be {agent: [IDs]}, such as {"": ["plain-1"]} for omni')
        self.clear()
        self.leads = {}
        for name, value in wanted.items():
            setattr(self, name, value)
        return {}

    def answer(self, connection, request):
        """True: the request was for a list, and is answered."""
        agent = "" if request.path == OMNI_LIST else None
        found = CONVOCORE_LIST.fullmatch(request.path)
        if found:
            agent = unquote(found.group(1))
        if agent is None:
            return False
        status, body, headers = self._page(agent, request)
        if self.hold is not None and len(self.asked) >= self.hold:
            return True
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        connection.send(response(status, body, headers=headers, close=not request.keep_alive))
        return True

    def _page(self, agent, request):
        query = request.query()
        self.asked.append({"agent": agent, **query})
        self.leads_before.append(self._desk.stats.leads_asked)
        key = request.headers.get("authorization" if agent else "x-api-key", "")
        if not self._desk.knows(key.removeprefix("Bearer ")):
            return 401, {"message": "Invalid API key %s" % key}, []
        special = self.answers.get(str(len(self.asked))) or self.answers.get("*")
        if special and special.get("times", 1):
            if "times" in special:
                special["times"] -= 1
            return special["status"], special.get("body", {}), faults.retry_after(special.get("retry_after"))
        if self.leads is not None and agent not in self.leads and self.rows is None:
            return 404, {"message": "no such agent", "code": "NOT_FOUND"}, []
        page = self._convocore(agent, query) if agent else self._omni(query)
        for change in self.after:
            if change["page"] == len(self.asked):
                self._change(agent, change)
        return 200, page, []

    def _change(self, agent, change):
        kept = [lead for lead in self.leads[agent] if lead not in change.get("remove", [])]
        self.leads[agent] = change.get("add", []) + kept

    def _leads(self, agent):
        return DEFAULT if self.leads is None else self.leads[agent]

    def _omni(self, query):
        at = int(query.get("token", "t0")[1:])
        rows = self.rows or [{"leadId": lead} for lead in self._leads("")]
        page = {"breakdown": rows[at:at + self.page_size], "summary": {"leads": len(rows)}}
        behind = at + self.page_size
        page["nextToken"] = "t%d" % behind if behind < len(rows) or self.token == "endless" else None
        if self.token == "same":
            page["nextToken"] = "t0"
        if self.token == "loop" and behind >= 3 * self.page_size:
            page["nextToken"] = "t%d" % self.page_size
        return page

    def _convocore(self, agent, query):
        number, limit = int(query["page"]), min(int(query["limit"]), self.page_size)
        rows = self.rows or [{"id": lead, "agentId": agent, "name": "Ann"} for lead in self._leads(agent)]
        start = (number - 1) * limit
        total = len(rows) if self.total is None else self.total
        return {"leads": rows[start:start + limit], "total": total, "page": number, "limit": limit}
