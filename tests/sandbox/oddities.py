"""The odd things real APIs send, spread thinly over the leads.

Each oddity is a function that changes a tree that `omni.lead` or
`convocore.lead` made.  `OMNI` and `CONVOCORE` list them in the order in which
they are applied: those that change shapes come last, so that the others still
find what they look for.  Every lead with oddities is a lead that can be
exported; answers that are no lead at all are in `bodies.py`.
"""

import omni
import convocore
from jsontext import Raw

NUMBERS = ("10000000000000000999", "123456789012345678901234567890", "9007199254740993",
           "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
           "18446744073709551615", "18446744073709551616", "0.1", "1e-7", "1046.8333333333335", "1.10",
           "-0", "-0.0", "1E+2", "1e2", "0e0", "1.0", "1e400", "-1.5E-400",
           "3.141592653589793238462643383279", "100", "5e-324", "1.7976931348623157e308")
STRINGS = ("with \"quotes\"", "back\\slash \\n", "line\nfeed", "carriage\r\nreturn", "lone\rreturn",
           "comma, and; semicolon", "tab\there", "emoji 👩‍🚀🏳️‍🌈", "Größe, naïve, Ελληνικά, עברית, 中文",
           " leading and trailing ", "", "null", "true", "0012", "1e5", "\u2028line separator\u2029",
           "\u007fdelete", "\b\f\u0001\u001f", "\ufeffmark", "e\u0301 combined", "\U0010ffff last",
           "'single'", "</script>", "%s %n", "\"", "\\", ",", "\n", "🙂" * 50)
RAW_STRINGS = (
    r'"a\u0000b"', r'"\u0000"', r'"high \ud83d alone"', r'"low \ude00 alone"', r'"turned \ude00\ud83d"',
    r'"\ud83d\ud83d\ude00"', r'"ends high \udbff"', r'"pair \ud83d\ude00"', r'"https:\/\/example.com\/a\/b"',
    r'"Gr\u00f6\u00dfe \u20ac"', r'"\u003d1+1"', r'"\b\f\n\r\t\"\\\/"', r'"\uD83D\uDE00 upper"', r'"\ud83d\u0041"')
FORMULAS = ("=1+1", "+SUM(A1)", "-2+3", "@cmd", "=HYPERLINK(\"http://x\",\"y\")", "\t=1", "\r=1",
            "+16782319992", "-42.5", "+1 (678) 231-9992", "-", "+", "=", "1-2", "--1", "+49 89 1234567", "-1e5")
BAD_BYTES = (b'"a\xffb"', b'"\xfe"', b'"Gr\xf6\xdfe"', b'"ends \x80"')
BAD_SEQUENCES = (b'"cut \xe2\x82 here"', b'"overlong \xc0\xaf"', b'"surrogate \xed\xa0\x80"',
                 b'"beyond \xf4\x90\x80\x80"', b'"cut \xf0\x9f\x98"')
ODD_NAMES = ("", "__", "2fa", "Größe", "a.b", "HTMLBody", "userID", "日本", "with \"quotes\"", "with,comma",
             "with\nnewline", "=cmd", " spaced  out ", "UPPER", "x", "é", "linkedIn", "_private", "a-b-c",
             "ABCDef", "v2Beta", "X509Cert", "🙂")
ODD_CODES = ("2nd owner", "Größe", "a.b", "ownerID", "x__y", "日本", "with,comma", "\"", "__", " ", "=1", "a\nb",
             "A/B", "HTMLBody")


class Parts:
    """References to what a lead is made of, taken before anything is bent."""

    def __init__(self, root):
        self.root = root
        self.lead = root["lead"]
        self.groups = root["checklistItems"]
        self.items = [item for group in self.groups for item in group["items"]]
        self.first_items = self.groups[0]["items"]
        self.logs = root["actionLogs"]
        self.messages = [message for log in self.logs for message in log["messages"]]
        self.actions = [root[name] for name in ("lastAction", "nextFollowUp", "nextDraft") if root[name]]
        self.item_documents = [d for item in self.items for d in item.get("documents", ())]
        self.message_documents = [d for message in self.messages for d in message["documents"]]
        self.documents = root["documents"] + self.item_documents + self.message_documents


