/* Payloads with something of everything: all tables, members that nobody documented at every level,
 * names that clash, addresses under codes, expiring URLs in odd places, long numbers, text that must
 * be replaced, values nested deeply, objects with many members and repeated ones. */
#ifndef LEADPIPE_TESTS_RICH_LEADS_H
#define LEADPIPE_TESTS_RICH_LEADS_H

#include "core/base/buf.h"

#define RICH_OMNI_BEGIN                                                                            \
    "{\"status\":\"REVIEW\",\"leadScore\":0.75,\"success\":true,\"lead\":{\"id\":\"L-other\","     \
    "\"firstName\":\"Zo\\u00eb \\ud83d\\ude00\",\"first_name\":\"twin\",\"isTest\":false,"         \
    "\"phoneNumber\":\"+1 (678) 231-9992\",\"website\":\"=HYPERLINK(\\\"x\\\")\","                 \
    "\"businessName\":\"a,b;c\\r\\n\\\"d\\\"\\te\",\"email\":null,\"lastName\":\"\","              \
    "\"broken\":\"a\\u0000b\\ud800c\\udc00\xff\xe2\x82\",\"a-b\":1,\"a_b\":2,\"A B\":3,"           \
    "\"documents\":[{\"url\":\"https://u?1\"}],\"long\":123456789012345678901234567890,"           \
    "\"exact\":18446744073709551615,\"least\":-9223372036854775808,\"float\":0.1,\"zero\":-0,"     \
    "\"twice\":1,\"twice\":{\"last\":[1.10,1e400]},\"provider\":\"p\","

#define RICH_OMNI_CHECKLIST                                                                        \
    "\"checklistItems\":[{\"id\":\"g\",\"name\":\"n\",\"conditions\":{\"all\":[1,{\"b\":null}]},"  \
    "\"colour\":{\"documents\":[{\"url\":\"g?2\"}]},\"items\":[{\"id\":\"i\","                     \
    "\"checklistItemId\":\"c\",\"value\":{\"street\":\"x\",\"zip\":1,\"city\":null},"              \
    "\"checklistItem\":{\"id\":\"c\",\"code\":\"address\",\"label\":\"l\",\"order\":1,"            \
    "\"conditions\":[]},\"documents\":[{\"id\":\"d\",\"signedUrl\":\"https://s/a?b\",\"size\":1,"  \
    "\"pages\":1,\"metadata\":{\"documents\":[{\"signedUrl\":\"s?8\"},\"x?\"]}},\"lone?\"]},"      \
    "{\"value\":{\"street\":\"y\"},\"checklistItem\":{\"id\":\"x\",\"code\":\"address\"}},"        \
    "{\"value\":[1,{\"documents\":[{\"url\":\"v?9\",\"k\":1}]}],\"checklistItem\":"                \
    "{\"code\":\"2nd owner\"}},{\"value\":true,\"checklistItem\":{\"code\":\"2nd owner\"}},"       \
    "\"lone\",null,[1]]},null,\"g\",{\"items\":[{\"checklistItem\":\"text\",\"value\":7}]}],"

#define RICH_OMNI_REST                                                                             \
    "\"documents\":[{\"id\":\"d\",\"signedUrl\":\"s?4\",\"url\":\"u?5\",\"metadata\":"             \
    "{\"documents\":[{\"signedUrl\":\"s?8\",\"deep\":{\"documents\":[{\"url\":\"w?\"}]}}]},"       \
    "\"extra\":\"e\"},7],\"actionLogs\":[{\"id\":\"a\",\"input\":{\"x\":[{}]},\"tool\":"           \
    "{\"id\":\"t\",\"v\":1},\"messages\":[{\"id\":\"m\",\"body\":\"@b\",\"cc\":[],"                \
    "\"documents\":[{\"id\":\"e\",\"size\":1,\"url\":\"d?\"}]},{\"documents\":null}]},"            \
    "{\"tool\":\"t\",\"messages\":\"m\",\"position\":\"p\"}],\"matchingLeads\":[{\"id\":\"L-2\","  \
    "\"score\":0.75},5],\"lastAction\":{\"id\":\"a\",\"tools\":[]},\"nextFollowUp\":null,"         \
    "\"nextDraft\":\"d\"}"

#define RICH_CONVOCORE                                                                             \
    "{\"success\":true,\"data\":{\"id\":\"L-1\",\"ts\":1769738400.5,\"name\":\"\\u20ac\\udfff\","  \
    "\"metaData\":{\"source\":\"w\",\"linkedIn\":null,\"address\":{\"city\":\"x\"}},"              \
    "\"hotScore\":71,\"crmActivities\":[{\"id\":\"1\",\"metadata\":{\"channel\":\"phone\"},"       \
    "\"notesHistory\":[{\"text\":\"t\",\"timestamp\":1769851800000,\"mood\":1},\"lone\"]},"        \
    "{\"id\":2,\"notesHistory\":{},\"Title\":\"x\"},null]}}"

/* Members of which each lead has some of its own, and enough to make tables of names grow. */
static inline void rich_add_members(struct buf *b, unsigned which, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_addf(b, "\"member %u of %u\":%u,", i, which, i * which);
}

static inline void rich_add_nested(struct buf *b, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buf_adds(b, "[{\"n\":");
    buf_adds(b, "1.50");
    for (unsigned i = 0; i < depth; i++)
        buf_adds(b, "}]");
}

/* The omni lead number `which`; each has columns that those before it have not. `n_filler`: bytes
 * of one text in it. */
static inline void rich_omni(struct buf *b, unsigned which, size_t n_filler)
{
    buf_adds(b, RICH_OMNI_BEGIN);
    rich_add_members(b, which, 24);
    buf_adds(b, "\"nested\":");
    rich_add_nested(b, 50);
    buf_adds(b, ",\"activitySummary\":\"");
    for (size_t i = 0; i < n_filler; i++)
        buf_addc(b, 'x');
    buf_adds(b, "\"}," RICH_OMNI_CHECKLIST);
    rich_add_members(b, which + 100, 3);
    buf_adds(b, RICH_OMNI_REST);
}

#endif
