/* floor: how fast the machine's own library can be at one recipe. Runs every oneDNN primitive of a
 * training step of one lane, forward in order and backward in reverse, on buffers of real sizes, a
 * lane on each of T threads at once, and prints images/s: what the trainer is measured against.
 *
 * No data, dropout, loss, optimizer, packing of weights or sum over lanes. Each convolution takes
 * the faster of direct and Winograd, timed here; layouts are the backend's, and as there a layer
 * for which oneDNN has only generic code in bf16 is computed in fp32 (its copies are not counted).
 * Nothing else is shared with the backend's ops.
 *
 *     build/bench/floor configs/resnet9.yaml [--threads T] [--batch-size B] [--lanes L]
 *                       [--precision bf16] */
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/cpu/primitive.h"
#include "../src/cpu/rule.h"
#include "lockstep/clock.h"
#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/model.h"

enum { ARGS_MAX = 16, LAYERS_MAX = 256, CALLS_MAX = 3 * LAYERS_MAX, KEPT = 5, ALIGN = 4096 };
enum { THREADS_MAX = 256, WARM_STEPS = 2, STEPS_MAX = 4096 };
static const double MEASURED_SECONDS = 4;

/* What an argument of a primitive is: tensors of the layer; KEPT_x, what forward leaves to
 * backward; or memory of the call's own. */
typedef enum Role {
    IN,
    WITH,
    OUT,
    GRAD_IN,
    GRAD_WITH,
    GRAD_OUT,
    OWN,
    KEPT_MEAN,
    KEPT_VARIANCE,
    KEPT_SCALE,
    KEPT_SHIFT,
    KEPT_WORKSPACE
} Role;

typedef struct ArgRole {
    int id; /* DNNL_ARG_x; 0 ends a list */
    Role role;
} ArgRole;

/* All arguments any forward or backward primitive takes; each takes those it has. */
static const ArgRole forward_args[] = {
    {DNNL_ARG_SRC, IN},           {DNNL_ARG_SRC_1, WITH},
    {DNNL_ARG_DST, OUT},          {DNNL_ARG_WEIGHTS, OWN},
    {DNNL_ARG_BIAS, OWN},         {DNNL_ARG_MEAN, KEPT_MEAN},
    {DNNL_ARG_SCALE, KEPT_SCALE}, {DNNL_ARG_VARIANCE, KEPT_VARIANCE},
    {DNNL_ARG_SHIFT, KEPT_SHIFT}, {DNNL_ARG_WORKSPACE, KEPT_WORKSPACE},
    {DNNL_ARG_SCRATCHPAD, OWN},   {0}};
static const ArgRole backward_args[] = {{DNNL_ARG_SRC, IN},
                                        {DNNL_ARG_DST, OUT},
                                        {DNNL_ARG_DIFF_DST, GRAD_OUT},
                                        {DNNL_ARG_DIFF_SRC, GRAD_IN},
                                        {DNNL_ARG_WEIGHTS, OWN},
                                        {DNNL_ARG_DIFF_WEIGHTS, OWN},
                                        {DNNL_ARG_DIFF_BIAS, OWN},
                                        {DNNL_ARG_MEAN, KEPT_MEAN},
                                        {DNNL_ARG_SCALE, KEPT_SCALE},
                                        {DNNL_ARG_VARIANCE, KEPT_VARIANCE},
                                        {DNNL_ARG_WORKSPACE, KEPT_WORKSPACE},
                                        {DNNL_ARG_DIFF_SCALE, OWN},
                                        {DNNL_ARG_DIFF_SHIFT, OWN},
                                        {DNNL_ARG_SCRATCHPAD, OWN},
                                        {NORM_BACKWARD_SHIFT, KEPT_SHIFT},
                                        {0}};
/* The sum of the gradients of an input that has another reader. */
static const ArgRole sum_args[] = {
    {DNNL_ARG_SRC_0, GRAD_WITH}, {DNNL_ARG_SRC_1, GRAD_OUT}, {DNNL_ARG_DST, GRAD_WITH}, {0}};

