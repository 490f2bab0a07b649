#include "core/base/open_files.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/resource.h>

enum rc open_files_allow(uint64_t needed, const char *who, struct err *e)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_sys(e, RC_IO, errno, "the limit on open files");
    rlim_t allowed = limit.rlim_max, now = limit.rlim_cur;
    limit.rlim_cur = allowed;
    if (now != allowed && setrlimit(RLIMIT_NOFILE, &limit) != 0)
        allowed = now;
    if (allowed >= needed)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "%s need %" PRIu64 " open files, but only %" PRIu64
                   " are allowed (see ulimit -n)",
                   who, needed, (uint64_t)allowed);
}
