/* site: what launcher, batch system and whoever set up the cluster say in the environment. Local.
 */
#ifndef LOCKSTEP_SITE_H
#define LOCKSTEP_SITE_H

#include <stddef.h>

/* "Slurm job 77, restart 1, nodes n[1-4]; supervised, restart 2", or one of both; "" outside a job.
 */
void site_job(char *out, size_t room);

/* The variables that steer MPI's and NCCL's networks, as "NAME=VALUE NAME=VALUE", "" if none is
 * set.
 */
void site_network(char *out, size_t room);

/* IPv4 interfaces that are up, but for loopback: "eth0 10.0.0.5, ib0 10.1.0.5". */
void site_interfaces(char *out, size_t room);

/* This process's number on its host as the launcher counts (Open MPI, Slurm, others), -1 where it
 * does not say. Ranks take theirs from MPI's shared-memory split, which needs no launcher. */
int site_local_rank(void);

#endif
