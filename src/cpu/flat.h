/* cpu/flat: work on ranges of the flat buffers: members of DeviceOps. */
#ifndef LOCKSTEP_CPU_FLAT_H
#define LOCKSTEP_CPU_FLAT_H

#include "lockstep/device.h"

Status cpu_to_fixed(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                    double bound, bool add, int64_t *bad);
Status cpu_to_real(Stream *stream, void *sum, const void *value, int64_t count, bool add);
Status cpu_norm(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                int64_t count, double scale);
Status cpu_update(Stream *stream, const Update *update, const UpdateRange *range);
Status cpu_lookahead(Stream *stream, void *slow, void *fast, int64_t count, double alpha);
Status cpu_muon(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                int64_t cols, void *scratch); /* muon.c */

#endif
