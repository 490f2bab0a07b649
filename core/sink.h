/* What a sink is: where rows go.
 *
 * A const table of functions and an instance whose first member points to it. The run opens all
 * sinks, gives each a thread of its own, hands it leads in batches, and gets exactly one verdict for
 * every lead that was put. Sinks do not log or exit and decide nothing about the run.
 *
 * The calls, in this order; [c]: by the caller of the run, while no other thread runs; [s]: by the
 * sink's own thread:
 *
 *     [c] check  [c] open  [s] put, put_missing, mark (any number)  then one of
 *
 *     [s] prepare  [c] result  [c] commit  [c] close    the run reached its end
 *     [s] prepare  [c] result  [c] abort   [c] close    it did, and its outputs are withheld
 *     [s] as on_stop says  [c] result  [c] close        it was stopped or has failed, and a mark or a text
 *                                                       of this sink may be in a state
 *     [s] as on_stop says  [c] result  [c] abort  [c] close                        none is
 *
 * and, where a run was cut off between the record of all prepared texts and the end of the last
 * commit, instead of all of them, in the run that resumes it:
 *
 *     [c] check  [c] recover (only_check), for all sinks  [c] recover, for all sinks
 *
 * and, where somebody asks before a run what would go wrong in it:
 *
 *     [c] check  [c] probe
 *
 * Besides: sync and stop, by other threads meanwhile; needs and keeps [c] after check; paths [c], also
 * before it. A run that fails at its end may have called prepare instead of what on_stop says.
 *
 * Any function that returns an error may have done a part of its work. After an error of put() no more
 * leads come; after one of mark() those that are queued already may. After one of prepare() the other
 * sinks are not committed. An error of commit() ends the run: with a state the same command recovers. */
#ifndef LEADPIPE_SINK_H
#define LEADPIPE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/findings.h"
#include "core/base/option.h"
#include "core/base/units.h"
#include "core/lead.h"
#include "core/provider/profile.h"
#include "core/base/secrets.h"

/* ---- configuration -------------------------------------------------------------------------- */

struct kafka_url;
struct places;
struct schema;
struct sink;
struct sink_http_cfg;
struct sink_list;
struct sink_merge_ops;
struct state;
struct stop_timer;

enum verdict_kind {
    VERDICT_ACCEPTED,
    VERDICT_OUTDATED, /* accepted, but with other content: by a delivery from before the run was resumed */
    VERDICT_FAILED,
    VERDICT_PENDING, /* the sink was stopped before it could say */
};

struct verdict {
    enum verdict_kind kind;
    int http_status; /* the rest only for VERDICT_FAILED; texts are copied by settle() */
    unsigned attempts;
    const char *code, *error;
};

struct unacked_lead;

/* What the run offers to its sinks. */
struct sink_host {
    void *ctx;
    /* The verdict on one lead; any thread; exactly once a lead that was put. The lead must not be
     * touched afterwards, put()'s own array aside. */
    void (*settle)(void *ctx, struct sink *sink, const struct lead *lead, const struct verdict *v);
    /* In open() only: a lead that the sink took in before the mark that it resumes from, or that is
     * in a delivery it had recorded, and whose verdict is not known. *out is the lead, which the
     * sink must give a verdict then; or NULL where the run had not reached it: then it comes again with
     * put(). RC_NOMEM. */
    enum rc (*unacked)(void *ctx, struct sink *sink, const struct unacked_lead *unacked,
                       const struct lead **out, struct err *e);
    /* In open() only: there is a recorded delivery with the lead of that number, answered or not.
     * RC_NOMEM. */
    enum rc (*sent)(void *ctx, struct sink *sink, uint64_t seq, struct err *e);
    /* In mark() of a sink that takes the place, as late as possible: where the source is when all leads that were put
     * are done; empty where that is not new. Lives until mark() returns. An error: what was put must not be committed. */
    enum rc (*place)(void *ctx, struct str *out, struct err *e);
    /* In prepare() of a sink with `recorded`: what the run has read of the queue, an opaque text that is committed with
     * its rows; empty: nothing. Lives until prepare() returns. */
    enum rc (*record)(void *ctx, struct str *out, struct err *e);
    /* In prepare(), for each record of another run that was not there when the sink was opened. RC_BUSY: it has messages of
     * this run; RC_USAGE: it is malformed. Nothing of this run may be committed then. */
    enum rc (*compare)(void *ctx, struct str record, struct err *e);
    /* In prepare() of a sink with `shard`. RC_INTERNAL: SHA-256 could not be computed. */
    enum rc (*list)(void *ctx, struct sink_list *out, struct err *e);
    /* The sink holds so many bytes more (less) of what it has yet to deliver; any thread. */
    void (*holds)(void *ctx, size_t bytes);
    void (*releases)(void *ctx, size_t bytes);
};

