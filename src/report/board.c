/* board: pictures for TensorBoard. See report.h. */

#include <stdlib.h>

#include "figures.h"
#include "lockstep/metrics.h"
#include "lockstep/report.h"

/* How often an image of each class was taken for each. A prediction may be of no class. */
static int64_t *count_predictions(const Facts *facts) {
    const Predictions *predictions = &facts->predictions;
    int64_t n = facts->dataset.classes;
    int64_t *count = calloc((size_t)(n * n), sizeof *count);
    for (int64_t i = 0; count && i < predictions->images; i++) {
        int64_t label = predictions->label[i], predicted = predictions->predicted[i];
        if (label >= 0 && label < n && predicted >= 0 && predicted < n)
            count[label * n + predicted]++;
    }
    return count;
}

static Status draw(Sheet *sheet, const Facts *facts) {
    if (facts->dataset.classes > RESULT_CONFUSION_MAX)
        return figures_wrong(sheet, facts);
    int64_t *count = count_predictions(facts);
    TRY_ALLOC(count);
    Status status = figures_confusion_matrix(sheet, facts, count);
    free(count);
    return status == ST_OK ? figures_wrong(sheet, facts) : status;
}

Status report_board(const char *run, int in, int out) {
    Sheet sheet = {.to_board = true, .board = out};
    Facts *facts = calloc(1, sizeof *facts);
    TRY_ALLOC(facts);
    Status status = painter_png_there();
    if (status == ST_OK)
        status = facts_read_data(run, facts);
    if (status == ST_OK)
        status = predictions_receive(in, &facts->predictions);
    if (status == ST_OK)
        status = draw(&sheet, facts);
    facts_free(facts);
    free(facts);
    return status;
}