def _value(dice):
    """Any JSON value, for members nobody has documented."""
    return dice.pick((
        "text", "", None, True, False, 0, dice.below(10**6), Raw(dice.pick(NUMBERS)), dice.pick(STRINGS),
        {}, [], {"a": 1, "b": [None, {"c": ""}]}, [1, "two", None], {"deepKey Name": {"x": Raw("1.10")}}))


def _each(parts, dice, *names):
    """Gives some of these objects an undocumented member, with differing names."""
    for i, part in enumerate(parts):
        if i == 0 or dice.chance(0.5):
            part[dice.pick(names)] = _value(dice)


def _add_item(p, dice, code, value, nonce="0"):
    item = omni.checklist_item(dice, nonce, code, "Label", "TEXT")
    item["value"] = value
    p.groups[dice.below(len(p.groups))]["items"].append(item)
    return item


# --- members nobody has documented -------------------------------------------------------------

def unknown_root(p, dice, nonce):
    p.root["leadScore"] = Raw("0.%d" % dice.below(1000))
    p.root["accountManager"] = {"name": "A. Manager", "teams": ["north"]}

def unknown_lead(p, dice, nonce):
    _each([p.lead], dice, "utmParameters", "leadScore", "preferredChannel", "URL")
    p.lead["timeZone"] = "Europe/Berlin"

def unknown_group(p, dice, nonce):
    _each(p.groups, dice, "sortOrder", "isCollapsed", "metaInfo")

def unknown_item(p, dice, nonce):
    _each(p.items, dice, "reviewedBy", "answeredAt", "history")

def unknown_checklist_item(p, dice, nonce):
    _each([item["checklistItem"] for item in p.items], dice, "helpText", "options", "sortOrder")

def other_checklist_item_id(p, dice, nonce):
    dice.pick(p.items)["checklistItem"]["id"] = "ci-other"

def unknown_document(p, dice, nonce):
    _each(p.documents, dice, "pageCount", "ocr", "uploadedBy")

def unknown_log(p, dice, nonce):
    _each(p.logs, dice, "userId", "durationMs", "trace")

def unknown_message(p, dice, nonce):
    _each(p.messages, dice, "cc", "sentAt", "deliveryStatus")

def unknown_tool(p, dice, nonce):
    for log in p.logs:
        if log["tool"] is None and dice.chance(0.5):
            log["tool"] = {"id": "t-1", "name": "sync", "version": 3, "owner": {"id": "u-1"}}

def unknown_action(p, dice, nonce):
    _each(p.actions, dice, "channel", "assignedTo", "retryCount", "parentActionId")

def unknown_matching(p, dice, nonce):
    p.root["matchingLeads"].append({"id": dice.uuid(), "matchedOn": ["email"], "score": Raw("0.99")})
    p.root["matchingLeads"].append({"matchedOn": "phone"})


# --- names that clash or are no names ---------------------------------------------------------

def clash_snake(p, dice, nonce):
    p.lead["leadURL"] = "first"
    p.lead["lead_url"] = "second"
    p.lead["lead url"] = "third"

def clash_documented(p, dice, nonce):
    p.lead["first_name"] = "undocumented twin"
    if dice.chance(0.3):
        p.lead.pop("firstName")

def clash_numbered(p, dice, nonce):
    p.lead["first_name_2"] = "takes the number"
    p.lead["first_name"] = "needs a number"
    p.lead["First Name"] = "needs another"

def clash_table(p, dice, nonce):
    p.lead["documents"] = dice.pick((3, "none", [], [{"signedUrl": omni.signed_url(dice, nonce, "x.pdf")}]))
    p.lead["action_logs"] = "text"

def clash_keys(p, dice, nonce):
    p.lead["provider"] = "someone else"
    p.lead["leadId"] = "another id"
    for log in p.logs:
        log["position"] = "top"
        log["lead_id"] = 7

def clash_prefix(p, dice, nonce):
    p.lead["lastActionId"] = "not the action's"
    p.lead["documentCount"] = 99
    p.lead["checklist_business_name"] = "not the checklist's"

