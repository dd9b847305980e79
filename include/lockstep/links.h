/* links: this host's links to others, how fast they are and what they have carried, as the kernel
 * counts. What a library says it will use is one thing, over which link bytes went another. Local.
 */
#ifndef LOCKSTEP_LINKS_H
#define LOCKSTEP_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Link {
    char name[32]; /* "eth0"; of an adapter's port "mlx5_0/1" */
    bool port;     /* of InfiniBand or RoCE, by itself; false: TCP/IP over an interface */
    int64_t speed; /* Mb/s; 0: not up, or it does not say */
    int64_t sent;  /* bytes, ever */
} Link;

enum { LINKS_MAX = 32 };

typedef struct Links {
    int n;
    Link link[LINKS_MAX];
} Links;

/* The interfaces but for loopback and bridges, then the ports of adapters. `sys`: where sysfs is,
 * "/sys"; `net_dev`: the kernel's table of interfaces, "/proc/net/dev". What cannot be read is left
 * out. */
void links_read(const char *sys, const char *net_dev, Links *links);

/* The link that has sent most since `before`, NULL where none has sent `least` bytes. An interface
 * comes before the port that it is of, which counts its bytes as well. Its `sent` is `now`'s. */
const Link *links_carrier(const Links *before, const Links *now, int64_t least);

/* Of those whose speed is known the fastest, a port before an interface as fast; NULL: none. */
const Link *links_fastest(const Links *links);

#ifdef __cplusplus
}
#endif
#endif
