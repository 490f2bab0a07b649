#include "sinks/push/account.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEM_KEEP_BYTES ((size_t)64 << 10)

/* ---- texts ---------------------------------------------------------------------------------- */

/* A scalar as a text; absent: it is none, or null. */
static struct str scalar_text(const cJSON *v)
{
    switch (v ? v->type & 0xFF : cJSON_NULL) {
    case cJSON_String:
    case cJSON_Number:
        return json_text(v);
    case cJSON_True:
        return STR("true");
    case cJSON_False:
        return STR("false");
    default:
        return STR_NONE;
    }
}

/* One line of it, cut to `most` bytes; absent where there is nothing to show, or no memory (a->refused). */
static struct str one_line(struct arena *a, struct str text, size_t most)
{
    if (text.len == 0)
        return STR_NONE;
    char *copy = arena_strdup(a, text);
    if (!copy)
        return STR_NONE;
    size_t n = utf8_cut(copy, most);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)copy[i];
        if (c < 0x20 || c == 0x7f)
            copy[i] = ' ';
    }
    copy[n] = '\0';
    return (struct str){copy, n};
}

static struct str text_at(struct arena *a, const struct json_pointer *p, const cJSON *from,
                          size_t most)
{
    return one_line(a, scalar_text(json_pointer_find(p, from)), most);
}

/* ---- one answer ----------------------------------------------------------------------------- */

struct accounts {
    const struct answer_rules *rules;
    struct arena *a;
    const cJSON *body; /* NULL: it is no JSON */
    const struct str *items;
    size_t n;
    struct item_answer *out;
    bool *known; /* what has an answer */
    /* The first entry that says of an item that it failed, and not of which. NULL: there is none. */
    const cJSON *stray;
    const struct answer_entries *stray_of;
};

static struct item_answer failed(struct str code, struct str message)
{
    return (struct item_answer){ITEM_FAILED, code, message};
}

static bool is_one_of(const int *statuses, size_t n, int status)
{
    for (size_t i = 0; i < n; i++) {
        if (statuses[i] == status)
            return true;
    }
    return false;
}

static bool is_retried(const struct answer_rules *rules, struct str code)
{
    for (size_t i = 0; i < rules->n_retry_if; i++) {
        if (code.len && str_eq(rules->retry_if[i], code))
            return true;
    }
    return false;
}

/* ---- whole refusals ------------------------------------------------------------------------- */

static const cJSON *refusal_of(const cJSON *body)
{
    return body && json_is_array(body) ? body->child : body;
}

/* A text of a whole refusal: where the rules say that it is, or where it is in an entry. */
static struct str refusal_text(const cJSON *body, const struct json_pointer *const places[],
                               size_t most, struct arena *a)
{
    const cJSON *from = refusal_of(body);
    struct str text = STR_NONE;
    for (size_t i = 0; from && !text.ptr && i < 3; i++) {
        if (places[i])
            text = text_at(a, places[i], from, most);
    }
    return text;
}

static struct str refusal_code(const struct answer_rules *r, const cJSON *body, struct arena *a)
{
    const struct json_pointer *const places[] = {
        r->has_code ? &r->code : NULL,
        r->errors.has_code ? &r->errors.code : NULL,
        r->results.has_code ? &r->results.code : NULL,
    };
    return refusal_text(body, places, ACCOUNT_TEXT_MAX, a);
}

static struct str refusal_message(const struct answer_rules *r, const cJSON *body, struct arena *a)
{
    const struct json_pointer *const places[] = {
        r->has_message ? &r->message : NULL,
        r->errors.has_message ? &r->errors.message : NULL,
        r->results.has_message ? &r->results.message : NULL,
    };
    return refusal_text(body, places, ACCOUNT_TEXT_MAX, a);
}

static void refuse_all(const struct accounts *s)
{
    struct item_answer all =
        failed(refusal_code(s->rules, s->body, s->a), refusal_message(s->rules, s->body, s->a));
    if (s->n == 1 && is_retried(s->rules, all.code))
        all.fate = ITEM_AGAIN;
    for (size_t i = 0; i < s->n; i++)
        s->out[i] = all;
}

/* ---- entries -------------------------------------------------------------------------------- */

/* What an item has where entries look for it. */
struct item_key {
    struct str text;
    size_t item;
    size_t n_found; /* of the first with its text: how many from it on entries have spoken of */
};

static int compare_texts(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int by_bytes = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return by_bytes ? by_bytes : (a.len > b.len) - (a.len < b.len);
}

static int compare_keys(const void *a, const void *b)
{
    const struct item_key *left = a;
    const struct item_key *right = b;
    int by_text = compare_texts(left->text, right->text);
    return by_text ? by_text : (left->item > right->item) - (left->item < right->item);
}

