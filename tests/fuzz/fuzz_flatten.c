/* Payloads from outside. The first byte chooses the built-in profile and the mode of URLs; a NUL
 * ends one payload and begins the next, which meets the columns that the ones before it made. */
#include "check_rows.h"

#define N_MODES 3

static struct profile *profiles[N_PROFILES];
static struct flatten_plan *plans[N_PROFILES][N_MODES];

static void load_once(void)
{
    for (size_t i = 0; i < N_PROFILES; i++) {
        if (profiles[i])
            return;
        MUST(profile_load(&profiles[i], fuzz_profiles[i], NULL) == RC_OK);
        for (int mode = 0; mode < N_MODES; mode++)
            MUST(flatten_plan_new(&plans[i][mode], profiles[i], (enum signed_urls)mode, NULL) ==
                 RC_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    load_once();
    if (size == 0)
        return 0;
    const struct profile *p = profiles[data[0] % N_PROFILES];
    const struct flatten_plan *plan = plans[data[0] % N_PROFILES][data[0] / N_PROFILES % N_MODES];
    struct schema *s;
    MUST(schema_new(&s, p, SCHEMA_COLUMNS_MAX) == RC_OK);
    struct str rest = {(const char *)data + 1, size - 1};
    while (rest.len) {
        const char *nul = memchr(rest.ptr, '\0', rest.len);
        struct str body = {rest.ptr, nul ? (size_t)(nul - rest.ptr) : rest.len};
        check_body(p, plan, s, body);
        size_t used = body.len + (nul ? 1 : 0);
        rest = (struct str){rest.ptr + used, rest.len - used};
    }
    schema_free(s);
    return 0;
}
