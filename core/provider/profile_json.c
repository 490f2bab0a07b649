/* A profile from its JSON form: everything but the tables. */
#include "core/provider/profile_reader.h"

#include <strings.h>

#include "core/base/clock.h"
#include "core/base/http_field.h"
#include "core/base/url.h"
#include "core/provider/name.h"

#define NAME_BYTES_MAX 64
#define TITLE_BYTES_MAX 256
#define SERVERS_MAX 32
#define PATHS_MAX 32
#define HEADER_BYTES_MAX 256
#define TEMPLATE_BYTES_MAX 4096

/* A tree is many times its text; this is for a text of PROFILE_BYTES_MAX. */
#define MEMORY_BYTES_MAX ((size_t)256 << 20)

#define CHARS_NAME CHARS_LOWER CHARS_DIGIT "_-"
/* RFC 9110, section 5.6.2: token */
#define CHARS_TOKEN CHARS_LOWER CHARS_UPPER CHARS_DIGIT "!#$%&'*+-.^_`|~"

static enum rc refuse_by(const struct profile_reader *r, const struct member *at,
                         const struct err *why)
{
    return why->rc == RC_NOMEM ? err_nomem(r->json.err)
                               : member_refuse(&r->json, at, "%s", why->msg);
}

/* ---- names, servers, credential ------------------------------------------------------------- */

static enum rc read_names(const struct profile_reader *r, const struct member *top,
                          struct profile *p)
{
    const struct member version = member_of(top, "profile"), name = member_of(top, "name"),
                        title = member_of(top, "title");
    if (!version.json)
        return member_refuse(&r->json, &version, "is missing: the version of the format, 1");
    if (!cJSON_IsNumber(version.json) || strcmp(version.json->valuestring, "1") != 0)
        return member_refuse(&r->json, &version, "must be 1, the version of the format");
    enum rc rc = reader_word(r, &name, CHARS_NAME, NAME_BYTES_MAX, &p->name);
    p->title = p->name;
    if (rc == RC_OK && title.json)
        rc = member_text(&r->json, &title, TITLE_BYTES_MAX, &p->title);
    return rc;
}

static enum rc read_server(const struct profile_reader *r, const struct member *at,
                           struct server_spec *out)
{
    enum rc rc = member_object(&r->json, at, "name url");
    if (rc != RC_OK)
        return rc;
    const struct member name = member_of(at, "name"), url = member_of(at, "url");
    rc = reader_word(r, &name, CHARS_NAME, NAME_BYTES_MAX, &out->name);
    if (rc == RC_OK)
        rc = member_text(&r->json, &url, SERVER_URL_BYTES_MAX, &out->url);
    if (rc != RC_OK)
        return rc;
    struct err why;
    if (url_check(out->url, &why) != RC_OK)
        return refuse_by(r, &url, &why);
    out->url = url_trim(out->url);
    return RC_OK;
}

static enum rc read_servers(const struct profile_reader *r, const struct member *at,
                            struct profile *p)
{
    enum rc rc = member_list(&r->json, at, 1, SERVERS_MAX, &p->n_servers);
    if (rc != RC_OK)
        return rc;
    p->servers = arena_array(r->json.arena, p->n_servers, sizeof *p->servers);
    if (!p->servers)
        return err_nomem(r->json.err);
    for (struct member i = member_first(at); i.json; member_next(&i)) {
        struct server_spec *server = &p->servers[i.index];
        rc = read_server(r, &i, server);
        if (rc != RC_OK)
            return rc;
        const struct member name = member_of(&i, "name");
        for (size_t other = 0; other < i.index; other++) {
            if (str_eq(p->servers[other].name, server->name))
                return member_refuse(&r->json, &name, "another server has this name");
        }
    }
    return RC_OK;
}

/* Not a GET's, or the program's own. */
static bool is_reserved_header(struct str name, const char **why)
{
    *why = "says what the body is, and the request has none";
    return strcasecmp(name.ptr, "content-type") == 0 ||
           http_field_owner(name.ptr, why) != HTTP_FIELD_ANYONE;
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

static enum rc read_credential(const struct profile_reader *r, const struct member *at,
                               struct profile *p)
{
    p->key_variable = p->key_header = p->key_prefix = STR("");
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "variable header prefix");
    if (rc != RC_OK)
        return rc;
    const struct member variable = member_of(at, "variable"), header = member_of(at, "header"),
                        prefix = member_of(at, "prefix");
    rc = reader_word(r, &variable, CHARS_UPPER CHARS_DIGIT "_", NAME_BYTES_MAX, &p->key_variable);
    if (rc == RC_OK && strchr(CHARS_DIGIT, p->key_variable.ptr[0]))
        rc = member_refuse(&r->json, &variable, "must not begin with a digit");
    if (rc == RC_OK)
        rc = reader_word(r, &header, CHARS_TOKEN, HEADER_BYTES_MAX, &p->key_header);
    const char *why;
    if (rc == RC_OK && is_reserved_header(p->key_header, &why))
        rc = member_refuse(&r->json, &header, "is a header that a profile cannot set; %s %s",
                           p->key_header.ptr, why);
    if (rc == RC_OK && prefix.json)
        rc = member_text(&r->json, &prefix, HEADER_BYTES_MAX, &p->key_prefix);
    if (rc == RC_OK && !is_ascii(p->key_prefix))
        rc = member_refuse(&r->json, &prefix, "must be ASCII");
    return rc;
}

