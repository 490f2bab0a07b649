"""One payload into the rows of every table.

In a row a documented column has its name (a str) as key; any other cell has a Source: where in
the payload it comes from. What a source's column is called depends on the other leads of the
run and is decided in columns.py.
"""

from typing import Any, NamedTuple

from . import documented as doc
from .jsonval import NotJson, Num, TooDeep, scrub, parse
from .names import snake_case

# The stage that a failed lead is reported with.
STAGES = {"not JSON": "parse", "too deep": "parse", "no lead": "fetch"}


class Source(NamedTuple):
    """Where undocumented cells come from: group and key, which is not replaced, identify it; base is
    the wished name."""

    group: str
    key: Any
    base: str


class Failed(Exception):
    """A payload that gives no rows."""

    def __init__(self, reason, message):
        super().__init__("%s: %s" % (reason, message))
        self.stage = STAGES[reason]


class Spread(NamedTuple):
    """An object whose members are columns of the table that its parent is in."""

    prefix: str
    documented: dict


def name_of(text):
    return snake_case(scrub(text))


def put_members(row, members, group, prefix, documented, tables=(), spread=None):
    """Put the members of an object into a row."""
    for key, value in members.items():
        if key in tables and (value is None or isinstance(value, list)):
            continue
        if spread and key in spread:
            if value is None:
                continue
            if isinstance(value, dict):
                put_members(row, value, key, *spread[key])
                continue
        row[documented.get(key) or Source(group, key, name_of(prefix + key))] = value


def put_key(row, column, members, key):
    """Repeat a parent's member in a row of its child table, if the parent has it."""
    if key in members:
        row[column] = members[key]


def elements(value):
    """Position and members of each element of a table's array."""
    if not isinstance(value, list):
        return
    for position, element in enumerate(value):
        yield position, element if isinstance(element, dict) else {"value": element}


def length(value):
    return Num(len(value)) if isinstance(value, list) else Num(0)


class Lead:
    """The rows of one lead while they are collected. keys: the lead's ID, and its agent's."""

    def __init__(self, provider, *keys):
        self.tables = {table: [] for table in doc.TABLES[provider]}
        self.provider = provider
        self.keys = dict(zip(doc.KEYS[provider], (provider,) + keys))

    def row(self, table, **positions):
        row = dict(self.keys)
        row.update((column, Num(position)) for column, position in positions.items())
        self.tables[table].append(row)
        return row

    def sorted_tables(self):
        """The rows with their documented columns in documented order, then the others; replaced."""
        for table, columns in doc.TABLES[self.provider].items():
            self.tables[table] = [_sorted_row(row, columns) for row in self.tables[table]]
        return self.tables


def _sorted_row(row, columns):
    ordered = {column: scrub(row[column]) for column in columns if column in row}
    ordered.update((key, scrub(value)) for key, value in row.items() if key not in ordered)
    return ordered


# --- omni

def omni_root(body):
    if not isinstance(body, dict) or not isinstance(body.get("lead"), dict):
        raise Failed("no lead", "`lead` is no object")
    return body


def omni_rows(lead, root):
    row = lead.row("leads")
    put_members(row, root, "root", "", {"status": "status"},
                tables=("checklistItems", "documents", "actionLogs", "matchingLeads"),
                spread={"lead": Spread("", doc.OMNI_LEAD),
                        "lastAction": Spread("last_action_", doc.LAST_ACTION),
                        "nextFollowUp": Spread("next_follow_up_", doc.NEXT_FOLLOW_UP),
                        "nextDraft": Spread("next_draft_", doc.NEXT_DRAFT)})
    omni_checklist(lead, root.get("checklistItems"), row)
    row["checklist_item_count"] = length(lead.tables["checklist_items"])
    row["document_count"] = length(root.get("documents"))
    row["action_log_count"] = length(root.get("actionLogs"))
    row["matching_lead_count"] = length(root.get("matchingLeads"))
    for position, members in elements(root.get("documents")):
        put_members(lead.row("documents", position=position), members, "element", "",
                    doc.DOCUMENT)
    omni_action_logs(lead, root.get("actionLogs"))
    for position, members in elements(root.get("matchingLeads")):
        put_members(lead.row("matching_leads", position=position), members, "element", "",
                    doc.MATCHING_LEAD)


def omni_checklist(lead, groups, lead_row):
    occurrences = {}
    for group_position, group in enumerate(groups if isinstance(groups, list) else ()):
        if not isinstance(group, dict):
            continue
        for position, item in elements(group.get("items")):
            omni_item(lead, group, group_position, item, position)
            pivot(lead_row, item, occurrences)


def omni_item(lead, group, group_position, item, position):
    row = lead.row("checklist_items", group_position=group_position, position=position)
    put_members(row, group, "group", "group_", doc.GROUP, tables=("items",))
    put_members(row, without_repeated_id(item), "element", "", doc.ITEM, tables=("documents",),
                spread={"checklistItem": Spread("checklist_item_", doc.CHECKLIST_ITEM)})
    for document_position, members in elements(item.get("documents")):
        row = lead.row("checklist_item_documents", group_position=group_position,
                       item_position=position, position=document_position)
        put_key(row, "lead_checklist_item_id", item, "id")
        put_members(row, members, "element", "", doc.ITEM_DOCUMENT)


