/* cuda/plan_store: see plan_store.h. */
#include "plan_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"
#include "plan_file.h"

/* RULE: which engines are allowed (graph_choose.c); plans of another number are not taken. */
enum { KEY_MAX = 1024, CACHE_MIB = 512, RULE = 2 };

#define FIRST_LINE "lockstep plan 1: %zu bytes, XXH3 %" SCNx64 "%n"

/* One plan as it is written, "lockstep plan 1: ..." to its end. */
typedef struct Kept {
    char *text; /* owned */
    size_t bytes;
    const char *key; /* in it: what it is for, two lines */
    bool used;
} Kept;

struct PlanStore {
    char about[KEY_MAX / 2];
    char folder[PLAN_FOLDER_MAX]; /* "": no user's cache */
    bool unwritable;              /* said so */
    bool wrote;                   /* there, since it was last trimmed */
    int n, room;
    Kept *kept; /* [n] */
};

static void file_of(const PlanStore *store, const char *key, char path[PLAN_PATH_MAX]) {
    char hex[33];
    hash_hex128(key, strlen(key), hex);
    snprintf(path, PLAN_PATH_MAX, "%s/%s.plan", store->folder, hex);
}

/* ---- One plan as text ---- */

/* What a plan is for: two lines. */
static void make_key(const PlanStore *store, const Graph *graph, uint64_t print, const char *wanted,
                     char key[KEY_MAX]) {
    snprintf(key, KEY_MAX, "%s\n%s #%016" PRIx64 ", rule %d%s%s\n", store->about, graph->name,
             print, RULE, wanted ? ", " : "", wanted ? wanted : "");
}

/* Reads the plan that `text` begins with, of at most `room` bytes: *bytes of it, and where its key
 * stands. NULL, or what is wrong with it. */
static const char *parse(const char *text, size_t room, size_t *bytes, const char **key) {
    size_t rest = 0;
    uint64_t sum = 0;
    int first = 0;
    char line[96];
    snprintf(line, sizeof line, "%.*s", (int)(room < 95 ? room : 95), text);
    if (sscanf(line, FIRST_LINE, &rest, &sum, &first) != 2 || first == 0 || line[first] != '\n')
        return "it does not begin as a plan does";
    first++;
    if (rest > room - (size_t)first)
        return "its end is missing";
    if (hash_bytes(text + first, rest) != sum)
        return "its bytes are not those that were written";
    *bytes = (size_t)first + rest;
    *key = text + first;
    return NULL;
}

static bool is_for(const char *kept_key, const char *key) {
    return strncmp(kept_key, key, strlen(key)) == 0;
}

static Kept *find(const PlanStore *store, const char *key) {
    for (int i = 0; i < store->n; i++) {
        if (is_for(store->kept[i].key, key))
            return &store->kept[i];
    }
    return NULL;
}

/* Takes over `text`, whose key stands at `key`; in place of one of the same key. */
static Status put(PlanStore *store, char *text, size_t bytes, const char *key, bool used) {
    char own[KEY_MAX];
    const char *line = strchr(key, '\n');
    const char *end = line ? strchr(line + 1, '\n') : NULL;
    int length = end ? (int)(end + 1 - key) : 0;
    snprintf(own, sizeof own, "%.*s", length, key);
    Kept *place = find(store, own);
    if (!place && store->n == store->room) {
        int room = 2 * store->room + 32;
        Kept *kept = realloc(store->kept, (size_t)room * sizeof *kept);
        if (!kept)
            free(text);
        TRY_ALLOC(kept);
        store->kept = kept;
        store->room = room;
    }
    if (place)
        free(place->text);
    else
        place = &store->kept[store->n++];
    *place = (Kept){.text = text, .bytes = bytes, .key = key, .used = used};
    return ST_OK;
}

static void forget(PlanStore *store, Kept *kept) {
    free(kept->text);
    *kept = store->kept[--store->n];
}

/* ---- The user's cache ---- */

