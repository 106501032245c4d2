/*
 * Packets on their way from one thread to another: what came to the wrong socket or queue. Bounded,
 * allocated once, any number of senders, one reader. Senders write to one half while the reader
 * works in the other, where the packets lie ready to be encrypted or decrypted in place. Order is
 * kept. Used by worker.c and datapath.c.
 */
#pragma once

#include <culvert/dataplane.h>
#include <pthread.h>

enum letter_kind {
    LETTER_OUT, /* a plain packet of the host, for the policy's owner */
    LETTER_IN,  /* ESP, for the SA's owner */
    LETTER_IKE, /* an IKE message without its marker, for the main thread */
};

struct letter {
    enum letter_kind kind;
    uint8_t hops;      /* handed over so many times already */
    struct dp_pkt pkt; /* data, len, local, remote, udp, tos */
};

#define LETTER_HOPS_MAX                                                                            \
    4 /* while a policy moves a packet may be sent after it, but not in circles */

struct mailbox_half {
    uint8_t *mem;
    size_t used;
    uint32_t fences;
};

struct mailbox {
    pthread_mutex_t lock;
    struct mailbox_half half[2];
    size_t size, read; /* bytes of a half; how far the reader came in his */
    int writing;
};

err_t mailbox_init(struct mailbox *m, size_t size) must_use; /* bytes in flight at most */
void mailbox_fini(struct mailbox *m);

/* A copy of the packet; false: full. *first: the box was empty, the reader must be woken. */
bool mailbox_put(struct mailbox *m, const struct letter *l, bool *first) must_use;
/* Tells the reader that all that this sender had to send is before here. Never fails. */
void mailbox_fence(struct mailbox *m, bool *first);
bool mailbox_is_empty(struct mailbox *m); /* but for what the reader has turned to */

/* The reader: turns to what was sent since the last turn; false: nothing. */
bool mailbox_turn(struct mailbox *m);
/* The next of this turn; its data, with head- and tailroom, stay until the turn after. */
bool mailbox_next(struct mailbox *m, struct letter *out);
uint32_t mailbox_fences(struct mailbox *m); /* met in this turn, once all its letters are read */
