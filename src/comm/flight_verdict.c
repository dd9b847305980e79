/* flight_verdict: what the records of ranks say together. See flight.h.
 *
 * Ranks make the same collectives in the same order, each plane for itself. So the first number
 * under which two ranks have different ones is where they parted, or, of two planes, where one
 * waits in a sum and the other in what comes after it; where there is none, a rank that has not
 * come to a collective in which others wait is what they wait for. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm_internal.h"
#include "lockstep/flight.h"

enum { WHAT_MAX = 128, RANKS_MAX = 128 };

/* A process that has not run for so long may have been stopped, of late if it woke so long ago. */
static const double STOOD_S = 1, LATELY_S = 3;

/* Appends; what does not fit is left out. */
static void __attribute__((format(printf, 3, 4)))
add(char *text, size_t room, const char *format, ...) {
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, room - used, format, arguments);
    va_end(arguments);
}

void flight_ranks(const bool *member, int n, char *text, size_t room) {
    text[0] = '\0';
    for (int first = 0, end; first < n; first = end) {
        for (end = first + 1; member[first] && end < n && member[end];)
            end++;
        if (!member[first])
            continue;
        add(text, room, "%s%d", text[0] ? ", " : "", first);
        if (end - first > 1)
            add(text, room, end - first > 2 ? "-%d" : ", %d", end - 1);
    }
}

static const char *word(int op) {
    static const char *const words[FLIGHT_OPS] = {"nothing",
                                                  "a barrier",
                                                  "a broadcast",
                                                  "a gathering",
                                                  "a sum",
                                                  "a maximum",
                                                  "an agreement",
                                                  "a bucket",
                                                  "the beginning",
                                                  "",
                                                  "forward",
                                                  "backward",
                                                  "the other ranks of the host"};
    return op >= 0 && op < FLIGHT_OPS ? words[op] : "something unknown";
}

/* "bucket 2 of step 812", "an agreement of step 6 (checkpoint)", "forward of step 812 (lane 5)". */
static void describe(const FlightEntry *entry, char text[WHAT_MAX]) {
    FlightPlane plane;
    bool of_lane = entry->op == FLIGHT_FORWARD || entry->op == FLIGHT_BACKWARD;
    text[0] = '\0';
    if (entry->op == FLIGHT_BUCKET)
        add(text, WHAT_MAX, "bucket %d", (int)entry->index);
    else
        add(text, WHAT_MAX, "%s",
            entry->op == FLIGHT_STAGE ? comm_stage_word((Stage)entry->index) : word(entry->op));
    if (entry->step >= 0)
        add(text, WHAT_MAX, " %s step %" PRId64, entry->op == FLIGHT_TURN ? "in" : "of",
            entry->step);
    if (of_lane)
        add(text, WHAT_MAX, " (lane %d)", (int)entry->index);
    else if (flight_is_collective(entry->op, &plane) && plane == FLIGHT_CONTROL)
        add(text, WHAT_MAX, " (%s)", comm_stage_word((Stage)entry->index));
}

/* ---- collectives that differ ---- */

static const FlightEntry *find(const FlightRecord *record, FlightPlane plane, int64_t sequence) {
    for (int i = record->n - 1; i >= 0; i--) {
        FlightPlane of;
        if (flight_is_collective(record->entry[i].op, &of) && of == plane &&
            record->entry[i].sequence == sequence)
            return &record->entry[i];
    }
    return NULL;
}

static bool alike(const FlightEntry *a, const FlightEntry *b) {
    return a->op == b->op && a->bytes == b->bytes && a->step == b->step && a->index == b->index;
}

/* The lowest and highest number of a plane that any rank knows; false: there is none. */
static bool span_of(const FlightRecord *records, int n, FlightPlane plane, int64_t *low,
                    int64_t *high) {
    bool any = false;
    for (int r = 0; r < n; r++) {
        for (int i = 0; i < records[r].n; i++) {
            const FlightEntry *entry = &records[r].entry[i];
            FlightPlane of;
            if (!flight_is_collective(entry->op, &of) || of != plane)
                continue;
            *low = any && *low < entry->sequence ? *low : entry->sequence;
            *high = any && *high > entry->sequence ? *high : entry->sequence;
            any = true;
        }
    }
    return any;
}

/* How many ranks have the same under this number. */
static int company(const FlightRecord *records, int n, FlightPlane plane, const FlightEntry *mine) {
    int alikes = 0;
    for (int r = 0; r < n; r++) {
        const FlightEntry *entry = find(&records[r], plane, mine->sequence);
        alikes += entry && alike(entry, mine);
    }
    return alikes;
}

