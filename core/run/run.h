/* A run: from the first ID to the summary.
 *
 * Threads: the caller's runs the event loop and fetches; one reads IDs; workers parse and flatten; one puts
 * leads in order and hands them on; each sink has its own. All queues between them are bounded, so that a
 * slow sink slows down fetching, and memory use does not grow. */
#ifndef LEADPIPE_RUN_H
#define LEADPIPE_RUN_H

#include "core/base/option.h"
#include "core/run/beyond.h"
#include "core/flatten/flatten.h"
#include "core/http/http.h"
#include "core/source/ids.h"
#include "core/source/lister.h"
#include "core/source/shard.h"
#include "core/run/ledger.h"
#include "core/base/secrets.h"
#include "core/sink.h"
#include "core/state/state.h"

#define RUN_SINKS_MAX 32 /* a bit each in lead->run->verdicts */
#define RUN_MEMORY_MIN ((size_t)64 << 20)
#define RUN_LISTING_SHARE 8 /* an eighth of the memory is for a page of the list */

struct run;
struct run_figures;

/* A queue of IDs, which remembers how far it was read; see source.h. */
struct run_queue_cfg {
    /* As ids_open(). `is_recorded`: recall() and begin() follow. NULL: there is no queue. */
    enum rc (*open)(struct id_source **out, void *ctx, const struct source_wait *wait,
                    enum source_commits commits, bool is_recorded, struct err *e);
    void *ctx;
    const char *name;  /* for messages */
    size_t max_memory; /* a part of the run's */
    bool has_no_end;   /* an ID that comes again is requested again */
    bool
        shares_rate; /* rate_per_s is that of all runs together: each takes its share of the queue */
};

struct run_sink_cfg {
    const struct sink_ops *ops;
    struct sink_cfg cfg;  /* `host`, `profile`, `state` and `index` are filled in by the run */
    const char *identity; /* what it writes and where, without secrets; for a state */
};

/* Was it added by the program, and not by -t? See sink.h. */
static inline bool run_sink_is_companion(const struct run_sink_cfg *s)
{
    return s->ops && s->ops->is_companion;
}

/* A file that an option names. If it is read, messages show the option and not the path, which may be a
 * secret given by mistake. */
struct run_file {
    const char *path;
    const char *option; /* without its dashes */
    enum file_use use;
    bool makes_folder; /* the run makes the folder that it is in */
};

struct run_progress {
    struct ledger_counts ledger;
    struct ids_counts ids;
    bool ids_ended;  /* `ids` is final: the total is known */
    bool is_listing; /* IDs come from the provider's list */
    struct http_stats http;
    double seconds;       /* since this part of the run began */
    uint64_t done_before; /* leads that were done before that */
};

/* In the order of the choices of the option. */
enum run_order { ORDER_INPUT, ORDER_ANY };

struct run_cfg {
    const char *version;
    const struct profile *profile;
    const char *server;            /* name or URL, for the manifest */
    const char *base_url;          /* without a slash at the end */
    const char *credential;        /* secret */
    const char *credential_source; /* for messages: the file or variable that it comes from */
    struct secrets *secrets;       /* to be redacted in all texts; NULL: none */
    struct ids_cfg ids;            /* `wait` is filled in by the run */
    /* In the place of `ids`: all leads of the provider's lists. Without callbacks, which are the run's; NULL: not
     * wanted. */
    const struct lister_cfg *listing; /* its max_memory is a part of max_memory below */
    struct run_queue_cfg queue;       /* in the place of `ids`; without a state */
    struct shard shard;               /* the leads that it does; the others are read, and left */
    uint32_t
        merged_of; /* of no run, but of what leadpipe merge makes of so many shards: for the manifest; else 0 */
    bool has_expect;
    uint64_t expect; /* unique IDs of the whole list, also of a shard */

    unsigned concurrency; /* 0: adapts between 1 and concurrency_max */
    unsigned concurrency_max;
    double rate_per_s; /* 0: no limit */
    struct http_retry_cfg retry;
    size_t max_body;                 /* bytes, after decompression */
    const char *user_agent, *cacert; /* NULL: none */
    const char *proxy;               /* NULL: the environment's; "": none */
    enum http_version_policy http_version;

    /* Bytes that leads, and what is kept between leads (by sinks, the list, the queue), may use together. At least
     * RUN_MEMORY_MIN. The same as in each sink's cfg. */
    size_t max_memory;
    size_t max_columns; /* of a table, see schema.h */
    struct run_sink_cfg *sinks;
    size_t n_sinks;

    const struct places *places; /* of outputs, beyond this machine's own; NULL: none */
    /* The files of all options, but not the inputs and those of sinks. */
    const struct run_file *files;
    size_t n_files;

    /* The options that the run uses as they were given. */
#define RUN_OPTION(type, member, ...) OPTION_C_##type member;
#include "core/run/run_options.inc"
#undef RUN_OPTION

    const struct state_setting *settings; /* what must be the same for a run to be resumed */
    size_t n_settings;

    bool wants_figures; /* figures.h: for a report */

    const char *const *arguments; /* for the manifest, without secrets */
    size_t n_arguments;

    const struct clock *clock;
    const struct stop_timer *stop; /* started by run_stop(); NULL: wait for readers without limit */
    /* Called on the caller's thread when run_new() is about to open the outputs, which may take long: from now on
     * run_stop() may be called. Called with NULL when the run is being freed: from now on it may not. NULL: not
     * wanted. */
    void (*stoppable)(struct run *r);
    const struct log_hook *log;
    unsigned progress_interval_ms;                             /* 0: none */
    void (*progress)(void *ctx, const struct run_progress *p); /* on the caller's thread */
    void *progress_ctx;
};