def odd_names(p, dice, nonce):
    for name in dice.some(ODD_NAMES, 5):
        p.lead[name] = _value(dice)
    dice.pick(p.items)[dice.pick(ODD_NAMES)] = 1

def escaped_names(p, dice, nonce):
    p.lead[Raw(r'"escaped\u004eame"')] = "escapedName"
    p.lead[Raw(r'"b\u0075sinessName"')] = "documented, said again with an escape"

def spoilt_names(p, dice, nonce):
    p.lead[Raw(r'"a\u0000b"')] = "nul in the name"
    p.lead[Raw(r'"half \ud83d"')] = "lone surrogate in the name"


# --- checklist codes and values -----------------------------------------------------------------

def code_twice(p, dice, nonce):
    _add_item(p, dice, "twice", "one")
    _add_item(p, dice, "twice", dice.pick(("two", None, "")))
    if dice.chance(0.3):
        _add_item(p, dice, "twice", 3)

def code_numbered(p, dice, nonce):
    _add_item(p, dice, "num_2", "literally num_2")
    _add_item(p, dice, "num", "one")
    _add_item(p, dice, "num", "two")

def code_same_name(p, dice, nonce):
    _add_item(p, dice, "sameName", "camel")
    _add_item(p, dice, "same_name", "snake")
    _add_item(p, dice, "same name", "blank")

def odd_codes(p, dice, nonce):
    for code in dice.some(ODD_CODES, 3):
        _add_item(p, dice, code, dice.sentence())

def code_missing(p, dice, nonce):
    del _add_item(p, dice, "x", "no code")["checklistItem"]["code"]

def code_empty(p, dice, nonce):
    _add_item(p, dice, "", "empty code")

def code_null(p, dice, nonce):
    _add_item(p, dice, None, "null code")

def code_no_text(p, dice, nonce):
    _add_item(p, dice, dice.pick((7, True, ["a"], {"a": 1})), "code that is no text")

def code_nul(p, dice, nonce):
    _add_item(p, dice, Raw(r'"nul\u0000code"'), "nul in the code")

def value_address(p, dice, nonce):
    _add_item(p, dice, "home", omni.address(dice))
    if dice.chance(0.5):
        _add_item(p, dice, "home", omni.address(dice))
    _add_item(p, dice, "home_city", "clashes with home's city")

def value_address_open(p, dice, nonce):
    address = omni.address(dice)
    address.update({"unitNumber": 7, "geo hash": None, "verified": True})
    _add_item(p, dice, "office", address)

def value_empty_object(p, dice, nonce):
    _add_item(p, dice, "nothing", {})

def value_nested(p, dice, nonce):
    _add_item(p, dice, "nested", {"street": "x", "geo": {"lat": Raw("33.7701"), "lon": Raw("-118.1937")}})

def value_array(p, dice, nonce):
    _add_item(p, dice, "owners", dice.pick(([], ["a", None], [{"name": "x", "share": Raw("0.50")}], [[1], [2]])))

def value_boolean(p, dice, nonce):
    _add_item(p, dice, "agreed", dice.chance(0.5))

def value_changes_kind(p, dice, nonce):
    _add_item(p, dice, "sometimes", dice.pick(("text", 5, None, {"street": "s", "city": "c"}, ["x"], {})))

def value_numbers(p, dice, nonce):
    for i, number in enumerate(dice.some(NUMBERS, 4)):
        _add_item(p, dice, "number%d" % i, Raw(number))


# --- texts and numbers ---------------------------------------------------------------------------

def numbers(p, dice, nonce):
    p.lead["bigNumber"] = Raw(dice.pick(NUMBERS))
    p.lead["numbers"] = [Raw(number) for number in dice.some(NUMBERS, 6)]
    for document in p.documents:
        document["size"] = Raw(dice.pick(NUMBERS))

def strings(p, dice, nonce):
    p.lead["businessName"] = dice.pick(STRINGS)
    p.lead["firstName"] = dice.pick(STRINGS)
    dice.pick(p.items)["value"] = dice.pick(STRINGS)
    for message in p.messages:
        message["body"] = dice.pick(STRINGS)

