/* grouping: see grouping.h. */
#include "lockstep/grouping.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/parse.h"

typedef struct Source {
    const char *name;
    int first_line;
} Source;

#define FAIL_IN(source, group, format, ...)                                                        \
    FAIL(ST_USAGE, "%s:%d: " format, (source)->name, (source)->first_line + (group)->line - 1,     \
         ##__VA_ARGS__)

/* Of KIND:PATTERN the length of KIND, else -1. */
static int kind_length(const char *pattern) {
    const char *colon = strchr(pattern, ':');
    return colon ? (int)(colon - pattern) : -1;
}

static bool matches(const char *pattern, const Model *model, const ParamView *view) {
    const char *kind = layer_type(model->layers[view->layer].kind)->name;
    int length = kind_length(pattern);
    if (length < 0)
        return fnmatch(pattern, view->name, 0) == 0;
    return (int)strlen(kind) == length && strncmp(pattern, kind, (size_t)length) == 0 &&
           fnmatch(pattern + length + 1, view->spec.role, 0) == 0;
}

/* The nearest name, or all where none is near: of parameters, or of kinds. */
static Status no_match(const Source *source, const ParamGroup *group, const char *pattern,
                       const Model *model) {
    const char **names = calloc((size_t)model->n_params + LAYER_KINDS + 1, sizeof *names);
    char word[GROUP_LINE_MAX], list[512] = "";
    int n = 0, length = kind_length(pattern);
    TRY_ALLOC(names);
    snprintf(word, sizeof word, "%.*s", length < 0 ? GROUP_LINE_MAX - 1 : length, pattern);
    for (int k = 0; length >= 0 && k < LAYER_KINDS; k++)
        names[n++] = layer_type((LayerKind)k)->name;
    for (int p = 0; length < 0 && p < model->n_params; p++)
        names[n++] = model->params[p].name;
    const char *near = nearest_name(word, names);
    for (int i = 0; length < 0 && i < n && strlen(list) + PARAM_NAME_MAX < sizeof list - 8; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s%s", i == 0 ? "" : ", ", names[i],
                 i + 1 < n && used + 2 * PARAM_NAME_MAX >= sizeof list - 8 ? ", ..." : "");
    }
    free(names);
    if (near && strcmp(near, word) != 0)
        return FAIL_IN(source, group, "'%s' matches no parameter; did you mean '%s%s'?", pattern,
                       near, length < 0 ? "" : pattern + length);
    if (length >= 0)
        return FAIL_IN(source, group, "'%s' matches no parameter; the model has no '%s' with it",
                       pattern, word);
    return FAIL_IN(source, group, "'%s' matches no parameter; there are %s", pattern, list);
}

/* Gives the parameters that one of the line's patterns matches to group g. */
static Status claim(const Source *source, const Model *model, Grouping *grouping, int g) {
    const ParamGroup *group = &grouping->groups.group[g];
    char patterns[GROUP_LINE_MAX], *rest = NULL;
    int claimed = 0;
    memcpy(patterns, group->pattern, sizeof patterns);
    for (char *pattern = strtok_r(patterns, ",", &rest); pattern;
         pattern = strtok_r(NULL, ",", &rest)) {
        int found = 0;
        for (int p = 0; p < model->n_params; p++) {
            if (!matches(pattern, model, &model->params[p]))
                continue;
            found++;
            if (grouping->group_of[p] != grouping->groups.n)
                continue;
            grouping->group_of[p] = g;
            claimed++;
        }
        if (found == 0)
            return no_match(source, group, pattern, model);
    }
    if (claimed == 0)
        return FAIL_IN(source, group,
                       "all that '%s' matches belongs to lines above: the first "
                       "that matches holds, so put this one before them",
                       group->pattern);
    return ST_OK;
}

/* Weight decay of a parameter. */
static double decay_of(const ParamGroup *group, const ParamView *view) {
    const Optimizer *optimizer = &group->optimizer;
    bool decays = group->decays || optimizer->decay_all || view->spec.decay;
    return decays ? optimizer->weight_decay : 0;
}

/* Whether it is updated as a whole. What is frozen from the start is not updated at all. */
static bool is_whole(const ParamGroup *group, const ParamView *view) {
    return update_is_whole(group->optimizer.kind) && !group->frozen && view->spec.ndim > 1;
}

static void cut_ranges(const Model *model, Grouping *grouping) {
    for (int p = 0; p < model->n_params; p++) {
        const ParamView *view = &model->params[p];
        GroupRange next = {
            .begin = view->offset, .end = model->flat, .group = grouping->group_of[p]};
        next.decay = decay_of(&grouping->groups.group[next.group], view);
        next.whole = is_whole(&grouping->groups.group[next.group], view);
        GroupRange *last = &grouping->range[grouping->n_ranges - 1];
        if (p > 0 && last->group == next.group && last->decay == next.decay &&
            last->whole == next.whole)
            continue;
        if (p > 0)
            last->end = next.begin;
        grouping->range[grouping->n_ranges++] = next;
    }
}

static Status no_matrix(const Source *source, const ParamGroup *group, const ParamView *view) {
    if (group->line > 0)
        return FAIL_IN(source, group,
                       "muon is for matrices, but '%s' has one dimension: put a "
                       "line with optimizer=sgd for it above this one",
                       view->name);
    return FAIL(ST_USAGE,
                "%s: optimizer.name muon is for matrices, but '%s' has one dimension: give it "
                "another by a line of optimizer.groups, as in '%s optimizer=sgd'",
                source->name, view->name, view->name);
}