/* Which shard of a run the leads are, for a sink in which all shards of that run become one (SINK_SHARDS_TOGETHER). Those
 * belong together that have the same `of`, `name` and `settings`, the same list of IDs (host.list()), and write to the
 * same place in the same way. */
struct sink_shard {
    uint32_t index, of;   /* `index` from 0 */
    const char *name;     /* of the run that the shards are parts of; NULL: it has none */
    const char *settings; /* a digest of all options that change rows, but for the sink's own */
};

/* The list of IDs of all shards, as far as it can be compared. */
struct sink_list {
    char sha256[65]; /* hexadecimal */
    bool is_empty;
};

/* What a sink must remember of a lead until it gives its verdict. */
struct unacked_lead {
    uint64_t seq;
    struct str id;
    const struct str *params;         /* in the order of profile->params */
    const unsigned char *fingerprint; /* FINGERPRINT_BYTES */
};

struct sink_cfg {
    const char
        *spec; /* as given, for messages (no option values, no user, password or query of a URL) */
    const char *target; /* after the colon: path, URL or "-" */
    bool makes_folder;  /* the run makes the folder that `target` is in: outfile_check_new() */
    const void *opts;   /* the sink's own option struct, filled by the parser */
    const struct profile *profile;
    const struct schema *schema; /* undocumented columns: from prepare() on, not before; or NULL */
    const char *run_id;          /* of the run, from open() on; a resumed run keeps it, ... */
    int64_t started_ms;          /* ... and its start, by the wall clock */
    const char *
        discarded_run_id; /* in open(): of the unfinished run that is not resumed, but discarded: what
                                     it left of no use may go; "": none */
    bool want_sha256;     /* the result needs the files' digests */
    struct portion max_gone; /* leads that it may mark or delete: sink_gone_allowed() */
    size_t max_memory;       /* bytes that the leads and all sinks of the run may take together */
    const struct sink_http_cfg *http; /* of sinks that send HTTP requests: sink_http.h */
    const struct clock *clock;
    const struct stop_timer *stop; /* of the run: ends waiting for readers of what is written */
    const struct places *places;   /* of files, beyond this machine's own: for outfile.h */
    struct sink_host host;
    const struct kafka_url *ids_topic; /* where the IDs come from a topic of Kafka; else NULL */
    const char *
        queue; /* of a sink with `recorded` whose run has a queue: names it in the records; else NULL */
    const struct sink_shard
        *shard; /* of a sink with SINK_SHARDS_TOGETHER whose run does one shard; else NULL */
    const struct log_hook *log; /* handed on to the HTTP engine */
    /* check() registers the sink's secrets; every text of a receiver is redacted by it. */
    struct secrets *secrets;
    /* Where a sink that delivers records its deliveries, as number `index`; NULL: nowhere. */
    struct state *state;
    unsigned index;
};

/* ---- results -------------------------------------------------------------------------------- */

/* How many of the `held` leads that a target holds may be marked or deleted in one run. PORTION_ANY: a
 * tenth, and 100 in any case. A share is rounded down. */
#define SINK_GONE_SHARE (PORTION_WHOLE / 10)
#define SINK_GONE_MIN 100

static inline uint64_t sink_gone_allowed(const struct portion *max_gone, uint64_t held)
{
    const struct portion tenth = {.kind = PORTION_SHARE, .n = SINK_GONE_SHARE};
    if (max_gone->kind != PORTION_ANY)
        return portion_of(max_gone, held);
    uint64_t n = portion_of(&tenth, held);
    return n > SINK_GONE_MIN ? n : SINK_GONE_MIN;
}