def raw_strings(p, dice, nonce):
    p.lead["lastName"] = Raw(dice.pick(RAW_STRINGS))
    dice.pick(p.items)["value"] = Raw(dice.pick(RAW_STRINGS))
    p.logs[0]["input"] = {"note": Raw(dice.pick(RAW_STRINGS))}

def formulas(p, dice, nonce):
    p.lead["firstName"] = dice.pick(FORMULAS)
    p.lead["phoneNumber"] = "+16782319992"
    dice.pick(p.items)["value"] = dice.pick(FORMULAS)
    _add_item(p, dice, "formula", dice.pick(FORMULAS))

def empty_beside_null(p, dice, nonce):
    for name in ("email", "businessName", "website", "externalLeadId", "activitySummary"):
        p.lead[name] = dice.pick(("", None))

def bad_utf8(p, dice, nonce):
    p.lead["lastName"] = Raw(dice.pick(BAD_BYTES))

def bad_utf8_sequences(p, dice, nonce):
    dice.pick(p.items)["value"] = Raw(dice.pick(BAD_SEQUENCES))

def long_text(p, dice, nonce):
    p.lead["activitySummary"] = (dice.sentence() + "\n") * dice.between(500, 2000)

def deep_value(p, dice, nonce):
    value = "bottom"
    for _ in range(dice.between(20, 150)):
        value = dice.pick(([value], {"d": value}))
    p.lead["nested"] = value


# --- two members of one name ----------------------------------------------------------------------

def twin_members(p, dice, nonce):
    p.lead[Raw('"firstName"')] = dice.pick(("the last one counts", None, ""))
    item = dice.pick(p.items)
    item[Raw('"value"')] = "the last value counts"

def twin_in_json(p, dice, nonce):
    p.lead["extra"] = {"a": 1, Raw('"a"'): 2, "b": {"c": 1, Raw('"c"'): [2]}}

def twin_unknown(p, dice, nonce):
    p.lead["said"] = "first"
    p.lead["between"] = 1
    p.lead[Raw('"said"')] = "last"

def twin_tables(p, dice, nonce):
    p.root[Raw('"matchingLeads"')] = [{"id": "the last array counts"}]
    p.root[Raw('"status"')] = "REVIEW"


# --- expiring addresses ----------------------------------------------------------------------------

def url_members(p, dice, nonce):
    for document in p.documents:
        document["url"] = omni.signed_url(dice, nonce, "again.pdf")

def url_shapes(p, dice, nonce):
    shapes = (None, "", "no query at all", "https://files.sandbox.example/a?", "?only=query" + nonce,
              "https://files.sandbox.example/a?b?c=" + nonce, "https://files.sandbox.example/a#f?x=" + nonce,
              7, {"href": "https://files.sandbox.example/a?kept=1"},
              Raw(r'"https:\/\/files.sandbox.example\/a\u003fsig=%s"' % nonce))
    for document in p.documents:
        document["signedUrl"] = dice.pick(shapes)

def url_inside_json(p, dice, nonce):
    inner = [{"id": "d", "signedUrl": omni.signed_url(dice, nonce, "in.pdf"), "url": "https://x.example/?n=" + nonce}]
    p.logs[0]["input"] = {"upload": {"documents": inner}}
    p.lead["extraInfo"] = [{"documents": inner, "url": "https://kept.example/?whole=1"}]

def url_elsewhere(p, dice, nonce):
    p.lead["url"] = "https://kept.example/lead?whole=1"
    p.lead["signedUrl"] = "https://kept.example/signed?whole=1"
    for log in p.logs:
        log["url"] = "https://kept.example/log?whole=1"
    for document in p.documents:
        document["metadata"] = {"url": "https://kept.example/meta?whole=1"}

def log_documents(p, dice, nonce):
    p.logs[0]["documents"] = [{"id": "d-1", "filename": "a.pdf", "signedUrl": omni.signed_url(dice, nonce, "a.pdf")}]


# --- shapes other than the documented ones ----------------------------------------------------------

