/* cpu/tokens: see tokens.h. */
#include "tokens.h"

#include <string.h>

static void add_rows(DType type, const void *from, int64_t n, void *to) {
    float x_room[ROW_PIECE], y_room[ROW_PIECE];
    for (int64_t first = 0; first < n; first += ROW_PIECE) {
        int64_t piece = row_piece(n, first);
        void *row = row_at(type, to, first);
        const float *x = row_read(type, row_at(type, from, first), piece, x_room);
        float *y = row_open(type, row, piece, true, y_room);
        for (int64_t i = 0; i < piece; i++)
            y[i] += x[i];
        row_close(type, row, piece, y);
    }
}

void token_put(DType type, const void *from, int64_t n, bool add, void *to) {
    if (add)
        add_rows(type, from, n, to);
    else
        memcpy(to, from, (size_t)n * dtype_size(type));
}

void token_sum(DType type, const void *from, int64_t images, int64_t stride, int64_t n, float *to) {
    float room[ROW_PIECE];
    memset(to, 0, (size_t)n * sizeof *to);
    for (int64_t image = 0; image < images; image++)
        for (int64_t first = 0; first < n; first += ROW_PIECE) {
            int64_t piece = row_piece(n, first);
            const float *x =
                row_read(type, row_at(type, from, image * stride + first), piece, room);
            for (int64_t i = 0; i < piece; i++)
                to[first + i] += x[i];
        }
}
