/* Model text: what it means, what it refuses and in which words, the flat order, initial weights,
 * the table of --describe, and the recipes' sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/config.h"
#include "lockstep/model.h"

/* The view of that name in params (or, if `running`, in running); NULL if none. */
static const ParamView *find_view(const Model *model, const char *name, bool running) {
    const ParamView *views = running ? model->running : model->params;
    int n = running ? model->n_running : model->n_params;
    for (int i = 0; i < n; i++) {
        if (strcmp(views[i].name, name) == 0)
            return &views[i];
    }
    return NULL;
}

static Status parse(const char *text, Model *model) {
    Shape image = {1, 3, 32, 32};
    return model_parse(text, "m", 1, image, 10, 0.1, model);
}

static void must_parse(const char *text, Model *model) {
    if (parse(text, model) != ST_OK)
        fail_msg("%s", status_message());
}

static void test_chain(void **state) {
    Model model;
    (void)state;
    must_parse("# a comment\n\n  conv c=8 k=3 p=1 # and one here\r\n\tbn\nrelu\nmaxpool k=2\n"
               "linear c=10 bias=0\n\n",
               &model);
    static const char *const names[] = {"conv1",    "bn1",     "relu1",
                                        "maxpool1", "linear1", "softmax_ce1"};
    static const int lines[] = {3, 4, 5, 6, 7, 7};
    assert_int_equal(model.n_layers, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(model.layers[i].name, names[i]);
        assert_int_equal(model.layers[i].line, lines[i]);
        assert_int_equal(model.layers[i].n_in, 1);
        assert_int_equal(model.layers[i].input[0], i - 1);
    }
    assert_true(model.layers[0].args.conv.stride == 1);
    assert_false(model.layers[0].args.conv.bias);
    assert_false(model.layers[4].args.linear.bias);
    assert_true(model.layers[1].args.bn.eps == 1e-5);
    assert_true(model.layers[5].args.loss.smoothing == 0.1);
    assert_true(model.layers[4].in[0].h == 16);
    model_free(&model);
}

static void test_graph(void **state) {
    Model model;
    (void)state;
    must_parse("stem: conv c=8 k=3 p=1\nleft: relu\nright: gelu from=stem\nadd with=left\n"
               "add from=right with=add1\nconv c=3 k=1\nadd with=image\navgpool global\n"
               "linear c=10\nsoftmax_ce smoothing=0.25\n",
               &model);
    assert_int_equal(model.n_layers, 10);
    assert_string_equal(model.layers[2].name, "right");
    assert_int_equal(model.layers[2].input[0], 0);
    assert_int_equal(model.layers[3].n_in, 2);
    assert_int_equal(model.layers[3].input[0], 2);
    assert_int_equal(model.layers[3].input[1], 1);
    assert_int_equal(model.layers[4].input[0], 2);
    assert_int_equal(model.layers[4].input[1], 3);
    assert_int_equal(model.layers[6].input[1], LAYER_IMAGE);
    assert_true(model.layers[7].args.pool.kernel == 32);
    assert_true(model.layers[9].args.loss.smoothing == 0.25);
    model_free(&model);
}

/* Labelled layers count in the ordinals of their kind. */
static void test_names_count_labelled(void **state) {
    Model model;
    (void)state;
    must_parse("linear c=11", &model); /* more outputs than classes */
    assert_int_equal(model.classes, 10);
    model_free(&model);
    must_parse("a: relu\nrelu\nlinear c=10", &model);
    assert_string_equal(model.layers[1].name, "relu2");
    model_free(&model);
}

