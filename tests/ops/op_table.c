/* The table of op tests. Batches 1, 2, 5, 32; channels that are multiples of 16 and that are not;
 * maps of odd sides; strides that do not divide. */
#include "op_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/model.h"

/* Of the rows of a kind: what their inputs are like, and how far off another backend may be. */
#define ROW(drawn, allowed, row, line)                                                             \
    .name = row, .text = line, .draw = drawn, .tolerance = allowed
#define CONV(name, text)   ROW(DRAW_UNIFORM, TOL_OP_CONVOLUTION, name, text)
#define TILED(name, text)  ROW(DRAW_UNIFORM, TOL_OP_TILED, name, text)
#define BN(name, text)     ROW(DRAW_CHANNELS, TOL_OP_NORMALISATION, name, text)
#define RELU(name, text)   ROW(DRAW_OFF_ZERO, TOL_OP_SAME_BITS, name, text)
#define GELU(name, text)   ROW(DRAW_UNIFORM, TOL_OP_FUNCTION, name, text)
#define MAX(name, text)    ROW(DRAW_DISTINCT, TOL_OP_CHOICE, name, text)
#define AVG(name, text)    ROW(DRAW_UNIFORM, TOL_OP_SHORT_SUM, name, text)
#define LIN(name, text)    ROW(DRAW_UNIFORM, TOL_OP_PRODUCT, name, text)
#define DROP(name, text)   ROW(DRAW_UNIFORM, TOL_OP_SAME_BITS, name, text)
#define ADD(name, text)    ROW(DRAW_UNIFORM, TOL_OP_SAME_BITS, name, text)
#define JOIN(name, text)   ROW(DRAW_UNIFORM, TOL_OP_SAME_BITS, name, text)
#define MUL(name, text)    ROW(DRAW_UNIFORM, TOL_OP_ROUNDING, name, text)
#define GATE(name, text)   ROW(DRAW_UNIFORM, TOL_OP_LONG_SUM, name, text)
#define GN(name, text)     ROW(DRAW_CHANNELS, TOL_OP_NORMALISATION, name, text)
#define SCALE(name, text)  ROW(DRAW_UNIFORM, TOL_OP_ROUNDING, name, text)
#define LNORM(name, text)  ROW(DRAW_CHANNELS, TOL_OP_NORMALISATION, name, text)
#define COPY(name, text)   ROW(DRAW_UNIFORM, TOL_OP_CHOICE, name, text)
#define SEQP(name, text)   ROW(DRAW_UNIFORM, TOL_OP_SOFTMAX, name, text)
#define ATT(name, text)    ROW(DRAW_UNIFORM, TOL_OP_ATTENTION, name, text)
#define LOSS(name, text)   ROW(DRAW_LOGITS, TOL_OP_FUNCTION, name, text)
#define SMOOTH(name, text) ROW(DRAW_LOGITS, TOL_OP_FUNCTION, name, text)
#define RELU6(name, text)  ROW(DRAW_OFF_SIX, TOL_OP_SAME_BITS, name, text)
#define LEAKY(name, text)  ROW(DRAW_OFF_ZERO, TOL_OP_ROUNDING, name, text)

