/* Events to text: see sinks.h. */
#include "daemon/sinks.h"
#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WATCHES_MAX 64

struct watch {
    struct vici_client *client;
    uint64_t ticket;
    int level;
};

struct sinks {
    struct vici_server *vici;
    struct watch watch[WATCHES_MAX];
    size_t watches;
    int level;
    bool journal;
    struct buf line;
};

struct sinks *sinks_new(int level, struct vici_server *vici)
{
    struct sinks *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->level = level;
    s->vici = vici;
    s->journal = getenv("JOURNAL_STREAM") != NULL;
    return s;
}

void sinks_free(struct sinks *s)
{
    if (!s)
        return;
    buf_free(&s->line);
    free(s);
}

void sinks_level(struct sinks *s, int level)
{
    s->level = level;
}

/* sd-daemon's prefixes: the journal turns them into priorities. */
static int syslog_priority(int level)
{
    return level < LEVEL_AUDIT ? 3 : level == LEVEL_AUDIT ? 5 : level == LEVEL_CTRL ? 6 : 7;
}

static void to_stderr(const struct sinks *s, const struct event *ev)
{
    char when[32] = "";
    struct timespec now;
    struct tm tm;
    if (s->journal) {
        fprintf(stderr, "<%d>[%s] %s\n", syslog_priority(event_level(ev->kind)),
                event_group(ev->kind), buf_str(&s->line));
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &tm))
        strftime(when, sizeof when, "%H:%M:%S", &tm);
    fprintf(stderr, "%s.%03ld [%s] %s\n", when, now.tv_nsec / 1000000, event_group(ev->kind),
            buf_str(&s->line));
}

/* Members that machines want beside the sentence; culvert's own addition to VICI's log events. */
static void add_evidence(struct vnode *m, const struct event *ev)
{
    vnode_value(m, "event", event_name(ev->kind));
    if (ev->reason)
        vnode_value(m, "reason", err_name(ev->reason));
    if (ev->what)
        vnode_value(m, "what", ev->what);
    if (ev->ours)
        vnode_value(m, "ours", ev->ours);
    if (ev->theirs)
        vnode_value(m, "theirs", ev->theirs);
    if (ev->hint)
        vnode_value(m, "hint", ev->hint);
    if (ev->clause)
        vnode_value(m, "clause", ev->clause);
}

static struct vnode *log_message(const struct sinks *s, const struct event *ev, bool thread)
{
    struct vnode *m = vnode_new();
    vnode_value(m, "group", event_group(ev->kind));
    vnode_valuef(m, "level", "%d", event_level(ev->kind));
    if (thread)
        vnode_value(m, "thread", "0");
    if (ev->conn && ev->ike_id) {
        vnode_value(m, "ikesa-name", ev->conn);
        vnode_valuef(m, "ikesa-uniqueid", "%u", ev->ike_id);
    }
    vnode_value(m, "msg", buf_str(&s->line));
    add_evidence(m, ev);
    return m;
}

static void to_watchers(struct sinks *s, const struct event *ev)
{
    struct vnode *m = NULL;
    for (size_t i = 0; i < s->watches; i++) {
        if (event_level(ev->kind) > s->watch[i].level)
            continue;
        if (!m)
            m = log_message(s, ev, false);
        vici_stream_event(s->watch[i].client, "control-log", m);
    }
    vnode_free(m);
}

void sinks_event(struct sinks *s, const struct event *ev)
{
    int level = event_level(ev->kind);
    bool wanted = level <= LEVEL_CTRL && vici_wants(s->vici, "log");
    if (level > s->level && !wanted && s->watches == 0)
        return;
    buf_clear(&s->line);
    event_render(ev, &s->line);
    if (level <= s->level)
        to_stderr(s, ev);
    if (wanted) {
        struct vnode *m = log_message(s, ev, true);
        vici_raise(s->vici, "log", m);
        vnode_free(m);
    }
    to_watchers(s, ev);
}

void sinks_watch(struct sinks *s, struct vici_client *c, uint64_t ticket, int level)
{
    if (s->watches < WATCHES_MAX)
        s->watch[s->watches++] = (struct watch){c, ticket, level};
}

static void remove_at(struct sinks *s, size_t i)
{
    s->watch[i] = s->watch[--s->watches];
}

void sinks_unwatch(struct sinks *s, uint64_t ticket)
{
    for (size_t i = s->watches; i-- > 0;)
        if (s->watch[i].ticket == ticket)
            remove_at(s, i);
}

void sinks_forget(struct sinks *s, const struct vici_client *c)
{
    for (size_t i = s->watches; i-- > 0;)
        if (s->watch[i].client == c)
            remove_at(s, i);
}
