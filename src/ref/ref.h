/* ref: the reference backend, plain C loops over plain N, C, H, W arrays. It is what the other
 * backends are tested against, and is itself tested against finite differences: so it is written to
 * be read, one loop a sum, and never to be fast.
 *
 * Every file here is compiled twice: `real` is float, and double with -DREF_DOUBLE (device_open_ref
 * and device_open_ref64). REF(x) keeps the symbols of the two apart. In both builds values are kept
 * in `real`, while every sum over several terms (dot products, means, losses) runs in double and is
 * rounded to `real` once.
 *
 * All kinds share one plan and one bound form: a plan is a plain OpPlan, and OpBound keeps a copy
 * of the memory. The stream executes in the calling thread and so is empty. A NaN is never turned
 * into a number (by ReLU, by max pooling), so that a diverged run is seen. */
#ifndef REF_REF_H
#define REF_REF_H

#ifdef REF_DOUBLE
typedef double real;
#define REF(name)   ref64_##name
#define REF_DTYPE   DT_F64
#define UPDATE_REAL double
#else
typedef float real;
#define REF(name)   ref_##name
#define REF_DTYPE   DT_F32
#define UPDATE_REAL float
#endif

#include "lockstep/device.h"

struct OpBound {
    const OpPlan *plan;
    OpMemory memory;
};

/* Plans `desc` for `op`, asking for `saved_bytes`. ST_DEVICE where an input has another type or
 * layout than this backend's. backward_reads_in and _out are 0 and false but for a fused ReLU,
 * which reads the output. */
Status REF(plan_new)(const Op *op, const OpDesc *desc, size_t saved_bytes, OpPlan **plan);

/* Op.unplan, bind and unbind of every kind. */
void REF(unplan)(OpPlan *plan);
Status REF(bind)(const OpPlan *plan, const OpMemory *memory, OpBound **bound);
void REF(unbind)(OpBound *bound);

/* One a kind: ref_op_conv, ref_op_bn ... */
#define LAYER(lower, UPPER) extern const Op REF(op_##lower);
#include "lockstep/layers.def"
#undef LAYER

/* Flat ranges (flat.c): members of DeviceOps. */
Status REF(to_fixed)(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                     double bound, bool add, int64_t *bad);
Status REF(to_shifted)(Stream *stream, int64_t *sum, int32_t *low, const void *value, int64_t count,
                       const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                       void *peak);
Status REF(widen)(Stream *stream, int64_t *sum, const int32_t *low, int64_t count,
                  const Shifts *shifts);
Status REF(to_real)(Stream *stream, void *sum, const void *value, int64_t count, bool add);
Status REF(norm)(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                 int64_t count, double scale);
Status REF(update)(Stream *stream, const Update *update, const UpdateRange *range);
Status REF(muon)(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                 int64_t cols, void *scratch); /* muon.c */
Status REF(layerwise)(Stream *stream, const Update *update, const UpdateRange *range,
                      void *scratch); /* layerwise.c */
Status REF(lookahead)(Stream *stream, void *slow, void *fast, int64_t count, double alpha);
Status REF(digest)(Stream *stream, Digest *digest, const void *value, int64_t count);

/* Index of (n, c, h, w) in a plain tensor. */
static inline int64_t ref_at(Shape s, int64_t n, int64_t c, int64_t h, int64_t w) {
    return ((n * s.c + c) * s.h + h) * s.w + w;
}

static inline real ref_relu(real x) {
    return x <= 0 ? 0 : x; /* NaN stays NaN */
}

/* What the op writes for a result of `value`: a fused ReLU comes after. */
static inline real ref_result(const OpBound *bound, double value) {
    return bound->plan->desc.relu ? ref_relu((real)value) : (real)value;
}

/* Element i of the gradient that reaches the op's result before a fused ReLU. */
static inline double ref_grad(const OpBound *bound, int64_t i) {
    const real *out = bound->memory.out.data;
    const real *grad = bound->memory.grad_out.data;
    return bound->plan->desc.relu && out[i] <= 0 ? 0 : (double)grad[i];
}

/* Writes an element of an input's gradient as its mode says (not GRAD_NONE). */
static inline void ref_put(GradMode mode, real *to, double value) {
    *to = (real)(mode == GRAD_ADD ? (double)*to + value : value);
}

#endif
