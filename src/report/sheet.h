/* sheet: the page in the making, and its folder. Private to src/report. Local.
 *
 * A figure goes both ways at once: as NAME.png into the folder, and as SVG into the page. */
#ifndef LOCKSTEP_REPORT_SHEET_H
#define LOCKSTEP_REPORT_SHEET_H

#include "lockstep/plot.h"

typedef struct Sheet {
    const char *folder; /* borrowed */
    Text html;
    bool to_board; /* no page: each picture alone goes to this descriptor, for TensorBoard */
    int board;
} Sheet;

typedef void (*DrawFn)(Painter *painter, Size size, const void *figure);

/* Draws `figure`. `note` (may be NULL) stands below it on the page; `wide`: over both columns. */
Status sheet_figure(Sheet *sheet, const char *name, const char *title, Size size, DrawFn draw,
                    const void *figure, bool wide, const char *note);

/* The head of the page up to <main>, and its end; writes report.html and frees the sheet's text. */
void sheet_begin(Sheet *sheet, const char *title);
Status sheet_end(Sheet *sheet);

/* <h2>, unless NULL, and a section around what follows, which sheet_close_section ends. */
void sheet_open_section(Sheet *sheet, const char *id, const char *heading);
void sheet_close_section(Sheet *sheet);

/* A row of a table of two columns. */
void sheet_row(Sheet *sheet, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
