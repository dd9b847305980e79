/* cuda/graph_internal: what a Graph is, for the files that build, choose for, bind and time one. */
#ifndef LOCKSTEP_CUDA_GRAPH_INTERNAL_H
#define LOCKSTEP_CUDA_GRAPH_INTERNAL_H

#include "graph.h"

typedef cudnnBackendDescriptor_t Desc;

enum { GRAPH_DESCRIPTORS_MAX = 48 };

struct Graph {
    char name[GRAPH_NAME_MAX]; /* says all that it depends on besides the target */
    int references;
    Graph *next; /* in the target's cache */
    GraphInfo info;
    uint32_t roles;            /* bit ROLE_x: has a pointer in the variant pack */
    size_t bytes[GRAPH_ROLES]; /* of its tensor, dense */
    float value[GRAPH_ROLES];  /* of roles passed by value */
    uint32_t values;           /* bit ROLE_x: passed by value */
    int n_owned;
    Desc owned[GRAPH_DESCRIPTORS_MAX]; /* cuDNN may look at them for as long as the plan lives */
    Desc plan;
};

/* An engine that can run a graph. */
typedef struct Candidate {
    Desc config, plan; /* owned */
    GraphInfo info;
} Candidate;

enum { CANDIDATES_MAX = 8 }; /* that are timed for one graph */

/* Choices on record, and how new ones are made (tune.c): what graph_choose.c asks of them. A choice
 * is GraphInfo's text. */
struct Chooser {
    void *context;
    /* The choice on record for the graph of that name, or NULL. */
    const char *(*find)(void *context, const char *name);
    /* Whether a graph without a choice is to be timed now. */
    bool (*is_timing)(void *context);
    /* Runs all candidates, in turns, on scratch memory, and says which was the fastest. One that
     * cannot run is never it. */
    Status (*time)(void *context, Graph *graph, const Candidate *candidate, int n, int *fastest);
    /* Puts a choice on record. `timed`: not merely the rule's; `gained`: another one than the
     * rule's. */
    Status (*keep)(void *context, const char *name, const char *choice, bool timed, bool gained);
    /* ST_CHECKPOINT: cuDNN has no such engine for the graph, or the rule forbids it. */
    Status (*refuse)(void *context, const char *name, const char *choice);
};

/* Frees a graph that no cache holds; accepts NULL. */
void graph_destroy(Graph *graph);

#endif
