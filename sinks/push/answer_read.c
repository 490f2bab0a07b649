/* "answer" of a destination: what a good answer is, and how items are told apart. */
#include <stdio.h>

#include "sinks/push/destination_internal.h"

#define STATUSES_MAX 16
#define CODES_MAX 64
#define CODE_BYTES_MAX 256

/* ---- pointers into an item ------------------------------------------------------------------ */

static bool is_directive(const cJSON *json)
{
    for (const cJSON *m = json_is_object(json) ? json->child : NULL; m; m = m->next) {
        if (m->string[0] == '$' && m->string[1] != '$')
            return true;
    }
    return false;
}

/* The member of a template that has this name in what it makes. */
static const cJSON *find_step(const cJSON *at, struct str name)
{
    size_t index = 0;
    for (const cJSON *m = at->child; m; m = m->next, index++) {
        struct str made = json_is_object(at) ? json_member_name(m) : STR_NONE;
        if (made.len && made.ptr[0] == '$')
            made = (struct str){made.ptr + 1, made.len - 1};
        if (json_is_object(at) && str_eq(made, name))
            return m;
        char digits[24];
        int n = snprintf(digits, sizeof digits, "%zu", index);
        if (json_is_array(at) && n > 0 && str_eq(name, (struct str){digits, (size_t)n}))
            return m;
    }
    return NULL;
}

enum rc item_pointer_read(const struct reader *r, const struct member *at,
                          const struct member *item, struct json_pointer *out)
{
    enum rc rc = member_pointer(&r->json, at, out);
    if (rc != RC_OK)
        return rc;
    const cJSON *value = item->json;
    for (size_t i = 0; value && !is_directive(value) && i < out->n_steps; i++)
        value = find_step(value, out->steps[i]);
    if (!value)
        return member_refuse(&r->json, at, "\"%.200s\" leads nowhere in /item", out->text.ptr);
    return RC_OK;
}

/* ---- statuses and codes --------------------------------------------------------------------- */

struct status_range {
    uint64_t min, max;
};

static enum rc read_statuses(const struct reader *r, const struct member *at,
                             struct status_range range, int *out, size_t *n)
{
    enum rc rc = member_list(&r->json, at, 1, STATUSES_MAX, n);
    for (struct member m = member_first(at); rc == RC_OK && m.json; member_next(&m)) {
        uint64_t status = 0;
        rc = member_whole(&r->json, &m, range.min, range.max, &status);
        out[m.index] = (int)status;
        for (size_t i = 0; rc == RC_OK && i < m.index; i++) {
            if (out[i] == (int)status)
                return member_refuse(&r->json, &m, "appears twice");
        }
    }
    return rc;
}

static enum rc read_code(const struct reader *r, const struct member *at, void *out)
{
    return member_some_text(&r->json, at, CODE_BYTES_MAX, out);
}

/* ---- entries -------------------------------------------------------------------------------- */

static enum rc read_match(const struct reader *r, const struct member *at,
                          const struct member *item, size_t max_items, struct answer_entries *out)
{
    if (!at->json && max_items == 1) {
        out->by_position = true;
        return RC_OK;
    }
    if (!at->json)
        return member_refuse(&r->json, at,
                             "is missing: a request has several items (allowed: \"position\", "
                             "a JSON pointer, {\"entry\": ..., \"item\": ...})");
    if (cJSON_IsString(at->json) && strcmp(at->json->valuestring, "position") == 0) {
        out->by_position = true;
        return RC_OK;
    }
    if (cJSON_IsString(at->json) && at->json->valuestring[0] == '/') {
        enum rc rc = item_pointer_read(r, at, item, &out->item);
        return rc == RC_OK ? member_pointer(&r->json, at, &out->entry) : rc;
    }
    if (!json_is_object(at->json))
        return member_refuse(&r->json, at, "must be \"position\", a JSON pointer or an object");
    const struct member entry = member_of(at, "entry"), of_item = member_of(at, "item");
    enum rc rc = member_object(&r->json, at, "entry item");
    if (rc == RC_OK)
        rc = member_pointer(&r->json, &entry, &out->entry);
    return rc == RC_OK ? item_pointer_read(r, &of_item, item, &out->item) : rc;
}

