/* cpu/dropout_bf16: dropout at the speed of memory. The mask is a bit an element, kept in `saved`
 * in memory order: a word of 16 bits for each vector. It is drawn an image at a time, as bits in
 * logical order, in which a vector's 16 channels are `map` bits apart: they are gathered, 32 bits
 * of each, and bit t of all 16 is the word of pixel t. */
#include "clones.h"

#if FOR_X86

#include "dropout_bf16.h"

#include <string.h>

#include "bf16_vector.h"
#include "lockstep/dropout.h"

/* Elements that are drawn at once; and bits of a gathered word that belong to one channel, wherever
 * in its first byte they begin. */
enum { DRAWN = 32, GATHERED = 25 };

/* Memory as vectors: `images` of [map][vectors], or [vectors][map] where blocked; of `row` elements
 * each. Memory in logical order counts as one image of one pixel. */
typedef struct Grid {
    int64_t images, map, channels, vectors;
    int64_t next_pixel, next_vector; /* in the mask, words */
} Grid;

static Grid grid_of(const Tensor *tensor) {
    Shape s = tensor->shape;
    Grid grid = {.images = s.n, .map = s.h * s.w, .channels = s.c};
    if (tensor->layout == LAYOUT_PLAIN)
        grid = (Grid){.images = 1, .map = 1, .channels = shape_count(s)};
    grid.vectors = (grid.channels + VECTOR - 1) / VECTOR;
    bool blocked = tensor->layout == LAYOUT_BLOCKED16;
    grid.next_pixel = blocked ? 1 : grid.vectors;
    grid.next_vector = blocked ? grid.map : 1;
    return grid;
}

static size_t drawn_bytes(int64_t bits) {
    return (size_t)((bits + DRAWN - 1) / DRAWN) * sizeof(uint32_t);
}

/* In logical order bits are drawn where the mask is. */
static bool is_logical(const Grid *grid) {
    return grid->map == 1;
}

static size_t mask_bytes(const Grid *grid) {
    return drawn_bytes(grid->images * grid->map * grid->vectors * VECTOR);
}

/* Room for an image's bits: they begin in the first DRAWN, and gathers read beyond the last. */
static size_t room_bytes(const Grid *grid) {
    return drawn_bytes(grid->channels * grid->map + 2 * DRAWN);
}

/* Which of the DRAWN elements from 4 `block` on are kept. Philox as in rng_block, of 8 blocks, each
 * word in the lower half of 64 bits; what is in the upper is never used. The blocks stand in such
 * an order that the words of the first four end up in one vector. */
VECTOR_IN uint32_t draw(DropoutKey key, uint32_t block) {
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    const __m512i by0 = _mm512_set1_epi64(0xD2511F53), by2 = _mm512_set1_epi64(0xCD9E8D57);
    __m512i c0 = _mm512_add_epi32(_mm512_set1_epi64(block), order);
    __m512i c1 = _mm512_set1_epi64(key.place), c2 = _mm512_set1_epi64(key.step_low);
    __m512i c3 = _mm512_set1_epi64(key.step_high);
    uint32_t k0 = key.key.word[0], k1 = key.key.word[1];
    UNROLLED (round, 10) {
        __m512i p0 = _mm512_mul_epu32(c0, by0), p2 = _mm512_mul_epu32(c2, by2);
        c0 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p2, 32), c1),
                              _mm512_set1_epi64(k0));
        c2 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p0, 32), c3),
                              _mm512_set1_epi64(k1));
        c1 = p2;
        c3 = p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    const __mmask16 upper = 0xaaaa;
    __m512i c01 = _mm512_mask_blend_epi32(upper, c0, _mm512_slli_epi64(c1, 32));
    __m512i c23 = _mm512_mask_blend_epi32(upper, c2, _mm512_slli_epi64(c3, 32));
    const __m512i threshold = _mm512_set1_epi32((int)key.threshold);
    __m512i first = _mm512_srli_epi32(_mm512_unpacklo_epi64(c01, c23), 8);
    __m512i second = _mm512_srli_epi32(_mm512_unpackhi_epi64(c01, c23), 8);
    return (uint32_t)_mm512_cmpge_epu32_mask(first, threshold) |
           (uint32_t)_mm512_cmpge_epu32_mask(second, threshold) << VECTOR;
}

/* bits[]: whether elements first to first + count - 1 are kept, `first` a multiple of DRAWN. */
VECTOR_FN static void draw_bits(DropoutKey key, int64_t first, int64_t count, uint32_t *bits) {
    for (int64_t i = 0; i < count; i += DRAWN)
        *bits++ = draw(key, (uint32_t)((first + i) / 4));
}