def absent_members(p, dice, nonce):
    everything = [p.lead] + p.groups + p.items + [item["checklistItem"] for item in p.items]
    everything += p.logs + p.messages + p.documents + p.actions
    for _ in range(dice.between(2, 8)):
        part = dice.pick(everything)
        names = [name for name in part if name not in ("id", "items", "checklistItem", "messages")]
        if names:
            del part[dice.pick(names)]

def absent_ids(p, dice, nonce):
    for part in dice.some(p.items + p.logs + p.messages + p.documents, 2):
        part.pop("id", None)

def number_ids(p, dice, nonce):
    for part in p.items + p.logs + p.messages + p.documents:
        if dice.chance(0.5) and "id" in part:
            part["id"] = dice.below(10**6)

def lead_members_bent(p, dice, nonce):
    p.lead["businessName"] = {"legal": "A", "trade": ["B"]}
    p.lead["email"] = ["a@example.com", "b@example.com"]
    p.lead["isTest"] = "no"
    p.root["status"] = {"code": 1}

def item_bent(p, dice, nonce):
    dice.pick(p.items)["checklistItem"] = dice.pick((None, "text", 5, [], {}))

def item_without(p, dice, nonce):
    dice.pick(p.items).pop("checklistItem", None)

def item_documents_bent(p, dice, nonce):
    dice.pick(p.items)["documents"] = dice.pick((None, {}, {"id": "d"}, "none", [None], [[]], [7, "x"]))

def tool_bent(p, dice, nonce):
    for log in p.logs:
        log["tool"] = dice.pick(("calendar", 7, [], {}, None))

def messages_bent(p, dice, nonce):
    dice.pick(p.logs)["messages"] = dice.pick((None, {}, "none", [None, "text"], [{"id": "m"}, 5]))

def message_documents_bent(p, dice, nonce):
    for message in p.messages:
        message["documents"] = dice.pick((None, {"id": "d"}, "none", [None, 1]))

def action_bent(p, dice, nonce):
    p.root[dice.pick(("lastAction", "nextFollowUp", "nextDraft"))] = dice.pick(("sent", 7, [], [1], {}, False))

def group_null(p, dice, nonce):
    p.groups.insert(dice.below(len(p.groups) + 1), dice.pick((None, "text", 7, [])))

def group_without_items(p, dice, nonce):
    p.groups.append(dice.pick(({"id": "g", "name": "Empty", "conditions": None},
                               {"id": "g", "name": "Null", "items": None},
                               {"id": "g", "name": "None", "items": []},
                               {"id": "g", "name": "Object", "items": {"a": 1}})))

def elements_bent(p, dice, nonce):
    odd = (None, "text", 7, False, [], [1, {"a": 2}])
    for table in (p.root["documents"], p.logs, p.root["matchingLeads"], p.first_items):
        if dice.chance(0.6):
            table.insert(dice.below(len(table) + 1), dice.pick(odd))

def table_bent(p, dice, nonce):
    for name in dice.some(("documents", "actionLogs", "matchingLeads", "checklistItems"), 2):
        p.root[name] = dice.pick((None, {}, {"total": 0}, "none", 0))

def table_absent(p, dice, nonce):
    for name in dice.some(("documents", "actionLogs", "matchingLeads", "checklistItems", "lastAction", "status"), 2):
        p.root.pop(name, None)

def tables_first(p, dice, nonce):
    """The lead comes last in the answer: columns may not depend on where it stands."""
    lead = p.root.pop("lead")
    p.root["lead"] = lead


OMNI = (
    unknown_root, unknown_lead, unknown_group, unknown_item, unknown_checklist_item, other_checklist_item_id,
    unknown_document, unknown_log, unknown_message, unknown_tool, unknown_action, unknown_matching,
    clash_snake, clash_documented, clash_numbered, clash_table, clash_keys, clash_prefix,
    odd_names, escaped_names, spoilt_names,
    code_twice, code_numbered, code_same_name, odd_codes, code_missing, code_empty, code_null, code_no_text, code_nul,
    value_address, value_address_open, value_empty_object, value_nested, value_array, value_boolean,
    value_changes_kind, value_numbers,
    numbers, strings, raw_strings, formulas, empty_beside_null, bad_utf8, bad_utf8_sequences, long_text, deep_value,
    twin_in_json, twin_unknown, url_members, url_shapes, url_inside_json, url_elsewhere, log_documents,
    absent_members, absent_ids, number_ids, twin_members, twin_tables,
    lead_members_bent, item_documents_bent, tool_bent, message_documents_bent, messages_bent, item_bent, item_without,
    action_bent, group_null, group_without_items, elements_bent, table_bent, table_absent, tables_first,
)


