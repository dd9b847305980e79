/* grad_sum: the gradient of what is frozen counts for nobody: NaN in it is no bad value of the
 * step, exact or native, whichever bucket it falls into. exact32: the sums are those that its
 * format says, whichever way they travelled, and what does not fit travels again, that alone.
 * Threads may add at the same time, whatever pieces they meet in; a bucket leaves once it is whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/comm/comm_internal.h"
#include "../../src/engine/grad_sum.h"
#include "lockstep/thread.h"

static const char network[] = "conv c=8 k=3 bias\n"
                              "bn\n"
                              "conv c=8 k=3\n"
                              "linear c=10\n";

/* Of the test of threads. */
enum { THREADS = 6, LANES = 4 /* of each */ };

typedef struct Fixture {
    Model model;
    Grouping grouping;
    Comm *comm;
    Device *device;
    Stream *stream;
    RunConfig config;
    GradSum sum;
    bool frozen[2];
    int64_t *peak;            /* [n_params] */
    int64_t sent[DT_I64 + 1]; /* elements that travelled in a step, by type */
} Fixture;

static Fixture f;

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

/* The other rank has what this one has. */
static Status twice(Comm *comm, void *state, void *data, int64_t count, DType dtype, void *after,
                    int bucket) {
    uint32_t *low = data;
    uint64_t *wide = data;
    (void)comm, (void)state, (void)after, (void)bucket;
    assert_true(dtype == DT_I32 || dtype == DT_I64);
    f.sent[dtype] += count;
    for (int64_t i = 0; i < count; i++) {
        if (dtype == DT_I32)
            low[i] *= 2;
        else
            wide[i] *= 2;
    }
    return ST_OK;
}

static const DataPlane two_ranks = {.reduce = twice};

static void open_sum(Reduction reduction, int64_t bucket_bytes, int lanes) {
    static const Optimizer optimizer = {.momentum = 0.9};
    static const Schedule schedule = {.lr = 1};
    memset(&f, 0, sizeof f);
    f.config.reduction = reduction;
    f.config.lanes = lanes;
    f.config.bucket_bytes = bucket_bytes;
    check(model_parse(network, "network", 1, (Shape){1, 3, 32, 32}, 10, 0, &f.model));
    check(grouping_open(&f.model, "bn1.*,conv2.weight frozen", "network", 1, &optimizer, &schedule,
                        &f.grouping));
    f.peak = calloc((size_t)f.model.n_params, sizeof *f.peak);
    assert_non_null(f.peak);
    check(comm_open_self(10, &f.comm));
    if (reduction == REDUCTION_EXACT32 || lanes == THREADS * LANES) {
        f.comm->size = 2;
        comm_set_data_plane(f.comm, &two_ranks, NULL);
    }
    check(device_open_ref(&(DeviceOptions){0}, &f.device));
    check(f.device->ops->stream_open(f.device, &f.stream));
    check(grad_sum_open(&f.sum, f.comm, NULL, f.device, &f.model, &f.config, NULL));
    f.sum.grouping = &f.grouping;
    f.frozen[0] = true;
}

static void close_sum(void) {
    grad_sum_close(&f.sum);
    f.device->ops->stream_close(f.stream);
    f.device->ops->close(f.device);
    comm_close(f.comm);
    free(f.peak);
    grouping_free(&f.grouping);
    model_free(&f.model);
}

/* Adds two lanes of that gradient; bad[2] counts. */
static void add_lanes(const float *gradient, int64_t bad[2]) {
    int64_t words[TAIL_WORDS] = {0};
    float *peak = calloc((size_t)f.model.n_params, sizeof *peak);
    float *stats = calloc((size_t)f.model.running_flat, sizeof *stats);
    double waited = 0;
    LaneGradient lane = {.value = gradient, .bad = bad, .waited_s = &waited, .peak = peak};
    double busy;
    bool complete;
    assert_true(peak && stats);
    bad[0] = bad[1] = 0;
    memset(f.sent, 0, sizeof f.sent);
    check(grad_sum_begin(&f.sum, f.stream, 0, 2, f.peak));
    for (int i = 0; i < 2; i++) {
        check(grad_sum_begin_lane(&f.sum, f.stream, &lane));
        for (int b = f.sum.buckets - 1; b >= 0; b--)
            check(grad_sum_add(&f.sum, f.stream, b, &lane, &complete));
        check(grad_sum_end_lane(&f.sum, f.stream, &lane, stats, 0.5));
    }
    free(peak);
    free(stats);
    check(grad_sum_finish(&f.sum, f.stream, words));
    check(grad_sum_wait(&f.sum, f.stream, &busy));
}

