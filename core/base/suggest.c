#include "core/base/suggest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NAME_BYTES_MAX 31
#define DISTANCE_MAX 3
#define WEIGHT 64 /* more than any distance of two names */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: `d[i][j]` is the distance of the first i and j letters. */
size_t suggest_distance(const char *a, const char *b)
{
    size_t d[NAME_BYTES_MAX + 1][NAME_BYTES_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > NAME_BYTES_MAX || b_len > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1);
            d[i][j] = least(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a_len][b_len];
}

/* A name that begins with the word is as near as one letter. Of names that are equally near the one with
 * the smaller distance is taken: "al" is rather "all" than "allow-http". SIZE_MAX: too far away. */
static size_t farness(const char *word, const char *candidate)
{
    size_t distance = suggest_distance(word, candidate);
    size_t len = strlen(word), allowed = least(strlen(candidate) / 2, DISTANCE_MAX);
    bool is_beginning = len > 1 && strncmp(word, candidate, len) == 0;
    if (!is_beginning && distance > allowed)
        return SIZE_MAX;
    return least(distance, is_beginning ? 1 : distance) * WEIGHT + least(distance, WEIGHT - 1);
}

void suggest_consider(const char **best, const char *word, const char *candidate)
{
    size_t far = farness(word, candidate);
    if (far != SIZE_MAX && (!*best || far < farness(word, *best)))
        *best = candidate;
}
