/* Uses libfyaml's events instead of its documents, which would resolve aliases by copying. */
#include "cmd/job_yaml.h"

#include <libfyaml.h>
#include <stdint.h>

#define DEPTH_MAX 16
#define NODES_MAX 10000
#define BYTES_MAX (2 * JOB_BYTES_MAX) /* of all texts; only aliases can lead to more */

struct anchor {
    struct str name;
    struct job_node *node;
    struct anchor *next;
};

struct level {
    struct job_node *node;
    struct job_node *key;  /* in a map: the key whose value is next */
    struct anchor *anchor; /* of `node`; usable when the level ends */
};

struct reader {
    struct job_text *text;
    struct arena *memory;
    struct err *err;
    struct anchor *anchors; /* the most recent first */
    struct level levels[DEPTH_MAX];
    size_t depth;
    struct job_node *root;
    size_t n_nodes, n_bytes;
    size_t n_documents;
    size_t at; /* offset of the last event that has one */
};

/* For quoted texts and aliases, the library's mark is after the first character. */
static size_t step_back(const char *text, size_t at, const char *marks)
{
    return at > 0 && strchr(marks, text[at - 1]) ? at - 1 : at;
}

/* An empty value, "key:". Its reported place depends on the version of the library. */
static bool is_nothing(const struct fy_event *event)
{
    size_t len = 0;
    if (event->type != FYET_SCALAR)
        return false;
    struct fy_token *value = event->scalar.value;
    return !value || (fy_token_scalar_style(value) == FYSS_PLAIN &&
                      fy_token_get_text(value, &len) && len == 0);
}

static size_t event_at(struct reader *r, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    const char *text = r->text->text.ptr;
    if (!mark || mark->input_pos > r->text->text.len || is_nothing(event))
        return r->at;
    r->at = mark->input_pos;
    if (event->type == FYET_ALIAS)
        r->at = step_back(text, r->at, "*");
    else if (event->type == FYET_SCALAR && event->scalar.value &&
             fy_token_scalar_style(event->scalar.value) != FYSS_PLAIN)
        r->at = step_back(text, r->at, "\"'");
    return r->at;
}

/* ---- nodes --------------------------------------------------------------------------------- */

static enum rc copy_text(struct reader *r, struct fy_token *token, struct str *out)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : "";
    if (!text)
        return err_nomem(r->err);
    const char *copy = arena_strdup(r->memory, (struct str){text, len});
    if (!copy)
        return err_nomem(r->err);
    *out = (struct str){copy, len};
    return RC_OK;
}

static enum rc count(struct reader *r, const struct job_node *node)
{
    if (node->size > NODES_MAX - r->n_nodes)
        return job_fail(r->text, node->at, r->err,
                        "too many values, with aliases expanded: a job file may have %d",
                        NODES_MAX);
    if (node->bytes > BYTES_MAX - r->n_bytes)
        return job_fail(
            r->text, node->at, r->err,
            "the values are too long, with aliases expanded: a job file may have 2 MiB");
    r->n_nodes += node->size;
    r->n_bytes += node->bytes;
    for (size_t i = 0; i < r->depth; i++) {
        r->levels[i].node->size += node->size;
        r->levels[i].node->bytes += node->bytes;
    }
    return RC_OK;
}

static enum rc check_key(struct reader *r, const struct job_node *map, const struct job_node *key)
{
    if (key->kind != JOB_TEXT)
        return job_fail(r->text, key->at, r->err, "a key must be a text");
    for (const struct job_node *n = map->first; n; n = n->next) {
        if (str_eq(n->key->text, key->text))
            return job_fail(r->text, key->at, r->err, "this key is given twice");
    }
    return RC_OK;
}

static enum rc add(struct reader *r, struct job_node *node)
{
    enum rc rc = count(r, node);
    if (rc != RC_OK)
        return rc;
    if (r->depth == 0) {
        r->root = node;
        return RC_OK;
    }
    struct level *level = &r->levels[r->depth - 1];
    struct job_node *parent = level->node;
    if (parent->kind == JOB_MAP && !level->key) {
        level->key = node;
        return check_key(r, parent, node);
    }
    node->key = level->key;
    level->key = NULL;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    return RC_OK;
}

/* An anchor can be used once its node is complete; within the node, it would be infinite. */
static enum rc anchor_new(struct reader *r, struct fy_token *token, struct anchor **out)
{
    *out = NULL;
    if (!token)
        return RC_OK;
    struct anchor *a = arena_zalloc(r->memory, sizeof *a);
    if (!a)
        return err_nomem(r->err);
    *out = a;
    return copy_text(r, token, &a->name);
}

static void anchor_set(struct reader *r, struct anchor *a, struct job_node *node)
{
    if (!a)
        return;
    a->node = node;
    a->next = r->anchors;
    r->anchors = a;
}

/* ---- events -------------------------------------------------------------------------------- */

