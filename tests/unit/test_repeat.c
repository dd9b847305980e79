/* Model text: `repeat N` ... `end` comes to the network that is written out, names mean what was
 * last called so, `default` holds from its line on; and what both refuse, in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/model.h"

static Status parse(const char *text, Model *model) {
    return model_parse(text, "m", 1, (Shape){1, 3, 32, 32}, 10, 0, model);
}

static void must_parse(const char *text, Model *model) {
    if (parse(text, model) != ST_OK)
        fail_msg("%s", status_message());
}

/* Both texts give the same layers, but for names and lines. */
static void assert_same(const char *text, const char *written_out) {
    Model a, b;
    must_parse(text, &a);
    must_parse(written_out, &b);
    assert_int_equal(a.n_layers, b.n_layers);
    for (int i = 0; i < a.n_layers; i++) {
        const Layer *x = &a.layers[i], *y = &b.layers[i];
        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->n_in, y->n_in);
        assert_memory_equal(x->input, y->input, sizeof x->input);
        assert_memory_equal(&x->out, &y->out, sizeof x->out);
        assert_memory_equal(&x->args, &y->args, sizeof x->args);
    }
    assert_true(a.flat == b.flat && a.running_flat == b.running_flat);
    model_free(&a);
    model_free(&b);
}

static void assert_names(const char *text, const char *const *names) {
    Model model;
    must_parse(text, &model);
    for (int i = 0; i < model.n_layers; i++)
        assert_string_equal(model.layers[i].name, names[i]);
    assert_null(names[model.n_layers]);
    model_free(&model);
}

static const char residual[] = "conv c=8 k=3 p=1\n"
                               "x: relu\n"
                               "repeat 3\n"
                               "  conv c=8 k=3 p=1\n"
                               "  bn\n"
                               "  add with=x\n"
                               "  x: relu\n"
                               "end\n"
                               "conv c=8 k=1\n"
                               "add with=x\n"
                               "linear c=10\n";

static void test_written_out(void **state) {
    (void)state;
    assert_same(residual, "conv c=8 k=3 p=1\nx: relu\n"
                          "conv c=8 k=3 p=1\nbn\nadd with=x\nx1: relu\n"
                          "conv c=8 k=3 p=1\nbn\nadd with=x1\nx2: relu\n"
                          "conv c=8 k=3 p=1\nbn\nadd with=x2\nx3: relu\n"
                          "conv c=8 k=1\nadd with=x3\nlinear c=10\n");
    assert_same("repeat 1\nrelu\nend\nlinear c=10", "relu\nlinear c=10");
    /* Names without a redefinition mean the same in each round. */
    assert_same("a: relu\nrepeat 2\nconv c=3 k=1\nadd with=a\nend\nlinear c=10",
                "a: relu\nconv c=3 k=1\nadd with=a\nconv c=3 k=1\nadd with=a\nlinear c=10");
    /* Within: the round's own definition, where it stands above. */
    assert_same("repeat 2\nx: relu\nconv c=3 k=1\nadd with=x\nend\nlinear c=10",
                "x1: relu\nconv c=3 k=1\nadd with=x1\nx2: relu\nconv c=3 k=1\nadd with=x2\n"
                "linear c=10");
    assert_same(
        "x: relu\n"
        "repeat 2\n"
        "  conv c=3 k=1\n"
        "  repeat 2\n"
        "    gelu\n"
        "    add with=x\n"
        "    x: bn\n"
        "  end\n"
        "  add with=image\n"
        "end\n"
        "relu\n"
        "add with=x.1\n"
        "add with=x.2.1\n"
        "linear c=10",
        "x: relu\n"
        "conv c=3 k=1\ngelu\nadd with=x\nx11: bn\ngelu\nadd with=x11\nx12: bn\nadd with=image\n"
        "conv c=3 k=1\ngelu\nadd with=x12\nx21: bn\ngelu\nadd with=x21\nx22: bn\nadd with=image\n"
        "relu\nadd with=x12\nadd with=x21\nlinear c=10");
}

static void test_names(void **state) {
    static const char *const names[] = {
        "conv1", "x",   "conv2", "bn1", "add1",  "x.1",  "conv3",   "bn2",         "add2", "x.2",
        "conv4", "bn3", "add3",  "x.3", "conv5", "add4", "linear1", "softmax_ce1", NULL};
    static const char *const nested[] = {"a.1",   "b.1.1",   "b.1.2",       "a.2", "b.2.1",
                                         "b.2.2", "linear1", "softmax_ce1", NULL};
    (void)state;
    assert_names(residual, names);
    assert_names("repeat 2\na: relu\nrepeat 2\nb: gelu\nend\nend\nlinear c=10", nested);
    Model model;
    must_parse("repeat 2\nx: conv c=4 k=1\nend\nlinear c=10", &model);
    assert_string_equal(model.params[1].name, "x.2.weight");
    assert_int_equal(model.layers[1].line, 2);
    model_free(&model);
}

static void test_defaults(void **state) {
    (void)state;
    assert_same("default conv k=3 p=1 bias\n"
                "conv c=8\n"
                "default bn momentum=0.003 eps=0.001\n"
                "bn\n"
                "conv c=8 k=1 p=0 bias=0\n"
                "default conv bias=0\n"
                "repeat 2\n"
                "  conv c=8\n"
                "  bn momentum=0.5\n"
                "end\n"
                "linear c=10",
                "conv c=8 k=3 p=1 bias\n"
                "bn momentum=0.003 eps=0.001\n"
                "conv c=8 k=1\n"
                "conv c=8 k=3 p=1\nbn momentum=0.5 eps=0.001\n"
                "conv c=8 k=3 p=1\nbn momentum=0.5 eps=0.001\n"
                "linear c=10");
    /* A layer that the text does not spell out has them too. */
    assert_same("default softmax_ce smoothing=0.25\nlinear c=10",
                "linear c=10\nsoftmax_ce smoothing=0.25");
}

