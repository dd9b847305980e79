/* selection: see selection.h. */
#include "selection.h"

#include <math.h>
#include <string.h>

static bool is_better(Monitor monitor, const Evaluated *one, const Evaluated *other) {
    return monitor == MONITOR_LOSS ? one->loss < other->loss : one->accuracy > other->accuracy;
}

/* At that place, and those behind it one further on. */
static void insert(RunnersUp *list, int64_t at, Evaluated one) {
    if (at == KEEP_BEST_MAX - 1)
        return;
    list->n += list->n < KEEP_BEST_MAX - 1;
    memmove(&list->at[at + 1], &list->at[at], (size_t)(list->n - at - 1) * sizeof one);
    list->at[at] = one;
}

/* Behind all that the latest one is no better than. */
static int64_t place_of(const RunnersUp *list, Monitor monitor, const Evaluated *one) {
    int64_t at = list->n;
    while (at > 0 && is_better(monitor, one, &list->at[at - 1]))
        at--;
    return at;
}

bool selection_add(RunState *state, Monitor monitor, double accuracy, double loss) {
    Evaluated one = {state->step, accuracy, loss};
    Evaluated best = {state->best_step, state->best_accuracy, state->best_loss};
    bool counts = !isnan(loss), is_first = best.step < 0;
    bool is_best = counts && (is_first || is_better(monitor, &one, &best));
    state->last_accuracy = counts ? accuracy : (double)NAN;
    state->without_better = is_best ? 0 : state->without_better + 1;
    if (is_best && !is_first)
        insert(&state->runners_up, 0, best);
    else if (counts && !is_best)
        insert(&state->runners_up, place_of(&state->runners_up, monitor, &one), one);
    if (is_best) {
        state->best_accuracy = accuracy;
        state->best_loss = loss;
        state->best_step = state->step;
    }
    return is_best;
}

bool selection_gives_up(const RunState *state, int64_t patience) {
    return patience > 0 && state->without_better >= patience;
}

bool selection_reaches(const RunState *state, double target) {
    return target > 0 && state->last_accuracy >= target;
}
