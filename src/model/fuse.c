/* fuse: which layers become one op.
 *
 * This is the one place outside src/layers and the backends that knows kinds by name, for a fused
 * addition or ReLU is a flag of an op (OpDesc.add, relu). Both are fused behind the layer they
 * follow, where the device can (Device.fuses_add, fuses_relu) and nothing else reads what lies
 * between. A fused op runs at the place of its first layer, whose parameters it has: the other
 * summand must be computed by then. */
#include "program_internal.h"

_Static_assert(LAYER_KINDS <= 32, "Device.fuses_add and fuses_relu have a bit for each kind");

/* The only layer that reads layer `l`'s output, if it is of `kind`; else -1. */
static int only_reader(const Model *model, int l, LayerKind kind) {
    int reader = -1, readers = 0;
    for (int i = l + 1; i < model->n_layers; i++) {
        for (int k = 0; k < model->layers[i].n_in; k++) {
            if (model->layers[i].input[k] != l)
                continue;
            readers++;
            reader = i;
        }
    }
    return readers == 1 && model->layers[reader].kind == kind ? reader : -1;
}

/* The layer whose output the addition `add` adds to that of layer `l`. */
static int other_summand(const Model *model, int add, int l) {
    const int *input = model->layers[add].input;
    return input[0] == l ? input[1] : input[0];
}

/* The tensor that is layer `l`'s output; NO_TENSOR where it is not computed yet. */
static int tensor_of(const int *output_of, int l) {
    return l == LAYER_IMAGE ? 0 : output_of[l];
}

/* An op whose middle waits for the other lanes has nothing fused behind it. */
static bool fuses_nothing(const Layer *layer) {
    return layer->kind == LAYER_BN && layer->args.bn.over == BN_OVER_BATCH;
}

/* The addition that can be fused behind layer `l`, which reads one tensor, or -1. The other summand
 * must be there first. */
static int fusable_add(const Program *program, const int *output_of, int l) {
    const Model *model = program->model;
    int add = only_reader(model, l, LAYER_ADD);
    if (add < 0 || model->layers[l].n_in > 1 || fuses_nothing(&model->layers[l]) ||
        !(program->device->fuses_add >> model->layers[l].kind & 1))
        return -1;
    return tensor_of(output_of, other_summand(model, add, l)) != NO_TENSOR ? add : -1;
}

/* The ReLU that can be fused behind layer `l`, whose op's result is that of layer `last`; or -1. */
static int fusable_relu(const Program *program, int l, int last) {
    bool fuses = program->device->fuses_relu >> program->model->layers[l].kind & 1;
    return fuses && !fuses_nothing(&program->model->layers[l])
               ? only_reader(program->model, last, LAYER_RELU)
               : -1;
}

/* Layers of the same kind before layer `l`. */
static int count_before(const Model *model, int l) {
    int before = 0;
    for (int i = 0; i < l; i++)
        before += model->layers[i].kind == model->layers[l].kind;
    return before;
}

void program_list_ops(Program *program, OpDesc *descs, int *output_of) {
    const Model *model = program->model;
    program->n_ops = 0;
    for (int l = 0; l < model->n_layers; l++)
        output_of[l] = NO_TENSOR;
    for (int l = 0; l < model->n_layers; l++) {
        const Layer *layer = &model->layers[l];
        if (output_of[l] != NO_TENSOR) /* it was fused */
            continue;
        int o = program->n_ops++;
        int add = fusable_add(program, output_of, l);
        int relu = fusable_relu(program, l, add >= 0 ? add : l);
        int *input = program->input[o];
        int n_in = layer->n_in;
        for (int i = 0; i < LAYER_INPUTS_MAX; i++)
            input[i] = i < n_in ? tensor_of(output_of, layer->input[i]) : NO_TENSOR;
        if (add >= 0)
            input[n_in++] = tensor_of(output_of, other_summand(model, add, l));
        output_of[l] = o + 1;
        if (add >= 0)
            output_of[add] = o + 1;
        if (relu >= 0)
            output_of[relu] = o + 1;
        descs[o] = (OpDesc){.layer = layer,
                            .index = l,
                            .ordinal = count_before(model, l),
                            .training = program->training,
                            .add = add >= 0,
                            .relu = relu >= 0,
                            .n_in = n_in};
    }
}
