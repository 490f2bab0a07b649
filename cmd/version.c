/* leadpipe version: the program's, those of its libraries, and what is built in. */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <libdeflate.h>
#include <xxhash.h>
#include <msgpack.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>
#include <zlib.h>
#ifdef LEADPIPE_PARQUET
#include <zstd.h>
#endif
#ifdef LEADPIPE_POSTGRES
#include <libpq-fe.h>
#endif
#ifdef LEADPIPE_KAFKA
#include <librdkafka/rdkafka.h>
#endif
#ifdef LEADPIPE_OBJECT_STORAGE
#include <expat.h>
#endif

#include "cmd/commands.h"
#ifdef LEADPIPE_YAML
#include "cmd/job_yaml.h"
#endif
#include "core/json/json.h"
#include "core/provider/profile.h"
#include "sinks/push/destination.h"
#include "sinks/registry.h"

#define JSON_BYTES_MAX 65536

/* ---- libraries -------------------------------------------------------------------------------- */

#ifdef LEADPIPE_POSTGRES
static const char *libpq_version(void)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
    return text;
}
#endif

#ifdef LEADPIPE_OBJECT_STORAGE
static const char *expat_version(void)
{
    static char text[32];
    XML_Expat_Version v = XML_ExpatVersionInfo();
    (void)snprintf(text, sizeof text, "%d.%d.%d", v.major, v.minor, v.micro);
    return text;
}
#endif

static const char *deflate_version(void)
{
    return LIBDEFLATE_VERSION_STRING;
}

static const char *xxhash_version(void)
{
    static char text[24];
    unsigned number = XXH_versionNumber();
    (void)snprintf(text, sizeof text, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
    return text;
}

static const char *openssl_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

static const char *curl_library_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

static const struct library {
    const char *name;
    const char *(*version)(void); /* of the loaded library, if it can say */
} libraries[] = {
    {"libcurl", curl_library_version},
    {"libuv", uv_version_string},
    {"SQLite", sqlite3_libversion},
    {"cJSON", cJSON_Version},
    {"msgpack-c", msgpack_version},
    {"zlib", zlibVersion},
    {"libdeflate", deflate_version},
    {"xxHash", xxhash_version},
#ifdef LEADPIPE_PARQUET
    {"zstd", ZSTD_versionString},
#endif
#ifdef LEADPIPE_POSTGRES
    {"libpq", libpq_version},
#endif
#ifdef LEADPIPE_KAFKA
    {"librdkafka", rd_kafka_version_str},
#endif
#ifdef LEADPIPE_OBJECT_STORAGE
    {"expat", expat_version},
#endif
#ifdef LEADPIPE_YAML
    {"libfyaml", job_yaml_version},
#endif
    {"OpenSSL", openssl_version},
};

#define N_LIBRARIES (sizeof libraries / sizeof *libraries)

/* ---- the two forms ---------------------------------------------------------------------------- */

/* curl_version() names what libcurl itself uses, too. */
static void print_text(void)
{
    (void)printf("leadpipe %s\n%s\n", LEADPIPE_VERSION, curl_version());
    for (size_t i = 1; i < N_LIBRARIES; i++)
        (void)printf("%s/%s%c", libraries[i].name, libraries[i].version(),
                     i + 1 < N_LIBRARIES ? ' ' : '\n');
}

static void add_member(struct buf *b, const char *name, bool first)
{
    buf_adds(b, first ? "\n  " : ",\n  ");
    json_write_bytes(b, str_c(name));
    buf_adds(b, ": ");
}

static void add_name(struct buf *b, const char *name, bool first)
{
    buf_adds(b, first ? "" : ", ");
    json_write_bytes(b, str_c(name));
}

static void write_json(struct buf *b)
{
    const struct builtin *profile;
    const struct builtin *destination;
    buf_addc(b, '{');
    add_member(b, "version", true);
    json_write_bytes(b, str_c(LEADPIPE_VERSION));
    add_member(b, "libraries", false);
    buf_addc(b, '{');
    for (size_t i = 0; i < N_LIBRARIES; i++) {
        add_name(b, libraries[i].name, i == 0);
        buf_adds(b, ": ");
        json_write_bytes(b, str_c(libraries[i].version()));
    }
    buf_addc(b, '}');
    add_member(b, "sinks", false);
    buf_addc(b, '[');
    for (size_t i = 0; sink_registry[i]; i++)
        add_name(b, sink_registry[i]->name, i == 0);
    buf_addc(b, ']');
    add_member(b, "providers", false);
    buf_addc(b, '[');
    for (size_t i = 0; (profile = profile_builtin(i)); i++)
        add_name(b, profile->name, i == 0);
    buf_addc(b, ']');
    add_member(b, "destinations", false);
    buf_addc(b, '[');
    for (size_t i = 0; (destination = destination_builtin(i)); i++)
        add_name(b, destination->name, i == 0);
    buf_addc(b, ']');
    add_member(b, "object_storage", false);
#ifdef LEADPIPE_OBJECT_STORAGE
    buf_adds(b, "true");
#else
    buf_adds(b, "false");
#endif
    buf_adds(b, "\n}\n");
}

/* Prints all of it, or only a message. */
static int print_json(struct messages *m)
{
    struct buf b;
    buf_init(&b, JSON_BYTES_MAX);
    write_json(&b);
    enum rc rc = buf_rc(&b);
    if (rc == RC_OK)
        (void)fwrite(b.data, 1, b.len, stdout); /* checked when standard output is closed */
    else
        messages_write(m, LOG_LEVEL_ERROR, "version", rc_text(rc));
    buf_free(&b);
    return rc == RC_OK ? EXIT_STATUS_OK : EXIT_STATUS_STOPPED;
}

/* ---- the command ------------------------------------------------------------------------------ */

struct version_options {
    bool json;
};

const struct option_spec version_option_specs[] = {
    {
        .name = "json",
        OPTION_AT(struct version_options, FLAG, json),
        .help = "print versions, and which sinks, providers and destinations are built in, as JSON",
    },
    {.name = NULL},
};

int command_version(struct messages *m, int argc, char *argv[])
{
    struct version_options o = {false};
    struct text_list arguments = {NULL, 0};
    struct arena memory;
    arena_init(&memory, SIZE_MAX / 2);
    int status = command_read(m, argc, argv, &o, &arguments, 0, &memory);
    arena_free(&memory);
    if (status != EXIT_STATUS_OK)
        return status;
    if (o.json)
        return print_json(m);
    print_text();
    return EXIT_STATUS_OK;
}
