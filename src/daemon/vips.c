/* Virtual addresses on the TUN device: see vips.h. */
#include "daemon/vips.h"
#include "base/list.h"
#include <stdio.h>
#include <stdlib.h>

struct vip {
    struct list link;
    struct addr addr;
    unsigned holders;
};

struct vips {
    struct netlink *nl;
    int ifindex;
    struct list all;
};

struct vips *vips_new(struct netlink *nl, int ifindex)
{
    struct vips *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->nl = nl;
    v->ifindex = ifindex;
    list_init(&v->all);
    return v;
}

static struct vip *find(const struct vips *v, const struct addr *a)
{
    list_each (it, (struct list *)&v->all) {
        struct vip *x = container_of(it, struct vip, link);
        if (addr_eq(&x->addr, a))
            return x;
    }
    return NULL;
}

err_t vips_add(struct vips *v, const struct addr *a, struct io_error *err)
{
    struct vip *x = find(v, a);
    if (x) {
        x->holders++;
        return E_OK;
    }
    x = calloc(1, sizeof *x);
    if (!x) {
        snprintf(err->text, sizeof err->text, "out of memory");
        return E_NOMEM;
    }
    x->addr = *a;
    x->holders = 1;
    list_add_tail(&v->all, &x->link);
    return netlink_addr_add(v->nl, v->ifindex, a, (unsigned)addr_len(a) * 8, err);
}

static void drop(struct vips *v, struct vip *x)
{
    netlink_addr_del(v->nl, v->ifindex, &x->addr, (unsigned)addr_len(&x->addr) * 8);
    list_del(&x->link);
    free(x);
}

void vips_del(struct vips *v, const struct addr *a)
{
    struct vip *x = find(v, a);
    if (x && --x->holders == 0)
        drop(v, x);
}

void vips_free(struct vips *v)
{
    if (!v)
        return;
    list_each_safe (it, nx, &v->all)
        drop(v, container_of(it, struct vip, link));
    free(v);
}
