/* examples: figures made of images of the data set. See figures.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"

enum { LOOKED_AT = 1000, CLASSES_MAX = 100 };

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

/* The first training image of each class, in the order of the classes. */
static int64_t first_of_each(const Dataset *dataset, int64_t n, const uint16_t *labels,
                             const uint8_t *pixels, Tile *tiles) {
    int64_t found = 0;
    for (int64_t c = 0; c < dataset->classes && c < CLASSES_MAX; c++) {
        int64_t i = 0;
        while (i < n && labels[i] != c)
            i++;
        if (i == n)
            continue;
        tiles[found].picture = picture_of(dataset, pixels + i * shape_count(dataset->image));
        snprintf(tiles[found].line[0], sizeof tiles[found].line[0], "%.39s",
                 dataset->class_names[c]);
        tiles[found++].line[1][0] = '\0';
    }
    return found;
}

Status figures_examples(Sheet *sheet, const Facts *facts) {
    const Dataset *dataset = &facts->dataset;
    int64_t count = dataset->count[DATASET_PART_TRAIN], n = count < LOOKED_AT ? count : LOOKED_AT;
    Status status = ST_OK;
    Tile tile[CLASSES_MAX];
    if (!facts->has_images)
        return ST_OK;
    int64_t *ids = calloc((size_t)n, sizeof *ids);
    uint16_t *labels = calloc((size_t)n, sizeof *labels);
    uint8_t *pixels = malloc((size_t)(n * shape_count(dataset->image)));
    for (int64_t i = 0; ids && i < n; i++)
        ids[i] = i;
    status = ids && labels && pixels ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status != ST_OK)
        goto done;
    TRY_DONE(dataset_read(dataset, DATASET_PART_TRAIN, ids, n, labels, pixels, NULL));
    Tiles tiles = {.title = "Training images, one of each class",
                   .n = first_of_each(dataset, n, labels, pixels, tile),
                   .columns = 5,
                   .tile = tile};
    TRY_DONE(tiles_figure(sheet, "training_example_images", &tiles,
                          dataset->synthetic ? "Synthetic images, not CIFAR-10." : NULL));
done:
    free(ids);
    free(labels);
    free(pixels);
    return status;
}
