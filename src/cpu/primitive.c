/* cpu/primitive: see primitive.h. Written for the C interface of oneDNN 2: an operation descriptor
 * is filled and turned into a primitive descriptor, and memory descriptors are plain structs. For
 * version 3 each pair of calls becomes one, and MemDesc a handle that has to be destroyed. */
#include "primitive.h"

#include <dnnl_debug.h>
#include <omp.h>
#include <string.h>

#include "rule.h"

Status primitive_check(dnnl_status_t result, const char *what, const char *file, int line) {
    if (result == dnnl_success)
        return ST_OK;
    return status_fail(ST_DEVICE, file, line, "oneDNN failed: %s in %.200s",
                       dnnl_status2str(result), what);
}

void primitive_free(dnnl_primitive_t primitive) {
    if (primitive)
        dnnl_primitive_destroy(primitive);
}

/* Borrowed: it lives as long as the primitive. */
static const_dnnl_primitive_desc_t desc_of(const_dnnl_primitive_t primitive) {
    const_dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_get_primitive_desc(primitive, &desc);
    return desc;
}

MemDesc primitive_md(const_dnnl_primitive_t primitive, int argument) {
    const MemDesc *md =
        dnnl_primitive_desc_query_md(desc_of(primitive), dnnl_query_exec_arg_md, argument);
    return md ? *md : (MemDesc){0};
}

size_t primitive_bytes(const_dnnl_primitive_t primitive, int argument) {
    MemDesc md = primitive_md(primitive, argument);
    return md_bytes(&md);
}

const char *primitive_name(const_dnnl_primitive_t primitive) {
    const char *name = "";
    dnnl_primitive_desc_query(desc_of(primitive), dnnl_query_impl_info_str, 0, &name);
    return name;
}

static MemDesc md_tagged(int ndim, const int64_t *dim, dnnl_format_tag_t tag) {
    MemDesc md = {0}; /* stays empty where the dimensions make no sense, which creation reports */
    dnnl_memory_desc_init_by_tag(&md, ndim, dim, dnnl_f32, tag);
    return md;
}

MemDesc md_activation(Shape shape, int layout) {
    static const dnnl_format_tag_t tags[] = {[LAYOUT_PLAIN] = dnnl_nchw,
                                             [LAYOUT_NHWC] = dnnl_nhwc,
                                             [LAYOUT_BLOCKED8] = dnnl_nChw8c,
                                             [LAYOUT_BLOCKED16] = dnnl_nChw16c};
    return md_tagged(4, (int64_t[]){shape.n, shape.c, shape.h, shape.w}, tags[layout]);
}

MemDesc md_plain(int ndim, const int64_t *dim) {
    static const dnnl_format_tag_t tags[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc,
                                             dnnl_abcd};
    return md_tagged(ndim, dim, tags[ndim]);
}

MemDesc md_any(int ndim, const int64_t *dim) {
    return md_tagged(ndim, dim, dnnl_format_tag_any);
}

size_t md_bytes(const MemDesc *md) {
    return dnnl_memory_desc_get_size(md);
}

bool md_equal(const MemDesc *a, const MemDesc *b) {
    return dnnl_memory_desc_equal(a, b) != 0;
}

/* Makes the primitive of `desc` unless `result` is a failure, and frees what it is made from. */
static dnnl_status_t finish(dnnl_status_t result, dnnl_primitive_attr_t attr, dnnl_post_ops_t post,
                            dnnl_primitive_desc_t desc, dnnl_primitive_t *primitive) {
    dnnl_primitive_t made;
    if (result == dnnl_success)
        result = dnnl_primitive_create(&made, desc);
    if (result == dnnl_success)
        *primitive = made;
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (post)
        dnnl_post_ops_destroy(post);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return result;
}

/* Turns a filled operation descriptor into a primitive, with its scratchpad in the caller's memory.
 * The caller judges the result. */
static dnnl_status_t create(dnnl_engine_t engine, const_dnnl_op_desc_t op, bool relu,
                            const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post = NULL;
    omp_set_num_threads(1); /* a primitive is made for as many threads as are set here */
    dnnl_status_t result = dnnl_primitive_attr_create(&attr);
    if (result == dnnl_success)
        result = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (result == dnnl_success && relu) {
        result = dnnl_post_ops_create(&post);
        if (result == dnnl_success)
            result = dnnl_post_ops_append_eltwise(post, 1, dnnl_eltwise_relu, 0, 0);
        if (result == dnnl_success)
            result = dnnl_primitive_attr_set_post_ops(attr, post);
    }
    if (result == dnnl_success)
        result =
            dnnl_primitive_desc_create(&desc, op, attr, engine, forward ? desc_of(forward) : NULL);
    return finish(result, attr, post, desc, primitive);
}

