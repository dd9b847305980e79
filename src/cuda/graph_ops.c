/* cuda/graph_ops: the patterns of operations this backend uses, as cuDNN graphs. See graph.h. */
#include <stdio.h>

#include "graph_plan.h"

/* Printed in names: "128x64x32x32". */
#define SHAPE_FORMAT  "%dx%dx%dx%d"
#define SHAPE_ARGS(s) (int)(s).n, (int)(s).c, (int)(s).h, (int)(s).w

/* ---- Convolution ---- */

static Shape filter_shape(const GraphConv *conv) {
    return (Shape){conv->y.c, conv->x.c / conv->groups, conv->kernel, conv->kernel};
}

static void begin_conv(Builder *builder, GraphTarget *target, const GraphConv *conv,
                       const char *pass) {
    char groups[24] = "";
    if (conv->groups > 1)
        snprintf(groups, sizeof groups, " g%d", (int)conv->groups);
    build_begin(builder, target, conv->dtype, true, "conv %s " SHAPE_FORMAT " to %d k%d s%d p%d%s",
                pass, SHAPE_ARGS(conv->x), (int)conv->y.c, (int)conv->kernel, (int)conv->stride,
                (int)conv->pad, groups);
}

/* The operation's attributes that all passes share; their names are the pass's own. */
static Desc conv_op(Builder *builder, const GraphConv *conv, cudnnBackendDescriptorType_t type,
                    cudnnBackendAttributeName_t geometry_name) {
    const int64_t stride[2] = {conv->stride, conv->stride}, pad[2] = {conv->pad, conv->pad};
    const int64_t dilation[2] = {1, 1};
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    Desc geometry = build_new(builder, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    build_set(builder, geometry, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    build_set(builder, geometry, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1,
              &mode);
    build_set_int(builder, geometry, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
    build_set(builder, geometry, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
    build_set(builder, geometry, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2,
              stride);
    build_set(builder, geometry, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    build_set(builder, geometry, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    build_finalize(builder, geometry);
    Desc op = build_new(builder, type);
    build_set_desc(builder, op, geometry_name, geometry);
    return op;
}

static void set_alpha_beta(Builder *builder, Desc op, cudnnBackendAttributeName_t alpha_name,
                           cudnnBackendAttributeName_t beta_name) {
    const float alpha = 1, beta = 0;
    build_set(builder, op, alpha_name, CUDNN_TYPE_FLOAT, 1, &alpha);
    build_set(builder, op, beta_name, CUDNN_TYPE_FLOAT, 1, &beta);
}

/* Y = relu?(from + summand?) behind an operation that has written `from`; `inner` stands between
 * the two where there are both. The summand is a bias, or of Y's shape. */
static void add_and_relu(Builder *builder, Desc from, Desc summand, bool relu, Desc inner, Desc y) {
    if (summand)
        build_pointwise(builder, CUDNN_POINTWISE_ADD, from, summand, relu ? inner : y);
    if (relu)
        build_pointwise(builder, CUDNN_POINTWISE_RELU_FWD, summand ? inner : from, NULL, y);
}

Status graph_conv_forward(GraphTarget *target, const GraphConv *conv, Graph **graph) {
    Builder b;
    Shape channels = {1, conv->y.c, 1, 1};
    begin_conv(&b, target, conv,
               conv->bias   ? conv->relu ? "forward+bias+relu" : "forward+bias"
               : conv->relu ? "forward+relu"
                            : "forward");
    bool plain = !conv->bias && !conv->relu;
    Desc x = build_nhwc(&b, ROLE_X, conv->dtype, conv->x, false);
    Desc w = build_nhwc(&b, ROLE_W, conv->dtype, filter_shape(conv), false);
    Desc y = build_nhwc(&b, ROLE_Y, conv->dtype, conv->y, false);
    Desc from = plain ? y : build_nhwc(&b, ROLE_INNER, DT_F32, conv->y, true);
    Desc op = conv_op(&b, conv, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, from);
    set_alpha_beta(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                   CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
    build_op(&b, op);
    if (!plain) {
        Desc bias = conv->bias ? build_nhwc(&b, ROLE_BIAS, DT_F32, channels, false) : NULL;
        Desc inner =
            conv->bias && conv->relu ? build_nhwc(&b, ROLE_INNER2, DT_F32, conv->y, true) : NULL;
        add_and_relu(&b, from, bias, conv->relu, inner, y);
    }
    return graph_plan(&b, graph);
}

Status graph_conv_data(GraphTarget *target, const GraphConv *conv, Graph **graph) {
    Builder b;
    begin_conv(&b, target, conv, "data gradient");
    Desc dy = build_nhwc(&b, ROLE_DY, conv->dtype, conv->y, false);
    Desc w = build_nhwc(&b, ROLE_W, conv->dtype, filter_shape(conv), false);
    Desc dx = build_nhwc(&b, ROLE_DX, conv->dtype, conv->x, false);
    Desc op = conv_op(&b, conv, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, dy);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, dx);
    set_alpha_beta(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
    build_op(&b, op);
    return graph_plan(&b, graph);
}

Status graph_conv_weights(GraphTarget *target, const GraphConv *conv, Graph **graph) {
    Builder b;
    begin_conv(&b, target, conv, "weight gradient");
    Desc x = build_nhwc(&b, ROLE_X, conv->dtype, conv->x, false);
    Desc dy = build_nhwc(&b, ROLE_DY, conv->dtype, conv->y, false);
    Desc dw = build_nhwc(&b, ROLE_DW, conv->dtype, filter_shape(conv), false);
    Desc op = conv_op(&b, conv, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, dy);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, dw);
    set_alpha_beta(&b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
    build_op(&b, op);
    return graph_plan(&b, graph);
}

/* ---- Product ---- */

Status graph_product(GraphTarget *target, const GraphProduct *p, Graph **graph) {
    Builder b;
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    bool plain = !p->bias && !p->relu;
    build_begin(&b, target, p->dtype, true, "product%s%s %dx%dx%d%s%s", p->bias ? "+bias" : "",
                p->relu ? "+relu" : "", (int)p->m, (int)p->n, (int)p->k,
                p->x_transposed ? " x^T" : "", p->w_transposed ? " w^T" : "");
    Desc x = build_matrix(&b, ROLE_X, p->dtype, p->m, p->k, p->x_transposed, false);
    Desc w = build_matrix(&b, ROLE_W, p->dtype, p->k, p->n, p->w_transposed, false);
    Desc y = build_matrix(&b, ROLE_Y, p->out, p->m, p->n, false, false);
    Desc from = plain ? y : build_matrix(&b, ROLE_INNER, DT_F32, p->m, p->n, false, true);
    Desc math = build_new(&b, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    build_set(&b, math, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    build_finalize(&b, math);
    Desc op = build_new(&b, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, x);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, w);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, from);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_MATMUL_DESC, math);
    build_op(&b, op);
    if (!plain) {
        Desc bias = p->bias ? build_matrix(&b, ROLE_BIAS, DT_F32, 1, p->n, false, false) : NULL;
        Desc inner = p->bias && p->relu
                         ? build_matrix(&b, ROLE_INNER2, DT_F32, p->m, p->n, false, true)
                         : NULL;
        add_and_relu(&b, from, bias, p->relu, inner, y);
    }
    return graph_plan(&b, graph);
}

/* ---- Batch norm, layer norm ---- */

static Desc vector(Builder *builder, GraphRole role, Shape shape) {
    return build_nhwc(builder, role, DT_F32, shape, false);
}

/* Weights and offsets are of shape `weights`, statistics of shape `stats`. */
static void norm_forward(Builder *builder, cudnnBackendNormMode_t mode, Shape weights, Shape stats,
                         double eps, Desc x, Desc y) {
    const cudnnBackendNormFwdPhase_t phase = CUDNN_NORM_FWD_TRAINING;
    Desc op = build_new(builder, CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR);
    build_set(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, 1, &mode);
    build_set(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE, 1,
              &phase);
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, x);
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC,
                   vector(builder, ROLE_SCALE, weights));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC,
                   vector(builder, ROLE_BIAS, weights));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC,
                   vector(builder, ROLE_MEAN, stats));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC,
                   vector(builder, ROLE_RSTD, stats));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC,
                   build_value(builder, ROLE_EPS, (float)eps));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, y);
    build_op(builder, op);
}

