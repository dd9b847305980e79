/* A run directory as `report`, `runs` and `flight` read it, and metrics.jsonl as a resume mends it.
 * An input is one of its files, by byte 0, among good ones: whatever it holds is read or refused.
 */
#include "../../src/io/metrics_mend.h"
#include "../../src/report/facts.h"
#include "lockstep/flight_dir.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run of 20 steps leaves, as far as readers ask for it. */
static const char *const files[][2] = {
    {"run/config.yaml",
     "data: synthetic\nsteps: 20\nmodel: |\n  flatten\n  linear 10\n  softmax_ce\n"},
    {"run/metrics.jsonl",
     "{\"kind\":\"train\",\"step\":10,\"epoch\":1,\"loss\":2.1,\"lr\":0.1,\"images_per_s\":9.5}\n"
     "{\"kind\":\"eval\",\"step\":20,\"epoch\":2,\"split\":\"test\",\"loss\":2,\"accuracy\":0.3}"
     "\n"},
    {"run/sessions.jsonl",
     "{\"kind\":\"start\",\"ranks\":2,\"step\":0}\n{\"kind\":\"end\",\"step\":20}\n"},
    {"run/result.json",
     "{\"status\":\"finished\",\"step\":20,\"dataset\":\"synthetic\",\"image\":[3,32,32],"
     "\"classes\":[\"a\",\"b\"],\"confusion\":[[1,0],[0,1]],\"state_hash\":\"00\"}\n"},
    {"run/flight/20261126T153201Z-4711/rank-0", ""},
    {"run/predictions.h5", ""},
};
enum { FILES = sizeof files / sizeof *files };

static void write_good(int i) {
    if (files[i][1][0])
        scratch_write(files[i][0], files[i][1], strlen(files[i][1]));
    else
        remove(scratch_path(files[i][0]));
}

static void put_nothing(const EvalMetrics *metrics, Text *text) {
    (void)metrics;
    text_add(text, "{}\n");
}

static void mend(const uint8_t *data, size_t size) {
    const EvalMetrics known[] = {{.step = 5, .split = "test"}, {.step = 20, .split = "test"}};
    Text mended = {0};
    int64_t put_back = 0;
    char *text = NULL;
    size_t length = 0;
    Status status =
        metrics_mended((const char *)data, size, 20, known, 2, put_nothing, &mended, &put_back);
    MUST(status != ST_OK || (put_back >= 0 && put_back <= 2));
    if (text_take(&mended, &text, &length) == ST_OK)
        MUST(length == 0 || text[length - 1] == '\n');
    free(text);
    scratch_judge(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool started;
    static char run[SCRATCH_NAME];
    Facts facts = {0};
    FlightSet flight = {0};
    if (size == 0)
        return 0;
    if (!started) {
        scratch_folder("run");
        scratch_folder("run/flight");
        scratch_folder("run/flight/20261126T153201Z-4711");
        for (int i = 0; i < FILES; i++)
            write_good(i);
        snprintf(run, sizeof run, "%s", scratch_path("run"));
        started = true;
    }
    int which = data[0] % FILES;
    scratch_write(files[which][0], data + 1, size - 1);
    Status status = facts_read(run, &facts);
    facts_free(&facts);
    scratch_judge(status);
    if (which == 4) {
        status = flight_set_read(run, &flight);
        flight_set_free(&flight);
        scratch_judge(status);
    }
    if (which == 1)
        mend(data + 1, size - 1);
    write_good(which);
    return 0;
}
