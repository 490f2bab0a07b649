"""An ordinary lead as the convocore API answers it: every member seen, nothing odd."""

import re

from jsontext import Raw
from dice import CITIES, COMPANIES, FIRST_NAMES, LAST_NAMES, STREETS

META_FURTHER = (
    ("website", "https://www.example.com/?q=1"), ("currency", "EUR"), ("value", "12,500.00"),
    ("expectedCloseDate", "2026-06-30"), ("subIndustry", "Spedition & Lager"), ("language", "de"),
    ("linkedIn", "https://linkedin.example/in/doe"), ("facebook", None), ("instagram", "@doe"),
    ("demoDate", "2026-02-03"), ("demoTime", "14:30"), ("demoLink", "https://meet.example/abc?pwd=1"),
    ("lostReason", ""),
)


def lead(dice, lead_id, agent_id):
    """The tree of a whole answer."""
    return _answer(_data(dice, lead_id, agent_id, further=dice.below(len(META_FURTHER) + 1),
                         newer=dice.chance(0.6)))


def plain(dice, lead_id, agent_id):
    """A moderate lead for demonstrations: the same members in every one of them."""
    return _answer(_data(dice, lead_id, agent_id, further=5, newer=True, mixed=False))


def tiny(dice, lead_id, agent_id):
    """A few hundred bytes, for runs that measure requests rather than payloads."""
    return _answer({"id": lead_id, "agentId": agent_id, "name": dice.pick(FIRST_NAMES),
                    "email": dice.email(), "ts": 1700000000 + dice.below(90000000), "metaData": {}})


def revise(tree, revision):
    """What an edit in the provider's own screens would change."""
    data = tree["data"]
    data["name"] = "Revision %d" % revision
    if isinstance(data.get("metaData"), dict):
        data["metaData"]["notes"] = "Revision %d" % revision


def activity(dice):
    return {
        "id": dice.short_id("act"),
        "title": dice.sentence(2, 5),
        "date": dice.moment(),
        "dueDate": dice.maybe(dice.moment()),
        "completed": dice.chance(0.5),
        "responded": dice.chance(0.3),
        "firstEngaged": dice.maybe(dice.chance(0.5), 0.8),
        "secondEngaged": dice.maybe(False, 0.5),
        "note": dice.pick((dice.sentence(), "", None, "Zeile 1\nZeile 2")),
        "notesHistory": [note(dice) for _ in range(dice.below(4))],
        "metadata": dice.pick(({}, {"channel": "phone", "durationSeconds": dice.below(900)}, None)),
    }


def note(dice):
    return {"text": dice.sentence(), "agentId": dice.short_id("agent"),
            "agentName": "%s %s" % (dice.pick(FIRST_NAMES), dice.pick(LAST_NAMES)),
            "timestamp": 1700000000000 + dice.bits(36)}


def _answer(data):
    return {"success": True, "message": "Lead fetched successfully", "data": data}


def _data(dice, lead_id, agent_id, further, newer, mixed=True):
    seconds = 1700000000 + dice.below(90000000)
    numeric_agent = mixed and dice.chance(0.1) and re.fullmatch("[1-9][0-9]{0,17}", agent_id)
    data = {
        "id": lead_id,
        "agentId": int(agent_id) if numeric_agent else agent_id,
        "convoId": dice.below(10**9) if mixed and dice.chance(0.1) else dice.short_id("convo"),
        "user_id": dice.short_id("user"),
        "name": dice.maybe("%s %s" % (dice.pick(FIRST_NAMES), dice.pick(LAST_NAMES)), 0.85),
        "email": dice.maybe(dice.email(), 0.85),
        "phone": dice.maybe(dice.phone(), 0.8),
        "ts": _ts(dice, seconds) if mixed else seconds,
        "created_at": dice.moment(),
        "metaData": {
            "source": dice.pick(("widget", "whatsapp", "import")),
            "company": dice.maybe(dice.pick(COMPANIES), 0.8),
            "address": dice.maybe("%d %s, %s" % (dice.below(900), dice.pick(STREETS), dice.pick(CITIES)), 0.7),
            "notes": dice.maybe(dice.sentence() + "\n" + dice.sentence(), 0.6),
        },
    }
    for name, value in dice.some(META_FURTHER, further) if mixed else META_FURTHER[:further]:
        data["metaData"][name] = value
    if newer:
        data["hotScore"] = dice.below(101)
        data["lastActivityDate"] = dice.maybe(dice.moment(), 0.8)
        data["crmActivities"] = [activity(dice) for _ in range(dice.below(4))]
    return data


def _ts(dice, seconds):
    return dice.pick((seconds, seconds, seconds * 1000, str(seconds), Raw("%d.%03d" % (seconds, dice.below(1000)))))
