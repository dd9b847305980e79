/* cpu/attention_bf16: attention in bf16, head by head (attention_passes.h).
 *
 * A product sums over pairs of bfloat16; its right factor is read as it lies in memory, its left
 * one is packed (bf16_product.h). P and dS, each of which is a factor twice, are written both ways:
 * in rows, whose pairs are of two keys, and in rows of pairs, each of two queries. Training keeps
 * P's pairs.
 *
 * S, P, dP, dS and all sums are fp32; as factors P and dS are rounded to bfloat16, and the row's
 * sum of P is that of what was not yet rounded. */
#include "clones.h"

#if FOR_X86

#include "attention_bf16.h"

#include <math.h>

#include "bf16_product.h"

enum { ROWS = 4 }; /* queries of a block: even */

/* Of tokens. */
static int64_t pairs_of(const Heads *h) {
    return (h->tokens + 1) / 2;
}

/* Words of a head's P in pairs. */
static int64_t share_words(const Heads *h) {
    return pairs_of(h) * h->keys;
}

/* Scratch of one head. */
typedef struct Room {
    uint32_t *turned;     /* [D / 2][keys]: K of forward, V of backward */
    uint32_t *by_token;   /* [pairs][D]: V of forward, K of backward */
    uint32_t *query;      /* [pairs][D], backward */
    uint32_t *grad_out;   /* [pairs][D], backward */
    uint32_t *grad_score; /* [pairs][keys], backward; of an evaluation P */
    float *score;         /* [ROWS][keys] */
    float *value;         /* [ROWS][D] */
    uint16_t *share;      /* [ROWS][keys]: P, dS */
} Room;

static size_t share_bytes(const Heads *h) {
    return (size_t)share_words(h) * sizeof(uint32_t);
}

static size_t room_bytes(const Heads *h) {
    int64_t matrices = h->size / 2 * h->keys + 3 * pairs_of(h) * h->size + share_words(h);
    return (size_t)(matrices + ROWS * (h->keys + h->size + h->keys / 2)) * sizeof(uint32_t);
}

static Room room_of(const Heads *h, void *at) {
    const int64_t by_token = pairs_of(h) * h->size;
    Room room = {.turned = at};
    room.by_token = room.turned + h->size / 2 * h->keys;
    room.query = room.by_token + by_token;
    room.grad_out = room.query + by_token;
    room.grad_score = room.grad_out + by_token;
    room.score = (float *)(room.grad_score + share_words(h));
    room.value = room.score + ROWS * h->keys;
    room.share = (uint16_t *)(room.value + ROWS * h->size);
    return room;
}

static int64_t rows_of(const Heads *h, int64_t first) {
    return h->tokens - first < ROWS ? h->tokens - first : ROWS;
}

/* Rows of bfloat16 from `at` on as a right factor. */
static Right rows_at(const uint16_t *at, int64_t next) {
    return (Right){(const uint32_t *)(const void *)at, next / 2, 1};
}

/* Columns of a matrix of pairs from `at` on, likewise. */
static Right columns_at(const uint32_t *at, int64_t next) {
    return (Right){at, 1, next};
}

/* ---- Rows of scores ---- */

/* 2^x for x <= 0, to 3e-6 of itself; 0 below -126. NaN of NaN. */
VECTOR_IN __m512 power_of_two(__m512 x) {
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = x - n, value = _mm512_set1_ps(1.33335581e-3f);
    value = _mm512_fmadd_ps(value, r, _mm512_set1_ps(9.61812911e-3f));
    value = _mm512_fmadd_ps(value, r, _mm512_set1_ps(5.55041087e-2f));
    value = _mm512_fmadd_ps(value, r, _mm512_set1_ps(2.40226507e-1f));
    value = _mm512_fmadd_ps(value, r, _mm512_set1_ps(6.93147181e-1f));
    value = _mm512_fmadd_ps(value, r, _mm512_set1_ps(1));
    __mmask16 keeps = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-126), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(keeps, value, n);
}