/* Sorted; those that have no scalar there are left out. */
static enum rc make_keys(const struct accounts *s, const struct json_pointer *at,
                         struct item_key **out, size_t *n_out)
{
    struct item_key *keys = arena_array(s->a, s->n, sizeof *keys);
    struct arena parsed; /* of one item: how large they are is not the answer's doing */
    size_t n = 0;
    if (!keys)
        return RC_NOMEM;
    arena_init(&parsed, SIZE_MAX);
    for (size_t i = 0; i < s->n; i++) {
        struct json_doc doc;
        arena_reset(&parsed, ITEM_KEEP_BYTES);
        enum rc rc = json_parse(&parsed, s->items[i], JSON_TREE | JSON_OWN, &doc, NULL);
        struct str text = rc == RC_OK ? scalar_text(json_pointer_find(at, doc.root)) : STR_NONE;
        const char *copy = text.ptr ? arena_strdup(s->a, text) : NULL;
        if (rc == RC_NOMEM || (text.ptr && !copy)) {
            arena_free(&parsed);
            return RC_NOMEM;
        }
        if (copy)
            keys[n++] = (struct item_key){{copy, text.len}, i, 0};
    }
    arena_free(&parsed);
    qsort(keys, n, sizeof *keys, compare_keys);
    *out = keys;
    *n_out = n;
    return RC_OK;
}