/* A primitive, and the buffer of each argument. */
typedef struct Call {
    const Layer *layer;
    const char *pass;
    dnnl_primitive_t primitive;
    int n_args;
    int id[ARGS_MAX], buffer[ARGS_MAX];
} Call;

/* What one lane runs. Tensor 0 is the image, tensor l + 1 the output of layer l. */
typedef struct Floor {
    dnnl_engine_t engine;
    const Model *model;
    int64_t batch;
    bool wide;
    DType type; /* of activations, and of the weights they meet */
    Shape shape[LAYERS_MAX];
    int layout[LAYERS_MAX], value[LAYERS_MAX], gradient[LAYERS_MAX]; /* the latter two: buffers */
    int kept[LAYERS_MAX][KEPT];
    int n_buffers;
    size_t bytes[ARGS_MAX * CALLS_MAX]; /* of a buffer: the most that a call wants of it */
    int n_calls;                        /* forward calls so far; once all are listed, of all */
    int n_backward;
    Call call[CALLS_MAX]; /* in order of execution: while they are listed, backward from the end */
} Floor;

/* One thread: a lane's own buffers, and what it measured. */
typedef struct Lane {
    pthread_t thread;
    const Floor *floor;
    pthread_barrier_t *start;
    void **memory; /* [n_buffers] */
    dnnl_stream_t stream;
    dnnl_exec_arg_t args[CALLS_MAX][ARGS_MAX];
    double best_s[CALLS_MAX]; /* of each call */
    double step_s;            /* the median of a step */
    Status status;
    StatusRecord record;
} Lane;

/* ---- Listing the calls ---- */

static int buffer_of(Floor *floor, const Layer *layer, Role role) {
    int l = (int)(layer - floor->model->layers);
    switch (role) {
    case IN:
        return floor->value[layer->input[0] + 1];
    case WITH:
        return floor->value[layer->input[1] + 1];
    case OUT:
        return floor->value[l + 1];
    case GRAD_IN:
        return floor->gradient[layer->input[0] + 1];
    case GRAD_WITH:
        return floor->gradient[layer->input[1] + 1];
    case GRAD_OUT:
        return floor->gradient[l + 1];
    case OWN:
        return floor->n_buffers++;
    default:
        if (floor->kept[l][role - KEPT_MEAN] == 0)
            floor->kept[l][role - KEPT_MEAN] = floor->n_buffers++;
        return floor->kept[l][role - KEPT_MEAN];
    }
}

static void assign_buffers(Floor *floor, Call *call, const ArgRole *roles) {
    for (; roles->id != 0; roles++) {
        size_t bytes = primitive_bytes(call->primitive, roles->id);
        if (bytes == 0)
            continue;
        int buffer = buffer_of(floor, call->layer, roles->role);
        call->id[call->n_args] = roles->id;
        call->buffer[call->n_args++] = buffer;
        if (bytes > floor->bytes[buffer])
            floor->bytes[buffer] = bytes;
    }
}

/* Adds a call behind the forward ones or before the backward ones; the caller makes its primitive,
 * then calls assign_buffers. */
static Call *add_call(Floor *floor, const Layer *layer, bool backward, const char *pass) {
    Call *call =
        backward ? &floor->call[CALLS_MAX - ++floor->n_backward] : &floor->call[floor->n_calls++];
    call->layer = layer;
    call->pass = pass;
    return call;
}

/* Memory that is really there, not the kernel's one page of zeros. */
static Status new_memory(size_t bytes, void **memory) {
    *memory = aligned_alloc(ALIGN, (bytes + ALIGN) / ALIGN * ALIGN);
    TRY_ALLOC(*memory);
    memset(*memory, 0, bytes);
    return ST_OK;
}

static Status bind_argument(const Floor *floor, const Call *call, int i, void *memory,
                            dnnl_exec_arg_t *arg) {
    arg->arg = call->id[i];
    return primitive_memory(call->primitive, call->id[i], floor->engine, memory, &arg->memory);
}

