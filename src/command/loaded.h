/* loaded: a checkpoint whose network computes: what eval and predict have in common. Private to
 * src/command. */
#ifndef LOCKSTEP_COMMAND_LOADED_H
#define LOCKSTEP_COMMAND_LOADED_H

#include "lockstep/checkpoint.h"
#include "lockstep/session.h"

/* What the command line said of it. */
typedef struct LoadOptions {
    const char *checkpoint;      /* a file; or a run directory, until it is loaded */
    char found[CONFIG_PATH_MAX]; /* of a run directory: the file */
    const char *data;            /* NULL: as the run had it, or CIFAR10_DIR */
    bool finds_data;             /* whether data is looked for at all */
    DeviceChoice device;         /* DEVICE_AUTO unless named */
    int64_t threads;             /* 0: all cores */
    double deadline;             /* 0: not named */
    Tta tta;                     /* where named */
    bool tta_named;
} LoadOptions;

/* The lines of --help about the options below. */
extern const char load_options_help[];

/* Whether argv[*i] is one of --deadline, --device, --eval.tta, --threads: reads it and its value,
 * to which *i is moved. `command` is for messages. Local. ST_USAGE. */
Status load_option(const char *command, int argc, char **argv, int *i, LoadOptions *options,
                   bool *taken);

/* The images that are put through the network: sets input.dataset and input.test, and the model by
 * session_parse_model. The configuration is that of the checkpoint. Local. */
typedef Status (*FindImages)(Session *session, const Checkpoint *checkpoint, void *context);

/* Configuration, model, images and weights of a checkpoint, with moving averages where the run has
 * them, on the device. Its file is read once, by rank 0, whose bytes go to all ranks: best.h5 of a
 * run that goes on may name another one a moment later. Collective, agreed. */
Status load_checkpoint(Session *session, LoadOptions *options, Checkpoint *checkpoint,
                       FindImages find, void *context);

#endif
