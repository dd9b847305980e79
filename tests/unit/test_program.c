/* program: buffers by lifetime never overlap, a residual net's gradients have one assigner each,
 * and additions are fused where they may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/model/program_internal.h"
#include "lockstep/rng.h"

enum { BUFFERS = 60 };

static bool overlap(const ArenaBuffer *a, const ArenaBuffer *b) {
    bool in_time = a->birth <= b->death && b->birth <= a->death;
    bool in_space = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
    return in_time && in_space;
}

static void test_arena_places_without_overlap(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 200; round++) {
        ArenaBuffer buffers[BUFFERS];
        size_t total, sum = 0;
        for (uint32_t i = 0; i < BUFFERS; i++) {
            RngBlock r = rng_block(rng_key(round, RNG_INIT), i, 0, 0, 0);
            int birth = (int)rng_below(r.word[0], 40);
            buffers[i] = (ArenaBuffer){.bytes = rng_below(r.word[1], 100000),
                                       .birth = birth,
                                       .death = birth + (int)rng_below(r.word[2], 20)};
        }
        assert_int_equal(arena_plan(buffers, BUFFERS, &total), ST_OK);
        for (int i = 0; i < BUFFERS; i++) {
            sum += buffers[i].bytes;
            assert_true(buffers[i].offset % ARENA_ALIGN == 0);
            assert_true(buffers[i].offset + buffers[i].bytes <= total);
            for (int j = 0; j < i; j++)
                assert_false(overlap(&buffers[i], &buffers[j]));
        }
        assert_true(total < sum); /* something was reused */
    }
}

static const char residual[] = "conv c=4 k=3 p=1\n"
                               "a: relu\n"
                               "conv c=4 k=3 p=1\n"
                               "bn\n"
                               "relu\n"
                               "add with=a\n"
                               "avgpool global\n"
                               "linear c=10\n";

typedef struct Built {
    Model model;
    Device *device;
    Program *program;
} Built;

/* `fuses_add`: of a device that could, which ref is for planning alone. */
static void build_text(Built *built, const char *text, bool training, uint32_t fuses_add) {
    assert_int_equal(model_parse(text, "test", 1, (Shape){1, 3, 8, 8}, 10, 0, &built->model),
                     ST_OK);
    assert_int_equal(device_open_ref(&(DeviceOptions){0}, &built->device), ST_OK);
    built->device->fuses_add = fuses_add;
    assert_int_equal(program_build(built->device, &built->model, 2, training, &built->program),
                     ST_OK);
}

static void build(Built *built, bool training) {
    build_text(built, residual, training, 0);
}

static void tear_down(Built *built) {
    program_free(built->program);
    built->device->ops->close(built->device);
    model_free(&built->model);
}

static void test_relus_are_fused_and_gradients_assigned_once(void **state) {
    (void)state;
    Built built;
    build(&built, true);
    const Program *program = built.program;
    /* conv+relu, conv, bn+relu, add, avgpool, linear, softmax_ce */
    assert_int_equal(program->n_ops, 7);
    assert_true(program->plans[0]->desc.relu);
    assert_true(program->plans[2]->desc.relu);
    assert_int_equal(program->plans[0]->desc.grad_in[0], GRAD_NONE); /* the image */
    /* `a` is read by the second conv and by add: add's backward comes first */
    assert_int_equal(program->plans[3]->desc.grad_in[1], GRAD_ASSIGN);
    assert_int_equal(program->plans[1]->desc.grad_in[0], GRAD_ADD);
    assert_int_equal(program->plans[3]->desc.grad_in[0], GRAD_ASSIGN);
    tear_down(&built);
}

/* The op of the layer called `name`, and in *op its index; NULL where it was fused. */
static const OpDesc *find_op(const Program *program, const char *name, int *op) {
    for (*op = 0; *op < program->n_ops; (*op)++) {
        const OpDesc *desc = &program->plans[*op]->desc;
        if (strcmp(desc->layer->name, name) == 0)
            return desc;
    }
    return NULL;
}

/* What the bn called `b` of a model came to. `body` stands between an activation called `a`, that
 * of op 0, and the end. */
typedef struct FusionCase {
    const char *what, *body;
    bool add, relu;
    int second; /* op whose output is the other summand; -1: none */
    GradMode grad_in[2];
} FusionCase;