/* Seconds of the best of a few runs of a primitive, on memory of its own. */
static Status time_primitive(const Floor *floor, dnnl_primitive_t primitive, double *seconds) {
    Call call = {.primitive = primitive};
    dnnl_exec_arg_t args[2 * ARGS_MAX];
    void *memory[2 * ARGS_MAX];
    dnnl_stream_t stream;
    for (int r = 0; backward_args[r].id != 0 && call.n_args < ARGS_MAX; r++)
        if (primitive_bytes(primitive, backward_args[r].id) > 0)
            call.id[call.n_args++] = backward_args[r].id;
    if (primitive_bytes(primitive, DNNL_ARG_BIAS) > 0)
        call.id[call.n_args++] = DNNL_ARG_BIAS;
    for (int i = 0; i < call.n_args; i++) {
        TRY(new_memory(primitive_bytes(primitive, call.id[i]), &memory[i]));
        TRY(bind_argument(floor, &call, i, memory[i], &args[i]));
    }
    TRY_DNNL(dnnl_stream_create(&stream, floor->engine, dnnl_stream_in_order));
    *seconds = 1e9;
    for (int run = 0; run < 4; run++) {
        double start = clock_now();
        TRY_DNNL(dnnl_primitive_execute(primitive, stream, call.n_args, args));
        double taken = clock_now() - start;
        *seconds = taken < *seconds ? taken : *seconds;
    }
    TRY_DNNL(dnnl_stream_destroy(stream));
    for (int i = 0; i < call.n_args; i++) {
        TRY_DNNL(dnnl_memory_destroy(args[i].memory));
        free(memory[i]);
    }
    return ST_OK;
}

typedef enum Pass { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS } Pass;

static Status create_product(const Floor *floor, const Product *product, bool conv, Pass pass,
                             const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    dnnl_engine_t engine = floor->engine;
    if (pass == FORWARD)
        return conv ? primitive_conv_forward(engine, product, primitive)
                    : primitive_linear_forward(engine, product, primitive);
    if (pass == BACKWARD_DATA)
        return conv ? primitive_conv_backward_data(engine, product, forward, primitive)
                    : primitive_linear_backward_data(engine, product, forward, primitive);
    return conv ? primitive_conv_backward_weights(engine, product, forward, primitive)
                : primitive_linear_backward_weights(engine, product, forward, primitive);
}

/* Appends a pass by the faster algorithm. */
static Status list_pass(Floor *floor, const Layer *layer, Product product, Pass pass,
                        const_dnnl_primitive_t forward) {
    static const char *names[] = {"forward", "backward data", "backward weights"};
    bool conv = layer->kind == LAYER_CONV;
    Call *call = add_call(floor, layer, pass != FORWARD, names[pass]);
    TRY(create_product(floor, &product, conv, pass, forward, &call->primitive));
    if (conv && floor->type == DT_F32) { /* Winograd is for fp32 alone */
        dnnl_primitive_t other;
        double direct, winograd;
        product.winograd = true; /* where there is none this is direct again */
        TRY(create_product(floor, &product, conv, pass, forward, &other));
        TRY(time_primitive(floor, call->primitive, &direct));
        TRY(time_primitive(floor, other, &winograd));
        dnnl_primitive_t slower = winograd < direct ? call->primitive : other;
        call->primitive = winograd < direct ? other : call->primitive;
        primitive_free(slower);
    }
    assign_buffers(floor, call, pass == FORWARD ? forward_args : backward_args);
    return ST_OK;
}

