/* timeline: see timeline.h. */
#include "timeline.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 256 };

static bool read_line(const char *line, Pattern *p) {
    PatternLayer *layer = &p->layer[p->layers];
    PatternMessage *message = &p->message[p->messages];
    if (sscanf(line, "pattern %63s %63s %ld %ld %d %d", p->name, p->reduction, &p->parameters,
               &p->flat, &p->buckets, &p->moved) == 6)
        return p->buckets <= PATTERN_MESSAGES;
    if (sscanf(line, "layer %*s %lf %lf %lf %d", &layer->forward, &layer->backward,
               &layer->elements, &layer->ready) == 4)
        return ++p->layers < PATTERN_LAYERS;
    if (sscanf(line, "message %d %ld %d", &message->bucket, &message->count, &message->bytes) == 3)
        return ++p->messages < PATTERN_MESSAGES && message->bucket < p->buckets;
    return false;
}

bool pattern_read(const char *file, Pattern *pattern) {
    char line[LINE_MAX_BYTES];
    bool good = true;
    int number = 0;
    FILE *in = fopen(file, "r");
    memset(pattern, 0, sizeof *pattern);
    while (in && good && fgets(line, sizeof line, in)) {
        number++;
        good = read_line(line, pattern);
    }
    if (in)
        fclose(in);
    good = good && pattern->layers > 0 && pattern->messages > 0;
    if (!good)
        fprintf(stderr, "%s:%d: not a pattern; write it with build/bench/scale/pattern\n", file,
                number);
    return good;
}

/* Of one direction: `passes` times the values of forward are moved. */
static double layer_seconds(const PatternLayer *layer, double multiply_adds, double passes,
                            const Rates *rates) {
    double compute = rates->flops > 0 ? 2 * multiply_adds * rates->images / rates->flops : 0;
    double moved = passes * layer->elements * rates->value_bytes * rates->images;
    double memory = rates->memory > 0 ? moved / rates->memory : 0;
    return (compute > memory ? compute : memory) + rates->kernel_s;
}

void timeline_make(const Pattern *pattern, const Rates *rates, double computed,
                   Timeline *timeline) {
    double clock = rates->step_s;
    int next = pattern->buckets - 1;
    for (int i = 0; i < pattern->layers; i++)
        clock += layer_seconds(&pattern->layer[i], pattern->layer[i].forward, 1, rates);
    for (int i = pattern->layers - 1; i >= 0; i--) {
        const PatternLayer *layer = &pattern->layer[i];
        clock += layer_seconds(layer, layer->backward, 2, rates);
        while (layer->ready >= 0 && next >= layer->ready)
            timeline->ready[next--] = clock;
    }
    timeline->computed = clock;
    timeline->ready[0] = clock; /* waits for the tail */
    if (computed > 0) {
        for (int b = 0; b < pattern->buckets; b++)
            timeline->ready[b] *= computed / clock;
        timeline->computed = computed;
    }
    double moved = (double)pattern->flat * pattern->moved;
    timeline->update = rates->memory > 0 ? moved / rates->memory : 0;
}
