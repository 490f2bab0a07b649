#include "lead.h"

const char *stage_text(enum stage s)
{
    switch (s) {
    case STAGE_INPUT:
        return "input";
    case STAGE_FETCH:
        return "fetch";
    case STAGE_PARSE:
        return "parse";
    case STAGE_FLATTEN:
        return "flatten";
    case STAGE_SINK:
        return "sink";
    }
    return "";
}
