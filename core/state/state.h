/* The state file: what lets a run resume after any end, and what --changed-only compares with.
 *
 * An SQLite database (mode 0600) with our application id and a version, in WAL mode with
 * synchronous=FULL: what a commit covers survives a power cut. One process at a time has it, from
 * state_open() to state_close(). What is put into it is in the transaction at hand until a commit:
 * state_checkpoint() and the phases of the end commit; so does a thread of the state's own soon
 * after deliveries were added or answered, for many of them at once. So everything that is put
 * between two commits becomes durable together.
 *
 * Any thread may call any function but open and close. Errors of reading and writing stick: every
 * later call fails with the first one, and cfg.failed hears of it once. No secret goes in. */
#ifndef LEADPIPE_STATE_H
#define LEADPIPE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/lead.h"
#include "core/base/str.h"
#include "core/source/list_pack.h"

/* Of version 1, which had no list of missing leads and knew renames only, a state without an unfinished
 * run is taken over; of version 2, which had no list of leads, any. */
#define STATE_VERSION 3

struct state;

struct state_cfg {
    const char *path;
    /* state_forget() comes next: an unfinished run of an earlier version is no obstacle. */
    bool forgets;
    /* The state cannot be read or written any more; any thread, once; NULL: nobody hears. */
    void (*failed)(void *ctx, const struct err *e);
    void *ctx;
};

/* Opens it, making it where it is not there. RC_BUSY: another process has it; the text names that
 * process. Of several that come at the same moment all may be refused. RC_USAGE: it is damaged, of a
 * later version, has an unfinished run of an earlier one, is another program's or no regular file, or
 * cannot be made or written there; nothing was changed. RC_IO, RC_NOMEM. */
enum rc state_open(struct state **out, const struct state_cfg *cfg, struct err *e);

/* Commits what is there unless something failed, and closes. `s` may be NULL. */
void state_close(struct state *s);

/* Would state_open() find a file that it must not touch? Touches nothing and takes no lock. By the
 * file's first bytes: damage further on is for state_open() to find. Not while this process has the
 * state open, as closing a file ends all locks that a process has on it. */
enum rc state_check(const char *path, struct err *e);

/* Appends the names of the files that SQLite may make beside a state, each with a NUL behind it. RC_USAGE:
 * no file can be there. */
enum rc state_file_names(const char *path, struct buf *out, struct err *e);

/* ---- the run -------------------------------------------------------------------------------- */

enum state_phase {
    STATE_EMPTY,      /* no run, or it was forgotten */
    STATE_RUNNING,    /* begun; resumes from its last checkpoint */
    STATE_PUBLISHING, /* all outputs are complete; some may have their final name */
    STATE_FINISHED,   /* nothing is left to do */
};

/* What must be the same for a run to be resumed: names and values, in order. */
struct state_setting {
    struct str name, value;
};

/* What was done at a checkpoint, and the counts. Sequence numbers are those of unique IDs, from 0. */
struct state_progress {
    uint64_t high;         /* all sequence numbers below are done, but for the gaps */
    uint64_t key_a, key_b; /* sums over the keys of the IDs done, see progress.h */
    uint64_t handed;       /* leads that went to the sinks */
    uint64_t missing, unchanged;
    uint64_t replaced, other_ids;
    int64_t active_ms; /* time that the run was running */
};

struct state_column {
    uint32_t table, scope, occurrence;
    struct str key, member; /* member: absent or not */
};

struct state_checkpoint {
    struct state_progress progress;
    const uint64_t *gaps; /* sequence numbers below progress.high that are not done, ascending */
    size_t n_gaps;
    const struct str *marks; /* one a sink */
    size_t n_marks;
    struct str totals; /* an opaque text: other figures of the run, then the HTTP engine's */
    /* Undocumented columns, in order of appearance: those since the last checkpoint. */
    const struct state_column *columns;
    size_t n_columns;
};

enum state_phase state_phase(struct state *s);

/* Begins a run with these settings: forgets what was there of an earlier one (but not what sinks
 * accepted), an unfinished one as state_forget() does, and is durable. */
enum rc state_begin(struct state *s, const char run_id[33], int64_t started_wall_ms,
                    const struct state_setting *settings, size_t n_settings, struct err *e);