# --- convocore: the same ideas on its members ----------------------------------------------------------

class Data:
    """References to what a convocore lead is made of."""

    def __init__(self, root):
        self.root = root
        self.data = root["data"]
        self.meta = self.data["metaData"]
        self.activities = self.data.setdefault("crmActivities", [])
        self.notes = [note for activity in self.activities for note in activity["notesHistory"]]


def _activity(p, dice):
    """An activity to bend; made where the lead has none."""
    if not p.activities:
        p.activities.append(convocore.activity(dice))
    return p.activities[0]

def cc_unknown_data(p, dice, nonce):
    _each([p.data], dice, "pipelineStage", "labels", "ownerInfo", "URL")
    p.data["lastChannel"] = "web"

def cc_unknown_meta(p, dice, nonce):
    p.meta[dice.pick(ODD_NAMES)] = _value(dice)
    p.meta["customField_1"] = _value(dice)

def cc_unknown_activity(p, dice, nonce):
    _activity(p, dice)
    _each(p.activities, dice, "assignedTo", "priority", "tags")

def cc_unknown_note(p, dice, nonce):
    _activity(p, dice)["notesHistory"].append({"text": "x", "editedBy": {"id": 1}, "pinned": True})

def cc_clash(p, dice, nonce):
    p.data["agent_id"] = "undocumented twin"
    p.data["meta_data_source"] = "not metaData's"
    p.data["userId"] = "clashes with user_id"
    p.data["createdAt"] = "clashes with created_at"
    p.data["leadId"] = "clashes with the key"

def cc_meta_clash(p, dice, nonce):
    p.meta["Company"] = "clashes with company"
    p.meta["linked_in"] = "one"
    p.meta["linkedIn"] = "two"

def cc_odd_names(p, dice, nonce):
    for name in dice.some(ODD_NAMES, 5):
        p.data[name] = _value(dice)
    p.data[Raw(r'"a\u0000b"')] = 1
    p.data[Raw(r'"n\u0061me"')] = "name, said again with an escape"

def cc_numbers(p, dice, nonce):
    p.data["ts"] = Raw(dice.pick(NUMBERS))
    p.data["hotScore"] = Raw(dice.pick(NUMBERS))
    p.data["numbers"] = [Raw(number) for number in dice.some(NUMBERS, 6)]
    p.data["convoId"] = Raw(dice.pick(NUMBERS))

def cc_strings(p, dice, nonce):
    p.data["name"] = dice.pick(STRINGS)
    p.meta["notes"] = dice.pick(STRINGS)
    _activity(p, dice)["note"] = dice.pick(STRINGS)

def cc_raw_strings(p, dice, nonce):
    p.data["name"] = Raw(dice.pick(RAW_STRINGS))
    p.meta["company"] = Raw(dice.pick(RAW_STRINGS))

def cc_formulas(p, dice, nonce):
    p.data["name"] = dice.pick(FORMULAS)
    p.data["phone"] = "+16782319992"
    p.meta["notes"] = dice.pick(FORMULAS)

def cc_empty_beside_null(p, dice, nonce):
    for name in ("name", "email", "phone"):
        p.data[name] = dice.pick(("", None))

def cc_bad_utf8(p, dice, nonce):
    p.data["name"] = Raw(dice.pick(BAD_BYTES))
    p.meta["address"] = Raw(dice.pick(BAD_SEQUENCES))

def cc_twins(p, dice, nonce):
    p.data[Raw('"name"')] = "the last one counts"
    p.meta[Raw('"source"')] = None
    p.data["extra"] = {"a": 1, Raw('"a"'): 2}

def cc_deep(p, dice, nonce):
    value = None
    for _ in range(dice.between(20, 150)):
        value = [value]
    p.meta["nested"] = value