static void norm_backward(Builder *builder, cudnnBackendNormMode_t mode, Shape weights, Shape stats,
                          Desc x, Desc dy, Desc dx) {
    Desc op = build_new(builder, CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR);
    build_set(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_MODE, CUDNN_TYPE_NORM_MODE, 1, &mode);
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_XDESC, x);
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_DYDESC, dy);
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_MEAN_DESC,
                   vector(builder, ROLE_MEAN, stats));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_INV_VARIANCE_DESC,
                   vector(builder, ROLE_RSTD, stats));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_SCALE_DESC,
                   vector(builder, ROLE_SCALE, weights));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC,
                   vector(builder, ROLE_DSCALE, weights));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC,
                   vector(builder, ROLE_DBIAS, weights));
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC, dx);
    build_op(builder, op);
}

Status graph_bn_forward(GraphTarget *target, const GraphBn *bn, Graph **graph) {
    Builder b;
    Shape shape = bn->shape;
    bool plain = !bn->add && !bn->relu;
    build_begin(&b, target, bn->dtype, false, "bn forward%s%s%s eps %g " SHAPE_FORMAT,
                bn->add ? "+add" : "", bn->relu ? "+relu" : "", bn->mask ? "+mask" : "", bn->eps,
                SHAPE_ARGS(shape));
    Desc x = build_nhwc(&b, ROLE_X, bn->dtype, shape, false);
    Desc y = build_nhwc(&b, ROLE_Y, bn->dtype, shape, false);
    Desc normal = plain ? y : build_nhwc(&b, ROLE_INNER, DT_F32, shape, true);
    norm_forward(&b, CUDNN_BATCH_NORM, (Shape){1, shape.c, 1, 1}, (Shape){1, shape.c, 1, 1},
                 bn->eps, x, normal);
    Desc z = bn->add ? build_nhwc(&b, ROLE_Z, bn->dtype, shape, false) : NULL;
    Desc sum = bn->add && bn->relu ? build_nhwc(&b, ROLE_INNER2, DT_F32, shape, true) : NULL;
    add_and_relu(&b, normal, z, bn->relu, sum, y);
    if (bn->mask)
        build_pointwise(&b, CUDNN_POINTWISE_CMP_GT, y, build_value(&b, ROLE_ZERO, 0),
                        build_bits(&b, ROLE_MASK, shape));
    return graph_plan(&b, graph);
}

