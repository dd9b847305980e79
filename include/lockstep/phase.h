/* phase: the phases of training by which time is told, as metrics.jsonl and the console name them.
 * Header only. Local. */
#ifndef LOCKSTEP_PHASE_H
#define LOCKSTEP_PHASE_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum Phase {
    PHASE_DATA, /* waiting for batches, and bringing them to the device */
    PHASE_FORWARD,
    PHASE_BACKWARD,
    PHASE_EXPOSED, /* communication that backward did not hide */
    PHASE_OPTIMIZER,
    PHASE_CHECKPOINT,
    PHASE_EVALUATION,
    PHASES
} Phase;

/* Seconds by phase. */
typedef struct PhaseTimes {
    double seconds[PHASES];
} PhaseTimes;

/* The key of a phase in metrics.jsonl and result.json. */
static inline const char *phase_key(Phase phase) {
    static const char *const keys[PHASES] = {"data",      "forward",    "backward",  "exposed",
                                             "optimizer", "checkpoint", "evaluation"};
    return keys[phase];
}

static inline void phase_times_add(PhaseTimes *sum, const PhaseTimes *times) {
    for (int p = 0; p < PHASES; p++)
        sum->seconds[p] += times->seconds[p];
}

#ifdef __cplusplus
}
#endif
#endif
