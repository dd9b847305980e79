/* tensor: shapes, element types, and a typed view of device memory. Local. */
#ifndef LOCKSTEP_TENSOR_H
#define LOCKSTEP_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum DType { DT_F32, DT_F64, DT_BF16, DT_U8, DT_I32, DT_I64 } DType;

/* Logical dimensions in the order N, C, H, W whatever the memory layout; a matrix is N x C x 1 x 1.
 */
typedef struct Shape {
    int64_t n, c, h, w;
} Shape;

/* Row-major N, C, H, W. Every other value of Tensor.layout belongs to the backend that assigned it.
 */
enum { LAYOUT_PLAIN = 0 };

/* A view; owns nothing. `data` points into device memory: only the device's own functions follow
 * it. */
typedef struct Tensor {
    Shape shape;
    DType dtype;
    int layout;
    size_t bytes; /* of the memory behind data, padding of the layout included */
    void *data;   /* NULL in a description that has no memory yet */
} Tensor;

static inline int64_t shape_count(Shape s) {
    return s.n * s.c * s.h * s.w;
}

static inline size_t dtype_size(DType dtype) {
    switch (dtype) {
    case DT_F64:
    case DT_I64:
        return 8;
    case DT_F32:
    case DT_I32:
        return 4;
    case DT_BF16:
        return 2;
    case DT_U8:
        return 1;
    }
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
