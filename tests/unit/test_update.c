/* update: an element's way through some steps of each optimizer, against the formulas of
 * torch.optim's notes, written out here in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "lockstep/optim.h"
#include "lockstep/update_math.h"

enum { STEPS = 6 };

static const double gradients[STEPS] = {0.5, -0.25, 0.125, 0, -1.5, 0.75};
static const double LR = 0.05, MOMENTUM = 0.9, BETA1 = 0.8, BETA2 = 0.98, EPS = 1e-4, EMA = 0.7;
static const double ALPHA = 0.9;

/* What it holds before and after a step. */
typedef struct Element {
    double weight, slot[3], ema;
} Element;

/* m = momentum m + g, from m = g in the first step; w -= lr m, or with Nesterov's lr (g + momentum
 * m). */
static void sgd(Element *e, const Optimizer *o, double g, double decay, int step) {
    g += decay * e->weight;
    e->slot[0] = step == 0 ? g : o->momentum * e->slot[0] + g;
    e->weight -= LR * (o->nesterov ? g + o->momentum * e->slot[0] : e->slot[0]);
}

/* w -= lr m^ / (sqrt(v^) + eps), where m^ = m / (1 - beta1^t) and v^ likewise, t from 1. */
static void adam(Element *e, const Optimizer *o, double g, double decay, int step) {
    if (o->kind == OPTIMIZER_ADAMW)
        e->weight *= 1 - LR * decay;
    else
        g += decay * e->weight;
    e->slot[0] = BETA1 * e->slot[0] + (1 - BETA1) * g;
    e->slot[1] = BETA2 * e->slot[1] + (1 - BETA2) * g * g;
    double first = e->slot[0] / (1 - pow(BETA1, step + 1));
    double second = e->slot[1] / (1 - pow(BETA2, step + 1));
    e->weight -= LR * first / (sqrt(second) + EPS);
}

/* As torch.optim.RMSprop; slots: momentum, mean of squares, mean. */
static void rmsprop(Element *e, const Optimizer *o, double g, double decay) {
    g += decay * e->weight;
    e->slot[1] = ALPHA * e->slot[1] + (1 - ALPHA) * g * g;
    e->slot[2] = ALPHA * e->slot[2] + (1 - ALPHA) * g;
    double spread = e->slot[1] - (o->centered ? e->slot[2] * e->slot[2] : 0);
    e->slot[0] = o->momentum * e->slot[0] + g / (sqrt(spread) + EPS);
    e->weight -= LR * e->slot[0];
}

/* Of vectors, where the trust ratio is 1. You, Gitman, Ginsburg 2017, algorithm 1. */
static void lars(Element *e, const Optimizer *o, double g, double decay) {
    e->slot[0] = o->momentum * e->slot[0] + LR * (g + decay * e->weight);
    e->weight -= e->slot[0];
}

/* Likewise. You et al. 2020, algorithm 2. */
static void lamb(Element *e, double g, double decay, int step) {
    e->slot[0] = BETA1 * e->slot[0] + (1 - BETA1) * g;
    e->slot[1] = BETA2 * e->slot[1] + (1 - BETA2) * g * g;
    double first = e->slot[0] / (1 - pow(BETA1, step + 1));
    double second = e->slot[1] / (1 - pow(BETA2, step + 1));
    e->weight -= LR * (first / (sqrt(second) + EPS) + decay * e->weight);
}

static bool has_beta1(const Optimizer *o) {
    return o->kind == OPTIMIZER_ADAM || o->kind == OPTIMIZER_ADAMW || o->kind == OPTIMIZER_LAMB;
}

static void assert_near(const char *what, int step, float found, double expected) {
    if (!(fabs((double)found - expected) <= 2e-6 * fmax(fabs(expected), 0.1)))
        fail_msg("%s after step %d: %.9g, not %.9g", what, step, (double)found, expected);
}

