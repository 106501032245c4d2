/* culvertd's own section of the configuration: see struct config_daemon. Called by load.c and, at a
 * reload, by the daemon. */
#include "base/event.h"
#include "config/schema.h"
#include <ctype.h>

/* The same values stand in the schema's rows as text; daemon_test holds them together. */
void config_daemon_default(struct config_daemon *s)
{
    *s = (struct config_daemon){
        .retransmit_tries = 5,
        .retransmit_timeout_ms = 4000,
        .retransmit_base_pct = 180,
        .half_open_timeout_ms = 30000,
        .half_open_max = 10000,
        .cookie_threshold = 30,
        .keepalive_ms = 20000,
        .port = 500,
        .port_natt = 4500,
        .fragment_size = 1280,
        .make_before_break = true,
        .esp_io = CONFIG_ESP_AUTO,
        .tun = "culvert0",
        .mtu = 1500,
        .mtu_probing = true,
        .route_table = 220,
        .route_table_prio = 220,
        .fwmark = 220,
        .fwmark_bits = 28,
        .sa_max = 131072,
        .busy_poll = 50,
        .hold_max = 1024,
        .hold_per_policy = 32,
        .hold_ms = 30000,
        .log_level = LEVEL_CTRL,
        .vici = "unix:///run/culvert/culvert.vici",
    };
}

void config_daemon_changes(const struct config_daemon *a, const struct config_daemon *b,
                           struct buf *out)
{
    const char *x = (const char *)a, *y = (const char *)b;
    for (size_t i = 0; i < schema_count; i++) {
        const struct row *r = &schema[i];
        if (r->scope == SC_DAEMON && memcmp(x + r->off, y + r->off, r->size) != 0)
            buf_printf(out, "%s%s", out->n ? ", " : "", r->key);
    }
}

/* What the kernel accepts as the name of an interface. */
static bool is_interface_name(const char *s)
{
    if (!*s || !strcmp(s, ".") || !strcmp(s, ".."))
        return false;
    for (; *s; s++)
        if (*s == '/' || *s == ':' || *s == '%' || isspace((unsigned char)*s))
            return false;
    return true;
}

static bool lan_twice(const struct config_daemon *d, const char *name)
{
    for (size_t i = 0; i < d->lan_interfaces; i++)
        if (!strcmp(d->lan_interface[i], name))
            return true;
    return false;
}

void set_lans(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct config_daemon *d = obj;
    struct items it = items_of(n);
    (void)r;
    for (const char *w; (w = items_next(&it));) {
        if (!is_interface_name(w) || strlen(w) >= sizeof d->lan_interface[0])
            cx_report(cx, DIAG_ERROR, n, w, "expected the name of an interface");
        else if (lan_twice(d, w))
            cx_report(cx, DIAG_ERROR, n, w, "stands here twice");
        else if (d->lan_interfaces == CONFIG_LAN_MAX)
            cx_report(cx, DIAG_ERROR, n, w, "more than %d interfaces", CONFIG_LAN_MAX);
        else
            strcpy(d->lan_interface[d->lan_interfaces++], w);
    }
}

void daemon_from_tree(struct cx *cx, const struct vnode *sec, struct config_daemon *out)
{
    schema_apply(cx, SC_DAEMON, sec, out);
    for (const struct vnode *n = sec->child; n; n = n->next)
        if (n->kind == VN_SECTION && !schema_find(SC_DAEMON, n->name))
            cx_report(cx, DIAG_ERROR, n, n->name, "unknown section; see culvert.conf(5)");
    if (!is_interface_name(out->tun))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "tun"), out->tun,
                  "expected the name of an interface");
    if (*out->esp_interface && !is_interface_name(out->esp_interface))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "esp_interface"), out->esp_interface,
                  "expected the name of an interface");
    if (out->esp_io > CONFIG_ESP_RAW && !*out->esp_interface)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "esp_io"), vnode_get(sec, "esp_io"),
                  "needs esp_interface");
    if (out->lan_io != CONFIG_LAN_TUN && out->lan_interfaces == 0)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "lan_io"), vnode_get(sec, "lan_io"),
                  "needs lan_interfaces");
    if (lan_twice(out, out->tun))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "lan_interfaces"), out->tun,
                  "is the TUN device");
    if (strncmp(out->vici, "unix://", 7) != 0 || out->vici[7] != '/')
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "vici"), out->vici,
                  "expected unix:// and an absolute path");
    if (out->port == out->port_natt)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "port_nat_t"), vnode_get(sec, "port_nat_t"),
                  "port and port_nat_t must differ");
    if (out->route_table >= 253 && out->route_table <= 255)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "route_table"), vnode_get(sec, "route_table"),
                  "is one of the system's own tables (253 to 255)");
    if (out->retransmit_base_pct < 100)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "retransmit_base"),
                  vnode_get(sec, "retransmit_base"), "must be 1 or more");
}
