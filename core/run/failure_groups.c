#include "core/run/failure_groups.h"

#include <string.h>

/* `size` is of `out`. */
static void copy_cut(char *out, size_t size, struct str text)
{
    static const char dots[] = "...";
    size_t n = text.len;
    bool is_cut = n > size - 1;
    if (is_cut) {
        n = size - sizeof dots;
        while (n && ((unsigned char)text.ptr[n] & 0xC0) == 0x80)
            n--;
    }
    if (n)
        memcpy(out, text.ptr, n);
    memcpy(out + n, dots, is_cut ? sizeof dots : 0);
    out[is_cut ? n + sizeof dots - 1 : n] = '\0';
}

static struct failure_group *find(struct failure_groups *g, const struct failure_group *key)
{
    for (size_t i = 0; i < g->n; i++) {
        struct failure_group *one = &g->groups[i];
        if (one->http_status == key->http_status && strcmp(one->code, key->code) == 0 &&
            strcmp(one->stage, key->stage) == 0 && strcmp(one->sink, key->sink) == 0)
            return one;
    }
    return NULL;
}

static void add_example(struct failure_group *group, const struct failure_seen *seen)
{
    if (group->n_examples == FAILURE_EXAMPLES_MAX)
        return;
    struct failure_example *example = &group->examples[group->n_examples++];
    copy_cut(example->id, sizeof example->id, seen->id);
    copy_cut(example->error, sizeof example->error, seen->error);
}

void failure_groups_add(struct failure_groups *g, const struct failure_seen *seen)
{
    struct failure_group key;
    key.http_status = seen->http_status;
    copy_cut(key.stage, sizeof key.stage, seen->stage);
    copy_cut(key.sink, sizeof key.sink, seen->sink);
    copy_cut(key.code, sizeof key.code, seen->code);
    struct failure_group *group = find(g, &key);
    if (!group && g->n < FAILURE_GROUPS_MAX) {
        group = &g->groups[g->n++];
        group->http_status = key.http_status;
        memcpy(group->stage, key.stage, sizeof group->stage);
        memcpy(group->sink, key.sink, sizeof group->sink);
        memcpy(group->code, key.code, sizeof group->code);
    }
    if (!group)
        group = &g->others;
    group->n++;
    add_example(group, seen);
}

void failure_groups_sort(const struct failure_groups *g,
                         const struct failure_group *out[FAILURE_GROUPS_MAX])
{
    for (size_t i = 0; i < g->n; i++) {
        size_t k = i;
        for (; k > 0 && out[k - 1]->n < g->groups[i].n; k--)
            out[k] = out[k - 1];
        out[k] = &g->groups[i];
    }
}
