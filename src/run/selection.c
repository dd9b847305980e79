/* selection: see selection.h. */
#include "selection.h"

bool selection_add(RunState *state, double accuracy, double loss) {
    bool best = state->best_step < 0 || accuracy > state->best_accuracy;
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
