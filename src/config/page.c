/* The reference of options as a page: a section for what belongs together, a row an option. All
 * that a row says is the option's own row in the table of options. */
#include <string.h>

#include "lockstep/duration.h"
#include "options.h"

typedef struct Section {
    const char *first; /* key of its first option; it reaches to the next section's */
    const char *title;
} Section;

static const Section sections[] = {
    {"model", "What is trained"},
    {"data", "Data and augmentation"},
    {"optimizer.name", "Optimizer and learning rate"},
    {"device", "Where and how it runs"},
    {"out", "What a run leaves"},
    {"trace", "Traces, planted crashes, questions"},
};

enum { SECTIONS = sizeof sections / sizeof *sections };

/* A cell of a table: what would end it is escaped. */
static void print_cell(const char *text, FILE *out) {
    for (; *text != '\0'; text++)
        fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void print_name(const Option *option, FILE *out) {
    if ((option->flags & OPTION_FILE_ONLY) != 0)
        fprintf(out, "`%s:` (in the file)", option->key);
    else
        fprintf(out, "`--%s%s%s`", option->key, option->value ? " " : "",
                option->value ? option->value : "");
    if (option->short_flag)
        fprintf(out, ", `--%s`", option->short_flag);
    if ((option->flags & OPTION_FIXED) != 0)
        fputs(" *", out);
}

static void print_durations(const Option *option, FILE *out) {
    char least[DURATION_TEXT_MAX], most[DURATION_TEXT_MAX];
    duration_text(option->min, least);
    duration_text(option->max, most);
    fprintf(out, "%s%s to %s", strcmp(option->otherwise, "none") == 0 ? "none, " : "", least, most);
}

/* What it may be, where the type alone does not say. */
static void print_range(const Option *option, FILE *out) {
    switch (option->type) {
    case OPTION_BOOL:
        fputs("true, false", out);
        break;
    case OPTION_CHOICE:
        for (int i = 0; option->choices[i]; i++)
            fprintf(out, "%s%s", i > 0 ? ", " : "", option->choices[i]);
        break;
    case OPTION_SEED:
        fputs("a whole number of 64 bits", out);
        break;
    case OPTION_AUTO:
    case OPTION_EVERY:
    case OPTION_INT:
        fprintf(out, "%s%.0f to %.0f", option->type == OPTION_INT ? "" : "auto, ", option->min,
                option->max);
        break;
    case OPTION_CHANNELS:
        fputs("auto, ", out);
        /* fall through */
    case OPTION_REAL:
    case OPTION_POSITION:
    case OPTION_REALS:
    case OPTION_RANGE:
    case OPTION_BYTES:
        fprintf(out, "%.9g to %.9g", option->min, option->max);
        break;
    case OPTION_DURATION:
        print_durations(option, out);
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_POINTS:
    case OPTION_TRACE:
    case OPTION_CRASH:
    case OPTION_CRASH_ITERATION:
    case OPTION_ACTION:
        break;
    }
}

static void print_row(const Option *option, FILE *out) {
    const char *otherwise = option->otherwise;
    fputs("| ", out);
    print_name(option, out);
    fputs(" | ", out);
    print_range(option, out);
    fputs(" | ", out);
    if (otherwise && otherwise[0] != '\0' && option->type != OPTION_ACTION)
        fprintf(out, "`%s`", otherwise);
    fputs(" | ", out);
    print_cell(option->help, out);
    fputs(" |\n", out);
}

void config_page(FILE *out) {
    fputs(
        "# Options of `lockstep train`\n"
        "\n"
        "Made by `lockstep options --markdown` from the table of options; a test compares the "
        "two.\n"
        "\n"
        "Each value comes from its default, then the recipe's file, then the environment, then the "
        "command\n"
        "line; the last wins. In the file a dot is a level of nesting (`optimizer.lr` is `lr` "
        "under "
        "`optimizer:`);\n"
        "in the environment the name is `LOCKSTEP_OPTIMIZER_LR`, on the command line "
        "`--optimizer.lr 0.1` or\n"
        "`--optimizer.lr=0.1`. What is true or false is a flag as well: `--drop-last`, "
        "`--no-drop-last`; its\n"
        "values are YAML 1.1's (true, yes, on, y; false, no, off, n) or 1 and 0. In paths `~/` at "
        "the beginning,\n"
        "`$NAME` and `${NAME}` are expanded. An unknown name, a value of another type or one out "
        "of bounds is an\n"
        "error that says where it stands.\n"
        "\n"
        "What is marked * cannot change when a run is resumed.\n",
        out);
    int section = 0;
    for (const Option *option = config_options; option->key; option++) {
        if (section < SECTIONS && strcmp(option->key, sections[section].first) == 0) {
            fprintf(out, "\n## %s\n\n| option | values | default | meaning |\n|---|---|---|---|\n",
                    sections[section].title);
            section++;
        }
        print_row(option, out);
    }
}
