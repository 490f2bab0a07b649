#include "sinks/postgres/link.h"

#include <stdio.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "sinks/postgres/blocked.h"
#include "sinks/postgres/server_error.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define CONNECT_MS 30000
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000
#define MINUTE_US ((int64_t)60000000)

/* What the session must be like, whatever the defaults of the role and the database are. Names in our
 * statements, those of functions too, have their schema, and operands the types of the server's own operators: otherwise
 * what others have in a schema of the path might fit better, and would run with our rights. The search path stays:
 * triggers of the user's may need it. Compiling a
 * statement for tables with many columns takes longer than it saves. A merge that has waited for another one has to see
 * what that one has written. */
static const char session[] =
    "set client_min_messages to warning; set statement_timeout to 0; set lock_timeout to 0; "
    "set idle_in_transaction_session_timeout to 0; set standard_conforming_strings to on; "
    "set extra_float_digits to 1; set datestyle to iso; set timezone to 'UTC'; set row_security to off; set jit to off; "
    "set default_transaction_isolation to 'read committed'; "
    /* Since PostgreSQL 14 and 17: */
    "select pg_catalog.set_config('idle_session_timeout', '0', false) where "
    "pg_catalog.current_setting('idle_session_timeout', true) is not null; "
    "select pg_catalog.set_config('transaction_timeout', '0', false) where "
    "pg_catalog.current_setting('transaction_timeout', true) is not null";

/* ---- errors --------------------------------------------------------------------------------- */

/* One line, without secrets. */
static void clean(struct pg_link *l, char *text, size_t size)
{
    for (char *c = text; *c; c++) {
        if (*c == '\n' || *c == '\t' || *c == '\r')
            *c = ' ';
    }
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ')
        text[--n] = '\0';
    secrets_redact(l->cfg.secrets, text, size);
}

static enum rc connection_failed(struct pg_link *l, struct err *e)
{
    char text[600];
    (void)snprintf(text, sizeof text, "%s", PQerrorMessage(l->conn));
    utf8_scrub(text);
    clean(l, text, sizeof text);
    l->sqlstate[0] = '\0';
    return err_set(e, RC_NET, "%s: %s", l->cfg.spec, *text ? text : "the connection is lost");
}

static const char *field(const PGresult *r, int code)
{
    const char *text = PQresultErrorField(r, code);
    return text ? text : "";
}

/* "COPY name, line 12, column c3": the row of the data. */
static uint64_t line_of(const char *context)
{
    const char *at = strstr(context, ", line ");
    return strncmp(context, "COPY ", 5) == 0 && at ? strtoull(at + 7, NULL, 10) : 0;
}

static void note_subject(struct pg_link *l, const PGresult *r)
{
    const char *table = field(r, PG_DIAG_TABLE_NAME);
    const char *column = field(r, PG_DIAG_COLUMN_NAME);
    (void)snprintf(l->subject, sizeof l->subject, "%s%.80s%s%.80s", *table ? "table " : "", table,
                   *column ? ", column " : "", column);
    l->copy_line = line_of(field(r, PG_DIAG_CONTEXT));
}

static enum rc server_error(struct pg_link *l, const PGresult *r, struct err *e)
{
    char text[900];
    const struct pg_error_fields fields = {.sqlstate = field(r, PG_DIAG_SQLSTATE),
                                           .message = field(r, PG_DIAG_MESSAGE_PRIMARY),
                                           .detail = field(r, PG_DIAG_MESSAGE_DETAIL),
                                           .hint = field(r, PG_DIAG_MESSAGE_HINT)};
    (void)snprintf(l->sqlstate, sizeof l->sqlstate, "%s", fields.sqlstate);
    if (!l->sqlstate[0])
        return connection_failed(l, e);
    note_subject(l, r);
    pg_error_text(&fields, PQuser(l->conn), text, sizeof text);
    utf8_scrub(text);
    clean(l, text, sizeof text);
    return err_set(e, pg_error_class(l->sqlstate), "%s: %s%s%s", l->cfg.spec, l->subject,
                   l->subject[0] ? ": " : "", text);
}

/* SQLSTATEs of class 54, "Program Limit Exceeded". */
static const char *limit_advice(const struct pg_link *l)
{
    if (strcmp(l->sqlstate, "54011") == 0) /* too_many_columns */
        return "PostgreSQL allows 1,600 columns in a table, and counts those that were dropped: use a "
               "smaller --max-columns, or another schema= or prefix=";
    if (strcmp(l->sqlstate, "54000") == 0) /* program_limit_exceeded: of a row, or of an index */
        return "PostgreSQL stores a row in 8 KB, of which every long value takes 18 bytes: use a "
               "smaller --max-columns, such as 300; what has no column of its own is in one with "
               "all others";
    return NULL;
}

