/* step: one training step's communication on a simulated cluster (SimGrid's SMPI, smpicc).
 *
 * One process a node. It is the trainer's reducer: it waits until the next bucket is ready on the
 * timeline, reduces it within the node, sums it over nodes with MPI_Allreduce, spreads it within
 * the node, and goes on to the next lower one. GPUs within a node are a formula (ring
 * reduce-scatter and all-gather), nodes are simulated.
 *
 * Messages are SHRINK times smaller than they are, on links SHRINK times slower: the same times for
 * a hundredth of the memory.
 *
 *     smpirun ... step PATTERN gpus=N [gpus=N]... [KEY=VALUE]...    keys: see set_option
 *
 * Prints NAME,REDUCTION,NODES,GPUS,STEP,COMPUTE,EXPOSED,BUSY,EFFICIENCY; seconds. */
#include <mpi.h>
#include <smpi/smpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline.h"

enum { SHRINK = 100, GPU_COUNTS = 4, SIZES = 8 };

typedef struct Options {
    Rates rates;
    double computed;         /* s, shared out by the rates; 0: from the rates */
    double gpus[GPU_COUNTS]; /* of a node; one line of output for each */
    int n_gpus;
    double nvlink;    /* bytes/s of a GPU each way */
    double message_s; /* of a message before it leaves */
    double every; /* 0: the first all-reduce of a size is simulated, others take as long; 1: all */
} Options;

/* What all-reduces over nodes took. */
typedef struct Network {
    double bytes[SIZES], seconds[SIZES];
    int sizes;
} Network;

static bool set_option(Options *o, const char *word) {
    struct {
        const char *key;
        double *value;
    } keys[] = {{"images", &o->rates.images},     {"flops", &o->rates.flops},
                {"memory", &o->rates.memory},     {"value-bytes", &o->rates.value_bytes},
                {"kernel-s", &o->rates.kernel_s}, {"step-s", &o->rates.step_s},
                {"computed-s", &o->computed},     {"every", &o->every},
                {"nvlink", &o->nvlink},           {"message-s", &o->message_s}};
    const char *equals = strchr(word, '=');
    if (strncmp(word, "gpus=", 5) == 0 && o->n_gpus < GPU_COUNTS)
        return (o->gpus[o->n_gpus++] = atof(word + 5)) >= 1;
    for (size_t i = 0; equals && i < sizeof keys / sizeof *keys; i++) {
        size_t length = (size_t)(equals - word);
        if (strlen(keys[i].key) == length && strncmp(keys[i].key, word, length) == 0) {
            char *end;
            *keys[i].value = strtod(equals + 1, &end);
            return *end == 0 && end != equals + 1;
        }
    }
    return false;
}

static void wait_until(double when) {
    double left = when - MPI_Wtime();
    if (left > 0)
        smpi_execute(left);
}

/* All-reduce over nodes, buffers as large as the largest message. Sizes of a pattern differ by less
 * than a percent (bucket 0 and its tail apart), and nodes start together: without `every`, those
 * within 2 % of one that was simulated take as long as it did, in proportion. */
static void over_nodes(double bytes, const Options *o, Network *network, void *from, void *to) {
    for (int i = 0; o->every == 0 && i < network->sizes; i++) {
        double ratio = bytes / network->bytes[i];
        if (ratio > 0.98 && ratio < 1.02) {
            smpi_execute(network->seconds[i] * ratio);
            return;
        }
    }
    double start = MPI_Wtime();
    MPI_Allreduce(from, to, (int)(bytes / SHRINK / 8) + 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (network->sizes < SIZES) {
        network->bytes[network->sizes] = bytes;
        network->seconds[network->sizes++] = MPI_Wtime() - start;
    }
}

static void reduce(const PatternMessage *message, const Options *o, double gpus, Network *network,
                   void *from, void *to) {
    double bytes = (double)message->count * message->bytes;
    double inside = gpus > 1 && o->nvlink > 0 ? (gpus - 1) / gpus * bytes / o->nvlink : 0;
    smpi_execute(o->message_s + inside);
    over_nodes(bytes, o, network, from, to);
    smpi_execute(inside);
}

static double largest_message(const Pattern *pattern) {
    double most = 0;
    for (int i = 0; i < pattern->messages; i++) {
        double bytes = (double)pattern->message[i].count * pattern->message[i].bytes;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void run_step(const Pattern *pattern, const Options *o, double gpus, Network *network,
                     void *from, void *to) {
    static Timeline timeline; /* the same on every node */
    int rank, size;
    double busy = 0, slowest;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    timeline_make(pattern, &o->rates, o->computed, &timeline);
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < pattern->messages; i++) {
        const PatternMessage *message = &pattern->message[i];
        wait_until(start + timeline.ready[message->bucket]);
        double began = MPI_Wtime();
        reduce(message, o, gpus, network, from, to);
        busy += MPI_Wtime() - began;
    }
    double step = MPI_Wtime() - start + timeline.update;
    MPI_Allreduce(&step, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    double alone = timeline.computed + timeline.update;
    if (rank == 0)
        printf("%s,%s,%d,%.0f,%.6f,%.6f,%.6f,%.6f,%.4f\n", pattern->name, pattern->reduction, size,
               gpus, slowest, alone, slowest - alone, busy, alone / slowest);
}

/* One step for each number of GPUs a node. */
static void run_steps(const Pattern *pattern, const Options *o) {
    Network network = {.sizes = 0};
    size_t room = (size_t)(largest_message(pattern) / SHRINK) + 64;
    void *from = SMPI_SHARED_MALLOC(room), *to = SMPI_SHARED_MALLOC(room);
    for (int i = 0; i < o->n_gpus; i++)
        run_step(pattern, o, o->gpus[i], &network, from, to);
    SMPI_SHARED_FREE(from);
    SMPI_SHARED_FREE(to);
}

int main(int argc, char **argv) {
    static Pattern pattern; /* nodes run in turn and read the same file */
    Options options = {.every = 0};
    bool good = argc > 1;
    MPI_Init(&argc, &argv);
    for (int i = 2; i < argc && good; i++) {
        good = set_option(&options, argv[i]);
        if (!good)
            fprintf(stderr, "step: '%s' is no option\n", argv[i]);
    }
    if (good && options.computed > 0 && options.rates.flops <= 0) {
        fprintf(stderr, "step: computed-s is shared out by the layers' work: say flops as well\n");
        good = false;
    }
    good = good && pattern_read(argv[1], &pattern);
    if (good)
        run_steps(&pattern, &options);
    MPI_Finalize();
    return good ? 0 : 2;
}
