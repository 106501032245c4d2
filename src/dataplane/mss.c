/* The MSS option: see mss.h. */
#include "dataplane/mss.h"

enum { OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2, OPT_MSS_LEN = 4, TCP_MIN = 20 };

/* RFC 1624 eqn. 3. The option may lie at an odd offset (RFC 1071 2 B: then its bytes count
 * swapped). */
static void set_mss(uint8_t *tcp, uint32_t at, uint16_t mss)
{
    uint16_t was = get_u16(tcp + at), is = mss;
    put_u16(tcp + at, mss);
    if (at & 1) {
        was = (uint16_t)(was << 8 | was >> 8);
        is = (uint16_t)(is << 8 | is >> 8);
    }
    uint32_t sum = (uint16_t)~get_u16(tcp + 16) + (uint32_t)(uint16_t)~was + is;
    put_u16(tcp + 16, ip_csum(sum));
}

bool mss_clamp(uint8_t *tcp, uint32_t len, uint16_t most)
{
    uint32_t end = (tcp[12] >> 4) * 4u;
    if (end < TCP_MIN || end > len)
        return false;
    for (uint32_t at = TCP_MIN; at < end && tcp[at] != OPT_END;) {
        if (tcp[at] == OPT_NOP) {
            at++;
            continue;
        }
        uint32_t n = at + 1 < end ? tcp[at + 1] : 0;
        if (n < 2 || n > end - at)
            return false;
        if (tcp[at] == OPT_MSS && n == OPT_MSS_LEN && get_u16(tcp + at + 2) > most) {
            set_mss(tcp, at + 2, most);
            return true;
        }
        at += n;
    }
    return false;
}
