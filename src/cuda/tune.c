/* cuda/tune: see tune.h. */
#include "tune.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"

typedef struct Choice {
    char name[GRAPH_NAME_MAX]; /* of a graph */
    char text[GRAPH_CHOICE_MAX];
} Choice;

struct Tune {
    CudaDevice *device; /* borrowed */
    Stream *stream;     /* that graphs are timed on; NULL: nothing is timed */
    double until;       /* clock: later nothing is timed */
    bool foreign;       /* the text was made for something else */
    int n, room;
    Choice *choice; /* [n], in the order of planning */
    int64_t timed, gained, missing;
    Choice refused; /* the first one, "" for none */
};

void tune_free(Tune *tune) {
    if (!tune)
        return;
    if (tune->stream)
        cuda_stream_close(tune->stream);
    free(tune->choice);
    free(tune);
}

/* ---- The record ---- */

const char *tune_find(const Tune *tune, const char *name) {
    for (int i = 0; i < tune->n; i++) {
        if (strcmp(tune->choice[i].name, name) == 0)
            return tune->choice[i].text;
    }
    return NULL;
}

static Status append(Tune *tune, const char *name, int name_length, const char *text,
                     int text_length) {
    if (tune->n == tune->room) {
        int room = 2 * tune->room + 32;
        Choice *choice = realloc(tune->choice, (size_t)room * sizeof *choice);
        TRY_ALLOC(choice);
        tune->choice = choice;
        tune->room = room;
    }
    Choice *choice = &tune->choice[tune->n++];
    snprintf(choice->name, sizeof choice->name, "%.*s", name_length, name);
    snprintf(choice->text, sizeof choice->text, "%.*s", text_length, text);
    return ST_OK;
}

Status tune_keep(Tune *tune, const char *name, const char *choice, bool timed, bool gained) {
    tune->timed += timed;
    tune->gained += gained;
    tune->missing += !timed;
    return append(tune, name, (int)strlen(name), choice, (int)strlen(choice));
}

static Status refused(const Choice *choice) {
    return FAIL(ST_CHECKPOINT,
                "the list of engines names `%s` for `%s`, which cuDNN does not offer or "
                "--precision or --reduction forbids; start over with --reset",
                choice->text, choice->name);
}

Status tune_refuse(Tune *tune, const char *name, const char *choice) {
    Choice *first = &tune->refused;
    if (!first->name[0]) {
        snprintf(first->name, sizeof first->name, "%s", name);
        snprintf(first->text, sizeof first->text, "%s", choice);
    }
    return refused(first);
}

/* ---- The text ---- */

#define FIRST_WORDS "lockstep autotune 1: "

/* What choices are good for: GPU, library, arithmetic. */
static void name_target(const CudaDevice *device, char *name, size_t room) {
    snprintf(name, room, "%s, %s, %s", device->base.instruction_set,
             cuda_precision_name(device->precision), device->target.exact ? "exact" : "native");
}

/* "NAME: engN kT=V ..." */
static Status parse_line(Tune *tune, const char *line, int length, int number) {
    const char *colon = NULL;
    for (int i = 0; i + 5 < length; i++) {
        if (strncmp(line + i, ": eng", 5) == 0)
            colon = line + i;
    }
    int name = colon ? (int)(colon - line) : 0;
    const char *choice = line + name + 2;
    int rest = length - name - 2;
    bool good = name > 0 && name < GRAPH_NAME_MAX && rest < GRAPH_CHOICE_MAX;
    for (int i = 3; good && i < rest; i++)
        good = strchr("0123456789 k=-", choice[i]) != NULL;
    if (!good)
        return FAIL(ST_CHECKPOINT,
                    "damaged: line %d of the list of engines names none: `%.*s`; start over with "
                    "--reset",
                    number, length < 80 ? length : 80, line);
    TRY(append(tune, line, name, choice, rest));
    for (int i = 0; i < tune->n - 1; i++) {
        if (strcmp(tune->choice[i].name, tune->choice[tune->n - 1].name) == 0)
            return FAIL(ST_CHECKPOINT,
                        "damaged: line %d of the list of engines names a graph for the second "
                        "time: `%s`; start over with --reset",
                        number, tune->choice[i].name);
    }
    return ST_OK;
}

static Status parse(Tune *tune, const char *text) {
    char target[160], expected[160];
    int count = 0, words = 0, number = 1;
    if (sscanf(text, FIRST_WORDS "%d cuDNN graphs on %n", &count, &words) != 1 || words == 0)
        return FAIL(ST_CHECKPOINT, "damaged: the list of engines does not begin with `" FIRST_WORDS
                                   "`; start over with --reset");
    int length = (int)strcspn(text, "\n");
    snprintf(target, sizeof target, "%.*s", length - words, text + words);
    name_target(tune->device, expected, sizeof expected);
    for (const char *line = text + length; *line == '\n' && line[1]; line += length + 1) {
        length = (int)strcspn(line + 1, "\n");
        TRY(parse_line(tune, line + 1, length, ++number));
    }
    if (tune->n != count)
        return FAIL(ST_CHECKPOINT,
                    "damaged: the list of engines names %d graphs, its first line says %d; start "
                    "over with --reset",
                    tune->n, count);
    tune->foreign = strcmp(target, expected) != 0;
    if (tune->foreign)
        tune->n = 0;
    return ST_OK;
}

static Status format(const Tune *tune, char **text) {
    char target[160];
    size_t size;
    FILE *out = open_memstream(text, &size);
    TRY_ALLOC(out);
    name_target(tune->device, target, sizeof target);
    fprintf(out, FIRST_WORDS "%d cuDNN graphs on %s\n", tune->n, target);
    for (int i = 0; i < tune->n; i++)
        fprintf(out, "%s: %s\n", tune->choice[i].name, tune->choice[i].text);
    return fclose(out) == 0 ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
}