bool pg_is_limit(const struct pg_link *l)
{
    return limit_advice(l) != NULL;
}

void pg_add_advice(const struct pg_link *l, struct err *e)
{
    const char *advice = limit_advice(l);
    const struct err error = *e;
    if (advice)
        (void)err_set(e, error.rc, "%s; %s", error.msg, advice);
}

static void on_notice(void *link, const PGresult *r)
{
    struct pg_link *l = link;
    char text[300];
    (void)snprintf(text, sizeof text, "%s", field(r, PG_DIAG_MESSAGE_PRIMARY));
    utf8_scrub(text);
    clean(l, text, sizeof text);
    log_msg(l->cfg.log, LOG_LEVEL_DEBUG, l->cfg.spec, "%s", text);
}

/* ---- waiting -------------------------------------------------------------------------------- */

enum wake { WAKE_READY, WAKE_STOPPED, WAKE_TOO_LONG };

static int fd_of(const struct stop_timer *t)
{
    return t ? t->fd : -1;
}

static enum wake wait_for(struct pg_link *l, int fd, short events, int64_t ms)
{
    struct pollfd p[] = {{.fd = fd, .events = events},
                         {.fd = fd_of(l->cfg.run_stop), .events = POLLIN},
                         {.fd = fd_of(l->cfg.stop), .events = POLLIN}};
    int n;
    do {
        n = poll(p, 3, ms > INT32_MAX ? INT32_MAX : (int)ms);
    } while (n < 0 && errno == EINTR);
    if (p[1].revents || p[2].revents)
        return WAKE_STOPPED;
    return n == 0 ? WAKE_TOO_LONG : WAKE_READY;
}

/* What the server does is of no use any more. */
static enum rc give_up(struct pg_link *l, enum wake why, struct err *e)
{
    char ignored[256];
    PGcancel *cancel = PQgetCancel(l->conn);
    if (cancel)
        (void)PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
    pg_link_close(l);
    return why == WAKE_STOPPED
               ? err_set(e, RC_STOPPED, "%s: stopped while waiting for the server", l->cfg.spec)
               : err_set(e, RC_NET, "%s: the server did not answer in time", l->cfg.spec);
}

/* As wait_link(), and sees to it that the user knows why it takes so long. */
static enum rc wait_told(struct pg_link *l, short events, struct err *e)
{
    int64_t since_us = clock_mono_us(l->cfg.clock);
    l->blocked_since_us = 0;
    for (;;) {
        int64_t waited_us = clock_mono_us(l->cfg.clock) - since_us;
        enum wake woken = wait_for(l, PQsocket(l->conn), events, pg_blocked_pause_ms(waited_us));
        if (woken == WAKE_READY)
            return RC_OK;
        if (woken == WAKE_STOPPED)
            return give_up(l, woken, e);
        enum rc rc = pg_blocked_look(l, e);
        if (rc != RC_OK) {
            struct err ignored;
            (void)give_up(l, WAKE_TOO_LONG, &ignored);
            return rc;
        }
    }
}

static enum rc wait_link(struct pg_link *l, short events, struct err *e)
{
    if (l->patience != PG_WAITS_SILENTLY && l->wait_ms < 0)
        return wait_told(l, events, e);
    enum wake woken = wait_for(l, PQsocket(l->conn), events, l->wait_ms);
    return woken == WAKE_READY ? RC_OK : give_up(l, woken, e);
}

/* Sends what libpq holds back; takes in what comes meanwhile, as the server may wait for that. */
static enum rc flush(struct pg_link *l, struct err *e)
{
    int left;
    while ((left = PQflush(l->conn)) > 0) {
        enum rc rc = wait_link(l, POLLIN | POLLOUT, e);
        if (rc != RC_OK)
            return rc;
        if (!PQconsumeInput(l->conn))
            return connection_failed(l, e);
    }
    return left == 0 ? RC_OK : connection_failed(l, e);
}

