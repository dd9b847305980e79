/* session: what train, bench, eval and preflight share: a configuration, the ranks, and on each of
 * them a model with its data on a device. A command opens as much of it as it needs, in the order
 * of the functions below, and closes it whole.
 *
 * What would change with the number of ranks is apart from what would not: `ranks` and `input` are
 * of this set of processes; `model` and `engine` know nothing of it. */
#ifndef LOCKSTEP_SESSION_H
#define LOCKSTEP_SESSION_H

#include "lockstep/cores.h"
#include "lockstep/engine.h"
#include "lockstep/grouping.h"
#include "lockstep/input.h"
#include "lockstep/ranks.h"
#include "lockstep/share.h"
#include "lockstep/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Session {
    RunConfig *config; /* owned */
    Ranks ranks;
    struct Standstill *standstill; /* watches the main thread; owned */
    Device *device;                /* owned; NULL until opened */
    Model model;
    Grouping grouping; /* of its parameters */
    Input input;
    struct Crosscheck *crosscheck; /* of `input`; owned; NULL: nothing to compare */
    Engine engine;                 /* `model` on `device` */
    Trace *trace;                  /* owned; NULL: none. Set before session_plan */
    TraceRow *row;                 /* of the main thread in it */
    Share *share;                  /* owned; NULL: ranks have sums of their own */
    Planning planning; /* of the programs, all of its own; text NULL: the device keeps none */
    double plan_s;     /* that it took; with --autotune the timing too */
    char *choices;     /* of algorithms, made by timing (Tuning.choices); owned; NULL: none */
} Session;

/* Opens the ranks and agrees on `status`, the outcome of reading the configuration. From now on the
 * calling thread is watched: a read or a write that does not come back ends the command, and names
 * `place` (borrowed, what it reads and writes) where the file is not known. Collective, agreed. */
Status session_start(Session *session, Status status, const char *place);

/* Opens the device that the configuration asks for; the number of threads follows from it. Local.
 * ST_DEVICE. */
Status session_open_device(Session *session);

/* Compares build and configuration over ranks, settles threads and lanes. Collective, agreed. */
Status session_settle(Session *session);

/* Finds the data set and reads the model text for its images and classes. Local. ST_DATA, ST_USAGE.
 */
Status session_find_model(Session *session);

/* The device on all ranks, session_settle, session_find_model, and the data plane between the
 * devices. Collective, agreed. */
Status session_begin(Session *session);

/* Buckets in a GPU's memory travel by NCCL: joins it, where the device that is open is one. Part of
 * session_begin. Collective, agreed. */
Status session_open_data_plane(Session *session);

/* Reads this rank's data, hashes all ranks' (Input.hash), sees what set it is (survey.h), and fits
 * the configuration to the images (config_fit_images); begins to compare what ranks have read from
 * files of their own. Collective, agreed. */
Status session_read(Session *session);

/* For a command that does not begin and read as above: compares the data sets that ranks have found
 * (input_compare) and what they have read. Collective, agreed or, at a deadline, for session_judge.
 * ST_DATA. */
Status session_compare_data(Session *session);

/* Plans the model and allocates all state. Plans are taken from session->planning.text (rank 0's
 * becomes everyone's), which becomes that of all in use. ST_DATA where ranks turn out to have read
 * different images, whose deadline is for session_judge. With session->choices (rank 0's become
 * everyone's) by them; else, for a run that begins and where the configuration asks for it, by
 * timing (autotune.h). `resumed_from`: the checkpoint that the run goes on from, NULL where it
 * begins. Collective, agreed. */
Status session_plan(Session *session, const char *resumed_from);

/* For a command that opens the engine itself: what its planning came to, and the device's warnings.
 * Local. */
Status session_end_planning(Session *session);

/* The weights and running statistics that a run begins with: from the seed, and whitening filters
 * from the first 5,000 training images. weights[flat], running[running_flat], on the host.
 * Collective, agreed; after session_read. */
Status session_initial_weights(Session *session, float *weights, float *running);

/* Bytes of the arrays of a checkpoint. Local; once the model is read. */
int64_t session_state_bytes(const Session *session);

/* Says in the log what runs where. Local. */
void session_announce(const Session *session);

/* Settles ranks.wanted and ranks.threads, once the number of lanes is known; again where the device
 * is known too. Local. */
void session_set_threads(Session *session);

/* The ranks are fewer (comm_commit): deals the lanes to those that are left, reads what is this
 * rank's now, and plans anew, with `state` in the engine. Whoever uses `input` and `engine` is
 * closed before. May be called again after a failure. Collective, agreed. ST_DATA where the images
 * are not those that the run has had so far. */
Status session_regroup(Session *session, const EngineState *state);

/* What this rank's threads are and may run on (cores.h), once they are settled. Local. */
void session_cores(const Session *session, CoreShare *share);

/* Says once where the ranks' cores are not what their threads could use (cores.h). Collective,
 * agreed; once threads are settled. */
Status session_hint(const Session *session);

/* To be called with what the command came to, before anything is freed: as ranks_judge, and no call
 * that does not come back keeps the process from that end. Local. */
void session_judge(Session *session, Status status);

/* Frees what the session holds, the configuration too; all ranks leave together. Collective; only
 * after session_judge. */
void session_close(Session *session);

/* Model text of the configuration, for the images and classes of a data set. Local. ST_USAGE. */
Status session_parse_model(const RunConfig *config, const Dataset *dataset, Model *model);

/* Groups of the configuration, for the parameters of that model. grouping_free, also after a
 * failure. Local. ST_USAGE. */
Status session_parse_groups(const RunConfig *config, const Model *model, Grouping *grouping);

#ifdef __cplusplus
}
#endif
#endif