/* Into memory, where the cache has it. */
static Kept *look_up(PlanStore *store, const char *key) {
    char path[PLAN_PATH_MAX], *text = NULL;
    size_t bytes = 0, used = 0;
    const char *found = NULL;
    if (!store->folder[0])
        return NULL;
    file_of(store, key, path);
    if (access(path, F_OK) != 0)
        return NULL;
    const char *wrong = plan_file_read(path, &text, &bytes);
    if (!wrong)
        wrong = parse(text, bytes, &used, &found);
    if (!wrong && !is_for(found, key))
        wrong = "it is of another GPU, library or graph";
    if (wrong) {
        log_info("plans: %s is passed over: %s", path, wrong);
        free(text);
        return NULL;
    }
    if (put(store, text, used, found, false) != ST_OK) {
        status_clear();
        return NULL;
    }
    return find(store, key);
}

static void write_through(PlanStore *store, const Kept *kept, const char *key) {
    char path[PLAN_PATH_MAX];
    if (!store->folder[0] || store->unwritable)
        return;
    file_of(store, key, path);
    int error = plan_file_write(store->folder, path, kept->text, kept->bytes);
    store->unwritable = error != 0;
    store->wrote = true;
    if (error)
        log_info("plans: none can be kept in %s: %s; XDG_CACHE_HOME names another place",
                 store->folder, strerror(error));
}

void plan_store_trim(PlanStore *store) {
    int removed = store->wrote ? plan_folder_trim(store->folder, (size_t)CACHE_MIB << 20) : 0;
    store->wrote = false;
    if (removed > 0)
        log_info("plans: %d that were used longest ago are removed from %s, which may hold %d MiB",
                 removed, store->folder, CACHE_MIB);
}

/* ---- Opening ---- */

Status plan_store_open(const char *about, PlanStore **store) {
    *store = calloc(1, sizeof **store);
    TRY_ALLOC(*store);
    snprintf((*store)->about, sizeof(*store)->about, "%s", about);
    plan_folder((*store)->folder);
    return ST_OK;
}

void plan_store_close(PlanStore *store) {
    if (!store)
        return;
    while (store->n > 0)
        free(store->kept[--store->n].text);
    free(store->kept);
    free(store);
}

Status plan_store_add(PlanStore *store, const char *text) {
    size_t room = strlen(text), bytes;
    const char *key;
    int others = 0;
    for (const char *at = text; room > 0; at += bytes, room -= bytes) {
        const char *wrong = parse(at, room, &bytes, &key);
        if (wrong) {
            log_info("plans: those in the run directory are passed over from byte %td on: %s",
                     at - text, wrong);
            return ST_OK;
        }
        size_t about = strlen(store->about);
        if (strncmp(key, store->about, about) != 0 || key[about] != '\n') {
            others++;
            continue;
        }
        char *copy = strndup(at, bytes);
        TRY_ALLOC(copy);
        TRY(put(store, copy, bytes, copy + (key - at), false));
    }
    if (others > 0)
        log_info("plans: %d in the run directory are of another GPU, library or precision: passed "
                 "over",
                 others);
    return ST_OK;
}

Status plan_store_text(const PlanStore *store, char **text) {
    size_t size;
    FILE *out = open_memstream(text, &size);
    TRY_ALLOC(out);
    for (int i = 0; i < store->n; i++) {
        if (store->kept[i].used)
            fwrite(store->kept[i].text, 1, store->kept[i].bytes, out);
    }
    return fclose(out) == 0 ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
}

/* ---- Plans ---- */

