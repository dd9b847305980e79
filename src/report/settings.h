/* settings: the options of several runs side by side. Private to src/report. Local. */
#ifndef LOCKSTEP_REPORT_SETTINGS_H
#define LOCKSTEP_REPORT_SETTINGS_H

#include "lockstep/config.h"

enum { SETTINGS_MAX = 128, SETTING_MAX = 96 };

typedef struct Setting {
    char key[64], value[SETTING_MAX];
} Setting;

/* What a run's configuration says; runs of one program have the same keys in the same order. */
typedef struct Settings {
    int n;
    Setting setting[SETTINGS_MAX];
} Settings;

void settings_read(const RunConfig *config, Settings *settings);

/* Whether option i has one value in all of settings[n]. */
bool settings_differ(const Settings *settings, int n, int i);

/* Whether two runs differ by their seed at most. */
bool settings_same_but_seed(const Settings *a, const Settings *b);

#endif
