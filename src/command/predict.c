/* predict: `lockstep predict`, what a checkpoint takes pictures for. One process. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loaded.h"
#include "lockstep/command.h"
#include "lockstep/evaluate.h"
#include "lockstep/painter.h"
#include "lockstep/resize.h"

enum { LIKELIEST = 3 };

static const char usage[] =
    "lockstep predict CHECKPOINT|RUNDIR IMAGE.png... [--device auto|cpu|cuda|ref] [--json]\n"
    "\n"
    "The three likeliest classes of each picture, with their probabilities. A picture of another\n"
    "size than the images that the network was trained on is made one of it: the largest part at "
    "its\n"
    "centre that has the proportions, resized (bilinear, with antialiasing); what is transparent "
    "is\n"
    "white. For a network of grey images it is made grey (0.299 R + 0.587 G + 0.114 B). Pictures "
    "are\n"
    "PNG files. The checkpoint is chosen and its weights are those as lockstep eval has it.\n"
    "\n";

static const char usage_end[] = "  --json        one JSON object on standard output\n";

/* A picture and what was taken of it. */
typedef struct Shown {
    const char *path;
    int64_t w, h;
    Cut cut;
} Shown;

typedef struct PredictOptions {
    LoadOptions load;
    bool json, help;
    int n;
    Shown *shown; /* [n], room for all arguments; owned */
} PredictOptions;

static Status parse_options(int argc, char **argv, PredictOptions *options) {
    for (int i = 1; i < argc; i++) {
        bool taken;
        TRY(load_option("predict", argc, argv, &i, &options->load, &taken));
        if (taken)
            continue;
        if (strcmp(argv[i], "--help") == 0)
            options->help = true;
        else if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (argv[i][0] == '-')
            return FAIL(ST_USAGE, "unknown option %s; see lockstep predict --help", argv[i]);
        else if (!options->load.checkpoint)
            options->load.checkpoint = argv[i];
        else
            options->shown[options->n++] = (Shown){.path = argv[i]};
    }
    if (!options->load.checkpoint && !options->help)
        return FAIL(ST_USAGE, "which checkpoint? See lockstep predict --help");
    if (options->n == 0 && !options->help)
        return FAIL(ST_USAGE, "which pictures? See lockstep predict --help");
    return ST_OK;
}

static bool is_whole(const Shown *shown, Shape to) {
    return shown->w == to.w && shown->h == to.h;
}

/* The first plane becomes what Pillow's "L" is: of grey the same. */
static void make_grey(PngImage *image) {
    int64_t n = image->h * image->w;
    uint8_t *red = image->planes;
    const uint8_t *green = red + n, *blue = green + n;
    for (int64_t i = 0; i < n; i++)
        red[i] = (uint8_t)((red[i] * 19595 + green[i] * 38470 + blue[i] * 7471 + 0x8000) >> 16);
}

static Status read_picture(Shown *shown, Shape to, uint8_t *pixels) {
    PngImage image;
    TRY(png_read(shown->path, &image));
    if (to.c == 1)
        make_grey(&image);
    shown->w = image.w;
    shown->h = image.h;
    shown->cut = resize_cut(image.w, image.h, to);
    Status status = resize_planes(image.planes, image.w, image.h, shown->cut, to, pixels);
    free(image.planes);
    return status;
}

/* The pictures as a set of records. */
static Status find_pictures(Session *session, const Checkpoint *checkpoint, void *context) {
    PredictOptions *options = context;
    EvalSet *set = &session->input.test;
    Dataset *dataset = &session->input.dataset;
    if (checkpoint->image.c > 0)
        TRY(dataset_known(checkpoint->dataset, checkpoint->image, checkpoint->classes,
                          checkpoint->class_names, dataset));
    else /* of a format before there was anything else */
        dataset_cifar10(dataset);
    dataset->synthetic = strcmp(checkpoint->dataset, "synthetic") == 0;
    TRY(session_parse_model(session->config, dataset, &session->model));
    int64_t pixels = shape_count(dataset->image), batch = session->config->eval_batch;
    if (dataset->image.c != 1 && dataset->image.c != 3)
        return FAIL(ST_USAGE,
                    "%s: its network takes images of %" PRId64
                    " channels; of pictures only those of 1 (grey) or 3 can be made",
                    options->load.checkpoint, dataset->image.c);
    set->name = "pictures";
    set->records = options->n;
    set->batch = batch < options->n ? batch : options->n;
    set->end = (options->n + set->batch - 1) / set->batch;
    set->shard.count = options->n;
    set->shard.labels = calloc((size_t)options->n, sizeof *set->shard.labels);
    set->shard.pixels = malloc((size_t)(options->n * pixels));
    TRY_ALLOC(set->shard.labels);
    TRY_ALLOC(set->shard.pixels);
    for (int i = 0; i < options->n; i++)
        TRY(read_picture(&options->shown[i], dataset->image, set->shard.pixels + i * pixels));
    return ST_OK;
}

/* The likeliest outputs in order, the first of equal ones first; returns how many. */
static int find_likeliest(const double *probability, int64_t outputs, int64_t best[LIKELIEST]) {
    int n = 0;
    for (int64_t c = 0; c < outputs; c++) {
        int at = n;
        while (at > 0 && probability[c] > probability[best[at - 1]])
            at--;
        if (at == LIKELIEST)
            continue;
        n = n < LIKELIEST ? n + 1 : n;
        for (int i = n - 1; i > at; i--)
            best[i] = best[i - 1];
        best[at] = c;
    }
    return n;
}

