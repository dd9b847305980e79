/* Fuzz target: a checkpoint's bytes as a rank gets them by message, where no checksum file is at
 * hand, and as a look at a file judges them. Any bytes must be refused or read, never crash. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/io/checkpoint_look.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAT = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* One array of each sort is enough to reach all of the reader. */
    ParamView weight = {.name = "linear1.weight", .count = 4};
    ParamView mean = {.name = "bn1.running_mean", .count = 4};
    weight.spec = (ParamSpec){.role = "weight", .ndim = 2, .dim = {2, 2, 1, 1}};
    mean.spec = (ParamSpec){.role = "running_mean", .ndim = 1, .dim = {4, 1, 1, 1}};
    Model model = {.n_params = 1,
                   .params = &weight,
                   .flat = FLAT,
                   .n_running = 1,
                   .running = &mean,
                   .running_flat = FLAT};
    float buffer[4][FLAT];
    Checkpoint meta;
    if (checkpoint_parse_meta(data, size, "input", &meta) == ST_OK)
        checkpoint_meta_free(&meta);
    status_clear();
    (void)checkpoint_check(data, size, "input"); /* what all readers ask */
    status_clear();
    Checkpoint arrays = {.model = &model, .n_slots = 1, .slot_name = {"momentum"}};
    arrays.weight = buffer[0];
    arrays.running = buffer[1];
    arrays.slot[0] = buffer[2];
    arrays.ema = buffer[3];
    if (checkpoint_parse_arrays(data, size, "input", &arrays) == ST_OK) {
        uint64_t hash;
        (void)checkpoint_state_hash(&arrays, &hash);
    }
    status_clear();
    return 0;
}
