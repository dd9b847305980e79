/* Configuration files: any bytes are read or refused; what was read is written and read back to the
 * same text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/config/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static RunConfig config;

static void broken(const char *what, const char *one, const char *other) {
    fprintf(stderr, "%s: %s\n---\n%s\n---\n%s\n", what, status_message(), one, other);
    abort();
}

static void check_reads_back(void) {
    char *text = NULL, *again = NULL;
    if (config_text(&config, false, &text) != ST_OK)
        broken("cannot write", "", "");
    if (config_read_yaml(text, strlen(text), "written", &config) != ST_OK)
        broken("cannot read back", text, "");
    if (config_text(&config, false, &again) != ST_OK || strcmp(text, again) != 0)
        broken("reads back as another", text, again ? again : "");
    if (config_compatible(&config, text, "written") != ST_OK)
        broken("is not compatible with itself", text, again);
    free(text);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (config_from_text("", "fuzz", &config) != ST_OK)
        abort();
    if (config_read_yaml((const char *)data, size, "fuzz", &config) == ST_OK) {
        check_reads_back();
        strcpy(config.name, "fuzz");
        (void)config_check(&config);
    }
    status_clear();
    return 0;
}
