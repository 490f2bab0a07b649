#include "json.h"

#include <pthread.h>

#include "json_scan.h"
#include "json_tree.h"

/* cJSON takes its memory through two functions without a context, so the arena of the running
 * parse must be known by thread. It is set for that time only; beyond it cJSON gets no memory. */
struct parse_memory {
    struct arena *arena;
    enum rc rc;
};

static _Thread_local struct parse_memory *parse_memory;

static void *memory_alloc(size_t n)
{
    struct parse_memory *memory = parse_memory;
    if (!memory)
        return NULL;
    void *p = arena_alloc(memory->arena, n);
    if (!p)
        memory->rc = memory->arena->refused;
    return p;
}

static void memory_free(void *p)
{
    (void)p; /* goes with the arena */
}

static void hooks_install(void)
{
    cJSON_Hooks hooks = {memory_alloc, memory_free};
    cJSON_InitHooks(&hooks);
}

static enum rc tree_build(struct json_scan *s, cJSON **out, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pthread_once(&once, hooks_install) != 0)
        return err_set(e, RC_INTERNAL, "cJSON cannot be set up");
    struct parse_memory memory = {.arena = s->arena, .rc = RC_OK};
    size_t len = (size_t)(s->shape.at - s->shape.start);
    parse_memory = &memory;
    cJSON *brackets = cJSON_ParseWithLengthOpts(s->shape.start, len, NULL, 1);
    parse_memory = NULL;
    enum rc rc = memory.rc;
    if (rc == RC_OK)
        rc = brackets ? json_tree_finish(brackets, &s->texts, s->arena) : RC_INTERNAL;
    if (rc == RC_INTERNAL)
        return err_set(e, rc, "cJSON refuses a text that is JSON");
    if (rc != RC_OK)
        return json_refusal(s->arena, rc, e);
    *out = brackets->child;
    return RC_OK;
}

enum rc json_parse(struct arena *a, struct str text, unsigned want, struct json_doc *out,
                   struct err *e)
{
    struct json_scan s;
    enum rc rc = json_scan(&s, a, text, want, e);
    if (rc != RC_OK)
        return rc;
    cJSON *root = NULL;
    if (want & JSON_TREE) {
        rc = tree_build(&s, &root, e);
        if (rc != RC_OK)
            return rc;
    }
    struct str compact = STR_NONE;
    if (want & JSON_COMPACT)
        compact = (struct str){s.compact.start, (size_t)(s.compact.at - s.compact.start)};
    *out = (struct json_doc){root, compact, s.mended};
    return RC_OK;
}

enum rc json_watch(struct arena *a, struct str text, struct json_watch *watches, size_t n_watches,
                   struct json_doc *out, bool *unsure, struct err *e)
{
    struct json_scan s;
    enum rc rc = json_scan_watching(&s, a, text, watches, n_watches, e);
    if (rc != RC_OK)
        return rc;
    struct str compact = {s.compact.start, (size_t)(s.compact.at - s.compact.start)};
    *out = (struct json_doc){.compact = compact, .mended = s.mended};
    *unsure = s.unsure || s.mended;
    return RC_OK;
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    for (const cJSON *node = object->child; node; node = node->next)
        if (node->string && strcmp(node->string, name) == 0)
            return node;
    return NULL;
}
