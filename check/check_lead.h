/* Checks whether the provider has leads: requests them until one is found. Private to check. */
#ifndef LEADPIPE_CHECK_LEAD_H
#define LEADPIPE_CHECK_LEAD_H

#include "check/asking.h"

/* Leads that are requested until one is found. */
#define CHECK_LEADS_MAX 5

struct flatten_plan;

struct lead_check {
    struct asking *asking;
    struct flatten_plan *plan;
    bool is_over;       /* requesting another lead would show nothing more */
    int missing_status; /* of the last lead: 404 or 410; 0: it was not missing */
};

/* RC_NOMEM. Call lead_check_close() even after a failure. */
enum rc lead_check_open(struct lead_check *l, struct asking *a, struct err *e);
void lead_check_close(struct lead_check *l);

/* Requests the lead, and reports on it and on the key; nothing if it is missing. RC_NOMEM. */
enum rc lead_check_ask(struct lead_check *l, struct str id, const struct str *params,
                       struct err *e);

#endif