static Product product_of(const Floor *floor, int l, bool relu) {
    const Layer *layer = &floor->model->layers[l];
    int in = layer->input[0] + 1, out = l + 1;
    Shape x = floor->shape[in], y = floor->shape[out];
    int64_t features = x.c * x.h * x.w, k = layer->args.conv.kernel;
    int64_t groups = layer->kind == LAYER_CONV ? layer->args.conv.groups : 1;
    const int64_t dims[] = {groups, y.c / groups, x.c / groups, k, k};
    if (layer->kind == LAYER_LINEAR)
        return (Product){.src = md_typed(md_plain(2, (int64_t[]){x.n, features}), floor->type),
                         .dst = md_typed(md_plain(2, (int64_t[]){y.n, y.c}), floor->type),
                         .weights = md_typed(md_any(2, (int64_t[]){y.c, features}), floor->type),
                         .bias = md_plain(1, &y.c),
                         .has_bias = layer->args.linear.bias,
                         .relu = relu};
    return (Product){.src = md_activation(floor->type, x, floor->layout[in]),
                     .dst = md_activation(floor->type, y, floor->layout[out]),
                     .weights =
                         md_typed(groups > 1 ? md_any(5, dims) : md_any(4, dims + 1), floor->type),
                     .bias = md_plain(1, &y.c),
                     .has_bias = layer->args.conv.bias,
                     .relu = relu,
                     .stride = layer->args.conv.stride,
                     .pad = layer->args.conv.pad};
}

static Status list_product(Floor *floor, int l, bool relu) {
    const Layer *layer = &floor->model->layers[l];
    Product product = product_of(floor, l, relu);
    TRY(list_pass(floor, layer, product, FORWARD, NULL));
    const_dnnl_primitive_t forward = floor->call[floor->n_calls - 1].primitive;
    product.relu = false;
    if (layer->input[0] != LAYER_IMAGE)
        TRY(list_pass(floor, layer, product, BACKWARD_DATA, forward));
    return list_pass(floor, layer, product, BACKWARD_WEIGHTS, forward);
}

/* Whether a ReLU is the only reader of layer l, and l's primitive can contain it. */
static bool relu_fused_behind(const Model *model, int l) {
    LayerKind kind = model->layers[l].kind;
    int readers = 0, relus = 0;
    for (int i = 0; i < model->n_layers; i++) {
        for (int k = 0; k < model->layers[i].n_in; k++) {
            bool reads = model->layers[i].input[k] == l;
            readers += reads;
            relus += reads && model->layers[i].kind == LAYER_RELU;
        }
    }
    return readers == 1 && relus == 1 &&
           (kind == LAYER_CONV || kind == LAYER_BN || kind == LAYER_LINEAR || kind == LAYER_ADD);
}

static bool is_fused_relu(const Model *model, int l) {
    const Layer *layer = &model->layers[l];
    return layer->kind == LAYER_RELU && layer->input[0] != LAYER_IMAGE &&
           relu_fused_behind(model, layer->input[0]);
}

/* A fused ReLU has no forward call of its own; behind batch norm no backward one either. */
static Status list_fused_relu(Floor *floor, int l) {
    const Layer *layer = &floor->model->layers[l];
    MemDesc md = md_activation(floor->type, floor->shape[l + 1], floor->layout[l + 1]);
    if (floor->model->layers[layer->input[0]].kind == LAYER_BN)
        return ST_OK;
    Call *backward = add_call(floor, layer, true, "backward");
    TRY(primitive_pointwise_backward(floor->engine, POINTWISE_RELU, 0, &md, &backward->primitive));
    assign_buffers(floor, backward, backward_args);
    return ST_OK;
}

static Pooling pooling_of(const Floor *floor, int l) {
    const Layer *layer = &floor->model->layers[l];
    int in = layer->input[0] + 1;
    Tensor out = {.shape = floor->shape[l + 1], .layout = floor->layout[l + 1]};
    int layout = rule_layout_beside(&out, floor->layout[in]);
    return (Pooling){.src = md_activation(floor->type, floor->shape[in], floor->layout[in]),
                     .dst = md_activation(floor->type, out.shape, layout),
                     .kernel = layer->args.pool.kernel,
                     .stride = layer->args.pool.stride,
                     .pad = layer->args.pool.pad,
                     .average = layer->kind == LAYER_AVGPOOL,
                     .count_pad = layer->args.pool.count_pad,
                     .training = true};
}

static Status create_pointwise(const Floor *floor, Pointwise function, double factor,
                               const MemDesc *md, dnnl_primitive_t *forward,
                               dnnl_primitive_t *backward) {
    TRY(primitive_pointwise_forward(floor->engine, function, factor, md, forward));
    return primitive_pointwise_backward(floor->engine, function, factor, md, backward);
}

