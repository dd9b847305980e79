/* Fuzz target: a checkpoint's bytes, through all three readers: a rank's that goes on from them
 * (they came by message, with no checksum file at hand), the look that judges a file for resume,
 * eval and `lockstep checkpoint`, and `lockstep inspect`, which shows whatever there is. Any bytes
 * must be refused or read, never crash. */
#include "../../src/io/checkpoint_look.h"
#include "lockstep/inspect.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAT = 16 };

static void inspect(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    MUST(nowhere);
    scratch_judge(inspect_print(scratch_write("step-00000001.h5", data, size), true, nowhere));
}

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
    inspect(data, size);
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
    scratch_judge(ST_OK);
    return 0;
}
