/* folder_help: see folder_help.h. The first thing that is found is named; nothing is opened. */
#include "folder_help.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char first_file[] = "data_batch_1.bin";

static bool is_there(const char *folder, const char *name) {
    char path[4096 + 300];
    struct stat info;
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
           stat(path, &info) == 0;
}

static bool is_folder(const char *folder, const char *name) {
    char path[4096 + 300];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool ends(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcasecmp(name + length - tail, end) == 0;
}

/* Pickles have the names of the binary files without their ending. */
static Status say_pickles(const char *folder, const char *slash, const char *sub) {
    return FAIL(ST_DATA,
                "data folder %s holds CIFAR-10's Python pickles%s%s; scripts/to_hdf5.py %s%s%s "
                "cifar10.h5 makes a file of them that --data takes",
                folder, *sub ? ", in " : "", sub, folder, slash, sub);
}

/* What one entry of the folder tells; ST_OK: nothing. */
static Status look_at(const char *folder, const char *name) {
    char sub[4096 + 300];
    if (strcmp(name, first_file) != 0 && strcasecmp(name, first_file) == 0)
        return FAIL(ST_DATA,
                    "data folder %s has %s, but file names are told apart by upper and lower case: "
                    "rename the six files to data_batch_1.bin to data_batch_5.bin and "
                    "test_batch.bin",
                    folder, name);
    if (strcmp(name, "data_batch_1") == 0)
        return say_pickles(folder, "", "");
    if (ends(name, ".tar.gz") || ends(name, ".tgz") || ends(name, ".tar") || ends(name, ".zip"))
        return FAIL(ST_DATA,
                    "data folder %s holds an archive, %s, which is not unpacked: unpack it (tar xf "
                    "or unzip) and name the folder that comes out",
                    folder, name);
    if (ends(name, ".h5") || ends(name, ".hdf5"))
        return FAIL(ST_DATA, "data folder %s holds an HDF5 file: name it, --data %s/%s", folder,
                    folder, name);
    if (ends(name, ".npz"))
        return FAIL(ST_DATA,
                    "data folder %s holds %s; scripts/to_hdf5.py %s/%s set.h5 makes a file of it "
                    "that --data takes",
                    folder, name, folder, name);
    if (!is_folder(folder, name) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return ST_OK;
    snprintf(sub, sizeof sub, "%s/%s", folder, name);
    if (is_there(sub, first_file))
        return FAIL(ST_DATA, "data folder %s has the images in a folder of its own: --data %s",
                    folder, sub);
    if (is_there(sub, "data_batch_1"))
        return say_pickles(folder, "/", name);
    return ST_OK;
}

/* Names that mean something together. */
static Status look_for_sets(const char *folder) {
    if (is_folder(folder, "train") && is_folder(folder, "test"))
        return FAIL(ST_DATA,
                    "data folder %s has folders train and test; of pictures, a folder for each "
                    "class, scripts/to_hdf5.py %s set.h5 makes a file that --data takes",
                    folder, folder);
    if (is_there(folder, "train-images-idx3-ubyte") ||
        is_there(folder, "train-images-idx3-ubyte.gz"))
        return FAIL(ST_DATA,
                    "data folder %s holds idx files, as MNIST has them; scripts/to_hdf5.py %s "
                    "set.h5 makes a file of them that --data takes",
                    folder, folder);
    return ST_OK;
}

Status folder_help(const char *folder) {
    Status found = look_for_sets(folder);
    DIR *entries = opendir(folder);
    struct dirent *entry;
    while (found == ST_OK && entries && (entry = readdir(entries)))
        found = look_at(folder, entry->d_name);
    if (entries)
        closedir(entries);
    return found;
}
