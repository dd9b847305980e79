/* cpu/f32_winograd_transform: see f32_winograd_transform.h. A vector is 8 channels; e[row][column]
 * are the elements of a tile. */
#include "clones.h"

#if FOR_X86

#include "f32_winograd_transform.h"

#include "winograd_points.h"

static Tile tile_at(const Tiles *tiles, int64_t index) {
    return tile_of(tiles, TILE, TILE, index);
}

static int64_t at(const Map *map, int64_t n, int64_t c, int64_t y, int64_t x) {
    return map_at(map, VECTOR, n, c, y, x);
}

/* The 6 x 6 inputs of a tile. */
typedef struct Window {
    const float *at;     /* channel 0 of the first, which may lie outside the map */
    bool whole;          /* all lie inside */
    int32_t has[PLANES]; /* -1 for those that do, else 0 */
} Window;

static Window window_at(const Tiles *tiles, const float *data, Tile tile) {
    const Map *in = &tiles->in;
    int64_t y = tile.y - tiles->pad, x = tile.x - tiles->pad;
    Window window = {.at = data + at(in, tile.n, 0, y, x)};
    window.whole = map_has(in, y, x) && map_has(in, y + POINTS - 1, x + POINTS - 1);
    for (int i = 0; !window.whole && i < PLANES; i++)
        window.has[i] = map_has(in, y + i / POINTS, x + i % POINTS) ? -1 : 0;
    return window;
}

/* The window's vector of channels that begins `offset` elements behind its first, transformed down
 * its columns. */
VECTOR_IN void window_columns(const Window *window, const Map *in, int64_t offset,
                              Vector e[POINTS][POINTS]) {
    const float *from = window->at + offset;
    int64_t down = in->w * in->pixel;
    for (int j = 0; j < POINTS; j++, from += in->pixel) {
        Vector x[POINTS], v[POINTS];
        if (window->whole) {
            UNROLLED (i, POINTS)
                x[i] = _mm256_loadu_ps(from + i * down);
        } else {
            UNROLLED (i, POINTS) {
                __m256i lanes = _mm256_set1_epi32(window->has[POINTS * i + j]);
                x[i] = _mm256_maskload_ps(from + i * down, lanes);
            }
        }
        points_of_input(v, x);
        UNROLLED (i, POINTS)
            e[i][j] = v[i];
    }
}

VECTOR_FN void f32_tiles_of_input(const Tiles *tiles, const float *x, int64_t first, int64_t count,
                                  int64_t row, int64_t plane, float *v) {
    const Map *in = &tiles->in;
    for (int64_t t = 0; t < count; t++, v += row) {
        Window window = window_at(tiles, x, tile_at(tiles, first + t));
        for (int64_t c = 0, offset = 0; c < in->c; c += VECTOR, offset += in->block) {
            Vector e[POINTS][POINTS];
            float *to = v + c;
            window_columns(&window, in, offset, e);
            for (int i = 0; i < POINTS; i++) {
                Vector all[POINTS];
                points_of_input(all, e[i]);
                UNROLLED (j, POINTS) {
                    _mm256_storeu_ps(to, all[j]);
                    to += plane;
                }
            }
        }
    }
}

VECTOR_FN void f32_tiles_to_output(const Tiles *tiles, const float *m, int64_t first, int64_t count,
                                   int64_t plane, int64_t channel, int64_t channels,
                                   const Finish *finish, float *y) {
    const Map *out = &tiles->out;
    for (int64_t t = 0; t < count; t++) {
        Tile tile = tile_at(tiles, first + t);
        float *to = y + at(out, tile.n, channel, tile.y, tile.x);
        int64_t high = out->h - tile.y < TILE ? out->h - tile.y : TILE;
        int64_t wide = out->w - tile.x < TILE ? out->w - tile.x : TILE;
        for (int64_t c = 0; c < channels; c += VECTOR, to += out->block) {
            const float *from =
                m + c / F32_DOT_ROWS * PLANES * plane + t * F32_DOT_ROWS + c % F32_DOT_ROWS;
            Vector e[TILE][POINTS], bias = _mm256_setzero_ps();
            if (finish->bias)
                bias = _mm256_loadu_ps(finish->bias + channel + c);
            for (int j = 0; j < POINTS; j++) {
                Vector column[POINTS], outputs[TILE];
                UNROLLED (i, POINTS)
                    column[i] = _mm256_loadu_ps(from + (POINTS * i + j) * plane);
                points_to_output(outputs, column);
                UNROLLED (i, TILE)
                    e[i][j] = outputs[i];
            }
            for (int64_t i = 0; i < high; i++) {
                float *pixel = to + i * out->w * out->pixel;
                Vector outputs[TILE];
                points_to_output(outputs, e[i]);
                UNROLLED (j, TILE) {
                    if (j >= wide)
                        break;
                    Vector value = outputs[j] + bias;
                    if (finish->relu) /* of a NaN and a number it gives the second */
                        value = _mm256_max_ps(_mm256_setzero_ps(), value);
                    if (finish->add)
                        value += _mm256_loadu_ps(pixel);
                    _mm256_storeu_ps(pixel, value);
                    pixel += out->pixel;
                }
            }
        }
    }
}