/* row = softmax(scale row), 0 behind its `tokens`; the diagonal is at `masked`, or -1. */
VECTOR_IN void softmax(float *row, int64_t tokens, float scale, int64_t masked) {
    const __m512 none = _mm512_set1_ps(-INFINITY);
    __m512 top = none, sum = _mm512_setzero_ps();
    if (masked >= 0)
        row[masked] = -INFINITY;
    for (int64_t j = 0; j < tokens; j += VECTOR) {
        __m512 score =
            _mm512_mask_loadu_ps(none, vector_lanes(tokens - j), row + j); /* there is room */
        _mm512_storeu_ps(row + j, score);
        top = _mm512_max_ps(top, score);
    }
    const float factor = scale * 0x1.715476p+0f; /* 1 / ln 2 */
    const __m512 by = _mm512_set1_ps(factor);
    const __m512 shift = _mm512_set1_ps(-_mm512_reduce_max_ps(top) * factor);
    for (int64_t j = 0; j < tokens; j += VECTOR) {
        __m512 power = power_of_two(_mm512_fmadd_ps(_mm512_loadu_ps(row + j), by, shift));
        _mm512_storeu_ps(row + j, power);
        sum += power;
    }
    const __m512 share = _mm512_set1_ps(1 / _mm512_reduce_add_ps(sum));
    for (int64_t j = 0; j < tokens; j += VECTOR)
        _mm512_storeu_ps(row + j, _mm512_loadu_ps(row + j) * share);
}

/* Two rows of scores become rows of P, in rows and in pairs. `query`: the first one's number. */
VECTOR_IN void find_shares(const Heads *h, int64_t query, float scale, float *row, uint16_t *share,
                           uint32_t *pairs) {
    const bool both = query + 1 < h->tokens;
    float *next = row + h->keys;
    softmax(row, h->tokens, scale, h->masks ? query : -1);
    if (both)
        softmax(next, h->tokens, scale, h->masks ? query + 1 : -1);
    for (int64_t j = 0; j < h->keys; j += VECTOR) {
        __m512 even = _mm512_loadu_ps(row + j);
        __m512 odd = both ? _mm512_loadu_ps(next + j) : _mm512_setzero_ps();
        vector_store_two(share + j, even, share + h->keys + j, odd);
        vector_store_pairs(pairs + j, even, odd);
    }
}

/* Those of a vector of pairs. */
VECTOR_IN __m512 even_of(const uint32_t *pairs) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(pairs), 16));
}

VECTOR_IN __m512 odd_of(const uint32_t *pairs) {
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(pairs), upper));
}

/* Two rows of dP become rows of dS, likewise; the second may be beyond the last, and so 0 in P. */
VECTOR_IN void find_score_gradient(const Heads *h, float scale, bool both, const uint32_t *share,
                                   const float *row, uint16_t *grad, uint32_t *pairs) {
    const float *next = row + h->keys;
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t j = 0; j < h->keys; j += VECTOR) {
        sum[0] = _mm512_fmadd_ps(even_of(share + j), _mm512_loadu_ps(row + j), sum[0]);
        if (both)
            sum[1] = _mm512_fmadd_ps(odd_of(share + j), _mm512_loadu_ps(next + j), sum[1]);
    }
    const __m512 even_mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum[0]));
    const __m512 odd_mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum[1]));
    for (int64_t j = 0; j < h->keys; j += VECTOR) {
        __m512 even = even_of(share + j) * (_mm512_loadu_ps(row + j) - even_mean);
        __m512 odd = _mm512_setzero_ps();
        if (both)
            odd = odd_of(share + j) * (_mm512_loadu_ps(next + j) - odd_mean);
        even = vector_scale(even, scale);
        odd = vector_scale(odd, scale);
        vector_store_two(grad + j, even, grad + h->keys + j, odd);
        vector_store_pairs(pairs + j, even, odd);
    }
}

/* ---- Heads ---- */

/* to[n][D] = or += value, rows `next` apart. */
VECTOR_IN void put_rows(const Heads *h, int64_t n, const float *value, bool add, int64_t next,
                        uint16_t *to) {
    for (int64_t i = 0; i < n; i++, to += next)
        for (int64_t d = 0; d < h->size; d += VECTOR, value += VECTOR) {
            __m512 x = _mm512_loadu_ps(value);
            if (add)
                x = vector_load(to + d, ALL_LANES) + x;
            vector_store(to + d, x, ALL_LANES);
        }
}

VECTOR_FN static void head_forward(const Heads *h, const Room *room, float scale,
                                   const uint16_t *in, uint16_t *out, uint32_t *share,
                                   Ahead ahead) {
    const Left keys = {room->turned, h->keys / VECTOR, h->size / 2};
    const Left values = {room->by_token, h->size / VECTOR, pairs_of(h)};
    const uint16_t *key = in + KEY * h->out_row, *value = in + VALUE * h->out_row;
    bf16_turn((const uint32_t *)(const void *)key, h->row / 2, h->tokens, h->size / 2,
              room->turned);
    bf16_pair_rows(value, h->row, h->tokens, h->size, room->by_token);
    for (int64_t i = 0; i < h->tokens; i += ROWS) {
        const int64_t n = rows_of(h, i);
        head_fetch(h, &ahead, sizeof(uint16_t), i, n);
        const Right queries = rows_at(in + i * h->row, h->row);
        const Right shares = rows_at(room->share, h->keys);
        bf16_product(&keys, &queries, n, room->score);
        for (int64_t k = 0; k < n; k += 2, share += h->keys)
            find_shares(h, i + k, scale, room->score + k * h->keys, room->share + k * h->keys,
                        share);
        bf16_product(&values, &shares, n, room->value);
        put_rows(h, n, room->value, false, h->out_row, out + i * h->out_row);
    }
}

