"""An ordinary lead as the omni API answers it: every documented member, nothing odd."""

from jsontext import Raw
from dice import CITIES, COMPANIES, FIRST_NAMES, LAST_NAMES, STATES, STREETS

LEAD_STATUSES = ("IN_PROGRESS", "COMPLETED", "REVIEW", "OPTED_OUT", "NOT_INTERESTED")
ITEM_STATUSES = ("TODO", "COMPLETED", "INVALID", "SKIPPED", "NEEDS_REVIEW")
ACTION_TYPES = ("SYSTEM_NOTE", "MESSAGE", "FOLLOW_UP_MESSAGE", "TOOL_CALL", "DOCUMENT_UPLOAD",
                "MANUAL_UPDATE", "PORTAL_UPDATE", "PORTAL_SUBMISSION", "API_ACTIVITY")
ACTION_STATUSES = ("COMPLETED", "PENDING", "CANCELLED", "AWAITING_APPROVAL", "FAILED")

# code, label, field type, group
CHECKLIST = (
    ("business_name", "Business Name", "TEXT", "Business Information"),
    ("ein", "Employer Identification Number", "EIN", "Business Information"),
    ("business_address", "Business Address", "ADDRESS", "Business Information"),
    ("founded_on", "Founded on", "DATE", "Business Information"),
    ("industry", "Industry", "SELECT", "Business Information"),
    ("annualRevenue", "Annual revenue", "NUMBER", "Finances"),
    ("loan_amount", "Loan amount", "NUMBER", "Finances"),
    ("bank_statements", "Bank statements, last 3 months", "BANK_STATEMENT", "Finances"),
    ("tax_return", "Tax return", "TAX_RETURN", "Finances"),
    ("owner_email", "Owner's e-mail", "EMAIL", "Owner"),
    ("owner_phone", "Owner's phone", "PHONE", "Owner"),
    ("driver_license", "Driver's license", "ID", "Owner"),
    ("signed_contract", "Signed contract", "FILE", "Contract"),
    ("credit_check", "Credit check", "TOOL", "Contract"),
    ("notes", "Anything else?", "TEXT", "Contract"),
)
FILE_TYPES = ("FILE", "ID", "BANK_STATEMENT", "TAX_RETURN")
TOOLS = (("calendar", "Books a meeting"), ("credit-check", "Asks the bureau, then \"scores\""),
         ("crm-sync", None))


def lead(dice, lead_id, nonce, item_count=None, log_count=None):
    """The tree of a whole answer."""
    checklist = _checklist(dice, nonce, item_count or dice.between(3, 12))
    logs = [_action_log(dice, nonce) for _ in range(log_count or dice.between(1, 6))]
    return {
        "lead": _lead(dice, lead_id),
        "status": dice.pick(LEAD_STATUSES),
        "checklistItems": checklist,
        "documents": [_document(dice, nonce, linked=True) for _ in range(dice.below(4))],
        "actionLogs": logs,
        "matchingLeads": [{"id": dice.uuid()} for _ in range(dice.below(3))],
        "lastAction": _scheduled(dice, nonce, 0.7, "COMPLETED"),
        "nextFollowUp": _scheduled(dice, nonce, 0.4, "PENDING"),
        "nextDraft": _scheduled(dice, nonce, 0.3, "AWAITING_APPROVAL"),
    }


def plain(dice, lead_id, nonce):
    """A moderate lead for demonstrations: the same members in every one of them."""
    tree = lead(dice, lead_id, nonce, item_count=len(CHECKLIST), log_count=2)
    tree["lead"].setdefault("tags", ["demo"])
    tree["lead"].setdefault("optOutAt", None)
    for name, state in (("lastAction", "COMPLETED"), ("nextFollowUp", "PENDING"),
                        ("nextDraft", "AWAITING_APPROVAL")):
        action = tree[name]
        if action is not None:
            tree[name] = {key: action[key] for key in ("id", "type", "status", "summary", "createdAt")}
    return tree


def tiny(dice, lead_id):
    """A few hundred bytes, for runs that measure requests rather than payloads."""
    return {
        "lead": {"id": lead_id, "firstName": dice.pick(FIRST_NAMES), "email": dice.email(),
                 "createdAt": dice.moment()},
        "status": dice.pick(LEAD_STATUSES),
        "checklistItems": [], "documents": [], "actionLogs": [], "matchingLeads": [],
        "lastAction": None, "nextFollowUp": None, "nextDraft": None,
    }


