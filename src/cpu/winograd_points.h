/* cpu/winograd_points: Winograd's algorithm F(4, 3) along one dimension, on vectors of channels: to
 * be included behind the header that says what a Vector is (f32_vector.h, bf16_vector.h).
 *
 * 4 outputs follow from 6 inputs and 3 weights. With matrices A, B, G
 *     y = A^T [(G w) . (B^T x)]           output y, weights w, input x; . element-wise
 *     dw = G^T [(B^T x) . (A dy)]
 * (Winograd 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). The
 * matrices follow from the points at which polynomials are evaluated (Cook and Toom): 0, 11/16,
 * -11/16, 3/2, -3/2 and infinity, where the usual 0, 1, -1, 2, -2 would lose more digits (Barabasz
 * et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
 * Networks", 2020, search for such points). They also break the ties of equal neighbours, which a
 * gradient behind max pooling is full of: in bfloat16 their sums would all round one way.
 *
 * In two dimensions the same is done down the columns of a tile, then along its rows. Header only.
 */
#ifndef LOCKSTEP_CPU_WINOGRAD_POINTS_H
#define LOCKSTEP_CPU_WINOGRAD_POINTS_H

enum { POINTS = 6, POINT_OUTPUTS = 4, POINT_TAPS = 3 };

/* The points P and Q, their squares, and the two products of differences between points by which
 * weights are divided (those of 0, and those of infinity, are PP QQ and 1). */
#define P    0.6875f
#define Q    1.5f
#define PP   (P * P)
#define QQ   (Q * Q)
#define BY_P (1 / (2 * PP * (PP - QQ)))
#define BY_Q (1 / (2 * QQ * (QQ - PP)))

/* B^T x: the value at p is the polynomial with the other points as roots, that of the first point
 * PP QQ - (PP + QQ) t^2 + t^4 with t^k read as x[k]. */
VECTOR_IN void points_of_input(Vector v[POINTS], const Vector x[POINTS]) {
    Vector even_p = vector_fma(x[2], -QQ, x[4]), odd_p = vector_fma(x[1], -QQ, x[3]);
    Vector even_q = vector_fma(x[2], -PP, x[4]), odd_q = vector_fma(x[1], -PP, x[3]);
    v[0] = vector_fma(x[2], -(PP + QQ), vector_fma(x[0], PP * QQ, x[4]));
    v[1] = vector_fma(odd_p, P, even_p);
    v[2] = vector_fma(odd_p, -P, even_p);
    v[3] = vector_fma(odd_q, Q, even_q);
    v[4] = vector_fma(odd_q, -Q, even_q);
    v[5] = vector_fma(x[3], -(PP + QQ), vector_fma(x[1], PP * QQ, x[5]));
}

/* A^T m: y[k] = sum over points of point^k m, and of infinity in the last. */
VECTOR_IN void points_to_output(Vector y[POINT_OUTPUTS], const Vector m[POINTS]) {
    Vector even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
    y[0] = m[0] + even_p + even_q;
    y[1] = vector_fma(odd_p, P, vector_scale(odd_q, Q));
    y[2] = vector_fma(even_p, PP, vector_scale(even_q, QQ));
    y[3] = vector_fma(odd_p, P * PP, vector_fma(odd_q, Q * QQ, m[5]));
}

/* A dy: the transpose of points_to_output. */
VECTOR_IN void points_of_gradient(Vector v[POINTS], const Vector y[POINT_OUTPUTS]) {
    Vector even_p = vector_fma(y[2], PP, y[0]), odd_p = vector_fma(y[3], PP, y[1]);
    Vector even_q = vector_fma(y[2], QQ, y[0]), odd_q = vector_fma(y[3], QQ, y[1]);
    v[0] = y[0];
    v[1] = vector_fma(odd_p, P, even_p);
    v[2] = vector_fma(odd_p, -P, even_p);
    v[3] = vector_fma(odd_q, Q, even_q);
    v[4] = vector_fma(odd_q, -Q, even_q);
    v[5] = y[3];
}

/* G w: the polynomial w0 + w1 t + w2 t^2 at each point, over its product of differences. */
VECTOR_IN void points_of_weights(Vector u[POINTS], const Vector w[POINT_TAPS]) {
    Vector even_p = vector_scale(vector_fma(w[2], PP, w[0]), BY_P);
    Vector even_q = vector_scale(vector_fma(w[2], QQ, w[0]), BY_Q);
    u[0] = vector_scale(w[0], 1 / (PP * QQ));
    u[1] = vector_fma(w[1], BY_P * P, even_p);
    u[2] = vector_fma(w[1], -BY_P * P, even_p);
    u[3] = vector_fma(w[1], BY_Q * Q, even_q);
    u[4] = vector_fma(w[1], -BY_Q * Q, even_q);
    u[5] = w[2];
}

/* G^T s: the transpose of points_of_weights. */
VECTOR_IN void points_to_weights(Vector w[POINT_TAPS], const Vector s[POINTS]) {
    Vector even_p = s[1] + s[2], odd_p = s[1] - s[2], even_q = s[3] + s[4], odd_q = s[3] - s[4];
    w[0] = vector_fma(s[0], 1 / (PP * QQ), vector_fma(even_p, BY_P, vector_scale(even_q, BY_Q)));
    w[1] = vector_fma(odd_p, BY_P * P, vector_scale(odd_q, BY_Q * Q));
    w[2] = vector_fma(even_p, BY_P * PP, vector_fma(even_q, BY_Q * QQ, s[5]));
}

#endif
