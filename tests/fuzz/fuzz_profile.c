/* Profiles from outside, and what one that is accepted does to a payload: the first NUL ends the
 * profile; what is behind it is a payload. */
#include "check_rows.h"

static void check_url(const struct profile *p)
{
    struct str values[PROFILE_PARAMS_MAX];
    for (size_t i = 0; i < PROFILE_PARAMS_MAX; i++)
        values[i] = STR("/../?#&=%");
    struct buf url;
    buf_init(&url, (size_t)1 << 20);
    enum rc rc = profile_url(p, p->servers[0].url, STR("/?#"), values, &url, NULL);
    MUST(rc == RC_OK);
    for (size_t i = 0; i < url.len; i++)
        MUST(url.data[i] > ' ' && url.data[i] < 0x7F && url.data[i] != '#' && url.data[i] != '{');
    buf_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *nul = size ? memchr(text, '\0', size) : NULL;
    struct str json = {text, nul ? (size_t)(nul - text) : size};
    struct str body = nul ? (struct str){nul + 1, size - json.len - 1} : STR("{\"a\":[{\"b\":1}]}");
    struct profile *p;
    struct err e = {.msg = ""};
    enum rc rc = profile_parse(&p, json, "fuzz", &e);
    if (rc) {
        MUST(rc == RC_USAGE && strncmp(e.msg, "fuzz: ", 6) == 0);
        return 0;
    }
    struct flatten_plan *plan;
    struct schema *s;
    MUST(flatten_plan_new(&plan, p, SIGNED_URLS_STRIP, NULL) == RC_OK);
    MUST(schema_new(&s, p, SCHEMA_COLUMNS_MAX) == RC_OK);
    check_url(p);
    check_body(p, plan, s, body);
    schema_free(s);
    flatten_plan_free(plan);
    profile_free(p);
    return 0;
}
