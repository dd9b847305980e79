/* layers: what the files of this folder share: the LayerType each of them defines. */
#ifndef LOCKSTEP_LAYERS_LAYERS_H
#define LOCKSTEP_LAYERS_LAYERS_H

#include <stddef.h>

#include "lockstep/layer.h"

#define LAYER(lower, UPPER) extern const LayerType layer_##lower;
#include "lockstep/layers.def"

/* Bounds of arguments: wide enough for any real model, small enough that no product of shapes
 * overflows 64 bits. */
enum { ARG_CHANNELS_MAX = 65536, ARG_KERNEL_MAX = 64 };

/* For layers without arguments. */
extern const LayerArg layer_no_args[];

/* infer of layers whose output has the shape of their first input and that have no parameters. */
Status layer_infer_same(Layer *layer);

/* Size of an output side: windows of `kernel` at distance `stride` in `in` + 2 `pad`; 0 where none
 * fits. */
int64_t layer_windows(int64_t in, int64_t kernel, int64_t stride, int64_t pad);

/* How the weight begins, by layer->init. */
void layer_set_init(Layer *layer, ParamSpec *weight);

/* The gain where text gives none. */
double layer_usual_gain(InitKind init);

/* A weight and, if `bias`, a bias, which begin as layer->init says. dim[4] is the weight's shape,
 * dim[0] the bias's. */
void layer_set_weight(Layer *layer, int ndim, const int64_t dim[4], bool bias);

/* One number a channel: a parameter that weight decay may spare, or a running statistic. */
ParamSpec layer_channel_param(const char *role, int64_t channels, InitKind init);

/* ST_USAGE, by the kind's name, unless `groups` divides the input's channels. */
Status layer_check_groups(const Layer *layer, int64_t groups);

/* Tokens of a map: its positions, row by row. */
int64_t layer_tokens(Shape map);

/* What both kinds of pooling have for infer and implies; `count_pad` is of avgpool alone. */
extern const LayerArg layer_maxpool_args[], layer_avgpool_args[];
Status layer_infer_pool(Layer *layer);
bool layer_pool_implies(const Layer *layer, const LayerArg *arg);

/* What both kinds of dropout have for args and infer. */
extern const LayerArg layer_dropout_args[];
Status layer_infer_dropout(Layer *layer);

#endif
