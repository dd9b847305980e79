/* param_group: groups of parameters that are optimized otherwise than the rest. Local.
 *
 * The text has one group a line: `PATTERN[,PATTERN]... key[=value]...`; `#` starts a comment. A
 * pattern is a shell pattern on a parameter's name (conv1.weight, bn*.bias), or KIND:PATTERN, of
 * the roles of all layers of a kind (bn:bias, conv:*), whatever their labels. A parameter belongs
 * to the first line that matches it. What a line does not say is as for the rest. */
#ifndef LOCKSTEP_PARAM_GROUP_H
#define LOCKSTEP_PARAM_GROUP_H

#include "lockstep/optim.h"
#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GROUPS_MAX = 32, GROUP_LINE_MAX = 256 };

typedef struct ParamGroup {
    int line;                  /* of the text, from 1; 0: the rest */
    char text[GROUP_LINE_MAX]; /* its words, a blank between them */
    char pattern[GROUP_LINE_MAX];
    Optimizer optimizer; /* the run's, with what the line says */
    bool decays;         /* weight-decay is named: it is of all parameters of the group */
    double lr_factor;    /* on the learning rate of the schedule, or of the points */
    double lr;           /* instead of optimizer.lr; 0: not named */
    int n_points;        /* 0: the run's schedule, warm-up included; else these instead of it */
    double point_at[SCHEDULE_POINTS_MAX], point_value[SCHEDULE_POINTS_MAX];
    ScheduleUnit unit; /* of the points; the run's unless named */
    bool frozen;
    double frozen_after; /* epochs; 0: never */
} ParamGroup;

typedef struct ParamGroups {
    int n;                            /* lines */
    ParamGroup group[GROUPS_MAX + 1]; /* [n] is the rest */
} ParamGroups;

/* ST_USAGE naming `source`, the line (counted from first_line) and the nearest known word. */
Status param_groups_parse(const char *text, const char *source, int first_line,
                          const Optimizer *optimizer, const Schedule *schedule,
                          ParamGroups *groups);

/* What a schedule decides of a step for a group. `schedule`: the run's. */
Rates param_group_rates(const ParamGroup *group, const Schedule *schedule, const Plateau *plateau,
                        int64_t step, int64_t steps_per_epoch);

/* Whether its parameters stay as they are in `step`. */
bool param_group_frozen(const ParamGroup *group, int64_t step, int64_t steps_per_epoch);

/* Where its points end, in epochs; 0: it has none. `schedule`: the run's. */
double param_group_end(const ParamGroup *group, const Schedule *schedule, int64_t steps_per_epoch);

#ifdef __cplusplus
}
#endif
#endif