/* Its texts belong to the sink, until close(). */
struct sink_file {
    const char *path;  /* final name, "-" for standard output */
    const char *table; /* NULL: all tables */
    uint64_t rows, bytes;
    char sha256[65];           /* hexadecimal, "" where not wanted */
    const struct str *columns; /* their names, in order */
    size_t n_columns;
};

/* How many values did not fit the type of a column. */
struct sink_misfits {
    const char *table, *column;
    const char *type; /* that a table of the user's gives the column; NULL: the profile's */
    uint64_t n;       /* not 0 */
};

#define SINK_WAITS_FOR_BYTES 128

struct sink_result {
    struct sink_file *files; /* owned by the sink, until close() */
    size_t n_files;
    bool is_typed;                /* its columns have types: then the next two */
    struct sink_misfits *misfits; /* as `files`; in order of tables and columns */
    size_t n_misfits;
    uint64_t bytes_sent; /* to standard output, pipes and devices: cannot be taken back */
    bool is_delivery;    /* the following instead of files */
    uint64_t deliveries, delivered, failed;
    /* Of a database, beside its files where it has any. `held`: leads that its tables held before the
     * run; `gone`: those of them that are missing now. Where `gone` is above `gone_allowed` the run
     * withholds all outputs; a sink that neither marks nor deletes allows as many as it holds. All are
     * known after prepare(). */
    bool is_database;
    uint64_t inserted, updated, deleted; /* rows */
    uint64_t held, gone, gone_allowed;
    /* With sink_cfg.shard, where what follows the first phase is one of three: other shards are due, and the tables do not
     * change before (`due`, `waits_for`); this is the last one, and the leads of all of them get into the tables with it
     * (`merged`: how many shards, and `inserted` etc. are of all); or they are there already (neither). */
    uint64_t due, merged;
    char waits_for[SINK_WAITS_FOR_BYTES]; /* the numbers of those that are due: "3 and 15 of 16" */
    bool none_found; /* no shard has found a lead: the run withholds all outputs */
};

/* An opaque text that open() takes back. Owned by the sink until the next mark() or close(). */
struct sink_mark {
    struct str text;
};

/* ---- the end -------------------------------------------------------------------------------- */

/* What becomes of what a sink has taken in when the run is stopped or fails. */
enum sink_stop {
    SINK_STOP_KEEP,  /* it stays as it is, for the run that resumes from a mark */
    SINK_STOP_FLUSH, /* what was sent is waited for, as far as stop() lets it: flush() */
    SINK_STOP_ROLL_BACK, /* what follows its last mark keeps others waiting: roll_back(). No sink of ours
                            needs it: "kafka" does so with a state only, within flush() */
};

#define SINK_TEXT_BYTES_MAX ((size_t)16 << 20)

/* What a run that was cut off between prepare() and the end of commit() left to be done. */
struct sink_recovery {
    struct str text; /* prepare()'s; it comes out of a state, so it may be anything */
    bool takes_back; /* the outputs are withheld: as abort(), not as commit() */
    bool only_check; /* change nothing, and say what would be an error */
    /* Of a sink with a shard: what the run had expected, which recover() replaces with what came of it. NULL with
     * only_check. */
    struct sink_result *result;
};

/* ---- the sink ------------------------------------------------------------------------------- */

/* `is_confirmed`: confirm() was called. */
typedef enum rc sink_recall_fn(void *ctx, struct str record, bool is_confirmed, struct err *e);

/* What a sink does with the leads of one shard. */
enum sink_shards {
    SINK_SHARDS_APART, /* as with those of a run: each shard has its own target, or the target does not care */
    SINK_SHARDS_TOGETHER, /* keeps them until all shards are there, and then makes all visible at once: sink_cfg.shard.
                             From prepare() to commit() it may lock out other runs, so such sinks of one run, of a shard
                             or of all leads, are prepared one after the other, in the order of -t, and committed in that
                             order */
};