VECTOR_FN void f32_tiles_of_gradient(const Tiles *tiles, const float *dy, int64_t first,
                                     int64_t count, int64_t plane, float *d) {
    const Map *out = &tiles->out;
    for (int64_t t = 0; t < count; t++) {
        Tile tile = tile_at(tiles, first + t);
        const float *from = dy + at(out, tile.n, 0, tile.y, tile.x);
        int64_t high = out->h - tile.y, wide = out->w - tile.x;
        int64_t whole = ceil_div(out->c, F32_DOT_ROWS) * F32_DOT_ROWS;
        for (int64_t c = 0; c < whole; c += VECTOR, from += out->block) {
            float *to = d + c / F32_DOT_ROWS * PLANES * plane + t * F32_DOT_ROWS + c % F32_DOT_ROWS;
            Vector e[POINTS][TILE];
            for (int j = 0; j < TILE; j++) {
                Vector column[TILE], v[POINTS];
                UNROLLED (i, TILE) {
                    bool has = i < high && j < wide && c < out->c;
                    column[i] = _mm256_setzero_ps();
                    if (has)
                        column[i] = _mm256_loadu_ps(from + (i * out->w + j) * out->pixel);
                }
                points_of_gradient(v, column);
                UNROLLED (i, POINTS)
                    e[i][j] = v[i];
            }
            for (int i = 0; i < POINTS; i++) {
                Vector v[POINTS];
                points_of_gradient(v, e[i]);
                UNROLLED (j, POINTS) {
                    _mm256_storeu_ps(to, v[j]);
                    to += plane;
                }
            }
        }
    }
}

VECTOR_FN void f32_tiles_of_weights(const float *weights, int64_t from, int64_t to, bool turned,
                                    float *u) {
    int64_t step_from = turned ? TAPS * to : TAPS, step_to = turned ? TAPS : TAPS * from;
    int64_t whole = ceil_div(to, F32_DOT_ROWS) * F32_DOT_ROWS, plane = from * F32_DOT_ROWS;
    __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    __m256i apart = _mm256_mullo_epi32(lane, _mm256_set1_epi32((int)step_to));
    for (int64_t c = 0; c < whole; c += VECTOR)
        for (int64_t k = 0; k < from; k++) {
            const float *w = weights + k * step_from + c * step_to;
            float *at_plane =
                u + (c / F32_DOT_ROWS * PLANES * from + k) * F32_DOT_ROWS + c % F32_DOT_ROWS;
            Vector e[POINTS][POINT_TAPS];
            UNROLLED (j, POINT_TAPS) {
                Vector tap[POINT_TAPS], all[POINTS];
                UNROLLED (i, POINT_TAPS) {
                    int place = turned ? TAPS - 1 - 3 * i - j : 3 * i + j;
                    tap[i] = _mm256_setzero_ps();
                    if (c < to)
                        tap[i] = _mm256_i32gather_ps(w + place, apart, sizeof *w);
                }
                points_of_weights(all, tap);
                UNROLLED (i, POINTS)
                    e[i][j] = all[i];
            }
            for (int i = 0; i < POINTS; i++) {
                Vector all[POINTS];
                points_of_weights(all, e[i]);
                UNROLLED (j, POINTS) {
                    _mm256_storeu_ps(at_plane, all[j]);
                    at_plane += plane;
                }
            }
        }
}

VECTOR_FN void f32_tiles_to_weights(const Tiles *tiles, const float *s, int64_t out, int64_t in,
                                    int64_t count, float *dw) {
    int64_t apart = TAPS * tiles->in.c, plane = count * F32_DOT_ROWS;
    for (int64_t n = 0; n < count; n++)
        for (int64_t c = 0; c < F32_DOT_ROWS && out + c < tiles->out.c; c += VECTOR) {
            const float *from = s + n * F32_DOT_ROWS + c;
            float *to = dw + (out + c) * apart + (in + n) * TAPS;
            Vector e[POINT_TAPS][POINTS];
            float taps[TAPS][VECTOR];
            for (int j = 0; j < POINTS; j++) {
                Vector column[POINTS], tap[POINT_TAPS];
                UNROLLED (i, POINTS)
                    column[i] = _mm256_loadu_ps(from + (POINTS * i + j) * plane);
                points_to_weights(tap, column);
                UNROLLED (i, POINT_TAPS)
                    e[i][j] = tap[i];
            }
            UNROLLED (i, POINT_TAPS) {
                Vector tap[POINT_TAPS];
                points_to_weights(tap, e[i]);
                UNROLLED (j, POINT_TAPS)
                    _mm256_storeu_ps(taps[3 * i + j], tap[j]);
            }
            for (int lane = 0; lane < VECTOR; lane++)
                for (int tap = 0; tap < TAPS; tap++)
                    to[lane * apart + tap] = taps[tap][lane];
        }
}

#endif
