/* Commands under way: see waiting.h. */
#include "daemon/waiting.h"
#include <stdlib.h>

#define WAITING_MAX 4096

struct waiting {
    uv_loop_t *loop;
    struct list all;
    size_t count;
    uint32_t next;
    void (*late)(void *ctx, struct wait *w);
    void *ctx;
};

struct waiting *waiting_new(uv_loop_t *loop, void (*late)(void *ctx, struct wait *w), void *ctx)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct waiting){.loop = loop, .late = late, .ctx = ctx};
    list_init(&w->all);
    return w;
}

static void on_late(uv_timer_t *t)
{
    struct wait *x = t->data;
    struct waiting *w = x->ctx;
    w->late(w->ctx, x);
}

struct wait *waiting_add(struct waiting *w, enum waiting_kind kind, const char *what,
                         uint64_t timeout_ms)
{
    struct wait *x = w->count < WAITING_MAX ? calloc(1, sizeof *x) : NULL;
    if (!x)
        return NULL;
    x->what = strdup(what ? what : "");
    if (!x->what) {
        free(x);
        return NULL;
    }
    x->kind = kind;
    x->cmd = ++w->next ? w->next : ++w->next;
    x->timeout_ms = timeout_ms;
    x->ctx = w;
    if (timeout_ms) {
        uv_timer_init(w->loop, &x->timer);
        x->timer.data = x;
        x->timed = uv_timer_start(&x->timer, on_late, timeout_ms, 0) == 0;
    }
    list_add_tail(&w->all, &x->node);
    w->count++;
    return x;
}

struct wait *waiting_find(struct waiting *w, uint32_t cmd)
{
    list_each (n, &w->all) {
        struct wait *x = container_of(n, struct wait, node);
        if (x->cmd == cmd)
            return x;
    }
    return NULL;
}

static void wait_free(struct wait *x)
{
    free(x->what);
    free(x);
}

static void on_closed(uv_handle_t *h)
{
    wait_free(h->data);
}

void waiting_del(struct waiting *w, struct wait *x)
{
    list_del(&x->node);
    w->count--;
    if (x->timeout_ms)
        uv_close((uv_handle_t *)&x->timer, on_closed);
    else
        wait_free(x);
}

void waiting_forget(struct waiting *w, const struct vici_client *client)
{
    list_each (n, &w->all) {
        struct wait *x = container_of(n, struct wait, node);
        if (x->client == client)
            x->client = NULL;
    }
}

void waiting_free(struct waiting *w)
{
    if (!w)
        return;
    list_each_safe (n, nx, &w->all)
        waiting_del(w, container_of(n, struct wait, node));
    free(w);
}
