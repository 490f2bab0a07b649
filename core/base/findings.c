#include "core/base/findings.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_BYTES 8192

void findings_add(const struct findings *f, enum finding_level level, const char *subject,
                  const char *fmt, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* a cut text still says what */
    va_end(args);
    f->add(f->ctx, level, subject, text);
}
