#include "core/http/auth_check.h"

static void note_turned_away(struct auth_check *c, uint64_t ordinal)
{
    uint64_t n = c->turned_away < AUTH_FIRST ? c->turned_away : AUTH_FIRST;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t noted = c->lowest[i];
        if (ordinal < noted) {
            c->lowest[i] = ordinal;
            ordinal = noted;
        }
    }
    if (n < AUTH_FIRST)
        c->lowest[n] = ordinal;
    c->turned_away++;
}

enum auth_verdict auth_check(struct auth_check *c, uint64_t ordinal, enum auth_end end)
{
    c->accepted |= end == AUTH_OTHER;
    if (c->accepted)
        return AUTH_THEIRS;
    if (end != AUTH_NO_RESPONSE)
        note_turned_away(c, ordinal);
    else if (c->turned_away < AUTH_FIRST || ordinal < c->lowest[AUTH_FIRST - 1])
        c->no_response++;
    c->refused += end == AUTH_REFUSED;
    bool are_first =
        c->turned_away >= AUTH_FIRST && c->lowest[AUTH_FIRST - 1] < AUTH_FIRST + c->no_response;
    return are_first ? AUTH_FATAL : AUTH_WAIT;
}

enum auth_verdict auth_check_all(const struct auth_check *c, uint64_t requests)
{
    bool all_refused = !c->accepted && requests > 0 && c->refused == requests;
    return all_refused && requests < AUTH_FIRST ? AUTH_FATAL : AUTH_THEIRS;
}