static const FusionCase fusions[] = {
    {"a residual block",
     "conv c=4 k=3 p=1\nb: bn\nadd with=a\nrelu\n",
     true,
     true,
     0,
     {GRAD_ASSIGN, GRAD_ASSIGN}},
    {"no ReLU",
     "conv c=4 k=3 p=1\nb: bn\nadd with=a\ngelu\n",
     true,
     false,
     0,
     {GRAD_ASSIGN, GRAD_ASSIGN}},
    {"bn is what is added",
     "x: conv c=4 k=1\nb: bn from=a\nadd from=x with=b\n",
     true,
     false,
     1,
     {GRAD_ASSIGN, GRAD_ASSIGN}},
    {"to its own input", "b: bn\nadd with=a\nrelu\n", true, true, 0, {GRAD_ASSIGN, GRAD_ADD}},
    {"the summand is read later",
     "conv c=4 k=3 p=1\nb: bn\nadd with=a\nconv c=4 k=1\n"
     "add with=a\n",
     true,
     false,
     0,
     {GRAD_ASSIGN, GRAD_ADD}},
    {"the second of two bn",
     "conv c=4 k=1\ns: bn\nconv c=4 k=3 p=1 from=a\nb: bn\nadd with=s\n"
     "relu\n",
     true,
     true,
     2,
     {GRAD_ASSIGN, GRAD_ASSIGN}},
    {"the first of two bn",
     "conv c=4 k=1\nb: bn\nconv c=4 k=3 p=1 from=a\nbn\nadd with=b\n"
     "relu\n",
     false,
     false,
     -1,
     {GRAD_ASSIGN, GRAD_NONE}},
    {"another reads bn too",
     "b: bn\ng: gelu\nadd from=b with=a\nadd with=g\n",
     false,
     false,
     -1,
     {GRAD_ADD, GRAD_NONE}},
    {"a ReLU between",
     "conv c=4 k=3 p=1\nb: bn\nrelu\nadd with=a\n",
     false,
     true,
     -1,
     {GRAD_ASSIGN, GRAD_NONE}},
};

static void check_fusion(const FusionCase *row, uint32_t fuses_add) {
    Built built;
    char text[512];
    int op;
    bool add = row->add && (fuses_add >> LAYER_BN & 1) != 0;
    snprintf(text, sizeof text, "conv c=4 k=3 p=1\na: relu\n%savgpool global\nlinear c=10\n",
             row->body);
    build_text(&built, text, true, fuses_add);
    const OpDesc *desc = find_op(built.program, "b", &op);
    assert_non_null(desc);
    if (desc->add != add || desc->relu != (row->relu && (add || !row->add)))
        fail_msg("%s: add %d, relu %d", row->what, desc->add, desc->relu);
    if (add || !row->add) {
        assert_int_equal(desc->n_in, add ? 2 : 1);
        assert_int_equal(built.program->input[op][1],
                         row->second < 0 ? NO_TENSOR : row->second + 1);
        for (int i = 0; i < 2; i++)
            if (desc->grad_in[i] != row->grad_in[i])
                fail_msg("%s: gradient of input %d has mode %d", row->what, i, desc->grad_in[i]);
    }
    tear_down(&built);
}

static void test_additions_are_fused_where_they_may_be(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof fusions / sizeof *fusions; i++) {
        check_fusion(&fusions[i], 1u << LAYER_BN);
        check_fusion(&fusions[i], 1u << LAYER_CONV);
        check_fusion(&fusions[i], 0);
    }
}

/* ---- What the rule of layouts sees ---- */

static Device *spied;
static const DeviceOps *spied_ops;
static OpTensors seen_ops[16];
static int seen_n, seen_tensors;

static Status see_ops(Device *device, const OpTensors *ops, int n_ops, Tensor *tensors,
                      int n_tensors) {
    seen_n = n_ops;
    seen_tensors = n_tensors;
    for (int o = 0; o < n_ops && o < 16; o++)
        seen_ops[o] = ops[o];
    return spied_ops->layouts(device, ops, n_ops, tensors, n_tensors);
}

typedef struct SeenOp {
    LayerKind kind;
    int n_in, in[2], out;
} SeenOp;

