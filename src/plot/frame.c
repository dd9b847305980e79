/* frame: see frame.h. */
#include "frame.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void draw_text(Painter *painter, double x, double y, Ink ink, Anchor anchor, double size,
               const char *words) {
    TextStyle style = {.ink = ink, .anchor = anchor, .size = size};
    painter->text(painter, (Point){x, y}, &style, words);
}

enum { KEY_WIDTH = 18, KEY_GAP = 6, ENTRY_GAP = 18 };

static void draw_key(Painter *painter, double x, double y, const LegendEntry *entry) {
    Point ends[2] = {{x, y - 4}, {x + KEY_WIDTH, y - 4}};
    if (entry->box)
        painter->fill(painter, (Box){x + 4, y - 10, 12, 12}, entry->ink, 1);
    else
        painter->line(painter, ends, 2, entry->ink, 2.5, entry->dashed);
}

double frame_head(Painter *painter, Size size, const char *title, const LegendEntry *entries,
                  int n) {
    TextStyle bold = {.ink = INK_TEXT, .anchor = ANCHOR_START, .size = FONT_TITLE, .bold = true};
    double x = MARGIN, y = MARGIN + FONT_TITLE;
    painter->text(painter, (Point){MARGIN, y}, &bold, title);
    for (int i = 0; i < n; i++) {
        double width = KEY_WIDTH + KEY_GAP + text_width(entries[i].name, FONT_SMALL, false);
        bool begins = i == 0 || x + width > size.w - MARGIN;
        x = begins ? MARGIN : x;
        y += begins ? LINE_HEIGHT + (i == 0 ? 4 : 0) : 0;
        draw_key(painter, x, y, &entries[i]);
        draw_text(painter, x + KEY_WIDTH + KEY_GAP, y, INK_TEXT, ANCHOR_START, FONT_SMALL,
                  entries[i].name);
        x += width + ENTRY_GAP;
    }
    return y + 8;
}

double tick_value(const Ticks *ticks, int i) {
    double at = ticks->first + i * ticks->step;
    return ticks->log ? pow(10, at) : at;
}

void tick_words(const Ticks *ticks, int i, char *words, size_t room) {
    char plain[64];
    double value = tick_value(ticks, i);
    int decimals = ticks->log && value < 1 ? (int)ceil(-log10(value) - 1e-9) : ticks->decimals;
    snprintf(plain, sizeof plain, "%.*f", decimals, fabs(value));
    size_t whole = strcspn(plain, "."), at = 0;
    if (value < 0 && strspn(plain, "0.") < strlen(plain))
        at += (size_t)snprintf(words, room, "−");
    for (size_t c = 0; plain[c] && at + 2 < room; c++) {
        if (c > 0 && c < whole && (whole - c) % 3 == 0)
            words[at++] = ',';
        words[at++] = plain[c];
    }
    words[at] = '\0';
}

double ticks_width(const Ticks *ticks) {
    double widest = 0;
    char words[64];
    for (int i = 0; i < ticks->count; i++) {
        tick_words(ticks, i, words, sizeof words);
        widest = fmax(widest, text_width(words, FONT_SMALL, false));
    }
    return widest;
}

double axis_at(const Axis *axis, double value) {
    double range = (axis->ticks.count - 1) * axis->ticks.step;
    double along = axis->ticks.log ? log10(value) : value;
    return axis->from + (along - axis->ticks.first) / range * (axis->to - axis->from);
}

void axis_draw_y(Painter *painter, Box box, const Axis *axis) {
    char words[64];
    for (int i = 0; i < axis->ticks.count; i++) {
        double y = axis_at(axis, tick_value(&axis->ticks, i));
        Point ends[2] = {{box.x, y}, {box.x + box.w, y}};
        painter->line(painter, ends, 2, INK_GRID, 1, false);
        tick_words(&axis->ticks, i, words, sizeof words);
        draw_text(painter, box.x - 7, y + 4, INK_MUTED, ANCHOR_END, FONT_SMALL, words);
    }
}

void axis_draw_x(Painter *painter, Box box, const Axis *axis) {
    char words[64];
    double base = box.y + box.h;
    Point line[2] = {{box.x, base}, {box.x + box.w, base}};
    painter->line(painter, line, 2, INK_MUTED, 1, false);
    for (int i = 0; i < axis->ticks.count; i++) {
        double x = axis_at(axis, tick_value(&axis->ticks, i));
        Point ends[2] = {{x, base}, {x, base + 4}};
        painter->line(painter, ends, 2, INK_MUTED, 1, false);
        tick_words(&axis->ticks, i, words, sizeof words);
        draw_text(painter, x, base + 18, INK_MUTED, ANCHOR_MIDDLE, FONT_SMALL, words);
    }
}

void frame_x_label(Painter *painter, Box box, const char *label) {
    draw_text(painter, box.x + box.w / 2, box.y + box.h + 36, INK_MUTED, ANCHOR_MIDDLE, FONT_SMALL,
              label);
}

void frame_shorten(const char *name, double size, double width, char *out, size_t room) {
    size_t n = text_characters(name, strlen(name));
    snprintf(out, room, "%s", name);
    for (; n > 1 && text_width(out, size, false) > width; n--)
        snprintf(out, room, "%.*s.", (int)text_prefix(name, n - 1), name);
}
