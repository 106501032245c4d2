/* Resolving host names: see names.h. */
#include "daemon/names.h"
#include "base/list.h"
#include "io/clock.h"
#include <netinet/in.h>
#include <stdlib.h>

#define FRESH_MS 60000

struct name {
    struct list node;
    struct names *owner;
    char *host;
    struct addr v4, v6;
    uint64_t asked_ms;
    bool asking, answered;
    uv_getaddrinfo_t req;
};

struct names {
    uv_loop_t *loop;
    names_ready *ready;
    void *ctx;
    struct list all;
};

static struct name *find(const struct names *n, const char *host)
{
    list_each (it, &n->all) {
        struct name *x = container_of(it, struct name, node);
        if (!strcmp(x->host, host))
            return x;
    }
    return NULL;
}

static void name_free(struct name *x)
{
    free(x->host);
    free(x);
}

static void take_addrs(struct name *x, const struct addrinfo *res)
{
    for (const struct addrinfo *a = res; a; a = a->ai_next) {
        if (a->ai_family == AF_INET && !x->v4.family) {
            struct sockaddr_in sin;
            memcpy(&sin, a->ai_addr, sizeof sin);
            x->v4 = addr_v4((const uint8_t *)&sin.sin_addr);
        } else if (a->ai_family == AF_INET6 && !x->v6.family) {
            struct sockaddr_in6 sin6;
            memcpy(&sin6, a->ai_addr, sizeof sin6);
            x->v6 = addr_v6((const uint8_t *)&sin6.sin6_addr);
        }
    }
}

static void on_answer(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct name *x = req->data;
    x->asking = false;
    if (!x->owner) { /* names_free came first */
        uv_freeaddrinfo(res);
        name_free(x);
        return;
    }
    struct addr v4 = x->v4, v6 = x->v6;
    bool news = !x->answered;
    x->answered = true;
    if (status == 0) {
        x->v4 = x->v6 = (struct addr){0};
        take_addrs(x, res);
        news = news || !addr_eq(&v4, &x->v4) || !addr_eq(&v6, &x->v6);
    }
    uv_freeaddrinfo(res);
    if (news)
        x->owner->ready(x->owner->ctx, x->host);
}

void names_want(struct names *n, const char *host)
{
    struct name *x = find(n, host);
    if (!x) {
        x = calloc(1, sizeof *x);
        if (!x)
            return;
        x->host = strdup(host);
        if (!x->host) {
            free(x);
            return;
        }
        x->owner = n;
        x->req.data = x;
        list_add_tail(&n->all, &x->node);
    }
    bool fresh = x->asked_ms && clock_now_ms() - x->asked_ms < FRESH_MS;
    if (x->asking || fresh)
        return;
    x->asked_ms = clock_now_ms();
    x->asking = uv_getaddrinfo(n->loop, &x->req, on_answer, host, NULL,
                               &(struct addrinfo){.ai_socktype = SOCK_DGRAM}) == 0;
}

bool names_get(struct names *n, const char *host, uint8_t family, struct addr *out)
{
    names_want(n, host);
    const struct name *x = find(n, host);
    *out = (struct addr){0};
    if (!x)
        return false;
    if (family != 6 && x->v4.family)
        *out = x->v4;
    else if (family != 4)
        *out = x->v6;
    return out->family != 0;
}

bool names_known(const struct names *n, const char *host)
{
    const struct name *x = find(n, host);
    return x && x->answered;
}

struct names *names_new(uv_loop_t *loop, names_ready *ready, void *ctx)
{
    struct names *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct names){.loop = loop, .ready = ready, .ctx = ctx};
    list_init(&n->all);
    return n;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    list_each_safe (it, nx, &n->all) {
        struct name *x = container_of(it, struct name, node);
        list_del(it);
        x->owner = NULL;
        if (!x->asking)
            name_free(x);
        else
            uv_cancel((uv_req_t *)&x->req);
    }
    free(n);
}
