#include "core/run/auth_check.h"

static enum auth_verdict verdict(const struct auth_check *c)
{
    if (c->accepted)
        return AUTH_THEIRS;
    return c->waiting && c->n_first >= AUTH_LEADS ? AUTH_FATAL : AUTH_WAIT;
}

enum auth_verdict auth_answered(struct auth_check *c, enum auth_answer answer, struct auth_wait *w)
{
    c->accepted |= answer == AUTH_OTHER;
    if (c->accepted)
        return AUTH_THEIRS;
    w->answer = answer;
    w->next = c->waiting;
    c->waiting = w;
    c->n_waiting++;
    c->n_first += w->ordinal < AUTH_LEADS + c->unanswered;
    return verdict(c);
}

/* The one that counts in its place may have been turned away already. That holds for a request that does
 * not count yet, too: it may be the next one when others fail later. */
enum auth_verdict auth_unanswered(struct auth_check *c)
{
    if (c->accepted)
        return AUTH_THEIRS;
    uint64_t next = AUTH_LEADS + c->unanswered++;
    for (const struct auth_wait *w = c->waiting; w; w = w->next)
        c->n_first += w->ordinal == next;
    return verdict(c);
}

enum auth_verdict auth_ended(const struct auth_check *c, uint64_t requested)
{
    bool all_refused = c->waiting && requested < AUTH_LEADS && c->n_first == requested;
    for (const struct auth_wait *w = c->waiting; all_refused && w; w = w->next)
        all_refused = w->answer == AUTH_REFUSED;
    return all_refused ? AUTH_FATAL : AUTH_THEIRS;
}

struct auth_wait *auth_take(struct auth_check *c)
{
    struct auth_wait *w = c->waiting;
    if (!w)
        return NULL;
    c->waiting = w->next;
    c->n_waiting--;
    return w;
}
