"""The answers in the two providers' documentation, through the whole program, to the byte.

What is expected was written by hand from the documentation of the tables.
"""

import gzip
import json

import msgpack

OMNI_LEADS_COLUMNS = (
    "provider,lead_id,status,id,activity_summary,assignee_type,business_name,created_at,deleted_at,did_opt_out,"
    "email,email_verified_at,external_lead_id,external_portal_link,first_name,is_test,last_name,phone_number,"
    "phone_verified_at,source,submitted_at,updated_at,website,workspace_id,checklist_item_count,document_count,"
    "action_log_count,matching_lead_count,last_action_id,last_action_type,last_action_status,last_action_summary,"
    "last_action_created_at,next_follow_up_id,next_follow_up_type,next_follow_up_status,next_follow_up_summary,"
    "next_follow_up_created_at,next_draft_id,next_draft_type,next_draft_status,next_draft_summary,"
    "next_draft_created_at,checklist_business_name")

OMNI_CSV = {
    "leads": OMNI_LEADS_COLUMNS + "\n"
             "omni,example,IN_PROGRESS,a9d0a790-201b-47e9-84ed-cc7eed1270c5,,HUMAN_AGENT,"
             "Pacific Coast Container Haulers,2026-01-30T02:00:00.000Z,,false,john@example.com,"
             "2026-01-30T02:00:00.000Z,,,John,false,Doe,+16782319992,,api,,2026-01-30T02:00:00.000Z,,ws-123,"
             "1,0,1,0,,,,,,,,,,,,,,,,Pacific Coast Container Haulers\n",
    "checklist_items":
        "provider,lead_id,group_position,group_id,group_name,group_conditions,position,id,checklist_item_id,"
        "code,label,field_type,is_required,value,status,item_override,conditions,validation_rules\n"
        "omni,example,0,group-id,Business Information,,0,lci-1,ci-1,business_name,Business Name,TEXT,true,"
        "Pacific Coast Container Haulers,COMPLETED,,,\n",
    "checklist_item_documents":
        "provider,lead_id,lead_checklist_item_id,group_position,item_position,position,id,filename,mime_type,"
        "size,signed_url,created_at,metadata\n",
    "documents":
        "provider,lead_id,position,id,filename,mime_type,size,signed_url,created_at,metadata,"
        "lead_checklist_item_document\n",
    "action_logs":
        "provider,lead_id,position,id,type,status,summary,input,output,error,parent_action_id,scheduled_at,"
        "created_at,completed_at,tool_id,tool_name,tool_description\n"
        "omni,example,0,log-1,API_ACTIVITY,COMPLETED,Lead created,,,,,,2026-01-30T02:00:00.000Z,,,,\n",
    "action_log_messages":
        "provider,lead_id,action_log_id,action_log_position,position,id,channel,direction,subject,body\n",
    "action_log_message_documents":
        "provider,lead_id,action_log_id,action_log_position,message_id,message_position,position,id,filename,"
        "mime_type,size,signed_url\n",
    "matching_leads": "provider,lead_id,position,id\n",
}

OMNI_LEAD = {
    "status": "IN_PROGRESS", "id": "a9d0a790-201b-47e9-84ed-cc7eed1270c5", "activity_summary": None,
    "assignee_type": "HUMAN_AGENT", "business_name": "Pacific Coast Container Haulers",
    "created_at": "2026-01-30T02:00:00.000Z", "deleted_at": None, "did_opt_out": False,
    "email": "john@example.com", "email_verified_at": "2026-01-30T02:00:00.000Z", "external_lead_id": None,
    "external_portal_link": None, "first_name": "John", "is_test": False, "last_name": "Doe",
    "phone_number": "+16782319992", "phone_verified_at": None, "source": "api", "submitted_at": None,
    "updated_at": "2026-01-30T02:00:00.000Z", "website": None, "workspace_id": "ws-123",
    "checklist_item_count": 1, "document_count": 0, "action_log_count": 1, "matching_lead_count": 0,
    "checklist_business_name": "Pacific Coast Container Haulers",
}
OMNI_CHILDREN = {
    "checklist_items": [{
        "group_position": 0, "group_id": "group-id", "group_name": "Business Information",
        "group_conditions": None, "position": 0, "id": "lci-1", "checklist_item_id": "ci-1",
        "code": "business_name", "label": "Business Name", "field_type": "TEXT", "is_required": True,
        "value": "Pacific Coast Container Haulers", "status": "COMPLETED", "item_override": None,
        "conditions": None}],
    "checklist_item_documents": [],
    "documents": [],
    "action_logs": [{"position": 0, "id": "log-1", "type": "API_ACTIVITY", "status": "COMPLETED",
                     "summary": "Lead created", "created_at": "2026-01-30T02:00:00.000Z"}],
    "action_log_messages": [],
    "action_log_message_documents": [],
    "matching_leads": [],
}

