/* Images that the kernel makes from records against those of the CPU, to the bit, which are held to
 * torchvision's elsewhere (tests/unit/test_augment_cases.c): every transform, in float and bf16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gpu_array.h"
#include "kernels.h"
#include "lockstep/augment.h"

enum { N = 3, RECORDS = 4, SEED = 5, EPOCH = 1, VALUES_MAX = 3 * 64 * 64 };

static uint8_t pixels[RECORDS * VALUES_MAX];
static const uint8_t *device_pixels;

static const uint8_t *record_at(Shape shape, int64_t place) {
    return pixels + place * shape.c * shape.h * shape.w;
}

/* What is drawn for record `first + i` at place[i], for the device; freed by free_draws. */
static ImageDraws draws_of(const Augment *augment, Shape shape, int first, const int *place,
                           int *seen) {
    Placement placement[N];
    PixelChange change[N][PIXEL_CHANGES_MAX], packed[N * PIXEL_CHANGES_MAX];
    int changes = augment_rule(augment, SEED).changes;
    memset(packed, 0, sizeof packed);
    for (int i = 0; i < N; i++) {
        placement[i] = augment_draw(augment, shape, SEED, EPOCH, first + place[i], place[i]);
        placement[i].mix = augment_mix(augment, shape, SEED, EPOCH, first + place[i], RECORDS);
        augment_draw_changes(augment, shape, SEED, EPOCH, first + place[i], change[i]);
        for (int j = 0; j < changes; j++)
            seen[change[i][j].op]++;
        memcpy(packed + i * changes, change[i], (size_t)changes * sizeof **change);
    }
    return (ImageDraws){device_copy(placement, sizeof placement),
                        changes > 0 ? device_copy(packed, sizeof packed) : NULL};
}

static void free_draws(ImageDraws draws) {
    check_cuda(cudaFree(draws.placement));
    check_cuda(cudaFree(draws.change));
}

/* Images of records `first` on, as the CPU makes them, with partners as the draws say. */
static void make_images(const Augment *augment, Shape shape, int first, const int *place,
                        const int *partner, float *want) {
    static float second[VALUES_MAX];
    for (int i = 0; i < N; i++) {
        float *image = want + i * shape.c * shape.h * shape.w;
        augment_train(augment, shape, SEED, EPOCH, first + place[i], record_at(shape, place[i]),
                      image);
        Mix mix = augment_mix(augment, shape, SEED, EPOCH, first + place[i], RECORDS);
        augment_train(augment, shape, SEED, EPOCH, first + partner[i], record_at(shape, partner[i]),
                      second);
        if (mix.label_share > 0)
            augment_blend(&mix, shape, second, image);
    }
}

/* A batch of records first to first + N - 1, in another order, of `channels` a pixel. */
static void check_batch(const Augment *augment, Shape shape, int first, DType type,
                        int64_t channels, int *seen) {
    static float want[N * VALUES_MAX];
    const int place[N] = {2, 0, 3};
    int partner[N];
    int64_t hw = shape.h * shape.w;
    for (int i = 0; i < N; i++) {
        Mix mix = augment_mix(augment, shape, SEED, EPOCH, first + place[i], RECORDS);
        partner[i] = augment_mixes(augment) ? mix.partner : 0;
    }
    make_images(augment, shape, first, place, partner, want);
    ImageDraws drawn = draws_of(augment, shape, first, place, seen), other = {NULL, NULL};
    if (augment_mixes(augment))
        other = draws_of(augment, shape, first, partner, seen);
    Array image = array_unset(N * hw * channels, type);
    check_cuda(gpu_load_images(image.device, type, shape, channels, device_pixels, drawn, other,
                               augment_rule(augment, SEED), NULL));
    array_fetch(&image);
    int64_t wrong = 0;
    for (int64_t i = 0; i < image.count; i++) {
        int64_t n = i / (hw * channels), at = i / channels % hw, c = i % channels;
        float value = c < shape.c ? rounded(type, want[(n * shape.c + c) * hw + at]) : 0;
        if (memcmp(&value, &image.host[i], sizeof value) == 0)
            continue;
        if (wrong++ < 3)
            print_error("record %d of %dx%dx%d, channel %d of pixel %d: %.9g, not %.9g\n",
                        first + place[n], (int)shape.c, (int)shape.h, (int)shape.w, (int)c, (int)at,
                        image.host[i], value);
    }
    assert_int_equal(wrong, 0);
    array_free(&image);
    free_draws(drawn);
    free_draws(other);
}

