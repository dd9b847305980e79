/* program_internal: what program.c, fuse.c, arena.c and executor.c share. */
#ifndef LOCKSTEP_PROGRAM_INTERNAL_H
#define LOCKSTEP_PROGRAM_INTERNAL_H

#include "lockstep/program.h"

enum { ARENA_ALIGN = 256, NO_TENSOR = -1 };

/* One buffer of the arena: live from time `birth` to `death`, both included. */
typedef struct ArenaBuffer {
    size_t bytes;
    int birth, death;
    size_t offset; /* result */
} ArenaBuffer;

/* Gives each buffer an offset so that buffers alive at the same time do not overlap; returns the
 * size of the arena. ST_INTERNAL when out of memory. */
Status arena_plan(ArenaBuffer *buffers, int count, size_t *total);

/* Op `o` runs forward at time o and backward at time 2 n_ops - 1 - o. Tensor 0 is the image, tensor
 * o + 1 the output of op o; the last op, softmax_ce, has no output tensor. */
struct Program {
    Device *device;
    const Model *model;
    int64_t batch;
    bool training, keeps_forms;
    int n_ops;
    int (*input)[LAYER_INPUTS_MAX]; /* [n_ops] tensor ids read; NO_TENSOR for none */
    OpPlan **plans;                 /* [n_ops] */
    Tensor *tensors;                /* [n_ops]: image and outputs, without data */
    size_t *packed_at;              /* [n_ops] offsets in packed */
    void *packed;                   /* device memory */
    int *view; /* [n_ops][2] the op's first ParamView in params and in running, or -1 */
    /* buffers: activation t at [t], its gradient at [n_ops + t], saved of op o at [2 n_ops + o] */
    ArenaBuffer *buffers; /* [3 n_ops] */
    size_t arena_bytes, scratch_bytes;
    int shared_most; /* the largest OpPlan.shared */
};

/* Makes the list of ops: n_ops, descs[] without tensors, input[]; output_of[layer] is the tensor id
 * of a layer's output (that of a layer which was fused is its op's). */
void program_list_ops(Program *program, OpDesc *descs, int *output_of);

/* Views of the params (or running statistics) of op `op` in a flat buffer, into
 * tensors[layer->n_params] (tensors[layer->n_running]). */
void program_params(const Program *program, int op, void *flat, Tensor *tensors);
void program_running(const Program *program, int op, void *flat, Tensor *tensors);

#endif
