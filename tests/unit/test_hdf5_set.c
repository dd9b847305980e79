/* Sets of one's own in HDF5 files, written here; and what of such files is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/dataset.h"

enum { H = 5, W = 7, C = 2, TRAIN = 11, TEST = 4, HELD = 3 };

static char path[64];

static uint8_t pixel_of(int part, int64_t record, int64_t y, int64_t x, int64_t c) {
    return (uint8_t)(part * 101 + record * 37 + y * 13 + x * 5 + c * 77);
}

/* How one array is stored; zero: 4 dimensions, contiguous. */
typedef struct Store {
    int ndim;
    hsize_t chunk; /* records of one; 0: contiguous */
    int deflate;
    bool unwritten;
} Store;

static void put_array(hid_t file, const char *name, hid_t type, int ndim, const hsize_t *dim,
                      const void *data, Store store) {
    hid_t links = H5Pcreate(H5P_LINK_CREATE), creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(ndim, dim, NULL);
    H5Pset_create_intermediate_group(links, 1);
    if (store.chunk) {
        hsize_t chunk[4] = {store.chunk < dim[0] ? store.chunk : dim[0], 2, 3, 1};
        H5Pset_chunk(creation, ndim, chunk);
    }
    if (store.deflate) {
        H5Pset_shuffle(creation);
        H5Pset_deflate(creation, 4);
    }
    hid_t array = H5Dcreate2(file, name, type, space, links, creation, H5P_DEFAULT);
    assert_true(array >= 0);
    if (!store.unwritten)
        assert_true(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(array);
    H5Sclose(space);
    H5Pclose(creation);
    H5Pclose(links);
}

static void put_images(hid_t file, const char *name, int part, hsize_t n, Store store) {
    uint8_t pixels[TRAIN * H * W * C];
    hsize_t dim[4] = {n, H, W, C};
    for (int64_t i = 0, at = 0; i < (int64_t)n; i++)
        for (int64_t y = 0; y < H; y++)
            for (int64_t x = 0; x < W; x++)
                for (int64_t c = 0; c < C; c++)
                    pixels[at++] = pixel_of(part, i, y, x, c);
    if (store.ndim == 3) { /* of one channel, as wide as both */
        dim[2] *= C;
        dim[3] = 0;
    }
    put_array(file, name, H5T_STD_U8LE, store.ndim ? store.ndim : 4, dim, pixels, store);
}

static void put_labels(hid_t file, const char *name, hid_t type, hsize_t n) {
    int64_t labels[TRAIN];
    for (int64_t i = 0; i < (int64_t)n; i++)
        labels[i] = i % 3;
    H5Tconvert(H5T_NATIVE_INT64, type, n, labels, NULL, H5P_DEFAULT);
    put_array(file, name, type, 1, &n, labels, (Store){0});
}

static void put_names(hid_t file, const char *const *names, hsize_t n, size_t fixed,
                      H5T_str_t padding) {
    char text[8][16] = {{0}};
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, fixed ? fixed : H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    if (fixed)
        H5Tset_strpad(type, padding);
    memset(text, padding == H5T_STR_SPACEPAD ? ' ' : 0, sizeof text);
    for (hsize_t i = 0; fixed && i < n; i++)
        memcpy(text[0] + i * fixed, names[i], strlen(names[i]));
    put_array(file, "class_names", type, 1, &n, fixed ? (const void *)text : names, (Store){0});
    H5Tclose(type);
}

static hid_t create(void) {
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

/* A file of one array. */
static void create_one(const char *name, hid_t type, int ndim, const hsize_t *dim, const void *data,
                       Store store) {
    hid_t file = create();
    put_array(file, name, type, ndim, dim, data, store);
    H5Fclose(file);
}

/* A file of train/images alone, made by the properties `creation`, which are closed. */
static void create_made(hid_t creation, const hsize_t dim[4], const void *data) {
    hid_t file = create(), links = H5Pcreate(H5P_LINK_CREATE);
    hid_t space = H5Screate_simple(4, dim, NULL);
    H5Pset_create_intermediate_group(links, 1);
    hid_t array =
        H5Dcreate2(file, "train/images", H5T_STD_U8LE, space, links, creation, H5P_DEFAULT);
    assert_true(array >= 0);
    if (data)
        assert_true(H5Dwrite(array, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(array);
    H5Sclose(space);
    H5Pclose(links);
    H5Pclose(creation);
    H5Fclose(file);
}

static hid_t chunked(const hsize_t chunk[4]) {
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 4, chunk);
    return creation;
}

/* A file with the training images, for what is to stand beside them. */
static hid_t create_images(void) {
    hid_t file = create();
    put_images(file, "train/images", 0, TRAIN, (Store){0});
    return file;
}

/* A whole file, stored in one way. */
static hid_t create_good(Store store) {
    hid_t file = create();
    put_images(file, "train/images", 0, TRAIN, store);
    put_labels(file, "train/labels", H5T_STD_U8LE, TRAIN);
    put_images(file, "test/images", 1, TEST, store);
    put_labels(file, "test/labels", H5T_STD_I64BE, TEST);
    return file;
}

static int setup(void **state) {
    (void)state;
    strcpy(path, "/tmp/lockstep-set-XXXXXX.h5");
    int fd = mkstemps(path, 3);
    if (fd < 0)
        return -1;
    close(fd);
    status_clear();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return unlink(path);
}

static void must_open(Dataset *dataset) {
    if (dataset_open(path, 1, dataset) != ST_OK)
        fail_msg("%s", status_message());
}

static void assert_refused(const char *part) {
    Dataset dataset;
    Status status = dataset_open(path, 1, &dataset);
    dataset_free(&dataset);
    assert_int_equal(status, ST_DATA);
    if (!strstr(status_message(), part) || !strstr(status_message(), path))
        fail_msg("\"%s\" does not say \"%s\"", status_message(), part);
    status_clear();
}

/* ---- What is read ---- */

static void assert_reads(DatasetPart part, int64_t n) {
    static const int64_t ids[] = {0, 1, 3, 4, 5, 9, 10};
    enum { MOST = sizeof ids / sizeof *ids };
    uint16_t labels[MOST];
    uint8_t pixels[MOST][C][H][W];
    Dataset dataset;
    int64_t count = 0, bytes = 0;
    while (count < MOST && ids[count] < n)
        count++;
    must_open(&dataset);
    assert_int_equal(dataset.count[part], n);
    assert_int_equal(dataset_read(&dataset, part, ids, count, labels, pixels[0][0][0], &bytes),
                     ST_OK);
    assert_true(bytes >= count * C * H * W);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(labels[i], ids[i] % 3);
        for (int64_t y = 0; y < H; y++)
            for (int64_t x = 0; x < W; x++)
                for (int64_t c = 0; c < C; c++)
                    assert_int_equal(pixels[i][c][y][x], pixel_of((int)part, ids[i], y, x, c));
    }
    dataset_free(&dataset);
}

static void test_reads_however_stored(void **state) {
    (void)state;
    static const Store stores[] = {
        {.ndim = 4}, {.ndim = 4, .chunk = 4}, {.ndim = 4, .chunk = 4, .deflate = 1}};
    for (int i = 0; i < 3; i++) {
        hid_t file = create_good(stores[i]);
        put_images(file, "holdout/images", 2, HELD, stores[i]);
        put_labels(file, "holdout/labels", H5T_STD_I32LE, HELD);
        H5Fclose(file);
        assert_reads(DATASET_PART_TRAIN, TRAIN);
        assert_reads(DATASET_PART_TEST, TEST);
        assert_reads(DATASET_PART_HOLDOUT, HELD);
    }
}

static void test_shape_and_numbers(void **state) {
    (void)state;
    Dataset dataset;
    H5Fclose(create_good((Store){0}));
    must_open(&dataset);
    assert_int_equal(dataset.image.c, C);
    assert_int_equal(dataset.image.h, H);
    assert_int_equal(dataset.image.w, W);
    assert_int_equal(dataset.classes, 3); /* as the labels need */
    assert_string_equal(dataset.class_names[2], "2");
    assert_int_equal(dataset.count[DATASET_PART_HOLDOUT], 0);
    assert_null(dataset.mean);
    assert_false(dataset.synthetic);
    assert_false(dataset.by_class);
    const char *base = strrchr(path, '/') + 1;
    assert_memory_equal(dataset_name(&dataset), base, strlen(base) - 3);
    assert_int_equal(strlen(dataset_name(&dataset)), strlen(base) - 3);
    dataset_free(&dataset);
    dataset_free(&dataset); /* a zeroed one */
}

static void test_grey_without_a_fourth_dimension(void **state) {
    (void)state;
    Dataset dataset;
    H5Fclose(create_good((Store){.ndim = 3}));
    must_open(&dataset);
    assert_int_equal(dataset.image.c, 1);
    assert_int_equal(dataset.image.w, W * C);
    dataset_free(&dataset);
}

static void test_names(void **state) {
    (void)state;
    static const char *const names[] = {"a cat", "B<&>",
                                        ("\xc3\xbc"
                                         "ber"),
                                        "four"};
    static const struct {
        size_t fixed;
        H5T_str_t padding;
    } forms[] = {
        {0, H5T_STR_NULLTERM}, {9, H5T_STR_NULLTERM}, {6, H5T_STR_NULLPAD}, {8, H5T_STR_SPACEPAD}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        Dataset dataset, told;
        char *text;
        hid_t file = create_good((Store){0});
        put_names(file, names, 4, forms[i].fixed, forms[i].padding);
        H5Fclose(file);
        must_open(&dataset);
        assert_int_equal(dataset.classes, 4); /* more than the labels need */
        for (int c = 0; c < 4; c++)
            assert_string_equal(dataset.class_names[c], names[c]);
        assert_int_equal(dataset_names_text(&dataset, &text), ST_OK);
        assert_int_equal(dataset_known("x", dataset.image, 4, text, &told), ST_OK);
        assert_true(dataset_is_alike(&dataset, &told));
        told.image.h++;
        assert_false(dataset_is_alike(&dataset, &told));
        free(text);
        dataset_free(&told);
        dataset_free(&dataset);
    }
}

/* ---- What is refused ---- */

static void test_no_hdf5(void **state) {
    (void)state;
    FILE *file = fopen(path, "w");
    fputs("label,pixel\n", file);
    fclose(file);
    assert_refused("is no HDF5 file");
}

static void test_missing_parts(void **state) {
    (void)state;
    hid_t file = create();
    H5Fclose(file);
    assert_refused("has no train/images");
    file = create_images();
    put_labels(file, "train/labels", H5T_STD_U8LE, TRAIN);
    H5Fclose(file);
    assert_refused("has no test/images");
}

static void test_other_kinds_of_arrays(void **state) {
    (void)state;
    float value[TRAIN * H * W * C] = {0};
    static const uint8_t large[TRAIN * 65 * W * C];
    hsize_t dim[4] = {TRAIN, H, W, C}, wide[4] = {TRAIN, 65, W, C}, flat[4] = {TRAIN, H * W};
    create_one("train/images", H5T_IEEE_F32LE, 4, dim, value, (Store){0});
    assert_refused("train/images holds no whole numbers");
    create_one("train/images", H5T_STD_I16LE, 4, dim, value, (Store){0});
    assert_refused("not uint8");
    create_one("train/images", H5T_STD_U8LE, 2, flat, value, (Store){0});
    assert_refused("train/images has 2 dimensions");
    create_one("train/images", H5T_STD_U8LE, 4, wide, large, (Store){0});
    assert_refused("images of 65 x 7 pixels in 2 channels");
}

static void test_labels(void **state) {
    (void)state;
    static const int8_t labels[TRAIN] = {0, 1, 2, -1}, many[TRAIN] = {0, 1, 2, 3};
    static const char *const names[] = {"a", "b", "c"};
    static const int16_t beyond[TRAIN] = {0, 1000};
    hsize_t n = TRAIN;
    hid_t file = create_images();
    put_labels(file, "train/labels", H5T_STD_U8LE, TRAIN - 1);
    H5Fclose(file);
    assert_refused("train/labels is no list of 11 labels");
    file = create_images();
    put_array(file, "train/labels", H5T_STD_I8LE, 1, &n, labels, (Store){0});
    H5Fclose(file);
    assert_refused("train/labels: record 3 has label -1");
    file = create_images();
    put_array(file, "train/labels", H5T_STD_I8LE, 1, &n, many, (Store){0});
    put_names(file, names, 3, 0, H5T_STR_NULLTERM);
    H5Fclose(file);
    assert_refused("train/labels: record 3 has label 3, not one of 0 to 2");
    file = create_images();
    put_array(file, "train/labels", H5T_STD_I16LE, 1, &n, beyond, (Store){0});
    H5Fclose(file);
    assert_refused("record 1 has label 1000, not one of 0 to 999");
}

static void test_another_shape_in_test(void **state) {
    (void)state;
    hid_t file = create_images();
    put_labels(file, "train/labels", H5T_STD_U8LE, TRAIN);
    put_images(file, "test/images", 0, TRAIN, (Store){.ndim = 3});
    put_labels(file, "test/labels", H5T_STD_U8LE, TRAIN);
    H5Fclose(file);
    assert_refused("test/images has images of another shape than train/images");
}

static void test_bad_names(void **state) {
    (void)state;
    static const struct {
        const char *names[3], *says;
    } cases[] = {{{"a", "", "c"}, "the name of class 1 is empty"},
                 {{"a", "b", "a"}, "classes 0 and 2 are both called a"},
                 {{"a\nb", "c", "d"}, "line break"},
                 {{"a", "b\x07", "c"}, "the name of class 1 is not UTF-8, or has control"},
                 {{"a", "b", "\xff"}, "the name of class 2 is not UTF-8, or has control"},
                 {{"a", "\xc2\x85", "c"}, "the name of class 1 is not UTF-8, or has control"},
                 {{"a", "\xed\xa0\x80", "c"}, "the name of class 1 is not UTF-8, or has control"},
                 {{"a", "1234567890123456789012345678901234567890123456789012345678901234", "c"},
                  "the name of class 1 has 64 bytes, more than 63"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = create_good((Store){0});
        put_names(file, cases[i].names, 3, 0, H5T_STR_NULLTERM);
        H5Fclose(file);
        assert_refused(cases[i].says);
    }
    int32_t number[3] = {0};
    hsize_t n = 3;
    hid_t file = create_good((Store){0});
    put_array(file, "class_names", H5T_STD_I32LE, 1, &n, number, (Store){0});
    H5Fclose(file);
    assert_refused("class_names is no list of strings");
}

/* Names on a line each, as checkpoints and results have them. */
static void test_known_sets(void **state) {
    (void)state;
    static const Shape image = {1, 1, 28, 28};
    Dataset dataset;
    assert_int_equal(dataset_known("own", image, 2, "a\nb", &dataset), ST_OK);
    assert_string_equal(dataset.class_names[1], "b");
    dataset_free(&dataset);
    assert_int_equal(dataset_known("own", image, 1000, NULL, &dataset), ST_OK);
    assert_string_equal(dataset.class_names[999], "999");
    dataset_free(&dataset);
    const struct {
        Shape image;
        int64_t classes;
        const char *names;
    } refused[] = {
        {image, 3, "a\nb"},        {image, 1, "a\nb"},          {image, 0, ""},
        {image, 1001, NULL},       {{1, 5, 28, 28}, 2, "a\nb"}, {{1, 1, 28, 65}, 2, "a\nb"},
        {{1, 1, 1, 28}, 2, "a\nb"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(
            dataset_known("own", refused[i].image, refused[i].classes, refused[i].names, &dataset),
            ST_DATA);
        dataset_free(&dataset);
        status_clear();
    }
}

static void test_storage_elsewhere(void **state) {
    (void)state;
    hsize_t dim[4] = {TRAIN, H, W, C};
    hid_t file = create(), group, creation;
    group = H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/images", group, "images", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    H5Fclose(file);
    assert_refused("train/images is a link to elsewhere");
    file = create();
    H5Lcreate_soft("/elsewhere", file, "train", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_refused("train/images is a link to elsewhere");
    creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, "/etc/passwd", 0, TRAIN * H * W * C);
    create_made(creation, dim, NULL);
    assert_refused("train/images is stored outside of its file");
}

/* Said to be large, but never written. */
static void test_storage_that_is_not_there(void **state) {
    (void)state;
    static const Store stores[] = {{.unwritten = true},
                                   {.chunk = 4, .deflate = 1, .unwritten = true}};
    hsize_t dim[4] = {TRAIN, H, W, C}, huge[4] = {1 << 30, 64, 64, 4}, one[4] = {1, 64, 64, 4};
    for (int i = 0; i < 2; i++) {
        create_one("train/images", H5T_STD_U8LE, 4, dim, NULL, stores[i]);
        assert_refused("train/images is not whole");
    }
    create_made(chunked(one), huge, NULL);
    assert_refused("train/images is not whole");
}

static void test_chunks_and_filters(void **state) {
    (void)state;
    static const uint8_t pixels[TRAIN * H * W * C];
    hsize_t dim[4] = {TRAIN, H, W, C}, huge[4] = {1 << 30, 64, 64, 4};
    hsize_t large[4] = {1 << 17, 64, 64, 4}, one[4] = {1, H, W, C};
    create_made(chunked(large), huge, NULL);
    assert_refused("chunks larger than 1024 MiB");
    hid_t creation = chunked(one);
    H5Pset_nbit(creation);
    create_made(creation, dim, pixels);
    assert_refused("train/images is compressed by filter 5");
}

/* A file that was cut off, or replaced, while a run reads it. */
static void test_changed_while_in_use(void **state) {
    (void)state;
    Dataset dataset;
    int64_t id = 0;
    uint16_t label;
    uint8_t pixels[C * H * W];
    H5Fclose(create_good((Store){0}));
    must_open(&dataset);
    hid_t file = create();
    put_images(file, "train/images", 0, TRAIN - 1, (Store){0});
    put_labels(file, "train/labels", H5T_STD_U8LE, TRAIN - 1);
    H5Fclose(file);
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, &id, 1, &label, pixels, NULL),
                     ST_DATA);
    assert_non_null(strstr(status_message(), "was changed while it is in use"));
    status_clear();
    assert_int_equal(truncate(path, 700), 0);
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, &id, 1, &label, pixels, NULL),
                     ST_DATA);
    status_clear();
    dataset_free(&dataset);
}

