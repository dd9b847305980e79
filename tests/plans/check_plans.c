/* check_plans GPU.json PRECISION TABLE RECIPE|rows...: plans every cuDNN graph of the recipes for a
 * GPU that need not be there, and says which engine each gets.
 *
 * It opens the CUDA backend's device for planning alone, and builds the very programs that a run of
 * each recipe builds: training and evaluation, at the batches its lanes have (RECIPE:LANES for
 * other lanes than the recipe's). cuDNN validates each graph, ranks its engines for the GPU that
 * GPU.json describes, and finalizes the plan.
 *
 * One TAP line for each graph and each program; a graph that several programs share is counted
 * once. A graph passes where it has an engine, and where what the rule that chose it promises
 * holds: the workspace is within the cap and the engine's notes are allowed. A graph without an
 * engine fails, but for the kinds listed in `replaced`, where the backend has another way, which is
 * then checked in its place.
 *
 * `rows` stands for the table of tests/ops: each row is planned alone. There a graph without an
 * engine is none of a recipe's, and the row passes where lockstep's own kernels take its place.
 *
 * TABLE gets one line a graph: name, engine, mode, position, workspace, notes, the first program
 * that has it, separated by tabs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda.h"
#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/input.h"
#include "lockstep/program.h"
#include "lockstep/sampler.h"
#include "ops/op_run.h"

enum { PROPERTIES_MAX = 65536, GRAPHS_MAX = 4096, PROGRAMS_MAX = 128, SIZES_MAX = 8 };

typedef struct Check {
    const char *gpu; /* "sm_90", of the file's name */
    const char *precision_name;
    DeviceOptions options;
    Device *device;
    FILE *table;
    char what[160];         /* is being planned: "resnet9, training of 64 images" */
    char *seen[GRAPHS_MAX]; /* names */
    int n_seen;
    int n_programs;
    Program *program[PROGRAMS_MAX]; /* kept to the end, so that programs share their graphs */
    bool rows;                      /* not of a recipe */
    int failures;
} Check;

static const char *const precision_names[] = {"fp32", "tf32", "bf16"};
static const char *const mode_names[] = {"instant", "B", "fallback", "A"};

/* ---- Names of notes ---- */

typedef struct NoteName {
    int bit;
    const char *name;
} NoteName;

static const NoteName note_names[] = {
    {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, "tensor-core"},
    {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, "down-convert"},
    {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, "reduced-precision-sum"},
    {CUDNN_NUMERICAL_NOTE_FFT, "fft"},
    {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, "nondeterministic"},
    {CUDNN_NUMERICAL_NOTE_WINOGRAD, "winograd"},
    {CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4, "winograd-4x4"},
    {CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6, "winograd-6x6"},
    {CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13, "winograd-13x13"},
    {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP, "strict-nan"},
};

static const char *describe_notes(const GraphInfo *info, char *text, size_t room) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof note_names / sizeof *note_names; i++) {
        if (info->notes >> note_names[i].bit & 1 && used < room)
            used += (size_t)snprintf(text + used, room - used, "%s%s", used ? " " : "",
                                     note_names[i].name);
    }
    if (info->behavior >> CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION & 1 && used < room)
        snprintf(text + used, room - used, "%scompiled", used ? " " : "");
    return text;
}

/* ---- One graph ---- */

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* What must not be, or NULL. That tensor cores may work where nothing is multiplied, as in pooling,
 * rounds nothing. */
static const char *forbidden(const Check *check, const GraphInfo *info) {
    const GraphTarget *target = &((const CudaDevice *)check->device)->target;
    bool fp32 = check->options.precision == PRECISION_FP32;
    bool multiplies = starts_with(info->name, "conv") || starts_with(info->name, "product");
    if (info->workspace > target->workspace_max)
        return "the workspace is beyond the cap";
    if (fp32 && multiplies && info->notes >> CUDNN_NUMERICAL_NOTE_TENSOR_CORE & 1)
        return "tensor cores in fp32";
    if (fp32 && info->notes >> CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS & 1)
        return "rounded inputs in fp32";
    if (check->options.exact && info->notes >> CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC & 1)
        return "nondeterministic in an exact run";
    return NULL;
}

/* Whether a batch norm's channels, the second number of its shape, are no whole vectors of 16
 * bytes. */
static bool has_rest(const Check *check, const char *name) {
    int64_t n, channels, vector = check->options.precision == PRECISION_BF16 ? 8 : 4;
    const char *shape = strchr(name, 'x');
    while (shape && shape > name && shape[-1] != ' ')
        shape--;
    return shape && sscanf(shape, "%" SCNd64 "x%" SCNd64 "x", &n, &channels) == 2 &&
           channels % vector != 0;
}

