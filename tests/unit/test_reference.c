/* The references: each kind of layer is told of in full, what model text shows can be parsed, and
 * docs/model-text.md and docs/options.md are what the program prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/config.h"
#include "lockstep/model.h"

#define PAGE    "docs/model-text.md"
#define COMMAND "build/lockstep layers --markdown >" PAGE
#define OPTIONS "docs/options.md"

static Status parse(const char *text, Model *model) {
    return model_parse(text, "m", 1, (Shape){1, 3, 32, 32}, 10, 0, model);
}

/* Caller frees. */
static char *printed(int kind, bool markdown) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (model_reference(kind, markdown, out) != ST_OK)
        fail_msg("%s", status_message());
    fclose(out);
    return text;
}

/* Caller frees. */
static char *file_text(const char *path) {
    FILE *in = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (!in)
        fail_msg("no %s; make it by: " COMMAND, path);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
    fclose(in);
    return text;
}

static void assert_told(const LayerType *type, const char *field, const char *text) {
    if (!text || text[0] == '\0')
        fail_msg("layer kind %s has no .%s (LayerType, include/lockstep/layer.h): the reference "
                 "prints it",
                 type->name, field);
}

static void test_kinds_are_told_of(void **state) {
    (void)state;
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        const LayerType *type = layer_type((LayerKind)kind);
        assert_told(type, "help", type->help);
        assert_told(type, "shape", type->shape);
        assert_told(type, "formula", type->formula);
        assert_told(type, "example", type->example);
        const LayerArg *arg;
        for (int i = 0; (arg = layer_arg(type, i)); i++) {
            assert_told(type, "args[].help", arg->help);
            assert_true((arg->type == ARG_WORD) == (arg->words != NULL));
        }
    }
}

static void test_examples_are_parsed(void **state) {
    (void)state;
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        const LayerType *type = layer_type((LayerKind)kind);
        char text[1024];
        Model model;
        bool found = false;
        snprintf(text, sizeof text, "%s%s", type->example, type->is_loss ? "" : "\nlinear c=10");
        if (parse(text, &model) != ST_OK)
            fail_msg("the example of layer kind %s: %s", type->name, status_message());
        for (int i = 0; i < model.n_layers - !type->is_loss - 1; i++)
            found = found || (int)model.layers[i].kind == kind;
        found = found || type->is_loss;
        if (!found)
            fail_msg("the example of layer kind %s has no %s in it", type->name, type->name);
        model_free(&model);
    }
}

static void test_page_is_what_is_printed(void **state) {
    (void)state;
    char *page = file_text(PAGE), *text = printed(-1, true);
    if (strcmp(page, text) != 0)
        fail_msg(PAGE " is not what the program prints; make it anew by: " COMMAND);
    free(page);
    free(text);
}

/* The first block of code below "## Example" is a whole network. */
static void test_page_example_is_parsed(void **state) {
    static const char heading[] = "## Example\n\n```text\n";
    (void)state;
    char *page = file_text(PAGE), *start = strstr(page, heading);
    Model model;
    assert_non_null(start);
    start += sizeof heading - 1;
    char *end = strstr(start, "```");
    assert_non_null(end);
    *end = '\0';
    if (parse(start, &model) != ST_OK)
        fail_msg("%s", status_message());
    assert_true(model.n_layers > 5);
    model_free(&model);
    free(page);
}

/* Also: a section for each part of the table, so that no option falls to another one's. */
static void test_options_page_is_what_is_printed(void **state) {
    (void)state;
    char *page = file_text(OPTIONS), *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_page(out);
    fclose(out);
    if (strcmp(page, text) != 0)
        fail_msg(OPTIONS " is not what the program prints; make it anew by: "
                         "build/lockstep options --markdown >" OPTIONS);
    static const char *const rows[] = {
        ("\n## What is trained\n\n| option | values | default | meaning |\n|---|---|---|---|\n"
         "| `model:` (in the file) * |  |  | the network, one layer a line, as a block (model: "
         "\\|) |\n"),
        ("\n## What a run leaves\n\n| option | values | default | meaning |\n|---|---|---|---|\n"
         "| `--out DIR` |"),
        "\n| `--optimizer.lr X`, `--lr` * | 0 to 1000000 | `0.1` | learning rate;",
        "\n| `--threads N` | auto, 1 to 1024 | `auto` |",
        "\n| `--precision NAME` | fp32, tf32, bf16 | `fp32` |",
        "\n## Traces, planted crashes, questions\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strstr(text, rows[i]))
            fail_msg(OPTIONS " has no %s", rows[i]);
    free(page);
    free(text);
}

static void test_lines_of_a_kind(void **state) {
    static const char expected[] =
        "dropout: random zeros in training\n"
        "  p=        probability of being dropped [number, 0 to 1; required]\n"
        "  reads     the layer before it (or from=)\n"
        "  gives     C x H x W\n"
        "  computes  training: out = 0 with probability p, else in / (1 - p); evaluation: out = "
        "in\n"
        "  example   dropout p=0.1\n"
        "            3 x 32 x 32 -> 3 x 32 x 32\n";
    (void)state;
    char *text = printed(LAYER_DROPOUT, false);
    assert_string_equal(text, expected);
    free(text);
    text = printed(LAYER_CONV, false);
    assert_non_null(strstr(text, "3 x 32 x 32 -> 64 x 32 x 32; weight 64 x 3 x 3 x 3\n"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_are_told_of),
        cmocka_unit_test(test_examples_are_parsed),
        cmocka_unit_test(test_page_is_what_is_printed),
        cmocka_unit_test(test_page_example_is_parsed),
        cmocka_unit_test(test_options_page_is_what_is_printed),
        cmocka_unit_test(test_lines_of_a_kind),
    };
    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
