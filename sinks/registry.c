#include "sinks/registry.h"

/* Which of the optional sinks this build has. */
#ifdef LEADPIPE_PARQUET
#define IF_LEADPIPE_PARQUET(...) __VA_ARGS__
#else
#define IF_LEADPIPE_PARQUET(...)
#endif
#ifdef LEADPIPE_POSTGRES
#define IF_LEADPIPE_POSTGRES(...) __VA_ARGS__
#else
#define IF_LEADPIPE_POSTGRES(...)
#endif
#ifdef LEADPIPE_KAFKA
#define IF_LEADPIPE_KAFKA(...) __VA_ARGS__
#else
#define IF_LEADPIPE_KAFKA(...)
#endif

const struct sink_ops *const sink_registry[] = {
#define X(name) &sink_##name,
#define OPTIONAL(name, option) IF_##option(&sink_##name, )
    SINK_LIST(X, OPTIONAL)
#undef OPTIONAL
#undef X
        NULL,
};

const struct sink_ops *sink_by_name(struct str name)
{
    for (size_t i = 0; sink_registry[i]; i++)
        if (str_eq_c(name, sink_registry[i]->name))
            return sink_registry[i];
    return NULL;
}

const char *sink_left_out(struct str name)
{
    static const struct {
        const char *name, *option;
    } optional[] = {
#define X(name)
#define OPTIONAL(name, option) {#name, #option},
        SINK_LIST(X, OPTIONAL)
#undef OPTIONAL
#undef X
    };
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (str_eq_c(name, optional[i].name) && !sink_by_name(name))
            return optional[i].option;
    return NULL;
}
