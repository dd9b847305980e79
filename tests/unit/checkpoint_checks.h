/* checkpoint_checks: what the tests of checkpoints ask of a fixture's. Every call asserts. */
#ifndef CHECKPOINT_CHECKS_H
#define CHECKPOINT_CHECKS_H

#include "io_fixture.h"

/* What was read is what the fixture's checkpoint holds: its arrays; all else. */
void checkpoint_same_arrays(const Fixture *fixture, const Checkpoint *read);
void checkpoint_same_meta(const Fixture *fixture, const Checkpoint *read);

/* Writes the fixture's checkpoint of another step to its folder. */
void checkpoint_write_step(Fixture *fixture, int64_t step);

/* Turns one bit of a file's byte. */
void checkpoint_flip(const char *path, size_t at);

#endif
