/* cpu/dropout_f32: see dropout_f32.h. The mask is a byte an element, in `saved` in memory order,
 * all ones where the element is dropped. It is drawn an image at a time, just before the image is
 * multiplied by it; 16 channels at once, whose elements are neighbours in logical order, in the
 * workspace, where the nearest cache keeps them until they are turned into rows of channels.
 *
 * Ten rounds of Philox are 70 instructions for 16 words, what is compared and packed 7.5, turning
 * 6, applying 8 (of whole vectors, loops not counted). */
#include "clones.h"

#if FOR_X86

#include "dropout_f32.h"

#include <string.h>

#include "f32_vector.h"
#include "lockstep/dropout.h"

/* Elements that are drawn at once; channels, and pixels, that are turned at once. */
enum { DRAWN = 32, TILE = 16, ROUNDS = 10 };

typedef __m128i Half;

/* Memory as `images` of `map` pixels; the mask of channel c of pixel t is at t pixel + c / block *
 * next_block + c % block. Memory in logical order counts as one image of one pixel. */
typedef struct Grid {
    int64_t images, map, channels;
    int64_t pixel, block, next_block;
} Grid;

static Grid grid_of(const Tensor *tensor) {
    Shape s = tensor->shape;
    if (tensor->layout == LAYOUT_PLAIN)
        return (Grid){.images = 1, .map = 1, .channels = shape_count(s)};
    Grid grid = {s.n, s.h * s.w, s.c, s.c, TILE, TILE};
    if (tensor->layout == LAYOUT_BLOCKED8)
        grid.pixel = grid.block = 8, grid.next_block = 8 * grid.map;
    return grid;
}

/* In logical order bytes are drawn where the mask is. */
static bool is_logical(const Grid *grid) {
    return grid->map == 1;
}

static int64_t drawn(int64_t count) {
    return (count + DRAWN - 1) / DRAWN * DRAWN;
}

/* Room for TILE channels: they begin in the first block of 4, and tiles read beyond the last. */
static size_t room_bytes(const Grid *grid) {
    return (size_t)drawn(4 + TILE * grid->map + TILE);
}

/* What all draws of a mask have in common, in each 64 bits of a vector: the keys of the rounds, and
 * what the words that are the same in all blocks make of the first three. */
typedef struct Schedule {
    __m256i key0[ROUNDS], key2[ROUNDS];
    __m256i first2, second0, second2, third2;
    __m256i threshold;
} Schedule;

VECTOR_IN __m256i all(uint32_t word) {
    return _mm256_set1_epi32((int)word);
}

static const uint32_t by0 = 0xD2511F53, by2 = 0xCD9E8D57;

VECTOR_FN static void schedule_make(DropoutKey dropout, Schedule *s) {
    uint32_t key0[ROUNDS], key2[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        key0[round] = dropout.key.word[0] + (uint32_t)round * 0x9E3779B9u;
        key2[round] = dropout.key.word[1] + (uint32_t)round * 0xBB67AE85u;
        s->key0[round] = all(key0[round]);
        s->key2[round] = all(key2[round]);
    }
    uint64_t first = (uint64_t)by2 * dropout.step_low;
    uint32_t word0 = (uint32_t)(first >> 32) ^ dropout.place ^ key0[0];
    uint64_t second = (uint64_t)by0 * word0;
    s->first2 = all(dropout.step_high ^ key2[0]);
    s->second0 = all((uint32_t)first ^ key0[1]);
    s->second2 = all((uint32_t)(second >> 32) ^ key2[1]);
    s->third2 = all((uint32_t)second ^ key2[2]);
    s->threshold = all(dropout.threshold);
}

VECTOR_IN __m256i high(__m256i product) {
    return _mm256_srli_epi64(product, 32);
}

/* Both halves of the vectors in which a word is below the threshold: the lower ones' words are in
 * the lower halves of `low`, the upper ones' in the lower halves of `up`, to be brought there. */
VECTOR_IN __m256i dropped(const Schedule *s, __m256i low, __m256i up, __m256i key) {
    __m256i words = low ^ _mm256_slli_epi64(up ^ key, 32);
    return _mm256_cmpgt_epi32(s->threshold, _mm256_srli_epi32(words, 8));
}

/* Philox as in rng_block, of the 4 blocks whose counters are the lower halves of c0; what is in the
 * upper halves is never used. Of each block 16 bits a word, in the order 1 0 3 2, those of two
 * blocks mixed: 1 0 1 0 3 2 3 2. */