static Status add_whole(const Source *source, const Model *model, Grouping *grouping, int p) {
    const ParamView *view = &model->params[p];
    int g = grouping->group_of[p];
    const ParamGroup *group = &grouping->groups.group[g];
    if (!group->frozen && group->optimizer.kind == OPTIMIZER_MUON && view->spec.ndim < 2)
        return no_matrix(source, group, view);
    if (!is_whole(group, view))
        return ST_OK;
    int64_t rows = view->spec.dim[0];
    grouping->whole[grouping->n_wholes++] = (GroupWhole){.param = p,
                                                         .group = g,
                                                         .decay = decay_of(group, view),
                                                         .rows = rows,
                                                         .cols = view->count / rows};
    return ST_OK;
}

static int by_work(const void *a, const void *b) {
    const GroupWhole *one = a, *other = b;
    int64_t count = one->rows * one->cols, other_count = other->rows * other->cols;
    int64_t least = one->rows < one->cols ? one->rows : one->cols;
    int64_t other_least = other->rows < other->cols ? other->rows : other->cols;
    double difference = (double)other_count * (double)other_least - (double)count * (double)least;
    return difference != 0 ? (difference > 0) - (difference < 0) : one->param - other->param;
}

/* Notes that parameter p has a state of that name. */
static Status add_state(const Model *model, Grouping *grouping, int p, const char *name, int slot) {
    int s = 0;
    while (s < grouping->n_states && strcmp(grouping->state[s].name, name) != 0)
        s++;
    GroupState *state = &grouping->state[s];
    if (s == grouping->n_states) {
        state->has = calloc((size_t)model->n_params, sizeof *state->has);
        TRY_ALLOC(state->has);
        state->name = name;
        state->slot = slot;
        grouping->has_slot[slot] = true;
        grouping->n_states++;
    }
    state->has[p] = true;
    return ST_OK;
}

static Status add_states(const Model *model, Grouping *grouping, int p) {
    const ParamGroup *group = &grouping->groups.group[grouping->group_of[p]];
    const Optimizer *optimizer = &group->optimizer;
    if (group->frozen)
        return ST_OK;
    for (int slot = 0; slot < UPDATE_SLOTS; slot++) {
        const char *name = optimizer_slot_name(optimizer, slot);
        TRY(name ? add_state(model, grouping, p, name, slot) : ST_OK);
    }
    return optimizer->lookahead.every > 0 ? add_state(model, grouping, p, "slow", SLOT_SLOW)
                                          : ST_OK;
}

Status grouping_open(const Model *model, const char *text, const char *source, int first_line,
                     const Optimizer *optimizer, const Schedule *schedule, Grouping *grouping) {
    const Source where = {source, first_line};
    size_t room = (size_t)model->n_params + 1;
    memset(grouping, 0, sizeof *grouping);
    grouping->group_of = calloc(room, sizeof *grouping->group_of);
    TRY_ALLOC(grouping->group_of);
    grouping->range = calloc(room, sizeof *grouping->range);
    TRY_ALLOC(grouping->range);
    grouping->whole = calloc(room, sizeof *grouping->whole);
    TRY_ALLOC(grouping->whole);
    TRY(param_groups_parse(text, source, first_line, optimizer, schedule, &grouping->groups));
    for (int p = 0; p < model->n_params; p++)
        grouping->group_of[p] = grouping->groups.n;
    for (int g = 0; g < grouping->groups.n; g++)
        TRY(claim(&where, model, grouping, g));
    cut_ranges(model, grouping);
    for (int p = 0; p < model->n_params; p++) {
        TRY(add_states(model, grouping, p));
        TRY(add_whole(&where, model, grouping, p));
    }
    qsort(grouping->whole, (size_t)grouping->n_wholes, sizeof *grouping->whole, by_work);
    return ST_OK;
}

void grouping_free(Grouping *grouping) {
    for (int s = 0; s < grouping->n_states; s++)
        free(grouping->state[s].has);
    free(grouping->group_of);
    free(grouping->range);
    free(grouping->whole);
    memset(grouping, 0, sizeof *grouping);
}

static void describe_group(const Grouping *grouping, const Model *model, int g, FILE *out) {
    const ParamGroup *group = &grouping->groups.group[g];
    int64_t values = 0;
    for (int p = 0; p < model->n_params; p++)
        values += grouping->group_of[p] == g ? model->params[p].count : 0;
    fprintf(out, "  %s: %" PRId64 " parameters", group->line > 0 ? group->text : "the rest",
            values);
    for (int p = 0, n = 0; p < model->n_params; p++)
        if (grouping->group_of[p] == g)
            fprintf(out, "%s%s", n++ == 0 ? " in " : ", ", model->params[p].name);
    fputc('\n', out);
}

void grouping_describe(const Grouping *grouping, const Model *model, FILE *out) {
    if (grouping->groups.n == 0)
        return;
    fputs("\nGroups of parameters (optimizer.groups):\n", out);
    for (int g = 0; g <= grouping->groups.n; g++)
        describe_group(grouping, model, g, out);
}
