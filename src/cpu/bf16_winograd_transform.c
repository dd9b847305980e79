/* cpu/bf16_winograd_transform: see bf16_winograd_transform.h. A vector is 16 channels;
 * e[row][column] are the elements of a tile. The functions that end in _column multiply by one
 * matrix of F(2, 3) each. */
#include "clones.h"

#if FOR_X86

#include "bf16_winograd_transform.h"

#include "winograd_points.h"

enum { IN_H = TILE_H + 2, IN_W = POINTS, INPUTS = IN_H * IN_W };

/* ---- The matrices of F(2, 3) ---- */

/* Of B^T, down: (a - c, b + c, c - b, d - b). */
VECTOR_IN void input_column(__m512 e[IN_H][IN_W], int j, __m512 a, __m512 b, __m512 c, __m512 d) {
    e[0][j] = a - c;
    e[1][j] = b + c;
    e[2][j] = c - b;
    e[3][j] = d - b;
}

/* A^T m, down: (m0 + m1 + m2, m1 - m2 + m3). */
VECTOR_IN void output_column(__m512 e[TILE_H][IN_W], int j, const __m512 m[IN_H]) {
    e[0][j] = m[0] + m[1] + m[2];
    e[1][j] = m[1] - m[2] + m[3];
}

/* A dy, down: the transpose of output_column. */
VECTOR_IN void gradient_column(__m512 e[IN_H][TILE_W], int j, __m512 a, __m512 b) {
    e[0][j] = a;
    e[1][j] = a + b;
    e[2][j] = a - b;
    e[3][j] = b;
}

/* G w, down: (w0, (w0 + w1 + w2) / 2, (w0 - w1 + w2) / 2, w2). */
VECTOR_IN void weight_column(__m512 e[IN_H][3], int j, const __m512 w[3]) {
    e[0][j] = w[0];
    e[1][j] = vector_scale(w[0] + w[1] + w[2], 0.5f);
    e[2][j] = vector_scale(w[0] - w[1] + w[2], 0.5f);
    e[3][j] = w[2];
}

/* G^T s, down: the transpose of weight_column. */
VECTOR_IN void tap_column(__m512 e[3][IN_W], int j, const __m512 s[IN_H]) {
    e[0][j] = vector_fma(s[1] + s[2], 0.5f, s[0]);
    e[1][j] = vector_scale(s[1] - s[2], 0.5f);
    e[2][j] = vector_fma(s[1] + s[2], 0.5f, s[3]);
}

/* ---- Tiles and their places ---- */

int64_t bf16_tiles_count(const Tiles *tiles) {
    return tiles_of(tiles, TILE_H, TILE_W);
}

static Tile tile_at(const Tiles *tiles, int64_t index) {
    return tile_of(tiles, TILE_H, TILE_W, index);
}

/* Asks for memory of the tile after the next, 2 x 4 pixels from (y, x) on and channels [from, to),
 * for maps larger than the caches. Outside the map it does nothing of use, and no harm. */
static void fetch_ahead(const Map *map, const uint16_t *data, Tile tile, int64_t from, int64_t to) {
    const uint16_t *at = data + map_at(map, VECTOR, tile.n, from, tile.y, tile.x + 2 * TILE_W);
    for (int64_t c = from; c < to; c += 2 * VECTOR, at += 2 * map->block)
        for (int64_t i = 0; i < TILE_H; i++)
            for (int64_t j = 0; j < TILE_W; j++)
                __builtin_prefetch(at + (i * map->w + j) * map->pixel);
}

/* The 4 x 6 inputs of a tile. */
typedef struct Window {
    const uint16_t *at;    /* channel 0 of the first, which may lie outside the map */
    bool whole;            /* all lie inside */
    __mmask16 has[INPUTS]; /* ALL_LANES for those that do */
} Window;

