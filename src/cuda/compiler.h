/* cuda/compiler: NVRTC, with which cuDNN compiles engines as they are planned (batch norm, pooling,
 * products; convolutions come compiled).
 *
 * cuDNN opens libnvrtc itself, which opens libnvrtc-builtins by its bare name. The loader finds
 * that one in LD_LIBRARY_PATH and among the system's libraries only, not beside libnvrtc: where
 * CUDA comes as NVIDIA's wheels it is in neither. cuDNN then has none of these engines, and says
 * nothing. A library that is loaded already is found by its name, wherever it lies. Local. */
#ifndef LOCKSTEP_CUDA_COMPILER_H
#define LOCKSTEP_CUDA_COMPILER_H

#include <stdbool.h>

/* Loads both libraries, which stay loaded, from where cuDNN would find the first. To be called
 * before cudnnCreate; what is missing is no error. */
void compiler_load(void);

enum { COMPILER_TEXT_MAX = 512 };

/* "NVRTC 13.0", or "no NVRTC". */
void compiler_name(char text[COMPILER_TEXT_MAX]);

/* Whether both are loaded. */
bool compiler_is_whole(void);

/* What cuDNN lacks to compile, as far as that is known, and what to do. */
void compiler_advise(char text[COMPILER_TEXT_MAX]);

#endif