/* ---- the columns that rows begin with ------------------------------------------------------- */

static bool is_key_column(const struct profile *p, struct str name)
{
    for (size_t i = 0; i < p->n_key_columns; i++) {
        if (str_eq(p->key_columns[i], name))
            return true;
    }
    return false;
}

/* The parameter's name as that of a member, or with the lowest free "_n". */
static enum rc add_key_column(const struct profile_reader *r, struct str param, struct profile *p)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX * 4);
    name_snake(&name, param);
    size_t len = name.len;
    for (unsigned n = 2; buf_rc(&name) == RC_OK && is_key_column(p, buf_str(&name)); n++) {
        name.len = len;
        buf_addf(&name, "_%u", n);
    }
    const char *copy = buf_rc(&name) == RC_OK ? arena_strdup(r->json.arena, buf_str(&name)) : NULL;
    if (copy)
        p->key_columns[p->n_key_columns++] = (struct str){copy, name.len};
    buf_free(&name);
    return copy ? RC_OK : err_nomem(r->json.err);
}

static enum rc make_key_columns(const struct profile_reader *r, struct profile *p)
{
    p->key_columns =
        arena_array(r->json.arena, KEY_COLUMNS_FIXED + p->n_params, sizeof *p->key_columns);
    if (!p->key_columns)
        return err_nomem(r->json.err);
    p->key_columns[p->n_key_columns++] = STR("provider");
    p->key_columns[p->n_key_columns++] = STR("lead_id");
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < p->n_params; i++)
        rc = add_key_column(r, p->params[i], p);
    return rc;
}

/* ---- the URL's path ------------------------------------------------------------------------- */

static enum rc add_param(const struct profile_reader *r, const struct member *at, struct str name,
                         struct profile *p)
{
    if (str_eq_c(name, "id") || profile_param(p, name) >= 0)
        return RC_OK;
    if (p->n_params == PROFILE_PARAMS_MAX)
        return member_refuse(&r->json, at, "must have at most %d names in braces",
                             PROFILE_PARAMS_MAX);
    const char *copy = arena_strdup(r->json.arena, name);
    if (!copy)
        return err_nomem(r->json.err);
    p->params[p->n_params++] = (struct str){copy, name.len};
    return RC_OK;
}

static enum rc read_template(const struct profile_reader *r, const struct member *at,
                             struct profile *p)
{
    enum rc rc = member_text(&r->json, at, TEMPLATE_BYTES_MAX, &p->url_template);
    if (rc != RC_OK)
        return rc;
    struct err why;
    if (url_template_check(p->url_template, &why) != RC_OK)
        return refuse_by(r, at, &why);
    p->params = arena_array(r->json.arena, PROFILE_PARAMS_MAX, sizeof *p->params);
    if (!p->params)
        return err_nomem(r->json.err);
    struct str rest = p->url_template, literal, name;
    while (rc == RC_OK && rest.len && url_template_next(&rest, &literal, &name)) {
        if (name.ptr)
            rc = add_param(r, at, name, p);
    }
    return rc == RC_OK ? make_key_columns(r, p) : rc;
}

/* ---- what answers look like ----------------------------------------------------------------- */

static enum rc read_required(const struct profile_reader *r, const struct member *at,
                             struct profile *p)
{
    if (!at->json) {
        p->required = arena_array(r->json.arena, 1, sizeof *p->required);
        p->n_required = 1;
        return p->required ? path_parse(p->required, r->json.arena, STR(""), r->json.err)
                           : err_nomem(r->json.err);
    }
    enum rc rc = reader_paths(r, at, PATHS_MAX, &p->required, &p->n_required);
    for (struct member i = member_first(at); rc == RC_OK && i.json; member_next(&i))
        rc = reader_place(r, &i, &p->required[i.index]);
    return rc;
}

