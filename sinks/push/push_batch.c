#include "sinks/push/push_batch.h"

#include <stdio.h>

#include "core/base/blob.h"

/* Batches that have this much are sent as they are; so no mark holds more. */
#define BATCH_FULL_BYTES ((size_t)2 << 20)
#define ITEM_BYTES_MAX ((size_t)32 << 20)
#define MARK_BYTES_MAX ((size_t)1 << 26)

/* ---- open, close ---------------------------------------------------------------------------- */

enum rc batches_open(struct batches *b, const struct sink_cfg *cfg, const struct destination *d,
                     size_t around, struct err *e)
{
    *b = (struct batches){
        .destination = d,
        .profile = cfg->profile,
        .target = cfg->target,
        .around = around,
        .notes = cfg->state != NULL,
    };
    clock_format(cfg->started_ms, b->exported_at);
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_init(&b->scratch[i], TEMPLATE_SCRATCH_BYTES_MAX);
    b->input = (struct template_input){
        .profile = cfg->profile,
        .run_id = cfg->run_id,
        .exported_at = b->exported_at,
        .scratch = b->scratch,
    };
    buf_init(&b->json, ITEM_BYTES_MAX);
    buf_init(&b->url, ITEM_BYTES_MAX);
    buf_init(&b->headers, ITEM_BYTES_MAX);
    arena_init(&b->parsed, SIZE_MAX);
    for (size_t i = 0; i < BATCHES_MAX; i++)
        arena_init(&b->open[i].memory, SIZE_MAX);
    if (in_flight_open(&b->in_flight) != RC_OK)
        return err_nomem(e);
    enum rc rc = message_id_maker_new(&b->ids, e);
    if (rc == RC_OK)
        rc = message_id_maker_new(&b->rest_ids, e);
    return rc;
}

void batches_close(struct batches *b)
{
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_free(&b->scratch[i]);
    buf_free(&b->json);
    buf_free(&b->url);
    buf_free(&b->headers);
    arena_free(&b->parsed);
    for (size_t i = 0; i < BATCHES_MAX; i++)
        arena_free(&b->open[i].memory);
    in_flight_close(&b->in_flight);
    message_id_maker_free(b->ids);
    message_id_maker_free(b->rest_ids);
}

/* ---- ids ------------------------------------------------------------------------------------ */

/* The destination is in it: what another one made is not sent by this one's rules. */
static void begin_id(const struct batches *b, struct message_id_maker *ids)
{
    char digest[20];
    (void)snprintf(digest, sizeof digest, "%016llx", (unsigned long long)b->destination->digest);
    message_id_begin(ids);
    message_id_add(ids, STR("push"));
    message_id_add(ids, str_c(b->target));
    message_id_add(ids, str_c(digest));
    message_id_add(ids, b->profile->name);
}

static void add_to_id(const struct batches *b, struct message_id_maker *ids,
                      const struct unacked_lead *lead)
{
    message_id_add(ids, lead->id);
    for (size_t i = 0; i < b->profile->n_params; i++)
        message_id_add(ids, lead->params[i]);
    message_id_add(ids, (struct str){(const char *)lead->fingerprint, FINGERPRINT_BYTES});
}

static enum rc id_of(const struct batches *b, const struct lead_note *leads, size_t n,
                     char out[MESSAGE_ID_SIZE])
{
    begin_id(b, b->ids);
    for (size_t i = 0; i < n; i++)
        add_to_id(b, b->ids, &leads[i].lead);
    return message_id_end(b->ids, out);
}

/* ---- items ---------------------------------------------------------------------------------- */

/* What of the URL is the lead's: all but what the token's answer gives, which can only be its beginning. */
static enum rc make_url(struct batches *b, struct item *item, struct template_fault *fault)
{
    const struct text_template *t = &b->destination->url;
    if (!t->has_field)
        return RC_OK;
    size_t skip = t->has_taken ? 1 : 0;
    const struct text_template rest = {t->parts + skip, t->n_parts - skip, true, false};
    enum rc rc = text_template_write(&rest, true, &b->input, NULL, &b->url, fault);
    item->url = buf_str(&b->url);
    return rc;
}

