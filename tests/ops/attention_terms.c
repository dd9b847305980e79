/* attention_terms: see attention_terms.h. */
#include "attention_terms.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* One head of one image: [size][tokens] each. */
typedef struct Head {
    const double *query, *key, *value, *grad_out;
    int64_t size, tokens;
    double scale;
    bool masked; /* a token does not see itself */
} Head;

static double product(const Head *h, const double *a, int64_t l, const double *b, int64_t m) {
    double sum = 0;
    for (int64_t d = 0; d < h->size; d++)
        sum += a[d * h->tokens + l] * b[d * h->tokens + m];
    return sum;
}

/* The sum of squares of token l's terms: p (g - mean of g) z, where z are its scores, p their
 * softmax and g the gradient of p. */
static double squares_of_token(const Head *h, int64_t l, double *z, double *p, double *g) {
    double top = -INFINITY, sum = 0, mean = 0, squares = 0;
    for (int64_t m = 0; m < h->tokens; m++) {
        z[m] = h->scale * product(h, h->query, l, h->key, m);
        if (!h->masked || l != m)
            top = fmax(top, z[m]);
    }
    for (int64_t m = 0; m < h->tokens; m++) {
        p[m] = h->masked && l == m ? 0 : exp(z[m] - top);
        sum += p[m];
    }
    for (int64_t m = 0; m < h->tokens; m++) {
        p[m] /= sum;
        g[m] = product(h, h->grad_out, l, h->value, m);
        mean += p[m] * g[m];
    }
    for (int64_t m = 0; m < h->tokens; m++) {
        double term = p[m] * (g[m] - mean) * z[m];
        squares += term * term;
    }
    return squares;
}

double attention_terms_norm(const OpCase *row, const OpData *data) {
    Layer layer;
    if (op_case_layer(row, &layer) != ST_OK)
        fail_msg("%s: %s", row->name, status_message());
    const AttentionArgs *args = &layer.args.attention;
    int64_t tokens = row->in.h * row->in.w, channels = row->in.c / 3;
    int64_t size = channels / args->heads;
    double *room = calloc((size_t)(3 * tokens), sizeof *room), squares = 0;
    assert_non_null(room);
    for (int64_t n = 0; n < row->in.n; n++)
        for (int64_t i = 0; i < args->heads; i++) {
            const double *in = data->in[0] + (3 * n * channels + i * size) * tokens;
            Head head = {
                .query = in,
                .key = in + channels * tokens,
                .value = in + 2 * channels * tokens,
                .grad_out = data->grad_out + (n * channels + i * size) * tokens,
                .size = size,
                .tokens = tokens,
                .scale = exp(data->param[0][0]),
                .masked = args->mask_diagonal,
            };
            for (int64_t l = 0; l < tokens; l++)
                squares += squares_of_token(&head, l, room, room + tokens, room + 2 * tokens);
        }
    free(room);
    return sqrt(squares);
}