/* The next result of what was sent; *out NULL: there is none. */
static enum rc next_result(struct pg_link *l, PGresult **out, struct err *e)
{
    enum rc rc = flush(l, e);
    while (rc == RC_OK && PQisBusy(l->conn)) {
        rc = wait_link(l, POLLIN, e);
        if (rc == RC_OK && !PQconsumeInput(l->conn))
            return connection_failed(l, e);
    }
    if (rc == RC_OK)
        *out = PQgetResult(l->conn);
    return rc;
}

/* All results; the last good one is kept, the first error counts. */
static enum rc results(struct pg_link *l, PGresult **out, struct err *e)
{
    enum rc result = RC_OK;
    PGresult *kept = NULL;
    for (;;) {
        PGresult *r = NULL;
        enum rc rc = next_result(l, &r, e);
        if (rc != RC_OK) {
            PQclear(kept);
            return rc;
        }
        if (!r)
            break;
        ExecStatusType status = PQresultStatus(r);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && result == RC_OK)
            result = server_error(l, r, e);
        PQclear(kept);
        kept = r;
        if (PQstatus(l->conn) == CONNECTION_BAD)
            break;
    }
    if (result == RC_OK && PQstatus(l->conn) == CONNECTION_BAD)
        result = connection_failed(l, e);
    if (result == RC_OK && out && kept) {
        *out = kept;
        return RC_OK;
    }
    PQclear(kept);
    return result == RC_OK && out ? err_set(e, RC_NET, "%s: the server sent no result", l->cfg.spec)
                                  : result;
}

static enum rc check_open(struct pg_link *l, struct err *e)
{
    return l->conn ? RC_OK : err_set(e, RC_NET, "%s: the connection is closed", l->cfg.spec);
}

/* ---- statements ----------------------------------------------------------------------------- */

enum rc pg_exec(struct pg_link *l, const char *sql, int n, const char *const *values,
                PGresult **out, struct err *e)
{
    enum rc rc = check_open(l, e);
    if (rc != RC_OK)
        return rc;
    if (!PQsendQueryParams(l->conn, sql, n, NULL, values, NULL, NULL, 0))
        return connection_failed(l, e);
    return results(l, out, e);
}

enum rc pg_run(struct pg_link *l, const char *sql, struct err *e)
{
    enum rc rc = check_open(l, e);
    if (rc != RC_OK)
        return rc;
    if (!PQsendQuery(l->conn, sql))
        return connection_failed(l, e);
    return results(l, NULL, e);
}

enum rc pg_run_buf(struct pg_link *l, struct buf *sql, struct err *e)
{
    if (buf_rc(sql) != RC_OK)
        return err_nomem(e);
    return sql->len ? pg_run(l, buf_cstr(sql), e) : RC_OK;
}

enum rc pg_ask(struct pg_link *l, struct buf *sql, PGresult **out, struct err *e)
{
    enum rc rc = buf_rc(sql) == RC_OK ? pg_exec(l, buf_cstr(sql), 0, NULL, out, e) : err_nomem(e);
    buf_clear(sql);
    return rc;
}

static bool is_true(enum rc rc, const PGresult *r)
{
    return rc == RC_OK && PQntuples(r) > 0 && *PQgetvalue(r, 0, 0) == 't';
}

enum rc pg_ask_bool(struct pg_link *l, struct buf *sql, bool *out, struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = pg_ask(l, sql, &r, e);
    *out = is_true(rc, r);
    PQclear(r);
    return rc;
}

enum rc pg_ask_about(struct pg_link *l, const char *sql, const char *value, bool *out,
                     struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = pg_exec(l, sql, 1, &value, &r, e);
    *out = is_true(rc, r);
    PQclear(r);
    return rc;
}

