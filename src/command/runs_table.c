/* runs_table: see runs_table.h. A column is a field of RunRow and how it is shown. */
#include "runs_table.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/parse.h"
#include "lockstep/text.h"

enum { KEYS_MAX = 128, KEY_MAX = 64 };

typedef enum ColumnKind {
    COLUMN_OWNED,   /* char * */
    COLUMN_WORDS,   /* char[] */
    COLUMN_CHANGES, /* char *: lines */
    COLUMN_NUMBER   /* double */
} ColumnKind;

typedef struct Column {
    const char *name;  /* in CSV and JSON, as in result.json; and what --sort and --columns take */
    const char *title; /* for people */
    ColumnKind kind;
    size_t offset;
    const char *format; /* of numbers, for people: of factor * the number */
    double factor;
} Column;

#define AT(field) offsetof(RunRow, field)
static const Column columns_known[] = {
    {"run", "run", COLUMN_OWNED, AT(name), NULL, 0},
    {"recipe", "recipe", COLUMN_WORDS, AT(recipe), NULL, 0},
    {"differs", "differs", COLUMN_CHANGES, AT(changes), NULL, 0},
    {"ranks", "ranks", COLUMN_NUMBER, AT(ranks), "%.0f", 1},
    {"test_accuracy", "accuracy", COLUMN_NUMBER, AT(accuracy), "%.2f %%", 100},
    {"test_loss", "loss", COLUMN_NUMBER, AT(loss), "%.4f", 1},
    {"epoch", "epochs", COLUMN_NUMBER, AT(epoch), "%.10g", 1},
    {"wall_s", "time", COLUMN_NUMBER, AT(wall_s), "%.1f s", 1},
    {"images_per_s", "images/s", COLUMN_NUMBER, AT(images_per_s), "%.0f", 1},
    {"status", "status", COLUMN_OWNED, AT(status), NULL, 0},
    {"dataset", "data", COLUMN_WORDS, AT(dataset), NULL, 0},
    {"date", "date", COLUMN_WORDS, AT(date), NULL, 0},
    {"state_hash", "hash", COLUMN_WORDS, AT(state_hash), NULL, 0},
};
enum { COLUMNS = sizeof columns_known / sizeof *columns_known };

static const char *words_of(const Column *column, const RunRow *row) {
    const char *field = (const char *)row + column->offset;
    return column->kind == COLUMN_WORDS ? field : *(char *const *)(const void *)field;
}

static double number_of(const Column *column, const RunRow *row) {
    return *(const double *)(const void *)((const char *)row + column->offset);
}

/* ---- Which columns ---- */

/* By name or title; NULL where there is none. */
static const Column *find_column(const char *name, size_t length) {
    for (int i = 0; i < COLUMNS; i++) {
        const char *both[] = {columns_known[i].name, columns_known[i].title};
        for (int j = 0; j < 2; j++) {
            if (strlen(both[j]) == length && strncmp(both[j], name, length) == 0)
                return &columns_known[i];
        }
    }
    return NULL;
}

const char *const *runs_column_names(void) {
    static const char *names[COLUMNS + 1];
    for (int i = 0; i < COLUMNS; i++)
        names[i] = columns_known[i].name;
    return names;
}