static bool is_frozen(int64_t i) {
    for (int r = 0; r < f.grouping.n_ranges; r++)
        if (i >= f.grouping.range[r].begin && i < f.grouping.range[r].end)
            return f.grouping.range[r].group == 0;
    return false;
}

static void nan_of_the_frozen(Reduction reduction, int64_t bucket_bytes) {
    open_sum(reduction, bucket_bytes, 4);
    int64_t flat = f.model.flat, bad[2], frozen = 0;
    float *gradient = calloc((size_t)flat, sizeof *gradient);
    assert_non_null(gradient);
    for (int64_t i = 0; i < flat; i++) {
        gradient[i] = is_frozen(i) ? NAN : (float)i / 64;
        frozen += is_frozen(i);
    }
    assert_true(frozen >= 8 + 8 + 8 * 8 * 9 && frozen < flat / 2);
    f.sum.frozen = f.frozen;
    add_lanes(gradient, bad);
    assert_int_equal(bad[0], 0);
    if (reduction != REDUCTION_NATIVE)
        assert_int_equal(bad[1], 2 * frozen);
    double ranks = reduction == REDUCTION_EXACT32 ? 2 : 1;
    for (int64_t i = 0; i < flat; i++) {
        const int64_t *fixed;
        const void *real;
        grad_sum_at(&f.sum, i, &fixed, &real);
        double sum = fixed ? (double)*fixed * grad_sum_unit(&f.sum) : (double)*(const float *)real;
        assert_true(is_frozen(i) || sum == ranks * 2 * (double)gradient[i]);
    }
    f.sum.frozen = NULL; /* before it is frozen it counts */
    add_lanes(gradient, bad);
    assert_int_equal(bad[0], reduction != REDUCTION_NATIVE ? 2 * frozen : 0);
    free(gradient);
    close_sum();
}

static void exact_sums(void **state) {
    (void)state;
    nan_of_the_frozen(REDUCTION_EXACT, 1 << 20);
    nan_of_the_frozen(REDUCTION_EXACT, 4096);
}

/* ---- exact32 ---- */

enum { DIGITS = 45 }; /* behind the point, of four lanes in the exact format */

/* A gradient of many sizes, up to 2^-p of parameter p; the gaps are 0. */
static void fill_gradient(float *gradient) {
    for (int p = 0; p < f.model.n_params; p++) {
        const ParamView *view = &f.model.params[p];
        for (int64_t i = 0; i < view->count; i++) {
            uint32_t bits = (uint32_t)(i + 1) * 2654435761u;
            gradient[view->offset + i] =
                ldexpf((float)bits * (bits & 1 ? 1 : -1), -32 - p - (int)(bits >> 8 & 15));
        }
        gradient[view->offset + view->count / 2] = ldexpf(1, -p);
    }
}

/* Digits left out after a peak below 2^bits. */
static int shift_of(int bits) {
    return bits + 3 > 31 ? bits + 3 - 31 : 0;
}

/* Two lanes here and two on the other rank have that gradient, rounded to 2^(shift - DIGITS). */
static void expect_sums(const float *gradient, const int *shift) {
    double *found = calloc((size_t)f.model.flat, sizeof *found);
    assert_non_null(found);
    check(grad_sum_get(&f.sum, f.stream, 0, f.model.flat, found));
    for (int p = 0; p < f.model.n_params; p++) {
        const ParamView *view = &f.model.params[p];
        for (int64_t i = view->offset; i < view->offset + view->count; i++) {
            double units = nearbyint(ldexp((double)gradient[i], DIGITS - shift[p]));
            assert_true(found[i] == ldexp(4 * units, shift[p] - DIGITS));
            /* half a unit a lane, of what float64 has */
            assert_true(fabs(found[i] - 4 * (double)gradient[i]) <= ldexp(2, shift[p] - DIGITS));
        }
    }
    free(found);
}

/* Peaks of the steps before were below 2^bits[p] units, and not half of that; which are to have
 * overflowed. */