/* The passes of a convolution, by one algorithm. */
typedef dnnl_status_t (*CreateProduct)(dnnl_engine_t engine, const Product *p,
                                       dnnl_alg_kind_t algorithm, const_dnnl_primitive_t forward,
                                       dnnl_primitive_t *primitive);

static dnnl_status_t create_forward(dnnl_engine_t engine, const Product *p,
                                    dnnl_alg_kind_t algorithm, const_dnnl_primitive_t forward,
                                    dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    dnnl_convolution_desc_t desc;
    dnnl_status_t result = dnnl_convolution_forward_desc_init(
        &desc, dnnl_forward_training, algorithm, &p->src, &p->weights,
        p->has_bias ? &p->bias : NULL, &p->dst, stride, pad, pad);
    return result == dnnl_success ? create(engine, &desc, p->relu, forward, primitive) : result;
}

static dnnl_status_t create_backward_data(dnnl_engine_t engine, const Product *p,
                                          dnnl_alg_kind_t algorithm, const_dnnl_primitive_t forward,
                                          dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    dnnl_convolution_desc_t desc;
    dnnl_status_t result = dnnl_convolution_backward_data_desc_init(
        &desc, algorithm, &p->src, &p->weights, &p->dst, stride, pad, pad);
    return result == dnnl_success ? create(engine, &desc, false, forward, primitive) : result;
}

static dnnl_status_t create_backward_weights(dnnl_engine_t engine, const Product *p,
                                             dnnl_alg_kind_t algorithm,
                                             const_dnnl_primitive_t forward,
                                             dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    dnnl_convolution_desc_t desc;
    dnnl_status_t result = dnnl_convolution_backward_weights_desc_init(
        &desc, algorithm, &p->src, &p->weights, p->has_bias ? &p->bias : NULL, &p->dst, stride, pad,
        pad);
    return result == dnnl_success ? create(engine, &desc, false, forward, primitive) : result;
}

/* Winograd where asked for and implemented, else direct: both facts depend on shape, instruction
 * set and version alone. */
static Status convolution(dnnl_engine_t engine, const Product *p, CreateProduct make,
                          const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    if (p->winograd &&
        make(engine, p, dnnl_convolution_winograd, forward, primitive) == dnnl_success)
        return ST_OK;
    TRY_DNNL(make(engine, p, dnnl_convolution_direct, forward, primitive));
    return ST_OK;
}

Status primitive_conv_forward(dnnl_engine_t engine, const Product *p, dnnl_primitive_t *primitive) {
    return convolution(engine, p, create_forward, NULL, primitive);
}

Status primitive_conv_backward_data(dnnl_engine_t engine, const Product *p,
                                    const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    return convolution(engine, p, create_backward_data, forward, primitive);
}

Status primitive_conv_backward_weights(dnnl_engine_t engine, const Product *p,
                                       const_dnnl_primitive_t forward,
                                       dnnl_primitive_t *primitive) {
    return convolution(engine, p, create_backward_weights, forward, primitive);
}

Status primitive_linear_forward(dnnl_engine_t engine, const Product *p,
                                dnnl_primitive_t *primitive) {
    dnnl_inner_product_desc_t desc;
    TRY_DNNL(dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_training, &p->src,
                                                  &p->weights, p->has_bias ? &p->bias : NULL,
                                                  &p->dst));
    TRY_DNNL(create(engine, &desc, p->relu, NULL, primitive));
    return ST_OK;
}

Status primitive_linear_backward_data(dnnl_engine_t engine, const Product *p,
                                      const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    dnnl_inner_product_desc_t desc;
    TRY_DNNL(dnnl_inner_product_backward_data_desc_init(&desc, &p->src, &p->weights, &p->dst));
    TRY_DNNL(create(engine, &desc, false, forward, primitive));
    return ST_OK;
}

Status primitive_linear_backward_weights(dnnl_engine_t engine, const Product *p,
                                         const_dnnl_primitive_t forward,
                                         dnnl_primitive_t *primitive) {
    dnnl_inner_product_desc_t desc;
    TRY_DNNL(dnnl_inner_product_backward_weights_desc_init(&desc, &p->src, &p->weights,
                                                           p->has_bias ? &p->bias : NULL, &p->dst));
    TRY_DNNL(create(engine, &desc, false, forward, primitive));
    return ST_OK;
}

static unsigned bn_flags(bool training, bool relu) {
    return dnnl_use_scale | dnnl_use_shift | (relu ? dnnl_fuse_norm_relu : 0u) |
           (training ? 0u : dnnl_use_global_stats);
}

