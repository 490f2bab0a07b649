/* leadpipe version */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <libdeflate.h>
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
#ifdef LEADPIPE_OBJECT_STORAGE
#include <expat.h>
#endif

#include "cmd/commands.h"

/* Those that a build can do without. */
static void print_optional(void)
{
#ifdef LEADPIPE_PARQUET
    (void)printf(" zstd/%s", ZSTD_versionString());
#endif
#ifdef LEADPIPE_POSTGRES
    (void)printf(" libpq/%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
#endif
#ifdef LEADPIPE_OBJECT_STORAGE
    XML_Expat_Version expat = XML_ExpatVersionInfo();
    (void)printf(" expat/%d.%d.%d", expat.major, expat.minor, expat.micro);
#endif
}

int command_version(struct messages *m, int argc, char *argv[])
{
    if (!command_takes(m, argc, argv, 0))
        return EXIT_STATUS_USAGE;
    (void)printf("leadpipe %s\n", LEADPIPE_VERSION);
    (void)printf("%s\n", curl_version());
    (void)printf("libuv/%s SQLite/%s cJSON/%s msgpack-c/%s zlib/%s libdeflate/%s",
                 uv_version_string(), sqlite3_libversion(), cJSON_Version(), msgpack_version(),
                 zlibVersion(), LIBDEFLATE_VERSION_STRING);
    print_optional();
    (void)printf(" %s\n", OpenSSL_version(OPENSSL_VERSION));
    return EXIT_STATUS_OK;
}
