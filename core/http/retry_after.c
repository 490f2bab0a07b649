#include "core/http/retry_after.h"

#include <curl/curl.h>
#include <strings.h>

#define DATE_BYTES_MAX 40 /* "Wednesday, 30-Sep-26 08:49:37 +0100" has 35 */
#define YEAR_MS (INT64_C(366) * 86400000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static struct str skip(struct str s, size_t n)
{
    return (struct str){s.ptr + n, s.len - n};
}

static struct str trim(struct str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = skip(s, 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* ---- dates ---------------------------------------------------------------------------------- */

/* Whether `s` has the form of `shape`, in any case: "a" stands for a letter, "*" for letters until
 * what comes next, "9" for a digit, "_" for a digit or a blank, "~" for a sign, anything else for
 * itself. */
static bool has_shape(struct str s, const char *shape)
{
    size_t i = 0;
    for (; *shape; shape++) {
        char c = i < s.len ? s.ptr[i] : '\0';
        if (*shape == '*') {
            while (i < s.len && is_letter(s.ptr[i]))
                i++;
            continue;
        }
        bool fits = *shape == 'a'   ? is_letter(c)
                    : *shape == '9' ? is_digit(c)
                    : *shape == '_' ? is_digit(c) || c == ' '
                    : *shape == '~' ? c == '+' || c == '-'
                                    : c == *shape || (is_letter(c) && (c & ~0x20) == *shape);
        if (!fits || i >= s.len)
            return false;
        i++;
    }
    return i == s.len;
}

static bool parse_http_date(struct str s, int64_t *out_wall_ms)
{
    static const char *const shapes[] = {
        "aaa, 99 aaa 9999 99:99:99 GMT", /* IMF-fixdate */
        "aaa, 99 aaa 9999 99:99:99 UTC",
        "aaa, 99 aaa 9999 99:99:99 ~9999", /* RFC 5322 */
        "aaa, 9 aaa 9999 99:99:99 GMT",
        "aaa*, 99-aaa-99 99:99:99 GMT", /* RFC 850: the year has two digits */
        "aaa aaa _9 99:99:99 9999",     /* asctime: GMT without saying so */
    };
    char copy[DATE_BYTES_MAX + 1];
    if (s.len == 0 || s.len > DATE_BYTES_MAX)
        return false;
    bool known = false;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !known; i++)
        known = has_shape(s, shapes[i]);
    if (!known) /* libcurl would also read much that has no one meaning */
        return false;
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    time_t seconds = curl_getdate(copy, NULL);
    if (seconds == (time_t)-1)
        return false;
    *out_wall_ms = (int64_t)seconds * 1000;
    return true;
}

/* Takes `n` digits off `s`, and a `then` behind them where there is one (0: none may be). */
static bool take_digits(struct str *s, size_t n, char then, int *out)
{
    *out = 0;
    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(s->ptr[i]))
            return false;
        *out = *out * 10 + (s->ptr[i] - '0');
    }
    *s = skip(*s, n);
    if (then && s->len && s->ptr[0] == then)
        *s = skip(*s, 1);
    return true;
}

