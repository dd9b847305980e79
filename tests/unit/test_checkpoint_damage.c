/* Checkpoints: damage of any byte is refused or changes nothing, and a disk that is full is said.
 */
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint_checks.h"
#include "lockstep/inspect.h"

/* What a flipped byte leaves is bad, or good with all that it had: the byte was in a gap. */
static void damage_shows_or_changes_nothing(const Fixture *f, const char *path) {
    Checkpoint meta;
    if (checkpoint_look(path) == CHECKPOINT_BAD) {
        fixture_refused(checkpoint_read_meta(path, &meta), "damaged");
        return;
    }
    assert_int_equal(checkpoint_read_meta(path, &meta), ST_OK);
    checkpoint_same_meta(f, &meta);
    checkpoint_meta_free(&meta);
    Checkpoint arrays = fixture_empty(f);
    assert_int_equal(fixture_read_arrays(path, &arrays), ST_OK);
    checkpoint_same_arrays(f, &arrays);
    fixture_free_arrays(&arrays);
}

static void any_flipped_byte_is_refused(void **state) {
    (void)state;
    Fixture f;
    size_t size;
    Checkpoint meta;
    fixture_open(&f, 3);
    checkpoint_write_step(&f, 3);
    char path[512];
    snprintf(path, sizeof path, "%s", fixture_path(&f, "step-00000003.h5"));
    char *bytes = fixture_load(path, &size);
    FILE *none = fopen("/dev/null", "w");
    for (size_t at = 0; at < size; at += at < 4096 ? 7 : 97) {
        bytes[at] = (char)(bytes[at] ^ 1);
        fixture_save(path, bytes, size);
        damage_shows_or_changes_nothing(&f, path);
        fixture_refused(inspect_print(path, true, none), path); /* every byte counts there */
        bytes[at] = (char)(bytes[at] ^ 1);
    }
    for (size_t left = 0; left < size - 4096; left += 1 + size / 40) {
        fixture_save(path, bytes, left);
        fixture_refused(checkpoint_verify(path), "damaged");
        fixture_refused(checkpoint_read_meta(path, &meta), "damaged");
    }
    fclose(none);
    fixture_save(path, bytes, size);
    assert_int_equal(checkpoint_verify(path), ST_OK);
    /* The sidecar. */
    size_t side_size;
    char sidecar[600];
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", path);
    char *side = fixture_load(sidecar, &side_size);
    for (size_t at = 0; at < 33; at++) {
        side[at] = (char)(side[at] ^ 1);
        fixture_save(sidecar, side, side_size);
        assert_int_equal(checkpoint_look(path), CHECKPOINT_GOOD); /* by what it holds */
        side[at] = (char)(side[at] ^ 1);
    }
    fixture_save(sidecar, side, 20);
    assert_int_equal(checkpoint_look(path), CHECKPOINT_GOOD);
    unlink(sidecar);
    assert_int_equal(checkpoint_look(path), CHECKPOINT_GOOD);
    checkpoint_flip(path, size / 2);
    fixture_refused(checkpoint_verify(path), "missing");
    free(side);
    free(bytes);
    fixture_close(&f);
}

/* Without a sidecar HDF5 stands alone: each damage is refused, or changes nothing that is read. */
static void damage_in_memory_is_refused_or_harmless(void **state) {
    (void)state;
    Fixture f;
    size_t size, refused = 0, harmless = 0;
    fixture_open(&f, 3);
    checkpoint_write_step(&f, 3);
    char *bytes = fixture_load(fixture_path(&f, "step-00000003.h5"), &size);
    Checkpoint arrays = fixture_empty(&f);
    for (size_t at = 0; at < size; at += 23) {
        Checkpoint meta;
        bytes[at] = (char)(bytes[at] ^ 4);
        bool good = checkpoint_parse_meta(bytes, size, "image", &meta) == ST_OK;
        if (good) {
            checkpoint_same_meta(&f, &meta);
            checkpoint_meta_free(&meta);
            good = checkpoint_parse_arrays(bytes, size, "image", &arrays) == ST_OK;
        }
        if (good) {
            checkpoint_same_arrays(&f, &arrays);
            harmless++;
        } else {
            assert_non_null(strstr(status_message(), "image: "));
            status_clear();
            refused++;
        }
        bytes[at] = (char)(bytes[at] ^ 4);
    }
    assert_true(refused > 0 && harmless < size / 23);
    /* What is missing at the end may be padding, which HDF5 does not need. */
    for (size_t left = 0; left < size; left += 1 + size / 30) {
        Checkpoint meta;
        if (checkpoint_parse_meta(bytes, left, "image", &meta) == ST_OK) {
            checkpoint_same_meta(&f, &meta);
            checkpoint_meta_free(&meta);
            assert_int_equal(checkpoint_parse_arrays(bytes, left, "image", &arrays), ST_OK);
            checkpoint_same_arrays(&f, &arrays);
            assert_true(left > size - 4096);
        } else {
            assert_non_null(strstr(status_message(), "image: "));
            status_clear();
        }
    }
    fixture_free_arrays(&arrays);
    free(bytes);
    fixture_close(&f);
}

/* A tmpfs too small for the file: one message with path and cause, nothing left behind, and the
 * library usable afterwards. */
static void full_disk(void **state) {
    (void)state;
    Fixture f;
    char small[256];
    fixture_open(&f, 1);
    snprintf(small, sizeof small, "%s/small", f.folder);
    /* In a mount namespace of its own, which goes with this process whatever happens. */
    assert_int_equal(mkdir(small, 0700), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", small, "tmpfs", 0, "size=16k") != 0) {
        fixture_close(&f);
        skip();
    }
    /* From next to no room to enough for all but the sidecar (the file has 17 KB). */
    for (int kib = 4; kib <= 20; kib += 4) {
        assert_int_equal(fixture_shell("mount -o remount,size=%dk '%s'", kib, small), 0);
        fixture_refused(checkpoint_write(small, &f.checkpoint, NULL, NULL),
                        "No space left on device");
        assert_int_equal(fixture_shell("test -z \"$(ls -A '%s')\"", small), 0);
    }
    assert_int_equal(fixture_shell("mount -o remount,size=1m '%s'", small), 0);
    assert_int_equal(checkpoint_write(small, &f.checkpoint, NULL, NULL), ST_OK);
    assert_int_equal(fixture_shell("umount '%s'", small), 0);
    fixture_refused(checkpoint_write(fixture_path(&f, "none"), &f.checkpoint, NULL, NULL),
                    "No such file");
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_flipped_byte_is_refused),
        cmocka_unit_test(damage_in_memory_is_refused_or_harmless),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
