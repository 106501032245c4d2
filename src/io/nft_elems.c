/* Set elements over netlink: see nft_elems.h. */
#include "io/nft_elems.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An element's three nested attributes and the value's, and the message around a run of them. */
#define ELEM_MAX (4 * 4 + NFT_KEY_MAX)
#define RUN_MAX  128
#define BUF_MAX  ((size_t)NFT_ELEMS_MAX * (ELEM_MAX + RUN_MAX) + (size_t)2 * RUN_MAX)

static struct nlmsghdr *put(uint8_t *at, uint16_t type, uint16_t flags, uint8_t family,
                            uint16_t res_id, uint32_t seq)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(at);
    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST | flags;
    h->nlmsg_seq = seq;
    struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
    g->nfgen_family = family;
    g->version = NFNETLINK_V0;
    g->res_id = htons(res_id);
    return h;
}

static void put_elem(struct nlmsghdr *h, const struct nft_elem_change *c)
{
    struct nlattr *elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
    struct nlattr *key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
    mnl_attr_put(h, NFTA_DATA_VALUE, c->len, c->key);
    mnl_attr_nest_end(h, key);
    mnl_attr_nest_end(h, elem);
}

static bool same_run(const struct nft_elem_change *a, const struct nft_elem_change *b)
{
    return a->gone == b->gone && !strcmp(a->set, b->set);
}

/* One message for those in a row that are for one set; how many. */
static size_t put_run(struct nlmsghdr *h, const char *table, const struct nft_elem_change *c,
                      size_t n)
{
    size_t i = 0;
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, table);
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, c->set);
    struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
    while (i < n && i < 500 && same_run(&c[0], &c[i])) /* a nest holds 64 KB */
        put_elem(h, &c[i++]);
    mnl_attr_nest_end(h, list);
    return i;
}

/* Bytes of the transaction; the last request of it asks for an answer, *seq is its number. */
static size_t build(uint8_t *buf, const char *table, const struct nft_elem_change *c, size_t n,
                    uint32_t *seq)
{
    struct nlmsghdr *h =
        put(buf, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, (*seq)++);
    size_t at = NLMSG_ALIGN(h->nlmsg_len);
    for (size_t i = 0; i < n;) {
        uint16_t type = c[i].gone ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM;
        h = put(buf + at, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                c[i].gone ? 0 : NLM_F_CREATE, NFPROTO_INET, 0, ++*seq);
        i += put_run(h, table, c + i, n - i);
        at += NLMSG_ALIGN(h->nlmsg_len);
    }
    h->nlmsg_flags |= NLM_F_ACK;
    h = put(buf + at, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, *seq + 1);
    return at + NLMSG_ALIGN(h->nlmsg_len);
}

/* The kernel has answered when sending returns: an error for each request that failed, and the
 * acknowledgement asked for. */
static bool accepted(struct mnl_socket *s, uint32_t seq)
{
    uint8_t buf[8192];
    bool failed = false, done = false;
    ssize_t n;
    while ((n = recv(mnl_socket_get_fd(s), buf, sizeof buf, MSG_DONTWAIT)) > 0 ||
           (n < 0 && errno == EINTR)) {
        const struct nlmsghdr *h = (const void *)buf;
        for (int left = (int)n; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
            if (h->nlmsg_type != NLMSG_ERROR)
                continue;
            failed |= e->error != 0;
            done |= h->nlmsg_seq == seq;
        }
    }
    return done && !failed;
}

err_t nft_elems_change(struct mnl_socket *s, const char *table, const struct nft_elem_change *c,
                       size_t n)
{
    uint32_t seq = 1;
    uint8_t *buf = n <= NFT_ELEMS_MAX ? malloc(BUF_MAX) : NULL;
    if (!buf)
        return E_NOMEM;
    size_t len = build(buf, table, c, n, &seq);
    bool ok = mnl_socket_sendto(s, buf, len) >= 0 && accepted(s, seq);
    free(buf);
    return ok ? E_OK : E_SYS;
}