static enum rc make_headers(struct batches *b, struct item *item, struct template_fault *fault)
{
    const struct destination *d = b->destination;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < d->n_headers; i++) {
        if (!d->headers[i].value.has_field)
            continue;
        buf_clear(&b->scratch[0]);
        struct buf value;
        buf_init(&value, ITEM_BYTES_MAX);
        rc = text_template_write(&d->headers[i].value, false, &b->input, NULL, &value, fault);
        counted_put(&b->headers, buf_str(&value));
        buf_free(&value);
        item->headers = buf_str(&b->headers);
    }
    return rc;
}

static enum rc too_large(struct template_fault *fault, size_t most)
{
    fault->code = "too_large";
    (void)snprintf(fault->text, sizeof fault->text,
                   "the item is larger than a request may be (%zu bytes)", most);
    return RC_USAGE;
}

enum rc batches_make_item(struct batches *b, const struct lead *lead, struct item *item,
                          struct template_fault *fault)
{
    *item = (struct item){STR_NONE, STR_NONE, STR_NONE};
    buf_clear(&b->json);
    buf_clear(&b->url);
    buf_clear(&b->headers);
    b->input.lead = lead;
    enum rc rc = template_write(b->destination->item, &b->input, &b->json, fault);
    if (rc == RC_OK)
        rc = make_url(b, item, fault);
    if (rc == RC_OK)
        rc = make_headers(b, item, fault);
    b->input.lead = NULL;
    if (rc == RC_OK)
        rc = buf_rc(&b->headers);
    item->json = buf_str(&b->json);
    if (rc == RC_LIMIT || (rc == RC_OK && b->around + item->json.len > b->destination->max_bytes))
        return too_large(fault, b->destination->max_bytes);
    return rc;
}

/* The text that no two items of a request may have in common; absent: it has none. */
static enum rc find_key(struct batches *b, const struct item *item, struct str *key)
{
    struct json_doc doc;
    *key = STR_NONE;
    if (!b->destination->has_unique_by)
        return RC_OK;
    arena_reset(&b->parsed, (size_t)1 << 16);
    enum rc rc = json_parse(&b->parsed, item->json, JSON_TREE | JSON_OWN, &doc, NULL);
    if (rc != RC_OK)
        return rc == RC_NOMEM ? rc : RC_INTERNAL;
    const cJSON *v = json_pointer_find(&b->destination->unique_by, doc.root);
    int type = v ? v->type & 0xFF : cJSON_NULL;
    if (type == cJSON_String || type == cJSON_Number)
        *key = json_text(v);
    return RC_OK;
}

static bool has_key(const struct open_batch *o, struct str key, uint64_t hash)
{
    for (size_t i = 0; key.ptr && i < o->n_keys; i++) {
        if (o->keys[i].hash == hash && str_eq(o->keys[i].text, key))
            return true;
    }
    return false;
}

static uint64_t hash_of(const struct batches *b, struct str key)
{
    return key.ptr ? str_hash(key, b->profile->hash_seed) : 0;
}

/* ---- batches -------------------------------------------------------------------------------- */

enum rc batches_find(struct batches *b, const struct item *item, size_t *at, struct str *key)
{
    enum rc rc = find_key(b, item, key);
    if (rc != RC_OK)
        return rc;
    uint64_t hash = hash_of(b, *key);
    for (*at = 0; *at < b->n_open; ++*at) {
        const struct open_batch *o = &b->open[*at];
        if (has_key(o, *key, hash))
            continue;
        bool has_room = o->bytes + item->json.len + 1 <= b->destination->max_bytes;
        return has_room ? RC_OK : RC_BUSY; /* it, and all before it, are as full as they get */
    }
    return b->n_open < BATCHES_MAX ? RC_OK : RC_BUSY;
}

