/* The reference of model text, from the table of layer kinds: a page of Markdown or plain text. The
 * shapes and parameters behind an example are those of the example as it is parsed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reference_syntax.h"

enum { CELL_MAX = 512, ITEM_INDENT = 12, ITEM_WIDTH = 100 };

static void add(char text[CELL_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char text[CELL_MAX], const char *format, ...) {
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, CELL_MAX - used, format, arguments);
    va_end(arguments);
}

/* "label      text", the text in lines of at most ITEM_WIDTH below each other; a newline in it
 * starts another. */
static void print_item(const char *label, const char *text, FILE *out) {
    int column = ITEM_INDENT;
    if ((int)strlen(label) < ITEM_INDENT - 2)
        fprintf(out, "  %-*s", ITEM_INDENT - 2, label);
    else /* it has a line of its own */
        fprintf(out, "  %s\n%*s", label, ITEM_INDENT, "");
    for (const char *gap = ""; *text != '\0';) {
        int length = (int)strcspn(text, " \n");
        if (column + (int)strlen(gap) + length > ITEM_WIDTH || *gap == '\n') {
            column = fprintf(out, "\n%*s", ITEM_INDENT, "") - 1; /* the newline is no column */
            gap = "";
        }
        column += fprintf(out, "%s%.*s", gap, length, text);
        text += length;
        gap = *text == '\n' ? "\n" : " ";
        text += *text != '\0';
    }
    fputc('\n', out);
}

static void add_values(char text[CELL_MAX], const LayerArg *arg) {
    switch (arg->type) {
    case ARG_INT:
    case ARG_REAL:
        add(text, "%s, %.10g to %.10g", arg->type == ARG_INT ? "whole number" : "number", arg->min,
            arg->max);
        break;
    case ARG_OUTPUTS:
        add(text, "whole number, %.10g to %.10g, or classes", arg->min, arg->max);
        break;
    case ARG_FLAG:
        add(text, "flag");
        break;
    case ARG_WORD:
        for (int i = 0; arg->words[i]; i++)
            add(text, "%s%s", i == 0 ? "" : ", ", arg->words[i]);
        break;
    }
}

static void add_default(char text[CELL_MAX], const InitRule *init, const LayerArg *arg) {
    double value = layer_arg_default(init, arg);
    if (arg->absent == ABSENT_REFUSED)
        add(text, "required");
    else if (arg->absent == ABSENT_LABEL_SMOOTHING)
        add(text, "label-smoothing");
    else if (arg->type == ARG_FLAG)
        add(text, value != 0 ? "on" : "off");
    else if (arg->type == ARG_WORD)
        add(text, "%s", arg->words[(int)value]);
    else if (value < arg->min) /* it follows from others, as its help tells */
        add(text, "-");
    else
        add(text, "%.10g", value);
}

static void print_args(const LayerArg *args, const InitRule *init, bool markdown, FILE *out) {
    if (markdown && args->key)
        fputs("| argument | value | default | meaning |\n|---|---|---|---|\n", out);
    for (const LayerArg *arg = args; arg->key; arg++) {
        const char *sign = arg->type == ARG_FLAG ? "" : "=";
        char values[CELL_MAX] = "", otherwise[CELL_MAX] = "", label[64], text[3 * CELL_MAX];
        add_values(values, arg);
        add_default(otherwise, init, arg);
        if (markdown) {
            fprintf(out, "| `%s%s` | %s | %s | %s |\n", arg->key, sign, values, otherwise,
                    arg->help);
            continue;
        }
        snprintf(label, sizeof label, "%s%s", arg->key, sign);
        snprintf(text, sizeof text, "%s [%s; %s]", arg->help, values, otherwise);
        print_item(label, text, out);
    }
    if (markdown && args->key)
        fputc('\n', out);
}

static void add_shape(char text[CELL_MAX], Shape shape) {
    add(text, "%" PRId64 " x %" PRId64 " x %" PRId64, shape.c, shape.h, shape.w);
}

static void add_specs(char text[CELL_MAX], const ParamSpec *specs, int n) {
    for (int i = 0; i < n; i++) {
        add(text, "; %s ", specs[i].role);
        for (int d = 0; d < specs[i].ndim; d++)
            add(text, "%s%" PRId64, d > 0 ? " x " : "", specs[i].dim[d]);
    }
}

/* What the example's layer of that kind reads, gives and has. */
static Status print_example(const LayerType *type, FILE *out) {
    char text[CELL_MAX] = "";
    const Layer *shown = NULL;
    Model model;
    bool is_loss = type->is_loss;
    add(text, "%s%s", type->example, is_loss ? "" : "\nlinear c=10");
    TRY(model_parse(text, type->name, 1, (Shape){1, 3, 32, 32}, 10, 0, &model));
    for (int i = 0; i < model.n_layers - !is_loss; i++) {
        if (layer_type(model.layers[i].kind) == type)
            shown = &model.layers[i];
    }
    print_item("example", type->example, out);
    text[0] = '\0';
    for (int i = 0; shown && i < shown->n_in; i++) {
        add(text, i > 0 ? " and " : "");
        add_shape(text, shown->in[i]);
    }
    if (shown) {
        add(text, " -> ");
        add_shape(text, shown->out);
        add_specs(text, shown->param, shown->n_params);
        add_specs(text, shown->running, shown->n_running);
    }
    print_item("", text, out);
    model_free(&model);
    return ST_OK;
}

/* The arguments that kinds share stand in a section of their own; here is what they are. */
static void print_init(const InitRule *init, FILE *out) {
    char text[CELL_MAX] = "by";
    Layer plain = {.init = init->otherwise};
    for (const LayerArg *arg = init->args; arg->key; arg++) {
        if (arg->type != ARG_WORD &&
            (!layer_arg_is_used(&plain, arg) || layer_arg_default(init, arg) < arg->min))
            continue;
        add(text, " %s=", arg->key);
        add_default(text, init, arg);
    }
    add(text, ", or as 'How weights begin' tells");
    print_item("begins", text, out);
}

static Status print_kind(const LayerType *type, bool markdown, FILE *out) {
    char reads[CELL_MAX] = "the layer before it (or from=)";
    int least = type->min_inputs - 1, most = type->max_inputs - 1;
    if (most > 0 && least == most)
        add(reads, " and %d named by with=", most);
    else if (most > 0)
        add(reads, " and %d to %d named by with=", least, most);
    fprintf(out, markdown ? "### %s\n\n%s\n\n" : "%s: %s\n", type->name, type->help);
    print_args(type->args, type->init, markdown, out);
    fputs(markdown ? "```text\n" : "", out);
    print_item("reads", reads, out);
    print_item("gives", type->shape, out);
    print_item("computes", type->formula, out);
    if (type->init)
        print_init(type->init, out);
    TRY(print_example(type, out));
    fputs(markdown ? "```\n" : "", out);
    return ST_OK;
}

Status model_reference(int kind, bool markdown, FILE *out) {
    if (kind >= 0)
        return print_kind(layer_type((LayerKind)kind), markdown, out);
    reference_syntax(markdown, out);
    reference_weights(markdown, out);
    print_args(layer_init_weight.args, &layer_init_weight, markdown, out);
    reference_kinds(markdown, out);
    for (int k = 0; k < LAYER_KINDS; k++) {
        fputc('\n', out);
        TRY(print_kind(layer_type((LayerKind)k), markdown, out));
    }
    return ST_OK;
}