/* Whether ranks differ under `sequence`. *odd: one of the fewest, the last where it is a tie;
 * *usual: one of the most. */
static bool differ(const FlightRecord *records, int n, FlightPlane plane, int64_t sequence,
                   int *odd, int *usual) {
    int least = n + 1, most = 0;
    for (int r = 0; r < n; r++) {
        const FlightEntry *entry = find(&records[r], plane, sequence);
        int alikes = entry ? company(records, n, plane, entry) : 0;
        if (entry && alikes <= least) {
            least = alikes;
            *odd = r;
        }
        if (entry && alikes > most) {
            most = alikes;
            *usual = r;
        }
    }
    return most > 0 &&
           !alike(find(&records[*odd], plane, sequence), find(&records[*usual], plane, sequence));
}

/* "rank 1 on n2 came to bucket 2 of step 8, 4096 bytes" of those that are like `mine`. */
static void add_party(const FlightRecord *records, int n, FlightPlane plane,
                      const FlightEntry *mine, char *text, size_t room) {
    char what[WHAT_MAX];
    int alikes = company(records, n, plane, mine), first = 0;
    const FlightEntry *entry = find(&records[first], plane, mine->sequence);
    while (!entry || !alike(entry, mine))
        entry = find(&records[++first], plane, mine->sequence);
    describe(mine, what);
    add(text, room, "rank %d%s%s", records[first].rank, records[first].host[0] ? " on " : "",
        records[first].host);
    if (alikes > 1)
        add(text, room, " and %d more", alikes - 1);
    add(text, room, " came to %s", what);
    if (mine->bytes > 0)
        add(text, room, ", %" PRId64 " bytes", mine->bytes);
}

/* The last collective of a plane that the rank has come to, or NULL. */
static const FlightEntry *last_of(const FlightRecord *record, FlightPlane plane) {
    for (int i = record->n - 1; i >= 0; i--) {
        FlightPlane of;
        if (flight_is_collective(record->entry[i].op, &of) && of == plane)
            return &record->entry[i];
    }
    return NULL;
}

/* Whether rank `a` waits, behind the sums of its step, in a collective to which `b` has not come,
 * while `b` waits in a sum to which `a` has not come. Each rank makes the two in one order, so one
 * of these has left one out, though under no number do they differ. */
static bool crossed(const FlightRecord *a, const FlightRecord *b) {
    const FlightEntry *mine = last_of(a, FLIGHT_CONTROL), *summed = last_of(a, FLIGHT_DATA);
    const FlightEntry *theirs = last_of(b, FLIGHT_DATA), *agreed = last_of(b, FLIGHT_CONTROL);
    return mine && summed && theirs && agreed && mine->end == 0 && mine->step >= 0 &&
           mine->index >= STAGE_OPTIMIZER && theirs->end == 0 && theirs->op == FLIGHT_BUCKET &&
           summed->sequence < theirs->sequence && agreed->sequence < mine->sequence;
}

static bool find_crossed(const FlightRecord *records, int n, char *text, size_t room) {
    for (int a = 0; a < n; a++) {
        for (int b = 0; b < n; b++) {
            if (!crossed(&records[a], &records[b]))
                continue;
            const FlightEntry *agreed = last_of(&records[a], FLIGHT_CONTROL);
            const FlightEntry *summed = last_of(&records[b], FLIGHT_DATA);
            bool few = company(records, n, FLIGHT_CONTROL, agreed) <=
                       company(records, n, FLIGHT_DATA, summed);
            add_party(records, n, few ? FLIGHT_CONTROL : FLIGHT_DATA, few ? agreed : summed, text,
                      room);
            add(text, room, ", where ");
            add_party(records, n, few ? FLIGHT_DATA : FLIGHT_CONTROL, few ? summed : agreed, text,
                      room);
            return true;
        }
    }
    return false;
}

