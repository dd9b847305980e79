/* cpu/flat: work on ranges of the flat buffers: members of DeviceOps. */
#ifndef LOCKSTEP_CPU_FLAT_H
#define LOCKSTEP_CPU_FLAT_H

#include "lockstep/device.h"

Status cpu_to_fixed(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                    double bound, bool add, int64_t *bad);
Status cpu_to_shifted(Stream *stream, int64_t *sum, int32_t *low, const void *value, int64_t count,
                      const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                      void *peak);
Status cpu_widen(Stream *stream, int64_t *sum, const int32_t *low, int64_t count,
                 const Shifts *shifts);
Status cpu_to_real(Stream *stream, void *sum, const void *value, int64_t count, bool add);
Status cpu_norm(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                int64_t count, double scale);
/* Sum of squares of the gradient times scale; `fixed` or `real` is set. */
double cpu_squares(int64_t count, const int64_t *fixed, const float *real, double scale);
/* update.c */
Status cpu_update(Stream *stream, const Update *update, const UpdateRange *range);
Status cpu_lookahead(Stream *stream, void *slow, void *fast, int64_t count, double alpha);
Status cpu_muon(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                int64_t cols, void *scratch); /* muon.c */
Status cpu_layerwise(Stream *stream, const Update *update, const UpdateRange *range, void *scratch);

#endif
