#include "core/run/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/run/run_lead.h"

/* ---- its thread ------------------------------------------------------------------------------ */

static enum rc hand_to_loop(struct intake *in)
{
    size_t pushed = 0;
    enum rc rc = queue_push(in->queue, (void **)in->read, in->n_read, &pushed);
    for (size_t i = pushed; i < in->n_read; i++)
        lead_free(in->read[i]); /* the run was stopped */
    in->n_read = 0;
    atomic_store_explicit(&in->n_ids, in->counts.read, memory_order_relaxed);
    atomic_store_explicit(&in->n_unique, in->counts.unique, memory_order_relaxed);
    control_wake(in->control);
    return rc;
}

/* A wrong file may have thousands of bad lines, and messages may be sent by mail. */
#define BAD_LINES_SHOWN 10

static void fail_bad_line(struct intake *in, struct lead *lead, const struct id_item *item)
{
    if (item->file)
        lead_fail(lead, STAGE_INPUT, "bad_id", "%s:%llu: %s", item->file,
                  (unsigned long long)item->line, item->bad);
    else
        lead_fail(lead, STAGE_INPUT, "bad_id", "%s", item->bad);
    bool shown = in->bad_lines++ < BAD_LINES_SHOWN || in->warns;
    log_msg(in->control->log, shown ? LOG_LEVEL_WARN_ALWAYS : LOG_LEVEL_INFO, NULL, "%s",
            lead->run->failure.error);
}

/* With --verbose there is a message for each bad line already. Without an end there is no --failed. */
static void sum_up_bad_lines(const struct intake *in)
{
    const struct log_hook *log = in->control->log;
    const char *advice = in->has_no_end ? "" : "; use --failed FILE to list them all";
    if (in->bad_lines <= BAD_LINES_SHOWN || in->warns || !log || log->level >= LOG_LEVEL_INFO)
        return;
    uint64_t more = in->bad_lines - BAD_LINES_SHOWN;
    log_msg(log, LOG_LEVEL_WARN_ALWAYS, NULL, "%llu more invalid input line%s%s%s",
            (unsigned long long)more, more == 1 ? "" : "s",
            in->failed_path ? "; all are listed in " : advice,
            in->failed_path ? in->failed_path : "");
}

static enum rc push_lead(struct intake *in, struct lead *lead)
{
    in->read[in->n_read++] = lead;
    return in->n_read == INTAKE_BATCH ? hand_to_loop(in) : RC_OK;
}

/* Once the last ID that was done has been read, all are verified, and deferred leads continue. */
static enum rc push_deferred(struct intake *in)
{
    enum rc rc = RC_OK;
    if (!resume_ids_are_verified(&in->resume, in->next_seq))
        return RC_OK;
    atomic_store_explicit(&in->are_verified, true, memory_order_release);
    for (struct lead *lead; rc == RC_OK && (lead = resume_ids_next_deferred(&in->resume));)
        rc = push_lead(in, lead);
    return rc;
}

static enum rc push_id(struct intake *in, const struct id_item *item,
                       const unsigned char key[LEAD_KEY_BYTES], struct err *e)
{
    bool skip;
    bool waits;
    struct lead *lead = run_lead_new(item->id, item->params, in->n_params);
    if (!lead)
        return err_nomem(e);
    lead->seq = in->next_seq;
    lead->run->item = in->n_items;
    if (in->shard.of)
        lead->others = in->counts.read + in->counts.others - 1 - lead->seq;
    memcpy(lead->key, key, sizeof lead->key);
    lead->file = item->file;
    lead->line = item->line;
    enum rc rc = resume_ids_take(&in->resume, lead, &skip, &waits, e);
    if (rc == RC_OK && !skip && item->bad)
        fail_bad_line(in, lead, item);
    in->next_seq++;
    if (skip || (rc != RC_OK && !waits))
        lead_free(lead);
    if (rc == RC_OK)
        rc = push_deferred(in);
    return rc == RC_OK && !skip && !waits ? push_lead(in, lead) : rc;
}

static bool is_mine(const struct intake *in, const struct id_item *item,
                    const unsigned char key[LEAD_KEY_BYTES])
{
    if (!in->shard.of)
        return true;
    return item->bad ? shard_has_line(&in->shard, in->counts.read + in->counts.others)
                     : shard_has(&in->shard, key);
}

/* Duplicates of other shards matter only to --expect: without it, their IDs take no memory. */
static enum rc leave_item(struct intake *in, const struct id_item *item,
                          const unsigned char key[LEAD_KEY_BYTES], struct err *e)
{
    bool is_new = false;
    enum rc rc = in->has_expect ? id_seen_add(in->seen, item, key, &is_new, e) : RC_OK;
    in->counts.others++;
    in->counts.expected += is_new;
    return rc;
}

/* Repeated IDs and those of other shards end here. */
static enum rc take_item(struct intake *in, const struct id_item *item, struct err *e)
{
    unsigned char key[LEAD_KEY_BYTES];
    bool is_new = true;
    in->n_items++;
    enum rc rc = id_seen_key(in->seen, item, key, e);
    if (rc == RC_OK && in->list_sha256 && !EVP_DigestUpdate(in->list_sha256, key, sizeof key))
        rc = err_set(e, RC_INTERNAL, "SHA-256 cannot be computed");
    if (rc == RC_OK && !is_mine(in, item, key))
        return leave_item(in, item, key, e);
    if (rc == RC_OK && !in->has_no_end)
        rc = id_seen_add(in->seen, item, key, &is_new, e);
    if (rc != RC_OK)
        return rc;
    if (item->once_more)
        *item->once_more = is_new;
    if (item->once_more && !is_new)
        return RC_OK;
    in->counts.read++;
    in->counts.expected += is_new && in->has_expect && !item->once_more;
    in->counts.unique += is_new;
    in->counts.duplicates += !is_new;
    if (!is_new && in->shared)
        in->shared->ops->settle(in->shared, in->n_items);
    return is_new ? push_id(in, item, key, e) : RC_OK;
}

