/* The options of `leadpipe export`, in the order of its help text. */
#include "core/run/run.h"
#include "core/flatten/schema.h"
#include "cmd/options.h"

#define PARAM_HELP                                                                                 \
    "a parameter of the provider's URL, such as agentId=A1; repeatable; an input "                 \
    "column of that name takes precedence"

#define WHAT "lead"
#define BODY "payload"
#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define GIB ((int64_t)1 << 30)

#define OPTION(type, member, ...) {OPTION_AT(struct export_options, type, member), __VA_ARGS__},
#define RUN_OPTION(type, member, ...) OPTION(type, member, .section = SECTION_OUTPUT, __VA_ARGS__)

const struct option_spec export_option_specs[] = {
#include "cmd/options_export.inc"
    {.name = NULL},
};

const char *option_section_title(enum option_section s)
{
    switch (s) {
    case SECTION_PROVIDER:
        return "Provider";
    case SECTION_INPUT:
        return "Input";
    case SECTION_FETCHING:
        return "Fetching";
    case SECTION_OUTPUT:
        return "Output";
    case SECTION_MESSAGES:
        return "Messages";
    case SECTION_MONITORING:
        return "Monitoring";
    case SECTION_END:
        break;
    }
    return "";
}
