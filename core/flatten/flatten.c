#include "core/flatten/flatten.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/flatten/payload_hash.h"
#include "core/flatten/walk.h"

#define PLAN_BYTES_MAX ((size_t)256 << 20)

/* ---- the plan ------------------------------------------------------------------------------- */

enum rc flatten_plan_new(struct flatten_plan **out, const struct profile *p, enum signed_urls urls,
                         struct err *e)
{
    struct flatten_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return err_nomem(e);
    arena_init(&plan->memory, PLAN_BYTES_MAX);
    plan->profile = p;
    plan->urls = signed_urls_of(p, urls);
    plan->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
    enum rc rc = plan_build(plan);
    if (rc == RC_OK)
        rc = prescan_make(&plan->prescan, &plan->memory, p);
    if (rc != RC_OK)
        rc = err_nomem(e);
    else if (!plan->digest)
        rc = err_set(e, RC_INTERNAL, "libcrypto does not provide SHA-256");
    if (rc != RC_OK) {
        flatten_plan_free(plan);
        return rc;
    }
    *out = plan;
    return RC_OK;
}

void flatten_plan_free(struct flatten_plan *plan)
{
    if (!plan)
        return;
    EVP_MD_free(plan->digest);
    arena_free(&plan->memory);
    free(plan);
}

/* ---- what the provider says ----------------------------------------------------------------- */

/* Appends one character of `text`, so that the whole stays one line of UTF-8. Returns how many
 * bytes it took. */
static size_t add_character(struct buf *b, const unsigned char *text, size_t n)
{
    size_t len = utf8_sequence(text, n);
    if (len == 0) {
        buf_adds(b, "\xEF\xBF\xBD"); /* U+FFFD */
        return utf8_invalid_run(text, n);
    }
    if (len == 1 && (text[0] <= ' ' || text[0] == 0x7F)) {
        if (b->len && b->data[b->len - 1] != ' ')
            buf_addc(b, ' ');
        return 1;
    }
    buf_add(b, text, len);
    return len;
}

/* One line of at most FLATTEN_MESSAGE_BYTES_MAX bytes; NULL where nothing is left of it. */
static const char *make_line(struct arena *a, struct str text)
{
    struct buf line;
    buf_init(&line, FLATTEN_MESSAGE_BYTES_MAX + 4);
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t left = text.len, len = 0;
    while (left && line.len <= FLATTEN_MESSAGE_BYTES_MAX) {
        len = line.len;
        size_t took = add_character(&line, at, left);
        at += took;
        left -= took;
    }
    if (line.len <= FLATTEN_MESSAGE_BYTES_MAX)
        len = line.len;
    if (len && line.data[len - 1] == ' ')
        len--;
    const char *copy = NULL;
    if (len && buf_rc(&line) == RC_OK)
        copy = arena_strdup(a, (struct str){line.data, len});
    buf_free(&line);
    return copy;
}

/* The first of the places that has a text or a number. */
static const char *find_text(struct arena *a, const cJSON *body, const struct path *paths, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const cJSON *v = path_find(&paths[i], body);
        if (!v || (!cJSON_IsString(v) && !cJSON_IsNumber(v)))
            continue;
        const char *text = make_line(a, json_text(v));
        if (text)
            return text;
    }
    return NULL;
}

static const char *find_message(const struct flatten_plan *plan, struct lead *lead,
                                const cJSON *body)
{
    const struct profile *p = plan->profile;
    return find_text(&lead->arena, body, p->messages, p->n_messages);
}

