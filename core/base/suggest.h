/* "Did you mean": the nearest of the names that there are. */
#ifndef LEADPIPE_SUGGEST_H
#define LEADPIPE_SUGGEST_H

#include <stddef.h>

/* How many letters must be added, taken away, changed or swapped with their neighbour to make `b`
 * of `a`; names of more than 31 bytes are as far away as can be. */
size_t suggest_distance(const char *a, const char *b);

/* Keeps the nearer name: call it for each candidate, starting with *best NULL. What is too far away
 * to be a slip is never taken; a name that begins with `word` is near. */
void suggest_consider(const char **best, const char *word, const char *candidate);

#endif
