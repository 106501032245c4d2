/* SAs by hand: see manual.h. */
#include "daemon/manual.h"
#include "daemon/core.h"
#include "io/clock.h"
#include <stdio.h>
#include <stdlib.h>

struct entry {
    struct list link;
    struct manual *of;
    struct manual_sa *sa;
    uint32_t id;
    bool from_file;
    bool failed;           /* never was installed: the next reload tries again */
    uint64_t installed_ms; /* 0: down */
    bool soft_told;
    uv_timer_t timer; /* rekey_time, then life_time */
};

struct manual {
    struct core *core;
    struct list entries;
    uint32_t next_id;
};

struct manual *manual_new(struct core *c)
{
    struct manual *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    *m = (struct manual){.core = c, .next_id = MANUAL_ID_FIRST};
    list_init(&m->entries);
    return m;
}

static struct entry *find(const struct manual *m, const char *name)
{
    list_each (it, (struct list *)&m->entries) {
        struct entry *en = container_of(it, struct entry, link);
        if (!strcmp(en->sa->name, name))
            return en;
    }
    return NULL;
}

static void say(const struct manual *m, enum event_kind kind, const struct manual_sa *sa,
                uint32_t id, const char *text)
{
    sinks_event(m->core->sinks, &(struct event){.kind = kind,
                                                .conn = sa->name,
                                                .child = sa->name,
                                                .child_id = id,
                                                .spi_in = sa->spi_in,
                                                .spi_out = sa->spi_out,
                                                .local = sa->local,
                                                .remote = sa->remote,
                                                .text = text});
}

static void on_closed(uv_handle_t *h)
{
    struct entry *en = h->data;
    manual_sa_free(en->sa);
    free(en);
}

static void take_down(struct entry *en, const char *why)
{
    if (!en->installed_ms)
        return;
    struct child_stats st = {0};
    char text[160];
    (void)datapath_child_stats(en->of->core->path, en->id, &st);
    snprintf(text, sizeof text, "%s; sequence numbers: %llu sent, %llu received", why,
             (unsigned long long)st.seq_out, (unsigned long long)st.seq_in);
    core_child_del(en->of->core, en->id);
    en->installed_ms = 0;
    uv_timer_stop(&en->timer);
    say(en->of, EV_CHILD_DOWN, en->sa, en->id, text);
}

static void drop(struct entry *en, const char *why)
{
    take_down(en, why);
    policies_release(en->of->core->pol, en->sa->name, NULL);
    list_del(&en->link);
    uv_close((uv_handle_t *)&en->timer, on_closed);
}

/* RFC 4301 4.4.2.1, the soft lifetime: of an SA by hand the operator is told. */
static void tell_soft(struct entry *en, const char *why)
{
    if (en->installed_ms && !en->soft_told)
        say(en->of, EV_CHILD_WANTS_KEYS, en->sa, en->id, why);
    en->soft_told = true;
}

static void on_life(uv_timer_t *t)
{
    struct entry *en = t->data;
    struct core *c = en->of->core;
    take_down(en, "its life_time is over");
    core_settle(c);
}

static void on_soft(uv_timer_t *t)
{
    struct entry *en = t->data;
    const struct lifetime *l = &en->sa->life;
    tell_soft(en, "its rekey_time is over");
    if (l->life_s)
        uv_timer_start(t, on_life, (l->life_s - l->rekey_s) * 1000, 0);
}

static void start_timer(struct entry *en)
{
    const struct lifetime *l = &en->sa->life;
    if (l->rekey_s)
        uv_timer_start(&en->timer, on_soft, l->rekey_s * 1000, 0);
    else if (l->life_s)
        uv_timer_start(&en->timer, on_life, l->life_s * 1000, 0);
}

/* What the data plane or the SPD would refuse, told in the operator's words. */
static err_t refused(const struct manual_sa *sa, err_t e, struct io_error *err)
{
    if (e == R_EXISTS)
        snprintf(
            err->text, sizeof err->text,
            "SPI 0x%08x%s: its place in the table of inbound SAs is taken; choose another spi_in "
            "(the low bits say the place)",
            sa->spi_in, sa->bundle.spi_in ? " or that of AH" : "");
    else if (e == E_USAGE && sa->bundle.spi_in)
        snprintf(err->text, sizeof err->text,
                 "the upper bits of spi_in and ah_spi_in must be the same: they say which worker "
                 "has an SA, and one must have both");
    else if (e == E_NOTSUP)
        snprintf(err->text, sizeof err->text,
                 "the data plane has no such SA: mode and algorithms do not go together");
    else
        snprintf(err->text, sizeof err->text, "%s", err_text(e));
    return e;
}

/* The kernel sends nothing with a foreign source; that shows only in a counter. */
static void doubt(const struct manual *m, const struct manual_sa *sa, struct io_error *err)
{
    char a[ADDR_STR_MAX];
    if (!netlink_is_local(m->core->nl, &sa->local.addr))
        snprintf(err->text, sizeof err->text,
                 "%s: local = %s is no address of this host: nothing is sent or received until it "
                 "is",
                 sa->name, addr_str(&sa->local.addr, a));
}

