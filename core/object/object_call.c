/* Calls: from their begin to their end, for whoever waits for them or has given them up. */
#include <stdlib.h>
#include <time.h>

#include "core/object/object_private.h"

#define URL_BYTES_MAX ((size_t)32 << 10)
/* After the run's time to stop is over, for all calls together to a server that responds, and when one does
 * not; and how often that is checked. */
#define STOP_GRACE_US INT64_C(5000000)
#define SILENT_US INT64_C(5000000)
/* ... and for what takes back what was begun. */
#define CLEAN_UP_US INT64_C(2000000)
#define WAIT_MS 100

static bool take_back(struct object_call *call);

/* ---- calls ---------------------------------------------------------------------------------- */

static void call_destroy(struct object_call *call)
{
    buf_free(&call->url);
    buf_free(&call->body);
    buf_free(&call->http.answer);
    buf_free(&call->http.fields);
    free(call);
}

static bool has_succeeded(const struct object_call *call)
{
    return call->http.end == HTTP_ANSWERED && !call->error.code[0];
}

static bool is_to_be_undone(const struct object_call *call)
{
    return call->undo || call->cleans_up;
}

/* Has a request ever reached the server? On the client's thread. */
static bool has_connected(const struct object_client *c)
{
    struct http_stats stats;
    if (!c->engine)
        return true;
    http_engine_stats(c->engine, &stats);
    return stats.connections > 0;
}

/* The server may have carried out what nobody waits for any more. False: another call takes it back. */
static bool is_left(struct object_call *call)
{
    if (call->http.attempts == 0 || !has_connected(call->client))
        return false; /* it has not received it */
    if (!call->undo)
        return call->http.end != HTTP_ANSWERED; /* this was the one that takes it back */
    if (has_succeeded(call))
        return !take_back(call);
    return call->http.end != HTTP_ANSWERED;
}

