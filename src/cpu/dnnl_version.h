/* cpu/dnnl_version: oneDNN's C interface of version 3, which version 2 is given here. Header only.
 *
 * Version 2 fills an operation descriptor and turns it into a primitive descriptor; version 3 does
 * both in one call, and its memory descriptors are handles. Version 2 has no dilation here. */
#ifndef LOCKSTEP_CPU_DNNL_VERSION_H
#define LOCKSTEP_CPU_DNNL_VERSION_H

#include <dnnl.h>

/* Version 2 wants batch norm's shift in backward too; version 3 refuses it, though asked for its
 * form it gives one. 0: none. Layer norm's is wanted by both. */
enum { NORM_BACKWARD_SHIFT = DNNL_VERSION_MAJOR >= 3 ? 0 : DNNL_ARG_SHIFT };

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t MdRef; /* borrowed */
typedef dnnl_memory_desc_t MdOwned;

static inline dnnl_status_t md_make(MdOwned *md, int ndim, const dnnl_dims_t dim,
                                    dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(md, ndim, dim, type, tag);
}

static inline dnnl_status_t md_make_strided(MdOwned *md, int ndim, const dnnl_dims_t dim,
                                            dnnl_data_type_t type, const dnnl_dims_t stride) {
    return dnnl_memory_desc_create_with_strides(md, ndim, dim, type, stride);
}

static inline MdRef md_ref(const MdOwned *md) {
    return *md;
}

static inline void md_free(MdOwned *md) {
    dnnl_memory_desc_destroy(*md);
}

static inline dnnl_status_t post_relu(dnnl_post_ops_t post) {
    return dnnl_post_ops_append_eltwise(post, dnnl_eltwise_relu, 0, 0);
}

static inline dnnl_status_t post_sum(dnnl_post_ops_t post) {
    return dnnl_post_ops_append_sum(post, 1, 0, dnnl_data_type_undef);
}

#else

typedef const dnnl_memory_desc_t *MdRef; /* borrowed */
typedef dnnl_memory_desc_t MdOwned;

static inline dnnl_status_t md_make(MdOwned *md, int ndim, const dnnl_dims_t dim,
                                    dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(md, ndim, dim, type, tag);
}

static inline dnnl_status_t md_make_strided(MdOwned *md, int ndim, const dnnl_dims_t dim,
                                            dnnl_data_type_t type, const dnnl_dims_t stride) {
    return dnnl_memory_desc_init_by_strides(md, ndim, dim, type, stride);
}

static inline MdRef md_ref(const MdOwned *md) {
    return md;
}

static inline void md_free(MdOwned *md) {
    (void)md;
}

static inline dnnl_status_t post_relu(dnnl_post_ops_t post) {
    return dnnl_post_ops_append_eltwise(post, 1, dnnl_eltwise_relu, 0, 0);
}

static inline dnnl_status_t post_sum(dnnl_post_ops_t post) {
    return dnnl_post_ops_append_sum(post, 1);
}

/* The primitive descriptor of operation `op` once `filled` says that it was filled. */
#define DNNL_2_CREATE(filled, hint)                                                                \
    dnnl_status_t result = (filled);                                                               \
    return result == dnnl_success ? dnnl_primitive_desc_create(desc, &op, attr, engine, (hint))    \
                                  : result

static inline dnnl_status_t dnnl_convolution_forward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_prop_kind_t prop,
    dnnl_alg_kind_t algorithm, MdRef src, MdRef weights, MdRef bias, MdRef dst,
    const dnnl_dims_t stride, const dnnl_dims_t dilate, const dnnl_dims_t begin,
    const dnnl_dims_t end, const_dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t op;
    (void)dilate;
    DNNL_2_CREATE(dnnl_convolution_forward_desc_init(&op, prop, algorithm, src, weights, bias, dst,
                                                     stride, begin, end),
                  NULL);
}

static inline dnnl_status_t dnnl_convolution_backward_data_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, MdRef src,
    MdRef weights, MdRef dst, const dnnl_dims_t stride, const dnnl_dims_t dilate,
    const dnnl_dims_t begin, const dnnl_dims_t end, const_dnnl_primitive_desc_t hint,
    const_dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t op;
    (void)dilate;
    DNNL_2_CREATE(dnnl_convolution_backward_data_desc_init(&op, algorithm, src, weights, dst,
                                                           stride, begin, end),
                  hint);
}

static inline dnnl_status_t dnnl_convolution_backward_weights_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, MdRef src,
    MdRef weights, MdRef bias, MdRef dst, const dnnl_dims_t stride, const dnnl_dims_t dilate,
    const dnnl_dims_t begin, const dnnl_dims_t end, const_dnnl_primitive_desc_t hint,
    const_dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t op;
    (void)dilate;
    DNNL_2_CREATE(dnnl_convolution_backward_weights_desc_init(&op, algorithm, src, weights, bias,
                                                              dst, stride, begin, end),
                  hint);
}

static inline dnnl_status_t dnnl_inner_product_forward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_prop_kind_t prop, MdRef src,
    MdRef weights, MdRef bias, MdRef dst, const_dnnl_primitive_attr_t attr) {
    dnnl_inner_product_desc_t op;
    DNNL_2_CREATE(dnnl_inner_product_forward_desc_init(&op, prop, src, weights, bias, dst), NULL);
}

static inline dnnl_status_t dnnl_inner_product_backward_data_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, MdRef src, MdRef weights, MdRef dst,
    const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
    dnnl_inner_product_desc_t op;
    DNNL_2_CREATE(dnnl_inner_product_backward_data_desc_init(&op, src, weights, dst), hint);
}

