/* cuda/tune: see tune.h. */
#include "tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "timing.h"

typedef struct Choice {
    char name[GRAPH_NAME_MAX]; /* of a graph */
    char text[GRAPH_CHOICE_MAX];
} Choice;

struct Tune {
    Chooser chooser;
    CudaDevice *device; /* borrowed */
    Stream *stream;     /* that graphs are timed on; NULL: nothing is timed */
    Deadline deadline;  /* later nothing is timed */
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

static const char *find(void *context, const char *name) {
    const Tune *tune = context;
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

static Status keep(void *context, const char *name, const char *choice, bool timed, bool gained) {
    Tune *tune = context;
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

/* The end of tuning says so again, for an op may have another way than this graph. */
static Status refuse(void *context, const char *name, const char *choice) {
    Tune *tune = context;
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

/* ---- What the Chooser does ---- */

static bool is_timing(void *context) {
    const Tune *tune = context;
    return tune->stream && !deadline_passed(&tune->deadline);
}

static Status time_candidates(void *context, Graph *graph, const Candidate *candidate, int n,
                              int *fastest) {
    return timing_compare(((Tune *)context)->stream, graph, candidate, n, fastest);
}

/* ---- TuningOps ---- */

static Status begin(Device *base, const char *choices, double seconds) {
    CudaDevice *device = (CudaDevice *)base;
    Status status = ST_OK;
    Tune *tune = calloc(1, sizeof *tune);
    TRY_ALLOC(tune);
    tune->chooser = (Chooser){.context = tune,
                              .find = find,
                              .is_timing = is_timing,
                              .time = time_candidates,
                              .keep = keep,
                              .refuse = refuse};
    tune->device = device;
    tune->deadline = deadline_after(seconds);
    if (choices)
        TRY_DONE(parse(tune, choices));
    else
        TRY_DONE(cuda_stream_open(base, &tune->stream));
    tune_free(device->tune);
    device->tune = tune;
    device->target.chooser = &tune->chooser;
    tune = NULL;
done:
    tune_free(tune);
    return status;
}

static Status end(Device *base, Tuning *tuning) {
    Tune *tune = ((CudaDevice *)base)->tune;
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

const TuningOps cuda_tuning = {.begin = begin, .end = end};
