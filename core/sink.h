/* What a sink is: where rows go.
 *
 * A const table of functions and an instance whose first member points to it. The run opens all
 * sinks, gives each a thread of its own, hands it leads in batches, and gets for every lead exactly
 * one verdict. Threads: check() and open() run before any thread starts; put(), mark() and finish()
 * are called by the sink's thread only; publish() and close() after that thread has ended. Sinks do
 * not log or exit and decide nothing about the run. */
#ifndef LEADPIPE_SINK_H
#define LEADPIPE_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/option.h"
#include "core/http/http.h"
#include "core/lead.h"
#include "core/provider/profile.h"
#include "core/base/secrets.h"

/* ---- configuration -------------------------------------------------------------------------- */

struct schema;
struct sink;
struct state;
struct stop_timer;

enum verdict_kind {
    VERDICT_ACCEPTED,
    VERDICT_OUTDATED, /* accepted, but with another content: by a delivery of before the run went on */
    VERDICT_FAILED,
    VERDICT_PENDING, /* the sink was stopped before it could say */
};

struct verdict {
    enum verdict_kind kind;
    int http_status; /* the rest only for VERDICT_FAILED; texts are copied by settle() */
    unsigned attempts;
    const char *code, *error;
};

struct owed_lead;

/* What the run offers to its sinks. */
struct sink_host {
    void *ctx;
    /* The verdict on one lead; any thread; exactly once a lead that was put. The lead must not be
     * touched afterwards, put()'s own array aside. */
    void (*settle)(void *ctx, struct sink *sink, struct lead *lead, const struct verdict *v);
    /* In open() only: a lead that the sink took in before the mark that it goes on from, or that is
     * in a delivery it had recorded, and whose verdict is not known. *out is the lead, which the
     * sink owes a verdict then; or NULL where the run had not come so far: then it comes again with
     * put(). RC_NOMEM. */
    enum rc (*owed)(void *ctx, struct sink *sink, const struct owed_lead *owed, struct lead **out,
                    struct err *e);
    /* In open() only: there is a recorded delivery with the lead of that place, answered or not.
     * RC_NOMEM. */
    enum rc (*sent)(void *ctx, struct sink *sink, uint64_t seq, struct err *e);
    /* The sink holds so many bytes more (less) of what it has yet to deliver; any thread. */
    void (*holds)(void *ctx, size_t bytes);
    void (*releases)(void *ctx, size_t bytes);
};

/* What a sink must remember of a lead that it still owes a verdict. */
struct owed_lead {
    uint64_t seq;
    struct str id;
    const struct str *params;         /* in the order of profile->params */
    const unsigned char *fingerprint; /* FINGERPRINT_BYTES */
};

struct sink_cfg {
    const char
        *spec; /* as given, for messages (no option values, no user, password or query of a URL) */
    const char *target; /* after the colon: path, URL or "-" */
    const void *opts;   /* the sink's own option struct, filled by the parser */
    const struct profile *profile;
    const struct schema *schema; /* undocumented columns: from finish() on, not before; or NULL */
    bool want_sha256;            /* the result needs the files' digests */
    /* of the run, for sinks that talk HTTP: */
    const char *cacert, *user_agent;
    const char *proxy; /* NULL: the environment's; "": none */
    enum http_version_policy http_version;
    bool allow_http;
    const struct http_retry_cfg *retry; /* the run's settings, where the sink has none of its own */
    const struct clock *clock;
    const struct stop_timer *stop; /* of the run: ends waiting for readers of what is written */
    struct sink_host host;
    const struct log_hook *log; /* handed on to the HTTP engine */
    /* check() registers the sink's secrets; every text of a receiver is redacted by it. */
    struct secrets *secrets;
    /* Where a sink that delivers records its deliveries, as number `index`; NULL: nowhere. */
    struct state *state;
    unsigned index;
};

/* ---- results -------------------------------------------------------------------------------- */

/* Its texts belong to the sink, until close(). */
struct sink_file {
    const char *path;  /* final name, "-" for standard output */
    const char *table; /* NULL: all tables */
    uint64_t rows, bytes;
    char sha256[65];           /* hexadecimal, "" where not wanted */
    const struct str *columns; /* their names, in order */
    size_t n_columns;
};

struct sink_result {
    struct sink_file *files; /* owned by the sink, until close() */
    size_t n_files;
    bool is_delivery; /* the following instead of files */
    uint64_t deliveries, delivered, failed;
    struct http_stats http;
};

/* An opaque text that open() takes back. Owned by the sink until the next mark() or close(). */
struct sink_mark {
    struct str text;
};

/* ---- the sink ------------------------------------------------------------------------------- */

struct sink_ops {
    const char *name, *help;
    const struct option_spec *opts; /* NULL: none */
    size_t opts_size;               /* bytes of the struct that they fill */
    /* Memory that put() needs at the most to write a large lead, in eighths of its text as JSON. */
    unsigned eighths;

    /* Refuses wrong configurations; touches nothing outside. */
    enum rc (*check)(const struct sink_cfg *cfg, struct err *e);
    /* What the sink needs of a lead, given its options: of enum sink_wants. */
    unsigned (*needs)(const struct sink_cfg *cfg);
    /* Appends the final paths of all files it would write (one NUL-terminated after another), "-"
     * for standard output; none for deliveries. */
    enum rc (*paths)(const struct sink_cfg *cfg, struct buf *out, struct err *e);

    enum rc (*open)(struct sink **out, const struct sink_cfg *cfg, const struct sink_mark *from,
                    struct err *e);
    /* Takes in `n` leads, in order. Their rows and trees are there until it returns; afterwards, and
     * until the verdict, only id, params and seq may be read. An error means that the sink is dead
     * and the run must stop; leads without a verdict are then the run's again. */
    enum rc (*put)(struct sink *s, struct lead *const leads[], size_t n, struct err *e);
    /* A text from which open() can go on after the leads put so far. It holds once sync() has
     * returned, too; deliveries are recorded in the state. */
    enum rc (*mark)(struct sink *s, struct sink_mark *out, struct err *e);
    /* What the last mark covers is on disk. Any thread, also while put() or finish() runs; not
     * while publish() or close() do. NULL where there is nothing to do. */
    enum rc (*sync)(struct sink *s, struct err *e);
    /* No more leads: all verdicts given, everything written and flushed to disk, not yet visible. */
    enum rc (*finish)(struct sink *s, struct err *e);
    /* After finish(): appends what publish() will rename: unfinished and final path, each with a
     * NUL behind it; an empty final path means that the file goes away. From then on the caller
     * answers for these files, and close() leaves them. NULL: nothing to do. */
    enum rc (*renames)(struct sink *s, struct buf *out, struct err *e);
    /* Renames into place. NULL where there is nothing to do. */
    enum rc (*publish)(struct sink *s, struct err *e);
    /* Valid after finish(). */
    void (*result)(const struct sink *s, struct sink_result *out);
    /* Makes put() and finish() return soon, without waiting for answers; any thread. NULL where
     * they never wait. `grace_ms`: what is in flight may still end within it. */
    void (*stop)(struct sink *s, int64_t grace_ms);
    /* Drops what was not published; cannot fail. */
    void (*close)(struct sink *s);
};

enum sink_wants {
    SINK_WANTS_ROWS = 1,        /* lead->tables */
    SINK_WANTS_TREE = 2,        /* lead->doc.root */
    SINK_WANTS_COMPACT = 4,     /* lead->doc.compact */
    SINK_WANTS_FINGERPRINT = 8, /* lead->fingerprint */
};

struct sink {
    const struct sink_ops *ops;
};

#endif
