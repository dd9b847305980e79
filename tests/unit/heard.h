/* heard: what a function prints, on both standard streams. */
#ifndef TESTS_UNIT_HEARD_H
#define TESTS_UNIT_HEARD_H

enum { HEARD_MAX = 4096 };

typedef struct Listening {
    int saved[2], end;
} Listening;

/* What is printed between the two goes to text[HEARD_MAX]; no more than a pipe holds. */
void listen_to_output(Listening *listening);
void heard_output(Listening *listening, char *text);

/* Fails the test where `text` lacks `part`. */
void heard(const char *text, const char *part);

#endif