/* The primitives of a layer that has one each way. */
static Status create_pair(const Floor *floor, int l, dnnl_primitive_t *forward,
                          dnnl_primitive_t *backward) {
    const Layer *layer = &floor->model->layers[l];
    dnnl_engine_t engine = floor->engine;
    MemDesc md = md_activation(floor->type, floor->shape[l + 1], floor->layout[l + 1]);
    bool relu = relu_fused_behind(floor->model, l);
    Pooling pooling;
    BatchNorm norm;
    switch (layer->kind) {
    case LAYER_BN:
        norm = (BatchNorm){.map = md,
                           .eps = layer->args.bn.eps,
                           .scale = layer->args.bn.scale,
                           .shift = layer->args.bn.bias,
                           .relu = relu,
                           .training = true};
        TRY(primitive_bn_forward(engine, &norm, forward));
        return primitive_bn_backward(engine, &norm, *forward, backward);
    case LAYER_ADD:
        TRY(primitive_add(engine, &md, relu, forward));
        return primitive_add(engine, &md, false, backward);
    case LAYER_MAXPOOL:
    case LAYER_AVGPOOL:
        pooling = pooling_of(floor, l);
        TRY(primitive_pool_forward(engine, &pooling, forward));
        return primitive_pool_backward(engine, &pooling, *forward, backward);
    case LAYER_SCALE:
        return create_pointwise(floor, POINTWISE_SCALE, layer->args.scale.factor, &md, forward,
                                backward);
    case LAYER_GELU:
        return create_pointwise(floor, POINTWISE_GELU, 0, &md, forward, backward);
    case LAYER_SILU:
        return create_pointwise(floor, POINTWISE_SILU, 0, &md, forward, backward);
    case LAYER_SIGMOID:
        return create_pointwise(floor, POINTWISE_SIGMOID, 0, &md, forward, backward);
    case LAYER_TANH:
        return create_pointwise(floor, POINTWISE_TANH, 0, &md, forward, backward);
    case LAYER_RELU6:
        return create_pointwise(floor, POINTWISE_RELU6, 0, &md, forward, backward);
    case LAYER_LEAKY_RELU:
        return create_pointwise(floor, POINTWISE_LEAKY_RELU, layer->args.leaky_relu.slope, &md,
                                forward, backward);
    case LAYER_RELU:
        return create_pointwise(floor, POINTWISE_RELU, 0, &md, forward, backward);
    default:
        return FAIL(ST_USAGE, "layer %s: floor does not know what oneDNN has for '%s'", layer->name,
                    layer_type(layer->kind)->name);
    }
}

static Status list_layer_in(Floor *floor, int l) {
    const Layer *layer = &floor->model->layers[l];
    if (layer->kind == LAYER_DROPOUT || layer_type(layer->kind)->is_loss)
        return ST_OK;
    if (layer->kind == LAYER_CONV || layer->kind == LAYER_LINEAR)
        return list_product(floor, l, relu_fused_behind(floor->model, l));
    if (is_fused_relu(floor->model, l))
        return list_fused_relu(floor, l);
    Call *forward = add_call(floor, layer, false, "forward");
    Call *backward = add_call(floor, layer, true, "backward");
    TRY(create_pair(floor, l, &forward->primitive, &backward->primitive));
    assign_buffers(floor, forward, forward_args);
    assign_buffers(floor, backward, layer->kind == LAYER_ADD ? sum_args : backward_args);
    return ST_OK;
}

/* Whether oneDNN has only code for any processor for some of the calls from these on. */
static bool any_generic(const Floor *floor, int forward, int backward) {
    bool generic = false;
    for (int c = forward; c < floor->n_calls; c++)
        generic = generic || primitive_is_generic(floor->call[c].primitive);
    for (int c = backward; c < floor->n_backward; c++)
        generic = generic || primitive_is_generic(floor->call[CALLS_MAX - 1 - c].primitive);
    return generic;
}

