/* cpu/primitive: see primitive.h. Written for the C interface of oneDNN 3; dnnl_version.h gives
 * version 2 the same. */
#include "primitive.h"

#include <dnnl_debug.h>
#include <omp.h>
#include <string.h>

#include "rule.h"

enum { MAKER_MDS = 4 };

static const dnnl_dims_t no_dilation = {0};

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

static MdRef md_of(const_dnnl_primitive_t primitive, int argument) {
    return dnnl_primitive_desc_query_md(desc_of(primitive), dnnl_query_exec_arg_md, argument);
}

MemDesc primitive_md(const_dnnl_primitive_t primitive, int argument) {
    return (MemDesc){.of = md_of(primitive, argument)};
}

size_t primitive_bytes(const_dnnl_primitive_t primitive, int argument) {
    MemDesc md = primitive_md(primitive, argument);
    return md_bytes(&md);
}

Status primitive_memory(const_dnnl_primitive_t primitive, int argument, dnnl_engine_t engine,
                        void *at, dnnl_memory_t *memory) {
    TRY_DNNL(dnnl_memory_create(memory, md_of(primitive, argument), engine, at));
    return ST_OK;
}

const char *primitive_name(const_dnnl_primitive_t primitive) {
    const char *name = "";
    dnnl_primitive_desc_query(desc_of(primitive), dnnl_query_impl_info_str, 0, &name);
    return name;
}

bool primitive_is_generic(const_dnnl_primitive_t primitive) {
    /* The last compiles its inner loops, whatever it is called. */
    static const char *const compiled[] = {"jit", "brg", "simple_layer_normalization"};
    const char *name = primitive_name(primitive);
    for (size_t i = 0; i < sizeof compiled / sizeof *compiled; i++) {
        if (strstr(name, compiled[i]))
            return false;
    }
    return true;
}

static MemDesc md_tagged(int ndim, const int64_t *dim, dnnl_format_tag_t tag) {
    MemDesc md = {.type = DT_F32, .ndim = ndim, .tag = tag};
    memcpy(md.dim, dim, (size_t)ndim * sizeof *dim);
    return md;
}

MemDesc md_activation(DType type, Shape shape, int layout) {
    static const dnnl_format_tag_t tags[] = {[LAYOUT_PLAIN] = dnnl_nchw,
                                             [LAYOUT_NHWC] = dnnl_nhwc,
                                             [LAYOUT_BLOCKED8] = dnnl_nChw8c,
                                             [LAYOUT_BLOCKED16] = dnnl_nChw16c};
    int64_t dim[] = {shape.n, shape.c, shape.h, shape.w};
    return md_typed(md_tagged(4, dim, tags[layout]), type);
}

