/* steps: lists of steps over a backend made for the test, whose work is a number that it notes.
 * What must happen follows from steps.h: order, addresses, memory, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/steps.h"

/* What happened: work by its number, functions by their letter. */
static char seen[64];
static int freed, bound_now;

static void note(char what) {
    size_t n = strlen(seen);
    assert_true(n + 1 < sizeof seen);
    seen[n] = what;
}

typedef struct Work {
    char name;
    size_t workspace;
} Work;

/* Addresses that the work was bound to. */
typedef struct Bound {
    void *at[STEP_ARGS_MAX], *workspace;
    int id[STEP_ARGS_MAX], n;
} Bound;

static const Bound *last; /* the one that ran last */

static Work *new_work(char name, size_t workspace) {
    Work *work = malloc(sizeof *work);
    assert_non_null(work);
    *work = (Work){name, workspace};
    return work;
}

static Status begin(Stream *stream, const LaneRun *run) {
    (void)stream;
    note(run ? '[' : '(');
    return ST_OK;
}

static size_t workspace(const void *work) {
    return ((const Work *)work)->workspace;
}

static Status bind(const StepPlan *plan, const Step *step, void *const *at, void *scratch,
                   void **out) {
    (void)plan;
    Bound *bound = calloc(1, sizeof *bound);
    TRY_ALLOC(bound);
    memcpy(bound->at, at, sizeof bound->at);
    bound->workspace = scratch;
    bound->n = step->n_args;
    for (int i = 0; i < step->n_args; i++)
        bound->id[i] = step->arg[i].id;
    bound_now++;
    *out = bound;
    return ST_OK;
}

static void unbind(void *bound) {
    bound_now--;
    free(bound);
}

static Status rebind(void *bound, void *const *at) {
    memcpy(((Bound *)bound)->at, at, sizeof((Bound *)bound)->at);
    return ST_OK;
}

static Status run_work(Stream *stream, const void *work, const void *bound) {
    (void)stream;
    note(((const Work *)work)->name);
    last = bound;
    return ST_OK;
}

static void free_work(Device *device, void *work) {
    (void)device;
    freed++;
    free(work);
}

static const StepBackend backend = {.begin = begin,
                                    .workspace = workspace,
                                    .bind = bind,
                                    .unbind = unbind,
                                    .rebind = rebind,
                                    .run = run_work,
                                    .free_work = free_work};

/* ---- Order and addresses ---- */

static Operand second_saved;
static void *call_at[3];

static Status look(const StepCall *call) {
    note('f');
    assert_int_equal(call->run->lane, 5);
    assert_int_equal(call->step->n_args, 3);
    memcpy(call_at, call->at, sizeof call_at);
    return ST_OK;
}

static Status list_steps(StepPlan *plan) {
    Operand packed = steps_packed(plan, 100);
    steps_saved(plan, 10);
    second_saved = steps_saved(plan, 300);
    steps_need_temp(plan, 40);
    steps_need_temp(plan, 30);
    STEP_WORK(plan, PASS_PACK, new_work('p', 0), {AT_PARAM(LAYER_PARAMS_MAX - 1), 7}, {packed, 8});
    STEP_WORK(plan, PASS_FORWARD, new_work('1', 500), {AT_IN(LAYER_INPUTS_MAX - 1), 3}, {packed, 4},
              {AT_NOTHING, 5}, {AT_OUT, 6});
    STEP_CALL(plan, PASS_FORWARD, look, second_saved, AT_IN(0), AT_WORKSPACE);
    STEP_WORK(plan, PASS_BACKWARD, new_work('2', 20), {AT_TEMP, 1}, {AT_GRAD_IN(1), 2});
    return ST_OK;
}