static enum rc read_success(const struct reader *r, const struct member *at,
                            struct answer_entries *out)
{
    if (!at->json)
        return RC_OK;
    out->has_success = true;
    if (cJSON_IsString(at->json))
        return member_pointer(&r->json, at, &out->success);
    size_t n = 0;
    if (!json_is_array(at->json))
        return member_refuse(&r->json, at, "must be a JSON pointer or [pointer, value]");
    enum rc rc = member_list(&r->json, at, 2, 2, &n);
    if (rc != RC_OK)
        return rc;
    struct member m = member_first(at);
    rc = member_pointer(&r->json, &m, &out->success);
    member_next(&m);
    return rc == RC_OK ? member_some_text(&r->json, &m, CODE_BYTES_MAX, &out->success_text) : rc;
}

static enum rc read_optional(const struct reader *r, const struct member *at, bool *has,
                             struct json_pointer *out)
{
    *has = at->json != NULL;
    return at->json ? member_pointer(&r->json, at, out) : RC_OK;
}

static enum rc read_entries(const struct reader *r, const struct member *at,
                            const struct member *item, size_t max_items, bool are_results,
                            struct answer_entries *out)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(
        &r->json, at, are_results ? "at match success code message" : "at match code message");
    const struct member place = member_of(at, "at"), match = member_of(at, "match"),
                        success = member_of(at, "success"), code = member_of(at, "code"),
                        message = member_of(at, "message");
    out->is_given = true;
    if (rc == RC_OK)
        rc = member_pointer(&r->json, &place, &out->at);
    if (rc == RC_OK)
        rc = read_match(r, &match, item, max_items, out);
    if (rc == RC_OK)
        rc = read_success(r, &success, out);
    if (rc == RC_OK)
        rc = read_optional(r, &code, &out->has_code, &out->code);
    return rc == RC_OK ? read_optional(r, &message, &out->has_message, &out->message) : rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum rc read_lists(const struct reader *r, const struct member *at, size_t max_items,
                          struct answer_rules *out)
{
    const struct member ok = member_of(at, "ok"), retry_if = member_of(at, "retry_if"),
                        bisect_on = member_of(at, "bisect_on");
    void *codes = NULL;
    enum rc rc = read_statuses(r, &ok, (struct status_range){200, 299}, out->ok, &out->n_ok);
    if (rc == RC_OK)
        rc = member_each(r, &retry_if, CODES_MAX, sizeof *out->retry_if, read_code, &codes,
                         &out->n_retry_if);
    out->retry_if = codes;
    if (rc != RC_OK || !bisect_on.json)
        return rc;
    if (max_items == 1)
        return member_refuse(
            &r->json, &bisect_on,
            "needs batch/max_items above 1: a request with one item cannot be cut in halves");
    return read_statuses(r, &bisect_on, (struct status_range){400, 499}, out->bisect_on,
                         &out->n_bisect_on);
}

/* Without these an answer says nothing about any item. */
static enum rc check_accounted(const struct reader *r, const struct member *at,
                               const struct answer_rules *a)
{
    if (a->n_retry_if && !a->results.has_code && !a->errors.has_code) {
        const struct member retry_if = member_of(at, "retry_if");
        return member_refuse(&r->json, &retry_if, "needs \"code\" in \"results\" or \"errors\"");
    }
    if (a->results.is_given || a->unaccounted_ok)
        return RC_OK;
    return member_refuse(&r->json, at,
                         "must have \"results\", or \"unaccounted\": \"ok\" for an API whose "
                         "answers do not name what was accepted: else every item fails");
}

enum rc answer_read(const struct reader *r, const struct member *at, const struct member *item,
                    size_t max_items, struct answer_rules *out)
{
    enum rc rc = member_object(&r->json, at,
                               "ok results errors unaccounted retry_if bisect_on code message");
    const struct member results = member_of(at, "results"), errors = member_of(at, "errors"),
                        unaccounted = member_of(at, "unaccounted"), code = member_of(at, "code"),
                        message = member_of(at, "message");
    unsigned fate = 0;
    if (rc == RC_OK)
        rc = read_lists(r, at, max_items, out);
    if (rc == RC_OK)
        rc = read_entries(r, &results, item, max_items, true, &out->results);
    if (rc == RC_OK)
        rc = read_entries(r, &errors, item, max_items, false, &out->errors);
    if (rc == RC_OK && unaccounted.json)
        rc = member_choice(&r->json, &unaccounted, "failed ok", &fate);
    out->unaccounted_ok = fate == 1;
    if (rc == RC_OK)
        rc = read_optional(r, &code, &out->has_code, &out->code);
    if (rc == RC_OK)
        rc = read_optional(r, &message, &out->has_message, &out->message);
    return rc == RC_OK ? check_accounted(r, at, out) : rc;
}
