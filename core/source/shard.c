#include "core/source/shard.h"

#define DIGITS_MAX 9 /* more than SHARDS_MAX has, and no overflow */

/* Takes the digits with which `text` begins. False: there are none, or too many. */
static bool take_digits(const char **text, uint32_t *out)
{
    size_t n = 0;
    for (*out = 0; (*text)[n] >= '0' && (*text)[n] <= '9' && n <= DIGITS_MAX; n++)
        *out = *out * 10 + (uint32_t)((*text)[n] - '0');
    *text += n;
    return n > 0 && n <= DIGITS_MAX;
}

enum rc shard_parse(struct shard *out, const char *text, struct err *e)
{
    const char *rest = text;
    struct shard s;
    if (!take_digits(&rest, &s.index) || *rest++ != '/' || !take_digits(&rest, &s.of) || *rest)
        return err_set(e, RC_USAGE,
                       "\"%s\" is not I/N, shard number I (from 0) of N, such as 3/16, nor auto",
                       text);
    if (s.of == 0 || s.of > SHARDS_MAX)
        return err_set(e, RC_USAGE, "\"%s\": the number of shards must be from 1 to %d", text,
                       SHARDS_MAX);
    if (s.index >= s.of)
        return err_set(e, RC_USAGE, "\"%s\": the shards of %u are numbered from 0 to %u", text,
                       s.of, s.of - 1);
    *out = s;
    return RC_OK;
}

bool shard_has(const struct shard *s, const unsigned char key[LEAD_KEY_BYTES])
{
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof hash; i++)
        hash = hash << 8 | key[i];
    return hash % s->of == s->index;
}

bool shard_has_line(const struct shard *s, uint64_t number)
{
    return number % s->of == s->index;
}
