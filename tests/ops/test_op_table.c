/* The table of op tests itself: each row is a layer that the parser takes, each kind has rows, and
 * a row's data follow from the row alone, whatever other rows and kinds there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/hash.h"
#include "op_run.h"

static const OpCase *row_called(const char *name) {
    const OpCase *found = NULL;
    for (int i = 0; i < op_table_count; i++) {
        if (strcmp(op_table[i].name, name) != 0)
            continue;
        if (found != NULL)
            fail_msg("two rows are called '%s'", name);
        found = &op_table[i];
    }
    assert_non_null(found);
    return found;
}

static void rows_are_layers(void **state) {
    int rows[LAYER_KINDS] = {0};
    (void)state;
    for (int i = 0; i < op_table_count; i++) {
        const OpCase *row = row_called(op_table[i].name);
        Layer layer;
        if (op_case_layer(row, &layer) != ST_OK)
            fail_msg("%s", status_message());
        assert_int_equal(layer.kind, op_case_kind(row));
        assert_int_equal(layer.n_in + row->add, op_case_inputs(row));
        for (int k = 0; k < layer.n_in; k++)
            assert_int_equal(shape_count(layer.in[k]) * row->in.n,
                             shape_count(op_case_shape(row, k)));
        rows[layer.kind]++;
    }
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        if (rows[kind] == 0)
            fail_msg("no row tests %s", layer_type((LayerKind)kind)->name);
    }
}

static void arguments_are_the_texts(void **state) {
    Layer layer;
    (void)state;
    assert_int_equal(op_case_layer(row_called("conv 3x3 stride 3 rest"), &layer), ST_OK);
    assert_true(layer.args.conv.channels == 4 && layer.args.conv.kernel == 3);
    assert_true(layer.args.conv.stride == 3 && layer.args.conv.pad == 0 && layer.args.conv.bias);
    assert_int_equal(op_case_layer(row_called("add"), &layer), ST_OK);
    assert_int_equal(layer.n_in, 2);
    assert_int_not_equal(layer.input[0], layer.input[1]);
}

/* Pinned: these change when a row's name or what is drawn for it does, and for nothing else. */
static void data_follow_from_the_row(void **state) {
    static const struct {
        const char *name;
        uint64_t hash; /* of the first input and of what comes from above */
    } pinned[] = {
        {"conv 3x3", UINT64_C(0x8c0e693134932695)},
        {"bn flat", UINT64_C(0x941895098aadf4f1)},
        {"maxpool 2 rest", UINT64_C(0x201db8ac18a7cd8d)},
        {"softmax_ce one image", UINT64_C(0xe30bbcaf349e2ed8)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pinned / sizeof *pinned; i++) {
        OpData data;
        assert_int_equal(op_data_make(row_called(pinned[i].name), &data), ST_OK);
        uint64_t hash = hash_bytes(data.in[0], (size_t)data.in_count[0] * sizeof(double)) * 31 +
                        hash_bytes(data.grad_out, (size_t)data.out_count * sizeof(double));
        if (hash != pinned[i].hash)
            fail_msg("the data of '%s' have hash 0x%llx", pinned[i].name, (unsigned long long)hash);
        op_data_free(&data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_layers),
        cmocka_unit_test(arguments_are_the_texts),
        cmocka_unit_test(data_follow_from_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
