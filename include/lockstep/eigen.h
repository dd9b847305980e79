/* eigen: eigenvalues and eigenvectors of small symmetric matrices, the same bits on every
 * processor. Local. */
#ifndef LOCKSTEP_EIGEN_H
#define LOCKSTEP_EIGEN_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of matrix[n][n], which is symmetric and finite and is overwritten: values[n], the largest first,
 * and vectors[n][n], row i the eigenvector of value i, of length 1; where values are equal, in the
 * order that the method leaves. Of each vector the element of largest size is positive, the first
 * one where several are. For n of some hundreds at most: n^3 operations, about ten times. */
void eigen_symmetric(int n, double *matrix, double *values, double *vectors);

#ifdef __cplusplus
}
#endif
#endif