enum rc batches_begin(struct batches *b, struct message *p)
{
    struct open_batch *o = &b->open[b->n_open];
    arena_reset(&o->memory, 0);
    o->keys = NULL;
    if (b->destination->has_unique_by) {
        o->keys = arena_array(&o->memory, b->destination->max_items, sizeof *o->keys);
        if (!o->keys)
            return RC_NOMEM;
    }
    o->message = p;
    o->bytes = b->around;
    o->n_keys = 0;
    b->n_open++;
    return RC_OK;
}

static enum rc add_key(struct batches *b, struct open_batch *o, struct str key)
{
    if (!key.ptr)
        return RC_OK;
    const char *copy = arena_strdup(&o->memory, key);
    if (!copy)
        return RC_NOMEM;
    o->keys[o->n_keys++] = (struct batch_key){hash_of(b, key), {copy, key.len}};
    return RC_OK;
}

static void join_lead(struct message *p, const struct lead *lead, uint64_t seq)
{
    p->own.leads[p->own.n_leads] =
        (struct message_lead){.lead = lead, .position = (unsigned)p->own.n_leads};
    p->own.n_leads++;
    if (seq > p->last_seq)
        p->last_seq = seq;
}

enum rc batches_add(struct batches *b, size_t at, const struct lead *lead, const struct item *item,
                    struct str key, bool *is_full)
{
    const struct unacked_lead as = {lead->seq, lead->id, lead->params, lead->fingerprint};
    struct open_batch *o = &b->open[at];
    struct message *p = o->message;
    size_t body_len = p->body.len;
    size_t noted_len = p->noted.len;
    items_put(&p->body, item);
    lead_text_put(&p->noted, &as, b->profile->n_params); /* the id is made of it */
    enum rc rc = buf_rc(&p->body) != RC_OK ? buf_rc(&p->body) : buf_rc(&p->noted);
    if (rc == RC_OK)
        rc = add_key(b, o, key);
    if (rc != RC_OK) {
        p->body.rc = p->noted.rc = RC_OK;
        p->body.len = body_len;
        p->noted.len = noted_len;
        return RC_NOMEM;
    }
    join_lead(p, lead, as.seq);
    o->bytes += item->json.len + (p->own.n_leads > 1);
    *is_full = p->own.n_leads == b->destination->max_items || o->bytes >= BATCH_FULL_BYTES;
    return RC_OK;
}

enum rc batches_end(struct batches *b, struct message **out)
{
    struct open_batch first = b->open[0];
    struct lead_note *leads;
    struct arena a;
    size_t n;
    arena_init(&a, SIZE_MAX);
    enum rc rc =
        lead_text_take(&a, buf_str(&first.message->noted), b->profile->n_params, &leads, &n);
    if (rc == RC_OK)
        rc = id_of(b, leads, n, first.message->own.id);
    arena_free(&a);
    if (rc != RC_OK)
        return RC_NOMEM;
    if (!b->notes)
        buf_clear(&first.message->noted);
    *out = first.message;
    b->n_open--;
    memmove(&b->open[0], &b->open[1], b->n_open * sizeof b->open[0]);
    first.message = NULL;
    first.n_keys = 0;
    b->open[b->n_open] = first; /* its memory is used again */
    return RC_OK;
}

/* ---- what is on its way ---------------------------------------------------------------------- */

/* What cannot be read has no key, and is refused elsewhere. */
enum rc batches_sending(void *batches, const struct message *p)
{
    struct batches *b = batches;
    struct arena a;
    struct item *items = NULL;
    struct str key;
    size_t n = 0, n_hashes = 0;
    if (!b->destination->has_unique_by)
        return RC_OK;
    arena_init(&a, SIZE_MAX);
    enum rc rc = items_take(&a, buf_str(&p->body), b->destination->max_items, &items, &n);
    uint64_t *hashes = rc == RC_OK ? arena_array(&a, n, sizeof *hashes) : NULL;
    if (rc == RC_OK && !hashes)
        rc = RC_NOMEM;
    for (size_t i = 0; hashes && rc != RC_NOMEM && i < n; i++) {
        rc = find_key(b, &items[i], &key);
        if (rc == RC_OK && key.ptr)
            hashes[n_hashes++] = hash_of(b, key);
    }
    if (rc != RC_NOMEM)
        rc = in_flight_add(&b->in_flight, p, hashes, n_hashes);
    arena_free(&a);
    return rc;
}

