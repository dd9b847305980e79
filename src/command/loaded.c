/* loaded: see loaded.h. */
#include "loaded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockstep/file.h"
#include "lockstep/parse.h"
#include "lockstep/path.h"
#include "lockstep/rundir.h"

const char load_options_help[] =
    "  --deadline S  longest wait for other ranks, in seconds (300); for a file system half of it\n"
    "  --device D    auto (default), cpu, cuda, ref\n"
    "  --eval.tta N  test-time augmentation: none, flip, shifts; default: as the run has it\n"
    "  --threads T   compute threads a rank; default: all cores\n";

static Status parse_device(const char *word, DeviceChoice *device) {
    static const char *const names[] = {"auto", "cpu", "cuda", "ref"};
    static const DeviceChoice choices[] = {DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA, DEVICE_REF};
    for (int i = 0; i < 4; i++) {
        if (strcmp(word, names[i]) == 0) {
            *device = choices[i];
            return ST_OK;
        }
    }
    return FAIL(ST_USAGE, "--device %s: not one of auto, cpu, cuda, ref", word);
}

Status load_option(const char *command, int argc, char **argv, int *i, LoadOptions *options,
                   bool *taken) {
    const char *word = argv[*i];
    *taken = strcmp(word, "--device") == 0 || strcmp(word, "--threads") == 0 ||
             strcmp(word, "--eval.tta") == 0 || strcmp(word, "--deadline") == 0;
    if (!*taken)
        return ST_OK;
    if (*i + 1 == argc)
        return FAIL(ST_USAGE, "%s needs a value; see lockstep %s --help", word, command);
    const char *value = argv[++*i];
    if (strcmp(word, "--device") == 0)
        return parse_device(value, &options->device);
    if (strcmp(word, "--threads") == 0) {
        if (parse_int(value, &options->threads) != PARSE_OK || options->threads < 1)
            return FAIL(ST_USAGE, "--threads %s: not a number from 1", value);
        return ST_OK;
    }
    if (strcmp(word, "--deadline") == 0) {
        if (parse_real(value, &options->deadline) != PARSE_OK || options->deadline < 0.1)
            return FAIL(ST_USAGE, "--deadline %s: not a number of seconds from 0.1", value);
        return ST_OK;
    }
    options->tta_named = true;
    if (!config_tta_find(value, &options->tta))
        return FAIL(ST_USAGE, "--eval.tta %s: not one of none, flip, shifts", value);
    return ST_OK;
}

/* A file of the run directory RUN, into options->found. */
static Status below_run(LoadOptions *options, const char *run, const char *folder,
                        const char *name) {
    int n = snprintf(options->found, sizeof options->found, "%s/%s%s", run, folder, name);
    return n < (int)sizeof options->found ? ST_OK : FAIL(ST_USAGE, "%s: the path is too long", run);
}

/* Of a run directory the best checkpoint, or the newest where no evaluation has been. */
static Status find_checkpoint(LoadOptions *options) {
    struct stat info;
    const char *named = options->checkpoint;
    char best[256];
    if (stat(named, &info) != 0 || !S_ISDIR(info.st_mode))
        return ST_OK;
    TRY(below_run(options, named, "", "best.h5"));
    options->checkpoint = options->found;
    if (access(options->found, F_OK) == 0)
        return ST_OK;
    TRY(rundir_find_best(named, best));
    if (best[0])
        return below_run(options, named, "checkpoints/", best);
    TRY(rundir_find(named, options->found));
    return options->found[0]
               ? ST_OK
               : FAIL(ST_CHECKPOINT, "%s: holds no checkpoint; is it a run directory?", named);
}

/* CONFIG of a checkpoint in RUN/checkpoints: RUN/config.yaml, as text that the caller frees; NULL:
 * it is not in a run directory. */
static char *run_config(const char *checkpoint) {
    char *path = realpath(checkpoint, NULL), *text = NULL;
    size_t size = 0;
    char *file = path ? strrchr(path, '/') : NULL;
    if (file)
        *file = '\0';
    char *folder = file ? strrchr(path, '/') : NULL;
    if (folder && strcmp(folder, "/checkpoints") == 0) {
        char name[CONFIG_PATH_MAX + 16];
        *folder = '\0';
        snprintf(name, sizeof name, "%s/config.yaml", path);
        FILE *in = file_open_stream(name);
        if (in && getdelim(&text, &size, '\0', in) < 0) {
            free(text);
            text = NULL;
        }
        if (in)
            fclose(in);
    }
    free(path);
    return text;
}

/* Where the run had a set of one's own. */
static Status find_own_data(const char *path, const char *set, char data[CONFIG_PATH_MAX]) {
    char *text = run_config(path);
    RunConfig *run = calloc(1, sizeof *run);
    Status status = run ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status == ST_OK && text)
        status = config_from_text(text, "config.yaml of its run", run);
    if (status == ST_OK && run->data[0])
        memcpy(data, run->data, sizeof run->data);
    else if (status == ST_OK)
        status = FAIL(ST_USAGE,
                      "%s was trained on %s, and its run does not say where that is: "
                      "name it with --data",
                      path, set);
    free(run);
    free(text);
    return status;
}

