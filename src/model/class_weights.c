/* The weights of classes in the loss. See model.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/model.h"
#include "lockstep/parse.h"

/* How many numbers a list has. */
static int64_t count_of(const char *text) {
    int64_t n = 1;
    for (; *text != '\0'; text++)
        n += *text == ',';
    return n;
}

static Status read_weights(const char *text, int64_t n, double *weight) {
    for (int64_t c = 0; c < n; c++) {
        char item[64];
        size_t length = strcspn(text, ",");
        if (length >= sizeof item)
            return FAIL(ST_USAGE, "class-weights: '%.20s...' is too long for a number", text);
        memcpy(item, text, length);
        item[length] = '\0';
        if (parse_real(item, &weight[c]) != PARSE_OK || !(weight[c] > 0))
            return FAIL(ST_USAGE, "class-weights: '%s' is not a number above 0", item);
        text += length + (text[length] == ',');
    }
    return ST_OK;
}

static Status check_range(int64_t n, const double *weight, double *most) {
    double least = weight[0];
    *most = weight[0];
    for (int64_t c = 1; c < n; c++) {
        least = weight[c] < least ? weight[c] : least;
        *most = weight[c] > *most ? weight[c] : *most;
    }
    if (least * CLASS_WEIGHTS_RANGE < *most)
        return FAIL(ST_USAGE,
                    "class-weights: %g is more than %d times %g: give weights that are nearer to "
                    "each other",
                    *most, CLASS_WEIGHTS_RANGE, least);
    return ST_OK;
}

Status model_weigh_classes(Model *model, const char *text) {
    Layer *loss = &model->layers[model->n_layers - 1];
    int64_t classes = model->classes, outputs = loss->in[0].c;
    Status status = ST_OK;
    double *weight = NULL, most = 0;
    if (text[0] == '\0')
        return ST_OK;
    if (count_of(text) != classes)
        return FAIL(ST_USAGE,
                    "class-weights has %" PRId64 " numbers, but the data has %" PRId64
                    " classes: give one for each, in the order of their labels",
                    count_of(text), classes);
    weight = calloc((size_t)classes, sizeof *weight);
    TRY_ALLOC(weight);
    TRY_DONE(read_weights(text, classes, weight));
    TRY_DONE(check_range(classes, weight, &most));
    model->class_weights = calloc((size_t)outputs, sizeof *model->class_weights);
    if (!model->class_weights)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory"));
    for (int64_t c = 0; c < outputs; c++)
        model->class_weights[c] = c < classes ? (float)(weight[c] / most) : 1;
    loss->args.loss.weights = model->class_weights;
done:
    free(weight);
    return status;
}