bool flight_mismatch(const FlightRecord *records, int n, char *text, size_t room) {
    int64_t step = INT64_MAX;
    text[0] = '\0';
    for (int plane = 0; plane < FLIGHT_PLANES; plane++) {
        int64_t low = 0, high = -1;
        int odd = 0, usual = 0;
        if (!span_of(records, n, plane, &low, &high))
            continue;
        while (low <= high && !differ(records, n, plane, low, &odd, &usual))
            low++;
        if (low > high)
            continue;
        const FlightEntry *entry = find(&records[odd], plane, low);
        if (entry->step >= step)
            continue;
        step = entry->step;
        text[0] = '\0';
        add_party(records, n, plane, entry, text, room);
        add(text, room, ", where ");
        add_party(records, n, plane, find(&records[usual], plane, low), text, room);
    }
    return text[0] != '\0' || find_crossed(records, n, text, room);
}

/* ---- who waits for whom ---- */

/* The newest collective in which the rank is, NULL: it is in none. */
static const FlightEntry *waits_in(const FlightRecord *record) {
    for (int i = record->n - 1; i >= 0; i--) {
        FlightPlane of;
        if (record->entry[i].end == 0 && flight_is_collective(record->entry[i].op, &of))
            return &record->entry[i];
    }
    return NULL;
}

/* The number of the last collective of a plane that the rank has come to; 0: none. */
static int64_t reached(const FlightRecord *record, FlightPlane plane) {
    const FlightEntry *last = last_of(record, plane);
    return last ? last->sequence : 0;
}

const FlightEntry *flight_works_on(const FlightRecord *record) {
    const FlightEntry *stage = NULL;
    for (int i = record->n - 1; i >= 0; i--) {
        const FlightEntry *entry = &record->entry[i];
        FlightPlane of;
        if (entry->end != 0 || flight_is_collective(entry->op, &of) || entry->op == FLIGHT_NOTHING)
            continue;
        if (entry->op != FLIGHT_STAGE)
            return entry;
        if (!stage)
            stage = entry;
    }
    return stage;
}

/* The wait that it is in: a collective, or its turn among the ranks of a host; NULL: in none. */
static const FlightEntry *any_wait(const FlightRecord *record) {
    const FlightEntry *entry = waits_in(record), *work = flight_works_on(record);
    return !entry && work && work->op == FLIGHT_TURN ? work : entry;
}

void flight_doing(const FlightRecord *record, char *text, size_t room, double *since) {
    char what[WHAT_MAX];
    const FlightEntry *entry = any_wait(record);
    bool waits = entry != NULL;
    text[0] = '\0';
    *since = 0;
    if (!record->present) {
        add(text, room, "left no record");
        return;
    }
    if (!entry)
        entry = flight_works_on(record);
    if (!entry) {
        add(text, room, "nothing yet");
        return;
    }
    describe(entry, what);
    add(text, room, "%s%s",
        !waits                     ? ""
        : entry->op == FLIGHT_TURN ? "waits for "
                                   : "waits in ",
        what);
    *since = record->now - entry->start;
}

/* The collective of the lowest step that a rank waits in and not all have come to, the last of
 * these; else a wait for its turn; NULL: none. */
static const FlightEntry *front(const FlightRecord *records, int n) {
    const FlightEntry *found = NULL;
    for (int r = 0; r < n; r++) {
        const FlightEntry *entry = waits_in(&records[r]);
        FlightPlane plane;
        if (!entry || !flight_is_collective(entry->op, &plane))
            continue;
        bool all = true;
        for (int q = 0; q < n; q++)
            all = all && records[q].present && reached(&records[q], plane) >= entry->sequence;
        if (!all && (!found || entry->step < found->step ||
                     (entry->step == found->step && entry->sequence > found->sequence)))
            found = entry;
    }
    for (int r = 0; r < n && !found; r++) {
        const FlightEntry *entry = any_wait(&records[r]);
        if (entry && entry->op == FLIGHT_TURN)
            found = entry;
    }
    return found;
}

/* "; 7 ranks wait in bucket 2 of step 812" */
static void add_waiting(const FlightRecord *records, int n, const FlightEntry *at, char *text,
                        size_t room) {
    char what[WHAT_MAX];
    int waiting = 0;
    for (int r = 0; r < n; r++) {
        const FlightEntry *entry = any_wait(&records[r]);
        waiting += entry && entry->sequence == at->sequence && entry->op == at->op;
    }
    describe(at, what);
    add(text, room, "; %d rank%s %s %s", waiting, waiting == 1 ? " waits" : "s wait",
        at->op == FLIGHT_TURN ? "for" : "in", what);
}

