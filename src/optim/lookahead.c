/* When the weights go back to the slow ones. The rising decay, and the last step, are those of
 * airbench94 (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU"). */
#include <math.h>

#include "lockstep/optim.h"

int64_t lookahead_length(double total_epochs, int64_t steps_per_epoch) {
    return (int64_t)ceil(total_epochs * (double)steps_per_epoch - 1e-9);
}

bool lookahead_due(const Lookahead *lookahead, int64_t done, int64_t length, double *alpha) {
    double part = done < length ? (double)done / (double)length : 1;
    bool regular = lookahead->every > 0 && done % lookahead->every == 0;
    *alpha = regular ? 1 - lookahead->decay * pow(part, lookahead->power) : 0;
    return lookahead->every > 0 && (regular || done == length);
}