/* In the step's type; where that has generic code alone, all of the layer in fp32. */
static Status list_layer(Floor *floor, int l) {
    int forward = floor->n_calls, backward = floor->n_backward;
    TRY(list_layer_in(floor, l));
    if (floor->type == DT_F32 || !any_generic(floor, forward, backward))
        return ST_OK;
    while (floor->n_calls > forward) {
        primitive_free(floor->call[--floor->n_calls].primitive);
        floor->call[floor->n_calls] = (Call){0};
    }
    while (floor->n_backward > backward) {
        Call *call = &floor->call[CALLS_MAX - floor->n_backward--];
        primitive_free(call->primitive);
        *call = (Call){0};
    }
    DType type = floor->type;
    floor->type = DT_F32;
    Status status = list_layer_in(floor, l);
    floor->type = type;
    return status;
}

/* Shapes, layouts and buffers of all activations, then all calls. Dropout, which does nothing here,
 * and fused ReLUs share their input's buffers. */
static Status list_calls(Floor *floor) {
    const Model *model = floor->model;
    if (model->n_layers >= LAYERS_MAX)
        return FAIL(ST_USAGE, "the model has more layers than floor takes (%d)", LAYERS_MAX - 1);
    floor->n_buffers = 1; /* 0 marks what is not there yet */
    bool want_nhwc = false;
    for (int t = 0; t <= model->n_layers; t++) {
        const Layer *layer = t > 0 ? &model->layers[t - 1] : NULL;
        if (layer && layer->kind == LAYER_CONV)
            want_nhwc = want_nhwc ||
                        rule_groups_want_nhwc(layer->args.conv.groups, layer->in[0].c, layer->out.c,
                                              layer->args.conv.kernel, floor->wide);
        bool shares = layer && (layer->kind == LAYER_DROPOUT || is_fused_relu(model, t - 1));
        floor->shape[t] = layer ? layer->out : model->image;
        floor->shape[t].n = floor->batch;
        floor->value[t] = shares ? floor->value[layer->input[0] + 1] : floor->n_buffers++;
        floor->gradient[t] = shares ? floor->gradient[layer->input[0] + 1] : floor->n_buffers++;
    }
    rule_layouts(floor->shape, model->n_layers, want_nhwc, floor->wide, floor->layout);
    for (int l = 0; l < model->n_layers; l++)
        TRY(list_layer(floor, l));
    memmove(floor->call + floor->n_calls, floor->call + CALLS_MAX - floor->n_backward,
            (size_t)floor->n_backward * sizeof *floor->call);
    floor->n_calls += floor->n_backward;
    return ST_OK;
}

/* ---- Measuring ---- */

static Status lane_open(Lane *lane) {
    const Floor *floor = lane->floor;
    omp_set_num_threads(1);
    TRY_DNNL(dnnl_stream_create(&lane->stream, floor->engine, dnnl_stream_in_order));
    lane->memory = calloc((size_t)floor->n_buffers, sizeof *lane->memory);
    TRY_ALLOC(lane->memory);
    for (int b = 0; b < floor->n_buffers; b++)
        TRY(new_memory(floor->bytes[b], &lane->memory[b]));
    for (int c = 0; c < floor->n_calls; c++) {
        const Call *call = &floor->call[c];
        for (int i = 0; i < call->n_args; i++)
            TRY(bind_argument(floor, call, i, lane->memory[call->buffer[i]], &lane->args[c][i]));
    }
    return ST_OK;
}