static void test_refusals(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "m:1: the model has no layers"},
        {"# only\n", "m:1: the model has no layers"},
        {"cnov c=8 k=3", "m:1: no layer is called 'cnov'; did you mean 'conv'?"},
        {"conv c=8 kk=3", "m:1: conv has no argument 'kk'; did you mean 'k'?"},
        {"relu inplace", "m:1: relu has no argument 'inplace'; it takes from"},
        {"conv c=8", "m:1: conv wants k= (side of the kernel)"},
        {"conv c k=3", "m:1: conv: 'c' wants a value: c=NUMBER"},
        {"conv c=8x k=3", "m:1: conv: 'c=8x' is not a whole number"},
        {"conv c=8 k=", "m:1: conv: 'k=' is not a whole number"},
        {"conv c=0 k=3", "m:1: conv: 'c=0' is out of bounds: 1 to 65536"},
        {"conv c=9999999999999999999 k=3",
         "m:1: conv: 'c=9999999999999999999' is out of bounds: 1 to 65536"},
        {"conv c=8 k=3 c=8", "m:1: 'c' is given twice"},
        {"conv c=8 k=3 bias=2", "m:1: conv: 'bias=2' is out of bounds: 0 to 1"},
        {"conv c=8 k=3 groups=3",
         "m:1: conv: groups=3 must divide its input's channels, 3, and its own, c=8"},
        {"conv c=8 k=3\nconv c=12 k=3 groups=3",
         "m:2: conv: groups=3 must divide its input's channels, 8, and its own, c=12"},
        {"conv c=8 k=3 groups=0", "m:1: conv: 'groups=0' is out of bounds: 1 to 65536"},
        {"leaky_relu slope=-0.1", "m:1: leaky_relu: 'slope=-0.1' is out of bounds: 0 to 1"},
        {"dropout p=half", "m:1: dropout: 'p=half' is not a number"},
        {"conv c=8 k=40", "m:1: conv: a kernel of k=40 does not fit its input of 32 x 32: give a "
                          "smaller k or a larger p"},
        {"relu\nadd", "m:2: add reads 2 layers: name the second by with=LABEL"},
        {"relu\nadd with=", "m:2: 'with' wants a label: with=LABEL"},
        {"relu\nrelu with=relu1", "m:2: relu has no argument 'with'; it takes from"},
        {"stem: relu\nadd with=stme", "m:2: no layer above is called 'stme'; did you mean 'stem'?"},
        {"relu\nadd with=trunk", "m:2: no layer above is called 'trunk': label one with 'trunk:'"},
        {"relu\nadd with=b\nb: relu", "m:2: 'b' stands in line 3: a layer reads only layers above "
                                      "it"},
        {"a: relu from=a", "m:1: 'a' stands in line 1: a layer reads only layers above it"},
        {"a: relu\nb: relu\nadd with=a,image",
         "m:3: add reads at most 2 layers: 'image' is one too "
         "many"},
        {"a: relu\nb: relu\nadd with=a,", "m:3: 'with' wants labels: with=LABEL or with=A,B"},
        {"relu\nadd with=relu1", "m:2: add reads the same layer twice: for twice its output use "
                                 "'scale by=2'"},
        {"a: conv c=4 k=1\nconv c=8 k=1\nadd with=a",
         "m:3: add: cannot add shapes 8 x 32 x 32 and 4 x 32 x 32: both must be the same"},
        {"a: relu\na: relu", "m:2: the name 'a' is taken by line 1: choose another label"},
        {"relu2: relu\nrelu", "m:2: the name 'relu2' is taken by line 1: choose another label"},
        {"image: relu", "m:1: 'image' cannot be a label: use a letter, then letters, digits, _ and "
                        "-, 31 at most, and not 'image'"},
        {"a.b: relu", "m:1: 'a.b' cannot be a label: use a letter, then letters, digits, _ and -, "
                      "31 at most, and not 'image'"},
        {"a:relu", "m:1: put a blank after the colon of the label 'a:relu'"},
        {"a:", "m:1: the label 'a' has no layer behind it"},
        {"relu\nrelu from=image\nlinear c=10", "m:1: no layer reads the output of 'relu1': remove "
                                               "it, or read it with from= or with="},
        {"linear c=10\nsoftmax_ce\nrelu", "m:2: softmax_ce must be the last layer, but line 3 "
                                          "follows"},
        {"linear c=9", "m:1: the model gives 9 numbers an image, but the data set has 10 "
                       "classes: end it with 'linear c=classes', or more outputs"},
        {"conv c=10 k=3", "m:1: softmax_ce: wants one number a class, its input is 10 x 30 x 30: "
                          "put a linear layer before it"},
        {"relu \x01", "m:1: byte 0x01 is not text"},
        {"conv c=65536 k=1\nlinear c=65536\nlinear c=10",
         "m: more than 2^31 parameters up to layer 'linear1'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Model model;
        assert_int_equal(parse(cases[i].text, &model), ST_USAGE);
        assert_string_equal(status_message(), cases[i].message);
        status_clear();
        assert_null(model.layers); /* freed */
    }
}

