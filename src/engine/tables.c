/* tables: see tables.h. */
#include "tables.h"

#include <stdlib.h>

#include "lockstep/engine.h"

static Status put(Device *device, const void *host, size_t bytes, void **table) {
    const DeviceOps *ops = device->ops;
    Stream *stream = NULL;
    TRY(ops->alloc(device, bytes, table));
    TRY(ops->stream_open(device, &stream));
    Status status = ops->upload(stream, *table, host, bytes);
    if (status == ST_OK)
        status = ops->sync(stream, SYNC_SECONDS);
    ops->stream_close(stream);
    return status;
}

Status table_of_blocks(Device *device, const Model *model, int32_t **param_of) {
    int64_t blocks = model->flat / SHIFT_BLOCK;
    int32_t *of = calloc((size_t)blocks + 1, sizeof *of);
    TRY_ALLOC(of);
    for (int64_t b = 0, p = 0; b < blocks; b++) {
        while (p + 1 < model->n_params && model->params[p + 1].offset <= b * SHIFT_BLOCK)
            p++;
        of[b] = (int32_t)p;
    }
    Status status = put(device, of, ((size_t)blocks + 1) * sizeof *of, (void **)param_of);
    free(of);
    return status;
}

Status table_of_forms(Device *device, const Model *model, const TermForm *form, TermParam **param) {
    bool any = false;
    TermParam *table = calloc((size_t)model->n_params + 1, sizeof *table);
    TRY_ALLOC(table);
    for (int p = 0; p < model->n_params; p++) {
        const ParamView *view = &model->params[p];
        any |= form[p].area > 0;
        table[p] = (TermParam){.begin = view->offset,
                               .count = (uint32_t)view->count,
                               .channels = (uint32_t)form[p].channels,
                               .area = (uint32_t)form[p].area,
                               .half = form[p].type == DT_BF16};
    }
    Status status =
        any ? put(device, table, ((size_t)model->n_params + 1) * sizeof *table, (void **)param)
            : ST_OK;
    free(table);
    return status;
}
