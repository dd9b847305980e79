/* history: see history.h. */
#include "history.h"

#include <math.h>
#include <stdlib.h>

#include "selection.h"

Status history_evaluations(const Session *session, const RunState *state,
                           EvalMetrics **evaluations) {
    const RunConfig *config = session->config;
    const EvalSet *test = &session->input.test;
    RunState past = {.best_step = -1};
    *evaluations = NULL;
    if (state->n_history == 0)
        return ST_OK;
    EvalMetrics *list = calloc((size_t)state->n_history, sizeof *list);
    TRY_ALLOC(list);
    for (int64_t i = 0; i < state->n_history; i++) {
        const HistoryEntry *entry = &state->history[i];
        past.step = entry->step;
        bool best = selection_add(&past, config->monitor, entry->test_accuracy, entry->test_loss);
        list[i] = (EvalMetrics){.dataset = dataset_name(&session->input.dataset),
                                .step = entry->step,
                                .epoch = entry->epoch,
                                .split = test->name,
                                .loss = entry->test_loss,
                                .accuracy = entry->test_accuracy,
                                .train_loss = entry->train_loss,
                                .train_accuracy = entry->train_accuracy,
                                .images = test->records,
                                .wall_s = (double)NAN,
                                .best = best && session->input.holdout.records == 0};
    }
    *evaluations = list;
    return ST_OK;
}