static Status need_column(const char *name, size_t length, const Column **column) {
    char word[64];
    *column = find_column(name, length);
    if (*column)
        return ST_OK;
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *near = nearest_name(word, runs_column_names());
    return FAIL(ST_USAGE, "no column is called '%s'%s%s%s; see lockstep runs --help", word,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

Status runs_columns_find(const char *list, RunsColumns *columns) {
    const Column *column;
    *columns = (RunsColumns){.named = list != NULL};
    for (int i = 0; !list && i < COLUMNS; i++)
        columns->at[columns->n++] = i;
    while (list && columns->n < RUNS_COLUMNS_MAX) {
        size_t length = strcspn(list, ",");
        TRY(need_column(list, length, &column));
        columns->at[columns->n++] = (int)(column - columns_known);
        if (!list[length])
            break;
        list += length + 1;
    }
    return ST_OK;
}

/* ---- Order ---- */

typedef struct Order {
    const Column *column;
    int sign;
} Order;

static int compare(const void *a, const void *b, void *context) {
    const Order *order = context;
    const RunRow *left = a, *right = b;
    int result = 0;
    if (order->column->kind == COLUMN_NUMBER) {
        double x = number_of(order->column, left), y = number_of(order->column, right);
        if (isnan(x) != isnan(y))
            return isnan(x) ? 1 : -1;
        result = x < y ? -1 : x > y;
    } else {
        const char *x = words_of(order->column, left), *y = words_of(order->column, right);
        if ((*x == '\0') != (*y == '\0'))
            return *x == '\0' ? 1 : -1;
        result = name_order(x, y);
    }
    return result != 0 ? order->sign * result : name_order(left->name, right->name);
}

Status runs_sort(Catalogue *catalogue, const char *by) {
    Order order = {.sign = by[0] == '-' ? -1 : 1};
    by += by[0] == '-';
    TRY(need_column(by, strlen(by), &order.column));
    if (catalogue->n > 0)
        qsort_r(catalogue->row, (size_t)catalogue->n, sizeof *catalogue->row, compare, &order);
    return ST_OK;
}

/* ---- For people ---- */

/* Lines KEY=VALUE as words; what would break a line of the table as '?'. */
static void one_line(const char *words, char *cell, size_t room) {
    size_t n = strnlen(words, room - 1);
    while (n > 0 && words[n - 1] == '\n')
        n--;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)words[i];
        cell[i] = c == '\n' ? ' ' : c < ' ' || c == 127 ? '?' : words[i];
    }
    cell[n] = '\0';
}

static void show(const Column *column, const RunRow *row, char *cell, size_t room) {
    cell[0] = '\0';
    if (column->kind != COLUMN_NUMBER)
        one_line(words_of(column, row), cell, room);
    else if (!isnan(number_of(column, row)))
        snprintf(cell, room, column->format, column->factor * number_of(column, row));
    if (strcmp(column->name, "date") == 0 && strlen(cell) == 20) /* to the minute, in UTC */
        cell[10] = ' ', cell[16] = '\0';
}

/* Characters, not bytes, of UTF-8. */
static int width_of(const char *cell) {
    int n = 0;
    for (; *cell; cell++)
        n += ((unsigned char)*cell & 0xc0) != 0x80;
    return n;
}

static void print_cell(FILE *out, const Column *column, const char *cell, int width, bool last) {
    int blanks = width - width_of(cell);
    if (column->kind == COLUMN_NUMBER)
        fprintf(out, "%*s%s", blanks, "", cell);
    else
        fprintf(out, "%s%*s", cell, last ? 0 : blanks, "");
    fputs(last ? "\n" : "  ", out);
}

void runs_print_text(const Catalogue *catalogue, const RunsColumns *columns, FILE *out) {
    char cell[1024];
    int width[RUNS_COLUMNS_MAX];
    for (int c = 0; c < columns->n; c++) {
        width[c] = width_of(columns_known[columns->at[c]].title);
        for (int64_t i = 0; i < catalogue->n; i++) {
            show(&columns_known[columns->at[c]], &catalogue->row[i], cell, sizeof cell);
            width[c] = width_of(cell) > width[c] ? width_of(cell) : width[c];
        }
    }
    for (int64_t i = -1; i < catalogue->n; i++) {
        for (int c = 0; c < columns->n; c++) {
            const Column *column = &columns_known[columns->at[c]];
            snprintf(cell, sizeof cell, "%s", column->title);
            if (i >= 0)
                show(column, &catalogue->row[i], cell, sizeof cell);
            print_cell(out, column, cell, width[c], c + 1 == columns->n);
        }
    }
}

/* ---- For programs ---- */

/* The options that some run has another value of than its recipe. */
typedef struct Keys {
    int n;
    char key[KEYS_MAX][KEY_MAX];
} Keys;

static void find_keys(const Catalogue *catalogue, const RunsColumns *columns, Keys *keys) {
    keys->n = 0;
    for (int64_t i = 0; !columns->named && i < catalogue->n; i++) {
        for (const char *at = catalogue->row[i].changes; *at; at += strcspn(at, "\n") + 1) {
            char key[KEY_MAX];
            bool known = false;
            snprintf(key, sizeof key, "%.*s", (int)strcspn(at, "="), at);
            for (int k = 0; k < keys->n; k++)
                known = known || strcmp(keys->key[k], key) == 0;
            if (!known && keys->n < KEYS_MAX)
                strcpy(keys->key[keys->n++], key);
        }
    }
}