void batches_ended(void *batches, const struct message *p)
{
    struct batches *b = batches;
    if (b->destination->has_unique_by)
        in_flight_remove(&b->in_flight, p);
}

/* ---- what the state holds -------------------------------------------------------------------- */

/* What a recorded URL must begin with, the host included: all that stands before the first column. */
static enum rc url_beginning(const struct batches *b, struct buf *out)
{
    const struct text_template *t = &b->destination->url;
    struct template_fault fault;
    size_t skip = t->has_taken ? 1 : 0;
    size_t n = skip;
    while (n < t->n_parts && t->parts[n].kind != PART_FIELD)
        n++;
    const struct text_template before = {t->parts + skip, n - skip, false, false};
    return text_template_write(&before, true, NULL, NULL, out, &fault);
}

static bool begins_with(struct str text, struct str with)
{
    return text.len >= with.len && (with.len == 0 || memcmp(text.ptr, with.ptr, with.len) == 0);
}

static enum rc check_items(const struct batches *b, struct str body, size_t n_leads)
{
    struct buf url;
    struct arena a;
    struct item *items;
    struct json_doc doc;
    size_t n = 0;
    arena_init(&a, SIZE_MAX);
    buf_init(&url, ITEM_BYTES_MAX);
    enum rc rc = items_take(&a, body, b->destination->max_items, &items, &n);
    if (rc == RC_OK && n != n_leads)
        rc = RC_SYNTAX;
    if (rc == RC_OK && b->destination->url.has_field)
        rc = url_beginning(b, &url);
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        bool has_url = items[i].url.ptr != NULL;
        rc = json_parse(&a, items[i].json, JSON_OWN, &doc, NULL);
        if (has_url != b->destination->url.has_field ||
            (has_url && !begins_with(items[i].url, buf_str(&url))))
            rc = RC_SYNTAX;
    }
    buf_free(&url);
    arena_free(&a);
    return rc;
}

enum rc batches_check_recorded(void *batches, const struct lead_note *leads, size_t n,
                               struct str id, struct str body)
{
    const struct batches *b = batches;
    char want[MESSAGE_ID_SIZE];
    if (n > b->destination->max_items)
        return RC_SYNTAX;
    enum rc rc = id_of(b, leads, n, want);
    if (rc == RC_OK && !str_eq_c(id, want))
        rc = RC_USAGE;
    return rc == RC_OK && body.ptr ? check_items(b, body, n) : rc;
}

/* Moves what was taken from the beginning of `from` behind what is kept of the buffer. */
static void keep(struct buf *b, size_t *kept, struct str from, struct str behind)
{
    size_t n = from.len - behind.len;
    memmove(b->data + *kept, from.ptr, n);
    *kept += n;
}

enum rc batches_rest(void *batches, struct buf *noted, struct buf *body, const struct verdicts *v,
                     char id[MESSAGE_ID_SIZE])
{
    const struct batches *b = batches;
    struct str params[PROFILE_PARAMS_MAX];
    struct str notes = buf_str(noted), items = buf_str(body);
    size_t notes_kept = 0, items_kept = 0;
    begin_id(b, b->rest_ids);
    for (size_t i = 0; i < v->n; i++) {
        struct str note = notes, text = items;
        struct lead_note lead;
        struct item item;
        if (!lead_text_next(&notes, b->profile->n_params, params, &lead) ||
            !items_next(&items, &item))
            return RC_SYNTAX;
        if (v->list[i].kind != VERDICT_PENDING)
            continue;
        add_to_id(b, b->rest_ids, &lead.lead);
        keep(noted, &notes_kept, note, notes);
        keep(body, &items_kept, text, items);
    }
    if (notes.len > 0 || items.len > 0)
        return RC_SYNTAX;
    noted->len = notes_kept;
    body->len = items_kept;
    return message_id_end(b->rest_ids, id);
}

