"""What a script writes that someone made in an afternoon: the documented columns
of every omni table, as CSV.  Used by the peers that leadpipe is compared with.

It does less than leadpipe: no columns that are not documented, none of the
checklist's own columns, no retries, no order, no clean end after a failure."""

import csv
import json
import os
import re

LEAD = """id activitySummary assigneeType businessName createdAt deletedAt didOptOut email
    emailVerifiedAt externalLeadId externalPortalLink firstName isTest lastName phoneNumber
    phoneVerifiedAt source submittedAt updatedAt website workspaceId""".split()
ACTION = "id type status summary createdAt".split()
ITEM = "id checklistItemId".split()
CHECK = "code label fieldType isRequired conditions validationRules".split()
DOCUMENT = "id filename mimeType size signedUrl createdAt metadata".split()
LOG = """id type status summary input output error parentActionId scheduledAt createdAt
    completedAt""".split()
TOOL = "id name description".split()
MESSAGE = "id channel direction subject body".split()
MESSAGE_DOCUMENT = "id filename mimeType size signedUrl".split()


def snake(names, prefix=""):
    return [prefix + re.sub("([a-z0-9])([A-Z])", r"\1_\2", name).lower() for name in names]


HEADERS = {
    "leads": ["status"] + snake(LEAD) + [
        "checklist_item_count", "document_count", "action_log_count", "matching_lead_count"]
    + snake(ACTION, "last_action_") + snake(ACTION, "next_follow_up_") + snake(ACTION, "next_draft_"),
    "checklist_items": ["group_position", "group_id", "group_name", "group_conditions", "position"]
    + snake(ITEM) + snake(CHECK) + ["value", "status", "item_override"],
    "checklist_item_documents": [
        "lead_checklist_item_id", "group_position", "item_position", "position"] + snake(DOCUMENT),
    "documents": ["position"] + snake(DOCUMENT) + ["lead_checklist_item_document"],
    "action_logs": ["position"] + snake(LOG) + snake(TOOL, "tool_"),
    "action_log_messages": ["action_log_id", "action_log_position", "position"] + snake(MESSAGE),
    "action_log_message_documents": [
        "action_log_id", "action_log_position", "message_id", "message_position", "position"]
    + snake(MESSAGE_DOCUMENT),
    "matching_leads": ["position", "id"],
}


def cell(value):
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def pick(thing, names):
    thing = thing or {}
    return [cell(thing.get(name)) for name in names]


def pick_document(document, names):
    if document.get("signedUrl"):
        document["signedUrl"] = document["signedUrl"].split("?", 1)[0]
    return pick(document, names)


class Tables:
    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.files, self.writers = [], {}
        for name, header in HEADERS.items():
            file = open(os.path.join(folder, name + ".csv"), "w", newline="", encoding="utf-8")
            self.files.append(file)
            self.writers[name] = csv.writer(file, lineterminator="\n")
            self.writers[name].writerow(["provider", "lead_id"] + header)

    def close(self):
        for file in self.files:
            file.close()

    def add(self, lead_id, body):
        payload = json.loads(body)
        key = ["omni", lead_id]
        self._lead(key, payload)
        self._checklist(key, payload.get("checklistItems") or [])
        self._documents(key, payload.get("documents") or [])
        self._logs(key, payload.get("actionLogs") or [])
        for position, lead in enumerate(payload.get("matchingLeads") or []):
            self.writers["matching_leads"].writerow(key + [position, lead.get("id")])

    def _lead(self, key, payload):
        counts = [sum(len(group.get("items") or []) for group in payload.get("checklistItems") or [])]
        counts += [len(payload.get(name) or []) for name in ("documents", "actionLogs", "matchingLeads")]
        row = key + [payload.get("status")] + pick(payload["lead"], LEAD) + counts
        for name in ("lastAction", "nextFollowUp", "nextDraft"):
            row += pick(payload.get(name), ACTION)
        self.writers["leads"].writerow(row)

    def _checklist(self, key, groups):
        for g, group in enumerate(groups):
            of_group = [g, group.get("id"), group.get("name"), cell(group.get("conditions"))]
            for i, item in enumerate(group.get("items") or []):
                self.writers["checklist_items"].writerow(
                    key + of_group + [i] + pick(item, ITEM) + pick(item.get("checklistItem"), CHECK)
                    + pick(item, ["value", "status", "itemOverride"]))
                for d, document in enumerate(item.get("documents") or []):
                    self.writers["checklist_item_documents"].writerow(
                        key + [item.get("id"), g, i, d] + pick_document(document, DOCUMENT))

    def _documents(self, key, documents):
        for d, document in enumerate(documents):
            self.writers["documents"].writerow(
                key + [d] + pick_document(document, DOCUMENT + ["leadChecklistItemDocument"]))

    def _logs(self, key, logs):
        for g, log in enumerate(logs):
            self.writers["action_logs"].writerow(key + [g] + pick(log, LOG) + pick(log.get("tool"), TOOL))
            for m, message in enumerate(log.get("messages") or []):
                of_log = key + [log.get("id"), g]
                self.writers["action_log_messages"].writerow(of_log + [m] + pick(message, MESSAGE))
                for d, document in enumerate(message.get("documents") or []):
                    self.writers["action_log_message_documents"].writerow(
                        of_log + [message.get("id"), m, d] + pick_document(document, MESSAGE_DOCUMENT))


def read_ids(path):
    with open(path, encoding="utf-8") as file:
        return file.read().split()
