/* cpu/attention_f32: attention in fp32, head by head (attention_passes.h).
 *
 * Matrices of scores are [queries][keys in whole vectors], keys side by side: columns of a product
 * whose left factor is turned K, or V in backward. All others have D as rows and tokens as terms,
 * and their right factor is a matrix of scores, by queries or, in dV and dK, by keys.
 *
 * What lies behind the last key is 0 in P and dS. All sums are fp32. */
#include "clones.h"

#if FOR_X86

#include "attention_f32.h"

#include <math.h>

#include "f32_exp.h"
#include "f32_product.h"

/* Scores of a block of queries, which fit the second cache (512 KiB) beside all else of a head; and
 * queries, in whole blocks of columns of the product. */
enum { SCORES = 16384, QUERIES = 12 };

/* Queries of a block. */
static int64_t block_of(const Heads *h) {
    int64_t fit = SCORES / h->keys / QUERIES * QUERIES;
    if (fit < QUERIES)
        fit = QUERIES;
    return h->tokens < fit ? h->tokens : fit;
}

/* Scratch of one head. */
typedef struct Room {
    float *turned;   /* [keys][D]: K of forward, V of backward */
    float *by_token; /* [D][tokens]: V of forward, K of backward */
    float *query;    /* [D][tokens], backward */
    float *grad_out; /* [D][tokens], backward */
    float *score;    /* [block][keys]: P of an evaluation; dP, which becomes dS */
    float *value;    /* [block][D]: dQ */
} Room;

static size_t room_bytes(const Heads *h) {
    return sizeof(float) *
           (size_t)((h->keys + 3 * h->tokens) * h->size + block_of(h) * (h->keys + h->size));
}

static Room room_of(const Heads *h, void *at) {
    const int64_t by_token = h->tokens * h->size;
    Room room = {.turned = at};
    room.by_token = room.turned + h->keys * h->size;
    room.query = room.by_token + by_token;
    room.grad_out = room.query + by_token;
    room.score = room.grad_out + by_token;
    room.value = room.score + block_of(h) * h->keys;
    return room;
}

static size_t share_bytes(const Heads *h) {
    return sizeof(float) * (size_t)(h->tokens * h->keys);
}

/* ---- Rows of scores ---- */

