/* examples: figures made of images of the data set. See figures.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "lockstep/augment.h"

enum {
    LOOKED_AT = 1000,
    LOOKED_AT_MAX = 10000,
    CLASSES_SHOWN = 100,
    CHANGED_SHOWN = 5, /* images, each as it is and in so many epochs */
    EPOCHS_SHOWN = 5,
    WRONG_SHOWN = 20
};

static void draw_tiles(Painter *painter, Size size, const void *figure) {
    plot_tiles(painter, size, figure);
}

static Status tiles_figure(Sheet *sheet, const char *name, const Tiles *tiles, const char *note) {
    Size size = {480, plot_tiles_height(480, tiles)};
    return sheet_figure(sheet, name, tiles->title, size, draw_tiles, tiles, false, note);
}

static Picture picture_of(const Dataset *dataset, const uint8_t *pixels) {
    return (Picture){pixels, dataset->image.c, dataset->image.h, dataset->image.w};
}

/* The first of the images of each class, in the order of the classes; at[] is where it stands. */
static int64_t first_of_each(const Dataset *dataset, int64_t n, const uint16_t *labels,
                             const uint8_t *pixels, int64_t *at, Tile *tiles) {
    int64_t found = 0;
    for (int64_t c = 0; c < dataset->classes && c < CLASSES_SHOWN; c++) {
        int64_t i = 0;
        while (i < n && labels[i] != c)
            i++;
        if (i == n)
            continue;
        tiles[found].picture = picture_of(dataset, pixels + i * shape_count(dataset->image));
        snprintf(tiles[found].line[0], TILE_BYTES, "%s", dataset->class_names[c]);
        tiles[found].line[1][0] = tiles[found].line[2][0] = '\0';
        at[found++] = i;
    }
    return found;
}

static int64_t images_looked_at(const Dataset *dataset) {
    int64_t count = dataset->count[DATASET_PART_TRAIN], n = 100 * dataset->classes;
    n = n < LOOKED_AT ? LOOKED_AT : n > LOOKED_AT_MAX ? LOOKED_AT_MAX : n;
    return n < count ? n : count;
}