/* Days since 1970-01-01 of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* What stands behind the seconds: a fraction, which is passed over, and the zone. */
static bool parse_zone(struct str s, int *minutes)
{
    int hours = 0, rest = 0;
    *minutes = 0;
    if (s.len && (s.ptr[0] == '.' || s.ptr[0] == ',')) {
        s = skip(s, 1);
        if (!s.len || !is_digit(s.ptr[0]))
            return false;
        while (s.len && is_digit(s.ptr[0]))
            s = skip(s, 1);
    }
    if (s.len && s.ptr[0] == ' ')
        s = skip(s, 1);
    if (s.len == 1)
        return s.ptr[0] == 'Z' || s.ptr[0] == 'z';
    if (s.len == 3 && (strncasecmp(s.ptr, "UTC", 3) == 0 || strncasecmp(s.ptr, "GMT", 3) == 0))
        return true;
    if (s.len < 3 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return false;
    bool is_west = s.ptr[0] == '-';
    s = skip(s, 1);
    if (!take_digits(&s, 2, ':', &hours) || (s.len && !take_digits(&s, 2, '\0', &rest)) || s.len)
        return false;
    *minutes = (hours * 60 + rest) * (is_west ? -1 : 1);
    return hours < 24 && rest < 60;
}

/* 2026-01-30T02:00:30Z and its like. One without a zone may mean anything. */
static bool parse_iso_date(struct str s, int64_t *out_wall_ms)
{
    int year, month, day, hour, minute, second, zone;
    if (!take_digits(&s, 4, '-', &year) || !take_digits(&s, 2, '-', &month) ||
        !take_digits(&s, 2, '\0', &day) || !s.len || !strchr("Tt ", s.ptr[0]))
        return false;
    s = skip(s, 1);
    if (!take_digits(&s, 2, ':', &hour) || !take_digits(&s, 2, ':', &minute) ||
        !take_digits(&s, 2, '\0', &second) || !parse_zone(s, &zone))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    int64_t minutes = (days_of(year, month, day) * 24 + hour) * 60 + minute - zone;
    *out_wall_ms = (minutes * 60 + second) * 1000;
    return true;
}

bool http_date_parse(struct str text, int64_t *out_wall_ms)
{
    struct str s = trim(text);
    return parse_http_date(s, out_wall_ms) || parse_iso_date(s, out_wall_ms);
}

/* ---- spans of time -------------------------------------------------------------------------- */

/* Takes a number off `s`: its value in millionths, no more than RETRY_AFTER_US_MAX for seconds. */
static bool take_number(struct str *s, int64_t *out_us)
{
    int64_t whole = 0, millionths = 0;
    size_t i = 0;
    for (; i < s->len && is_digit(s->ptr[i]); i++) {
        if (whole <= RETRY_AFTER_US_MAX / 1000000)
            whole = whole * 10 + (s->ptr[i] - '0');
    }
    if (i == 0)
        return false;
    if (i + 1 < s->len && s->ptr[i] == '.' && is_digit(s->ptr[i + 1])) {
        int64_t unit = 100000;
        for (i++; i < s->len && is_digit(s->ptr[i]); i++, unit /= 10)
            millionths += unit * (s->ptr[i] - '0');
    }
    *s = skip(*s, i);
    *out_us =
        whole <= RETRY_AFTER_US_MAX / 1000000 ? whole * 1000000 + millionths : RETRY_AFTER_US_MAX;
    return true;
}

static int64_t scaled(int64_t us, int64_t multiply, int64_t divide)
{
    return us <= RETRY_AFTER_US_MAX / multiply ? us * multiply / divide
                                               : RETRY_AFTER_US_MAX / divide;
}

static bool parse_span(struct str s, int64_t *out_us)
{
    static const struct {
        const char *name;
        int64_t multiply, divide;
    } units[] = {
        {"", 1, 1},        {"s", 1, 1},        {"sec", 1, 1},      {"secs", 1, 1}, {"second", 1, 1},
        {"seconds", 1, 1}, {"ms", 1, 1000},    {"msec", 1, 1000},  {"m", 60, 1},   {"min", 60, 1},
        {"mins", 60, 1},   {"minute", 60, 1},  {"minutes", 60, 1}, {"h", 3600, 1}, {"hr", 3600, 1},
        {"hour", 3600, 1}, {"hours", 3600, 1},
    };
    int64_t us;
    if (!take_number(&s, &us))
        return false;
    s = trim(s);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (s.len != strlen(units[i].name) || strncasecmp(s.ptr, units[i].name, s.len) != 0)
            continue;
        *out_us = scaled(us, units[i].multiply, units[i].divide);
        return true;
    }
    return false;
}

/* PT1H2M3S: hours, minutes, seconds, each of them or not. */
static bool parse_iso_span(struct str s, int64_t *out_us)
{
    static const char letters[] = "hms";
    static const int64_t seconds[] = {3600, 60, 1};
    int64_t sum_us = 0, us;
    size_t next = 0;
    if (s.len < 4 || strncasecmp(s.ptr, "PT", 2) != 0)
        return false;
    s = skip(s, 2);
    while (s.len) {
        if (!take_number(&s, &us) || !s.len)
            return false;
        while (letters[next] && letters[next] != (s.ptr[0] | 0x20))
            next++;
        if (!letters[next])
            return false;
        sum_us += scaled(us, seconds[next++], 1); /* three at most: no overflow */
        s = skip(s, 1);
    }
    *out_us = sum_us < RETRY_AFTER_US_MAX ? sum_us : RETRY_AFTER_US_MAX;
    return true;
}

/* As a list only where all of it is numbers: a date has a comma of its own. */
static bool parse_spans(struct str s, int64_t *out_us)
{
    int64_t most_us = 0, us;
    while (true) {
        const char *comma = s.len ? memchr(s.ptr, ',', s.len) : NULL;
        struct str one = {s.ptr, comma ? (size_t)(comma - s.ptr) : s.len};
        if (!parse_span(trim(one), &us))
            return false;
        most_us = us > most_us ? us : most_us;
        if (!comma)
            break;
        s = skip(s, one.len + 1);
    }
    *out_us = most_us;
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Digits that are a time within a year of now, in seconds or milliseconds since 1970: nobody means
 * to wait for half a century. */
static bool parse_epoch(struct str s, int64_t now_ms, int64_t *out_wall_ms)
{
    int64_t n = 0;
    if (s.len != 10 && s.len != 13)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
        n = n * 10 + (s.ptr[i] - '0');
    }
    int64_t ms = s.len == 10 ? n * 1000 : n;
    *out_wall_ms = ms;
    return ms - now_ms <= YEAR_MS && now_ms - ms <= YEAR_MS;
}

bool retry_after_parse(struct str value, struct str date, int64_t wall_ms, int64_t *out_us)
{
    int64_t until_ms;
    int64_t from_ms = wall_ms;
    struct str s = trim(value);
    (void)http_date_parse(date, &from_ms);
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        s = trim((struct str){s.ptr + 1, s.len - 2});
    if (!http_date_parse(s, &until_ms) && !parse_epoch(s, from_ms, &until_ms))
        return parse_spans(s, out_us) || parse_iso_span(s, out_us);
    int64_t wait_ms = until_ms > from_ms ? until_ms - from_ms : 0;
    *out_us = wait_ms < RETRY_AFTER_US_MAX / 1000 ? wait_ms * 1000 : RETRY_AFTER_US_MAX;
    return true;
}
