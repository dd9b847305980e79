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

int64_t checkpoint_step_of_rank(const RunState *state, int64_t rank) {
    if (rank == 0)
        return state->best_step;
    return rank <= state->runners_up.n ? state->runners_up.at[rank - 1].step : -1;
}

int64_t checkpoint_rank(const RunState *state, int64_t step) {
    for (int64_t rank = 0; step >= 0 && rank <= state->runners_up.n; rank++) {
        if (checkpoint_step_of_rank(state, rank) == step)
            return rank;
    }
    return -1;
}

bool checkpoint_has_bad_steps(const RunState *state) {
    return state->bad.skipped > 0 || state->bad.rollbacks > 0;
}

/* A member of a compound type. */
typedef struct Member {
    const char *name;
    size_t offset;
    bool is_real; /* else a whole number; of 8 bytes either way */
} Member;

static Status compound(const char *what, size_t size, const Member *members, size_t n,
                       hid_t *type) {
    Status status = ST_OK;
    TRY_H5(what, *type = H5Tcreate(H5T_COMPOUND, size));
    for (size_t i = 0; i < n; i++)
        TRY_H5(what, H5Tinsert(*type, members[i].name, members[i].offset,
                               members[i].is_real ? H5T_IEEE_F64LE : H5T_STD_I64LE));
done:
    return status;
}

Status checkpoint_history_type(hid_t *type) {
    static const Member members[] = {
        {"epoch", offsetof(HistoryEntry, epoch), false},
        {"step", offsetof(HistoryEntry, step), false},
        {"train_loss", offsetof(HistoryEntry, train_loss), true},
        {"train_accuracy", offsetof(HistoryEntry, train_accuracy), true},
        {"test_loss", offsetof(HistoryEntry, test_loss), true},
        {"test_accuracy", offsetof(HistoryEntry, test_accuracy), true}};
    return compound("history", sizeof(HistoryEntry), members, sizeof members / sizeof *members,
                    type);
}

Status checkpoint_evaluated_type(hid_t *type) {
    static const Member members[] = {{"step", offsetof(Evaluated, step), false},
                                     {"accuracy", offsetof(Evaluated, accuracy), true},
                                     {"loss", offsetof(Evaluated, loss), true}};
    return compound(RUNNERS_UP, sizeof(Evaluated), members, sizeof members / sizeof *members, type);
}