/* Lines are counted from where the text stands in its file. */
/* A name that is near to none: all there are. */
static void test_unknown_kind(void **state) {
    char expected[1024] = "m:2: no layer is called 'unheard'; there are";
    Model model;
    (void)state;
#define LAYER(lower, UPPER) strcat(expected, LAYER_##UPPER > 0 ? ", " #lower : " " #lower);
#include "lockstep/layers.def"
    assert_int_equal(parse("\nunheard", &model), ST_USAGE);
    assert_string_equal(status_message(), expected);
    status_clear();
}

static void test_first_line(void **state) {
    Model model;
    Shape image = {1, 3, 32, 32};
    (void)state;
    assert_int_equal(model_parse("relu\nrelx", "a.yaml", 40, image, 10, 0, &model), ST_USAGE);
    assert_string_equal(status_message(),
                        "a.yaml:41: no layer is called 'relx'; did you mean 'relu'?");
    status_clear();
    assert_int_equal(model_parse("relu\nconv c=1 k=1 p=2", "a.yaml", 40, image, 10, 0, &model),
                     ST_USAGE);
    assert_string_equal(status_message(), "a.yaml:41: conv: p=2 must not be larger than k=1");
    status_clear();
}

static void test_long_lines(void **state) {
    char text[2048];
    Model model;
    (void)state;
    memset(text, 'x', 600);
    text[600] = '\0';
    assert_int_equal(parse(text, &model), ST_USAGE);
    assert_string_equal(status_message(), "m:1: the line has more than 511 characters");
    status_clear();
    strcpy(text, "relu");
    for (int i = 0; i < 30; i++)
        strcat(text, " x");
    assert_int_equal(parse(text, &model), ST_USAGE);
    assert_string_equal(status_message(), "m:1: the line has more than 24 words");
    status_clear();
}

static const char flat_text[] = "first: conv c=5 k=3 bias\nbn\navgpool global\nlinear c=10\n";

static void test_flat_order(void **state) {
    static const struct {
        const char *name;
        int64_t offset, count;
    } views[] = {{"first.weight", 0, 135}, {"first.bias", 144, 5},      {"bn1.weight", 160, 5},
                 {"bn1.bias", 176, 5},     {"linear1.weight", 192, 50}, {"linear1.bias", 256, 10}};
    Model model;
    (void)state;
    must_parse(flat_text, &model);
    assert_int_equal(model.n_params, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(model.params[i].name, views[i].name);
        assert_true(model.params[i].offset == views[i].offset);
        assert_true(model.params[i].count == views[i].count);
        assert_ptr_equal(find_view(&model, views[i].name, false), &model.params[i]);
    }
    assert_true(model.flat == 272);
    assert_true(model.parameters == 135 + 5 + 5 + 5 + 50 + 10);
    assert_int_equal(model.n_running, 2);
    assert_true(model.running_flat == 32);
    assert_int_equal(model.params[4].layer, 3);
    assert_int_equal(model.params[5].which, 1);
    assert_string_equal(find_view(&model, "bn1.running_var", true)->name, "bn1.running_var");
    assert_null(find_view(&model, "bn1.running_var", false));
    assert_null(find_view(&model, "bn1.weight", true));
    assert_true(model_multiply_adds(&model) == 135 * 30 * 30 + 50);
    model_free(&model);
}

