/* --help of train, from the table of options. */
#include <string.h>

#include "options.h"
#include "value.h"

enum { HELP_WIDTH = 100, HELP_INDENT = 8 };

/* Prints text in lines of at most HELP_WIDTH, each indented. */
static void print_wrapped(const char *text, FILE *out) {
    int column = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > 0 && column + 1 + length > HELP_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0)
            fprintf(out, "%*s%.*s", HELP_INDENT, "", length, text);
        else
            fprintf(out, " %.*s", length, text);
        column += column == 0 ? HELP_INDENT + length : 1 + length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_option(const Option *option, FILE *out) {
    char text[2 * OPTION_VALUE_MAX];
    const char *otherwise = option->otherwise;
    bool shows = otherwise && otherwise[0] != '\0' && option->type != OPTION_ACTION;
    fputs((option->flags & OPTION_FIXED) != 0 ? "* " : "  ", out);
    if ((option->flags & OPTION_FILE_ONLY) != 0)
        fprintf(out, "%s: (in the file)", option->key);
    else if (option->short_flag)
        fprintf(out, "--%s, --%s", option->short_flag, option->key);
    else
        fprintf(out, "--%s", option->key);
    if (option->value)
        fprintf(out, " %s", option->value);
    for (int i = 0; option->choices && option->choices[i]; i++)
        fprintf(out, "%s%s", i == 0 ? ": " : " | ", option->choices[i]);
    fputc('\n', out);
    snprintf(text, sizeof text, "%s%s%s%s", option->help, shows ? " [" : "", shows ? otherwise : "",
             shows ? "]" : "");
    print_wrapped(text, out);
}

void config_help(FILE *out) {
    fputs(
        "usage: lockstep train [CONFIG.yaml] [--OPTION VALUE | --OPTION=VALUE | --FLAG | "
        "--no-FLAG]...\n"
        "\n"
        "Each value comes from its default, then the file, then the environment, then the command "
        "line; the\nlast wins. In the file a dot is a level of nesting (optimizer.lr is lr under "
        "optimizer:); in the\nenvironment it is LOCKSTEP_OPTIMIZER_LR. [defaults] stand in "
        "brackets; what is marked * cannot change\nwhen a run is resumed. Truth values are YAML "
        "1.1's: "
        "true, yes, on, y and false, no, off, n, also True\nor TRUE; or 1 and 0. In paths ~/ at "
        "the "
        "beginning, $NAME and ${NAME} are expanded.\n"
        "\n",
        out);
    for (const Option *option = config_options; option->key; option++)
        print_option(option, out);
}