/* By hand, from the text of `residual`: ReLUs are part of what they follow. */
static const SeenOp wanted_ops[] = {
    {LAYER_CONV, 1, {0}, 1},        {LAYER_CONV, 1, {1}, 2},    {LAYER_BN, 1, {2}, 3},
    {LAYER_ADD, 2, {3, 1}, 4},      {LAYER_AVGPOOL, 1, {4}, 5}, {LAYER_LINEAR, 1, {5}, 6},
    {LAYER_SOFTMAX_CE, 1, {6}, -1},
};

static void test_layouts_see_the_ops(void **state) {
    (void)state;
    const int n = (int)(sizeof wanted_ops / sizeof *wanted_ops);
    Built built;
    Program *program;
    build(&built, true);
    spied = built.device;
    spied_ops = spied->ops;
    DeviceOps spy = *spied_ops;
    spy.layouts = see_ops;
    spied->ops = &spy;
    assert_int_equal(program_build(spied, &built.model, 2, true, &program), ST_OK);
    assert_int_equal(seen_n, n);
    assert_int_equal(seen_tensors, n); /* the image, and what all but the loss write */
    for (int o = 0; o < n; o++) {
        assert_int_equal(seen_ops[o].layer->kind, wanted_ops[o].kind);
        assert_int_equal(seen_ops[o].n_in, wanted_ops[o].n_in);
        assert_int_equal(seen_ops[o].out, wanted_ops[o].out);
        for (int i = 0; i < wanted_ops[o].n_in; i++)
            assert_int_equal(seen_ops[o].in[i], wanted_ops[o].in[i]);
    }
    program_free(program);
    spied->ops = spied_ops;
    tear_down(&built);
}

/* ---- Forms of gradients ---- */

/* Of each parameter what the plan of its own op says, in the order of the model. */
static void test_forms_are_the_plans(void **state) {
    (void)state;
    Built built;
    Program *program;
    build(&built, true);
    for (int o = 0; o < built.program->n_ops; o++)
        assert_false(built.program->plans[o]->desc.keeps_form);
    assert_int_equal(program_build_kept(built.device, &built.model, 2, &program), ST_OK);
    for (int o = 0; o < program->n_ops; o++) {
        OpPlan *plan = program->plans[o];
        assert_true(plan->desc.keeps_form);
        for (int i = 0; i < plan->desc.layer->n_params; i++)
            plan->grad_form[i] = (TermForm){plan->desc.index + 1, i + 1, DT_BF16};
    }
    TermForm form[16] = {{0}};
    assert_in_range(built.model.n_params, 4, 16);
    program_forms(program, form);
    for (int p = 0, nth = 0; p < built.model.n_params; p++) {
        int layer = built.model.params[p].layer;
        nth = p > 0 && built.model.params[p - 1].layer == layer ? nth + 1 : 0;
        assert_int_equal(form[p].channels, layer + 1);
        assert_int_equal(form[p].area, nth + 1);
    }
    program_free(program);
    tear_down(&built);
}

/* ---- What lives until backward ---- */

/* Either factor of a product lives until its backward, also the second; of a sum none. */
static void test_inputs_live_until_backward(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool lives;
    } cases[] = {
        {"a: conv c=4 k=3 p=1\nscale by=2 from=image\nconv c=4 k=1\nmul with=a\nlinear c=3\n",
         true},
        {"a: conv c=4 k=3 p=1\nscale by=2 from=image\nconv c=4 k=1\nadd with=a\nlinear c=3\n",
         false},
    };
    enum { A = 1, OTHER = 3, OP = 3 }; /* tensors, and the op that reads them */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Model model;
        Device *device;
        Program *program;
        assert_int_equal(model_parse(cases[i].text, "test", 1, (Shape){1, 3, 8, 8}, 3, 0, &model),
                         ST_OK);
        assert_int_equal(device_open_cpu(&(DeviceOptions){0}, &device), ST_OK);
        assert_int_equal(program_build(device, &model, 2, true, &program), ST_OK);
        int backward = 2 * program->n_ops - 1 - OP;
        assert_int_equal(program->input[OP][0], OTHER);
        assert_int_equal(program->input[OP][1], A);
        assert_int_equal(program->buffers[A].death >= backward, cases[i].lives);
        assert_int_equal(program->buffers[OTHER].death >= backward, cases[i].lives);
        program_free(program);
        device->ops->close(device);
        model_free(&model);
    }
}

/* A backend refuses what it does not do, in the options' words: most of it only a GPU does, and
 * bf16 not every processor. */
