/* sheet: see sheet.h. */
#include "sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/board_image.h"
#include "save.h"
#include "style.h"

enum { PNG_SCALE = 2, BOARD_SCALE = 1 }; /* pixels a unit; small, for there may be many */

/* Replaces a file of the folder as a whole. */
static Status save(const Sheet *sheet, const char *name, const char *bytes, size_t size) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", sheet->folder, name);
    return save_file(path, bytes, size);
}

/* Pictures are of the test set. */
static Status send(const Sheet *sheet, const char *name, Size size, const char *png, size_t bytes) {
    BoardImage image = {.w = (int64_t)(size.w * BOARD_SCALE),
                        .h = (int64_t)(size.h * BOARD_SCALE),
                        .bytes = bytes,
                        .png = png};
    snprintf(image.tag, sizeof image.tag, "test/%s", name);
    return board_image_send(sheet->board, &image);
}

static Status put_png(const Sheet *sheet, const char *name, Size size, DrawFn draw,
                      const void *figure) {
    char file[128];
    Painter *painter;
    char *png = NULL;
    size_t bytes;
    TRY(painter_png_open(size.w, size.h, sheet->to_board ? BOARD_SCALE : PNG_SCALE, &painter));
    draw(painter, size, figure);
    TRY(painter_png_finish(painter, &png, &bytes));
    snprintf(file, sizeof file, "%s.png", name);
    Status status =
        sheet->to_board ? send(sheet, name, size, png, bytes) : save(sheet, file, png, bytes);
    free(png);
    return status;
}

Status sheet_figure(Sheet *sheet, const char *name, const char *title, Size size, DrawFn draw,
                    const void *figure, bool wide, const char *note) {
    Painter *painter;
    char *svg = NULL;
    size_t bytes;
    TRY(put_png(sheet, name, size, draw, figure));
    if (sheet->to_board)
        return ST_OK;
    TRY(painter_svg_open(size.w, size.h, name, title, &painter));
    draw(painter, size, figure);
    TRY(painter_svg_finish(painter, &svg, &bytes));
    text_add(&sheet->html, "<figure id=\"%s\"%s>\n", name, wide ? " class=\"wide\"" : "");
    text_add_bytes(&sheet->html, svg, bytes);
    free(svg);
    if (note) {
        text_add(&sheet->html, "<figcaption>");
        text_add_escaped(&sheet->html, note);
        text_add(&sheet->html, "</figcaption>\n");
    }
    text_add(&sheet->html, "</figure>\n");
    return ST_OK;
}

void sheet_begin(Sheet *sheet, const char *title) {
    Text *html = &sheet->html;
    text_add(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<meta name=\"color-scheme\" content=\"light dark\">\n"
                   "<link rel=\"icon\" href=\"data:,\">\n<title>");
    text_add_escaped(html, title);
    text_add(html, "</title>\n<style>\n:root{");
    ink_style(html, false);
    text_add(html, "}\n@media screen and (prefers-color-scheme:dark){:root{");
    ink_style(html, true);
    text_add(html, "}}\n%s</style>\n</head>\n<body>\n<main>\n", page_style);
}

Status sheet_end(Sheet *sheet) {
    char *page;
    size_t size;
    text_add(&sheet->html, "</main>\n</body>\n</html>\n");
    TRY(text_take(&sheet->html, &page, &size));
    Status status = save(sheet, "report.html", page, size);
    free(page);
    return status;
}

void sheet_open_section(Sheet *sheet, const char *id, const char *heading) {
    text_add(&sheet->html, "<section id=\"%s\">\n", id);
    if (heading)
        text_add(&sheet->html, "<h2>%s</h2>\n", heading);
}

void sheet_close_section(Sheet *sheet) {
    text_add(&sheet->html, "</section>\n");
}

void sheet_row(Sheet *sheet, const char *key, const char *format, ...) {
    char value[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    text_add(&sheet->html, "<tr><th scope=\"row\">%s</th><td>", key);
    text_add_escaped(&sheet->html, value);
    text_add(&sheet->html, "</td></tr>\n");
}
