/* event_file: see event_file.h. Field numbers are those of event.proto, summary.proto and
 * tensor.proto of TensorFlow 2. */
#include "event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "file_util.h"

enum { ROOM = 32768 }; /* bytes of an event of scalars, generously, or of a full histogram */

/* The checksum of what `crc` is the checksum of, followed by these bytes. */
static uint32_t crc_more(uint32_t crc, const void *bytes, size_t size) {
    crc = ~crc;
    for (const uint8_t *byte = bytes; size > 0; size--, byte++) {
        crc ^= *byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
    }
    return ~crc;
}

uint32_t crc32c(const void *bytes, size_t size) {
    return crc_more(0, bytes, size);
}

/* A checksum of bytes that hold checksums themselves would be weak: so it is turned and shifted. */
static void add_masked(Text *out, uint32_t crc) {
    uint32_t masked = (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
    text_add_bytes(out, &masked, sizeof masked);
}

/* ---- protobuf ---- */

enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };

static void add_varint(Text *out, uint64_t value) {
    do {
        uint8_t byte = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
        text_add_bytes(out, &byte, 1);
    } while ((value >>= 7) > 0);
}

static size_t varint_size(uint64_t value) {
    size_t size = 1;
    while ((value >>= 7) > 0)
        size++;
    return size;
}

static void add_key(Text *out, int field, int type) {
    add_varint(out, (uint64_t)field << 3 | (uint64_t)type);
}

static void add_int(Text *out, int field, int64_t value) {
    add_key(out, field, VARINT);
    add_varint(out, (uint64_t)value);
}

static void add_double(Text *out, int field, double value) {
    add_key(out, field, FIXED64);
    text_add_bytes(out, &value, sizeof value);
}

static void add_bytes(Text *out, int field, const void *bytes, size_t size) {
    add_key(out, field, BYTES);
    add_varint(out, size);
    text_add_bytes(out, bytes, size);
}

static void add_string(Text *out, int field, const char *words) {
    add_bytes(out, field, words, strlen(words));
}

/* A message within another; it is freed. Memory that ran out in it ran out in *out. */
static void add_message(Text *out, int field, Text *message) {
    add_bytes(out, field, message->bytes, message->size);
    out->failed = out->failed || message->failed;
    text_free(message);
}

/* ---- Values of a summary ---- */

enum {
    VALUE_TAG = 1,
    VALUE_SIMPLE,
    VALUE_IMAGE = 4,
    VALUE_HISTOGRAM,
    VALUE_TENSOR = 8,
    VALUE_METADATA
};
enum { SUMMARY_VALUE = 1 };

/* Its length is known before it is made, so that it needs no memory of its own. */
void event_scalar(EventFile *file, const char *tag, double value) {
    Text *out = &file->values;
    size_t length = strlen(tag);
    float single = (float)value;
    add_key(out, SUMMARY_VALUE, BYTES);
    add_varint(out, 1 + varint_size(length) + length + 1 + sizeof single);
    add_string(out, VALUE_TAG, tag);
    add_key(out, VALUE_SIMPLE, FIXED32);
    text_add_bytes(out, &single, sizeof single);
}

void event_words(EventFile *file, const char *tag, const char *words) {
    Text value = {0}, tensor = {0}, shape = {0}, dim = {0}, metadata = {0}, plugin = {0};
    add_int(&dim, 1, 1); /* a list of one string */
    add_message(&shape, 2, &dim);
    add_int(&tensor, 1, 7); /* DT_STRING */
    add_message(&tensor, 2, &shape);
    add_string(&tensor, 8, words);
    add_string(&plugin, 1, "text");
    add_message(&metadata, 1, &plugin);
    add_int(&metadata, 4, 2); /* DATA_CLASS_TENSOR */
    add_string(&value, VALUE_TAG, tag);
    add_message(&value, VALUE_TENSOR, &tensor);
    add_message(&value, VALUE_METADATA, &metadata);
    add_message(&file->values, SUMMARY_VALUE, &value);
}

/* Buckets as HistogramProto has them: neighbours without values are one. */
typedef struct Buckets {
    size_t n;
    double limit[HISTOGRAM_BUCKETS], count[HISTOGRAM_BUCKETS];
} Buckets;

static void find_buckets(const Histogram *histogram, Buckets *buckets) {
    buckets->n = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        bool joins =
            buckets->n > 0 && histogram->count[i] == 0 && buckets->count[buckets->n - 1] == 0;
        size_t at = joins ? buckets->n - 1 : buckets->n++;
        buckets->limit[at] = histogram->limit[i];
        buckets->count[at] = histogram->count[i];
    }
}

void event_histogram(EventFile *file, const char *tag, const Histogram *histogram) {
    enum { MIN = 1, MAX, NUM, SUM, SUM_SQUARES, LIMITS, COUNTS, NUMBER_BYTES = 9 };
    Text *out = &file->values;
    Buckets buckets;
    find_buckets(histogram, &buckets);
    size_t length = strlen(tag), row = buckets.n * sizeof *buckets.limit;
    size_t inner = SUM_SQUARES * NUMBER_BYTES + 2 * (1 + varint_size(row) + row);
    add_key(out, SUMMARY_VALUE, BYTES);
    add_varint(out, 1 + varint_size(length) + length + 1 + varint_size(inner) + inner);
    add_string(out, VALUE_TAG, tag);
    add_key(out, VALUE_HISTOGRAM, BYTES);
    add_varint(out, inner);
    add_double(out, MIN, histogram->min);
    add_double(out, MAX, histogram->max);
    add_double(out, NUM, histogram->num);
    add_double(out, SUM, histogram->sum);
    add_double(out, SUM_SQUARES, histogram->sum_squares);
    add_bytes(out, LIMITS, buckets.limit, row);
    add_bytes(out, COUNTS, buckets.count, row);
}

