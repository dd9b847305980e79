/* Inputs and results of one row of the op table. */
#include "op_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/hash.h"
#include "lockstep/rng.h"

/* Near a fused ReLU's kink: further off than any rounding, TF32's too, or finite step moves a
 * value. */
static const double KINK = 0.02;

/* A stream of numbers for the data of one row. */
typedef struct Draw {
    RngKey key;
    uint32_t next;
} Draw;

/* Uniform in [low, high), exact in float. */
static double draw(Draw *d, double low, double high) {
    uint32_t word = rng_block(d->key, d->next++, 0, 0, 0).word[0];
    return (float)(low + (high - low) * rng_unit(word));
}

static double *draw_array(Draw *d, int64_t count, double low, double high) {
    double *value = calloc((size_t)count, sizeof *value);
    for (int64_t i = 0; value && i < count; i++)
        value[i] = draw(d, low, high);
    return value;
}

/* count different values, evenly spaced in about [-2, 2], in random order. */
static void draw_permutation(Draw *d, int64_t count, double *value) {
    for (int64_t i = 0; i < count; i++)
        value[i] = (float)(4.0 * (double)i / (double)count - 2.0);
    for (int64_t i = count - 1; i > 0; i--) {
        uint32_t word = rng_block(d->key, d->next++, 0, 0, 0).word[0];
        int64_t other = rng_below(word, (uint32_t)i + 1);
        double swap = value[i];
        value[i] = value[other];
        value[other] = swap;
    }
}

static void shape_input(const OpCase *row, Shape shape, Draw *d, double *in) {
    int64_t map = shape.h * shape.w, count = shape_count(shape);
    if (row->draw == DRAW_DISTINCT)
        draw_permutation(d, count, in);
    for (int64_t i = 0; i < count; i++) {
        if (row->draw == DRAW_OFF_SIX)
            in[i] = fabs(8 * in[i] - 6) < KINK ? 6 - KINK : 8 * in[i];
        if ((row->draw == DRAW_OFF_ZERO || row->draw == DRAW_OFF_SIX) && fabs(in[i]) < KINK)
            in[i] = KINK;
        if (row->draw == DRAW_CHANNELS)
            in[i] = (float)(in[i] * (1 + 0.1 * (double)(i / map % shape.c % 7)) +
                            (double)(i / map % shape.c % 5) - 2);
        if (row->draw == DRAW_LOGITS)
            in[i] *= 4;
        if (row->ties)
            in[i] = round(in[i]);
    }
}

/* How near 0 that is; of a row whose rounding is allowed a share of the typical output, beyond it.
 */
static double kink(const OpCase *row, const double *out, int64_t count) {
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += out[i] * out[i];
    return row->tolerance.tiled ? 5 * KINK * sqrt(squares / (double)count) : KINK;
}

/* Zeroes grad_out where the fused ReLU's input is near 0. */
static Status avoid_kinks(const OpCase *row, OpData *data) {
    Device *device = NULL;
    OpRun run = {0};
    OpResult result = {0};
    Status status = ST_OK;
    OpCase plain = *row;
    plain.add = plain.relu = false;
    TRY_DONE(device_open_ref64(&(DeviceOptions){0}, &device));
    TRY_DONE(op_run_open(device, &plain, &run));
    TRY_DONE(op_result_make(data, &result));
    TRY_DONE(op_run_forward(&run, data, &result));
    double near = kink(row, result.out, data->out_count);
    for (int64_t i = 0; i < data->out_count; i++)
        if (fabs(result.out[i] + (row->add ? data->in[1][i] : 0)) < near)
            data->grad_out[i] = 0;
done:
    op_result_free(&result);
    op_run_close(&run);
    if (device)
        device->ops->close(device);
    return status;
}

/* `p` in [0, 1) of the elements are dropped. */
static Status draw_mask(Draw *d, OpData *data, double p) {
    data->mask = calloc((size_t)data->out_count, 1);
    TRY_ALLOC(data->mask);
    for (int64_t i = 0; i < data->out_count; i++)
        data->mask[i] = draw(d, 0, 1) >= p;
    data->masks[OP_ORDINAL] = data->mask;
    data->run.n_dropout_masks = OP_ORDINAL + 1;
    data->run.dropout_mask = data->masks;
    return ST_OK;
}

/* Of its name alone, so that a row's data follow from nothing but the row. */
static uint64_t seed_of(const OpCase *row) {
    const char *other = getenv("TEST_SEED");
    return hash_bytes(row->name, strlen(row->name)) + (other ? strtoull(other, NULL, 10) : 0);
}

/* Of a mixed row: every third image has none, one of the others the same label twice. */
static Status draw_second(const OpCase *row, Draw *d, OpData *data) {
    if (!row->mixed)
        return ST_OK;
    data->second = calloc((size_t)row->in.n, sizeof *data->second);
    TRY_ALLOC(data->second);
    for (int64_t n = 0; n < row->in.n; n++) {
        int32_t label = (int32_t)draw(d, 0, (double)row->in.c);
        data->second[n].label = n == 1 ? data->labels[n] : label;
        data->second[n].share = n % 3 == 0 ? 0 : (int32_t)draw(d, 1, MIX_ONE);
    }
    return ST_OK;
}

