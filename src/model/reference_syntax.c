/* The first part of the reference: how model text is written, whatever the kinds of layers. Prose,
 * in Markdown; as plain text it stands as it is, but for the heading and the marks of code. */
#include <string.h>

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
    "- A flag stands alone (`bias`), or is unset (`bias=0`). `c=classes` is as many as the data "
    "set "
    "has.\n"
    "- `default KIND key=value...` sets what holds for the layers of that kind below it, where "
    "they do\n"
    "  not say otherwise; `default init=...`, for all that have a weight (How weights begin).\n"
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
    "linear c=classes   # softmax_ce follows\n";
/* clang-format on */

static const char weights[] =
    "## How weights begin\n"
    "\n"
    "Layers with a weight and a bias take `init=` and what follows it below; `default init=...` "
    "without a\n"
    "kind holds for all of them. U is uniform, N normal; g is `gain`; fan_in is how many inputs "
    "meet in an\n"
    "output, fan_out how many outputs an input meets. All come from the run's seed.\n"
    "\n"
    "- `fan_in_uniform`: U(-b, b), b = g / sqrt(fan_in); PyTorch's default.\n"
    "- `he_normal`: N(0, s^2), s = g / sqrt(fan_in); `he_uniform`: U(-b, b), b = g sqrt(3 / "
    "fan_in);\n"
    "  PyTorch's `kaiming_normal_` and `kaiming_uniform_`, g = sqrt(2) as before a ReLU.\n"
    "- `glorot_normal`: N(0, s^2), s = g sqrt(2 / (fan_in + fan_out)); `glorot_uniform`: U(-b, "
    "b),\n"
    "  b = g sqrt(6 / (fan_in + fan_out)); PyTorch's `xavier_normal_` and `xavier_uniform_`.\n"
    "- `normal`: N(0, std^2); `zero`.\n"
    "- `dirac`: filter i hands on input i times g, as far as there are both; PyTorch's `dirac_`.\n"
    "- `partial_dirac`: so do as many filters as there are inputs; those behind them begin by\n"
    "  `fan_in_uniform`.\n"
    "- `whitening`, of a convolution of k x k that reads the image of C channels, c = 2 C k k: "
    "the\n"
    "  eigenvectors of the uncentred covariance of the k x k patches of the first 5,000 training "
    "images, in\n"
    "  the order of the files and as evaluation sees them, divided by sqrt(eigenvalue + eps); the "
    "largest\n"
    "  eigenvalue first, of each vector the element that is largest without its sign positive; "
    "then "
    "their\n"
    "  negatives. Made at a fresh start; a checkpoint has them.\n"
    "\n";

static const char kinds[] =
    "In what follows a layer's input is C x H x W, in[] its elements; its output is c x h x w, "
    "out[] its\n"
    "elements; in2[] is a second input, W the weight, b the bias.\n";

/* As plain text without the marks of Markdown. */
static void put(const char *text, bool markdown, FILE *out) {
    text += markdown ? 0 : strspn(text, "# ");
    for (; *text != '\0'; text++) {
        if (markdown || *text != '`')
            fputc(*text, out);
    }
}

void reference_syntax(bool markdown, FILE *out) {
    put(markdown ? title : "", markdown, out);
    put(syntax, markdown, out);
    fprintf(out, markdown ? "## Example\n\n```text\n%s```\n\n" : "%s\n", example);
}

void reference_weights(bool markdown, FILE *out) {
    put(weights, markdown, out);
}

void reference_kinds(bool markdown, FILE *out) {
    fputs(markdown ? "## Layers\n\n" : "\n", out);
    put(kinds, markdown, out);
}
