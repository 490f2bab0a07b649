#include "core/base/rfc3339.h"

#define SECOND_US INT64_C(1000000)

/* `n` digits at the beginning, and what must stand behind them ('\0': nothing must). */
static bool take_digits(struct str *s, size_t n, char behind, int *out)
{
    size_t len = n + (behind != '\0');
    if (s->len < len || (behind && s->ptr[n] != behind))
        return false;
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = (struct str){s->ptr + len, s->len - len};
    *out = value;
    return true;
}

/* Days of the years before `year`, which is 0 at least, from an arbitrary day on (proleptic Gregorian
 * calendar). */
static int64_t days_before(int year)
{
    int64_t y = year + 399; /* years from 400 before the year 1 on */
    return y * 365 + y / 4 - y / 100 + y / 400;
}

static bool date_parse(struct str *s, int64_t *out_days)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!take_digits(s, 4, '-', &year) || !take_digits(s, 2, '-', &month) ||
        !take_digits(s, 2, '\0', &day) || month < 1 || month > 12)
        return false;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day < 1 || day > lengths[month - 1] + (month == 2 && is_leap))
        return false;
    int64_t days = days_before(year) - days_before(1970) + day - 1;
    for (int m = 1; m < month; m++)
        days += lengths[m - 1] + (m == 2 && is_leap);
    *out_days = days;
    return true;
}

/* What stands behind the seconds; nothing is a fraction of 0. */
static bool fraction_parse(struct str *s, int64_t *out_us)
{
    *out_us = 0;
    if (s->len == 0 || s->ptr[0] != '.')
        return true;
    size_t i = 1;
    int64_t unit = SECOND_US / 10;
    for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++, unit /= 10) {
        if (unit == 0 && s->ptr[i] != '0')
            return false;
        *out_us += unit * (s->ptr[i] - '0');
    }
    *s = (struct str){s->ptr + i, s->len - i};
    return i > 1;
}

/* All that is left. */
static bool offset_parse(struct str s, int64_t *out_minutes)
{
    if (s.len == 1 && (s.ptr[0] == 'Z' || s.ptr[0] == 'z')) {
        *out_minutes = 0;
        return true;
    }
    if (s.len != 6 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return false;
    bool is_west = s.ptr[0] == '-';
    int hours, minutes;
    struct str rest = {s.ptr + 1, s.len - 1};
    if (!take_digits(&rest, 2, ':', &hours) || !take_digits(&rest, 2, '\0', &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *out_minutes = (hours * 60 + minutes) * (is_west ? -1 : 1);
    return true;
}

bool rfc3339_parse(struct str s, int64_t *out_us)
{
    int64_t days, fraction_us, offset;
    int hour, minute, second;
    if (!date_parse(&s, &days) || s.len == 0 ||
        (s.ptr[0] != 'T' && s.ptr[0] != 't' && s.ptr[0] != ' '))
        return false;
    s = (struct str){s.ptr + 1, s.len - 1};
    if (!take_digits(&s, 2, ':', &hour) || !take_digits(&s, 2, ':', &minute) ||
        !take_digits(&s, 2, '\0', &second) || hour > 23 || minute > 59 || second > 59)
        return false;
    if (!fraction_parse(&s, &fraction_us) || !offset_parse(s, &offset))
        return false;
    int64_t minutes = (days * 24 + hour) * 60 + minute - offset;
    *out_us = (minutes * 60 + second) * SECOND_US + fraction_us;
    return true;
}
