/* tiles: what is made of squares: a matrix of counts, and pictures in rows. See plot.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "frame.h"

static double share_of(const Heat *heat, int64_t row, int64_t column) {
    int64_t sum = 0;
    for (int64_t c = 0; c < heat->n; c++)
        sum += heat->count[row * heat->n + c];
    return sum > 0 ? (double)heat->count[row * heat->n + column] / (double)sum : 0;
}

static void draw_cell(Painter *painter, const Heat *heat, int64_t row, int64_t column, Box box) {
    int64_t count = heat->count[row * heat->n + column];
    double share = share_of(heat, row, column);
    char words[32];
    /* The square root: mistakes are few, and are what one looks for. */
    double shade = sqrt(share);
    if (shade > 0.005)
        painter->fill(painter, (Box){box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1}, INK_SERIES,
                      shade);
    if (count == 0 || box.h < NAME_HEIGHT)
        return;
    snprintf(words, sizeof words, "%" PRId64, count);
    draw_text(painter, box.x + box.w / 2, box.y + box.h / 2 + 4,
              shade > 0.55 ? INK_ON_HEAT : INK_TEXT, ANCHOR_MIDDLE,
              text_width(words, 11, false) > box.w - 4 ? 8 : 11, words);
}

void plot_heat(Painter *painter, Size size, const Heat *heat) {
    double top = frame_head(painter, size, heat->title, NULL, 0), left = 0;
    char words[64], shorter[NAME_BYTES];
    for (int64_t i = 0; i < heat->n; i++)
        left = fmax(left, text_width(heat->names[i], FONT_SMALL, false));
    left = fmin(left, NAME_WIDTH) + MARGIN + 6;
    top += 44; /* what is what, and the guesses' names */
    double side =
        fmin((size.w - left - MARGIN) / (double)heat->n, (size.h - top - MARGIN) / (double)heat->n);
    snprintf(words, sizeof words, "%s ↓", heat->y_label);
    draw_text(painter, left - 6, top - 8, INK_MUTED, ANCHOR_END, FONT_SMALL, words);
    snprintf(words, sizeof words, "%s →", heat->x_label);
    draw_text(painter, left, top - 28, INK_MUTED, ANCHOR_START, FONT_SMALL, words);
    int64_t each = (int64_t)ceil((double)NAME_HEIGHT / side); /* of the rows so many have a name */
    for (int64_t row = 0; row < heat->n; row++) {
        double y = top + (double)row * side, x = left + (double)row * side;
        frame_shorten(heat->names[row], FONT_SMALL, NAME_WIDTH, shorter, sizeof shorter);
        if (row % each == 0)
            draw_text(painter, left - 6, y + side / 2 + 4, INK_TEXT, ANCHOR_END, FONT_SMALL,
                      shorter);
        frame_shorten(heat->names[row], 11, side - 1, shorter, sizeof shorter);
        if (each == 1)
            draw_text(painter, x + side / 2, top - 8, INK_TEXT, ANCHOR_MIDDLE, 11, shorter);
        for (int64_t column = 0; column < heat->n; column++)
            draw_cell(painter, heat, row, column,
                      (Box){left + (double)column * side, y, side, side});
    }
    for (int64_t i = 0; i <= heat->n; i += each == 1 ? 1 : heat->n) {
        double at = (double)i * side, all = (double)heat->n * side;
        Point across[2] = {{left, top + at}, {left + all, top + at}};
        Point down[2] = {{left + at, top}, {left + at, top + all}};
        painter->line(painter, across, 2, INK_GRID, 1, false);
        painter->line(painter, down, 2, INK_GRID, 1, false);
    }
}

/* ---- Pictures ---- */

enum { TILE_GAP = 10, TILE_LINE = 15 };

static int tile_lines(const Tiles *tiles) {
    int lines = 0;
    for (int64_t i = 0; i < tiles->n; i++) {
        for (int l = 0; l < TILE_LINES; l++)
            lines = tiles->tile[i].line[l][0] && l + 1 > lines ? l + 1 : lines;
    }
    return lines;
}

static double tile_side(double w, const Tiles *tiles) {
    return (w - 2 * MARGIN - TILE_GAP * (double)(tiles->columns - 1)) / (double)tiles->columns;
}

static double tile_height(double w, const Tiles *tiles) {
    return tile_side(w, tiles) + TILE_LINE * tile_lines(tiles) + 4;
}

enum { TILES_TOP = MARGIN + FONT_TITLE + 8 + 6 };

double plot_tiles_height(double w, const Tiles *tiles) {
    double rows = ceil((double)tiles->n / (double)tiles->columns);
    return TILES_TOP + rows * (tile_height(w, tiles) + TILE_GAP) - TILE_GAP + MARGIN;
}

void plot_tiles(Painter *painter, Size size, const Tiles *tiles) {
    double side = tile_side(size.w, tiles), height = tile_height(size.w, tiles);
    frame_head(painter, size, tiles->title, NULL, 0);
    for (int64_t i = 0; i < tiles->n; i++) {
        const Tile *tile = &tiles->tile[i];
        double x = MARGIN + (double)(i % tiles->columns) * (side + TILE_GAP);
        double y = TILES_TOP + (double)(i / tiles->columns) * (height + TILE_GAP);
        painter->picture(painter, (Box){x, y, side, side}, &tile->picture);
        for (int l = 0; l < TILE_LINES; l++) {
            char words[TILE_BYTES];
            frame_shorten(tile->line[l], 11, side + TILE_GAP - 2, words, sizeof words);
            if (words[0])
                draw_text(painter, x + side / 2, y + side + TILE_LINE * (l + 1),
                          l == 0 ? INK_TEXT : INK_MUTED, ANCHOR_MIDDLE, 11, words);
        }
    }
}
