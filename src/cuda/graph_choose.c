/* cuda/graph_choose: the rule of graph.h, or a choice of the target's Chooser.
 *
 * Both walk through the results of the heuristics in the same order and take what is allowed,
 * finalizes and keeps within the workspace: the rule the first of it, a Chooser one it knows by its
 * text, or the fastest of the first few. So no choice, wherever it comes from, is an engine that
 * the rule would not allow. A plan that was made so once is taken from the store. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "compiler.h"
#include "graph_choose.h"
#include "plan_store.h"

static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B,
                                               CUDNN_HEUR_MODE_FALLBACK};

/* Bits of an array attribute of notes of an engine. */
static Status read_notes(Desc engine, cudnnBackendAttributeName_t name,
                         cudnnBackendAttributeType_t type, uint32_t *bits) {
    cudnnBackendNumericalNote_t notes[32];
    _Static_assert(sizeof notes[0] == sizeof(cudnnBackendBehaviorNote_t), "notes are enums");
    int64_t count = 0;
    TRY_CUDNN(cudnnBackendGetAttribute(engine, name, type, 32, &count, notes));
    *bits = 0;
    for (int64_t i = 0; i < count && i < 32; i++)
        *bits |= 1u << notes[i];
    return ST_OK;
}

/* What the engine of a configuration is, into *info. */
static Status describe_engine(Desc config, GraphInfo *info) {
    Desc engine = NULL;
    int64_t count = 0;
    Status status = ST_OK;
    TRY_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine));
    TRY_DONE(
        cudnn_check(cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine),
                    "ENGINECFG_ENGINE", __FILE__, __LINE__));
    TRY_DONE(cudnn_check(cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX,
                                                  CUDNN_TYPE_INT64, 1, &count, &info->engine),
                         "ENGINE_GLOBAL_INDEX", __FILE__, __LINE__));
    TRY_DONE(read_notes(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                        &info->notes));
    TRY_DONE(read_notes(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                        &info->behavior));
done:
    cudnnBackendDestroyDescriptor(engine);
    return status;
}

/* Engines that note nothing and are no full fp32, as an H200 showed with cuDNN 9.19: of products,
 * the one that only a handle is offered rounds its factors to TF32; of gradients of weights, one is
 * off by 3e-5 of a typical element with 3x3 filters, by 1e-2 with 5x5, where others are by 5e-6. */
static bool rounds_unnoted(const char *graph, int64_t engine) {
    static const struct {
        const char *graphs; /* what their names begin with */
        int64_t engine;
    } rounding[] = {{"product", 0}, {"conv weight gradient", 17}};
    for (size_t i = 0; i < sizeof rounding / sizeof *rounding; i++) {
        if (engine == rounding[i].engine &&
            strncmp(graph, rounding[i].graphs, strlen(rounding[i].graphs)) == 0)
            return true;
    }
    return false;
}

static bool is_allowed(const Builder *builder, const GraphInfo *info) {
    uint32_t banned = 0;
    if (builder->fp32)
        banned |=
            1u << CUDNN_NUMERICAL_NOTE_TENSOR_CORE | 1u << CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    if (builder->target->exact)
        banned |= 1u << CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    if (builder->fp32 && rounds_unnoted(builder->graph->name, info->engine))
        return false;
    return (info->notes & banned) == 0;
}

/* The text that tells a configuration from all others: its engine, then its knobs in cuDNN's order.
 */
static Status name_choice(Desc config, int64_t engine, char choice[GRAPH_CHOICE_MAX]) {
    Desc knob[CUDNN_KNOB_TYPE_COUNTS] = {0};
    int64_t count = 0, one = 0, value;
    cudnnBackendKnobType_t type;
    Status status = ST_OK;
    for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; i++)
        TRY_DONE(cudnn_check(
            cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knob[i]),
            "KNOB_CHOICE_DESCRIPTOR", __FILE__, __LINE__));
    TRY_DONE(cudnn_check(cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                                  CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                                  CUDNN_KNOB_TYPE_COUNTS, &count, knob),
                         "ENGINECFG_KNOB_CHOICES", __FILE__, __LINE__));
    size_t used = (size_t)snprintf(choice, GRAPH_CHOICE_MAX, "eng%" PRId64, engine);
    for (int64_t i = 0; i < count && i < CUDNN_KNOB_TYPE_COUNTS && used < GRAPH_CHOICE_MAX; i++) {
        TRY_DONE(cudnn_check(cudnnBackendGetAttribute(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                                      CUDNN_TYPE_KNOB_TYPE, 1, &one, &type),
                             "KNOB_CHOICE_KNOB_TYPE", __FILE__, __LINE__));
        TRY_DONE(cudnn_check(cudnnBackendGetAttribute(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE,
                                                      CUDNN_TYPE_INT64, 1, &one, &value),
                             "KNOB_CHOICE_KNOB_VALUE", __FILE__, __LINE__));
        used += (size_t)snprintf(choice + used, GRAPH_CHOICE_MAX - used, " k%d=%" PRId64, (int)type,
                                 value);
    }
    if (used >= GRAPH_CHOICE_MAX)
        status =
            FAIL(ST_INTERNAL, "engine %" PRId64 " has more knobs than a choice can name", engine);