VECTOR_IN __m256i draw_four(const Schedule *s, __m256i c0) {
    const __m256i times0 = _mm256_set1_epi64x(by0), times2 = _mm256_set1_epi64x(by2);
    __m256i c3 = _mm256_mul_epu32(c0, times0);
    __m256i c2 = high(c3) ^ s->first2;
    __m256i c1 = _mm256_mul_epu32(c2, times2);
    c0 = high(c1) ^ s->second0;
    c2 = c3 ^ s->second2;

    __m256i p0 = _mm256_mul_epu32(c0, times0), p2 = _mm256_mul_epu32(c2, times2);
    c0 = high(p2) ^ c1 ^ s->key0[2];
    c2 = high(p0) ^ s->third2;
    UNROLLED (round, ROUNDS) {
        if (round < 3 || round == ROUNDS - 1)
            continue;
        c1 = p2;
        c3 = p0;
        p0 = _mm256_mul_epu32(c0, times0);
        p2 = _mm256_mul_epu32(c2, times2);
        c0 = high(p2) ^ c1 ^ s->key0[round];
        c2 = high(p0) ^ c3 ^ s->key2[round];
    }
    c1 = p2;
    c3 = p0;
    p0 = _mm256_mul_epu32(c0, times0);
    p2 = _mm256_mul_epu32(c2, times2);
    return _mm256_packs_epi32(dropped(s, p2, c1, s->key0[ROUNDS - 1]),
                              dropped(s, p0, c3, s->key2[ROUNDS - 1]));
}

/* mask[count], rounded up to whole DRAWN: from element 4 `block` on. */
VECTOR_FN static void draw(const Schedule *s, uint32_t block, int64_t count, uint8_t *mask) {
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 0, 5, 4, 3, 2, 7, 6, 9, 8, 13, 12, 11, 10, 15, 14));
    /* Packing keeps the halves of vectors apart, so they get blocks 0 to 3 and 4 to 7. */
    __m256i one = _mm256_add_epi32(all(block), _mm256_setr_epi32(0, 0, 1, 0, 4, 0, 5, 0));
    __m256i two = _mm256_add_epi32(one, all(2));
    for (int64_t i = 0; i < count; i += DRAWN) {
        __m256i bytes = _mm256_packs_epi16(draw_four(s, one), draw_four(s, two));
        _mm256_storeu_si256((__m256i *)(mask + i), _mm256_shuffle_epi8(bytes, order));
        one = _mm256_add_epi32(one, all(8));
        two = _mm256_add_epi32(two, all(8));
    }
}

/* Likewise of a mask that is given, in which kept elements are not 0. */
static void copy_mask(const uint8_t *keep, int64_t count, uint8_t *mask) {
    for (int64_t i = 0; i < count; i++)
        mask[i] = keep[i] ? 0 : UINT8_MAX;
}

/* TILE rows of TILE bytes, rows apart by `next`, become columns: row[t] has byte t of each. */
VECTOR_IN void turn_tile(const uint8_t *from, int64_t next, Half row[TILE]) {
    enum { FAR = TILE / 2 };
    UNROLLED (i, TILE)
        row[i] = _mm_loadu_si128((const Half *)(from + i * next));
    UNROLLED (stage, 4) {
        Half pair[TILE];
        UNROLLED (i, FAR) {
            pair[2 * i] = _mm_unpacklo_epi8(row[i], row[i + FAR]);
            pair[2 * i + 1] = _mm_unpackhi_epi8(row[i], row[i + FAR]);
        }
        UNROLLED (i, TILE)
            row[i] = pair[i];
    }
}

/* A pixel's TILE channels, or the first `channels` of them. */
VECTOR_IN void put_row(const Grid *grid, int64_t channels, const Half *row, uint8_t *mask) {
    if (grid->block == TILE && channels == TILE) {
        _mm_storeu_si128((Half *)mask, *row);
        return;
    }
    for (int64_t c = 0; c < channels; c += grid->block) {
        int64_t n = channels - c < grid->block ? channels - c : grid->block;
        memcpy(mask + c / grid->block * grid->next_block, (const uint8_t *)row + c, (size_t)n);
    }
}

/* The mask of an image's channels from the first of `mask` on, at most TILE, of their bytes in
 * logical order. */
