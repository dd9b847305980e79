/* synthetic: procedural images in CIFAR-10's format, for machines without the real ones.
 *
 * A record is a pure function of (seed, part, record number), in integers alone, so every machine
 * makes the same bytes. The label picks one of ten figures, five shapes and five textures;
 * position, size, direction, both colours, a lighting gradient, a distracting blob and noise are
 * drawn at random. Contrast may be low and a blob may hide the figure, so no network gets all of
 * them right.
 *
 * Each stretch of ten records holds every class once, in random order: classes are balanced in any
 * contiguous shard. Training and test records differ in the Philox counter, hence in everything. */
#include "synthetic.h"

#include <stdlib.h>
#include <string.h>

#include "cifar10_format.h"
#include "lockstep/rng.h"

enum {
    SIDE = CIFAR10_SIDE,
    PLANE = SIDE * SIDE,
    PIXEL = 16, /* lengths are in sixteenths of a pixel */
    UNIT = 256, /* components of a direction, and shares of a colour, are in parts of 256 */
    /* Draw / 4, the third word of the counter: what a block of numbers is for. */
    DRAW_LABELS = 0, /* 3 blocks */
    DRAW_SCENE = 4,  /* 6 blocks */
    DRAW_NOISE = 16  /* PLANE * 3 / 16 blocks */
};

/* Everything random about a record but its noise. */
typedef struct Scene {
    int figure;           /* the label */
    int x, y;             /* centre of the figure, sixteenths of a pixel */
    int radius;           /* of a shape */
    int period;           /* of a texture */
    int dx, dy;           /* direction of the figure, parts of 256 */
    int back[3], fore[3]; /* colours, 0 to 255 */
    int slope_x, slope_y; /* lighting, parts of 256 of a level a pixel */
    int blob_x, blob_y, blob_radius;
    int blob[3];
    int noise; /* amplitude in levels */
} Scene;

/* Numbers of one record in the order they are asked for. */
typedef struct Draws {
    RngKey key;
    uint32_t record, part, next; /* next: block */
    RngBlock block;
    int used; /* words of the block */
} Draws;

static int draw(Draws *draws, int low, int high) {
    if (draws->used == 4) {
        draws->block = rng_block(draws->key, draws->record, draws->next++, draws->part, 0);
        draws->used = 0;
    }
    return low + (int)rng_below(draws->block.word[draws->used++], (uint32_t)(high - low + 1));
}

static Draws draws_begin(uint64_t seed, DatasetPart part, int64_t record, uint32_t block) {
    return (Draws){.key = rng_key(seed, RNG_SYNTHETIC),
                   .record = (uint32_t)record,
                   .part = (uint32_t)part,
                   .next = block,
                   .used = 4};
}

