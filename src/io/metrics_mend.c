/* metrics_mend: see metrics_mend.h. */
#include "metrics_mend.h"

#include <cJSON.h>
#include <stdio.h>
#include <string.h>

/* What a line says of itself. */
typedef struct LineFacts {
    double step; /* < 0: it is none */
    bool is_eval;
    char split[16]; /* of an evaluation */
} LineFacts;

/* `length` is without the newline. */
static LineFacts read_line(const char *line, size_t length) {
    LineFacts facts = {.step = -1};
    cJSON *object = cJSON_ParseWithLength(line, length);
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(object, "step");
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "kind"));
    const char *split = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "split"));
    if (cJSON_IsObject(object) && cJSON_IsNumber(step))
        facts.step = step->valuedouble;
    facts.is_eval = kind && strcmp(kind, "eval") == 0;
    snprintf(facts.split, sizeof facts.split, "%s", split ? split : "");
    cJSON_Delete(object);
    return facts;
}

/* The evaluations that a pass over the lines is still to come to. */
typedef struct Awaited {
    const EvalMetrics *next, *end;
    PutPast put;
    int64_t put_back;
} Awaited;

/* Those before `step` have no line. */
static void put_back_before(Awaited *awaited, double step, Text *text) {
    for (; awaited->next < awaited->end && (double)awaited->next->step < step; awaited->next++) {
        awaited->put(awaited->next, text);
        awaited->put_back++;
    }
}

Status metrics_mended(const char *text, size_t size, int64_t last, const EvalMetrics *known,
                      int64_t n, PutPast put, Text *mended, int64_t *put_back) {
    Awaited awaited = {.next = known, .end = known + n, .put = put};
    const char *at = text, *end;
    for (; (end = memchr(at, '\n', size - (size_t)(at - text))); at = end + 1) {
        LineFacts facts = read_line(at, (size_t)(end - at));
        if (last == 0 || facts.step < 0 || facts.step > (double)last)
            continue;
        put_back_before(&awaited, facts.step, mended);
        if (facts.is_eval && awaited.next < awaited.end &&
            (double)awaited.next->step == facts.step &&
            strcmp(awaited.next->split, facts.split) == 0)
            awaited.next++;
        text_add_bytes(mended, at, (size_t)(end - at) + 1);
    }
    /* What is behind the last newline is torn: its writer died in it. */
    put_back_before(&awaited, (double)last + 1, mended);
    *put_back = awaited.put_back;
    return mended->failed ? FAIL(ST_INTERNAL, "out of memory for metrics.jsonl") : ST_OK;
}