size_t graph_mask_bytes(Shape shape) {
    return (size_t)(shape_count(shape) + 7) / 8;
}

Status graph_bn_backward(GraphTarget *target, const GraphBn *bn, Graph **graph) {
    Builder b;
    Shape shape = bn->shape;
    DType dtype = bn->dtype;
    build_begin(&b, target, dtype, false, "bn backward%s%s " SHAPE_FORMAT,
                bn->mask && bn->add ? "+add" : "", bn->mask ? "+mask" : "", SHAPE_ARGS(shape));
    Desc dy = build_nhwc(&b, ROLE_DY, dtype, shape, false);
    if (bn->mask) {
        Desc masked = bn->add ? build_nhwc(&b, ROLE_DZ, dtype, shape, false)
                              : build_nhwc(&b, ROLE_INNER, dtype, shape, true);
        build_pointwise(&b, CUDNN_POINTWISE_MUL, dy, build_bits(&b, ROLE_MASK, shape), masked);
        dy = masked;
    }
    Desc x = build_nhwc(&b, ROLE_X, dtype, shape, false);
    Desc dx = build_nhwc(&b, ROLE_DX, dtype, shape, false);
    norm_backward(&b, CUDNN_BATCH_NORM, (Shape){1, shape.c, 1, 1}, (Shape){1, shape.c, 1, 1}, x, dy,
                  dx);
    return graph_plan(&b, graph);
}

/* A row is an image of one pixel. */
static void begin_layernorm(Builder *builder, GraphTarget *target, const GraphLayerNorm *norm,
                            const char *pass) {
    build_begin(builder, target, norm->dtype, false, "layernorm %s eps %g %dx%d", pass, norm->eps,
                (int)norm->shape.n, (int)norm->shape.c);
}

Status graph_layernorm_forward(GraphTarget *target, const GraphLayerNorm *norm, Graph **graph) {
    Builder b;
    Shape shape = norm->shape;
    begin_layernorm(&b, target, norm, "forward");
    Desc x = build_nhwc(&b, ROLE_X, norm->dtype, shape, false);
    Desc y = build_nhwc(&b, ROLE_Y, norm->dtype, shape, false);
    norm_forward(&b, CUDNN_LAYER_NORM, (Shape){1, shape.c, 1, 1}, (Shape){shape.n, 1, 1, 1},
                 norm->eps, x, y);
    return graph_plan(&b, graph);
}

Status graph_layernorm_backward(GraphTarget *target, const GraphLayerNorm *norm, Graph **graph) {
    Builder b;
    Shape shape = norm->shape;
    begin_layernorm(&b, target, norm, "backward");
    Desc x = build_nhwc(&b, ROLE_X, norm->dtype, shape, false);
    Desc dy = build_nhwc(&b, ROLE_DY, norm->dtype, shape, false);
    Desc dx = build_nhwc(&b, ROLE_DX, norm->dtype, shape, false);
    norm_backward(&b, CUDNN_LAYER_NORM, (Shape){1, shape.c, 1, 1}, (Shape){shape.n, 1, 1, 1}, x, dy,
                  dx);
    return graph_plan(&b, graph);
}

/* ---- Pooling ---- */

static void begin_pool(Builder *builder, GraphTarget *target, const GraphPool *pool,
                       const char *pass) {
    build_begin(builder, target, pool->dtype, false, "maxpool %s " SHAPE_FORMAT " k%d s%d p%d",
                pass, SHAPE_ARGS(pool->x), (int)pool->kernel, (int)pool->stride, (int)pool->pad);
}