/* ---- Events ---- */

enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION = 7 };

static void begin_event(EventFile *file) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    text_clear(&file->event);
    add_double(&file->event, EVENT_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
}

/* What a record begins with: the length of its event, and the checksum of that. */
static void begin_record(Text *record, uint64_t length) {
    text_clear(record);
    text_add_bytes(record, &length, sizeof length);
    add_masked(record, crc32c(&length, sizeof length));
}

/* Appends file->event as a record. */
static Status put_event(EventFile *file) {
    Text *record = &file->record;
    begin_record(record, file->event.size);
    text_add_bytes(record, file->event.bytes, file->event.size);
    add_masked(record, crc32c(file->event.bytes, file->event.size));
    if (file->values.failed || file->event.failed || record->failed)
        return FAIL(ST_INTERNAL, "out of memory for an event of TensorBoard");
    return file_write(file->fd, file->path, record->bytes, record->size);
}

Status event_file_write(EventFile *file, int64_t step) {
    if (file->values.size == 0)
        return ST_OK;
    begin_event(file);
    add_int(&file->event, EVENT_STEP, step);
    add_bytes(&file->event, EVENT_SUMMARY, file->values.bytes, file->values.size);
    text_clear(&file->values);
    return put_event(file);
}

/* All of them, by one writev(2) unless that stops in the middle. */
static Status write_parts(const EventFile *file, struct iovec *part, int n) {
    ssize_t done;
    do {
        done = writev(file->fd, part, n);
    } while (done < 0 && errno == EINTR);
    if (done < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be written: %s", file->path, strerror(errno));
    for (int i = 0; i < n; i++) {
        size_t skip = (size_t)done < part[i].iov_len ? (size_t)done : part[i].iov_len;
        done -= (ssize_t)skip;
        TRY(file_write(file->fd, file->path, (char *)part[i].iov_base + skip,
                       part[i].iov_len - skip));
    }
    return ST_OK;
}

Status event_image(EventFile *file, int64_t step, const BoardImage *image) {
    enum { HEIGHT = 1, WIDTH, COLOURS, PNG, RGB = 3 };
    Text *event = &file->event, *record = &file->record, *head = &file->values;
    size_t tag = strlen(image->tag), inner, value;
    /* All fields of the picture but its bytes, to know how long they are. */
    text_clear(head);
    add_int(head, HEIGHT, image->h);
    add_int(head, WIDTH, image->w);
    add_int(head, COLOURS, RGB);
    inner = head->size + 1 + varint_size(image->bytes) + image->bytes;
    value = 1 + varint_size(tag) + tag + 1 + varint_size(inner) + inner;
    begin_event(file);
    add_int(event, EVENT_STEP, step);
    add_key(event, EVENT_SUMMARY, BYTES);
    add_varint(event, 1 + varint_size(value) + value);
    add_key(event, SUMMARY_VALUE, BYTES);
    add_varint(event, value);
    add_string(event, VALUE_TAG, image->tag);
    add_key(event, VALUE_IMAGE, BYTES);
    add_varint(event, inner);
    text_add_bytes(event, head->bytes, head->size);
    add_key(event, PNG, BYTES);
    add_varint(event, image->bytes);
    text_clear(head);
    begin_record(record, event->size + image->bytes);
    size_t begun = record->size;
    uint32_t crc = crc32c(event->bytes, event->size);
    add_masked(record, crc_more(crc, image->png, image->bytes));
    if (event->failed || record->failed || head->failed)
        return FAIL(ST_INTERNAL, "out of memory for an event of TensorBoard");
    struct iovec part[] = {{record->bytes, begun},
                           {event->bytes, event->size},
                           {(char *)(uintptr_t)image->png, image->bytes},
                           {record->bytes + begun, record->size - begun}};
    return write_parts(file, part, sizeof part / sizeof *part);
}

Status event_file_start(EventFile *file, int64_t step) {
    begin_event(file);
    add_int(&file->event, EVENT_STEP, step);
    add_bytes(&file->event, EVENT_SESSION, "\x08\x01", 2); /* SessionLog.status: START */
    return put_event(file);
}

Status event_file_create(const char *path, EventFile *file) {
    size_t length = strlen(path);
    if (length >= sizeof file->path)
        return FAIL(ST_CHECKPOINT, "%.40s...: the path is too long", path);
    memcpy(file->path, path, length + 1);
    file->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (file->fd < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be made: %s", path, strerror(errno));
    text_reserve(&file->values, ROOM);
    text_reserve(&file->event, ROOM);
    text_reserve(&file->record, ROOM);
    begin_event(file);
    add_string(&file->event, EVENT_VERSION, "brain.Event:2");
    return put_event(file);
}

void event_file_close(EventFile *file) {
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    text_free(&file->values);
    text_free(&file->event);
    text_free(&file->record);
}