static Window window_at(const Tiles *tiles, const uint16_t *data, Tile tile) {
    const Map *in = &tiles->in;
    int64_t y = tile.y - tiles->pad, x = tile.x - tiles->pad;
    Window window = {.at = data + map_at(in, VECTOR, tile.n, 0, y, x)};
    window.whole = map_has(in, y, x) && map_has(in, y + IN_H - 1, x + IN_W - 1);
    if (window.whole && in->c % VECTOR == 0)
        return window;
    for (int i = 0; i < INPUTS; i++)
        window.has[i] = map_has(in, y + i / IN_W, x + i % IN_W) ? ALL_LANES : 0;
    return window;
}

/* B^T of 16 channels from `channel` on. */
VECTOR_IN void window_columns(const Window *window, const Map *in, int64_t channel,
                              __m512 e[IN_H][IN_W]) {
    __mmask16 lanes = vector_lanes(in->c - channel);
    int64_t row = in->w * in->pixel;
    const uint16_t *at = window->at + channel / VECTOR * in->block;
#define INPUT(i, lanes) vector_load(at + (i)*row, lanes)
    if (window->whole && lanes == ALL_LANES) {
        UNROLLED (j, IN_W) {
            input_column(e, j, INPUT(0, ALL_LANES), INPUT(1, ALL_LANES), INPUT(2, ALL_LANES),
                         INPUT(3, ALL_LANES));
            at += in->pixel;
        }
        return;
    }
    UNROLLED (j, IN_W) {
        const __mmask16 *has = window->has + j;
        input_column(e, j, INPUT(0, has[0] & lanes), INPUT(1, has[IN_W] & lanes),
                     INPUT(2, has[2 * IN_W] & lanes), INPUT(3, has[3 * IN_W] & lanes));
        at += in->pixel;
    }
#undef INPUT
}

/* ---- Forward, and gradients of inputs ---- */

VECTOR_FN void bf16_tiles_of_input(const Tiles *tiles, const uint16_t *x, int64_t first,
                                   int64_t count, int64_t plane, uint16_t *v) {
    const Map *in = &tiles->in;
    for (int64_t t = 0; t < count; t++) {
        Tile tile = tile_at(tiles, first + t);
        Window window = window_at(tiles, x, tile);
        fetch_ahead(in, x, (Tile){tile.n, tile.y + 2 - tiles->pad, tile.x}, 0, in->c);
        for (int64_t channel = 0; channel < in->c; channel += VECTOR, v += VECTOR) {
            __m512 e[IN_H][IN_W];
            uint16_t *to = v;
            window_columns(&window, in, channel, e);
            UNROLLED (i, IN_H) {
                __m512 row[IN_W];
                points_of_input(row, e[i]);
                UNROLLED (j, IN_W / 2) {
                    vector_store_two(to, row[2 * j], to + plane, row[2 * j + 1]);
                    to += 2 * plane;
                }
            }
        }
    }
}

/* Four neighbouring outputs; those beyond the map's edge are left out. */
VECTOR_IN void store_row(__m512 value[TILE_W], uint16_t *to, int64_t pixel, int64_t count,
                         __mmask16 lanes, const Finish *finish, __m512 bias) {
    if (finish->bias || finish->relu) {
        UNROLLED (j, TILE_W) {
            value[j] += bias;
            if (finish->relu) /* of a NaN and a number it gives the second */
                value[j] = _mm512_max_ps(_mm512_setzero_ps(), value[j]);
        }
    }
    if (count >= TILE_W && lanes == ALL_LANES && !finish->add) {
        vector_store_two(to, value[0], to + pixel, value[1]);
        vector_store_two(to + 2 * pixel, value[2], to + 3 * pixel, value[3]);
        return;
    }
    UNROLLED (j, TILE_W) {
        if (j < count) {
            uint16_t *at = to + j * pixel;
            if (finish->add)
                value[j] += vector_load(at, lanes);
            vector_store(at, value[j], lanes);
        }
    }
}

