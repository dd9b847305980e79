/* grouping: how the optimizer falls on a model's parameters: the group of each, which state it
 * keeps, and the ranges of the flat buffers that are updated alike. Device-free, Local. */
#ifndef LOCKSTEP_GROUPING_H
#define LOCKSTEP_GROUPING_H

#include "lockstep/model.h"
#include "lockstep/param_group.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Slots: the optimizer's, and that of Lookahead's slow weights. */
enum { GROUPING_STATES_MAX = 6, GROUPING_SLOTS = UPDATE_SLOTS + 1, SLOT_SLOW = UPDATE_SLOTS };

/* A named piece of optimizer state. Pieces of optimizers that no parameter shares may be in one
 * slot: a flat buffer. */
typedef struct GroupState {
    const char *name; /* "slow", or one of optimizer_slot_name */
    int slot;         /* below GROUPING_SLOTS */
    bool *has;        /* [n_params] whose it is; elsewhere the slot is zero or another's */
} GroupState;

/* Parameters in a row with one group and one weight decay, each updated as a whole or none of them.
 * The first range begins at 0, each ends where the next begins, the last at the model's end. */
typedef struct GroupRange {
    int64_t begin, end;
    int group; /* index in ParamGroups.group */
    double decay;
    bool whole; /* by Grouping.whole */
} GroupRange;

/* A parameter that is updated as a whole. */
typedef struct GroupWhole {
    int param; /* index in Model.params */
    int group;
    double decay;
    int64_t rows, cols; /* dim[0], and the product of the others */
} GroupWhole;

typedef struct Grouping {
    ParamGroups groups;
    int *group_of; /* [n_params] index in groups.group */
    int n_ranges;
    GroupRange *range;
    int n_wholes;
    GroupWhole *whole;             /* update_is_whole, the most work first */
    bool has_slot[GROUPING_SLOTS]; /* flat buffers that the states need */
    int n_states;
    GroupState state[GROUPING_STATES_MAX];
} Grouping;

/* From the text of groups (param_group.h); "": all are the rest. ST_USAGE naming `source`, the line
 * and the nearest names where a pattern matches nothing, or nothing that is left. */
Status grouping_open(const Model *model, const char *text, const char *source, int first_line,
                     const Optimizer *optimizer, const Schedule *schedule, Grouping *grouping);
void grouping_free(Grouping *grouping); /* accepts a zeroed struct */

/* Prints the groups, if there are any, with their parameters. */
void grouping_describe(const Grouping *grouping, const Model *model, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