enum rc pg_count(struct pg_link *l, struct buf *sql, uint64_t *rows, struct err *e)
{
    PGresult *r = NULL;
    if (buf_rc(sql) != RC_OK)
        return err_nomem(e);
    if (sql->len == 0)
        return RC_OK;
    enum rc rc = pg_exec(l, buf_cstr(sql), 0, NULL, &r, e);
    if (rc == RC_OK)
        *rows += strtoull(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return rc;
}

static enum rc copy_data(struct pg_link *l, struct str data, struct err *e)
{
    while (data.len > 0) {
        size_t n = data.len < PIECE_BYTES ? data.len : PIECE_BYTES;
        int sent = PQputCopyData(l->conn, data.ptr, (int)n);
        if (sent < 0)
            return connection_failed(l, e);
        enum rc rc = flush(l, e);
        if (rc != RC_OK)
            return rc;
        if (sent > 0)
            data = (struct str){data.ptr + n, data.len - n};
    }
    return RC_OK;
}

enum rc pg_copy(struct pg_link *l, const char *sql, struct str data, struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = check_open(l, e);
    if (rc != RC_OK)
        return rc;
    if (!PQsendQuery(l->conn, sql))
        return connection_failed(l, e);
    rc = next_result(l, &r, e);
    if (rc != RC_OK)
        return rc;
    if (!r || PQresultStatus(r) != PGRES_COPY_IN) {
        rc = r ? server_error(l, r, e) : connection_failed(l, e);
        PQclear(r);
        struct err ignored;
        (void)results(l, NULL, &ignored);
        return rc;
    }
    PQclear(r);
    rc = copy_data(l, data, e);
    while (rc == RC_OK) {
        int sent = PQputCopyEnd(l->conn, NULL);
        if (sent > 0)
            break;
        rc = sent < 0 ? connection_failed(l, e) : flush(l, e);
    }
    return rc == RC_OK ? results(l, NULL, e) : rc;
}

/* ---- connecting ----------------------------------------------------------------------------- */

void pg_link_close(struct pg_link *l)
{
    if (l->conn)
        PQfinish(l->conn);
    l->conn = NULL;
}

/* Is what libpq quotes last the name of an option? Else it may be a password. */
static bool quotes_option(const char *conninfo, const char *reason)
{
    const char *end = strrchr(reason, '"');
    const char *from = end;
    while (from > reason && from[-1] != '"')
        from--;
    if (!end || from == reason)
        return !end;
    size_t n = (size_t)(end - from);
    for (const char *c = conninfo; *c; c++) {
        bool begins = c == conninfo || c[-1] == ' ';
        if (begins && strncmp(c, from, n) == 0 && c[n + strspn(c + n, " ")] == '=')
            return true;
    }
    return false;
}

static void put_reason(char *out, size_t size, const char *conninfo, const char *reason)
{
    bool is_url = strstr(conninfo, "://");
    bool shows = reason && !is_url && quotes_option(conninfo, reason);
    const char *why = shows ? reason : is_url ? "" : "every part of it is KEYWORD=VALUE";
    if (strncmp(conninfo, "//", 2) == 0)
        why = "the URL has its scheme, too: postgres:postgresql://...";
    (void)snprintf(out, size, "%s%.200s", *why ? "; " : "", why);
    out[strcspn(out, "\n")] = '\0';
}

static enum rc refuse(const char *conninfo, const char *reason, struct err *e)
{
    char why[256];
    put_reason(why, sizeof why, conninfo, reason);
    return err_set(e, RC_USAGE,
                   "postgres: the target after the colon must be a libpq connection string: "
                   "\"host=db dbname=dw user=etl\", \"service=warehouse\" or "
                   "postgresql://etl@db/dw%s",
                   why);
}

enum rc pg_conninfo_check(const char *conninfo, struct secrets *secrets, struct err *e)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &reason);
    if (!options) {
        (void)refuse(conninfo, reason, e);
        PQfreemem(reason);
        return RC_USAGE;
    }
    const char *found = NULL;
    enum rc rc = RC_OK;
    for (const PQconninfoOption *o = options; o->keyword && rc == RC_OK; o++) {
        bool is_secret =
            strcmp(o->keyword, "password") == 0 || strcmp(o->keyword, "sslpassword") == 0;
        if (is_secret && o->val && *o->val)
            found = o->keyword[0] == 's' ? "sslpassword" : "password";
        else if (o->val)
            rc = secrets_add_public(secrets, str_c(o->val));
    }
    PQconninfoFree(options);
    if (rc != RC_OK)
        return err_nomem(e);
    if (!found)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "postgres: %s: a secret in the connection string would appear in messages and "
                   "process lists; use the variable PGPASSWORD, ~/.pgpass or a service file",
                   found);
}

/* Those before `conninfo` are defaults, which it may replace; those behind it are not. */
static PGconn *start(const struct pg_link_cfg *cfg)
{
    const char *keys[] = {"keepalives_idle",
                          "keepalives_interval",
                          "keepalives_count",
                          "tcp_user_timeout",
                          "target_session_attrs",
                          "fallback_application_name",
                          "dbname",
                          "client_encoding",
                          cfg->password ? "password" : NULL,
                          NULL};
    const char *values[] = {"30",           "10",          "3",    "60000",       "read-write",
                            PG_APPLICATION, cfg->conninfo, "UTF8", cfg->password, NULL};
    return PQconnectStartParams(keys, values, 1);
}

