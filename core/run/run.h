/* A run: from the first ID to the summary.
 *
 * Threads: the caller's runs the event loop and fetches; one reads IDs; workers parse and flatten;
 * one puts leads in order and hands them on; each sink has its own. Everything between them is
 * bounded, so that a slow sink slows the fetching and memory stays flat. */
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

struct run;
struct run_figures;

/* A queue of IDs, which remembers how far it was read; see source.h. */
struct run_queue_cfg {
    /* As ids_open(). NULL: there is no queue. */
    enum rc (*open)(struct id_source **out, void *ctx, const struct source_wait *wait,
                    enum source_commits commits, struct err *e);
    void *ctx;
    const char *name;  /* for messages */
    size_t max_memory; /* a part of the run's */
};

struct run_sink_cfg {
    const struct sink_ops *ops;
    struct sink_cfg cfg;  /* `host`, `profile`, `state` and `index` are filled in by the run */
    const char *identity; /* what it writes and where, without secrets; for a state */
};

/* Nobody asked for it with -t: see sink.h. */
static inline bool run_sink_is_companion(const struct run_sink_cfg *s)
{
    return s->ops && s->ops->is_companion;
}

/* A file that an option names. For one that is read, messages show the option and not the path, which may
 * be a secret that was given by mistake. */
struct run_file {
    const char *path;
    const char *option; /* without its dashes */
    enum file_use use;
};

struct run_progress {
    struct ledger_counts ledger;
    struct ids_counts ids;
    bool ids_ended;  /* `ids` is final: the total is known */
    bool is_listing; /* they are from the provider's list */
    struct http_stats http;
    double seconds;       /* since it was resumed, where it was */
    uint64_t done_before; /* leads that were done then */
};

struct run_cfg {
    const char *version;
    const struct profile *profile;
    const char *server;            /* name or URL, for the manifest */
    const char *base_url;          /* without a slash at the end */
    const char *credential;        /* secret */
    const char *credential_source; /* for messages: the file or variable that it is from */
    struct secrets *secrets;       /* what no text may show; NULL: nothing */
    struct ids_cfg ids;            /* `wait` is filled in by the run */
    /* In the place of `ids`: all leads of the provider's lists. Without callbacks, which are the run's; NULL: not
     * wanted. */
    const struct lister_cfg *listing; /* its max_memory is a part of max_memory below */
    struct run_queue_cfg queue;       /* in the place of `ids`; without a state */
    struct shard shard;               /* the leads that it does; the others are read, and left */
    uint32_t
        merged_of; /* of no run, but of what leadpipe merge makes of so many shards: for the manifest; else 0 */
    bool has_expect;
    uint64_t expect;            /* unique IDs of the whole list, also of a shard */
    struct portion max_missing; /* more missing leads, and no output is published */
    struct portion
        max_gone; /* as more leads that a sink would mark or delete: sink_gone_allowed() */

    unsigned concurrency; /* 0: adapts between 1 and concurrency_max */
    unsigned concurrency_max;
    double rate_per_s; /* 0: no limit */
    struct http_retry_cfg retry;
    size_t max_body;                 /* bytes, after decompression */
    const char *user_agent, *cacert; /* NULL: none */
    const char *proxy;               /* NULL: the environment's; "": none */
    enum http_version_policy http_version;

    /* Bytes that leads and what sinks keep may take, at least RUN_MEMORY_MIN; also of each sink's cfg. */
    size_t max_memory;
    size_t max_columns; /* of a table, see schema.h */
    bool order_input;
    enum signed_urls signed_urls;
    struct run_sink_cfg *sinks;
    size_t n_sinks;

    const struct places *places; /* of outputs, beyond this machine's own; NULL: none */
    const char *failed_path, *missing_path, *schema_path, *manifest_path; /* NULL: not wanted */
    /* Those of all options, with the above and `state_path`; without the IDs' and those of sinks. */
    const struct run_file *files;
    size_t n_files;

    const char *state_path; /* NULL: none */
    bool fresh;             /* an unfinished run in it is forgotten */
    bool changed_only;
    bool
        resend; /* with changed_only: nothing counts as accepted before, and all is noted as ever */
    const struct state_setting *settings; /* what must be the same for a run to be resumed */
    size_t n_settings;

    bool wants_figures; /* figures.h: for a report */

    const char *const *arguments; /* for the manifest, without secrets */
    size_t n_arguments;