static Status lane_step(Lane *lane) {
    for (int c = 0; c < lane->floor->n_calls; c++) {
        const Call *call = &lane->floor->call[c];
        double start = clock_now();
        TRY_DNNL(
            dnnl_primitive_execute(call->primitive, lane->stream, call->n_args, lane->args[c]));
        double taken = clock_now() - start;
        if (lane->best_s[c] == 0 || taken < lane->best_s[c])
            lane->best_s[c] = taken;
    }
    return ST_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static Status lane_measure(Lane *lane) {
    double taken[STEPS_MAX], start = clock_now(), before = start;
    int steps = 0;
    while (steps < STEPS_MAX && before - start < MEASURED_SECONDS) {
        TRY(lane_step(lane));
        double now = clock_now();
        taken[steps++] = now - before;
        before = now;
    }
    qsort(taken, (size_t)steps, sizeof *taken, ascending);
    lane->step_s = taken[steps / 2];
    return ST_OK;
}

/* All lanes start to measure at once, also those that failed: nobody waits for them for good. */
static void *lane_main(void *argument) {
    Lane *lane = argument;
    lane->status = lane_open(lane);
    for (int step = 0; step < WARM_STEPS && lane->status == ST_OK; step++)
        lane->status = lane_step(lane);
    pthread_barrier_wait(lane->start);
    if (lane->status == ST_OK)
        lane->status = lane_measure(lane);
    status_take(&lane->record);
    return NULL;
}

static void print_calls(const Floor *floor, const Lane *lane) {
    for (int c = 0; c < floor->n_calls; c++) {
        const Call *call = &floor->call[c];
        double work = (double)floor->batch * (double)layer_multiply_adds(call->layer);
        printf("%-14s %-17s %10.3f ms %10.1f GFLOP/s  %s\n", call->layer->name, call->pass,
               1e3 * lane->best_s[c], 2e-9 * work / lane->best_s[c],
               primitive_name(call->primitive));
    }
}

static Status measure(const Floor *floor, int threads, const char *name) {
    Status status = ST_OK;
    pthread_barrier_t start;
    Lane *lanes = calloc((size_t)threads, sizeof *lanes);
    double images_per_s = 0;
    TRY_ALLOC(lanes);
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    for (int t = 0; t < threads; t++) {
        lanes[t] = (Lane){.floor = floor, .start = &start};
        if (pthread_create(&lanes[t].thread, NULL, lane_main, &lanes[t]) != 0)
            return FAIL(ST_INTERNAL, "cannot start thread %d", t);
    }
    for (int t = 0; t < threads; t++) {
        pthread_join(lanes[t].thread, NULL);
        if (lanes[t].status != ST_OK && status == ST_OK)
            status = status_put(&lanes[t].record);
        images_per_s += (double)floor->batch / lanes[t].step_s;
    }
    if (status == ST_OK) {
        print_calls(floor, &lanes[0]);
        printf("floor of %s%s: %.1f images/s (lanes of %ld images on %d threads)\n", name,
               floor->type == DT_BF16 ? " in bf16" : "", images_per_s, (long)floor->batch, threads);
    }
    pthread_barrier_destroy(&start);
    free(lanes);
    return status;
}

static Status run(int argc, char **argv, RunConfig *config, Floor *floor, Model *model) {
    TRY(config_load(argc - 1, argv + 1, config));
    Dataset dataset;
    dataset_cifar10(&dataset);
    TRY(model_parse(config->model, config->file, config->model_line, dataset.image, dataset.classes,
                    0, model));
    int threads = (int)(config->threads > 0 ? config->threads : sysconf(_SC_NPROCESSORS_ONLN));
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    omp_set_num_threads(1);
    floor->model = model;
    floor->type = config->precision == PRECISION_BF16 ? DT_BF16 : DT_F32;
    floor->batch = config->batch_size / (config->lanes > 0 ? config->lanes : threads);
    floor->wide =
        (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    TRY_DNNL(dnnl_engine_create(&floor->engine, dnnl_cpu, 0));
    TRY(list_calls(floor));
    return measure(floor, threads, config->name);
}

/* The process ends here: primitives and buffers go with it. */
int main(int argc, char **argv) {
    RunConfig *config = calloc(1, sizeof *config);
    Floor *floor = calloc(1, sizeof *floor);
    Model model = {0};
    if (!config || !floor)
        return ST_INTERNAL;
    if (argc < 2) {
        fprintf(stderr, "usage: floor CONFIG [options of lockstep train]\n");
        return ST_USAGE;
    }
    Status status = run(argc, argv, config, floor, &model);
    if (status != ST_OK)
        fprintf(stderr, "floor: %s\n", status_message());
    model_free(&model);
    free(floor);
    free(config);
    return (int)status;
}
