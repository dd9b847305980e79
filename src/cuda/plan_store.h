/* cuda/plan_store: plans that were made once and are kept, since cuDNN takes seconds to compile an
 * engine and milliseconds to take it back.
 *
 * A plan is kept under all that it depends on: GPU, driver, cuDNN and NVRTC, what the target allows
 * (GraphTarget), the graph itself (a hash of every attribute of its descriptors), and whether the
 * rule chose its engine or a choice on record. So a plan that is taken back has the engine, and the
 * bits, that planning anew would come to. Two places: one file a plan in the user's cache folder,
 * $XDG_CACHE_HOME/lockstep/plans (~/.cache where that is not set), from which plans are taken as
 * they are asked for and into which new ones are written; and one text for a run directory, of all
 * plans in use. Both are lists of
 *
 *   lockstep plan 1: BYTES bytes, XXH3 0123456789abcdef     (of what follows)
 *   NVIDIA H100 80GB HBM3, sm_90 x132, ... cuDNN 9.19.0, NVRTC 13.0, bf16, exact, 256 MiB
 *   conv forward 64x3x32x32 to 64 k3 s1 p1 bf16 #0123456789abcdef, rule
 *   engine 34, mode 3, position 0, workspace 0, notes 1, behavior 0: eng34 k2=1
 *   (the plan, as cuDNN writes it)
 *
 * One that is damaged, of something else, somebody else's, or refused by cuDNN is passed over, with
 * a line that says so, and made anew. A place that cannot be written costs one line. The cache has
 * a limit of size: what was used longest ago goes. Local; planning is for one thread at a time,
 * processes may share a folder. */
#ifndef LOCKSTEP_CUDA_PLAN_STORE_H
#define LOCKSTEP_CUDA_PLAN_STORE_H

#include "graph_internal.h"
#include "lockstep/device.h"

/* `about`: what the plans are for, one line. */
Status plan_store_open(const char *about, PlanStore **store);
void plan_store_close(PlanStore *store); /* accepts NULL */

/* Adds the plans of a text that plan_store_text made. */
Status plan_store_add(PlanStore *store, const char *text);

/* All plans that were taken or kept since the store was opened; the caller frees *text. */
Status plan_store_text(const PlanStore *store, char **text);

/* Sets plan and info of a graph without a plan from what is kept of it, for the engine of the
 * choice `wanted`, or the rule's (NULL). `print`: the graph's (Builder.print). false: it is to be
 * made. */
bool plan_store_take(const GraphTarget *target, Graph *graph, uint64_t print, const char *wanted);

/* Sees to it that the user's cache is within its limit, if anything was written to it. */
void plan_store_trim(PlanStore *store);

/* Keeps the graph's plan. */
void plan_store_keep(const GraphTarget *target, const Graph *graph, uint64_t print,
                     const char *wanted);

#endif