CONVOCORE_CSV = {
    "leads":
        "provider,lead_id,agent_id,id,convo_id,user_id,name,email,phone,ts,created_at,meta_data_source,"
        "meta_data_company,meta_data_address,meta_data_notes,meta_data_website,meta_data_currency,"
        "meta_data_value,meta_data_expected_close_date,meta_data_sub_industry,meta_data_language,"
        "meta_data_linked_in,meta_data_facebook,meta_data_instagram,meta_data_demo_date,meta_data_demo_time,"
        "meta_data_demo_link,meta_data_lost_reason,hot_score,last_activity_date\n"
        "convocore,example,agent-1,example,convo-7f3a,user-42,John Doe,john@example.com,+16782319992,"
        "1769738400,2026-01-30T02:00:00.000Z,widget,Pacific Coast Container Haulers,"
        "\"400 Harbor Blvd, Long Beach\",Asked for a quote,https://www.example.com,USD,12500,2026-06-30,"
        "Drayage,en,https://linkedin.example/in/johndoe,,,2026-02-03,14:30,https://meet.example.com/abc,,71,"
        "2026-01-31T09:30:00.000Z\n",
    "crm_activities":
        "provider,lead_id,agent_id,position,id,title,date,due_date,completed,responded,first_engaged,second_engaged,"
        "note,metadata\n"
        "convocore,example,agent-1,0,act-1,Intro call,2026-01-31T09:30:00.000Z,,true,true,true,false,"
        "Wants a quote for 40 containers a month,\"{\"\"channel\"\":\"\"phone\"\"}\"\n",
    "crm_activity_notes":
        "provider,lead_id,agent_id,crm_activity_id,crm_activity_position,position,text,note_agent_id,"
        "note_agent_name,timestamp\n"
        "convocore,example,agent-1,act-1,0,0,Left a voicemail,agent-1,Ada,1769851800000\n",
}

CONVOCORE_LEAD = {
    "id": "example", "convo_id": "convo-7f3a", "user_id": "user-42", "name": "John Doe",
    "email": "john@example.com", "phone": "+16782319992", "ts": 1769738400,
    "created_at": "2026-01-30T02:00:00.000Z", "meta_data_source": "widget",
    "meta_data_company": "Pacific Coast Container Haulers", "meta_data_address": "400 Harbor Blvd, Long Beach",
    "meta_data_notes": "Asked for a quote", "meta_data_website": "https://www.example.com",
    "meta_data_currency": "USD", "meta_data_value": "12500", "meta_data_expected_close_date": "2026-06-30",
    "meta_data_sub_industry": "Drayage", "meta_data_language": "en",
    "meta_data_linked_in": "https://linkedin.example/in/johndoe", "meta_data_facebook": None,
    "meta_data_instagram": None, "meta_data_demo_date": "2026-02-03", "meta_data_demo_time": "14:30",
    "meta_data_demo_link": "https://meet.example.com/abc", "meta_data_lost_reason": None, "hot_score": 71,
    "last_activity_date": "2026-01-31T09:30:00.000Z",
}
CONVOCORE_CHILDREN = {
    "crm_activities": [{
        "position": 0, "id": "act-1", "title": "Intro call", "date": "2026-01-31T09:30:00.000Z",
        "due_date": None, "completed": True, "responded": True, "first_engaged": True, "second_engaged": False,
        "note": "Wants a quote for 40 containers a month", "metadata": {"channel": "phone"}}],
    "crm_activity_notes": [{
        "crm_activity_id": "act-1", "crm_activity_position": 0, "position": 0, "text": "Left a voicemail",
        "note_agent_id": "agent-1", "note_agent_name": "Ada", "timestamp": 1769851800000}],
}


def export(leadpipe, sandbox, provider):
    done = leadpipe("export", *sandbox.provider(provider), "--id", "example", "-t", "csv:csv/",
                    "-t", "ndjson:lead.ndjson", "-t", "ndjson,layout=rows:rows.ndjson",
                    "-t", "ndjson,layout=raw:raw.ndjson", "-t", "msgpack:lead.msgpack.gz",
                    "-t", "msgpack,layout=rows,gzip=0:rows.msgpack", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    return leadpipe.folder


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def check_golden(folder, provider, tables, lead, children):
    written = {path.stem: path.read_text() for path in (folder / "csv").iterdir()}
    assert written == tables
    keys = {"provider": provider, "lead_id": "example", **({"agent_id": "agent-1"} if provider == "convocore" else {})}
    # Python dicts keep their order, so that the order of columns is compared too.
    whole = {**keys, **lead, **children}
    assert (folder / "lead.ndjson").read_text() == compact(whole) + "\n"
    assert gzip.decompress((folder / "lead.msgpack.gz").read_bytes()) == msgpack.packb(whole)
    rows = [{"_table": "leads", **keys, **lead}]
    rows += [{"_table": table, **keys, **row} for table, listed in children.items() for row in listed]
    assert (folder / "rows.ndjson").read_text() == "".join(compact(row) + "\n" for row in rows)
    assert (folder / "rows.msgpack").read_bytes() == b"".join(map(msgpack.packb, rows))


def check_raw(folder, provider, first, last):
    line = (folder / "raw.ndjson").read_text()
    assert line.startswith('{"provider":"%s","lead_id":"example","payload":%s' % (provider, first))
    assert line.endswith(last + "}\n")
    assert json.loads(line)["lead_id"] == "example"


def test_omni(leadpipe, sandbox, control):
    folder = export(leadpipe, sandbox, "omni")
    check_golden(folder, "omni", OMNI_CSV, OMNI_LEAD, OMNI_CHILDREN)
    check_raw(folder, "omni", '{"lead":{"id":"a9d0a790-201b-47e9-84ed-cc7eed1270c5","activitySummary":null,',
              '"lastAction":null,"nextFollowUp":null,"nextDraft":null}')


def test_convocore(leadpipe, sandbox, control):
    folder = export(leadpipe, sandbox, "convocore")
    check_golden(folder, "convocore", CONVOCORE_CSV, CONVOCORE_LEAD, CONVOCORE_CHILDREN)
    # layout raw is the whole answer, its envelope included
    check_raw(folder, "convocore", '{"success":true,"message":"Lead fetched successfully","data":{"id":"example",',
              '"metadata":{"channel":"phone"}}]}}')
