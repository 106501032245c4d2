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

static void add_text(struct vici_writer *w, const char *name, const char *text)
{
    if (text)
        vici_put_value(w, name, text);
}

/* Members that machines want beside the sentence; culvert's own addition to VICI's log events. */
static void add_evidence(struct vici_writer *w, const struct event *ev)
{
    vici_put_value(w, "event", event_name(ev->kind));
    add_text(w, "reason", ev->reason ? err_name(ev->reason) : NULL);
    add_text(w, "what", ev->what);
    add_text(w, "ours", ev->ours);
    add_text(w, "theirs", ev->theirs);
    add_text(w, "hint", ev->hint);
    add_text(w, "clause", ev->clause);
}

static void log_message(const struct sinks *s, const struct event *ev, bool thread,
                        struct vici_writer *w)
{
    vici_put_value(w, "group", event_group(ev->kind));
    buf_printf(vici_put_open(w, "level"), "%d", event_level(ev->kind));
    vici_put_close(w);
    if (thread)
        vici_put_value(w, "thread", "0");
    if (ev->conn && ev->ike_id) {
        vici_put_value(w, "ikesa-name", ev->conn);
        vici_put_number(w, "ikesa-uniqueid", ev->ike_id);
    }
    vici_put_value(w, "msg", buf_str(&s->line));
    add_evidence(w, ev);
}

static void to_watchers(struct sinks *s, const struct event *ev)
{
    for (size_t i = 0; i < s->watches; i++) {
        struct vici_client *c = s->watch[i].client;
        bool wanted = event_level(ev->kind) <= s->watch[i].level;
        struct vici_writer *w = wanted ? vici_event_begin(c, "control-log") : NULL;
        if (!w)
            continue;
        log_message(s, ev, false, w);
        vici_event_end(c);
    }
}

static void to_listeners(struct sinks *s, const struct event *ev)
{
    struct vici_writer *w = vici_raise_begin(s->vici, "log");
    if (!w)
        return;
    log_message(s, ev, true, w);
    vici_raise_end(s->vici);
}

static bool in_log(const struct sinks *s, int level)
{
    return level <= LEVEL_CTRL && vici_wants(s->vici, "log");
}

bool sinks_hear(const struct sinks *s, enum event_kind kind)
{
    int level = event_level(kind);
    bool heard = level <= s->level || in_log(s, level);
    for (size_t i = 0; i < s->watches && !heard; i++)
        heard = level <= s->watch[i].level;
    return heard;
}

void sinks_event(struct sinks *s, const struct event *ev)
{
    int level = event_level(ev->kind);
    bool wanted = in_log(s, level);
    if (!sinks_hear(s, ev->kind))
        return;
    buf_clear(&s->line);
    event_render(ev, &s->line);
    if (level <= s->level)
        to_stderr(s, ev);
    if (wanted)
        to_listeners(s, ev);
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
