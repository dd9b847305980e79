/* style: the page's style sheet; its colours are the inks of painter.h. Private to src/report. */
#ifndef LOCKSTEP_REPORT_STYLE_H
#define LOCKSTEP_REPORT_STYLE_H

extern const char page_style[];

#endif
