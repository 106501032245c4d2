/* Keys for export: see keylog.h. */
#include "daemon/keylog.h"
#include "base/list.h"
#include <stdio.h>
#include <stdlib.h>

struct entry {
    struct list node;
    uint32_t child_id;
    uint8_t proto;   /* enum proto */
    uint32_t spi[2]; /* in, out */
    struct addr src[2], dst[2];
    bool udp, esn;
    const struct alg *encr, *integ; /* encr NULL for AH */
    struct child_keys keys[2];
};

struct keylog {
    struct list all;
};

struct keylog *keylog_new(void)
{
    struct keylog *k = calloc(1, sizeof *k);
    if (k)
        list_init(&k->all);
    return k;
}

static void entry_free(struct entry *x)
{
    list_del(&x->node);
    for (size_t i = 0; i < 2; i++) {
        secret_free(&x->keys[i].encr);
        secret_free(&x->keys[i].integ);
    }
    free(x);
}

void keylog_free(struct keylog *k)
{
    if (!k)
        return;
    list_each_safe (n, nx, &k->all)
        entry_free(container_of(n, struct entry, node));
    free(k);
}

static err_t copy_keys(struct child_keys *to, const struct child_keys *from)
{
    err_t e = secret_set(&to->encr, secret_bytes(&from->encr));
    return e ? e : secret_set(&to->integ, secret_bytes(&from->integ));
}

/* One pair of SAs; the keys are theirs. */
static void add(struct keylog *k, const struct child_sa *sa)
{
    struct entry *x = calloc(1, sizeof *x);
    if (!x)
        return;
    x->child_id = sa->id;
    x->proto = sa->proto;
    x->spi[0] = sa->spi_in;
    x->spi[1] = sa->spi_out;
    x->src[0] = x->dst[1] = sa->remote.addr;
    x->dst[0] = x->src[1] = sa->local.addr;
    x->udp = sa->udp_encap;
    x->esn = sa->esn;
    x->encr = sa->encr;
    x->integ = sa->integ;
    list_add_tail(&k->all, &x->node);
    if (copy_keys(&x->keys[0], &sa->in) || copy_keys(&x->keys[1], &sa->out))
        entry_free(x);
}

void keylog_add(struct keylog *k, const struct child_sa *sa)
{
    if (!k)
        return;
    add(k, sa);
    if (!sa->ah.integ)
        return;
    const struct child_sa ah = {.id = sa->id,
                                .proto = PROTO_AH,
                                .spi_in = sa->ah.spi_in,
                                .spi_out = sa->ah.spi_out,
                                .local = sa->local,
                                .remote = sa->remote,
                                .esn = sa->ah.esn,
                                .integ = sa->ah.integ,
                                .in.integ = sa->ah.in,
                                .out.integ = sa->ah.out};
    add(k, &ah);
}

void keylog_del(struct keylog *k, uint32_t child_id)
{
    if (!k)
        return;
    list_each_safe (n, nx, &k->all) {
        struct entry *x = container_of(n, struct entry, node);
        if (x->child_id == child_id)
            entry_free(x);
    }
}

static void add_hex(struct vnode *in, const char *name, const struct secret *s)
{
    struct buf b = {0};
    buf_hex(&b, secret_bytes(s));
    vnode_value(in, name, buf_str(&b));
    if (b.s)
        secret_wipe(b.s, b.cap);
    buf_free(&b);
}

static void render_one(const struct entry *x, size_t dir, struct vnode *in)
{
    char name[16], a[ADDR_STR_MAX];
    snprintf(name, sizeof name, "%08x", x->spi[dir]);
    struct vnode *s = vnode_section(in, name);
    vnode_value(s, "proto", x->proto == PROTO_AH ? "ah" : "esp");
    vnode_value(s, "spi", name);
    vnode_value(s, "direction", dir == 0 ? "in" : "out");
    vnode_value(s, "src", addr_str(&x->src[dir], a));
    vnode_value(s, "dst", addr_str(&x->dst[dir], a));
    vnode_value(s, "encap", x->udp ? "yes" : "no");
    vnode_value(s, "esn", x->esn ? "yes" : "no");
    vnode_value(s, "encr", x->encr ? x->encr->name : "");
    add_hex(s, "encr_key", &x->keys[dir].encr);
    vnode_value(s, "integ", x->integ ? x->integ->name : "");
    add_hex(s, "integ_key", &x->keys[dir].integ);
}

void keylog_render(const struct keylog *k, struct vnode *in)
{
    list_each (n, &k->all)
        for (size_t dir = 0; dir < 2; dir++)
            render_one(container_of(n, struct entry, node), dir, in);
}