done:
    for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; i++) {
        if (knob[i])
            cudnnBackendDestroyDescriptor(knob[i]);
    }
    return status;
}

/* ---- The search ---- */

/* Through all modes until `most` candidates are found. */
typedef struct Search {
    Builder *builder;
    Desc op_graph;
    const char *wanted; /* this choice alone; NULL: any */
    int most, n;
    Candidate found[CANDIDATES_MAX];
} Search;

static void release(Candidate *candidate) {
    if (candidate->plan)
        cudnnBackendDestroyDescriptor(candidate->plan);
    if (candidate->config)
        cudnnBackendDestroyDescriptor(candidate->config);
    *candidate = (Candidate){0};
}

/* Whether the search has a use for this choice: modes name some engines twice. */
static bool is_news(const Search *search, const char *choice) {
    if (search->wanted)
        return strcmp(choice, search->wanted) == 0;
    for (int i = 0; i < search->n; i++) {
        if (strcmp(choice, search->found[i].info.choice) == 0)
            return false;
    }
    return true;
}

/* Tries one configuration: candidate->plan is set where it finalizes within the workspace. An
 * engine that does not is no error. */
static Status try_config(const Search *search, Candidate *candidate) {
    const GraphTarget *target = search->builder->target;
    GraphInfo *info = &candidate->info;
    int64_t workspace = 0, count = 0;
    Desc made = NULL;
    TRY(describe_engine(candidate->config, info));
    if (!is_allowed(search->builder, info))
        return ST_OK;
    TRY(name_choice(candidate->config, info->engine, info->choice));
    if (!is_news(search, info->choice))
        return ST_OK;
    TRY_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &made));
    cudnnStatus_t result =
        target->handle
            ? cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
                                       &target->handle)
            : cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target->device);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &candidate->config);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendFinalize(made);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendGetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                          CUDNN_TYPE_INT64, 1, &count, &workspace);
    if (result == CUDNN_STATUS_SUCCESS && (size_t)workspace <= target->workspace_max) {
        info->workspace = (size_t)workspace;
        candidate->plan = made;
        return ST_OK;
    }
    cudnnBackendDestroyDescriptor(made);
    return ST_OK;
}

/* The heuristics' answer of one mode, or *room 0 where it has nothing to say, which is no error. */
static void ask_heuristics(const Search *search, cudnnBackendHeurMode_t mode, Desc heuristics,
                           int64_t *room) {
    const GraphTarget *target = search->builder->target;
    cudnnStatus_t result =
        cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &search->op_graph);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE,
                                          CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (result == CUDNN_STATUS_SUCCESS && !target->handle)
        result = cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target->device);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendFinalize(heuristics);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, room, NULL);
    if (result != CUDNN_STATUS_SUCCESS)
        *room = 0;
}

/* Searches the results of one mode. */
static Status search_mode(Search *search, cudnnBackendHeurMode_t mode) {
    enum { RESULTS_MAX = 64 };
    Desc heuristics = NULL, config[RESULTS_MAX] = {0};
    int64_t room = 0, count = 0;
    Status status = ST_OK;
    TRY_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics));
    ask_heuristics(search, mode, heuristics, &room);
    if (room < 1)
        goto done;
    room = room < RESULTS_MAX ? room : RESULTS_MAX;
    for (int64_t i = 0; i < room; i++)
        TRY_DONE(cudnn_check(
            cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config[i]),
            "ENGINECFG_DESCRIPTOR", __FILE__, __LINE__));
    TRY_DONE(
        cudnn_check(cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, room, &count, config),
                    "ENGINEHEUR_RESULTS", __FILE__, __LINE__));
    for (int64_t i = 0; i < count && i < room && search->n < search->most; i++) {
        Candidate candidate = {.config = config[i], .info = {.mode = mode, .position = (int)i}};
        TRY_DONE(try_config(search, &candidate));
        if (candidate.plan) {
            search->found[search->n++] = candidate;
            config[i] = NULL;
        }
    }
