/* Written by make_augment_cases.py with PIL 9.4.0 and numpy 1.24.2 */
/* clang-format off */
enum { CASE_SEED = 11, CASE_RECORDS = 24, CASE_EPOCHS = 3 };
static const struct Case {
    const char *name;
    int height, width;
    Augment augment;
    uint32_t crc; /* of the images, epoch by epoch */
} cases[] = {
    {"reflect", 32, 32, {.crop_pad = 4, .pad_mode = PAD_REFLECT, .flip = 0.5, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435,
     0.2616}}, 0x1e833b39},
    {"reflect far", 20, 28, {.crop_pad = 16, .pad_mode = PAD_REFLECT, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435,
     0.2616}}, 0x29044b5d},
    {"fill by channel", 32, 32, {.crop_pad = 4, .pad_fill = {3, 128, 255}, .flip = 0.5, .aspect =
     {0.75, 1.3333333333333333}, .attempts = 10, .cutout = 8, .mean = {0.4914, 0.4822, 0.4465}, .std
     = {0.247, 0.2435, 0.2616}}, 0x2ebea363},
    {"estimator", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75, 1.3333333333333333},
     .attempts = 10, .unit = PIXEL_UNIT_BYTE, .mean = {128, 128, 128}, .std = {128, 128, 128}},
     0x015d09bd},
    {"zero to one", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .mean = {0, 0,
     0}, .std = {1, 1, 1}}, 0xece041b1},
    {"alternate", 32, 32, {.crop_pad = 2, .pad_mode = PAD_REFLECT, .flip = 0.5, .flip_mode =
     FLIP_ALTERNATE, .aspect = {0.75, 1.3333333333333333}, .attempts = 10, .mean = {0.4914, 0.4822,
     0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x7598bc10},
    {"alternate few", 32, 32, {.flip = 0.1, .flip_mode = FLIP_ALTERNATE, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435,
     0.2616}}, 0x6f664cb9},
    {"hiverge", 32, 32, {.crop_pad = 2, .pad_mode = PAD_REFLECT, .flip = 0.5, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .brightness = 0.14, .contrast = 0.13, .mean = {0.4914,
     0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x8ddddb21},
    {"brightness", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .brightness = 1.5,
     .cutout = 12, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x1abe0584},
    {"contrast", 20, 28, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .contrast = 1.0,
     .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x8fee75e9},
    {"catid", 32, 32, {.flip = 0.3, .area = {0.25, 1.0}, .aspect = {0.9, 1.1}, .attempts = 10, .mean
     = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x25bbe160},
    {"torchvision", 32, 32, {.area = {0.08, 1.0}, .aspect = {0.75, 1.3333333333333333}, .attempts =
     10, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0xd825765b},
    {"torchvision, wide image", 20, 28, {.flip = 0.5, .area = {0.08, 1.0}, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435,
     0.2616}}, 0xca372baa},
    {"small parts", 32, 32, {.area = {0.001, 0.01}, .aspect = {0.2, 5.0}, .attempts = 10, .mean =
     {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0xc9244042},
    {"few fit", 32, 32, {.area = {0.6, 1.0}, .aspect = {0.3, 3.0}, .attempts = 2, .mean = {0.4914,
     0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x2f817de1},
    {"none fits, too wide", 20, 28, {.area = {0.9, 1.0}, .aspect = {2.0, 3.0}, .attempts = 3, .mean
     = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x37dcb6e4},
    {"none fits, too high", 28, 20, {.area = {0.95, 1.0}, .aspect = {1.1, 1.2}, .attempts = 1, .mean
     = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x5de8fe3a},
    {"none fits, as it is", 32, 32, {.area = {1.0, 1.0}, .aspect = {0.5, 2.0}, .attempts = 1, .mean
     = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0xcefff78b},
};
