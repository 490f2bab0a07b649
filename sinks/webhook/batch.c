#include "sinks/webhook/batch.h"

#include "core/base/blob.h"
#include "sinks/delivery/lead_text.h"
#include "sinks/webhook/webhook_config.h"

/* A batch that has this much is sent as it is; so no mark holds more. */
#define BODY_FULL_BYTES ((size_t)8 << 20)
_Static_assert(BODY_FULL_BYTES <= BLOB_BYTES_MAX, "the batch at hand must fit into a mark");

/* ---- open, close ---------------------------------------------------------------------------- */

enum record_layout batch_layout(const struct sink_cfg *cfg)
{
    const struct webhook_opts *opts = cfg->opts;
    return opts->layout == 0 ? LAYOUT_LEAD : LAYOUT_RAW;
}

enum rc batch_open(struct batch *b, const struct sink_cfg *cfg, struct err *e)
{
    const struct webhook_opts *opts = cfg->opts;
    *b = (struct batch){
        .profile = cfg->profile,
        .clock = cfg->clock,
        .url = cfg->target,
        .layout = opts->layout,
        .most = (unsigned)opts->batch,
        .is_list = opts->batch > 1,
        .notes = cfg->state != NULL,
    };
    b->type = opts->type ? opts->type : b->is_list ? "leads.exported" : "lead.exported";
    const struct record_cfg records = {
        .profile = cfg->profile, .encoding = &encoding_json, .layout = batch_layout(cfg)};
    enum rc rc = record_writer_new(&b->writer, &records, e);
    if (rc == RC_OK)
        rc = message_id_maker_new(&b->ids, e);
    return rc;
}

void batch_close(struct batch *b)
{
    message_id_maker_free(b->ids);
    record_writer_free(b->writer);
}

/* ---- bodies --------------------------------------------------------------------------------- */

/* What makes this sink's messages others than those of another sink. */
static void begin_id(struct batch *b)
{
    message_id_begin(b->ids);
    message_id_add(b->ids, STR("webhook"));
    message_id_add(b->ids, str_c(b->url));
    message_id_add(b->ids, b->layout == 0 ? STR("lead") : STR("raw"));
    message_id_add(b->ids, str_c(b->type));
    message_id_add(b->ids, b->is_list ? STR("list") : STR("one"));
    message_id_add(b->ids, b->profile->name);
}

static void add_to_id(struct batch *b, const struct unacked_lead *lead)
{
    message_id_add(b->ids, lead->id);
    for (size_t i = 0; i < b->profile->n_params; i++)
        message_id_add(b->ids, lead->params[i]);
    message_id_add(b->ids, (struct str){(const char *)lead->fingerprint, FINGERPRINT_BYTES});
}

/* The id of a message with these leads. RC_NOMEM. */
static enum rc id_of(struct batch *b, const struct lead_note *leads, size_t n,
                     char out[MESSAGE_ID_SIZE])
{
    begin_id(b);
    for (size_t i = 0; i < n; i++)
        add_to_id(b, &leads[i].lead);
    return message_id_end(b->ids, out);
}

static void begin_body(const struct batch *b, int64_t wall_ms, struct buf *body)
{
    char at[25];
    clock_format(wall_ms, at);
    buf_adds(body, "{\"type\":");
    json_write_string(body, str_c(b->type));
    buf_addf(body, ",\"timestamp\":\"%.24s\",\"data\":", at);
    if (b->is_list)
        buf_addc(body, '[');
}

/* "2026-01-30T02:00:00.000Z" */
static bool is_time(const char *p)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        if (shape[i] == 'd' ? p[i] < '0' || p[i] > '9' : p[i] != shape[i])
            return false;
    }
    return true;
}

/* The beginning of a body, but for its time. */
static enum rc check_beginning(const struct batch *b, struct str body)
{
    struct buf want;
    buf_init(&want, MESSAGE_BODY_MAX);
    begin_body(b, 0, &want);
    enum rc rc = buf_rc(&want) == RC_OK ? RC_SYNTAX : RC_NOMEM;
    if (rc == RC_SYNTAX && body.len > want.len) {
        const char *time = strstr(buf_cstr(&want), "\"timestamp\":\"1970-");
        size_t at = time ? (size_t)(time - want.data) + sizeof "\"timestamp\":\"" - 1 : 0;
        bool same = time && is_time(body.ptr + at) && memcmp(body.ptr, want.data, at) == 0 &&
                    memcmp(body.ptr + at + 24, want.data + at + 24, want.len - at - 24) == 0;
        rc = same ? RC_OK : RC_SYNTAX;
    }
    buf_free(&want);
    return rc;
}

static enum rc check_body(const struct batch *b, struct str body)
{
    struct arena scratch;
    struct json_doc doc;
    enum rc rc = check_beginning(b, body);
    if (rc != RC_OK)
        return rc;
    arena_init(&scratch, SIZE_MAX);
    rc = json_parse(&scratch, body, 0, &doc, NULL);
    arena_free(&scratch);
    return rc == RC_LIMIT ? RC_OK : rc; /* a payload may be nested as deeply as can be read */
}

