/* op_run: runs one row of the op table on any device through the device interface alone: layouts,
 * plan, pack, bind, forward, backward.
 *
 * Host data are double in logical N, C, H, W order, and every value is exact in float, so that all
 * devices see the same numbers. What the plan does not promise to need is overwritten with NaNs
 * (0xff bytes) at the earliest moment: outputs and assigned gradients before they are written,
 * `saved` before forward, `scratch` before each call, activations that backward does not read after
 * forward. A result that leans on any of them is NaN and fails its comparison. */
#ifndef TESTS_OPS_OP_RUN_H
#define TESTS_OPS_OP_RUN_H

#include "op_table.h"

enum { OP_ORDINAL = 9 }; /* every op is planned as the tenth of its kind */

/* Inputs of one row. Arrays are owned; those a kind has no use for are NULL. */
typedef struct OpData {
    int64_t in_count[LAYER_INPUTS_MAX], out_count, param_count[LAYER_PARAMS_MAX], channels;
    int64_t batch;
    double *in[LAYER_INPUTS_MAX];
    double *grad_before[LAYER_INPUTS_MAX]; /* what GRAD_ADD adds to */
    double *grad_out;
    double *param[LAYER_PARAMS_MAX];
    double *running[LAYER_RUNNING_MAX];
    int32_t *labels;
    SecondLabel *second; /* of a mixed row */
    uint8_t *mask;
    const uint8_t *masks[OP_ORDINAL + 1]; /* the last is `mask` where the row gives one */
    LaneRun run;                          /* points to masks: the data stay where they are */
} OpData;

/* Outputs of one row, sized alike. */
typedef struct OpResult {
    double *out;
    /* As left in memory: with what stood there before under GRAD_ADD. */
    double *grad_in[LAYER_INPUTS_MAX];
    double *grad_param[LAYER_PARAMS_MAX];
    double *stats[LAYER_RUNNING_MAX];
    double *loss;
    int32_t *predicted;
} OpResult;

enum { OP_RUN_BLOCKS_MAX = 32 };

typedef struct OpRun {
    Device *device; /* borrowed */
    const OpCase *row;
    Layer layer;
    Stream *stream;
    OpPlan *plan;
    Recording *recorded[2]; /* of forward and backward, which run in their place (op_run_record) */
    OpBound *bound;
    OpMemory memory;
    void *block[OP_RUN_BLOCKS_MAX]; /* device memory */
    int n_blocks;
    unsigned char *nans; /* 0xff bytes, as many as the largest block */
    size_t nans_bytes;
} OpRun;

/* Draws the inputs of a row: the same at every call, but for TEST_SEED=N in the
 * environment, which draws others (to see how much of a tolerance is used). Inputs stay away from
 * kinks (0 of relu, equal values in max pooling), and where a fused ReLU's input is near 0 grad_out
 * is 0, so that devices that differ by rounding, and finite differences, agree about the side. */
Status op_data_make(const OpCase *row, OpData *data);
/* Rounds all values to so many bits. */
void op_data_round(OpData *data, int bits);
void op_data_free(OpData *data);

Status op_result_make(const OpData *data, OpResult *result);
void op_result_free(OpResult *result);

/* Plans `row` on `device`, which need not be able to run it. The row must stay where it is. */
Status op_run_plan(Device *device, const OpCase *row, OpRun *run);
/* The same, and binds it. */
Status op_run_open(Device *device, const OpCase *row, OpRun *run);
void op_run_close(OpRun *run);

/* From now on forward and backward are recorded sequences (DeviceOps.recording). */
Status op_run_record(OpRun *run, const LaneRun *lane);

/* Loads the data, runs forward and reads out, stats, loss and predicted. */
Status op_run_forward(OpRun *run, const OpData *data, OpResult *result);

/* After forward: runs backward and reads the gradients. */
Status op_run_backward(OpRun *run, const OpData *data, OpResult *result);

/* How a row's gradient of input k is written. */
GradMode op_grad_mode(const OpCase *row, int k);

/* Whether input k has a gradient, and one of its own. */
bool op_has_grad(const OpCase *row, int k);

/* Whether the device can fuse what the row fuses. */
bool op_supported(const Device *device, const OpCase *row);

#endif