/* The plan behind the key, finalized: sets plan and info. NULL, or what is wrong. */
static const char *restore(const GraphTarget *target, Graph *graph, const char *at) {
    GraphInfo *info = &graph->info;
    int mode = 0, words = 0;
    int64_t count = 0, workspace = 0;
    Desc made = NULL;
    *info = (GraphInfo){.name = graph->name};
    for (int line = 0; line < 2; line++)
        at = strchr(at, '\n') + 1;
    if (sscanf(at,
               "engine %" SCNd64 ", mode %d, position %d, workspace %zu, notes %" SCNu32
               ", behavior %" SCNu32 ": %n",
               &info->engine, &mode, &info->position, &info->workspace, &info->notes,
               &info->behavior, &words) != 6 ||
        words == 0)
        return "it names no engine";
    info->mode = (cudnnBackendHeurMode_t)mode;
    int length = (int)strcspn(at + words, "\n");
    snprintf(info->choice, sizeof info->choice, "%.*s", length, at + words);
    const char *json = at + words + length + (at[words + length] == '\n');
    cudnnStatus_t result =
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &made);
    if (result == CUDNN_STATUS_SUCCESS && target->handle)
        result = cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE,
                                          1, &target->handle);
    else if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &target->device);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendSetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                          CUDNN_TYPE_CHAR, (int64_t)strlen(json), json);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendFinalize(made);
    if (result == CUDNN_STATUS_SUCCESS)
        result = cudnnBackendGetAttribute(made, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                          CUDNN_TYPE_INT64, 1, &count, &workspace);
    if (result == CUDNN_STATUS_SUCCESS && (size_t)workspace == info->workspace) {
        graph->plan = made;
        return NULL;
    }
    if (made)
        cudnnBackendDestroyDescriptor(made);
    return result == CUDNN_STATUS_SUCCESS ? "its workspace is another"
                                          : cudnnGetErrorString(result);
}

bool plan_store_take(const GraphTarget *target, Graph *graph, uint64_t print, const char *wanted) {
    PlanStore *store = target->store;
    char key[KEY_MAX];
    if (!store)
        return false;
    make_key(store, graph, print, wanted, key);
    Kept *kept = find(store, key);
    if (!kept)
        kept = look_up(store, key);
    if (!kept)
        return false;
    const char *wrong = restore(target, graph, kept->key);
    if (wrong) {
        log_info("plans: what is kept of %s is passed over: cuDNN does not take it (%s)",
                 graph->name, wrong);
        forget(store, kept);
        return false;
    }
    kept->used = true;
    return true;
}

/* What cuDNN writes of a plan; the caller frees it. NULL where it writes none. */
static char *describe(Desc plan) {
    int64_t bytes = 0;
    if (cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, 0, &bytes, NULL) != CUDNN_STATUS_SUCCESS ||
        bytes <= 0)
        return NULL;
    char *json = calloc(1, (size_t)bytes + 1);
    if (json &&
        cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, bytes, &bytes, json) == CUDNN_STATUS_SUCCESS)
        return json;
    free(json);
    return NULL;
}

static char *format(const char *key, const GraphInfo *info, const char *json, size_t *bytes) {
    char *rest = NULL, *text = NULL;
    int length =
        asprintf(&rest,
                 "%sengine %" PRId64 ", mode %d, position %d, workspace %zu, notes %" PRIu32
                 ", behavior %" PRIu32 ": %s\n%s\n",
                 key, info->engine, (int)info->mode, info->position, info->workspace, info->notes,
                 info->behavior, info->choice, json);
    if (length < 0)
        return NULL;
    length = asprintf(&text, "lockstep plan 1: %d bytes, XXH3 %016" PRIx64 "\n%s", length,
                      hash_bytes(rest, (size_t)length), rest);
    free(rest);
    *bytes = length < 0 ? 0 : (size_t)length;
    return length < 0 ? NULL : text;
}

void plan_store_keep(const GraphTarget *target, const Graph *graph, uint64_t print,
                     const char *wanted) {
    PlanStore *store = target->store;
    char key[KEY_MAX];
    size_t bytes, all;
    const char *own;
    if (!store)
        return;
    make_key(store, graph, print, wanted, key);
    char *json = describe(graph->plan);
    char *text = json ? format(key, &graph->info, json, &bytes) : NULL;
    free(json);
    if (!text || parse(text, bytes, &all, &own) != NULL) {
        log_debug("plans: cuDNN cannot write down the plan of %s", graph->name);
        free(text);
        return;
    }
    if (put(store, text, bytes, own, true) == ST_OK)
        write_through(store, find(store, key), key);
    else
        status_clear();
}