/* The unfinished (or last) run. Texts belong to the state and live until it is closed or the next
 * state_begin(); arrays, too. The checkpoint of a run that has none yet is all zero, with no marks.
 * `record` is that of state_publish(). Reads all that the run will need, so that damage is found
 * before it is resumed: RC_USAGE, and the state fails. */
struct state_run {
    char run_id[33];
    int64_t started_wall_ms;
    const struct state_setting *settings;
    size_t n_settings;
    struct state_checkpoint checkpoint; /* columns: all of them */
    struct str record;
    const struct str *texts; /* those of state_publish(), any bytes; none before it */
    size_t n_texts;
};
enum rc state_load(struct state *s, struct state_run *out, struct err *e);

/* Before state_begin(): the undocumented columns of the last run, in order of appearance. Texts and array as
 * those of state_load(). RC_END: there is none, or it is not finished. */
enum rc state_last_columns(struct state *s, const struct state_column **out, size_t *n,
                           struct err *e);

/* Forgets what happened after the checkpoint that state_load() gave: failed and missing leads that are
 * not done there. Part of the transaction at hand. Before the run is resumed. */
enum rc state_rewind(struct state *s, struct err *e);

/* All of it, and all that was put before, becomes durable in one commit. Deliveries that were
 * answered and whose leads are all below the first gap (or progress.high) are forgotten. */
enum rc state_checkpoint(struct state *s, const struct state_checkpoint *c, struct err *e);

/* ---- failed leads --------------------------------------------------------------------------- */

/* One row a lead; a second one replaces it. `row` is its line in the failed list, `summary`
 * a short text for messages. `by_sink`: it had been handed to the sinks. */
enum rc state_fail(struct state *s, uint64_t seq, bool by_sink, struct str row, struct str summary,
                   struct err *e);
struct state_failures {
    uint64_t n, by_sink;
};
enum rc state_count_failures(struct state *s, struct state_failures *out, struct err *e);
enum rc state_has_failed(struct state *s, uint64_t seq, bool *out, struct err *e);
/* The summary of the lowest sequence number into `out`, cut to its size; "" when none failed. */
enum rc state_first_failure(struct state *s, char *out, size_t size, struct err *e);
/* All rows in order of sequence numbers, each with its line end. Stops with fn's first error. `fn` must not
 * call into the state. */
enum rc state_each_failure(struct state *s, enum rc (*fn)(void *ctx, struct str row, struct err *e),
                           void *ctx, struct err *e);

/* ---- missing leads -------------------------------------------------------------------------- */

/* Its line in the list of missing leads; one a lead, as above. Forgotten by state_rewind() with
 * the failures. */
enum rc state_miss(struct state *s, uint64_t seq, struct str row, struct err *e);
enum rc state_is_missing(struct state *s, uint64_t seq, bool *out, struct err *e);
/* As state_each_failure(). */
enum rc state_count_missing(struct state *s, uint64_t *out, struct err *e);
enum rc state_each_missing(struct state *s, enum rc (*fn)(void *ctx, struct str row, struct err *e),
                           void *ctx, struct err *e);

/* ---- buffered payloads ---------------------------------------------------------------------- */

/* A run that is stopped buffers the payloads that were fetched and could not be handed on, as a lead
 * before them was not. Those of leads that are done are forgotten by state_checkpoint(). */
struct state_buffered {
    uint64_t seq;
    unsigned char key[LEAD_KEY_BYTES];
    int http_status;
    unsigned attempts;
    struct str body;
};
enum rc state_buffer(struct state *s, const struct state_buffered *payload, struct err *e);
/* Sequence numbers of buffered payloads, ascending; the array is the state's, as of state_load(). */
enum rc state_buffered_seqs(struct state *s, const uint64_t **out, size_t *n, struct err *e);
/* Appends the body to `body`; out->body is absent. RC_END: none is buffered for that lead. */
enum rc state_take_buffered(struct state *s, uint64_t seq, struct state_buffered *out,
                            struct buf *body, struct err *e);

/* ---- deliveries ----------------------------------------------------------------------------- */

/* Makes what follows on this thread part of one transaction, up to state_release(). Nests. */
void state_hold(struct state *s);
void state_release(struct state *s);

