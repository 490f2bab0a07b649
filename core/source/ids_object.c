#include "core/source/ids_object.h"

#include "core/json/json.h"
#include "core/source/ids_text.h"

#define SCRATCH_KEEP_BYTES ((size_t)256 * 1024)

/* The member of that name; if there is none, one that differs only in case. */
const cJSON *ids_object_member(const cJSON *object, struct str name, struct err *bad)
{
    struct name_choice choice = {.found = false};
    const cJSON *chosen = NULL;
    size_t i = 0;
    for (const cJSON *m = object->child; m && !choice.exact; m = m->next) {
        name_consider(&choice, json_member_name(m), name, ++i);
        chosen = choice.found && choice.at == i ? m : chosen;
    }
    if (choice.twice)
        (void)err_set(bad, RC_SYNTAX, "there are two members " STR_FMT " that differ only in case",
                      STR_ARG(name));
    return chosen;
}

/* The text of a string or number; absent if it is null or missing. */
static struct str member_text(const cJSON *member, struct str what, bool replaced, struct err *bad)
{
    if (!member || cJSON_IsNull(member))
        return STR_NONE;
    if (!cJSON_IsString(member) && !cJSON_IsNumber(member)) {
        (void)err_set(bad, RC_SYNTAX, STR_FMT " is neither a string nor a number", STR_ARG(what));
        return STR_NONE;
    }
    /* If a character was replaced by U+FFFD, it would be another ID. */
    if (replaced && strstr(member->valuestring, "\xEF\xBF\xBD")) {
        (void)err_set(bad, RC_SYNTAX, STR_FMT " contains NUL or invalid UTF-8", STR_ARG(what));
        return STR_NONE;
    }
    return ids_trim(json_text(member));
}

static void object_found(const struct ids_cfg *cfg, const struct json_doc *doc,
                         struct ids_found *out)
{
    const cJSON *id = NULL;
    for (size_t i = 0; ids_name(cfg, i) && (!id || cJSON_IsNull(id)); i++) {
        const cJSON *member = ids_object_member(doc->root, str_c(ids_name(cfg, i)), &out->bad);
        id = member ? member : id;
    }
    if (out->bad.rc == RC_OK)
        out->id = member_text(id, STR("the ID"), doc->replaced > 0, &out->bad);
    for (size_t i = 0; cfg->profile && i < cfg->profile->n_params && out->bad.rc == RC_OK; i++) {
        struct str name = cfg->profile->params[i];
        const cJSON *member = ids_object_member(doc->root, name, &out->bad);
        if (member && member != id && out->bad.rc == RC_OK)
            out->params[i] = member_text(member, name, doc->replaced > 0, &out->bad);
    }
    if (out->bad.rc == RC_OK && !out->id.ptr)
        (void)err_set(&out->bad, RC_SYNTAX, "there is no member '%s' to read the ID from",
                      ids_name(cfg, 0));
}

enum rc ids_object_read(const struct ids_cfg *cfg, struct arena *scratch, struct str line,
                        struct ids_found *out, struct err *e)
{
    struct json_doc doc;
    arena_reset(scratch, SCRATCH_KEEP_BYTES);
    enum rc rc = json_parse(scratch, line, JSON_TREE, &doc, &out->bad);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK)
        return RC_OK; /* and `bad` says why */
    if (cJSON_IsObject(doc.root))
        object_found(cfg, &doc, out);
    else
        (void)err_set(&out->bad, RC_SYNTAX, "the line is not a JSON object");
    return RC_OK;
}