def revise(tree, revision):
    """What an edit in the provider's own screens would change."""
    record = tree["lead"]
    record["updatedAt"] = "2026-03-%02dT00:00:%02d.000Z" % (1 + revision % 28, revision % 60)
    record["activitySummary"] = "Revision %d" % revision


def checklist_item(dice, nonce, code, label, field_type):
    item_id = dice.short_id("ci")
    item = {
        "id": dice.short_id("lci"),
        "checklistItemId": item_id,
        "value": _value(dice, code, field_type),
        "status": dice.pick(ITEM_STATUSES),
        "itemOverride": dice.maybe({"label": dice.sentence(2, 4), "isRequired": False}, 0.1),
        "checklistItem": {
            "id": item_id,
            "code": code,
            "label": label,
            "fieldType": field_type,
            "isRequired": dice.chance(0.7),
            "conditions": dice.maybe({"all": [{"code": "loan_amount", "op": ">", "value": 1000}]}, 0.2),
            "validationRules": dice.maybe([{"rule": "minLength", "value": 2}], 0.3),
        },
    }
    if field_type in FILE_TYPES:
        item["documents"] = [_document(dice, nonce) for _ in range(dice.below(3))]
    return item


def signed_url(dice, nonce, filename):
    """A download address whose query is another one on every fetch."""
    return ("https://files.sandbox.example/%s/%s?X-Amz-Expires=3600&X-Amz-Signature=%08x%s"
            % (dice.uuid(), filename.replace(" ", "%20"), dice.bits(32), nonce))


def address(dice):
    return {"street": "%d %s" % (dice.between(1, 9999), dice.pick(STREETS)),
            "city": dice.pick(CITIES), "state": dice.pick(STATES),
            "postalCode": "%05d" % dice.below(100000), "country": dice.pick(("US", "DE", "BR"))}


def _lead(dice, lead_id):
    record = {
        "id": lead_id,
        "activitySummary": dice.maybe(dice.sentence()),
        "assigneeType": dice.pick(("HUMAN_AGENT", "AI_AGENT", None)),
        "businessName": dice.pick(COMPANIES),
        "createdAt": dice.moment(),
        "deletedAt": dice.maybe(dice.moment(), 0.05),
        "didOptOut": dice.chance(0.1),
        "email": dice.maybe(dice.email(), 0.9),
        "emailVerifiedAt": dice.maybe(dice.moment()),
        "externalLeadId": dice.maybe("ext-%d" % dice.below(100000)),
        "externalPortalLink": dice.maybe("https://portal.example.com/l/%x?from=api" % dice.bits(40)),
        "firstName": dice.pick(FIRST_NAMES),
        "isTest": dice.chance(0.05),
        "lastName": dice.pick(LAST_NAMES),
        "phoneNumber": dice.maybe(dice.phone(), 0.9),
        "phoneVerifiedAt": dice.maybe(dice.moment()),
        "source": dice.pick(("api", "import", "web", "referral")),
        "submittedAt": dice.maybe(dice.moment()),
        "updatedAt": dice.moment(),
        "website": dice.maybe("https://www.%s.example" % dice.pick(("acme", "harbor", "größe"))),
        "workspaceId": "ws-%d" % dice.between(1, 5),
    }
    if dice.chance(0.5):
        record["tags"] = dice.some(("vip", "fleet", "Größe L", "re-opened", "2nd call"), dice.below(4))
    if dice.chance(0.5):
        record["optOutAt"] = dice.maybe(dice.moment(), 0.2)
    return record


def _checklist(dice, nonce, count):
    groups = {}
    for code, label, field_type, group in dice.some(CHECKLIST, count):
        groups.setdefault(group, []).append(checklist_item(dice, nonce, code, label, field_type))
    return [{"id": dice.short_id("group"), "name": name,
             "conditions": dice.maybe({"any": ["loan_amount"]}, 0.2), "items": items}
            for name, items in groups.items()]


def _value(dice, code, field_type):
    if dice.chance(0.2):
        return None
    if field_type == "NUMBER":
        return dice.pick((dice.below(1000000), Raw("%d.%02d" % (dice.below(5000), dice.below(100))),
                          str(dice.below(1000000))))
    if field_type == "DATE":
        return dice.moment()[:10]
    if field_type == "EMAIL":
        return dice.email()
    if field_type == "PHONE":
        return dice.phone()
    if field_type == "EIN":
        return "%02d-%07d" % (dice.below(100), dice.below(10000000))
    if field_type == "SELECT":
        return dice.pick(("Freight", "Food & drink", "Bau", "Other"))
    if field_type == "ADDRESS":
        return address(dice)
    if field_type == "TOOL":
        return dice.pick(("passed", "failed", ""))
    if field_type in FILE_TYPES:
        return None
    return dice.pick(COMPANIES) if code == "business_name" else dice.sentence()


