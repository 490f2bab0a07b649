#include "sinks/postgres/server_error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_state(const char *state, const char *const *list)
{
    for (; *list; list++) {
        if (strncmp(state, *list, strlen(*list)) == 0)
            return true;
    }
    return false;
}

enum rc pg_error_class(const char *sqlstate)
{
    /* Connections, an administrator's or a crash's shutdown, starting up, recovering; a standby. */
    static const char *const lost[] = {"08", "57P01", "57P02", "57P03", "57P05", "25006", NULL};
    static const char *const again[] = {"40001", "40P01", NULL};
    static const char *const refused[] = {"28", NULL};
    if (is_state(sqlstate, lost))
        return RC_NET;
    if (is_state(sqlstate, again))
        return RC_BUSY;
    return is_state(sqlstate, refused) ? RC_AUTH : RC_IO;
}

/* ---- values --------------------------------------------------------------------------------- */

/* The message without what is between its first quotation mark and its last, whatever the language of the
 * server is. */
static void put_unquoted(char *out, size_t size, const char *message)
{
    static const char *const marks[] = {"\"", "„", "“", "”", "«", "»", "「", "」", NULL};
    const char *first = NULL;
    const char *rest = message + strlen(message);
    for (const char *c = message; *c; c++) {
        for (size_t i = 0; marks[i]; i++) {
            if (strncmp(c, marks[i], strlen(marks[i])) != 0)
                continue;
            if (first)
                rest = c + strlen(marks[i]);
            else
                first = c;
        }
    }
    if (first)
        (void)snprintf(out, size, "%.*s...%.200s",
                       (int)(first - message < 200 ? first - message : 200), message, rest);
    else
        (void)snprintf(out, size, "%.400s", message);
}

/* ---- advice --------------------------------------------------------------------------------- */

static const struct {
    const char *sqlstate, *begins, *advice; /* "%s": what follows the beginning; "%u": the user */
} advices[] = {
    {"23502", "", "give the column a default, or drop its not null"},
    {"42501", "permission denied for schema ",
     "choose another schema=, or, as its owner: grant usage, create on schema %s to %u"},
    {"42501", "permission denied for table ",
     "as its owner: grant select, insert, update, delete on %s to %u"},
    {"42501", "must be owner of ",
     "there are columns to add, which only the owner can: add them, or grant the owner's role to "
     "%u"},
    {"22P05", "",
     "the encoding of the database cannot represent every text: use one with the encoding UTF8"},
    {"42501", "permission denied to create temporary tables in database ",
     "values for columns of other types are converted by temporary functions; as its owner: grant temporary on database %s to %u"},
    {"28P01", "", "set PGPASSWORD, or write ~/.pgpass (mode 600)"},
    {"42501", "permission denied for database ",
     "as its owner: create the schema, with authorization %u, or grant create on database %s to "
     "%u"},
};

static void put_advice(char *out, size_t size, const char *advice, const char *what,
                       const char *user)
{
    size_t n = strlen(out);
    (void)snprintf(out + n, size - n, "; ");
    n = strlen(out);
    for (const char *c = advice; *c && n + 1 < size; c++) {
        bool is_what = strncmp(c, "%s", 2) == 0;
        if (is_what || strncmp(c, "%u", 2) == 0) {
            (void)snprintf(out + n, size - n, "%s", is_what ? what : user);
            n += strlen(out + n);
            c++;
        } else {
            out[n++] = *c;
            out[n] = '\0';
        }
    }
}

void pg_error_text(const struct pg_error_fields *f, const char *user, char *out, size_t size)
{
    /* Values that a type does not hold; constraints; a view's check; what a trigger of the user's says. */
    static const char *const about_rows[] = {"22", "23", "44", "P0", NULL};
    static const char *const quotes_values[] = {"22", NULL};
    static const char *const quotes_encodings[] = {"22P05", NULL};
    const char *state = f->sqlstate ? f->sqlstate : "";
    const char *message = f->message ? f->message : "";
    const char *detail = f->detail && !is_state(state, about_rows) ? f->detail : "";
    const char *hint = f->hint ? f->hint : "";
    if (is_state(state, quotes_values) && !is_state(state, quotes_encodings))
        put_unquoted(out, size, message);
    else
        (void)snprintf(out, size, "%.400s", message);
    size_t n = strlen(out);
    (void)snprintf(out + n, size - n, "%s%.300s%s%s%.300s", *detail ? " (" : "", detail,
                   *detail ? ")" : "", *hint ? "; hint: " : "", hint);
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
        size_t begins = strlen(advices[i].begins);
        if (strcmp(state, advices[i].sqlstate) == 0 &&
            strncmp(message, advices[i].begins, begins) == 0) {
            put_advice(out, size, advices[i].advice, message + begins, user ? user : "");
            return;
        }
    }
}