/* Of one side, `in` values long: behind the last window nothing is padded that no window reads. */
static int64_t padded_behind(const GraphPool *pool, int64_t in, int64_t out) {
    return (out - 1) * pool->stride + pool->kernel - in - pool->pad;
}

static Desc pool_geometry(Builder *builder, const GraphPool *pool) {
    const cudnnResampleMode_t mode = CUDNN_RESAMPLE_MAXPOOL;
    const cudnnPaddingMode_t padding = CUDNN_NEG_INF_PAD;
    const cudnnNanPropagation_t nan = CUDNN_PROPAGATE_NAN;
    const cudnnDataType_t math = CUDNN_DATA_FLOAT;
    const cudnnFraction_t window[2] = {{pool->kernel, 1}, {pool->kernel, 1}};
    const cudnnFraction_t stride[2] = {{pool->stride, 1}, {pool->stride, 1}};
    const cudnnFraction_t pad[2] = {{pool->pad, 1}, {pool->pad, 1}};
    const cudnnFraction_t post[2] = {{padded_behind(pool, pool->x.h, pool->y.h), 1},
                                     {padded_behind(pool, pool->x.w, pool->y.w), 1}};
    Desc desc = build_new(builder, CUDNN_BACKEND_RESAMPLE_DESCRIPTOR);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_MODE, CUDNN_TYPE_RESAMPLE_MODE, 1, &mode);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &math);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, 1,
              &nan);
    build_set_int(builder, desc, CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, 2);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_PADDING_MODE, CUDNN_TYPE_PADDING_MODE, 1,
              &padding);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, CUDNN_TYPE_FRACTION, 2, window);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_STRIDES, CUDNN_TYPE_FRACTION, 2, stride);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, CUDNN_TYPE_FRACTION, 2, pad);
    build_set(builder, desc, CUDNN_ATTR_RESAMPLE_POST_PADDINGS, CUDNN_TYPE_FRACTION, 2, post);
    build_finalize(builder, desc);
    return desc;
}

Status graph_pool_forward(GraphTarget *target, const GraphPool *pool, Graph **graph) {
    Builder b;
    begin_pool(&b, target, pool, "forward+index");
    Desc op = build_new(&b, CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC,
                   build_nhwc(&b, ROLE_X, pool->dtype, pool->x, false));
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC,
                   build_nhwc(&b, ROLE_Y, pool->dtype, pool->y, false));
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC,
                   build_nhwc(&b, ROLE_INDEX, DT_U8, pool->y, false));
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC, pool_geometry(&b, pool));
    build_op(&b, op);
    return graph_plan(&b, graph);
}

Status graph_pool_backward(GraphTarget *target, const GraphPool *pool, Graph **graph) {
    Builder b;
    begin_pool(&b, target, pool, "backward");
    Desc op = build_new(&b, CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR);
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC,
                   build_nhwc(&b, ROLE_DX, pool->dtype, pool->x, false));
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC,
                   build_nhwc(&b, ROLE_DY, pool->dtype, pool->y, false));
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC,
                   build_nhwc(&b, ROLE_INDEX, DT_U8, pool->y, false));
    build_set_desc(&b, op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC, pool_geometry(&b, pool));
    build_op(&b, op);
    return graph_plan(&b, graph);
}

/* ---- Element-wise functions ---- */

Status graph_pointwise_forward(GraphTarget *target, GraphPointwise function, Shape shape,
                               DType dtype, Graph **graph) {
    Builder b;
    build_begin(&b, target, dtype, false, "%s forward " SHAPE_FORMAT,
                function == GRAPH_RELU ? "relu" : "gelu", SHAPE_ARGS(shape));
    Desc x = build_nhwc(&b, ROLE_X, dtype, shape, false);
    Desc y = build_nhwc(&b, ROLE_Y, dtype, shape, false);
    build_pointwise(&b,
                    function == GRAPH_RELU ? CUDNN_POINTWISE_RELU_FWD : CUDNN_POINTWISE_GELU_FWD, x,
                    NULL, y);
    return graph_plan(&b, graph);
}

Status graph_pointwise_backward(GraphTarget *target, GraphPointwise function, Shape shape,
                                DType dtype, Graph **graph) {
    Builder b;
    build_begin(&b, target, dtype, false, "%s backward " SHAPE_FORMAT,
                function == GRAPH_RELU ? "relu" : "gelu", SHAPE_ARGS(shape));
    Desc dy = build_nhwc(&b, ROLE_DY, dtype, shape, false);
    Desc x = build_nhwc(&b, ROLE_X, dtype, shape, false);
    Desc dx = build_nhwc(&b, ROLE_DX, dtype, shape, false);
    build_pointwise(&b,
                    function == GRAPH_RELU ? CUDNN_POINTWISE_RELU_BWD : CUDNN_POINTWISE_GELU_BWD,
                    dy, x, dx);
    return graph_plan(&b, graph);
}
