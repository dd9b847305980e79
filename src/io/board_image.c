/* board_image: see board_image.h. */
#include "lockstep/board_image.h"

#include <string.h>

#include "file_util.h"

Status board_image_send(int out, const BoardImage *image) {
    BoardImage head = *image;
    head.png = NULL;
    TRY(file_write(out, "the pictures' way", &head, sizeof head));
    return file_write(out, "the pictures' way", image->png, image->bytes);
}

Status board_image_take(const char **at, const char *end, BoardImage *image) {
    size_t left = (size_t)(end - *at);
    if (left >= sizeof *image)
        memcpy(image, *at, sizeof *image);
    if (left < sizeof *image || image->bytes > left - sizeof *image ||
        !memchr(image->tag, '\0', sizeof image->tag))
        return FAIL(ST_INTERNAL, "a picture for TensorBoard is not whole");
    image->png = *at + sizeof *image;
    *at = image->png + image->bytes;
    return ST_OK;
}
