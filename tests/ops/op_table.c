/* The table of op tests. Batches 1, 2, 5, 32; channels that are multiples of 16 and that are not;
 * maps of odd sides; strides that do not divide. */
#include "op_table.h"

#include <stdio.h>
#include <string.h>

#define CONV  .kind = LAYER_CONV, .args.conv
#define BN    .kind = LAYER_BN, .args.bn
#define MAX   .kind = LAYER_MAXPOOL, .args.pool
#define AVG   .kind = LAYER_AVGPOOL, .args.pool
#define LIN   .kind = LAYER_LINEAR, .args.linear
#define DROP  .kind = LAYER_DROPOUT, .args.dropout
#define SCALE .kind = LAYER_SCALE, .args.scale
#define LOSS  .kind = LAYER_SOFTMAX_CE, .args.loss

const OpCase op_table[] = {
    /* conv: {channels, kernel, stride, pad, bias} */
    {CONV = {4, 3, 1, 1, false}, .name = "conv 3x3", .in = {2, 3, 6, 6}},
    {CONV = {4, 3, 1, 1, true}, .name = "conv 3x3 bias", .in = {2, 3, 6, 6}},
    {CONV = {16, 3, 1, 1, true}, .name = "conv 3x3 blocks", .in = {1, 16, 6, 6}},
    {CONV = {5, 3, 1, 1, true}, .name = "conv 3x3 relu", .in = {2, 3, 5, 7}, .relu = true},
    {CONV = {7, 3, 1, 1, false}, .name = "conv 3x3 add", .in = {5, 5, 5, 5}, .grad_in = {GRAD_ADD}},
    {CONV = {6, 3, 1, 1, false}, .name = "conv 3x3 relu add", .in = {2, 5, 5, 5}, .relu = true,
     .grad_in = {GRAD_ADD}},
    {CONV = {4, 3, 2, 1, false}, .name = "conv 3x3 stride 2", .in = {2, 3, 7, 7}},
    {CONV = {4, 3, 2, 1, false}, .name = "conv 3x3 stride 2 even", .in = {2, 3, 8, 8}},
    {CONV = {4, 3, 3, 0, true}, .name = "conv 3x3 stride 3 rest", .in = {1, 2, 8, 8}},
    {CONV = {6, 1, 1, 0, false}, .name = "conv 1x1", .in = {2, 5, 4, 4}},
    {CONV = {6, 1, 2, 0, true}, .name = "conv 1x1 stride 2", .in = {2, 5, 5, 5}, .relu = true},
    {CONV = {6, 5, 1, 0, true}, .name = "conv 5x5", .in = {2, 3, 9, 9}},
    {CONV = {6, 5, 1, 2, false}, .name = "conv 5x5 pad", .in = {1, 3, 7, 7}},
    {CONV = {3, 2, 2, 0, true}, .name = "conv 2x2 patches", .in = {2, 3, 6, 6}},
    {CONV = {4, 4, 1, 0, true}, .name = "conv whole map", .in = {2, 3, 4, 4}},
    {CONV = {8, 3, 1, 1, true}, .name = "conv image", .in = {2, 3, 6, 6}, .image = true},
    {CONV = {4, 3, 1, 1, true}, .name = "conv eval", .in = {2, 3, 6, 6}, .evaluation = true},
    {CONV = {64, 3, 1, 1, false}, .name = "conv large", .in = {16, 32, 16, 16}, .large = true},
    {CONV = {48, 3, 1, 1, true}, .name = "conv large relu add", .in = {5, 64, 8, 8}, .relu = true,
     .large = true, .grad_in = {GRAD_ADD}},
    {CONV = {64, 3, 1, 1, false}, .name = "conv large image", .in = {8, 3, 32, 32}, .image = true,
     .large = true},
    {CONV = {16, 5, 1, 0, true}, .name = "conv large 5x5", .in = {8, 64, 14, 14}, .relu = true,
     .large = true},
    {CONV = {128, 3, 2, 1, false}, .name = "conv large stride 2", .in = {4, 64, 16, 16},
     .large = true},
    {CONV = {64, 3, 1, 1, true}, .name = "conv large eval", .in = {16, 64, 8, 8}, .relu = true,
     .evaluation = true, .large = true},

    /* bn: {eps, momentum} */
    {BN = {1e-5, 0.1}, .name = "bn", .in = {5, 3, 4, 5}},
    {BN = {1e-5, 0.1}, .name = "bn relu", .in = {5, 3, 4, 5}, .relu = true},
    {BN = {1e-3, 0.1}, .name = "bn eps add", .in = {2, 16, 3, 3}, .grad_in = {GRAD_ADD}},
    {BN = {1e-5, 0.1}, .name = "bn relu add", .in = {2, 5, 3, 3}, .relu = true,
     .grad_in = {GRAD_ADD}},
    {BN = {1e-5, 0.1}, .name = "bn flat", .in = {32, 7, 1, 1}},
    {BN = {1e-5, 0.1}, .name = "bn one image", .in = {1, 4, 3, 3}},
    {BN = {1e-5, 0.1}, .name = "bn single value", .in = {1, 4, 1, 1}},
    {BN = {1e-5, 0.1}, .name = "bn image", .in = {4, 3, 5, 5}, .image = true},
    {BN = {1e-5, 0.1}, .name = "bn image blocks", .in = {4, 16, 5, 5}, .image = true},
    {BN = {1e-5, 0.1}, .name = "bn eval", .in = {2, 5, 4, 4}, .evaluation = true},
    {BN = {1e-5, 0.1}, .name = "bn eval relu", .in = {2, 16, 4, 4}, .relu = true,
     .evaluation = true},
    {BN = {1e-5, 0.1}, .name = "bn+add+relu", .in = {5, 16, 4, 5}, .add = true, .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {BN = {1e-5, 0.1}, .name = "bn+add+relu add", .in = {2, 8, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_ADD, GRAD_ADD}},
    {BN = {1e-5, 0.1}, .name = "bn+add+relu odd", .in = {2, 5, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_ADD, GRAD_ASSIGN}},
    {BN = {1e-5, 0.1}, .name = "bn+add+relu odd add", .in = {5, 7, 3, 3}, .add = true, .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {BN = {1e-5, 0.1}, .name = "bn+add+relu first only", .in = {2, 8, 3, 3}, .add = true,
     .relu = true, .grad_in = {GRAD_ASSIGN, GRAD_NONE}},
    {BN = {1e-5, 0.1}, .name = "bn+add+relu second only", .in = {2, 8, 3, 3}, .add = true,
     .relu = true, .grad_in = {GRAD_NONE, GRAD_ASSIGN}},
    {BN = {1e-5, 0.1}, .name = "bn+add", .in = {5, 16, 4, 5}, .add = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {BN = {1e-5, 0.1}, .name = "bn+add add", .in = {2, 8, 3, 3}, .add = true,
     .grad_in = {GRAD_ADD, GRAD_ADD}},
    {BN = {1e-5, 0.1}, .name = "bn+add odd", .in = {2, 3, 5, 5}, .add = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {BN = {1e-5, 0.1}, .name = "bn+add+relu eval", .in = {2, 16, 4, 4}, .add = true, .relu = true,
     .evaluation = true},
    {BN = {1e-5, 0.1}, .name = "bn+add eval", .in = {2, 5, 4, 4}, .add = true, .evaluation = true},
    {BN = {1e-5, 0.1}, .name = "bn large", .in = {32, 64, 16, 16}, .large = true},
    {BN = {1e-5, 0.1}, .name = "bn large relu", .in = {32, 24, 15, 15}, .relu = true,
     .large = true},

    {.kind = LAYER_RELU, .name = "relu", .in = {2, 3, 5, 5}},
    {.kind = LAYER_RELU, .name = "relu blocks add", .in = {2, 16, 3, 3}, .grad_in = {GRAD_ADD}},
    {.kind = LAYER_RELU, .name = "relu flat", .in = {5, 7, 1, 1}},
    {.kind = LAYER_RELU, .name = "relu eval", .in = {1, 3, 4, 4}, .evaluation = true},
    {.kind = LAYER_RELU, .name = "relu large", .in = {32, 64, 16, 16}, .large = true},

    {.kind = LAYER_GELU, .name = "gelu", .in = {2, 3, 5, 5}},
    {.kind = LAYER_GELU, .name = "gelu flat add", .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {.kind = LAYER_GELU, .name = "gelu eval", .in = {1, 16, 4, 4}, .evaluation = true},
    {.kind = LAYER_GELU, .name = "gelu large", .in = {32, 64, 8, 8}, .large = true},

    /* pools: {kernel, stride, pad, global} */
    {MAX = {2, 2, 0, false}, .name = "maxpool 2", .in = {2, 3, 6, 6}},
    {MAX = {2, 2, 0, false}, .name = "maxpool 2 rest", .in = {2, 16, 5, 7}},
    {MAX = {3, 2, 1, false}, .name = "maxpool 3 overlapping", .in = {2, 3, 7, 7}},
    {MAX = {3, 2, 1, false}, .name = "maxpool 3 overlapping add", .in = {5, 5, 8, 8},
     .grad_in = {GRAD_ADD}},
    {MAX = {3, 1, 1, false}, .name = "maxpool 3 stride 1", .in = {1, 4, 5, 5}},
    {MAX = {4, 4, 0, true}, .name = "maxpool global", .in = {5, 6, 4, 4}},
    {MAX = {2, 2, 0, false}, .name = "maxpool eval", .in = {2, 3, 6, 6}, .evaluation = true},
    {MAX = {2, 2, 0, false}, .name = "maxpool large", .in = {32, 64, 16, 16}, .large = true},

    {AVG = {2, 2, 0, false}, .name = "avgpool 2", .in = {2, 3, 6, 6}},
    {AVG = {2, 2, 0, false}, .name = "avgpool 2 rest", .in = {2, 16, 5, 7}},
    {AVG = {3, 2, 1, false}, .name = "avgpool 3 padded", .in = {2, 3, 7, 7}},
    {AVG = {3, 2, 1, false}, .name = "avgpool 3 padded add", .in = {5, 5, 8, 8},
     .grad_in = {GRAD_ADD}},
    {AVG = {4, 4, 0, true}, .name = "avgpool global", .in = {5, 6, 4, 4}},
    {AVG = {3, 3, 0, false}, .name = "avgpool eval", .in = {2, 3, 6, 6}, .evaluation = true},
    {AVG = {8, 8, 0, true}, .name = "avgpool large global", .in = {32, 64, 8, 8}, .large = true},

    /* linear: {channels, bias} */
    {LIN = {10, true}, .name = "linear", .in = {5, 12, 1, 1}},
    {LIN = {10, false}, .name = "linear no bias", .in = {2, 16, 1, 1}},
    {LIN = {7, true}, .name = "linear of maps", .in = {5, 4, 3, 3}},
    {LIN = {7, true}, .name = "linear of maps, odd channels", .in = {2, 5, 3, 2}, .relu = true},
    {LIN = {16, true}, .name = "linear relu", .in = {1, 9, 1, 1}, .relu = true},
    {LIN = {7, true}, .name = "linear of maps add", .in = {5, 16, 3, 3}, .grad_in = {GRAD_ADD}},
    {LIN = {7, true}, .name = "linear of odd maps add", .in = {5, 5, 3, 3}, .grad_in = {GRAD_ADD}},
    {LIN = {6, true}, .name = "linear add", .in = {32, 5, 1, 1}, .grad_in = {GRAD_ADD}},
    {LIN = {10, true}, .name = "linear image", .in = {2, 3, 4, 4}, .image = true},
    {LIN = {10, true}, .name = "linear eval", .in = {5, 16, 2, 2}, .evaluation = true},
    {LIN = {256, true}, .name = "linear large", .in = {32, 64, 4, 4}, .relu = true, .large = true},

    {DROP = {0.5}, .name = "dropout", .in = {2, 3, 5, 5}},
    {DROP = {0.2}, .name = "dropout flat add", .in = {5, 17, 1, 1}, .grad_in = {GRAD_ADD}},
    {DROP = {0.3}, .name = "dropout given mask", .in = {2, 16, 3, 3}, .given_mask = true},
    {DROP = {0.0}, .name = "dropout of none", .in = {2, 5, 3, 3}},
    {DROP = {0.5}, .name = "dropout eval", .in = {2, 5, 3, 3}, .evaluation = true},
    {DROP = {0.2}, .name = "dropout large", .in = {32, 24, 7, 7}, .large = true},

    {.kind = LAYER_ADD, .name = "add", .in = {2, 3, 5, 5}, .grad_in = {GRAD_ASSIGN, GRAD_ASSIGN}},
    {.kind = LAYER_ADD,
     .name = "add relu",
     .in = {2, 16, 3, 3},
     .relu = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},
    {.kind = LAYER_ADD, .name = "add first only", .in = {5, 5, 3, 3}, .grad_in = {GRAD_ADD}},
    {.kind = LAYER_ADD,
     .name = "add second only",
     .in = {5, 7, 1, 1},
     .relu = true,
     .grad_in = {GRAD_NONE, GRAD_ASSIGN}},
    {.kind = LAYER_ADD, .name = "add eval", .in = {2, 3, 5, 5}, .relu = true, .evaluation = true},
    {.kind = LAYER_ADD,
     .name = "add large",
     .in = {32, 64, 8, 8},
     .relu = true,
     .large = true,
     .grad_in = {GRAD_ASSIGN, GRAD_ADD}},

    {SCALE = {0.125}, .name = "scale", .in = {5, 10, 1, 1}},
    {SCALE = {-3.7}, .name = "scale map add", .in = {2, 3, 4, 4}, .grad_in = {GRAD_ADD}},
    {SCALE = {0.125}, .name = "scale eval", .in = {2, 16, 3, 3}, .evaluation = true},

    {LOSS = {0}, .name = "softmax_ce", .in = {5, 10, 1, 1}},
    {LOSS = {0.1}, .name = "softmax_ce smoothed", .in = {5, 10, 1, 1}},
    {LOSS = {0.2}, .name = "softmax_ce add", .in = {32, 16, 1, 1}, .grad_in = {GRAD_ADD}},
    {LOSS = {0}, .name = "softmax_ce equal logits", .in = {32, 10, 1, 1}, .ties = true},
    {LOSS = {0.1}, .name = "softmax_ce eval", .in = {32, 10, 1, 1}, .evaluation = true},
    {LOSS = {0}, .name = "softmax_ce one image", .in = {1, 3, 1, 1}},
};

const int op_table_count = sizeof op_table / sizeof op_table[0];

int op_case_inputs(const OpCase *row) {
    return row->kind == LAYER_ADD || row->add ? 2 : 1;
}

Status op_case_layer(const OpCase *row, Layer *layer) {
    memset(layer, 0, sizeof *layer);
    layer->kind = row->kind;
    snprintf(layer->name, sizeof layer->name, "%s1", layer_type(row->kind)->name);
    memcpy(&layer->args, &row->args, sizeof row->args);
    layer->n_in = row->kind == LAYER_ADD ? 2 : 1;
    for (int i = 0; i < layer->n_in; i++) {
        layer->in[i] = row->in;
        layer->in[i].n = 1;
        layer->input[i] = i - 1;
    }
    bool pool = row->kind == LAYER_MAXPOOL || row->kind == LAYER_AVGPOOL;
    if (pool && row->args.pool.global) {
        layer->args.pool.kernel = 0; /* as model text leaves them */
        layer->args.pool.stride = 0;
    }
    return layer_type(row->kind)->infer(layer);
}