/* A delivery, before it is sent: recorded, so that after a crash the same bytes go out again.
 * `leads` is an opaque text of the sink's. */
struct state_delivery {
    int64_t row;                /* from 1 */
    uint64_t last_seq;          /* as it was given to state_add_delivery() */
    struct str id, leads, body; /* body: absent once it was answered */
    struct str answer;          /* absent: not known. An opaque text of the sink's */
};
/* `last_seq`: the highest of its leads, used instead of that of `delivery`. *row is for
 * state_answer(). */
enum rc state_add_delivery(struct state *s, unsigned sink, const struct state_delivery *delivery,
                           uint64_t last_seq, int64_t *row, struct err *e);

/* Calls `fn` once everything put before is durable (RC_OK), or cannot become it (then with the
 * error, and the delivery must not be sent). On the state's own thread, or on the caller's when the
 * state has failed already. `fn` may call into the state. The waiter is the caller's, until fn. */
struct state_waiter {
    void (*fn)(struct state_waiter *w, enum rc rc);
    struct state_waiter *next; /* the state's */
};
void state_when_durable(struct state *s, struct state_waiter *w);

/* What became of it; durable soon. Its body is forgotten. RC_INTERNAL: it has an answer. */
struct state_answered { /* how much of it, in what the sink counts; none: it was not sent */
    uint64_t delivered, failed;
};
enum rc state_answer(struct state *s, int64_t row, const struct state_answered *how,
                     struct str answer, struct err *e);

/* The recorded deliveries of a sink, in the order in which they were added; the texts live until fn
 * returns. A body that is not what was recorded: RC_USAGE, "damaged". */
enum rc state_each_delivery(struct state *s, unsigned sink,
                            enum rc (*fn)(void *ctx, const struct state_delivery *d, struct err *e),
                            void *ctx, struct err *e);

/* Is there a delivery of one of the sinks with these numbers? */
enum rc state_has_deliveries(struct state *s, unsigned first, unsigned last, bool *out,
                             struct err *e);

/* Appends the body of one that has no answer to `out`. RC_INTERNAL: no such one is there. RC_NOMEM or
 * RC_LIMIT: as `out`. Else as state_each_delivery(). */
enum rc state_delivery_body(struct state *s, int64_t row, struct buf *out, struct err *e);

/* What was counted in the answers of the run so far. */
enum rc state_delivery_counts(struct state *s, unsigned sink, uint64_t *delivered, uint64_t *failed,
                              struct err *e);

/* ---- what sinks accepted -------------------------------------------------------------------- */

/* For --changed-only: by the key of an ID the fingerprint of the content that every sink accepted
 * last, 16 bytes each. `sinks` are the identities of all sinks of the run: where one is not among
 * those that accepted the rest (or the state knows of none, or its hash is another version's), nothing counts as
 * accepted, and the state starts anew with these; that is durable. Where some of them are not in this run any more,
 * they are forgotten. `hash` is what a state that starts anew is to have; it becomes what the state has: what
 * was accepted before has to be compared by that. */
enum state_hash { STATE_HASH_SHA256, STATE_HASH_XXH3 };
enum rc state_accept_by(struct state *s, const struct str *sinks, size_t n, enum state_hash *hash,
                        struct err *e);

/* Has anything ever been accepted? Then it must be kept up to date, also by runs that are not
 * --changed-only. */
enum rc state_has_accepted(struct state *s, bool *out, struct err *e);

/* Was it that content that was accepted last? For `n` leads at once; out[i] is the answer. Reads only
 * earlier, finished runs. */
#define STATE_FINGERPRINT_BYTES 16 /* lead->content_hash */
enum state_acceptance {
    STATE_NOT_ACCEPTED, /* what was accepted before does not count any more */
    STATE_ACCEPTED,
    STATE_AS_BEFORE, /* nothing was sent: what earlier runs left still counts, unless this run has
                        noted something else before; then nobody knows what the sinks have */
    STATE_ACCEPTANCES,
};
struct state_content {
    unsigned char key[LEAD_KEY_BYTES];
    unsigned char fingerprint[STATE_FINGERPRINT_BYTES];
    enum state_acceptance acceptance; /* in state_note_accepted() */
};
enum rc state_is_accepted(struct state *s, const struct state_content *contents, size_t n,
                          bool *out, struct err *e);

