/* --describe: a table of the model, one layer a row, and totals. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/model.h"

enum { CELL_MAX = 160, COLUMNS = 6, FIRST_NUMBER = 3, BYTES_OF_REAL = 4 };

typedef struct Row {
    char cell[COLUMNS][CELL_MAX];
} Row;

static const Row titles = {{"name", "layer", "output", "parameters", "multiply-adds", "bytes"}};

static void append(char out[CELL_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(char out[CELL_MAX], const char *format, ...) {
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + used, CELL_MAX - used, format, arguments);
    va_end(arguments);
}

/* 6573120 -> "6,573,120". */
static void append_count(char out[CELL_MAX], int64_t value) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    for (int i = 0; i < length; i++)
        append(out, i > 0 && (length - i) % 3 == 0 ? ",%c" : "%c", digits[i]);
}

static void append_arg(char out[CELL_MAX], const Layer *layer, const LayerArg *arg) {
    double value = layer_arg_value(layer, arg);
    if (arg->type == ARG_INT || arg->type == ARG_OUTPUTS)
        append(out, " %s=%" PRId64, arg->key, (int64_t)value);
    else if (arg->type == ARG_REAL)
        append(out, " %s=%g", arg->key, value);
    else if (arg->type == ARG_WORD)
        append(out, " %s=%s", arg->key, arg->words[(int)value]);
    else
        append(out, value != 0 ? " %s" : " %s=0", arg->key);
}

/* The layer as its line of model text would read. */
static void append_text(char out[CELL_MAX], const Model *model, int index) {
    const Layer *layer = &model->layers[index];
    const LayerType *type = layer_type(layer->kind);
    append(out, "%s", type->name);
    const LayerArg *arg;
    for (int i = 0; (arg = layer_arg(type, i)); i++) {
        if (!layer_arg_is_implied(layer, arg))
            append_arg(out, layer, arg);
    }
    if (layer->input[0] != index - 1)
        append(out, " from=%s", model_layer_name(model, layer->input[0]));
    for (int i = 1; i < layer->n_in; i++)
        append(out, i == 1 ? " with=%s" : ",%s", model_layer_name(model, layer->input[i]));
}

static int64_t activation_bytes(const Layer *layer) {
    return shape_count(layer->out) * BYTES_OF_REAL;
}

static void fill_row(const Model *model, int index, Row *row) {
    const Layer *layer = &model->layers[index];
    int64_t parameters = 0;
    memset(row, 0, sizeof *row);
    for (int p = 0; p < layer->n_params; p++)
        parameters += param_count(&layer->param[p]);
    append(row->cell[0], "%s", layer->name);
    append_text(row->cell[1], model, index);
    append(row->cell[2], "%" PRId64 " x %" PRId64 " x %" PRId64, layer->out.c, layer->out.h,
           layer->out.w);
    append_count(row->cell[3], parameters);
    append_count(row->cell[4], layer_multiply_adds(layer));
    append_count(row->cell[5], activation_bytes(layer));
}

static void fill_total(const Model *model, Row *row) {
    int64_t bytes = 0;
    for (int i = 0; i < model->n_layers; i++)
        bytes += activation_bytes(&model->layers[i]);
    memset(row, 0, sizeof *row);
    append(row->cell[0], "total");
    append_count(row->cell[3], model->parameters);
    append_count(row->cell[4], model_multiply_adds(model));
    append_count(row->cell[5], bytes);
}

static void widen(int width[COLUMNS], const Row *row) {
    for (int column = 0; column < COLUMNS; column++) {
        int length = (int)strlen(row->cell[column]);
        width[column] = length > width[column] ? length : width[column];
    }
}

static void print_row(const int width[COLUMNS], const Row *row, FILE *out) {
    for (int column = 0; column < COLUMNS; column++) {
        bool left = column < FIRST_NUMBER;
        fprintf(out, "%s%*s", column == 0 ? "" : "  ", left ? -width[column] : width[column],
                row->cell[column]);
    }
    fputc('\n', out);
}

void model_describe(const Model *model, int64_t lane_batch, FILE *out) {
    int width[COLUMNS] = {0};
    Row row;
    widen(width, &titles);
    fill_total(model, &row);
    widen(width, &row);
    for (int i = 0; i < model->n_layers; i++) {
        fill_row(model, i, &row);
        widen(width, &row);
    }
    print_row(width, &titles, out);
    for (int i = 0; i < model->n_layers; i++) {
        fill_row(model, i, &row);
        print_row(width, &row, out);
    }
    fill_total(model, &row);
    print_row(width, &row, out);
    int64_t bytes = 0;
    for (int i = 0; i < model->n_layers; i++)
        bytes += activation_bytes(&model->layers[i]);
    fprintf(out,
            "\nmultiply-adds and bytes of activations are those of one image, forward; a training "
            "step costs about three times as many.\n"
            "One lane of %" PRId64 " images: %.1f MiB of activations; weights: %.1f MiB.\n",
            lane_batch, (double)(bytes * lane_batch) / 1048576.0,
            (double)(model->parameters * BYTES_OF_REAL) / 1048576.0);
}