/* What is fixed is no parameter; a bias without a scale before it is the layer's first. */
static void test_fixed_parameters(void **state) {
    static const char *const names[] = {"bn1.bias", "bn2.weight", "linear1.weight", "linear1.bias"};
    Model model;
    (void)state;
    must_parse("bn scale=0\nbn bias=0\nbn scale=0 bias=0\nlinear c=10", &model);
    assert_int_equal(model.n_params, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(model.params[i].name, names[i]);
    assert_int_equal(model.params[0].which, 0);
    assert_true(model.params[0].spec.init == INIT_ZERO && model.params[1].spec.init == INIT_ONE);
    assert_true(model.parameters == 3 + 3 + 30720 + 10);
    assert_int_equal(model.n_running, 6);
    model_free(&model);
}

static void test_groups(void **state) {
    Model model;
    (void)state;
    must_parse("conv c=12 k=3 groups=3\nconv c=24 k=5 groups=12 bias\nlinear c=10", &model);
    const int64_t *grouped = model.params[0].spec.dim, *depthwise = model.params[1].spec.dim;
    assert_true(grouped[0] == 12 && grouped[1] == 1 && grouped[2] == 3 && grouped[3] == 3);
    assert_true(depthwise[0] == 24 && depthwise[1] == 1 && depthwise[2] == 5);
    assert_true(layer_multiply_adds(&model.layers[0]) == 12 * 9 * 30 * 30);
    assert_true(layer_multiply_adds(&model.layers[1]) == 24 * 25 * 26 * 26);
    model_free(&model);
}

static void check_uniform(const Model *model, const float *weights, const char *name,
                          double bound) {
    const ParamView *view = find_view(model, name, false);
    double largest = 0, mean = 0;
    for (int64_t i = 0; i < view->count; i++) {
        double value = weights[view->offset + i];
        largest = fmax(largest, fabs(value));
        mean += value / (double)view->count;
    }
    assert_true(largest <= bound && largest > 0.97 * bound);
    /* Six standard deviations of the mean of `count` uniform numbers. */
    assert_true(fabs(mean) < 6 * bound / sqrt(3.0 * (double)view->count));
}

static void test_initial_weights(void **state) {
    Model model;
    (void)state;
    must_parse("conv c=64 k=3 bias\nbn\nlinear c=10", &model);
    size_t bytes = (size_t)model.flat * sizeof(float);
    float *a = malloc(bytes), *b = malloc(bytes);
    float *running = malloc((size_t)model.running_flat * sizeof *running);
    memset(a, 0xff, bytes);
    model_init(&model, 5, a, running);
    model_init(&model, 5, b, running);
    assert_memory_equal(a, b, bytes);
    model_init(&model, 6, b, running);
    assert_memory_not_equal(a, b, bytes);
    check_uniform(&model, a, "conv1.weight", 1 / sqrt(27));
    check_uniform(&model, a, "conv1.bias", 1 / sqrt(27));
    check_uniform(&model, a, "linear1.weight", 1 / sqrt(64 * 30 * 30));
    const ParamView *scale = find_view(&model, "bn1.weight", false);
    const ParamView *bias = find_view(&model, "linear1.bias", false);
    assert_true(a[scale->offset] == 1 && a[scale->offset + 63] == 1);
    for (int64_t i = bias->offset + bias->count; i < model.flat; i++)
        assert_true(a[i] == 0); /* the gap behind the last view */
    assert_true(running[find_view(&model, "bn1.running_mean", true)->offset] == 0);
    assert_true(running[find_view(&model, "bn1.running_var", true)->offset + 63] == 1);
    free(a);
    free(b);
    free(running);
    model_free(&model);
}

/* Part of the promise of same bits: these numbers must never change for this seed. */
static void test_initial_weights_are_pinned(void **state) {
    Model model;
    (void)state;
    must_parse(flat_text, &model);
    float *weights = malloc((size_t)model.flat * sizeof *weights);
    float *running = malloc((size_t)model.running_flat * sizeof *running);
    model_init(&model, 1, weights, running);
    assert_true(weights[0] == 0x1.38e266p-5f);
    assert_true(weights[134] == -0x1.c6aa64p-4f);
    assert_true(weights[265] == -0x1.6e90a8p-2f);
    free(weights);
    free(running);
    model_free(&model);
}

/* What the description of a text says, as a tool reads it. */
static cJSON *described(const char *text) {
    Model model;
    char *json = NULL;
    size_t size = 0;
    must_parse(text, &model);
    FILE *out = open_memstream(&json, &size);
    model_describe_json(&model, out);
    fclose(out);
    model_free(&model);
    cJSON *root = cJSON_Parse(json);
    free(json);
    assert_non_null(root);
    return root;
}

static const cJSON *member(const cJSON *object, const char *key) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(value);
    return value;
}

static double element(const cJSON *array, int i) {
    return cJSON_GetArrayItem(array, i)->valuedouble;
}