static void test_class_by_class(void **state) {
    (void)state;
    enum { N = 60 };
    static const uint8_t pixels[N * 4];
    uint8_t labels[N];
    hsize_t n = N, dim[4] = {N, 2, 2, 1};
    for (int sorted = 0; sorted < 2; sorted++) {
        Dataset dataset;
        hid_t file = create();
        for (int i = 0; i < N; i++)
            labels[i] = (uint8_t)(sorted ? i / 20 : i % 3);
        put_array(file, "train/images", H5T_STD_U8LE, 4, dim, pixels, (Store){0});
        put_array(file, "train/labels", H5T_STD_U8LE, 1, &n, labels, (Store){0});
        put_array(file, "test/images", H5T_STD_U8LE, 4, dim, pixels, (Store){0});
        put_array(file, "test/labels", H5T_STD_U8LE, 1, &n, labels, (Store){0});
        H5Fclose(file);
        must_open(&dataset);
        assert_int_equal(dataset.by_class, sorted);
        dataset_free(&dataset);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_reads_however_stored),
        CASE(test_shape_and_numbers),
        CASE(test_grey_without_a_fourth_dimension),
        CASE(test_names),
        CASE(test_no_hdf5),
        CASE(test_missing_parts),
        CASE(test_other_kinds_of_arrays),
        CASE(test_labels),
        CASE(test_another_shape_in_test),
        CASE(test_bad_names),
        CASE(test_known_sets),
        CASE(test_storage_elsewhere),
        CASE(test_storage_that_is_not_there),
        CASE(test_chunks_and_filters),
        CASE(test_changed_while_in_use),
        CASE(test_class_by_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
