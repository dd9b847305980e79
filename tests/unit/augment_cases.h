/* Written by make_augment_cases.py with PIL 9.4.0 torchvision 0.14.1a0 and numpy 1.24.2 */
/* clang-format off */
enum { CASE_SEED = 11, CASE_RECORDS = 24, CASE_EPOCHS = 3 };
static const struct Case {
    const char *name;
    int height, width;
    Augment augment;
    uint32_t crc; /* of the images, epoch by epoch, each with its partner and the share of it */
} cases[] = {
    {"reflect", 32, 32, {.crop_pad = 4, .pad_mode = PAD_REFLECT, .flip = 0.5, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465},
     .std = {0.247, 0.2435, 0.2616}}, 0x71a0cafd},
    {"reflect far", 20, 28, {.crop_pad = 16, .pad_mode = PAD_REFLECT, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465},
     .std = {0.247, 0.2435, 0.2616}}, 0x232529bb},
    {"fill by channel", 32, 32, {.crop_pad = 4, .pad_fill = {3, 128, 255}, .flip = 0.5, .aspect =
     {0.75, 1.3333333333333333}, .attempts = 10, .cutout = 8, .mix_probability = 1.0, .mean =
     {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x89a3edfa},
    {"estimator", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75, 1.3333333333333333},
     .attempts = 10, .mix_probability = 1.0, .unit = PIXEL_UNIT_BYTE, .mean = {128, 128, 128}, .std
     = {128, 128, 128}}, 0xb2b86449},
    {"zero to one", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .mix_probability
     = 1.0, .mean = {0, 0, 0}, .std = {1, 1, 1}}, 0x5a4257f9},
    {"alternate", 32, 32, {.crop_pad = 2, .pad_mode = PAD_REFLECT, .flip = 0.5, .flip_mode =
     FLIP_ALTERNATE, .aspect = {0.75, 1.3333333333333333}, .attempts = 10, .mix_probability = 1.0,
     .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x0d3e798a},
    {"alternate few", 32, 32, {.flip = 0.1, .flip_mode = FLIP_ALTERNATE, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465},
     .std = {0.247, 0.2435, 0.2616}}, 0xc3196358},
    {"hiverge", 32, 32, {.crop_pad = 2, .pad_mode = PAD_REFLECT, .flip = 0.5, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .brightness = 0.14, .contrast = 0.13, .mix_probability =
     1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x19c22ba8},
    {"brightness", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .brightness = 1.5,
     .cutout = 12, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435,
     0.2616}}, 0x308a736f},
    {"contrast", 20, 28, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .contrast = 1.0,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0xebe7037d},
    {"catid", 32, 32, {.flip = 0.3, .area = {0.25, 1.0}, .aspect = {0.9, 1.1}, .attempts = 10,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0x7de97206},
    {"torchvision", 32, 32, {.area = {0.08, 1.0}, .aspect = {0.75, 1.3333333333333333}, .attempts =
     10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0x3a8082f0},
    {"torchvision, wide image", 20, 28, {.flip = 0.5, .area = {0.08, 1.0}, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465},
     .std = {0.247, 0.2435, 0.2616}}, 0xabb8d297},
    {"small parts", 32, 32, {.area = {0.001, 0.01}, .aspect = {0.2, 5.0}, .attempts = 10,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0xcd17e61d},
    {"few fit", 32, 32, {.area = {0.6, 1.0}, .aspect = {0.3, 3.0}, .attempts = 2, .mix_probability =
     1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0xb1577f2d},
    {"none fits, too wide", 20, 28, {.area = {0.9, 1.0}, .aspect = {2.0, 3.0}, .attempts = 3,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0x4d04727a},
    {"none fits, too high", 28, 20, {.area = {0.95, 1.0}, .aspect = {1.1, 1.2}, .attempts = 1,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0xa35bd9db},
    {"mixup", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75, 1.3333333333333333}, .attempts =
     10, .mixup = 0.2, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247,
     0.2435, 0.2616}}, 0xfe96f9df},
    {"mixup of the whole range", 20, 28, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10,
     .brightness = 0.3, .mixup = 1.0, .mix_probability = 0.6, .mean = {0.4914, 0.4822, 0.4465}, .std
     = {0.247, 0.2435, 0.2616}}, 0x12a318f5},
    {"mixup near the middle", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .mixup
     = 2.0, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435,
     0.2616}}, 0xfb97b56b},
    {"cutmix", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75, 1.3333333333333333}, .attempts
     = 10, .cutout = 8, .cutmix = 1.0, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465},
     .std = {0.247, 0.2435, 0.2616}}, 0x3a799896},
    {"cutmix, wide image", 20, 28, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .cutmix =
     0.5, .mix_probability = 0.5, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0x677f93bf},
    {"both", 32, 32, {.flip = 0.5, .area = {0.25, 1.0}, .aspect = {0.75, 1.3333333333333333},
     .attempts = 10, .mixup = 0.8, .cutmix = 1.0, .mix_probability = 1.0, .mean = {0.4914, 0.4822,
     0.4465}, .std = {0.247, 0.2435, 0.2616}}, 0x3b93ff85},
    {"randaugment", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75, 1.3333333333333333},
     .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247,
     0.2435, 0.2616}, .policy = POLICY_RANDAUGMENT, .policy_ops = 2, .policy_magnitude = 9},
     0x7cd5ecc0},
    {"randaugment, many", 20, 28, {.pad_fill = {9, 99, 200}, .aspect = {0.75, 1.3333333333333333},
     .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247,
     0.2435, 0.2616}, .policy = POLICY_RANDAUGMENT, .policy_ops = 7, .policy_magnitude = 30},
     0xe6de69a2},
    {"trivialaugment", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75, 1.3333333333333333},
     .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247,
     0.2435, 0.2616}, .policy = POLICY_TRIVIALAUGMENT, .policy_ops = 2, .policy_magnitude = 9},
     0x8a48138e},
    {"jitter", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .mix_probability =
     1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}, .jitter = {0.4, 0.4,
     0.4, 0.1}}, 0xd1b1cf85},
    {"jitter of the whole range", 20, 28, {.flip = 0.5, .aspect = {0.75, 1.3333333333333333},
     .attempts = 10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247,
     0.2435, 0.2616}, .jitter = {1.5, 2.0, 3.0, 0.5}}, 0x85c69822},
    {"jitter of two", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .brightness =
     0.2, .cutout = 8, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247,
     0.2435, 0.2616}, .jitter = {0.0, 0.8, 0.0, 0.3}}, 0x18e8201d},
    {"erase", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75, 1.3333333333333333}, .attempts =
     10, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616},
     .erase = 0.5, .erase_area = {0.02, 0.33}, .erase_aspect = {0.3, 3.3}}, 0xff346958},
    {"erase, by bytes", 20, 28, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .brightness =
     0.2, .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616},
     .erase = 1.0, .erase_area = {0.02, 0.33}, .erase_aspect = {0.3, 3.3}, .erase_with = ERASE_FILL,
     .erase_fill = {124, 116, 104}}, 0xdcbd048b},
    {"erase, few fit", 20, 28, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616},
     .erase = 0.9, .erase_area = {0.3, 0.9}, .erase_aspect = {0.2, 6.0}, .erase_with = ERASE_FILL},
     0x3687bc0f},
    {"erase, noise", 32, 32, {.aspect = {0.75, 1.3333333333333333}, .attempts = 10, .mixup = 0.2,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616},
     .erase = 0.25, .erase_area = {0.1, 0.4}, .erase_aspect = {0.3, 3.3}, .erase_with =
     ERASE_NOISE}, 0x893489ea},
    {"policy, jitter, erase, cutmix", 32, 32, {.crop_pad = 4, .flip = 0.5, .aspect = {0.75,
     1.3333333333333333}, .attempts = 10, .cutout = 4, .cutmix = 1.0, .mix_probability = 1.0, .mean
     = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}, .policy = POLICY_RANDAUGMENT,
     .policy_ops = 2, .policy_magnitude = 9, .jitter = {0.2, 0.2, 0.2, 0.05}, .erase = 0.5,
     .erase_area = {0.02, 0.33}, .erase_aspect = {0.3, 3.3}, .erase_with = ERASE_NOISE},
     0xfd15c8a0},
    {"none fits, as it is", 32, 32, {.area = {1.0, 1.0}, .aspect = {0.5, 2.0}, .attempts = 1,
     .mix_probability = 1.0, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.247, 0.2435, 0.2616}},
     0xa64add92},
};
