/* States as leadpipe leaves them, made by runs against a server of our own on loopback, each with the
 * files that belong to it: what fuzz_state.c changes. Include once. */
#ifndef LEADPIPE_TESTS_STATE_SEEDS_H
#define LEADPIPE_TESTS_STATE_SEEDS_H

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/run/run_internal.h"
#include "core/sink_http.h"
#include "fuzz.h"
#include "sinks/registry.h"

#define SEED_LEADS 24
#define SEED_PAGE 8 /* leads of a page of the list */
#define SEED_FILES_MAX 24
#define SINKS 4

/* ---- the server ----------------------------------------------------------------------------- */

/* What it answers is said by the place of the lead, which is in its ID. */
struct seed_server {
    int listener;
    char url[64];
    bool gap;         /* lead 9 gets no answer that counts */
    bool big;         /* payloads of 16 KiB, and a column that appears late */
    bool slow;        /* the receiver fails every second delivery */
    bool list_ends;   /* else the list's second page has no answer that counts */
    bool fewer;       /* the list lacks the last leads */
    unsigned version; /* of the payloads */
    unsigned posts;
};

static struct seed_server server;

static void seed_body(unsigned lead, char *out, size_t size)
{
    static char filler[16384];
    memset(filler, 'x', sizeof filler - 1);
    (void)snprintf(out, size,
                   "{\"lead\":{\"id\":\"L%u\",\"email\":\"a@b.example\",\"n%u\":%u%s,\"v\":%u,"
                   "\"text\":\"%s\"},\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
                   lead, lead % 3, lead, server.big && lead == SEED_LEADS - 1 ? ",\"late\":1" : "",
                   lead % 2 ? 0 : server.version, server.big ? filler : "v");
}

/* A page of the list of all leads; the number of the next one is its token. */
static void seed_list(unsigned page, char *out, size_t size)
{
    unsigned all = server.fewer ? SEED_LEADS - 5 : SEED_LEADS;
    unsigned end = (page + 1) * SEED_PAGE < all ? (page + 1) * SEED_PAGE : all;
    size_t n = (size_t)snprintf(out, size, "{\"leads\":[");
    for (unsigned i = page * SEED_PAGE; i < end; i++)
        n += (size_t)snprintf(out + n, size - n, "%s{\"id\":\"L%u\"}", i % SEED_PAGE ? "," : "", i);
    (void)snprintf(out + n, size - n, end < all ? "],\"next\":\"%u\"}" : "]}", page + 1);
}

static void seed_answer(int fd, const char *request)
{
    char body[20000];
    char head[200];
    const char *status = "200 OK";
    const char *at = strstr(request, "/leads/L");
    const char *token = strstr(request, "token=");
    unsigned lead = at ? (unsigned)strtoul(at + 8, NULL, 10) : 0;
    unsigned page = token ? (unsigned)strtoul(token + 6, NULL, 10) : 0;
    *body = '\0';
    if (strncmp(request, "POST", 4) == 0) {
        unsigned n = server.posts++;
        status = !server.slow || n % 3 == 0 ? "200 OK" : n % 3 == 1 ? "500 No" : "422 No";
    } else if (strncmp(request, "GET /list", 9) == 0) {
        if (page && !server.list_ends)
            status = "500 No";
        else
            seed_list(page, body, sizeof body);
    } else if (server.gap && lead == 9) {
        status = "500 No";
    } else if (lead == 3) {
        status = "404 Not Found";
    } else if (lead == 5) {
        (void)snprintf(body, sizeof body, "{\"lead\":5}");
    } else {
        seed_body(lead, body, sizeof body);
    }
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                     strlen(body));
    if (write(fd, head, (size_t)n) < 0 || write(fd, body, strlen(body)) < 0) {
        /* a run that is stopped closes its connections */
    }
}

static void *seed_serve(void *unused)
{
    (void)unused;
    for (;;) {
        char request[65536];
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        /* a connection may be made and not used */
        const struct timeval soon = {.tv_usec = 20000};
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
        ssize_t n = read(fd, request, sizeof request - 1);
        request[n > 0 ? n : 0] = '\0';
        if (n > 0)
            seed_answer(fd, request);
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, request, sizeof request) > 0)
            continue;
        (void)close(fd);
    }
}

