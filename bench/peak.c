/* peak: the most that this machine's cores do: fp32 multiply-adds, dot products of bfloat16, and
 * bytes to and from memory. Each on T threads at once, on data of their own; the best of RUNS.
 *
 * Multiply-adds run in registers alone, in as many chains as hide their latency. Memory is a
 * triad, a = b + 3 c, over arrays beyond any cache; counted are the three passes that the program
 * makes, not the read of `a` that the processor adds. A multiply-add is two operations.
 *
 *     build/bench/peak [--threads T] [--json] */
#include <immintrin.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/clock.h"

enum { RUNS = 7, THREADS_MAX = 256, CHAINS = 20, CHAINS_AVX2 = 12, TURNS = 4 << 20 };
enum { TRIAD_FLOATS = 24 << 20, PASSES = 3 }; /* of each of three arrays, all threads together */

typedef struct Load Load;

/* One thread. */
typedef struct Worker {
    pthread_t thread;
    const Load *load;
    float *a, *b, *c; /* [floats] */
    int64_t floats;
    float sink; /* so that nothing is left out */
} Worker;

/* Something to do once: `amount` of it a thread. */
struct Load {
    const char *name, *key, *unit;
    void (*run)(Worker *worker);
    double amount; /* operations, or bytes an element */
    bool memory, there;
    pthread_barrier_t *barrier;
    double *start, *end; /* seconds of this run: of the first to start, the last to end */
};

__attribute__((target("avx512f"))) static void fma_wide(Worker *worker) {
    __m512 sum[CHAINS], x = _mm512_set1_ps(0.999999F), y = _mm512_set1_ps(1e-6F);
    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int turn = 0; turn < TURNS; turn++) {
#pragma GCC unroll 20
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], x, y);
    }
    for (int i = 1; i < CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    worker->sink += _mm512_reduce_add_ps(sum[0]);
}

__attribute__((target("avx2,fma"))) static void fma_avx2(Worker *worker) {
    __m256 sum[CHAINS_AVX2], x = _mm256_set1_ps(0.999999F), y = _mm256_set1_ps(1e-6F);
    for (int i = 0; i < CHAINS_AVX2; i++)
        sum[i] = _mm256_set1_ps((float)i);
    for (int turn = 0; turn < TURNS; turn++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS_AVX2; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], x, y);
    }
    for (int i = 1; i < CHAINS_AVX2; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    worker->sink += _mm256_cvtss_f32(sum[0]);
}

__attribute__((target("avx512f,avx512bf16"))) static void dot_bf16(Worker *worker) {
    enum { ONE = 0x3f80, SMALL = 0x3080 }; /* 1 and 2^-30 in bfloat16 */
    __m512 sum[CHAINS];
    __m512i one = _mm512_set1_epi16(ONE), small = _mm512_set1_epi16(SMALL);
    __asm__ volatile("" : "+v"(one), "+v"(small)); /* not known while compiling */
    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int turn = 0; turn < TURNS; turn++) {
#pragma GCC unroll 20
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], (__m512bh)one, (__m512bh)small);
    }
    for (int i = 1; i < CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    worker->sink += _mm512_reduce_add_ps(sum[0]);
}

static void triad(Worker *worker) {
    for (int64_t i = 0; i < worker->floats; i++)
        worker->a[i] = worker->b[i] + 3 * worker->c[i];
    worker->sink += worker->a[worker->floats / 2];
}

/* ---- Measuring ---- */

static void *work(void *argument) {
    Worker *worker = argument;
    const Load *load = worker->load;
    for (int run = 0; run < RUNS; run++) {
        if (pthread_barrier_wait(load->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            *load->start = clock_now();
        load->run(worker);
        if (pthread_barrier_wait(load->barrier) != PTHREAD_BARRIER_SERIAL_THREAD)
            continue;
        double taken = clock_now() - *load->start;
        if (*load->end == 0 || taken < *load->end)
            *load->end = taken;
    }
    return NULL;
}

/* Amount a second of all threads, in units of 1e9; negative where a thread cannot be started. */
static double measure(Load *load, Worker *workers, int threads) {
    pthread_barrier_t barrier;
    double start = 0, best = 0, amount = 0;
    load->barrier = &barrier;
    load->start = &start;
    load->end = &best;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int t = 0; t < threads; t++) {
        workers[t].load = load;
        amount += load->memory ? load->amount * (double)workers[t].floats : load->amount;
        if (pthread_create(&workers[t].thread, NULL, work, &workers[t]) != 0)
            return -1; /* those that wait at the barrier end with the process */
    }
    for (int t = 0; t < threads; t++)
        pthread_join(workers[t].thread, NULL);
    pthread_barrier_destroy(&barrier);
    return 1e-9 * amount / best;
}

static bool open_workers(Worker *workers, int threads) {
    int64_t floats = TRIAD_FLOATS / threads;
    for (int t = 0; t < threads; t++) {
        Worker *worker = &workers[t];
        worker->floats = floats;
        worker->a = malloc((size_t)PASSES * (size_t)floats * sizeof *worker->a);
        if (!worker->a)
            return false;
        worker->b = worker->a + floats;
        worker->c = worker->b + floats;
        for (int64_t i = 0; i < PASSES * floats; i++)
            worker->a[i] = 1;
    }
    return true;
}

static int fault(const char *text) {
    fprintf(stderr, "peak: %s\n", text);
    return 1;
}

int main(int argc, char **argv) {
    static Worker workers[THREADS_MAX];
    int threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = atoi(argv[++i]);
        else
            return fault("usage: peak [--threads T] [--json]");
    }
    if (threads < 1 || threads > THREADS_MAX)
        return fault("--threads: 1 to 256");
    bool wide = __builtin_cpu_supports("avx512f") != 0;
    bool bf16 = wide && __builtin_cpu_supports("avx512bf16") != 0;
    if (!wide && !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
        return fault("this processor has neither AVX-512 nor AVX2 with FMA");
    if (!open_workers(workers, threads))
        return fault("out of memory");
    Load loads[] = {
        {.name = "fp32",
         .key = "fp32_gflops",
         .unit = "GFLOP/s",
         .run = wide ? fma_wide : fma_avx2,
         .amount = 2.0 * TURNS * (wide ? 16 * CHAINS : 8 * CHAINS_AVX2),
         .there = true},
        {.name = "bf16",
         .key = "bf16_gflops",
         .unit = "GFLOP/s",
         .run = dot_bf16,
         .amount = 2.0 * TURNS * 32 * CHAINS,
         .there = bf16},
        {.name = "memory",
         .key = "memory_gbs",
         .unit = "GB/s",
         .run = triad,
         .amount = PASSES * sizeof(float),
         .memory = true,
         .there = true},
    };
    printf(json ? "{\"threads\": %d" : "peak of %d threads", threads);
    for (size_t l = 0; l < sizeof loads / sizeof *loads; l++) {
        double rate = loads[l].there ? measure(&loads[l], workers, threads) : 0;
        if (rate < 0)
            return fault("cannot start a thread");
        if (json)
            printf(", \"%s\": %.2f", loads[l].key, rate);
        else if (loads[l].there)
            printf("%s %s %.1f %s", l == 0 ? ":" : ",", loads[l].name, rate, loads[l].unit);
    }
    printf(json ? "}\n" : "\n");
    return 0;
}
