#include "sinks/sql/dialect.h"

#include <openssl/evp.h>

#define HASH_BYTES 4
#define HASH_TEXT_BYTES (1 + 2 * HASH_BYTES)

/* Instants, numbers and JSON go into what holds most of them; what each cannot hold is in
 * docs/types.md. In Redshift "text" would be 256 bytes. */
static const struct sql_dialect dialects[] = {
    {
        .name = "postgres",
        .quote = '"',
        .name_bytes_max = 63,
        .types = {"text", "bigint", "numeric", "boolean", "timestamptz", "timestamptz",
                  "timestamptz", "jsonb"},
        .key_text = "text",
        .nullable = {"", ""},
        .not_null = " not null",
        .system_columns = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"},
    },
    {
        .name = "sqlite",
        .quote = '"',
        .ignores_case = true,
        .types = {"text", "integer", "real", "boolean", "text", "text", "text", "text"},
        .key_text = "text",
        .nullable = {"", ""},
        .not_null = " not null",
    },
    {
        .name = "bigquery",
        .quote = '`',
        .name_bytes_max = 300,
        .types = {"string", "int64", "float64", "bool", "timestamp", "timestamp", "timestamp",
                  "json"},
        .key_text = "string",
        .nullable = {"", ""},
        .not_null = " not null",
        .key = SQL_KEY_NOT_ENFORCED,
    },
    {
        .name = "snowflake",
        .quote = '"',
        .is_upper_case = true,
        .name_bytes_max = 255,
        .types = {"varchar", "bigint", "double", "boolean", "timestamp_tz", "timestamp_tz",
                  "timestamp_tz", "variant"},
        .key_text = "varchar",
        .nullable = {"", ""},
        .not_null = " not null",
    },
    {
        .name = "redshift",
        .quote = '"',
        .name_bytes_max = 127,
        .types = {"varchar(65535)", "bigint", "double precision", "boolean", "timestamptz",
                  "timestamptz", "timestamptz", "super"},
        .key_text = "varchar(512)",
        .nullable = {"", ""},
        .not_null = " not null",
        .system_columns = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid", "deletexid",
                           "insertxid"},
    },
    {
        .name = "clickhouse",
        .quote = '`',
        .types = {"String", "Int64", "Float64", "Bool", "DateTime64(6, 'UTC')",
                  "DateTime64(6, 'UTC')", "DateTime64(6, 'UTC')", "String"},
        .key_text = "String",
        .nullable = {"Nullable(", ")"},
        .not_null = "",
        .key = SQL_KEY_ORDER,
    },
    {
        .name = "duckdb",
        .quote = '"',
        .types = {"varchar", "bigint", "double", "boolean", "timestamptz", "timestamptz",
                  "timestamptz", "json"},
        .key_text = "varchar",
        .nullable = {"", ""},
        .not_null = " not null",
    },
};

const struct sql_dialect *sql_dialect(size_t i)
{
    return i < sizeof dialects / sizeof *dialects ? &dialects[i] : NULL;
}

/* ---- names ---------------------------------------------------------------------------------- */

static enum rc add_hash(struct buf *b, struct str name, struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(name.ptr, name.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return err_nomem(e);
    buf_addc(b, '_');
    for (size_t i = 0; i < HASH_BYTES; i++)
        buf_addf(b, "%02x", digest[i]);
    return RC_OK;
}

/* As utf8_cut(), of a text that needs no NUL. */
static size_t cut(struct str name, size_t max)
{
    size_t n = max;
    while (n > 0 && ((unsigned char)name.ptr[n] & 0xC0) == 0x80)
        n--;
    return n;
}

enum rc sql_name(struct buf *b, const struct sql_dialect *d, struct str name, struct err *e)
{
    bool is_long = d->name_bytes_max && name.len > d->name_bytes_max;
    size_t len = is_long ? cut(name, d->name_bytes_max - HASH_TEXT_BYTES) : name.len;
    for (size_t i = 0; i < len; i++) {
        bool is_lower = name.ptr[i] >= 'a' && name.ptr[i] <= 'z';
        buf_addc(b, d->is_upper_case && is_lower ? (char)(name.ptr[i] - 'a' + 'A') : name.ptr[i]);
    }
    enum rc rc = is_long ? add_hash(b, name, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    return buf_rc(b) == RC_OK ? RC_OK : err_set(e, buf_rc(b), "%s", rc_text(buf_rc(b)));
}

bool sql_is_same_name(const struct sql_dialect *d, struct str a, struct str b)
{
    if (!d->ignores_case || a.len != b.len)
        return str_eq(a, b);
    for (size_t i = 0; i < a.len; i++) {
        char x = a.ptr[i], y = b.ptr[i];
        bool is_letter = (x | 0x20) >= 'a' && (x | 0x20) <= 'z';
        if (x != y && !(is_letter && (x | 0x20) == (y | 0x20)))
            return false;
    }
    return true;
}

void sql_quote(struct buf *b, const struct sql_dialect *d, struct str name)
{
    buf_addc(b, d->quote);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == d->quote) /* twice in a name is once */
            buf_addc(b, d->quote);
        buf_addc(b, name.ptr[i]);
    }
    buf_addc(b, d->quote);
}

void sql_literal(struct buf *b, struct str text)
{
    buf_addc(b, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') /* twice in a literal is once */
            buf_addc(b, '\'');
        buf_addc(b, text.ptr[i]);
    }
    buf_addc(b, '\'');
}