static void follow(const Optimizer *o, double decay, bool exact) {
    Element expected = {.weight = 0.4, .ema = 0.4};
    float weight = 0.4f, slot[3] = {0, 0, 0}, ema = 0.4f;
    for (int step = 0; step < STEPS; step++) {
        /* half of the gradient, as clipping may have it; exact: in units of 2^-30 */
        Rates rates = {LR, has_beta1(o) ? o->beta1 : o->momentum};
        Update update = optimizer_update(o, step, rates, exact ? 0.5 * 0x1p-30 : 0.5);
        UpdateTerms terms = update_terms(&update, decay);
        float g =
            exact ? update_gradient_fixed((int64_t)(gradients[step] * 0x1p30), update.grad_scale)
                  : update_gradient_real((float)gradients[step], update.grad_scale);
        double exact_g = 0.5 * gradients[step];
        switch (o->kind) {
        case OPTIMIZER_SGD:
            sgd(&expected, o, exact_g, decay, step);
            update_sgd(&terms, g, &weight, &slot[0]);
            break;
        case OPTIMIZER_RMSPROP:
            rmsprop(&expected, o, exact_g, decay);
            update_rmsprop(&terms, g, &weight, &slot[0], &slot[1], &slot[2]);
            break;
        case OPTIMIZER_LARS:
            lars(&expected, o, exact_g, decay);
            update_lars(&terms, g, &weight, &slot[0]);
            break;
        case OPTIMIZER_LAMB:
            lamb(&expected, exact_g, decay, step);
            update_lamb(&terms, update_lamb_direction(&terms, g, weight, &slot[0], &slot[1]),
                        &weight);
            break;
        default:
            adam(&expected, o, exact_g, decay, step);
            update_adam(&terms, g, &weight, &slot[0], &slot[1]);
            break;
        }
        update_ema(&terms, weight, &ema);
        expected.ema = EMA * expected.ema + (1 - EMA) * expected.weight;
        assert_near("weight", step, weight, expected.weight);
        assert_near("first slot", step, slot[0], expected.slot[0]);
        assert_near("second slot", step, slot[1], expected.slot[1]);
        assert_near("third slot", step, slot[2], expected.slot[2]);
        assert_near("moving average", step, ema, expected.ema);
    }
}

static void elements_follow_the_formulas(void **state) {
    static const struct {
        OptimizerKind kind;
        double momentum;
        bool variant; /* nesterov, or centered */
    } rules[] = {
        {OPTIMIZER_SGD, 0, false},         {OPTIMIZER_SGD, MOMENTUM, false},
        {OPTIMIZER_SGD, MOMENTUM, true},   {OPTIMIZER_ADAM, 0, false},
        {OPTIMIZER_ADAMW, 0, false},       {OPTIMIZER_RMSPROP, 0, false},
        {OPTIMIZER_RMSPROP, 0.5, true},    {OPTIMIZER_LARS, 0, false},
        {OPTIMIZER_LARS, MOMENTUM, false}, {OPTIMIZER_LAMB, 0, false},
    };
    (void)state;
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        for (int variant = 0; variant < 4; variant++) {
            Optimizer o = {.kind = rules[r].kind,
                           .momentum = rules[r].momentum,
                           .nesterov = rules[r].variant,
                           .centered = rules[r].variant,
                           .alpha = ALPHA,
                           .beta1 = BETA1,
                           .beta2 = BETA2,
                           .eps = EPS,
                           .ema_decay = EMA};
            follow(&o, variant & 1 ? 0.3 : 0, (variant & 2) != 0);
        }
}

/* Trust ratios by hand: |w| = 2, the other norm 0.5, lr 0.1; and where a norm is 0. */
static void ratios_are_of_norms(void **state) {
    (void)state;
    Update lars = {.kind = OPTIMIZER_LARS, .lr = 0.1, .eps = 0.25, .trust_coefficient = 0.02};
    Update lamb = {.kind = OPTIMIZER_LAMB, .lr = 0.1};
    assert_near("lars", 0, (float)update_trusted_rate(&lars, 0.125, 4, 0.25), 0.1 * 0.02 * 2 / 1);
    assert_near("lamb", 0, (float)update_trusted_rate(&lamb, 0.125, 4, 0.25), 0.1 * 4);
    assert_true(update_trusted_rate(&lars, 0.125, 0, 0.25) == 0.1);
    assert_true(update_trusted_rate(&lars, 0.125, 4, 0) == 0.1);
    assert_true(update_trusted_rate(&lamb, 0.125, 0, 0.25) == 0.1);
    assert_true(update_trusted_rate(&lamb, 0.125, 4, 0) == 0.1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_follow_the_formulas),
        cmocka_unit_test(ratios_are_of_norms),
    };
    return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