static err_t install(struct manual *m, struct entry *en, struct io_error *err)
{
    struct child_sa child;
    manual_sa_child(en->sa, &child);
    child.id = en->id;
    child.dirs = DIR_BOTH;
    const struct conn_child ch = {.priority = en->sa->priority};
    err_t e = core_child_add(m->core, &child, &ch);
    if (e)
        return refused(en->sa, e, err);
    en->installed_ms = clock_now_ms();
    start_timer(en);
    say(m, EV_CHILD_ESTABLISHED, en->sa, en->id, "by hand");
    doubt(m, en->sa, err);
    return E_OK;
}

static struct entry *entry_new(struct manual *m, struct manual_sa *sa, bool from_file)
{
    struct entry *en = calloc(1, sizeof *en);
    if (!en)
        return NULL;
    *en = (struct entry){.of = m, .sa = sa, .id = m->next_id++, .from_file = from_file};
    list_init(&en->link);
    uv_timer_init(m->core->loop, &en->timer);
    en->timer.data = en;
    return en;
}

static bool name_taken(const struct manual *m, const char *name, struct io_error *err)
{
    if (!ike_conn_get(runner_engine(m->core->runner), name))
        return false;
    snprintf(err->text, sizeof err->text, "%s: a connection has this name; choose another", name);
    return true;
}

static err_t in_the_way(const char *name, const char *what, struct io_error *err)
{
    snprintf(err->text, sizeof err->text, "%s: %s", name, what);
    return R_EXISTS;
}

/*
 * What is loaded under the name. A second start of its sequence numbers would be a replay to the
 * peer, and with counter modes use a nonce twice; so the same again changes nothing, also when its
 * limit was reached, and other settings need other keys.
 */
static err_t meet(const struct entry *old, const struct manual_sa *sa, bool from_file, bool *same,
                  struct io_error *err)
{
    *same = old && !old->failed && manual_sa_eq(old->sa, sa);
    if (!old || *same)
        return E_OK;
    if (!from_file)
        return in_the_way(sa->name, "is loaded; take it back first: culvert sa del", err);
    if (!old->failed && manual_sa_same_key(old->sa, sa))
        return in_the_way(sa->name,
                          "its sequence numbers would begin again under the same key; "
                          "give it new keys, or take it out and reload first",
                          err);
    return E_OK;
}

/* One from the file that cannot be installed stays down, and its policy drops: nothing of what is
 * configured leaves in clear. */
static err_t put(struct manual *m, struct entry *en, struct io_error *err)
{
    err_t e = install(m, en, err);
    en->failed = e != E_OK;
    if (e && !en->from_file) {
        policies_release(m->core->pol, en->sa->name, NULL);
        uv_close((uv_handle_t *)&en->timer, on_closed);
        return e;
    }
    list_add_tail(&m->entries, &en->link);
    return e;
}

err_t manual_load(struct manual *m, struct manual_sa *sa, bool from_file, struct io_error *err)
{
    struct entry *old = find(m, sa->name), *en;
    bool same = false;
    err->text[0] = 0;
    err_t e = name_taken(m, sa->name, err) ? R_EXISTS : meet(old, sa, from_file, &same, err);
    if (e || same) {
        if (same && from_file)
            old->from_file = true;
        manual_sa_free(sa);
        return e;
    }
    if (!(en = entry_new(m, sa, from_file))) {
        manual_sa_free(sa);
        snprintf(err->text, sizeof err->text, "%s", err_text(E_NOMEM));
        return E_NOMEM;
    }
    if (old) /* the guard hears of both in one go */
        drop(old, "the configuration has another one");
    return put(m, en, err);
}

err_t manual_unload(struct manual *m, const char *name)
{
    struct entry *en = find(m, name);
    if (!en)
        return R_NOT_FOUND;
    drop(en, "taken back by the operator");
    return E_OK;
}

void manual_keep(struct manual *m, struct manual_sa *const *sa, size_t count)
{
    list_each_safe (it, next, &m->entries) {
        struct entry *en = container_of(it, struct entry, link);
        bool stays = !en->from_file;
        for (size_t i = 0; i < count && !stays; i++)
            stays = sa[i] && !strcmp(sa[i]->name, en->sa->name);
        if (!stays)
            drop(en, "no longer in the configuration");
    }
}

void manual_expired(struct manual *m, uint32_t child_id, bool hard)
{
    list_each (it, &m->entries) {
        struct entry *en = container_of(it, struct entry, link);
        if (en->id != child_id)
            continue;
        if (hard)
            take_down(en, "a limit of bytes, packets or sequence numbers was reached");
        else
            tell_soft(en, "rekey_bytes, rekey_packets or three quarters of the sequence numbers");
        return;
    }
}

void manual_each(const struct manual *m, manual_fn *fn, void *ctx)
{
    list_each (it, (struct list *)&m->entries) {
        const struct entry *en = container_of(it, struct entry, link);
        fn(ctx, en->sa, en->id, en->installed_ms);
    }
}

void manual_close(struct manual *m)
{
    list_each_safe (it, next, &m->entries)
        drop(container_of(it, struct entry, link), "the daemon ends");
}

void manual_free(struct manual *m)
{
    free(m);
}
