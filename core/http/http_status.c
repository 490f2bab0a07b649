#include "core/http/http_status.h"

bool http_status_retryable(int status)
{
    switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 529: /* overloaded; of several APIs */
    case 530: /* no origin; Cloudflare's */
    case 599: /* no connection in time; of several gateways */
        return true;
    default:
        return status >= 520 && status <= 524; /* Cloudflare's */
    }
}

bool http_status_is_limit(int status, bool has_retry_after)
{
    return status == 429 || (status == 403 && has_retry_after);
}

bool http_status_is_refusal(int status, bool is_limit)
{
    return status == 401 || (status == 403 && !is_limit);
}

bool http_status_may_hold(int status)
{
    return status == 403 || status == 429 || status == 503 || status == 529;
}

bool http_status_is_redirect(int status, bool has_target)
{
    switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return true;
    case 304:
        return false;
    default:
        return status / 100 == 3 && has_target;
    }
}

bool http_status_is_congestion(int status)
{
    return status == 429 || status == 503 || status == 504 || status == 529;
}

static bool is_gateway(int status)
{
    switch (status) {
    case 502:
    case 503:
    case 504:
    case 529:
    case 530:
    case 599:
        return true;
    default:
        return status >= 520 && status <= 524;
    }
}

enum try_end http_status_end(int status, bool is_limit, int64_t retry_after_us)
{
    if (is_limit)
        return TRY_BUSY;
    if (retry_after_us > 0 && http_status_may_hold(status))
        return TRY_HELD;
    return is_gateway(status) ? TRY_GATEWAY : TRY_GOOD;
}
