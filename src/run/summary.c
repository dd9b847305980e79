/* summary: see summary.h. */
#include "summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "lockstep/log.h"

void summarize(const RunResult *result, const char *out, bool synthetic) {
    const double *s = result->times.seconds;
    const char *label = synthetic ? " [synthetic]" : "";
    char hex[17];
    snprintf(hex, sizeof hex, "%016" PRIx64, result->state_hash);
    log_set_level(LOG_INFO); /* --quiet ends here */
    log_info("seconds: data %.1f, forward %.1f, backward %.1f, exposed communication %.1f, "
             "optimizer %.1f, checkpoint %.1f (largest over ranks)",
             s[PHASE_DATA], s[PHASE_FORWARD], s[PHASE_BACKWARD], s[PHASE_EXPOSED],
             s[PHASE_OPTIMIZER], s[PHASE_CHECKPOINT]);
    if (result->best_step >= 0)
        log_info("best: accuracy %.2f %% on the %s set at step %" PRId64 " (%s/best.h5)%s",
                 100 * result->best_accuracy, result->selected_on, result->best_step, out, label);
    if (!isnan(result->test_accuracy))
        log_info("test accuracy %.2f %%, test loss %.4f%s", 100 * result->test_accuracy,
                 result->test_loss, label);
    log_info("%s after step %" PRId64 " (epoch %" PRId64 "): %.0f images/s, %.1f s, state_hash %s, "
             "run directory %s%s",
             result->status, result->step, result->epoch, result->images_per_s, result->wall_s, hex,
             out, label);
}