static void seed_server_start(pthread_t *thread)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    (void)signal(SIGPIPE, SIG_IGN); /* as http.h requires */
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(server.listener >= 0);
    MUST(bind(server.listener, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(listen(server.listener, 64) == 0);
    MUST(getsockname(server.listener, (struct sockaddr *)&address, &len) == 0);
    (void)snprintf(server.url, sizeof server.url, "http://127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    MUST(pthread_create(thread, NULL, seed_serve, NULL) == 0);
}

static void seed_server_end(pthread_t thread)
{
    MUST(shutdown(server.listener, SHUT_RDWR) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    (void)close(server.listener);
}

static void seed_spit(const char *name, const uint8_t *p, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

/* ---- the command ---------------------------------------------------------------------------- */

struct seed_command {
    struct profile *profile;
    struct sink_spec specs[SINKS];
    struct run_sink_cfg sinks[SINKS];
    const char *ids[SEED_LEADS];
    char id_texts[SEED_LEADS][8];
    char webhook[128];
    struct state_setting settings[2];
    struct lister_cfg listing;
    struct run_cfg cfg;
    struct sink_http_cfg http;
};

static struct seed_command command;

static void seed_log(void *ctx, enum log_level level, const char *subject, const char *text)
{
    (void)ctx;
    (void)level;
    (void)subject;
    (void)text;
}

static const struct log_hook silent = {.write = seed_log, .level = LOG_LEVEL_ERROR};

/* A small one, as it is read again for each run. */
static void seed_profile_make(struct profile **out)
{
    static const char text[] =
        "{\"profile\":1,\"name\":\"omni\",\"title\":\"Test\","
        "\"servers\":[{\"name\":\"main\",\"url\":\"https://api.example\"}],"
        "\"credential\":{\"variable\":\"TEST_KEY\",\"header\":\"X-Key\",\"prefix\":\"\"},"
        "\"path\":\"/leads/{id}\","
        "\"list\":{\"path\":\"/list\",\"items\":\"/leads\",\"id\":\"/id\",\"pages\":{\"style\":\"token\","
        "\"parameter\":\"token\",\"next\":\"/next\",\"size\":8}},\"payload\":{\"root\":\"\",\"required\":[\"/lead\"]},"
        "\"tables\":[{\"name\":\"leads\",\"each\":\"\",\"columns\":[{\"name\":\"id\",\"value\":\"/lead/id\"}],"
        "\"objects\":[{\"path\":\"/lead\",\"prefix\":\"\"}]},{\"name\":\"items\",\"each\":\"/items/*\","
        "\"columns\":[{\"name\":\"position\",\"position\":\"/items/*\"}]}]}";
    struct err e = {0};
    seed_spit("profile.json", (const uint8_t *)text, sizeof text - 1);
    if (profile_load(out, "./profile.json", &e) != RC_OK) {
        (void)fprintf(stderr, "%s\n", e.msg);
        abort();
    }
    MUST(unlink("profile.json") == 0);
}

/* The leads are those of the provider's list, or those that the command names. */
static void seed_command_list(bool all)
{
    command.cfg.listing = all ? &command.listing : NULL;
    command.cfg.ids.n_ids = all ? 0 : SEED_LEADS;
}

static void seed_command_make(void)
{
    struct seed_command *c = &command;
    const char *const texts[SINKS] = {"csv:leads.csv", "ndjson:leads.ndjson",
                                      "msgpack,layout=rows:leads.msgpack", c->webhook};
    static const struct str no_params[1];
    seed_profile_make(&c->profile);
    (void)snprintf(c->webhook, sizeof c->webhook, "webhook,batch=3:%s/hook", server.url);
    for (size_t i = 0; i < SINKS; i++) {
        MUST(sink_spec_parse(&c->specs[i], texts[i], NULL) == RC_OK);
        c->sinks[i] = (struct run_sink_cfg){
            .ops = c->specs[i].ops,
            .cfg = {.spec = c->specs[i].label,
                    .target = c->specs[i].target,
                    .opts = c->specs[i].opts,
                    .http = &c->http,
                    .clock = &clock_system,
                    .log = &silent},
            .identity = texts[i],
        };
    }
    for (size_t i = 0; i < SEED_LEADS; i++) {
        (void)snprintf(c->id_texts[i], sizeof c->id_texts[i], "L%zu", i);
        c->ids[i] = c->id_texts[i];
    }
    c->listing = (struct lister_cfg){.profile = c->profile,
                                     .base_url = server.url,
                                     .params = no_params,
                                     .n_lists = 1,
                                     .credential_source = "the test",
                                     .max_memory = (size_t)1 << 20,
                                     .log = &silent};
    c->http.retry = &c->cfg.retry;
    c->settings[0] = (struct state_setting){STR("--provider"), STR("omni")};
    c->settings[1] = (struct state_setting){STR("--order"), STR("input")};
    c->cfg = (struct run_cfg){
        .version = "0",
        .profile = c->profile,
        .server = "test",
        .base_url = server.url,
        .credential = "key",
        .ids = {.ids = c->ids, .n_ids = SEED_LEADS, .profile = c->profile},
        .concurrency = 4,
        .concurrency_max = 4,
        .retry = {.attempts = 1000,
                  .retry_max_time_ms = 20000,
                  .timeout_ms = 5000,
                  .connect_timeout_ms = 5000},
        .max_body = (size_t)1 << 20,
        .user_agent = "test",
        .order = ORDER_INPUT,
        .sinks = c->sinks,
        .n_sinks = SINKS,
        .failed_path = "failed.ndjson",
        .missing_path = "missing.ndjson",
        .manifest_path = "manifest.json",
        .state_path = "s",
        .settings = c->settings,
        .n_settings = 2,
        .clock = &clock_system,
        .log = &silent,
    };
}

/* ---- what is there of a state and its files --------------------------------------------------- */

struct seed_file {
    char name[64];
    uint8_t *bytes;
    size_t n;
};

struct seed {
    bool changed_only;
    bool lists;
    struct seed_file files[SEED_FILES_MAX];
    size_t n_files;
    uint8_t *state;
    size_t state_bytes;
};

static uint8_t *seed_slurp(const char *name, size_t *n)
{
    struct stat st;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && fstat(fd, &st) == 0);
    *n = (size_t)st.st_size;
    uint8_t *bytes = malloc(*n + 1);
    MUST(bytes && read(fd, bytes, *n + 1) == st.st_size && close(fd) == 0);
    return bytes;
}

/* All files of the working folder; with NULL they go away. */
static void seed_each_file(void (*fn)(struct seed *s, const char *name), struct seed *s)
{
    struct dirent *entry;
    DIR *dir = opendir(".");
    MUST(dir);
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fn)
            fn(s, entry->d_name);
        else
            MUST(unlink(entry->d_name) == 0);
    }
    MUST(closedir(dir) == 0);
}

static void seed_take_file(struct seed *s, const char *name)
{
    if (strcmp(name, "s") == 0) {
        s->state = seed_slurp(name, &s->state_bytes);
        return;
    }
    MUST(s->n_files < SEED_FILES_MAX && strlen(name) < sizeof s->files->name);
    struct seed_file *file = &s->files[s->n_files++];
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    file->bytes = seed_slurp(name, &file->n);
}

/* What a run that was killed left in the -wal file goes into the state. */
static void seed_take(struct seed *s)
{
    sqlite3 *db = NULL;
    MUST(sqlite3_open("s", &db) == SQLITE_OK);
    MUST(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK);
    MUST(sqlite3_close(db) == SQLITE_OK);
    s->changed_only = command.cfg.changed_only;
    s->lists = command.cfg.listing != NULL;
    seed_each_file(seed_take_file, s);
    MUST(s->state);
    seed_each_file(NULL, NULL);
}

/* ---- runs ----------------------------------------------------------------------------------- */

enum seed_end { END_WHOLE, END_STOPPED, END_KILLED, END_HALF_PUBLISHED };

struct seed_run {
    struct run *run;
    enum seed_end end;
};

static void seed_progress(void *ctx, const struct run_progress *p)
{
    struct seed_run *r = ctx;
    if (r->end == END_STOPPED && p->seconds > 0.5)
        run_stop(r->run, SIGTERM);
    else if (r->end == END_KILLED && p->seconds > 2.4)
        _exit(0);
    else if (r->end == END_HALF_PUBLISHED)
        (void)mkdir("leads.ndjson", 0700); /* what is complete cannot get this name */
}

static void seed_execute(enum seed_end end)
{
    struct seed_run r = {.end = end};
    struct run_result result;
    struct err e = {0};
    command.cfg.progress_interval_ms = 1;
    command.cfg.progress = seed_progress;
    command.cfg.progress_ctx = &r;
    if (run_new(&r.run, &command.cfg, &e) != RC_OK) {
        (void)fprintf(stderr, "a seed's run: %s\n", e.msg);
        abort();
    }
    run_execute(r.run, &result);
    if (getenv("SEEDS_VERBOSE"))
        (void)fprintf(stderr, "seed %d: %.2f s, %llu exported, %s\n", (int)end, result.seconds,
                      (unsigned long long)result.ledger.exported, result.error.msg);
    run_free(r.run);
    command.cfg.progress = NULL;
    command.cfg.progress_interval_ms = 0;
    if (end == END_HALF_PUBLISHED)
        MUST(rmdir("leads.ndjson") == 0);
}

static void seed_execute_killed(void)
{
    int status = 0;
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        seed_execute(END_KILLED);
        abort(); /* it was to be killed */
    }
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

#define SEEDS 7

static struct seed seeds[SEEDS];

static void seeds_make(void)
{
    pthread_t thread;
    seed_server_start(&thread);
    seed_command_make();
    /* stopped on its way, with payloads that were fetched and not handed on */
    server.gap = true;
    seed_execute(END_STOPPED);
    seed_take(&seeds[0]);
    /* the same with deliveries that were refused, or not answered */
    server.slow = true;
    seed_execute(END_STOPPED);
    seed_take(&seeds[1]);
    /* killed */
    seed_execute_killed();
    seed_take(&seeds[2]);
    /* complete, and some files have not got their names; one was written twice */
    server.gap = server.slow = false;
    server.big = true;
    seed_execute(END_HALF_PUBLISHED);
    seed_take(&seeds[3]);
    /* stopped, with leads that have not changed */
    server.big = false;
    command.cfg.changed_only = true;
    seed_execute(END_WHOLE);
    server.gap = true;
    server.version = 1;
    seed_execute(END_STOPPED);
    seed_take(&seeds[4]);
    /* stopped within a list */
    command.cfg.changed_only = false;
    seed_command_list(true);
    seed_execute(END_STOPPED);
    seed_take(&seeds[5]);
    /* stopped behind a list that lacks leads of the one before */
    server.gap = false;
    server.list_ends = true;
    seed_execute(END_WHOLE);
    server.gap = server.fewer = true;
    seed_execute(END_STOPPED);
    seed_take(&seeds[6]);
    seed_server_end(thread);
}

#endif
