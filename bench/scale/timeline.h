/* timeline: when the buckets of one training step become ready, on one rank.
 *
 * A pattern file, written by build/bench/scale/pattern from the recipe through the trainer's own
 * model and bucket rules, lists layers and messages:
 *
 *     pattern NAME REDUCTION PARAMETERS FLAT BUCKETS MOVED
 *     layer NAME FORWARD BACKWARD ELEMENTS READY   in text order
 *     message BUCKET COUNT BYTES                   as they leave: bucket BUCKETS - 1 first, 0 last
 *
 * FORWARD and BACKWARD are multiply-adds of an image, ELEMENTS its values read and written forward;
 * once backward has passed the layer, buckets READY and up are complete (-1: none more). BYTES is
 * that of one element: 8 exact, 4 exact32 and native; MOVED of one in device memory from the last
 * sum to the next step. Plain C: the simulation includes no lockstep header. */
#ifndef BENCH_SCALE_TIMELINE_H
#define BENCH_SCALE_TIMELINE_H

#include <stdbool.h>

enum { PATTERN_LAYERS = 512, PATTERN_MESSAGES = 4096, PATTERN_NAME = 64 };

typedef struct PatternLayer {
    double forward, backward, elements;
    int ready;
} PatternLayer;

typedef struct PatternMessage {
    int bucket;
    long count; /* elements */
    int bytes;  /* of an element */
} PatternMessage;

typedef struct Pattern {
    char name[PATTERN_NAME], reduction[PATTERN_NAME];
    long parameters, flat;
    int buckets, moved, layers, messages;
    PatternLayer layer[PATTERN_LAYERS];
    PatternMessage message[PATTERN_MESSAGES];
} Pattern;

/* What a rank's processor does in a second. Zero rates cost nothing. */
typedef struct Rates {
    double images;      /* of a rank and step */
    double flops;       /* two a multiply-add */
    double memory;      /* bytes a second */
    double value_bytes; /* of an activation */
    double kernel_s;    /* of a layer and direction besides */
    double step_s;      /* of a step besides */
} Rates;

typedef struct Timeline {
    double ready[PATTERN_MESSAGES]; /* s from the step's start, by bucket */
    double computed;                /* end of backward */
    double update;                  /* from the last sum to the next step's start */
} Timeline;

/* False, with a message on standard error, where the file is no pattern. */
bool pattern_read(const char *file, Pattern *pattern);

/* `computed` > 0: forward and backward are stretched to take that long together. */
void timeline_make(const Pattern *pattern, const Rates *rates, double computed, Timeline *timeline);

#endif
