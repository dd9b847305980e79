/* The arguments of a layer: which there are, their values, and what they are without text. */
#include "layers.h"

const LayerArg *layer_arg(const LayerType *type, int i) {
    const LayerArg *arg = type->args;
    while (arg->key && i > 0) {
        arg++;
        i--;
    }
    if (!arg->key && type->init)
        arg = type->init->args + i;
    return arg->key ? arg : NULL;
}

double layer_arg_default(const InitRule *init, const LayerArg *arg) {
    if (arg->absent != ABSENT_INIT)
        return arg->otherwise;
    Layer plain = {.init = init->otherwise};
    return layer_arg_value(&plain, arg);
}

bool layer_arg_is_implied(const Layer *layer, const LayerArg *arg) {
    const LayerType *type = layer_type(layer->kind);
    if ((type->implies && type->implies(layer, arg)) || !layer_arg_is_used(layer, arg))
        return true;
    if (arg->offset == offsetof(Layer, init.gain))
        return layer->init.gain == layer_usual_gain(layer->init.weight);
    return arg->absent != ABSENT_REFUSED &&
           layer_arg_value(layer, arg) == layer_arg_default(type->init, arg);
}

double layer_arg_value(const Layer *layer, const LayerArg *arg) {
    const void *field = (const char *)layer + arg->offset;
    switch (arg->type) {
    case ARG_INT:
    case ARG_OUTPUTS:
        return (double)*(const int64_t *)field;
    case ARG_REAL:
        return *(const double *)field;
    case ARG_FLAG:
        return *(const bool *)field;
    case ARG_WORD:
        return *(const int *)field;
    }
    return 0;
}
