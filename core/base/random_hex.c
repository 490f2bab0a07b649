#include "core/base/random_hex.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#define BYTES (RANDOM_HEX_CHARS / 2)

enum rc random_hex(char out[RANDOM_HEX_CHARS + 1], struct err *e)
{
    unsigned char bytes[BYTES];
    for (size_t have = 0; have < BYTES;) {
        ssize_t n = getrandom(bytes + have, BYTES - have, 0);
        if (n < 0 && errno != EINTR)
            return err_sys(e, RC_IO, errno, "the system returns no random numbers");
        have += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return RC_OK;
}
