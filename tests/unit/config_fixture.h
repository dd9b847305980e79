/* config_fixture: a configuration file, and what loading it gives. */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include <stddef.h>

#include "lockstep/config.h"

extern char folder[64];  /* of the files written here */
extern char path[96];    /* the configuration file */
extern RunConfig config; /* what the last load gave */

#define MODEL "model: |\n  relu\n  linear c=10\n"

void write_file(const char *text, size_t length);

/* Loads `text` as a file, with flags given in one string, cut at blanks. */
Status load(const char *text, const char *flags);
void must_load(const char *text, const char *flags);

/* `message` may begin with PATH, which stands for the file's name. */
void assert_refused(Status status, const char *message);

/* Before and after all tests of a program; and before each, since one that failed must not make the
 * next ones fail. */
int config_fixture_open(void **state);
int config_fixture_each(void **state);
int config_fixture_close(void **state);

#endif