/* Called before a read that may block: hands over what was read so far. */
static void before_wait(void *intake)
{
    (void)hand_to_loop(intake); /* RC_CLOSED is noticed at the next ID */
}

static enum rc read_all(struct intake *in, struct err *e)
{
    struct arena arena;
    enum rc rc = RC_OK;
    arena_init(&arena, (size_t)16 << 20);
    while (rc == RC_OK && !control_is_stopping(in->control)) {
        struct id_item item;
        arena_reset(&arena, 64 * 1024);
        rc = in->source->ops->next(in->source, &arena, &item, e);
        if (rc == RC_OK)
            rc = take_item(in, &item, e);
    }
    arena_free(&arena);
    return rc;
}

/* If it fails, list_digest stays "". */
static void end_digest(struct intake *in)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!in->list_sha256 || !EVP_DigestFinal_ex(in->list_sha256, digest, &n) ||
        n * 2 != INTAKE_DIGEST_CHARS)
        return;
    for (unsigned i = 0; i < n; i++) {
        in->list_digest[i * 2] = digits[digest[i] >> 4];
        in->list_digest[i * 2 + 1] = digits[digest[i] & 15];
    }
    in->list_digest[n * 2] = '\0';
}

static void *intake_main(void *intake)
{
    struct intake *in = intake;
    struct err e;
    enum rc rc = read_all(in, &e);
    sum_up_bad_lines(in);
    enum rc short_of = rc == RC_END ? resume_ids_end(&in->resume, in->next_seq, &e) : RC_OK;
    rc = short_of == RC_OK ? rc : short_of;
    enum rc handed = hand_to_loop(in);
    rc = rc == RC_OK ? handed : rc;
    if (rc == RC_END) {
        end_digest(in);
        atomic_store(&in->has_ended, true);
    } else if (rc != RC_OK && rc != RC_CLOSED && rc != RC_STOPPED) {
        control_fail(in->control, &e);
    }
    queue_close(in->queue);
    control_thread_ended(in->control);
    return NULL;
}

/* ---- from outside ---------------------------------------------------------------------------- */

enum rc intake_open(struct intake *in, struct err *e)
{
    if (pipe2(in->cancel_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        in->cancel_pipe[0] = in->cancel_pipe[1] = -1;
        return err_sys(e, RC_IO, errno, "pipe");
    }
    if (queue_new(&in->queue, INTAKE_AHEAD) != RC_OK)
        return err_nomem(e);
    if (in->shard.of) {
        in->list_sha256 = EVP_MD_CTX_new();
        if (!in->list_sha256 || !EVP_DigestInit_ex(in->list_sha256, EVP_sha256(), NULL))
            return err_nomem(e);
    }
    return id_seen_new(&in->seen, in->n_params, e);
}

struct source_wait intake_wait(struct intake *in)
{
    return (struct source_wait){in->cancel_pipe[0], before_wait, in};
}

void intake_free(struct intake *in)
{
    if (!in->queue && !in->cancel_pipe[1])
        return;
    for (struct lead *lead; in->queue && (lead = intake_take(in));)
        lead_free(lead);
    queue_free(in->queue);
    if (in->source)
        in->source->ops->close(in->source);
    id_seen_free(in->seen);
    EVP_MD_CTX_free(in->list_sha256);
    resume_ids_free(&in->resume);
    for (int i = 0; i < 2; i++) {
        if (in->cancel_pipe[i] >= 0)
            (void)close(in->cancel_pipe[i]);
    }
}

enum rc intake_start(struct intake *in)
{
    return control_start_thread(in->control, &in->thread, intake_main, in);
}

void intake_join(struct intake *in)
{
    control_join_thread(&in->thread);
}

struct lead *intake_take(struct intake *in)
{
    if (in->next_taken == in->n_taken) {
        in->next_taken = 0;
        in->n_taken = queue_try_pop(in->queue, (void **)in->taken, INTAKE_BATCH);
    }
    return in->next_taken < in->n_taken ? in->taken[in->next_taken++] : NULL;
}

bool intake_is_empty(struct intake *in)
{
    return atomic_load(&in->has_ended) && in->next_taken == in->n_taken && queue_ended(in->queue);
}

void intake_cancel(struct intake *in)
{
    queue_close(in->queue);
    if (write(in->cancel_pipe[1], "", 1) < 0) {
        /* It can only fail because the pipe is full, and then the reader has been notified already. */
    }
}

struct ids_counts intake_progress(const struct intake *in)
{
    struct ids_counts c = {
        .read = atomic_load_explicit(&in->n_ids, memory_order_relaxed),
        .unique = atomic_load_explicit(&in->n_unique, memory_order_relaxed),
    };
    c.duplicates = c.read - c.unique;
    return c;
}

struct ids_counts intake_counts(const struct intake *in)
{
    return in->counts;
}

const char *intake_list_digest(const struct intake *in)
{
    return atomic_load(&in->has_ended) ? in->list_digest : "";
}

bool intake_list_is_empty(const struct intake *in)
{
    return atomic_load(&in->has_ended) && in->n_items == 0;
}
