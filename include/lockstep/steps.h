/* steps: how a backend that calls a library plans its ops.
 *
 * An op is planned as lists of steps: pack, forward, backward, and what is left of these of an op
 * over the whole step. A step executes `work` of the backend's library (a oneDNN primitive, a cuDNN
 * graph) or calls a function of our own (a loop, a launch of kernels), and has a list of operands:
 * "DNNL_ARG_SRC is the first input". Binding turns operands into addresses, once an executor;
 * running a list then only executes it, and allocates nothing. So an op's file holds nothing but
 * its plan, and a backend supplies what one step of its library is (StepBackend).
 *
 * Scratch memory of a call is split in two: `temp`, in which a step hands values to later ones, and
 * behind it the workspace of the step that runs. Backward steps may overwrite grad_out (a fused
 * ReLU masks it in place): it is dead afterwards.
 *
 * Compiled into the program and into the CUDA backend. All functions are Local. */
#ifndef LOCKSTEP_STEPS_H
#define LOCKSTEP_STEPS_H

#include "lockstep/operand.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct StepPlan StepPlan;
typedef struct Step Step;

enum {
    STEP_ARGS_MAX = 16,
    PASS_STEPS_MAX = 12,
    STEPS_ALIGN = 256 /* bytes: of offsets in saved memory, packed weights and scratch */
};

typedef enum Pass {
    PASS_PACK,
    PASS_FORWARD,
    PASS_FORWARD_REST,
    PASS_BACKWARD,
    PASS_BACKWARD_REST,
    PASSES
} Pass;

/* One execution of a step that is a function. */
typedef struct StepCall {
    Stream *stream;
    const StepPlan *plan;
    const Step *step;
    const LaneRun *run; /* NULL in packing */
    /* [step->n_args] addresses of its operands; NULL for those that are not there */
    void *const *at;
} StepCall;

typedef Status (*StepFn)(const StepCall *call);

/* An argument of a step. `id` is the library's word for it: DNNL_ARG_x, ROLE_x. */
typedef struct Arg {
    Operand operand;
    int id;
} Arg;

struct Step {
    void *work; /* owned by the plan, the backend's; NULL where `function` is called */
    StepFn function;
    int n_args;
    Arg arg[STEP_ARGS_MAX];
};

/* What a backend supplies. */
typedef struct StepBackend {
    /* Before the steps of a pass run on `stream`; `run` is NULL before packing. */
    Status (*begin)(Stream *stream, const LaneRun *run);
    /* Bytes of scratch that `work` wants while it runs. */
    size_t (*workspace)(const void *work);
    /* From addresses, as in StepCall, to what `run` executes: *bound, which unbind frees. */
    Status (*bind)(const StepPlan *plan, const Step *step, void *const *at, void *workspace,
                   void **bound);
    void (*unbind)(void *bound);
    /* Other addresses for what was bound. NULL: no step of packing may be work. */
    Status (*rebind)(void *bound, void *const *at);
    Status (*run)(Stream *stream, const void *work, const void *bound);
    void (*free_work)(Device *device, void *work);
} StepBackend;

/* A backend's plans are this. */
struct StepPlan {
    OpPlan base;
    const StepBackend *backend; /* borrowed */
    Device *device;             /* borrowed */
    int n_steps[PASSES];
    Step step[PASSES][PASS_STEPS_MAX];
    Step surplus;      /* what did not fit */
    const char *fault; /* the limit that the list of steps does not keep, or NULL */
    size_t temp_bytes, workspace_bytes;
    struct BoundPass *pack; /* owned; its addresses are set at each call */
};

/* Appends the steps of one op to a fresh plan. */
typedef Status (*ListSteps)(StepPlan *plan);

/* Makes a plan: calls `list`, then adds up memory. ST_INTERNAL where a limit is not kept. */
Status steps_plan(const StepBackend *backend, Device *device, const Op *op, const OpDesc *desc,
                  ListSteps list, OpPlan **plan);

/* Appends a step that executes `work`, which passes to the plan. `args` ends with OPERAND_NONE. The
 * step stays where it is. */
Step *steps_work(StepPlan *plan, Pass pass, void *work, const Arg *args);

/* Appends a step that calls `function`. `operands` ends with AT_NOTHING. */
Step *steps_call(StepPlan *plan, Pass pass, StepFn function, const Operand *operands);

#define STEP_WORK(plan, pass, work, ...)                                                           \
    steps_work(plan, pass, work, (const Arg[]){__VA_ARGS__, {AT_NOTHING, 0}})
#define STEP_CALL(plan, pass, function, ...)                                                       \
    steps_call(plan, pass, function, (const Operand[]){__VA_ARGS__, AT_NOTHING})

/* Appends one more argument to a step. */
void steps_argument(StepPlan *plan, Step *step, Arg arg);

/* The argument of `step` that is `operand`, or NULL. */
Arg *steps_find(Step *step, Operand operand);

/* Room for `bytes` in the op's saved memory, or in its packed weights. */
Operand steps_saved(StepPlan *plan, size_t bytes);
Operand steps_packed(StepPlan *plan, size_t bytes);

/* Sees to it that temp, or the workspace, has at least `bytes`. */
void steps_need_temp(StepPlan *plan, size_t bytes);
void steps_need_workspace(StepPlan *plan, size_t bytes);

/* Members of Op, the same for all kinds. One thread at a time packs an op. */
void steps_unplan(OpPlan *plan);
Status steps_pack(Stream *stream, const OpPlan *plan, const Tensor param[LAYER_PARAMS_MAX],
                  void *packed);
Status steps_bind(const OpPlan *plan, const OpMemory *memory, OpBound **bound);
void steps_unbind(OpBound *bound);
Status steps_forward(Stream *stream, OpBound *bound, const LaneRun *run);
Status steps_forward_rest(Stream *stream, OpBound *bound, const LaneRun *run);
Status steps_backward(Stream *stream, OpBound *bound, const LaneRun *run);
Status steps_backward_rest(Stream *stream, OpBound *bound, const LaneRun *run);

/* Defines `PREFIX_KIND`, the Op whose steps KIND_steps appends, over the StepBackend
 * PREFIX_steps. */
#define STEPS_OP(prefix, kind)                                                                     \
    static Status kind##_plan(Device *device, const OpDesc *desc, OpPlan **plan) {                 \
        return steps_plan(&prefix##_steps, device, &prefix##_##kind, desc, kind##_steps, plan);    \
    }                                                                                              \
    const Op prefix##_##kind = {.plan = kind##_plan,                                               \
                                .unplan = steps_unplan,                                            \
                                .pack = steps_pack,                                                \
                                .bind = steps_bind,                                                \
                                .unbind = steps_unbind,                                            \
                                .forward = steps_forward,                                          \
                                .backward = steps_backward,                                        \
                                .forward_rest = steps_forward_rest,                                \
                                .backward_rest = steps_backward_rest}

#ifdef __cplusplus
}
#endif
#endif
