/* In the place of export_queue.c and status_queue.c. */
#include <string.h>

#include "cmd/export_queue.h"
#include "cmd/status_queue.h"

static const char refusal[] = "kafka://: this program was built without Kafka (LEADPIPE_KAFKA=OFF)";

bool status_names_queue(const char *argument)
{
    static const char scheme[] = "kafka://";
    return strncmp(argument, scheme, sizeof scheme - 1) == 0;
}

enum rc status_queue(struct buf *out, struct messages *m, const char *text, bool json,
                     struct err *e)
{
    (void)out;
    (void)m;
    (void)text;
    (void)json;
    return err_set(e, RC_USAGE, "%s", refusal);
}

enum rc export_set_queue(struct export *x, struct err *e)
{
    for (size_t i = 0; i < x->options.files.n; i++) {
        if (status_names_queue(x->options.files.items[i]))
            return err_set(e, RC_USAGE, "%s", refusal);
    }
    if (x->options.follow)
        return err_set(e, RC_USAGE, "--follow: %s", refusal);
    return RC_OK;
}

void export_queue_free(struct export_queue *q)
{
    (void)q;
}

void export_check_queue(const struct export *x, const struct findings *f)
{
    (void)x;
    (void)f;
}