enum rc batch_check_recorded(void *batch, const struct lead_note *leads, size_t n, struct str id,
                             struct str body)
{
    char want[MESSAGE_ID_SIZE];
    struct batch *b = batch;
    if (n > b->most)
        return RC_SYNTAX;
    enum rc rc = id_of(b, leads, n, want);
    if (rc == RC_OK && !str_eq_c(id, want))
        rc = RC_SYNTAX;
    return rc == RC_OK && body.ptr ? check_body(b, body) : rc;
}

void batch_begin(struct batch *b, struct message *p)
{
    b->message = p;
    begin_body(b, clock_wall_ms(b->clock), &p->body);
    begin_id(b);
}

static void join_lead(struct batch *b, const struct lead *lead, const struct unacked_lead *as)
{
    struct message *p = b->message;
    add_to_id(b, as);
    p->own.leads[p->own.n_leads] =
        (struct message_lead){.lead = lead, .position = (unsigned)p->own.n_leads};
    p->own.n_leads++;
    if (as->seq > p->last_seq)
        p->last_seq = as->seq;
}

enum rc batch_add(struct batch *b, const struct lead *lead)
{
    const struct unacked_lead as = {lead->seq, lead->id, lead->params, lead->fingerprint};
    struct message *p = b->message;
    size_t body_len = p->body.len;
    size_t noted_len = p->noted.len;
    if (p->own.n_leads > 0)
        buf_addc(&p->body, ',');
    record_write_object(b->writer, &p->body, lead);
    (void)buf_reserve(&p->body, 2); /* for the end */
    if (b->notes)
        lead_text_put(&p->noted, &as, b->profile->n_params);
    enum rc rc = buf_rc(&p->body) != RC_OK ? buf_rc(&p->body) : buf_rc(&p->noted);
    if (rc != RC_OK) {
        p->body.rc = p->noted.rc = RC_OK;
        p->body.len = body_len;
        p->noted.len = noted_len;
        return rc;
    }
    join_lead(b, lead, &as);
    return RC_OK;
}

bool batch_is_full(const struct batch *b)
{
    return b->message->own.n_leads == b->most || b->message->body.len >= BODY_FULL_BYTES;
}

enum rc batch_end(struct batch *b, struct message **out)
{
    struct message *p = b->message;
    if (b->is_list)
        buf_addc(&p->body, ']');
    buf_addc(&p->body, '}');
    enum rc rc = buf_rc(&p->body);
    if (rc == RC_OK)
        rc = message_id_end(b->ids, p->own.id);
    if (rc != RC_OK)
        return RC_NOMEM;
    b->message = NULL;
    *out = p;
    return RC_OK;
}

/* ---- resuming ------------------------------------------------------------------------------ */

/* NOTES BODY: the notes counted, the body as a blob to the end of the mark. */
void batch_mark(const void *batch, struct buf *out)
{
    const struct batch *b = batch;
    const struct message *p = b->message;
    if (!p || p->own.n_leads == 0)
        return;
    counted_put(out, buf_str(&p->noted));
    blob_put(out, p->body.data, p->body.len);
}

enum rc batch_rest_take(struct batch_rest *out, const struct batch *b, struct str mark)
{
    struct batch_rest rest = {.n_leads = 0};
    if (!counted_take(&mark, &rest.noted))
        return RC_SYNTAX;
    arena_init(&rest.arena, SIZE_MAX);
    buf_init(&rest.body, MESSAGE_BODY_MAX);
    enum rc rc =
        lead_text_take(&rest.arena, rest.noted, b->profile->n_params, &rest.leads, &rest.n_leads);
    if (rc == RC_OK && rest.n_leads >= b->most)
        rc = RC_SYNTAX;
    if (rc == RC_OK)
        rc = blob_take(mark, &rest.body);
    if (rc == RC_OK)
        rc = check_beginning(b, buf_str(&rest.body));
    if (rc == RC_OK)
        *out = rest;
    else
        batch_rest_free(&rest);
    return rc;
}

void batch_rest_free(struct batch_rest *rest)
{
    buf_free(&rest->body);
    arena_free(&rest->arena);
}

enum rc batch_resume(struct batch *b, struct message *p, struct batch_rest *rest,
                     const struct sink_host *host, struct sink *sink, struct err *e)
{
    b->message = p;
    begin_id(b);
    buf_free(&p->body);
    p->body = rest->body;
    buf_init(&rest->body, MESSAGE_BODY_MAX);
    buf_add_str(&p->noted, rest->noted);
    if (buf_rc(&p->noted) != RC_OK)
        return err_nomem(e);
    for (size_t i = 0; i < rest->n_leads; i++) {
        const struct unacked_lead *as = &rest->leads[i].lead;
        const struct lead *lead = NULL;
        enum rc rc = host->unacked(host->ctx, sink, as, &lead, e);
        if (rc != RC_OK)
            return rc;
        if (!lead)
            return RC_SYNTAX;
        join_lead(b, lead, as);
    }
    return RC_OK;
}