static void test_options_are_the_devices_to_judge(void **state) {
    (void)state;
    static const struct {
        DeviceOptions options;
        const char *words;
    } cases[] = {
        {{.precision = PRECISION_BF16}, "--precision bf16"},
        {{.precision = PRECISION_TF32}, "--precision tf32"},
        {{.autotune = true}, "--autotune"},
        {{.bf16_sums = true}, "--reduction-type bf16"},
    };
    Status (*const open[])(const DeviceOptions *, Device **) = {device_open_ref, device_open_ref64,
                                                                device_open_cpu};
    for (size_t d = 0; d < sizeof open / sizeof *open; d++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            Device *device = NULL;
            bool may = open[d] == device_open_cpu && cases[i].options.precision == PRECISION_BF16;
            Status status = open[d](&cases[i].options, &device);
            if (may && status == ST_OK) {
                device->ops->close(device);
                continue;
            }
            assert_int_equal(status, ST_USAGE);
            assert_non_null(strstr(status_message(), cases[i].words));
            assert_null(device);
            status_clear();
        }
}

static void test_evaluation_needs_less_memory(void **state) {
    (void)state;
    Built training, evaluation;
    build(&training, true);
    build(&evaluation, false);
    assert_true(program_executor_bytes(evaluation.program) <
                program_executor_bytes(training.program));
    tear_down(&training);
    tear_down(&evaluation);
}

typedef struct Seen {
    int64_t last;
    int calls;
} Seen;

static Status on_ready(void *context, int64_t begin) {
    Seen *seen = context;
    assert_true(begin < seen->last);
    seen->last = begin;
    seen->calls++;
    return ST_OK;
}

static void test_gradient_completes_from_its_end(void **state) {
    (void)state;
    Built built;
    Stream *stream;
    Executor *executor;
    build(&built, true);
    const DeviceOps *ops = built.device->ops;
    size_t flat = (size_t)built.model.flat * sizeof(float);
    float *weight = calloc(1, flat), image[2 * 3 * 8 * 8] = {0};
    float *running = calloc((size_t)built.model.running_flat, sizeof *running);
    int32_t labels[2] = {1, 2}, predicted[2];
    float loss[2];
    Weights weights = {0};
    void *gradient;
    model_init(&built.model, 3, weight, running);
    assert_int_equal(ops->stream_open(built.device, &stream), ST_OK);
    assert_int_equal(ops->alloc(built.device, flat, &weights.weight), ST_OK);
    assert_int_equal(ops->alloc(built.device, flat, &gradient), ST_OK);
    assert_int_equal(ops->alloc(built.device, (size_t)built.model.running_flat * sizeof(float),
                                &weights.running),
                     ST_OK);
    assert_int_equal(ops->upload(stream, weights.weight, weight, flat), ST_OK);
    assert_int_equal(executor_open(built.program, stream, &weights, gradient, &executor), ST_OK);
    LaneRun run = {.loss_scale = 0.5};
    Seen seen = {.last = built.model.flat};
    assert_int_equal(executor_load(executor, image, labels), ST_OK);
    assert_int_equal(executor_forward(executor, &run), ST_OK);
    assert_int_equal(executor_backward(executor, &run, on_ready, &seen), ST_OK);
    assert_int_equal(executor_results(executor, loss, predicted), ST_OK);
    assert_int_equal(ops->sync(stream, 10), ST_OK);
    assert_int_equal(seen.last, 0);
    assert_int_equal(seen.calls, 4); /* linear, bn, conv, conv */
    assert_true(loss[0] > 0 && loss[1] > 0);
    executor_close(executor);
    ops->release(built.device, weights.weight);
    ops->release(built.device, weights.running);
    ops->release(built.device, gradient);
    ops->stream_close(stream);
    free(weight);
    free(running);
    tear_down(&built);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_places_without_overlap),
        cmocka_unit_test(test_relus_are_fused_and_gradients_assigned_once),
        cmocka_unit_test(test_additions_are_fused_where_they_may_be),
        cmocka_unit_test(test_layouts_see_the_ops),
        cmocka_unit_test(test_forms_are_the_plans),
        cmocka_unit_test(test_inputs_live_until_backward),
        cmocka_unit_test(test_options_are_the_devices_to_judge),
        cmocka_unit_test(test_evaluation_needs_less_memory),
        cmocka_unit_test(test_gradient_completes_from_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