static inline dnnl_status_t dnnl_inner_product_backward_weights_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, MdRef src, MdRef weights, MdRef bias,
    MdRef dst, const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
    dnnl_inner_product_desc_t op;
    DNNL_2_CREATE(dnnl_inner_product_backward_weights_desc_init(&op, src, weights, bias, dst),
                  hint);
}

static inline dnnl_status_t dnnl_batch_normalization_forward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_prop_kind_t prop, MdRef src, MdRef dst,
    float eps, unsigned flags, const_dnnl_primitive_attr_t attr) {
    dnnl_batch_normalization_desc_t op;
    (void)dst; /* as src */
    DNNL_2_CREATE(dnnl_batch_normalization_forward_desc_init(&op, prop, src, eps, flags), NULL);
}

static inline dnnl_status_t dnnl_batch_normalization_backward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_prop_kind_t prop, MdRef grad_src,
    MdRef grad_dst, MdRef src, float eps, unsigned flags, const_dnnl_primitive_desc_t hint,
    const_dnnl_primitive_attr_t attr) {
    dnnl_batch_normalization_desc_t op;
    (void)grad_src; /* as grad_dst */
    DNNL_2_CREATE(dnnl_batch_normalization_backward_desc_init(&op, prop, grad_dst, src, eps, flags),
                  hint);
}

static inline dnnl_status_t dnnl_layer_normalization_forward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_prop_kind_t prop, MdRef src, MdRef dst,
    MdRef statistics, float eps, unsigned flags, const_dnnl_primitive_attr_t attr) {
    dnnl_layer_normalization_desc_t op;
    (void)dst; /* as src */
    DNNL_2_CREATE(
        dnnl_layer_normalization_forward_desc_init(&op, prop, src, statistics, eps, flags), NULL);
}

static inline dnnl_status_t dnnl_layer_normalization_backward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_prop_kind_t prop, MdRef grad_src,
    MdRef grad_dst, MdRef src, MdRef statistics, float eps, unsigned flags,
    const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
    dnnl_layer_normalization_desc_t op;
    (void)grad_src; /* as grad_dst */
    DNNL_2_CREATE(dnnl_layer_normalization_backward_desc_init(&op, prop, grad_dst, src, statistics,
                                                              eps, flags),
                  hint);
}

static inline dnnl_status_t dnnl_pooling_forward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_prop_kind_t prop,
    dnnl_alg_kind_t algorithm, MdRef src, MdRef dst, const dnnl_dims_t stride,
    const dnnl_dims_t window, const dnnl_dims_t dilate, const dnnl_dims_t begin,
    const dnnl_dims_t end, const_dnnl_primitive_attr_t attr) {
    dnnl_pooling_desc_t op;
    (void)dilate;
    DNNL_2_CREATE(
        dnnl_pooling_forward_desc_init(&op, prop, algorithm, src, dst, stride, window, begin, end),
        NULL);
}

static inline dnnl_status_t dnnl_pooling_backward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, MdRef src,
    MdRef dst, const dnnl_dims_t stride, const dnnl_dims_t window, const dnnl_dims_t dilate,
    const dnnl_dims_t begin, const dnnl_dims_t end, const_dnnl_primitive_desc_t hint,
    const_dnnl_primitive_attr_t attr) {
    dnnl_pooling_desc_t op;
    (void)dilate;
    DNNL_2_CREATE(
        dnnl_pooling_backward_desc_init(&op, algorithm, src, dst, stride, window, begin, end),
        hint);
}

static inline dnnl_status_t
dnnl_eltwise_forward_primitive_desc_create(dnnl_primitive_desc_t *desc, dnnl_engine_t engine,
                                           dnnl_prop_kind_t prop, dnnl_alg_kind_t algorithm,
                                           MdRef src, MdRef dst, float alpha, float beta,
                                           const_dnnl_primitive_attr_t attr) {
    dnnl_eltwise_desc_t op;
    (void)dst; /* as src */
    DNNL_2_CREATE(dnnl_eltwise_forward_desc_init(&op, prop, algorithm, src, alpha, beta), NULL);
}

static inline dnnl_status_t dnnl_eltwise_backward_primitive_desc_create(
    dnnl_primitive_desc_t *desc, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, MdRef grad_src,
    MdRef grad_dst, MdRef data, float alpha, float beta, const_dnnl_primitive_desc_t hint,
    const_dnnl_primitive_attr_t attr) {
    dnnl_eltwise_desc_t op;
    (void)grad_src; /* as grad_dst */
    DNNL_2_CREATE(dnnl_eltwise_backward_desc_init(&op, algorithm, grad_dst, data, alpha, beta),
                  hint);
}

static inline dnnl_status_t dnnl_binary_primitive_desc_create(dnnl_primitive_desc_t *desc,
                                                              dnnl_engine_t engine,
                                                              dnnl_alg_kind_t algorithm, MdRef one,
                                                              MdRef other, MdRef dst,
                                                              const_dnnl_primitive_attr_t attr) {
    dnnl_binary_desc_t op;
    DNNL_2_CREATE(dnnl_binary_desc_init(&op, algorithm, one, other, dst), NULL);
}

static inline dnnl_status_t dnnl_matmul_primitive_desc_create(dnnl_primitive_desc_t *desc,
                                                              dnnl_engine_t engine, MdRef src,
                                                              MdRef weights, MdRef bias, MdRef dst,
                                                              const_dnnl_primitive_attr_t attr) {
    dnnl_matmul_desc_t op;
    DNNL_2_CREATE(dnnl_matmul_desc_init(&op, src, weights, bias, dst), NULL);
}

#undef DNNL_2_CREATE

#endif
#endif
