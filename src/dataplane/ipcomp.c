/* IPComp: see ipcomp.h. */
#include "dataplane/ipcomp.h"
#include "base/cursor.h"
#include <stdlib.h>
#include <zlib.h>

/* A window of 2 KB is what Linux opens; hash tables of a few KB, for they are cleared each time. */
enum { WINDOW_BITS = 11, MEMORY = 4, LEVEL = 3, SCRATCH = 65536 };

struct ipcomp {
    z_stream in, out;
    bool has_in, has_out;
    uint8_t scratch[SCRATCH];
};

err_t ipcomp_new(struct ipcomp **to)
{
    struct ipcomp *z = calloc(1, sizeof *z);
    *to = z;
    if (!z)
        return E_NOMEM;
    z->has_in = inflateInit2(&z->in, -15) == Z_OK;
    z->has_out =
        deflateInit2(&z->out, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
    if (z->has_in && z->has_out)
        return E_OK;
    ipcomp_free(z);
    *to = NULL;
    return E_NOMEM;
}

void ipcomp_free(struct ipcomp *z)
{
    if (!z)
        return;
    if (z->has_in)
        inflateEnd(&z->in);
    if (z->has_out)
        deflateEnd(&z->out);
    free(z);
}

bool ipcomp_pack(struct ipcomp *z, uint8_t *data, uint32_t *len, uint8_t next, uint16_t cpi)
{
    if (*len < IPCOMP_LEAST || *len > SCRATCH || deflateReset(&z->out) != Z_OK)
        return false;
    z->out.next_in = data;
    z->out.avail_in = *len;
    z->out.next_out = z->scratch;
    z->out.avail_out = *len - IPCOMP_HEADER - 1; /* RFC 3173 2.2: never more than before */
    if (deflate(&z->out, Z_FINISH) != Z_STREAM_END)
        return false;
    uint32_t n = (uint32_t)z->out.total_out;
    data[0] = next;
    data[1] = 0;
    put_u16(data + 2, cpi);
    memcpy(data + IPCOMP_HEADER, z->scratch, n);
    *len = IPCOMP_HEADER + n;
    return true;
}

err_t ipcomp_unpack(struct ipcomp *z, const uint8_t *data, uint32_t len, uint8_t *out, uint32_t cap,
                    uint32_t *out_len)
{
    if (inflateReset(&z->in) != Z_OK)
        return E_NOMEM;
    z->in.next_in = (uint8_t *)(uintptr_t)data;
    z->in.avail_in = len;
    z->in.next_out = out;
    z->in.avail_out = cap;
    if (inflate(&z->in, Z_FINISH) != Z_STREAM_END || z->in.avail_in)
        return R_DP_IPCOMP;
    *out_len = (uint32_t)z->in.total_out;
    return E_OK;
}