/* The first of those with that text; NULL: there is none. */
static struct item_key *find_key(struct item_key *keys, size_t n, struct str text)
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_texts(keys[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && str_eq(keys[low].text, text) ? &keys[low] : NULL;
}

/* The first item from `first` on with its text of which no entry has spoken; NULL: there is none. */
static const struct item_key *next_item(const struct accounts *s, const struct item_key *keys,
                                        size_t n, struct item_key *first)
{
    const struct item_key *end = keys + n;
    for (const struct item_key *key; (key = first + first->n_found) < end; first->n_found++) {
        if (!str_eq(key->text, first->text))
            return NULL;
        if (!s->known[key->item])
            return key;
    }
    return NULL;
}

static bool is_success(const struct answer_entries *e, const cJSON *entry)
{
    const cJSON *v = json_pointer_find(&e->success, entry);
    if (!e->success_text.ptr)
        return v && (v->type & 0xFF) == cJSON_True;
    struct str text = scalar_text(v);
    return text.ptr && str_eq(text, e->success_text);
}

static void take_entry(struct accounts *s, const struct answer_entries *e, bool is_error,
                       const cJSON *entry, size_t item)
{
    struct item_answer *out = &s->out[item];
    s->known[item] = true;
    if (!is_error && (!e->has_success || is_success(e, entry))) {
        *out = (struct item_answer){.fate = ITEM_ACCEPTED};
        return;
    }
    *out = failed(e->has_code ? text_at(s->a, &e->code, entry, ACCOUNT_TEXT_MAX) : STR_NONE,
                  e->has_message ? text_at(s->a, &e->message, entry, ACCOUNT_TEXT_MAX) : STR_NONE);
    if (is_retried(s->rules, out->code))
        out->fate = ITEM_AGAIN;
}

/* A failure that is of no item that can be known: then nothing is accepted unless an entry says so. */
static void note_stray(struct accounts *s, const struct answer_entries *e, bool is_error,
                       const cJSON *entry)
{
    if (s->stray || (!is_error && (!e->has_success || is_success(e, entry))))
        return;
    s->stray = entry;
    s->stray_of = e;
}

static bool is_null(const cJSON *v)
{
    return (v->type & 0xFF) == cJSON_NULL;
}

/* A value that is no array is the only entry. */
static const cJSON *first_entry(const cJSON *at)
{
    return json_is_array(at) ? at->child : at;
}

static const cJSON *next_entry(const cJSON *at, const cJSON *entry)
{
    return json_is_array(at) ? entry->next : NULL;
}

static void take_by_position(struct accounts *s, const struct answer_entries *e, bool is_error,
                             const cJSON *at)
{
    size_t n = 0;
    size_t i = 0;
    for (const cJSON *entry = first_entry(at); entry; entry = next_entry(at, entry))
        n++;
    bool is_each = n == s->n; /* else it cannot be known whose they are */
    for (const cJSON *entry = first_entry(at); entry; entry = next_entry(at, entry), i++) {
        if (is_null(entry))
            continue; /* it says nothing */
        if (!is_each)
            note_stray(s, e, is_error, entry);
        else if (!s->known[i])
            take_entry(s, e, is_error, entry, i);
    }
}

static enum rc take_by_match(struct accounts *s, const struct answer_entries *e, bool is_error,
                             const cJSON *at)
{
    struct item_key *keys = NULL;
    size_t n = 0;
    enum rc rc = make_keys(s, &e->item, &keys, &n);
    if (rc != RC_OK)
        return rc;
    for (const cJSON *entry = first_entry(at); entry; entry = next_entry(at, entry)) {
        struct str text = scalar_text(json_pointer_find(&e->entry, entry));
        struct item_key *first = text.ptr ? find_key(keys, n, text) : NULL;
        const struct item_key *key = first ? next_item(s, keys, n, first) : NULL;
        if (key)
            take_entry(s, e, is_error, entry, key->item);
        else if (!first)
            note_stray(s, e, is_error, entry);
    }
    return RC_OK;
}

static enum rc take_entries(struct accounts *s, const struct answer_entries *e, bool is_error)
{
    const cJSON *at = e->is_given && s->body ? json_pointer_find(&e->at, s->body) : NULL;
    if (!at || is_null(at) || !first_entry(at))
        return RC_OK;
    if (!e->by_position)
        return take_by_match(s, e, is_error, at);
    take_by_position(s, e, is_error, at);
    return RC_OK;
}

/* What is said of an item of which no entry speaks. */
static struct item_answer unaccounted(const struct accounts *s, bool expects_json)
{
    static const char silent[] = "the answer does not say what became of this item";
    const struct answer_entries *e = s->stray_of;
    struct str said = s->stray && e->has_message
                          ? text_at(s->a, &e->message, s->stray, ACCOUNT_TEXT_MAX)
                          : STR_NONE;
    if (!s->body && expects_json)
        return failed(STR("unaccounted"),
                      STR("the answer is not JSON, so it does not say what became of this item"));
    if (!s->stray && s->rules->unaccounted_ok)
        return (struct item_answer){.fate = ITEM_ACCEPTED};
    if (!s->stray)
        return failed(STR("unaccounted"), STR(silent));
    size_t size = sizeof silent + 64 + said.len;
    char *text = arena_alloc(s->a, size);
    if (!text)
        return failed(STR("unaccounted"), STR(silent));
    (void)snprintf(text, size, "%s; it has an error that names none of the items%s" STR_FMT, silent,
                   said.len ? ": " : "", STR_ARG(said));
    return failed(STR("unaccounted"), str_c(text));
}

static enum rc take_items(struct accounts *s)
{
    const struct answer_rules *rules = s->rules;
    bool expects_json = rules->results.is_given || rules->errors.is_given;
    enum rc rc = take_entries(s, &rules->errors, true);
    if (rc == RC_OK)
        rc = take_entries(s, &rules->results, false);
    if (rc != RC_OK)
        return rc;
    struct item_answer rest = unaccounted(s, expects_json);
    for (size_t i = 0; i < s->n; i++) {
        if (!s->known[i])
            s->out[i] = rest;
    }
    return RC_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

enum rc account_parse(struct str body, struct arena *a, const cJSON **out)
{
    struct json_doc doc;
    a->refused = RC_OK;
    enum rc rc = body.len ? json_parse(a, body, JSON_TREE, &doc, NULL) : RC_SYNTAX;
    *out = rc == RC_OK ? doc.root : NULL;
    return rc == RC_NOMEM ? rc : a->refused;
}

enum rc account_answer(const struct answer_rules *rules, int status, const cJSON *body,
                       const struct str *items, size_t n, struct arena *a, struct item_answer *out,
                       enum answer_kind *kind)
{
    struct accounts s = {.rules = rules, .a = a, .body = body, .items = items, .n = n, .out = out};
    enum rc rc = RC_OK;
    *kind = ANSWER_ITEMS;
    for (size_t i = 0; i < n; i++)
        out[i] = failed(STR_NONE, STR_NONE);
    a->refused = RC_OK;
    if (is_one_of(rules->ok, rules->n_ok, status)) {
        s.known = arena_zalloc(a, n * sizeof *s.known);
        rc = s.known ? take_items(&s) : RC_NOMEM;
    } else {
        refuse_all(&s);
        if (n > 1 && is_one_of(rules->bisect_on, rules->n_bisect_on, status))
            *kind = ANSWER_BISECT;
    }
    /* A text that is missing may be a code that decides. */
    return a->refused != RC_OK ? a->refused : rc;
}

struct str account_code(const struct answer_rules *rules, const cJSON *body, struct arena *a)
{
    return refusal_code(rules, body, a);
}

bool answer_matches(const struct answer_match *matches, size_t n, int status, struct str code)
{
    for (size_t i = 0; i < n; i++) {
        bool same_code = !matches[i].code.ptr || str_eq(matches[i].code, code);
        if (matches[i].status == status && same_code)
            return true;
    }
    return false;
}
