# The documented columns of every omni table, as CSV rows that begin with their
# table's name. No headers, and no columns that are not documented.
def cell: if type == "object" or type == "array" then tojson else . end;
def pick(names): . as $o | [names[] | $o[.] | cell];
def unsigned: if .signedUrl then .signedUrl |= split("?")[0] else . end;
def row($table; cells): "\u001e" + $table + "\t" + (cells | @csv);
def action: pick(["id", "type", "status", "summary", "createdAt"]);
def document: unsigned | pick(["id", "filename", "mimeType", "size", "signedUrl", "createdAt", "metadata"]);

. as $p
| ["omni", (input_filename | split("/")[-1])] as $key
| row("leads"; $key + [.status] + (.lead | pick(["id", "activitySummary", "assigneeType", "businessName",
    "createdAt", "deletedAt", "didOptOut", "email", "emailVerifiedAt", "externalLeadId",
    "externalPortalLink", "firstName", "isTest", "lastName", "phoneNumber", "phoneVerifiedAt", "source",
    "submittedAt", "updatedAt", "website", "workspaceId"]))
    + [([.checklistItems[]?.items[]?] | length), (.documents | length), (.actionLogs | length),
       (.matchingLeads | length)]
    + (.lastAction | action) + (.nextFollowUp | action) + (.nextDraft | action)),
  ((.checklistItems // []) | to_entries[] | .key as $g | .value as $group
    | ($group.items // []) | to_entries[] | .key as $i | .value as $item
    | row("checklist_items"; $key + [$g, $group.id, $group.name, ($group.conditions | cell), $i]
        + ($item | pick(["id", "checklistItemId"]))
        + ($item.checklistItem | pick(["code", "label", "fieldType", "isRequired", "conditions",
            "validationRules"]))
        + ($item | pick(["value", "status", "itemOverride"]))),
      (($item.documents // []) | to_entries[]
        | row("checklist_item_documents"; $key + [$item.id, $g, $i, .key] + (.value | document)))),
  ((.documents // []) | to_entries[]
    | row("documents"; $key + [.key] + (.value | document)
        + [(.value.leadChecklistItemDocument | cell)])),
  ((.actionLogs // []) | to_entries[] | .key as $g | .value as $log
    | row("action_logs"; $key + [$g] + ($log | pick(["id", "type", "status", "summary", "input", "output",
        "error", "parentActionId", "scheduledAt", "createdAt", "completedAt"]))
        + ($log.tool | pick(["id", "name", "description"]))),
      (($log.messages // []) | to_entries[] | .key as $m | .value as $message
        | row("action_log_messages"; $key + [$log.id, $g, $m]
            + ($message | pick(["id", "channel", "direction", "subject", "body"]))),
          (($message.documents // []) | to_entries[]
            | row("action_log_message_documents"; $key + [$log.id, $g, $message.id, $m, .key]
                + (.value | unsigned | pick(["id", "filename", "mimeType", "size", "signedUrl"])))))),
  ((.matchingLeads // []) | to_entries[] | row("matching_leads"; $key + [.key, .value.id]))
