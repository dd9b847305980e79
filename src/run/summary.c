/* summary: see summary.h. */
#include "summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/log.h"

void summarize(const RunResult *result, const char *out, bool synthetic) {
    const double *s = result->times.seconds;
    const char *label = synthetic ? " [synthetic]" : "";
    bool tta = strcmp(result->tta, "none") != 0 && strcmp(result->status, "finished") == 0;
    char hex[17];
    snprintf(hex, sizeof hex, "%016" PRIx64, result->state_hash);
    log_set_level(LOG_INFO); /* --quiet ends here */
    log_info("seconds: data %.1f, forward %.1f, backward %.1f, exposed communication %.1f, "
             "optimizer %.1f, checkpoint %.1f, evaluation %.1f (largest over ranks)",
             s[PHASE_DATA], s[PHASE_FORWARD], s[PHASE_BACKWARD], s[PHASE_EXPOSED],
             s[PHASE_OPTIMIZER], s[PHASE_CHECKPOINT], s[PHASE_EVALUATION]);
    if (result->best_step >= 0)
        log_info("best: accuracy %.2f %%, loss %.4f on the %s at step %" PRId64 " (%s%s)%s",
                 100 * result->best_accuracy, result->best_loss,
                 strcmp(result->selected_on, "test") == 0 ? "test set" : "held-out records",
                 result->best_step, result->best_name[0] ? out : "its checkpoint is not there",
                 result->best_name, label);
    if (result->last_epoch)
        log_info("training accuracy %.2f %%, training loss %.4f (means over epoch %" PRId64
                 ", as it was trained)%s",
                 100 * result->last_epoch->train_accuracy, result->last_epoch->train_loss,
                 result->last_epoch->epoch, label);
    if (result->test_images > 0 && tta)
        log_info("test accuracy %.2f %%, test loss %.4f without test-time augmentation%s",
                 100 * result->plain_accuracy, result->plain_loss, label);
    if (result->test_images > 0)
        log_info("test accuracy %.2f %%, test loss %.4f%s%s: %" PRId64 " right, %" PRId64
                 " wrong%s",
                 100 * result->test_accuracy, result->test_loss, tta ? " with " : "",
                 tta ? result->tta : "", result->test_correct,
                 result->test_images - result->test_correct, label);
    log_info("%s after step %" PRId64 " (epoch %" PRId64 "): %.0f images/s, %.1f s, state_hash %s, "
             "run directory %s%s",
             result->status, result->step, result->epoch, result->images_per_s, result->wall_s, hex,
             out, label);
}