static enum rc connect_failed(struct pg_link *l, struct err *e)
{
    static const char *const auth[] = {"password authentication failed", "no pg_hba.conf entry",
                                       "authentication failed", "no password supplied", NULL};
    static const char *const final[] = {"too many connections",
                                        "too many clients",
                                        "remaining connection slots",
                                        "does not exist",
                                        "permission denied",
                                        "certificate",
                                        NULL};
    enum rc rc = connection_failed(l, e);
    struct err said = *e;
    for (size_t i = 0; auth[i]; i++) {
        if (strstr(e->msg, auth[i]))
            return err_set(e, RC_AUTH, "%s%s", said.msg,
                           strstr(said.msg, "password")
                               ? "; set PGPASSWORD, or write ~/.pgpass (mode 600)"
                               : "");
    }
    for (size_t i = 0; final[i]; i++) {
        if (strstr(e->msg, final[i]))
            return e->rc = RC_IO;
    }
    if (strstr(said.msg, "session is read-only"))
        return err_set(
            e, rc,
            "%s; give the address of the primary, or, if the role or the database has "
            "default_transaction_read_only, add options='-c default_transaction_read_only=off'",
            said.msg);
    return rc;
}

static enum rc poll_connection(struct pg_link *l, struct err *e)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    int64_t ms = l->wait_ms >= 0 && l->wait_ms < CONNECT_MS ? l->wait_ms : CONNECT_MS;
    while (status != PGRES_POLLING_OK) {
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        enum wake woken = wait_for(l, PQsocket(l->conn), events, ms);
        if (woken == WAKE_STOPPED)
            return give_up(l, woken, e);
        if (woken == WAKE_TOO_LONG)
            return err_set(e, RC_NET, "%s: no connection within %" PRId64 " seconds", l->cfg.spec,
                           ms / 1000);
        status = PQconnectPoll(l->conn);
        if (status == PGRES_POLLING_FAILED)
            return connect_failed(l, e);
    }
    return RC_OK;
}

enum rc pg_link_open(struct pg_link *l, struct err *e)
{
    pg_link_close(l);
    l->conn = start(&l->cfg);
    if (!l->conn)
        return err_nomem(e);
    enum rc rc = PQstatus(l->conn) == CONNECTION_BAD ? connect_failed(l, e) : poll_connection(l, e);
    if (rc == RC_OK && PQpass(l->conn) &&
        secrets_add(l->cfg.secrets, str_c(PQpass(l->conn))) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK && PQsetnonblocking(l->conn, 1) != 0)
        rc = connection_failed(l, e);
    if (rc == RC_OK) {
        (void)PQsetNoticeReceiver(l->conn, on_notice, l);
        rc = pg_run(l, session, e);
    }
    if (rc != RC_OK)
        pg_link_close(l);
    return rc;
}

/* Once for each minute; *minute: the last that was told. */
static void tell_away(struct pg_link *l, int64_t away_us, int64_t ms, int64_t *minute)
{
    if (away_us / MINUTE_US <= *minute)
        return;
    *minute = away_us / MINUTE_US;
    log_msg(l->cfg.log, LOG_LEVEL_WARN, l->cfg.spec,
            "still no connection after %" PRId64 "m; giving up at %" PRId64 "m", *minute,
            ms * 1000 / MINUTE_US);
}

enum rc pg_link_open_again(struct pg_link *l, int64_t since_us, int64_t ms, struct err *e)
{
    int64_t pause = PAUSE_FIRST_MS;
    int64_t minute = 0;
    for (;;) {
        enum rc rc = pg_link_open(l, e);
        int64_t away_us = clock_mono_us(l->cfg.clock) - since_us;
        if (rc != RC_NET)
            return rc;
        if (away_us >= ms * 1000) {
            struct err last = *e;
            return err_set(e, RC_NET, "%s; gave up after %" PRId64 "m without a connection",
                           last.msg, ms * 1000 / MINUTE_US);
        }
        tell_away(l, away_us, ms, &minute);
        log_msg(l->cfg.log, LOG_LEVEL_DEBUG, NULL, "%s; trying again", e->msg);
        if (wait_for(l, -1, 0, pause) == WAKE_STOPPED)
            return err_set(e, RC_STOPPED, "%s: stopped while waiting for the server", l->cfg.spec);
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
}
