/* views: see views.h. */
#include "views.h"

#include <string.h>

int views_of(Tta tta, View view[VIEWS_MAX]) {
    /* airbench94's: half the mirror mean, half the mean of those at two shifts. */
    static const View shifts[VIEWS_MAX] = {{0, 0, false, 0.25},    {0, 0, true, 0.25},
                                           {-1, -1, false, 0.125}, {-1, -1, true, 0.125},
                                           {1, 1, false, 0.125},   {1, 1, true, 0.125}};
    memcpy(view, shifts, sizeof shifts);
    if (tta == TTA_SHIFTS)
        return VIEWS_MAX;
    view[0].weight = tta == TTA_NONE ? 1 : 0.5;
    view[1].weight = 0.5;
    return tta == TTA_NONE ? 1 : 2;
}

static int64_t reflect(int64_t at, int64_t side) {
    return at < 0 ? -at : at >= side ? 2 * (side - 1) - at : at;
}

void view_make(const View *view, Shape shape, const uint8_t *record, uint8_t *image) {
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t y = row % shape.h, first = row - y;
        const uint8_t *from = record + (first + reflect(y + view->down, shape.h)) * shape.w;
        for (int64_t x = 0; x < shape.w; x++) {
            int64_t column = view->mirror ? shape.w - 1 - x : x;
            *image++ = from[reflect(column + view->right, shape.w)];
        }
    }
}