static enum rc take_node(struct reader *r, enum job_kind kind, struct fy_event *event,
                         struct fy_token *anchor, struct fy_token *tag)
{
    size_t at = event_at(r, event);
    struct anchor *a;
    struct job_node *node = arena_zalloc(r->memory, sizeof *node);
    if (!node)
        return err_nomem(r->err);
    *node = (struct job_node){.kind = kind, .at = at, .size = 1};
    if (tag)
        return job_fail(r->text, at, r->err,
                        "tags are not allowed: a value is the text as written");
    enum rc rc = anchor_new(r, anchor, &a);
    if (rc == RC_OK && kind == JOB_TEXT) {
        struct fy_token *value = event->scalar.value;
        node->is_plain = !value || fy_token_scalar_style(value) == FYSS_PLAIN;
        rc = copy_text(r, value, &node->text);
        node->bytes = node->text.len;
    }
    if (rc == RC_OK && kind != JOB_TEXT && r->depth == DEPTH_MAX)
        return job_fail(r->text, at, r->err, "lists and maps are nested too deeply");
    if (rc == RC_OK)
        rc = add(r, node);
    if (rc != RC_OK)
        return rc;
    if (kind == JOB_TEXT)
        anchor_set(r, a, node);
    else
        r->levels[r->depth++] = (struct level){.node = node, .anchor = a};
    return RC_OK;
}

static enum rc take_alias(struct reader *r, struct fy_event *event)
{
    struct str name = STR_NONE;
    size_t at = event_at(r, event);
    enum rc rc = copy_text(r, event->alias.anchor, &name);
    if (rc != RC_OK)
        return rc;
    const struct anchor *a = r->anchors;
    while (a && !str_eq(a->name, name))
        a = a->next;
    for (size_t i = 0; !a && i < r->depth; i++) {
        if (r->levels[i].anchor && str_eq(r->levels[i].anchor->name, name))
            return job_fail(r->text, at, r->err, "an alias inside of what it stands for");
    }
    if (!a)
        return job_fail(r->text, at, r->err, "an alias without an anchor of its name before it");
    struct job_node *copy = arena_zalloc(r->memory, sizeof *copy); /* shares its content */
    if (!copy)
        return err_nomem(r->err);
    *copy = *a->node;
    copy->at = at;
    copy->key = copy->next = NULL;
    return add(r, copy);
}

static void end_level(struct reader *r)
{
    struct level *level = &r->levels[--r->depth];
    anchor_set(r, level->anchor, level->node);
}

static enum rc take_document(struct reader *r, struct fy_event *event)
{
    size_t at = event_at(r, event);
    if (r->n_documents++ > 0)
        return job_fail(r->text, at, r->err, "a second document; a job file is one");
    return RC_OK;
}

static enum rc take_event(struct reader *r, struct fy_event *event)
{
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return take_document(r, event);
    case FYET_SCALAR:
        return take_node(r, JOB_TEXT, event, event->scalar.anchor, event->scalar.tag);
    case FYET_SEQUENCE_START:
        return take_node(r, JOB_LIST, event, event->sequence_start.anchor,
                         event->sequence_start.tag);
    case FYET_MAPPING_START:
        return take_node(r, JOB_MAP, event, event->mapping_start.anchor, event->mapping_start.tag);
    case FYET_ALIAS:
        return take_alias(r, event);
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        end_level(r);
        return RC_OK;
    default:
        return RC_OK;
    }
}

/* ---- errors -------------------------------------------------------------------------------- */

/* The library's message is not used, because it may quote the file. */
static enum rc refuse_syntax(struct reader *r, struct fy_diag *diag)
{
    void *at = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &at);
    if (!error)
        return job_fail(r->text, r->at, r->err, "this is not valid YAML");
    size_t line = error->line > 0 ? (size_t)error->line - 1 : 0;
    size_t column = error->column > 0 ? (size_t)error->column - 1 : 0;
    bool shows = !r->text->hides_values && error->msg && *error->msg;
    size_t place = job_text_at(r->text, line, column);
    bool is_reference = place > 0 && place < r->text->text.len &&
                        memcmp(r->text->text.ptr + place - 1, "${", 2) == 0;
    return job_fail(r->text, place, r->err, "this is not valid YAML%s%s%s", shows ? ": " : "",
                    shows ? error->msg : "",
                    is_reference ? "; within { } and [ ], a value with ${NAME} needs quotes" : "");
}

static enum rc read_events(struct reader *r, struct fy_parser *parser, struct fy_diag *diag)
{
    enum rc rc = RC_OK;
    struct fy_event *event;
    while (rc == RC_OK && (event = fy_parser_parse(parser))) {
        rc = take_event(r, event);
        fy_parser_event_free(parser, event);
    }
    if (rc == RC_OK && (fy_parser_get_stream_error(parser) || fy_diag_got_error(diag)))
        return refuse_syntax(r, diag);
    if (rc == RC_OK && !r->root)
        return job_fail(r->text, 0, r->err, "is empty; a job file has at least provider and to");
    return rc;
}

enum rc job_yaml_parse(struct job_node **out, struct job_text *t, struct arena *memory,
                       struct err *e)
{
    struct reader r = {.text = t, .memory = memory, .err = e};
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    diag_cfg.colorize = false;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (!diag)
        return err_nomem(e);
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_JSON_NONE, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    enum rc rc = parser && fy_parser_set_string(parser, t->text.ptr, t->text.len) == 0
                     ? read_events(&r, parser, diag)
                     : err_nomem(e);
    if (parser)
        fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    *out = r.root;
    return rc;
}

const char *job_yaml_version(void)
{
    return fy_library_version();
}
