/* The first part of the reference: how model text is written, whatever the kinds of layers. Prose,
 * in Markdown; as plain text it stands as it is, but for the heading and the marks of code. */
#include "reference_syntax.h"

static const char title[] =
    "# Model text\n"
    "\n"
    "Made by `lockstep layers --markdown` from the tables that read model text; a test compares "
    "the two.\n"
    "\n";

static const char syntax[] =
    "A recipe's `model:` is text, one layer a line: `[label:] kind [key=value | flag]...`. `#` "
    "starts a\n"
    "comment; blank lines and indentation mean nothing. `lockstep train CONFIG --describe` shows "
    "what a\n"
    "text comes to.\n"
    "\n"
    "- A layer reads the layer of the line before it, the first one the image; `from=NAME` names "
    "another.\n"
    "  A kind of several inputs takes those behind the first from `with=A,B`. Only layers above "
    "can be\n"
    "  read, and each layer but the last must be.\n"
    "- A layer's name is its label: a letter, then letters, digits, `_` and `-`. Without one it is "
    "its\n"
    "  kind and its number among the layers of the kind: `conv1`, `conv2`. `image` is the image. "
    "Parameters\n"
    "  are called after their layer: `conv1.weight`.\n"
    "- A flag stands alone (`bias`), or is unset (`bias=0`).\n"
    "- `default KIND key=value...` sets what holds for the layers of that kind below it, where "
    "they do\n"
    "  not say otherwise.\n"
    "- `repeat N` ... `end` stands for its lines N times; repeats may stand within each other. A "
    "name\n"
    "  means what was last called so above the line that uses it: what a body reads as `x` and "
    "defines as\n"
    "  `x` further down comes from before the block in the first round, from the round before "
    "later.\n"
    "  Labelled layers are then called `x.1`, `x.2`, and in a repeat within `x.2.1`; behind the "
    "block `x`\n"
    "  means the last of them.\n"
    "- The last layer is a loss; where the text names none, `softmax_ce` follows. What it reads "
    "must have\n"
    "  at least as many channels as there are classes: an output beyond them is no class, but has "
    "its\n"
    "  share of softmax and smoothing.\n"
    "\n";

/* Guarded from the formatter: a picture of text. */
/* clang-format off */
static const char example[] =
    "default conv k=3 p=1\n"
    "conv c=16          # 3 x 32 x 32 -> 16 x 32 x 32\n"
    "bn\n"
    "x: relu\n"
    "repeat 3\n"
    "  conv c=16\n"
    "  bn\n"
    "  relu\n"
    "  conv c=16\n"
    "  bn\n"
    "  add with=x       # the layer before it, and x: first the relu above, then the last round's\n"
    "  x: relu          # x.1, x.2, x.3\n"
    "end\n"
    "avgpool global\n"
    "linear c=10        # softmax_ce follows\n";
/* clang-format on */

static const char kinds[] =
    "In what follows a layer's input is C x H x W, in[] its elements; its output is c x h x w, "
    "out[] its\n"
    "elements; in2[] is a second input, W the weight, b the bias.\n";

/* Without the marks of Markdown. */
static void put(const char *text, bool markdown, FILE *out) {
    for (; *text != '\0'; text++) {
        if (markdown || *text != '`')
            fputc(*text, out);
    }
}

void reference_syntax(bool markdown, FILE *out) {
    put(markdown ? title : "", markdown, out);
    put(syntax, markdown, out);
    fprintf(out, markdown ? "## Example\n\n```text\n%s```\n\n## Layers\n\n" : "%s\n", example);
    put(kinds, markdown, out);
}