void flatten_error_body(const struct flatten_plan *plan, struct lead *lead, struct str body,
                        const char **message, const char **code)
{
    const struct profile *p = plan->profile;
    struct json_doc doc = {.root = NULL};
    const char *found_message = NULL, *found_code = NULL;
    if (body.len && json_parse(&lead->arena, body, JSON_TREE, &doc, NULL) == RC_OK) {
        found_message = find_message(plan, lead, doc.root);
        found_code = find_text(&lead->arena, doc.root, p->codes, p->n_codes);
    }
    if (!found_message && body.len)
        found_message = make_line(&lead->arena, body);
    *message = found_message;
    *code = found_code;
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* The provider's own, where it gives one. */
static const char *find_code(const struct flatten_plan *plan, struct lead *lead, const cJSON *body,
                             const char *own_code)
{
    const struct profile *p = plan->profile;
    const char *code = find_text(&lead->arena, body, p->codes, p->n_codes);
    return code ? code : own_code;
}

static enum rc refuse_unsuccessful(const struct flatten_plan *plan, struct lead *lead,
                                   const cJSON *body, const char **code, struct err *e)
{
    const char *message = find_message(plan, lead, body);
    *code = find_code(plan, lead, body, "not_successful");
    return err_set(e, RC_CLOSED, "%s", message ? message : "the response reports a failure");
}

static enum rc refuse_missing(const struct flatten_plan *plan, struct lead *lead, const cJSON *body,
                              struct str path, const char **code, struct err *e)
{
    char text[256] = "the response is not a JSON object";
    if (plan->profile->root.n_steps || path.len)
        (void)snprintf(text, sizeof text, "the response has no object at \"%.*s%.*s\"",
                       STR_ARG(plan->profile->root.text), STR_ARG(path));
    const char *message = find_message(plan, lead, body);
    *code = find_code(plan, lead, body, "no_lead");
    return err_set(e, RC_CLOSED, "%s%s%s", text, message ? ": " : "", message ? message : "");
}

static struct str other_id(const struct profile *p, const cJSON *root, struct str id)
{
    const cJSON *own = p->own_id.n_steps ? path_find(&p->own_id, root) : NULL;
    if (!own || (!cJSON_IsString(own) && !cJSON_IsNumber(own)))
        return STR_NONE;
    return str_eq(json_text_key(own), id) ? STR_NONE : json_text(own);
}

static enum rc parse_tree(const struct flatten_plan *plan, struct lead *lead, unsigned want,
                          const char **code, struct err *e)
{
    const struct profile *p = plan->profile;
    struct json_doc doc;
    enum rc rc = json_parse(&lead->arena, buf_str(&lead->body), want | JSON_TREE, &doc, e);
    if (rc != RC_OK)
        return rc;
    const cJSON *success = p->success.n_steps ? path_find(&p->success, doc.root) : NULL;
    if (success && cJSON_IsFalse(success))
        return refuse_unsuccessful(plan, lead, doc.root, code, e);
    const cJSON *root = path_find(&p->root, doc.root);
    if (!root)
        return refuse_missing(plan, lead, doc.root, STR(""), code, e);
    for (size_t i = 0; i < p->n_required; i++) {
        const cJSON *object = path_find(&p->required[i], root);
        if (!object || !cJSON_IsObject(object))
            return refuse_missing(plan, lead, doc.root, p->required[i].text, code, e);
    }
    lead->doc = doc;
    lead->root = root;
    lead->other_id = other_id(p, root, lead->id);
    return RC_OK;
}

enum rc flatten_parse(const struct flatten_plan *plan, struct lead *lead, unsigned want,
                      const char **code, struct err *e)
{
    bool enough = false;
    enum rc rc = RC_OK;
    if (!(want & JSON_TREE) && plan->prescan.possible)
        rc = prescan_run(&plan->prescan, lead, &enough, e);
    return rc != RC_OK || enough ? rc : parse_tree(plan, lead, want, code, e);
}

/* ---- rows ----------------------------------------------------------------------------------- */

enum rc flatten_rows(const struct flatten_plan *plan, struct lead *lead, unsigned hashes,
                     struct err *e)
{
    enum rc rc = hashes ? payload_hash(plan, lead, hashes, e) : RC_OK;
    return rc != RC_OK ? rc : walk_payload(plan, lead, e);
}
