/* checkpoint_format: see checkpoint_format.h. */
#include "checkpoint_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hdf5_error.h"

void checkpoint_file_name(int64_t step, char name[CHECKPOINT_FILE_NAME]) {
    snprintf(name, CHECKPOINT_FILE_NAME, "step-%08" PRId64 ".h5", step);
}

bool checkpoint_step_of(const char *name, const char *suffix, int64_t *step) {
    char expected[CHECKPOINT_FILE_NAME];
    int64_t value;
    if (sscanf(name, "step-%" SCNd64 ".h5", &value) != 1 || value < 0)
        return false;
    checkpoint_file_name(value, expected);
    size_t length = strlen(expected);
    *step = value;
    return strncmp(name, expected, length) == 0 && strcmp(name + length, suffix) == 0;
}

const StateField checkpoint_state_fields[] = {
    {"step", offsetof(RunState, step)},
    {"epoch", offsetof(RunState, epoch)},
    {"position", offsetof(RunState, position)},
    {"best_step", offsetof(RunState, best_step)},
    {"without_better", offsetof(RunState, without_better)},
    {"log_loss", offsetof(RunState, log_loss)},
    {"log_correct", offsetof(RunState, log_correct)},
    {"log_images", offsetof(RunState, log_images)},
    {"epoch_loss", offsetof(RunState, epoch_loss)},
    {"epoch_correct", offsetof(RunState, epoch_correct)},
    {"epoch_images", offsetof(RunState, epoch_images)},
    {"last_logged_step", offsetof(RunState, last_logged_step)},
    {"n_history", offsetof(RunState, n_history)},
    {NULL, 0},
};

bool checkpoint_has_bad_steps(const RunState *state) {
    return state->bad.skipped > 0 || state->bad.rollbacks > 0;
}

Status checkpoint_history_type(hid_t *type) {
    static const struct {
        const char *name;
        size_t offset;
    } reals[] = {{"train_loss", offsetof(HistoryEntry, train_loss)},
                 {"train_accuracy", offsetof(HistoryEntry, train_accuracy)},
                 {"test_loss", offsetof(HistoryEntry, test_loss)},
                 {"test_accuracy", offsetof(HistoryEntry, test_accuracy)}};
    Status status = ST_OK;
    TRY_H5("history", *type = H5Tcreate(H5T_COMPOUND, sizeof(HistoryEntry)));
    TRY_H5("history", H5Tinsert(*type, "epoch", offsetof(HistoryEntry, epoch), H5T_STD_I64LE));
    TRY_H5("history", H5Tinsert(*type, "step", offsetof(HistoryEntry, step), H5T_STD_I64LE));
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        TRY_H5("history", H5Tinsert(*type, reals[i].name, reals[i].offset, H5T_IEEE_F64LE));
done:
    return status;
}
