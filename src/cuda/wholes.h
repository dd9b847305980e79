/* cuda/wholes: tensors that are updated as wholes, as a sequence of launches for all of them:
 * nothing waits for the host. The arithmetic is in kernels/muon.cu and kernels/layerwise.cu. */
#ifndef LOCKSTEP_CUDA_WHOLES_H
#define LOCKSTEP_CUDA_WHOLES_H

#include "cuda.h"

typedef struct CudaWholes {
    int n;              /* all: Muon's, then the others */
    FinishWhole *whole; /* owned: [n] in that order */
    Wholes muon, layers;
    int32_t steps; /* the most iterations */
    bool rescales, lamb;
    Device *device; /* borrowed; what follows is device memory, owned */
    Whole *table;   /* [n] */
    void *scratch;
} CudaWholes;

/* plan->range is looked at. `terms`: device memory [plan->n_wholes], borrowed, as `verdict`. */
Status cuda_wholes_open(CudaWholes *wholes, Device *device, Stream *stream, const FinishPlan *plan,
                        const WholeTerms *terms, const FinishVerdict *verdict);
void cuda_wholes_close(CudaWholes *wholes); /* accepts a zeroed struct */

/* What a step does to them: terms[n], host memory. */
void cuda_wholes_turn(const CudaWholes *wholes, const FinishTurn *turn, const FinishRange *range,
                      WholeTerms *terms);
Status cuda_wholes_update(Stream *stream, const CudaWholes *wholes);

#endif