VECTOR_FN static void turn(const Grid *grid, int64_t channels, const uint8_t *logical,
                           uint8_t *mask) {
    Half row[TILE];
    for (int64_t t = 0; t < grid->map; t += TILE, mask += TILE * grid->pixel) {
        turn_tile(logical + t, grid->map, row);
        for (int64_t i = 0; i < TILE && t + i < grid->map; i++)
            put_row(grid, channels, &row[i], mask + i * grid->pixel);
    }
}

/* y = scale x, or y += scale x, where it is kept; where not, 0 for scale x, whatever x is. */
VECTOR_IN void apply_row(int64_t count, const uint8_t *mask, float scale, const bool add,
                         const float *x, float *y) {
    int64_t i = 0;
    for (; i + VECTOR <= count; i += VECTOR) {
        __m256i drops = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const Half *)(mask + i)));
        Vector value = _mm256_andnot_ps(_mm256_castsi256_ps(drops),
                                        vector_scale(_mm256_loadu_ps(x + i), scale));
        if (add)
            value = _mm256_loadu_ps(y + i) + value;
        _mm256_storeu_ps(y + i, value);
    }
    for (; i < count; i++) {
        float value = mask[i] ? 0 : x[i] * scale;
        y[i] = add ? y[i] + value : value;
    }
}

VECTOR_FN static void apply(int64_t count, const uint8_t *mask, float scale, bool add,
                            const float *x, float *y) {
    if (add)
        apply_row(count, mask, scale, true, x, y);
    else
        apply_row(count, mask, scale, false, x, y);
}

static float scale_of(const OpDesc *desc) {
    return (float)dropout_scale(desc->layer->args.dropout.rate);
}

/* What a forward pass draws with: `given`, or by the schedule. */
typedef struct Source {
    Schedule schedule;
    const uint8_t *given;
} Source;

/* The mask of elements from `first` on, a multiple of 4. */
static void take(const Source *source, int64_t first, int64_t count, uint8_t *mask) {
    if (source->given)
        copy_mask(source->given + first, count, mask);
    else
        draw(&source->schedule, (uint32_t)(first / 4), count, mask);
}

/* The mask of image n. */
static void mask_image(const Grid *grid, const Source *source, int64_t n, uint8_t *room,
                       uint8_t *mask) {
    for (int64_t c = 0; c < grid->channels; c += TILE) {
        int64_t channels = grid->channels - c < TILE ? grid->channels - c : TILE;
        int64_t first = (n * grid->channels + c) * grid->map, skipped = first % 4;
        take(source, first - skipped, skipped + channels * grid->map, room);
        turn(grid, channels, room + skipped, mask + c / grid->block * grid->next_block);
    }
}

/* Operands: from, to, mask, workspace. Logical memory is cut into pieces that a cache keeps. */
static Status forward(const StepCall *call) {
    enum { PIECE = 4096 };
    const OpDesc *desc = &call->plan->base.desc;
    const LaneRun *run = call->run;
    float scale = scale_of(desc);
    Grid grid = grid_of(&desc->out);
    Source source = {.given = lane_mask(run, desc->ordinal)};
    schedule_make(
        dropout_key(run->seed, run->step, run->lane, desc->index, desc->layer->args.dropout.rate),
        &source.schedule);
    int64_t count = shape_count(desc->out.shape);
    int64_t piece = is_logical(&grid) ? PIECE : grid.map * grid.channels;
    const float *x = call->at[0];
    float *y = call->at[1];
    uint8_t *mask = call->at[2];
    for (int64_t first = 0; first < count; first += piece) {
        int64_t n = count - first < piece ? count - first : piece;
        if (is_logical(&grid))
            take(&source, first, n, mask + first);
        else
            mask_image(&grid, &source, first / piece, call->at[3], mask + first);
        apply(n, mask + first, scale, false, x + first, y + first);
    }
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    apply(shape_count(desc->out.shape), call->at[2], scale_of(desc), desc->grad_in[0] == GRAD_ADD,
          call->at[0], call->at[1]);
    return ST_OK;
}

Status dropout_f32_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Grid grid = grid_of(&desc->out);
    Operand mask = steps_saved(plan, (size_t)drawn(shape_count(desc->out.shape)));
    if (!is_logical(&grid))
        steps_need_workspace(plan, room_bytes(&grid));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, mask, AT_WORKSPACE);
    if (desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0), mask);
    return ST_OK;
}

#endif
