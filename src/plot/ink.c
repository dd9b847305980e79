/* ink: the colours of the inks, and how wide text is. See painter.h. */
#include <stdio.h>

#include "lockstep/painter.h"

static const struct {
    const char *name;
    uint32_t day, night;
} inks[INKS] = {
    [INK_TEXT] = {"text", 0x1a1c1f, 0xe8eaed},     [INK_MUTED] = {"muted", 0x5b626b, 0xa3abb5},
    [INK_GRID] = {"grid", 0xdfe3e8, 0x363b42},     [INK_PAPER] = {"paper", 0xffffff, 0x191b1f},
    [INK_ON_HEAT] = {"on", 0xffffff, 0x0b0d10},    [INK_SERIES] = {"s0", 0x0072b2, 0x56b4e9},
    [INK_SERIES + 1] = {"s1", 0xd55e00, 0xf28e4b}, [INK_SERIES + 2] = {"s2", 0x009e73, 0x2cc295},
    [INK_SERIES + 3] = {"s3", 0xcc79a7, 0xe39bc5}, [INK_SERIES + 4] = {"s4", 0xe69f00, 0xf0bd4d},
    [INK_SERIES + 5] = {"s5", 0x6a5acd, 0xa79cf0}, [INK_SERIES + 6] = {"s6", 0x7f8790, 0x8a929c},
};

const char *ink_name(Ink ink) {
    return inks[ink].name;
}

uint32_t ink_colour(Ink ink, bool dark) {
    return dark ? inks[ink].night : inks[ink].day;
}

void ink_style(Text *text, bool dark) {
    for (int i = 0; i < INKS; i++)
        text_add(text, "--%s:#%06x;", ink_name((Ink)i), ink_colour((Ink)i, dark));
}

/* Per mille of the font's size: DejaVu Sans, one of the widest. */
static int letter_width(unsigned char c) {
    switch (c) {
    case 'i':
    case 'j':
    case 'l':
    case '|':
    case '.':
    case ',':
    case ':':
    case ';':
    case '\'':
    case 'I':
    case ' ':
        return 330;
    case 'f':
    case 't':
    case 'r':
    case '(':
    case ')':
    case '/':
    case '-':
        return 400;
    case 'm':
    case 'M':
    case 'W':
    case '%':
    case '@':
        return 970;
    case 'w':
    case '+':
    case '=':
    case '<':
    case '>':
        return 830;
    default:
        return c >= 'A' && c <= 'Z' ? 720 : 630;
    }
}

double text_width(const char *words, double size, bool bold) {
    int64_t sum = 0;
    for (const unsigned char *c = (const unsigned char *)words; *c; c++)
        sum += (*c & 0xc0) == 0x80 ? 0 : letter_width(*c); /* UTF-8: one letter */
    return (double)sum / 1000 * size * (bold ? 1.1 : 1);
}
