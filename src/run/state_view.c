/* state_view: see state_view.h. */
#include "state_view.h"

_Static_assert((int)CHECKPOINT_SLOTS_MAX >= (int)GROUPING_STATES_MAX,
               "a checkpoint holds all states");

void state_view(const Session *session, const HostState *host, Checkpoint *checkpoint) {
    const Grouping *grouping = &session->grouping;
    checkpoint->model = &session->model;
    checkpoint->weight = host->weight;
    checkpoint->running = host->running;
    checkpoint->ema = host->ema;
    checkpoint->slow_running = session->engine.slow_running;
    checkpoint->peak =
        session->config->reduction == REDUCTION_EXACT32 ? session->engine.peak : NULL;
    checkpoint->n_slots = grouping->n_states;
    for (int i = 0; i < grouping->n_states; i++) {
        const GroupState *state = &grouping->state[i];
        checkpoint->slot_name[i] = state->name;
        checkpoint->slot_has[i] = state->has;
        checkpoint->slot[i] = host->slot[state->slot];
    }
}

HostState state_view_of(const Session *session, const Checkpoint *checkpoint) {
    const Grouping *grouping = &session->grouping;
    HostState host = {
        .weight = checkpoint->weight, .running = checkpoint->running, .ema = checkpoint->ema};
    for (int i = 0; i < grouping->n_states; i++)
        host.slot[grouping->state[i].slot] = checkpoint->slot[i];
    return host;
}