Status cuda_tune(Device *base, const char *choices, double seconds) {
    CudaDevice *device = (CudaDevice *)base;
    Status status = ST_OK;
    Tune *tune = calloc(1, sizeof *tune);
    TRY_ALLOC(tune);
    tune->device = device;
    tune->until = clock_now() + seconds;
    if (choices)
        TRY_DONE(parse(tune, choices));
    else
        TRY_DONE(cuda_stream_open(base, &tune->stream));
    tune_free(device->target.tune);
    device->target.tune = tune;
    tune = NULL;
done:
    tune_free(tune);
    return status;
}

Status cuda_tuned(Device *base, Tuning *tuning) {
    Tune *tune = ((CudaDevice *)base)->target.tune;
    *tuning = (Tuning){0};
    if (!tune)
        return ST_OK;
    if (tune->stream)
        cuda_stream_close(tune->stream);
    tune->stream = NULL;
    if (tune->refused.name[0])
        return refused(&tune->refused);
    *tuning = (Tuning){.timed = tune->timed,
                       .gained = tune->gained,
                       .missing = tune->missing,
                       .foreign = tune->foreign};
    return format(tune, &tuning->choices);
}

/* ---- Timing ---- */

enum { ALIGN = 256, ROUNDS = 5, RUNS = 4, TIMING_SECONDS = 60 };

typedef struct Timing {
    Stream *stream;
    Graph *graph;
    GraphCall *call;
    cudaEvent_t begin, end;
} Timing;

static size_t aligned(size_t bytes) {
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* Binds the graph to memory of its own, zeroed, with a workspace for each of its candidates. */
static Status bind_scratch(CudaDevice *device, const Graph *graph, const Candidate *candidate,
                           int n, void **memory, GraphCall **call) {
    size_t offset[GRAPH_ROLES], bytes = 0, workspace = 0;
    void *data[GRAPH_ROLES];
    for (int role = 0; role < GRAPH_ROLES; role++) {
        offset[role] = bytes;
        bytes += aligned(graph->bytes[role]);
    }
    for (int i = 0; i < n; i++) {
        if (candidate[i].info.workspace > workspace)
            workspace = candidate[i].info.workspace;
    }
    TRY(cuda_alloc(&device->base, bytes + workspace, memory));
    for (int role = 0; role < GRAPH_ROLES; role++)
        data[role] = (char *)*memory + offset[role];
    return graph_bind(graph, data, (char *)*memory + bytes, call);
}

/* Milliseconds of RUNS executions, one behind the other; infinite where the engine cannot run. */
static Status time_plan(Timing *timing, const Candidate *candidate, float *ms) {
    Stream *stream = timing->stream;
    timing->graph->plan = candidate->plan;
    TRY_CUDA(cudaEventRecord(timing->begin, stream->stream));
    for (int i = 0; i < RUNS; i++) {
        if (graph_run(stream->cudnn, timing->graph, timing->call) != ST_OK) {
            log_debug("autotune: %s: %s: %s", timing->graph->name, candidate->info.choice,
                      status_message());
            status_clear();
            *ms = INFINITY;
            break;
        }
    }
    TRY_CUDA(cudaEventRecord(timing->end, stream->stream));
    TRY(cuda_sync(stream, TIMING_SECONDS));
    if (*ms < INFINITY)
        TRY_CUDA(cudaEventElapsedTime(ms, timing->begin, timing->end));
    return ST_OK;
}

/* The candidates take turns, so that a clock that rises or falls favours none; the first round
 * warms up. The least time counts: whatever disturbs a run makes it longer. */
static Status compare(Timing *timing, const Candidate *candidate, int n, int *fastest) {
    float least[CANDIDATES_MAX];
    for (int i = 0; i < n; i++)
        least[i] = 0;
    for (int round = -1; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++) {
            float ms = 0;
            if (isinf(least[i]))
                continue;
            TRY(time_plan(timing, &candidate[i], &ms));
            if (isinf(ms) || round <= 0 || ms < least[i])
                least[i] = ms;
        }
    }
    for (int i = 0; i < n; i++) {
        log_debug("autotune: %s: %s: %.4f ms", timing->graph->name, candidate[i].info.choice,
                  (double)least[i] / RUNS);
        if (least[i] < least[*fastest])
            *fastest = i;
    }
    return ST_OK;
}

bool tune_is_timing(const Tune *tune) {
    return tune->stream && clock_now() < tune->until;
}

Status tune_time(Tune *tune, Graph *graph, const Candidate *candidate, int n, int *fastest) {
    Timing timing = {.stream = tune->stream, .graph = graph};
    void *memory = NULL;
    Status status = ST_OK;
    *fastest = 0;
    if (n == 1)
        return ST_OK;
    TRY_DONE(bind_scratch(tune->device, graph, candidate, n, &memory, &timing.call));
    TRY_DONE(cuda_check(cudaEventCreate(&timing.begin), "cudaEventCreate", __FILE__, __LINE__));
    TRY_DONE(cuda_check(cudaEventCreate(&timing.end), "cudaEventCreate", __FILE__, __LINE__));
    TRY_DONE(compare(&timing, candidate, n, fastest));
done:
    graph->plan = NULL; /* the candidates' */
    graph_unbind(timing.call);
    if (timing.begin)
        cudaEventDestroy(timing.begin);
    if (timing.end)
        cudaEventDestroy(timing.end);
    cuda_release(&tune->device->base, memory);
    return status;
}
