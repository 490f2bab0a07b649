#include "sinks/registry.h"

const struct sink_ops *const sink_registry[] = {
#define X(name) &sink_##name,
    SINK_LIST(X)
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
