"""Counts of what was asked and answered, and the last requests as received.

Everything here is bounded: a run of millions of requests costs no more memory
than one of a hundred thousand.
"""

import time
from collections import Counter, deque

from recent import Recent

LOG_LENGTH = 10_000
TRACKED_IDS = 500_000
LISTED_IDS = 10_000


class Attempts:
    """How often each lead was fetched, as long as it is remembered."""

    def __init__(self):
        self._counts = Recent(TRACKED_IDS)

    def add(self, key):
        """Counts one more; its number, from 1."""
        number = self._counts.get(key, 0) + 1
        self._counts.set(key, number)
        return number

    def by_id(self):
        """Totals by lead ID; keys are (provider, lead ID, agent ID)."""
        totals = Counter()
        for (_, lead_id, _), count in self._counts.items():
            totals[lead_id] += count
        return totals

    def of(self, lead_id):
        return sum(count for key, count in self._counts.items() if key[1] == lead_id)

    def __len__(self):
        return len(self._counts)


class Stats:
    """One sandbox's counts since its start or the last reset."""

    def __init__(self):
        self.connections_open = 0
        self.clear()

    def clear(self):
        self.started = time.monotonic()
        self.attempts = Attempts()
        self.by_status = Counter()
        self.by_fault = Counter()
        self.connections_accepted = 0
        self.leads_asked = 0
        self.hooks_asked = 0
        self.others_asked = 0
        self.in_progress = 0
        self.max_in_progress = 0
        self.asked_while_down = 0
        self.refused_by_admit = 0
        self.log = deque(maxlen=LOG_LENGTH)

    def note(self, request):
        """Remembers a request; the entry's last place is for its status."""
        entry = [request, None, None]
        self.log.append(entry)
        return entry

    def begin_lead(self):
        self.in_progress += 1
        if self.in_progress > self.max_in_progress:
            self.max_in_progress = self.in_progress

    def end_lead(self, entry, status):
        """`status` is 0 where the client got no status line."""
        self.in_progress -= 1
        self.by_status[status] += 1
        entry[1] = status

    def as_json(self, ids):
        answered = sum(self.by_status.values())
        result = {
            "seconds": round(time.monotonic() - self.started, 3),
            "requests": self.leads_asked,
            "answered": answered,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "by_fault": dict(self.by_fault),
            "share_429": round(self.by_status[429] / answered, 6) if answered else 0.0,
            "refused_by_admit": self.refused_by_admit,
            "in_progress": self.in_progress,
            "max_in_progress": self.max_in_progress,
            "while_down": self.asked_while_down,
            "hook_requests": self.hooks_asked,
            "other_requests": self.others_asked,
            "connections_accepted": self.connections_accepted,
            "connections_open": self.connections_open,
            "ids_tracked": len(self.attempts),
        }
        if ids == "all" or (ids != "none" and len(self.attempts) <= LISTED_IDS):
            result["by_id"] = self.attempts.by_id()
        return result

    def requests_as_json(self, lead_id=None, path=None, limit=LOG_LENGTH):
        """The newest requests in the order they came, all headers as received."""
        found = []
        for request, status, asked_id in reversed(self.log):
            if lead_id is not None and asked_id != lead_id:
                continue
            if path is not None and not request.path.startswith(path):
                continue
            found.append({
                "at": request.received_at, "connection": request.connection_number, "method": request.method,
                "target": request.target, "path": request.path, "id": asked_id, "status": status,
                "headers": dict(request.headers), "raw_head": request.head,
                "body_bytes": request.length,
            })
            if len(found) >= limit:
                break
        return found[::-1]
