#include "sinks/kafka/kafka_journal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/base/grow.h"
#include "core/base/units.h"

#define TEXT_BYTES_MAX ((size_t)1 << 30)
#define VERSION "1"
#define COMMITTED "committed" /* the answer that is recorded for a transaction; or: */
#define ABORTED "aborted"
#define NUMBER_MAX ((uint64_t)INT64_MAX)

/* A recorded transaction. Its leads are consecutive in the journal's `leads`. */
struct kafka_journal_batch {
    uint64_t number, messages;
    int64_t row;
    bool is_answered; /* it was committed */
    size_t n_leads;
};

static enum rc damaged(const struct kafka_journal *j, struct err *e)
{
    return err_set(e, RC_USAGE, "%s: what the state has of this sink is damaged", j->subject);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void put_hex(struct buf *b, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *room = buf_reserve(b, 2 * n);
    if (!room)
        return;
    for (size_t i = 0; i < n; i++) {
        room[2 * i] = digits[bytes[i] >> 4];
        room[2 * i + 1] = digits[bytes[i] & 15];
    }
    b->len += 2 * n;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(struct str *text, char end, unsigned char *out, size_t n)
{
    struct str hex;
    if (!text_take(text, end, &hex) || hex.len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit_of(hex.ptr[2 * i]), low = digit_of(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool take_version(struct str *text)
{
    struct str version;
    return text_take(text, ' ', &version) && str_eq_c(version, VERSION);
}

/* "1 NUMBER DELIVERED FAILED\n" */
static enum rc take_mark(struct kafka_journal *j, struct str mark, struct err *e)
{
    if (!mark.ptr)
        return RC_OK;
    j->began = true;
    bool good = take_version(&mark) && text_take_uint(&mark, ' ', &j->number) &&
                text_take_uint(&mark, ' ', &j->delivered) &&
                text_take_uint(&mark, '\n', &j->failed) && mark.len == 0 && j->number <= NUMBER_MAX;
    return good ? RC_OK : damaged(j, e);
}

enum rc kafka_journal_mark(struct kafka_journal *j, uint64_t failed, struct err *e)
{
    buf_clear(&j->text);
    buf_addf(&j->text, VERSION " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", j->number, j->delivered,
             failed);
    return buf_rc(&j->text) == RC_OK ? RC_OK : err_nomem(e);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Of what is recorded; 0: nothing. */
static uint64_t last_number(const struct kafka_journal *j)
{
    return j->n_batches ? j->batches[j->n_batches - 1].number : 0;
}

static enum rc take_leads(struct kafka_journal *j, struct kafka_journal_batch *batch,
                          struct str text, struct err *e)
{
    while (text.len > 0) {
        struct kafka_journal_lead *leads =
            list_grow(j->leads, j->n_leads, &j->cap_leads, sizeof *leads);
        if (!leads)
            return err_nomem(e);
        j->leads = leads;
        struct kafka_journal_lead *l = &leads[j->n_leads];
        if (!text_take_uint(&text, ' ', &l->seq) || !take_hex(&text, ' ', l->key, sizeof l->key) ||
            !take_hex(&text, '\n', l->content, sizeof l->content))
            return damaged(j, e);
        j->n_leads++;
        batch->n_leads++;
    }
    return RC_OK;
}

/* Transactions that the mark covers are loaded, too: the state keeps a record until all its leads are done, and those
 * that are not will be put again. */
static enum rc load_one(void *ctx, const struct state_delivery *d, struct err *e)
{
    struct kafka_journal *j = ctx;
    struct kafka_journal_batch batch = {.row = d->row, .is_answered = d->answer.ptr != NULL};
    struct str text = d->leads;
    j->began = true;
    if (!take_version(&text) || !text_take_uint(&text, ' ', &batch.number) ||
        !text_take_uint(&text, '\n', &batch.messages) || batch.number > NUMBER_MAX)
        return damaged(j, e);
    if (batch.number == 0 || (batch.is_answered && str_eq_c(d->answer, ABORTED)))
        return RC_OK;
    if (batch.number <= last_number(j) && j->n_batches > 0) /* numbers ascend */
        return damaged(j, e);
    struct kafka_journal_batch *batches =
        list_grow(j->batches, j->n_batches, &j->cap_batches, sizeof *batches);
    if (!batches)
        return err_nomem(e);
    j->batches = batches;
    enum rc rc = take_leads(j, &batch, text, e);
    j->is_open |= !batch.is_answered;
    j->batches[j->n_batches++] = batch;
    return rc;
}

enum rc kafka_journal_open(struct kafka_journal *j, const struct sink_cfg *cfg, struct str mark,
                           struct err *e)
{
    *j = (struct kafka_journal){.subject = cfg->spec, .state = cfg->state, .index = cfg->index};
    buf_init(&j->text, TEXT_BYTES_MAX);
    enum rc rc = take_mark(j, mark, e);
    return rc == RC_OK ? state_each_delivery(j->state, j->index, load_one, j, e) : rc;
}

void kafka_journal_close(struct kafka_journal *j)
{
    buf_free(&j->text);
    free(j->batches);
    free(j->leads);
    *j = (struct kafka_journal){0};
}

/* ---- which of them are in the topic? ---------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return memcmp(((const struct kafka_journal_lead *)a)->key,
                  ((const struct kafka_journal_lead *)b)->key, LEAD_KEY_BYTES);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A missing marker may have expired. That is acceptable only if no recorded transaction depends on it. */
static bool is_plausible(const struct kafka_journal *j, int64_t marker)
{
    uint64_t least = j->number;
    for (size_t i = 0; i < j->n_batches; i++) {
        if (j->batches[i].is_answered)
            least = larger(least, j->batches[i].number);
    }
    if (marker >= 0 && (uint64_t)marker > larger(j->number, last_number(j)))
        return false;
    return !j->is_open || (marker >= 0 && (uint64_t)marker >= least);
}

/* Drops the leads of transactions that were not committed, which are the last ones. */
static enum rc keep(struct kafka_journal *j, int64_t marker, struct err *e)
{
    static const struct state_answered none = {0};
    enum rc rc = RC_OK;
    size_t n_leads = 0;
    uint64_t number = j->number;
    for (size_t i = 0; rc == RC_OK && i < j->n_batches; i++) {
        const struct kafka_journal_batch *batch = &j->batches[i];
        const struct state_answered all = {.delivered = batch->messages};
        bool is_there = batch->is_answered || (marker >= 0 && batch->number <= (uint64_t)marker);
        if (!batch->is_answered && is_there)
            rc = state_answer(j->state, batch->row, &all, STR(COMMITTED), e);
        if (!batch->is_answered && !is_there)
            rc = state_answer(j->state, batch->row, &none, STR(ABORTED), e);
        if (!is_there)
            continue;
        n_leads += batch->n_leads;
        j->delivered += batch->number > j->number ? batch->messages : 0;
        number = larger(number, batch->number);
    }
    j->number = number;
    j->n_leads = n_leads;
    j->n_batches = 0;
    if (j->n_leads)
        qsort(j->leads, j->n_leads, sizeof *j->leads, compare_keys);
    return rc;
}

enum rc kafka_journal_resolve(struct kafka_journal *j, int64_t marker, struct err *e)
{
    if (!is_plausible(j, marker))
        return err_set(
            e, RC_USAGE,
            "%s: the cluster cannot say which of this run's transactions were committed: "
            "it keeps that for a limited time only (offsets.retention.minutes), or it is "
            "another cluster, or the state is a copy of an earlier one; compare the topic "
            "with the list of leads, and start over with --fresh",
            j->subject);
    return keep(j, marker, e);
}

const struct kafka_journal_lead *kafka_journal_find(const struct kafka_journal *j,
                                                    const struct lead *lead)
{
    struct kafka_journal_lead like = {0};
    memcpy(like.key, lead->key, sizeof like.key);
    return j->n_leads ? bsearch(&like, j->leads, j->n_leads, sizeof *j->leads, compare_keys) : NULL;
}

/* ---- a transaction --------------------------------------------------------------------------- */

void kafka_journal_begin(struct kafka_journal *j, uint64_t number, uint64_t messages)
{
    buf_clear(&j->text);
    buf_addf(&j->text, VERSION " %" PRIu64 " %" PRIu64 "\n", number, messages);
}

void kafka_journal_add(struct kafka_journal *j, const struct lead *lead,
                       const unsigned char content[LEAD_KEY_BYTES])
{
    buf_addf(&j->text, "%" PRIu64 " ", lead->seq);
    put_hex(&j->text, lead->key, LEAD_KEY_BYTES);
    buf_addc(&j->text, ' ');
    put_hex(&j->text, content, LEAD_KEY_BYTES);
    buf_addc(&j->text, '\n');
}

struct durable {
    struct state_waiter waiter; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    enum rc rc;
};

/* On the state's thread. */
static void on_durable(struct state_waiter *w, enum rc rc)
{
    struct durable *d = (struct durable *)w;
    pthread_mutex_lock(&d->lock);
    d->is_done = true;
    d->rc = rc;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static enum rc wait_durable(struct kafka_journal *j, struct err *e)
{
    struct durable d = {.waiter.fn = on_durable};
    if (pthread_mutex_init(&d.lock, NULL))
        return err_nomem(e);
    if (pthread_cond_init(&d.changed, NULL)) {
        pthread_mutex_destroy(&d.lock);
        return err_nomem(e);
    }
    state_when_durable(j->state, &d.waiter);
    pthread_mutex_lock(&d.lock);
    while (!d.is_done)
        pthread_cond_wait(&d.changed, &d.lock);
    pthread_mutex_unlock(&d.lock);
    pthread_cond_destroy(&d.changed);
    pthread_mutex_destroy(&d.lock);
    bool any;
    if (d.rc == RC_OK)
        return RC_OK;
    enum rc rc = state_has_deliveries(j->state, 0, 0, &any, e); /* only to get the state's error */
    return rc != RC_OK ? rc : err_set(e, d.rc, "%s: the state cannot be written", j->subject);
}

enum rc kafka_journal_record(struct kafka_journal *j, uint64_t last_seq, int64_t *row,
                             struct err *e)
{
    const struct state_delivery delivery = {
        .id = STR("transaction"), .leads = buf_str(&j->text), .body = STR("")};
    if (buf_rc(&j->text) != RC_OK)
        return err_nomem(e);
    enum rc rc = state_add_delivery(j->state, j->index, &delivery, last_seq, row, e);
    j->began = true;
    return rc == RC_OK ? wait_durable(j, e) : rc;
}

enum rc kafka_journal_committed(struct kafka_journal *j, int64_t row, uint64_t number,
                                uint64_t messages, struct err *e)
{
    const struct state_answered how = {.delivered = messages};
    j->number = number;
    j->delivered += messages;
    return state_answer(j->state, row, &how, STR(COMMITTED), e);
}
