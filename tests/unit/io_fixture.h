/* io_fixture: a small model, a checkpoint of it with recognisable values, and a folder to put it
 * in. Every call asserts on failure. */
#ifndef IO_FIXTURE_H
#define IO_FIXTURE_H

#include "lockstep/checkpoint.h"

/* What its run was configured as. */
#define FIXTURE_MODEL "model: |\n  conv c=4 k=3\n  bn\n  avgpool global\n  linear c=10\n"
#define FIXTURE_CONFIG                                                                             \
    "seed: 18364758544493064720\nlanes: 8\n"                                                       \
    "optimizer:\n  name: adam\n  ema-decay: 0.5\n"                                                 \
    "schedule:\n  name: plateau\n" FIXTURE_MODEL

typedef struct Fixture {
    char folder[128]; /* made by fixture_open, removed with its content by fixture_close */
    Layer layers[4];
    ParamView params[5];
    ParamView running[2];
    Model model; /* conv1, bn1, linear1, softmax_ce1 */
    HistoryEntry history[3];
    Checkpoint checkpoint; /* owns its arrays; two slots and a moving average */
} Fixture;

/* All values depend on `step`. */
void fixture_open(Fixture *fixture, int64_t step);
void fixture_close(Fixture *fixture);

/* Gives the checkpoint the values of another step. */
void fixture_step(Fixture *fixture, int64_t step);

/* An unfilled copy to read into: same model and slots, arrays of garbage; free with
 * fixture_free_arrays. */
Checkpoint fixture_empty(const Fixture *fixture);
void fixture_free_arrays(Checkpoint *checkpoint);

/* checkpoint_load and checkpoint_parse_arrays. */
Status fixture_read_arrays(const char *path, Checkpoint *checkpoint);

/* FOLDER/NAME; the text is valid until the fourth call from now. */
const char *fixture_path(const Fixture *fixture, const char *name);
bool fixture_exists(const Fixture *fixture, const char *name);

/* The whole file, and a file with this content. */
char *fixture_load(const char *path, size_t *size);
void fixture_save(const char *path, const void *bytes, size_t size);

/* Runs a shell command; its exit status. */
int fixture_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Asserts that a call gave ST_CHECKPOINT and a message with `part`, and clears the message. */
void fixture_refused(Status status, const char *part);

#endif
