#include "core/http/rate.h"

#define BURST_NS INT64_C(10000000)
#define INTERVAL_NS_MAX INT64_C(86400000000000) /* a day */

void rate_init(struct rate *r, double per_s)
{
    *r = (struct rate){.next_ns = INT64_MIN};
    if (!(per_s > 0))
        return;
    double interval_ns = 1e9 / per_s;
    r->interval_ns = interval_ns < 1                         ? 1
                     : interval_ns > (double)INTERVAL_NS_MAX ? INTERVAL_NS_MAX
                                                             : (int64_t)interval_ns;
    int64_t burst = BURST_NS / r->interval_ns; /* starts */
    r->burst_ns = burst > 1 ? (burst - 1) * r->interval_ns : 0;
}

void rate_change(struct rate *r, double per_s)
{
    const struct rate before = *r;
    rate_init(r, per_s);
    if (before.next_ns != INT64_MIN)
        r->next_ns = before.next_ns - before.interval_ns + r->interval_ns;
}

int64_t rate_due_us(const struct rate *r)
{
    if (r->interval_ns == 0 || r->next_ns == INT64_MIN)
        return INT64_MIN;
    int64_t due_ns = r->next_ns - r->burst_ns;
    return due_ns / 1000 + (due_ns % 1000 > 0); /* not before it */
}

void rate_take(struct rate *r, int64_t now_us)
{
    if (r->interval_ns == 0)
        return;
    int64_t now_ns = now_us * 1000;
    r->next_ns = (r->next_ns > now_ns ? r->next_ns : now_ns) + r->interval_ns;
}
