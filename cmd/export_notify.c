#include "cmd/export_notify.h"

#include <stdio.h>

#include "cmd/export_hooks.h"
#include "cmd/signals.h"
#include "core/base/loopback.h"
#include "core/base/random_hex.h"
#include "monitor/ping.h"

#define BODY_BYTES_MAX ((size_t)16 << 20)

static bool is_stopped(void)
{
    return signals_received() != 0;
}

static void send_ping(struct export *x, const struct ping *p, bool (*given_up)(void))
{
    const struct export_options *o = &x->options;
    const struct ping_cfg cfg = {
        .url = o->ping,
        .user_agent = EXPORT_USER_AGENT,
        .cacert = o->cacert,
        .proxy = url_bypasses_proxy(o->ping, o->allow_http) ? "" : o->proxy,
        .clock = &clock_system,
        .given_up = given_up,
    };
    struct err e;
    enum rc rc = ping_send(&cfg, p, &e);
    if (rc != RC_OK && rc != RC_STOPPED)
        messages_write(x->messages, LOG_LEVEL_WARN_ALWAYS, "--ping", e.msg);
}

void export_notify_start(struct export *x, const char *run_id)
{
    const struct ping p = {.suffix = "/start", .run_id = run_id};
    if (x->options.ping)
        send_ping(x, &p, is_stopped);
}

static void ping_end(struct export *x, const struct export_ended *ended, struct buf *summary)
{
    char suffix[16] = "", run_id[RANDOM_HEX_CHARS + 1] = "";
    struct err e;
    if (!x->options.ping || ping_check(x->options.ping, &e) != RC_OK)
        return; /* that is why the run was refused */
    if (ended->exit_status != EXIT_STATUS_OK)
        (void)snprintf(suffix, sizeof suffix, "/%d", ended->exit_status);
    if (!ended->result && random_hex(run_id, &e) != RC_OK) {
        messages_write(x->messages, LOG_LEVEL_WARN_ALWAYS, "--ping", e.msg);
        return;
    }
    const struct ping p = {
        .suffix = suffix,
        .run_id = ended->result ? ended->result->run_id : run_id,
        .body = str_c(buf_cstr(summary)),
    };
    send_ping(x, &p, NULL);
}

void export_notify_end(struct export *x, const struct export_ended *ended)
{
    struct buf summary;
    buf_init(&summary, BODY_BYTES_MAX);
    export_end_json(&summary, x, ended);
    if (buf_rc(&summary) != RC_OK)
        messages_write(x->messages, LOG_LEVEL_ERROR, "summary", rc_text(buf_rc(&summary)));
    ping_end(x, ended, &summary);
    export_hooks_run(x, ended, &summary);
    buf_free(&summary);
}