static void sum_after(const int *bits, const bool *overflows, int64_t bucket_bytes) {
    int shift[16];
    int64_t bad[2], again = 0;
    open_sum(REDUCTION_EXACT32, bucket_bytes, 4);
    int64_t flat = f.model.flat;
    float *gradient = calloc((size_t)flat, sizeof *gradient);
    assert_true(gradient && f.model.n_params <= 16);
    fill_gradient(gradient);
    for (int p = 0; p < f.model.n_params; p++) {
        f.peak[p] = bits[p] > 0 ? (INT64_C(1) << (bits[p] - 1)) + 5 : 0;
        shift[p] = shift_of(bits[p]);
    }
    add_lanes(gradient, bad);
    assert_int_equal(bad[0], 0);
    expect_sums(gradient, shift);
    int resummed = 0;
    for (int b = 0; b < f.sum.buckets; b++) {
        bool any = false;
        for (int p = 0; p < f.model.n_params; p++)
            any = any || (overflows[p] && f.model.params[p].offset < f.sum.begin[b + 1] &&
                          f.model.params[p].offset + f.model.params[p].count > f.sum.begin[b]);
        resummed += any;
        again += any ? f.sum.begin[b + 1] - f.sum.begin[b] : 0;
    }
    assert_int_equal(f.sum.resummed, resummed);
    assert_int_equal(f.sent[DT_I32], flat);
    assert_int_equal(f.sent[DT_I64], f.sum.tail + again);
    grad_sum_follow(&f.sum, f.peak);
    for (int p = 0; p < f.model.n_params; p++) {
        int64_t own = INT64_C(4) << (DIGITS - p);
        int64_t before = bits[p] > 0 ? (INT64_C(1) << (bits[p] - 1)) + 5 : 0;
        int64_t left = before - before / 16;
        assert_true(f.peak[p] == (own > left ? own : left));
    }
    free(gradient);
    close_sum();
}

/* Parameter p's step has a sum over lanes of 4 2^-p, which is 2^(47 - p) units. */
static void exact32_sums(void **state) {
    (void)state;
    static const bool none[16] = {false};
    bool some[16] = {false}, all[16];
    int fine[16], coarse[16], mixed[16], unknown[16] = {0};
    for (int p = 0; p < 16; p++) {
        fine[p] = 48 - p;  /* as in the step before */
        coarse[p] = 60;    /* much larger then */
        mixed[p] = 45 - p; /* it grew by the whole headroom, but for */
        all[p] = true;
    }
    mixed[2] = 44 - 2; /* whose sum does not fit */
    some[2] = true;
    for (int64_t bytes = 1024; bytes <= 1 << 20; bytes *= 32) {
        sum_after(fine, none, bytes);
        sum_after(coarse, none, bytes);
        sum_after(unknown, all, bytes);
        sum_after(mixed, some, bytes);
    }
}

static void exact32_of_the_frozen(void **state) {
    (void)state;
    nan_of_the_frozen(REDUCTION_EXACT32, 1 << 20);
    nan_of_the_frozen(REDUCTION_EXACT32, 4096);
}

static void native_sums(void **state) {
    (void)state;
    nan_of_the_frozen(REDUCTION_NATIVE, 1 << 20);
    nan_of_the_frozen(REDUCTION_NATIVE, 4096);
}

/* ---- threads ---- */

enum { LANE_DIGITS = 47 - 5 /* behind the point, of 24 lanes */ };

static atomic_int completed;

static float lane_value(int64_t lane, int64_t i) {
    uint32_t bits = (uint32_t)(i + 1) * 2654435761u ^ (uint32_t)(lane + 1) * 40503u << 12;
    return ldexpf((float)bits - 0x1p31f, -32 - (int)(bits & 15));
}

/* A thread's lanes, each with values of its own. */
static Status add_own_lanes(void *context, int thread) {
    float *value = calloc((size_t)f.model.flat, sizeof *value);
    float *peak = calloc((size_t)f.model.n_params, sizeof *peak);
    float *stats = calloc((size_t)f.model.running_flat, sizeof *stats);
    int64_t bad[2] = {0, 0};
    double waited = 0;
    Stream *stream = NULL;
    (void)context;
    assert_true(value && peak && stats);
    check(f.device->ops->stream_open(f.device, &stream));
    for (int i = 0; i < LANES; i++) {
        LaneGradient lane = {.lane = thread + i * THREADS,
                             .value = value,
                             .bad = bad,
                             .waited_s = &waited,
                             .peak = peak};
        for (int64_t e = 0; e < f.model.flat; e++)
            value[e] = lane_value(lane.lane, e);
        check(grad_sum_begin_lane(&f.sum, stream, &lane));
        for (int b = f.sum.buckets - 1; b >= 0; b--) {
            bool complete;
            check(grad_sum_add(&f.sum, stream, b, &lane, &complete));
            completed += complete;
        }
        check(grad_sum_end_lane(&f.sum, stream, &lane, stats, 1.0 / (THREADS * LANES)));
    }
    assert_int_equal(bad[0], 0);
    f.device->ops->stream_close(stream);
    free(stats);
    free(peak);
    free(value);
    return ST_OK;
}

