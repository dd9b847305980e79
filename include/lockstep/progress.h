/* progress: what a person watching sees of the step loop, as a bar or as lines. Local; rank 0.
 *
 * A bar redraws one terminal line; lines print one line each log_every steps and are what goes to
 * files and launchers. Lines contain no control characters. */
#ifndef LOCKSTEP_PROGRESS_H
#define LOCKSTEP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Progress Progress;

typedef struct ProgressState {
    int64_t step, end_step;
    int64_t epoch, epochs; /* epoch in progress, from 1 */
    int64_t epoch_step, steps_per_epoch;
    double loss, accuracy; /* NaN where all steps since the last line were skipped */
    double lr, images_per_s, eta_s;
} ProgressState;

/* `width` 0: ask the terminal. `synthetic` labels every line. NULL where out of memory: all calls
 * accept it. */
Progress *progress_open(bool bar, int64_t width, bool synthetic);
void progress_close(Progress *progress);

/* Every step: redraws the bar (at most ten times a second); nothing for lines. */
void progress_step(Progress *progress, const ProgressState *state);

/* Every log_every steps: the line (also into log.txt); for a bar it goes to log.txt alone. */
void progress_line(Progress *progress, const ProgressState *state);

#ifdef __cplusplus
}
#endif
#endif
