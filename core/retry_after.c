#include "retry_after.h"

#include <curl/curl.h>

#define DATE_BYTES_MAX 40 /* "Wednesday, 30-Sep-26 08:49:37 GMT" has 33 */

static struct str trim(struct str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct str){s.ptr + 1, s.len - 1};
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Whether `s` has the form of `shape`: "a" stands for a letter, "*" for letters until what comes
 * next, "9" for a digit, "_" for a digit or a blank, anything else for itself. */
static bool has_shape(struct str s, const char *shape)
{
    size_t i = 0;
    for (; *shape; shape++) {
        char c = i < s.len ? s.ptr[i] : '\0';
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool digit = c >= '0' && c <= '9';
        if (*shape == '*') {
            while (i < s.len && ((s.ptr[i] | 0x20) >= 'a' && (s.ptr[i] | 0x20) <= 'z'))
                i++;
            continue;
        }
        bool fits = *shape == 'a'   ? letter
                    : *shape == '9' ? digit
                    : *shape == '_' ? digit || c == ' '
                                    : c == *shape;
        if (!fits || i >= s.len)
            return false;
        i++;
    }
    return i == s.len;
}

bool http_date_parse(struct str text, int64_t *out_wall_ms)
{
    static const char *const shapes[] = {
        "aaa, 99 aaa 9999 99:99:99 GMT", /* IMF-fixdate */
        "aaa*, 99-aaa-99 99:99:99 GMT",  /* RFC 850: the year has two digits */
        "aaa aaa _9 99:99:99 9999",      /* asctime: GMT without saying so */
    };
    char copy[DATE_BYTES_MAX + 1];
    struct str s = trim(text);
    if (s.len == 0 || s.len > DATE_BYTES_MAX)
        return false;
    bool known = false;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !known; i++)
        known = has_shape(s, shapes[i]);
    if (!known) /* libcurl would also read much that is no HTTP-date */
        return false;
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    time_t seconds = curl_getdate(copy, NULL);
    if (seconds == (time_t)-1)
        return false;
    *out_wall_ms = (int64_t)seconds * 1000;
    return true;
}

static bool parse_seconds(struct str s, int64_t *out_us)
{
    int64_t seconds = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (seconds <= RETRY_AFTER_US_MAX / 1000000)
            seconds = seconds * 10 + (s.ptr[i] - '0');
    }
    *out_us = seconds <= RETRY_AFTER_US_MAX / 1000000 ? seconds * 1000000 : RETRY_AFTER_US_MAX;
    return true;
}

bool retry_after_parse(struct str value, struct str date, int64_t wall_ms, int64_t *out_us)
{
    int64_t until_ms;
    int64_t from_ms = wall_ms;
    struct str s = trim(value);
    if (parse_seconds(s, out_us))
        return true;
    if (!http_date_parse(s, &until_ms))
        return false;
    (void)http_date_parse(date, &from_ms);
    int64_t wait_ms = until_ms > from_ms ? until_ms - from_ms : 0;
    *out_us = wait_ms < RETRY_AFTER_US_MAX / 1000 ? wait_ms * 1000 : RETRY_AFTER_US_MAX;
    return true;
}