/* In this run: takes effect with state_finish(). Of several for one key the last holds. */
enum rc state_note_accepted(struct state *s, const struct state_content *contents, size_t n,
                            struct err *e);

/* ---- the list of leads ---------------------------------------------------------------------- */

/* Of a run that exports all leads of a provider: the leads that were listed, in their order, so that a run that is
 * resumed has the same list. When a run has ended and was published, its list stays, as what was listed `before`, in
 * the place of that of the run before; when it was not, what was before stays. */
#define STATE_LIST_SOURCE_BYTES 64
struct state_list_cfg {
    struct str
        source; /* where the leads are from: STATE_LIST_SOURCE_BYTES lower-case hexadecimal digits */
    size_t n_params; /* of each lead */
    size_t n_lists;
    bool has_since, has_until; /* which leads were asked for */
    int64_t since_ms, until_ms;
};
enum state_listed { STATE_LISTED_BEFORE, STATE_LISTED };

/* Before state_begin(): reads what was listed before, so that damage is found before the run begins: RC_USAGE. */
enum rc state_list_verify(struct state *s, struct err *e);
/* After state_begin(): the run has a list, which is empty. What was listed before is forgotten unless it is of the same
 * source. Part of the transaction at hand. */
enum rc state_list_begin(struct state *s, const struct state_list_cfg *cfg, struct err *e);
/* Of a run that is resumed, after state_load(): what it began with. `source` lives as long as that. RC_USAGE: the run
 * has no list. */
enum rc state_list_load(struct state *s, struct state_list_cfg *out, struct err *e);

/* Has anything been listed in this run? */
enum rc state_has_list(struct state *s, bool *out, struct err *e);

/* The next part of the run's list; durable soon. RC_INTERNAL: the run has no list. */
enum rc state_list_put(struct state *s, const struct list_part *part, struct err *e);
/* Before state_publish(): leads that are to count as listed beside those of the list. */
enum rc state_list_keep(struct state *s, struct str pack, uint64_t n, struct err *e);
/* The first part from position *at on, and sets *at to what follows it; its pack goes into `pack`, which is emptied
 * before. Begin with 0. RC_END. */
enum rc state_list_take(struct state *s, enum state_listed which, uint64_t *at,
                        struct list_part *out, struct buf *pack, struct err *e);
/* All parts of the run's list; as state_each_failure(). The pack lives until `fn` returns. */
enum rc state_list_each(struct state *s,
                        enum rc (*fn)(void *ctx, const struct list_part *part, struct err *e),
                        void *ctx, struct err *e);

/* ---- the end -------------------------------------------------------------------------------- */

#define STATE_TEXT_BYTES_MAX ((size_t)16 << 20)

/* All outputs are complete on disk. From now on the run cannot fail, only be published: each of the
 * texts, at most STATE_TEXT_BYTES_MAX, says how to finish one output, to whoever prepared it; `record`
 * says how the run went. Durable. RC_INTERNAL: not running; RC_LIMIT: a text is too long. Where the commit
 * fails, the phase is STATE_PUBLISHING all the same: nobody knows which one the file will be found in. */
enum rc state_publish(struct state *s, const struct str *texts, size_t n, struct str record,
                      struct err *e);
/* A run is not over, and nothing more comes of it now: all that was put becomes durable. The first
 * error, also where that was some time ago. No other thread puts anything any more. */
enum rc state_settle(struct state *s, struct err *e);
/* The end: deliveries and payloads are forgotten, and the next run begins anew. What was accepted
 * holds from now on; where nothing was `published` (the run reached its end and withheld its
 * outputs) leads of this run do not count as accepted, unless an earlier run had them with the same
 * content. Durable. RC_INTERNAL: not after state_publish(). */
enum rc state_finish(struct state *s, bool published, struct err *e);

/* --fresh: forgets an unfinished run. What sinks that deliver may have accepted in it does not
 * count as accepted any more; where deliveries are recorded that is everything. Durable. */
enum rc state_forget(struct state *s, struct err *e);

#endif
