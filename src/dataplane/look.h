/*
 * Packets that the packet path looks at twice: a SYN, whose MSS is lowered to what the SA carries;
 * one larger than what was watched for, which begins a search for the path MTU; and acknowledgments
 * while infer.c watches a segment. All others pay a compare. Called by esp_out.c and esp_in.c.
 */
#pragma once

#include "dataplane/dp.h"

#define LOOK_SYN 0x02 /* TCP flags that make an inbound packet worth a look */
#define LOOK_ACK 0x10
#define LOOK_MAX 128 /* inbound: longer ones are data */

void look_out_syn(struct dp *d, struct sa_out *sa, uint8_t *p, uint32_t len);
void look_out_large(struct dp *d, struct sa_out *sa, const uint8_t *p, uint32_t len);
void look_in_tcp(struct dp *d, struct sa_in *sa, uint8_t *p, uint32_t len);

/* A decrypted packet, len bytes of IPv4; any. */
static inline void look_in4(struct dp *d, struct sa_in *sa, uint8_t *p, uint32_t len)
{
    if (len <= LOOK_MAX && p[9] == 6 && (p[0] != 0x45 || len < 40 || (p[33] & sa->look)))
        look_in_tcp(d, sa, p, len);
}

static inline void look_in(struct dp *d, struct sa_in *sa, uint8_t *p, uint32_t len)
{
    if (p[0] >> 4 == 4)
        look_in4(d, sa, p, len);
    else if (len <= LOOK_MAX && (p[6] != 6 || len < 60 || (p[53] & sa->look)))
        look_in_tcp(d, sa, p, len);
}
