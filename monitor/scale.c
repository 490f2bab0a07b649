#include "monitor/scale.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define SECOND_US INT64_C(1000000)

double scale_step(double max, unsigned most, bool is_whole, double *top)
{
    static const double factors[] = {1, 2, 5, 10};
    double least = max / most * (1 - 1e-9); /* 0.1 + 0.2 is a little more than 0.3 */
    double power = is_whole ? 1 : 1e-6;
    size_t i = 0;
    while (power * 10 <= least)
        power *= 10;
    while (i + 1 < sizeof factors / sizeof *factors && factors[i] * power < least)
        i++;
    double step = factors[i] * power;
    *top = step;
    while (*top < max * (1 - 1e-9))
        *top += step;
    return step;
}

int64_t scale_time_step_us(int64_t length_us, unsigned most)
{
    static const int64_t seconds[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                      600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
    size_t n = sizeof seconds / sizeof *seconds;
    if (length_us < most * SECOND_US) {
        double top;
        double step = scale_step((double)length_us / SECOND_US, most, false, &top);
        int64_t us = (int64_t)(step * SECOND_US + 0.5);
        return us > 0 ? us : 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (length_us / (seconds[i] * SECOND_US) <= most)
            return seconds[i] * SECOND_US;
    }
    int64_t day_us = 86400 * SECOND_US;
    return (length_us / day_us / most + 1) * day_us;
}

void scale_time(char out[SCALE_TIME_CHARS], int64_t us)
{
    int64_t s = us / SECOND_US;
    if (us == 0)
        (void)snprintf(out, SCALE_TIME_CHARS, "0");
    else if (us % SECOND_US && s < 60)
        (void)snprintf(out, SCALE_TIME_CHARS, "%.3g s", (double)us / SECOND_US);
    else if (s < 60)
        (void)snprintf(out, SCALE_TIME_CHARS, "%" PRId64 " s", s);
    else if (s < 3600 && s % 60 == 0)
        (void)snprintf(out, SCALE_TIME_CHARS, "%" PRId64 " min", s / 60);
    else if (s < 3600)
        (void)snprintf(out, SCALE_TIME_CHARS, "%" PRId64 ":%02" PRId64 " min", s / 60, s % 60);
    else if (s < 86400 && s % 3600 == 0)
        (void)snprintf(out, SCALE_TIME_CHARS, "%" PRId64 " h", s / 3600);
    else if (s < 86400)
        (void)snprintf(out, SCALE_TIME_CHARS, "%" PRId64 ":%02" PRId64 " h", s / 3600, s / 60 % 60);
    else if (s % 86400 < 3600)
        (void)snprintf(out, SCALE_TIME_CHARS, "%" PRId64 " d", s / 86400);
    else
        (void)snprintf(out, SCALE_TIME_CHARS, "%" PRId64 " d %" PRId64 " h", s / 86400,
                       s / 3600 % 24);
}

void scale_number(char out[SCALE_NUMBER_CHARS], double n)
{
    if (n >= 999999.5)
        (void)snprintf(out, SCALE_NUMBER_CHARS, "%.4gM", n / 1e6);
    else if (n >= 9999.5)
        (void)snprintf(out, SCALE_NUMBER_CHARS, "%.4gk", n / 1e3);
    else
        (void)snprintf(out, SCALE_NUMBER_CHARS, "%.4g", n);
}

void scale_latency(char out[SCALE_TIME_CHARS], uint64_t us)
{
    double ms = (double)us / 1000;
    if (ms < 1)
        (void)snprintf(out, SCALE_TIME_CHARS, "%.2g ms", ms);
    else if (ms < 9.95)
        (void)snprintf(out, SCALE_TIME_CHARS, "%.1f ms", ms);
    else if (ms < 99.5)
        (void)snprintf(out, SCALE_TIME_CHARS, "%.0f ms", ms);
    else if (ms < 995)
        (void)snprintf(out, SCALE_TIME_CHARS, "%d ms", (int)(ms / 10 + 0.5) * 10);
    else if (ms < 9950)
        (void)snprintf(out, SCALE_TIME_CHARS, "%.1f s", ms / 1000);
    else if (ms < 119500)
        (void)snprintf(out, SCALE_TIME_CHARS, "%.0f s", ms / 1000);
    else
        (void)snprintf(out, SCALE_TIME_CHARS, "%.0f min", ms / 60000);
}