/* Exit statuses of the program, here because the manifest has them. */
enum exit_status {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_STOPPED = 1,  /* the run stopped before its end */
    EXIT_STATUS_USAGE = 2,    /* wrong usage or configuration: nothing was done */
    EXIT_STATUS_LEADS = 3,    /* the run finished, but leads failed, or too many were missing */
    EXIT_STATUS_SIGNAL = 128, /* plus the signal's number */
};

/* Why a run that finished published no output, so that the earlier ones stay. */
enum withheld {
    WITHHELD_NOT,
    WITHHELD_NONE_FOUND,
    WITHHELD_MISSING, /* more than max_missing */
    WITHHELD_GONE, /* a sink would mark or delete more than max_gone of the leads that it holds */
    WITHHELD_NOTHING_READ, /* the queue had no message: nothing is wrong, and nothing changes */
};

/* Files about a run, as bits. */
enum run_about {
    ABOUT_FAILED = 1,
    ABOUT_MISSING = 2,
    ABOUT_SCHEMA = 4,
    ABOUT_MANIFEST = 8,
};

#define RUN_MORE_ERRORS_MAX 4

struct run_result {
    char run_id[33];
    int64_t started_wall_ms, ended_wall_ms;
    double seconds;       /* how long it was running, all its parts together */
    bool resumed;         /* an earlier part of it was in the state ... */
    uint64_t done_before; /* ... with so many leads done */
    int exit_status;      /* enum exit_status, or EXIT_STATUS_SIGNAL and the signal */
    int signal;           /* the one that stopped it, or 0 */
    struct err error;     /* why it stopped before its end; rc RC_OK: it did not */
    struct err more_errors[RUN_MORE_ERRORS_MAX]; /* later errors */
    size_t n_more_errors;
    bool refused;   /* before anything was done, because the input is wrong */
    bool published; /* the outputs of the sinks are visible */
    bool in_part;   /* not published, but some of their files may be visible already */
    unsigned lacks; /* enum run_about: `published`, but not these */
    enum withheld withheld;
    uint64_t missing_allowed; /* WITHHELD_MISSING: the number that --max-missing allows */
    struct ids_counts ids;
    bool ids_ended;     /* every ID was read */
    bool list_may_lack; /* the provider's list may be incomplete; the log says why */
    struct ledger_counts ledger;
    struct http_stats http;
    uint64_t replaced;  /* characters that became U+FFFD */
    uint64_t other_ids; /* payloads whose own ID is not the requested one */
    struct beyond beyond;
    const char *first_failure; /* "": none */
    /* Only of a shard: intake_list_digest(), and the lists for its manifest; path NULL: not wanted. */
    char list_digest[65];
    struct sink_file failed_list, missing_list;
    struct sink_result *sinks; /* one for each of cfg->sinks; valid until run_free() */
    /* Valid as long. NULL: not wanted, or the run only published what an earlier part of it had prepared. */
    const struct run_figures *figures;
};

/* Opens everything: inputs, state, sinks, files. RC_USAGE: the configuration cannot work; nothing was changed. RC_BUSY:
 * another run is using the state or writing an output. RC_STOPPED: run_stop() was called. After other errors at most the
 * manifest was written, which says so. `cfg` must outlive the run. */
enum rc run_new(struct run **out, const struct run_cfg *cfg, struct err *e);

/* The configuration with {date}, {run_id} and {shard} in the outputs' names filled in. Valid until run_free(). */
const struct run_cfg *run_config(const struct run *r);

/* 32 hexadecimal digits; in a resumed run those of its first part. Valid until run_free(). */
const char *run_id(const struct run *r);

/* How many of the missing leads a sink's target had before: the highest number of any sink. False: no sink counts
 * them. */
bool run_result_gone(const struct run_cfg *cfg, const struct run_result *r, uint64_t *out);

/* What a person is told of the leads whose outcome is exported, after their number. Every one of the `n_sinks` sinks
 * has accepted them; but only deliveries, and what went to standard output, a pipe or a device, are where they should be
 * before the outputs are published. */
const char *run_result_exported(const struct run_result *r, size_t n_sinks);

/* Appends what a person is told of the output of a sink without deliveries after a run that has not published it, such
 * as "not published; existing files are unchanged". */
void run_result_put_unpublished(struct buf *out, const struct run_result *r,
                                const struct sink_result *sink);

/* Where files about the run are not published though its outputs are: appends which, such as "--failed and --manifest". */
void run_result_put_lacks(struct buf *out, const struct run_result *r);

/* Appends what a person is told of a shard's output that waits for others (`due` of its result), such as "loaded; the tables
 * change when shards 3 and 15 of 16 are done". */
void run_result_put_due(struct buf *out, const struct sink_result *sink);

/* Has a reader of standard output, a pipe or a device received a part of an output, or all of it? Then this is said where
 * nothing was published. */
#define RUN_SENT_TEXT "what was sent to standard output, a pipe or a device cannot be taken back"
bool run_result_has_sent(const struct run_result *r, size_t n_sinks);

/* Executes the run, publishes its outputs, and sets *out. Call it once; blocks until the run has ended. */
void run_execute(struct run *r, struct run_result *out);

/* Asks the run to stop: no further requests; those in flight may take ten seconds to end; only lists with rows and the
 * manifest become visible. Only on the thread of run_new() and run_execute(), signal handlers there included.
 * `signal_number` is given as the reason in the result. */
void run_stop(struct run *r, int signal_number);

void run_free(struct run *r);

#endif