Status primitive_bn_forward(dnnl_engine_t engine, const MemDesc *md, double eps, bool training,
                            bool relu, dnnl_primitive_t *primitive) {
    dnnl_batch_normalization_desc_t desc;
    TRY_DNNL(dnnl_batch_normalization_forward_desc_init(
        &desc, training ? dnnl_forward_training : dnnl_forward_inference, md, (float)eps,
        bn_flags(training, relu)));
    TRY_DNNL(create(engine, &desc, false, NULL, primitive));
    return ST_OK;
}

Status primitive_bn_backward(dnnl_engine_t engine, const MemDesc *md, double eps, bool relu,
                             const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    dnnl_batch_normalization_desc_t desc;
    TRY_DNNL(dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, md, md, (float)eps,
                                                         bn_flags(true, relu)));
    TRY_DNNL(create(engine, &desc, false, forward, primitive));
    return ST_OK;
}

static dnnl_alg_kind_t pool_algorithm(const Pooling *p) {
    return p->average ? dnnl_pooling_avg_exclude_padding : dnnl_pooling_max;
}

Status primitive_pool_forward(dnnl_engine_t engine, const Pooling *p, dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    dnnl_dims_t window = {p->kernel, p->kernel};
    dnnl_pooling_desc_t desc;
    TRY_DNNL(dnnl_pooling_forward_desc_init(
        &desc, p->training ? dnnl_forward_training : dnnl_forward_inference, pool_algorithm(p),
        &p->src, &p->dst, stride, window, pad, pad));
    TRY_DNNL(create(engine, &desc, false, NULL, primitive));
    return ST_OK;
}

Status primitive_pool_backward(dnnl_engine_t engine, const Pooling *p,
                               const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    dnnl_dims_t window = {p->kernel, p->kernel};
    dnnl_pooling_desc_t desc;
    TRY_DNNL(dnnl_pooling_backward_desc_init(&desc, pool_algorithm(p), &p->src, &p->dst, stride,
                                             window, pad, pad));
    TRY_DNNL(create(engine, &desc, false, forward, primitive));
    return ST_OK;
}

static dnnl_alg_kind_t pointwise_algorithm(Pointwise function) {
    return function == POINTWISE_RELU   ? dnnl_eltwise_relu_use_dst_for_bwd
           : function == POINTWISE_GELU ? dnnl_eltwise_gelu_erf
                                        : dnnl_eltwise_linear;
}

Status primitive_pointwise_forward(dnnl_engine_t engine, Pointwise function, double factor,
                                   const MemDesc *md, dnnl_primitive_t *primitive) {
    dnnl_eltwise_desc_t desc;
    TRY_DNNL(dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_training,
                                            pointwise_algorithm(function), md, (float)factor, 0));
    TRY_DNNL(create(engine, &desc, false, NULL, primitive));
    return ST_OK;
}

Status primitive_pointwise_backward(dnnl_engine_t engine, Pointwise function, double factor,
                                    const MemDesc *md, dnnl_primitive_t *primitive) {
    dnnl_primitive_t forward = NULL;
    TRY(primitive_pointwise_forward(engine, function, factor, md, &forward));
    dnnl_eltwise_desc_t desc;
    dnnl_status_t result = dnnl_eltwise_backward_desc_init(&desc, pointwise_algorithm(function), md,
                                                           md, (float)factor, 0);
    if (result == dnnl_success)
        result = create(engine, &desc, false, forward, primitive);
    primitive_free(forward);
    TRY_DNNL(result);
    return ST_OK;
}

Status primitive_add(dnnl_engine_t engine, const MemDesc *md, bool relu,
                     dnnl_primitive_t *primitive) {
    dnnl_binary_desc_t desc;
    TRY_DNNL(dnnl_binary_desc_init(&desc, dnnl_binary_add, md, md, md));
    TRY_DNNL(create(engine, &desc, relu, NULL, primitive));
    return ST_OK;
}

/* Without user scratchpad: oneDNN's fp32 reorders have none. */
Status primitive_reorder(dnnl_engine_t engine, const MemDesc *from, const MemDesc *to, bool add,
                         dnnl_primitive_t *primitive) {
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_status_t result = dnnl_success;
    omp_set_num_threads(1); /* as in create */
    if (add) {
        result = dnnl_primitive_attr_create(&attr);
        if (result == dnnl_success)
            result = dnnl_post_ops_create(&post);
        if (result == dnnl_success)
            result = dnnl_post_ops_append_sum(post, 1);
        if (result == dnnl_success)
            result = dnnl_primitive_attr_set_post_ops(attr, post);
    }
    if (result == dnnl_success)
        result = dnnl_reorder_primitive_desc_create(&desc, from, engine, to, engine, attr);
    TRY_DNNL(finish(result, attr, post, desc, primitive));
    return ST_OK;
}
