/* tables: what kernels look up of the model, in device memory. Local. */
#ifndef LOCKSTEP_ENGINE_TABLES_H
#define LOCKSTEP_ENGINE_TABLES_H

#include "lockstep/device.h"
#include "lockstep/model.h"

/* Which parameter each block of the flat gradient is of: [flat / SHIFT_BLOCK] the last one that
 * begins in the block or before it (Shifts.param). */
Status table_of_blocks(Device *device, const Model *model, int32_t **param_of);

/* form[n_params], with each parameter's place; *param is NULL where all are as they are. */
Status table_of_forms(Device *device, const Model *model, const TermForm *form, TermParam **param);

/* Both give device memory, the caller's to release, after an error too. */

#endif