/* What a sink needs outfile_check_spool() for. */
enum sink_spools {
    SINK_SPOOLS_NOTHING,
    SINK_SPOOLS_MARKS, /* what is not yet in the file when a mark is made */
    SINK_SPOOLS,       /* its files are read back */
};

struct sink_ops {
    const char *name, *help;
    const struct option_spec *opts; /* NULL: none */
    size_t opts_size;               /* bytes of the struct that they fill */
    unsigned target;                /* what a target names: of enum option_names */
    /* Memory that put() needs at the most to write a large lead, in eighths of its text as JSON. */
    unsigned eighths;
    /* Memory beyond a few MiB that an instance has beside what a lead is charged for, at the most, whatever the
     * leads are: it is set aside from `max_memory` before the first lead. After check(). NULL: none. */
    size_t (*keeps)(const struct sink_cfg *cfg);
    size_t columns_max; /* that a table may have; 0: any number */
    bool
        commits_at_once; /* a commit that fails has changed nothing, although the target is a file */
    bool
        delivers; /* a verdict is final: what it accepts is where it belongs, and nothing appears at the end */
    enum sink_shards shards;
    enum sink_spools spools;

    /* Not asked for with -t: what a shard's run writes beside its manifest, for `leadpipe merge`. */
    bool is_companion;
    /* How files that shards have written become one: sinks/merge.h. NULL: they cannot. */
    const struct sink_merge_ops *merge;

    /* Does the sink commit the place of the source with what it writes, at each mark? Then a run without a state has
     * marks, too, and order is that of the input. NULL: never. */
    bool (*takes_place)(const struct sink_cfg *cfg);

    /* Refuses wrong configurations; touches nothing outside. */
    enum rc (*check)(const struct sink_cfg *cfg, struct err *e);
    /* Of sinks that can commit a record of what was read of a queue with their rows (host.record()). NULL: it cannot.
     * [c], after open() of a run with cfg->queue: calls `recall` for the records of earlier runs of that queue in the
     * target, the latest first, until it returns an error. */
    enum rc (*recorded)(struct sink *s, sink_recall_fn *recall, void *ctx, struct err *e);
    /* [c], after commit(): the queue has committed what was recorded. */
    enum rc (*confirm)(struct sink *s, struct err *e);

    /* Can the target be reached, and may the sink write there? After check(), instead of open(): reports what it
     * finds, with the sink's name as the subject. Leaves nothing behind that lasts, and sends no lead. Blocks.
     * NULL: check() finds all that can be known. */
    void (*probe)(const struct sink_cfg *cfg, const struct findings *f);
    /* What the sink needs of a lead, given its options: of enum sink_wants. */
    unsigned (*needs)(const struct sink_cfg *cfg);
    /* Appends the final paths of all files it would write (one NUL-terminated after another), "-"
     * for standard output; none for deliveries. */
    enum rc (*paths)(const struct sink_cfg *cfg, struct buf *out, struct err *e);
    /* Appends, in the same way, what is made beside the last of these and has a name that nothing else may
     * have, but for unfinished files (outfile_unfinished()). NULL: nothing. */
    enum rc (*beside)(const struct sink_cfg *cfg, struct buf *out, struct err *e);

    enum rc (*open)(struct sink **out, const struct sink_cfg *cfg, const struct sink_mark *from,
                    struct err *e);
    /* Takes in `n` leads, in order. Their rows and trees are there until it returns; afterwards, and
     * until the verdict, only id, params and seq may be read. An error means that the sink is dead
     * and the run must stop; leads without a verdict are then the run's again. */
    enum rc (*put)(struct sink *s, const struct lead *const leads[], size_t n, struct err *e);
    /* Takes in `n` missing leads, which the provider said it does not have (404, 410), each once in the run,
     * resumed or not. For one instance in order with each other and with those of put(); but a stopped run
     * may report missing leads whose numbers are higher than those of leads that are put after the resume.
     * Only id, params and seq may be read, until it returns; there is no verdict: they are missing whatever
     * the sink does. NULL where needs() never says SINK_WANTS_MISSING. Errors as put()'s. */
    enum rc (*put_missing)(struct sink *s, const struct lead *const leads[], size_t n,
                           struct err *e);
    /* Takes in a lead that failed before it was put; `row`: as the list of failed leads has it. Otherwise as
     * put_missing(). NULL where needs() never says SINK_WANTS_FAILED. */
    enum rc (*put_failed)(struct sink *s, const struct lead *lead, struct str row, struct err *e);
    /* A text from which open() can resume after the leads put so far, missing ones included. It counts
     * only once sync() has returned as well; deliveries are recorded in the state. */
    enum rc (*mark)(struct sink *s, struct sink_mark *out, struct err *e);
    /* What the last mark covers is durable. Any thread, also while put(), prepare() or flush() runs;
     * not while commit(), abort() or close() do. NULL where there is nothing to do. */
    enum rc (*sync)(struct sink *s, struct err *e);

