#include "core/provider/column_type.h"

static const char *const texts[COLUMN_TYPES] = {
    [TYPE_TEXT] = "text",
    [TYPE_INTEGER] = "integer",
    [TYPE_NUMBER] = "number",
    [TYPE_BOOLEAN] = "boolean",
    [TYPE_TIMESTAMP] = "timestamp",
    [TYPE_TIMESTAMP_S] = "timestamp-s",
    [TYPE_TIMESTAMP_MS] = "timestamp-ms",
    [TYPE_JSON] = "json",
};

const char *column_type_text(enum column_type type)
{
    return texts[type];
}

bool column_type_of(struct str text, enum column_type *out)
{
    for (size_t i = 0; i < COLUMN_TYPES; i++) {
        if (!str_eq_c(text, texts[i]))
            continue;
        *out = (enum column_type)i;
        return true;
    }
    return false;
}
