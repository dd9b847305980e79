/* board_image: pictures for TensorBoard, on their way from the process that draws them to the one
 * that has the event file. Private to one machine: the fields as they are, then the bytes. Local.
 */
#ifndef LOCKSTEP_BOARD_IMAGE_H
#define LOCKSTEP_BOARD_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct BoardImage {
    char tag[48];    /* as TensorBoard groups them: "test/confusion_matrix" */
    int64_t w, h;    /* pixels */
    size_t bytes;    /* of the file */
    const char *png; /* [bytes] borrowed */
} BoardImage;

/* Appends it to what `out` leads to. ST_CHECKPOINT. */
Status board_image_send(int out, const BoardImage *image);

/* Takes the first of the images in [*at, end) and moves *at behind it; image->png points into
 * there. ST_INTERNAL where the bytes are no such thing. */
Status board_image_take(const char **at, const char *end, BoardImage *image);

#ifdef __cplusplus
}
#endif
#endif