def cc_documents(p, dice, nonce):
    """They look like omni's, but are no expiring URLs here: the same on every fetch."""
    p.data["documents"] = [{"id": "d-1", "url": "https://files.sandbox.example/d?sig=kept"}]
    _activity(p, dice)["metadata"] = {"documents": [{"signedUrl": "https://files.sandbox.example/e?sig=kept"}],
                                      "url": "https://kept.example/?whole=1"}

def cc_absent(p, dice, nonce):
    for _ in range(dice.between(1, 5)):
        part = dice.pick([p.data, p.meta] + p.activities + p.notes)
        names = [name for name in part if name not in ("id", "metaData", "crmActivities", "notesHistory")]
        if names:
            del part[dice.pick(names)]

def cc_ids_bent(p, dice, nonce):
    p.data["agentId"] = dice.below(10**6)
    p.data["user_id"] = None
    _activity(p, dice)["id"] = 17

def cc_bent(p, dice, nonce):
    p.data["name"] = {"first": "A", "last": "B"}
    p.data["email"] = ["a@example.com"]

def cc_notes_bent(p, dice, nonce):
    _activity(p, dice)["notesHistory"] = dice.pick((None, {}, "none", [None, "text", {"text": "x"}], [[1]]))

def cc_activities_bent(p, dice, nonce):
    p.activities.insert(0, dice.pick((None, "called", 7, [1])))

def cc_meta_bent(p, dice, nonce):
    p.data["metaData"] = dice.pick((None, "text", [], ["a", {"b": 1}], 7, {}))

def cc_table_bent(p, dice, nonce):
    p.data["crmActivities"] = dice.pick((None, {}, {"total": 0}, "none"))

def cc_table_absent(p, dice, nonce):
    p.data.pop("crmActivities", None)
    p.data.pop("metaData", None)

def cc_success_last(p, dice, nonce):
    """`success` and `message` come after the data."""
    p.root["success"], p.root["message"] = p.root.pop("success"), p.root.pop("message")


CONVOCORE = (
    cc_unknown_data, cc_unknown_meta, cc_unknown_activity, cc_unknown_note, cc_clash, cc_meta_clash, cc_odd_names,
    cc_numbers, cc_strings, cc_raw_strings, cc_formulas, cc_empty_beside_null, cc_bad_utf8, cc_twins, cc_deep,
    cc_documents, cc_absent, cc_ids_bent, cc_bent, cc_notes_bent, cc_activities_bent, cc_meta_bent, cc_table_bent,
    cc_table_absent, cc_success_last,
)

# Only where an ID asks for them: a lead that is made at random does not get them.
LONG = 5000


def long_members(p, dice, nonce):
    """The texts that people see, as long as somebody can make them."""
    for name in ("firstName", "lastName", "businessName", "phoneNumber", "website", "activitySummary"):
        p.lead[name] = _long(dice)

def cc_long_members(p, dice, nonce):
    for part, names in ((p.data, ("name", "phone")), (p.meta, ("company", "address", "notes"))):
        for name in names:
            part[name] = _long(dice)

def _long(dice):
    return (dice.sentence() + " \U0001f600 ") * (LONG // 10)


OF = {"omni": OMNI, "convocore": CONVOCORE}
NAMED = {"omni": (long_members,), "convocore": (cc_long_members,)}
VIEW = {"omni": Parts, "convocore": Data}
SHARE = {"omni": 0.025, "convocore": 0.05}


def name_of(oddity):
    """The word for an oddity in IDs: `odd-clash_snake-1`, for both providers."""
    name = oddity.__name__
    return name[3:] if name.startswith("cc_") else name


def names(provider):
    return [name_of(oddity) for oddity in OF[provider] + NAMED[provider]]


def chosen(provider, dice, only=None):
    """The oddities of one lead: the one asked for, or each with a small chance."""
    if only is not None:
        return [oddity for oddity in OF[provider] + NAMED[provider] if name_of(oddity) == only]
    return [oddity for oddity in OF[provider] if dice.chance(SHARE[provider])]


def apply(provider, tree, dice, which, nonce):
    if which:
        view = VIEW[provider](tree)
        for oddity in which:
            oddity(view, dice, nonce)
