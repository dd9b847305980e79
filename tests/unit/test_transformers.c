/* Whole transformers in model text have the sizes that are published of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lockstep/model.h"

static void must_have(const char *name, const char *text, int64_t parameters) {
    Shape image = {1, 3, 32, 32};
    Model model;
    if (model_parse(text, name, 1, image, 10, 0, &model) != ST_OK)
        fail_msg("%s", status_message());
    if (model.parameters != parameters)
        fail_msg("%s has %lld parameters", name, (long long)model.parameters);
    model_free(&model);
}

/* The vision transformer of catid/cifar10deepspeed: shifted patch tokenization, locality
 * self-attention. */
static void vit_of_cifar10deepspeed(void **state) {
    (void)state;
    must_have("vit",
              "shift\n"
              "patches k=4\n"
              "layernorm\n"
              "conv c=512 k=1 bias\n"
              "class_token\n"
              "positions\n"
              "x: dropout p=0.1\n"
              "repeat 4\n"
              "  layernorm\n"
              "  conv c=1152 k=1\n"
              "  attention heads=6 mask_diagonal temperature\n"
              "  conv c=512 k=1 bias\n"
              "  dropout p=0.1\n"
              "  y: add with=x\n"
              "  layernorm\n"
              "  conv c=256 k=1 bias\n"
              "  gelu\n"
              "  conv c=512 k=1 bias\n"
              "  dropout p=0.1\n"
              "  x: add with=y\n"
              "end\n"
              "token\n"
              "layernorm\n"
              "linear c=10\n",
              4371438);
}

/* The compact convolutional transformer CCT-2/3x2 of Hassani et al., 2021, for CIFAR-10. */
static void cct_2_3x2(void **state) {
    (void)state;
    must_have("cct",
              "conv c=64 k=3 p=1\n"
              "relu\n"
              "maxpool k=3 s=2 p=1\n"
              "conv c=128 k=3 p=1\n"
              "relu\n"
              "maxpool k=3 s=2 p=1\n"
              "x: positions\n"
              "repeat 2\n"
              "  layernorm\n"
              "  conv c=384 k=1\n"
              "  attention heads=2\n"
              "  conv c=128 k=1 bias\n"
              "  add with=x\n"
              "  y: layernorm\n"
              "  conv c=128 k=1 bias\n"
              "  gelu\n"
              "  conv c=128 k=1 bias\n"
              "  x: add with=y\n"
              "end\n"
              "layernorm\n"
              "seqpool\n"
              "linear c=10\n",
              283723);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vit_of_cifar10deepspeed),
        cmocka_unit_test(cct_2_3x2),
    };
    return cmocka_run_group_tests_name("transformers", tests, NULL, NULL);
}