/* Record i takes place i % 10 in the shuffled classes of stretch i / 10. */
static int figure_of(uint64_t seed, DatasetPart part, int64_t record) {
    Draws draws = draws_begin(seed, part, record / CIFAR10_CLASSES, DRAW_LABELS);
    int order[CIFAR10_CLASSES];
    for (int i = 0; i < CIFAR10_CLASSES; i++)
        order[i] = i;
    for (int i = CIFAR10_CLASSES - 1; i > 0; i--) {
        int j = draw(&draws, 0, i), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    return order[record % CIFAR10_CLASSES];
}

/* A rational point of the unit circle: (q^2 - p^2, 2pq) / (q^2 + p^2). */
static void draw_direction(Draws *draws, Scene *scene) {
    int p = draw(draws, -32, 32), q = draw(draws, 32, 64);
    int norm = p * p + q * q;
    scene->dx = UNIT * (q * q - p * p) / norm;
    scene->dy = UNIT * 2 * p * q / norm;
}

static void draw_colours(Draws *draws, Scene *scene) {
    int contrast = draw(draws, 50, 130);
    for (int i = 0; i < CIFAR10_CHANNELS; i++) {
        int sign = draw(draws, 0, 1) ? 1 : -1;
        scene->back[i] = draw(draws, 40, 215);
        scene->fore[i] = scene->back[i] + sign * contrast * draw(draws, 128, UNIT) / UNIT;
        scene->blob[i] = draw(draws, 0, 255);
    }
}

static Scene draw_scene(uint64_t seed, DatasetPart part, int64_t record) {
    Draws draws = draws_begin(seed, part, record, DRAW_SCENE);
    Scene scene = {.figure = figure_of(seed, part, record)};
    scene.x = draw(&draws, 9 * PIXEL, 22 * PIXEL);
    scene.y = draw(&draws, 9 * PIXEL, 22 * PIXEL);
    scene.radius = draw(&draws, 6 * PIXEL, 12 * PIXEL);
    scene.period = draw(&draws, 5 * PIXEL, 9 * PIXEL);
    draw_direction(&draws, &scene);
    draw_colours(&draws, &scene);
    scene.slope_x = draw(&draws, -2 * UNIT, 2 * UNIT);
    scene.slope_y = draw(&draws, -2 * UNIT, 2 * UNIT);
    scene.blob_x = draw(&draws, 0, SIDE * PIXEL);
    scene.blob_y = draw(&draws, 0, SIDE * PIXEL);
    scene.blob_radius = draw(&draws, 2 * PIXEL, 6 * PIXEL);
    scene.noise = draw(&draws, 8, 48);
    return scene;
}

static int larger(int a, int b) {
    return a > b ? a : b;
}

/* x modulo the period, from the middle of the period: [-period / 2, period / 2). */
static int wrap(int x, int period) {
    int rest = x % period;
    return (rest < 0 ? rest + period : rest) - period / 2;
}

/* Whether the figure covers the point (u, v) of its own coordinate system. */
static bool covered(int figure, int u, int v, int radius, int period) {
    int a = abs(u), b = abs(v), square = u * u + v * v, r2 = radius * radius;
    int pu, pv;
    switch (figure) {
    case 0: /* disc */
        return square < r2 * 3 / 4;
    case 1: /* square */
        return larger(a, b) < radius * 3 / 4;
    case 2: /* triangle */
        return v > -radius / 2 && 4 * v + 7 * a < 4 * radius;
    case 3: /* ring */
        return square < r2 && square > r2 * 2 / 5;
    case 4: /* cross */
        return larger(a, b) < radius && (a < radius * 2 / 7 || b < radius * 2 / 7);
    case 5: /* stripes */
        return wrap(u, period) < 0;
    case 6: /* chequers */
        return (wrap(u, period) < 0) != (wrap(v, period) < 0);
    case 7: /* dots */
        pu = wrap(u, period), pv = wrap(v, period);
        return pu * pu + pv * pv < period * period / 7;
    case 8: /* nested octagons */
        return wrap(larger(larger(a, b), (a + b) * 5 / 7), period) < 0;
    default: /* chevrons */
        return wrap(u + abs(wrap(v, 2 * period)), period) < 0;
    }
}

static uint8_t to_byte(int level) {
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static void paint(const Scene *scene, uint8_t *pixels) {
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            int px = x * PIXEL - scene->x, py = y * PIXEL - scene->y;
            int u = (px * scene->dx + py * scene->dy) / UNIT;
            int v = (py * scene->dx - px * scene->dy) / UNIT;
            int bx = x * PIXEL - scene->blob_x, by = y * PIXEL - scene->blob_y;
            const int *colour = scene->back;
            if (bx * bx + by * by < scene->blob_radius * scene->blob_radius)
                colour = scene->blob;
            else if (covered(scene->figure, u, v, scene->radius, scene->period))
                colour = scene->fore;
            int light = (scene->slope_x * (x - SIDE / 2) + scene->slope_y * (y - SIDE / 2)) / UNIT;
            for (int i = 0; i < CIFAR10_CHANNELS; i++)
                pixels[i * PLANE + y * SIDE + x] = to_byte(colour[i] + light);
        }
    }
}

/* Adds uniform noise, a byte of a random word for each value. */
static void add_noise(uint64_t seed, DatasetPart part, int64_t record, int amplitude,
                      uint8_t *pixels) {
    RngKey key = rng_key(seed, RNG_SYNTHETIC);
    for (int i = 0; i < CIFAR10_PIXELS; i += 16) {
        RngBlock block =
            rng_block(key, (uint32_t)record, DRAW_NOISE + (uint32_t)i / 16, (uint32_t)part, 0);
        for (int j = 0; j < 16; j++) {
            int random = (int)(block.word[j / 4] >> (j % 4 * 8) & 255) - 128;
            pixels[i + j] = to_byte(pixels[i + j] + random * amplitude / 128);
        }
    }
}

void synthetic_record(uint64_t seed, DatasetPart part, int64_t record, uint16_t *label,
                      uint8_t *pixels) {
    Scene scene = draw_scene(seed, part, record);
    *label = (uint16_t)scene.figure;
    paint(&scene, pixels);
    add_noise(seed, part, record, scene.noise, pixels);
}
