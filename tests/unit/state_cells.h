/* Changes the cells of a state and makes its checksums right again, so that what is changed gets as
 * far as the program that reads it. Include once in a test program. */
#ifndef LEADPIPE_TESTS_STATE_CELLS_H
#define LEADPIPE_TESTS_STATE_CELLS_H

#include <sqlite3.h>
#include <stdint.h>
#include <zlib.h>

static inline uLong cells_add_int(uLong crc, int64_t value)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((uint64_t)value >> 8 * i);
    return crc32_z(crc, bytes, sizeof bytes);
}

/* checksum(VALUE, ...): what core/state/state_query.c makes of these values of a row. */
static inline void cells_seal(sqlite3_context *context, int n, sqlite3_value **values)
{
    uLong crc = 0;
    for (int i = 0; i < n; i++) {
        int type = sqlite3_value_type(values[i]);
        const unsigned char *p = NULL;
        if (type == SQLITE_INTEGER) {
            crc = cells_add_int(crc, sqlite3_value_int64(values[i]));
            continue;
        }
        if (type != SQLITE_NULL)
            p = sqlite3_value_blob(values[i]);
        int len = type == SQLITE_NULL ? -1 : sqlite3_value_bytes(values[i]);
        crc = cells_add_int(crc, len);
        if (len > 0)
            crc = crc32_z(crc, p, (size_t)len);
    }
    sqlite3_result_int64(context, (int64_t)crc);
}

#define CELLS_RESEAL                                                                                       \
    "UPDATE OR IGNORE run SET checksum = checksum(phase, run_id, started_ms, settings, prepared, record);" \
    "UPDATE OR IGNORE settings SET checksum = checksum(position, name, value);"                            \
    "UPDATE OR IGNORE checkpoint SET checksum = checksum(high, key_a, key_b, handed, missing, unchanged,"  \
    " replaced, other_ids, active_ms, marks, columns, totals, gaps);"                                      \
    "UPDATE OR IGNORE marks SET checksum = checksum(sink, mark);"                                          \
    "UPDATE OR IGNORE columns SET checksum = checksum(position, table_number, scope, occurrence, key,"     \
    " member);"                                                                                            \
    "UPDATE OR IGNORE failures SET checksum = checksum(seq, by_sink, summary, line);"                      \
    "UPDATE OR IGNORE missing SET checksum = checksum(seq, line);"                                         \
    "UPDATE OR IGNORE buffered SET checksum = checksum(seq, key, http_status, attempts, body);"            \
    "UPDATE OR IGNORE deliveries SET checksum = checksum(number, sink, last_seq, id, leads),"              \
    " body_checksum = iif(body IS NULL, NULL, checksum(body)),"                                            \
    " answer_checksum = iif(outcome IS NULL, NULL, checksum(outcome, answer));"                            \
    "UPDATE OR IGNORE delivery_counts SET checksum = checksum(sink, delivered, failed);"                   \
    "UPDATE OR IGNORE prepared SET checksum = checksum(part, text);"                                       \
    "UPDATE OR IGNORE accepted_by SET checksum = checksum(position, sink);"                                \
    "UPDATE OR IGNORE accepted_now SET checksum = checksum(notes, pack);"                                  \
    "UPDATE OR IGNORE list SET checksum = checksum(source, params, lists, times, since_ms, until_ms,"      \
    " first, listing);"                                                                                    \
    "UPDATE OR IGNORE listed SET checksum = checksum(position, list, ends, bad, leads, pack);"

/* SQLite's code. The state must not be open elsewhere. */
static inline int cells_open(const char *path, sqlite3 **out)
{
    int rc = sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function(*out, "checksum", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                     cells_seal, NULL, NULL);
    return rc;
}

static inline int cells_reseal(sqlite3 *db)
{
    return sqlite3_exec(db, CELLS_RESEAL, NULL, NULL, NULL);
}

#endif
