/* links: see links.h. */
#include "lockstep/links.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first line of SYS/FOLDER/NAME/FILE; false where it cannot be read. */
static bool first_line(const char *sys, const char *folder, const char *name, const char *file,
                       char *line, int room) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s/%s/%s", sys, folder, name, file) >= (int)sizeof path)
        return false;
    FILE *in = fopen(path, "r");
    if (!in)
        return false;
    bool read = fgets(line, room, in) != NULL; /* a link that is down gives an error here */
    fclose(in);
    return read;
}

static Link *add(Links *links, const char *name) {
    if (links->n == LINKS_MAX || strlen(name) >= sizeof links->link[0].name)
        return NULL;
    Link *link = &links->link[links->n++];
    *link = (Link){.speed = 0};
    memcpy(link->name, name, strlen(name));
    return link;
}

static bool is_bridge(const char *sys, const char *name) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/class/net/%s/bridge", sys, name);
    return n < (int)sizeof path && access(path, F_OK) == 0;
}

/* Mb/s of an interface that is up. */
static int64_t speed_of(const char *sys, const char *name) {
    char line[64];
    int64_t speed = 0;
    if (!first_line(sys, "class/net", name, "operstate", line, sizeof line) ||
        strncmp(line, "up", 2) != 0)
        return 0;
    if (!first_line(sys, "class/net", name, "speed", line, sizeof line) ||
        sscanf(line, "%" SCNd64, &speed) != 1)
        return 0;
    return speed > 0 ? speed : 0;
}

/* Lines "  eth0: RECEIVED 7-numbers SENT ...", behind two of headings. */
static void read_interfaces(const char *sys, const char *net_dev, Links *links) {
    char line[512], name[32];
    int64_t sent;
    FILE *in = fopen(net_dev, "r");
    while (in && fgets(line, sizeof line, in)) {
        if (sscanf(line, " %31[^:]: %*d %*d %*d %*d %*d %*d %*d %*d %" SCNd64, name, &sent) != 2 ||
            strcmp(name, "lo") == 0 || is_bridge(sys, name))
            continue;
        Link *link = add(links, name);
        if (!link)
            break;
        link->speed = speed_of(sys, name);
        link->sent = sent;
    }
    if (in)
        fclose(in);
}

/* "100 Gb/sec (4X EDR)" of a port in state "4: ACTIVE"; it counts words of four bytes. */
static void read_port(const char *sys, const char *adapter, const char *port, Links *links) {
    char folder[128], name[64], line[64];
    double rate = 0;
    int64_t words;
    snprintf(folder, sizeof folder, "class/infiniband/%.63s/ports", adapter);
    snprintf(name, sizeof name, "%.40s/%.8s", adapter, port);
    if (!first_line(sys, folder, port, "counters/port_xmit_data", line, sizeof line) ||
        sscanf(line, "%" SCNd64, &words) != 1)
        return;
    Link *link = add(links, name);
    if (!link)
        return;
    link->port = true;
    link->sent = 4 * words;
    if (first_line(sys, folder, port, "state", line, sizeof line) && strstr(line, "ACTIVE") &&
        first_line(sys, folder, port, "rate", line, sizeof line) && sscanf(line, "%lf", &rate) == 1)
        link->speed = (int64_t)(rate * 1000);
}

static void read_adapter(const char *sys, const char *adapter, Links *links) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/class/infiniband/%s/ports", sys, adapter) >=
        (int)sizeof path)
        return;
    DIR *ports = opendir(path);
    for (const struct dirent *at; ports && (at = readdir(ports));) {
        if (at->d_name[0] != '.')
            read_port(sys, adapter, at->d_name, links);
    }
    if (ports)
        closedir(ports);
}

void links_read(const char *sys, const char *net_dev, Links *links) {
    char path[PATH_MAX];
    links->n = 0;
    read_interfaces(sys, net_dev, links);
    if (snprintf(path, sizeof path, "%s/class/infiniband", sys) >= (int)sizeof path)
        return;
    DIR *adapters = opendir(path);
    for (const struct dirent *at; adapters && (at = readdir(adapters));) {
        if (at->d_name[0] != '.')
            read_adapter(sys, at->d_name, links);
    }
    if (adapters)
        closedir(adapters);
}

/* What `link` has sent since `before`, where it stood there already. */
static int64_t sent_since(const Links *before, const Link *link) {
    for (int i = 0; i < before->n; i++) {
        if (strcmp(before->link[i].name, link->name) == 0)
            return link->sent - before->link[i].sent;
    }
    return 0;
}

const Link *links_carrier(const Links *before, const Links *now, int64_t least) {
    const Link *carrier = NULL;
    int64_t most = 0;
    for (int i = 0; i < now->n; i++) {
        const Link *link = &now->link[i];
        int64_t sent = sent_since(before, link);
        /* Headers that a port counts and its interface does not are far less than a quarter. */
        bool same = carrier && link->port && !carrier->port && sent < most + most / 4;
        if (sent < least || sent <= most || same)
            continue;
        carrier = link;
        most = sent;
    }
    return carrier;
}

const Link *links_fastest(const Links *links) {
    const Link *fastest = NULL;
    for (int i = 0; i < links->n; i++) {
        const Link *link = &links->link[i];
        int64_t best = fastest ? fastest->speed : 0;
        if (link->speed > best || (fastest && link->speed == best && link->port && !fastest->port))
            fastest = link;
    }
    return fastest;
}