MemDesc md_plain(int ndim, const int64_t *dim) {
    static const dnnl_format_tag_t tags[] = {
        dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    return md_tagged(ndim, dim, tags[ndim]);
}

MemDesc md_any(int ndim, const int64_t *dim) {
    return md_tagged(ndim, dim, dnnl_format_tag_any);
}

MemDesc md_typed(MemDesc md, DType type) {
    md.type = type;
    return md;
}

/* What a primitive is made from, until maker_finish. */
typedef struct Maker {
    dnnl_status_t result; /* the first failure */
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t post;
    dnnl_primitive_desc_t desc;
    MdOwned md[MAKER_MDS];
    int n_md;
} Maker;

/* oneDNN's descriptor: the primitive's, or one that the maker owns; NULL (which creation reports)
 * where the dimensions make no sense, and for an empty one. */
static MdRef maker_md(Maker *maker, const MemDesc *md) {
    if (md->of || md->ndim == 0)
        return md->of;
    MdOwned *owned = &maker->md[maker->n_md];
    dnnl_data_type_t type = md->type == DT_BF16 ? dnnl_bf16 : dnnl_f32;
    dnnl_status_t result = md->strided ? md_make_strided(owned, md->ndim, md->dim, type, md->stride)
                                       : md_make(owned, md->ndim, md->dim, type, md->tag);
    if (result != dnnl_success)
        return NULL;
    maker->n_md++;
    return md_ref(owned);
}

static void maker_free(Maker *maker) {
    for (int i = 0; i < maker->n_md; i++)
        md_free(&maker->md[i]);
    if (maker->desc)
        dnnl_primitive_desc_destroy(maker->desc);
    if (maker->post)
        dnnl_post_ops_destroy(maker->post);
    if (maker->attr)
        dnnl_primitive_attr_destroy(maker->attr);
}

size_t md_bytes(const MemDesc *md) {
    Maker maker = {0};
    MdRef ref = maker_md(&maker, md);
    size_t bytes = ref ? dnnl_memory_desc_get_size(ref) : 0;
    maker_free(&maker);
    return bytes;
}

bool md_equal(const MemDesc *a, const MemDesc *b) {
    Maker maker = {0};
    bool equal = dnnl_memory_desc_equal(maker_md(&maker, a), maker_md(&maker, b)) != 0;
    maker_free(&maker);
    return equal;
}

/* `next` once all before it has worked. */
#define MAKE(maker, next)                                                                          \
    ((maker)->result == dnnl_success ? (maker)->result = (next) : (maker)->result)

/* A primitive with its scratchpad in the caller's memory, and perhaps a ReLU behind it. */
static Maker maker_begin(bool relu) {
    Maker maker = {.result = dnnl_success};
    omp_set_num_threads(1); /* a primitive is made for as many threads as are set here */
    MAKE(&maker, dnnl_primitive_attr_create(&maker.attr));
    MAKE(&maker, dnnl_primitive_attr_set_scratchpad_mode(maker.attr, dnnl_scratchpad_mode_user));
    if (relu) {
        MAKE(&maker, dnnl_post_ops_create(&maker.post));
        MAKE(&maker, post_relu(maker.post));
        MAKE(&maker, dnnl_primitive_attr_set_post_ops(maker.attr, maker.post));
    }
    return maker;
}

/* Makes the primitive and frees what it was made from. */
static dnnl_status_t maker_finish(Maker *maker, dnnl_primitive_t *primitive) {
    dnnl_primitive_t made;
    if (MAKE(maker, dnnl_primitive_create(&made, maker->desc)) == dnnl_success)
        *primitive = made;
    maker_free(maker);
    return maker->result;
}

/* The passes of a convolution, by one algorithm. */
typedef dnnl_status_t (*CreateProduct)(dnnl_engine_t engine, const Product *p,
                                       dnnl_alg_kind_t algorithm, const_dnnl_primitive_t forward,
                                       dnnl_primitive_t *primitive);

static dnnl_status_t create_forward(dnnl_engine_t engine, const Product *p,
                                    dnnl_alg_kind_t algorithm, const_dnnl_primitive_t forward,
                                    dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    Maker m = maker_begin(p->relu);
    (void)forward;
    MAKE(&m, dnnl_convolution_forward_primitive_desc_create(
                 &m.desc, engine, dnnl_forward_training, algorithm, maker_md(&m, &p->src),
                 maker_md(&m, &p->weights), p->has_bias ? maker_md(&m, &p->bias) : NULL,
                 maker_md(&m, &p->dst), stride, no_dilation, pad, pad, m.attr));
    return maker_finish(&m, primitive);
}

static dnnl_status_t create_backward_data(dnnl_engine_t engine, const Product *p,
                                          dnnl_alg_kind_t algorithm, const_dnnl_primitive_t forward,
                                          dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    Maker m = maker_begin(false);
    MAKE(&m, dnnl_convolution_backward_data_primitive_desc_create(
                 &m.desc, engine, algorithm, maker_md(&m, &p->src), maker_md(&m, &p->weights),
                 maker_md(&m, &p->dst), stride, no_dilation, pad, pad, desc_of(forward), m.attr));
    return maker_finish(&m, primitive);
}

static dnnl_status_t create_backward_weights(dnnl_engine_t engine, const Product *p,
                                             dnnl_alg_kind_t algorithm,
                                             const_dnnl_primitive_t forward,
                                             dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    MemDesc gradient = md_typed(p->weights, DT_F32);
    Maker m = maker_begin(false);
    MAKE(&m, dnnl_convolution_backward_weights_primitive_desc_create(
                 &m.desc, engine, algorithm, maker_md(&m, &p->src), maker_md(&m, &gradient),
                 p->has_bias ? maker_md(&m, &p->bias) : NULL, maker_md(&m, &p->dst), stride,
                 no_dilation, pad, pad, desc_of(forward), m.attr));
    return maker_finish(&m, primitive);
}

bool primitive_has_winograd(dnnl_engine_t engine, bool wide) {
    int layout = wide ? LAYOUT_BLOCKED16 : LAYOUT_BLOCKED8;
    MemDesc map = md_activation(DT_F32, (Shape){8, 64, 32, 32}, layout);
    Product p = {.src = map, .dst = map, .stride = 1, .pad = 1};
    p.weights = md_any(4, (int64_t[]){64, 64, 3, 3});
    dnnl_primitive_t made[3] = {NULL};
    bool has =
        create_forward(engine, &p, dnnl_convolution_winograd, NULL, &made[0]) == dnnl_success &&
        create_backward_data(engine, &p, dnnl_convolution_winograd, made[0], &made[1]) ==
            dnnl_success &&
        create_backward_weights(engine, &p, dnnl_convolution_winograd, made[0], &made[2]) ==
            dnnl_success;
    for (int i = 0; i < 3; i++)
        primitive_free(made[i]);
    return has;
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
    Maker m = maker_begin(p->relu);
    MAKE(&m, dnnl_inner_product_forward_primitive_desc_create(
                 &m.desc, engine, dnnl_forward_training, maker_md(&m, &p->src),
                 maker_md(&m, &p->weights), p->has_bias ? maker_md(&m, &p->bias) : NULL,
                 maker_md(&m, &p->dst), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_linear_backward_data(dnnl_engine_t engine, const Product *p,
                                      const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    Maker m = maker_begin(false);
    MAKE(&m, dnnl_inner_product_backward_data_primitive_desc_create(
                 &m.desc, engine, maker_md(&m, &p->src), maker_md(&m, &p->weights),
                 maker_md(&m, &p->dst), desc_of(forward), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_linear_backward_weights(dnnl_engine_t engine, const Product *p,
                                         const_dnnl_primitive_t forward,
                                         dnnl_primitive_t *primitive) {
    MemDesc gradient = md_typed(p->weights, DT_F32);
    Maker m = maker_begin(false);
    MAKE(&m, dnnl_inner_product_backward_weights_primitive_desc_create(
                 &m.desc, engine, maker_md(&m, &p->src), maker_md(&m, &gradient),
                 p->has_bias ? maker_md(&m, &p->bias) : NULL, maker_md(&m, &p->dst),
                 desc_of(forward), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

static unsigned bn_flags(const BatchNorm *norm) {
    return (norm->scale ? dnnl_use_scale : 0u) | (norm->shift ? dnnl_use_shift : 0u) |
           (norm->relu ? dnnl_fuse_norm_relu : 0u) | (norm->training ? 0u : dnnl_use_global_stats);
}

Status primitive_bn_forward(dnnl_engine_t engine, const BatchNorm *norm,
                            dnnl_primitive_t *primitive) {
    Maker m = maker_begin(false);
    MdRef map = maker_md(&m, &norm->map);
    MAKE(&m, dnnl_batch_normalization_forward_primitive_desc_create(
                 &m.desc, engine, norm->training ? dnnl_forward_training : dnnl_forward_inference,
                 map, map, (float)norm->eps, bn_flags(norm), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_bn_backward(dnnl_engine_t engine, const BatchNorm *norm,
                             const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    bool params = norm->scale || norm->shift;
    Maker m = maker_begin(false);
    MdRef map = maker_md(&m, &norm->map);
    MAKE(&m, dnnl_batch_normalization_backward_primitive_desc_create(
                 &m.desc, engine, params ? dnnl_backward : dnnl_backward_data, map, map, map,
                 (float)norm->eps, bn_flags(norm), desc_of(forward), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_layernorm_forward(dnnl_engine_t engine, const MemDesc *md, double eps,
                                   bool training, dnnl_primitive_t *primitive) {
    Maker m = maker_begin(false);
    MdRef rows = maker_md(&m, md);
    MAKE(&m, dnnl_layer_normalization_forward_primitive_desc_create(
                 &m.desc, engine, training ? dnnl_forward_training : dnnl_forward_inference, rows,
                 rows, NULL, (float)eps, dnnl_use_scale | dnnl_use_shift, m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_layernorm_backward(dnnl_engine_t engine, const MemDesc *md, double eps,
                                    const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    Maker m = maker_begin(false);
    MdRef rows = maker_md(&m, md);
    MAKE(&m, dnnl_layer_normalization_backward_primitive_desc_create(
                 &m.desc, engine, dnnl_backward, rows, rows, rows, NULL, (float)eps,
                 dnnl_use_scale | dnnl_use_shift, desc_of(forward), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

static dnnl_alg_kind_t pool_algorithm(const Pooling *p) {
    if (!p->average)
        return dnnl_pooling_max;
    return p->count_pad ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding;
}

Status primitive_pool_forward(dnnl_engine_t engine, const Pooling *p, dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    dnnl_dims_t window = {p->kernel, p->kernel};
    Maker m = maker_begin(false);
    MAKE(&m, dnnl_pooling_forward_primitive_desc_create(
                 &m.desc, engine, p->training ? dnnl_forward_training : dnnl_forward_inference,
                 pool_algorithm(p), maker_md(&m, &p->src), maker_md(&m, &p->dst), stride, window,
                 no_dilation, pad, pad, m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_pool_backward(dnnl_engine_t engine, const Pooling *p,
                               const_dnnl_primitive_t forward, dnnl_primitive_t *primitive) {
    dnnl_dims_t stride = {p->stride, p->stride}, pad = {p->pad, p->pad};
    dnnl_dims_t window = {p->kernel, p->kernel};
    Maker m = maker_begin(false);
    MAKE(&m, dnnl_pooling_backward_primitive_desc_create(
                 &m.desc, engine, pool_algorithm(p), maker_md(&m, &p->src), maker_md(&m, &p->dst),
                 stride, window, no_dilation, pad, pad, desc_of(forward), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

/* oneDNN's name of a function, the parameters that are not the caller's, and what backward reads.
 */
typedef struct PointwiseForm {
    dnnl_alg_kind_t algorithm;
    int reads;
    float alpha, beta;
} PointwiseForm;

static const PointwiseForm pointwise_forms[] = {
    [POINTWISE_RELU] = {dnnl_eltwise_relu_use_dst_for_bwd, DNNL_ARG_DST, 0, 0},
    [POINTWISE_GELU] = {dnnl_eltwise_gelu_erf, DNNL_ARG_SRC, 0, 0},
    [POINTWISE_SCALE] = {dnnl_eltwise_linear, DNNL_ARG_SRC, 0, 0},
    [POINTWISE_SILU] = {dnnl_eltwise_swish, DNNL_ARG_SRC, 1, 0},
    [POINTWISE_SIGMOID] = {dnnl_eltwise_logistic_use_dst_for_bwd, DNNL_ARG_DST, 0, 0},
    [POINTWISE_TANH] = {dnnl_eltwise_tanh_use_dst_for_bwd, DNNL_ARG_DST, 0, 0},
    [POINTWISE_RELU6] = {dnnl_eltwise_clip_v2_use_dst_for_bwd, DNNL_ARG_DST, 0, 6},
    [POINTWISE_LEAKY_RELU] = {dnnl_eltwise_relu_use_dst_for_bwd, DNNL_ARG_DST, 0, 0},
};

int primitive_pointwise_reads(Pointwise function) {
    return pointwise_forms[function].reads;
}

static float pointwise_alpha(Pointwise function, double factor) {
    bool given = function == POINTWISE_SCALE || function == POINTWISE_LEAKY_RELU;
    return given ? (float)factor : pointwise_forms[function].alpha;
}

Status primitive_pointwise_forward(dnnl_engine_t engine, Pointwise function, double factor,
                                   const MemDesc *md, dnnl_primitive_t *primitive) {
    const PointwiseForm *form = &pointwise_forms[function];
    Maker m = maker_begin(false);
    MdRef map = maker_md(&m, md);
    MAKE(&m, dnnl_eltwise_forward_primitive_desc_create(
                 &m.desc, engine, dnnl_forward_training, form->algorithm, map, map,
                 pointwise_alpha(function, factor), form->beta, m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_pointwise_backward(dnnl_engine_t engine, Pointwise function, double factor,
                                    const MemDesc *md, dnnl_primitive_t *primitive) {
    dnnl_primitive_t forward = NULL;
    TRY(primitive_pointwise_forward(engine, function, factor, md, &forward));
    const PointwiseForm *form = &pointwise_forms[function];
    Maker m = maker_begin(false);
    MdRef map = maker_md(&m, md);
    MAKE(&m, dnnl_eltwise_backward_primitive_desc_create(&m.desc, engine, form->algorithm, map, map,
                                                         map, pointwise_alpha(function, factor),
                                                         form->beta, desc_of(forward), m.attr));
    dnnl_status_t result = maker_finish(&m, primitive);
    primitive_free(forward);
    TRY_DNNL(result);
    return ST_OK;
}

/* The result is added to what is there. */
static void maker_sum(Maker *m) {
    MAKE(m, dnnl_post_ops_create(&m->post));
    MAKE(m, post_sum(m->post));
    MAKE(m, dnnl_primitive_attr_set_post_ops(m->attr, m->post));
}

static Status binary(dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const MemDesc *md, Maker *m,
                     dnnl_primitive_t *primitive) {
    MdRef map = maker_md(m, md);
    MAKE(m, dnnl_binary_primitive_desc_create(&m->desc, engine, algorithm, map, map, map, m->attr));
    TRY_DNNL(maker_finish(m, primitive));
    return ST_OK;
}

Status primitive_add(dnnl_engine_t engine, const MemDesc *md, bool relu,
                     dnnl_primitive_t *primitive) {
    Maker m = maker_begin(relu);
    return binary(engine, dnnl_binary_add, md, &m, primitive);
}

Status primitive_mul(dnnl_engine_t engine, const MemDesc *md, bool add,
                     dnnl_primitive_t *primitive) {
    Maker m = maker_begin(false);
    if (add)
        maker_sum(&m);
    return binary(engine, dnnl_binary_mul, md, &m, primitive);
}

Status primitive_matmul(dnnl_engine_t engine, const MemDesc *src, const MemDesc *weights,
                        const MemDesc *dst, bool add, dnnl_primitive_t *primitive) {
    Maker m = maker_begin(false);
    if (add)
        maker_sum(&m);
    MAKE(&m,
         dnnl_matmul_primitive_desc_create(&m.desc, engine, maker_md(&m, src),
                                           maker_md(&m, weights), NULL, maker_md(&m, dst), m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}

Status primitive_reorder(dnnl_engine_t engine, const MemDesc *from, const MemDesc *to, bool add,
                         dnnl_primitive_t *primitive) {
    Maker m = maker_begin(false);
    if (add)
        maker_sum(&m);
    MAKE(&m, dnnl_reorder_primitive_desc_create(&m.desc, maker_md(&m, from), engine,
                                                maker_md(&m, to), engine, m.attr));
    TRY_DNNL(maker_finish(&m, primitive));
    return ST_OK;
}