/* A field as RFC 4180 has it. */
static void put_csv(FILE *out, const char *words, bool last) {
    if (strpbrk(words, ",\"\r\n")) {
        fputc('"', out);
        for (; *words; words++)
            fprintf(out, *words == '"' ? "\"\"" : "%c", *words);
        fputc('"', out);
    } else {
        fputs(words, out);
    }
    fputc(last ? '\n' : ',', out);
}

/* The shortest digits that read back to the same number; nothing for NaN. */
static void exactly(double number, char words[32]) {
    words[0] = '\0';
    for (int digits = 1; digits <= 17 && !isnan(number); digits++) {
        snprintf(words, 32, "%.*g", digits, number);
        if (strtod(words, NULL) == number)
            return;
    }
}

static void csv_cell(FILE *out, const Column *column, const RunRow *row, bool last) {
    char cell[8192];
    if (column->kind == COLUMN_NUMBER)
        exactly(number_of(column, row), cell);
    else if (column->kind == COLUMN_CHANGES)
        one_line(words_of(column, row), cell, sizeof cell);
    else
        snprintf(cell, sizeof cell, "%s", words_of(column, row));
    put_csv(out, cell, last);
}

void runs_print_csv(const Catalogue *catalogue, const RunsColumns *columns, FILE *out) {
    Keys keys;
    find_keys(catalogue, columns, &keys);
    for (int64_t i = -1; i < catalogue->n; i++) {
        for (int c = 0; c < columns->n; c++) {
            const Column *column = &columns_known[columns->at[c]];
            bool last = c + 1 == columns->n && keys.n == 0;
            if (i < 0)
                put_csv(out, column->name, last);
            else
                csv_cell(out, column, &catalogue->row[i], last);
        }
        for (int k = 0; k < keys.n; k++)
            put_csv(out, i < 0 ? keys.key[k] : catalogue_option(&catalogue->row[i], keys.key[k]),
                    k + 1 == keys.n);
    }
}

static void add_changes(cJSON *object, const char *name, const char *changes) {
    cJSON *made = cJSON_AddObjectToObject(object, name);
    for (; *changes; changes += strcspn(changes, "\n") + 1) {
        char key[KEY_MAX], value[1024];
        size_t length = strcspn(changes, "\n"), at = strcspn(changes, "=");
        snprintf(key, sizeof key, "%.*s", (int)at, changes);
        snprintf(value, sizeof value, "%.*s", (int)(length - at - 1), changes + at + 1);
        cJSON_AddStringToObject(made, key, value);
    }
}

static void add_column(cJSON *object, const Column *column, const RunRow *row) {
    if (column->kind == COLUMN_NUMBER)
        cJSON_AddNumberToObject(object, column->name, number_of(column, row)); /* NaN: null */
    else if (column->kind == COLUMN_CHANGES)
        add_changes(object, column->name, words_of(column, row));
    else
        cJSON_AddStringToObject(object, column->name, words_of(column, row));
}

static cJSON *row_object(const RunRow *row, const RunsColumns *columns, const Keys *keys) {
    cJSON *object = cJSON_CreateObject();
    for (int c = 0; c < columns->n; c++)
        add_column(object, &columns_known[columns->at[c]], row);
    if (columns->named)
        return object;
    cJSON_AddStringToObject(object, "path", row->path);
    if (row->error)
        cJSON_AddStringToObject(object, "error", row->error);
    cJSON *options = cJSON_AddObjectToObject(object, "options");
    for (int k = 0; row->options && k < keys->n; k++)
        cJSON_AddStringToObject(options, keys->key[k], catalogue_option(row, keys->key[k]));
    return object;
}

Status runs_print_json(const Catalogue *catalogue, const RunsColumns *columns, FILE *out) {
    Keys keys;
    find_keys(catalogue, columns, &keys);
    cJSON *rows = cJSON_CreateArray();
    for (int64_t i = 0; i < catalogue->n; i++)
        cJSON_AddItemToArray(rows, row_object(&catalogue->row[i], columns, &keys));
    char *text = cJSON_Print(rows);
    cJSON_Delete(rows);
    TRY_ALLOC(text);
    fprintf(out, "%s\n", text);
    free(text);
    return ST_OK;
}
