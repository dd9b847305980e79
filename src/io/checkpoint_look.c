/* checkpoint_look: see checkpoint_look.h.
 *
 * A file is loaded whole, compared with its checksum file and with what it says of itself, and HDF5
 * parses those very bytes: nothing can change between the check and the use, and ranks that get the
 * bytes by message take the same way.
 *
 *   checksum file      what the bytes say     verdict
 *   agrees             is in order            good
 *   lacks, disagrees   is in order            good, but unsealed: another program touched it, or it
 *                                             is a copy; whoever uses it warns
 *   any                is not                 bad
 *
 * Whatever keeps the bytes from being read is no word about them (CHECKPOINT_UNSEEN): it may be
 * this user, this node, this minute. So it is tried again; and a file that seems bad is read twice.
 * Nor is it one that this program makes nothing of what they say: another version's may.
 */
#include "checkpoint_look.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_fit.h"
#include "checkpoint_format.h"
#include "checkpoint_walk.h"
#include "file_util.h"
#include "hdf5_file.h"
#include "lockstep/clock.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"

enum { LOOKS_BAD = 2, LOOKS_UNSEEN = 3, SEAL_BYTES = 512 };
static const double PAUSE_S =
    0.05; /* before the second look; the third waits as long again twice */

static Status check_content(hid_t file, const Checkpoint *meta) {
    uint64_t found;
    if (meta->content_hash == 0)
        return ST_OK;
    TRY(checkpoint_content_hash(file, &found));
    return found == meta->content_hash
               ? ST_OK
               : FAIL(ST_CHECKPOINT, "what it holds does not give the content hash it carries");
}

Status checkpoint_check(const void *bytes, size_t size, const char *name) {
    Checkpoint meta;
    hid_t file = -1;
    int64_t step;
    TRY(checkpoint_parse_meta(bytes, size, "content", &meta));
    Status status = hdf5_open_image(bytes, size, &file);
    if (status == ST_OK && checkpoint_step_of(name, "", &step) && step != meta.state.step)
        status = FAIL(ST_CHECKPOINT, "it holds step %" PRId64 " under the name of another",
                      meta.state.step);
    if (status == ST_OK)
        status = checkpoint_check_hash(file, &meta);
    if (status == ST_OK)
        status = check_content(file, &meta);
    if (status == ST_OK)
        status = checkpoint_fit(file, &meta);
    if (file >= 0)
        H5Fclose(file);
    checkpoint_meta_free(&meta);
    return status;
}