/* DIGEST ":" and, as a blob, of each batch: its notes counted, its body counted. */
void batches_mark(const void *batches, struct buf *out)
{
    const struct batches *b = batches;
    struct buf all;
    buf_addf(out, "%016llx:", (unsigned long long)b->destination->digest);
    buf_init(&all, MARK_BYTES_MAX);
    for (size_t i = 0; i < b->n_open; i++) {
        const struct message *p = b->open[i].message;
        if (p->own.n_leads == 0)
            continue;
        counted_put(&all, buf_str(&p->noted));
        counted_put(&all, buf_str(&p->body));
    }
    if (buf_rc(&all) != RC_OK && out->rc == RC_OK)
        out->rc = buf_rc(&all);
    blob_put(out, all.data, all.len);
    buf_free(&all);
}

static enum rc take_rest(const struct batches *b, struct str *text, struct arena *a,
                         struct batch_rest *out)
{
    if (!counted_take(text, &out->noted) || !out->noted.ptr || !counted_take(text, &out->body) ||
        !out->body.ptr)
        return RC_SYNTAX;
    enum rc rc = lead_text_take(a, out->noted, b->profile->n_params, &out->leads, &out->n_leads);
    if (rc == RC_OK && out->n_leads >= b->destination->max_items)
        rc = RC_SYNTAX;
    return rc == RC_OK ? check_items(b, out->body, out->n_leads) : rc;
}

enum rc batches_rest_take(const struct batches *b, struct str mark, struct arena *a,
                          struct batch_rest *out, size_t *n)
{
    struct str digest;
    char want[20];
    struct buf all;
    *n = 0;
    if (!text_take(&mark, ':', &digest))
        return RC_SYNTAX;
    (void)snprintf(want, sizeof want, "%016llx", (unsigned long long)b->destination->digest);
    if (!str_eq_c(digest, want))
        return digest.len == strlen(want) ? RC_USAGE : RC_SYNTAX;
    buf_init(&all, MARK_BYTES_MAX);
    enum rc rc = blob_take(mark, &all);
    struct str text = {all.len ? arena_strdup(a, buf_str(&all)) : "", all.len};
    buf_free(&all);
    if (rc == RC_OK && !text.ptr)
        rc = RC_NOMEM;
    while (rc == RC_OK && text.len > 0) {
        rc = *n < BATCHES_MAX ? take_rest(b, &text, a, &out[*n]) : RC_SYNTAX;
        *n += rc == RC_OK;
    }
    return rc;
}

/* The keys of its items, and how many bytes they are. */
static enum rc measure(struct batches *b, struct open_batch *o, struct str body)
{
    struct arena a;
    struct item *items;
    struct str key;
    size_t n = 0;
    arena_init(&a, SIZE_MAX);
    enum rc rc = items_take(&a, body, b->destination->max_items, &items, &n);
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        o->bytes += items[i].json.len + (i > 0);
        rc = find_key(b, &items[i], &key);
        if (rc == RC_OK)
            rc = add_key(b, o, key);
    }
    arena_free(&a);
    return rc;
}

enum rc batches_resume(struct batches *b, struct message *p, const struct batch_rest *rest,
                       const struct sink_host *host, struct sink *sink, struct err *e)
{
    if (batches_begin(b, p) != RC_OK)
        return err_nomem(e);
    buf_add_str(&p->body, rest->body);
    buf_add_str(&p->noted, rest->noted);
    if (buf_rc(&p->body) != RC_OK || buf_rc(&p->noted) != RC_OK)
        return err_nomem(e);
    for (size_t i = 0; i < rest->n_leads; i++) {
        const struct unacked_lead *as = &rest->leads[i].lead;
        const struct lead *lead = NULL;
        enum rc rc = host->unacked(host->ctx, sink, as, &lead, e);
        if (rc != RC_OK)
            return rc;
        if (!lead)
            return RC_SYNTAX;
        join_lead(p, lead, as->seq);
    }
    enum rc rc = measure(b, &b->open[b->n_open - 1], rest->body);
    return rc == RC_NOMEM ? err_nomem(e) : rc;
}
