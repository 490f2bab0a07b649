#include "sinks/postgres/blocked.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LOOK_MS 2000 /* locks are often held for a moment */
#define NEXT_LOOK_MS 10000
#define ANSWER_MS 5000 /* for each wait of the connection that asks */
#define MINUTE_US ((int64_t)60000000)
#define GIVE_UP_TEXT "5m" /* PG_BLOCKED_US */

int64_t pg_blocked_pause_ms(int64_t waited_us)
{
    return waited_us < FIRST_LOOK_MS * 1000 ? FIRST_LOOK_MS - waited_us / 1000 : NEXT_LOOK_MS;
}

enum pg_blocked_step pg_blocked_decide(int64_t blocked_us, bool gives_up, int64_t *minute)
{
    if (gives_up && blocked_us >= PG_BLOCKED_US)
        return PG_BLOCKED_GIVE_UP;
    if (blocked_us / MINUTE_US <= *minute)
        return PG_BLOCKED_WAIT;
    *minute = blocked_us / MINUTE_US;
    return PG_BLOCKED_TELL;
}

/* Of the first of them. What others are doing is shown to those alone who may see it: null for the rest. */
static const char blockers_sql[] =
    "select a.pid, coalesce(a.usename, '?'), coalesce(pg_catalog.host(a.client_addr), 'local'), "
    "coalesce(nullif(a.application_name, ''), '?'), coalesce(a.state, 'state not shown') "
    "from pg_catalog.pg_stat_activity a "
    "where a.pid = any (pg_catalog.pg_blocking_pids($1::int)) order by 1 limit 1";

/* *out: the caller's, with PQclear(); NULL: nobody, or it could not be asked. */
static void find_blocker(struct pg_link *l, PGresult **out)
{
    struct pg_link other = {.cfg = l->cfg, .wait_ms = ANSWER_MS};
    struct err ignored;
    char pid[16];
    const char *value = pid;
    *out = NULL;
    (void)snprintf(pid, sizeof pid, "%d", PQbackendPID(l->conn));
    if (pg_link_open(&other, &ignored) == RC_OK)
        (void)pg_exec(&other, blockers_sql, 1, &value, out, &ignored);
    pg_link_close(&other);
    if (*out && PQntuples(*out) == 0) {
        PQclear(*out);
        *out = NULL;
    }
}

/* Names that others chose: one line, valid UTF-8, bounded. */
static void describe(char *out, size_t size, const PGresult *r)
{
    (void)snprintf(out, size,
                   "server process %.16s (user %.64s, client %.64s, application %.64s, %.40s)",
                   PQgetvalue(r, 0, 0), PQgetvalue(r, 0, 1), PQgetvalue(r, 0, 2),
                   PQgetvalue(r, 0, 3), PQgetvalue(r, 0, 4));
    utf8_scrub(out);
}

static enum rc give_up_blocked(struct pg_link *l, const char *who, const PGresult *r, struct err *e)
{
    bool is_leadpipe = strcmp(PQgetvalue(r, 0, 3), PG_APPLICATION) == 0;
    return err_set(
        e, RC_IO,
        "%s: gave up after " GIVE_UP_TEXT " of waiting for a lock that %s holds; end that process "
        "(select pg_terminate_backend(%.16s)) and run again%s",
        l->cfg.spec, who, PQgetvalue(r, 0, 0),
        is_leadpipe
            ? "; two targets whose tables have triggers or foreign keys that lead to the same "
              "rows need a command each"
            : "");
}

enum rc pg_blocked_look(struct pg_link *l, struct err *e)
{
    PGresult *r;
    char who[320];
    bool gives_up = l->patience == PG_GIVES_UP;
    int64_t now_us = clock_mono_us(l->cfg.clock);
    find_blocker(l, &r);
    if (!r) {
        l->blocked_since_us = 0;
        return RC_OK;
    }
    if (l->blocked_since_us == 0) {
        l->blocked_since_us = now_us;
        l->blocked_minute = -1;
    }
    enum rc rc = RC_OK;
    describe(who, sizeof who, r);
    switch (pg_blocked_decide(now_us - l->blocked_since_us, gives_up, &l->blocked_minute)) {
    case PG_BLOCKED_TELL:
        log_msg(l->cfg.log, LOG_LEVEL_WARN, l->cfg.spec, "waiting for a lock that %s holds%s", who,
                gives_up ? "; giving up after " GIVE_UP_TEXT : "");
        break;
    case PG_BLOCKED_GIVE_UP:
        rc = give_up_blocked(l, who, r, e);
        break;
    case PG_BLOCKED_WAIT:
        break;
    }
    PQclear(r);
    return rc;
}