    /* Sends what it has collected for a larger message, because no lead has arrived for a while. Errors as put()'s. NULL: it
     * collects nothing, or does not deliver. */
    enum rc (*send_collected)(struct sink *s, struct err *e);

    /* The first phase of the end. No more leads: all verdicts are given, everything is complete and
     * durable, and nothing of it is visible: all that may fail for want of space has been done.
     * `text` is NULL where nothing will be recovered. Else how to finish is appended to it, at most
     * SINK_TEXT_BYTES_MAX: for files their renames, for a database the run whose staged rows it has to
     * merge, for a bucket the uploads to complete. From then on what the text names is left by close(), for
     * recover(), unless it was committed or aborted. */
    enum rc (*prepare)(struct sink *s, struct buf *text, struct err *e);
    /* The second phase, after prepare(): makes it visible. Where there is a text, it is recorded.
     * NULL: there is nothing to do. RC_STOPPED: a reader was waited for when the run was stopped. */
    enum rc (*commit)(struct sink *s, struct err *e);
    /* Takes back everything that was not committed, also what a mark or a text names; in any phase,
     * after which only result() and close() may follow. NULL: nothing can be taken back. */
    enum rc (*abort)(struct sink *s, struct err *e);
    /* Finishes what prepare() of an earlier run began; without an instance. Can be repeated: what is
     * done already is recognised and left. NULL: prepare() appends nothing. RC_SYNTAX or RC_USAGE: the
     * text is not one of this sink's, or what it names is not what was prepared; RC_BUSY: another run
     * has it. */
    enum rc (*recover)(const struct sink_cfg *cfg, const struct sink_recovery *r, struct err *e);

    /* The run was stopped, or has failed, and prepare() will not be called. */
    enum sink_stop on_stop;
    /* Gives all verdicts; NULL but with SINK_STOP_FLUSH. */
    enum rc (*flush)(struct sink *s, struct err *e);
    /* Takes back what was put after the last mark; NULL but with SINK_STOP_ROLL_BACK. */
    enum rc (*roll_back)(struct sink *s, struct err *e);
    /* Makes put(), prepare() and flush() return soon, without waiting for answers; any thread. NULL
     * where they never wait. `grace_ms`: what is in flight may still end within it. */
    void (*stop)(struct sink *s, int64_t grace_ms);

    /* After prepare(); or, of a run that was stopped, what there is by then. */
    void (*result)(const struct sink *s, struct sink_result *out);
    /* Frees it, and drops what neither a mark nor a text names and was not committed. Cannot fail. */
    void (*close)(struct sink *s);
};

enum sink_wants {
    SINK_WANTS_ROWS = 1,        /* lead->tables */
    SINK_WANTS_TREE = 2,        /* lead->doc.root */
    SINK_WANTS_COMPACT = 4,     /* lead->doc.compact */
    SINK_WANTS_FINGERPRINT = 8, /* lead->fingerprint */
    SINK_WANTS_MISSING = 16,    /* put_missing() */
    SINK_WANTS_FAILED = 64,     /* put_failed() */
    RUN_WANTS_CONTENT_HASH = 32 /* lead->content_hash: no sink's, but of the run itself */
};

struct sink {
    const struct sink_ops *ops;
};

#endif
