"""The answers that the documentation of the two APIs shows, retyped by hand.

convocore's documentation shows none; its example has every member that is
known of.
"""

import copy


def answer(provider, agent_id):
    made = copy.deepcopy(OMNI if provider == "omni" else CONVOCORE)
    if provider == "convocore":
        made["data"]["agentId"] = agent_id
    return made


OMNI_ID = "a9d0a790-201b-47e9-84ed-cc7eed1270c5"

OMNI = {
    "lead": {
        "id": OMNI_ID,
        "activitySummary": None,
        "assigneeType": "HUMAN_AGENT",
        "businessName": "Pacific Coast Container Haulers",
        "createdAt": "2026-01-30T02:00:00.000Z",
        "deletedAt": None,
        "didOptOut": False,
        "email": "john@example.com",
        "emailVerifiedAt": "2026-01-30T02:00:00.000Z",
        "externalLeadId": None,
        "externalPortalLink": None,
        "firstName": "John",
        "isTest": False,
        "lastName": "Doe",
        "phoneNumber": "+16782319992",
        "phoneVerifiedAt": None,
        "source": "api",
        "submittedAt": None,
        "updatedAt": "2026-01-30T02:00:00.000Z",
        "website": None,
        "workspaceId": "ws-123",
    },
    "status": "IN_PROGRESS",
    "checklistItems": [{
        "id": "group-id",
        "name": "Business Information",
        "conditions": None,
        "items": [{
            "id": "lci-1",
            "checklistItemId": "ci-1",
            "value": "Pacific Coast Container Haulers",
            "status": "COMPLETED",
            "itemOverride": None,
            "checklistItem": {
                "id": "ci-1",
                "code": "business_name",
                "label": "Business Name",
                "fieldType": "TEXT",
                "isRequired": True,
                "conditions": None,
            },
        }],
    }],
    "documents": [],
    "actionLogs": [{
        "id": "log-1",
        "type": "API_ACTIVITY",
        "status": "COMPLETED",
        "summary": "Lead created",
        "createdAt": "2026-01-30T02:00:00.000Z",
    }],
    "matchingLeads": [],
    "lastAction": None,
    "nextFollowUp": None,
    "nextDraft": None,
}

CONVOCORE = {
    "success": True,
    "message": "Lead fetched successfully",
    "data": {
        "id": "example",
        "agentId": "agent-1",
        "convoId": "convo-7f3a",
        "user_id": "user-42",
        "name": "John Doe",
        "email": "john@example.com",
        "phone": "+16782319992",
        "ts": 1769738400,
        "created_at": "2026-01-30T02:00:00.000Z",
        "metaData": {
            "source": "widget",
            "company": "Pacific Coast Container Haulers",
            "address": "400 Harbor Blvd, Long Beach",
            "notes": "Asked for a quote",
            "website": "https://www.example.com",
            "currency": "USD",
            "value": "12500",
            "expectedCloseDate": "2026-06-30",
            "subIndustry": "Drayage",
            "language": "en",
            "linkedIn": "https://linkedin.example/in/johndoe",
            "facebook": None,
            "instagram": None,
            "demoDate": "2026-02-03",
            "demoTime": "14:30",
            "demoLink": "https://meet.example.com/abc",
            "lostReason": None,
        },
        "hotScore": 71,
        "lastActivityDate": "2026-01-31T09:30:00.000Z",
        "crmActivities": [{
            "id": "act-1",
            "title": "Intro call",
            "date": "2026-01-31T09:30:00.000Z",
            "dueDate": None,
            "completed": True,
            "responded": True,
            "firstEngaged": True,
            "secondEngaged": False,
            "note": "Wants a quote for 40 containers a month",
            "notesHistory": [{
                "text": "Left a voicemail",
                "agentId": "agent-1",
                "agentName": "Ada",
                "timestamp": 1769851800000,
            }],
            "metadata": {"channel": "phone"},
        }],
    },
}