static bool is_own(const char *set) {
    static const char *const others[] = {"", "cifar10", "cifar10-like", "synthetic"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(set, others[i]) == 0)
            return false;
    }
    return true;
}

/* The configuration of the run, but for where and how fast. */
static Status configure(Session *session, const LoadOptions *options,
                        const Checkpoint *checkpoint) {
    RunConfig *config = session->config;
    TRY(config_from_text(checkpoint->config, options->checkpoint, config));
    if (options->data)
        TRY(path_expand(options->data, config->data, sizeof config->data));
    else if (strcmp(checkpoint->dataset, "synthetic") == 0)
        snprintf(config->data, sizeof config->data, "synthetic");
    else if (options->finds_data && is_own(checkpoint->dataset))
        TRY(find_own_data(options->checkpoint, checkpoint->dataset, config->data));
    config->device = options->device;
    if (options->tta_named)
        config->tta = options->tta;
    config->precision = PRECISION_FP32;
    config->autotune = false; /* the checkpoint has the choices */
    config->reduction_type = REDUCTION_FP32;
    return ST_OK;
}

/* A thread for each of `batches`, at most `threads` and at least one. */
static int fewer(int threads, int64_t batches) {
    return batches < 1 ? 1 : batches < threads ? (int)batches : threads;
}

/* Plans the model for the batches of the images. */
static Status plan(Session *session, const LoadOptions *options, const char *choices) {
    Ranks *ranks = &session->ranks;
    Input *input = &session->input;
    EngineSizes sizes = {0};
    sizes.n_eval = input_eval_sizes(input, sizes.eval);
    if (choices && session->device->ops->tuning)
        TRY(session->device->ops->tuning->begin(session->device, choices, 0));
    ranks->wanted = ranks_threads(ranks, session->device, options->threads);
    ranks->threads = fewer(ranks->wanted, input->test.end - input->test.first);
    TRY(engine_open(&session->engine, session->device, &session->model, NULL, NULL, ranks->threads,
                    &sizes));
    TRY(session_end_planning(session));
    return engine_load_records(&session->engine, &input->test.shard, &input->test.resident);
}

/* Brings the weights that are evaluated to the engine: the moving average where the run has one. */
static Status load_weights(Session *session, const char *bytes, size_t size, const char *path,
                           Checkpoint *checkpoint) {
    HostState host = {0};
    Status status = host_state_open(&session->engine, &host);
    checkpoint->model = &session->model;
    checkpoint->running = host.running;
    if (checkpoint->has_ema)
        checkpoint->ema = host.weight;
    else
        checkpoint->weight = host.weight;
    if (status == ST_OK)
        status = checkpoint_parse_arrays(bytes, size, path, checkpoint);
    if (status == ST_OK)
        status = engine_put(&session->engine, &host);
    host_state_free(&host);
    return status;
}

/* The file's bytes on every rank: those of rank 0, so that all compute with the same weights, also
 * where best.h5 of a run that goes on names another file a moment later, or another node sees none.
 * *bytes is for the caller to free, also after a failure. Collective, agreed. */
static Status read_file(const Ranks *ranks, LoadOptions *options, char **bytes, size_t *size) {
    Comm *comm = ranks->comm;
    Status status = ST_OK;
    uint64_t length;
    if (ranks->rank == 0) {
        status = find_checkpoint(options);
        if (status == ST_OK)
            status = checkpoint_load(options->checkpoint, bytes, size);
    }
    TRY(comm_agree(comm, status));
    TRY(comm_bcast(comm, options->found, sizeof options->found, 0));
    if (options->found[0])
        options->checkpoint = options->found;
    length = *size;
    TRY(comm_bcast(comm, &length, sizeof length, 0));
    if (ranks->rank != 0) {
        *size = length;
        *bytes = malloc(*size);
    }
    TRY(comm_agree(comm, *bytes ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    return comm_bcast(comm, *bytes, *size, 0);
}

/* Local. */
static Status prepare(Session *session, const LoadOptions *options, const char *bytes, size_t size,
                      Checkpoint *checkpoint, FindImages find, void *context) {
    const char *path = options->checkpoint;
    TRY(checkpoint_parse_meta(bytes, size, path, checkpoint));
    TRY(configure(session, options, checkpoint));
    TRY(session_open_device(session));
    TRY(find(session, checkpoint, context));
    TRY(plan(session, options, checkpoint->autotune));
    return load_weights(session, bytes, size, path, checkpoint);
}

Status load_checkpoint(Session *session, LoadOptions *options, Checkpoint *checkpoint,
                       FindImages find, void *context) {
    char *bytes = NULL;
    size_t size = 0;
    Status status = read_file(&session->ranks, options, &bytes, &size);
    if (status == ST_OK)
        status = comm_agree(session->ranks.comm,
                            prepare(session, options, bytes, size, checkpoint, find, context));
    free(bytes);
    return status;
}