/* Bytes of a normalised image: those that come nearest. */
static void bytes_of(const Augment *augment, Shape shape, const float *image, uint8_t *bytes) {
    PixelScale scale = augment_scale(augment);
    for (int64_t i = 0; i < shape_count(shape); i++) {
        int64_t c = i / (shape.h * shape.w);
        float value = rintf((image[i] * scale.std[c] + scale.mean[c]) * scale.unit);
        bytes[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

/* Some of the examples as they are trained on in the first epochs, each behind what it is in the
 * set; nothing where nothing is done to them. */
static Status changed_figure(Sheet *sheet, const Facts *facts, const int64_t *record, int64_t n,
                             const Tile *example) {
    const RunConfig *config = facts->config;
    const Shape shape = facts->dataset.image;
    int64_t rows = n < CHANGED_SHOWN ? n : CHANGED_SHOWN, size = shape_count(shape);
    Tile tile[CHANGED_SHOWN * (1 + EPOCHS_SHOWN)];
    float image[IMAGE_CHANNELS_MAX * IMAGE_SIDE_MAX * IMAGE_SIDE_MAX];
    bool changed = false;
    Status status = ST_OK;
    uint8_t *pixels = malloc((size_t)(CHANGED_SHOWN * EPOCHS_SHOWN * size));
    TRY_ALLOC(pixels);
    for (int64_t row = 0; row < rows; row++) {
        Tile *to = tile + row * (1 + EPOCHS_SHOWN);
        *to = example[row];
        for (int64_t epoch = 0; epoch < EPOCHS_SHOWN; epoch++) {
            uint8_t *made = pixels + (row * EPOCHS_SHOWN + epoch) * size;
            augment_train(&config->augment, shape, config->seed, epoch, record[row],
                          example[row].picture.planes, image);
            bytes_of(&config->augment, shape, image, made);
            changed = changed || memcmp(made, example[row].picture.planes, (size_t)size) != 0;
            *++to = (Tile){.picture = picture_of(&facts->dataset, made)};
            snprintf(to->line[0], TILE_BYTES, "epoch %" PRId64, epoch + 1);
        }
    }
    Tiles tiles = {.title = "Training images as they are trained on",
                   .n = rows * (1 + EPOCHS_SHOWN),
                   .columns = 1 + EPOCHS_SHOWN,
                   .tile = tile};
    const char *note = augment_mixes(&config->augment)
                           ? "What augmentation makes of them in each epoch, before they are mixed."
                           : "What augmentation makes of them in each epoch.";
    if (changed)
        TRY_DONE(tiles_figure(sheet, "training_images_augmented", &tiles, note));
done:
    free(pixels);
    return status;
}

Status figures_examples(Sheet *sheet, const Facts *facts) {
    const Dataset *dataset = &facts->dataset;
    int64_t count = dataset->count[DATASET_PART_TRAIN], n = images_looked_at(dataset);
    Status status = ST_OK;
    Tile tile[CLASSES_SHOWN];
    int64_t at[CLASSES_SHOWN], record[CLASSES_SHOWN];
    if (!facts->has_images)
        return ST_OK;
    int64_t *ids = calloc((size_t)n, sizeof *ids);
    uint16_t *labels = calloc((size_t)n, sizeof *labels);
    uint8_t *pixels = malloc((size_t)(n * shape_count(dataset->image)));
    for (int64_t i = 0; ids && i < n; i++)
        ids[i] = i * count / n; /* a set may stand class by class */
    status = ids && labels && pixels ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status != ST_OK)
        goto done;
    TRY_DONE(dataset_read(dataset, DATASET_PART_TRAIN, ids, n, labels, pixels, NULL));
    Tiles tiles = {.title = "Training images, one of each class",
                   .n = first_of_each(dataset, n, labels, pixels, at, tile),
                   .columns = dataset->classes > 25 ? 10 : 5,
                   .tile = tile};
    TRY_DONE(tiles_figure(sheet, "training_example_images", &tiles,
                          dataset->synthetic ? "Synthetic images, not CIFAR-10." : NULL));
    for (int64_t i = 0; i < tiles.n; i++)
        record[i] = ids[at[i]];
    TRY_DONE(changed_figure(sheet, facts, record, tiles.n, tile));
done:
    free(ids);
    free(labels);
    free(pixels);
    return status;
}

/* ---- Taken for something else ---- */

/* A wrong image, as it is sorted: the surest first, of equals the one that comes first. */
typedef struct Wrong {
    int64_t image;
    float probability;
} Wrong;

static int surest_first(const void *a, const void *b) {
    const Wrong *x = a, *y = b;
    if (x->probability != y->probability)
        return x->probability < y->probability ? 1 : -1;
    return (x->image > y->image) - (x->image < y->image);
}

/* Wrong predictions, the surest first; returns how many of wrong[images] there are. */
static int64_t find_wrong(const Predictions *predictions, Wrong *wrong) {
    int64_t n = 0;
    for (int64_t i = 0; i < predictions->images; i++) {
        if (predictions->label[i] != predictions->predicted[i])
            wrong[n++] = (Wrong){i, predictions->probability[i]};
    }
    qsort(wrong, (size_t)n, sizeof *wrong, surest_first);
    return n;
}

/* A model may have more outputs than there are classes. */
static void class_words(const Dataset *dataset, const char *what, int64_t class,
                        char words[TILE_BYTES]) {
    if (class < dataset->classes)
        snprintf(words, TILE_BYTES, "%s %s", what, dataset->class_names[class]);
    else
        snprintf(words, TILE_BYTES, "%s no class", what);
}

static void label_tile(const Facts *facts, const Wrong *wrong, const uint8_t *pixels, Tile *tile) {
    const Predictions *predictions = &facts->predictions;
    tile->picture = picture_of(&facts->dataset, pixels);
    class_words(&facts->dataset, "truth:", predictions->label[wrong->image], tile->line[0]);
    class_words(&facts->dataset, "guess:", predictions->predicted[wrong->image], tile->line[1]);
    snprintf(tile->line[2], sizeof tile->line[2], "%.1f %%", 100 * (double)wrong->probability);
}

/* Images of wrong[0..n) into pixels[n], in their order. */
static Status read_wrong(const Facts *facts, const Wrong *wrong, int64_t n, uint8_t *pixels) {
    const Dataset *dataset = &facts->dataset;
    int64_t size = shape_count(dataset->image);
    for (int64_t i = 0; i < n; i++) {
        uint16_t label;
        int64_t id = wrong[i].image;
        if (id >= dataset->count[DATASET_PART_TEST])
            return FAIL(ST_DATA, "%s has fewer test images than the run had", dataset->path);
        TRY(dataset_read(dataset, DATASET_PART_TEST, &id, 1, &label, pixels + i * size, NULL));
        if (label != facts->predictions.label[id])
            return FAIL(ST_DATA, "%s has other test images than the run had", dataset->path);
    }
    return ST_OK;
}

Status figures_wrong(Sheet *sheet, const Facts *facts) {
    const Predictions *predictions = &facts->predictions;
    Status status = ST_OK;
    Tile tile[WRONG_SHOWN];
    if (!facts->has_images || predictions->images == 0)
        return ST_OK;
    int64_t size = shape_count(facts->dataset.image);
    Wrong *wrong = calloc((size_t)predictions->images, sizeof *wrong);
    uint8_t *pixels = malloc((size_t)(WRONG_SHOWN * size));
    status = wrong && pixels ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status != ST_OK)
        goto done;
    int64_t all = find_wrong(predictions, wrong), n = all < WRONG_SHOWN ? all : WRONG_SHOWN;
    if (n == 0)
        goto done;
    TRY_DONE(read_wrong(facts, wrong, n, pixels));
    for (int64_t i = 0; i < n; i++)
        label_tile(facts, &wrong[i], pixels + i * size, &tile[i]);
    Tiles tiles = {.title = facts->dataset.synthetic ? "Most confidently wrong, of synthetic images"
                                                     : "Most confidently wrong",
                   .n = n,
                   .columns = 4,
                   .tile = tile};
    char note[128];
    snprintf(note, sizeof note,
             "Test images that were taken for something else, the surest first: %" PRId64
             " of %" PRId64 ".",
             n, all);
    TRY_DONE(tiles_figure(sheet, "wrong_examples", &tiles, note));
done:
    free(wrong);
    free(pixels);
    return status;
}
