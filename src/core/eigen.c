/* eigen: Jacobi's method, cyclic by rows (Golub and Van Loan, "Matrix Computations", section 8.5).
 * It takes + - * / sqrt alone, which IEEE 754 rounds correctly everywhere, in one order. */
#include "lockstep/eigen.h"

#include <math.h>
#include <stdbool.h>

/* Ten sweeps are usual; the bound is for what should not be. */
enum { SWEEPS_MAX = 64 };

static double norm(int n, const double *matrix) {
    double sum = 0;
    for (int i = 0; i < n * n; i++)
        sum += matrix[i] * matrix[i];
    return sqrt(sum);
}

/* (x, y) -> (c x - s y, s x + c y), for `count` pairs at distance `step`. */
static void rotate(int count, int step, double *x, double *y, double c, double s) {
    for (int i = 0; i < count * step; i += step) {
        double old = x[i];
        x[i] = c * old - s * y[i];
        y[i] = s * old + c * y[i];
    }
}

/* Turns the plane of p and q so that matrix[p][q] becomes 0; the vectors, kept as rows, with it. */
static void annihilate(int n, double *matrix, double *vectors, int p, int q) {
    double off = matrix[p * n + q];
    double tau = (matrix[q * n + q] - matrix[p * n + p]) / (2 * off);
    double root = fabs(tau) + sqrt(1 + tau * tau), t = tau < 0 ? -1 / root : 1 / root;
    double c = 1 / sqrt(1 + t * t), s = t * c;
    rotate(n, 1, matrix + p * n, matrix + q * n, c, s);
    rotate(n, n, matrix + p, matrix + q, c, s);
    rotate(n, 1, vectors + p * n, vectors + q * n, c, s);
    matrix[p * n + q] = matrix[q * n + p] = 0;
}

/* One visit to each pair; false: nothing was left to do. */
static bool sweep(int n, double *matrix, double *vectors, double least) {
    bool turned = false;
    for (int p = 0; p < n; p++) {
        for (int q = p + 1; q < n; q++) {
            if (fabs(matrix[p * n + q]) <= least)
                continue;
            annihilate(n, matrix, vectors, p, q);
            turned = true;
        }
    }
    return turned;
}

static void swap_rows(int n, double *values, double *vectors, int i, int j) {
    double value = values[i];
    values[i] = values[j];
    values[j] = value;
    for (int k = 0; k < n; k++) {
        double element = vectors[i * n + k];
        vectors[i * n + k] = vectors[j * n + k];
        vectors[j * n + k] = element;
    }
}

/* By insertion: equal values stay in their order. */
static void sort(int n, double *values, double *vectors) {
    for (int i = 1; i < n; i++) {
        for (int j = i; j > 0 && values[j] > values[j - 1]; j--)
            swap_rows(n, values, vectors, j, j - 1);
    }
}

static void set_sign(int n, double *vector) {
    int largest = 0;
    for (int k = 1; k < n; k++)
        largest = fabs(vector[k]) > fabs(vector[largest]) ? k : largest;
    if (vector[largest] >= 0)
        return;
    for (int k = 0; k < n; k++)
        vector[k] = -vector[k];
}

void eigen_symmetric(int n, double *matrix, double *values, double *vectors) {
    double least = 0x1p-60 * norm(n, matrix);
    for (int i = 0; i < n * n; i++)
        vectors[i] = i % (n + 1) == 0;
    for (int i = 0; i < SWEEPS_MAX && sweep(n, matrix, vectors, least); i++)
        ;
    for (int i = 0; i < n; i++)
        values[i] = matrix[i * n + i];
    sort(n, values, vectors);
    for (int i = 0; i < n; i++)
        set_sign(n, vectors + i * n);
}