def _document(dice, nonce, linked=False):
    filename = dice.pick(("statement %d.pdf", "scan-%d.jpg", "Vertrag Größe %d.docx", "tax,%d.pdf")) % dice.below(100)
    document = {
        "id": dice.short_id("doc"),
        "filename": filename,
        "mimeType": dice.pick(("application/pdf", "image/jpeg", "application/octet-stream")),
        "size": dice.below(5000000),
        "metadata": dice.maybe({"Matched checklist items": dice.some(("ein", "tax_return", "notes"), 2),
                                "pages": dice.below(20)}),
        "signedUrl": signed_url(dice, nonce, filename),
    }
    if dice.chance(0.7):
        document["createdAt"] = dice.moment()
    if linked:
        document["leadChecklistItemDocument"] = [
            _validation(dice, document["id"]) for _ in range(dice.below(3))]
    return document


def _validation(dice, document_id):
    valid = dice.chance(0.7)
    return {
        "id": dice.short_id("lcid"),
        "leadChecklistItemId": dice.short_id("lci"),
        "documentId": document_id,
        "overallValid": valid,
        "validationResult": {
            "otherNotes": dice.maybe(dice.sentence()),
            "overallValid": valid,
            "validationResults": [
                {"isValid": dice.chance(0.8), "ruleName": dice.pick(("period", "name match", "legible")),
                 "isValidReason": dice.sentence()} for _ in range(dice.between(1, 2))],
        },
    }


def _action_log(dice, nonce):
    kind = dice.pick(ACTION_TYPES)
    tool = None
    if kind == "TOOL_CALL":
        name, description = dice.pick(TOOLS)
        tool = {"id": dice.short_id("tool"), "name": name, "description": description}
    return {
        "id": dice.short_id("log"),
        "type": kind,
        "status": dice.pick(ACTION_STATUSES),
        "summary": dice.maybe(dice.sentence(), 0.9),
        "input": _input(dice, kind),
        "output": dice.pick((None, "ok", {"ok": True, "score": Raw("0.%d" % dice.below(1000))})),
        "error": dice.maybe("Timed out after 30s", 0.1),
        "parentActionId": dice.maybe(dice.short_id("log"), 0.2),
        "scheduledAt": dice.maybe(dice.moment(), 0.3),
        "createdAt": dice.moment(),
        "completedAt": dice.maybe(dice.moment(), 0.6),
        "tool": tool,
        "messages": [_message(dice, nonce) for _ in range(dice.below(3))] if "MESSAGE" in kind else [],
    }


def _input(dice, kind):
    if kind == "TOOL_CALL":
        return {"arguments": {"slot": dice.moment(), "minutes": 30}, "retry": False}
    if kind == "PORTAL_UPDATE":
        return [{"code": "notes", "from": None, "to": dice.sentence()}]
    if kind == "SYSTEM_NOTE":
        return dice.sentence()
    return None


def _message(dice, nonce):
    body = dice.pick((
        "<p>Hello %s,</p>\n<p>please upload the &quot;statement&quot;; see "
        "<a href=\"https://portal.example.com/?a=1&b=2\">portal</a>.</p>\n",
        "Hi %s, are you free tomorrow?\r\nBest,\r\nThe team",
        "%s: yes 👍",
    )) % dice.pick(FIRST_NAMES)
    documents = []
    for document in [_document(dice, nonce) for _ in range(dice.below(2))]:
        documents.append({key: document[key] for key in ("id", "filename", "mimeType", "size", "signedUrl")})
    return {
        "id": dice.short_id("msg"),
        "channel": dice.pick(("EMAIL", "SMS", "WHATSAPP", "VOICE")),
        "direction": dice.pick(("OUTBOUND", "INBOUND")),
        "subject": dice.maybe(dice.sentence(2, 5)),
        "body": body,
        "documents": documents,
    }


def _scheduled(dice, nonce, share, state):
    """lastAction and its kin: an action log, sometimes in its short form."""
    if not dice.chance(share):
        return None
    action = _action_log(dice, nonce)
    action["type"] = dice.pick(("MESSAGE", "FOLLOW_UP_MESSAGE"))
    action["status"] = state
    if dice.chance(0.4):
        return {key: action[key] for key in ("id", "type", "status", "summary", "createdAt")}
    action["messages"] = [_message(dice, nonce)]
    if dice.chance(0.5):
        action["toolCalls"] = [{"id": dice.short_id("log"), "tool": {"name": "calendar"}}]
    return action