VECTOR_FN void bf16_tiles_to_output(const Tiles *tiles, const float *m, int64_t first,
                                    int64_t count, int64_t plane, int64_t channel, int64_t width,
                                    const Finish *finish, uint16_t *y) {
    const Map *out = &tiles->out;
    int64_t end = channel + width < out->c ? channel + width : out->c;
    for (int64_t t = 0; t < count; t++) {
        Tile tile = tile_at(tiles, first + t);
        fetch_ahead(out, y, tile, channel, end);
        for (int64_t c = channel; c < end; c += VECTOR) {
            const float *from = m + t * width + c - channel;
            __mmask16 lanes = vector_lanes(end - c);
            __m512 e[TILE_H][IN_W], bias = _mm512_setzero_ps();
            if (finish->bias)
                bias = _mm512_maskz_loadu_ps(lanes, finish->bias + c);
            UNROLLED (j, IN_W) {
                __m512 column[IN_H];
                UNROLLED (i, IN_H) {
                    column[i] = _mm512_loadu_ps(from + (IN_W * i + j) * plane);
                }
                output_column(e, j, column);
            }
            UNROLLED (i, TILE_H) {
                __m512 row[TILE_W];
                points_to_output(row, e[i]);
                if (tile.y + i < out->h)
                    store_row(row, y + map_at(out, VECTOR, tile.n, c, tile.y + i, tile.x),
                              out->pixel, out->w - tile.x, lanes, finish, bias);
            }
        }
    }
}

/* ---- Gradients of weights ---- */

/* The two tiles of a pair; true if the second is there. */
static bool pair_at(const Tiles *tiles, int64_t pair, Tile tile[2]) {
    bool both = 2 * pair + 1 < bf16_tiles_count(tiles);
    tile[0] = tile_at(tiles, 2 * pair);
    tile[1] = tile_at(tiles, 2 * pair + both);
    return both;
}

VECTOR_FN void bf16_tiles_of_input_pairs(const Tiles *tiles, const uint16_t *x, int64_t first,
                                         int64_t count, int64_t pairs, int64_t plane, uint32_t *v) {
    const Map *in = &tiles->in;
    for (int64_t p = 0; p < count; p++) {
        Tile tile[2];
        Window window[2];
        pair_at(tiles, first + p, tile);
        for (int t = 0; t < 2; t++) {
            window[t] = window_at(tiles, x, tile[t]);
            fetch_ahead(in, x, (Tile){tile[t].n, tile[t].y + 2 - tiles->pad, tile[t].x}, 0, in->c);
        }
        for (int64_t channel = 0; channel < in->c; channel += VECTOR) {
            uint32_t *to = v + channel * pairs + p * VECTOR;
            __m512 e[IN_H][IN_W], even[IN_H][IN_W];
            window_columns(&window[0], in, channel, e);
            UNROLLED (i, IN_H) {
                points_of_input(even[i], e[i]);
            }
            window_columns(&window[1], in, channel, e);
            UNROLLED (i, IN_H) {
                __m512 odd[IN_W];
                points_of_input(odd, e[i]);
                UNROLLED (j, IN_W) {
                    vector_store_pairs(to, even[i][j], odd[j]);
                    to += plane;
                }
            }
        }
    }
}

/* A dy a^T of 16 channels of one tile. */
VECTOR_IN void gradient_planes(const Map *out, const uint16_t *dy, Tile tile, int64_t channel,
                               __mmask16 lanes, __m512 v[IN_H][IN_W]) {
    const uint16_t *at = dy + map_at(out, VECTOR, tile.n, channel, tile.y, tile.x);
    bool whole = map_has(out, tile.y + TILE_H - 1, tile.x + TILE_W - 1) && lanes == ALL_LANES;
    int64_t row = out->w * out->pixel;
    __m512 e[IN_H][TILE_W];
    if (whole) {
        UNROLLED (j, TILE_W) {
            gradient_column(e, j, vector_load(at, ALL_LANES), vector_load(at + row, ALL_LANES));
            at += out->pixel;
        }
    } else {
        UNROLLED (j, TILE_W) {
            __mmask16 above = tile.x + j < out->w ? lanes : 0;
            __mmask16 below = tile.y + 1 < out->h ? above : 0;
            gradient_column(e, j, vector_load(at, above), vector_load(at + row, below));
            at += out->pixel;
        }
    }
    UNROLLED (i, IN_H) {
        points_of_gradient(v[i], e[i]);
    }
}

