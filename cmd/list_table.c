/* The options of `leadpipe list`, in the order of its help text. */
#include "cmd/options.h"

#define AT(type, member) OPTION_AT(struct list_options, type, common.member)
#define OPTION(type, member, ...) {AT(type, member), __VA_ARGS__},
#define OWN(type, member) OPTION_AT(struct list_options, type, member)

#define PARAM_HELP                                                                                 \
    "a parameter of the provider's URL, such as agentId=A1; repeatable, also with another value "  \
    "for the same name: the list of each is read"

#define WHAT "page"
#define BODY "page"
#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define GIB ((int64_t)1 << 30)

const struct option_spec list_option_specs[] = {
/* ---- provider ---- */
#include "cmd/options_provider.inc"
    /* ---- input ---- */
    {
        .name = "created-since",
        .arg = "TIME|DURATION",
        AT(TEXT, created_since),
        .section = SECTION_INPUT,
        .help =
            "only leads created since then: an RFC 3339 time, a date (UTC), or a duration before "
            "now, such as 30d; for providers whose list has this filter",
    },
    {
        .name = "created-until",
        .arg = "TIME|DURATION",
        AT(TEXT, created_until),
        .section = SECTION_INPUT,
        .help = "only leads created until then",
    },
/* ---- fetching ---- */
#include "cmd/options_fetching.inc"
    /* ---- output ---- */
    {
        .name = "output",
        .letter = 'o',
        OWN(TEXT, output),
        .section = SECTION_OUTPUT,
        .default_note = "standard output",
        .file = FILE_WRITTEN,
        .help = "write the list to FILE, which appears when the list has been read to its end",
    },
    /* ---- messages ---- */
    {
        .name = "quiet",
        .letter = 'q',
        AT(FLAG, quiet),
        .section = SECTION_MESSAGES,
        .excludes = "verbose",
        .help = "show only errors, and warnings about elements that are not leads",
    },
    {
        .name = "verbose",
        .letter = 'v',
        AT(COUNT, verbose),
        .section = SECTION_MESSAGES,
        .help =
            "also report when the list is read again, and unusual events; -vv: also every retry",
    },
    {
        .name = "log-format",
        .arg = "FORMAT",
        AT(CHOICE, log_format),
        .section = SECTION_MESSAGES,
        .choices = "text|json",
        .default_text = "text",
        .help = "write messages as text, or as one JSON object per line",
    },
    {
        .name = "help",
        .letter = 'h',
        AT(FLAG, help),
        .section = SECTION_MESSAGES,
        .help = "show this help",
    },
    {.name = NULL},
};