/* "rank 3 on n2: forward of step 812 since 30 s", of each; the first two of many. */
static void add_culprits(const FlightRecord *records, int n, const bool *culprit, char *text,
                         size_t room) {
    enum { SHOWN = 2 };
    int found = 0;
    for (int r = 0; r < n; r++) {
        const FlightRecord *record = &records[r];
        char what[WHAT_MAX + 32];
        double since;
        if (!culprit[r] || ++found > SHOWN)
            continue;
        flight_doing(record, what, sizeof what, &since);
        add(text, room, "%srank %d%s%s", found > 1 ? ", " : "", record->rank,
            record->host[0] ? " on " : "", record->host);
        if (record->present)
            add(text, room, ": %s since %.3g s", what, since);
        else
            add(text, room, " left no record: killed, or its host is gone");
    }
    if (found > SHOWN)
        add(text, room, ", and %d more", found - SHOWN);
}

/* The longest that a rank has waited so far. */
static double longest_wait(const FlightRecord *records, int n) {
    double longest = 0;
    for (int r = 0; r < n; r++) {
        const FlightEntry *entry = any_wait(&records[r]);
        if (entry && records[r].now - entry->start > longest)
            longest = records[r].now - entry->start;
    }
    return longest;
}

/* Whether that the process did not run explains a wait of so long. */
static bool stood(const FlightRecord *record, double wait) {
    return record->present && record->stood_s > STOOD_S && record->stood_s > wait / 2 &&
           record->now - record->stood_until < LATELY_S;
}

static bool name_stopped(const FlightRecord *records, int n, char *text, size_t room) {
    double wait = longest_wait(records, n);
    int stopped = 0, present = 0;
    for (int r = 0; r < n; r++) {
        present += records[r].present;
        stopped += stood(&records[r], wait);
    }
    if (stopped == 0 || stopped == present)
        return false;
    for (int r = 0; r < n; r++) {
        char what[WHAT_MAX + 32];
        double since;
        if (!stood(&records[r], wait))
            continue;
        flight_doing(&records[r], what, sizeof what, &since);
        add(text, room, "%srank %d on %s did not run for %.3g s (stopped, or suspended): %s",
            text[0] ? ", " : "", records[r].rank, records[r].host, records[r].stood_s, what);
    }
    return true;
}

/* Whether the rank may be what those in `at` wait for. */
static bool is_behind(const FlightRecord *record, const FlightEntry *at) {
    FlightPlane plane;
    if (!record->present)
        return true;
    return flight_is_collective(at->op, &plane) ? reached(record, plane) < at->sequence
                                                : !any_wait(record);
}

/* Marks those that are behind; of these, where there are such, only who waits for nobody, or only
 * who left nothing. */
static void mark_behind(const FlightRecord *records, int n, const FlightEntry *at, bool *behind) {
    int working = 0, absent = 0;
    for (int r = 0; r < n; r++) {
        behind[r] = is_behind(&records[r], at);
        absent += !records[r].present;
        working += behind[r] && records[r].present && !any_wait(&records[r]);
    }
    for (int r = 0; r < n; r++) {
        if (working > 0)
            behind[r] = behind[r] && records[r].present && !any_wait(&records[r]);
        else if (absent > 0)
            behind[r] = !records[r].present;
    }
}

/* Nobody waits for anybody: whoever left nothing, else all, in one where they do the same. */
static void add_all(const FlightRecord *records, int n, bool *named, char *text, size_t room) {
    char first[WHAT_MAX + 32], other[WHAT_MAX + 32];
    double since;
    int absent = 0, alikes = 0;
    flight_doing(&records[0], first, sizeof first, &since);
    for (int r = 0; r < n; r++) {
        absent += !records[r].present;
        flight_doing(&records[r], other, sizeof other, &since);
        alikes += strcmp(first, other) == 0;
    }
    for (int r = 0; r < n; r++)
        named[r] = absent == 0 || !records[r].present;
    if (alikes == n && n > 1)
        add(text, room, "all %d ranks: %s", n, first);
    else
        add_culprits(records, n, named, text, room);
    add(text, room, "; no rank waits for another");
}

void flight_verdict(const FlightRecord *records, int n, char *text, size_t room) {
    if (flight_mismatch(records, n, text, room) || name_stopped(records, n, text, room))
        return;
    bool *named = calloc((size_t)n + 1, sizeof *named);
    const FlightEntry *at = front(records, n);
    if (named && at) {
        mark_behind(records, n, at, named);
        add_culprits(records, n, named, text, room);
        add_waiting(records, n, at, text, room);
    } else if (named) {
        add_all(records, n, named, text, room);
    }
    free(named);
}