static void test_steps_run_in_order_on_their_operands(void **state) {
    (void)state;
    static char memory[4096], in_last[8], grad_in[8], packed[512], param[8];
    OpDesc desc = {.training = true};
    OpMemory m = {.saved = memory, .scratch = memory + 1024, .packed = packed};
    m.in[LAYER_INPUTS_MAX - 1].data = in_last;
    m.grad_in[1].data = grad_in;
    LaneRun run = {.lane = 5};
    OpPlan *plan;
    OpBound *bound;
    freed = 0;
    memset(seen, 0, sizeof seen);
    assert_int_equal(steps_plan(&backend, NULL, NULL, &desc, list_steps, &plan), ST_OK);
    assert_int_equal(plan->saved_bytes, 256 + 512);
    assert_int_equal(plan->packed_bytes, 256);
    assert_int_equal(plan->scratch_bytes, 256 + 512); /* temp, then the greediest workspace */

    Tensor params[LAYER_PARAMS_MAX] = {0};
    params[LAYER_PARAMS_MAX - 1].data = param;
    assert_int_equal(steps_pack(NULL, plan, params, packed), ST_OK);
    assert_string_equal(seen, "(p");
    assert_ptr_equal(last->at[0], param);
    assert_ptr_equal(last->at[1], packed);
    assert_int_equal(last->id[1], 8);

    assert_int_equal(steps_bind(plan, &m, &bound), ST_OK);
    assert_int_equal(steps_forward(NULL, bound, &run), ST_OK);
    assert_string_equal(seen, "(p[1f");
    assert_int_equal(last->n, 2); /* AT_NOTHING ends the list */
    assert_ptr_equal(last->at[0], in_last);
    assert_ptr_equal(last->at[1], packed);
    assert_ptr_equal(last->workspace, memory + 1024 + 256);
    assert_ptr_equal(call_at[0], memory + 256);
    assert_null(call_at[1]); /* this op has no first input */
    assert_ptr_equal(call_at[2], memory + 1024 + 256);

    assert_int_equal(steps_backward(NULL, bound, &run), ST_OK);
    assert_string_equal(seen, "(p[1f[2");
    assert_ptr_equal(last->at[0], memory + 1024);
    assert_ptr_equal(last->at[1], grad_in);
    steps_unbind(bound);
    steps_unplan(plan);
    assert_int_equal(freed, 3);
    assert_int_equal(bound_now, 0);
}

/* ---- Limits ---- */

static int n_steps, n_args, index_of_param;

static Status list_many(StepPlan *plan) {
    for (int i = 0; i < n_steps; i++) {
        Step *step = STEP_WORK(plan, PASS_FORWARD, new_work('x', 0), {AT_OUT, 0});
        for (int a = 1; a < n_args; a++)
            steps_argument(plan, step, (Arg){AT_PARAM(index_of_param), a});
    }
    return ST_OK;
}

static void check_limit(int steps, int args, int param, bool fits) {
    OpDesc desc = {0};
    OpPlan *plan;
    n_steps = steps;
    n_args = args;
    index_of_param = param;
    freed = 0;
    Status status = steps_plan(&backend, NULL, NULL, &desc, list_many, &plan);
    assert_int_equal(status, fits ? ST_OK : ST_INTERNAL);
    if (fits)
        steps_unplan(plan);
    status_clear();
    assert_int_equal(freed, steps);
}

static void test_limits_are_kept_or_refused(void **state) {
    (void)state;
    check_limit(PASS_STEPS_MAX, STEP_ARGS_MAX, LAYER_PARAMS_MAX - 1, true);
    check_limit(PASS_STEPS_MAX + 2, 1, 0, false);
    check_limit(1, STEP_ARGS_MAX + 1, 0, false);
    check_limit(1, 2, LAYER_PARAMS_MAX, false);
    check_limit(1, 2, -1, false);
}

static Status list_nothing_packed(StepPlan *plan) {
    STEP_CALL(plan, PASS_FORWARD, look, AT_OUT, AT_SAVED(256), AT_IN(1));
    return ST_OK;
}

/* An op in evaluation has no backward, one without packing steps packs nothing. */
static void test_passes_may_be_empty(void **state) {
    (void)state;
    OpDesc desc = {0};
    OpMemory memory = {0};
    LaneRun run = {.lane = 5};
    OpPlan *plan;
    OpBound *bound;
    memset(seen, 0, sizeof seen);
    assert_int_equal(steps_plan(&backend, NULL, NULL, &desc, list_nothing_packed, &plan), ST_OK);
    Tensor params[LAYER_PARAMS_MAX] = {0};
    assert_int_equal(steps_pack(NULL, plan, params, NULL), ST_OK);
    assert_int_equal(steps_bind(plan, &memory, &bound), ST_OK);
    assert_int_equal(steps_forward(NULL, bound, &run), ST_OK);
    assert_string_equal(seen, "[f");
    assert_null(call_at[1]); /* nothing saved has no second part */
    steps_unbind(bound);
    steps_unplan(plan);
}

static Status list_packing_work(StepPlan *plan) {
    STEP_WORK(plan, PASS_PACK, new_work('p', 0), {AT_PARAM(0), 0}, {steps_packed(plan, 8), 0});
    return ST_OK;
}

static void test_packing_needs_a_backend_that_binds_again(void **state) {
    (void)state;
    StepBackend fixed = backend;
    OpDesc desc = {0};
    OpPlan *plan;
    fixed.rebind = NULL;
    assert_int_equal(steps_plan(&fixed, NULL, NULL, &desc, list_packing_work, &plan), ST_INTERNAL);
    status_clear();
    assert_int_equal(bound_now, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_run_in_order_on_their_operands),
        cmocka_unit_test(test_limits_are_kept_or_refused),
        cmocka_unit_test(test_passes_may_be_empty),
        cmocka_unit_test(test_packing_needs_a_backend_that_binds_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