/* The 32 digits in the checksum file of `real`, "" where it holds none. *there: it exists. */
static Status read_seal(const char *real, char hex[33], bool *there) {
    char path[4096 + 8], text[SEAL_BYTES];
    struct stat info;
    hex[0] = '\0';
    snprintf(path, sizeof path, "%s.xxh3", real);
    /* Not to wait for whoever would write to a FIFO. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    *there = fd >= 0 || errno != ENOENT;
    if (fd < 0)
        return *there ? FAIL(ST_CHECKPOINT, "its checksum file %s cannot be opened: %s", path,
                             strerror(errno))
                      : ST_OK;
    ssize_t n = -1;
    bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    while (regular && (n = read(fd, text, sizeof text - 1)) < 0 && errno == EINTR)
        ;
    int error = errno;
    close(fd);
    if (!regular)
        return FAIL(ST_CHECKPOINT, "its checksum file %s is not a regular file", path);
    if (n < 0)
        return FAIL(ST_CHECKPOINT, "its checksum file %s cannot be read: %s", path,
                    strerror(error));
    text[n] = '\0';
    if (n > 34 && strspn(text, "0123456789abcdef") == 32 && strncmp(text + 32, "  ", 2) == 0 &&
        text[n - 1] == '\n')
        snprintf(hex, 33, "%.32s", text);
    return ST_OK;
}

static const char *damage(CheckpointSeal seal) {
    switch (seal) {
    case SEAL_AGREES:
        return "agrees with its checksum file, but is no checkpoint that can be gone on from";
    case SEAL_MISSING:
        return "damaged, or no checkpoint: its checksum file is missing, and it does not agree "
               "with itself";
    case SEAL_DISAGREES:
        break;
    }
    return "damaged: its bytes match neither its checksum file nor themselves";
}

/* `real` is the file itself, links followed. */
static CheckpointVerdict judge(const char *real, char **bytes, size_t *size, CheckpointSeal *seal) {
    char want[33], have[33];
    bool there;
    if (file_load(real, bytes, size) != ST_OK)
        return access(real, F_OK) != 0 && errno == ENOENT ? CHECKPOINT_GONE : CHECKPOINT_UNSEEN;
    if (read_seal(real, want, &there) != ST_OK)
        return CHECKPOINT_UNSEEN;
    hash_hex128(*bytes, *size, have);
    *seal = !there ? SEAL_MISSING : strcmp(want, have) == 0 ? SEAL_AGREES : SEAL_DISAGREES;
    Status status = checkpoint_check(*bytes, *size, strrchr(real, '/') + 1);
    if (status == ST_OK)
        return CHECKPOINT_GOOD;
    if (status != ST_CHECKPOINT) /* no memory, or of another version of this program */
        return CHECKPOINT_UNSEEN;
    status_prefix("%s", damage(*seal));
    return CHECKPOINT_BAD;
}

static CheckpointVerdict look_once(const char *path, char **bytes, size_t *size,
                                   CheckpointSeal *seal) {
    *bytes = NULL;
    char *real = realpath(path, NULL);
    if (!real) {
        int error = errno;
        (void)FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", path, strerror(error));
        return error == ENOENT ? CHECKPOINT_GONE : CHECKPOINT_UNSEEN;
    }
    CheckpointVerdict verdict = judge(real, bytes, size, seal);
    free(real);
    if (verdict == CHECKPOINT_GOOD)
        return verdict;
    free(*bytes);
    *bytes = NULL;
    if (!strstr(status_message(), path))
        status_prefix("%s", path);
    return verdict;
}

CheckpointVerdict checkpoint_examine(const char *path, char **bytes, size_t *size,
                                     CheckpointSeal *seal) {
    CheckpointVerdict verdict;
    double pause = PAUSE_S;
    for (int look = 1;; look++) {
        verdict = look_once(path, bytes, size, seal);
        int looks = verdict == CHECKPOINT_UNSEEN ? LOOKS_UNSEEN
                    : verdict == CHECKPOINT_BAD  ? LOOKS_BAD
                                                 : 1;
        if (look >= looks)
            return verdict;
        status_clear();
        if (verdict == CHECKPOINT_UNSEEN) {
            clock_sleep(pause);
            pause *= 2;
        }
    }
}

CheckpointVerdict checkpoint_look(const char *path) {
    char *bytes;
    size_t size;
    CheckpointSeal seal;
    CheckpointVerdict verdict = checkpoint_examine(path, &bytes, &size, &seal);
    free(bytes);
    return verdict;
}

Status checkpoint_verify(const char *path) {
    return checkpoint_look(path) == CHECKPOINT_GOOD ? ST_OK : ST_CHECKPOINT;
}

const char *checkpoint_seal_text(CheckpointSeal seal) {
    return seal == SEAL_AGREES ? "agrees with its checksum file"
           : seal == SEAL_MISSING
               ? "a copy without a checksum file: its own checksums agree"
               : "differs from its checksum file, though what it holds agrees with itself";
}

Status checkpoint_load(const char *path, char **bytes, size_t *size) {
    CheckpointSeal seal;
    if (checkpoint_examine(path, bytes, size, &seal) != CHECKPOINT_GOOD)
        return ST_CHECKPOINT;
    if (seal == SEAL_MISSING)
        log_warn("%s has no checksum file beside it: what it holds agrees with its own checksums "
                 "and state hash",
                 path);
    if (seal == SEAL_DISAGREES)
        log_warn("%s differs from its checksum file, as after a program opened it for writing "
                 "(h5py: use mode 'r'): what it holds agrees with its own checksums and state hash",
                 path);
    return ST_OK;
}

Status checkpoint_read_meta(const char *path, Checkpoint *checkpoint) {
    char *bytes = NULL;
    size_t size = 0;
    CheckpointSeal seal;
    memset(checkpoint, 0, sizeof *checkpoint);
    if (checkpoint_examine(path, &bytes, &size, &seal) != CHECKPOINT_GOOD)
        return ST_CHECKPOINT;
    Status status = checkpoint_parse_meta(bytes, size, path, checkpoint);
    free(bytes);
    return status;
}
