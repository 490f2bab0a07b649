/* Numbers as Parquet writes them: the lowest byte first. */
#ifndef LEADPIPE_PARQUET_LITTLE_ENDIAN_H
#define LEADPIPE_PARQUET_LITTLE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t le32_get(const char *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return le32toh(value);
}

static inline uint64_t le64_get(const char *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return le64toh(value);
}

static inline void le32_put(char *p, uint32_t value)
{
    value = htole32(value);
    memcpy(p, &value, sizeof value);
}

static inline void le64_put(char *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof value);
}

#endif
