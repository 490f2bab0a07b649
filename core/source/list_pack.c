#include "core/source/list_pack.h"

#include "core/source/ids_text.h"

#define LENGTH_BYTES 2

static void add_text(struct buf *pack, struct str text)
{
    const unsigned char length[LENGTH_BYTES] = {text.len & 0xff, text.len >> 8 & 0xff};
    if (text.len > ID_BYTES_MAX) {
        pack->rc = pack->rc == RC_OK ? RC_LIMIT : pack->rc;
        return;
    }
    buf_add(pack, length, sizeof length);
    buf_add_str(pack, text);
}

void list_pack_add(struct buf *pack, struct str id, const struct str *params, size_t n_params)
{
    add_text(pack, id);
    for (size_t i = 0; i < n_params; i++)
        add_text(pack, params[i]);
}

static bool take_text(struct str *rest, struct str *out)
{
    if (rest->len < LENGTH_BYTES)
        return false;
    size_t len = (unsigned char)rest->ptr[0] | (size_t)(unsigned char)rest->ptr[1] << 8;
    if (len > ID_BYTES_MAX || len > rest->len - LENGTH_BYTES)
        return false;
    *out = (struct str){rest->ptr + LENGTH_BYTES, len};
    rest->ptr += LENGTH_BYTES + len;
    rest->len -= LENGTH_BYTES + len;
    return true;
}

bool list_pack_take(struct str *rest, size_t n_params, struct str *id, struct str *params)
{
    bool is_whole = take_text(rest, id);
    for (size_t i = 0; is_whole && i < n_params; i++)
        is_whole = take_text(rest, &params[i]);
    return is_whole;
}

bool list_pack_check(struct str pack, size_t n_params, uint64_t n)
{
    struct str id, params[PROFILE_PARAMS_MAX];
    struct err ignored;
    if (n_params > PROFILE_PARAMS_MAX || pack.len > LIST_PACK_BYTES_MAX)
        return false;
    for (; pack.len; n--) {
        if (!n || !list_pack_take(&pack, n_params, &id, params) ||
            ids_value_check(STR("the ID"), id, &ignored) != RC_OK)
            return false;
        for (size_t i = 0; i < n_params; i++) {
            if (ids_value_check(STR("a parameter"), params[i], &ignored) != RC_OK)
                return false;
        }
    }
    return n == 0;
}
