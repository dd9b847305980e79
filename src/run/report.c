/* report: what a run says about itself at its beginning and end. */
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "lockstep/log.h"

void summarize(const Run *run, const RunResult *result) {
    const PhaseTimes *t = &result->times;
    const char *synthetic = run->input.dataset.synthetic ? " [synthetic]" : "";
    char hex[17];
    snprintf(hex, sizeof hex, "%016" PRIx64, result->state_hash);
    log_set_level(LOG_INFO); /* --quiet ends here */
    log_info("seconds: data %.1f, forward %.1f, backward %.1f, exposed communication %.1f, "
             "optimizer %.1f, checkpoint %.1f (largest over ranks)",
             t->data, t->forward, t->backward, t->exposed, t->optimizer, t->checkpoint);
    if (result->best_step >= 0)
        log_info("best: accuracy %.2f %% on the %s set at step %" PRId64 " (%s/best.h5)%s",
                 100 * result->best_accuracy, result->selected_on, result->best_step, run->dir.path,
                 synthetic);
    if (!isnan(result->test_accuracy))
        log_info("test accuracy %.2f %%, test loss %.4f%s", 100 * result->test_accuracy,
                 result->test_loss, synthetic);
    log_info("%s after step %" PRId64 " (epoch %" PRId64 "): %.0f images/s, %.1f s, state_hash %s, "
             "run directory %s%s",
             result->status, result->step, result->epoch, result->images_per_s, result->wall_s, hex,
             run->dir.path, synthetic);
}
