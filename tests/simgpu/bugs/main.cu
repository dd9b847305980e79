/* main: `bugs NAME` runs a planted bug's program as it should be, `bugs NAME bug` with the bug. */
#include "bug.h"
#include "convolution.h"
#include "ranks.h"

/* all.inc is made by the build: for each file of this folder
 *     namespace NAME {
 *     #include "NAME.cu"
 *     }
 * and the list BUGS(X) of their names. */
#include "all.inc"

int main(int argc, char **argv) {
    bool planted = argc > 2 && !strcmp(argv[2], "bug");
#define RUN(name)                                                                                  \
    if (argc > 1 && !strcmp(argv[1], #name))                                                       \
        return name::run(planted);
    BUGS(RUN)
    fprintf(stderr, "usage: bugs NAME [bug]\n");
    return 64;
}
