/* `leadpipe export`: what is made of its options. */
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

#define EXPORT_USER_AGENT "leadpipe/" LEADPIPE_VERSION

/* Everything that lives as long as the run. Zero it first. */
struct export
{
    struct messages *messages;
    const char *job_name; /* without --job-name */
    const char *job_file; /* NULL: none, and standard input is read where nothing else is named */
    int64_t started_wall_ms;
    struct secrets *secrets; /* those of `messages`, too */
    struct export_options options;
    struct arguments arguments;
    bool only_checks;       /* no run follows: leadpipe check */
    bool secrets_are_known; /* all of them: `arguments` are without any */
    struct profile *profile;
    struct buf base_url;
    struct buf state_path; /* of a shard, as the next two */
    struct rows_opts rows;
    struct settings rows_settings; /* what must be the same in all shards */
    struct buf rows_path;
    struct buf credential;   /* secret */
    struct buf key_source;   /* where it is from, for messages */
    struct str *defaults;    /* values of --param, one for each of profile->params */
    struct sink_spec *specs; /* of -t */
    size_t n_specs;          /* those that are parsed */
    struct str *lists;       /* of --all: their parameters */
    size_t n_lists;
    struct lister_cfg listing; /* of them, without callbacks */
    struct run_sink_cfg *run_sinks;
    struct sink_http_cfg sink_http;
    struct run_file *files;   /* of options */
    struct settings settings; /* of the state */
    struct progress progress;
    struct stop_timer stop;
    struct export_queue *queue;     /* NULL: no FILE is one */
    struct export_objects *objects; /* NULL: no output is one */
    struct run_cfg cfg;
};

/* The provider: profile, server, parameters, credential, of which only the last is wrong where x->cfg.profile is
 * set. RC_USAGE names the option. */
enum rc export_set_provider(struct export *x, struct err *e);

/* With --all, or for `leadpipe list`, after the provider: which lists are read. RC_USAGE names the option. */
enum rc export_set_listing(struct export *x, struct err *e);

/* The sinks of -t, and what they have of the run. */
enum rc export_set_sinks(struct export *x, struct err *e);

/* Which shard the run does, and what follows from it: its part of the rate, and the name of its state. After the
 * sinks. RC_USAGE. */
enum rc export_set_shard(struct export *x, struct err *e);

/* Of a shard with a manifest: its companion (sinks/rows), behind the other sinks. After what is above and the
 * others. */
enum rc export_set_rows(struct export *x, struct err *e);

/* What must be the same in all shards: x->rows.header. */
enum rc export_set_rows_settings(struct export *x, struct err *e);

/* What must be the same for a run to be resumed. After the others. */
enum rc export_set_settings(struct export *x, struct err *e);

/* Everything else: touches nothing outside. */
enum rc export_set_run(struct export *x, struct err *e);

/* Raises this process's limit of open files as far as it may. RC_USAGE: it is not enough for the run. After the
 * sinks. */
enum rc export_allow_open_files(const struct export *x, struct err *e);

/* What of `argv` messages depend on: JSON or not, also where the rest is wrong. */
bool export_wants_json(int argc, char *argv[]);
/* Which messages are shown, and how, by the options. */
void export_set_messages(struct messages *m, const struct export_options *o);
/* Those that the command line and the environment hold; the key and the sinks' own are registered
 * where they are read. RC_NOMEM. */
enum rc export_register_secrets(struct export *x, struct err *e);
/* Does it say where the IDs come from? A job must: nobody types them at night, and without any its outputs would
 * become empty. RC_USAGE. */
enum rc export_check_input(const struct export_options *o, const char *job_file, struct err *e);
/* How the provider is reached: certificates, proxy, limits. After the provider. RC_USAGE. */
enum rc export_set_fetching(struct export *x, struct err *e);

void export_free(struct export *x);

/* A job that cannot be read ends as a run that is refused, reported as far as `argv` says how. `below`: lines to print
 * below the error. Returns the exit status. */
int export_refuse_job(struct messages *m, const char *job_name, int argc, char *argv[],
                      const struct err *e, struct str below);

/* command_export(), whose job is called that where --job-name does not call it otherwise. `job_file`: NULL, or what the
 * arguments are from. */
int export_job(struct messages *m, const char *job_name, const char *job_file, int argc,
               char *argv[]);

#endif
