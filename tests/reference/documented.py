"""The documented tables: their columns in order, and the members that fill them."""

OMNI_LEAD = {
    "id": "id", "activitySummary": "activity_summary", "assigneeType": "assignee_type",
    "businessName": "business_name", "createdAt": "created_at", "deletedAt": "deleted_at",
    "didOptOut": "did_opt_out", "email": "email", "emailVerifiedAt": "email_verified_at",
    "externalLeadId": "external_lead_id", "externalPortalLink": "external_portal_link",
    "firstName": "first_name", "isTest": "is_test", "lastName": "last_name",
    "phoneNumber": "phone_number", "phoneVerifiedAt": "phone_verified_at", "source": "source",
    "submittedAt": "submitted_at", "updatedAt": "updated_at", "website": "website",
    "workspaceId": "workspace_id",
}


def _action(prefix):
    return {"id": prefix + "id", "type": prefix + "type", "status": prefix + "status",
            "summary": prefix + "summary", "createdAt": prefix + "created_at"}


LAST_ACTION = _action("last_action_")
NEXT_FOLLOW_UP = _action("next_follow_up_")
NEXT_DRAFT = _action("next_draft_")

GROUP = {"id": "group_id", "name": "group_name", "conditions": "group_conditions"}
ITEM = {"id": "id", "checklistItemId": "checklist_item_id", "value": "value",
        "status": "status", "itemOverride": "item_override"}
CHECKLIST_ITEM = {"code": "code", "label": "label", "fieldType": "field_type",
                  "isRequired": "is_required", "conditions": "conditions",
                  "validationRules": "validation_rules"}

MESSAGE_DOCUMENT = {"id": "id", "filename": "filename", "mimeType": "mime_type", "size": "size",
                    "signedUrl": "signed_url"}
ITEM_DOCUMENT = dict(MESSAGE_DOCUMENT, createdAt="created_at", metadata="metadata")
DOCUMENT = dict(ITEM_DOCUMENT, leadChecklistItemDocument="lead_checklist_item_document")

ACTION_LOG = {"id": "id", "type": "type", "status": "status", "summary": "summary",
              "input": "input", "output": "output", "error": "error",
              "parentActionId": "parent_action_id", "scheduledAt": "scheduled_at",
              "createdAt": "created_at", "completedAt": "completed_at"}
TOOL = {"id": "tool_id", "name": "tool_name", "description": "tool_description"}
MESSAGE = {"id": "id", "channel": "channel", "direction": "direction", "subject": "subject",
           "body": "body"}
MATCHING_LEAD = {"id": "id"}

CONVOCORE_LEAD = {"id": "id", "convoId": "convo_id", "user_id": "user_id", "name": "name",
                  "email": "email", "phone": "phone", "ts": "ts", "created_at": "created_at"}
META_DATA = {"source": "meta_data_source", "company": "meta_data_company",
             "address": "meta_data_address", "notes": "meta_data_notes"}
CRM_ACTIVITY = {"id": "id", "title": "title", "date": "date", "dueDate": "due_date",
                "completed": "completed", "responded": "responded",
                "firstEngaged": "first_engaged", "secondEngaged": "second_engaged",
                "note": "note", "metadata": "metadata"}
CRM_NOTE = {"text": "text", "agentId": "note_agent_id", "agentName": "note_agent_name",
            "timestamp": "timestamp"}

# What every row begins with: the provider, the ID that was asked for, and what it was asked with.
KEYS = {"omni": ["provider", "lead_id"], "convocore": ["provider", "lead_id", "agent_id"]}


def _columns(provider, *parts):
    columns = list(KEYS[provider])
    for part in parts:
        columns += [part] if isinstance(part, str) else list(part.values())
    return columns


OMNI = {
    "leads": _columns("omni", "status", OMNI_LEAD, "checklist_item_count", "document_count",
                      "action_log_count", "matching_lead_count", LAST_ACTION, NEXT_FOLLOW_UP,
                      NEXT_DRAFT),
    "checklist_items": _columns("omni", "group_position", GROUP, "position", "id", "checklist_item_id",
                                "code", "label", "field_type", "is_required", "value", "status",
                                "item_override", "conditions", "validation_rules"),
    "checklist_item_documents": _columns("omni", "lead_checklist_item_id", "group_position",
                                         "item_position", "position", ITEM_DOCUMENT),
    "documents": _columns("omni", "position", DOCUMENT),
    "action_logs": _columns("omni", "position", ACTION_LOG, TOOL),
    "action_log_messages": _columns("omni", "action_log_id", "action_log_position", "position", MESSAGE),
    "action_log_message_documents": _columns("omni", "action_log_id", "action_log_position", "message_id",
                                             "message_position", "position", MESSAGE_DOCUMENT),
    "matching_leads": _columns("omni", "position", MATCHING_LEAD),
}

CONVOCORE = {
    "leads": _columns("convocore", CONVOCORE_LEAD, META_DATA),
    "crm_activities": _columns("convocore", "position", CRM_ACTIVITY),
    "crm_activity_notes": _columns("convocore", "crm_activity_id", "crm_activity_position", "position",
                                   CRM_NOTE),
}

TABLES = {"omni": OMNI, "convocore": CONVOCORE}