/* Likewise of a mask that is given, in bytes. */
static void copy_bits(const uint8_t *keep, int64_t first, int64_t count, uint32_t *bits) {
    for (int64_t i = 0; i < count; i++) {
        if (i % DRAWN == 0)
            bits[i / DRAWN] = 0;
        bits[i / DRAWN] |= (uint32_t)(keep[first + i] != 0) << i % DRAWN;
    }
}

/* An image's mask, of its bits, which begin at bit `at`. */
VECTOR_FN static void gather_mask(const Grid *grid, const uint32_t *bits, int64_t at,
                                  uint16_t *mask) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i apart = _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)grid->map));
    for (int64_t v = 0; v < grid->vectors; v++, mask += grid->next_vector) {
        __mmask16 lanes = vector_lanes(grid->channels - v * VECTOR);
        for (int64_t t = 0; t < grid->map; t += GATHERED) {
            int64_t n = grid->map - t < GATHERED ? grid->map - t : GATHERED;
            int64_t begin = at + v * VECTOR * grid->map + t;
            const char *byte = (const char *)bits + begin / 8;
            __m512i place = _mm512_add_epi32(apart, _mm512_set1_epi32((int)(begin % 8)));
            __m512i word = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes,
                                                       _mm512_srli_epi32(place, 3), byte, 1);
            word = _mm512_srlv_epi32(word, _mm512_and_si512(place, _mm512_set1_epi32(7)));
            for (int64_t i = 0; i < n; i++, word = _mm512_srli_epi32(word, 1))
                mask[(t + i) * grid->next_pixel] =
                    _mm512_test_epi32_mask(word, _mm512_set1_epi32(1));
        }
    }
}

/* y = scale x, or y += scale x, of the elements that the mask keeps, 0 of others whatever x is. */
VECTOR_IN void apply_row(int64_t count, const uint16_t *mask, float scale, const bool add,
                         const uint16_t *x, uint16_t *y) {
    for (int64_t i = 0; i < count; i += VECTOR) {
        __mmask16 lanes = vector_lanes(count - i);
        __m512 value =
            _mm512_maskz_mul_ps(mask[i / VECTOR], vector_load(x + i, lanes), _mm512_set1_ps(scale));
        if (add)
            value = vector_load(y + i, lanes) + value;
        vector_store(y + i, value, lanes);
    }
}

VECTOR_FN static void apply(const Grid *grid, int64_t images, const uint16_t *mask, float scale,
                            bool add, const uint16_t *x, uint16_t *y) {
    bool whole = grid->channels % VECTOR == 0;
    int64_t rows = images * (whole ? 1 : grid->map);
    int64_t row = whole ? grid->map * grid->channels : grid->channels;
    for (int64_t i = 0; i < rows; i++, x += row, y += row, mask += (row + VECTOR - 1) / VECTOR)
        if (add)
            apply_row(row, mask, scale, true, x, y);
        else
            apply_row(row, mask, scale, false, x, y);
}

static float scale_of(const OpDesc *desc) {
    return (float)dropout_scale(desc->layer->args.dropout.rate);
}

/* Operands: from, to, mask, workspace. */
static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const LaneRun *run = call->run;
    Grid grid = grid_of(&desc->out);
    DropoutKey key =
        dropout_key(run->seed, run->step, run->lane, desc->index, desc->layer->args.dropout.rate);
    const uint8_t *given = lane_mask(run, desc->ordinal);
    const uint16_t *x = call->at[0];
    uint16_t *y = call->at[1], *mask = call->at[2];
    int64_t count = grid.map * grid.channels;
    for (int64_t n = 0; n < grid.images; n++, x += count, y += count) {
        int64_t at = n * count % DRAWN, first = n * count - at;
        uint32_t *bits = call->at[is_logical(&grid) ? 2 : 3];
        if (given)
            copy_bits(given, first, at + count, bits);
        else
            draw_bits(key, first, at + count, bits);
        if (!is_logical(&grid))
            gather_mask(&grid, bits, at, mask);
        apply(&grid, 1, mask, scale_of(desc), false, x, y);
        mask += grid.map * grid.vectors;
    }
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Grid grid = grid_of(&desc->out);
    apply(&grid, grid.images, call->at[2], scale_of(desc), desc->grad_in[0] == GRAD_ADD,
          call->at[0], call->at[1]);
    return ST_OK;
}

Status dropout_bf16_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Grid grid = grid_of(&desc->out);
    Operand mask = steps_saved(plan, mask_bytes(&grid));
    if (!is_logical(&grid))
        steps_need_workspace(plan, room_bytes(&grid));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, mask, AT_WORKSPACE);
    if (desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0), mask);
    return ST_OK;
}

#endif