/* Of a call without an owner. */
static void end_abandoned(struct object_call *call)
{
    struct object_client *c = call->client;
    bool counts = is_to_be_undone(call);
    if (counts && is_left(call))
        log_msg(c->cfg->log, LOG_LEVEL_WARN, NULL,
                "%s" STR_FMT ": an unfinished upload may remain on the server", c->origin,
                STR_ARG(call->path));
    call_destroy(call);
    pthread_mutex_lock(&c->lock);
    c->n_undone -= counts;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Under the lock. New memory of a part's size costs two thousand page faults, more time than it takes to hash it. */
static void keep_body(struct object_call *call)
{
    struct object_client *c = call->client;
    if (call->body.cap < OBJECT_SPARE_BYTES_MIN || c->n_spares == OBJECT_SPARES_MAX)
        return;
    buf_clear(&call->body);
    c->spares[c->n_spares++] = call->body;
    buf_init(&call->body, 0);
}

struct buf object_client_take_spare(struct object_client *c)
{
    struct buf spare;
    buf_init(&spare, 0);
    pthread_mutex_lock(&c->lock);
    if (c->n_spares)
        spare = c->spares[--c->n_spares];
    pthread_mutex_unlock(&c->lock);
    return spare;
}

/* On the client's thread, or where there is none any more. */
void object_call_end(struct object_call *call)
{
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    keep_body(call);
    pthread_mutex_unlock(&c->lock);
    buf_free(&call->body); /* it may have many megabytes */
    pthread_mutex_lock(&c->lock);
    bool is_abandoned = call->is_abandoned;
    call->is_done = true;
    c->n_open--;
    if (call->http.status)
        c->asked_us = clock_mono_us(c->cfg->clock);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (is_abandoned)
        end_abandoned(call);
}

void object_call_keep_field(char out[OBJECT_FIELD_BYTES_MAX + 1], struct str value)
{
    size_t n = value.len <= OBJECT_FIELD_BYTES_MAX ? value.len : 0;
    if (n)
        memcpy(out, value.ptr, n);
    out[n] = '\0';
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* Under the lock. By the monotonic clock, in a run that was stopped. */
static int64_t clean_up_until(struct object_client *c)
{
    return (c->given_up_us ? c->given_up_us : clock_mono_us(c->cfg->clock)) + CLEAN_UP_US;
}

/* Under the lock. Has nobody been there lately, so that requests would only be tried again? */
static bool is_down(const struct object_client *c)
{
    struct http_stats stats = {.down = false};
    if (c->engine)
        http_engine_stats(c->engine, &stats);
    return stats.down;
}

/* Under the lock. */
static bool is_silent(const struct object_client *c, int64_t now)
{
    return c->n_open && now - c->asked_us >= SILENT_US;
}

/* Under the lock. Is the time over in which this call is waited for? A run that is being stopped tries nothing
 * again at a server that is down, and waits only for one that responds once its time to stop is over. */
static bool has_given_up(struct object_client *c, const struct object_call *call)
{
    if (!stop_timer_has_begun(c->cfg->stop))
        return false;
    if (is_down(c))
        return true;
    if (!stop_timer_is_over(c->cfg->stop))
        return false;
    int64_t now = clock_mono_us(c->cfg->clock);
    if (c->given_up_us == 0)
        c->given_up_us = now + STOP_GRACE_US;
    if (c->given_up_us > now && is_silent(c, now))
        c->given_up_us = now;
    return now >= (call->cleans_up ? clean_up_until(c) : c->given_up_us);
}

static void wait_a_little(struct object_client *c)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

/* Under the lock. */
void object_call_wait_for_undone(struct object_client *c)
{
    int64_t until = clean_up_until(c);
    while (c->n_undone && c->fatal.rc == RC_OK && !is_down(c) &&
           clock_mono_us(c->cfg->clock) < until)
        wait_a_little(c);
}

/* ---- the calling side ----------------------------------------------------------------------- */

static enum rc put_url(struct object_call *call, const struct object_request *r)
{
    buf_init(&call->url, URL_BYTES_MAX);
    buf_adds(&call->url, call->client->origin);
    size_t path = call->url.len;
    buf_add_str(&call->url, r->path);
    if (r->query.len)
        buf_addc(&call->url, '?');
    size_t query = call->url.len;
    buf_add_str(&call->url, r->query);
    call->http.url = buf_cstr(&call->url);
    call->path = (struct str){call->url.data + path, r->path.len};
    call->query = (struct str){call->url.data + query, r->query.len};
    return buf_rc(&call->url);
}

static void enqueue(struct object_call *call)
{
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    bool over = c->ending || c->fatal.rc != RC_OK;
    bool is_abandoned = call->is_abandoned;
    if (over) {
        call->http.end = HTTP_ABORTED;
        call->is_done = true;
    } else {
        *c->last = call;
        c->last = &call->next;
        if (c->n_open++ == 0)
            c->asked_us = clock_mono_us(c->cfg->clock);
        if (c->can_wake)
            (void)uv_async_send(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    if (over && is_abandoned)
        end_abandoned(call);
}

static enum rc call_new(struct object_call **out, struct object_client *c, struct object_request *r,
                        struct err *e)
{
    static const char *const wanted[] = {"Date", SIGV4_UPLOAD_FIELD, S3_REGION_FIELD, NULL};
    struct object_call *call = calloc(1, sizeof *call);
    if (!call) {
        buf_free(&r->body);
        return err_nomem(e);
    }
    call->client = c;
    call->body = r->body;
    call->undo = r->undo;
    call->cleans_up = r->cleans_up;
    buf_init(&r->body, 0);
    if (r->upload)
        object_call_keep_field(call->upload, str_c(r->upload));
    enum rc rc = put_url(call, r);
    if (rc == RC_OK)
        rc = sigv4_hash(buf_str(&call->body), call->payload_hash);
    if (rc != RC_OK) {
        call_destroy(call);
        return err_set(e, rc, "%s: %s", c->origin, rc_text(rc));
    }
    call->http.owner = call;
    call->http.done = object_client_done;
    call->http.wanted = wanted;
    call->http.sign = object_client_sign;
    call->http.method = r->method;
    call->http.body = buf_str(&call->body);
    buf_init(&call->http.answer, OBJECT_ANSWER_BYTES_MAX + 1);
    *out = call;
    return RC_OK;
}

enum rc object_call_begin(struct object_call **out, struct object_client *c,
                          struct object_request *r, struct err *e)
{
    enum rc rc = call_new(out, c, r, e);
    if (rc == RC_OK)
        enqueue(*out);
    return rc;
}

/* On the client's thread: a call that nobody owns. */
static bool take_back(struct object_call *call)
{
    struct object_client *c = call->client;
    struct object_call *back = NULL;
    struct err e;
    struct buf query;
    buf_init(&query, URL_BYTES_MAX);
    if (call->undo(buf_str(&call->http.answer), &query) == RC_OK && buf_rc(&query) == RC_OK) {
        struct object_request r = {
            .method = HTTP_DELETE, .path = call->path, .query = buf_str(&query), .cleans_up = true};
        if (call_new(&back, c, &r, &e) != RC_OK)
            back = NULL;
    }
    buf_free(&query);
    if (!back)
        return false;
    pthread_mutex_lock(&c->lock);
    back->is_abandoned = true;
    c->n_undone++;
    pthread_mutex_unlock(&c->lock);
    enqueue(back);
    return true;
}

enum rc object_call_wait(struct object_call *call, struct err *e)
{
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    while (!call->is_done && !has_given_up(c, call))
        wait_a_little(c);
    bool is_done = call->is_done;
    struct err fatal = c->fatal;
    pthread_mutex_unlock(&c->lock);
    if (!is_done)
        return err_set(e, RC_STOPPED, "the run was stopped, and %s did not respond in time",
                       c->origin);
    const struct http_request *r = &call->http;
    if (has_succeeded(call))
        return RC_OK;
    if (r->end == HTTP_ANSWERED)
        return s3_error_text(&call->error, r->attempts, call->renewal.msg, e);
    if (r->end == HTTP_ABORTED && fatal.rc != RC_OK)
        return err_set(e, RC_IO, "%s", fatal.msg);
    if (r->end == HTTP_ABORTED)
        return err_set(e, RC_STOPPED, "the run was stopped");
    return err_set(e, RC_IO, "%s: %s", c->origin, r->error);
}

struct str object_call_answer(const struct object_call *call)
{
    return buf_str(&call->http.answer);
}

/* A call that was given up may still be going on, on the client's thread. */
static bool has_ended(const struct object_call *call)
{
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    bool is_done = call->is_done;
    pthread_mutex_unlock(&c->lock);
    return is_done;
}

int object_call_status(const struct object_call *call)
{
    return has_ended(call) && call->http.end == HTTP_ANSWERED ? call->http.status : 0;
}

const char *object_call_code(const struct object_call *call)
{
    return has_ended(call) ? call->error.code : "";
}

const char *object_call_upload(const struct object_call *call)
{
    return has_ended(call) ? call->answer_upload : "";
}

void object_call_free(struct object_call *call)
{
    if (!call)
        return;
    struct object_client *c = call->client;
    pthread_mutex_lock(&c->lock);
    bool is_done = call->is_done;
    call->is_abandoned = true;
    c->n_undone += !is_done && is_to_be_undone(call);
    pthread_mutex_unlock(&c->lock);
    if (is_done)
        call_destroy(call);
}