/* A model may have more outputs than there are classes. */
static const char *output_name(const Dataset *dataset, int64_t output, char room[32]) {
    if (output < dataset->classes)
        return dataset->class_names[output];
    snprintf(room, 32, "output %" PRId64, output);
    return room;
}

static void print_text(const Session *session, const PredictOptions *options,
                       const double *probability, int64_t outputs) {
    const Dataset *dataset = &session->input.dataset;
    Shape to = dataset->image;
    char room[32];
    for (int i = 0; i < options->n; i++) {
        const Shown *shown = &options->shown[i];
        const double *of = probability + i * outputs;
        int64_t best[LIKELIEST];
        int n = find_likeliest(of, outputs, best);
        printf("%s: ", shown->path);
        for (int k = 0; k < n; k++)
            printf("%s%s %.1f %%", k > 0 ? ", " : "", output_name(dataset, best[k], room),
                   100 * of[best[k]]);
        if (!is_whole(shown, to))
            printf(" (%" PRId64 " x %" PRId64 " at the centre of %" PRId64 " x %" PRId64
                   ", resized to %" PRId64 " x %" PRId64 ")",
                   shown->cut.w, shown->cut.h, shown->w, shown->h, to.w, to.h);
        printf("%s\n", dataset->synthetic ? " [synthetic]" : "");
    }
}

static cJSON *picture_object(const Dataset *dataset, const Shown *shown, const double *of,
                             int64_t outputs) {
    int64_t best[LIKELIEST];
    char room[32];
    int n = find_likeliest(of, outputs, best);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "image", shown->path);
    cJSON_AddNumberToObject(object, "width", (double)shown->w);
    cJSON_AddNumberToObject(object, "height", (double)shown->h);
    double box[] = {(double)shown->cut.x, (double)shown->cut.y, (double)shown->cut.w,
                    (double)shown->cut.h};
    cJSON_AddItemToObject(object, "cut", cJSON_CreateDoubleArray(box, 4));
    cJSON *list = cJSON_AddArrayToObject(object, "likeliest");
    for (int k = 0; k < n; k++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "class", output_name(dataset, best[k], room));
        cJSON_AddNumberToObject(one, "probability", of[best[k]]);
        cJSON_AddItemToArray(list, one);
    }
    return object;
}

static Status print_json(const Session *session, const PredictOptions *options,
                         const Checkpoint *checkpoint, const double *probability, int64_t outputs) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "checkpoint", options->load.checkpoint);
    cJSON_AddStringToObject(root, "dataset", checkpoint->dataset);
    cJSON_AddStringToObject(root, "device", session->device->ops->name);
    cJSON_AddNumberToObject(root, "step", (double)checkpoint->state.step);
    cJSON_AddStringToObject(root, "tta", config_tta_name(session->config->tta));
    cJSON *list = cJSON_AddArrayToObject(root, "images");
    for (int i = 0; i < options->n; i++)
        cJSON_AddItemToArray(list, picture_object(&session->input.dataset, &options->shown[i],
                                                  probability + i * outputs, outputs));
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    TRY_ALLOC(text);
    printf("%s\n", text);
    free(text);
    return ST_OK;
}

static Status predict(Session *session, PredictOptions *options, Checkpoint *checkpoint) {
    double *probability = NULL;
    Status status = ST_OK;
    if (session->ranks.size > 1)
        return FAIL(ST_USAGE, "predict is for one process: start it without mpirun");
    TRY(load_checkpoint(session, &options->load, checkpoint, find_pictures, options));
    int64_t outputs = evaluate_outputs(&session->engine);
    probability = malloc((size_t)(options->n * outputs) * sizeof *probability);
    TRY_ALLOC(probability);
    TRY_DONE(evaluate_probabilities(&session->engine, &session->input.test,
                                    &session->config->augment, session->config->tta, probability));
    if (options->json)
        status = print_json(session, options, checkpoint, probability, outputs);
    else
        print_text(session, options, probability, outputs);
    fflush(stdout);
done:
    free(probability);
    return status;
}

static Status predict_session(PredictOptions *options, Status status) {
    Checkpoint checkpoint = {0};
    Session session = {.config = calloc(1, sizeof *session.config)};
    TRY_ALLOC(session.config);
    session.config->deadline = options->load.deadline;
    status = session_start(&session, status, options->load.checkpoint);
    if (status == ST_OK)
        status = comm_agree(session.ranks.comm, predict(&session, options, &checkpoint));
    session_judge(&session, status);
    checkpoint_meta_free(&checkpoint);
    session_close(&session);
    return status;
}

Status predict_command(int argc, char **argv) {
    PredictOptions options = {.load.device = DEVICE_AUTO,
                              .shown = calloc((size_t)argc, sizeof *options.shown)};
    TRY_ALLOC(options.shown);
    Status status = parse_options(argc, argv, &options);
    if (status == ST_OK && options.help)
        printf("%s%s%s", usage, load_options_help, usage_end);
    else
        status = predict_session(&options, status);
    free(options.shown);
    return status;
}