static void test_describe_json(void **state) {
    (void)state;
    cJSON *root = described("stem: conv c=16 k=3 p=1 bias\nrelu\nadd with=stem\nbn eps=0.001\n"
                            "avgpool global\nlinear c=10\n");
    const cJSON *layers = member(root, "layers");
    assert_int_equal(cJSON_GetArraySize(layers), 7);
    assert_int_equal(element(member(root, "image"), 2), 32);
    assert_int_equal(member(root, "classes")->valueint, 10);
    assert_int_equal(member(root, "parameters")->valueint, 448 + 32 + 170);

    const cJSON *conv = cJSON_GetArrayItem(layers, 0), *args = member(conv, "args");
    assert_string_equal(member(conv, "name")->valuestring, "stem");
    assert_string_equal(member(conv, "kind")->valuestring, "conv");
    assert_string_equal(cJSON_GetArrayItem(member(conv, "inputs"), 0)->valuestring, "image");
    assert_int_equal(member(args, "s")->valueint, 1); /* a default has a value too */
    assert_true(cJSON_IsTrue(member(args, "bias")));
    const cJSON *weight = cJSON_GetArrayItem(member(conv, "params"), 0);
    assert_string_equal(member(weight, "name")->valuestring, "stem.weight");
    assert_int_equal(cJSON_GetArraySize(member(weight, "shape")), 4);
    assert_int_equal(element(member(weight, "shape"), 1), 3);
    assert_true(cJSON_IsTrue(member(weight, "decay")));
    assert_string_equal(member(weight, "init")->valuestring, "fan_in_uniform");
    assert_true(member(weight, "init_arg")->valuedouble == 1);
    assert_string_equal(member(args, "init")->valuestring, "fan_in_uniform"); /* a word */

    const cJSON *add = cJSON_GetArrayItem(layers, 2), *bn = cJSON_GetArrayItem(layers, 3);
    assert_string_equal(cJSON_GetArrayItem(member(add, "inputs"), 0)->valuestring, "relu1");
    assert_string_equal(cJSON_GetArrayItem(member(add, "inputs"), 1)->valuestring, "stem");
    assert_int_equal(cJSON_GetArraySize(member(add, "in")), 2);
    assert_true(member(member(bn, "args"), "eps")->valuedouble == 0.001);
    assert_int_equal(cJSON_GetArraySize(member(bn, "running")), 2);

    const cJSON *pool = cJSON_GetArrayItem(layers, 4), *loss = cJSON_GetArrayItem(layers, 6);
    assert_int_equal(member(member(pool, "args"), "k")->valueint, 32); /* what global comes to */
    assert_int_equal(element(member(pool, "out"), 1), 1);
    assert_true(cJSON_IsTrue(member(loss, "loss")) && cJSON_IsFalse(member(pool, "loss")));
    assert_true(member(member(loss, "args"), "smoothing")->valuedouble == 0.1);
    cJSON_Delete(root);
}

static void test_describe(void **state) {
    static const char *const expected[] = {
        "name         layer                     output        parameters  multiply-adds    bytes",
        "stem         conv c=16 k=3 p=1 bias    16 x 32 x 32         448        442,368   65,536",
        "relu1        relu                      16 x 32 x 32           0              0   65,536",
        "add1         add with=stem             16 x 32 x 32           0              0   65,536",
        "maxpool1     maxpool k=3 s=2 p=1       16 x 16 x 16           0              0   16,384",
        "avgpool1     avgpool global            16 x 1 x 1             0              0       64",
        "linear1      linear c=10 bias=0        10 x 1 x 1           160            160       40",
        "softmax_ce1  softmax_ce smoothing=0.1  1 x 1 x 1              0              0        4",
        "total                                                       608        442,528  213,100",
        "",
        "multiply-adds and bytes of activations are those of one image, forward; a training step "
        "costs about three times as many.",
        "One lane of 4 images: 0.8 MiB of activations; weights: 0.0 MiB.",
        NULL};
    char *text = NULL;
    size_t length = 0;
    Model model;
    (void)state;
    must_parse("stem: conv c=16 k=3 p=1 bias\nrelu\nadd with=stem\nmaxpool k=3 s=2 p=1\n"
               "avgpool global\nlinear c=10 bias=0",
               &model);
    FILE *out = open_memstream(&text, &length);
    model_describe(&model, 4, out);
    fclose(out);
    const char *at = text;
    for (int i = 0; expected[i]; i++) {
        size_t line = strcspn(at, "\n");
        char shown[256];
        snprintf(shown, sizeof shown, "%.*s", (int)line, at);
        assert_string_equal(shown, expected[i]);
        at += line + 1;
    }
    assert_true(at == text + length);
    free(text);
    model_free(&model);
}

