/* shifts: by how many binary digits the sums of each parameter's gradient are coarser than the
 * exact format (exact_sum.h), so that they fit into int32 on their way (--reduction exact32).
 * Header only. Local. */
#ifndef LOCKSTEP_SHIFTS_H
#define LOCKSTEP_SHIFTS_H

#include <stdint.h>

/* Elements of the flat gradient that share a parameter; PARAM_ALIGN is a multiple of it. */
enum { SHIFT_BLOCK = 16 };

/* Device memory, borrowed. Of a range of the flat gradient that begins at a multiple of
 * SHIFT_BLOCK. */
typedef struct Shifts {
    const int32_t *param; /* [elements / SHIFT_BLOCK] which parameter they are of; never falls */
    const int8_t *shift;  /* [n_params] digits, 0 to 62 */
} Shifts;

#endif
