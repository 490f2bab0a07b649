#include "sinks/postgres/row_width.h"

#define POINTER_BYTES 18       /* to a value that is stored elsewhere */
#define ELSEWHERE_BYTES_MIN 24 /* shorter ones stay */
#define LENGTH_BYTES 1         /* before a short value */
#define HEADER_BYTES 32        /* with what its end is padded to */
#define OWN_BYTES                                                                                  \
    128 /* columns that every row has: the part, when it was exported, the run, the provider */
#define DOCUMENTED_BYTES                                                                           \
    16 /* at least, of a column that has a type: a number or a time and its alignment */

size_t pg_stored_bytes(size_t len)
{
    return len < ELSEWHERE_BYTES_MIN ? len + LENGTH_BYTES : POINTER_BYTES;
}

static size_t cell_bytes(const struct cell *cell)
{
    switch ((enum cell_kind)cell->kind) {
    case CELL_ABSENT:
    case CELL_NULL:
        return 0;
    case CELL_FALSE:
    case CELL_TRUE:
        return pg_stored_bytes(sizeof "false" - 1);
    case CELL_NUMBER:
    case CELL_TEXT:
        return pg_stored_bytes(cell->len);
    case CELL_JSON:
        break;
    }
    return pg_stored_bytes(SIZE_MAX);
}

bool pg_row_fits(const struct row *row, size_t n_documented, size_t n_columns)
{
    size_t bytes =
        HEADER_BYTES + OWN_BYTES + (n_columns + row->n_extras) / 8; /* a bit for each null */
    if (bytes + (n_documented + row->n_extras) * ELSEWHERE_BYTES_MIN <= PG_ROW_BYTES_MAX)
        return true; /* as nearly all: whatever is in it */
    for (size_t i = 0; i < n_documented; i++) {
        size_t n = cell_bytes(&row->cells[i]);
        bytes += n > 0 && n < DOCUMENTED_BYTES ? DOCUMENTED_BYTES : n;
    }
    for (size_t i = 0; i < row->n_extras; i++)
        bytes += cell_bytes(&row->extras[i].cell);
    return bytes <= PG_ROW_BYTES_MAX;
}