/* A described layer reads back as the layer it was. */
static void test_describe_names_inputs(void **state) {
    char *text = NULL;
    size_t length = 0;
    Model model;
    (void)state;
    must_parse("a: relu\nb: gelu\nrelu from=a\nadd from=b with=relu2\nadd with=image\n"
               "conv c=8 k=2 s=2\nmaxpool k=4 s=1\nlinear c=10",
               &model);
    FILE *out = open_memstream(&text, &length);
    model_describe(&model, 1, out);
    fclose(out);
    assert_non_null(strstr(text, "  relu from=a  "));
    assert_non_null(strstr(text, "  add from=b with=relu2  "));
    assert_non_null(strstr(text, "  add with=image  "));
    assert_non_null(strstr(text, "  conv c=8 k=2 s=2  "));
    assert_non_null(strstr(text, "  maxpool k=4 s=1  "));
    assert_non_null(strstr(text, "  linear c=10  "));
    free(text);
    model_free(&model);
}

static void load_recipe(char *path, Model *model, RunConfig *config) {
    Shape image = {1, 3, 32, 32};
    char *argv[] = {path, NULL};
    if (config_load(1, argv, config) != ST_OK ||
        model_parse(config->model, path, config->model_line, image, 10, config->label_smoothing,
                    model) != ST_OK)
        fail_msg("%s", status_message());
}

/* The networks of the recipes have the sizes of those they stand for. */
static void test_recipes(void **state) {
    static const struct {
        const char *path;
        int64_t parameters, batch, lanes, epochs;
    } recipes[] = {
        {"configs/resnet9.yaml", 6573120, 512, 8, 24},
        {"configs/burst-cnn.yaml", 2396330, 128, 4, 40},
        {"configs/msu-net.yaml", 89614, 250, 10, 20},
        {"configs/msu-net-50.yaml", 89614, 50, 2, 20},
        {"configs/vit.yaml", 4371438, 1536, 8, 123},
        {"configs/vit-muon.yaml", 4371438, 256, 4, 6},
        {"configs/cct2.yaml", 283723, 128, 8, 200},
        {"configs/resnet44.yaml", 658651, 128, 8, 257},
        {"configs/resnet44-muon.yaml", 658651, 128, 4, 10},
        {"configs/airbench94.yaml", 1971640, 2000, 8, 8},
        {"configs/airbench94-nesterov.yaml", 1971640, 1024, 8, 10},
    };
    RunConfig *config = malloc(sizeof *config);
    (void)state;
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        char path[64];
        Model model;
        snprintf(path, sizeof path, "%s", recipes[i].path);
        load_recipe(path, &model, config);
        assert_true(model.parameters == recipes[i].parameters);
        assert_true(config->batch_size == recipes[i].batch);
        assert_true(config->lanes == recipes[i].lanes);
        assert_true(config->epochs == recipes[i].epochs);
        model_free(&model);
    }
    free(config);
}

/* What quickstart promises: convolutions and batch norm, at least 80,000 parameters, channels that
 * fill vectors. */
static void test_quickstart(void **state) {
    char path[] = "configs/quickstart.yaml";
    int convolutions = 0, norms = 0;
    RunConfig *config = malloc(sizeof *config);
    Model model;
    (void)state;
    load_recipe(path, &model, config);
    assert_true(model.parameters >= 80000);
    for (int i = 0; i < model.n_layers; i++) {
        const Layer *layer = &model.layers[i];
        convolutions += layer->kind == LAYER_CONV;
        norms += layer->kind == LAYER_BN;
        if (layer->kind != LAYER_LINEAR && layer->kind != LAYER_SOFTMAX_CE)
            assert_true(layer->out.c % 16 == 0);
    }
    assert_true(convolutions > 0);
    assert_true(norms > 0);
    model_free(&model);
    free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_names_count_labelled),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_unknown_kind),
        cmocka_unit_test(test_first_line),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_flat_order),
        cmocka_unit_test(test_fixed_parameters),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_initial_weights),
        cmocka_unit_test(test_initial_weights_are_pinned),
        cmocka_unit_test(test_describe_json),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_describe_names_inputs),
        cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_quickstart),
    };
    return cmocka_run_group_tests_name("model text", tests, NULL, NULL);
}