/* What takes the place of a graph that has no engine, or NULL where it must have one. */
static const char *replaced(const Check *check, const char *name) {
    if (check->options.precision == PRECISION_FP32 && starts_with(name, "product"))
        return "a convolution of 1 x 1 maps: every engine for products uses tensor cores";
    if (starts_with(name, "bn forward+add eps"))
        return "a kernel of lockstep's own: engines that add want a ReLU behind it";
    if ((starts_with(name, "bn forward") || starts_with(name, "bn backward")) &&
        has_rest(check, name))
        return "kernels of lockstep's own: engines want whole vectors of channels";
    if (starts_with(name, "conv forward+bias") && strstr(name, " g"))
        return "a kernel of lockstep's own for the bias, behind the convolution";
    return NULL;
}

static void report_missing(Check *check, const char *name) {
    const char *instead = replaced(check, name);
    if (check->rows && !instead)
        instead = "a kernel of lockstep's own";
    if (instead) {
        printf("# %s %s %s: no engine; instead %s\n", check->gpu, check->precision_name, name,
               instead);
        return;
    }
    printf("not ok - %s %s %s: no engine\n", check->gpu, check->precision_name, name);
    check->failures++;
}

static bool first_time(Check *check, const char *name) {
    for (int i = 0; i < check->n_seen; i++) {
        if (strcmp(check->seen[i], name) == 0)
            return false;
    }
    if (check->n_seen < GRAPHS_MAX)
        check->seen[check->n_seen++] = strdup(name);
    return true;
}

static void planned(void *context, const char *name, const Graph *graph) {
    Check *check = context;
    char notes[256];
    if (!first_time(check, name))
        return;
    if (!graph) {
        report_missing(check, name);
        return;
    }
    const GraphInfo *info = graph_info(graph);
    const char *wrong = forbidden(check, info);
    const char *mode =
        (size_t)info->mode < sizeof mode_names / sizeof *mode_names ? mode_names[info->mode] : "?";
    describe_notes(info, notes, sizeof notes);
    printf("%s - %s %s %s: engine %" PRId64 ", mode %s no. %d, %zu KiB%s%s\n",
           wrong ? "not ok" : "ok", check->gpu, check->precision_name, name, info->engine, mode,
           info->position, (info->workspace + 1023) / 1024, notes[0] ? ", " : "", notes);
    if (wrong) {
        printf("# %s\n", wrong);
        check->failures++;
    }
    fprintf(check->table, "%s\t%" PRId64 "\t%s\t%d\t%zu\t%s\t%s\n", name, info->engine, mode,
            info->position, info->workspace, notes, check->what);
}

/* ---- The programs of a recipe ---- */

static Status build(Check *check, const char *recipe, Model *model, int64_t batch, bool training) {
    Program *program = NULL;
    int before = check->n_seen;
    if (check->n_programs == PROGRAMS_MAX)
        return FAIL(ST_INTERNAL, "more than %d programs", PROGRAMS_MAX);
    snprintf(check->what, sizeof check->what, "%s, %s of %" PRId64 " images", recipe,
             training ? "training" : "evaluation", batch);
    Status status = program_build(check->device, model, batch, training, &program);
    if (status != ST_OK) {
        printf("not ok - %s %s %s\n# %s\n", check->gpu, check->precision_name, check->what,
               status_message());
        status_clear();
        check->failures++;
        return ST_OK;
    }
    check->program[check->n_programs++] = program;
    printf("ok - %s %s %s: %d layers planned, %d graphs not met before, %.1f MiB an executor\n",
           check->gpu, check->precision_name, check->what, program_ops(program),
           check->n_seen - before, (double)program_executor_bytes(program) / 1048576);
    return ST_OK;
}

/* Adds `size` to sizes[n] unless it is there or nothing. */
static int add_size(int64_t *sizes, int n, int64_t size) {
    for (int i = 0; i < n; i++) {
        if (sizes[i] == size)
            return n;
    }
    if (size > 0)
        sizes[n++] = size;
    return n;
}

/* The lane batches of training, of evaluation. */
static Status find_sizes(const RunConfig *config, const Dataset *dataset, int64_t *train,
                         int *n_train, int64_t *eval, int *n_eval) {
    Sampler sampler;
    TRY(sampler_init(&sampler, dataset->count[DATASET_PART_TRAIN] - config->holdout, config->lanes,
                     config->batch_size / config->lanes, config->drop_last, config->seed));
    *n_train = sampler_batches(&sampler, train);
    int64_t batch = config->eval_batch * EVAL_BATCHES_AT_ONCE;
    *n_eval = add_size(eval, 0, batch);
    *n_eval = add_size(eval, *n_eval, dataset->count[DATASET_PART_TEST] % batch);
    *n_eval = add_size(eval, *n_eval, config->holdout % batch);
    return ST_OK;
}

