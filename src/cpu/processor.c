/* cpu/processor: see processor.h. */
#include "processor.h"

#include "clones.h"

#if FOR_X86
#include <cpuid.h>
#endif
#include <dnnl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool includes(dnnl_cpu_isa_t isa, dnnl_cpu_isa_t part) {
    return (isa & part) == part;
}

static bool has_fma(void) {
#if FOR_X86
    return __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

Processor processor_of_onednn(void) {
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name, *family, *bf16_family;
    } known[] = {
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx", "AVX-512", "AMX"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16", "AVX-512", "AVX-512 BF16"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni", "AVX-512", NULL},
        {dnnl_cpu_isa_avx512_core, "avx512_core", "AVX-512", NULL},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni", "AVX2", NULL},
        {dnnl_cpu_isa_avx2, "avx2", "AVX2", NULL},
        {dnnl_cpu_isa_avx, "avx", "AVX", NULL},
        {dnnl_cpu_isa_sse41, "sse41", "SSE4.1", NULL},
    };
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    Processor processor = {.name = "unknown", .family = "an unknown instruction set"};
    if (!FOR_X86) /* where oneDNN does not say what it takes */
        processor = (Processor){.name = "aarch64", .family = "aarch64"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].isa == isa)
            processor = (Processor){.name = known[i].name,
                                    .family = known[i].family,
                                    .bf16_family = known[i].bf16_family};
    }
    if (includes(isa, dnnl_cpu_isa_avx512_core_bf16) && !processor.bf16_family)
        processor.bf16_family = "AVX-512 BF16";
    processor.wide = includes(isa, dnnl_cpu_isa_avx512_core);
    processor.bf16_vectors = FOR_X86 && includes(isa, dnnl_cpu_isa_avx512_core_bf16) &&
                             !includes(isa, dnnl_cpu_isa_avx512_core_amx);
    processor.f32_vectors = includes(isa, dnnl_cpu_isa_avx2) && !processor.wide && has_fma();
    return processor;
}

/* What a oneDNN that is no use here takes for threads; NULL: OpenMP's, or none. */
static const char *foreign_threads(unsigned runtime) {
    switch (runtime) {
    case DNNL_RUNTIME_SEQ:
    case DNNL_RUNTIME_OMP:
        return NULL;
    case DNNL_RUNTIME_TBB:
        return "the threads of TBB";
    case DNNL_RUNTIME_THREADPOOL:
        return "a caller's thread pool";
    case DNNL_RUNTIME_SYCL:
        return "the threads of SYCL (DPC++)";
    default:
        return "no processor";
    }
}

Status processor_takes_one_thread(void) {
    const dnnl_version_t *version = dnnl_version();
    const char *threads = foreign_threads(version->cpu_runtime);
    if (!threads)
        return ST_OK;
    return FAIL(ST_DEVICE,
                "--device cpu: oneDNN %d.%d.%d, which was loaded, is built for %s: lockstep needs "
                "one that is built for OpenMP or sequential, and LD_LIBRARY_PATH may have hidden "
                "that of `make`",
                version->major, version->minor, version->patch, threads);
}

enum { BRAND_FIRST = 0x80000002, BRAND_LEAVES = 3, BRAND_MAX = 16 * BRAND_LEAVES + 1 };

/* "AMD EPYC 9454 48-Core Processor", or "processor" where it does not say. */
static void brand(char text[BRAND_MAX]) {
    uint32_t word[4 * BRAND_LEAVES] = {0};
#if FOR_X86
    for (unsigned i = 0; i < BRAND_LEAVES; i++) {
        uint32_t *at = word + (size_t)4 * i;
        __get_cpuid(BRAND_FIRST + i, &at[0], &at[1], &at[2], &at[3]);
    }
#endif
    memcpy(text, word, sizeof word);
    text[sizeof word] = '\0';
    for (size_t end = strlen(text); end > 0 && text[end - 1] == ' '; end--)
        text[end - 1] = '\0';
    if (text[0] == '\0')
        strcpy(text, "processor");
}

Status processor_has_bf16(const Processor *processor) {
    char name[BRAND_MAX];
    if (processor->bf16_family)
        return ST_OK;
    brand(name);
    return FAIL(ST_USAGE,
                "--precision bf16: --device cpu wants a processor with AVX512-BF16, which this %s "
                "has not: oneDNN takes %s here%s; leave --precision out, or use --device cuda",
                name, processor->name,
                getenv("ONEDNN_MAX_CPU_ISA") ? " (ONEDNN_MAX_CPU_ISA is set)" : "");
}