Status op_data_make(const OpCase *row, OpData *data) {
    Layer layer;
    Draw d = {rng_key(seed_of(row), RNG_SYNTHETIC), 0};
    memset(data, 0, sizeof *data);
    TRY(op_case_layer(row, &layer));
    data->batch = row->in.n;
    data->channels = row->in.c;
    data->out_count = row->in.n * shape_count(layer.out);
    data->run = (LaneRun){
        .seed = 11, .step = INT64_C(5000000007), .lane = 6, .loss_scale = 0.25 / (double)row->in.n};

    for (int k = 0; k < op_case_tensors(row); k++) {
        Shape shape = op_case_shape(row, k);
        data->in_count[k] = shape_count(shape);
        data->in[k] = draw_array(&d, data->in_count[k], -1, 1);
        data->grad_before[k] = draw_array(&d, data->in_count[k], -1, 1);
        TRY_ALLOC(data->in[k]);
        TRY_ALLOC(data->grad_before[k]);
        shape_input(row, shape, &d, data->in[k]);
    }
    for (int i = 0; i < layer.n_params; i++) {
        bool around_one = layer.param[i].init == INIT_ONE;
        data->param_count[i] = param_count(&layer.param[i]);
        data->param[i] =
            draw_array(&d, data->param_count[i], around_one ? 0.5 : -0.5, around_one ? 1.5 : 0.5);
        TRY_ALLOC(data->param[i]);
    }
    for (int i = 0; i < layer.n_running; i++) {
        bool around_one = layer.running[i].init == INIT_ONE;
        data->running[i] = draw_array(&d, row->in.c, around_one ? 0.5 : -1, around_one ? 1.5 : 1);
        TRY_ALLOC(data->running[i]);
    }
    data->grad_out = draw_array(&d, data->out_count, -1, 1);
    TRY_ALLOC(data->grad_out);
    if (op_case_type(row)->is_loss) {
        data->labels = calloc((size_t)row->in.n, sizeof *data->labels);
        TRY_ALLOC(data->labels);
        for (int64_t n = 0; n < row->in.n; n++)
            data->labels[n] = (int32_t)draw(&d, 0, (double)row->in.c);
        TRY(draw_second(row, &d, data));
    }
    if (row->given_mask)
        TRY(draw_mask(&d, data, layer.args.dropout.rate));
    return row->relu ? avoid_kinks(row, data) : ST_OK;
}

static void round_array(double *value, int64_t count, int bits) {
    for (int64_t i = 0; value && i < count; i++) {
        int exponent;
        double fraction = frexp(value[i], &exponent);
        value[i] = ldexp(nearbyint(ldexp(fraction, bits)), exponent - bits);
    }
}

void op_data_round(OpData *data, int bits) {
    for (int k = 0; k < LAYER_INPUTS_MAX; k++) {
        round_array(data->in[k], data->in_count[k], bits);
        round_array(data->grad_before[k], data->in_count[k], bits);
    }
    for (int i = 0; i < LAYER_PARAMS_MAX; i++)
        round_array(data->param[i], data->param_count[i], bits);
    for (int i = 0; i < LAYER_RUNNING_MAX; i++)
        round_array(data->running[i], data->channels, bits);
    round_array(data->grad_out, data->out_count, bits);
}

void op_data_free(OpData *data) {
    for (int k = 0; k < LAYER_INPUTS_MAX; k++) {
        free(data->in[k]);
        free(data->grad_before[k]);
    }
    for (int i = 0; i < LAYER_PARAMS_MAX; i++)
        free(data->param[i]);
    for (int i = 0; i < LAYER_RUNNING_MAX; i++)
        free(data->running[i]);
    free(data->grad_out);
    free(data->labels);
    free(data->second);
    free(data->mask);
    memset(data, 0, sizeof *data);
}

Status op_result_make(const OpData *data, OpResult *result) {
    memset(result, 0, sizeof *result);
    result->out = calloc((size_t)data->out_count, sizeof *result->out);
    result->loss = calloc((size_t)data->batch, sizeof *result->loss);
    result->predicted = calloc((size_t)data->batch, sizeof *result->predicted);
    TRY_ALLOC(result->out);
    TRY_ALLOC(result->loss);
    TRY_ALLOC(result->predicted);
    for (int k = 0; k < LAYER_INPUTS_MAX; k++) {
        result->grad_in[k] = calloc((size_t)data->in_count[k] + 1, sizeof(double));
        TRY_ALLOC(result->grad_in[k]);
    }
    for (int i = 0; i < LAYER_PARAMS_MAX; i++) {
        result->grad_param[i] = calloc((size_t)data->param_count[i] + 1, sizeof(double));
        TRY_ALLOC(result->grad_param[i]);
    }
    for (int i = 0; i < LAYER_RUNNING_MAX; i++) {
        result->stats[i] = calloc((size_t)data->channels, sizeof(double));
        TRY_ALLOC(result->stats[i]);
    }
    return ST_OK;
}

void op_result_free(OpResult *result) {
    for (int k = 0; k < LAYER_INPUTS_MAX; k++)
        free(result->grad_in[k]);
    for (int i = 0; i < LAYER_PARAMS_MAX; i++)
        free(result->grad_param[i]);
    for (int i = 0; i < LAYER_RUNNING_MAX; i++)
        free(result->stats[i]);
    free(result->out);
    free(result->loss);
    free(result->predicted);
    memset(result, 0, sizeof *result);
}
