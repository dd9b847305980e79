/* The cuda backend against the reference backend, in each precision; skipped where there is no GPU.
 *
 * In fp32 within the tolerance of fp32, in tf32 beyond it: so neither takes the other's engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "muon_compare.h"
#include "op_compare.h"
#include "tolerance.h"

static Status open_cuda(Precision precision, Device **device) {
    const DeviceOptions options = {.precision = precision, .exact = true};
    return device_open_cuda(&options, device);
}

static Status open_fp32(Device **device) {
    return open_cuda(PRECISION_FP32, device);
}

static Status open_tf32(Device **device) {
    return open_cuda(PRECISION_TF32, device);
}

static Status open_bf16(Device **device) {
    return open_cuda(PRECISION_BF16, device);
}

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

/* What tests and tools write is what bfloat16 holds of it: to the nearest, at ties to even. The
 * bits are those of torch.tensor(...).bfloat16(). */
static void written_to_nearest_even(void **state) {
    static const struct {
        uint32_t value;
        uint32_t kept; /* the upper half */
    } cases[] = {{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
                 {0x3f807fff, 0x3f80}, {0x7f7fffff, 0x7f80}, {0x00008000, 0x0000},
                 {0x00018000, 0x0002}, {0xbf808000, 0xbf80}, {0xbf818000, 0xbf82}};
    enum { COUNT = sizeof cases / sizeof *cases };
    (void)state;
    double host[COUNT], found[COUNT];
    Tensor tensor = {.shape = {1, COUNT, 1, 1}, .dtype = DT_BF16, .bytes = 2 * COUNT};
    Device *device;
    Stream *stream;
    check(open_bf16(&device));
    check(device->ops->stream_open(device, &stream));
    check(device->ops->alloc(device, tensor.bytes, &tensor.data));
    for (int i = 0; i < COUNT; i++) {
        float value;
        memcpy(&value, &cases[i].value, sizeof value);
        host[i] = value;
    }
    check(device->ops->write_tensor(stream, &tensor, host));
    check(device->ops->read_tensor(stream, found, &tensor));
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits = cases[i].kept << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        assert_true(found[i] == (double)value);
    }
    device->ops->release(device, tensor.data);
    device->ops->stream_close(stream);
    device->ops->close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(written_to_nearest_even)};
    const OpBackend backends[] = {
        {.name = "cuda in fp32 against ref", .open = open_fp32, .tolerance = tolerance_op},
        {.name = "cuda in tf32 against ref",
         .open = open_tf32,
         .tolerance = tolerance_tf32,
         .rounds = true},
        {.name = "cuda in bf16 against ref",
         .open = open_bf16,
         .tolerance = tolerance_bf16,
         .bits = 8},
    };
    int failures = 0;
    Device *device;
    if (open_fp32(&device) != ST_OK) {
        printf("1..0 # SKIP %s\n", status_message());
        return 0;
    }
    device->ops->close(device);
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        failures += op_compare(&backends[i]);
    failures += muon_compare("muon: cuda", open_fp32);
    failures += cmocka_run_group_tests(tests, NULL, NULL);
    return failures;
}
