/* load: reading a configuration. Private to src/config and its tests. Local. */
#ifndef LOCKSTEP_CONFIG_LOAD_H
#define LOCKSTEP_CONFIG_LOAD_H

#include <stddef.h>

#include "lockstep/config.h"

/* Reads YAML into *config, whose other fields stay. ST_USAGE naming source and line. */
Status config_read_yaml(const char *text, size_t length, const char *source, RunConfig *config);

#endif