VECTOR_IN float top_of(Vector x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

VECTOR_IN float sum_of(Vector x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/* row = softmax(scale row), 0 behind its keys; the diagonal is at `masked`, or -1. A NaN makes the
 * row NaN: `top` passes it over, its own power does not. */
VECTOR_IN void softmax(const Heads *h, float *row, float scale, int64_t masked) {
    Vector top = _mm256_set1_ps(-INFINITY), sum = _mm256_setzero_ps();
    for (int64_t j = h->tokens; j < h->keys; j++)
        row[j] = -INFINITY;
    if (masked >= 0)
        row[masked] = -INFINITY;
    for (int64_t j = 0; j < h->keys; j += VECTOR)
        top = _mm256_max_ps(_mm256_loadu_ps(row + j), top);
    const Vector most = _mm256_set1_ps(top_of(top));
    const Vector by = _mm256_set1_ps(scale * 0x1.715476p+0f); /* 1 / ln 2 */
    for (int64_t j = 0; j < h->keys; j += VECTOR) {
        Vector power = vector_power_of_two((_mm256_loadu_ps(row + j) - most) * by);
        _mm256_storeu_ps(row + j, power);
        sum += power;
    }
    const Vector share = _mm256_set1_ps(1 / sum_of(sum));
    for (int64_t j = 0; j < h->keys; j += VECTOR)
        _mm256_storeu_ps(row + j, _mm256_loadu_ps(row + j) * share);
}

/* A row of dP becomes one of dS. */
VECTOR_IN void find_score_gradient(const Heads *h, float scale, const float *share, float *row) {
    Vector sum = _mm256_setzero_ps();
    for (int64_t j = 0; j < h->keys; j += VECTOR)
        sum = _mm256_fmadd_ps(_mm256_loadu_ps(share + j), _mm256_loadu_ps(row + j), sum);
    const Vector mean = _mm256_set1_ps(sum_of(sum));
    for (int64_t j = 0; j < h->keys; j += VECTOR) {
        Vector grad = _mm256_loadu_ps(share + j) * (_mm256_loadu_ps(row + j) - mean);
        _mm256_storeu_ps(row + j, vector_scale(grad, scale));
    }
}

/* ---- Heads ---- */

static int64_t rows_of(const Heads *h, int64_t first) {
    const int64_t block = block_of(h);
    return h->tokens - first < block ? h->tokens - first : block;
}

VECTOR_FN static void forward(const Heads *h, void *scratch, float scale, const void *from,
                              void *out, void *share, Ahead ahead) {
    const Room room = room_of(h, scratch);
    const Left keys = {room.turned, h->keys / VECTOR, h->size};
    const Left values = {room.by_token, h->size / VECTOR, h->tokens};
    const float *in = from;
    f32_turn(in + KEY * h->out_row, h->row, h->tokens, h->size, room.turned);
    f32_pack(in + VALUE * h->out_row, h->row, h->tokens, h->size / VECTOR, room.by_token);
    for (int64_t i = 0, n; i < h->tokens; i += n) {
        n = rows_of(h, i);
        float *score = share ? (float *)share + i * h->keys : room.score;
        const Right queries = {in + i * h->row, h->row, 1}, shares = {score, h->keys, 1};
        f32_product(&keys, 0, h->size, &queries, n, &(Result){score, h->keys, false});
        for (int64_t k = i; k < i + n; k++) {
            head_fetch(h, &ahead, sizeof(float), k, 1);
            softmax(h, score + (k - i) * h->keys, scale, h->masks ? k : -1);
        }
        f32_product(&values, 0, h->tokens, &shares, n,
                    &(Result){(float *)out + i * h->out_row, h->out_row, false});
    }
}

/* dQ of n tokens to where it belongs, or nowhere (NULL). Returns the sum of query dQ. */
VECTOR_IN double put_queries(const Heads *h, int64_t n, const float *value, const float *query,
                             float *to, bool add) {
    __m256d sum = _mm256_setzero_pd();
    for (int64_t i = 0; i < n; i++, query += h->row) {
        Vector row = _mm256_setzero_ps();
        for (int64_t d = 0; d < h->size; d += VECTOR, value += VECTOR) {
            Vector x = _mm256_loadu_ps(value);
            row = _mm256_fmadd_ps(x, _mm256_loadu_ps(query + d), row);
            if (to && add)
                x += _mm256_loadu_ps(to + i * h->row + d);
            if (to)
                _mm256_storeu_ps(to + i * h->row + d, x);
        }
        sum += _mm256_cvtps_pd(_mm256_castps256_ps128(row)) +
               _mm256_cvtps_pd(_mm256_extractf128_ps(row, 1));
    }
    __m128d half = _mm256_castpd256_pd128(sum) + _mm256_extractf128_pd(sum, 1);
    return _mm_cvtsd_f64(half) + _mm_cvtsd_f64(_mm_unpackhi_pd(half, half));
}

VECTOR_FN static double backward(const Heads *h, void *scratch, float scale, const void *from,
                                 const void *share, HeadGradient grad, Ahead ahead) {
    const Room room = room_of(h, scratch);
    const int64_t vectors = h->size / VECTOR;
    const Left values = {room.turned, h->keys / VECTOR, h->size};
    const Left keys = {room.by_token, vectors, h->tokens};
    const Left queries = {room.query, vectors, h->tokens},
               outs = {room.grad_out, vectors, h->tokens};
    const float *in = from, *grad_out = grad.out;
    float *grad_in = grad.in;
    double temperature = 0;
    f32_turn(in + VALUE * h->out_row, h->row, h->tokens, h->size, room.turned);
    f32_pack(in + KEY * h->out_row, h->row, h->tokens, vectors, room.by_token);
    if (grad_in) {
        f32_pack(in, h->row, h->tokens, vectors, room.query);
        f32_pack(grad_out, h->out_row, h->tokens, vectors, room.grad_out);
    }
    for (int64_t i = 0, n; i < h->tokens; i += n) {
        n = rows_of(h, i);
        const float *p = (const float *)share + i * h->keys;
        const Right rows = {grad_out + i * h->out_row, h->out_row, 1};
        const Right by_query = {room.score, h->keys, 1}, by_key = {room.score, 1, h->keys};
        const Right shares = {p, 1, h->keys};
        f32_product(&values, 0, h->size, &rows, n, &(Result){room.score, h->keys, false});
        for (int64_t k = 0; k < n; k++) {
            head_fetch(h, &ahead, sizeof(float), i + k, 1);
            find_score_gradient(h, scale, p + k * h->keys, room.score + k * h->keys);
        }
        f32_product(&keys, 0, h->tokens, &by_query, n, &(Result){room.value, h->size, false});
        temperature += put_queries(h, n, room.value, in + i * h->row,
                                   grad_in ? grad_in + i * h->row : NULL, grad.add);
        if (!grad_in)
            continue;
        Result to = {grad_in + KEY * h->out_row, h->row, grad.add || i > 0};
        f32_product(&queries, i, n, &by_key, h->tokens, &to);
        to.at = grad_in + VALUE * h->out_row;
        f32_product(&outs, i, n, &shares, h->tokens, &to);
    }
    return temperature;
}

const HeadPasses attention_f32 = {
    .name = "own f32",
    .vector = VECTOR,
    .room_bytes = room_bytes,
    .share_bytes = share_bytes,
    .forward = forward,
    .backward = backward,
};

#endif
