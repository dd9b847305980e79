/* cpu/execute: one step of oneDNN's: a primitive, bound to memory objects over its operands. */
#include "plan.h"

#include <omp.h>
#include <stdlib.h>

/* A primitive's arguments, its scratchpad included. */
typedef struct Bound {
    int n;
    dnnl_exec_arg_t arg[STEP_ARGS_MAX + 1];
} Bound;

static Status begin(Stream *stream, const LaneRun *run) {
    (void)stream;
    (void)run;
    omp_set_num_threads(1); /* oneDNN asks again at each execution; costs nanoseconds */
    return ST_OK;
}

static size_t workspace(const void *work) {
    return primitive_bytes(work, DNNL_ARG_SCRATCHPAD);
}

static void unbind(void *context) {
    Bound *bound = context;
    for (int i = 0; i < bound->n; i++)
        dnnl_memory_destroy(bound->arg[i].memory);
    free(bound);
}

static Status bind_argument(const StepPlan *plan, const Step *step, int id, void *at,
                            Bound *bound) {
    dnnl_exec_arg_t *arg = &bound->arg[bound->n];
    arg->arg = id;
    TRY(primitive_memory(step->work, id, plan_engine(plan), at, &arg->memory));
    bound->n++;
    return ST_OK;
}

static Status bind(const StepPlan *plan, const Step *step, void *const *at, void *scratchpad,
                   void **out) {
    Status status = ST_OK;
    Bound *bound = calloc(1, sizeof *bound);
    TRY_ALLOC(bound);
    for (int i = 0; i < step->n_args; i++)
        TRY_DONE(bind_argument(plan, step, step->arg[i].id, at[i], bound));
    if (workspace(step->work) > 0)
        TRY_DONE(bind_argument(plan, step, DNNL_ARG_SCRATCHPAD, scratchpad, bound));
    *out = bound;
    bound = NULL;
done:
    if (bound)
        unbind(bound);
    return status;
}

/* Only reorders are bound again, which have no scratchpad: all arguments are the step's. */
static Status rebind(void *context, void *const *at) {
    Bound *bound = context;
    for (int i = 0; i < bound->n; i++)
        TRY_DNNL(dnnl_memory_set_data_handle(bound->arg[i].memory, at[i]));
    return ST_OK;
}

static Status run_primitive(Stream *stream, const void *work, const void *context) {
    const Bound *bound = context;
    TRY_DNNL(dnnl_primitive_execute(work, stream->stream, bound->n, bound->arg));
    return ST_OK;
}

static void free_primitive(Device *device, void *work) {
    (void)device;
    primitive_free(work);
}

const StepBackend cpu_steps = {
    .begin = begin,
    .workspace = workspace,
    .bind = bind,
    .unbind = unbind,
    .rebind = rebind,
    .run = run_primitive,
    .free_work = free_primitive,
};