/* to = left right, of all tokens, a matrix of pairs being the right factor. */
VECTOR_IN void by_pairs(const Heads *h, const Room *room, const uint32_t *left,
                        const uint32_t *right, bool add, uint16_t *to) {
    const Left factor = {left, h->size / VECTOR, pairs_of(h)};
    for (int64_t j = 0; j < h->tokens; j += ROWS) {
        const Right columns = columns_at(right + j, h->keys);
        bf16_product(&factor, &columns, rows_of(h, j), room->value);
        put_rows(h, rows_of(h, j), room->value, add, h->row, to + j * h->row);
    }
}

/* Sum of a[n][D] b[n][D]; rows of a are `next` apart. */
VECTOR_IN float dot_rows(const Heads *h, int64_t n, const uint16_t *a, int64_t next,
                         const float *b) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i++, a += next)
        for (int64_t d = 0; d < h->size; d += VECTOR, b += VECTOR)
            sum = _mm512_fmadd_ps(vector_load(a + d, ALL_LANES), _mm512_loadu_ps(b), sum);
    return _mm512_reduce_add_ps(sum);
}

VECTOR_FN static double head_backward(const Heads *h, const Room *room, float scale,
                                      const uint16_t *in, const uint32_t *share, HeadGradient grad,
                                      Ahead ahead) {
    const Left values = {room->turned, h->keys / VECTOR, h->size / 2};
    const Left keys = {room->by_token, h->size / VECTOR, pairs_of(h)};
    const uint16_t *key = in + KEY * h->out_row, *value = in + VALUE * h->out_row;
    const uint16_t *grad_out = grad.out;
    uint16_t *grad_in = grad.in;
    double temperature = 0;
    bf16_turn((const uint32_t *)(const void *)value, h->row / 2, h->tokens, h->size / 2,
              room->turned);
    bf16_pair_rows(key, h->row, h->tokens, h->size, room->by_token);
    for (int64_t i = 0; i < h->tokens; i += ROWS) {
        const int64_t n = rows_of(h, i);
        head_fetch(h, &ahead, sizeof(uint16_t), i, n);
        const Right rows = rows_at(grad_out + i * h->out_row, h->out_row);
        const Right scores = rows_at(room->share, h->keys);
        bf16_product(&values, &rows, n, room->score);
        for (int64_t k = 0; k < n; k += 2)
            find_score_gradient(h, scale, k + 1 < n, share + (i + k) / 2 * h->keys,
                                room->score + k * h->keys, room->share + k * h->keys,
                                room->grad_score + (i + k) / 2 * h->keys);
        bf16_product(&keys, &scores, n, room->value);
        temperature += (double)dot_rows(h, n, in + i * h->row, h->row, room->value);
        if (grad_in)
            put_rows(h, n, room->value, grad.add, h->row, grad_in + i * h->row);
    }
    if (!grad_in)
        return temperature;
    bf16_pair_rows(in, h->row, h->tokens, h->size, room->query);
    bf16_pair_rows(grad_out, h->out_row, h->tokens, h->size, room->grad_out);
    by_pairs(h, room, room->query, room->grad_score, grad.add, grad_in + KEY * h->out_row);
    by_pairs(h, room, room->grad_out, share, grad.add, grad_in + VALUE * h->out_row);
    return temperature;
}

static void forward(const Heads *h, void *scratch, float scale, const void *in, void *out,
                    void *share, Ahead ahead) {
    const Room room = room_of(h, scratch);
    head_forward(h, &room, scale, in, out, share ? share : room.grad_score, ahead);
}

static double backward(const Heads *h, void *scratch, float scale, const void *in,
                       const void *share, HeadGradient grad, Ahead ahead) {
    const Room room = room_of(h, scratch);
    return head_backward(h, &room, scale, in, share, grad, ahead);
}

const HeadPasses attention_bf16 = {
    .name = "own bf16",
    .vector = VECTOR,
    .room_bytes = room_bytes,
    .share_bytes = share_bytes,
    .forward = forward,
    .backward = backward,
};

#endif
