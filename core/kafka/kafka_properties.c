#include "core/kafka/kafka_properties.h"

#include "core/base/credential_text.h"

enum rc kafka_properties_init(struct kafka_properties *p, struct arena *arena,
                              struct secrets *secrets, size_t cap)
{
    *p = (struct kafka_properties){.arena = arena, .secrets = secrets, .cap = cap};
    p->list = arena_array(arena, cap + 1, sizeof *p->list);
    return p->list ? RC_OK : RC_NOMEM;
}

/* A text in the wrong place may be a secret: it must not appear in the message that refuses it, nor in the command line
 * of a report. */
static enum rc hide(const struct kafka_properties *p, struct str given, struct err *e)
{
    return secrets_add(p->secrets, given) == RC_OK ? RC_OK : err_nomem(e);
}

static enum rc refuse_form(const struct kafka_properties *p, const char *who, const char *text,
                           const char *value, struct err *e)
{
    const char *equals = strchr(text, '=');
    enum rc rc = hide(p, str_c(equals ? equals + 1 : text), e);
    if (rc != RC_OK)
        return rc;
    return err_set(e, RC_USAGE,
                   "%s: must be NAME=%s, where NAME is a property of librdkafka (such as "
                   "security.protocol)",
                   who, value);
}

static enum rc take_name(struct kafka_properties *p, const char *who, struct str name,
                         struct err *e)
{
    const char *why = kafka_property_refusal(name);
    if (why)
        return err_set(e, RC_USAGE, "%s: the property " STR_FMT " cannot be set; it %s", who,
                       STR_ARG(name), why);
    if (p->n == p->cap)
        return err_set(e, RC_USAGE, "%s: at most %zu properties are allowed", who, p->cap);
    p->list[p->n].name = arena_strdup(p->arena, name);
    return p->list[p->n].name ? RC_OK : err_nomem(e);
}

enum rc kafka_properties_add(struct kafka_properties *p, const char *who, const char *text,
                             struct err *e)
{
    struct str name, value;
    if (!kafka_property_split(str_c(text), &name, &value))
        return refuse_form(p, who, text, "VALUE", e);
    bool is_secret = kafka_property_is_secret(name);
    enum rc rc = is_secret ? hide(p, value, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    if (is_secret)
        return err_set(e, RC_USAGE,
                       "%s: the value of " STR_FMT
                       " is a secret, which every user of this machine could read on the command "
                       "line; use property-env=" STR_FMT "=VARIABLE",
                       who, STR_ARG(name), STR_ARG(name));
    rc = take_name(p, who, name, e);
    if (rc != RC_OK)
        return rc;
    p->list[p->n].value = arena_strdup(p->arena, value);
    if (!p->list[p->n].value)
        return err_nomem(e);
    p->n++;
    return RC_OK;
}

static bool is_variable(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];
        bool is_letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
        if (!is_letter && (i == 0 || ch < '0' || ch > '9'))
            return false;
    }
    return name.len > 0;
}

enum rc kafka_properties_add_from_env(struct kafka_properties *p, const char *who, const char *text,
                                      struct err *e)
{
    struct str name, variable;
    const char *value = NULL;
    if (!kafka_property_split(str_c(text), &name, &variable) || !is_variable(variable))
        return refuse_form(p, who, text, "VARIABLE", e);
    enum rc rc = take_name(p, who, name, e);
    if (rc != RC_OK)
        return rc;
    if (secrets_take_variable(p->secrets, variable.ptr, &value) != RC_OK)
        return err_nomem(e);
    if (!value || !*value)
        return err_set(e, RC_USAGE, "%s: the environment variable %s (of property %s) is not set",
                       who, credential_variable_shown(variable.ptr), p->list[p->n].name);
    if (secrets_add(p->secrets, str_c(value)) != RC_OK)
        return err_nomem(e);
    p->list[p->n++].value = value;
    return RC_OK;
}