def without_repeated_id(item):
    """The item, without checklistItem.id where that repeats checklistItemId."""
    nested = item.get("checklistItem")
    if not isinstance(nested, dict) or "id" not in nested or "checklistItemId" not in item:
        return item
    if not same_value(nested["id"], item["checklistItemId"]):
        return item
    return dict(item, checklistItem={key: nested[key] for key in nested if key != "id"})


def same_value(a, b):
    """Equality of JSON values: unlike Python's, true is not 1 (numbers are Num here anyway)."""
    return type(a) is type(b) and a == b


def pivot(row, item, occurrences):
    """Put an item's value into the lead's row, under its code."""
    nested = item.get("checklistItem")
    code = nested.get("code") if isinstance(nested, dict) else None
    if not isinstance(code, str) or not code:
        return
    nth = occurrences[code] = occurrences.get(code, 0) + 1
    if "value" not in item:
        return
    wish = "checklist_" + code + ("_%d" % nth if nth > 1 else "")
    value = item["value"]
    if is_object_of_scalars(value):
        for key, member in value.items():
            source = Source("checklist", (code, nth, key), name_of(wish + "_" + key))
            row[source] = member
    else:
        row[Source("checklist", (code, nth), name_of(wish))] = value


def is_object_of_scalars(value):
    return (isinstance(value, dict) and bool(value)
            and not any(isinstance(member, (dict, list)) for member in value.values()))


def omni_action_logs(lead, logs):
    for position, log in elements(logs):
        put_members(lead.row("action_logs", position=position), log, "element", "",
                    doc.ACTION_LOG, tables=("messages",),
                    spread={"tool": Spread("tool_", doc.TOOL)})
        for message_position, message in elements(log.get("messages")):
            row = lead.row("action_log_messages", action_log_position=position,
                           position=message_position)
            put_key(row, "action_log_id", log, "id")
            put_members(row, message, "element", "", doc.MESSAGE, tables=("documents",))
            for document_position, members in elements(message.get("documents")):
                row = lead.row("action_log_message_documents", action_log_position=position,
                               message_position=message_position, position=document_position)
                put_key(row, "action_log_id", log, "id")
                put_key(row, "message_id", message, "id")
                put_members(row, members, "element", "", doc.MESSAGE_DOCUMENT)


def clean_urls(value, mode, in_documents=False):
    """The value with the expiring URLs of its document objects cut or dropped."""
    if isinstance(value, list):
        return [clean_urls(element, mode, in_documents and isinstance(element, dict))
                for element in value]
    if not isinstance(value, dict):
        return value
    cleaned = {}
    for key, member in value.items():
        if in_documents and key in ("signedUrl", "url") and isinstance(member, str):
            cleaned[key] = member.split("?", 1)[0] if mode == "strip" else None
        else:
            is_list = key == "documents" and isinstance(member, list)
            cleaned[key] = clean_urls(member, mode, is_list)
    return cleaned


# --- convocore

def convocore_root(body):
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        raise Failed("no lead", "`data` is no object")
    return body["data"]


def is_text_of(value, text):
    """Whether a text or a number is written so."""
    return (value.text if isinstance(value, Num) else value) == text


def convocore_rows(lead, root):
    agent_id = lead.keys["agent_id"]
    members = {key: value for key, value in root.items()
               if key != "agentId" or not is_text_of(value, agent_id)}
    put_members(lead.row("leads"), members, "root", "", doc.CONVOCORE_LEAD,
                tables=("crmActivities",), spread={"metaData": Spread("meta_data_", doc.META_DATA)})
    for position, activity in elements(root.get("crmActivities")):
        put_members(lead.row("crm_activities", position=position), activity, "element", "",
                    doc.CRM_ACTIVITY, tables=("notesHistory",))
        for note_position, note in elements(activity.get("notesHistory")):
            row = lead.row("crm_activity_notes", crm_activity_position=position,
                           position=note_position)
            put_key(row, "crm_activity_id", activity, "id")
            put_members(row, note, "element", "", doc.CRM_NOTE)


# --- both

PROVIDERS = {"omni": (omni_root, omni_rows), "convocore": (convocore_root, convocore_rows)}


def find_root(provider, payload):
    """The part of the payload that is the lead. Raises Failed."""
    try:
        body = parse(payload)
    except NotJson as error:
        raise Failed("not JSON", error) from None
    except TooDeep as error:
        raise Failed("too deep", error) from None
    if isinstance(body, dict) and body.get("success") is False:
        raise Failed("no lead", "the answer says success: false")
    return PROVIDERS[provider][0](body)


def classify(provider, payload):
    """"exported", or ("failed", stage), for a payload that came with status 200."""
    try:
        find_root(provider, payload)
    except Failed as failed:
        return "failed", failed.stage
    return "exported"


def walk(provider, lead_id, payload, agent_id=None, signed_urls="strip"):
    """The rows of one payload, by table. agent_id: convocore's. Raises Failed."""
    root = find_root(provider, payload)
    if provider == "omni" and signed_urls != "keep":
        root = clean_urls(root, signed_urls)
    lead = Lead(provider, lead_id, *[agent_id][:len(doc.KEYS[provider]) - 2])
    PROVIDERS[provider][1](lead, root)
    return lead.sorted_tables()
