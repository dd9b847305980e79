/* views: from layers to the flat order (params.c); used by model_parse alone. */
#ifndef LOCKSTEP_MODEL_VIEWS_H
#define LOCKSTEP_MODEL_VIEWS_H

#include "lockstep/model.h"

/* Most elements a model's flat buffers or one activation may have: keeps every product of shapes,
 * and every count of bytes, inside 64 bits. */
#define MODEL_ELEMENTS_MAX (INT64_C(1) << 31)

/* Fills params, running and their totals from the layers. */
Status model_make_views(Model *model);

#endif
