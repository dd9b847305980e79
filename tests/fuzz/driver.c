/* A main program for LLVMFuzzerTestOneInput where libFuzzer is not linked (gcc, plain builds).
 *
 *   fuzz_NAME [-seconds=S] [-runs=N] [-seed=N] [FILE or DIRECTORY]...
 *
 * Runs each file of the corpus as it is, then mutations of them until S seconds are over or N were
 * run (the earlier; N is 10000 unless S is given). The same seed gives the same inputs. A finding
 * is a crash or a sanitizer's report; the input that caused it is then in fuzz-crash.bin of the
 * working directory. Without a corpus mutations start from the empty input. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum { INPUT_MAX = 1 << 20, CORPUS_MAX = 1000, EDITS_MAX = 8 };

typedef struct {
    uint8_t *data; /* [size], owned by the corpus */
    size_t size;
} Input;

static Input corpus[CORPUS_MAX];
static int corpus_count;
static uint8_t current[INPUT_MAX]; /* what runs now: kept for save_current */
static size_t current_size;

/* Called while the process dies: system calls only. */
static void save_current(void) {
    int file = open("fuzz-crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0 && write(file, current, current_size) == (ssize_t)current_size)
        close(file);
}

static void on_signal(int number) {
    save_current();
    signal(number, SIG_DFL);
    raise(number);
}

static uint64_t random_next(uint64_t *state) { /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static size_t below(uint64_t *state, size_t bound) {
    return bound == 0 ? 0 : (size_t)(random_next(state) % bound);
}

/* Adds a file, or the files of a directory; false where one cannot be read. */
static bool corpus_add(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return false;
    if (S_ISDIR(info.st_mode)) {
        struct dirent **entries;
        int count = scandir(path, &entries, NULL, alphasort); /* a fixed order */
        bool good = count >= 0;
        for (int i = 0; i < count; i++) {
            char name[4096];
            snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
            if (entries[i]->d_name[0] != '.')
                good = corpus_add(name) && good;
            free(entries[i]);
        }
        if (count >= 0)
            free(entries);
        return good;
    }
    if (corpus_count == CORPUS_MAX || info.st_size > INPUT_MAX)
        return false;
    FILE *file = fopen(path, "rb");
    Input *input = &corpus[corpus_count];
    input->size = (size_t)info.st_size;
    input->data = malloc(input->size + 1);
    bool good = file && input->data && fread(input->data, 1, input->size, file) == input->size;
    if (file)
        fclose(file);
    corpus_count++;
    return good;
}

/* Replaces `cut` bytes at `at` by `size` bytes of `text`, as far as they fit. */
static void replace(size_t at, size_t cut, const uint8_t *text, size_t size) {
    if (at > current_size)
        at = current_size;
    if (cut > current_size - at)
        cut = current_size - at;
    if (size > INPUT_MAX - (current_size - cut))
        return;
    memmove(current + at + size, current + at + cut, current_size - at - cut);
    memcpy(current + at, text, size);
    current_size += size - cut;
}

static void mutate(uint64_t *state) {
    static const char *const words[] = {"0",     "-1",   "9223372036854775808",
                                        "1e999", "nan",  ": ",
                                        "\n",    "  - ", "=",
                                        "\xff",  "\t",   "#",
                                        "&a ",   "*a",   "\xff\xff\xff\xff",
                                        "{",     "\"",   " "};
    size_t at = below(state, current_size + 1);
    switch (below(state, 6)) {
    case 0: /* a bit */
        if (at < current_size)
            current[at] ^= (uint8_t)(1u << below(state, 8));
        break;
    case 1: /* a byte */
        if (at < current_size)
            current[at] = (uint8_t)random_next(state);
        break;
    case 2: /* something is missing */
        replace(at, 1 + below(state, 64), (const uint8_t *)"", 0);
        break;
    case 3: { /* a word that parsers dislike */
        const char *word = words[below(state, sizeof words / sizeof *words)];
        replace(at, below(state, 3), (const uint8_t *)word, strlen(word));
        break;
    }
    case 4: /* a piece of another file */
        if (corpus_count > 0) {
            const Input *other = &corpus[below(state, (size_t)corpus_count)];
            size_t from = below(state, other->size);
            replace(at, below(state, 64), other->data + from, below(state, other->size - from));
        }
        break;
    default: /* cut off */
        if (below(state, 4) == 0)
            current_size = at;
    }
}

static void run_current(void) {
    /* A copy of the exact size, so that a read past the end is seen. */
    uint8_t *copy = malloc(current_size);
    if (!copy && current_size > 0)
        abort();
    memcpy(copy, current, current_size);
    LLVMFuzzerTestOneInput(copy, current_size);
    free(copy);
}

static void take(const Input *input) {
    memcpy(current, input->data, input->size);
    current_size = input->size;
}

int main(int argc, char **argv) {
    long runs = -1, seconds = 0, done = 0;
    uint64_t state = 1;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0) {
            runs = atol(argv[i] + 6);
        } else if (strncmp(argv[i], "-seconds=", 9) == 0) {
            seconds = atol(argv[i] + 9);
        } else if (strncmp(argv[i], "-seed=", 6) == 0) {
            state = strtoull(argv[i] + 6, NULL, 10) * 2 + 1; /* never 0 */
        } else if (!corpus_add(argv[i])) {
            fprintf(stderr, "%s: cannot be read, or is larger than %d bytes\n", argv[i], INPUT_MAX);
            return 2;
        }
    }
    if (runs < 0 && seconds == 0)
        runs = 10000;
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(save_current);
    } else {
        signal(SIGSEGV, on_signal);
        signal(SIGBUS, on_signal);
        signal(SIGFPE, on_signal);
    }
    signal(SIGABRT, on_signal);

    for (int i = 0; i < corpus_count; i++) {
        take(&corpus[i]);
        run_current();
    }
    time_t end = time(NULL) + seconds;
    while ((runs < 0 || done < runs) && (seconds == 0 || time(NULL) < end)) {
        current_size = 0;
        if (corpus_count > 0)
            take(&corpus[below(&state, (size_t)corpus_count)]);
        for (size_t edits = 1 + below(&state, EDITS_MAX); edits > 0; edits--)
            mutate(&state);
        run_current();
        done++;
    }
    printf("%d files, %ld mutations\n", corpus_count, done);
    for (int i = 0; i < corpus_count; i++)
        free(corpus[i].data);
    return 0;
}
