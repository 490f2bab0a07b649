"""What a provider answers for a lead ID: `payload()`, the same bytes every time.

An ID alone decides the content, so that a test can work out the expected rows
without asking the server.  How an ID begins decides the kind of lead:

    example      the answer that the API's documentation shows (exactly this ID)
    plain-...    a moderate lead with nothing odd, for demonstrations
    tiny-...     a few hundred bytes
    size9k-...   about 9.4 KB for omni; size40k- about 40.4 KB, and so on
    newcode-N-   a plain omni lead with one more checklist item, code_N
    odd-NAME-    one oddity of `oddities.py` for certain, no other
    rich-...     every documented member, nothing odd
    others       every documented member, and each oddity with a small chance

What follows a `~` in an ID are orders to the server (`faults.py`); for the
content the whole ID counts, as it does for everything else.

`python3 leads.py omni ID [agent] [revision]` prints a payload;
`python3 leads.py omni ID --oddities` prints which oddities it has.
"""

import re
import sys
from collections import OrderedDict

import convocore
import examples
import jsontext
import oddities
import omni
from dice import Dice

PROVIDERS = ("omni", "convocore")
DEFAULT_AGENT = "agent-1"
NONCE_MARK = "!!nonce!!"
CACHE_BYTES = 64 << 20


def payload(provider, lead_id, agent_id=None, revision=0, *, nonce="0"):
    """The body of a 200 answer.

    `revision` changes the content; `nonce` changes nothing but the part of
    signed URLs after the `?`, as every fetch from the server does.
    """
    return _template(provider, lead_id, agent_id or DEFAULT_AGENT, revision).replace(
        NONCE_MARK.encode(), nonce.encode())


def tree(provider, lead_id, agent_id=None, revision=0, nonce="0"):
    """The same as a tree of `jsontext`, for those who want to bend it further."""
    agent_id = agent_id or DEFAULT_AGENT
    base = lead_id.split("~", 1)[0]
    if base == "example":
        made = examples.answer(provider, agent_id)
    else:
        made = _make(provider, base, lead_id, agent_id, nonce)
    if revision:
        (omni if provider == "omni" else convocore).revise(made, revision)
    return made


def oddities_of(provider, lead_id):
    """The names of the oddities in a lead."""
    return [oddities.name_of(oddity) for oddity in _oddities(provider, lead_id)]


def style_of(provider, lead_id):
    """How the JSON of a lead is laid out: a name in `jsontext.STYLES`."""
    if re.match("(example|plain-|tiny-|size[0-9]+k-|newcode-|rich-)", lead_id):
        return "compact"
    roll = Dice("style", provider, lead_id).unit()
    for name, limit in (("compact", 0.6), ("spaced", 0.7), ("pretty", 0.85), ("tabs", 0.93)):
        if roll < limit:
            return name
    return "ragged"


def _make(provider, base, lead_id, agent_id, nonce):
    dice = Dice(provider, lead_id)
    if base.startswith("tiny-"):
        return omni.tiny(dice, lead_id) if provider == "omni" else convocore.tiny(dice, lead_id, agent_id)
    if base.startswith(("plain-", "newcode-")) or re.match("size[0-9]+k-", base):
        if provider == "convocore":
            return convocore.plain(dice, lead_id, agent_id)
        made = omni.plain(dice, lead_id, nonce)
        number = re.match("newcode-([^-]+)-", base)
        if number:
            made["checklistItems"][0]["items"].append(omni.checklist_item(
                dice, nonce, "code_" + number.group(1), "Only here", "TEXT"))
        return made
    if provider == "omni":
        made = omni.lead(dice, lead_id, nonce)
    else:
        made = convocore.lead(dice, lead_id, agent_id)
    oddities.apply(provider, made, dice, _oddities(provider, lead_id), nonce)
    return made


def _oddities(provider, lead_id):
    base = lead_id.split("~", 1)[0]
    if base == "example" or re.match("(plain-|tiny-|size[0-9]+k-|newcode-|rich-)", base):
        return []
    named = re.match("odd-([a-z0-9_]+)-", base)
    only = named.group(1) if named and named.group(1) in oddities.names(provider) else None
    return oddities.chosen(provider, Dice("oddities", provider, lead_id), only)


# --- from tree to bytes, with the nonce still a mark ------------------------------------------------

def _encode(provider, lead_id, agent_id, revision):
    sized = re.match("size([0-9]+)k-", lead_id)
    if sized and provider == "omni":
        return _sized(int(sized.group(1)), lead_id, revision)
    made = tree(provider, lead_id, agent_id, revision, NONCE_MARK)
    return jsontext.encode(made, jsontext.STYLES[style_of(provider, lead_id)])


_skeletons = {}


def _sized(kilobytes, lead_id, revision):
    """A lead of a given size, quick to make: one skeleton, a few values that differ.

    Runs that measure speed ask for very many of these.
    """
    skeleton = _skeletons.get(kilobytes)
    if skeleton is None:
        if len(_skeletons) >= 8:
            _skeletons.clear()
        skeleton = _skeletons[kilobytes] = _skeleton(kilobytes)
    dice = Dice("sized", lead_id)
    text = skeleton
    for mark, value in (("@id@", lead_id), ("@first@", dice.pick(omni.FIRST_NAMES)), ("@phone@", dice.phone()),
                        ("@email@", dice.email()), ("@revision@", "Revision %d" % revision),
                        ("@amount@", str(dice.below(10**6)))):
        text = text.replace(mark, jsontext.quote(value)[1:-1])
    return text.encode()


def _skeleton(kilobytes):
    made = omni.plain(Dice("skeleton"), "@id@", NONCE_MARK)
    made["lead"].update({"firstName": "@first@", "phoneNumber": "@phone@", "email": "@email@",
                         "activitySummary": "@revision@"})
    for group in made["checklistItems"]:
        for item in group["items"]:
            if item["checklistItem"]["code"] == "loan_amount":
                item["value"] = "@amount@"
    made["documents"] = made["documents"][:2]
    short = len(jsontext.encode(made))
    if short > (kilobytes << 10) + 400:
        made["documents"], made["actionLogs"] = [], made["actionLogs"][:1]
        made["actionLogs"][0]["messages"] = []
        short = len(jsontext.encode(made))
    padding = Dice("padding")
    text = []
    while short < (kilobytes << 10) + 400:
        text.append(padding.sentence())
        short += len(text[-1]) + 1
    made["actionLogs"][0]["output"] = " ".join(text)
    return jsontext.encode(made).decode()


_cache = OrderedDict()
_cached_bytes = 0


def _template(provider, lead_id, agent_id, revision):
    """Kept for the next fetch, the oldest going first when the cache is full."""
    global _cached_bytes
    key = (provider, lead_id, agent_id, revision)
    body = _cache.get(key)
    if body is not None:
        _cache.move_to_end(key)
        return body
    body = _cache[key] = _encode(*key)
    _cached_bytes += len(body) + 500
    while _cached_bytes > CACHE_BYTES and len(_cache) > 1:
        _cached_bytes -= len(_cache.popitem(last=False)[1]) + 500
    return body


def main(arguments):
    if "--oddities" in arguments:
        print("\n".join(oddities_of(arguments[0], arguments[1])))
        return
    provider, lead_id = arguments[:2]
    agent_id = arguments[2] if len(arguments) > 2 else None
    revision = int(arguments[3]) if len(arguments) > 3 else 0
    sys.stdout.buffer.write(payload(provider, lead_id, agent_id, revision) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
