/* plan_text: plans as text, as cuDNN writes and reads them, and how many were made and read.
 *
 *   {"simgpu": "SIZE HEX", "real": what the real library writes}
 *
 * HEX is the program, for this build of the simulation alone: SIZE tells others. $SIMGPU_PLANS=1
 * prints at the end how many plans were made from an engine configuration and how many from text.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desc.h"

#define HEAD "{\"simgpu\": \""
#define REAL "\", \"real\": "

static atomic_long made, restored;

static void print_counts(int status, void *unused) {
    (void)status, (void)unused;
    fprintf(stderr, "SIMGPU[%s] plans: %ld made, %ld taken\n", sim_rank(), made, restored);
}

void plan_count(bool from_text) {
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&begun) && getenv("SIMGPU_PLANS"))
        on_exit(print_counts, NULL);
    ++*(from_text ? &restored : &made);
}

/* What the real library writes, or "{}"; the caller frees it. */
static char *real_text(const Descriptor *d) {
    int64_t bytes = 0;
    if (!real_used())
        return strdup("{}");
    if (real_get((Descriptor *)d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0,
                 &bytes, NULL) != CUDNN_STATUS_SUCCESS)
        return NULL;
    char *text = calloc(1, (size_t)bytes + 1);
    if (text && real_get((Descriptor *)d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                         CUDNN_TYPE_CHAR, bytes, &bytes, text) == CUDNN_STATUS_SUCCESS)
        return text;
    free(text);
    return NULL;
}

cudnnStatus_t plan_write(const Descriptor *d, int64_t room, int64_t *count, char *text) {
    Program program = *d->program; /* no address of this process in it */
    const unsigned char *byte = (const unsigned char *)&program;
    program.runs = NULL;
    for (int i = 0; i < OPERATIONS_MAX; i++)
        program.op[i].name = NULL;
    char *real = real_text(d), *all = NULL;
    size_t bytes;
    FILE *out = real ? open_memstream(&all, &bytes) : NULL;
    if (!out)
        return desc_status(CUDNN_STATUS_NOT_SUPPORTED, "no text of the plan");
    fprintf(out, HEAD "%zu ", sizeof *d->program);
    for (size_t i = 0; i < sizeof *d->program; i++)
        fprintf(out, "%02x", byte[i]);
    fprintf(out, REAL "%s}", real);
    fclose(out);
    *count = (int64_t)bytes;
    if (room > 0)
        memcpy(text, all, (size_t)room < bytes ? (size_t)room : bytes);
    free(real);
    free(all);
    return CUDNN_STATUS_SUCCESS;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_program(Program *program, const char *hex) {
    unsigned char *byte = (unsigned char *)program;
    int *runs = program->runs;
    for (size_t i = 0; i < sizeof *program; i++, hex += 2) {
        int high = digit(hex[0]), low = digit(hex[1]);
        if (high < 0 || low < 0)
            return false;
        byte[i] = (unsigned char)(16 * high + low);
    }
    program->runs = runs;
    for (int i = 0; i < program->ops && i < OPERATIONS_MAX; i++)
        program->op[i].name = rules_name(program->op[i].type);
    return program->ops > 0 && program->ops <= OPERATIONS_MAX;
}

bool plan_read(Descriptor *d) {
    const Attribute *a = desc_find(d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
    const char *text = a->data; /* with a 0 behind it */
    size_t size = 0;
    int head = 0;
    if (sscanf(text, HEAD "%zu %n", &size, &head) != 1 || size != sizeof *d->program)
        return false;
    if (strlen(text + head) < 2 * size + strlen(REAL) ||
        strncmp(text + head + 2 * size, REAL, strlen(REAL)) != 0)
        return false;
    return read_program(d->program, text + head);
}
