"""Payloads bent at random: the sandbox's leads, with members changed, moved, renamed and repeated, and bytes too.

`Mutator(seed).payload(provider, number)` is the same bytes every time.
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sandbox"))

import jsontext  # noqa: E402
import leads  # noqa: E402
import oddities  # noqa: E402
from jsontext import Raw  # noqa: E402

KINDS = ("tiny", "plain", "rich", "lead", "lead", "lead")
STRUCTURE = ("lead", "data", "success", "checklistItems", "items", "checklistItem", "code", "value", "documents",
             "signedUrl", "url", "actionLogs", "messages", "matchingLeads", "lastAction", "tool", "metaData",
             "crmActivities", "notesHistory", "id", "checklistItemId", "agentId")
CLASHES = ("provider", "lead_id", "position", "leads", "first_name", "first_name_2", "action_log_id", "_table",
           "field", "documents", "checklist_code", "group_id", "agent_id", "agent_id_2", "note_agent_id")
BLANKS = (b" ", b"\t", b"\r\n", b"\n")
BYTES = (b"\x00", b"\xff", b"\x80", b"\xc2", b"\xed\xa0\x80", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"-",
         b"e", b"\\u0000", b"\\ud800", b"\\udc00", b"\xef\xbb\xbf", b"\x7f", b"\xe2\x80\xa8", b"\r", b"\n")
# names and codes that U+FFFD makes the same
BROKEN_NAMES = (b'"H\xf6he"', b'"H\xfche"', b'"H\xef\xbf\xbdhe"', b'"H\\ud800he"', b'"H\\u0000he"', b'"H\xef\xbf\xbdhe_2"',
                b'"\xff"', b'"\xfe"', b'"\\udfff"', b'"\\uDFFE"', b'"\xed\xa0\x80"', b'"\\ud800\\ud800\\ud800"')
LONG = 300 << 10  # so long a text makes a CSV file begin before all its columns are known
DEEP = (3, 50, 190, 198, 199, 200, 260)


class Mutator:
    def __init__(self, seed):
        self.seed = seed

    def payload(self, provider, number):
        return _Lead(random.Random("%s %s %d" % (self.seed, provider, number)), provider).body(number)


class _Lead:
    def __init__(self, chance, provider):
        self.chance, self.provider = chance, provider

    def body(self, number):
        chance = self.chance
        tree = self._tree(number)
        for _ in range(chance.choice((0, 1, 2, 4, 8, 16, 40))):
            self._bend(tree)
        style = jsontext.STYLES[chance.choice(sorted(jsontext.STYLES))]
        body = jsontext.encode(tree, style).replace(leads.NONCE_MARK.encode(), b"n")
        while chance.random() < 0.15:
            body = self._bend_bytes(body)
        return body

    def _tree(self, number):
        name = "%s-%d" % (self.chance.choice(KINDS), number)
        return leads.tree(self.provider, name, "agent-1")

    # --- the tree

    def _value(self):
        chance = self.chance
        pick = chance.randrange(100)
        if pick < 25:
            return Raw(chance.choice(oddities.NUMBERS))
        if pick < 45:
            return chance.choice(oddities.STRINGS)
        if pick < 55:
            return Raw(chance.choice(oddities.RAW_STRINGS))
        if pick < 65:
            return chance.choice(oddities.FORMULAS)
        if pick < 70:
            return Raw(chance.choice(oddities.BAD_BYTES + oddities.BAD_SEQUENCES + BROKEN_NAMES))
        if pick < 73:
            depth = chance.choice(DEEP)
            return Raw("[" * depth + "]" * depth)
        if pick < 74:
            return "long " * (LONG // 5)
        if pick < 84:
            return chance.choice((None, True, False, {}, [], "", 0))
        if pick < 92:
            return {self._name(): self._value() for _ in range(chance.randrange(4))}
        return [self._value() for _ in range(chance.randrange(4))]

    def _name(self):
        chance = self.chance
        if chance.random() < 0.15:
            return Raw(chance.choice(BROKEN_NAMES))
        name = chance.choice(chance.choice((STRUCTURE, STRUCTURE, oddities.ODD_NAMES, oddities.ODD_CODES, CLASHES)))
        if chance.random() < 0.2:
            name += chance.choice(("", "_2", " ", "X", "é", "\n", "1"))
        if chance.random() < 0.3:
            name = jsontext.quote(name)
            return Raw(chance.choice((name, name, '"\\u0061"', '"\\ud800"', '"a\\u0000"')))
        return name

    def _containers(self, value, found):
        if isinstance(value, dict):
            found.append(value)
            for member in value.values():
                self._containers(member, found)
        elif isinstance(value, list):
            found.append(value)
            for element in value:
                self._containers(element, found)
        return found

    def _bend(self, tree):
        chance = self.chance
        container = chance.choice(self._containers(tree, []))
        if isinstance(container, dict):
            self._bend_object(tree, container)
        else:
            self._bend_array(tree, container)

    def _bend_object(self, tree, members):
        chance = self.chance
        what = chance.randrange(8)
        names = list(members)
        name = chance.choice(names) if names else "id"
        if what == 0 or not names:
            members[self._name()] = self._value()
        elif what == 1:
            del members[name]
        elif what == 2:
            members[Raw(jsontext.quote(name)) if isinstance(name, str) else name] = self._value()
        elif what == 3:
            self._replace(members, [(self._name() if one is name else one, value) for one, value in members.items()])
        elif what == 4:
            pairs = list(members.items())
            chance.shuffle(pairs)
            self._replace(members, pairs)
        elif what == 5:
            members[name] = self._part(tree)
        else:
            members[name] = self._value()

    @staticmethod
    def _replace(members, pairs):
        members.clear()
        members.update(pairs)

    def _bend_array(self, tree, elements):
        chance = self.chance
        what = chance.randrange(5)
        place = chance.randrange(len(elements) + 1)
        if what == 0 or not elements:
            elements.insert(place, self._value())
        elif what == 1:
            del elements[place - 1]
        elif what == 2:
            elements.extend(elements[:place])
        elif what == 3:
            elements.insert(place, self._part(tree))
        else:
            elements[place - 1] = self._value()

    def _part(self, tree):
        """A copy of some part, so that nothing is within itself."""
        return _copied(self.chance.choice(self._containers(tree, [])), 6)

    # --- the bytes

    def _bend_bytes(self, body):
        chance = self.chance
        place = chance.randrange(len(body) + 1)
        what = chance.randrange(6)
        if what == 0:
            return body[:place] + chance.choice(BYTES) + body[place:]
        if what == 1:
            return body[:place] + chance.choice(BYTES) + body[place + 1:]
        if what == 2:
            return body[:place] + body[min(len(body), place + chance.randrange(30)):]
        if what == 3 and chance.random() < 0.3:
            return body[:place]
        if what == 4:
            return chance.choice((b"\xef\xbb\xbf", b" ", b"\n")) + body + chance.choice(BLANKS)
        for mark in (b",", b":", b"{", b"["):
            if chance.random() < 0.5:
                return body.replace(mark, mark + chance.choice(BLANKS), chance.randrange(1, 40))
        return body


def _copied(value, depth):
    if isinstance(value, dict):
        return {name: _copied(member, depth - 1) for name, member in value.items()} if depth else None
    if isinstance(value, list):
        return [_copied(element, depth - 1) for element in value] if depth else None
    return value