done:
    for (int64_t i = 0; i < RESULTS_MAX; i++) {
        if (config[i])
            cudnnBackendDestroyDescriptor(config[i]);
    }
    cudnnBackendDestroyDescriptor(heuristics);
    return status;
}

static Status search_all(Search *search) {
    for (size_t i = 0; i < sizeof modes / sizeof *modes && search->n < search->most; i++)
        TRY(search_mode(search, modes[i]));
    return ST_OK;
}

/* ---- The choice ---- */

static Desc make_op_graph(Builder *builder) {
    const GraphTarget *target = builder->target;
    Desc op_graph = build_new(builder, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    if (target->handle)
        build_set(builder, op_graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1,
                  &target->handle);
    build_set(builder, op_graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
              builder->n_ops, builder->op);
    build_finalize(builder, op_graph);
    return op_graph;
}

/* How the engine of a graph is chosen: by a choice on record, by timing, else by the rule. */
typedef struct Way {
    const Chooser *chooser; /* NULL: the rule alone */
    const char *wanted;     /* the choice on record, or NULL */
    bool timed;
} Way;

static Way find_way(const Builder *builder) {
    Way way = {.chooser = builder->target->chooser};
    if (way.chooser)
        way.wanted = way.chooser->find(way.chooser->context, builder->graph->name);
    way.timed = way.chooser && !way.wanted && way.chooser->is_timing(way.chooser->context);
    return way;
}

static Status record(const Way *way, const Graph *graph, const GraphInfo *info, bool gained) {
    if (!way->chooser || way->wanted)
        return ST_OK;
    return way->chooser->keep(way->chooser->context, graph->name, info->choice, way->timed, gained);
}

/* Of the candidates that are found the fastest where they are timed, else the first. */
static Status choose(Search *search, const Way *way, int *taken) {
    const Chooser *chooser = way->chooser;
    Graph *graph = search->builder->graph;
    *taken = 0;
    search->wanted = way->wanted;
    search->most = way->timed ? CANDIDATES_MAX : 1;
    TRY(search_all(search));
    if (search->n == 0)
        return way->wanted ? chooser->refuse(chooser->context, graph->name, way->wanted) : ST_OK;
    if (way->timed)
        TRY(chooser->time(chooser->context, graph, search->found, search->n, taken));
    return record(way, graph, &search->found[*taken].info, *taken > 0);
}

static Status no_engine(const Builder *builder) {
    const GraphTarget *target = builder->target;
    char advice[COMPILER_TEXT_MAX];
    bool compiles = compiler_is_whole();
    compiler_advise(advice);
    return FAIL(ST_DEVICE, "cuDNN %zu has no engine%s%s within %zu MiB of workspace%s%s",
                cudnnGetVersion(), builder->fp32 ? " in full fp32" : "",
                target->exact ? " with reproducible sums" : "", target->workspace_max >> 20,
                compiles ? "" : ", and can compile none: ", compiles ? "" : advice);
}

Status graph_choose(Builder *builder) {
    GraphTarget *target = builder->target;
    Graph *graph = builder->graph;
    Search search = {.builder = builder, .op_graph = make_op_graph(builder)};
    Way way;
    int taken;
    Status status = ST_OK;
    TRY(builder->status);
    if (graph->n_owned == GRAPH_DESCRIPTORS_MAX) /* one place is for the configuration */
        return FAIL(ST_INTERNAL, "a graph of too many descriptors");
    way = find_way(builder);
    if (!way.timed && plan_store_take(target, graph, builder->print, way.wanted)) {
        target->taken++;
        return record(&way, graph, &graph->info, false);
    }
    TRY_DONE(choose(&search, &way, &taken));
    if (search.n == 0) {
        status = no_engine(builder);
        goto done;
    }
    Candidate *candidate = &search.found[taken];
    graph->info = candidate->info;
    graph->info.name = graph->name;
    graph->plan = candidate->plan;
    graph->owned[graph->n_owned++] = candidate->config; /* the plan may look at it: keep it */
    *candidate = (Candidate){0};
    target->made++;
    plan_store_keep(target, graph, builder->print, way.timed ? graph->info.choice : way.wanted);
done:
    for (int i = 0; i < search.n; i++)
        release(&search.found[i]);
    return status;
}