/* The other rank's lanes have the same values; `shift` digits are left out. */
static void sum_of_threads(Reduction reduction, int64_t bucket_bytes, int shift) {
    Team *team = NULL;
    double busy;
    open_sum(reduction, bucket_bytes, THREADS * LANES);
    int64_t words[TAIL_WORDS] = {0};
    double *found = calloc((size_t)f.model.flat, sizeof *found);
    assert_non_null(found);
    for (int p = 0; shift > 0 && p < f.model.n_params; p++)
        f.peak[p] = INT64_C(1) << (shift + 31 - 3 - 1);
    check(team_start(THREADS, &team));
    for (int step = 0; step < 2; step++) {
        completed = 0;
        check(grad_sum_begin(&f.sum, f.stream, step, THREADS * LANES, f.peak));
        check(team_run(team, add_own_lanes, NULL));
        assert_int_equal(completed, f.sum.buckets);
        check(grad_sum_finish(&f.sum, f.stream, words));
        check(grad_sum_wait(&f.sum, f.stream, &busy));
        assert_int_equal(f.sum.resummed, 0);
        check(grad_sum_get(&f.sum, f.stream, 0, f.model.flat, found));
        for (int64_t i = 0; i < f.model.flat; i++) {
            double units = 0;
            for (int l = 0; l < THREADS * LANES; l++)
                units += nearbyint(ldexp((double)lane_value(l, i), LANE_DIGITS - shift));
            assert_true(found[i] == ldexp(2 * units, shift - LANE_DIGITS));
        }
    }
    team_stop(team);
    free(found);
    close_sum();
}

static void sums_of_threads(void **state) {
    (void)state;
    /* One bucket of several pieces, each with one, and many to a piece's elements. */
    for (int64_t bytes = 1 << 20; bytes >= 1 << 12; bytes /= 16) {
        sum_of_threads(REDUCTION_EXACT, bytes, 0);
        sum_of_threads(REDUCTION_EXACT32, bytes, 19);
    }
    open_sum(REDUCTION_EXACT, 1 << 20, 4);
    assert_int_equal(f.sum.buckets, 1);
    assert_int_equal(f.sum.pieces.n, 2);
    close_sum();
}

/* Buckets at whose ends pieces end, that are no multiple of one, and smaller than one. */
static void cut_pieces(void **state) {
    enum { MOST = 64, BUCKETS = 5 };
    static const int64_t begin[BUCKETS + 1] = {0, 16, 80, 208, 352, 1632};
    static const int expected[BUCKETS] = {1, 1, 2, 3, 20};
    Pieces pieces;
    (void)state;
    check(pieces_open(&pieces, begin, BUCKETS, MOST));
    assert_true(pieces.n <= pieces_most(begin[BUCKETS], BUCKETS, MOST));
    for (int b = 0; b < BUCKETS; b++) {
        int first = pieces.first[b], n = pieces.first[b + 1] - first;
        assert_int_equal(n, expected[b]);
        assert_int_equal(pieces.piece[first].begin, begin[b]);
        for (int i = 0; i < n; i++) {
            const Piece *piece = &pieces.piece[first + i];
            int64_t next = i + 1 < n ? piece[1].begin : begin[b + 1];
            assert_int_equal(piece->end, next);
            assert_int_equal(piece->begin % PARAM_ALIGN, 0);
            assert_true(piece->end > piece->begin && piece->end - piece->begin <= MOST);
        }
        for (int lane = 0; lane < 8; lane++) { /* over all of them, each once */
            uint32_t seen = 0;
            for (int i = 0; i < n; i++)
                seen |= 1u << (pieces_turn(&pieces, b, lane, 8, i) - first);
            assert_int_equal(seen, (1u << n) - 1);
        }
    }
    for (int lane = 0; lane < 8; lane++) /* of 20 pieces: 8 lanes begin two apart */
        assert_int_equal(pieces_turn(&pieces, 4, lane, 8, 0), pieces.first[4] + 2 * lane);
    pieces_close(&pieces);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_sums),      cmocka_unit_test(native_sums),
        cmocka_unit_test(exact32_sums),    cmocka_unit_test(exact32_of_the_frozen),
        cmocka_unit_test(sums_of_threads), cmocka_unit_test(cut_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