    const struct clock *clock;
    const struct stop_timer *stop; /* begins with run_stop(); NULL: readers are waited for */
    /* run_new() is about to open the outputs, which may take time: from now on run_stop() may be called. With
     * NULL: from now on it may not, as the run is being freed. On the caller's thread. NULL: not wanted. */
    void (*stoppable)(struct run *r);
    const struct log_hook *log;
    unsigned progress_interval_ms;                             /* 0: none */
    void (*progress)(void *ctx, const struct run_progress *p); /* on the caller's thread */
    void *progress_ctx;
};

/* Of the program; the run knows it first, for the manifest. */
enum exit_status {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_STOPPED = 1,  /* the run stopped before its end */
    EXIT_STATUS_USAGE = 2,    /* wrong usage or configuration: nothing was done */
    EXIT_STATUS_LEADS = 3,    /* at its end, but leads failed or too many were not found */
    EXIT_STATUS_SIGNAL = 128, /* and the signal's number */
};

/* Why a run that reached its end published no output: the earlier ones are better than these. */
enum withheld {
    WITHHELD_NOT,
    WITHHELD_NONE_FOUND,
    WITHHELD_MISSING, /* more than max_missing */
    WITHHELD_GONE, /* a sink would mark or delete more than max_gone of the leads that it holds */
    WITHHELD_NOTHING_READ, /* the queue had no message: nothing is wrong, and nothing changes */
};

#define RUN_MORE_ERRORS_MAX 4

struct run_result {
    char run_id[33];
    int64_t started_wall_ms, ended_wall_ms;
    double seconds;       /* that it was running; of all its parts */
    bool resumed;         /* an earlier part of it was in the state ... */
    uint64_t done_before; /* ... with so many leads done */
    int exit_status;      /* enum exit_status, or EXIT_STATUS_SIGNAL and the signal */
    int signal;           /* that stopped it, or 0 */
    struct err error;     /* why it stopped before its end; rc RC_OK when it did not */
    struct err more_errors[RUN_MORE_ERRORS_MAX]; /* what went wrong after that */
    size_t n_more_errors;
    bool refused;   /* before anything was done: the IDs are not what they should be */
    bool published; /* the outputs of the sinks are visible */
    bool in_part;   /* not published, but some of their files may be visible already */
    enum withheld withheld;
    uint64_t missing_allowed; /* WITHHELD_MISSING: so many would have been no reason */
    struct ids_counts ids;
    bool ids_ended;     /* every ID was read */
    bool list_may_lack; /* those that the provider listed may not be all; the log says why */
    struct ledger_counts ledger;
    struct http_stats http;
    uint64_t replaced;  /* characters that became U+FFFD */
    uint64_t other_ids; /* payloads whose own ID is not the one that was asked for */
    struct beyond beyond;
    const char *first_failure; /* "" when none */
    /* Of a shard: intake_list_digest(), and the lists as its manifest has them; without a path: not wanted. */
    char list_digest[65];
    struct sink_file failed_list, missing_list;
    struct sink_result *sinks; /* one for each of cfg->sinks; live until run_free() */
    /* Live as long; NULL: not wanted, or the run only made visible what an earlier part of it had prepared. */
    const struct run_figures *figures;
};

/* Opens everything: inputs, state, sinks, files. RC_USAGE: the configuration cannot work, and nothing
 * was touched that stays. RC_BUSY: another run has the state or writes an output. RC_STOPPED: run_stop() was
 * called. Else only the manifest may have been written, which says so. `cfg` must live as long as the run. */
enum rc run_new(struct run **out, const struct run_cfg *cfg, struct err *e);

/* The configuration with the outputs' names as they are: {date}, {run_id} and {shard} are filled in. Until run_free(). */
const struct run_cfg *run_config(const struct run *r);

/* 32 hexadecimal digits; of a run that is resumed those of its first part. Until run_free(). */
const char *run_id(const struct run *r);

/* How many of the missing leads were gone from a target that held them: the most that any sink counts.
 * False: no sink counts them. */
bool run_result_gone(const struct run_cfg *cfg, const struct run_result *r, uint64_t *out);

/* What a person is told of the leads whose outcome is exported, after their number. Every one of the `n_sinks` sinks
 * has accepted them; but only deliveries are where they should be before the outputs are published. */
const char *run_result_exported(const struct run_result *r, size_t n_sinks);

/* Does it, publishes what is to be published, and reports how it went. Once. */
void run_execute(struct run *r, struct run_result *out);

/* Asks it to stop: nothing new is requested, what is in flight may end within ten seconds, and of the
 * files only the lists that have rows and the manifest become visible. Only on the thread of
 * run_new() and run_execute(), signal handlers there included. `signal_number` is the reason in the result. */
void run_stop(struct run *r, int signal_number);

void run_free(struct run *r);

#endif