const OpCase op_table[] = {
    {CONV("conv 3x3", "conv c=4 k=3 p=1"), .in = {2, 3, 6, 6}},
    {CONV("conv 3x3 bias", "conv c=4 k=3 p=1 bias"), .in = {2, 3, 6, 6}},
    {CONV("conv 3x3 blocks", "conv c=16 k=3 p=1 bias"), .in = {1, 16, 6, 6}},
    {CONV("conv 3x3 relu", "conv c=5 k=3 p=1 bias"), .in = {2, 3, 5, 7}, .relu = true},
    {CONV("conv 3x3 add", "conv c=7 k=3 p=1"), .in = {5, 5, 5, 5}, .grad_in = {GRAD_ADD}},
    {CONV("conv 3x3 relu add", "conv c=6 k=3 p=1"), .in = {2, 5, 5, 5}, .relu = true,
     .grad_in = {GRAD_ADD}},
    {CONV("conv 3x3 stride 2", "conv c=4 k=3 s=2 p=1"), .in = {2, 3, 7, 7}},
    {CONV("conv 3x3 stride 2 even", "conv c=4 k=3 s=2 p=1"), .in = {2, 3, 8, 8}},
    {CONV("conv 3x3 stride 3 rest", "conv c=4 k=3 s=3 bias"), .in = {1, 2, 8, 8}},
    {CONV("conv 1x1", "conv c=6 k=1"), .in = {2, 5, 4, 4}},
    {CONV("conv 1x1 bias relu add", "conv c=9 k=1 bias"), .in = {2, 6, 4, 5}, .relu = true,
     .grad_in = {GRAD_ADD}},
    {CONV("conv 1x1 eval", "conv c=9 k=1 bias"), .in = {2, 6, 4, 5}, .evaluation = true},
    {CONV("conv large 1x1", "conv c=90 k=1"), .in = {8, 51, 13, 5}, .large = true},
    {CONV("conv 1x1 pad", "conv c=6 k=1 p=1 bias"), .in = {2, 5, 4, 4}},
    {CONV("conv 1x1 pad blocks add", "conv c=32 k=1 p=1"), .in = {2, 16, 4, 5},
     .grad_in = {GRAD_ADD}},
    {CONV("conv 1x1 pad image", "conv c=32 k=1 p=1 bias"), .in = {2, 3, 6, 6}, .image = true},
    {CONV("conv 3x3 pad of 3", "conv c=16 k=3 s=2 p=3"), .in = {2, 16, 5, 5}},
    {CONV("conv 1x1 stride 2", "conv c=6 k=1 s=2 bias"), .in = {2, 5, 5, 5}, .relu = true},
    {CONV("conv 5x5", "conv c=6 k=5 bias"), .in = {2, 3, 9, 9}},
    {CONV("conv 5x5 pad", "conv c=6 k=5 p=2"), .in = {1, 3, 7, 7}},
    {CONV("conv 2x2 patches", "conv c=3 k=2 s=2 bias"), .in = {2, 3, 6, 6}},
    {CONV("conv whole map", "conv c=4 k=4 bias"), .in = {2, 3, 4, 4}},
    {CONV("conv image", "conv c=8 k=3 p=1 bias"), .in = {2, 3, 6, 6}, .image = true},
    {CONV("conv grey image", "conv c=8 k=3 p=1 bias"), .in = {3, 1, 7, 6}, .image = true},
    {CONV("conv image 5x5", "conv c=24 k=5 p=2 bias"), .in = {2, 3, 9, 11}, .image = true,
     .relu = true},
    {CONV("conv image and alpha", "conv c=8 k=3 p=1"), .in = {2, 4, 6, 5}, .image = true},
    {CONV("conv eval", "conv c=4 k=3 p=1 bias"), .in = {2, 3, 6, 6}, .evaluation = true},
    {CONV("conv groups", "conv c=6 k=3 p=1 groups=2"), .in = {2, 4, 6, 6}},
    {CONV("conv groups odd", "conv c=9 k=3 groups=3 bias"), .in = {2, 6, 5, 7}},
    {CONV("conv groups stride 2 relu", "conv c=10 k=3 s=2 p=1 groups=5 bias"), .in = {2, 15, 7, 7},
     .relu = true},
    {CONV("conv groups 1x1 add", "conv c=8 k=1 groups=4"), .in = {5, 12, 4, 4},
     .grad_in = {GRAD_ADD}},
    {CONV("conv groups one image", "conv c=32 k=3 p=1 groups=2 bias"), .in = {1, 32, 5, 5}},
    {CONV("conv groups image", "conv c=6 k=3 p=1 groups=3"), .in = {2, 3, 6, 6}, .image = true},
    {CONV("conv groups eval", "conv c=6 k=3 p=1 groups=3 bias"), .in = {2, 6, 6, 6},
     .evaluation = true},
    {CONV("conv depthwise", "conv c=5 k=3 p=1 groups=5"), .in = {2, 5, 6, 6}},
    {CONV("conv depthwise bias relu add", "conv c=16 k=3 p=1 groups=16 bias"), .in = {2, 16, 5, 5},
     .relu = true, .grad_in = {GRAD_ADD}},
    {CONV("conv depthwise stride 2", "conv c=6 k=3 s=2 p=1 groups=6"), .in = {2, 6, 7, 8}},
    {CONV("conv depthwise 5x5", "conv c=7 k=5 p=2 groups=7 bias"), .in = {1, 7, 7, 7}},
    {CONV("conv depthwise of two", "conv c=12 k=3 p=1 groups=6"), .in = {2, 6, 5, 5}},
    {CONV("conv depthwise whole map", "conv c=4 k=4 groups=4"), .in = {2, 4, 4, 4}},
    {CONV("conv depthwise eval", "conv c=16 k=3 p=1 groups=16 bias"), .in = {2, 16, 6, 6},
     .relu = true, .evaluation = true},
    {CONV("conv large groups", "conv c=64 k=3 p=1 groups=4"), .in = {8, 64, 16, 16}, .large = true},
    {CONV("conv large groups of four", "conv c=128 k=3 p=1 groups=32 bias"), .in = {4, 128, 8, 8},
     .relu = true, .large = true},
    {CONV("conv large depthwise", "conv c=96 k=3 p=1 groups=96"), .in = {16, 96, 16, 16},
     .large = true},
    {CONV("conv large depthwise stride 2", "conv c=144 k=3 s=2 p=1 groups=144"),
     .in = {8, 144, 16, 16}, .large = true, .grad_in = {GRAD_ADD}},
    {ROW(DRAW_UNIFORM, TOL_OP_BIAS_APART, "conv large depthwise 9x9",
         "conv c=64 k=9 p=4 groups=64 bias"),
     .in = {4, 64, 16, 16}, .relu = true, .large = true},
    {TILED("conv large", "conv c=64 k=3 p=1"), .in = {16, 32, 16, 16}, .large = true},
    {CONV("conv large relu add", "conv c=48 k=3 p=1 bias"), .in = {5, 64, 8, 8}, .relu = true,
     .large = true, .grad_in = {GRAD_ADD}},
    {TILED("conv large odd", "conv c=41 k=3 p=1 bias"), .in = {31, 57, 13, 11}, .relu = true,
     .large = true},
    {TILED("conv large no pad add", "conv c=48 k=3"), .in = {6, 64, 12, 14}, .large = true,
     .grad_in = {GRAD_ADD}},
    {CONV("conv large image", "conv c=64 k=3 p=1"), .in = {8, 3, 32, 32}, .image = true,
     .large = true},
    {CONV("conv large 5x5", "conv c=16 k=5 bias"), .in = {8, 64, 14, 14}, .relu = true,
     .large = true},
    {CONV("conv large stride 2", "conv c=128 k=3 s=2 p=1"), .in = {4, 64, 16, 16}, .large = true},
    {TILED("conv large eval", "conv c=64 k=3 p=1 bias"), .in = {16, 64, 8, 8}, .relu = true,
     .evaluation = true, .large = true},

    {BN("bn", "bn"), .in = {5, 3, 4, 5}},
    {BN("bn relu", "bn"), .in = {5, 3, 4, 5}, .relu = true},
    {BN("bn relu large", "bn"), .in = {16, 64, 8, 8}, .relu = true, .large = true},
    {BN("bn eps add", "bn eps=0.001"), .in = {2, 16, 3, 3}, .grad_in = {GRAD_ADD}},
    {BN("bn eps of variances", "bn eps=32"), .in = {2, 16, 3, 3}},
    {BN("bn relu add", "bn"), .in = {2, 5, 3, 3}, .relu = true, .grad_in = {GRAD_ADD}},
    {BN("bn flat", "bn"), .in = {32, 7, 1, 1}},
    {BN("bn one image", "bn"), .in = {1, 4, 3, 3}},
    {BN("bn single value", "bn"), .in = {1, 4, 1, 1}},
    {BN("bn image", "bn"), .in = {4, 3, 5, 5}, .image = true},
    {BN("bn image blocks", "bn"), .in = {4, 16, 5, 5}, .image = true},
    {BN("bn eval", "bn"), .in = {2, 5, 4, 4}, .evaluation = true},
    {BN("bn eval relu", "bn"), .in = {2, 16, 4, 4}, .relu = true, .evaluation = true},
    {BN("bn+add+relu", "bn"), .in = {5, 16, 4, 5}, .add = true, .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {BN("bn+add+relu add", "bn"), .in = {2, 8, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_ADD, GRAD_ADD}},
    {BN("bn+add+relu odd", "bn"), .in = {2, 5, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_ADD, GRAD_ASSIGN}},
    {BN("bn+add+relu odd add", "bn"), .in = {5, 7, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {BN("bn+add+relu first only", "bn"), .in = {2, 8, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_NONE}},
    {BN("bn+add+relu second only", "bn"), .in = {2, 8, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_NONE, GRAD_ASSIGN}},
    {BN("bn+add", "bn"), .in = {5, 16, 4, 5}, .add = true, .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {BN("bn+add add", "bn"), .in = {2, 8, 3, 3}, .add = true, .grad_in = {GRAD_ADD, GRAD_ADD}},
    {BN("bn+add odd", "bn"), .in = {2, 3, 5, 5}, .add = true, .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {BN("bn+add+relu eval", "bn"), .in = {2, 16, 4, 4}, .add = true, .relu = true,
     .evaluation = true},
    {BN("bn+add eval", "bn"), .in = {2, 5, 4, 4}, .add = true, .evaluation = true},
    {BN("bn bias alone", "bn scale=0"), .in = {5, 3, 4, 5}},
    {BN("bn scale alone", "bn bias=0"), .in = {5, 3, 4, 5}},
    {BN("bn no parameters", "bn scale=0 bias=0"), .in = {5, 3, 4, 5}},
    {BN("bn bias alone relu", "bn scale=0 eps=1e-12"), .in = {5, 16, 4, 5}, .relu = true},
    {BN("bn scale alone relu add", "bn bias=0"), .in = {2, 16, 3, 3}, .relu = true,
     .grad_in = {GRAD_ADD}},
    {BN("bn no parameters relu", "bn scale=0 bias=0"), .in = {2, 16, 3, 3}, .relu = true},
    {BN("bn no parameters image", "bn scale=0 bias=0"), .in = {4, 3, 5, 5}, .image = true},
    {BN("bn bias alone image", "bn scale=0"), .in = {4, 16, 5, 5}, .image = true},
    {BN("bn bias alone flat", "bn scale=0"), .in = {32, 7, 1, 1}},
    {BN("bn no parameters one image", "bn scale=0 bias=0"), .in = {1, 4, 3, 3}},
    {BN("bn bias alone eval", "bn scale=0"), .in = {2, 5, 4, 4}, .evaluation = true},
    {BN("bn scale alone eval relu", "bn bias=0"), .in = {2, 16, 4, 4}, .relu = true,
     .evaluation = true},
    {BN("bn no parameters eval", "bn scale=0 bias=0"), .in = {2, 16, 4, 4}, .evaluation = true},
    {BN("bn bias alone+add+relu", "bn scale=0"), .in = {5, 16, 4, 5}, .add = true, .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {BN("bn scale alone+add", "bn bias=0"), .in = {2, 8, 3, 3}, .add = true,
     .grad_in = {GRAD_ADD, GRAD_ADD}},
    {BN("bn no parameters+add+relu", "bn scale=0 bias=0"), .in = {2, 5, 3, 3}, .add = true,
     .relu = true, .grad_in = {GRAD_ADD, GRAD_ASSIGN}},
    {BN("bn no parameters+add+relu eval", "bn scale=0 bias=0"), .in = {2, 16, 4, 4}, .add = true,
     .relu = true, .evaluation = true},
    {BN("bn over batch", "bn over=batch"), .in = {5, 3, 4, 5}},
    {BN("bn over batch blocks add", "bn over=batch eps=0.001"), .in = {5, 16, 3, 3},
     .grad_in = {GRAD_ADD}},
    {BN("bn over batch flat", "bn over=batch"), .in = {32, 7, 1, 1}},
    {BN("bn over batch single value", "bn over=batch"), .in = {1, 4, 1, 1}},
    {BN("bn over batch image", "bn over=batch"), .in = {4, 3, 5, 5}, .image = true},
    {BN("bn over batch bias alone", "bn over=batch scale=0 eps=1e-12"), .in = {5, 16, 4, 5}},
    {BN("bn over batch scale alone", "bn over=batch bias=0"), .in = {2, 16, 3, 3}},
    {BN("bn over batch no parameters", "bn over=batch scale=0 bias=0"), .in = {2, 5, 3, 3}},
    {BN("bn over batch eval", "bn over=batch"), .in = {2, 5, 4, 4}, .evaluation = true},
    {BN("bn over batch large", "bn over=batch"), .in = {32, 24, 15, 15}, .large = true},
    {BN("bn bias alone large", "bn scale=0"), .in = {32, 64, 8, 8}, .large = true},
    {BN("bn large", "bn"), .in = {32, 64, 16, 16}, .large = true},
    {BN("bn large relu", "bn"), .in = {32, 24, 15, 15}, .relu = true, .large = true},

    {RELU("relu", "relu"), .in = {2, 3, 5, 5}},
    {RELU("relu blocks add", "relu"), .in = {2, 16, 3, 3}, .grad_in = {GRAD_ADD}},
    {RELU("relu flat", "relu"), .in = {5, 7, 1, 1}},
    {RELU("relu eval", "relu"), .in = {1, 3, 4, 4}, .evaluation = true},
    {RELU("relu large", "relu"), .in = {32, 64, 16, 16}, .large = true},

    {GELU("gelu", "gelu"), .in = {2, 3, 5, 5}},
    {GELU("gelu flat add", "gelu"), .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {GELU("gelu eval", "gelu"), .in = {1, 16, 4, 4}, .evaluation = true},
    {GELU("gelu large", "gelu"), .in = {32, 64, 8, 8}, .large = true},

    {SMOOTH("silu", "silu"), .in = {2, 3, 5, 5}},
    {SMOOTH("silu flat add", "silu"), .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {SMOOTH("silu eval", "silu"), .in = {1, 16, 4, 4}, .evaluation = true},
    {SMOOTH("silu large", "silu"), .in = {32, 64, 8, 8}, .large = true},

    {SMOOTH("sigmoid", "sigmoid"), .in = {2, 3, 5, 5}},
    {SMOOTH("sigmoid flat add", "sigmoid"), .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {SMOOTH("sigmoid eval", "sigmoid"), .in = {1, 16, 4, 4}, .evaluation = true},
    {SMOOTH("sigmoid large", "sigmoid"), .in = {32, 64, 8, 8}, .large = true},

    {SMOOTH("tanh", "tanh"), .in = {2, 3, 5, 5}},
    {SMOOTH("tanh flat add", "tanh"), .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {SMOOTH("tanh eval", "tanh"), .in = {1, 16, 4, 4}, .evaluation = true},
    {SMOOTH("tanh large", "tanh"), .in = {32, 64, 8, 8}, .large = true},

    {RELU6("relu6", "relu6"), .in = {2, 3, 5, 5}},
    {RELU6("relu6 flat add", "relu6"), .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {RELU6("relu6 kinks", "relu6"), .in = {2, 16, 5, 5}, .ties = true, .large = true},
    {RELU6("relu6 eval", "relu6"), .in = {1, 16, 4, 4}, .evaluation = true},
    {RELU6("relu6 large", "relu6"), .in = {32, 64, 8, 8}, .large = true},

    {LEAKY("leaky_relu", "leaky_relu"), .in = {2, 3, 5, 5}},
    {LEAKY("leaky_relu flat add", "leaky_relu slope=0.2"), .in = {5, 17, 1, 1},
     .grad_in = {GRAD_ADD}},
    {LEAKY("leaky_relu flat zero", "leaky_relu slope=0"), .in = {1, 16, 3, 3}},
    {LEAKY("leaky_relu kinks", "leaky_relu slope=0.3"), .in = {2, 16, 5, 5}, .ties = true,
     .large = true},
    {LEAKY("leaky_relu eval", "leaky_relu slope=1"), .in = {1, 16, 4, 4}, .evaluation = true},
    {LEAKY("leaky_relu large", "leaky_relu"), .in = {32, 64, 8, 8}, .large = true},

    {MAX("maxpool 2", "maxpool k=2"), .in = {2, 3, 6, 6}},
    {MAX("maxpool 2 rest", "maxpool k=2"), .in = {2, 16, 5, 7}},
    {MAX("maxpool 2 rest add", "maxpool k=2"), .in = {3, 13, 7, 5}, .grad_in = {GRAD_ADD}},
    {MAX("maxpool 3 overlapping", "maxpool k=3 s=2 p=1"), .in = {2, 3, 7, 7}},
    {MAX("maxpool 3 overlapping add", "maxpool k=3 s=2 p=1"), .in = {5, 5, 8, 8},
     .grad_in = {GRAD_ADD}},
    {MAX("maxpool 3 stride 1", "maxpool k=3 s=1 p=1"), .in = {1, 4, 5, 5}},
    {MAX("maxpool 3 overlapping blocks", "maxpool k=3 s=2 p=1"), .in = {2, 16, 8, 8}},
    {MAX("maxpool 3 overlapping vectors and a rest", "maxpool k=3 s=2 p=1"), .in = {2, 21, 9, 11},
     .grad_in = {GRAD_ADD}},
    {MAX("maxpool 3 stride 2 no pad add", "maxpool k=3 s=2"), .in = {2, 8, 8, 7},
     .grad_in = {GRAD_ADD}},
    {MAX("maxpool 3 stride 1 blocks add", "maxpool k=3 s=1 p=1"), .in = {2, 16, 5, 4},
     .grad_in = {GRAD_ADD}},
    {MAX("maxpool 3 tiles", "maxpool k=3"), .in = {2, 19, 7, 8}},
    {MAX("maxpool 3 tiles pad add", "maxpool k=3 p=1"), .in = {2, 16, 6, 8}, .grad_in = {GRAD_ADD}},
    {MAX("maxpool 3 tiles pad rest", "maxpool k=3 p=1"), .in = {2, 9, 6, 9}},
    {MAX("maxpool 2 stride 1", "maxpool k=2 s=1"), .in = {2, 16, 4, 5}},
    {MAX("maxpool 2 pad", "maxpool k=2 p=1"), .in = {2, 10, 5, 6}},
    {MAX("maxpool 2 stride 1 pad add", "maxpool k=2 s=1 p=1"), .in = {2, 24, 3, 4},
     .grad_in = {GRAD_ADD}},
    {MAX("maxpool 2 gaps", "maxpool k=2 s=3"), .in = {2, 16, 9, 8}},
    {MAX("maxpool 2 gaps add", "maxpool k=2 s=3 p=1"), .in = {2, 11, 9, 8}, .grad_in = {GRAD_ADD}},
    {MAX("maxpool 1 stride 2", "maxpool k=1 s=2"), .in = {2, 16, 5, 4}},
    {MAX("maxpool 5 stride 2", "maxpool k=5 s=2 p=2"), .in = {2, 9, 9, 8}},
    {MAX("maxpool 5 stride 3 blocks add", "maxpool k=5 s=3 p=1"), .in = {2, 16, 9, 10},
     .grad_in = {GRAD_ADD}},
    {MAX("maxpool 5 stride 1 narrow", "maxpool k=5 s=1 p=2"), .in = {2, 8, 3, 2}},
    {MAX("maxpool 5 single across", "maxpool k=5 s=4"), .in = {2, 12, 13, 7}},
    {MAX("maxpool 2 single", "maxpool k=2 s=7"), .in = {2, 16, 6, 7}},
    {MAX("maxpool 7 ties", "maxpool k=7 s=5 p=3"), .in = {2, 16, 11, 12}, .ties = true,
     .large = true},
    {MAX("maxpool 3 ties add", "maxpool k=3 s=2 p=1"), .in = {3, 13, 9, 8}, .ties = true,
     .large = true, .grad_in = {GRAD_ADD}},
    {MAX("maxpool 16 global", "maxpool global"), .in = {2, 8, 16, 16}, .large = true},
    {MAX("maxpool 3 overlapping eval", "maxpool k=3 s=2 p=1"), .in = {2, 16, 7, 8},
     .evaluation = true},
    {MAX("maxpool 3 overlapping large", "maxpool k=3 s=2 p=1"), .in = {16, 64, 32, 32},
     .large = true},
    {MAX("maxpool global", "maxpool global"), .in = {5, 6, 4, 4}},
    {MAX("maxpool eval", "maxpool k=2"), .in = {2, 3, 6, 6}, .evaluation = true},
    {MAX("maxpool large", "maxpool k=2"), .in = {32, 64, 16, 16}, .large = true},

    {AVG("avgpool 2", "avgpool k=2"), .in = {2, 3, 6, 6}},
    {AVG("avgpool 2 rest", "avgpool k=2"), .in = {2, 16, 5, 7}},
    {AVG("avgpool 1 stride 2", "avgpool k=1 s=2"), .in = {3, 16, 8, 7}},
    {AVG("avgpool 3 padded", "avgpool k=3 s=2 p=1"), .in = {2, 3, 7, 7}},
    {AVG("avgpool 3 padded add", "avgpool k=3 s=2 p=1"), .in = {5, 5, 8, 8}, .grad_in = {GRAD_ADD}},
    {AVG("avgpool 3 counted", "avgpool k=3 s=2 p=1 count_pad"), .in = {2, 3, 7, 7}},
    {AVG("avgpool 3 counted blocks add", "avgpool k=3 p=1 s=1 count_pad"), .in = {2, 16, 4, 5},
     .grad_in = {GRAD_ADD}},
    {AVG("avgpool global", "avgpool global"), .in = {5, 6, 4, 4}},
    {AVG("avgpool eval", "avgpool k=3"), .in = {2, 3, 6, 6}, .evaluation = true},
    {AVG("avgpool large global", "avgpool global"), .in = {32, 64, 8, 8}, .large = true},

    {LIN("linear", "linear c=10"), .in = {5, 12, 1, 1}},
    {LIN("linear no bias", "linear c=10 bias=0"), .in = {2, 16, 1, 1}},
    {LIN("linear of maps", "linear c=7"), .in = {5, 4, 3, 3}},
    {LIN("linear of maps, odd channels", "linear c=7"), .in = {2, 5, 3, 2}, .relu = true},
    {LIN("linear relu", "linear c=16"), .in = {1, 9, 1, 1}, .relu = true},
    {LIN("linear of maps add", "linear c=7"), .in = {5, 16, 3, 3}, .grad_in = {GRAD_ADD}},
    {LIN("linear of odd maps add", "linear c=7"), .in = {5, 5, 3, 3}, .grad_in = {GRAD_ADD}},
    {LIN("linear add", "linear c=6"), .in = {32, 5, 1, 1}, .grad_in = {GRAD_ADD}},
    {LIN("linear image", "linear c=10"), .in = {2, 3, 4, 4}, .image = true},
    {LIN("linear eval", "linear c=10"), .in = {5, 16, 2, 2}, .evaluation = true},
    {LIN("linear large", "linear c=256"), .in = {32, 64, 4, 4}, .relu = true, .large = true},

    {DROP("dropout", "dropout p=0.5"), .in = {2, 3, 5, 5}},
    {DROP("dropout flat add", "dropout p=0.2"), .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {DROP("dropout given mask", "dropout p=0.3"), .in = {2, 16, 3, 3}, .given_mask = true},
    {DROP("dropout of none", "dropout p=0"), .in = {2, 5, 3, 3}},
    {DROP("dropout eval", "dropout p=0.5"), .in = {2, 5, 3, 3}, .evaluation = true},
    {DROP("dropout blocks", "dropout p=0.4"), .in = {3, 48, 6, 6}, .grad_in = {GRAD_ADD}},
    {DROP("dropout vectors and a rest", "dropout p=0.4"), .in = {3, 35, 9, 7}},
    {DROP("dropout tiles and rests", "dropout p=0.1"), .in = {3, 41, 5, 13}, .grad_in = {GRAD_ADD}},
    {DROP("dropout blocks, tiles and rests", "dropout p=0.7"), .in = {3, 24, 3, 7}},
    {DROP("dropout given mask and rests", "dropout p=0.3"), .in = {2, 17, 5, 7},
     .given_mask = true},
    {DROP("dropout all but", "dropout p=0.99999999"), .in = {2, 16, 3, 3}},
    {DROP("dropout large", "dropout p=0.2"), .in = {32, 24, 7, 7}, .large = true},

    {ADD("add", "add with=b"), .in = {2, 3, 5, 5}, .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {ADD("add relu", "add with=b"), .in = {2, 16, 3, 3}, .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {ADD("add first only", "add with=b"), .in = {5, 5, 3, 3}, .grad_in = {GRAD_ADD}},
    {ADD("add second only", "add with=b"), .in = {5, 7, 1, 1}, .relu = true,
     .grad_in = {GRAD_NONE, GRAD_ASSIGN}},
    {ADD("add eval", "add with=b"), .in = {2, 3, 5, 5}, .relu = true, .evaluation = true},
    {ADD("add large", "add with=b"), .in = {32, 64, 8, 8}, .relu = true, .large = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},

    {MUL("mul", "mul with=b"), .in = {2, 3, 5, 5}, .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {MUL("mul blocks add", "mul with=b"), .in = {2, 16, 3, 3}, .grad_in = {GRAD_ADD, GRAD_ADD}},
    {MUL("mul first only", "mul with=b"), .in = {5, 5, 3, 3}, .grad_in = {GRAD_ADD}},
    {MUL("mul second only", "mul with=b"), .in = {1, 7, 1, 1}, .grad_in = {GRAD_NONE, GRAD_ASSIGN}},
    {MUL("mul square", "mul with=a"), .in = {2, 5, 4, 3}, .same = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {MUL("mul square add", "mul with=a"), .in = {5, 16, 3, 3}, .same = true,
     .grad_in = {GRAD_ADD, GRAD_ADD}},
    {MUL("mul eval", "mul with=b"), .in = {2, 3, 5, 5}, .evaluation = true},
    {MUL("mul large", "mul with=b"), .in = {32, 64, 8, 8}, .large = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {GATE("mul gate", "mul with=b"), .in = {2, 3, 5, 7}, .in_behind = {{.c = 3, .h = 1, .w = 1}},
     .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {GATE("mul gate blocks add", "mul with=b"), .in = {2, 32, 3, 3},
     .in_behind = {{.c = 32, .h = 1, .w = 1}}, .grad_in = {GRAD_ADD, GRAD_ADD}},
    {GATE("mul gate half blocks", "mul with=b"), .in = {1, 24, 3, 2},
     .in_behind = {{.c = 24, .h = 1, .w = 1}}, .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {GATE("mul gate map only", "mul with=b"), .in = {2, 5, 4, 4},
     .in_behind = {{.c = 5, .h = 1, .w = 1}}, .grad_in = {GRAD_ASSIGN, GRAD_NONE}},
    {GATE("mul gate only", "mul with=b"), .in = {2, 19, 3, 3},
     .in_behind = {{.c = 19, .h = 1, .w = 1}}, .grad_in = {GRAD_NONE, GRAD_ASSIGN}},
    {GATE("mul gate first", "mul with=b"), .in = {2, 8, 1, 1},
     .in_behind = {{.c = 8, .h = 5, .w = 5}}, .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {GATE("mul gate first add", "mul with=b"), .in = {5, 7, 1, 1},
     .in_behind = {{.c = 7, .h = 3, .w = 3}}, .grad_in = {GRAD_ADD, GRAD_ADD}},
    {GATE("mul gate eval", "mul with=b"), .in = {2, 5, 4, 4},
     .in_behind = {{.c = 5, .h = 1, .w = 1}}, .evaluation = true},
    {GATE("mul gate large", "mul with=b"), .in = {32, 64, 16, 16},
     .in_behind = {{.c = 64, .h = 1, .w = 1}}, .large = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {GATE("mul gate large odd", "mul with=b"), .in = {16, 40, 15, 15},
     .in_behind = {{.c = 40, .h = 1, .w = 1}}, .large = true, .grad_in = {GRAD_ADD, GRAD_ASSIGN}},

    {JOIN("concat", "concat with=b"), .in = {2, 3, 5, 5}, .in_behind = {{.c = 4, .h = 5, .w = 5}},
     .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {JOIN("concat blocks", "concat with=b"), .in = {2, 16, 3, 3},
     .in_behind = {{.c = 32, .h = 3, .w = 3}}, .grad_in = {GRAD_ADD, GRAD_ASSIGN}},
    {JOIN("concat half blocks", "concat with=b"), .in = {2, 8, 3, 3},
     .in_behind = {{.c = 24, .h = 3, .w = 3}}, .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {JOIN("concat four", "concat with=b,c,d"), .in = {1, 5, 3, 2},
     .in_behind = {{.c = 1, .h = 3, .w = 2}, {.c = 7, .h = 3, .w = 2}, {.c = 2, .h = 3, .w = 2}},
     .grad_in = {GRAD_ASSIGN, GRAD_NONE, GRAD_ADD, GRAD_ASSIGN}},
    {JOIN("concat flat", "concat with=b"), .in = {5, 10, 1, 1},
     .in_behind = {{.c = 7, .h = 1, .w = 1}}, .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {JOIN("concat twice", "concat with=a"), .in = {2, 5, 3, 3}, .same = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {JOIN("concat thrice add", "concat with=a,a"), .in = {2, 16, 3, 3}, .same = true,
     .grad_in = {GRAD_ADD, GRAD_ADD, GRAD_ADD}},
    {JOIN("concat eval", "concat with=b"), .in = {2, 3, 5, 5}, .evaluation = true},
    {JOIN("concat large", "concat with=b"), .in = {32, 64, 8, 8},
     .in_behind = {{.c = 16, .h = 8, .w = 8}}, .large = true, .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {JOIN("concat large odd", "concat with=b"), .in = {16, 60, 15, 15},
     .in_behind = {{.c = 12, .h = 15, .w = 15}}, .large = true, .grad_in = {GRAD_ADD, GRAD_ASSIGN}},

    {JOIN("pad_channels", "pad_channels c=7"), .in = {2, 3, 5, 5}},
    {JOIN("pad_channels add", "pad_channels c=9"), .in = {5, 5, 3, 2}, .grad_in = {GRAD_ADD}},
    {JOIN("pad_channels half blocks", "pad_channels c=32"), .in = {2, 16, 3, 3}},
    {JOIN("pad_channels half blocks add", "pad_channels c=16"), .in = {2, 8, 3, 3},
     .grad_in = {GRAD_ADD}},
    {JOIN("pad_channels blocks", "pad_channels c=64"), .in = {1, 32, 3, 3}},
    {JOIN("pad_channels flat", "pad_channels c=8"), .in = {5, 6, 1, 1}},
    {JOIN("pad_channels of none", "pad_channels c=5"), .in = {2, 5, 3, 3}},
    {JOIN("pad_channels image", "pad_channels c=16"), .in = {2, 4, 5, 5}, .image = true},
    {JOIN("pad_channels eval", "pad_channels c=7"), .in = {2, 3, 5, 5}, .evaluation = true},
    {JOIN("pad_channels large", "pad_channels c=64"), .in = {32, 32, 16, 16}, .large = true},

    {JOIN("slice", "slice c=3 first=2"), .in = {2, 7, 5, 5}},
    {JOIN("slice add", "slice c=4 first=3"), .in = {5, 9, 3, 2}, .grad_in = {GRAD_ADD}},
    {JOIN("slice first ones", "slice c=5"), .in = {2, 7, 3, 3}},
    {JOIN("slice half blocks", "slice c=16 first=8"), .in = {2, 32, 3, 3}},
    {JOIN("slice blocks add", "slice c=32 first=32"), .in = {1, 64, 3, 3}, .grad_in = {GRAD_ADD}},
    {JOIN("slice flat", "slice c=6 first=1"), .in = {5, 8, 1, 1}},
    {JOIN("slice of all", "slice c=5"), .in = {2, 5, 3, 3}},
    {JOIN("slice image", "slice c=1 first=1"), .in = {2, 3, 5, 5}, .image = true},
    {JOIN("slice eval", "slice c=3 first=2"), .in = {2, 7, 5, 5}, .evaluation = true},
    {JOIN("slice large", "slice c=32 first=16"), .in = {32, 64, 16, 16}, .large = true},

    {JOIN("shuffle", "shuffle groups=2"), .in = {2, 6, 5, 5}},
    {JOIN("shuffle add", "shuffle groups=3"), .in = {5, 6, 3, 2}, .grad_in = {GRAD_ADD}},
    {JOIN("shuffle blocks", "shuffle groups=4"), .in = {2, 32, 3, 3}},
    {JOIN("shuffle half blocks add", "shuffle groups=2"), .in = {2, 24, 3, 3},
     .grad_in = {GRAD_ADD}},
    {JOIN("shuffle flat", "shuffle groups=3"), .in = {5, 18, 1, 1}},
    {JOIN("shuffle of one group", "shuffle groups=1"), .in = {2, 5, 3, 3}},
    {JOIN("shuffle of single channels", "shuffle groups=5"), .in = {2, 5, 3, 3}},
    {JOIN("shuffle image", "shuffle groups=2"), .in = {2, 4, 5, 5}, .image = true},
    {JOIN("shuffle eval", "shuffle groups=2"), .in = {2, 6, 5, 5}, .evaluation = true},
    {JOIN("shuffle large", "shuffle groups=8"), .in = {32, 64, 16, 16}, .large = true},

    {GN("groupnorm", "groupnorm groups=2"), .in = {5, 6, 4, 5}},
    {GN("groupnorm blocks add", "groupnorm groups=4 eps=0.001"), .in = {2, 32, 3, 3},
     .grad_in = {GRAD_ADD}},
    {GN("groupnorm half blocks", "groupnorm groups=3"), .in = {2, 24, 3, 3}},
    {GN("groupnorm of all", "groupnorm groups=1"), .in = {2, 5, 3, 3}, .grad_in = {GRAD_ADD}},
    {GN("groupnorm of each", "groupnorm groups=7"), .in = {1, 7, 3, 4}},
    {GN("groupnorm flat", "groupnorm groups=3"), .in = {5, 18, 1, 1}},
    {GN("groupnorm image", "groupnorm groups=3"), .in = {4, 3, 5, 5}, .image = true},
    {GN("groupnorm eval", "groupnorm groups=5"), .in = {2, 10, 4, 4}, .evaluation = true},
    {GN("groupnorm large", "groupnorm groups=8"), .in = {16, 64, 16, 16}, .large = true},
    {GN("groupnorm large odd", "groupnorm groups=2"), .in = {16, 42, 15, 15}, .large = true,
     .grad_in = {GRAD_ADD}},

    {DROP("droppath", "droppath p=0.5"), .in = {5, 3, 5, 5}},
    {DROP("droppath flat add", "droppath p=0.2"), .in = {12, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {DROP("droppath blocks", "droppath p=0.7"), .in = {9, 16, 3, 3}},
    {DROP("droppath of none", "droppath p=0"), .in = {2, 5, 3, 3}},
    {DROP("droppath one image", "droppath p=0.3"), .in = {1, 5, 3, 3}},
    {DROP("droppath eval", "droppath p=0.5"), .in = {2, 5, 3, 3}, .evaluation = true},
    {DROP("droppath large", "droppath p=0.2"), .in = {32, 24, 7, 7}, .large = true},

    {SCALE("scale", "scale by=0.125"), .in = {5, 10, 1, 1}},
    {SCALE("scale map add", "scale by=-3.7"), .in = {2, 3, 4, 4}, .grad_in = {GRAD_ADD}},
    {SCALE("scale eval", "scale by=0.125"), .in = {2, 16, 3, 3}, .evaluation = true},

    {LNORM("layernorm", "layernorm"), .in = {2, 6, 3, 5}},
    {LNORM("layernorm blocks add", "layernorm eps=0.001"), .in = {5, 16, 7, 1},
     .grad_in = {GRAD_ADD}},
    {LNORM("layernorm flat", "layernorm"), .in = {32, 17, 1, 1}},
    {LNORM("layernorm one image", "layernorm"), .in = {1, 5, 3, 3}},
    {ROW(DRAW_CHANNELS, TOL_OP_NOTHING_LEFT, "layernorm one channel", "layernorm"),
     .in = {2, 1, 3, 3}},
    {LNORM("layernorm image", "layernorm"), .in = {4, 3, 5, 5}, .image = true},
    {LNORM("layernorm eval", "layernorm"), .in = {2, 24, 5, 1}, .evaluation = true},
    {LNORM("layernorm large", "layernorm"), .in = {32, 512, 65, 1}, .large = true},

    {COPY("shift", "shift"), .in = {2, 3, 4, 5}},
    {COPY("shift blocks add", "shift"), .in = {1, 16, 3, 3}, .grad_in = {GRAD_ADD}},
    {COPY("shift one row", "shift"), .in = {5, 4, 1, 7}},
    {COPY("shift flat", "shift"), .in = {5, 7, 1, 1}},
    {COPY("shift image", "shift"), .in = {2, 3, 6, 6}, .image = true},
    {COPY("shift eval", "shift"), .in = {2, 3, 5, 5}, .evaluation = true},
    {COPY("shift large", "shift"), .in = {32, 3, 32, 32}, .large = true},

    {COPY("patches 2", "patches k=2"), .in = {2, 3, 4, 6}},
    {COPY("patches 3 add", "patches k=3"), .in = {1, 5, 9, 6}, .grad_in = {GRAD_ADD}},
    {COPY("patches blocks", "patches k=2"), .in = {5, 16, 2, 4}},
    {COPY("patches whole map", "patches k=4"), .in = {2, 3, 4, 4}},
    {COPY("patches image", "patches k=4"), .in = {2, 3, 8, 8}, .image = true},
    {COPY("patches eval", "patches k=2"), .in = {2, 3, 6, 6}, .evaluation = true},
    {COPY("patches large", "patches k=4"), .in = {32, 15, 32, 32}, .large = true},

    {COPY("class_token", "class_token"), .in = {2, 5, 6, 1}},
    {COPY("class_token blocks add", "class_token"), .in = {5, 16, 4, 1}, .grad_in = {GRAD_ADD}},
    {COPY("class_token of a map", "class_token"), .in = {1, 7, 3, 3}},
    {COPY("class_token flat", "class_token"), .in = {2, 8, 1, 1}},
    {COPY("class_token image", "class_token"), .in = {2, 3, 3, 3}, .image = true},
    {COPY("class_token eval", "class_token"), .in = {2, 5, 6, 1}, .evaluation = true},
    {COPY("class_token large", "class_token"), .in = {32, 128, 64, 1}, .large = true},

    {COPY("positions", "positions"), .in = {2, 5, 6, 1}},
    {COPY("positions blocks add", "positions"), .in = {5, 16, 4, 1}, .grad_in = {GRAD_ADD}},
    {COPY("positions of a map", "positions"), .in = {1, 7, 3, 5}},
    {COPY("positions image", "positions"), .in = {2, 3, 3, 3}, .image = true},
    {COPY("positions eval", "positions"), .in = {2, 5, 6, 1}, .evaluation = true},
    {COPY("positions large", "positions"), .in = {32, 128, 64, 1}, .large = true},

    {COPY("token", "token"), .in = {2, 5, 6, 1}},
    {COPY("token last add", "token index=3"), .in = {5, 16, 4, 1}, .grad_in = {GRAD_ADD}},
    {COPY("token of a map", "token index=4"), .in = {1, 7, 3, 3}},
    {COPY("token image", "token index=1"), .in = {2, 3, 3, 3}, .image = true},
    {COPY("token eval", "token index=2"), .in = {2, 5, 6, 1}, .evaluation = true},
    {COPY("token large", "token"), .in = {32, 128, 65, 1}, .large = true},

    {ATT("attention", "attention heads=2"), .in = {2, 18, 5, 1}},
    {ATT("attention one head add", "attention heads=1"), .in = {5, 48, 7, 1},
     .grad_in = {GRAD_ADD}},
    {ATT("attention blocks", "attention heads=3"), .in = {1, 144, 9, 1}},
    {ATT("attention of a map", "attention heads=2"), .in = {2, 12, 3, 5}},
    {ATT("attention one token", "attention heads=2"), .in = {3, 12, 1, 1}},
    {ATT("attention one value", "attention heads=3"), .in = {2, 9, 4, 1}},
    {ATT("attention masked", "attention heads=2 mask_diagonal"), .in = {2, 24, 6, 1}},
    {ATT("attention temperature", "attention heads=2 temperature"), .in = {2, 30, 6, 1}},
    {ATT("attention all add", "attention heads=2 mask_diagonal temperature"), .in = {5, 36, 5, 1},
     .grad_in = {GRAD_ADD}},
    {ATT("attention image", "attention heads=1"), .in = {2, 3, 3, 3}, .image = true},
    {ATT("attention image temperature", "attention heads=1 temperature"), .in = {2, 3, 3, 3},
     .image = true},
    {ATT("attention eval", "attention heads=2 mask_diagonal temperature"), .in = {2, 30, 6, 1},
     .evaluation = true},
    {ATT("attention vectors add", "attention heads=2 mask_diagonal temperature"),
     .in = {2, 192, 37, 1}, .grad_in = {GRAD_ADD}},
    {ATT("attention vectors of many tokens", "attention heads=1"), .in = {2, 144, 83, 1}},
    {ATT("attention of eight values", "attention heads=2 mask_diagonal"), .in = {2, 48, 20, 1}},
    {ATT("attention of forty values add", "attention heads=2 mask_diagonal temperature"),
     .in = {1, 240, 70, 1}, .grad_in = {GRAD_ADD}},
    {ATT("attention vectors of an image", "attention heads=2 temperature"), .in = {3, 96, 9, 1},
     .image = true},
    {ATT("attention vectors eval", "attention heads=2 temperature"), .in = {2, 96, 20, 1},
     .evaluation = true},
    {ATT("attention of one token and one vector", "attention heads=2"), .in = {2, 48, 1, 1}},
    {ATT("attention of three vectors add", "attention heads=2 temperature"), .in = {2, 144, 5, 1},
     .grad_in = {GRAD_ADD}},
    {ATT("attention of five tokens eval", "attention heads=1"), .in = {3, 192, 5, 1},
     .evaluation = true},
    {ATT("attention large of twelve vectors", "attention heads=2 temperature"),
     .in = {1, 576, 65, 1}, .large = true},
    {ATT("attention large in blocks", "attention heads=1 mask_diagonal"), .in = {1, 72, 197, 1},
     .large = true},
    {ATT("attention large in blocks add", "attention heads=2 temperature"), .in = {1, 96, 300, 1},
     .large = true, .grad_in = {GRAD_ADD}},
    {ATT("attention large in blocks eval", "attention heads=1"), .in = {2, 24, 260, 1},
     .large = true, .evaluation = true},
    {ATT("attention large", "attention heads=6 mask_diagonal"), .in = {4, 1152, 65, 1},
     .large = true},
    {ATT("attention large temperature", "attention heads=48 temperature"), .in = {2, 576, 17, 1},
     .large = true},
    {ATT("attention large map", "attention heads=2"), .in = {8, 384, 8, 8}, .large = true,
     .grad_in = {GRAD_ADD}},

    {SEQP("seqpool", "seqpool"), .in = {2, 5, 6, 1}},
    {SEQP("seqpool blocks add", "seqpool"), .in = {5, 16, 4, 1}, .grad_in = {GRAD_ADD}},
    {SEQP("seqpool of a map", "seqpool"), .in = {1, 9, 3, 5}},
    {SEQP("seqpool flat", "seqpool"), .in = {2, 8, 1, 1}},
    {SEQP("seqpool image", "seqpool"), .in = {2, 3, 3, 3}, .image = true},
    {SEQP("seqpool eval", "seqpool"), .in = {2, 5, 6, 1}, .evaluation = true},
    {SEQP("seqpool large", "seqpool"), .in = {32, 24, 17, 1}, .large = true},

    {LOSS("softmax_ce", "softmax_ce"), .in = {5, 10, 1, 1}},
    {LOSS("softmax_ce smoothed", "softmax_ce smoothing=0.1"), .in = {5, 10, 1, 1}},
    {LOSS("softmax_ce add", "softmax_ce smoothing=0.2"), .in = {32, 16, 1, 1},
     .grad_in = {GRAD_ADD}},
    {LOSS("softmax_ce mixed", "softmax_ce"), .in = {12, 10, 1, 1}, .mixed = true},
    {LOSS("softmax_ce mixed smoothed", "softmax_ce smoothing=0.1"), .in = {12, 7, 1, 1},
     .mixed = true},
    {LOSS("softmax_ce equal logits", "softmax_ce"), .in = {32, 10, 1, 1}, .ties = true},
    {LOSS("softmax_ce eval", "softmax_ce smoothing=0.1"), .in = {32, 10, 1, 1}, .evaluation = true},
    {LOSS("softmax_ce one image", "softmax_ce"), .in = {1, 3, 1, 1}},
};

const int op_table_count = sizeof op_table / sizeof op_table[0];

LayerKind op_case_kind(const OpCase *row) {
    char word[LAYER_NAME_MAX];
    size_t length = strcspn(row->text, " ");
    snprintf(word, sizeof word, "%.*s", (int)length, row->text);
    return (LayerKind)layer_kind_of(word);
}

const LayerType *op_case_type(const OpCase *row) {
    return layer_type(op_case_kind(row));
}

int op_case_inputs(const OpCase *row) {
    const char *with = strstr(row->text, "with=");
    int n = row->add ? 2 : 1;
    for (; with != NULL; with = strchr(with + 1, ','))
        n++;
    return n;
}

int op_case_tensors(const OpCase *row) {
    return row->same ? 1 : op_case_inputs(row);
}

Shape op_case_shape(const OpCase *row, int k) {
    Shape shape = row->in;
    if (k > 0 && row->in_behind[k - 1].c > 0) {
        shape = row->in_behind[k - 1];
        shape.n = row->in.n;
    }
    return shape;
}

static bool gives_side(int64_t in, int64_t out, int kernel, int stride, int pad) {
    return in + 2 * pad >= kernel && (in + 2 * pad - kernel) / stride + 1 == out;
}

/* A line of model text that makes a tensor of shape `to` from an image of shape `from`. */
static Status line_of_shape(Shape from, Shape to, int label, char *text, size_t room) {
    enum { MOST = 32 };
    for (int stride = 1; stride <= MOST; stride++)
        for (int kernel = 1; kernel <= MOST; kernel++)
            for (int pad = 0; pad < kernel; pad++)
                if (gives_side(from.h, to.h, kernel, stride, pad) &&
                    gives_side(from.w, to.w, kernel, stride, pad)) {
                    snprintf(text, room, "%c: conv c=%" PRId64 " k=%d s=%d p=%d from=image\n",
                             label, to.c, kernel, stride, pad);
                    return ST_OK;
                }
    return FAIL(ST_INTERNAL, "no convolution makes the other inputs' shapes from the first's");
}

/* The row's line as a whole model: behind it what makes one number of its output, where it is no
 * loss; before it, where it reads several layers, those, called a, b ..., made from the image,
 * which is like the first of them. */
Status op_case_layer(const OpCase *row, Layer *layer) {
    enum { TEXT_BYTES = 1024 };
    char text[TEXT_BYTES] = "";
    bool is_loss = op_case_type(row)->is_loss;
    int inputs = op_case_inputs(row) - row->add;
    int before = inputs > 1 ? op_case_tensors(row) - row->add : 0;
    Shape image = row->in;
    Model model;
    image.n = 1;
    for (int i = before - 1; i >= 0; i--) {
        size_t used = strlen(text);
        TRY(line_of_shape(row->in, op_case_shape(row, i), 'a' + i, text + used, TEXT_BYTES - used));
    }
    size_t used = strlen(text);
    snprintf(text + used, TEXT_BYTES - used, "%s\n%s", row->text, is_loss ? "" : "linear c=1\n");
    TRY(model_parse(text, row->name, 1, image, is_loss ? image.c : 1, 0, &model));
    *layer = model.layers[before];
    model_free(&model);
    return ST_OK;
}