VECTOR_FN void bf16_tiles_of_gradient_pairs(const Tiles *tiles, const uint16_t *dy, int64_t first,
                                            int64_t count, int64_t plane, int64_t width,
                                            uint32_t *d) {
    const Map *out = &tiles->out;
    int64_t whole = ceil_div(out->c, width) * width;
    for (int64_t p = 0; p < count; p++) {
        Tile tile[2];
        bool both = pair_at(tiles, first + p, tile);
        for (int t = 0; t < 2; t++)
            fetch_ahead(out, dy, tile[t], 0, out->c);
        for (int64_t c = 0; c < whole; c += VECTOR) {
            uint32_t *to = d + c / width * PLANES * plane + p * width + c % width;
            __mmask16 lanes = vector_lanes(out->c - c);
            __m512 even[IN_H][IN_W], odd[IN_H][IN_W];
            gradient_planes(out, dy, tile[0], c, lanes, even);
            gradient_planes(out, dy, tile[1], c, both ? lanes : 0, odd);
            UNROLLED (i, IN_H) {
                UNROLLED (j, IN_W) {
                    vector_store_pairs(to, even[i][j], odd[i][j]);
                    to += plane;
                }
            }
        }
    }
}

/* ---- Weights ---- */

/* Where 16 channels stand that are `step` elements apart. */
VECTOR_IN __m512i strided(int64_t step) {
    __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)step));
}

VECTOR_FN void bf16_tiles_of_weights(const float *weights, int64_t from, int64_t to, bool turned,
                                     int64_t width, uint32_t *u) {
    int64_t step_from = turned ? TAPS * to : TAPS, step_to = turned ? TAPS : TAPS * from;
    int64_t pairs = ceil_div(from, 2), whole = ceil_div(to, width) * width;
    __m512i at = strided(step_to);
    for (int64_t k = 0; k < from; k += 2)
        for (int64_t c = 0; c < whole; c += VECTOR) {
            __m512 v[2][IN_H][IN_W];
            for (int half = 0; half < 2; half++) {
                const float *w = weights + (k + half) * step_from + c * step_to;
                __mmask16 lanes = k + half < from ? vector_lanes(to - c) : 0;
                __m512 e[IN_H][3];
                UNROLLED (j, 3) {
                    __m512 tap[3];
                    UNROLLED (i, 3) {
                        int place = turned ? TAPS - 1 - 3 * i - j : 3 * i + j;
                        tap[i] = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, at, w + place,
                                                          sizeof *w);
                    }
                    weight_column(e, j, tap);
                }
                UNROLLED (i, IN_H) {
                    points_of_weights(v[half][i], e[i]);
                }
            }
            for (int f = 0; f < PLANES; f++)
                vector_store_pairs(u + ((c / width * PLANES + f) * pairs + k / 2) * width +
                                       c % width,
                                   v[0][f / IN_W][f % IN_W], v[1][f / IN_W][f % IN_W]);
        }
}

VECTOR_FN void bf16_tiles_to_weights(const Tiles *tiles, const float *s, int64_t out, int64_t in,
                                     int64_t width, float *dw) {
    int64_t inputs = tiles->in.c, outputs = tiles->out.c;
    __m512i at = strided(TAPS * inputs);
    for (int64_t n = 0; n < VECTOR && in + n < inputs; n++)
        for (int64_t c = 0; c < width && out + c < outputs; c += VECTOR) {
            float *to = dw + ((out + c) * inputs + in + n) * TAPS;
            __m512 e[3][IN_W];
            UNROLLED (j, IN_W) {
                __m512 column[IN_H];
                UNROLLED (i, IN_H) {
                    column[i] = _mm512_loadu_ps(s + ((IN_W * i + j) * VECTOR + n) * width + c);
                }
                tap_column(e, j, column);
            }
            UNROLLED (i, 3) {
                __m512 tap[3];
                points_to_weights(tap, e[i]);
                UNROLLED (j, 3) {
                    _mm512_mask_i32scatter_ps(to + 3 * i + j, vector_lanes(outputs - out - c), at,
                                              tap[j], sizeof *to);
                }
            }
        }
}

#endif
