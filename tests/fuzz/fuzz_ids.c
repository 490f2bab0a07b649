/* ID inputs: the first byte chooses the options, the rest is the file. */
#include "fuzz.h"

#include <unistd.h>

#include "core/source/ids.h"
#include "core/source/id_seen.h"
#include "core/source/ids.h"
#include "core/source/ids_text.h"
#include "core/base/unicode.h"

static void file_write(char *path, int n_suffix, const uint8_t *data, size_t size)
{
    int fd = mkstemps(path, n_suffix);
    MUST(fd >= 0);
    while (size) {
        ssize_t n = write(fd, data, size);
        MUST(n > 0);
        data += n;
        size -= (size_t)n;
    }
    MUST(close(fd) == 0);
}

/* Messages are shown as they are. */
static bool has_control(const char *text)
{
    struct str s = str_c(text);
    char shown[UNICODE_SHOWN_BYTES];
    for (size_t taken; s.len; s.ptr += taken, s.len -= taken)
        if (unicode_show(s, shown, &taken) != taken || memcmp(shown, s.ptr, taken) != 0)
            return true;
    return false;
}

static void check_item(const struct id_item *item, size_t n_params)
{
    MUST(item->line > 0 && item->file);
    if (item->bad) {
        MUST(*item->bad && !has_control(item->bad));
        MUST(utf8_valid(item->bad, strlen(item->bad)));
        MUST(strlen(item->bad) < 400);
        MUST(!item->id.ptr ||
             (item->id.len <= ID_BYTES_MAX && utf8_valid(item->id.ptr, item->id.len)));
        return;
    }
    MUST(id_check(item->id, NULL) == RC_OK);
    MUST(ids_trim(item->id).len == item->id.len);
    for (size_t i = 0; i < n_params; i++)
        MUST(id_check(item->params[i], NULL) == RC_OK);
}

/* Of lines, which have no rows over several of them: as many as say something. */
static uint64_t count_lines(const uint8_t *data, size_t size)
{
    uint64_t n = 0;
    size_t at = size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < size) {
        size_t from = at;
        while (at < size && data[at] != '\n' && data[at] != '\r')
            at++;
        struct str line = ids_trim((struct str){(const char *)data + from, at - from});
        n += line.len && *line.ptr != '#';
        at++;
    }
    return n;
}

/* Every line that says something is counted: of csv without quotes all but the header and one that
 * tells the delimiter. */
static void check_accounts(const struct ids_cfg *cfg, uint64_t read, const uint8_t *data,
                           size_t size)
{
    uint64_t lines = count_lines(data, size) * cfg->n_files;
    if (cfg->format == ID_FORMAT_LINES)
        MUST(read == lines);
    if (cfg->format == ID_FORMAT_CSV && !memchr(data, '"', size) && !memchr(data, '#', size))
        MUST(read + 2 * cfg->n_files >= lines && read <= lines);
}

static void read_all(const struct ids_cfg *cfg, const uint8_t *data, size_t size)
{
    struct id_source *ids;
    struct id_seen *seen;
    struct arena a;
    struct id_item item;
    struct err e;
    enum rc rc = ids_open(&ids, cfg, &e);
    if (rc != RC_OK) {
        MUST(rc == RC_USAGE || rc == RC_IO);
        return;
    }
    MUST(id_seen_new(&seen, cfg->profile->n_params, &e) == RC_OK);
    arena_init(&a, (size_t)16 << 20);
    uint64_t n = 0;
    for (; (rc = ids->ops->next(ids, &a, &item, &e)) == RC_OK; n++) {
        unsigned char key[LEAD_KEY_BYTES];
        bool is_new;
        check_item(&item, cfg->profile->n_params);
        MUST(id_seen_key(seen, &item, key, &e) == RC_OK);
        MUST(id_seen_add(seen, &item, key, &is_new, &e) == RC_OK);
        MUST(id_seen_add(seen, &item, key, &is_new, &e) == RC_OK && is_new == (item.bad != NULL));
        arena_reset(&a, 64 * 1024);
    }
    MUST(rc == RC_END || rc == RC_IO);
    if (rc == RC_END && data)
        check_accounts(cfg, n, data, size);
    arena_free(&a);
    id_seen_free(seen);
    ids->ops->close(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned options = *data;
    char plain[] = "/tmp/leadpipe-fuzz-XXXXXX";
    char packed[] = "/tmp/leadpipe-fuzz-XXXXXX.gz";
    char *path = options & 4 ? packed : plain;
    file_write(path, options & 4 ? 3 : 0, data + 1, size - 1);
    struct str params[] = {STR("agentId"), STR("lead_id")};
    struct str defaults[] = {options & 8 ? STR("d") : STR_NONE, STR("e")};
    struct profile profile = {.params = params, .n_params = options >> 4 & 3};
    if (profile.n_params > 2)
        profile.n_params = 2;
    const char *files[] = {path, path};
    struct ids_cfg cfg = {
        .files = files,
        .n_files = options & 128 ? 2 : 1,
        .format = (enum id_format)(options & 3),
        .column = options & 64 ? "agentId" : NULL,
        .profile = &profile,
        .defaults = defaults,
    };
    /* What is gzip's is not the text that is read. */
    bool is_text = !(options & 4) && !(size > 2 && memcmp(data + 1, "\x1F\x8B", 2) == 0);
    read_all(&cfg, is_text ? data + 1 : NULL, size - 1);
    MUST(unlink(path) == 0);
    return 0;
}
