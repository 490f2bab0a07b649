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

#include "cmd/commands.h"

int command_version(struct messages *m, int argc, char *argv[])
{
    if (!command_takes(m, argc, argv, 0))
        return EXIT_STATUS_USAGE;
    (void)printf("leadpipe %s\n", LEADPIPE_VERSION);
    (void)printf("%s\n", curl_version());
    (void)printf("libuv/%s SQLite/%s cJSON/%s msgpack-c/%s zlib/%s libdeflate/%s %s\n",
                 uv_version_string(), sqlite3_libversion(), cJSON_Version(), msgpack_version(),
                 zlibVersion(), LIBDEFLATE_VERSION_STRING, OpenSSL_version(OPENSSL_VERSION));
    return EXIT_STATUS_OK;
}
