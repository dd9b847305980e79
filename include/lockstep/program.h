/* program: a model planned on a device for one batch size, and the executors in which lanes run.
 *
 * A Program holds the plans and the packed weights, shared by all executors. A Executor holds what
 * one lane needs while it is computed: activations and their gradients (one arena, planned by
 * lifetime), the flat gradient, batch statistics, labels and results. A compute thread owns one
 * executor per program.
 *
 * The walk: forward in text order; backward in reverse, where a layer's parameter gradients are
 * complete once its op returned. Since flat order is text order, the flat gradient completes from
 * its end to its start, which is what `ready` reports. Where an op is over the whole step
 * (OpPlan.shared) the walk stops in its middle, until it is told what all lanes have summed. All
 * functions are Local. */
#ifndef LOCKSTEP_PROGRAM_H
#define LOCKSTEP_PROGRAM_H

#include "lockstep/device.h"
#include "lockstep/model.h"
#include "lockstep/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Program Program;
typedef struct Executor Executor;

/* The rank's replicated state, in device memory. `real` elements. */
typedef struct Weights {
    void *weight;  /* [flat] */
    void *running; /* [running_flat] */
} Weights;

/* Plans `model` for batches of `batch` images. ST_DEVICE names the layer a backend cannot do. */
Status program_build(Device *device, const Model *model, int64_t batch, bool training,
                     Program **program);

/* The same for training, where lanes' gradients are summed by TermOps: in the forms that
 * program_forms writes into form[n_params], which follow from model and device alone. */
Status program_build_kept(Device *device, const Model *model, int64_t batch, Program **program);
void program_forms(const Program *program, TermForm *form);
void program_free(Program *program);

int64_t program_batch(const Program *program);
int program_ops(const Program *program);

/* Doubles that op `op` wants to be summed over all lanes of the step in the middle of forward, and
 * again of backward; 0: none. And the most of any op. */
int program_shared(const Program *program, int op);
int program_shared_most(const Program *program);

/* Writes the layers with OpPlan.own_kernels and their outputs' shapes into text[room], cut where it
 * is full: "bn1 4x6x32x32, bn2 4x6x16x16". False where there are none. */
bool program_own_kernels(const Program *program, char *text, size_t room);

/* Packs the weights of op `op` in [0, program_ops). Ops are independent: threads may share them
 * out. */
Status program_pack(Program *program, Stream *stream, const Weights *weights, int op);

/* The same of all ops that have parameters: what has none is as it was packed once. */
Status program_repack(Program *program, Stream *stream, const Weights *weights);

/* Binds a executor's memory. `weights` must outlive it. `gradient` [flat real, device memory] is
 * borrowed (executors of one thread share one); NULL for evaluation. */
Status executor_open(Program *program, Stream *stream, const Weights *weights, void *gradient,
                     Executor **executor);

/* The same with another gradient, in the memory of `lender`, which must outlive it, and on its
 * stream: what one leaves there the other overwrites. */
Status executor_open_beside(const Executor *lender, const Weights *weights, void *gradient,
                            Executor **executor);
void executor_close(Executor *executor);

/* Device bytes a executor of this program takes. */
size_t program_executor_bytes(const Program *program);

/* Enqueues one batch: images real NCHW on the host, labels[batch]. */
Status executor_load(Executor *executor, const float *images, const int32_t *labels);

/* The same where the device makes images itself (DeviceOps.images): from uint8 records in
 * device memory; what is drawn for [batch] is in host memory. Changes of bytes, and partners (else
 * of placement NULL), in training alone. */
Status executor_load_records(Executor *executor, const uint8_t *records, const ImageDraws *drawn,
                             const ImageDraws *partner, const ImageRule *rule,
                             const int32_t *labels);

/* In training: the second labels of the batch, which hold until others are loaded; none before. */
Status executor_load_second(Executor *executor, const SecondLabel *second);

/* Runs forward to its end, or to the first op that waits for sums over lanes. */
Status executor_forward(Executor *executor, const LaneRun *run);

/* Where the walk has stopped: how many doubles wait to be summed over the lanes of the step; 0: it
 * has come to its end. */
int executor_shared(const Executor *executor);

/* Enqueues copies of those doubles to the host, and of their sums from there. */
Status executor_get_shared(Executor *executor, double *lane);
Status executor_put_shared(Executor *executor, const double *sums);

/* Goes on from there to the end, or to the next such op; `ready` as in executor_backward. */
Status executor_forward_on(Executor *executor, const LaneRun *run);

/* Called in backward when flat gradient elements [begin, flat) are complete; begin only falls, and
 * the last call has begin 0. Called after each op with parameters, or, where executor_cut named
 * bounds (ascending, the first 0), only when one of them was passed. */
typedef Status (*ReadyFn)(void *context, int64_t begin);
void executor_cut(Executor *executor, const int64_t *begins, int n);
Status executor_backward(Executor *executor, const LaneRun *run, ReadyFn ready, void *context);
Status executor_backward_on(Executor *executor, const LaneRun *run, ReadyFn ready, void *context);

/* After forward: enqueues copies of the loss (real[batch]) and predicted class (int32[batch]) of
 * each image to the host. */
Status executor_results(Executor *executor, void *loss, int32_t *predicted);

/* Device memory [running_flat real]: batch statistics of the last training forward. */
const void *executor_stats(const Executor *executor);

/* The logits, input of softmax_ce: [batch][outputs], valid after forward; also for
 * DeviceOps.read_tensor and write_tensor. */
Tensor executor_logits(const Executor *executor);

/* After executor_forward, of an evaluation: loss and prediction of the logits as they stand now. */
Status executor_judge(Executor *executor, const LaneRun *run);

/* From now on, while events of `row` are kept, its ops are told there, and run one by one even
 * where the device could replay them. After a lane's work is done executor_traced tells of what a
 * device did by itself. */
Status executor_trace(Executor *executor, TraceRow *row);
Status executor_traced(Executor *executor);

/* One timed op for `bench`: name, seconds of its last forward, of its last backward. Only where
 * timing was switched on by executor_time. */
typedef struct OpTime {
    const Layer *layer;
    const char *arithmetic; /* OpPlan's */
    double forward_s, backward_s;
} OpTime;
Status executor_time(Executor *executor, bool on);
OpTime executor_op_time(const Executor *executor, int op);

#ifdef __cplusplus
}
#endif
#endif
