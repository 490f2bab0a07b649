#include "core/object/xml_leaves.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/buf.h"

static enum rc put(void *out, const char *path, struct str text)
{
    buf_addf(out, "%s=" STR_FMT ";", path, STR_ARG(text));
    return strcmp(path, "stop") == 0 ? RC_LIMIT : RC_OK;
}

static void documents(void **state)
{
    (void)state;
    static char long_text[XML_TEXT_BYTES_MAX + 20];
    memset(long_text, 'x', sizeof long_text - 1);
    memcpy(long_text, "<a>", 3);
    memcpy(long_text + sizeof long_text - 5, "</a>", 4);
    const struct {
        const char *xml, *want;
        enum rc rc;
    } rows[] = {
        {"<Error><Code>A</Code><Message>b &amp; &lt;c&gt;</Message></Error>",
         "Error/Code=A;Error/Message=b & <c>;Error=;", RC_OK},
        {"<?xml version='1.0' encoding='UTF-8'?>\n<x:a xmlns:x='u'>t<x:b/>\n</x:a>", "a/b=;a=\n;",
         RC_OK},
        {"<stop>1</stop>", "stop=1;", RC_LIMIT},
        {"", "", RC_SYNTAX},
        {"x", "", RC_SYNTAX},
        {"<a><b>1</b>", "a/b=1;", RC_SYNTAX},
        {"<a>1</a><a>2</a>", "a=1;", RC_SYNTAX},
        {"<a>\xff</a>", "", RC_SYNTAX},
        {"<!DOCTYPE a><a>1</a>", "", RC_SYNTAX},
        {"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "", RC_SYNTAX},
        {"<a>&b;</a>", "", RC_SYNTAX},
        {"<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>", "", RC_SYNTAX},
        {long_text, "", RC_SYNTAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf got;
        buf_init(&got, 10000);
        enum rc rc = xml_leaves(str_c(rows[i].xml), put, &got);
        if (rc != rows[i].rc || strcmp(buf_cstr(&got), rows[i].want) != 0)
            fail_msg("%s\n  got  %s %s\n  want %s %s", rows[i].xml, rc_text(rc), buf_cstr(&got),
                     rc_text(rows[i].rc), rows[i].want);
        buf_free(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
