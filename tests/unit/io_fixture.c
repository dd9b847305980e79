/* io_fixture: see io_fixture.h. */
#include "io_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void view(ParamView *views, int *n, int64_t *flat, const char *name, int layer, int which,
                 ParamSpec spec) {
    ParamView *v = &views[(*n)++];
    memset(v, 0, sizeof *v);
    snprintf(v->name, sizeof v->name, "%s", name);
    v->layer = layer;
    v->which = which;
    v->spec = spec;
    v->offset = *flat;
    v->count = spec.dim[0] * spec.dim[1] * spec.dim[2] * spec.dim[3];
    *flat += (v->count + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
}

static void build_model(Fixture *f) {
    Model *m = &f->model;
    f->layers[0] = (Layer){.kind = LAYER_CONV, .name = "conv1"};
    f->layers[1] = (Layer){.kind = LAYER_BN, .name = "bn1"};
    f->layers[2] = (Layer){.kind = LAYER_LINEAR, .name = "linear1"};
    f->layers[3] = (Layer){.kind = LAYER_SOFTMAX_CE, .name = "softmax_ce1"};
    *m = (Model){.image = {1, 3, 32, 32},
                 .classes = 10,
                 .n_layers = 4,
                 .layers = f->layers,
                 .params = f->params,
                 .running = f->running};
    view(f->params, &m->n_params, &m->flat, "conv1.weight", 0, 0,
         (ParamSpec){.role = "weight", .ndim = 4, .dim = {4, 3, 3, 3}});
    view(f->params, &m->n_params, &m->flat, "bn1.weight", 1, 0,
         (ParamSpec){.role = "weight", .ndim = 1, .dim = {4, 1, 1, 1}});
    view(f->params, &m->n_params, &m->flat, "bn1.bias", 1, 1,
         (ParamSpec){.role = "bias", .ndim = 1, .dim = {4, 1, 1, 1}});
    view(f->params, &m->n_params, &m->flat, "linear1.weight", 2, 0,
         (ParamSpec){.role = "weight", .ndim = 2, .dim = {10, 4, 1, 1}});
    view(f->params, &m->n_params, &m->flat, "linear1.bias", 2, 1,
         (ParamSpec){.role = "bias", .ndim = 1, .dim = {10, 1, 1, 1}});
    view(f->running, &m->n_running, &m->running_flat, "bn1.running_mean", 1, 0,
         (ParamSpec){.role = "running_mean", .ndim = 1, .dim = {4, 1, 1, 1}});
    view(f->running, &m->n_running, &m->running_flat, "bn1.running_var", 1, 1,
         (ParamSpec){.role = "running_var", .ndim = 1, .dim = {4, 1, 1, 1}});
    for (int i = 0; i < m->n_params; i++)
        m->parameters += m->params[i].count;
}

static float *array(int64_t count) {
    float *a = malloc((size_t)count * sizeof *a);
    assert_non_null(a);
    memset(a, 0xff, (size_t)count * sizeof *a); /* NaN */
    return a;
}

static void fill(float *a, const ParamView *views, int n, int64_t flat, float base) {
    memset(a, 0, (size_t)flat * sizeof *a);
    for (int i = 0; i < n; i++) {
        for (int64_t j = 0; j < views[i].count; j++)
            a[views[i].offset + j] = base + (float)i + 0.001f * (float)j;
    }
}

void fixture_step(Fixture *f, int64_t step) {
    Checkpoint *c = &f->checkpoint;
    Model *m = &f->model;
    fill(c->weight, m->params, m->n_params, m->flat, (float)step);
    fill(c->running, m->running, m->n_running, m->running_flat, (float)step + 100);
    fill(c->slot[0], m->params, m->n_params, m->flat, (float)step + 200);
    fill(c->slot[1], m->params, m->n_params, m->flat, (float)step + 300);
    fill(c->ema, m->params, m->n_params, m->flat, (float)step + 400);
    for (int i = 0; i < 3; i++)
        f->history[i] = (HistoryEntry){.epoch = i * (step / 10) / 3,
                                       .step = i * (step / 10) / 3 * 10,
                                       .train_loss = 2.25 - i,
                                       .train_accuracy = 0.1 * i,
                                       .test_loss = 2.5 - i,
                                       .test_accuracy = 0.09 * i};
    c->state = (RunState){
        .step = step,
        .epoch = step / 10,
        .position = step % 10,
        .best_accuracy = 0.7,
        .best_loss = 0.9,
        .last_accuracy = 0.6,
        .best_step = step / 2,
        .without_better = step / 3,
        .log_loss = -11,
        .log_correct = step > 0 ? 12 : 0,
        .log_images = step > 0 ? 13 : 0,
        .epoch_loss = 14,
        .epoch_correct = step % 10 > 0 ? 15 : 0,
        .epoch_images = step % 10 > 0 ? 16 : 0,
        .last_logged_step = step / 4,
        .finished = true,
        .has_plateau = true,
        .plateau = {.lr = 0.125, .best = 0.75, .bad = 4, .cooldown = 5},
        .samples = {.known = true,
                    .from = step / 5,
                    .all = UINT64_C(0x8123456789abcdef),
                    .epoch = UINT64_C(0xfedc000000000000)},
        .bad = {.skipped = step / 6, .in_a_row = step / 12, .rollbacks = 2, .lr_factor = 0.0625},
        .n_history = 3,
        .history = f->history};
}

void fixture_open(Fixture *f, int64_t step) {
    memset(f, 0, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "%s/lockstep-io-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(f->folder));
    build_model(f);
    Checkpoint *c = &f->checkpoint;
    *c = (Checkpoint){.model = &f->model,
                      .config = FIXTURE_CONFIG,
                      .seed = UINT64_C(0xfedcba9876543210),
                      .lanes = 8,
                      .steps_per_epoch = 10, /* as fixture_step counts */
                      .git = "abc123",
                      .dataset = "synthetic",
                      .dataset_hash = UINT64_C(0x8000000000000001),
                      .image = {1, 3, 28, 28},
                      .classes = 3,
                      .class_names = "a\nthe b\n\xc3\xbc",
                      .instruction_set = "avx512_core",
                      .n_slots = 2,
                      .slot_name = {"exp_avg_sq", "exp_avg"}};
    c->weight = array(f->model.flat);
    c->running = array(f->model.running_flat);
    c->slot[0] = array(f->model.flat);
    c->slot[1] = array(f->model.flat);
    c->ema = array(f->model.flat);
    fixture_step(f, step);
}

void fixture_free_arrays(Checkpoint *c) {
    free(c->weight);
    free(c->running);
    free(c->slot[0]);
    free(c->slot[1]);
    free(c->ema);
}

void fixture_close(Fixture *f) {
    fixture_free_arrays(&f->checkpoint);
    assert_int_equal(fixture_shell("rm -rf '%s'", f->folder), 0);
}

Checkpoint fixture_empty(const Fixture *f) {
    Checkpoint c = {.model = &f->model, .n_slots = 2, .slot_name = {"exp_avg_sq", "exp_avg"}};
    c.weight = array(f->model.flat);
    c.running = array(f->model.running_flat);
    c.slot[0] = array(f->model.flat);
    c.slot[1] = array(f->model.flat);
    c.ema = array(f->model.flat);
    return c;
}

const char *fixture_path(const Fixture *f, const char *name) {
    static char path[4][512];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", f->folder, name);
    return path[next];
}

bool fixture_exists(const Fixture *f, const char *name) {
    return access(fixture_path(f, name), F_OK) == 0;
}

Status fixture_read_arrays(const char *path, Checkpoint *checkpoint) {
    char *bytes = NULL;
    size_t size = 0;
    TRY(checkpoint_load(path, &bytes, &size));
    Status status = checkpoint_parse_arrays(bytes, size, path, checkpoint);
    free(bytes);
    return status;
}

char *fixture_load(const char *path, size_t *size) {
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    *size = (size_t)ftell(in);
    rewind(in);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, in), *size);
    bytes[*size] = '\0';
    fclose(in);
    return bytes;
}

void fixture_save(const char *path, const void *bytes, size_t size) {
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

int fixture_shell(const char *format, ...) {
    char command[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void fixture_refused(Status status, const char *part) {
    assert_int_equal(status, ST_CHECKPOINT);
    if (!strstr(status_message(), part))
        fail_msg("the message \"%s\" lacks \"%s\"", status_message(), part);
    status_clear();
}
