/* In place of what the processor is (the linker's --wrap): one with AVX512-BF16, so that the code
 * for it runs, as immintrin.h compiles it. oneDNN knows better, and has no bfloat16 here. */
#include "../../src/cpu/processor.h"

Processor __real_processor_of_onednn(void); /* NOLINT: the linker's name */
Processor __wrap_processor_of_onednn(void);

Processor __wrap_processor_of_onednn(void) {
    Processor processor = __real_processor_of_onednn();
    processor.bf16_family = "AVX512-BF16 in emulation";
    processor.wide = true;
    processor.bf16_vectors = true;
    processor.f32_vectors = false;
    return processor;
}