static enum rc read_payload(const struct profile_reader *r, const struct member *at,
                            struct profile *p)
{
    enum rc rc = at->json ? member_object(&r->json, at, "root required id") : RC_OK;
    if (rc != RC_OK)
        return rc;
    const struct member root = member_of(at, "root"), required = member_of(at, "required"),
                        id = member_of(at, "id");
    rc = reader_place(r, &root, &p->root);
    if (rc == RC_OK)
        rc = read_required(r, &required, p);
    if (rc == RC_OK)
        rc = reader_place(r, &id, &p->own_id);
    return rc;
}

static enum rc read_answers(const struct profile_reader *r, const struct member *at,
                            struct profile *p)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "success message code");
    if (rc != RC_OK)
        return rc;
    const struct member success = member_of(at, "success"), message = member_of(at, "message"),
                        code = member_of(at, "code");
    rc = reader_place(r, &success, &p->success);
    if (rc == RC_OK)
        rc = reader_paths(r, &message, PATHS_MAX, &p->messages, &p->n_messages);
    if (rc == RC_OK)
        rc = reader_paths(r, &code, PATHS_MAX, &p->codes, &p->n_codes);
    return rc;
}

static enum rc read_expiring(const struct profile_reader *r, const struct member *at,
                             struct profile *p)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_object(&r->json, at, "arrays members");
    if (rc != RC_OK)
        return rc;
    const struct member arrays = member_of(at, "arrays"), members = member_of(at, "members");
    if (!arrays.json || !members.json)
        return member_refuse(&r->json, at, "must have both \"arrays\" and \"members\"");
    rc = reader_texts(r, &arrays, PATHS_MAX, &p->url_arrays, &p->n_url_arrays);
    if (rc == RC_OK)
        rc = reader_texts(r, &members, PATHS_MAX, &p->url_members, &p->n_url_members);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum rc read_profile(const struct profile_reader *r, const struct member *top,
                            struct profile *p)
{
    static const struct {
        const char *member;
        enum rc (*read)(const struct profile_reader *, const struct member *, struct profile *);
    } parts[] = {
        {"servers", read_servers},   {"credential", read_credential},
        {"path", read_template},     {"payload", read_payload},
        {"answers", read_answers},   {"expiring_urls", read_expiring},
        {"list", profile_read_list}, {"tables", profile_read_tables},
    };
    enum rc rc = member_object(&r->json, top,
                               "profile name title servers credential path payload answers "
                               "expiring_urls list tables");
    if (rc == RC_OK)
        rc = read_names(r, top, p);
    for (size_t i = 0; rc == RC_OK && i < sizeof parts / sizeof *parts; i++) {
        const struct member part = member_of(top, parts[i].member);
        rc = parts[i].read(r, &part, p);
    }
    return rc;
}

static enum rc parse_text(struct arena *a, struct str json, const char *source, const cJSON **out,
                          struct err *e)
{
    if (json.len > PROFILE_BYTES_MAX)
        return err_set(e, RC_USAGE, "%s: a profile has at most %d bytes", source,
                       PROFILE_BYTES_MAX);
    struct json_doc doc;
    struct err why;
    enum rc rc = json_parse(a, json, JSON_TREE, &doc, &why);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK)
        return err_set(e, RC_USAGE, "%s: %s", source, why.msg);
    if (doc.replaced)
        return err_set(e, RC_USAGE, "%s: must be UTF-8 without \\u0000 and lone surrogates",
                       source);
    *out = doc.root;
    return RC_OK;
}

/* The profile lies in the arena that it owns. */
static struct profile *profile_new(struct arena *memory)
{
    struct profile *p = arena_zalloc(memory, sizeof *p);
    if (!p)
        return NULL;
    struct rng seed;
    rng_seed_system(&seed);
    p->hash_seed = seed.state;
    return p;
}

enum rc profile_parse(struct profile **out, struct str json, const char *source, struct err *e)
{
    struct arena memory, tree;
    arena_init(&memory, MEMORY_BYTES_MAX);
    arena_init(&tree, MEMORY_BYTES_MAX);
    struct member top = {.json = NULL};
    enum rc rc = parse_text(&tree, json, source, &top.json, e);
    struct profile *p = rc != RC_OK ? NULL : profile_new(&memory);
    if (p) {
        const struct profile_reader r = {.json = {&memory, source, e}, .profile = p};
        rc = read_profile(&r, &top, p);
        p->json = (struct str){arena_strdup(&memory, json), json.len};
        if (rc == RC_OK && !p->json.ptr)
            rc = err_nomem(e);
    } else if (rc == RC_OK) {
        rc = err_nomem(e);
    }
    arena_free(&tree);
    if (rc != RC_OK || !p) {
        arena_free(&memory);
        return rc;
    }
    p->memory = memory;
    *out = p;
    return RC_OK;
}
