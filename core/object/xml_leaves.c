#include "core/object/xml_leaves.h"

#include <expat.h>
#include <limits.h>

struct reader {
    XML_Parser parser;
    xml_leaf_fn *fn;
    void *ctx;
    enum rc rc; /* the first that is not RC_OK */
    char path[XML_PATH_BYTES_MAX];
    size_t path_bytes, ends[XML_DEPTH_MAX]; /* of `path` before each element */
    size_t depth;
    char text[XML_TEXT_BYTES_MAX];
    size_t text_bytes;
};

static void stop(struct reader *r, enum rc rc)
{
    if (r->rc == RC_OK)
        r->rc = rc;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *reader, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = reader;
    (void)attributes;
    if (r->rc != RC_OK) /* expat may call a last time after it was stopped */
        return;
    const char *colon = strrchr(name, ':');
    name = colon ? colon + 1 : name;
    size_t n = strlen(name);
    if (r->depth == XML_DEPTH_MAX || n >= sizeof r->path - r->path_bytes - 1) {
        stop(r, RC_SYNTAX);
        return;
    }
    r->ends[r->depth++] = r->path_bytes;
    if (r->path_bytes)
        r->path[r->path_bytes++] = '/';
    memcpy(r->path + r->path_bytes, name, n + 1);
    r->path_bytes += n;
    r->text_bytes = 0;
}

static void on_end(void *reader, const XML_Char *name)
{
    struct reader *r = reader;
    (void)name;
    if (r->rc != RC_OK)
        return;
    enum rc rc = r->fn(r->ctx, r->path, (struct str){r->text, r->text_bytes});
    if (rc != RC_OK)
        stop(r, rc);
    r->path_bytes = r->ends[--r->depth];
    r->path[r->path_bytes] = '\0';
    r->text_bytes = 0;
}

static void on_text(void *reader, const XML_Char *text, int n)
{
    struct reader *r = reader;
    if (r->rc != RC_OK)
        return;
    if ((size_t)n > sizeof r->text - r->text_bytes) {
        stop(r, RC_SYNTAX);
        return;
    }
    memcpy(r->text + r->text_bytes, text, (size_t)n);
    r->text_bytes += (size_t)n;
}

static void on_doctype(void *reader, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    stop(reader, RC_SYNTAX);
}

enum rc xml_leaves(struct str xml, xml_leaf_fn *fn, void *ctx)
{
    struct reader r = {.parser = XML_ParserCreate(NULL), .fn = fn, .ctx = ctx};
    if (!r.parser)
        return RC_NOMEM;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    bool is_xml = xml.len <= INT_MAX && xml.len > 0 &&
                  XML_Parse(r.parser, xml.ptr, (int)xml.len, XML_TRUE) == XML_STATUS_OK;
    enum rc rc = r.rc;
    if (rc == RC_OK && !is_xml)
        rc = XML_GetErrorCode(r.parser) == XML_ERROR_NO_MEMORY ? RC_NOMEM : RC_SYNTAX;
    XML_ParserFree(r.parser);
    return rc;
}