/* `recipe` is FILE or FILE:LANES. */
static Status check_recipe(Check *check, char *recipe, Model *model) {
    int64_t train[SIZES_MAX], eval[SIZES_MAX];
    int n_train, n_eval;
    Dataset dataset;
    Status status = ST_OK;
    char *lanes = strrchr(recipe, ':');
    dataset_cifar10(&dataset);
    if (lanes)
        *lanes++ = '\0';
    char *arguments[] = {recipe, "--lanes", lanes};
    RunConfig *config = calloc(1, sizeof *config);
    TRY_ALLOC(config);
    TRY_DONE(config_load(lanes ? 3 : 1, arguments, config));
    TRY_DONE(model_parse(config->model, recipe, config->model_line, dataset.image, dataset.classes,
                         config->label_smoothing, model));
    TRY_DONE(find_sizes(config, &dataset, train, &n_train, eval, &n_eval));
    for (int i = 0; i < n_train; i++)
        TRY_DONE(build(check, config->name, model, train[i], true));
    for (int i = 0; i < n_eval; i++)
        TRY_DONE(build(check, config->name, model, eval[i], false));
done:
    free(config);
    return status;
}

/* ---- The rows of the op table ---- */

static void check_row(Check *check, const OpCase *row, int *own) {
    OpRun run;
    snprintf(check->what, sizeof check->what, "row %s", row->name);
    Status status = op_run_plan(check->device, row, &run);
    if (status == ST_OK) {
        *own += run.plan->own_kernels;
        printf("ok - %s %s %s is planned%s\n", check->gpu, check->precision_name, check->what,
               run.plan->own_kernels ? ", with own kernels" : "");
    } else {
        printf("not ok - %s %s %s\n# %s\n", check->gpu, check->precision_name, check->what,
               status_message());
        status_clear();
        check->failures++;
    }
    op_run_close(&run);
}

static void check_rows(Check *check) {
    int n = 0, own = 0;
    check->rows = true;
    for (int i = 0; i < op_table_count; i++) {
        if (!op_supported(check->device, &op_table[i]))
            continue;
        check_row(check, &op_table[i], &own);
        n++;
    }
    check->rows = false;
    printf("# %s %s: %d rows, %d with own kernels\n", check->gpu, check->precision_name, n, own);
}

/* ---- The GPU ---- */

static Status read_properties(const char *path, char *text) {
    FILE *file = fopen(path, "r");
    if (!file)
        return FAIL(ST_USAGE, "%s: %s", path, strerror(errno));
    size_t length = fread(text, 1, PROPERTIES_MAX - 1, file);
    text[length] = '\0';
    fclose(file);
    return ST_OK;
}

static Status find_precision(const char *name, Precision *precision) {
    for (size_t i = 0; i < sizeof precision_names / sizeof *precision_names; i++) {
        if (strcmp(name, precision_names[i]) == 0) {
            *precision = (Precision)i;
            return ST_OK;
        }
    }
    return FAIL(ST_USAGE, "no precision `%s`: fp32, tf32 or bf16", name);
}

/* "tests/plans/gpus/sm_90.json" -> "sm_90". */
static void name_gpu(const char *path, char *name, size_t room) {
    const char *slash = strrchr(path, '/');
    snprintf(name, room, "%s", slash ? slash + 1 : path);
    name[strcspn(name, ".")] = '\0';
}

static Status check_all(Check *check, int argc, char **argv) {
    static char properties[PROPERTIES_MAX];
    Model models[PROGRAMS_MAX] = {0};
    Planning planning = {0};
    int n_models = 0;
    Status status = ST_OK;
    TRY(read_properties(argv[1], properties));
    TRY(find_precision(argv[2], &check->options.precision));
    check->precision_name = argv[2];
    check->options.exact = true;
    check->table = fopen(argv[3], "w");
    if (!check->table)
        return FAIL(ST_USAGE, "%s: %s", argv[3], strerror(errno));
    TRY_DONE(cuda_open_plans(properties, &check->options, planned, check, &check->device));
    printf("# %s %s, cuDNN %zu\n", check->gpu, check->precision_name, cudnnGetVersion());
    for (int i = 4; i < argc && n_models < PROGRAMS_MAX; i++)
        if (strcmp(argv[i], "rows") == 0)
            check_rows(check);
        else
            TRY_DONE(check_recipe(check, argv[i], &models[n_models++]));
    TRY_DONE(check->device->ops->planning->end(check->device, &planning));
done:
    for (int i = 0; i < check->n_programs; i++)
        program_free(check->program[i]);
    for (int i = 0; i < n_models; i++)
        model_free(&models[i]);
    if (check->device)
        check->device->ops->close(check->device);
    if (fclose(check->table) != 0 && status == ST_OK)
        status = FAIL(ST_USAGE, "%s: %s", argv[3], strerror(errno));
    return status;
}

int main(int argc, char **argv) {
    static Check check;
    char gpu[64];
    if (argc < 5) {
        fprintf(stderr, "usage: check_plans GPU.json fp32|tf32|bf16 TABLE RECIPE|rows...\n");
        return ST_USAGE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    name_gpu(argv[1], gpu, sizeof gpu);
    check.gpu = gpu;
    Status status = check_all(&check, argc, argv);
    if (status != ST_OK) {
        printf("not ok - %s %s\n# %s\n", gpu, argv[2], status_message());
        check.failures++;
    }
    for (int i = 0; i < check.n_seen; i++)
        free(check.seen[i]);
    return check.failures > 0;
}
