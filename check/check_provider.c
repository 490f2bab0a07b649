#include "check/check_provider.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "check/asking.h"
#include "check/check_lead.h"
#include "check/check_list.h"
#include "core/file/descriptor.h"

#define IDS_BYTES_MAX ((size_t)16 << 20)

struct leads {
    struct lead_check check;
    const struct findings *to;
    struct arena memory; /* of IDs */
    unsigned n_read;     /* IDs of the input, bad lines included */
};

/* No lead was fetched. `has_more`: there may be further IDs, which were not read. */
static void report_none(const struct leads *l, bool has_more)
{
    char first[32] = "";
    if (has_more)
        (void)snprintf(first, sizeof first, "first %u ", l->n_read);
    if (l->n_read == 0)
        findings_add(l->to, FINDING_WARN, "ids", "the input has no IDs; nothing would be fetched");
    else if (l->check.asking->n_requests == 0)
        findings_add(l->to, FINDING_WARN, "lead",
                     "none was fetched, because none of the %sIDs in the input can be requested, "
                     "and the key was not checked; check --id-format, --id-column and the input",
                     first);
    else
        findings_add(l->to, FINDING_WARN, "lead",
                     "the provider has none of the %sIDs in the input; check that the IDs, the "
                     "parameters and the key are for the same account",
                     first);
}

static enum rc ask_item(struct leads *l, const struct id_item *item, struct err *e)
{
    l->n_read++;
    if (!item->bad)
        return lead_check_ask(&l->check, item->id, item->params, e);
    findings_add(l->to, FINDING_WARN, "ids", "%s: line %" PRIu64 ": %s", item->file, item->line,
                 item->bad);
    return RC_OK;
}

/* ---- IDs ------------------------------------------------------------------------------------ */

/* What is read from a pipe or a terminal is lost for its intended reader, and reading may block. */
static bool may_read(const struct ids_cfg *ids)
{
    struct stat st;
    for (size_t i = 0; i < ids->n_files; i++) {
        int fd = descriptor_read(ids->files[i]);
        bool is_there = fd >= 0 ? fstat(fd, &st) == 0 : stat(ids->files[i], &st) == 0;
        if (is_there && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            return false;
    }
    return true;
}

static enum rc ask_all(struct leads *l, struct id_source *ids, struct err *e)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && !l->check.is_over && l->n_read < CHECK_LEADS_MAX) {
        struct id_item item;
        arena_reset(&l->memory, IDS_BYTES_MAX);
        rc = ids->ops->next(ids, &l->memory, &item, e);
        if (rc == RC_OK)
            rc = ask_item(l, &item, e);
    }
    if ((rc == RC_OK || rc == RC_END) && !l->check.is_over)
        report_none(l, rc == RC_OK);
    return rc == RC_END ? RC_OK : rc;
}

static void ask_by_ids(struct leads *l)
{
    struct id_source *ids = NULL;
    struct err e;
    enum rc rc = ids_open(&ids, &l->check.asking->cfg->ids, &e);
    if (rc == RC_OK)
        rc = ask_all(l, ids, &e);
    if (rc != RC_OK)
        findings_add(l->to, FINDING_FAIL, "ids", "%s", e.msg);
    if (ids)
        ids->ops->close(ids);
}

static enum rc check_leads(struct asking *a, struct err *e)
{
    struct leads l = {.to = a->to};
    if (a->cfg->queue.open) {
        findings_add(
            a->to, FINDING_WARN, "lead",
            "none was fetched, because a check reads no message of a topic; check the same "
            "command with --id, instead of FILE, to check the key");
        return RC_OK;
    }
    if (!may_read(&a->cfg->ids)) {
        findings_add(
            a->to, FINDING_WARN, "lead",
            "none was fetched, because IDs come from a pipe or a terminal, which a check does not "
            "read; give one with --id to check the key");
        return RC_OK;
    }
    arena_init(&l.memory, IDS_BYTES_MAX);
    enum rc rc = lead_check_open(&l.check, a, e);
    if (rc == RC_OK)
        ask_by_ids(&l);
    lead_check_close(&l.check);
    arena_free(&l.memory);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

void check_provider(const struct run_cfg *cfg, bool may_request, const struct findings *f)
{
    struct asking a;
    struct err e;
    enum rc rc = asking_init(&a, cfg, f, &e);
    if (rc == RC_OK && may_request)
        rc = cfg->listing ? check_list(&a, &e) : check_leads(&a, &e);
    if (rc == RC_OK && a.n_requests == 0)
        rc = asking_connect(&a, &e);
    if (rc != RC_OK)
        findings_add(f, FINDING_FAIL, "provider", "%s", e.msg);
    asking_free(&a);
}