static void test_refusals(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"relu\nrepeat 2\nrelu\nlinear c=10",
         "m:2: this repeat has no end: close it with a line 'end'"},
        {"relu\nrepeat 2", "m:2: this repeat has no end: close it with a line 'end'"},
        {"repeat 2\nrelu\nrepeat 2\nrelu\nend\nlinear c=10",
         "m:1: this repeat has no end: close it with a line 'end'"},
        {"relu\nend\nlinear c=10", "m:2: end, but no repeat is open above it"},
        {"repeat 2\nrelu\nend\nend", "m:4: end, but no repeat is open above it"},
        {"repeat 2\nrelu\nend 2", "m:3: end stands alone, not before '2'"},
        {"repeat\nrelu\nend", "m:1: repeat wants a whole number, and nothing else: repeat 3"},
        {"repeat 2 3\nrelu\nend", "m:1: repeat wants a whole number, and nothing else: repeat 3"},
        {"repeat n=2\nrelu\nend", "m:1: repeat wants a whole number, and nothing else: repeat 3"},
        {"repeat 0\nrelu\nend", "m:1: repeat: '0' is out of bounds: 1 to 4096"},
        {"repeat -1\nrelu\nend", "m:1: repeat: '-1' is out of bounds: 1 to 4096"},
        {"repeat 4097\nrelu\nend", "m:1: repeat: '4097' is out of bounds: 1 to 4096"},
        {"repeat 99999999999999999999\nrelu\nend",
         "m:1: repeat: '99999999999999999999' is out of bounds: 1 to 4096"},
        {"relu\nrepeat 2\n# nothing\nend",
         "m:4: no layer stands between this end and the repeat of line 2"},
        {"repeat 4096\nrepeat 4096\nend\nend",
         "m:3: no layer stands between this end and the repeat of line 2"},
        {"repeat 4096\nrelu\nrelu\nend", "m:2: the model has more than 4096 layers"},
        {"repeat 64\nrepeat 64\nrelu\ngelu\nend\nend", "m:3: the model has more than 4096 layers"},
        {"repeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\nrepeat 1\n"
         "repeat 1\nrelu",
         "m:9: more than 8 repeats within each other"},
        {"a: repeat 2\nrelu\nend", "m:1: repeat is no layer and takes no label"},
        {"repaet 2\nrelu\nend", "m:1: no layer is called 'repaet'; did you mean 'repeat'?"},
        /* Names. */
        {"repeat 2\nconv c=3 k=1\nadd with=x\nx: relu\nend\nlinear c=10",
         "m:3: 'x' stands in line 4: a layer reads only layers above it"},
        {"repeat 2\nx: relu\nx: relu\nend\nlinear c=10",
         "m:3: the name 'x.1' is taken by line 2: choose another label"},
        {"repeat 2\nx: relu\nend\nx: relu\nlinear c=10",
         "m:4: the name 'x' is taken by line 2: choose another label"},
        {"repeat 2\nx: relu\nend\nrepeat 2\nx: relu\nend\nlinear c=10",
         "m:5: the name 'x.1' is taken by line 2: choose another label"},
        {"repeat 2\na234567890123456789012345678901: relu\nend",
         "m:2: the name 'a234567890123456789012345678901.1' has more than 31 characters: choose a "
         "shorter label"},
        {"repeat 2\nx.1: relu\nend",
         "m:2: 'x.1' cannot be a label: use a letter, then letters, digits, _ and -, 31 at most, "
         "and not 'image'"},
        /* Defaults. */
        {"default\nrelu", "m:1: default wants a kind of layer and arguments: default bn eps=0.001"},
        {"default bn\nrelu",
         "m:1: default wants a kind of layer and arguments: default bn eps=0.001"},
        {"default cnov k=3\nrelu", "m:1: no layer is called 'cnov'; did you mean 'conv'?"},
        {"default conv kk=3\nrelu", "m:1: conv has no argument 'kk'; did you mean 'k'?"},
        {"default conv k=65\nrelu", "m:1: conv: 'k=65' is out of bounds: 1 to 64"},
        {"default conv k=3 k=4\nrelu", "m:1: 'k' is given twice"},
        {"default relu from=image\nrelu", "m:1: 'from' has no default: it stands at a layer"},
        {"default add with=image\nrelu", "m:1: 'with' has no default: it stands at a layer"},
        {"a: default conv k=3\nrelu", "m:1: default is no layer and takes no label"},
        {"relu\nrepeat 2\nrelu\ndefault conv k=3\nend",
         "m:4: default stands outside of repeats: put it above line 2"},
        {"default conv k=3\nconv", "m:2: conv wants c= (output channels)"},
        {"conv c=4\ndefault conv k=3\n", "m:1: conv wants k= (side of the kernel)"},
        {"default conv k=3", "m:1: the model has no layers"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Model model;
        assert_int_equal(parse(cases[i].text, &model), ST_USAGE);
        assert_string_equal(status_message(), cases[i].message);
        status_clear();
        assert_null(model.layers);
    }
}

/* Words with a meaning of their own are no kinds. */
static void test_keywords(void **state) {
    (void)state;
    assert_int_equal(layer_kind_of("repeat"), -1);
    assert_int_equal(layer_kind_of("end"), -1);
    assert_int_equal(layer_kind_of("default"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_out), cmocka_unit_test(test_names),
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_keywords),
    };
    return cmocka_run_group_tests_name("repeat and default", tests, NULL, NULL);
}