/* What is drawn as a placement, by images of up to four channels. */
static void placed_images_are_the_cpus(void **state) {
    (void)state;
    static const Shape shapes[] = {{N, 3, 32, 32}, {N, 1, 28, 28}, {N, 4, 24, 40}};
    const Augment augments[] = {{.crop_pad = 4,
                                 .flip = 0.5,
                                 .rotate = 15,
                                 .cutout = 8,
                                 .erase = 0.7,
                                 .erase_area = {0.02, 0.33},
                                 .erase_aspect = {0.3, 3.3},
                                 .erase_with = ERASE_NOISE,
                                 .pad_fill = {3, 90, 200, 255},
                                 .mean = {0.4914f, 0.4822f, 0.4465f, 0.5f},
                                 .std = {0.2470f, 0.2435f, 0.2616f, 0.25f}},
                                {.crop_pad = 4,
                                 .pad_mode = PAD_REFLECT,
                                 .flip = 0.5,
                                 .flip_mode = FLIP_ALTERNATE,
                                 .brightness = 0.14,
                                 .contrast = 0.13,
                                 .erase = 0.7,
                                 .erase_area = {0.02, 0.33},
                                 .erase_aspect = {0.3, 3.3},
                                 .erase_with = ERASE_FILL,
                                 .erase_fill = {9, 99, 200, 40},
                                 .mixup = 1,
                                 .mix_probability = 0.7,
                                 .unit = PIXEL_UNIT_BYTE,
                                 .mean = {128, 120, 100, 90},
                                 .std = {128, 50, 60, 70}},
                                {.area = {0.08, 1},
                                 .aspect = {0.75, 1.3},
                                 .attempts = 10,
                                 .rotate = 15,
                                 .flip = 0.5,
                                 .erase = 1,
                                 .erase_area = {0.02, 0.33},
                                 .erase_aspect = {0.3, 3.3},
                                 .cutmix = 1,
                                 .mix_probability = 1,
                                 .pad_fill = {3, 90, 200, 255},
                                 .mean = {0.4914f, 0.4822f, 0.4465f, 0.5f},
                                 .std = {0.2470f, 0.2435f, 0.2616f, 0.25f}}};
    int seen[PIXEL_EQUALIZE + 1] = {0};
    for (int i = 0; i < 9; i++) {
        Shape shape = shapes[i % 3];
        check_batch(&augments[i / 3], shape, 40, DT_F32, shape.c, seen);
        check_batch(&augments[i / 3], shape, 40, DT_BF16, 8, seen);
    }
}

/* Changes of bytes: one of a policy's, all of an image, behind a crop and before mixing. */
static void changed_images_are_the_cpus(void **state) {
    (void)state;
    enum { DRAWS = 20 };
    static const Shape shapes[] = {{N, 3, 32, 32}, {N, 1, 28, 28}, {N, 3, 20, 28}, {N, 3, 2, 5}};
    const Augment one = {.policy = POLICY_TRIVIALAUGMENT,
                         .pad_fill = {3, 90, 200},
                         .mean = {0.4914f, 0.4822f, 0.4465f},
                         .std = {0.2470f, 0.2435f, 0.2616f}};
    Augment many = {.crop_pad = 2,
                    .flip = 0.5,
                    .policy = POLICY_RANDAUGMENT,
                    .policy_ops = POLICY_OPS_MAX,
                    .policy_magnitude = 5,
                    .jitter = {0.4, 0.3, 0.5, 0.2},
                    .cutout = 8,
                    .erase = 0.5,
                    .erase_area = {0.02, 0.33},
                    .erase_aspect = {0.3, 3.3},
                    .erase_with = ERASE_NOISE,
                    .mixup = 0.4,
                    .cutmix = 1,
                    .mix_probability = 0.8,
                    .mean = {0.4914f, 0.4822f, 0.4465f},
                    .std = {0.2470f, 0.2435f, 0.2616f}};
    int seen[PIXEL_EQUALIZE + 1] = {0};
    for (int i = 0; i < DRAWS; i++)
        check_batch(&one, shapes[i % 2], 40 + i, DT_F32, shapes[i % 2].c, seen);
    for (int i = 0; i < 8; i++)
        check_batch(&many, shapes[i % 4], 80 + 10 * i, i < 4 ? DT_F32 : DT_BF16, 8, seen);
    many.policy_ops = 1;
    check_batch(&many, (Shape){N, 3, 64, 64}, 200, DT_F32, 3, seen); /* the largest */
    for (int op = PIXEL_NONE; op <= PIXEL_EQUALIZE; op++)
        assert_true(seen[op] > 0);
}

/* Shapes that no image has. */
static void others_are_refused(void **state) {
    (void)state;
    const ImageDraws none = {NULL, NULL};
    const ImageRule plain = {.changes = 0}, changed = {.changes = 1};
    const struct {
        Shape shape;
        int64_t channels;
        ImageRule rule;
    } rows[] = {{{0, 3, 32, 32}, 3, plain}, {{1, 3, 32, 65}, 3, plain}, {{1, 3, 65, 32}, 3, plain},
                {{1, 5, 32, 32}, 5, plain}, {{1, 3, 32, 32}, 2, plain}, {{1, 4, 8, 8}, 4, changed},
                {{1, 2, 8, 8}, 2, changed}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(gpu_load_images(NULL, DT_F32, rows[i].shape, rows[i].channels, NULL, none,
                                         none, rows[i].rule, NULL),
                         cudaErrorInvalidValue);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(placed_images_are_the_cpus),
                                       cmocka_unit_test(changed_images_are_the_cpus),
                                       cmocka_unit_test(others_are_refused)};
    if (skip_without_gpu())
        return 0;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] =
            (uint8_t)(i / 3072 % 2 == 1 ? 60 + (i * 37 + i / 32 * 11) % 128 : i * 37 + i / 32 * 11);
    uint8_t *records = device_copy(pixels, sizeof pixels);
    device_pixels = records;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    check_cuda(cudaFree(records));
    return failed;
}
