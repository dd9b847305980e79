/* Written by make_pixel_cases.py with torchvision 0.14.1a0 and PIL 9.4.0 */
/* clang-format off */
static const struct PixelCase {
    Policy policy;
    int op; /* of torchvision's table */
    uint32_t crc;
} pixel_cases[] = {
    {POLICY_RANDAUGMENT, 0, 0x620f2240}, /* Identity */
    {POLICY_RANDAUGMENT, 1, 0xacd72c88}, /* ShearX */
    {POLICY_RANDAUGMENT, 2, 0x07858cb0}, /* ShearY */
    {POLICY_RANDAUGMENT, 3, 0xa5b69db6}, /* TranslateX */
    {POLICY_RANDAUGMENT, 4, 0x2221d198}, /* TranslateY */
    {POLICY_RANDAUGMENT, 5, 0x95486aae}, /* Rotate */
    {POLICY_RANDAUGMENT, 6, 0x203282f0}, /* Brightness */
    {POLICY_RANDAUGMENT, 7, 0xe0f1aecc}, /* Color */
    {POLICY_RANDAUGMENT, 8, 0x9f4cdee4}, /* Contrast */
    {POLICY_RANDAUGMENT, 9, 0x6939132e}, /* Sharpness */
    {POLICY_RANDAUGMENT, 10, 0x6332acc4}, /* Posterize */
    {POLICY_RANDAUGMENT, 11, 0x98a4ecca}, /* Solarize */
    {POLICY_RANDAUGMENT, 12, 0x74baef91}, /* AutoContrast */
    {POLICY_RANDAUGMENT, 13, 0x266e972f}, /* Equalize */
    {POLICY_TRIVIALAUGMENT, 0, 0x620f2240}, /* Identity */
    {POLICY_TRIVIALAUGMENT, 1, 0xfcfc098d}, /* ShearX */
    {POLICY_TRIVIALAUGMENT, 2, 0xef546580}, /* ShearY */
    {POLICY_TRIVIALAUGMENT, 3, 0xbfe3336b}, /* TranslateX */
    {POLICY_TRIVIALAUGMENT, 4, 0xe8122538}, /* TranslateY */
    {POLICY_TRIVIALAUGMENT, 5, 0x4b8e94a3}, /* Rotate */
    {POLICY_TRIVIALAUGMENT, 6, 0x5f61905d}, /* Brightness */
    {POLICY_TRIVIALAUGMENT, 7, 0xd7172ce2}, /* Color */
    {POLICY_TRIVIALAUGMENT, 8, 0xafe9dbef}, /* Contrast */
    {POLICY_TRIVIALAUGMENT, 9, 0x1bb7d782}, /* Sharpness */
    {POLICY_TRIVIALAUGMENT, 10, 0x483550bf}, /* Posterize */
    {POLICY_TRIVIALAUGMENT, 11, 0x98a4ecca}, /* Solarize */
    {POLICY_TRIVIALAUGMENT, 12, 0x74baef91}, /* AutoContrast */
    {POLICY_TRIVIALAUGMENT, 13, 0x266e972f}, /* Equalize */
};
static const uint32_t colours_crc = 0x47f0008a;
