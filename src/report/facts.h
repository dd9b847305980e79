/* facts: what a run directory tells about its run, read into memory. Private to src/report. Local.
 */
#ifndef LOCKSTEP_REPORT_FACTS_H
#define LOCKSTEP_REPORT_FACTS_H

#include <cJSON.h>

#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/phase.h"
#include "lockstep/predictions.h"

/* A line of kind "train" of metrics.jsonl; NaN: not there. */
typedef struct TrainPoint {
    double step, epoch, loss, accuracy, lr, grad_norm, images_per_s;
    PhaseTimes times;
} TrainPoint;

/* A line of kind "eval". */
typedef struct EvalPoint {
    double step, epoch, loss, accuracy, train_loss, train_accuracy, wall_s;
    bool holdout; /* else of the test set */
} EvalPoint;

/* A process that worked on the run: a "start" of sessions.jsonl, with the "end" that follows it. */
typedef struct SessionFact {
    cJSON *start; /* owned */
    cJSON *end;   /* owned; NULL: it ended without a word, or goes on */
} SessionFact;

typedef struct Facts {
    char path[CONFIG_PATH_MAX];
    char name[256]; /* of the directory */
    RunConfig *config;
    char *config_text;
    cJSON *result; /* NULL: the run has not ended yet */
    int64_t n_train, n_eval, n_sessions;
    TrainPoint *train;
    EvalPoint *eval;
    SessionFact *sessions;
    double steps_per_epoch;  /* 0: not known */
    char measured_on[64];    /* the data set's name in metrics.jsonl; "": not known */
    Dataset dataset;         /* classes and their names, also where the images are not found */
    Predictions predictions; /* images 0: none */
    bool has_images;         /* the data set is where the run had it */
} Facts;

/* ST_USAGE where `path` is no run directory; ST_CHECKPOINT. */
Status facts_read(const char *path, Facts *facts);
void facts_free(Facts *facts);

/* Of a run that goes on: its configuration and data set alone, which do not change. */
Status facts_read_data(const char *path, Facts *facts);

/* Parts of it, for who looks at many runs: configuration, sessions and result, which are small; and
 * then metrics.jsonl. */
Status facts_read_head(const char *path, Facts *facts);
Status facts_read_metrics(Facts *facts);

/* Of a JSON object: NaN, or "", where the value is not there. */
double fact_number(const cJSON *object, const char *key);
const char *fact_text(const cJSON *object, const char *key);

/* Epochs done after so many steps; NaN where that is not known. */
double facts_epoch(const Facts *facts, double step);

#endif
