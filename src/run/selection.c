/* selection: see selection.h. */
#include "selection.h"

#include <math.h>

static bool better(const RunState *state, Monitor monitor, double accuracy, double loss) {
    if (state->best_step < 0)
        return true;
    return monitor == MONITOR_LOSS ? loss < state->best_loss : accuracy > state->best_accuracy;
}

bool selection_add(RunState *state, Monitor monitor, double accuracy, double loss) {
    bool best = !isnan(loss) && better(state, monitor, accuracy, loss);
    state->last_accuracy = isnan(loss) ? (double)NAN : accuracy;
    state->without_better = best ? 0 : state->without_better + 1;
    if (best) {
        state->best_accuracy = accuracy;
        state->best_loss = loss;
        state->best_step = state->step;
    }
    return best;
}

bool selection_gives_up(const RunState *state, int64_t patience) {
    return patience > 0 && state->without_better >= patience;
}

bool selection_reaches(const RunState *state, double target) {
    return target > 0 && state->last_accuracy >= target;
}
