/* `leadpipe export`: makes the configuration of a run from the options, in steps. */
#ifndef LEADPIPE_CMD_EXPORT_H
#define LEADPIPE_CMD_EXPORT_H

#include "cmd/arguments.h"
#include "core/run/run.h"
#include "core/base/stop_timer.h"
#include "core/sink_http.h"
#include "cmd/messages.h"
#include "cmd/options.h"
#include "cmd/progress.h"
#include "sinks/registry.h"
#include "sinks/rows/rows.h"
#include "cmd/settings.h"
#include "cmd/shard_auto.h"

#define EXPORT_USER_AGENT "leadpipe/" LEADPIPE_VERSION

/* Everything that lives as long as the run. Zero it first. */
struct export
{
    struct messages *messages;
    const char *job_name; /* without --job-name */
    const char *job_file; /* NULL: none, and standard input is read where nothing else is named */
    int64_t started_wall_ms;
    struct secrets *secrets; /* shared with `messages` */
    struct export_options options;
    struct arguments arguments;
    bool only_checks;       /* no run follows: leadpipe check */
    bool secrets_are_known; /* all secrets are registered, so `arguments` contains none */
    struct profile *profile;
    struct buf base_url;
    struct buf state_path; /* of a shard; so are the next three */
    struct rows_opts rows;
    struct settings rows_settings; /* what must be the same in all shards */
    struct buf rows_path;
    struct sink_shard sink_shard; /* for the sinks in which shards become one */
    struct settings shard_settings;
    char shard_digest[65];                   /* of these */
    char shard_run[SHARD_RUN_BYTES_MAX + 1]; /* that the scheduler gives; "": none */
    struct buf credential;                   /* secret */
    struct buf key_source;                   /* the file or variable of the key, for messages */
    struct str *defaults;    /* values of --param, one for each of profile->params */
    struct sink_spec *specs; /* of -t */
    size_t n_specs;          /* those that have been parsed */
    struct str *lists;       /* --all: the parameters of the lists */
    size_t n_lists;
    struct lister_cfg listing; /* --all; without callbacks */
    struct run_sink_cfg *run_sinks;
    struct sink_http_cfg sink_http;
    struct run_file *files;   /* of options */
    struct settings settings; /* of the state */
    struct progress progress;
    struct stop_timer stop;
    struct export_queue *queue;     /* NULL: no FILE is one */
    struct export_objects *objects; /* NULL: no output is in object storage */
    struct run_cfg cfg;
};

/* All of these return RC_USAGE for a wrong option, which the message names, and RC_NOMEM. */

/* The provider: profile, server, parameters, credential. If it fails with x->cfg.profile set, only the credential is
 * wrong. */
enum rc export_set_provider(struct export *x, struct err *e);

/* With --all, or for `leadpipe list`: which lists are read. After the provider. */
enum rc export_set_listing(struct export *x, struct err *e);

/* The sinks of -t, and their part of the configuration. */
enum rc export_set_sinks(struct export *x, struct err *e);

/* Which shard the run does, its share of --rate, and the name of its state. After the sinks. */
enum rc export_set_shard(struct export *x, struct err *e);

/* For a shard: what the sinks must know of it in which all shards become one, and with a manifest its companion
 * (sinks/rows), which comes after the other sinks. After all functions but export_set_settings(). */
enum rc export_set_shard_sinks(struct export *x, struct err *e);

/* What must be the same in all shards for a database to take them as one run: a digest, x->shard_digest. */
enum rc export_set_shard_settings(struct export *x, struct err *e);

/* What must be the same in all shards: x->rows.header. */
enum rc export_set_rows_settings(struct export *x, struct err *e);

/* What must be the same for a run to be resumed. After all others. */
enum rc export_set_settings(struct export *x, struct err *e);

/* Everything else in x->cfg. Opens and changes no files. */
enum rc export_set_run(struct export *x, struct err *e);

/* Raises this process's limit on open files as far as possible. RC_USAGE: it is not enough for the run. After the
 * sinks. */
enum rc export_allow_open_files(const struct export *x, struct err *e);

/* Does `argv` ask for messages in JSON? Works even if the rest of it is wrong. */
bool export_wants_json(int argc, char *argv[]);
/* Sets the level and the format of messages, by the options. */
void export_set_messages(struct messages *m, const struct export_options *o);
/* Registers the secrets on the command line and in the environment. The key and the sinks' own secrets are
 * registered where they are read. RC_NOMEM. */
enum rc export_register_secrets(struct export *x, struct err *e);
/* Checks that the options say where the IDs come from. A job file must: nobody types IDs at night, and an empty input
 * would empty its outputs. RC_USAGE. */
enum rc export_check_input(const struct export_options *o, const char *job_file, struct err *e);
/* How the provider is reached: certificates, proxy, limits. After the provider. */
enum rc export_set_fetching(struct export *x, struct err *e);

void export_free(struct export *x);

/* Ends a job whose file cannot be read like a run that is refused: reports it as the options in `argv` say. `below`:
 * lines to print below the error. Returns the exit status. */
int export_refuse_job(struct messages *m, const char *job_name, int argc, char *argv[],
                      const struct err *e, struct str below);

/* Like command_export(). `job_name`: the default of --job-name. `job_file`: the file from which the arguments come, or
 * NULL. */
int export_job(struct messages *m, const char *job_name, const char *job_file, int argc,
               char *argv[]);

#endif
