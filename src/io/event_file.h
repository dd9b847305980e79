/* event_file: a file of TensorBoard events. Private to src/io. Local.
 *
 * A file is a row of records: length (uint64), masked CRC-32C of the length, the bytes, masked
 * CRC-32C of the bytes; little endian. The bytes are an Event of TensorFlow's event.proto in the
 * encoding of protobuf, made by hand: a key (field number * 8 + type) before each value, whole
 * numbers as varints. Values are collected, then written as one event by one write(2); scalars ask
 * for no memory. */
#ifndef LOCKSTEP_IO_EVENT_FILE_H
#define LOCKSTEP_IO_EVENT_FILE_H

#include <stdint.h>

#include "lockstep/board_image.h"
#include "lockstep/histogram.h"
#include "lockstep/status.h"
#include "lockstep/text.h"

typedef struct EventFile {
    int fd; /* -1: not open */
    char path[4096];
    Text values, event, record; /* in the making; their room is kept */
} EventFile;

/* Makes the file `path`, which must not exist, with the first event that every file has.
 * ST_CHECKPOINT. */
Status event_file_create(const char *path, EventFile *file);
void event_file_close(EventFile *file); /* accepts one that is not open */

/* Each adds a value to the next event. Words are Markdown. */
void event_scalar(EventFile *file, const char *tag, double value);
void event_words(EventFile *file, const char *tag, const char *words);
void event_histogram(EventFile *file, const char *tag, const Histogram *histogram);

/* Writes a PNG file of w x h pixels as an event of its own, without a copy in memory.
 * ST_CHECKPOINT. */
Status event_image(EventFile *file, int64_t step, const BoardImage *image);

/* Writes the values as an event of `step`; nothing where there are none. ST_CHECKPOINT. */
Status event_file_write(EventFile *file, int64_t step);

/* Writes the start of a session: TensorBoard forgets what came before it of this step and later
 * ones. */
Status event_file_start(EventFile *file, int64_t step);

/* The checksum of the Castagnoli polynomial: 0xe3069283 of "123456789". */
uint32_t crc32c(const void *bytes, size_t size);

#endif
