/* report: pictures and a page of what a run's directory holds. Reads only, but for the folder that
 * it writes. Local. */
#ifndef LOCKSTEP_REPORT_H
#define LOCKSTEP_REPORT_H

#include <stdbool.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes report.html and its pictures into folder `out`, of one run directory or, overlaid, of
 * several. Each file is replaced as a whole. ST_USAGE where there is no run, ST_CHECKPOINT where
 * one cannot be read or the report not be written, ST_DEVICE without cairo. */
Status report_write(const char *const *runs, int n, const char *out);

/* Draws confusion matrix and wrong examples of predictions (predictions_send) that `in` leads to,
 * of the run in directory `run`, which may go on, and sends them to `out` (board_image_send).
 * Without the images there are no examples. ST_USAGE, ST_CHECKPOINT, ST_DATA; ST_DEVICE without
 * cairo. */
Status report_board(const char *run, int in, int out);

/* A figure of a table in CSV: one column over another. */
typedef struct TableFigure {
    const char *table;                     /* path of the table */
    const char *x, *y;                     /* columns */
    const char *spread;                    /* column of half a bar's length; NULL: no bars */
    const char *by;                        /* column with a line for each value; NULL: one line */
    const char *title, *x_label, *y_label; /* NULL: the columns' names */
    double factor;                         /* y and its spread are multiplied by it */
    bool x_log, from_zero;
} TableFigure;

/* Draws it into `out`, a file .png or .svg, which is replaced as a whole. ST_USAGE where the table
 * or the file is no such thing, ST_CHECKPOINT where it cannot be written, ST_DEVICE for .png
 * without cairo. */
Status report_figure(const TableFigure *figure, const char *out);

#ifdef __cplusplus
}
#endif
#endif
